#!/bin/bash
# A reset of a saga that has ended makes a new run of it, another saga: what was settled is not
# called again, what came after is called under keys of its own, and what is undone is undone as the
# first one would have. Where an effect would be lost it is refused, with every reason. With a
# Postgres there are two nodes.
source "$(dirname "$0")/lib.sh"

cat > "$dir/shop.py" << 'EOF'
import http.server, sys

class Shop(http.server.BaseHTTPRequestHandler):
	def answer(self):
		self.rfile.read(int(self.headers.get('Content-Length') or 0))
		key = self.headers.get('Idempotency-Key', '').strip('"')
		with open(sys.argv[1], 'a') as calls:
			calls.write(f'{self.command} {self.path} {key}\n')
		status = 409 if self.path.startswith('/refuse') else 200
		self.send_response(status)
		self.send_header('Content-Type', 'application/json')
		self.send_header('Content-Length', '2')
		self.end_headers()
		self.wfile.write(b'{}')
	do_GET = do_POST = do_DELETE = answer
	def log_message(self, *args):
		pass

server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Shop)
print(f'listening on http://127.0.0.1:{server.server_port}', flush=True)
server.serve_forever()
EOF
calls=$dir/calls
: > "$calls"
python3 "$dir/shop.py" "$calls" > "$dir/shop.log" 2>&1 &
pids+=($!)
wait_for 10 grep -q 'listening on' "$dir/shop.log" || fail 'the shop does not listen'
shop=$(sed -n 's/^listening on //p' "$dir/shop.log")

node_ports=() node_pids=()
start_node() { # number
	[ -n "${node_ports[$1]:-}" ] || node_ports[$1]=$(free_port)
	"$skald" serve --port "${node_ports[$1]}" --store "${STORE:-$dir/data/skald.db}" --node-lease 2s \
		--participant "shop=$shop" >> "$dir/node$1.log" 2>&1 &
	node_pids[$1]=$!
	pids+=($!)
	wait_for 20 curl -fs "$(at "$1")/readyz" || fail "node $1 is not ready"
}
at() { echo "http://127.0.0.1:${node_ports[$1]}"; }
start_node 0
[ -z "${STORE:-}" ] || start_node 1
export SKALD_SERVER=$(at 0)

cat > "$dir/order.yaml" << 'EOF'
saga: order
key: ${input.id}
steps:
  - id: reserve
    http: {to: shop, method: POST, path: /reserve}
    compensate: {http: {to: shop, method: DELETE, path: /reserve}}
  - id: ask
    await: {signal: go}
    timeout: 1d
  - id: pay
    http: {to: shop, method: POST, path: /pay}
    compensate: {http: {to: shop, method: DELETE, path: /pay}}
  - id: ship
    http: {to: shop, method: POST, path: '/${input.ship}'}
    compensate: none
EOF
expect 0 "$skald" def deploy "$dir/order.yaml"

begin() { # key, how it is shipped: it waits for the signal; $id
	expect 0 "$skald" saga start order "{\"id\":\"$1\",\"ship\":\"$2\"}" -o json
	id=$(jq -r .id <<< "$out")
	wait_for 20 waits || fail "$id does not wait"
}
waits() { show "$id" | jq -e '.status == "waiting" and (.steps[1].actions | length) == 1'; }
row() { # type, step: the history row with this event
	curl -fs "$SKALD_SERVER/v1/sagas/$id/history?limit=500" |
		jq "[.history[] | select(any(.events[]; .type == \"$1\" and .step == \"$2\")) | .seq][0]"
}
show() { "$skald" saga show "$1" -o json; }
called() { grep -c "^$1 " "$calls" || true; }
keys() { sed -n "s|^$1 ||p" "$calls"; }

# Ended by a person while it waited: what was reserved stands, and the new run has it.
begin o-1 ship
first=$id
reserved=$(row StepCompleted reserve)
expect 0 "$skald" saga terminate "$first" --reason 'by mistake'
expect 0 "$skald" saga reset "$first" --to "$reserved" --dry-run -o json
[ "$(jq -c '[.dry_run, .new_run.run_of.id, .new_run.kept]' <<< "$out")" = "[true,\"$first\",[\"reserve\"]]" ] || fail "$out"
[ "$(show "$first" | jq .continued_by)" = null ] || fail 'a dry run has made one'
# Not to where it had ended, not past the end, and not to where what was reserved would be forgotten.
expect 5 "$skald" saga reset "$first" --to 1
complains 'reserve: it has taken effect after that row, and is not undone'
status=$(curl -s -o "$dir/out" -w '%{http_code}' -H 'Content-Type: application/json' -d '{"to":999}' "$SKALD_SERVER/v1/sagas/$first/reset")
[ "$status" = 422 ] && grep -q 'the history ends at row' "$dir/out" || fail "$status $(cat "$dir/out")"

look() { # [HEADER]: status, and the answer in $dir/out
	curl -s -D "$dir/head" -o "$dir/out" -w '%{http_code}' ${1:+-H "$1"} "$SKALD_SERVER/v1/sagas/$first"
}
etag() { sed -nE 's/^ETag: (.*)\r$/\1/p' "$dir/head"; }
[ "$(look)" = 200 ] || fail "$(cat "$dir/out")"
before=$(etag)
[ "$(look "If-None-Match: $before")" = 304 ] || fail "$(cat "$dir/head")"

