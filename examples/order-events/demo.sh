#!/bin/bash
# An order that comes as a record and is confirmed, one that is rejected, and one
# whose answer is lost, over the brokers that `skald dev --kafka` brings with it. Everything lives in
# a temporary folder; leaves nothing behind.
set -euo pipefail
cd "$(dirname "$0")/../.."
build=${BUILD:-build/release}
skald=$build/skald
orders=$build/examples/order-events/participants
dir=$(mktemp -d)
pid=

end() {
	local status=$?
	if [ -n "$pid" ]; then
		kill "$pid" 2> /dev/null || true # it drains, and stops its participants
		wait "$pid" 2> /dev/null || true
	fi
	rm -rf "$dir"
	exit "$status"
}
trap end EXIT
trap 'exit 130' INT TERM

if [ -t 1 ] && [ -z "${NO_COLOR:-}" ]; then bold=$'\e[1m' plain=$'\e[0m'; else bold='' plain=''; fi
say() { printf '\n%s%s%s\n' "$bold" "$*" "$plain"; }

# It starts the services beside it, with their data below its own.
"$skald" dev examples/order-events/order-events.yaml --kafka --data "$dir" --port 0 > "$dir/dev.log" 2>&1 &
pid=$!
for ((i = 0; i < 300; i++)); do
	grep -q '^Ctrl-C' "$dir/dev.log" && break
	kill -0 "$pid" 2> /dev/null || break
	sleep 0.1
done
brokers=$(sed -n 's/^kafka: \(.*\)$/\1/p' "$dir/dev.log")
SKALD_SERVER=$(sed -n 's|.*listens on \(http://[^ ]*\).*|\1|p' "$dir/dev.log")
export SKALD_SERVER
if [ -z "$brokers" ] || [ -z "$SKALD_SERVER" ]; then
	cat "$dir/dev.log" >&2
	exit 1
fi

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
"$orders/order_handlers" --data "$dir/order_handlers" --ledger | sed 's/},/},\n  /g'
