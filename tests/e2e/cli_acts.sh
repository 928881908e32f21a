#!/bin/bash
# The command line for those who operate sagas, against a running server: every act, what needs
# attention, batches, filters, the forms of the data, exit codes, and completion.
source "$(dirname "$0")/lib.sh"
tools=$build/tests/tools

# jq_says FILTER: it is true of what was printed.
jq_says() { jq -e "$1" <<< "$out" > "$dir/jq" || fail "not so: $1 of $out"; }
start() { expect 0 "$skald" saga start acts "$1" -o json; id=$(jq -r .id <<< "$out"); }
status_is() { [ "$("$skald" saga show "$id" -o json | jq -r .status)" = "$1" ]; }
await() { wait_for 20 status_is "$1" || fail "$id is not $1"; }
concerns() { [ -n "$("$skald" saga list -q 'attention:true' --all -o jsonl | jq -r "select(.id == \"$id\") | .id")" ]; }
napping() { "$skald" saga show "$id" -o json | jq -e '.steps[] | select(.id == "nap") | .actions != []'; }
rests() { wait_for 20 napping || fail "$id does not come to its nap"; }
parks() { start "$1"; wait_for 20 concerns || fail "$id is not parked"; }

"$tools/scripted_participant" > "$dir/scripted.log" 2>&1 &
pids+=($!)
wait_for 10 grep -q 'listening on' "$dir/scripted.log" || fail "the participant does not listen"
start_skald --participant "svc=$(sed -n 's/^listening on //p' "$dir/scripted.log")"
await_skald
cat > "$dir/acts.yaml" << 'YAML'
saga: acts
participants:
  svc: {timeout: 2s}
steps:
  - id: reserve
    http: {to: svc, method: POST, path: /ok}
    compensate:
      http: {to: svc, method: POST, path: "/${input.?undo.orValue('ok')}"}
      retry: {maximum_attempts: 1}
  - id: charge
    http: {to: svc, method: POST, path: "/${input.?way.orValue('ok')}"}
    retry: {maximum_attempts: 1, on_exhausted: park}
    output: {ok: "${reply.body.?ok.orValue(false)}"}
    compensate:
      http: {to: svc, method: POST, path: "/${input.?back.orValue('ok')}"}
      retry: {maximum_attempts: 1}
  - id: nap
    await: {after: 1h}
YAML
expect 0 "$skald" def deploy "$dir/acts.yaml"
cat > "$dir/late.yaml" << 'YAML'
saga: late
deadline: 100ms
steps:
  - id: charge
    pivot: true
    http: {to: svc, method: POST, path: /ok}
  - id: nap
    await: {after: 1h}
YAML
expect 0 "$skald" def deploy "$dir/late.yaml"

# ---- the saga ----
start '{}'
rests
expect 0 "$skald" saga acts "$id"; says 'TAKEN'; says 'pause'; says 'nap'
expect 0 "$skald" saga acts "$id" -o json; jq_says '[.saga[] | select(.act == "pause")][0].allowed'
expect 0 "$skald" saga pause "$id" --reason move --by ann --id p1; says 'ActTaken'; says '-> paused'
expect 0 "$skald" saga pause "$id" --reason move --by ann --id p1; says 'had taken this act before'
expect 5 "$skald" saga pause "$id"; complains 'paused already'
expect 5 "$skald" saga resume "$id" --if-match 1
expect 0 "$skald" saga resume "$id" --dry-run; says 'WHEN'; complains 'Nothing was done'
expect 0 "$skald" saga resume "$id" --dry-run -o yaml; says 'dry_run: true'
expect 0 "$skald" saga resume "$id" -o json --reason moved; jq_says '.effect.status_before == "paused"'
expect 5 "$skald" saga acknowledge "$id"; complains 'nothing to acknowledge'
expect 0 "$skald" saga note "$id" 'asked the bank'
expect 2 "$skald" saga note "$id" 'asked the bank' --reason twice; complains 'leave --reason out'
expect 0 "$skald" saga history "$id" -o jsonl
[ "$(jq -r 'select(.type == "ActTaken") | .name' <<< "$out" | tr '\n' ' ')" = 'pause resume note ' ] || fail "acts: $out"
grep -q '"by":"ann"' <<< "$out" || fail "nobody paused it: $out"
expect 0 env USER=cat "$skald" saga owner "$id" bea
expect 0 "$skald" saga list -q owner:bea -o json; jq_says "map(.id) == [\"$id\"]"
expect 0 "$skald" saga list owner:bea status:waiting,running -q 'saga:act*' -o yaml; says "$id"
expect 0 "$skald" saga owner "$id"
expect 0 "$skald" saga list -q owner:bea -o json; jq_says '. == []'
expect 0 "$skald" saga signal "$id" approved '{"n": 1}' -o json; jq_says '.effect.events == ["ActTaken"]'
expect 1 "$skald" saga signal "$id" approved '{n'; complains 'not valid JSON'
expect 0 "$skald" saga show "$id" -o json; jq_says '.signals[0].value.n == 1'
expect 2 "$skald" saga reset "$id"; complains '--to'
expect 5 "$skald" saga retry "$id"
expect 0 "$skald" saga cancel "$id" --dry-run -o json; jq_says '[.calls[].step] == ["charge", "reserve"]'
expect 0 "$skald" saga cancel "$id" --dry-run; says 'POST /ok'; says 'would be sent'
expect 0 "$skald" saga cancel "$id" --reason enough; says 'SagaCancelRequested'
expect 20 "$skald" saga watch "$id" --timeout 20s; says 'SagaCompensated'
expect 5 "$skald" saga terminate "$id"
expect 3 "$skald" saga pause 0198c000-0000-7000-8000-000000000000
expect 2 "$skald" saga paus "$id"; complains 'did you mean `saga pause`?'
expect 6 "$skald" saga pause "$id" --server http://127.0.0.1:1

# What is told by the server's stream comes without looking again.
start '{}'
rests
"$skald" saga watch "$id" --interval 1h --timeout 60s > "$dir/watched" 2> "$dir/watched.err" &
watcher=$!
pids+=("$watcher")
wait_for 20 grep -q 'StepScheduled.*nap' "$dir/watched" || fail "nothing is told: $(cat "$dir/watched")"
expect 0 "$skald" saga cancel "$id"
await_end "$watcher" 30
[ "$ended_with" = 20 ] && grep -q SagaCompensated "$dir/watched" || fail "watched to $ended_with: $(cat "$dir/watched")"

expect 0 "$skald" saga start late '{}' -o json; id=$(jq -r .id <<< "$out")
wait_for 20 concerns || fail "nobody is told that the deadline has passed"
expect 0 "$skald" saga acknowledge "$id" --reason 'the customer knows'; says 'ActTaken'
concerns && fail "the deadline still concerns a person"
expect 5 "$skald" saga acknowledge "$id"; complains 'nothing to acknowledge'

# ---- steps ----
parks '{"way": "status/500"}'
expect 5 "$skald" step retry "$id" charge --request '{"body": {"n": 2}}'; complains 'resolve'
expect 3 "$skald" step retry "$id" nothing
expect 1 "$skald" step resolve "$id" charge perhaps
expect 0 "$skald" step resolve "$id" charge happened --dry-run --reply '{"ok": true}'; complains 'StepCompleted'
expect 0 "$skald" step resolve "$id" charge happened --reply '{"ok": true}' --reason 'seen at the bank'
says 'StepCompleted'
rests
expect 0 "$skald" step complete "$id" nap --reason 'long enough' -o json; jq_says '.effect.events[1] == "StepCompleted"'
expect 0 "$skald" saga wait "$id" --timeout 20s
parks '{"way": "status/500"}'
expect 0 "$skald" step resolve "$id" charge did_not_happen
expect 0 "$skald" step retry "$id" charge --dry-run -o json --request '{"path": "/ok"}'; jq_says '.calls[0].key | endswith("/do~2")'
expect 0 "$skald" step retry "$id" charge --request '{"path": "/ok"}'; says 'ActTaken'
rests
expect 0 "$skald" saga terminate "$id" --reason 'by hand'; says 'terminated'
parks '{"way": "status/500"}'
printf '{"ok": "none"}' > "$dir/output.json"
expect 0 "$skald" step skip "$id" charge --output "@$dir/output.json"; says 'StepSkipped'
expect 0 "$skald" saga show "$id" -o json; jq_says '.steps[] | select(.id == "charge") | .output.ok == "none"'
parks '{"way": "status/500"}'
expect 0 "$skald" step fail "$id" charge --code gone -m 'the bank says so'; says 'StepFailed'
expect 20 "$skald" saga wait "$id" --timeout 20s
expect 0 "$skald" saga show "$id" -o json; jq_says '.failure.code == "gone"'

# ---- compensations ----
start '{"back": "status/422"}'
rests
expect 0 "$skald" saga compensate "$id" --reason 'enough'
expect 21 "$skald" saga wait "$id" --timeout 20s
expect 5 "$skald" step fail "$id" charge --compensation
expect 0 "$skald" step retry "$id" charge --compensation --dry-run -o json; jq_says '.calls[0].kind == "undo"'
expect 0 "$skald" step retry "$id" charge -c --reason 'the bank is back'
await compensation_failed
expect 0 "$skald" saga pause "$id"
expect 0 "$skald" step complete "$id" charge --compensation --reason 'by telephone'; says 'CompensationCompleted'
expect 0 "$skald" saga retry "$id" --from charge --reason 'on with it'
expect 0 "$skald" saga resume "$id"
rests
expect 0 "$skald" saga show "$id" -o json; jq_says '.steps[] | select(.id == "charge") | .run == 2'
start '{"undo": "status/422"}'
rests
before=$("$skald" saga history "$id" -o jsonl | jq -s 'map(.seq) | max')
expect 0 "$skald" saga cancel "$id"
expect 21 "$skald" saga watch "$id" --timeout 20s; says 'CompensationFailed'
expect 5 "$skald" saga reset "$id" --to "$before"
expect 0 "$skald" step skip "$id" reserve --compensation --reason 'was never wanted'
expect 20 "$skald" saga wait "$id" --timeout 20s
start '{"back": "status/422"}'
rests
expect 0 "$skald" saga cancel "$id"
expect 21 "$skald" saga wait "$id" --timeout 20s
expect 0 "$skald" saga pause "$id"
expect 0 "$skald" step resolve "$id" charge did_not_happen --compensation
expect 0 "$skald" step complete "$id" charge --compensation
expect 5 "$skald" saga reset "$id" --to 1; complains 'a retry from `charge` would do'
# Where charge began: it and all after it begin anew.
first=$("$skald" saga history "$id" -o jsonl | jq -s '[.[] | select(.type == "StepScheduled" and .step == "charge")][0].seq')
expect 0 "$skald" saga reset "$id" --to "$first" --reason 'wrong card'
expect 0 "$skald" saga resume "$id"
rests

# ---- attention ----
for n in 1 2 3; do parks '{"way": "status/500"}'; done
expect 0 "$skald" attention list; says 'GROUP'; says 'charge'
expect 0 "$skald" attention list -o json
group=$(jq -r '[.[] | select(.step == "charge" and .side == "do")][0].id' <<< "$out")
expect 0 "$skald" attention show "$group"; says 'sagas        3'
expect 0 "$skald" attention acknowledge "$group" --by ann --reason 'the bank is down' -o json
jq_says '.acknowledged.by == "ann" and .acknowledged.note == "the bank is down"'
expect 0 "$skald" attention owner "$group" bea -o json; jq_says '.owner == "bea"'
expect 0 "$skald" attention unacknowledge "$group" -o json; jq_says '.acknowledged == null'
expect 3 "$skald" attention show 0000000000000000

# ---- batches ----
expect 2 "$skald" batch start retry charge; complains '--query'
expect 2 "$skald" batch start retry charge -q "group:$group" --rate fast
expect 0 "$skald" batch start resolve charge --outcome did_not_happen -q "group:$group" --dry-run -o json
jq_says '.matches == 3 and (.sample | length) == 3'
expect 0 "$skald" batch start resolve charge --outcome did_not_happen -q "group:$group" --dry-run; complains '3 sagas match'
expect 0 "$skald" batch start resolve charge --outcome did_not_happen -q "group:$group" --reason 'not at the bank' --watch
says '3 of 3 done'; complains 'to do'
expect 0 "$skald" saga terminate "$id"
ids=$("$skald" saga list -q 'attention:true kind:parked step:charge' -o jsonl | jq -r .id)
[ "$(wc -w <<< "$ids")" = 2 ] || fail "two are left: $ids"
expect 0 "$skald" batch start note -q 'saga:acts' --reason 'all of them' -o json
batch=$(jq -r .id <<< "$out")
expect 0 "$skald" batch watch "$batch" --timeout 30s; says 'done'
expect 7 "$skald" batch start pause -q 'saga:acts' --reason 'ended ones refuse' --watch; says 'refused'
batch=$("$skald" batch list -o json | jq -r '.[0].id')
expect 7 "$skald" batch show "$batch"; says 'pause on saga:acts'
expect 0 "$skald" batch items "$batch" --status refused; says 'ended'
expect 0 "$skald" batch items "$batch" --status done -o jsonl
[ "$(jq -r .effect.status_after <<< "$out" | sort -u)" = paused ] || fail "effects: $out"
expect 0 "$skald" batch list; says 'PROGRESS'
expect 0 "$skald" batch retry "$batch"
expect 7 "$skald" batch watch "$batch" --timeout 30s
expect 0 "$skald" batch start resume -q 'status:paused' --rate 0.5 -o json
batch=$(jq -r .id <<< "$out")
expect 0 "$skald" batch stop "$batch"; says 'stopped'
expect 1 "$skald" batch watch "$batch"; complains 'stopped'
expect 0 "$skald" batch resume "$batch"
expect 3 "$skald" batch show 00000000-0000-0000-0000-000000000000

# ---- completion ----
expect 0 "$skald" completion values definitions; says 'acts'
expect 0 "$skald" completion values steps "$id"; says 'charge'
expect 0 "$skald" completion values statuses; says 'compensation_failed'
expect 0 "$skald" completion values acts; says 'resolve'
expect 0 "$skald" completion values filters; says 'saga:acts'
expect 0 "$skald" completion values groups
expect 0 "$skald" completion values sagas --server http://127.0.0.1:1; [ -z "$out$err" ] || fail "it says $out$err"
"$skald" completion bash > "$dir/completion.bash"
completes() { # LINE: what bash would offer, one a line
	PATH="$build:$PATH" bash -c 'source "$1"; COMP_LINE=$2; COMP_POINT=${#2}; _skald; printf "%s\n" "${COMPREPLY[@]}"' - "$dir/completion.bash" "$1" > "$dir/out"
	out=$(< "$dir/out")
}
completes 'skald sa'; says 'saga'
completes 'skald saga pa'; [ "$out" = pause ] || fail "saga pa: $out"
completes 'skald saga start '; says 'acts'
completes "skald step retry $id c"; says 'charge'
completes "skald step resolve $id charge did"; says 'did_not_happen'
completes 'skald saga list -q status:comp'; says 'compensating'
completes 'skald saga list --output j'; says 'jsonl'
completes 'skald batch start --ra'; says '--rate'
completes 'skald batch start re'; says 'resolve'
stop_skald
