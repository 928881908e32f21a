#!/bin/bash
# Server-sent events: the history of a saga as it happens, without a gap and without anything twice,
# however often the connection is cut; on SQLite, and on Postgres from both of two nodes. The
# overview as it changes. Readers that do not read, limits, heartbeats, and the end of a server.
. "$(dirname "$0")/lib.sh"
[ -n "${SKALD_TEST_POSTGRES:-}" ] || SERVICES=postgres exec tests/services.sh run "$0" "$@"
tools=$build/tests/tools
RANDOM=${SEED:=$RANDOM}
items=${ITEMS:-300}
echo "SEED=$SEED"

"$tools/scripted_participant" > "$dir/scripted.log" 2>&1 &
pids+=($!)
wait_for 10 grep -q 'listening on' "$dir/scripted.log" || fail "the participant does not listen"
scripted=$(sed -n 's/^listening on //p' "$dir/scripted.log")
cat > "$dir/long.yaml" << 'YAML'
saga: long
participants:
  svc: {timeout: 5s}
steps:
  - id: each
    for_each: ${input.items}
    max_parallel: 1
    http: {to: svc, method: POST, path: /ok, body: {item: "${item}"}}
    retry: {maximum_attempts: 3}
    compensate:
      http: {to: svc, method: POST, path: /ok}
YAML

request() { # METHOD URL [CURL ARGUMENT...]: status in $status, the answer in $dir/body and $dir/head
	status=$(curl -s -m 20 -D "$dir/head" -o "$dir/body" -w '%{http_code}' -X "$1" "${@:3}" "$2") || true
}
is() { [ "$status" = "$1" ] || fail "status $status instead of $1: $(head -c 500 "$dir/body")"; }
has() { grep -qF -- "$1" "$dir/body" || fail "no \`$1\` in: $(head -c 500 "$dir/body")"; }

start_long() { # HOW-MANY URL: its id is in $id
	seq "$1" | jq -Rsc '{saga: "long", input: {items: split("\n")[:-1]}}' > "$dir/start.json"
	request POST "$2/v1/sagas" -H 'Content-Type: application/json' -d "@$dir/start.json"
	is 202
	id=$(jq -r .id "$dir/body")
}

# Whole events alone, as "ID<TAB>DATA"; what was cut off is not one.
events() { awk '/^id: /{id = substr($0, 5)} /^data: /{data = substr($0, 7)} /^$/{if (data != "") print id "\t" data; data = ""}'; }
last_id() { tail -n 1 "$1" | cut -f 1; }
is_whole() { tail -n 1 "$1" | grep -q '"SagaCompleted"'; }

# follow OUT PATH URL...: follows a saga to its end over connections that are cut after a random
# number of bytes, each at one of the nodes; then the rest without a cut.
follow() {
	local out=$1 path=$2 cuts=0 known=() end=$((SECONDS + 120))
	shift 2
	local nodes=("$@")
	: > "$out"
	until is_whole "$out"; do
		[ $SECONDS -lt $end ] || { echo "$path does not end" > "$out.failed"; return; }
		known=()
		[ ! -s "$out" ] || known=(-H "Last-Event-ID: $(last_id "$out")")
		# The header wins over the argument, which a browser repeats.
		curl -sN -m 1 "${known[@]}" "${nodes[RANDOM % $#]}$path?last_event_id=0" 2> /dev/null |
			head -c $((RANDOM % (cuts < 60 ? 8000 : 500000))) | events >> "$out" || true
		cuts=$((cuts + 1))
	done
	echo $cuts > "$out.cuts"
}

