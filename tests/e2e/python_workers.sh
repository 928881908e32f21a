#!/bin/bash
# The worker in docs/workers.md, as it is written there, and those of the examples: they wait while
# the server is away, cut off, or answers 503, say a word until it is heard, and end by SIGTERM when
# they have done what is in hand.
source "$(dirname "$0")/lib.sh"

# A server that hands out one task when it has refused three polls, and hears its end at the third
# time; after it, polls hang. What it is asked goes into a log.
cat > "$dir/stub.py" << 'EOF'
import http.server, json, sys, time

port, queue, given, log = int(sys.argv[1]), sys.argv[2], json.loads(sys.argv[3]), open(sys.argv[4], 'a')
polls = words = 0

class Stub(http.server.BaseHTTPRequestHandler):
	protocol_version = 'HTTP/1.1'
	def answer(self, status, body):
		text = json.dumps(body).encode()
		self.send_response(status)
		self.send_header('Content-Length', str(len(text)))
		self.end_headers()
		self.wfile.write(text)
	def do_POST(self):
		global polls, words
		self.rfile.read(int(self.headers['Content-Length']))
		kind = 'poll' if self.path.endswith('/poll') else self.path.rsplit('/', 1)[1]
		if kind == 'poll':
			polls += 1
			status = 503 if polls <= 2 else 'cut' if polls == 3 else 200 if polls == 4 else 'hangs'
		else:
			words += 1
			status = 429 if words == 1 else 503 if words == 2 else 200
		print(kind, status, file=log, flush=True)
		if status == 'cut':
			self.wfile.write(b'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{')
			self.close_connection = True
		elif status == 'hangs':
			time.sleep(60)
		elif kind == 'poll' and status == 200:
			self.answer(200, {'tasks': [{'token': 't', 'queue': queue, 'step': 's', 'saga': 'i', 'key': 'k', 'input': given}]})
		else:
			self.answer(status, {})
	def log_message(self, *args):
		pass

http.server.ThreadingHTTPServer(('127.0.0.1', port), Stub).serve_forever()
EOF
sample() { awk '/^```python$/{on = 1; next} /^```$/{on = 0} on' docs/workers.md; }
worker() { # WHICH ADDRESS [ARGUMENT...]: as a process, its id in $worker
	case $1 in
	docs)
		sample | sed "s|http://127.0.0.1:7878|$2|" > "$dir/docs.py"
		grep -q "$2" "$dir/docs.py" || fail 'the sample has another address'
		python3 "$dir/docs.py" > "$dir/$1.log" 2>&1 &
		;;
	film) examples/task-worker/film_worker.py --server "$2" > "$dir/$1.log" 2>&1 & ;;
	table) examples/data-pipeline/table_worker.py --server "$2" --data "$dir/tables" --threads 1 > "$dir/$1.log" 2>&1 & ;;
	esac
	worker=$!
	pids+=("$worker")
}
ends() { # by SIGTERM, at once and well
	kill "$worker"
	await_end "$worker" 5
	[ "$ended_with" = 0 ] || fail "the worker of $1 ended with $ended_with: $(< "$dir/$1.log")"
	[ ! -s "$dir/$1.log" ] || ! grep -q Traceback "$dir/$1.log" || fail "$(< "$dir/$1.log")"
}
hangs() { grep -qx 'poll hangs' "$dir/$1.calls"; }

try() { # WHICH QUEUE INPUT
	local stub at
	at=$(free_port)
	: > "$dir/$1.calls"
	worker "$1" "http://127.0.0.1:$at"
	sleep 0.3 # refused meanwhile
	python3 "$dir/stub.py" "$at" "$2" "$3" "$dir/$1.calls" 2> "$dir/stub.log" &
	stub=$!
	pids+=("$stub")
	wait_for 15 hangs "$1" || fail "the worker of $1 has given up: $(cat "$dir/$1.calls" "$dir/$1.log")"
	[ "$(tr '\n' ' ' < "$dir/$1.calls")" = 'poll 503 poll 503 poll cut poll 200 complete 429 complete 503 complete 200 poll hangs ' ] ||
		fail "$1: $(< "$dir/$1.calls")"
	ends "$1"
	kill "$stub"
	await_end "$stub" 5
}
try docs packing '{}'
try film film-publish '{"film": "nosferatu"}'
try table table-publish '{"file": "a.csv", "rows": 3}'

# The sample against a server, that is killed while the worker waits and comes back.
worker docs "$SKALD_SERVER"
start_skald
await_skald
cat > "$dir/pack.yaml" << 'EOF'
saga: pack
steps:
  - {id: pack, task: {queue: packing}, with: {order: 1}, compensate: none}
EOF
expect 0 "$skald" def deploy "$dir/pack.yaml"
expect 0 "$skald" saga start pack --wait --timeout 20s -o json
[ "$(jq -c '.steps[0].output' <<< "$out")" = '{"boxes":4}' ] || fail "$out"
kill -9 "$skald_pid"
await_end "$skald_pid" 10
start_skald
await_skald
expect 0 "$skald" saga start pack --wait --timeout 20s
ends docs

# What is in hand when SIGTERM comes is done first: a second's work, told at its end.
cat > "$dir/load.yaml" << 'EOF'
saga: load
steps:
  - {id: load, task: table-load, heartbeat: 10s, timeout: 1m, with: {file: a.csv, first: 0, rows: 500}, compensate: none}
EOF
expect 0 "$skald" def deploy "$dir/load.yaml"
worker table "$SKALD_SERVER"
expect 0 "$skald" saga start load -o json
id=$(jq -r .id <<< "$out")
begun() { curl -fs "$SKALD_SERVER/v1/sagas/$id" | jq -e '.steps[0].actions[0].task.state == "leased"'; }
wait_for 10 begun || fail 'nobody takes the task'
ends table
expect 0 "$skald" saga show "$id" -o json
[ "$(jq -c '[.status, .steps[0].output]' <<< "$out")" = '["completed",{"rows":500}]' ] || fail "it was left undone: $out"
stop_skald
