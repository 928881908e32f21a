#!/bin/bash
# An order that comes as a record and is confirmed, one that is rejected, and one
# whose answer is lost, over the brokers that `skald dev --kafka` brings with it. Everything lives in
# a temporary folder; leaves nothing behind.
# shellcheck source=examples/lib.sh
source "$(dirname "$0")/../lib.sh"
orders=$build/examples/order-events/participants

# It starts the services beside it, with their data below its own.
start_skald examples/order-events/order-events.yaml --kafka
brokers=$(sed -n 's/^kafka: \(.*\)$/\1/p' "$dir/log")
[ -n "$brokers" ] || { cat "$dir/log"; exit 1; }

place() { # order_id customer_id
	echo "{\"order_id\": \"$1\", \"customer_id\": \"$2\", \"sku\": \"TEA\", \"quantity\": 2, \"amount_minor\": 1999}" |
		"$orders/kafka_record" --brokers "$brokers" send orders.placed "$1"
}
show() { # order_id topic n
	# Of all partitions, hence as many records as there are by now.
	"$orders/kafka_record" --brokers "$brokers" read "$2" "$3" 60 | grep -F "\"key\":\"$1\""
	"$skald" saga show "$("$skald" saga list "key:$1" | awk 'NR == 2 {print $1}')"
}

say "An order is placed: a record in orders.placed. It is confirmed by a record in orders.confirmed."
place o-1 c-1
show o-1 orders.confirmed 1

say "One whose customer has no credit: the stock is released again."
place o-2 c-0002
show o-2 orders.rejected 1

say "One whose first answer is lost: the command comes again after 5 s, and takes effect once."
place o-3 c-0005
show o-3 orders.confirmed 2

say "What the services did, each key once:"
"$orders/order_handlers" --data "$dir/data/order_handlers" --ledger | sed 's/},/},\n  /g'
