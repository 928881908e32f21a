#!/bin/bash
# Sagas that records of a real broker start: CloudEvents in both modes and plain JSON, duplicates by
# key and by place, poison of each kind under each policy, dead letters and what can be done about
# them, pause, resume and seek, another version of the definition, and a server that is killed.
source "$(dirname "$0")/lib.sh"
[ -n "${SKALD_TEST_KAFKA:-}" ] || SERVICES=kafka exec tests/services.sh run "$0" "$@"
tools=$build/tests/tools

kafka() { "$tools/kafka_records" "$SKALD_TEST_KAFKA" "$@" || fail "kafka_records $*"; }
run=$$ # topics of this run alone
orders=orders.$run once=once.$run strict=strict.$run
for topic in $orders $once $strict; do kafka topic "$topic" 3; done

get() { curl -fs -m 20 "$SKALD_SERVER$1"; }
post() { # path, body: the answer is in $body, its status in $status
	status=$(curl -s -m 30 -o "$dir/body" -w '%{http_code}' -H 'Content-Type: application/json' \
		-d "$2" "$SKALD_SERVER$1") || fail "no answer to $1"
	body=$(cat "$dir/body")
}
is() { [ "$status" = "$1" ] || fail "status $status instead of $1: $body"; }
fits() { "$tools/fits_openapi" "$1" > /dev/null 2> "$dir/fits" || fail "no $1: $(cat "$dir/fits")"; }
sagas() { get "/v1/sagas?limit=500&saga=$1" | jq '.sagas | length'; }
has_sagas() { [ "$(sagas "$1")" = "$2" ]; }
records() { get "/v1/triggers/$1/$2" | jq -r ".records.$3"; }
counted() { [ "$(records "$1" "$2" "$3")" = "$4" ]; }
lag_is() { [ "$(get "/v1/triggers/$1/$2" | jq -r .lag)" = "$3" ]; }
state_is() { [ "$(get "/v1/triggers/$1/$2" | jq -r .state)" = "$3" ]; }
letters() { get "/v1/dead-letters?$1" | jq '.dead_letters | length'; }
has_letters() { [ "$(letters "$1")" = "$2" ]; }
letter() { get "/v1/dead-letters?$1" | jq -r '.dead_letters[0].id'; }
settled() { # definition topic: nothing is behind, and nothing is out
	get "/v1/triggers/$1/$2" | jq -e '.lag == 0 and .in_flight == 0'
}
deploy() { "$skald" def deploy - > "$dir/deploy.out" 2>&1 || fail "deploy: $(cat "$dir/deploy.out")"; }

# Members that were killed are missed soon.
export SKALD_KAFKA__PROPERTIES__SESSION_TIMEOUT_MS=6000
serve() {
	start_skald --kafka-brokers "$SKALD_TEST_KAFKA"
	await_skald
}
serve

# What is in a definition begins to be consumed; a topic of which nobody heard is waited for.
deploy << YAML
saga: order
key: \${input.id}
input: {schema: {type: object, required: [id], properties: {id: {type: string}, amount: {type: integer}}}}
start_on:
  - kafka: $orders
    when: \${!has(event.data.test)}
    input: \${event.data}
    poison: {retry: {maximum_attempts: 2, initial_interval: 50ms}, then: dead_letter}
steps:
  - {id: note, set: {of: "\${input.id}"}}
YAML
deploy << YAML
saga: once
start_on:
  - {kafka: $once}
steps:
  - {id: note, set: {x: 1}}
YAML
wait_for 20 state_is order "$orders" running || fail "the trigger does not run: $(get "/v1/triggers")"
get /v1/triggers | fits TriggerList

