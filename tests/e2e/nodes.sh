#!/bin/bash
# Three nodes on one Postgres: starts and acts at any of them reach the owner of the slot; the slots
# of a node that is killed move after its lease, those of one that drains at once; and every saga
# that was acknowledged ends.
source "$(dirname "$0")/lib.sh"
LEASE=${LEASE:-3s}
PER_PHASE=${PER_PHASE:-45}

[ -n "${SKALD_TEST_POSTGRES:-}" ] || SERVICES=postgres exec tests/services.sh run "$0" "$@"
url=${SKALD_TEST_POSTGRES%/*}/nodes_$$
psql "$SKALD_TEST_POSTGRES" -qc "CREATE DATABASE nodes_$$" || fail "no database"

start_participant order_services
mapfile -t shop < <(shop_at)

node_ports=() node_pids=()
start_node() { # number
	[ -n "${node_ports[$1]:-}" ] || node_ports[$1]=$(free_port)
	"$skald" serve --port "${node_ports[$1]}" --store "$url" --node-lease "$LEASE" "${shop[@]}" \
		>> "$dir/node$1.log" 2>&1 &
	node_pids[$1]=$!
	pids+=($!)
	wait_for 20 curl -fs "$(at "$1")/readyz" || fail "node $1 is not ready"
}
at() { echo "http://127.0.0.1:${node_ports[$1]}"; }
metric() { curl -fs "$(at "$1")/metrics" | sed -n "s/^$2 //p"; }
owns() { [ "$(metric "$1" skald_slots_owned)" = "$2" ]; }
shares() { # numbers: each has its fair share
	local n total=0 most=$(((256 + $# - 1) / $#))
	for n in "$@"; do
		n=$(metric "$n" skald_slots_owned)
		[ "$n" -le $most ] || return 1
		total=$((total + n))
	done
	[ $total = 256 ]
}

order_body() { # number
	echo '{"saga": "order-fulfilment", "input": {"order_id": "o'"$1"'", "customer_id": "c", "lines": [{"sku": "TEA", "quantity": 1}], "amount_minor": 5, "card": "ok", "ship_to": "Oslo"}}'
}
order() { # number of the order, of the node
	order_body "$1" |
		curl -s -o "$dir/answer" -w '%{http_code}' -m 20 -H 'Content-Type: application/json' \
			"${@:3}" -d @- "$(at "$2")/v1/sagas"
}
# Many at once, each of which waits for its end; answers in waited*, their codes in code*.
waiting_orders() { # node, seconds, how many
	local i
	waiting=()
	for ((i = 0; i < $3; i++)); do
		orders=$((orders + 1))
		order_body "$orders" | curl -s -o "$dir/waited$i" -w '%{http_code}' -m 70 \
			-H 'Content-Type: application/json' -H "Prefer: wait=$2" -d @- "$(at "$1")/v1/sagas" \
			> "$dir/code$i" &
		waiting+=($!)
	done
}
# Round robin over the nodes given; each start is repeated until it is acknowledged.
orders=0
load() { # how many, nodes
	local n=$1 i code
	shift
	for ((i = 0; i < n; i++)); do
		orders=$((orders + 1))
		for ((attempt = 0; ; attempt++)); do
			node=${*:$(((i + attempt) % $# + 1)):1}
			code=$(order "$orders" "$node" || true)
			case $code in
			200 | 202) break ;;
			000 | 503 | 429) [ $attempt -lt 400 ] || fail "order $orders: $code" ;;
			*) fail "order $orders at node $node: $code: $(cat "$dir/answer")" ;;
			esac
			sleep 0.05
		done
	done
}
completed() { psql "$url" -Atc "SELECT count(*) FROM sagas WHERE ended_at IS NOT NULL"; }
all_ended() { [ "$(completed)" = "$orders" ]; }

start_node 0
"$skald" def deploy --server "$(at 0)" examples/order-fulfilment/order-fulfilment.yaml > /dev/null
wait_for 10 owns 0 256 || fail "one node does not own all"
awk -v left="$(metric 0 skald_lease_left_seconds)" -v most="${LEASE%s}" \
	'BEGIN { exit !(left > 0 && left <= most) }' || fail "what is left of the lease: $(metric 0 skald_lease_left_seconds)"
start_node 1
start_node 2
wait_for 15 shares 0 1 2 || fail "the slots are not shared: $(metric 0 skald_slots_owned) $(metric 1 skald_slots_owned) $(metric 2 skald_slots_owned)"

# Any node takes starts, and tells the end.
load "$PER_PHASE" 0 1 2
for node in 0 1 2; do
	orders=$((orders + 1))
	code=$(order "$orders" "$node" -H 'Prefer: wait=15')
	[ "$code" = 200 ] || fail "waiting at node $node: $code $(cat "$dir/answer")"
	grep -q '"status":"completed"' "$dir/answer" || fail "not completed: $(cat "$dir/answer")"
	id=$(grep -oE '"id":"[0-9a-f-]{36}"' "$dir/answer" | head -n 1 | cut -d '"' -f 4)
	# The same again, elsewhere, is the same saga.
	code=$(order "$orders" $(((node + 1) % 3)))
	grep -q "$id" "$dir/answer" || fail "another saga: $code $(cat "$dir/answer")"
	# An act on what has ended is refused by the owner, whoever was asked.
	for other in 0 1 2; do
		code=$(curl -s -o "$dir/answer" -w '%{http_code}' -X POST "$(at $other)/v1/sagas/$id/cancel")
		[ "$code" = 409 ] || fail "cancel at node $other: $code $(cat "$dir/answer")"
		# Words are taken all the same; paths go on as they came.
		code=$(curl -s -o "$dir/answer" -w '%{http_code}' -H 'Content-Type: application/json' \
			-d "{\"reason\":\"asked at $other\",\"id\":\"note-$other\"}" "$(at $other)/v1/sagas/$id/note")
		[ "$code" = 200 ] && grep -q '"effect":{"events":\["ActTaken"\]' "$dir/answer" ||
			fail "a note at node $other: $code $(cat "$dir/answer")"
		for act in steps/reserve/retry steps/reserve/compensation/skip 'signals/a%2Fb%20c'; do
			code=$(curl -s -o "$dir/answer" -w '%{http_code}' -X POST "$(at $other)/v1/sagas/$id/$act")
			[ "$code" = 409 ] && grep -q act_refused "$dir/answer" || fail "$act at node $other: $code $(cat "$dir/answer")"
		done
	done
done
wait_for 30 all_ended || fail "$(completed) of $orders ended"
curl -fs "$(at 1)/v1/nodes" > "$dir/answer"
[ "$(grep -o '"alive":true' "$dir/answer" | wc -l)" = 3 ] || fail "nodes: $(cat "$dir/answer")"

"$skald" node list --server "$(at 2)" > "$dir/answer"
[ "$(grep -c ' alive ' "$dir/answer")" = 3 ] || fail "node list: $(cat "$dir/answer")"

# A node dies: starts go on, for its slots too, and it is replaced after its lease.
kill -9 "${node_pids[2]}"
wait "${node_pids[2]}" 2> /dev/null || true
forget "${node_pids[2]}"
# Who waits at another node for what was written for the dead one is told the end as well.
waiting_orders 0 20 8
for ((i = 0; i < 8; i++)); do
	wait "${waiting[i]}" 2> /dev/null || true
	[ "$(cat "$dir/code$i")" = 200 ] || fail "waiting while a node is dead: $(cat "$dir/code$i" "$dir/waited$i")"
	grep -q '"status":"completed"' "$dir/waited$i" || fail "not completed: $(cat "$dir/waited$i")"
done
load "$PER_PHASE" 0 1
wait_for 20 shares 0 1 || fail "the dead node's slots did not move"
[ "$(($(metric 0 skald_slots_taken_over_total) + $(metric 1 skald_slots_taken_over_total)))" -gt 0 ] ||
	fail "nothing was taken over"
wait_for 30 all_ended || fail "$(completed) of $orders ended after a node died"

# One is paused past its lease and wakes up: what it held is another's.
start_node 2
wait_for 15 shares 0 1 2 || fail "the slots are not shared again"
load 10 0 1 2
kill -STOP "${node_pids[1]}"
load 10 0 2
wait_for 20 shares 0 2 || fail "the paused node's slots did not move"
kill -CONT "${node_pids[1]}"
load 10 0 1 2
wait_for 20 shares 0 1 2 || fail "the paused node did not come back"
wait_for 30 all_ended || fail "$(completed) of $orders ended after a pause"

# A stop does not wait for who waits for another node, which here does not answer.
kill -STOP "${node_pids[1]}"
waiting_orders 0 60 8
sleep 0.5
began=$SECONDS
kill "${node_pids[0]}"
await_end "${node_pids[0]}" 20
[ "$ended_with" = 0 ] || fail "the node ended with $ended_with while others waited at it"
[ $((SECONDS - began)) -le 12 ] || fail "the stop took $((SECONDS - began)) s"
for ((i = 0; i < 8; i++)); do
	wait "${waiting[i]}" 2> /dev/null || true
	case $(cat "$dir/code$i") in
	200 | 202) grep -q '"id":' "$dir/waited$i" || fail "no saga: $(cat "$dir/waited$i")" ;;
	*) fail "waiting at a node that stopped: $(cat "$dir/code$i" "$dir/waited$i")" ;;
	esac
done
kill -CONT "${node_pids[1]}"
start_node 0
wait_for 20 shares 0 1 2 || fail "the slots are not shared after a stop"
wait_for 30 all_ended || fail "$(completed) of $orders ended after a stop"

# One drains: its slots move at once, long before its lease has ended.
began=${EPOCHREALTIME/./}
kill "${node_pids[0]}"
wait_for 10 shares 1 2 || fail "the draining node's slots did not move"
took_ms=$(((${EPOCHREALTIME/./} - began) / 1000))
await_end "${node_pids[0]}" 20
[ "$ended_with" = 0 ] || fail "the draining node ended with $ended_with"
load 10 1 2
wait_for 30 all_ended || fail "$(completed) of $orders ended after a drain"
[ "$(psql "$url" -Atc "SELECT count(*) FROM sagas WHERE status <> 'completed'")" = 0 ] ||
	fail "not all completed"
[ "$(psql "$url" -Atc "SELECT count(*) FROM sagas")" = "$orders" ] || fail "some were started twice"
echo "$orders orders over three nodes; a drain moved its slots in $took_ms ms"
