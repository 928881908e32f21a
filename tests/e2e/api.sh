#!/bin/bash
# The HTTP API of a running server: what it refuses and how it says so, starts and their duplicates,
# waiting, lists, acts, and participants that misbehave. Answers are held against openapi.json.
. "$(dirname "$0")/lib.sh"
tools=$build/tests/tools

# request METHOD PATH [CURL ARGUMENT...]: the answer is in $status and $body, its headers in $dir/head.
request() {
	local method=$1 path=$2
	shift 2
	[ "$method" = HEAD ] && set -- -I "$@"
	status=$(curl -s -m 60 -D "$dir/head" -o "$dir/body" -w '%{http_code}' -X "$method" "$@" "$SKALD_SERVER$path") ||
		fail "no answer to $method $path"
	body=$(tr -d '\0' < "$dir/body")
}
post() { request POST "$1" -H 'Content-Type: application/json' "${@:3}" --data-binary "$2"; }
yaml() { request "$1" "$2" -H 'Content-Type: application/yaml' --data-binary "$3" "${@:4}"; }
is() { [ "$status" = "$1" ] || fail "status $status instead of $1: $body"; }
has() { [[ $body == *"$1"* ]] || fail "the answer does not hold \`$1\`: $body"; }
head_has() { grep -qi "^$1"$'\r'"\$" "$dir/head" || fail "no header \`$1\`: $(cat "$dir/head")"; }
member() { sed -nE 's/^.*"'"$1"'":"?([^",}]*)"?.*$/\1/p' <<< "$2" | head -n 1; }
first_id() { grep -oE '"id":"[0-9a-f-]{36}"' <<< "$body" | head -n 1 | cut -d'"' -f4; }
fits() { "$tools/fits_openapi" "$1" < "$dir/body" 2> "$dir/err" || fail "the answer is no $1: $(cat "$dir/err") $body"; }
# problem STATUS CODE: the answer is this problem, and says its request id twice.
problem() {
	is "$1"
	head_has 'Content-Type: application/problem+json'
	fits Problem
	has "\"code\":\"$2\""
	[ "$(member request_id "$body")" = "$(sed -nE 's/^X-Request-Id: ([^\r]*)\r$/\1/p' "$dir/head")" ] ||
		fail "the request ids differ"
}
start() { post /v1/sagas "$@"; }

"$tools/scripted_participant" > "$dir/scripted.log" 2>&1 &
pids+=($!)
wait_for 10 grep -q 'listening on' "$dir/scripted.log" || fail "the participant does not listen"
scripted=$(sed -n 's/^listening on //p' "$dir/scripted.log")
start_skald --participant "svc=$scripted"
await_skald

# ---- what every route has ----

request GET /livez
is 200 && fits Health
request GET /readyz
is 200 && fits Readiness
request GET /
is 200 && has openapi.json
request GET /openapi.json
is 200 && cmp -s "$dir/body" schemas/openapi.json || fail "openapi.json is another"
request GET /v1/nothing
problem 404 route_not_found
request DELETE /v1/sagas
problem 405 method_not_allowed
grep -qi '^Allow: POST, GET, HEAD' "$dir/head" || fail "no Allow: $(cat "$dir/head")"
request GET /v1/sagas -H 'X-Request-Id: abc-1'
is 200 && fits SagaList && head_has 'X-Request-Id: abc-1'
request GET /v1/sagas -H 'X-Request-Id: a b"c'
is 200
! grep -q 'a b"c' "$dir/head" || fail "a request id that needs quotes came back"
request GET /v1/sagas -H 'Skald-Namespace: No_Good'
problem 400 invalid_request
post /v1/sagas '{}' -H 'Sec-Fetch-Site: cross-site'
problem 403 cross_site
request HEAD /v1/sagas
is 200

# ---- bodies that are wrong ----

head -c 3145728 /dev/zero | tr '\0' ' ' > "$dir/3MiB"
start "@$dir/3MiB"
problem 413 payload_too_large
start "@$dir/3MiB" -H 'Expect:'
problem 413 payload_too_large
start "@$dir/3MiB" -H 'Transfer-Encoding: chunked' -H 'Expect:'
problem 413 payload_too_large
start $'{"saga":\n  "x",}'
problem 400 invalid_json
has 'line 2, column 7'
start ''
problem 400 invalid_json
start '[1]'
problem 422 invalid_body
start '{"sagga":"x","key":7}'
problem 422 invalid_body
has '{"pointer":"/sagga","detail":"unknown member; did you mean saga?"}'
has '{"pointer":"/key","detail":"must be a string"}'
request POST /v1/sagas -d '{}'
problem 415 unsupported_media_type
start '{"saga":"nothing"}'
problem 404 definition_not_found
start '{"saga":"a","input":{"n":1e999}}'
problem 400 invalid_json

