# For the end-to-end tests: starts and stops programs by their process ids, in a temporary folder
# whose name has a space in it. Source it first; it runs at the root of the project.
# shellcheck shell=bash
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
build=$(cd "${BUILD:-build/release}" && pwd)
skald=$build/skald
dir=$(mktemp -d "${TMPDIR:-/tmp}/skald e2e.XXXXXX")
pids=() # of everything that was started and not waited for
unset SKALD_SERVER SKALD_NAMESPACE SKALD_CONFIG SKALD_FAILPOINTS
export NO_COLOR=1
test_name=$(basename "$0" .sh)

fail() {
	echo "$test_name: $*" >&2
	for log in "$dir"/*.log; do
		[ -s "$log" ] && { echo "--- ${log##*/}"; tail -n 40 "$log"; } >&2
	done
	exit 1
}

cleanup() {
	local status=$? pid
	trap - EXIT
	for pid in "${pids[@]}"; do kill "$pid" 2> /dev/null || true; done
	for ((i = 0; i < 300 && ${#pids[@]} > 0; i++)); do
		alive=0
		for pid in "${pids[@]}"; do kill -0 "$pid" 2> /dev/null && alive=1; done
		[ $alive = 0 ] && break
		sleep 0.05
	done
	for pid in "${pids[@]}"; do kill -9 "$pid" 2> /dev/null || true; done
	wait 2> /dev/null || true
	if [ "$status" = 0 ]; then rm -rf "$dir"; else echo "kept: $dir" >&2; fi
	exit "$status"
}
trap cleanup EXIT
trap 'exit 130' INT TERM

# wait_for SECONDS COMMAND...: until the command succeeds.
wait_for() {
	local end=$((SECONDS + $1))
	shift
	until "$@" > /dev/null 2>&1; do
		[ $SECONDS -lt $end ] || return 1
		sleep 0.02
	done
}

# A port on which nobody listens now.
free_port() {
	local port
	while :; do
		port=$((20000 + RANDOM % 12000))
		(exec 3<> "/dev/tcp/127.0.0.1/$port") 2> /dev/null || break
	done
	echo "$port"
}

forget() { # pid: it was waited for
	local kept=() pid
	for pid in "${pids[@]}"; do [ "$pid" = "$1" ] || kept+=("$pid"); done
	pids=("${kept[@]}")
}

# start_participant NAME: on a port of its own, in url_NAME; its data stays in $dir/NAME.
start_participant() {
	local program
	program=$(echo "$build"/examples/*/participants/"$1")
	: > "$dir/$1.log" # now, and not when the program is there: an older one may have said the word
	"$program" --port 0 --data "$dir/$1" > "$dir/$1.log" 2>&1 &
	pids+=($!)
	printf -v "pid_$1" %s $!
	wait_for 10 grep -q 'listening on' "$dir/$1.log" || fail "$1 does not listen"
	printf -v "url_$1" %s "$(sed -n 's/.*listening on \(http:[^ ]*\).*/\1/p' "$dir/$1.log")"
}

# Services of the test's own ("postgres kafka"), in $dir/services and with their variables set; they
# are stopped at its end, which keeps its status. For those that are broken on purpose.
start_services() {
	SERVICES=$1 tests/services.sh start "$dir/services" > "$dir/services.env" || fail "no services"
	trap end_with_services EXIT
	# shellcheck disable=SC1091
	source "$dir/services.env"
}
end_with_services() {
	local status=$?
	tests/services.sh stop "$dir/services" || true
	set +e
	(exit "$status") # which cleanup looks at
	cleanup
}

# Arguments for the services of the shop and the bank, which must have been started.
shop_at() {
	local name
	for name in stock payments shipping mail; do echo "--participant=$name=$url_order_services/$name"; done
}

# start_skald ARGUMENTS...: `skald serve` with its store in $dir/data, or at $STORE, on $port. Sets
# skald_pid and SKALD_SERVER. SKALD_FAILPOINTS may be set for it.
port=$(free_port)
export SKALD_SERVER=http://127.0.0.1:$port
start_skald() {
	: > "$dir/skald.log"
	"$skald" serve --port "$port" --store "${STORE:-$dir/data/skald.db}" \
		--node-lease 2s "$@" >> "$dir/skald.log" 2>&1 &
	skald_pid=$!
	pids+=("$skald_pid")
}
ready() { curl -fs "$SKALD_SERVER/readyz"; }
# Of a store of many nodes the slots of who was killed come back with the end of its lease. Until
# then starts are only created, and the failpoints of what follows are met less often.
owns_all() { curl -fs "$SKALD_SERVER/metrics" | grep -qx 'skald_slots_owned 256'; }
await_skald() {
	wait_for 20 ready || fail "the server is not ready"
	[ -z "${STORE:-}" ] || wait_for 10 owns_all || fail "the server does not get its slots"
}

# Waits for the end of a process that was started; its exit code is in ended_with.
await_end() { # pid seconds
	ended_with=0
	wait_for "$2" not_running "$1" || fail "process $1 does not end"
	wait "$1" 2> /dev/null || ended_with=$?
	forget "$1"
}
not_running() { ! kill -0 "$1" 2> /dev/null; }

stop_skald() {
	kill "$skald_pid"
	await_end "$skald_pid" 30
	[ "$ended_with" = 0 ] || fail "the server ended with $ended_with"
}

# expect CODE COMMAND...: it ends with this exit code; what it said is in $out and $err.
expect() {
	local code=$1 got=0
	shift
	"$@" > "$dir/out" 2> "$dir/err" < /dev/null || got=$?
	out=$(< "$dir/out") err=$(< "$dir/err")
	[ "$got" = "$code" ] || fail "exit code $got instead of $code: $*"$'\n'"$out"$'\n'"$err"
}
says() { [[ $out == *"$1"* ]] || fail "stdout does not say \`$1\`:"$'\n'"$out"; }
complains() { [[ $err == *"$1"* ]] || fail "stderr does not say \`$1\`:"$'\n'"$err"; }
