#!/bin/bash
# Waiting for what happens elsewhere: webhooks, lists of which the first wins, callbacks; and what
# definitions read of their server: env and secrets, which are to be found nowhere.
# Answers are held against openapi.json.
source "$(dirname "$0")/lib.sh"
tools=$build/tests/tools

# request METHOD PATH [CURL ARGUMENT...]: the answer is in $status and $body.
request() {
	status=$(curl -s -m 60 -o "$dir/body" -w '%{http_code}' -X "$1" "${@:3}" "$SKALD_SERVER$2") ||
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
	is 201
}
start() { # SAGA INPUT: its id is in $id
	post /v1/sagas "{\"saga\":\"$1\",\"input\":$2}"
	is 202
	id=$(jq -r .id < "$dir/body")
}
saga_is() { request GET "/v1/sagas/$id" && is 200 && [ "$(jq -r .status < "$dir/body")" = "$1" ]; }
await() { wait_for 15 saga_is "$1" || fail "the saga is not $1: $body"; }
waits_at() { request GET "/v1/sagas/$id" && jq -e ".steps[] | select(.id == \"$1\") | .status == \"running\"" < "$dir/body"; }
output() { [ "$(jq -c .output < "$dir/body")" = "$1" ] || fail "the output is $(jq -c .output < "$dir/body"), not $1"; }
sign() { # SECRET TEXT: HMAC-SHA256 in hex
	printf %s "$2" | openssl dgst -sha256 -hmac "$1" | sed 's/.*= *//'
}

export PSP_HOOK="whsec_$(printf 'a secret of the psp' | base64)"
printf 'of the hub\n' > "$dir/hub secret"
export PSP_TOKEN=tok-7f3a/9c2d+51be
printf 'pin=0042&x\n' > "$dir/pin"
"$tools/scripted_participant" > "$dir/scripted.log" 2>&1 &
pids+=($!)
wait_for 10 grep -q 'listening on' "$dir/scripted.log" || fail "the participant does not listen"
scripted=$(sed -n 's/^listening on //p' "$dir/scripted.log")
cat > "$dir/skald.yaml" << EOF
env: {region: eu-north, shop: "7"}
secrets:
  psp_token: {env: PSP_TOKEN}
  pin: {file: "$dir/pin"}
participants:
  svc: {url: "$scripted"}
webhooks:
  psp: {secret_env: PSP_HOOK}
  hub: {scheme: github, secret_file: "$dir/hub secret"}
EOF
start_skald --config "$dir/skald.yaml"
await_skald

# ---- a webhook, and who waits for it ----

post /v1/webhooks/open '{}'
problem 404 not_found
deploy 'saga: hooked
steps:
  - id: told
    await: {webhook: open, when: "${event.type == '"'done'"'}", correlate: {from: "${event.data.ref}", expect: "${input.ref}"}}
    timeout: 10m
output: "${steps.told.output}"
'
start hooked '{"ref":"r-1"}'
wait_for 15 waits_at told || fail "it does not wait"
post /v1/webhooks/open '{"type":"begun","ref":"r-1"}'
is 202
post /v1/webhooks/open '{"type":"done","ref":"r-2"}' # early: nobody waits for it yet
is 202
post /v1/webhooks/open '{"type":"done","ref":"r-1"}' -H 'Idempotency-Key: one'
is 202
fits WebhookTaken
holds '.id == "one" and .source == "open"'
await completed
output '{"type":"done","ref":"r-1"}'
start hooked '{"ref":"r-2"}'
await completed
# Told twice it is one event, so it ends one of two.
deploy 'saga: twice
steps:
  - {id: a, await: {webhook: open, correlate: {from: "${event.data.ref}", expect: "${input.ref}"}}, timeout: 1h}
  - {id: b, await: {webhook: open, correlate: {from: "${event.data.ref}", expect: "${input.ref}"}}, timeout: 1h}
'
start twice '{"ref":"r-3"}'
post /v1/webhooks/open '{"ref":"r-3"}'
post /v1/webhooks/open '{"ref":"r-3"}'
is 202
wait_for 15 waits_at b || fail "the first step is not over"
post /v1/webhooks/open '{"ref":"r-3","n":2}' -H 'Content-Type: text/plain'
is 202
await completed
post /v1/webhooks/open '{"ref":'
problem 400 invalid_json
post '/v1/webhooks/open?namespace=other' '{}'
problem 404 not_found
post '/v1/webhooks/open?namespace=Other!' '{}'
problem 400 invalid_request
head -c 3000000 /dev/zero | tr '\0' ' ' > "$dir/large"
request POST /v1/webhooks/open --data-binary "@$dir/large"
problem 413 payload_too_large

# ---- signatures ----