# The three forms of a record; one that `when` sorts out; duplicates by key, wherever they stand.
kafka produce "$orders" << JSON
{"key": "a", "value": {"id": "o-1", "amount": 1}}
{"key": "b", "value": {"id": "o-2"}, "headers": {"ce_specversion": "1.0", "ce_id": "7", "ce_source": "/shop", "ce_type": "OrderPlaced", "content-type": "application/json"}}
{"key": "c", "value": {"specversion": "1.0", "id": "8", "source": "/shop", "type": "OrderPlaced", "data": {"id": "o-3"}}, "headers": {"content-type": "application/cloudevents+json"}}
{"key": "a", "value": {"id": "o-1", "amount": 1}}
{"key": "z", "value": {"amount": 1, "id": "o-1"}}
{"key": "a", "value": {"test": true}}
JSON
wait_for 20 settled order "$orders" || fail "records remain: $(get "/v1/triggers/order/$orders")"
has_sagas order 3 || fail "$(sagas order) sagas instead of 3"
counted order "$orders" started 3 || fail "started: $(records order "$orders" started)"
counted order "$orders" deduplicated 2 || fail "deduplicated: $(records order "$orders" deduplicated)"
counted order "$orders" filtered 1 || fail "filtered: $(records order "$orders" filtered)"
get "/v1/triggers/order/$orders" | fits Trigger
# A start over HTTP with the same key and input is the same saga, too.
post /v1/sagas '{"saga": "order", "input": {"id": "o-2"}}'
[[ $body == *'"saga"'* && $(sagas order) = 3 ]] || fail "HTTP started another one: $body"

# Without a key anywhere the place of the record is its key: the same value twice is two sagas.
kafka produce "$once" << 'JSON'
{"partition": 0, "value": {"n": 1}}
{"partition": 0, "value": {"n": 1}}
JSON
wait_for 20 has_sagas once 2 || fail "$(sagas once) sagas of records without a key"
[ "$(get '/v1/sagas?saga=once' | jq -r '[.sagas[].key] | sort | join(" ")')" = \
	"kafka:default/$once/0/0 kafka:default/$once/0/1" ] || fail "keys: $(get '/v1/sagas?saga=once')"

# Poison of each kind; those around it go on, and those of its key come after it.
kafka produce "$orders" << 'JSON'
{"key": "p1", "value": "{\"id\": ", "headers": {"content-type": "application/json", "trace": "t-1"}}
{"key": "p2", "value": {"id": 17}}
{"key": "p3", "value": {"id": "o-1", "amount": 99}}
{"key": "p4", "value": {"id": "o-4"}}
{"key": "p2", "value": {"id": "o-5"}}
JSON
wait_for 20 has_letters "status=waiting" 3 || fail "dead letters: $(get /v1/dead-letters)"
wait_for 20 settled order "$orders" || fail "records remain behind poison"
has_sagas order 5 || fail "$(sagas order) sagas beside poison"
get /v1/dead-letters | fits DeadLetterList
[ "$(get /v1/dead-letters | jq -r '[.dead_letters[].reason] | sort | join(" ")')" = \
	"invalid_input key_conflict unparsable" ] || fail "reasons: $(get /v1/dead-letters)"
[ "$(get /v1/dead-letters | jq '[.dead_letters[].attempts] | unique == [2]')" = true ] || fail "attempts"
# The record is in the topic of dead letters, unchanged, with the reasons.
kafka read "$orders-dlt" 3 > "$dir/dlt"
jq -se --arg topic "$orders" 'map(select(.key == "p1"))[0] | .value == "{\"id\": " and
	.headers.trace == "t-1" and .headers["content-type"] == "application/json" and
	.headers["skald-dlt-topic"] == $topic and .headers["skald-dlt-reason"] == "unparsable" and
	.headers["skald-dlt-trigger"] == "order/" + $topic and .headers["skald-dlt-attempts"] == "2" and
	(.headers["skald-dlt-message"] | length > 0) and (.headers["skald-dlt-offset"] | test("^[0-9]+$"))' \
	"$dir/dlt" > "$dir/jq" || fail "dead letters in Kafka: $(cat "$dir/dlt")"

