#!/bin/bash
# What an operator sees first, over the API: counts, troubles, rates, participants.
. "$(dirname "$0")/lib.sh"
tools=$build/tests/tools

get() { # PATH CURL-ARGUMENT...: the answer is in $dir/body
	curl -fsS -m 60 -o "$dir/body" "${@:2}" "$SKALD_SERVER$1" || fail "no answer to $1"
}
is() { # JQ-EXPRESSION: it is true of the answer
	jq -e "$1" "$dir/body" > /dev/null || fail "not so: $1: $(head -c 3000 "$dir/body")"
}
fits() { "$tools/fits_openapi" "$1" < "$dir/body" 2> "$dir/err" || fail "the answer is no $1: $(< "$dir/err")"; }
becomes() { # JQ-EXPRESSION: after a while, since answers are kept for a second
	local end=$((SECONDS + 20))
	until get /v1/overview && jq -e "$1" "$dir/body" > /dev/null; do
		[ $SECONDS -lt $end ] || fail "it does not become so: $1: $(head -c 3000 "$dir/body")"
		sleep 0.1
	done
}

"$tools/scripted_participant" > "$dir/scripted.log" 2>&1 &
pids+=($!)
wait_for 10 grep -q 'listening on' "$dir/scripted.log" || fail "the participant does not listen"
scripted=$(sed -n 's/^listening on //p' "$dir/scripted.log")
start_skald --participant "svc=$scripted" --participant unused=http://127.0.0.1:1
await_skald

get /v1/overview
fits Overview
is '.counts | add == 0 and length == 9'
is '.oldest == [] and .nodes == 1 and .definitions == 0'
is '.rates | length == 60 and (map(.started) | add) == 0'
is '.participants | map(.name) == ["svc", "unused"]'
is '.participants[0] | .requests == 0 and .latency_ms == null and (.node | startswith("http://127.0.0.1:"))'

definition() { # NAME PATH
	cat > "$dir/$1.yaml" << YAML
saga: $1
participants:
  svc: {timeout: 5s}
steps:
  - id: first
    http: {to: svc, method: POST, path: /ok}
    compensate:
      http: {to: svc, method: POST, path: /ok}
  - id: second
    http: {to: svc, method: POST, path: $2}
    retry: {maximum_attempts: 1}
    compensate:
      http: {to: svc, method: POST, path: /ok}
YAML
	"$skald" def deploy "$dir/$1.yaml" > /dev/null || fail "$1 is not deployed"
}
definition good /ok
definition bad /status/422
definition stays /hang
for saga in good good good bad; do
	curl -fsS -m 60 -o "$dir/body" -H 'Content-Type: application/json' -H 'Prefer: wait=20' \
		-d "{\"saga\":\"$saga\"}" "$SKALD_SERVER/v1/sagas" || fail "$saga is not started"
done
for _ in 1 2; do
	curl -fsS -m 60 -o "$dir/body" -H 'Content-Type: application/json' \
		-d '{"saga":"stays"}' "$SKALD_SERVER/v1/sagas" || fail "stays is not started"
	ids+=("$(jq -r .id "$dir/body")")
done

becomes '.counts | .completed == 3 and .compensated == 1 and .running == 2'
fits Overview
is "[.oldest[].id] == [\"${ids[0]}\", \"${ids[1]}\"]"
is '.definitions == 3'
is '.rates | (map(.started) | add) == 6 and (map(.completed) | add) == 3 and (map(.compensated) | add) == 1'
is '.participants[0] | .answers["2xx"] >= 10 and .answers["4xx"] == 1 and .in_flight == 2 and .errors == 0'
is '.participants[0].latency_ms | .p50 > 0 and .p50 <= .p95 and .p95 <= .p99'
becomes '.participants[0].timeouts == 2'

# How many there are of each definition.
get '/v1/definitions?counts=true'
fits DefinitionList
is '[.definitions[] | {(.name): .counts}] | add | .good.completed == 3 and .bad.compensated == 1 and (.stays | add) == 2 and (.good | add) == 3'
get /v1/definitions
is '.definitions | all(has("counts") | not)'
sed 's|5s|6s|' "$dir/good.yaml" > "$dir/good2.yaml"
"$skald" def deploy "$dir/good2.yaml" > /dev/null 2>&1 || fail "version 2 is not deployed"
get /v1/definitions/good/counts
fits DefinitionCounts
is '[.versions[].version] == [2, 1] and (.versions[0].counts | add) == 0 and .versions[1].counts.completed == 3'
get '/v1/definitions/good/versions?counts=true'
fits VersionList
is '.versions[1].counts.completed == 3'
[ "$(curl -s -o /dev/null -w '%{http_code}' "$SKALD_SERVER/v1/definitions/none/counts")" = 404 ] || fail "counts of no definition"

get '/v1/overview?minutes=5'
is '.rates | length == 5'
get /v1/overview -H 'Skald-Namespace: other'
fits Overview
is '.namespace == "other" and (.counts | add == 0)'
for wrong in minutes=0 minutes=1441 minutes=x foo=1; do
	[ "$(curl -s -o /dev/null -w '%{http_code}' "$SKALD_SERVER/v1/overview?$wrong")" = 400 ] || fail "$wrong is taken"
done
