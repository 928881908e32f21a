#!/bin/bash
# Approvals and escalations against a running server: who may decide is told by the configuration and by
# the caller, the inbox shows what waits, a server that dies by SIGKILL forgets no decision and tells no
# escalation twice. With STORE a Postgres, two nodes share the sagas. Answers are held against openapi.json.
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
start() { # DEFINITION INPUT: its id is in $id
	post /v1/sagas "{\"saga\":\"$1\",\"input\":$2}"
	is 202
	id=$(jq -r .id < "$dir/body")
}
look() { request GET "/v1/sagas/$id" && is 200; }
is_so() { look && jq -e "$1" < "$dir/body" > /dev/null; }
await() { wait_for 20 is_so "$1" || fail "not so of the saga: $1: $body"; }
approval() { echo ".steps[] | select(.id == \"review\") | .actions[${1:-0}].approval"; }
inbox() { request GET "/v1/approvals${1:-}" && is 200 && fits ApprovalList; }
listed() { inbox "$1" && jq -e "[.approvals[] | select(.saga == \"$id\")] | length == $2" < "$dir/body" > /dev/null; }
lists() { wait_for 10 listed "$1" "$2" || fail "the inbox $1 has not $2 of $id: $body"; }
decide() { post "/v1/sagas/$id/steps/review/$1" "$2" "${@:3}"; }
events() { request GET "/v1/sagas/$id/history?limit=500" && is 200 && jq -r "[.history[].events[] | select($1)] | length" < "$dir/body"; }

"$tools/scripted_participant" > "$dir/scripted.log" 2>&1 &
pids+=($!)
wait_for 10 grep -q 'listening on' "$dir/scripted.log" || fail "the participant does not listen"
scripted=$(sed -n 's/^listening on //p' "$dir/scripted.log")
cat > "$dir/skald.yml" << END
approvals:
  groups:
    heads: [hal, "zoë"]
    sales: [ann, bob]
participants:
  svc: {url: "$scripted"}
END
export SKALD_APPROVALS__GROUPS__SALES="ann, bob, cid"
serve() { start_skald --config "$dir/skald.yml" && await_skald; }
serve
expect 0 "$skald" serve --config "$dir/skald.yml" --print-config
says '"sales": ["ann", "bob", "cid"]'
says '"heads": ["hal", "zoë"]'

request POST /v1/definitions -H 'Content-Type: application/yaml' --data-binary 'saga: loan
participants: {svc: {timeout: 2s}}
steps:
  - id: hold
    http: {to: svc, method: POST, path: /ok}
    compensate: {http: {to: svc, method: POST, path: /ok}}
  - id: review
    approval:
      title: Loan ${input.id}
      groups: [sales, "${input.region}"]
      approve: 2
      reject: 2
      exclude: ["${input.by}"]
      show: {amount: "${input.amount}"}
      form: {type: object, required: [limit], properties: {limit: {type: integer, minimum: 1}}}
    timeout: ${input.?within.orValue("3d")}
    escalate:
      - {after: "${input.?late.orValue(\"1d\")}", http: {to: svc, method: POST, path: "/status/${input.?code.orValue(200)}"}}
      - {after: "${input.?late.orValue(\"1d\")}", groups: [heads]}
      - {after: "${input.?late.orValue(\"1d\")}"}
output: ${steps.review.output}
'
is 201
input='{"id":"l-1","region":"north","by":"bob","amount":19.99'

# ---- two of three decide ----

start loan "$input}"
await "$(approval) | .title == \"Loan l-1\" and .groups == [\"sales\", \"north\"] and .approved == 0"
fits Saga
lists '' 1
holds ".approvals[] | select(.saga == \"$id\") | .definition == \"loan\" and .step == \"review\" and .show.amount == 19.99 and .form.required == [\"limit\"] and .exclude == [\"bob\"] and .deadline_at != null"
lists '?group=sales' 1
lists '?group=stock' 0
lists '?group=heads' 0
lists '?by=ann' 1
lists '?by=bob' 0            # excluded
lists '?by=hal' 0            # in no group that may
lists '?by=eve' 0
lists '?by=eve&groups=north' 1 # nobody has configured who is in the north
lists '?by=eve&groups=sales' 0 # but who is in sales stands there
request GET '/v1/approvals?groups=north'
problem 400 invalid_query
request GET '/v1/approvals?cursor=bm90IG9uZQ=='
problem 400 invalid_query

