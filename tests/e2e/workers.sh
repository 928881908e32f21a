#!/bin/bash
# Workers over plain HTTP, with curl alone: tasks are polled for, leased, kept with heartbeats,
# completed and failed; a worker that is killed loses its task to another, and its late word is
# refused; queues with limits and builds. With STORE=postgresql://… there are two nodes, and workers
# ask the one that does not own the saga.
source "$(dirname "$0")/lib.sh"

# say METHOD PATH [BODY [CURL ARGUMENT...]]: the answer is in $status and $body. At $SKALD_SERVER.
say() {
	status=$(curl -s -m 70 -D "$dir/head" -o "$dir/body" -w '%{http_code}' -X "$1" \
		${3:+-H 'Content-Type: application/json' --data-binary "$3"} "${@:4}" "$SKALD_SERVER$2") ||
		fail "no answer to $1 $2"
	body=$([ "$status" = 204 ] || cat "$dir/body")
}
is() { [ "$status" = "$1" ] || fail "status $status instead of $1: $body"; }
holds() { jq -e "$1" <<< "$body" > /dev/null || fail "not so: $1 of $body"; }
deploy() { say POST /v1/definitions "$1" -H 'Content-Type: application/yaml' && { [ "$status" = 201 ] || is 200; }; }
start() { # DEFINITION INPUT: its id is in $id
	say POST /v1/sagas "{\"saga\":\"$1\",\"input\":$2}"
	is 202
	id=$(jq -r .id <<< "$body")
}
poll() { # QUEUE [MORE MEMBERS]: the first task's token is in $token
	say POST "/v1/queues/$1/poll" "{\"worker\":\"w-1\",\"wait\":\"10s\"${2:+,$2}}"
	is 200
	token=$(jq -r '.tasks[0].token' <<< "$body")
}
nothing() { # QUEUE [MORE MEMBERS]
	say POST "/v1/queues/$1/poll" "{\"worker\":\"w-1\",\"wait\":\"300ms\"${2:+,$2}}"
	is 204
}
empty='{}'
task() { say POST "/v1/tasks/$1/$2" "${3:-$empty}"; }
saga_is() { say GET "/v1/sagas/$1" && [ "$(jq -r .status <<< "$body")" = "$2" ]; }
await() { wait_for 20 saga_is "$1" "$2" || fail "the saga is not $2: $body"; }

start_skald
await_skald
owner=$SKALD_SERVER
if [ -n "${STORE:-}" ]; then
	# A second node gets its share of the slots; then what is asked of one is often the other's.
	other=$(free_port)
	"$skald" serve --port "$other" --store "$STORE" --node-lease 2s > "$dir/other.log" 2>&1 &
	pids+=($!)
	other_owns() { curl -fs "http://127.0.0.1:$other/metrics" | grep -qx 'skald_slots_owned 128'; }
	wait_for 30 other_owns || fail "the second node has no slots"
fi
# Polls go to the other node, where there is one.
elsewhere() { SKALD_SERVER=http://127.0.0.1:${other:-$port}; }
here() { SKALD_SERVER=$owner; }

deploy 'saga: ship
input: {schema: {type: object}}
steps:
  - id: pack
    task: {queue: packing, route: "${input.?at.orValue('"'oslo'"')}"}
    with: {order: "${input.id}"}
    timeout: 20s
    heartbeat: 6s
    retry: {initial_interval: 10ms, maximum_interval: 10ms, jitter: 0, maximum_attempts: 4, non_retryable: [no_such_order]}
    output: {box: "${reply.body.box}"}
    compensate: {task: unpacking, with: {key: "${step.key}"}}
  - id: send
    task: sending
    compensate: none
output: "${steps.pack.output}"'

# --- A poll that waits is woken by the start; the saga goes through both queues.
for i in 1 2 3 4 5 6; do
	elsewhere
	curl -s -m 60 -H 'Content-Type: application/json' -o "$dir/woken" -w '%{http_code} %{time_total}' \
		-d '{"worker":"waits","wait":"30s"}' "$SKALD_SERVER/v1/queues/packing/poll" > "$dir/code" &
	waiting=$!
	polls() { say GET /v1/queues/packing && [ "$(jq .pollers <<< "$body")" = 1 ]; }
	wait_for 10 polls || fail "the poll is not seen: $body"
	here
	start ship "{\"id\":$i}"
	wait "$waiting"
	[[ $(< "$dir/code") == 200\ * ]] || fail "woken with $(< "$dir/code")"
	jq -e --arg id "$id" '.tasks | length == 1 and (.[0] | .saga == $id and .queue == "packing" and .definition == "ship" and .step == "pack"
		and .side == "do" and .attempt == 1 and .input.order == '"$i"' and .route == "oslo" and .timeout_ms == 20000 and .heartbeat_ms == 6000
		and (.key | endswith("/pack/do")) and .lease_until and .deadline_at)' < "$dir/woken" > /dev/null || fail "$(cat "$dir/woken")"
	token=$(jq -r '.tasks[0].token' < "$dir/woken")
	elsewhere
	task "$token" heartbeat '{"details":{"done":1}}'
	is 200
	holds '.cancel == false and .lease_until'
	shows_progress() { say GET "/v1/sagas/$id" && jq -e '[.. | .progress? // empty] == [{"done": 1}]' <<< "$body" > /dev/null; }
	wait_for 4 shows_progress || fail "what the worker said is not shown: $body"
	task "$token" complete '{"output":{"box":7}}'
	is 200
	task "$token" complete '{"output":{"box":7}}' # the answer was lost, say
	is 200
	task "$token" complete '{"output":{"box":8}}' # that is something else
	is 409
	holds '.code == "completed_otherwise"'
	task "$token" heartbeat
	is 409
	holds '.code == "lease_lost"'
	poll sending
	task "$token" complete
	is 200
	here
	await "$id" completed
	holds '.output.box == 7'