deploy 'saga: signed
steps:
  - id: told
    await:
      - {webhook: psp, correlate: {from: "${event.data.ref}", expect: "${input.ref}"}}
      - {webhook: hub, correlate: {from: "${event.data.ref}", expect: "${input.ref}"}}
      - {signal: told}
      - {after: 1h}
output: "${steps.told.output}"
'
standard() { # BODY TIME SECRET
	local text="m-1.$2.$1" mac
	mac=$(printf %s "$text" | openssl dgst -sha256 -hmac "$3" -binary | base64)
	post /v1/webhooks/psp "$1" -H "webhook-id: m-1" -H "webhook-timestamp: $2" -H "webhook-signature: v1,$mac"
}
start signed '{"ref":"s-1"}'
envelope='{"type":"paid","timestamp":"2026-01-01T00:00:00Z","data":{"ref":"s-1"}}'
post /v1/webhooks/psp "$envelope"
problem 401 bad_signature
standard "$envelope" "$(date +%s)" 'another secret'
problem 401 bad_signature
standard "$envelope" "$(($(date +%s) - 400))" 'a secret of the psp'
problem 401 bad_signature
holds '.detail | contains("400 s away") or contains("401 s away")'
standard "$envelope" "$(date +%s)" 'a secret of the psp'
is 202
holds '.id == "m-1"'
await completed
output '{"event":"psp","data":{"ref":"s-1"}}'
start signed '{"ref":"s-2"}'
post /v1/webhooks/hub '{"ref":"s-2"}' -H "X-Hub-Signature-256: sha256=$(sign 'of the hub' '{"ref":"s-3"}')"
problem 401 bad_signature
post /v1/webhooks/hub '{"ref":"s-2"}' -H "X-Hub-Signature-256: sha256=$(sign 'of the hub' '{"ref":"s-2"}')"
is 202
await completed
output '{"event":"hub","data":{"ref":"s-2"}}'
start signed '{"ref":"s-4"}'
post "/v1/sagas/$id/signals/told" '{"value":{"n":4}}'
await completed
output '{"event":"told","data":{"n":4}}'

# ---- a webhook that cancels ----

deploy 'saga: stopped
steps: [{id: a, await: {after: 1h}}]
cancel_on: [{webhook: open, correlate: {from: "${event.data.stop}", expect: "${input.ref}"}}]
'
start stopped '{"ref":"c-1"}'
wait_for 15 waits_at a || fail "it does not wait"
post /v1/webhooks/open '{"stop":"c-1"}'
await compensated

# ---- callbacks ----

deploy 'saga: tracked
participants: {svc: {timeout: 5s}}
steps:
  - id: track
    http: {to: svc, method: POST, path: "/status/${input.status}", body: {hook: "${step.callback_url}"}}
    outcome: {ongoing: [202], failure: ["${reply.body.?lost == optional.of(true)}"], code: "${reply.body.?code}"}
    retry: {maximum_attempts: 1}
    deadline: 1h
    compensate: none
