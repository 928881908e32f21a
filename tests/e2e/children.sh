#!/bin/bash
# Sagas of sagas on the built binary: a block that is held until its saga is done, and released or
# undone with it; a child by name, that is undone by another; the relations that are shown.
# STORE: another store than SQLite.
source "$(dirname "$0")/lib.sh"
tools=$build/tests/tools

request() { # METHOD PATH [CURL ARGUMENT...]: the answer is in $status and $body
	status=$(curl -s -m 60 -o "$dir/body" -w '%{http_code}' -X "$1" "${@:3}" "$SKALD_SERVER$2") ||
		fail "no answer to $1 $2"
	body=$(< "$dir/body")
}
post() { request POST "$1" -H 'Content-Type: application/json' "${@:3}" --data-binary "$2"; }
is() { [ "$status" = "$1" ] || fail "status $status instead of $1: $body"; }
holds() { jq -e "$1" < "$dir/body" > "$dir/jq" || fail "not so: $1 of $body"; }
start() { # SAGA INPUT: its id is in $id
	post /v1/sagas "{\"saga\":\"$1\",\"input\":$2}"
	is 202
	id=$(jq -r .id < "$dir/body")
}
saga_is() { request GET "/v1/sagas/$1" && [ "$(jq -r .status < "$dir/body")" = "$2" ]; }
await() { wait_for 20 saga_is "$1" "$2" || fail "saga $1 is not $2: $body"; }
children_of() { request GET "/v1/sagas/$1/children" && is 200; }
has_children() { children_of "$1" && jq -e ".children | $2" < "$dir/body" > /dev/null; }
await_children() { wait_for 20 has_children "$1" "$2" || fail "not so of the children of $1: $2: $body"; }

"$tools/scripted_participant" > "$dir/scripted.log" 2>&1 &
pids+=($!)
wait_for 10 grep -q 'listening on' "$dir/scripted.log" || fail "the participant does not listen"
scripted=$(sed -n 's/^listening on //p' "$dir/scripted.log")
start_skald --participant "svc=$scripted" "$@"
await_skald

deploy() { request POST /v1/definitions -H 'Content-Type: application/yaml' --data-binary "$1"; is 201; }
deploy 'saga: card
key: ${input.reference}
input: {schema: {type: object, required: [reference]}}
participants: {svc: {timeout: 2s}}
steps:
  - id: hold
    http: {to: svc, method: POST, path: /ok}
    compensate: {http: {to: svc, method: POST, path: /ok}}
  - id: charge
    pivot: true
    http: {to: svc, method: POST, path: /ok}
output: {paid: "${input.reference}"}'
# What has passed its pivot cannot undo itself: a saga that starts it must say what undoes it.
careless='saga: careless
steps: [{id: pay, saga: card, with: {reference: r}}]'
request POST /v1/definitions -H 'Content-Type: application/yaml' --data-binary "$careless"
is 422
holds '.errors[0].pointer == "/steps/0" and .errors[0].line == 2'
printf '%s\n' "$careless" > "$dir/careless.yaml"
printf 'saga: card\nsteps: [{id: charge, pivot: true, set: 1}]\n' > "$dir/card.yaml"
"$skald" def validate "$dir/careless.yaml" > "$dir/out" || fail "refused by itself: $(< "$dir/out")"
"$skald" def validate "$dir/careless.yaml" "$dir/card.yaml" > "$dir/out" && fail "not refused"
grep -q 'careless.yaml:2: error: step `pay` has no `compensate`: saga `card` has a pivot' "$dir/out" ||
	fail "$(< "$dir/out")"
deploy 'saga: refund
participants: {svc: {timeout: 2s}}
steps:
  - {id: back, http: {to: svc, method: POST, path: /ok}, compensate: none}'
deploy 'saga: order
participants: {svc: {timeout: 2s}}
steps:
  - id: goods
    for_each: ${input.lines}
    steps:
      - id: reserve
        http: {to: svc, method: POST, path: /ok}
        compensate: {http: {to: svc, method: POST, path: /ok}}
      - id: label
        set: "${[item, index]}"
    output: "${steps.label.output}"
  - id: pay
    saga: card
    with: {reference: "${input.id}"}
    compensate: {saga: refund, with: {reference: "${input.id}"}}
  - id: wait
    when: "${input.wait}"
    await: {signal: go}
    timeout: 1h
  - id: last
    http: {to: svc, method: POST, path: "/${input.last}"}
    retry: {maximum_attempts: 1}
    compensate: none
