#!/bin/bash
# Sagas of sagas under kill -9: no child is started twice, none is forgotten, and each ends as its
# parent does, however often the server dies in between. Some are cancelled on the way.
#
# With SQLite the server dies at failpoints; with Postgres (children_nodes.sh) two nodes are killed in
# turn, whenever it happens to be, and the other goes on.
source "$(dirname "$0")/lib.sh"
tools=$build/tests/tools
NODES=${NODES:-1}
ROUNDS=${ROUNDS:-14}
seed=${SEED:-$RANDOM}
RANDOM=$seed
store=$dir/data/skald.db
if [ "$NODES" -gt 1 ]; then
	store=${SKALD_TEST_POSTGRES%/*}/children_$$
	psql "$SKALD_TEST_POSTGRES" -qc "CREATE DATABASE children_$$" || fail "no database"
fi

"$tools/scripted_participant" > "$dir/scripted.log" 2>&1 &
pids+=($!)
wait_for 10 grep -q 'listening on' "$dir/scripted.log" || fail "the participant does not listen"
scripted=$(sed -n 's/^listening on //p' "$dir/scripted.log")

ports=() node_pids=()
start_node() { # number [failpoints]
	[ -n "${ports[$1]:-}" ] || ports[$1]=$(free_port)
	SKALD_FAILPOINTS=${2:-} "$skald" serve --port "${ports[$1]}" --store "$store" --node-lease 2s \
		--participant "svc=$scripted" >> "$dir/node$1.log" 2>&1 &
	node_pids[$1]=$!
	pids+=($!)
}
at() { echo "http://127.0.0.1:${ports[$1]}"; }
is_ready() { curl -fs "$(at "$1")/readyz"; }
await_node() { wait_for 30 is_ready "$1" || fail "node $1 is not ready (seed $seed)"; }

for ((n = 0; n < NODES; n++)); do start_node $n; done
for ((n = 0; n < NODES; n++)); do await_node $n; done
export SKALD_SERVER
SKALD_SERVER=$(at 0)

deploy() { curl -fs -o "$dir/deployed" -H 'Content-Type: application/yaml' --data-binary "$1" "$(at 0)/v1/definitions" || fail "not deployed"; }
deploy 'saga: hold
participants: {svc: {timeout: 2s}}
steps:
  - id: take
    http: {to: svc, method: POST, path: /ok}
    compensate: {http: {to: svc, method: POST, path: /ok}}
output: {n: "${input.n}"}'
deploy 'saga: trip
key: ${input.id}
participants: {svc: {timeout: 2s}}
steps:
  - id: legs
    for_each: ${input.legs}
    steps:
      - id: seat
        http: {to: svc, method: POST, path: /ok}
        compensate: {http: {to: svc, method: POST, path: /ok}}
      - id: bags
        steps:
          - id: bag
            http: {to: svc, method: POST, path: /ok}
            compensate: {http: {to: svc, method: POST, path: /ok}}
          - id: rest
            await: {after: "200ms"}
  - id: hotel
    saga: hold
    with: {n: "${size(input.legs)}"}
  - id: last
    http: {to: svc, method: POST, path: "/${input.last}"}
    retry: {maximum_attempts: 1}
    compensate: none
output: {n: "${steps.hotel.output.n}"}'

started=0
post() { # NODE PATH BODY: its status
	curl -s -o "$dir/answer" -w '%{http_code}' -m 10 -H 'Content-Type: application/json' -d "$3" "$(at "$1")$2" || true
}
load() { # how many: each start is repeated until it is acknowledged
	local i code last
	for ((i = 0; i < $1; i++)); do
		started=$((started + 1))
		last=ok
		[ $((started % 3)) != 0 ] || last=status/409
		for ((attempt = 0; ; attempt++)); do
			code=$(post $(((attempt + started) % NODES)) /v1/sagas "{\"saga\":\"trip\",\"input\":{\"id\":\"t$started\",\"legs\":[1,2],\"last\":\"$last\"}}")
			case $code in
			200 | 202) break ;;
			000 | 429 | 503) [ $attempt -lt 900 ] || fail "trip $started: $code" ;;
			*) fail "trip $started: $code: $(cat "$dir/answer")" ;;
			esac
			sleep 0.05
		done
		if [ $((RANDOM % 4)) = 0 ]; then # refused, lost or taken: whichever comes first
			sleep "0.0$((RANDOM % 10))"
			post $((started % NODES)) "/v1/sagas/$(jq -r .id < "$dir/answer")/cancel" '{"reason":"changed my mind"}' > "$dir/cancelled"
		fi
	done
}

failpoints=(send_before send_after commit_before commit_after commit_release commit_released reply_before
	reply_posted answer_before recovery_listed recovery_load recovery_loaded)
die() { # node
	kill -9 "${node_pids[$1]}" 2> /dev/null || true
	wait "${node_pids[$1]}" 2> /dev/null || true
	forget "${node_pids[$1]}"
}
for ((round = 0; round < ROUNDS; round++)); do
	if [ "$NODES" = 1 ]; then
		failpoint=${failpoints[$((round % ${#failpoints[@]}))]}
		die 0
		start_node 0 "$failpoint:$((1 + RANDOM % 30))=kill"
		load 4 &
		loader=$!
		wait_for 4 not_running "${node_pids[0]}" || true
		die 0
		start_node 0
		wait "$loader" || fail "a start was refused (seed $seed)"
		started=$((started + 4))
	else
		load 6 &
		loader=$!
		sleep "0.$((RANDOM % 9))"
		die $((round % 2))
		sleep "0.$((RANDOM % 9))"
		start_node $((round % 2))
		wait "$loader" || fail "a start was refused (seed $seed)"
		started=$((started + 6))
		await_node $((round % 2))
	fi
done

await_node 0
open() { "$skald" saga list --all status:running,waiting,compensating,compensation_failed,paused -o json; }
all_ended() { [ "$(open | jq length)" = 0 ]; }
wait_for 90 all_ended || fail "these do not end (seed $seed):"$'\n'"$("$skald" saga list --all status:running,waiting,compensating,compensation_failed)"

"$skald" saga list --all -o json > "$dir/sagas.json"
check() { jq -e "$1" "$dir/sagas.json" > "$dir/jq" || fail "not so (seed $seed): $1: $(head -c 3000 "$dir/sagas.json")"; }
check "[.[] | select(.saga == \"trip\")] | length == $started"
check 'map("\(.saga) \(.key)") | length == (unique | length)'
check '. as $all | (map({key: .id, value: .status}) | from_entries) as $status
	| [.[] | select(.parent != null and .status != $status[.parent])] | length == 0'
# Whoever completed has all its children, each once.
check '(map(select(.parent != null)) | group_by(.parent) | map({key: .[0].parent, value: (map(.saga) | sort)}) | from_entries) as $of
	| [.[] | select(.status == "completed" and .saga == "trip" and $of[.id] != ["hold","trip#legs","trip#legs"])] | length == 0'
check '(map(select(.parent != null)) | group_by(.parent) | map({key: .[0].parent, value: length}) | from_entries) as $of
	| [.[] | select(.status == "completed" and .saga == "trip#legs" and $of[.id] != 1)] | length == 0'
check '[.[] | select(.saga == "trip" and .status == "completed")] | length > 0'
check '[.[] | select(.saga == "trip" and .status == "compensated")] | length > 0'
echo "children_kill9: $started trips, $(jq length < "$dir/sagas.json") sagas, seed $seed: ok"
