#!/bin/bash
# A saga as a file: exported over the API, with its definition and those of its children; replayed on
# the same definition and on changed ones. And `skald simulate`.
source "$(dirname "$0")/lib.sh"
fits() { "$build/tests/tools/fits_openapi" "$1" < "$2" 2> "$dir/err" || fail "this is no $1: $(cat "$dir/err")"; }

cat > "$dir/part.yaml" << 'END'
saga: part
steps: [{id: made, set: {n: "${input.n * 2}"}}]
output: {n: "${steps.made.output.n}"}
END
cat > "$dir/whole.yaml" << 'END'
saga: whole
steps:
  - {id: first, set: {n: 1}}
  - {id: part, saga: part, with: {n: "${steps.first.output.n}"}}
  - {id: word, await: {signal: go}}
  - {id: last, set: {n: "${steps.part.output.n + 1}"}}
output: {n: "${steps.last.output.n}"}
END
cat > "$dir/undone.yaml" << 'END'
saga: undone
key: ${input.order}
search: {customer: "${input.customer}"}
labels: {team: x}
participants: {svc: {timeout: 2s}}
steps:
  - id: held
    for_each: [1, 2]
    http: {to: svc, method: POST, path: /ok}
    compensate: {http: {to: svc, method: POST, path: "/ok", body: {n: "${item}"}}}
  - {id: no, fail: {code: enough}}
