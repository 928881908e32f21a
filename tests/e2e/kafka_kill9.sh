#!/bin/bash
# kill -9 at every failpoint that only Kafka reaches, on one of two nodes that share a Postgres and a
# broker: every record that was sent starts one saga or is a dead letter, no reply and no event is
# lost, and nothing takes effect twice.
#
# Each order is a record that starts a saga; a command to a warehouse, answered by a record; an event
# that it waits for, announced twice without and once with what it waits for; and a record that it
# publishes. Some events come before anybody waits for them. One record of each round is poison.
source "$(dirname "$0")/lib.sh"
PER_ROUND=${PER_ROUND:-4}

mapfile -t failpoints < <(sed -nE 's/^\tK\(FP_[A-Z_]+, "([a-z_]+)"\).*/\1/p' coordinator/failpoint.h)
[ ${#failpoints[@]} -ge 10 ] || fail "only ${#failpoints[@]} failpoints were found"
[ -z "${FAILPOINTS:-}" ] || read -ra failpoints <<< "$FAILPOINTS"
if [ -z "${KAFKA_KILL9:-}" ]; then # a broker of its own, that makes topics by itself
	export KAFKA_KILL9=1 KAFKA_SETTINGS=auto.create.topics.enable=true
	SERVICES="postgres kafka" exec tests/services.sh run "$0" "$@"
fi
url=${SKALD_TEST_POSTGRES%/*}/kafka_kill9_$$
psql "$SKALD_TEST_POSTGRES" -qc "CREATE DATABASE kafka_kill9_$$" || fail "no database"
tools=$build/examples/order-events/participants
run=r$$ # names of this run, whatever else is on the broker

cat > "$dir/saga.yaml" <<- END
	saga: kill9
	key: \${input.order_id}
	input: {schema: {type: object, required: [order_id], properties: {order_id: {type: string}}}}
	start_on:
	  - {kafka: $run.placed}
	participants: {warehouse: {timeout: 3s}}
	steps:
	  - id: reserve
	    command: {to: warehouse, type: ReserveStock, data: {id: "\${step.uuid}", sku: TEA, quantity: 1}}
	    compensate: {command: {to: warehouse, type: ReleaseStock, data: {id: "\${step.uuid}"}}}
	  - id: paid
	    await: {kafka: $run.paid, when: "\${event.data.ok}", correlate: {from: "\${event.data.order_id}", expect: "\${input.order_id}"}}
	    timeout: 1h
	  - id: confirm
	    emit: {topic: $run.confirmed, type: Confirmed, key: "\${input.order_id}", data: {order_id: "\${input.order_id}"}}
	    compensate: none
END

"$tools/order_handlers" --brokers "$SKALD_TEST_KAFKA" --data "$dir/handlers" > "$dir/handlers.log" 2>&1 &
pids+=($!)

node_ports=() node_pids=()
start_node() { # number; SKALD_FAILPOINTS may be set for it
	[ -n "${node_ports[$1]:-}" ] || node_ports[$1]=$(free_port)
	"$skald" serve --port "${node_ports[$1]}" --store "$url" --node-lease 2s \
		--kafka-brokers "$SKALD_TEST_KAFKA" --kafka-group-prefix "$run" \
		--kafka-reply-topic "$run.replies" --kafka-reply-partitions 4 --kafka-events-topic "$run.life" \
		--participant warehouse=kafka:warehouse.commands >> "$dir/node$1.log" 2>&1 &
	node_pids[$1]=$!
	pids+=($!)
}
at() { echo "http://127.0.0.1:${node_ports[$1]}"; }
await_node() { wait_for 60 curl -fs "$(at "$1")/readyz" || fail "node $1 is not ready"; }
metric() { curl -fs "$(at "$1")/metrics" | sed -n "s/^$2 //p"; }

send() { # topic key value
	echo "$3" | "$tools/kafka_record" --brokers "$SKALD_TEST_KAFKA" send "$1" "$2" || fail "not sent: $1 $2"
}
place() { send "$run.placed" "$1" "{\"order_id\": \"$1\"}"; }
pay() { # order
	send "$run.paid" "$1" "{\"order_id\": \"$1\", \"ok\": false}"
	send "$run.paid" "$1" "{\"order_id\": \"$1\", \"ok\": false, \"again\": true}"
	send "$run.paid" "$1" "{\"order_id\": \"$1\", \"ok\": true}"
}
one_order() { # number
	if [ $(($1 % 2)) = 0 ]; then
		pay "$run-$1" # before anybody waits for it
		place "$run-$1"
	else
		place "$run-$1"
		place "$run-$1"
		sleep 1
		pay "$run-$1"
	fi
}

orders=0 poison=0
one_round() {
	local i
	clients=()
	for ((i = 0; i < PER_ROUND; i++)); do
		orders=$((orders + 1))
		one_order "$orders" &
		clients+=($!)
	done
	for i in 1 2 3 4; do # so that each partition, and with it the node, gets one
		poison=$((poison + 1))
		send "$run.placed" "poison-$poison" "{\"order_id\": $poison}"
	done
	for i in "${clients[@]}"; do wait "$i" || fail "a client failed"; done
}

start_node 1
await_node 1
SKALD_SERVER=$(at 1)
expect 0 "$skald" def deploy "$dir/saga.yaml"
start_node 2
await_node 2
one_round # and so all topics are there

for failpoint in "${failpoints[@]}"; do
	kill -9 "${node_pids[2]}"
	await_end "${node_pids[2]}" 30
	SKALD_FAILPOINTS="$failpoint:1=kill" start_node 2
	wait_for 60 grep -q "listening on" "$dir/node2.log" || fail "node 2 does not listen"
	for ((try = 0; try < 6; try++)); do
		one_round
		wait_for 10 not_running "${node_pids[2]}" && break
	done
	[ $try -lt 6 ] || fail "failpoint $failpoint was never reached"
	await_end "${node_pids[2]}" 1
	[ "$ended_with" = 137 ] || fail "failpoint $failpoint: the node ended with $ended_with"
	start_node 2
	await_node 2
done

completed() { [ "$("$skald" saga list status:completed --all -o json | jq length)" = "$orders" ]; }
wait_for 120 completed || fail "not all of $orders are completed:"$'\n'"$("$skald" saga list status:running,waiting,compensating,compensated,compensation_failed)"
count=$("$skald" saga list --all -o json | jq length)
[ "$count" = "$orders" ] || fail "$orders orders, and $count sagas"

# The warehouse: each key once, and nothing was released.
"$tools/order_handlers" --data "$dir/handlers" --ledger > "$dir/ledger.json"
[ "$(jq '[.. | objects | select(.operation? == "reserve")] | length' "$dir/ledger.json")" = "$orders" ] ||
	fail "not one reservation an order: $(< "$dir/ledger.json")"
[ "$(jq '[.. | objects | select(.operation? == "reserve" and .count != 1)] | length' "$dir/ledger.json")" = 0 ] ||
	fail "a reservation was made twice"
! grep -q '"release"' "$dir/ledger.json" || fail "something was released"

# What was published: once an order, or more often with the same id.
published() {
	"$tools/kafka_record" --brokers "$SKALD_TEST_KAFKA" read "$run.confirmed" $((orders * 3)) 10 > "$dir/confirmed" || true
	[ "$(jq -rs '[.[].key] | unique | length' "$dir/confirmed")" = "$orders" ]
}
wait_for 60 published || fail "not every order was confirmed: $(wc -l < "$dir/confirmed") records"
[ "$(jq -rs '[.[] | .headers.ce_id] | unique | length' "$dir/confirmed")" = "$orders" ] || fail "an order was confirmed with two ids"

# The poison: each of it in the dead letters, once.
buried() { [ "$(psql "$url" -Atc 'SELECT count(*) FROM dead_letters')" = "$poison" ]; }
wait_for 60 buried || fail "$poison poison records, and $(psql "$url" -Atc 'SELECT count(*) FROM dead_letters') dead letters"

# Nothing is left over.
empty() { [ "$(psql "$url" -Atc "SELECT count(*) FROM $1")" = 0 ]; }
wait_for 30 empty inbox || fail "rows are left in the inbox"
wait_for 30 empty outbox || fail "rows are left in the outbox"
wait_for 30 empty subscriptions || fail "subscriptions are left"
for n in 1 2; do
	[ "$(metric $n skald_timers_held)" = 0 ] || fail "time-outs are held on node $n"
	kill "${node_pids[$n]}"
	await_end "${node_pids[$n]}" 30
	[ "$ended_with" = 0 ] || fail "node $n ended with $ended_with"
done
echo "$orders orders, $poison poison records, ${#failpoints[@]} failpoints"