# ---- definitions ----

cat > "$dir/pair.yaml" << 'YAML'
saga: pair
input:
  schema:
    type: object
    required: [order]
    properties:
      order: {type: string}
      lines: {type: array, items: {type: object, required: [sku], properties: {sku: {type: string}}}}
      way: {type: string}
participants:
  svc: {timeout: 1s}
steps:
  - id: first
    http: {to: svc, method: POST, path: /ok, body: {order: "${input.order}"}}
    compensate:
      http: {to: svc, method: POST, path: /ok}
  - id: second
    http: {to: svc, method: POST, path: "/${input.?way.orValue('ok')}"}
    retry: {maximum_attempts: 1}
    compensate:
      http: {to: svc, method: POST, path: /ok}
YAML
{
	echo 'saga: keyed'
	echo 'key: ${input.order}'
	tail -n +2 "$dir/pair.yaml"
} > "$dir/keyed.yaml"
yaml POST /v1/definitions/validate "@$dir/pair.yaml"
is 200 && fits Validation && has '"valid":true'
request GET /v1/definitions/pair
problem 404 definition_not_found
yaml PUT /v1/definitions/other "@$dir/pair.yaml"
problem 422 invalid_definition
has '"pointer":"/saga"'
yaml PUT /v1/definitions/pair "@$dir/pair.yaml"
is 201 && fits Deployment && head_has 'Location: /v1/definitions/pair/versions/1'
yaml POST /v1/definitions "@$dir/pair.yaml"
is 200 && has '"existed":true'
yaml POST /v1/definitions "@$dir/keyed.yaml"
is 201
yaml POST /v1/definitions/validate $'saga: x\nstepz: []\nsteps:\n  - id: a\n    htpp: {}\n'
is 200 && fits Validation && has '"valid":false' && has 'did you mean `steps`' && has '"line":2'
yaml POST /v1/definitions $'saga: x\nstepz: []\n'
problem 422 invalid_definition
has '"line":2'
request POST /v1/definitions -H 'Content-Type: text/plain' -d 'saga: x'
problem 415 unsupported_media_type
post /v1/definitions '{"saga":"in-json","steps":[{"id":"a","set":{"x":1}}]}'
is 201
request GET /v1/definitions
is 200 && fits DefinitionList && has '"name":"keyed"' && has '"name":"pair"'
request GET /v1/definitions/pair
is 200 && fits Definition
request GET /v1/definitions/pair/versions
is 200 && fits VersionList
request GET /v1/definitions/pair/versions/1
is 200 && fits Definition
request GET /v1/definitions/pair/versions/2
problem 404 definition_not_found

# ---- starts, duplicates, waiting ----

start '{"saga":"pair","input":{"order":7,"lines":[{"sku":"a"},{}]}}'
problem 422 invalid_input
has '"pointer":"/input/order"'
has '"pointer":"/input/lines/1'
start '{"saga":"pair","input":{"order":"o1"}}' -H 'Idempotency-Key: k1' -H 'Prefer: wait=20'
is 200 && fits Saga && has '"status":"completed"' && head_has 'Preference-Applied: wait=20'
id=$(first_id)
head_has "Location: /v1/sagas/$id"
! grep -qi '^Idempotent-Replayed' "$dir/head" || fail "a new saga is said to be replayed"
for key in k1 '"k1"'; do
	start '{"saga":"pair","input":{"order":"o1"}}' -H "Idempotency-Key: $key"
	is 200 && fits SagaAnswer && head_has 'Idempotent-Replayed: true'
	[ "$(first_id)" = "$id" ] || fail "the duplicate is another saga"
done
start '{"saga":"pair","input":{"order":"o1"},"key":"k1"}'
is 200 && head_has 'Idempotent-Replayed: true'
start '{"saga":"pair","input":{"order":"o2"}}' -H 'Idempotency-Key: k1'
problem 422 idempotency_key_reused
start '{"saga":"pair","input":{"order":"o1"}}' -H 'Idempotency-Key: "k1'
problem 422 invalid_key
# Many at once: one saga, and one payload.
seq 24 | xargs -P 12 -I{} curl -s -m 30 -o /dev/null -w '%{http_code}\n' -X POST -H 'Content-Type: application/json' \
	-d '{"saga":"pair","input":{"order":"race"},"key":"race"}' "$SKALD_SERVER/v1/sagas" > "$dir/race"
