#!/bin/bash
# Every act of the API against a running server: what it does, what it shows when it is tried dry, and
# that it is refused where it must be. Answers are held against openapi.json.
source "$(dirname "$0")/lib.sh"
tools=$build/tests/tools

# request METHOD PATH [CURL ARGUMENT...]: the answer is in $status and $body, its headers in $dir/head.
request() {
	status=$(curl -s -m 60 -D "$dir/head" -o "$dir/body" -w '%{http_code}' -X "$1" "${@:3}" "$SKALD_SERVER$2") ||
		fail "no answer to $1 $2"
	body=$(< "$dir/body")
}
post() { request POST "$1" -H 'Content-Type: application/json' "${@:3}" --data-binary "$2"; }
is() { [ "$status" = "$1" ] || fail "status $status instead of $1: $body"; }
fits() { "$tools/fits_openapi" "$1" < "$dir/body" 2> "$dir/err" || fail "the answer is no $1: $(cat "$dir/err") $body"; }
# holds JQ: it is true of the answer.
holds() { jq -e "$1" < "$dir/body" > "$dir/jq" || fail "not so: $1 of $body"; }
problem() { is "$1" && fits Problem && holds ".code == \"$2\""; }
etag() { sed -nE 's/^ETag: "([0-9]+)"\r$/\1/p' "$dir/head"; }
start() { # INPUT: its id is in $id
	post /v1/sagas "{\"saga\":\"acts\",\"input\":$1}"
	is 202
	id=$(jq -r .id < "$dir/body")
}
look() { request GET "/v1/sagas/$id" && is 200; }
saga_is() { look && [ "$(jq -r .status < "$dir/body")" = "$1" ]; }
await() { wait_for 15 saga_is "$1" || fail "the saga is not $1: $body"; }
step_is() { look && jq -e ".steps[] | select(.id == \"$1\") | $2" < "$dir/body" > /dev/null; }
await_step() { wait_for 15 step_is "$1" "$2" || fail "not so of step $1: $2: $body"; }
act() { post "/v1/sagas/$id/$1" "${2:-\{\}}" "${@:3}"; }
took() { # the answer to an act: its events, in their order, begin with these
	[ "$status" = 200 ] || [ "$status" = 202 ] || fail "status $status: $body"
	holds "[.effect.events[]] | .[:$#] == [$(printf '"%s",' "$@" | sed 's/,$//')]"
	holds '.effect.seq >= 2 and .effect.status_before != null and .effect.status_after == .status'
	if [ "$status" = 202 ]; then fits SagaBrief; else fits Saga; fi
}
who() { request GET "/v1/sagas/$id/history?limit=500" && holds "[.history[].events[] | select(.type == \"ActTaken\")][-1] | $1"; }

"$tools/scripted_participant" > "$dir/scripted.log" 2>&1 &
pids+=($!)
wait_for 10 grep -q 'listening on' "$dir/scripted.log" || fail "the participant does not listen"
scripted=$(sed -n 's/^listening on //p' "$dir/scripted.log")
start_skald --participant "svc=$scripted" --participant "dead=http://127.0.0.1:1"
await_skald

# `charge` parks: with its outcome unknown (way status/500), or after a definite failure (to: dead).
# `reserve` is undone as `undo` says.
request POST /v1/definitions -H 'Content-Type: application/yaml' --data-binary 'saga: acts
participants:
  svc: {timeout: 2s}
  dead: {timeout: 2s}
steps:
  - id: reserve
    http: {to: svc, method: POST, path: /ok}
    retry: {maximum_attempts: 1}
    compensate:
      http: {to: svc, method: POST, path: "/${input.?undo.orValue('"'ok'"')}"}
      retry: {maximum_attempts: 1}
  - id: knock
    when: "${input.?knock.orValue(false)}"
    http: {to: dead, method: POST, path: /ok}
    retry: {maximum_attempts: 1, on_exhausted: park}
    compensate: {http: {to: svc, method: POST, path: /ok}}
  - id: charge
    http: {to: svc, method: POST, path: "/${input.?way.orValue('"'ok'"')}"}
    retry: {maximum_attempts: 1, on_exhausted: park}
    output: {ok: "${reply.body.?ok.orValue(false)}"}
    compensate:
      http: {to: svc, method: POST, path: "/${input.?back.orValue('"'ok'"')}"}
      retry: {maximum_attempts: 1}
  - id: nap
    await: {after: 1h}
'
is 201

# ---- the saga as a whole ----

