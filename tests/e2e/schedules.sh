#!/bin/bash
# Schedules: started when asked for and for times that are past, each planned time once, through
# kill -9; pauses; what a definition that changes does to them. With a Postgres there are two nodes,
# and the one that runs schedules is killed. (When a time is due is tested with a clock that is moved.)
source "$(dirname "$0")/lib.sh"

node_ports=() node_pids=()
start_node() { # number; SKALD_FAILPOINTS may be set for it
	[ -n "${node_ports[$1]:-}" ] || node_ports[$1]=$(free_port)
	"$skald" serve --port "${node_ports[$1]}" --store "${STORE:-$dir/data/skald.db}" --node-lease 2s \
		>> "$dir/node$1.log" 2>&1 &
	node_pids[$1]=$!
	pids+=($!)
}
at() { echo "http://127.0.0.1:${node_ports[$1]}"; }
is_ready() { wait_for 20 curl -fs "$(at "$1")/readyz" || fail "node $1 is not ready"; }
start_node 0
is_ready 0
export SKALD_SERVER=$(at 0)

cat > "$dir/report.yaml" <<'EOF'
saga: report
input: {schema: {type: object, required: [at], properties: {at: {type: string}, of: {type: string}}}}
start_on:
  - {schedule: "0 3 * * *", time_zone: Europe/Berlin, name: nightly, input: {at: "${event.scheduled_at}", of: "${event.schedule}"}}
  - {schedule: "30 4 1 1 *", overlap: queue, catch_up: 2h, input: {at: "${event.scheduled_at}"}}
steps:
  - {id: a, set: {at: "${input.at}"}}
EOF
sed 's|Europe/Berlin|Europe/Atlantis|' "$dir/report.yaml" > "$dir/atlantis.yaml"
expect 0 "$skald" def validate "$dir/atlantis.yaml"
says 'this machine knows no time zone `Europe/Atlantis`'
sed 's|0 3 \* \* \*|0 25 * * *|' "$dir/report.yaml" > "$dir/wrong.yaml"
expect 1 "$skald" def validate "$dir/wrong.yaml"
says 'the hour `25` must be'

expect 0 "$skald" def deploy "$dir/report.yaml"
expect 0 "$skald" schedule list
says report/nightly && says report/2 && says Europe/Berlin
expect 0 "$skald" schedule show report/nightly -o json
[ "$(jq -c '[.schedule,.catch_up,.paused,(.next|length),.last]' <<< "$out")" = '["0 3 * * *","1d",false,5,null]' ] || fail "$out"
expect 0 "$skald" schedule show report/2
says '2h' && says queue
expect 3 "$skald" schedule show report/3
expect 3 "$skald" schedule pause none/1

sagas() { # filter: how many there are
	"$skald" saga list "$1" --all -o jsonl 2> /dev/null | grep -c '"id"' || true
}
# Now, because a person says so; and which saga that is.
expect 0 "$skald" schedule trigger report/nightly -o json
[ "$(jq -c '[.triggered.result, .triggered.detail, .triggered.saga == .last.saga]' <<< "$out")" = '["started",null,true]' ] || fail "$out"
saga=$(jq -r .triggered.saga <<< "$out")
expect 0 "$skald" saga show "$saga" -o json
[ "$(jq -r .input.of <<< "$out")" = nightly ] || fail "$out"
jq -e '.key | startswith("report/nightly/asked/")' <<< "$out" > /dev/null || fail "$out"

expect 0 "$skald" schedule show report/nightly
says triggered && says "$saga"
# Over HTTP the answer names the start, and the schedule tells what became of it.
trigger() { curl -s -X POST -o "$dir/triggered" -w '%{http_code}' "$SKALD_SERVER/v1/schedules/report/2/trigger"; }
[ "$(trigger)" = 202 ] || fail "$(cat "$dir/triggered")"
asked=$(jq -r .triggered.at "$dir/triggered")
fits() { "$build/tests/tools/fits_openapi" Schedule 2> "$dir/err" || fail "this is no Schedule: $(< "$dir/err")"; }
fits < "$dir/triggered"
became() { "$skald" schedule show report/2 -o json | jq -e ".triggered | .at == \"$asked\" and .result == \"$1\" and (.saga | length) == 36" > /dev/null; }
wait_for 10 became started || fail "$asked: $("$skald" schedule show report/2 -o json)"
"$skald" schedule show report/2 -o json | fits