done

# --- What a saga shows of its task; routes; a poll for several queues at once.
start ship '{"id":20,"at":"bergen"}'
elsewhere
nothing packing '"routes":["oslo"]'
here
say GET "/v1/sagas/$id"
holds '.steps[0].actions[0].task | .state == "queued" and .queue == "packing" and .route == "bergen"'
elsewhere
poll sending '"queues":["packing","no-such"],"routes":["bergen","x"]'
holds '.tasks[0].queue == "packing"'
here
say GET "/v1/sagas/$id"
holds '.status == "running" and (.steps[0].actions[0].task | .state == "leased" and .worker == "w-1")'
# --- Errors: one that may be tried again; one that is final and undoes nothing.
task "$token" fail '{"code":"jam","message":"paper","details":{"page":3}}'
is 200
elsewhere
poll packing
holds '.tasks[0].attempt == 2'
task "$token" fail '{"code":"no_such_order"}'
is 200
here
await "$id" compensated
holds '.failure.code == "no_such_order"'

# --- A worker is killed in mid-task: another one is given it, and the late word is refused.
cat > "$dir/worker" <<'END'
#!/bin/bash
# Polls, and dies while it works.
token=$(curl -s -m 60 -H 'Content-Type: application/json' -d '{"worker":"doomed","wait":"20s"}' "$1/v1/queues/packing/poll" | jq -r '.tasks[0].token')
echo "$token" > "$2.part" && mv "$2.part" "$2"
exec sleep 60
END
chmod +x "$dir/worker"
elsewhere
"$dir/worker" "$SKALD_SERVER" "$dir/token" &
doomed=$!
here
start ship '{"id":30}'
wait_for 10 test -s "$dir/token" || fail "the worker got no task"
kill -9 "$doomed"
wait "$doomed" 2> /dev/null || true
late=$(< "$dir/token")
elsewhere
poll packing
holds '.tasks[0].attempt == 2'
here
task "$late" complete '{"output":{"box":1}}'
is 409
holds '.code == "lease_lost"'
task "$late" heartbeat
is 409
task "$token" complete '{"output":{"box":2}}'
is 200
poll sending
# --- The saga turns back: what is leased is told so, what was done is undone by a worker.
say POST "/v1/sagas/$id/cancel" '{"reason":"not wanted"}'
elsewhere
task "$token" heartbeat
is 200
holds '.cancel == true and (.reason | test("undone"))'
task "$token" fail '{"code":"cancelled"}'
is 200
poll unpacking
holds '.tasks[0].side == "undo" and (.tasks[0].input.key | endswith("/pack/do"))'
task "$token" complete
is 200
here
await "$id" compensated
say GET "/v1/sagas/$id/history?limit=500"
holds '[.history[].events[] | select(.type == "TaskLeased" and .step == "pack" and .side == null) | .by] == ["doomed", "w-1"]'
holds 'any(.history[].events[]; .type == "ReplyIgnored" and .step == "pack")'
holds 'any(.history[].events[]; .type == "StepAttemptFailed" and .code == "lease_expired")'

# --- Nobody who asks is given a task whose connection is gone: the next one has it at once.
curl -s -m 1 -H 'Content-Type: application/json' -d '{"worker":"gone","wait":"20s"}' "$SKALD_SERVER/v1/queues/sending/poll" > "$dir/ignored" || true
deploy 'saga: one
steps:
  - {id: only, task: sending, timeout: 40s, compensate: none}'
start one '{}'
poll sending
holds '.tasks[0].attempt == 1'
task "$token" complete
is 200

# --- Several at a time; a pause takes what waits back.
deploy 'saga: many
steps:
  - {id: each, for_each: "${input.list}", max_parallel: 10, task: batch, with: "${item}", compensate: none}'
start many '{"list":[1,2,3,4,5]}'
poll batch '"max":3'
holds '.tasks | length >= 1 and length <= 3'
first=$(jq -r '.tasks[].token' <<< "$body")
say POST "/v1/sagas/$id/pause" '{}'
nothing batch
say POST "/v1/sagas/$id/resume" '{}'
for t in $first; do task "$t" complete '{"output":1}' && is 200; done
for ((done = $(wc -w <<< "$first"); done < 5; done++)); do poll batch && task "$token" complete '{"output":1}' && is 200; done
await "$id" completed