start '{}'
await_step nap '.status == "running" or .status == "waiting"'
request GET "/v1/sagas/$id/acts"
is 200 && fits SagaActs
holds '[.saga[] | select(.act == "pause")][0].allowed and ([.saga[] | select(.act == "resume")][0].allowed | not)'
act pause '{"reason":"move","by":"ann","id":"p1"}' && took ActTaken && holds '.status == "paused"'
act pause '{"reason":"move","by":"ann","id":"p1"}' && is 202 && holds '.effect.events == []'
act pause '{}' && problem 409 act_refused
who '.name == "pause" and .by == "ann" and .reason == "move"'
look && holds '.paused == true'
act 'resume?dry_run=true' '{}' && is 200 && fits DryRun && holds '.act == "resume" and .calls == []'
act resume '{"reason":"moved","by":"ann"}' && took ActTaken && holds '.effect.status_before == "paused"'
act resume '{}' && problem 409 act_refused
act acknowledge '{"reason":"I know"}' && problem 409 act_refused && holds '.detail | test("nothing to acknowledge")'
act note '{}' && problem 422 invalid_body && holds '.errors[0].pointer == "/reason"'
act note '{"reason":"asked the bank","by":"ann"}' && took ActTaken
# Told again with its id and its If-Match, it is still known: the answer to the first may have been lost.
look && at=$(etag)
act note '{"reason":"once","id":"n1"}' -H "If-Match: \"$at\"" && took ActTaken
act note '{"reason":"once","id":"n1"}' -H "If-Match: \"$at\"" && is 202 && holds '.effect.events == []'
act owner '{"owner":"bea","by":"ann"}' && took ActTaken
look && holds '.owner == "bea"'
request GET "/v1/sagas?q=owner:bea" && is 200 && holds ".sagas[0].id == \"$id\""
act signals/approved '{"value":{"by":"cat"},"by":"ann"}' && took ActTaken
look && holds '.signals[0].name == "approved"'
act note '{"reason":"x"}' -H 'If-Match: "1"' && problem 412 precondition_failed
act nap '{}' && problem 404 route_not_found
act note '{"reasn":"x"}' && problem 422 invalid_body
# A timer that a person ends; then the saga is at its end, and takes only words.
act steps/nap/complete '{"reason":"long enough"}' && took ActTaken StepCompleted
await completed
act note '{"reason":"after the end"}' && is 200 && holds '.effect.events == ["ActTaken"]'
act owner '{}' && is 200 && holds '.owner == null'
act retry '{}' && problem 409 act_refused
act cancel '{}' && problem 409 act_refused

# ---- an unknown outcome ----

unknown() { start '{"way":"status/500"}' && wait_for 15 parked || fail "not parked: $body"; }
parked() { request GET "/v1/sagas?q=attention:true" && [[ $body == *"$id"* ]]; }
unknown
act steps/charge/retry '{"request":{"body":{"n":2}}}' && problem 409 act_refused
act steps/nothing/retry '{}' && problem 404 step_not_found
act steps/charge/compensation/retry '{}' && problem 409 act_refused
act steps/charge/resolve '{}' && problem 422 invalid_body
act steps/charge/resolve '{"outcome":"probe"}' && problem 409 act_refused
request GET "/v1/sagas/$id/acts"
is 200 && fits SagaActs
holds '[.actions[] | select(.step == "charge" and (.compensation | not)) | .acts[] | select(.act == "resolve")][0].allowed'
act 'steps/charge/resolve?dry_run=true' '{"outcome":"happened","reply":{"ok":true}}' && is 200 && fits DryRun
holds '.step == "charge" and .compensation == false and (.events | index("StepCompleted"))'
look && seq=$(etag)
act steps/charge/resolve '{"outcome":"happened","reply":{"ok":true},"by":"ann"}' -H "If-Match: \"$seq\"" &&
	took ActTaken StepCompleted
await_step charge '.status == "completed" and .output.ok == true'
who '.value.outcome == "happened"'
act cancel '{"by":"ann"}' && await compensated

unknown
act steps/charge/resolve '{"outcome":"did_not_happen"}' && took ActTaken
act 'steps/charge/retry?dry_run=true' '{}' && is 200 && fits DryRun && holds '.calls[0].step == "charge"'
key=$(jq -r '.calls[0].key' < "$dir/body")
act 'steps/charge/retry?dry_run=true' '{"request":{"path":"/ok","body":{"n":2}}}' && is 200 && fits DryRun
holds ".calls[0].path == \"/ok\" and .calls[0].body.n == 2 and .calls[0].key == \"$key~2\""
act steps/charge/retry '{"request":{"path":"/ok","body":{"n":2}}}' && took ActTaken
await_step charge '.status == "completed"'
act cancel '{}' && await compensated

unknown
act steps/charge/skip '{"output":{"ok":"none"}}' && took ActTaken StepSkipped
await_step charge '.output.ok == "none"'
act terminate '{"reason":"enough"}' && is 200 && fits Saga && holds '.effect.status_after == "terminated"'