# What was followed is the history, row by row.
check_followed() { # OUT URL ID
	local after=0
	[ ! -e "$1.failed" ] || fail "$(< "$1.failed")"
	: > "$dir/history"
	while [ "$after" != null ]; do
		request GET "$2/v1/sagas/$3/history?after=$after&limit=1000"
		is 200
		jq -c '.history[]' "$dir/body" >> "$dir/history"
		after=$(jq .next "$dir/body")
	done
	[ "$(cut -f 1 "$1")" = "$(seq "$(wc -l < "$dir/history")")" ] || fail "a gap, or something twice, in $1 (SEED=$SEED)"
	cut -f 2- "$1" | jq -c . | cmp -s - "$dir/history" || fail "$1 is not the history (SEED=$SEED)"
	[ "$(wc -l < "$1")" -gt "$items" ] || fail "only $(wc -l < "$1") rows were followed"
	[ "$(< "$1.cuts")" -gt 10 ] || fail "the connection was cut $(< "$1.cuts") times only"
}

follow_all() { # URL...: starts a long saga, and follows it three times
	local followers=() i
	start_long "$items" "$1"
	for i in 1 2 3; do
		(RANDOM=$((SEED + i)); follow "$dir/followed$i" "/v1/sagas/$id/events" "$@") &
		followers+=($!)
	done
	wait "${followers[@]}"
	for i in 1 2 3; do check_followed "$dir/followed$i" "${@: -1}" "$id"; done
}

metric() { curl -fs "$1/metrics" | sed -n "s/^$2 //p"; }

# ---- one node ----

start_skald --participant "svc=$scripted" --streams-max 8
await_skald
expect 0 "$skald" def deploy "$dir/long.yaml"
follow_all "$SKALD_SERVER"
curl -sN -m 300 "$SKALD_SERVER/v1/sagas/$id/events?after=1000000" > "$dir/quiet" &
pids+=($!)

# From behind what is known; and all at once, since it is there.
curl -sN -m 1 "$SKALD_SERVER/v1/sagas/$id/events?after=$items" | events > "$dir/rest" || true
[ "$(head -n 1 "$dir/rest" | cut -f 1)" = $((items + 1)) ] || fail "after=$items does not begin behind it"
{ curl -sN -m 1 "$SKALD_SERVER/v1/sagas/$id/events?after=3&last_event_id=$items" || true; } | events | cmp -s - "$dir/rest" ||
	fail "last_event_id does not win over after"

# ---- what is refused ----

request GET "$SKALD_SERVER/v1/sagas/$id/events" -H 'Last-Event-ID: x1'
is 400
request GET "$SKALD_SERVER/v1/sagas/0198c0de-7a31-7abc-bf11-223344556677/events"
is 404 && has saga_not_found
request GET "$SKALD_SERVER/v1/sagas/$id/events?namespace=other"
is 404
request GET "$SKALD_SERVER/v1/events?namespace=No_Good"
is 400
request GET "$SKALD_SERVER/v1/sagas/$id/events?foo=1"
is 400
request GET "$SKALD_SERVER/v1/events" -H 'Origin: http://evil.example'
is 403
request GET "$SKALD_SERVER/v1/events" -H 'Sec-Fetch-Site: cross-site'
is 403

# ---- readers that do not read, and how many there may be ----