output: "${steps.track.output}"
'
hook() { # the URL that the participant was given
	request GET "/v1/sagas/$id/history?limit=500" && is 200
	url=$(jq -r '[.history[].events[] | select(.type == "StepScheduled").request.body.hook // empty][0]' < "$dir/body")
	[[ $url == "$SKALD_SERVER/v1/callbacks/"* ]] || fail "the callback is $url"
	url=${url#"$SKALD_SERVER"}
}
ongoing() { request GET "/v1/sagas/$id" && jq -e '.status == "running" and .steps[0].status != "pending"' < "$dir/body"; }
has_event() { request GET "/v1/sagas/$id/history?limit=500" && jq -e "[.history[].events[].type] | index(\"$1\")" < "$dir/body"; }
start tracked '{"status":202}'
wait_for 15 has_event StepOngoing || fail "it does not go on"
hook
post "${url%????}AAAA" '{}'
problem 404 not_found
post /v1/callbacks/x '{}'
problem 404 not_found
post "$url" '{"at":"door"}'
is 202
fits CallbackTaken
holds ".saga == \"$id\" and .step == \"track\""
await completed
output '{"at":"door"}'
post "$url" '{"at":"roof"}' # once only
is 202
wait_for 15 has_event ReplyIgnored || fail "a second callback is not told"
saga_is completed
output '{"at":"door"}'
start tracked '{"status":202}'
wait_for 15 has_event StepOngoing || fail "it does not go on"
hook
post "$url" '{"lost":true,"code":"lost"}'
await compensated
[ "$(jq -r .failure.code < "$dir/body")" = lost ] || fail "another failure: $body"
start tracked '{"status":202}'
wait_for 15 has_event StepOngoing || fail "it does not go on"
hook
request POST "$url" --data-binary 'no JSON, but text'
is 202
await completed
output '"no JSON, but text"'

# ---- env and secrets ----

deploy 'saga: secretive
participants: {svc: {timeout: 5s}}
steps:
  - id: ask
    http:
      to: svc
      method: POST
      path: /echo
      query: {shop: "${env.shop}", pin: "${secret.pin}"}
      headers: {Authorization: "Bearer ${secret.psp_token}", x-region: "${env.region}"}
      body: {at: "${env.region}"}
    compensate: none
output: "${steps.ask.output}"
'
start secretive '{}'
await completed
holds '.output | contains("Authorization: Bearer ******************\r\n")'
holds '.output | contains("POST /echo?shop=7&pin=pin%3D0042%26x HTTP") or contains("x-region: eu-north")'
request GET "/v1/sagas/$id/history?limit=500"
holds '[.history[].events[].request // empty][0] | .headers == ["Authorization: Bearer ${secret.psp_token}", "x-region: eu-north"]
	and .path == "/echo?shop=7&pin=%24%7Bsecret.pin%7D" and .secrets == ["psp_token", "pin"] and .body == {at: "eu-north"}'
request POST /v1/definitions -H 'Content-Type: application/yaml' --data-binary 'saga: lacking
participants: {svc: {timeout: 5s}}
steps:
  - id: ask
    http: {to: svc, method: GET, path: /ok, headers: {x: "${secret.gone}"}}
    retry: {maximum_attempts: 2, initial_interval: 10ms}
'
is 201
holds '.findings[] | select(.level == "warning") | .text | contains("has no secret `gone`")'
start lacking '{}'
await compensated
jq -e '.failure.message | contains("has no secret `gone`")' < "$dir/body" > "$dir/jq" || fail "no reason: $body"

# ---- in a block, whose saga waits for itself ----

deploy 'saga: blocks
participants: {svc: {timeout: 5s}}
steps:
  - id: each
    for_each: ${input.refs}
    steps:
      - id: told
        await: [{webhook: open, correlate: {from: "${event.data.ref}", expect: "${item}"}}, {after: 1h}]
      - id: track
        http: {to: svc, method: POST, path: /status/202, body: {hook: "${step.callback_url}", at: "${env.region}"}}
        outcome: {ongoing: [202]}
        compensate: none
    output: {said: "${steps.told.output.event}", at: "${steps.track.output.at}"}
output: "${steps.each.output}"
'
start blocks '{"refs":["b-1"]}'
parent=$id
child_is_there() { request GET "/v1/sagas/$parent/children" && jq -e '.children[0].id' < "$dir/body"; }
wait_for 15 child_is_there || fail "no child: $body"
id=$(jq -r '.children[0].id' < "$dir/body")
wait_for 15 waits_at told || fail "the block does not wait: $body"
post /v1/webhooks/open '{"ref":"b-1"}'
is 202
wait_for 15 has_event StepOngoing || fail "the block does not go on: $body"
hook
post "$url" '{"at":"door"}'
is 202
id=$parent
await completed
output '[{"said":"open","at":"door"}]'

# ---- what was taken outlives the server ----

start hooked '{"ref":"r-9"}'
wait_for 15 waits_at told || fail "it does not wait"
kill -9 "$skald_pid"
await_end "$skald_pid" 10
start_skald --config "$dir/skald.yaml"
await_skald
post /v1/webhooks/open '{"type":"done","ref":"r-9"}'
is 202
await completed

# ---- no secret is to be found anywhere ----

secrets='a secret of the psp|of the hub|whsec_|tok-7f3a|0042&x|0042%26'
everything() {
	curl -s "$SKALD_SERVER/metrics"
	curl -s "$SKALD_SERVER/v1/participants"
	curl -s "$SKALD_SERVER/v1/attention"
	for id in $(curl -s "$SKALD_SERVER/v1/sagas?limit=200" | jq -r '.sagas[].id'); do
		curl -s "$SKALD_SERVER/v1/sagas/$id"
		curl -s "$SKALD_SERVER/v1/sagas/$id/history?limit=500"
		"$skald" saga show "$id"
	done
	"$skald" serve --config "$dir/skald.yaml" --print-config
}
everything > "$dir/everything" 2>&1
grep -q 'secret.psp_token' "$dir/everything" || fail "nothing was looked through"
grep -qaE "$secrets" "$dir/everything" && fail "a secret is shown: $(grep -oaE ".{40}($secrets)" "$dir/everything" | head -n 1)"
stop_skald
grep -qaE "$secrets" "$dir/skald.log" && fail "a secret stands in the log"
if [ -z "${STORE:-}" ]; then
	grep -qaE "$secrets" "$dir"/data/* && fail "a secret stands in the store"
fi
echo "waiting: passed"
