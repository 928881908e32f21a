#!/bin/bash
# Locks, runs of one saga, keys that are used again, and the values that sagas are found by, against a running
# server that dies by SIGKILL. With STORE a Postgres, two nodes share the sagas. Answers are held against
# openapi.json. What a participant sees is the proof: nobody was in an account with another, everything was
# undone once, the last thing first.
source "$(dirname "$0")/lib.sh"
tools=$build/tests/tools
server=$SKALD_SERVER # of the requests; the second node's in its turn

request() {
	status=$(curl -s -m 60 -D "$dir/head" -o "$dir/body" -w '%{http_code}' -X "$1" "${@:3}" "$server$2") ||
		fail "no answer to $1 $2"
	body=$(< "$dir/body")
}
post() { request POST "$1" -H 'Content-Type: application/json' "${@:3}" --data-binary "$2"; }
is() { [ "$status" = "$1" ] || fail "status $status instead of $1: $body"; }
fits() { "$tools/fits_openapi" "$1" < "$dir/body" 2> "$dir/err" || fail "the answer is no $1: $(cat "$dir/err") $body"; }
holds() { jq -e "$1" < "$dir/body" > "$dir/jq" || fail "not so: $1 of $body"; }
problem() { is "$1" && fits Problem && holds ".code == \"$2\""; }
deploy() {
	request POST /v1/definitions -H 'Content-Type: application/yaml' --data-binary "$1"
	[ "$status" = 200 ] || is 201
}
start() { # DEFINITION INPUT: its id is in $id
	post /v1/sagas "{\"saga\":\"$1\",\"input\":$2}" "${@:3}"
	is 202
	id=$(jq -r .id < "$dir/body")
}
look() { request GET "/v1/sagas/$id" && [ "$status" = 200 ]; }
is_so() { look && jq -e "$1" < "$dir/body" > /dev/null; }
await() { wait_for 20 is_so "$1" || fail "not so of the saga: $1: $body"; fits Saga; }
signal() { post "/v1/sagas/$id/signals/$1" "{\"value\":$2}" && [ "$status" = 200 ] || is 202; }
recorded() { curl -fs "$scripted/recorded"; }
locks() { request GET "/v1/locks?$1" && is 200 && fits LockList; }

"$tools/scripted_participant" > "$dir/scripted.log" 2>&1 &
pids+=($!)
wait_for 10 grep -q 'listening on' "$dir/scripted.log" || fail "the participant does not listen"
scripted=$(sed -n 's/^listening on //p' "$dir/scripted.log")
serve() { start_skald --participant="svc=$scripted" && await_skald; }
restart() {
	kill -9 "$skald_pid"
	await_end "$skald_pid" 10
	serve
}
serve

# ---- locks ----

deploy 'saga: transfer
participants: {svc: {timeout: 5s}}
deadline: 5m
steps:
  - {id: accounts, lock: {keys: ["account:${input.from}", "account:${input.to}"], release_after: left}, timeout: 2m}
  - id: entered
    http: {to: svc, method: POST, path: /record, body: {in: "${saga.id}", keys: "${steps.accounts.output.keys}", token: "${steps.accounts.output.token}"}}
    compensate: none
  - {id: a_moment, await: {after: 20ms}}
  - id: left
    http: {to: svc, method: POST, path: /record, body: {out: "${saga.id}", keys: "${steps.accounts.output.keys}"}}
    compensate: none
'
deploy 'saga: holds
steps:
  - {id: account, lock: {keys: ["account:${input.n}"]}, timeout: 2m}
  - {id: told, await: {signal: end}, timeout: 2m}
'
start holds '{"n":1}'
holder=$id
await '.steps[0].status == "completed" and .steps[0].actions[0].lock.held and .steps[0].output.token > 0'
start holds '{"n":1}'
waiter=$id
await '.steps[0].actions[0].lock == {keys: ["account:1"], held: false, token: null, since: .steps[0].actions[0].lock.since}'
in_line() { locks key=account:1 && jq -e '.locks | length == 2' < "$dir/body" > /dev/null; }
wait_for 10 in_line || fail "they do not stand in line: $body"
holds ".locks[0].held and .locks[0].saga == \"$holder\" and .locks[1].saga == \"$waiter\" and .locks[1].held == false"
locks "saga=$waiter"
holds '.locks == [.locks[0]] and .locks[0].key == "account:1"'
locks key=account:2
holds '.locks == [] and .more == false'
request GET /v1/locks
problem 400 invalid_query
expect 0 "$skald" lock show account:1
says "holds  $holder"
says "waits  $waiter"
expect 0 "$skald" -o json lock list "$waiter"
says '"held": false'
# It is held over the death of the process, and granted after it.
restart
locks key=account:1
holds ".locks[0].held and .locks[0].saga == \"$holder\""
first_token=$(jq '.locks[0].token' < "$dir/body")
id=$holder
signal end null
await '.status == "completed"'
id=$waiter
await '.steps[0].actions[0].lock.held'
holds ".steps[0].output.token > $first_token"
post "/v1/sagas/$id/cancel" '{"reason":"enough"}'
[ "$status" = 202 ] || is 200
await '.status == "compensated"'
given_back() { locks key=account:1 && jq -e '.locks == []' < "$dir/body" > /dev/null; }
wait_for 10 given_back || fail "the lock is not given back: $body"