# Browsing, and what can be done: it fails again, is edited, is discarded.
id=$(letter reason=invalid_input)
get "/v1/dead-letters/$id" | fits DeadLetter
[ "$(get "/v1/dead-letters/$id" | jq -r .value.text)" = '{"id":17}' ] || fail "value: $(get "/v1/dead-letters/$id")"
post "/v1/dead-letters/$id/redrive" '{}'
is 422
[ "$(jq -r .code <<< "$body")" = redrive_failed ] || fail "redrive: $body"
[[ $body == *invalid_input* ]] || fail "the redrive does not say why: $body"
has_letters "status=waiting" 3 || fail "what failed does not wait"
post "/v1/dead-letters/$id/redrive" '{"value": {"json": {"id": "o-17"}}}'
is 200
fits Redriven <<< "$body"
[ "$(get "/v1/sagas/$(jq -r .saga_id <<< "$body")" | jq -r .key)" = o-17 ] || fail "edited: $body"
[ "$(get "/v1/dead-letters/$id" | jq -r '.status, .saga_id' | tr '\n' ' ')" = "redriven $(jq -r .saga_id <<< "$body") " ] ||
	fail "status: $(get "/v1/dead-letters/$id")"
post "/v1/dead-letters/$id/redrive" '{}'
is 409
post "/v1/dead-letters/$id/redrive" '{"value": {"json": 1, "text": "1"}}'
is 422
post "/v1/dead-letters/$(letter reason=unparsable)/discard" '{}'
is 200
has_letters "status=discarded" 1 || fail "nothing is discarded"
post /v1/dead-letters/00000000-0000-5000-8000-000000000000/discard '{}'
is 404
[ "$(jq -r .code <<< "$body")" = dead_letter_not_found ] || fail "problem: $body"
[ "$(curl -s -o /dev/null -w '%{http_code}' "$SKALD_SERVER/v1/dead-letters?status=gone")" = 400 ] || fail "status=gone"

# Many at once: pages, then a version of the definition that can use them.
for n in 1 2 3 4 5; do echo '{"key": "m'$n'", "value": {"number": "m-'$n'"}}'; done | kafka produce "$orders"
wait_for 20 has_letters "status=waiting&reason=invalid_input" 5 || fail "dead letters of many"
next="" seen=0
while :; do
	page=$(get "/v1/dead-letters?status=waiting&limit=2${next:+&cursor=$next}")
	seen=$((seen + $(jq '.dead_letters | length' <<< "$page")))
	next=$(jq -r '.next // ""' <<< "$page")
	[ -n "$next" ] || break
done
[ $seen = 6 ] || fail "$seen dead letters in pages instead of 6"
deploy << YAML
saga: order
key: \${input.id}
input: {schema: {type: object, required: [id], properties: {id: {type: string}}}}
start_on:
  - kafka: $orders
    input: "\${has(event.data.number) ? {'id': event.data.number} : event.data}"
    poison: {retry: {maximum_attempts: 1}}
steps:
  - {id: note, set: {of: "\${input.id}"}}
YAML
post /v1/dead-letters/redrive '{"trigger": "order/'"$orders"'"}'
is 200
fits RedriveBatch <<< "$body"
[ "$(jq -c '[.redriven, .failed, .more]' <<< "$body")" = '[5,1,false]' ] || fail "redriven: $body"
[ "$(jq -r '[.effects[] | select(.result == "failed") | .reason] | join(" ")' <<< "$body")" = key_conflict ] ||
	fail "what failed: $body"
has_sagas order 11 || fail "$(sagas order) sagas after the redrive"
# The new version took over, with the same group: nothing was read twice.
wait_for 20 bash -c "curl -fs $SKALD_SERVER/v1/triggers/order/$orders | jq -e '.version == 2'" || fail "version"
echo '{"key": "n", "value": {"number": "n-1"}}' | kafka produce "$orders"
wait_for 20 has_sagas order 12 || fail "the new version does not start"

# Pause and resume hold beyond the process; what was produced meanwhile waits.
post "/v1/triggers/order/$orders/pause" '{"reason": "stock is down", "by": "ann"}'
is 200
fits TriggerRow <<< "$body"
wait_for 20 state_is order "$orders" paused || fail "it is not paused"
sleep 1 # until the consumer has stood still for a moment
for n in 1 2 3; do echo '{"value": {"id": "w-'$n'"}}'; done | kafka produce "$orders"
stop_skald
serve
wait_for 20 state_is order "$orders" paused || fail "the pause did not survive a restart"
wait_for 20 lag_is order "$orders" 3 || fail "lag: $(get "/v1/triggers/order/$orders")"
[ "$(get "/v1/triggers/order/$orders" | jq -r '.pause | .reason + " " + .by')" = "stock is down ann" ] || fail "pause"
has_sagas order 12 || fail "a paused trigger started something"
expect 0 "$skald" trigger resume "order/$orders"
wait_for 20 has_sagas order 15 || fail "it does not go on: $(get "/v1/triggers/order/$orders")"

