#!/bin/bash
# `skald test`: what a failing test prints (expected and actual side by side, to the letter), what a
# wrong file prints, exit codes, JUnit, JSON, filters and folders.
source "$(dirname "$0")/lib.sh"

cat > "$dir/order.yaml" << 'END'
saga: order
participants: {stock: {}, pay: {outcome: {code: "${reply.body.code}"}}}
steps:
  - {id: reserve, http: {to: stock, method: PUT, path: /r/1}, compensate: {http: {to: stock, method: DELETE, path: /r/1}}}
  - {id: charge, http: {to: pay, method: POST, path: /charges, body: {amount: 5}}, compensate: {http: {to: pay, method: POST, path: /refunds}}}
END
cat > "$dir/order.test.yaml" << 'END'
tests:
  - test: an order goes through
END
docs=$PWD/docs
cd "$dir"

# The shortest file there is: all goes well.
expect 0 "$skald" test
[ "$out" = $'order.test.yaml\n  ok    an order goes through\n1 passed, 0 failed' ] || fail "three lines: $out"

cat > other.test.yaml << 'END'
saga: order.yaml
tests:
  - test: a declined card gives the stock back
    replies:
      charge: {status: 402, body: {code: declined}}
    calls:
      - reserve
      - POST pay /charges
      - POST pay /refunds
      - DELETE stock /r/1
    end: {status: compensated, failure: refused}
  - test: the amount is sent
    calls: [reserve, {step: charge, body: {amount: 6}}]
    end: completed
  - test: nothing more is called
    calls: [reserve]
  - test: as many as are expected
    calls: [reserve, charge, charge]
END
expect 1 "$skald" test other.test.yaml
cat > expected << 'END'
other.test.yaml
  FAIL  a declined card gives the stock back
      other.test.yaml:9:
        the calls differ at 3: another one was expected

                 expected           actual
              1  reserve            PUT stock /r/1     reserve
              2  POST pay /charges  POST pay /charges  charge
          >   3  POST pay /refunds  DELETE stock /r/1  reserve.undo
              4  DELETE stock /r/1  -

      other.test.yaml:11:
        the failure is declined, expected refused

  FAIL  the amount is sent
      other.test.yaml:13:
        the calls differ at 2: body.amount is 5, expected 6

                 expected                  actual
              1  reserve                   PUT stock /r/1     reserve
          >   2  charge body={"amount":6}  POST pay /charges  charge

  FAIL  nothing more is called
      other.test.yaml:16:
        the calls differ at 2: nothing more was expected

                 expected  actual
              1  reserve   PUT stock /r/1     reserve
          >   2  -         POST pay /charges  charge

  FAIL  as many as are expected
      other.test.yaml:18:
        the calls differ at 3: nothing more came

                 expected  actual
              1  reserve   PUT stock /r/1     reserve
              2  charge    POST pay /charges  charge
          >   3  charge    -

0 passed, 4 failed
END
diff expected <(echo "$out") || fail "what a failing test prints"

# Files of two, of which one fails; by a filter; as JSON; for a build server.
expect 1 "$skald" test --junit junit.xml
says '1 passed, 4 failed'
expect 0 "$skald" test --filter 'goes through'; says '1 passed, 0 failed'
expect 3 "$skald" test --filter 'no such test'
expect 1 "$skald" test -o json
[ "$(jq -r '[.[] | select(.passed)] | length' <<< "$out")" = 1 ] || fail "json: $out"
[ "$(jq -r '.[] | select(.test == "the amount is sent") | .failures[0].line' <<< "$out")" = 13 ] || fail "json: $out"
python3 - << 'END' || fail "junit.xml"
import xml.etree.ElementTree as xml
root = xml.parse("junit.xml").getroot()
assert root.get("tests") == "5" and root.get("failures") == "4", root.attrib
cases = {c.get("name"): c for c in root.iter("testcase")}
assert cases["an order goes through"].find("failure") is None
failure = cases["a declined card gives the stock back"].find("failure")
assert failure.get("message") == "the calls differ at 3: another one was expected", failure.attrib
assert ">   3  POST pay /refunds  DELETE stock /r/1  reserve.undo" in failure.text, failure.text
assert cases["the amount is sent"].get("line") == "12"
END

# Files that are wrong: each error with its line and its place.
cat > wrong.test.yaml << 'END'
saga: order.yaml
tests:
  - test: x
    replis: {charge: 200}
    replies: {reserve: 42}
