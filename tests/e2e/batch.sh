#!/bin/bash
# One act on two thousand stuck sagas, on SQLite and on Postgres with two nodes: the process that
# does the batch is killed in the midst of it, and another goes on; each saga takes the act once. It
# is stopped and resumed at the other node, what was refused is tried again, and a key makes one
# batch of two requests.
source "$(dirname "$0")/lib.sh"
SAGAS=${SAGAS:-2000}

[ -n "${SKALD_TEST_POSTGRES:-}" ] || SERVICES=postgres exec tests/services.sh run "$0" "$@"

cat > "$dir/stuck.yaml" <<'YAML'
saga: stuck
key: ${input.id}
steps:
  - id: charge
    http: {to: payments, method: PUT, path: "/charges/${step.uuid}", body: {card: "4242", order: "${input.id}"}}
    timeout: 5s
    # A participant that is still busy with what a killed node had sent says so.
    outcome: {ongoing: [409]}
    retry: {initial_interval: 50ms, maximum_interval: 250ms, maximum_attempts: 10, on_exhausted: park}
    compensate:
      http: {to: payments, method: POST, path: "/charges/${step.uuid}/refund"}
YAML

at() { echo "http://127.0.0.1:${node_ports[$1]}"; }
start_node() { # number; they know a participant that is not there yet
	[ -n "${node_ports[$1]:-}" ] || node_ports[$1]=$(free_port)
	"$skald" serve --port "${node_ports[$1]}" --store "$store" --node-lease 2s \
		--participant="payments=http://127.0.0.1:$participant_port/payments" \
		>> "$dir/node$1.log" 2>&1 &
	node_pids[$1]=$!
	pids+=($!)
	wait_for 20 curl -fs "$(at "$1")/readyz" || fail "node $1 is not ready"
}
kill_node() { # number
	kill -9 "${node_pids[$1]}"
	wait "${node_pids[$1]}" 2> /dev/null || true
	forget "${node_pids[$1]}"
	node_pids[$1]=
}
stop_nodes() {
	local pid
	for pid in "${node_pids[@]}"; do
		[ -n "$pid" ] || continue
		kill "$pid"
		await_end "$pid" 30
		[ "$ended_with" = 0 ] || fail "a node ended with $ended_with"
	done
	node_pids=()
}

# api NODE CODE PATH CURL-ARGUMENTS...: the answer is in $answer.
api() {
	local node=$1 code=$2 path=$3 got
	shift 3
	got=$(curl -s -m 20 -o "$dir/answer" -w '%{http_code}' "$@" "$(at "$node")$path")
	answer=$(< "$dir/answer")
	[ "$got" = "$code" ] || fail "$path at node $node: $got instead of $code: $answer"
}
fits() { "$build/tests/tools/fits_openapi" "$1" <<< "$answer" 2> "$dir/err" || fail "the answer is no $1: $(< "$dir/err")"; }
post() { api "$1" "$2" "$3" -X POST -H 'Content-Type: application/json' "${@:4}"; }
field() { jq -r "$1" <<< "$answer"; }
count() { # node batch status: of its sagas
	curl -fs "$(at "$1")/v1/batches/$2" | jq ".counts.$3"
}
count_is() { [ "$(count "$1" "$2" "$3")" = "$4" ]; }
status_is() { [ "$(curl -fs "$(at "$1")/v1/batches/$2" | jq -r .status)" = "$3" ]; }
at_least() { [ "$(count "$1" "$2" "$3")" -ge "$4" ]; }
who_runs() { # the number of the node
	local n
	for n in "${!node_pids[@]}"; do
		[ "$(curl -fs "$(at "$n")/metrics" | sed -n 's/^skald_batches_open //p')" = 1 ] && echo "$n" && return
	done
	return 1
}
# Ids of all sagas, by pages.
all_sagas() { # node
	local next='' page
	while :; do
		page=$(curl -fs "$(at "$1")/v1/sagas?limit=500${next:+&cursor=$next}")
		jq -r '.sagas[].id' <<< "$page"
		next=$(jq -r '.next // empty' <<< "$page")
		[ -n "$next" ] || break
	done
}
# How often each saga has taken the act of a batch: lines of "saga times".
taken() { # node batch
	all_sagas "$1" | sed "s|.*|url = \"$(at "$1")/v1/sagas/&/history\"|" > "$dir/histories"
	curl -f --no-progress-meter --parallel --parallel-max 16 -K "$dir/histories" |
		jq -r --arg batch "$2" '.id as $id | [.history[].events[] | select(.type == "ActTaken" and .id == $batch)] | "\($id) \(length)"'
}
all_parked() { # node
	[ "$(curl -fs "$(at "$1")/v1/sagas?q=attention:true&limit=1" | jq '.sagas | length')" = 1 ] &&
		[ "$(count_attention "$1")" = "$SAGAS" ]
}
count_attention() { # node: by what a batch would find
	curl -fs -H 'Content-Type: application/json' "$(at "$1")/v1/batches?dry_run=true" \
		-d '{"act": {"act": "retry"}, "q": "attention:true"}' | jq .matches
}