# The policy that pauses: the record waits, and others with it, until somebody goes on from after it.
deploy << YAML
saga: strict
key: \${input.id}
input: {schema: {type: object, required: [id]}}
start_on:
  - kafka: $strict
    input: \${event.data}
    poison: {retry: {maximum_attempts: 1}, then: pause}
steps:
  - {id: note, set: {x: 1}}
YAML
kafka produce "$strict" << 'JSON'
{"partition": 1, "value": {"id": "s-1"}}
{"partition": 1, "value": {"nothing": 1}}
JSON
wait_for 20 state_is strict "$strict" paused || fail "poison does not pause: $(get "/v1/triggers/strict/$strict")"
get "/v1/triggers/strict/$strict" | jq -re .pause.reason | grep -q 'partition 1, offset 1: invalid_input' || fail "why paused"
echo '{"partition": 1, "value": {"id": "s-2"}}' | kafka produce "$strict"
expect 0 "$skald" trigger resume "strict/$strict" # in vain: the record is as it was
paused_twice() { [ "$(grep -c "strict/$strict of namespace default is paused" "$dir/skald.log")" = 2 ]; }
wait_for 20 paused_twice || fail "it did not pause again"
has_sagas strict 1 || fail "$(sagas strict) strict sagas"
# Offsets are committed now and then: up to the record that waits, and never beyond it.
stands_before_poison() { [ "$(kafka committed "$strict" skald.default.strict | sed -n 's/^1 //p')" = 1 ]; }
wait_for 20 stands_before_poison || fail "committed: $(kafka committed "$strict" skald.default.strict)"
expect 0 "$skald" trigger seek "strict/$strict" 2 --partition 1
wait_for 20 bash -c "curl -fs $SKALD_SERVER/v1/triggers/strict/$strict | jq -e '.seeks == null'" || fail "no seek"
expect 0 "$skald" trigger resume "strict/$strict"
wait_for 20 has_sagas strict 2 || fail "it does not go on after the seek: $(get "/v1/triggers/strict/$strict")"
has_letters "trigger=strict/$strict" 0 || fail "a dead letter of a trigger that pauses"

# Skipping; and back to the beginning, where all is known already.
deploy << YAML
saga: strict
key: \${input.id}
input: {schema: {type: object, required: [id]}}
start_on:
  - {kafka: $strict, poison: skip, input: "\${event.data}"}
steps:
  - {id: note, set: {x: 1}}
YAML
wait_for 20 bash -c "curl -fs $SKALD_SERVER/v1/triggers/strict/$strict | jq -e '.version == 2'" || fail "version 2"
before=$(records strict "$strict" deduplicated)
expect 0 "$skald" trigger seek "strict/$strict" earliest
wait_for 20 counted strict "$strict" deduplicated $((before + 2)) || fail "seek: $(get "/v1/triggers/strict/$strict")"
wait_for 20 counted strict "$strict" skipped 1 || fail "skipped: $(get "/v1/triggers/strict/$strict")"
wait_for 20 settled strict "$strict" || fail "lag after a seek"
has_sagas strict 2 || fail "a seek started sagas anew"
post "/v1/triggers/strict/$strict/seek" '{"to": "yesterday"}'
is 422
post "/v1/triggers/strict/$strict/seek" '{"to": 0, "partition": 3}'
is 400
post "/v1/triggers/strict/$strict/seek" '{"to": 1000, "partition": 1}' # past the end
is 400
post "/v1/triggers/strict/$strict/seek" '{"to": 1000}'
is 400
post /v1/triggers/strict/nowhere/pause '{}'
is 404

