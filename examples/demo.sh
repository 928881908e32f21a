#!/bin/bash
# `make demo`: starts Skald and the example participants on free ports in a temporary folder, runs one
# order that completes and one whose card is declined, and shows for each the ledger and the
# history. Leaves nothing behind.
# shellcheck source=examples/lib.sh
source "$(dirname "$0")/lib.sh"

show() { # prints the command as one would type it, and runs it
	printf '%s$ skald %s%s\n' "$bold" "$*" "$plain"
	"$skald" "$@"
}

start_skald
say "Skald runs at $SKALD_SERVER, with the services of a small shop beside it."

run() { # order card expected-exit-code expected-status
	local order id status
	order='{"order_id": "'$1'", "customer_id": "c-1", "lines": [{"sku": "TEA", "quantity": 2}, {"sku": "CUP", "quantity": 1}],'
	order+=' "amount_minor": 1999, "card": "'$2'", "ship_to": "Oslo"}'
	printf "%s\$ skald saga start order-fulfilment --wait --timeout 60s '%s'%s\n" "$bold" "$order" "$plain"
	status=0
	"$skald" saga start order-fulfilment --wait --timeout 60s "$order" || status=$?
	if [ "$status" != "$3" ]; then
		echo "the order ended with exit code $status instead of $3 ($4)"
		cat "$dir/log"
		exit 1
	fi
	id=$("$skald" saga list "key:$1" -o jsonl | sed -E 's/.*"id":"([^"]*)".*/\1/')
	echo
	show saga show "$id"
	echo
	show saga history "$id"
}

say "An order: the stock is reserved, the card charged, the parcel shipped."
run o-1 4242 0 completed
say "Another one, whose card is declined: what was reserved is released again."
run o-2 0002 20 compensated
say "That was it. \`$skald dev\` starts the same for you to play with."
