#!/bin/bash
# Webhooks and callbacks at any node of two on one Postgres: they reach the sagas of both, also those
# that came before their saga waited, and those of a node that is killed meanwhile.
source "$(dirname "$0")/lib.sh"
tools=$build/tests/tools
SAGAS=${SAGAS:-24}

[ -n "${SKALD_TEST_POSTGRES:-}" ] || SERVICES=postgres exec tests/services.sh run "$0" "$@"
url=${SKALD_TEST_POSTGRES%/*}/waiting_$$
psql "$SKALD_TEST_POSTGRES" -qc "CREATE DATABASE waiting_$$" || fail "no database"
"$tools/scripted_participant" > "$dir/scripted.log" 2>&1 &
pids+=($!)
wait_for 10 grep -q 'listening on' "$dir/scripted.log" || fail "the participant does not listen"
scripted=$(sed -n 's/^listening on //p' "$dir/scripted.log")

node_ports=("$(free_port)" "$(free_port)") node_pids=()
start_node() { # number
	"$skald" serve --port "${node_ports[$1]}" --store "$url" --node-lease 2s --participant "svc=$scripted" \
		--public-url "http://127.0.0.1:${node_ports[1]}" >> "$dir/node$1.log" 2>&1 &
	node_pids[$1]=$!
	pids+=($!)
	wait_for 20 curl -fs "$(at "$1")/readyz" || fail "node $1 is not ready"
}
at() { echo "http://127.0.0.1:${node_ports[$1]}"; }
owns() { curl -fs "$(at "$1")/metrics" | grep -qx "skald_slots_owned $2"; }
post() { # node path body
	status=$(curl -s -m 20 -o "$dir/body" -w '%{http_code}' -H 'Content-Type: application/json' --data-binary "$3" "$(at "$1")$2") || status=000
}
is() { [ "$status" = "$1" ] || fail "status $status instead of $1: $(< "$dir/body")"; }
ended() { # how many have completed
	[ "$(curl -fs "$(at 1)/v1/sagas?status=completed&limit=500" | jq '.sagas | length')" = "$1" ]
}

start_node 0
start_node 1
wait_for 20 owns 0 128 || fail "the slots are not shared"
for saga in 'saga: hooked
steps:
  - id: told
    await: [{webhook: psp, correlate: {from: "${event.data.ref}", expect: "${input.ref}"}}, {signal: told}]
    timeout: 10m
' 'saga: tracked
steps:
  - id: track
    http: {to: svc, method: POST, path: /status/202, body: {hook: "${step.callback_url}"}}
    outcome: {ongoing: [202]}
    compensate: none
'; do
	curl -fs -o "$dir/body" -H 'Content-Type: application/yaml' --data-binary "$saga" "$(at 0)/v1/definitions" || fail "not deployed"
done

# Each webhook comes at the other node than the start; every third comes before its saga.
for ((i = 0; i < SAGAS; i++)); do
	((i % 3)) || { post $(((i + 1) % 2)) /v1/webhooks/psp "{\"ref\":\"r-$i\"}"; is 202; }
	post $((i % 2)) /v1/sagas "{\"saga\":\"hooked\",\"input\":{\"ref\":\"r-$i\"}}"
	is 202
	((i % 3)) && { post $(((i + 1) % 2)) /v1/webhooks/psp "{\"ref\":\"r-$i\"}"; is 202; }
done
wait_for 30 ended "$SAGAS" || fail "not all have completed: $(curl -s "$(at 1)/v1/sagas?limit=500" | jq -r '.sagas[].status' | sort | uniq -c)"

# Callbacks at node 1, whoever has the saga; half of them while node 0 is dead.
ids=()
for ((i = 0; i < SAGAS; i++)); do
	post $((i % 2)) /v1/sagas '{"saga":"tracked","input":{}}'
	is 202
	ids+=("$(jq -r .id "$dir/body")")
done
hooks=()
goes_on() { curl -fs "$(at 1)/v1/sagas/$1/history?limit=100" > "$dir/history" && jq -e '[.history[].events[].type] | index("StepOngoing")' "$dir/history"; }
for id in "${ids[@]}"; do
	wait_for 20 goes_on "$id" || fail "saga $id does not go on: $(< "$dir/history")"
	hooks+=("$(jq -r '[.history[].events[] | select(.type == "StepScheduled")][0].request.body.hook' "$dir/history")")
done
for ((i = 0; i < SAGAS; i++)); do
	[ $i = $((SAGAS / 2)) ] && kill -9 "${node_pids[0]}"
	[[ ${hooks[$i]} == "$(at 1)/v1/callbacks/"* ]] || fail "the callback is ${hooks[$i]}"
	post 1 "${hooks[$i]#"$(at 1)"}" "{\"n\":$i}"
	is 202
done
await_end "${node_pids[0]}" 10
wait_for 30 ended $((2 * SAGAS)) || fail "not all have completed: $(curl -s "$(at 1)/v1/sagas?limit=500" | jq -r '.sagas[].status' | sort | uniq -c)"
kill "${node_pids[1]}"
await_end "${node_pids[1]}" 30
[ "$ended_with" = 0 ] || fail "node 1 ended with $ended_with"
echo "waiting_nodes: passed"
