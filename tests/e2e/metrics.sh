#!/bin/bash
# /metrics: each metric is documented as it describes itself, and is written as Prometheus reads it;
# what has happened is counted by definition and step, and calls by participant.
. "$(dirname "$0")/lib.sh"
tools=$build/tests/tools

"$tools/scripted_participant" > "$dir/scripted.log" 2>&1 &
pids+=($!)
wait_for 10 grep -q 'listening on' "$dir/scripted.log" || fail "the participant does not listen"
scripted=$(sed -n 's/^listening on //p' "$dir/scripted.log")
start_skald --participant "svc=$scripted" --participant away=http://127.0.0.1:1
await_skald

definition() { # NAME STEP UNDO
	cat > "$dir/$1.yaml" << YAML
saga: $1
participants:
  svc: {timeout: 5s}
  away: {timeout: 1s}
steps:
  - id: first
    http: {to: svc, method: POST, path: /ok}
    retry: {maximum_attempts: 2}
    compensate:
      http: {to: svc, method: POST, path: $3}
      retry: {maximum_attempts: 2, initial_interval: 1ms}
  - id: second
    http: {$2}
    retry: {maximum_attempts: 2, initial_interval: 1ms}
    compensate: none
YAML
	expect 0 "$skald" def deploy "$dir/$1.yaml"
}
definition good 'to: svc, method: POST, path: /ok' /ok
definition undone 'to: svc, method: POST, path: /status/422' /ok
definition stuck 'to: away, method: POST, path: /x' /status/422
start() {
	curl -fsS -m 60 -o "$dir/body" -H 'Content-Type: application/json' -H 'Prefer: wait=20' \
		-d "{\"saga\":\"$1\"}" "$SKALD_SERVER/v1/sagas" || fail "$1 is not started"
}
start good
start good
start undone
curl -fsS -o "$dir/body" -H 'Content-Type: application/json' -d '{"saga":"stuck"}' "$SKALD_SERVER/v1/sagas" || fail "stuck is not started"
id=$(jq -r .id "$dir/body")

read_metrics() { curl -fsS "$SKALD_SERVER/metrics" > "$dir/metrics"; }
has() { grep -qxF -- "$1" "$dir/metrics"; }
must_have() { has "$1" || fail "no \`$1\` among: $(grep -F -- "${1%%\{*}" "$dir/metrics")"; }
becomes() { read_metrics && has "$1"; }
wait_for 20 becomes 'skald_attention_sagas{kind="stuck"} 1' || fail "the stuck saga is not counted: $(grep skald_attention "$dir/metrics")"

of='namespace="default",definition'
must_have "skald_definition_sagas_started_total{$of=\"good\"} 2"
must_have "skald_definition_sagas_ended_total{$of=\"good\",status=\"completed\"} 2"
must_have "skald_definition_sagas_ended_total{$of=\"undone\",status=\"compensated\"} 1"
must_have "skald_step_ends_total{$of=\"good\",step=\"second\",outcome=\"completed\"} 2"
must_have "skald_step_ends_total{$of=\"undone\",step=\"second\",outcome=\"failed\"} 1"
must_have "skald_step_attempts_failed_total{$of=\"stuck\",step=\"second\"} 1"
must_have "skald_compensation_ends_total{$of=\"undone\",step=\"first\",outcome=\"done\"} 1"
must_have "skald_compensation_ends_total{$of=\"stuck\",step=\"first\",outcome=\"failed\"} 1"
must_have 'skald_attention_total{kind="stuck"} 1'
must_have 'skald_attention_groups 1'
must_have 'skald_sagas_ended_total{status="completed"} 2'
must_have 'skald_sagas_ended_total{status="compensated"} 1'
must_have 'skald_participant_answers_total{participant="svc",status="4xx"} 2'
must_have 'skald_participant_failures_total{participant="away",reason="not_connected"} 2'
must_have 'skald_participant_requests_in_flight{participant="svc"} 0'
n=$(sed -n 's/^skald_participant_requests_total{participant="svc"} //p' "$dir/metrics")
must_have "skald_participant_request_duration_seconds_count{participant=\"svc\"} $n"
must_have "skald_participant_request_duration_seconds_bucket{participant=\"svc\",le=\"+Inf\"} $n"

expect 0 "$skald" saga terminate "$id" --reason "written off"
wait_for 10 becomes 'skald_acts_total{act="terminate"} 1' || fail "the act is not counted"
must_have "skald_definition_sagas_ended_total{$of=\"stuck\",status=\"terminated\"} 1"
must_have 'skald_attention_sagas{kind="stuck"} 0'

# ---- the form ----

awk '
	/^# HELP / {if ($3 in help) bad("described twice: " $3); help[$3] = 1; next}
	/^# TYPE / {if (!($3 in help)) bad("a type before its help: " $3); type[$3] = $4; current = $3; next}
	/^#/ || /^$/ {bad("line " $0); next}
	{
		series = substr($0, 1, length($0) - length($NF) - 1)
		name = series; sub(/\{.*/, "", name)
		family = name
		if (type[current] == "histogram") sub(/_(bucket|sum|count)$/, "", family)
		if (family != current) bad(name " among " current)
		if (series in seen) bad("twice: " series)
		seen[series] = 1
		if ($NF !~ /^-?[0-9.]+$/) bad("no number: " $0)
		if (type[current] == "counter" && name !~ /_total$/) bad("a counter without _total: " name)
		if (name !~ /^skald_[a-z_]+$/) bad("the name " name)
		if ($NF < 0) bad("below zero: " $0)
	}
	function bad(text) {print text; wrong = 1}
	END {exit wrong}
' "$dir/metrics" > "$dir/wrong" || fail "the text is wrong: $(head -n 5 "$dir/wrong")"

# ---- the documentation: a row for each, with its type and help, and no row too many ----

awk '/^# HELP /{name = $3; sub(/^# HELP [^ ]+ /, ""); help = $0} /^# TYPE /{print "| `" name "` | " $4 " | " help " |"}' "$dir/metrics" | sort > "$dir/rows"
sed -n '/^## Metrics/,/^## [^M]/p' docs/operating.md | { grep -E '^\| `[a-z_]+` \| (counter|gauge|histogram) \|' || true; } | sort > "$dir/documented"
diff "$dir/documented" "$dir/rows" > "$dir/diff" || fail "docs/operating.md differs from what /metrics says:"$'\n'"$(< "$dir/diff")"
