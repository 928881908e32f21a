#!/bin/bash
# kill -9 at every failpoint, under load and again and again: no saga that was acknowledged is lost,
# none is started twice, and what the participants have written down agrees with the histories.
#
# Each failpoint is armed for a life of the server that is then ended by it, while clients start
# orders (some are declined, some lose an answer) and repeat each start with its key until it is
# acknowledged. At the end everything must have come to an end by itself.
source "$(dirname "$0")/lib.sh"
PER_ROUND=${PER_ROUND:-12}

mapfile -t failpoints < <(sed -nE 's/^\tX\(FP_[A-Z_]+, "([a-z_]+)"\).*/\1/p' coordinator/failpoint.h)
[ ${#failpoints[@]} -ge 15 ] || fail "only ${#failpoints[@]} failpoints were found"

start_participant order_services
mapfile -t shop < <(shop_at)
mkdir "$dir/acks"
orders=0

# The commit has had its time to fail: the connection may break before, in and after it.
client() { # order card
	local code body
	body='{"saga": "order-fulfilment", "input": {"order_id": "'$1'", "customer_id": "c", "lines": [{"sku": "TEA", "quantity": 1}, {"sku": "CUP", "quantity": 2}], "amount_minor": 5, "card": "'$2'", "ship_to": "Oslo"}}'
	for ((attempt = 0; attempt < 2000; attempt++)); do
		code=$(curl -s -o "$dir/acks/$1.try" -w '%{http_code}' -m 10 -H 'Content-Type: application/json' \
			-d "$body" "$SKALD_SERVER/v1/sagas" || true)
		case $code in
		200 | 202) mv "$dir/acks/$1.try" "$dir/acks/$1" && return ;;
		000 | 503 | 429) sleep 0.05 ;;
		*) echo "order $1: status $code: $(cat "$dir/acks/$1.try")" > "$dir/acks/$1.refused" && return ;;
		esac
	done
	echo "order $1 was never acknowledged" > "$dir/acks/$1.refused"
}

clients=()
load() { # number
	local i card
	[ -z "${STORE:-}" ] || wait_for 6 owns_all || true
	clients=()
	for ((i = 0; i < $1; i++)); do
		orders=$((orders + 1))
		case $((orders % 4)) in
		0) card=0002 ;; # declined
		1) card=0005 ;; # charged, and the answer is lost
		*) card=4242 ;;
		esac
		client "o-$orders" $card &
		clients+=($!)
	done
}
await_clients() { wait "${clients[@]}"; }

# A life of the server that this failpoint ends.
die_at() { # failpoint n arguments...
	local failpoint=$1 n=$2
	shift 2
	SKALD_FAILPOINTS="$failpoint:$n=kill" start_skald "${shop[@]}" "$@"
}
expect_killed() { # failpoint seconds
	await_end "$skald_pid" "$2"
	[ "$ended_with" = 137 ] || fail "failpoint $1: the server ended with $ended_with"
}

expect 0 "$skald" version
start_skald "${shop[@]}"
await_skald
expect 0 "$skald" def deploy examples/order-fulfilment/order-fulfilment.yaml
stop_skald

slow() { # milliseconds, times: so that sagas are open when the server dies
	curl -fs -d "{\"path\": \"/shipping\", \"mode\": \"slow\", \"delay_ms\": $1, \"times\": $2}" \
		"$url_order_services/control" > "$dir/control" || fail "control: $(cat "$dir/control")"
}

round=0
for failpoint in "${failpoints[@]}"; do
	round=$((round + 1))
	case $failpoint in
	recovery_*)
		slow 400 4
		die_at commit_after 25
		load "$PER_ROUND"
		expect_killed commit_after 30
		die_at "$failpoint" 1
		expect_killed "$failpoint" 30
		start_skald "${shop[@]}"
		;;
	checkpoint_*)
		die_at "$failpoint" 1
		load "$PER_ROUND"
		expect_killed "$failpoint" 30
		start_skald "${shop[@]}"
		;;
	deploy_*)
		die_at "$failpoint" 1
		await_skald
		sed "s/^deadline: 1h/deadline: ${round}h/" examples/order-fulfilment/order-fulfilment.yaml > "$dir/new.yaml"
		load "$PER_ROUND"
		"$skald" def deploy "$dir/new.yaml" > "$dir/deploy.log" 2>&1 && fail "deployed past $failpoint"
		expect_killed "$failpoint" 30
		start_skald "${shop[@]}"
		;;
	retain_* | grant_*) # at the start, too
		load "$PER_ROUND"
		die_at "$failpoint" 1
		expect_killed "$failpoint" 30
		start_skald "${shop[@]}"
		;;
	drain)
		slow 400 4
		die_at "$failpoint" 1
		await_skald
		load "$PER_ROUND"
		wait_for 10 test -e "$dir/acks/o-$orders" || true
		kill "$skald_pid"
		expect_killed "$failpoint" 30
		start_skald "${shop[@]}"
		;;
	answer_*) # one for each start
		die_at "$failpoint" $((1 + (round * 7) % 6))
		load "$PER_ROUND"
		expect_killed "$failpoint" 30
		start_skald "${shop[@]}"
		;;
	*)
		die_at "$failpoint" $((1 + (round * 7) % 20))
		load "$PER_ROUND"
		expect_killed "$failpoint" 30
		start_skald "${shop[@]}"
		;;
	esac
	await_clients
	[ -z "$(find "$dir/acks" -name '*.refused')" ] || fail "$(cat "$dir"/acks/*.refused)"
	# Every other time the next life begins in the middle of things.
	if [ $((round % 2)) = 0 ]; then kill -9 "$skald_pid"; else kill "$skald_pid"; fi
	await_end "$skald_pid" 30
done
[ $orders -ge 200 ] || fail "only $orders orders"

# Everything comes to an end by itself.
start_skald "${shop[@]}"
await_skald
all_ended() { [ "$("$skald" saga list --all status:running,waiting,compensating,compensation_failed -o json | jq length)" = 0 ]; }
wait_for 60 all_ended || fail "these do not end:"$'\n'"$("$skald" saga list status:running,waiting,compensating,compensation_failed)"

"$skald" saga list --all -o json > "$dir/sagas.json"
jq -r '.[].id' "$dir/sagas.json" | while read -r id; do
	"$skald" saga history "$id" -o jsonl | jq -c --arg saga "$id" '. + {saga: $saga}'
done > "$dir/history.jsonl"
curl -fs "$url_order_services/ledger" > "$dir/ledger.json"
jq -s '[.[] | {id, key}]' "$dir"/acks/o-* > "$dir/acks.json"

# Each line that this prints is a broken promise.
jq -n -r --slurpfile sagas "$dir/sagas.json" --slurpfile history "$dir/history.jsonl" \
	--slurpfile ledger "$dir/ledger.json" --slurpfile acks "$dir/acks.json" \
	-f tests/support/agreement.jq > "$dir/broken"
[ ! -s "$dir/broken" ] || fail "$(head -n 40 "$dir/broken")"
count=$(jq length "$dir/sagas.json")
[ "$count" = "$orders" ] || fail "$orders orders, and $count sagas"
[ "$(jq '[.[] | select(.status == "compensated")] | length' "$dir/sagas.json")" = $((orders / 4)) ] || fail "a declined order was not undone"
stop_skald
echo "$orders orders, ${#failpoints[@]} failpoints, $(jq '.calls | length' "$dir/ledger.json") calls"