END
"$build/tests/tools/scripted_participant" > "$dir/scripted.log" 2>&1 &
pids+=($!)
wait_for 10 grep -q 'listening on' "$dir/scripted.log" || fail "the participant does not listen"
start_skald --participant "svc=$(sed -n 's/^listening on //p' "$dir/scripted.log")"
await_skald
expect 0 "$skald" def deploy "$dir/part.yaml" "$dir/whole.yaml" "$dir/undone.yaml"
expect 0 "$skald" saga start whole '{}' -o json
id=$(jq -r .id <<< "$out")
[ ${#id} = 36 ] || fail "no id: $out"
expect 0 "$skald" saga signal "$id" go
expect 0 "$skald" saga wait "$id"
expect 0 "$skald" saga export "$id" --file "$dir/whole.saga.json"
complains 'rows of history'
fits SagaExport "$dir/whole.saga.json"
[ "$(jq -r '[.definitions[].name] | sort | join(" ")' "$dir/whole.saga.json")" = 'part whole' ] || fail "definitions of the export"
[ "$(jq -r '.history[0].events[0].type, .saga.status, .compensations.id' "$dir/whole.saga.json" | paste -sd' ')" = "SagaStarted completed $id" ] ||
	fail "the export: $(head -c 600 "$dir/whole.saga.json")"
expect 3 "$skald" saga export 0198c0de-7a31-7abc-bf11-223344556677

# The definition that made it; one that adds a step; one that is of another name.
expect 0 "$skald" replay "$dir/whole.saga.json" --def "$dir/whole.yaml"
says "$dir/whole.saga.json: the same"
sed 's/  - {id: word/  - {id: more, set: {n: 3}}\n  - {id: word/' "$dir/whole.yaml" > "$dir/changed.yaml"
expect 1 "$skald" replay "$dir/whole.saga.json" --def "$dir/changed.yaml"
says 'the history has StepScheduled word, and this definition decides StepCompleted more'
expect 1 "$skald" replay "$dir/whole.saga.json" --def "$dir/changed.yaml" -o json
[ "$(jq -r '.[0] | .same, .got.step, .expected.step' <<< "$out" | paste -sd' ')" = 'false more word' ] || fail "replay as json: $out"
expect 1 "$skald" replay "$dir/whole.saga.json" --def "$dir/part.yaml"; complains 'this is a saga of whole, not of part'
expect 1 "$skald" replay "$dir/whole.yaml" --def "$dir/whole.yaml"
expect 2 "$skald" replay "$dir/whole.saga.json"

# Into another store, to look at it: as it was, once; what has not ended ends there, and says so.
expect 0 "$skald" saga start whole '{}' -o json
open=$(jq -r .id <<< "$out")
expect 0 "$skald" saga export "$open" --file "$dir/open.saga.json"
expect 0 "$skald" saga import "$dir/whole.saga.json" --store "$dir/look.db"
says "$id: "
expect 5 "$skald" saga import "$dir/whole.saga.json" --store "$dir/look.db"; complains 'is in this store already'
expect 0 "$skald" saga import "$dir/open.saga.json" --store "$dir/look.db"; says 'one that ends this copy'
expect 2 "$skald" saga import "$dir/open.saga.json"
# What it was undone by, and what it is found by; a refusal leaves nothing behind.
expect 0 "$skald" saga start undone '{"order":"o-1","customer":"c-7"}' -o json
undone=$(jq -r .id <<< "$out")
expect 20 "$skald" saga wait "$undone"
expect 0 "$skald" saga export "$undone" --file "$dir/undone.saga.json"
jq '.history[2].events = [{"n": 1, "type": "Nothing"}]' "$dir/undone.saga.json" > "$dir/bad.saga.json"
expect 1 "$skald" saga import "$dir/bad.saga.json" --store "$dir/look.db"
jq '.history[2].seq = 7' "$dir/undone.saga.json" > "$dir/bad.saga.json"
expect 1 "$skald" saga import "$dir/bad.saga.json" --store "$dir/look.db"; complains 'has a gap before row 3'
sql() { sqlite3 "$dir/$1" "$2"; }
[ "$(sql look.db "SELECT count(*) FROM definitions WHERE name = 'undone'")" = 0 ] || fail "a refused import leaves a definition"
expect 0 "$skald" saga import "$dir/undone.saga.json" --store "$dir/look.db"
[ "$(sql look.db "SELECT count(*) FROM history WHERE saga_id = '$undone'")" = "$(jq '.history | length' "$dir/undone.saga.json")" ] || fail "rows of history"
ledger="SELECT step, item, action, status, attempts, request FROM compensations WHERE saga_id = '$undone' ORDER BY step, item"
[ "$(sql look.db "$ledger" | wc -l)" = 2 ] || fail "no ledger: $(sql look.db "$ledger")"
diff <(sql look.db "$ledger") <(sql data/skald.db "$ledger") || fail "the ledger of the copy"
jq '.saga.id = "'"${undone%?}$(((0x${undone: -1} + 1) % 10))"'"' "$dir/undone.saga.json" > "$dir/other.saga.json"
expect 5 "$skald" saga import "$dir/other.saga.json" --store "$dir/look.db"; complains "its key belongs to saga $undone in this store"
expect 1 "$skald" saga import "$dir/whole.yaml" --store "$dir/look.db"
before=$("$skald" saga show "$id" -o json | jq -S 'del(.summary)')
stop_skald
STORE="$dir/look.db" start_skald
await_skald
[ "$("$skald" saga show "$id" -o json | jq -S 'del(.summary)')" = "$before" ] || fail "the copy differs: $("$skald" saga show "$id" -o json)"
[ "$("$skald" saga show "$open" -o json | jq -r .status)" = terminated ] || fail "the copy of what runs is not ended"
"$skald" saga history "$open" -o json | grep -q 'a copy for looking at' || fail "the copy does not say what it is"

for query in search.customer:c-7 label.team:x; do
	expect 0 "$skald" saga list "$query" -o json
	[ "$(jq -r '.[].id' <<< "$out")" = "$undone" ] || fail "not found by $query: $out"
done

# Simulation: what is undone; and an undo that cannot be made when the outcome is unknown.
cat > "$dir/order.yaml" << 'END'
saga: order
deadline: 1h
participants: {stock: {}, pay: {}}
steps:
  - {id: reserve, http: {to: stock, method: PUT, path: /r/1}, compensate: {http: {to: stock, method: DELETE, path: /r/1}}}
  - {id: charge, http: {to: pay, method: POST, path: /charges}, compensate: none}
  - {id: ship, http: {to: stock, method: PUT, path: /s/1}, compensate: {http: {to: stock, method: DELETE, path: /s/1}}}
END
expect 0 "$skald" simulate "$dir/order.yaml"
cat > "$dir/expected" << 'END'
STEP     FAILS BY  ENDS AS      UNDONE, IN THIS ORDER  STAYS
-        -         completed    -                      -
reserve  failure   compensated  -                      -
reserve  unknown   compensated  reserve                -
reserve  timeout   compensated  reserve                -
reserve  crash     completed    -                      -
reserve  deadline  compensated  reserve                -
reserve  cancel    compensated  reserve                -
charge   failure   compensated  reserve                -
charge   unknown   compensated  reserve                charge (compensate: none)
charge   timeout   compensated  reserve                charge (compensate: none)
charge   crash     completed    -                      -
charge   deadline  compensated  reserve                charge (compensate: none)
charge   cancel    compensated  reserve                charge (compensate: none)
ship     failure   compensated  reserve                charge (compensate: none)
ship     unknown   compensated  ship, reserve          charge (compensate: none)
ship     timeout   compensated  ship, reserve          charge (compensate: none)
ship     crash     completed    -                      -
ship     deadline  compensated  ship, reserve          charge (compensate: none)
ship     cancel    compensated  ship, reserve          charge (compensate: none)
order: 18 ways to fail, 0 problems
END
diff "$dir/expected" <(echo "$out") || fail "what is simulated"
expect 0 "$skald" simulate "$dir/order.yaml" -o json
[ "$(jq '.ends | length' <<< "$out")" = 19 ] || fail "simulate as json: $out"

sed 's#path: /r/1}}}#path: "/r/${saga.failure.code == '"'http_422'"' ? input.nothing : input.id}"}}}#' "$dir/order.yaml" > "$dir/bad.yaml"
expect 1 "$skald" simulate "$dir/bad.yaml" --input '{"id": "r-1"}'
says 'problem: when ship fails by failure: reserve: the compensation cannot be begun'

# A run that does not come to its end itself: nobody sends the signal, or an act is refused. What is
# behind that was not tried, which is no success. A lock that is free is over before it is cancelled.
cat > "$dir/stuck.yaml" << 'END'
saga: stuck
steps:
  - {id: account, lock: {keys: [k]}}
  - {id: reserve, http: {to: p, method: PUT, path: /r/1}, compensate: {http: {to: p, method: DELETE, path: /r/1}}}
  - {id: agreed, await: {signal: go}, timeout: 5m}
  - {id: review, approval: {title: Is it right?, groups: [desk]}, timeout: 5m}
  - {id: ship, http: {to: p, method: PUT, path: /s/1}, compensate: {http: {to: p, method: DELETE, path: /s/1}}}
END
expect 1 "$skald" simulate "$dir/stuck.yaml"
says 'incomplete: the run that is varied is compensated, expected completed:'
says '  agreed failed: timeout: the signal did not come in time (it waited for the signal `go`)'
says '  never tried: review, ship'
says 'stuck: 7 ways to fail, 0 problems, and not all of it was tried'
grep -q '^account  cancel    not reached  -  *-$' <<< "$out" || fail "a lock that is cancelled: $out"
sed 's/, timeout: 5m/, timeout: 500d/' "$dir/stuck.yaml" > "$dir/stuck2.yaml"
expect 1 "$skald" simulate "$dir/stuck2.yaml" -o json
[ "$(jq -c '[.base.complete, .base.why, .base.not_reached]' <<< "$out")" = \
	'[false,["agreed waits for the signal `go`"],["review","ship"]]' ] || fail "json: $out"
[ "$(jq -c '[.ends[] | select(.reached | not) | [.step, .way]]' <<< "$out")" = '[["account","cancel"]]' ] || fail "json: $out"
cat > "$dir/stuck.test.yaml" << 'END'
tests:
  - test: an approver of no group
    meanwhile: [{once: agreed, signal: go}, {approve: review, by: ann}]
  - test: all goes well
    meanwhile: [{once: agreed, signal: go}, {approve: review, by: ann, groups: [desk]}]
  - test: a signal that does not come
    end: compensated
END
expect 1 "$skald" simulate "$dir/stuck.yaml"
says '  this is refused: '
says '  review failed: '
says '(it waited for people who may decide: 1 must approve)'
says '  never tried: ship'
expect 0 "$skald" simulate "$dir/stuck.yaml" --test 'all goes'
says 'stuck: 12 ways to fail, 0 problems'
expect 0 "$skald" simulate "$dir/stuck.yaml" --test 'a signal' # it says itself how far it goes