output: {goods: "${steps.goods.output}", paid: "${steps.pay.output.paid}"}'

# All of it.
start order '{"id":"a","lines":["x","y"],"wait":true,"last":"ok"}'
await_children "$id" '[.[] | .saga] | sort == ["card","order#goods","order#goods"]'
await_children "$id" '[.[] | select(.held)] | length == 2'
holds '.children | map(select(.step == "goods") | .item) | sort == [0,1]'
holds '.children | map(select(.step == "pay")) | .[0].status == "completed" and .[0].key == "a"'
child=$(jq -r '.children[] | select(.step == "goods" and .item == 0) | .id' < "$dir/body")
request GET "/v1/sagas/$child"
holds ".parent.id == \"$id\" and .parent.step == \"goods\" and .parent.item == 0 and .held"
post "/v1/sagas/$child/cancel" '{"reason":"x"}'
is 409
post "/v1/sagas/$id/signals/go" '{}'
await "$id" completed
holds '.output == {"goods":[["x",0],["y",1]],"paid":"a"}'
await "$child" completed

# A failure at the end undoes all: the blocks by themselves, what was paid by a refund.
start order '{"id":"b","lines":["x"],"wait":false,"last":"status/409"}'
await "$id" compensated
children_of "$id"
holds '[.children[] | "\(.saga) \(.status)"] | sort == ["card completed","order#goods compensated","refund completed"]'

# A key that belongs to somebody else.
post /v1/sagas '{"saga":"card","input":{"reference":"c"}}'
is 202
start order '{"id":"c","lines":[],"wait":false,"last":"ok"}'
await "$id" compensated
holds '.failure.code == "key_taken"'

# What is not deployed is a warning, and none any more once it is, whichever came first.
cat > "$dir/trip.yaml" << 'EOF'
saga: trip
steps:
  - id: both
    steps:
      - id: book
        saga: fligth
        compensate: {saga: fligth}
EOF
printf 'saga: flight\nsteps: [{id: a, set: 1}]\n' > "$dir/flight.yaml"
sed 's/fligth/flight/' "$dir/trip.yaml" > "$dir/right.yaml"
request POST /v1/definitions -H 'Content-Type: application/yaml' --data-binary "$(< "$dir/trip.yaml")"
is 201
holds '.findings | length == 2 and all(.level == "warning")'
holds '.findings | map("\(.line) \(.pointer)") == ["6 /steps/0/steps/0/saga", "7 /steps/0/steps/0/compensate/saga"]'
holds '.findings[0].text | startswith("until saga `fligth` is deployed, this step fails with `definition_not_found`")'
expect 0 "$skald" def deploy "$dir/right.yaml"
complains 'right.yaml:6: warning: until saga `flight` is deployed'
expect 0 "$skald" def deploy "$dir/right.yaml" --dry-run
complains 'right.yaml:6: warning: until saga `flight` is deployed'
expect 0 "$skald" def deploy "$dir/right.yaml" "$dir/flight.yaml"
[ -z "$err" ] || fail "a warning of what was deployed with it: $err"
expect 0 "$skald" def deploy "$dir/trip.yaml"
complains 'did you mean `flight`?'
request POST /v1/definitions/validate -H 'Content-Type: application/yaml' --data-binary "$(< "$dir/right.yaml")"
holds '.valid and .findings == []'

# What the input does not fit.
deploy 'saga: wrong
steps: [{id: pay, saga: card, with: {}, compensate: none}, {id: no, saga: nowhere}]'
start wrong '{}'
await "$id" compensated
holds '.failure.code == "invalid_input"'

# In lists they stand with their parent, and are found by it.
start order '{"id":"d","lines":["x","y"],"wait":false,"last":"ok"}'
await "$id" completed
request GET "/v1/sagas?limit=100&q=parent:$id"
is 200
holds ".sagas | length == 3 and all(.parent == \"$id\")"
request GET '/v1/sagas?limit=100&q=saga:order%23goods'
is 200
holds '.sagas | length == 5 and all(.parent != null)'
request GET '/v1/sagas?limit=100&q=saga:order'
holds '.sagas | length > 0 and all(.parent == null)'

expect 0 "$skald" saga children "$id"
[ "$(grep -c 'order#goods' <<< "$out")" = 2 ] || fail "its children are not listed: $out"
expect 0 "$skald" saga show "$id"
[[ $out == *order#goods* ]] || fail "its children are not shown: $out"
stop_skald
echo "children: ok"