[ "$(grep -cE '^20[02]$' "$dir/race")" = 24 ] || fail "duplicates got $(sort "$dir/race" | uniq -c)"
request GET "/v1/sagas?key=race"
[ "$(grep -o '"key":"race"' <<< "$body" | wc -l)" = 1 ] || fail "the race was won by more than one: $body"
seq 24 | xargs -P 12 -I{} curl -s -m 30 -o /dev/null -w '%{http_code}\n' -X POST -H 'Content-Type: application/json' \
	-d '{"saga":"pair","input":{"order":"differs-{}"},"key":"race-2"}' "$SKALD_SERVER/v1/sagas" > "$dir/race"
[ "$(grep -c '^422$' "$dir/race")" = 23 ] && [ "$(grep -cE '^20[02]$' "$dir/race")" = 1 ] ||
	fail "other payloads got $(sort "$dir/race" | uniq -c)"
# A large input goes the same way.
{
	printf '{"saga":"pair","key":"large","input":{"order":"large","lines":['
	for ((i = 0; i < 10000; i++)); do printf '{"sku":"article-%d"},' "$i"; done
	printf '{"sku":"last"}]}}'
} > "$dir/large"
start "@$dir/large" -H 'Prefer: wait=20'
is 200 && has '"status":"completed"'
start "@$dir/large"
is 200 && head_has 'Idempotent-Replayed: true'
sed -i 's/"article-9999"/99/' "$dir/large"
start "@$dir/large"
problem 422 invalid_input
has '"pointer":"/input/lines/9999/sku"'
# The definition's key is the identity, whatever the header says.
start '{"saga":"keyed","input":{"order":"o1"}}' -H 'Idempotency-Key: h1' -H 'Prefer: wait=20'
is 200
keyed=$(first_id)
start '{"saga":"keyed","input":{"order":"o1"}}' -H 'Idempotency-Key: h2'
is 200 && head_has 'Idempotent-Replayed: true'
[ "$(first_id)" = "$keyed" ] || fail "the definition's key is not the identity"
start '{"saga":"keyed","input":{"order":"o1"},"key":"else"}'
problem 422 invalid_key
request GET /v1/idempotency/keyed/o1
is 200 && fits KeyEntry && has "$keyed"
request GET /v1/idempotency/keyed/o%2F1
problem 404 key_not_found
# Another namespace is another world.
request GET "/v1/sagas/$id" -H 'Skald-Namespace: other'
problem 404 saga_not_found
start '{"saga":"pair","input":{"order":"o1"}}' -H 'Skald-Namespace: other'
problem 404 definition_not_found

# ---- reading ----

request GET "/v1/sagas/$id"
is 200 && fits Saga
etag=$(sed -nE 's/^ETag: ("[0-9]+")\r$/\1/p' "$dir/head")
request GET "/v1/sagas/$id" -H "If-None-Match: $etag"
is 304
request GET "/v1/sagas/$id?at=1"
is 200 && fits Saga && has '"status":"running"'
request GET "/v1/sagas/$id?at=1000"
problem 404 saga_not_found
request GET "/v1/sagas/$id/history"
is 200 && fits History && has SagaStarted && has SagaCompleted
request GET "/v1/sagas/$id/history?limit=1"
is 200 && fits History && has SagaStarted && has '"next":1}'
request GET "/v1/sagas/$id/history?after=1&limit=1"
is 200 && fits History && has StepCompleted && has '"seq":2'
request GET "/v1/sagas/$id/compensations"
is 200 && fits Ledger && has '"owed":0' && has '"status":"released"'
request GET /v1/sagas/0198c0de-7a31-7abc-bf11-223344556677
problem 404 saga_not_found
request GET /v1/sagas/nonsense
problem 404 saga_not_found
request GET /v1/sagas/%zz
problem 400 invalid_request
request GET "/v1/sagas?limt=3"
problem 400 invalid_query
has 'did you mean limit?'
request GET "/v1/sagas?q=status:compleated"
problem 400 invalid_query
has 'did you mean completed?'
request GET "/v1/sagas?limit=0"
problem 400 invalid_query
request GET "/v1/sagas?cursor=x"
problem 400 invalid_query

