# What the demos begin with; they source it. It goes to the root of the tree and makes a temporary
# folder, $dir, which is removed at the end, after all that was started is stopped.
# shellcheck shell=bash
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
build=${BUILD:-build/release}
skald=$build/skald
dir=$(mktemp -d)
pids=() # of what is to be stopped; what `skald dev` has started, it stops itself

end() {
	local status=$? pid
	for pid in "${pids[@]}"; do kill "$pid" 2> /dev/null || true; done
	for pid in "${pids[@]}"; do wait "$pid" 2> /dev/null || true; done
	rm -rf "$dir"
	exit "$status"
}
trap end EXIT
trap 'exit 130' INT TERM

if [ -t 1 ] && [ -z "${NO_COLOR:-}" ]; then bold=$'\e[1m' plain=$'\e[0m'; else bold='' plain=''; fi
say() { printf '\n%s%s%s\n' "$bold" "$*" "$plain"; }

# start_skald [ARGUMENT...]: `skald dev` on a free port with its data in $dir/data, and the participants
# of the definitions; $dir/log has what it says, $SKALD_SERVER where it is.
start_skald() {
	"$skald" dev "$@" --port 0 --data "$dir/data" > "$dir/log" 2>&1 < /dev/null &
	pids+=($!)
	for ((i = 0; i < 3000; i++)); do
		grep -q '^Ctrl-C' "$dir/log" && break
		kill -0 "${pids[-1]}" 2> /dev/null || { cat "$dir/log"; exit 1; }
		sleep 0.01
	done
	SKALD_SERVER=$(sed -n 's/^Skald .* listens on \(http:[^ ]*\).*/\1/p' "$dir/log")
	[ -n "$SKALD_SERVER" ] || { cat "$dir/log"; exit 1; }
	export SKALD_SERVER
}
