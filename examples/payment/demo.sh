#!/bin/bash
# Starts Skald and the bank on free ports in a temporary folder, makes four payments that go four
# ways, and shows what became of each. Leaves nothing behind. `make` builds what it needs.
# shellcheck source=examples/lib.sh
source "$(dirname "$0")/../lib.sh"

start_skald examples/payment/payment.yaml

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
