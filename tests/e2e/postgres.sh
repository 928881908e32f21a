#!/bin/bash
# The server on Postgres: it starts, goes on after it was killed at each failpoint (kill9.sh, whose
# checker knows what must not happen), and outlives a Postgres that crashes, that ends its
# connections, and that is away when it starts.
source "$(dirname "$0")/lib.sh"

start_services postgres
services=$dir/services url=$SKALD_TEST_POSTGRES
query() { tests/services.sh sql "$services" postgres "$1"; }
export STORE=$url

expect() { # exit code, command
	local want=$1 got=0
	shift
	"$@" > "$dir/out.log" 2>&1 || got=$?
	[ "$got" = "$want" ] || fail "$*: exit $got, not $want"
}

start_participant order_services
mapfile -t shop < <(shop_at)
start_skald "${shop[@]}"
await_skald
expect 0 "$skald" def deploy examples/order-fulfilment/order-fulfilment.yaml
grep -q "store postgres" "$dir/skald.log" || fail "the log does not name the store"

mkdir "$dir/acks"
client() { # order
	local code body
	body='{"saga": "order-fulfilment", "key": "'$1'", "input": {"order_id": "'$1'", "customer_id": "c", "lines": [{"sku": "TEA", "quantity": 1}], "amount_minor": 5, "card": "4242", "ship_to": "Oslo"}}'
	for ((attempt = 0; attempt < 1000; attempt++)); do
		code=$(curl -s -o "$dir/acks/$1.try" -w '%{http_code}' -m 20 -H 'Content-Type: application/json' \
			-d "$body" "$SKALD_SERVER/v1/sagas" || true)
		case $code in
		200 | 202) mv "$dir/acks/$1.try" "$dir/acks/$1" && return ;;
		000 | 503 | 429) sleep 0.05 ;;
		*) echo "order $1: status $code: $(cat "$dir/acks/$1.try")" > "$dir/acks/$1.refused" && return ;;
		esac
	done
	echo "order $1 was never acknowledged" > "$dir/acks/$1.refused"
}

orders=0
for round in crash ended crash ended; do
	clients=()
	for ((i = 0; i < 12; i++)); do
		orders=$((orders + 1))
		client "p-$orders" &
		clients+=($!)
	done
	case $round in
	crash) tests/services.sh restart-postgres "$services" ;;
	ended)
		for ((i = 0; i < 10; i++)); do
			query "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name LIKE 'skald:%'" > "$dir/ended"
		done
		;;
	esac
	wait "${clients[@]}"
	[ -z "$(find "$dir/acks" -name '*.refused')" ] || fail "$(cat "$dir"/acks/*.refused)"
done
all_completed() { [ "$(query "SELECT count(*) FROM sagas WHERE status = 'completed'")" = $orders ]; }
wait_for 60 all_completed || fail "not all are completed: $(query "SELECT status, count(*) FROM sagas GROUP BY status")"
[ "$(query 'SELECT count(DISTINCT key) FROM sagas')" = $orders ] || fail "an order was started twice"
[ "$(query "SELECT sum(n) FROM counters WHERE definition > '' AND what = 'completed'")" = $orders ] || fail "the counts are wrong"
twice=$(curl -fs "$url_order_services/ledger" | jq -r '.calls[] | select(.count > 1) | .key')
[ -z "$twice" ] || fail "took effect more than once: $twice"
[ "$(query 'SELECT count(*) FROM (SELECT seq, row_number() OVER (PARTITION BY saga_id ORDER BY seq) AS n FROM history) AS h WHERE seq <> n')" = 0 ] ||
	fail "a history has a gap"

# The three queries of docs/postgres.md work.
n=0
while IFS= read -r -d ';' statement; do
	query "$statement" > "$dir/query" || fail "a query of the documentation fails: $statement"
	n=$((n + 1))
done < <(sed -n '/^```sql$/,/^```$/{/^```/!p}' docs/postgres.md)
[ $n -ge 3 ] || fail "docs/postgres.md has only $n queries"
stop_skald

# Without its database it says so, and does not start.
expect 1 timeout 60 "$skald" serve --port 0 --store "${url%:*}:1/postgres"
grep -q 'cannot connect to Postgres' "$dir/out.log" || fail "no clear line: $(cat "$dir/out.log")"

# Killed at every failpoint, with an empty database.
query 'CREATE DATABASE kill9' > "$dir/created"
STORE=${url%/*}/kill9 PER_ROUND=${PER_ROUND:-12} tests/e2e/kill9.sh