unknown
act 'steps/charge/fail?dry_run=true' '{"code":"gone"}' && is 200 && holds '[.calls[].step] == ["reserve"]'
act steps/charge/fail '{"code":"gone","message":"the bank says so"}' && took ActTaken StepFailed SagaCompensating
await compensated
look && holds '.failure.code == "gone"'

# ---- a definite failure, and beginning anew ----

start '{"knock":true}'
wait_for 15 parked || fail "not parked: $body"
act steps/knock/resolve '{"outcome":"happened"}' && problem 409 act_refused
act retry '{"reason":"try"}' && took ActTaken
wait_for 15 parked || fail "not parked again: $body"
act steps/knock/complete '{"output":{"by":"hand"}}' && took ActTaken StepCompleted
await_step nap '.status == "running" or .status == "waiting"'
act cancel '{}' && await compensated
act 'retry?dry_run=true' '{"from":"reserve"}' && problem 409 act_refused

start '{"undo":"status/422"}'
await_step nap '.status == "running" or .status == "waiting"'
act cancel '{"by":"ann"}'
await compensation_failed
act retry '{"from":"reserve"}' && problem 409 act_refused
act 'compensate?dry_run=true' '{}' && is 200 && fits DryRun && holds '.calls[0].kind == "undo" and .calls[0].step == "reserve"'
act steps/reserve/compensation/retry '{"request":{"path":"/status/423"}}' && problem 409 act_refused
act steps/reserve/compensation/resolve '{"outcome":"did_not_happen"}' && took ActTaken
act steps/reserve/compensation/retry '{"request":{"path":"/status/423"}}' && took ActTaken
await compensation_failed
act compensate '{}' && took ActTaken
await compensation_failed
act 'steps/reserve/compensation/fail' '{}' && problem 409 act_refused
act steps/reserve/compensation/complete '{"reason":"by telephone"}' && took ActTaken CompensationCompleted
await compensated
request GET "/v1/sagas/$id/compensations" && is 200 && fits Ledger && holds '.owed == 0'

start '{"undo":"status/422"}'
await_step nap '.status == "running" or .status == "waiting"'
look && before=$(etag)
act cancel '{"by":"ann"}' && await compensation_failed
act reset "{\"to\":999}" && problem 422 invalid_body
act reset "{\"to\":$before}" && problem 409 act_refused
act steps/reserve/compensation/skip '{"reason":"not needed"}' && is 200 && holds '.status == "compensated"'

# Undone so far, then turned round: it goes forward under new keys.
start '{"back":"status/422"}'
await_step nap '.status == "running" or .status == "waiting"'
act cancel '{"by":"ann"}' && await compensation_failed
act 'retry?dry_run=true' '{"from":"charge"}' && problem 409 act_refused
act pause '{"reason":"think"}' && took ActTaken
act steps/charge/compensation/complete '{"reason":"by telephone"}' && took ActTaken CompensationCompleted
act 'retry?dry_run=true' '{"from":"charge"}' && is 200 && fits DryRun && holds '.calls == [] and (.calls_at_resume[0].key | test("/charge~2/do$"))'
act retry '{"from":"charge","reason":"on with it"}' && took ActTaken && holds '.status == "paused"'
request GET "/v1/sagas/$id/compensations" && is 200 && fits Ledger
act 'resume?dry_run=true' '{}' && is 200 && fits DryRun && holds '.calls[0].key | test("/charge~2/do$")'
act resume '{}' && took ActTaken
await_step nap '.status == "running" or .status == "waiting"'
look && holds '.steps[] | select(.id == "charge") | .run == 2 and .status == "completed"'
act terminate '{}' && is 200

# A deadline that passes behind the pivot concerns a person until one says that it is known.
request POST /v1/definitions -H 'Content-Type: application/yaml' --data-binary 'saga: late
deadline: 100ms
steps:
  - {id: charge, pivot: true, http: {to: svc, method: POST, path: /ok}}
  - {id: nap, await: {after: 1h}}
'
is 201
post /v1/sagas '{"saga":"late"}' && is 202
id=$(jq -r .id < "$dir/body")
is_late() { look && jq -e '.attention_detail.kind == "deadline"' < "$dir/body" > /dev/null; }
wait_for 15 is_late || fail "nobody is told: $body"
act acknowledge '{"reason":"the customer knows","by":"ann"}' && took ActTaken
look && holds '.attention == null and .attention_detail == null'
who '.name == "acknowledge" and .by == "ann"'

post /v1/sagas/0198c0de-7a31-7abc-bf11-223344556677/pause '{}'
problem 404 saga_not_found
stop_skald