# on_store KIND: with two nodes where the store is of many, else with one that is started again.
on_store() {
	local kind=$1 other=0 batch key
	node_ports=() node_pids=()
	participant_port=$(free_port)
	start_node 0
	if [ "$kind" = postgres ]; then
		start_node 1
		other=1
	fi
	expect 0 "$skald" def deploy --server "$(at 0)" "$dir/stuck.yaml"
	for ((i = 0; i < SAGAS; i++)); do
		[ $i = 0 ] || echo next
		printf 'url = "%s/v1/sagas"\nheader = "Content-Type: application/json"\noutput = "%s"\nsilent\nfail\ndata = "{\\"saga\\": \\"stuck\\", \\"input\\": {\\"id\\": \\"%s\\"}}"\n' \
			"$(at 0)" /dev/null "s$i"
	done > "$dir/starts"
	curl --no-progress-meter --parallel --parallel-max 16 -K "$dir/starts" || fail "not all sagas were started"
	wait_for 60 all_parked 0 || fail "$(count_attention 0) of $SAGAS sagas are parked"

	# What it would do, and what is refused.
	post 0 200 '/v1/batches?dry_run=true' -d '{"act": {"act": "retry", "reason": "they are back"}, "q": "attention:true"}'
	fits BatchDryRun
	[ "$(field '.sample | length')" = 10 ] || fail "the sample: $answer"
	[ "$(field '[.sample[].calls[0].method] | unique | join(",")')" = PUT ] || fail "its calls: $answer"
	post 0 422 /v1/batches -d '{"act": {"act": "retri"}, "q": "attention:true"}'
	fits Problem
	post 0 422 /v1/batches -d '{"act": {"act": "retry"}, "q": ""}'
	post 0 422 /v1/batches -d '{"act": {"act": "retry"}, "q": "statis:running"}'
	post 0 422 /v1/batches -d '{"act": {"act": "retry"}, "q": "attention:true", "rate": 10001}'
	post 0 422 /v1/batches -d '{"act": {"act": "reset", "to": 3}, "q": "attention:true"}'
	api 0 404 /v1/batches/00000000-0000-0000-0000-000000000000
	api 0 404 /v1/batches/nonsense

	# Paused, so that nothing is tried before the participant is back; refused where it is so already.
	key=$kind-pause
	post 0 202 /v1/batches -H "Idempotency-Key: $key" -d '{"act": {"act": "pause"}, "q": "attention:true", "by": "ana"}'
	batch=$(field .id)
	wait_for 60 status_is 0 "$batch" done || fail "the first batch is not done: $(curl -s "$(at 0)/v1/batches/$batch")"
	count_is 0 "$batch" done "$SAGAS" || fail "not all were paused: $(curl -s "$(at 0)/v1/batches/$batch")"
	# The same again is the same, something else under its key is not.
	post $other 200 /v1/batches -H "Idempotency-Key: $key" -d '{"act": {"act": "pause"}, "q": "attention:true", "by": "ana"}'
	[ "$(field .id)" = "$batch" ] || fail "another batch for the same key: $answer"
	post 0 422 /v1/batches -H "Idempotency-Key: $key" -d '{"act": {"act": "resume"}, "q": "attention:true", "by": "ana"}'
	[ "$(field .code)" = idempotency_key_reused ] || fail "the key was taken for another act: $answer"
	post 0 409 "/v1/batches/$batch/stop"
	post 0 409 "/v1/batches/$batch/retry"

	# All are paused already: each is refused, with the reason; tried again, it is so no more.
	post 0 202 /v1/batches -d '{"act": {"act": "pause"}, "q": "attention:true"}'
	batch=$(field .id)
	wait_for 60 status_is 0 "$batch" done || fail "the batch of refusals is not done"
	count_is 0 "$batch" refused "$SAGAS" || fail "not all were refused: $(curl -s "$(at 0)/v1/batches/$batch")"
	api 0 200 "/v1/batches/$batch/items?status=refused&limit=2"
	fits BatchItemList
	[ "$(field '.items | length')" = 2 ] && [ "$(field '.items[0].error | length > 5')" = true ] ||
		fail "refused items: $answer"
	[ "$(field '.items[0].now.status')" = paused ] || fail "the saga now: $answer"
	api 0 200 "/v1/batches/$batch/items?limit=2&cursor=$(field .next)"
	[ "$(field '.items | length')" = 2 ] || fail "the next page: $answer"
	post 0 202 /v1/batches -d '{"act": {"act": "resume"}, "q": "status:paused"}'
	local resume
	resume=$(field .id)
	wait_for 60 count_is 0 "$resume" done "$SAGAS" || fail "not all were resumed: $(curl -s "$(at 0)/v1/batches/$resume")"
	post $other 200 "/v1/batches/$batch/retry"
	wait_for 60 count_is 0 "$batch" done "$SAGAS" || fail "not all were paused in the end: $(curl -s "$(at 0)/v1/batches/$batch")"
	post 0 202 /v1/batches -d '{"act": {"act": "resume"}, "q": "status:paused"}'
	resume=$(field .id)
	wait_for 60 count_is 0 "$resume" done "$SAGAS" || fail "not all were resumed again"

	# The participant is back. Slowly, so that there is time to stop it and to be killed.
	"$build"/examples/*/participants/order_services --port "$participant_port" --data "$dir/$kind-services" \
		> "$dir/$kind-services.log" 2>&1 &
	pids+=($!)
	wait_for 10 grep -q 'listening on' "$dir/$kind-services.log" || fail "no participant"
	post 0 202 /v1/batches -D "$dir/headers" -d '{"act": {"act": "retry", "reason": "they are back"}, "q": "attention:true", "rate": 200, "by": "ana"}'
	batch=$(field .id)
	grep -qi "^location: /v1/batches/$batch" "$dir/headers" || fail "no location"
	wait_for 20 at_least 0 "$batch" done 200 || fail "it does not begin: $(curl -s "$(at 0)/v1/batches/$batch")"

	# Stopped at the other node: within a second nothing more happens.
	post $other 200 "/v1/batches/$batch/stop"
	[ "$(field .status)" = stopped ] || fail "not stopped: $answer"
	sleep 1.5
	local before
	before=$(count "$other" "$batch" done)
	[ "$before" -lt "$SAGAS" ] || fail "it was through before it was stopped"
	sleep 1.5
	count_is $other "$batch" done "$before" || fail "it went on when it was stopped: $before, $(count $other "$batch" done)"
	post $other 200 "/v1/batches/$batch/resume"
	wait_for 20 at_least $other "$batch" done $((before + 200)) || fail "it was not resumed"

	# Who does it is stopped, and the other goes on at once; or it does when it is started again.
	local runner
	runner=$(who_runs) || fail "nobody runs it"
	before=$(count "$runner" "$batch" done)
	kill "${node_pids[$runner]}"
	await_end "${node_pids[$runner]}" 30
	[ "$ended_with" = 0 ] || fail "the node ended with $ended_with"
	[ "$kind" = postgres ] || start_node 0
	wait_for 10 at_least $(((runner + 1) % ${#node_pids[@]})) "$batch" done $((before + 100)) ||
		fail "nobody went on after a stop"
	[ "$kind" = sqlite ] || start_node "$runner"

	# Who does it is killed.
	runner=$(who_runs) || fail "nobody runs it"
	[ "$(count $runner "$batch" pending)" -gt 200 ] || fail "it was through before the node was killed"
	kill_node $runner
	[ "$kind" = postgres ] && other=$((1 - runner)) || start_node 0
	wait_for 90 status_is $other "$batch" done || fail "nobody went on: $(curl -s "$(at $other)/v1/batches/$batch")"
	count_is $other "$batch" done "$SAGAS" || fail "not all were done: $(curl -s "$(at $other)/v1/batches/$batch")"
	taken $other "$batch" > "$dir/taken"
	[ "$(wc -l < "$dir/taken")" = "$SAGAS" ] || fail "$(wc -l < "$dir/taken") histories"
	[ "$(cut -d ' ' -f 2 "$dir/taken" | sort -u)" = 1 ] || fail "acts taken: $(cut -d ' ' -f 2 "$dir/taken" | sort | uniq -c)"
	all_completed() { [ "$(curl -fs "$(at $other)/metrics" | sed -n 's/^skald_sagas{status="completed"} //p')" = "$SAGAS" ]; }
	wait_for 60 all_completed || fail "not all sagas completed"
	# Each item says where in the history its act is.
	api $other 200 "/v1/batches/$batch/items?limit=500"
	[ "$(field '[.items[] | select(.seq > 1 and (.effect.events | index("ActTaken")))] | length')" = 500 ] ||
		fail "effects: $(field '[.items[] | select(.seq == null or (.effect.events | index("ActTaken") | not))] | .[0:3]')"
	[ "$(curl -fs "$(at $other)/metrics" | grep -c '^skald_batch_items_total{result="done"} ')" = 1 ] || fail "no metric"
	api $other 200 '/v1/batches?limit=2'
	fits BatchList
	[ "$(field '.batches[0].id')" = "$batch" ] && [ "$(field '.next | length')" = 36 ] || fail "the list: $answer"
	stop_nodes
}

store=$dir/data/skald.db
mkdir -p "$dir/data"
on_store sqlite
store=${SKALD_TEST_POSTGRES%/*}/batch_$$
psql "$SKALD_TEST_POSTGRES" -qc "CREATE DATABASE batch_$$" || fail "no database"
on_store postgres
echo "$SAGAS sagas were retried on each store, once each"
