#!/bin/bash
# Participants that answer garbage, hang, redirect, lose replies or send 100 MB, all at once: each order
# still ends as it must, with each effect once; the server does not grow, and others are not held up.
source "$(dirname "$0")/lib.sh"

start_participant order_services
# shellcheck disable=SC2046
start_skald $(shop_at)
await_skald
expect 0 "$skald" def deploy examples/order-fulfilment/order-fulfilment.yaml

order() { # id
	echo "{\"order_id\": \"$1\", \"customer_id\": \"c\", \"lines\": [{\"sku\": \"TEA\", \"quantity\": 1}]," \
		"\"amount_minor\": 1999, \"card\": \"4242\", \"ship_to\": \"Oslo\"}"
}
control() { # mode order
	curl -fsS "$url_order_services/control" > "$dir/control.out" \
		-d "{\"path\": \"/payments/charges\", \"mode\": \"$1\", \"times\": 2, \"match\": {\"order\": \"$2\"}}"
}
resident_kib() { awk '/^VmRSS/ {print $2}' "/proc/$skald_pid/status"; }
# What the participant did for a saga: "operation count" of each call that had an effect.
effects() { # order
	local id
	id=$("$skald" saga list "key:$1" -o json | jq -r '.[0].id')
	curl -fsS "$url_order_services/ledger" | jq -r --arg saga "$id/" \
		'.calls[] | select(.key | startswith($saga)) | select(.count > 0) | "\(.operation) \(.count)"' |
		sort | tr '\n' ',' | sed 's/,$//'
}
settled() { # how many orders are terminal
	[ "$("$skald" saga list -o json | jq '[.[] | select(.status | test("^comp(leted|ensated)$"))] | length')" = "$1" ]
}

expect 0 "$skald" saga start order-fulfilment --wait --timeout 20s "$(order warm-up)"
before=$(resident_kib)
modes='garbage lose_reply huge fail redirect decline slow hang'
for mode in $modes; do
	for i in 1 2 3; do
		control "$mode" "$mode-$i"
		expect 0 "$skald" saga start order-fulfilment "$(order "$mode-$i")"
	done
done
# While three of them hang, another order is served at once.
begun=$(date +%s%N)
expect 0 "$skald" saga start order-fulfilment --wait --timeout 20s "$(order meanwhile)"
took=$((($(date +%s%N) - begun) / 1000000))
[ $took -lt 3000 ] || fail "an order that had nothing to do with it took $took ms"

wait_for 60 settled 26 || fail "not all orders end: $("$skald" saga list)"
after=$(resident_kib)
[ $((after - before)) -lt 65536 ] || fail "the server grew from $before to $after KiB"
for mode in $modes; do
	for i in 1 2 3; do
		expect 0 "$skald" saga list "key:$mode-$i" -o json
		status=$(jq -r '.[0].status' <<< "$out")
		case $mode in
		decline | redirect) wanted=compensated effects='release 1,reserve 1,send 1' ;;
		*) wanted=completed effects='charge 1,reserve 1,send 1,ship 1' ;;
		esac
		[ "$status" = $wanted ] || fail "order $mode-$i ended as $status, not $wanted"
		got=$(effects "$mode-$i")
		[ "$got" = "$effects" ] || fail "order $mode-$i had the effects $got, not $effects"
	done
done
stop_skald