# Each asks for all that the long saga has, and takes nothing of it.
stalled=()
authority=${SKALD_SERVER#http://}
for _ in 1 2 3 4; do
	exec {fd}<> "/dev/tcp/${authority%:*}/${authority##*:}"
	printf 'GET /v1/sagas/%s/events HTTP/1.1\r\nHost: %s\r\n\r\n' "$id" "$authority" >&"$fd"
	stalled+=("$fd")
done
open_are() { [ "$(metric "$SKALD_SERVER" skald_event_streams)" = "$1" ]; }
wait_for 10 open_are 5 || fail "$(metric "$SKALD_SERVER" skald_event_streams) streams are open, and not 5"
start_long 20 "$SKALD_SERVER"
(follow "$dir/beside" "/v1/sagas/$id/events" "$SKALD_SERVER") &
wait $!
[ ! -e "$dir/beside.failed" ] && is_whole "$dir/beside" || fail "readers that do not read hold up others"
wait_for 10 open_are 5 || fail "a stream stays behind"
for _ in 1 2 3; do
	exec {fd}<> "/dev/tcp/${authority%:*}/${authority##*:}"
	printf 'GET /v1/events HTTP/1.1\r\nHost: %s\r\n\r\n' "$authority" >&"$fd"
	stalled+=("$fd")
done
wait_for 10 open_are 8 || fail "there are fewer streams than there may be"
request GET "$SKALD_SERVER/v1/events"
is 503 && has too_many_streams
grep -qi '^Retry-After: 1' "$dir/head" || fail "no Retry-After"
for fd in "${stalled[@]}"; do exec {fd}>&-; done
wait_for 10 open_are 1 || fail "streams of clients that are gone stay open"

# ---- the overview ----

curl -sN -m 30 "$SKALD_SERVER/v1/events" > "$dir/overview" &
pids+=($!)
overviews() { events < "$dir/overview"; }
shows() { overviews | tail -n 1 | cut -f 2- | jq -e "$1"; }
wait_for 10 shows '.counts.completed == 2' || fail "no overview: $(tail -c 1000 "$dir/overview")"
start_long 1 "$SKALD_SERVER"
wait_for 10 shows '.counts.completed == 3' || fail "the overview does not change: $(tail -c 1000 "$dir/overview")"
overviews | tail -n 1 | cut -f 2- > "$dir/body"
"$tools/fits_openapi" Overview < "$dir/body" || fail "an event is no overview"
[ -z "$(overviews | cut -f 1 | uniq -d)" ] || fail "an overview came twice"
# One that is known does not come again, unless a minute has begun meanwhile.
known() {
	local tag
	tag=$(overviews | tail -n 1 | cut -f 1)
	[ -z "$(curl -sN -m 1 -H "Last-Event-ID: $tag" "$SKALD_SERVER/v1/events" | events)" ]
}
wait_for 10 known || fail "an overview that is known comes again"

# ---- heartbeats, and the end ----

wait_for 20 grep -qx : "$dir/quiet" || fail "no heartbeat: $(head -c 1000 "$dir/quiet")"
start_long 1 "$SKALD_SERVER"
curl -sN -m 30 -o "$dir/ended" "$SKALD_SERVER/v1/sagas/$id/events" &
ended=$!
wait_for 10 grep -q SagaStarted "$dir/ended" || fail "the last stream does not begin"
stop_skald
wait $ended || fail "a stream is broken off, and not ended, when the server stops: $?"

# ---- two nodes on Postgres ----

url=${SKALD_TEST_POSTGRES%/*}/streams_$$
psql "$SKALD_TEST_POSTGRES" -qc "CREATE DATABASE streams_$$" || fail "no database"
at=()
for n in 0 1; do
	node_port=$(free_port)
	at[n]=http://127.0.0.1:$node_port
	"$skald" serve --port "$node_port" --store "$url" --node-lease 3s --participant "svc=$scripted" >> "$dir/node$n.log" 2>&1 &
	pids+=($!)
	wait_for 20 curl -fs "${at[n]}/readyz" || fail "node $n is not ready"
done
both_own() { [ "$(metric "${at[0]}" skald_slots_owned)" = 128 ] && [ "$(metric "${at[1]}" skald_slots_owned)" = 128 ]; }
wait_for 20 both_own || fail "the slots are not shared"
expect 0 "$skald" --server "${at[0]}" def deploy "$dir/long.yaml"
follow_all "${at[@]}"
# Each node's overview has what the other one knows of the participants.
sees_both() {
	curl -fs "${at[0]}/v1/overview" > "$dir/body"
	jq -e '.nodes_asked == 1 and .nodes_answered == 1 and (.participants | map(.node) | unique | length == 2)' "$dir/body"
}
wait_for 20 sees_both || fail "one node does not hear the other: $(jq -c '{participants, nodes_asked, nodes_answered}' "$dir/body")"
"$tools/fits_openapi" Overview < "$dir/body" || fail "the overview of two nodes is none"
# At one node alone, whichever owns the saga.
for n in 0 1; do
	start_long 30 "${at[0]}"
	(follow "$dir/node$n" "/v1/sagas/$id/events" "${at[n]}") &
	wait $!
	[ ! -e "$dir/node$n.failed" ] || fail "node $n: $(< "$dir/node$n.failed")"
done