decide approve '{"data":{"limit":5}}'
problem 422 invalid_body && holds '.errors[0].pointer == "/by"'
decide approve '{"by":"ann","data":{"limit":0}}'
problem 422 invalid_body && holds '.errors[0].pointer == "/data/limit"'
decide approve '{"by":"ann"}'
problem 422 invalid_body && holds '.errors[0].pointer == "/data"'
decide approve '{"by":"bob","data":{"limit":5}}'
problem 409 act_refused && holds '.detail | contains("excluded")'
decide approve '{"by":"eve","groups":["sales"],"data":{"limit":5}}'
problem 409 act_refused && holds '.detail | contains("none of the groups")'
decide approve '{"by":"ann","data":{"limit":5},"wrong":1}'
problem 422 invalid_body
post "/v1/sagas/$id/steps/hold/approve" '{"by":"ann"}'
problem 409 act_refused && holds '.detail | contains("is no approval")'
post "/v1/sagas/$id/steps/review/compensation/approve" '{"by":"ann"}'
is 404
request GET "/v1/sagas/$id/acts"
is 200 && holds '[.actions[] | select(.step == "review") | .acts[] | select(.act == "approve" or .act == "reject") | .allowed] == [true, true]'
holds '[.actions[] | select(.step == "hold") | .acts[].act] | contains(["approve"]) | not'

look && seq=$(sed -nE 's/^ETag: "([0-9]+)"\r$/\1/p' "$dir/head")
decide approve '{"by":"ann","data":{"limit":5}}' -H "If-Match: \"$((seq + 7))\""
problem 412 precondition_failed
post "/v1/sagas/$id/steps/review/approve?dry_run=true" '{"by":"ann","data":{"limit":5}}'
is 200 && fits DryRun && holds '.events == ["ActTaken"]'
decide approve '{"by":"ann","data":{"limit":5},"reason":"fine","id":"a-1"}' -H "If-Match: \"$seq\""
is 202 && fits SagaBrief && holds '.effect.events == ["ActTaken"]'
decide approve '{"by":"ann","data":{"limit":5},"reason":"fine","id":"a-1"}' # sent again
is 202 && holds '.effect.events == []'
decide reject '{"by":"ann"}'
problem 409 act_refused && holds '.detail | contains("decided already")'
lists '?by=ann' 0
lists '?by=cid' 1
holds ".approvals[] | select(.saga == \"$id\") | .approved == 1 and .decisions[0].by == \"ann\" and .decisions[0].data.limit == 5"

# What is decided is durable, and who lists it after a crash sees it.
kill -9 "$skald_pid"
await_end "$skald_pid" 10
serve
lists '?by=ann' 0
lists '' 1
decide approve '{"by":"eve","groups":["north"],"data":{"limit":7}}'
is 200 && fits Saga
holds '.status == "completed" and .output.decision == "approved" and .output.by == ["ann", "eve"] and .output.data.limit == 7'
holds '[.output.decisions[].reason] == ["fine", null]'
lists '' 0
decide approve '{"by":"cid","data":{"limit":7}}'
problem 409 act_refused

metric() { curl -fs "$server/metrics" | sed -n "s/^$1 //p"; }
[ "$(metric skald_approvals_open)" = 0 ] || fail "approvals are open: $(metric skald_approvals_open)"
[ "$(metric 'skald_acts_total{act="approve"}')" = 1 ] || fail "of this process: $(metric 'skald_acts_total.*')"

# ---- rejected, timed out, terminated: none of them is left in the inbox ----

start loan "$input}"
lists '' 1
decide reject '{"by":"ann","reason":"no"}'
is 202
decide reject '{"by":"cid","reason":"never"}'
[ "$status" = 202 ] || is 200
await '.status == "compensated" and .failure.code == "rejected" and .failure.message == "rejected by cid: never"'
fits Saga
lists '' 0
start loan "$input,\"within\":\"200ms\"}"
await '.status == "compensated" and .failure.code == "timeout"'
lists '' 0
start loan "$input}"
lists '' 1
post "/v1/sagas/$id/terminate" '{"reason":"enough"}'
is 200
lists '' 0

# ---- pages ----

before=$id
for n in 1 2 3 4 5; do start loan "$input,\"n\":$n}" && all+=("$id"); done
lists '' 1
[ "$(metric skald_approvals_open)" = 5 ] || fail "not 5 approvals are open: $(metric skald_approvals_open)"
metric skald_approvals_oldest_seconds | grep -q '^[0-9]*\.[0-9]*[1-9]' || fail "the oldest waits $(metric skald_approvals_oldest_seconds) s"
cursor=
for n in 1 2 3; do
	inbox "?limit=2${cursor:+&cursor=$cursor}"
	jq -r '.approvals[].saga' < "$dir/body" >> "$dir/paged"
	cursor=$(jq -r '.next // ""' < "$dir/body")
done
[ -z "$cursor" ] || fail "there is a fourth page: $body"
printf '%s\n' "${all[@]}" | cmp - "$dir/paged" || fail "the pages are not those asked first, first: $(cat "$dir/paged")"
[ "$before" != "${all[0]}" ]

# ---- late: each is told once, over a crash, and others may decide ----