# Killed in the middle: every record has its saga, once; the offsets come back to the end.
for round in 1 2 3; do
	for n in $(seq 100); do echo '{"key": "k'$((n % 17))'", "value": {"id": "k-'$round-$n'"}}'; done | kafka produce "$orders" &
	producing=$!
	sleep 0.3
	kill -9 "$skald_pid"
	wait "$producing" || fail "no records"
	await_end "$skald_pid" 20
	serve
done
wait_for 60 settled order "$orders" || fail "records remain after kills: $(get "/v1/triggers/order/$orders")"
[ "$(get '/v1/sagas?limit=500&saga=order' | jq '[.sagas[].key | select(startswith("k-"))] | (length, (unique | length))' | tr '\n' ' ')" = "300 300 " ] ||
	fail "not every record has its saga, once"
[ "$(kafka ends "$orders")" = "$(kafka committed "$orders" skald.default.order)" ] ||
	wait_for 10 bash -c "[ \"\$('$tools/kafka_records' $SKALD_TEST_KAFKA ends $orders)\" = \"\$('$tools/kafka_records' $SKALD_TEST_KAFKA committed $orders skald.default.order)\" ]" ||
	fail "committed: $(kafka committed "$orders" skald.default.order) ends: $(kafka ends "$orders")"

# What is missing is shown, and nothing crashes of it.
deploy << YAML
saga: lost
start_on:
  - {kafka: nowhere.$run, cluster: elsewhere}
  - {kafka: missing.$run}
steps:
  - {id: note, set: {x: 1}}
YAML
wait_for 20 state_is lost "nowhere.$run" failed || fail "an unknown cluster: $(get /v1/triggers)"
get "/v1/triggers/lost/nowhere.$run" | jq -re .detail | grep -q 'no cluster `elsewhere`' || fail "detail"
wait_for 20 bash -c "curl -fs $SKALD_SERVER/v1/triggers/lost/missing.$run | jq -e '.detail | test(\"does not exist\")'" ||
	fail "a missing topic: $(get "/v1/triggers/lost/missing.$run")"
kafka topic "missing.$run" 1
echo '{"value": {"n": 1}}' | kafka produce "missing.$run"
wait_for 60 has_sagas lost 1 || fail "the topic that came is not consumed: $(get "/v1/triggers/lost/missing.$run")"
# A trigger that no version has any more ends.
deploy << YAML
saga: lost
steps:
  - {id: note, set: {x: 1}}
YAML
wait_for 20 bash -c "curl -fs $SKALD_SERVER/v1/triggers | jq -e '[.triggers[] | select(.definition == \"lost\")] == []'" || fail "it stays"

# The command line and metrics.
expect 0 "$skald" trigger list
says "order/$orders"
says running
expect 0 "$skald" trigger show "order/$orders"
says "skald.default.order"
says PARTITION
expect 3 "$skald" trigger show "order/nowhere"
expect 2 "$skald" trigger show order
expect 0 "$skald" dlq list --status waiting
says key_conflict
expect 0 "$skald" dlq list -o jsonl --all
expect 0 "$skald" dlq show "$(letter reason=key_conflict)"
says '"amount":99'
expect 1 "$skald" dlq redrive "$(letter reason=key_conflict)"
complains key_conflict
expect 1 "$skald" dlq redrive "$(letter reason=key_conflict)" --key 'no JSON'
complains key_conflict
expect 7 "$skald" dlq redrive --reason key_conflict
expect 2 "$skald" dlq redrive
expect 0 "$skald" dlq redrive "$(letter reason=key_conflict)" --value '{"id": "o-99"}'
says "was started"
expect 0 "$skald" dlq list --status redriven -o json
get /metrics > "$dir/metrics"
grep -q '^skald_kafka_trigger_records_total{namespace="default",trigger="order/'"$orders"'",result="started"} ' "$dir/metrics" ||
	fail "no metric of started records"
grep -q '^skald_kafka_trigger_lag{namespace="default",trigger="order/'"$orders"'"} 0$' "$dir/metrics" || fail "no metric of lag"
stop_skald