for ((i = 0; i < 7; i++)); do
	start "{\"saga\":\"pair\",\"input\":{\"order\":\"page-$i\"},\"key\":\"page-$i\"}"
	is 202 && fits SagaBrief
done
seen=() next=
for ((i = 0; i < 10; i++)); do
	request GET "/v1/sagas?q=saga:pair%20key:page-*&limit=3${next:+&cursor=$next}"
	is 200 && fits SagaList
	mapfile -t -O ${#seen[@]} seen < <(grep -oE '"key":"page-[0-9]"' <<< "$body")
	next=$(member next "$body")
	[ "$next" != null ] || break
done
[ "${#seen[@]}" = 7 ] && [ "$(printf '%s\n' "${seen[@]}" | sort -u | wc -l)" = 7 ] && [ "$i" = 2 ] ||
	fail "the pages hold ${seen[*]}"
[ "${seen[0]}" = '"key":"page-6"' ] || fail "the newest does not come first: ${seen[*]}"
request GET "/v1/sagas?q=saga:pair%20key:page-*&limit=1&order=oldest"
is 200 && fits SagaList && has '"key":"page-0"'
request GET "/v1/sagas?q=page-3"
is 200 && fits SagaList && has '"key":"page-3"' && has '"next":null'
id=$(first_id)
request GET "/v1/sagas?q=%22$id%22%20version:1"
is 200 && has '"key":"page-3"'
request GET "/v1/sagas?q=$id&version=2"
is 200 && has '{"sagas":[],"next":null}'
request GET "/v1/sagas?q=key:%22page-*%22"
is 200 && has '{"sagas":[],"next":null}'
request GET "/v1/sagas?q=status:running%20%20kind:stuk"
problem 400 invalid_query
has 'character 17' && has 'did you mean stuck?'
request GET "/v1/sagas?order=sideways"
problem 400 invalid_query

# ---- acts ----

start '{"saga":"pair","input":{"order":"held","way":"hang"}}'
is 202
held=$(first_id)
second_is_out() { request GET "/v1/sagas/$held" && [[ $body == *'"summary":"Running: second is running."'* ]]; }
wait_for 10 second_is_out || fail "the second step does not run: $body"
etag=$(sed -nE 's/^ETag: ("[0-9]+")\r$/\1/p' "$dir/head")
post "/v1/sagas/$held/cancel" '{"reason":"test"}' -H 'If-Match: "1"'
problem 412 precondition_failed
post "/v1/sagas/$held/cancel" '{"reason":"test"}' -H 'If-Match: x'
problem 400 invalid_request
post "/v1/sagas/$held/cancel" '{"reson":"test"}'
problem 422 invalid_body
post "/v1/sagas/$held/cancel?dry_run=true" '{"reason":"test"}' -H "If-Match: $etag"
is 200 && fits DryRun && has '"in_flight":[{"kind":"do","step":"second"' && has SagaCancelRequested
post "/v1/sagas/$held/terminate?dry_run=true" ''
is 200 && fits DryRun && has '"calls":[]'
request GET "/v1/sagas/$held"
has '"status":"running"'
post "/v1/sagas/$held/terminate" '{"reason":"given up","by":"operator"}'
is 200 && has '"status":"terminated"'
request GET "/v1/sagas/$held/history"
has '"by":"operator"' && has '"reason":"given up"'
request GET "/v1/sagas/$held/compensations"
is 200 && fits Ledger && ! [[ $body == *'"owed":0'* ]] || fail "what was left undone is not owed: $body"
post "/v1/sagas/$held/cancel" '{"reason":"late"}'
problem 409 act_refused
post "/v1/sagas/$held/cancel?dry_run=true" '{"reason":"late"}'
problem 409 act_refused
# One that waits has nothing in flight: the dry run shows the undo, and the act does the same.
yaml POST /v1/definitions $'saga: patient
participants:
  svc: {timeout: 1s}
steps:
  - id: first
    http: {to: svc, method: POST, path: /ok}
    compensate:
      http: {to: svc, method: DELETE, path: /ok, body: {why: "${saga.failure.code}"}}
  - id: nap
    await: {after: 1h}
'
is 201
start '{"saga":"patient"}'
is 202
patient=$(first_id)
naps() { request GET "/v1/sagas/$patient" && [[ $body == *'"summary":"Waiting: nap'* ]]; }
wait_for 10 naps || fail "the saga does not wait: $body"
etag=$(sed -nE 's/^ETag: ("[0-9]+")\r$/\1/p' "$dir/head")
post "/v1/sagas/$patient/cancel?dry_run=true" '{"reason":"test"}' -H "If-Match: $etag"
is 200 && fits DryRun && has '"calls":[{"kind":"undo","step":"first"' && has '"method":"DELETE"'
post "/v1/sagas/$patient/cancel" '{"reason":"test"}' -H "If-Match: $etag"
is 202 && fits SagaBrief && has '"status":"compensating"'
request GET "/v1/sagas/$patient" -H 'Prefer: wait=20'
is 200 && has '"status":"compensated"'
request GET "/v1/sagas/$patient/compensations"
is 200 && fits Ledger && has '"owed":0' && has '"status":"done"'
post /v1/sagas/0198c0de-7a31-7abc-bf11-223344556677/cancel '{}'
problem 404 saga_not_found

# ---- participants that misbehave ----

memory_kb() { awk '/^VmRSS/ {print $2}' "/proc/$skald_pid/status"; }
before=$(memory_kb)
ways=(garbage hang redirect huge huge-chunked headers short drip close status empty)
declare -A odd
for way in "${ways[@]}"; do
	start "{\"saga\":\"pair\",\"input\":{\"order\":\"$way\",\"way\":\"$way\"}}" -H "Idempotency-Key: odd-$way"
	is 202
	odd[$way]=$(first_id)
done
# Nobody is held up meanwhile.
start '{"saga":"pair","input":{"order":"between"}}' -H 'Prefer: wait=20'
is 200 && has '"status":"completed"'
for way in "${ways[@]}"; do
	request GET "/v1/sagas/${odd[$way]}" -H 'Prefer: wait=40'
	is 200 && fits Saga
	got=$(member status "$body")
	case $way in
	empty) [[ $body == *'"status":"completed","key"'* ]] ;;
	*) [[ $body == *'"status":"compensated","key"'* ]] ;;
	esac || fail "$way: $got: $body"
	request GET "/v1/sagas/${odd[$way]}/compensations"
	has '"owed":0'