start loan "$input,\"late\":\"300ms\"}"
await '.attention_detail.kind == "late"'
await "$(approval) | .escalated_groups == [\"heads\"]"
fits Saga
holds '.steps[] | select(.id == "review") | .actions[0].escalate.entries | [.[].told] == [true, true, true] and .[0].does == "http"'
await '.steps[] | select(.id == "review") | .actions[0].escalate.entries[0].status == "completed"'
request GET '/v1/attention'
is 200 && fits AttentionList && holds '[.groups[] | select(.kind == "late")] | length == 1'
lists '?group=heads' 1
lists '?by=hal' 1
kill -9 "$skald_pid"
await_end "$skald_pid" 10
serve
lists '?by=hal' 1
[ "$(events '.type == "Escalated"')" = 3 ] || fail "told twice: $body"
[ "$(events '.type == "StepScheduled" and (.step | contains("~"))')" = 1 ] || fail "sent twice: $body"
post "/v1/sagas/$id/acknowledge" '{"reason":"I know"}'
is 202 && holds '.attention == null'
decide approve '{"by":"hal","data":{"limit":1}}'
is 202
decide approve '{"by":"zoë","data":{"limit":2}}'
is 200 && holds '.status == "completed"'

# An escalation that fails fails nothing, and a person is told.
start loan "$input,\"late\":\"200ms\",\"code\":422}"
await '.attention_detail.kind == "notice" and (.attention | contains("an escalation of review"))'
holds '.status == "waiting"'
fits Saga

# ---- the command line ----

start loan "$input}"
lists '' 1
expect 0 "$skald" approval list --by ann --all
says "$id" && says 'Loan l-1' && says '0 of 2' && says sales,north
expect 0 "$skald" approval list --group nobody -o json
[ "$out" = '[]' ] || fail "an inbox of nobody: $out"
expect 1 "$skald" approval approve "$id" review --by ann --data '{"limit": 0}'
complains /data/limit
expect 5 "$skald" approval approve "$id" review --by bob --data '{"limit": 3}'
expect 0 "$skald" approval approve "$id" review --by ann --data '{"limit": 3}' --reason fine
expect 0 "$skald" approval approve "$id" review --by eve --groups north,south --data '{"limit": 4}' --dry-run
complains 'completed'
expect 0 "$skald" approval show "$id" review
says 'Loan l-1' && says '1 of 2' && says fine && says '{"limit":3}'
expect 3 "$skald" approval show "$id" hold
expect 0 "$skald" approval reject "$id" review --by cid
expect 0 "$skald" approval reject "$id" review --by eve --groups north --reason enough
await '.status == "compensated"'

# ---- many items, each decided by itself ----

request POST /v1/definitions -H 'Content-Type: application/yaml' --data-binary 'saga: lines
steps:
  - id: review
    for_each: ${input.lines}
    tolerate: true
    approval: {title: "${item}", groups: [sales]}
output: '"'"'${steps.review.output.map(o, o == null ? "no" : o.by[0])}'"'"'
'
is 201
start lines '{"lines":["a","b","c"]}'
lists '' 3
decide approve '{"by":"ann","item":1}'
is 202
decide reject '{"by":"ann","item":0}'
is 202
decide approve '{"by":"ann"}'
problem 422 invalid_body && holds '.errors[0].pointer == "/item"'
lists '' 1
holds ".approvals[] | select(.saga == \"$id\") | .item == 2 and .title == \"c\""

if [ -n "${STORE:-}" ]; then
	# ---- another node: it lists what the first one's sagas ask, decides through it, and takes over ----
	first=$skald_pid first_server=$server
	port=$(free_port)
	server=http://127.0.0.1:$port
	start_skald --config "$dir/skald.yml"
	wait_for 20 curl -fs "$server/readyz" || fail "the second node is not ready"
	two_nodes() { curl -fs "$server/metrics" | grep -qx 'skald_slots_owned 128'; }
	wait_for 20 two_nodes || fail "the slots are not shared"
	lists '' 1
	decide approve '{"by":"cid","item":2}'
	is 200 && holds '.output == ["no", "ann", "cid"]'
	lists '' 0
	for n in 1 2 3 4; do
		start loan "$input}"
		lists '' 1
		decide approve '{"by":"ann","data":{"limit":1}}'
		is 202
		server=$first_server
		decide approve '{"by":"cid","data":{"limit":2}}'
		[ "$status" = 202 ] || is 200
		server=http://127.0.0.1:$port
		await '.status == "completed" and .output.by == ["ann", "cid"]'
	done
	start loan "$input,\"late\":\"4s\"}"
	lists '' 1
	decide approve '{"by":"ann","data":{"limit":1}}'
	is 202
	kill -9 "$first"
	await_end "$first" 10
	await '.attention_detail.kind == "late"'
	[ "$(events '.type == "Escalated"')" = 3 ] || fail "not told once each: $body"
	decide approve '{"by":"hal","data":{"limit":2}}'
	is 200 && holds '.status == "completed"'
else
	decide approve '{"by":"cid","item":2}'
	is 200 && holds '.output == ["no", "ann", "cid"]'
fi
stop_skald