END
expect 1 "$skald" test wrong.test.yaml
says 'wrong.test.yaml:4: error: `replis` is not known here (at /tests/0/replis)'
says 'wrong.test.yaml:5: error: must be at least 100 (at /tests/0/replies/reserve)'
cat > wrong.test.yaml << 'END'
saga: order.yaml
tests:
  - test: x
    replies:
      chrge: 200
    meanwhile:
      - {at: 5s}
END
expect 1 "$skald" test wrong.test.yaml
says 'wrong.test.yaml:5: error: order has no step `chrge`; did you mean `charge`? (at /tests/0/replies/chrge)'
says 'wrong.test.yaml:7: error: one of signal, cancel'
says '0 passed, 1 failed'
echo 'saga: nowhere.yaml
tests: [{test: x}]' > wrong.test.yaml
expect 1 "$skald" test wrong.test.yaml
says 'wrong.test.yaml:1: error: nowhere.yaml: No such file or directory'
sed 's/needs//; s/to: pay, /to: nobody, /' order.yaml > broken.yaml
echo 'saga: broken.yaml
tests: [{test: x}]' > wrong.test.yaml
expect 1 "$skald" test wrong.test.yaml
says 'broken.yaml:5: error:'
expect 3 "$skald" test no-such-folder

# Places that cannot be answered, what nothing waits for, and members that mean nothing there.
cat > sent.yaml << 'END'
saga: sent
steps:
  - {id: book, http: {to: p, method: PUT, path: /b}, compensate: {http: {to: p, method: DELETE, path: /b}}}
  - {id: paid, http: {to: p, method: PUT, path: /p}, compensate: none}
  - {id: g, await: {signal: go}}
  - {id: hook, await: {webhook: psp, when: "${event.type == 'done'}", correlate: {from: "${event.data.ref}", expect: r-1}}}
  - {id: review, approval: {title: Is it right?, groups: [desk], form: {type: object, properties: {limit: {type: integer}}}}}
END
cat > sent.test.yaml << 'END'
tests:
  - test: x
    replies:
      book.und: 500
      book.probe: 404
      g: 402
      paid.undo: 500
      book[1]: 500
      book/inner: 500
    meanwhile:
      - {once: hook, webhook: pspp, type: done, data: {ref: r-1}}
      - {once: g, signal: goo}
      - {approve: book, by: ann}
      - {once: g, signal: go, groups: [desk]}
      - {approve: review, by: ann, value: {limit: 5}}
END
expect 1 "$skald" test sent.test.yaml
says 'sent.test.yaml:4: error: `.und` ends no place: .undo, .probe and .undo.probe do; did you mean `.undo`? (at /tests/0/replies/book.und)'
says 'sent.test.yaml:5: error: book has no `probe` (at /tests/0/replies/book.probe)'
says 'sent.test.yaml:6: error: g is an `await`, which nobody answers; what it waits for is sent by `meanwhile` (at /tests/0/replies/g)'
says 'sent.test.yaml:7: error: paid has no `compensate`, so nothing is called to undo it'
says 'sent.test.yaml:8: error: book has no items'
says 'sent.test.yaml:9: error: book is a call, and has no steps of its own'
says 'sent.test.yaml:11: error: no step awaits the webhook `pspp`; did you mean `psp`? (at /tests/0/meanwhile/0/webhook)'
says 'sent.test.yaml:12: error: no step awaits the signal `goo`; did you mean `go`? (at /tests/0/meanwhile/1/signal)'
says 'sent.test.yaml:13: error: book is a call, and no approval'
says 'sent.test.yaml:14: error: `groups` means nothing beside `signal`'
says 'sent.test.yaml:15: error: `value` means nothing beside `approve`'
# And as they are right, the decision as docs/testing.md has it.
decision=$(sed -n 's/^      - \({approve: review, [^#]*}\).*/\1/p' "$docs/testing.md")
[ -n "$decision" ] || fail "the documentation shows no decision"
cat > sent.test.yaml << END
tests:
  - test: x
    replies: {book.undo: 500, book: [503, 200]}
    meanwhile:
      - {once: hook, webhook: psp, type: done, data: {ref: r-1}}
      - {once: g, signal: go}
      - $decision
  - test: nobody of the group
    meanwhile:
      - {once: hook, webhook: psp, type: done, data: {ref: r-1}}
      - {once: g, signal: go}
      - {approve: review, by: ann, refused: "*none of the groups*"}
      - {approve: review, by: ann, after: 1s, with: {groups: [desk]}}
END
expect 0 "$skald" test sent.test.yaml
says '2 passed, 0 failed'