done
after=$(memory_kb)
# The sanitizers keep what was freed; there is nothing to learn from their numbers.
[[ $build == *address* || $build == *thread* ]] || [ $((after - before)) -lt 65536 ] ||
	fail "the server grew from $before to $after kB"

# ---- metrics ----

request GET /metrics
is 200
while read -r name; do
	grep -q "^# HELP $name " "$dir/body" && grep -q "^# TYPE $name " "$dir/body" || fail "$name has no HELP or TYPE"
done < <(grep -v '^#' "$dir/body" | sed -E 's/[{ ].*//; s/_(bucket|sum|count)$//' | sort -u)
has 'skald_http_requests_total{route="start_saga",status="2xx"}'
has 'skald_sagas{status="terminated"} 1'
has 'skald_sagas_ended_total{status="terminated"} 1'
has 'skald_idempotency_key_reuses_total 24'

# ---- the end ----

# Whoever waits is answered when the server is told to stop, and nothing is lost.
curl -s -m 40 -o "$dir/waited" -w '%{http_code}' -X POST -H 'Content-Type: application/json' -H 'Prefer: wait=30' \
	-d '{"saga":"pair","input":{"order":"last","way":"hang"},"key":"last"}' "$SKALD_SERVER/v1/sagas" > "$dir/waited.status" &
waiter=$!
last_is_there() { request GET /v1/idempotency/pair/last && [ "$status" = 200 ]; }
wait_for 10 last_is_there || fail "the last saga does not start"
kill -0 "$skald_pid" || fail "the server has died"
stop_skald
wait "$waiter" || fail "who waited got no answer"
[ "$(< "$dir/waited.status")" = 202 ] || fail "who waited got $(< "$dir/waited.status"): $(cat "$dir/waited")"
start_skald --participant "svc=$scripted"
await_skald
start '{"saga":"pair","input":{"order":"last","way":"hang"},"key":"last"}'
head_has 'Idempotent-Replayed: true'
stop_skald

# With no room for more open sagas a start is refused for now, and a duplicate is not.
start_skald --participant "svc=$scripted" --memory-sagas-max 2
await_skald
start '{"saga":"pair","input":{"order":"full","way":"hang"},"key":"full"}'
is 202
start '{"saga":"pair","input":{"order":"too much"}}'
problem 429 overloaded
head_has 'Retry-After: 1'
start '{"saga":"pair","input":{"order":"full","way":"hang"},"key":"full"}'
is 202 && head_has 'Idempotent-Replayed: true'
stop_skald