# Many at once, and the process dies while it grants. Nobody is in an account with another.
stop_skald
SKALD_FAILPOINTS=grant_after:12=kill,grant_before:60=kill serve
transfers=()
transfer() {
	local from=$(($1 % 4)) to
	to=$(((from + 1 + $1 / 4 % 3) % 4))
	post /v1/sagas "{\"saga\":\"transfer\",\"input\":{\"from\":$from,\"to\":$to,\"n\":$1}}" -H "Idempotency-Key: transfer-$1"
	[ "$status" = 202 ] || [ "$status" = 200 ]
}
for n in $(seq 1 30); do
	until (transfer "$n") 2> /dev/null; do
		wait_for 5 not_running "$skald_pid" || fail "the start of $n failed: $(cat "$dir/body")"
		forget "$skald_pid"
		wait "$skald_pid" 2> /dev/null || true
		serve
	done
	transfers+=("$(jq -r .id < "$dir/body")")
done
for id in "${transfers[@]}"; do
	ended() { is_so '.status == "completed"'; }
	for ((tries = 0; tries < 3; tries++)); do
		wait_for 60 eval 'ended || not_running $skald_pid' || fail "$id does not end: $(cat "$dir/body")"
		not_running "$skald_pid" || break
		forget "$skald_pid"
		wait "$skald_pid" 2> /dev/null || true
		serve
	done