# --- Settings: at most one at a time, and so many a second.
say PUT /v1/queues/batch '{"max_concurrent":1}' -H 'If-Match: "0"'
is 200
holds '.settings.max_concurrent == 1 and .revision == 1'
say PUT /v1/queues/batch '{"max_concurrent":2}' -H 'If-Match: "0"'
is 412
say PUT /v1/queues/batch '{"max_concurent":2}'
is 422
holds '.errors[0].pointer == "/max_concurent"'
start many '{"list":[1,2]}'
poll batch '"max":10'
holds '.tasks | length == 1'
nothing batch
task "$token" complete '{"output":1}'
poll batch
task "$token" complete '{"output":1}'
await "$id" completed
say PUT /v1/queues/batch '{"rate_per_second":2}'
is 200
start many '{"list":[1,2,3,4,5,6]}'
given=0
before=$(date +%s%N)
while [ $given -lt 6 ]; do
	poll batch '"max":10'
	given=$((given + $(jq '.tasks | length' <<< "$body")))
	for t in $(jq -r '.tasks[].token' <<< "$body"); do task "$t" complete '{"output":1}'; done
done
took=$((($(date +%s%N) - before) / 1000000))
[ $took -ge 1500 ] || fail "six tasks at two a second took only $took ms"

# --- Blue and green: a part of the sagas goes to the new build, and each stays there.
say PUT /v1/queues/sending '{"builds":{"default":"blue","ramp":{"build":"green","percent":50}}}'
is 200
for i in $(seq 1 24); do start one '{}'; done
given_to() { # BUILD: how many it is given
	local n=0 t
	while :; do
		say POST /v1/queues/sending/poll "{\"worker\":\"w-$1\",\"build\":\"$1\",\"wait\":\"1s\",\"max\":20}"
		[ "$status" = 200 ] || break
		n=$((n + $(jq '.tasks | length' <<< "$body")))
		for t in $(jq -r '.tasks[].token' <<< "$body"); do task "$t" complete; done
	done
	echo $n
}
nothing sending
blue=$(given_to blue) green=$(given_to green)
[ $((blue + green)) = 24 ] && [ "$blue" -gt 0 ] && [ "$green" -gt 0 ] || fail "blue $blue, green $green"
say PUT /v1/queues/sending '{"builds":{"default":"green"}}'
start one '{}'
[ "$(given_to blue)" = 0 ] || fail "blue is given tasks after the switch"
[ "$(given_to green)" = 1 ] || fail "green is given none"
say GET /v1/queues/sending
holds '.settings.builds.default == "green" and (.builds | contains(["blue", "green"])) and any(.workers[]; .worker == "w-green" and .build == "green")'
say GET /v1/queues
holds '[.queues[].queue] | contains(["batch", "packing", "sending"])'
holds '.queues[] | select(.queue == "sending") | .totals.completed >= 1 and .queued == 0 and .leased == 0'

# --- A lease outlives a restart of the server: the worker's result is taken.
start ship '{"id":50}'
poll packing
if [ -z "${STORE:-}" ]; then
	kill -9 "$skald_pid"
	await_end "$skald_pid" 10
	sleep 6.5 # longer than the lease
	start_skald
	await_skald
fi
task "$token" complete '{"output":{"box":9}}'
is 200
start ship '{"id":51}'
say GET '/v1/queues/packing/tasks?state=queued'
holds '.tasks | length == 1 and .[0].state == "queued" and .[0].step == "pack"'

# --- A queue that nobody knows is none; a definition that names it makes it one, and so does a word about it.
say GET /v1/queues/no-such-queue
is 404
holds '.code == "queue_not_found" and (.detail | test("no-such-queue"))'
expect 3 "$skald" queue show no-such-queue
expect 3 "$skald" worker list no-such-queue
deploy 'saga: quiet
steps:
  - id: within
    steps: [{id: only, task: only-named, compensate: {task: undo-named}}]'
for queue in only-named undo-named; do
	say GET /v1/queues/$queue
	is 200
	holds '.queued == 0 and .pollers == 0'
done
say GET /v1/queues/only-named '' -H 'Skald-Namespace: other'
is 404
expect 0 "$skald" queue set only-said --rate 5
expect 0 "$skald" queue show only-said

# --- What cannot be.
task nonsense complete
is 400
say POST /v1/queues/x/poll '{}'
is 422
say POST /v1/queues/x/poll '{"worker":"w","max":101}'
is 422
say POST /v1/queues/x/poll '{"worker":"w","wait":"soon"}'
is 422
curl -fs "$SKALD_SERVER/metrics" > "$dir/metrics"
for metric in 'skald_task_leases_total' 'skald_task_lease_expiries_total' 'skald_task_pollers' 'skald_task_queue_depth' 'skald_tasks_completed_total'; do
	grep -q "^$metric{.*queue=\"packing\"" "$dir/metrics" || fail "no $metric"
done
stop_skald