# Times that are past, over a change of the clock: at 01:00 UTC from 29 March on, before at 02:00.
expect 0 "$skald" schedule backfill report/nightly --from 2026-03-27T00:00:00Z --to 2026-03-30T12:00:00Z
filled() { [ "$("$skald" schedule show report/nightly -o json | jq -c '[.backfill,.counts.started]')" = "[null,$1]" ]; }
wait_for 20 filled 5 || fail "$("$skald" schedule show report/nightly -o json)"
[ "$("$skald" saga list 'key:report/nightly/2026*' --all -o jsonl | jq -r .key | sort | tr '\n' ' ')" = \
	'report/nightly/2026-03-27T02:00:00.000Z report/nightly/2026-03-28T02:00:00.000Z report/nightly/2026-03-29T01:00:00.000Z report/nightly/2026-03-30T01:00:00.000Z ' ] ||
	fail "$("$skald" saga list 'key:report/*' --all)"
# Again: what was started is not started twice.
expect 0 "$skald" schedule backfill report/nightly --from 2026-03-26T00:00:00Z --to 2026-03-30T12:00:00Z --overlap start
duplicates() { [ "$("$skald" schedule show report/nightly -o json | jq -c '[.backfill,.counts.duplicate,.counts.started]')" = '[null,4,6]' ]; }
wait_for 20 duplicates || fail "$("$skald" schedule show report/nightly -o json)"
expect 5 "$skald" schedule backfill report/2 --from 2026-03-26T00:00:00Z --to 2026-03-30T12:00:00Z
complains 'no time is planned'
expect 1 "$skald" schedule backfill report/2 --from 2026-03-26T00:00:00Z --to 2126-03-30T12:00:00Z

# A pause of the schedule, and of the definition.
expect 0 "$skald" schedule pause report/nightly --reason 'the warehouse moves'
says 'the warehouse moves'
expect 0 "$skald" schedule list
says paused
expect 0 "$skald" schedule resume report/nightly
expect 5 "$skald" schedule resume report/nightly
expect 0 "$skald" def pause report
expect 5 "$skald" schedule trigger report/2
complains paused
expect 0 "$skald" def resume report

# A canary takes its share; a start whose input does not fit says so.
sed 's|steps:|output: {of: 2}\nsteps:|' "$dir/report.yaml" > "$dir/report2.yaml"
expect 0 "$skald" def deploy "$dir/report2.yaml" --canary 100
sleep 1.2
expect 0 "$skald" schedule trigger report/2 -o json
saga=$(jq -r .triggered.saga <<< "$out")
[ "$("$skald" saga show "$saga" -o json | jq -r .version)" = 2 ] || fail 'it is not of the canary'
sed 's|required: \[at\]|required: [at, more]|' "$dir/report.yaml" > "$dir/report3.yaml"
expect 0 "$skald" def deploy "$dir/report3.yaml"
sleep 1.2
expect 1 "$skald" schedule trigger report/2
complains 'no saga was started'
says 'does not fit the schema'
expect 0 "$skald" def rollback report
sleep 1.2

# Exactly one saga a planned time, whatever dies in between: 60 of January and February.
expect 0 "$skald" schedule backfill report/nightly --from 2026-01-01T00:00:00Z --to 2026-01-01T12:00:00Z
left() { "$skald" schedule show report/nightly -o json | jq -e '.backfill == null' > /dev/null; }
wait_for 20 left || fail 'one day is not filled in'
kill -9 "${node_pids[0]}"
await_end "${node_pids[0]}" 10
if [ -n "${STORE:-}" ]; then # the second takes over when the first dies
	start_node 1
	is_ready 1
	export SKALD_SERVER=$(at 1)
	runs() { [ "$(curl -fs "$SKALD_SERVER/metrics" | sed -n 's/^skald_schedules //p')" = 2 ]; }
	wait_for 20 runs || fail 'the second node does not run the schedules'
	kill "${node_pids[1]}"
	await_end "${node_pids[1]}" 30
fi
SKALD_FAILPOINTS=commit_after:25=kill start_node 0
is_ready 0
export SKALD_SERVER=$(at 0)
[ -z "${STORE:-}" ] || { start_node 1 && is_ready 1; }
"$skald" schedule backfill report/nightly --from 2026-01-01T00:00:00Z --to 2026-03-01T12:00:00Z > /dev/null
await_end "${node_pids[0]}" 30
[ "$ended_with" = 137 ] || fail "the node was to be killed, and ended with $ended_with"
if [ -n "${STORE:-}" ]; then export SKALD_SERVER=$(at 1)
else
	start_node 0
	is_ready 0
fi
wait_for 30 left || fail "$("$skald" schedule show report/nightly -o json)"
all=$("$skald" saga list 'key:report/nightly/2026-0*' --all -o jsonl | jq -r .key | grep -c -E '2026-0[12]-|2026-03-01')
[ "$all" = 60 ] || fail "$all sagas of 60 planned times"
echo "$test_name: ok"