done
# Entering is told again after a crash, so what counts is who is in when somebody enters.
recorded > "$dir/recorded"
jq -e '[.[] | select(.in) | .in] | unique | length == 30' < "$dir/recorded" > /dev/null || fail "not all have entered"
jq -e 'reduce .[] as $e ({in: {}, ok: true};
	if $e.in then .ok = (.ok and (. as $s | [$e.keys[] | $s.in[.] // $e.in | . == $e.in] | all)) | .in += ([$e.keys[] | {(.): $e.in}] | add)
	elif $e.out then . as $s | .in |= with_entries(select(.value != $e.out)) else . end) | .ok' < "$dir/recorded" > /dev/null ||
	fail "two were in one account: $(cat "$dir/recorded")"
# For a key later ones have greater tokens.
jq -e '[.[] | select(.in) | {saga: .in, key: .keys[], token}] | group_by(.key) |
	all(reduce .[] as $e ({last: 0, ok: true}; .ok = (.ok and $e.token >= .last) | .last = $e.token) | .ok)' < "$dir/recorded" > /dev/null ||
	fail "the tokens do not grow: $(cat "$dir/recorded")"

# ---- search, labels, and keys that are used again ----

deploy 'saga: order
key: ${input.order}
key_reuse: after_undo
labels: {team: shop, tier: 2}
search: {customer: "${input.customer}", order: "${saga.key}", region: "${input.?region}"}
participants: {svc: {timeout: 5s}}
steps:
  - {id: noted, http: {to: svc, method: POST, path: /ok}, compensate: {http: {to: svc, method: POST, path: /ok}}}
  - {id: charge, http: {to: svc, method: POST, path: "/status/${input.code}"}, compensate: none}
  - {id: told, await: {signal: end}, timeout: 1h}
'
start order '{"order":"o-1","customer":42,"code":422}'
first=$id
await '.status == "compensated"'
holds '.search == {customer: "42", order: "o-1"} and .labels == {team: "shop", tier: "2"}'
start order '{"order":"o-1","customer":42,"code":200}'
[ "$id" != "$first" ] || fail "the key of an undone saga was not used again"
second=$id
await '.status == "waiting"'
start order '{"order":"o-1","customer":42,"code":200}'
[ "$id" = "$second" ] || fail "a duplicate started another saga"
grep -qi '^idempotent-replayed: true' "$dir/head" || fail "it does not say that it is a duplicate"
post /v1/sagas '{"saga":"order","input":{"order":"o-1","customer":43,"code":200}}'
problem 422 idempotency_key_reused
start order '{"order":"o-2","customer":43,"region":"eu west","code":200}'
third=$id
found() { # FILTER IDS...
	request GET "/v1/sagas?q=$(jq -rn --arg q "$1" '$q | @uri')" && is 200
	[ "$(jq -c '[.sagas[].id] | sort' < "$dir/body")" = "$(printf '%s\n' "${@:2}" | jq -Rnc '[inputs | select(. != "")] | sort')" ] ||
		fail "not what $1 should find: $body"
}
found 'search.customer:42' "$first" "$second"
found 'search.customer:42 status:compensated' "$first"
found 'label.team:shop search.customer:43' "$third"
found 'label.tier:2' "$first" "$second" "$third"
found 'search.region:"eu west"' "$third"
found 'search.region:eu' ''
found 'label.team:other' ''
expect 0 "$skald" -o json saga list search.customer:43 label.team:shop
says "$third"
expect 1 "$skald" saga list search.:43
for id in "$second" "$third"; do
	signal end null
	await '.status == "completed"'
done
# One that was completed keeps its key.
post /v1/sagas '{"saga":"order","input":{"order":"o-1","customer":42,"code":200}}'
is 200
[ "$(jq -r .id < "$dir/body")" = "$second" ] || fail "the key of a completed saga was used again: $body"

# ---- runs ----

deploy 'saga: subscription
participants: {svc: {timeout: 5s}}
input: {schema: {type: object, required: [n], properties: {n: {type: integer}}}}
search: {first: "${input.n}"}
steps:
  - {id: told, await: {signal: next}, timeout: 1h}
  - id: bill
    when: ${steps.told.output != "stop"}
    http: {to: svc, method: POST, path: /record, body: {bill: "${input.n}", key: "${step.key}"}}
    compensate:
      when: ${input.n > 1}
      http: {to: svc, method: POST, path: /record, body: {unbill: "${input.n}", because: "${saga.failure.code}"}}
  - {id: again, when: '"'"'${steps.told.output != "stop"}'"'"', continue_as_new: {input: {n: "${input.n + 1}"}}}
output: "${input.n}"
'
start subscription '{"n":1}'
entity=$id
for n in 1 2 3; do
	await ".run == $n and .status == \"waiting\""
	signal next '"on"'
	await ".run == $((n + 1))"
	[ $n != 2 ] || restart
done
id=$entity
await '.input.n == 4 and .search == {first: "1"}'
holds '[.steps[] | select(.id == "~carried") | .actions[].carried] == [{step: "bill", run: 1}, {step: "bill", run: 2}, {step: "bill", run: 3}]'
request GET "/v1/sagas/$id/history?limit=500"
is 200
holds '[.history[].events[] | select(.type == "SagaContinued")] | length == 3'
# All rows can be read, and the state at any of them.
row=$(jq '[.history[] | select([.events[].type] | index("SagaContinued")) | .seq][0]' < "$dir/body")
request GET "/v1/sagas/$id?at=$((row - 1))"
is 200
holds '.run == 1 and .input.n == 1'
request GET "/v1/sagas/$id/compensations"
is 200
holds '[.ledger[] | select(.step == "~carried") | .compensation.status] == ["armed", "armed", "armed"]'
post "/v1/sagas/$id/reset" "{\"to\":$((row - 1)),\"reason\":\"back\"}"
problem 422 invalid_body
holds '.detail | contains("an earlier run")'
restart
post "/v1/sagas/$id/cancel" '{"reason":"over"}'
is 202
await '.status == "compensated"'
[ "$(recorded | jq -c '[.[] | .unbill // empty]')" = '[3,2]' ] || fail "not undone in reverse order: $(recorded)"
[ "$(recorded | jq -c '[.[] | select(.bill) | .key | split("/")[1]]')" = '["bill","bill~2","bill~3"]' ] ||
	fail "the keys of runs: $(recorded)"
request GET "/v1/sagas/$id/compensations"
holds '[.ledger[] | select(.step == "~carried") | .compensation.status] == ["skipped", "done", "done"]'

if [ -n "${STORE:-}" ]; then
	# ---- two nodes: a lock that one gives back goes to a saga of the other ----
	first_node=$skald_pid
	port=$(free_port)
	server=http://127.0.0.1:$port
	start_skald --participant="svc=$scripted"
	wait_for 20 curl -fs "$server/readyz" || fail "the second node is not ready"
	two_nodes() { curl -fs "$server/metrics" | grep -qx 'skald_slots_owned 128'; }
	wait_for 20 two_nodes || fail "the slots are not shared"
	ids=()
	for n in 1 2 3 4 5 6 7 8; do
		start holds '{"n":9}'
		ids+=("$id")
	done
	for n in 1 2 3 4 5 6 7 8; do
		held() { locks key=account:9 && jq -e '.locks[0].held' < "$dir/body" > /dev/null; }
		wait_for 15 held || fail "nobody holds it: $body"
		[ "$(jq '[.locks[] | select(.held)] | length' < "$dir/body")" = 1 ] || fail "several hold it: $body"
		id=$(jq -r '.locks[0].saga' < "$dir/body")
		await '.steps[0].actions[0].lock.held'
		if [ $n = 4 ]; then
			kill -9 "$first_node"
			await_end "$first_node" 10
			all_slots() { curl -fs "$server/metrics" | grep -qx 'skald_slots_owned 256'; }
			wait_for 20 all_slots || fail "the second node does not take over"
		fi
		signal end null
		await '.status == "completed"'
	done
	for id in "${ids[@]}"; do is_so '.status == "completed"' || fail "one was left: $body"; done
fi
echo "$test_name: locks, keys, values and runs"
