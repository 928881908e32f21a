#!/bin/bash
# SIGTERM while sagas run: intake stops, what is out may end, the process ends with 0, and the next
# start carries everything to its end. A second signal ends it at once, and nothing is lost either.
source "$(dirname "$0")/lib.sh"

start_participant order_services
mapfile -t shop < <(shop_at)
slow() { # milliseconds, times
	curl -fs -d "{\"path\": \"/shipping\", \"mode\": \"slow\", \"delay_ms\": $1, \"times\": $2}" \
		"$url_order_services/control" > "$dir/control" || fail "control: $(cat "$dir/control")"
}
start_orders() { # prefix number
	local i
	for ((i = 0; i < $2; i++)); do
		"$skald" saga start order-fulfilment -o json \
			'{"order_id": "'"$1-$i"'", "customer_id": "c", "lines": [{"sku": "TEA", "quantity": 1}], "amount_minor": 5, "card": "4242", "ship_to": "Oslo"}' \
			>> "$dir/started" || fail "order $1-$i was not taken"
	done
}
at_shipping() { # number: so many sagas have got to the slow step
	[ "$(curl -fs "$SKALD_SERVER/v1/sagas?q=status:running&limit=100" | jq '.sagas | length')" -ge "$1" ]
}
all_completed() { # number
	[ "$("$skald" saga list --all status:completed -o json | jq length)" = "$1" ]
}

start_skald "${shop[@]}" --drain 10s
await_skald
expect 0 "$skald" def deploy examples/order-fulfilment/order-fulfilment.yaml

# What is out may end: calls of 700 ms are answered within the ten seconds.
slow 700 20
start_orders first 20
wait_for 10 at_shipping 20 || fail "the sagas do not run"
kill "$skald_pid"
refused=0
for ((i = 0; i < 20; i++)); do
	code=$(curl -s -o "$dir/answer" -w '%{http_code}' -m 5 -H 'Content-Type: application/json' \
		-d '{"saga": "order-fulfilment", "input": {"order_id": "late-'$i'", "customer_id": "c", "lines": [{"sku": "TEA", "quantity": 1}], "amount_minor": 5, "card": "4242", "ship_to": "Oslo"}}' \
		"$SKALD_SERVER/v1/sagas" || true)
	case $code in
	503 | 000) refused=$((refused + 1)) ;;
	202) cat "$dir/answer" >> "$dir/started" ;; # before the signal was seen
	*) fail "while draining: $code $(cat "$dir/answer")" ;;
	esac
done
[ $refused -gt 0 ] || fail "a draining server takes new sagas"
await_end "$skald_pid" 15
[ "$ended_with" = 0 ] || fail "the drained server ended with $ended_with"

# What does not end in time is carried on by the next start.
start_skald "${shop[@]}" --drain 200ms
await_skald
slow 3000 10
before=$("$skald" saga list --all -o json | jq length)
start_orders second 10
wait_for 10 at_shipping 10 || fail "the sagas do not run"
begun=$SECONDS
kill "$skald_pid"
await_end "$skald_pid" 15
[ "$ended_with" = 0 ] || fail "the server ended with $ended_with"
[ $((SECONDS - begun)) -le 3 ] || fail "a drain of 200 ms took $((SECONDS - begun)) s"

start_skald "${shop[@]}"
await_skald
wait_for 60 all_completed $((before + 10)) || fail "not all came to their end:"$'\n'"$("$skald" saga list --all)"
jq -r .id "$dir/started" | sort -u | while read -r id; do
	"$skald" saga show "$id" -o json | jq -e '.status == "completed"' > /dev/null || fail "$id was acknowledged and is lost"
done
worst=$(curl -fs "$url_order_services/ledger" | jq '[.calls[].count] | max')
[ "$worst" = 1 ] || fail "something took effect $worst times"
stop_skald