reset() { # node: the same act each time
	curl -s -D "$dir/head" -o "$dir/out" -w '%{http_code}' -H 'Content-Type: application/json' \
		-d "{\"to\":$reserved,\"id\":\"act-1\",\"by\":\"ann\",\"reason\":\"go on\"}" "$(at "$1")/v1/sagas/$first/reset"
}
[ "$(reset 0)" = 201 ] || fail "$(cat "$dir/out")"
second=$(jq -r .id "$dir/out")
grep -qi "^location: /v1/sagas/$second" "$dir/head" || fail "$(cat "$dir/head")"
# Who has read it before is told of the new run; the tag that says so is a sequence to If-Match.
[ "$(look "If-None-Match: $before")" = 200 ] && [ "$(jq -r .continued_by "$dir/out")" = "$second" ] || fail "$(cat "$dir/head" "$dir/out")"
[ "$(look "If-None-Match: $(etag)")" = 304 ] || fail "$(cat "$dir/head")"
for tag in "$before" "$(etag)"; do
	status=$(curl -s -o "$dir/out" -w '%{http_code}' -H "If-Match: $tag" -H 'Content-Type: application/json' -d '{"to":1}' "$SKALD_SERVER/v1/sagas/$first/reset")
	[ "$status" = 409 ] && [ "$(jq -r .code "$dir/out")" = act_refused ] || fail "If-Match: $tag: $(cat "$dir/out")"
done
[ "$second" != "$first" ] || fail 'the saga that had ended was begun again'
# The same act gives the same saga, by any node and after a crash; another act is refused.
node=0
[ -z "${STORE:-}" ] || node=1
[ "$(reset $node)" = 201 ] && [ "$(jq -r .id "$dir/out")" = "$second" ] || fail "$(cat "$dir/out")"
kill -9 "${node_pids[0]}"
await_end "${node_pids[0]}" 10
start_node 0
[ "$(reset 0)" = 201 ] && [ "$(jq -r .id "$dir/out")" = "$second" ] || fail "$(cat "$dir/out")"
expect 5 "$skald" saga reset "$first" --to "$reserved" --reason 'another'
complains "saga $second is the new run of this one already"

[ "$(show "$first" | jq -c '[.status, .continued_by]')" = "[\"terminated\",\"$second\"]" ] || fail "$(show "$first")"
id=$second
wait_for 20 waits || fail "$(show "$second")"
[ "$(show "$second" | jq -c '[.run_of.id, .run_of.seq, .key, .steps[0].status]')" = "[\"$first\",$reserved,\"o-1\",\"completed\"]" ] || fail "$(show "$second")"
[ "$(called 'POST /reserve')" = 1 ] || fail "$(cat "$calls")"
# The key is that of the new run: who starts it again finds that.
expect 0 "$skald" saga start order '{"id":"o-1","ship":"ship"}' -o json
[ "$(jq -r .id <<< "$out")" = "$second" ] || fail "$out"
signalled() { "$skald" saga signal "$second" go; }
wait_for 20 signalled || fail 'no signal is taken'
expect 0 "$skald" saga wait "$second" --timeout 30s
[ "$(called 'POST /reserve')" = 1 ] && [ "$(called 'POST /pay')" = 1 ] || fail "$(cat "$calls")"
[ "$(keys 'POST /reserve')" = "$first/reserve/do" ] || fail "$(cat "$calls")"
[ "$(keys 'POST /pay')" = "$second/pay/do" ] || fail "$(cat "$calls")"
# What has been done since stands: no new run of this one.
expect 5 "$skald" saga reset "$second" --to "$reserved"
complains 'pay: it has taken effect after that row, and is not undone'
complains 'ship: it has taken effect after that row, and cannot be undone'

# A new run that fails undoes what the first one did, with the key that it had said.
: > "$calls"
begin o-2 refuse
first=$id
reserved=$(row StepCompleted reserve)
expect 0 "$skald" saga terminate "$first"
expect 0 "$skald" saga reset "$first" --to "$reserved" --reason 'once more'
says 'a new run of saga'
says "$first"
second=$(show "$first" | jq -r .continued_by)
id=$second
wait_for 20 waits || fail "$(show "$second")"
expect 0 "$skald" saga signal "$second" go
compensated() { [ "$(show "$second" | jq -r .status)" = compensated ]; }
wait_for 30 compensated || fail "$(show "$second")"
[ "$(keys 'DELETE /reserve')" = "$first/reserve/undo" ] || fail "$(cat "$calls")"
[ "$(keys 'DELETE /pay')" = "$second/pay/undo" ] || fail "$(cat "$calls")"
[ "$(called 'POST /reserve')" = 1 ] || fail "$(cat "$calls")"
# All of it is undone: not to where it was reserved, but from the very beginning.
expect 5 "$skald" saga reset "$second" --to "$reserved"
complains 'reserve: it was undone after that row: its effect is gone'
expect 0 "$skald" saga reset "$second" --to 1 -o json
third=$(jq -r .id <<< "$out")
reserved_again() { [ "$(called 'POST /reserve')" = 2 ]; }
wait_for 20 reserved_again || fail "$(cat "$calls") $(show "$third")"
id=$third
wait_for 20 waits || fail "$(show "$third")"
[ "$(called 'POST /reserve')" = 2 ] || fail "$(cat "$calls")"
grep -q "^POST /reserve $third/reserve" "$calls" || fail "$(cat "$calls")"

# Its history can be read, exported and played again; in the ledger stands what it would undo.
expect 0 "$skald" saga history "$id"
says SagaReset
"$skald" saga export "$second" > "$dir/second.json" || fail 'it cannot be exported'
expect 0 "$skald" replay "$dir/second.json" --def "$dir/order.yaml"
id=$second
[ "$(curl -fs "$SKALD_SERVER/v1/sagas/$second/compensations" | jq '[.. | objects | select(.step? == "reserve")] | length > 0')" = true ] || fail 'the ledger is empty'
echo "$test_name: ok"
