#!/bin/bash
# Starts Skald and the bank on free ports in a temporary folder, makes four payments that go four
# ways, and shows what became of each. Leaves nothing behind. `make` builds what it needs.
set -euo pipefail
cd "$(dirname "$0")/../.."
skald=${BUILD:-build/release}/skald
dir=$(mktemp -d)
pid=

end() {
	local status=$?
	if [ -n "$pid" ]; then
		kill "$pid" 2> /dev/null || true # it drains, and stops the bank
		wait "$pid" 2> /dev/null || true
	fi
	rm -rf "$dir"
	exit "$status"
}
trap end EXIT
trap 'exit 130' INT TERM

"$skald" dev examples/payment/payment.yaml --port 0 --data "$dir" > "$dir/log" 2>&1 < /dev/null &
pid=$!
for ((i = 0; i < 1000; i++)); do
	grep -q '^Ctrl-C' "$dir/log" && break
	kill -0 "$pid" 2> /dev/null || { cat "$dir/log"; exit 1; }
	sleep 0.01
done
SKALD_SERVER=$(sed -n 's/^Skald .* listens on \(http:.*\)/\1/p' "$dir/log")
[ -n "$SKALD_SERVER" ] || { cat "$dir/log"; exit 1; }
export SKALD_SERVER

pay() { # what-happens payment account amount exit-code
	local id status=0
	printf '\n== %s\n' "$1"
	"$skald" saga start payment --wait --timeout 60s "{\"payment_id\": \"$2\", \"account\": \"$3\",
		\"merchant\": \"teahouse\", \"amount_minor\": $4}" > "$dir/end" 2> "$dir/note" || status=$?
	if [ "$status" != "$5" ]; then
		echo "the payment ended with exit code $status instead of $5"
		cat "$dir/end" "$dir/note" "$dir/log"
		exit 1
	fi
	read -r id _ < "$dir/end"
	"$skald" saga show "$id"
}

pay "A payment goes through." p-1 acc-4242 5990 0
pay "The bank refuses to authorise it: the hold is released." p-2 acc-4242 5000000 20
pay "The capture, the point of no return, is refused: everything is undone." p-3 acc-0003 5990 20
pay "The answer to the capture is lost: the bank is asked what became of it." p-4 acc-0005 5990 0
