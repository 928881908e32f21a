#!/bin/bash
# Sagas whose steps are commands over Kafka, with answers that are lost, late, doubled, overtaken, or say
# "unknown" (tests/tools/kafka_participant.c), on two nodes that are killed with -9 in turn, and a
# broker that is killed once. Afterwards the participant's own ledger, the answers it wrote down, the
# histories and the ledger of compensations are joined: each action took effect at most once under
# one key, nothing is left undone, nothing was undone in a wrong order or before it could have taken
# effect, and every answer is in a history, as what ended its action or as late or duplicate.
# A fault that never happened fails the run as well. SEED=, ORDERS= and KILLS= may be given.
source "$(dirname "$0")/lib.sh"
ORDERS=${ORDERS:-60} KILLS=${KILLS:-4} SEED=${SEED:-$(date +%s)}
RANDOM=$SEED
echo "seed $SEED: $ORDERS orders, $KILLS kills"

start_services "postgres kafka"
brokers=$SKALD_TEST_KAFKA
sql() { psql -X -q -t -A "$SKALD_TEST_POSTGRES" -c "$1"; }
tool=$build/tests/tools/kafka_participant

cat > "$dir/kafka-order.yaml" << 'END'
saga: kafka-order
key: ${input.order_id}
input: {schema: {type: object, required: [order_id, customer, to]}}
start_on: [{kafka: orders}]
participants:
  stock: {timeout: 1s}
  bank: {timeout: 1s}
  carrier: {timeout: 1s}
defaults:
  retry: {initial_interval: 100ms, backoff_coefficient: 2, maximum_interval: 500ms, maximum_attempts: 12}
steps:
  - id: reserve
    command: {to: stock, type: Reserve, data: {id: "${step.uuid}"}}
    compensate: {command: {to: stock, type: Release, data: {id: "${step.uuid}"}}}
  - id: charge
    command: {to: bank, type: Charge, data: {id: "${step.uuid}", customer: "${input.customer}"}}
    compensate: {command: {to: bank, type: Refund, data: {id: "${step.uuid}"}}}
  - id: ship
    retry: {maximum_attempts: 2} # so that some end without an answer
    command: {to: carrier, type: Ship, data: {id: "${step.uuid}", to: "${input.to}"}}
    compensate: {command: {to: carrier, type: Unship, data: {id: "${step.uuid}"}}}
END
"$build/examples/order-events/participants/kafka_record" --brokers "$brokers" make orders orders-dlt \
	stock.commands bank.commands carrier.commands > "$dir/topics.log" 2>&1 || fail "no topics"
mkdir "$dir/participant"
"$tool" serve "$brokers" "$dir/participant" "$SEED" stock.commands bank.commands carrier.commands > "$dir/participant.log" 2>&1 &
participant=$!
pids+=("$participant")

# The partitions of who was killed soon have another reader.
export SKALD_KAFKA__PROPERTIES__SESSION_TIMEOUT_MS=6000
node_pid=() node_port=()
start_node() { # number
	"$skald" serve --port "${node_port[$1]}" --store "$SKALD_TEST_POSTGRES" --node-lease 3s --retention 0s \
		--kafka-brokers "$brokers" --kafka-reply-partitions 4 \
		--participant stock=kafka:stock.commands --participant bank=kafka:bank.commands \
		--participant carrier=kafka:carrier.commands >> "$dir/node$1.log" 2>&1 &
	node_pid[$1]=$!
	pids+=($!)
}
node_is_ready() { curl -fs -m 2 "http://127.0.0.1:${node_port[$1]}/readyz"; }
for n in 0 1; do
	node_port[n]=$(free_port)
	start_node $n
	wait_for 40 node_is_ready $n || fail "node $n is not ready"
done
export SKALD_SERVER=http://127.0.0.1:${node_port[0]}
expect 0 "$skald" def deploy "$dir/kafka-order.yaml"

# Every sixth has no credit, every sixth is to go to Atlantis, and every tenth order is announced twice.
orders() { # from to
	local n customer to
	for ((n = $1; n <= $2; n++)); do
		customer=c-1 to=Oslo
		[ $((n % 6)) != 0 ] || customer=c-0002
		[ $((n % 6)) != 3 ] || to=Atlantis
		for ((twice = 0; twice <= (n % 10 == 0); twice++)); do
			echo "o-$n {\"order_id\": \"o-$n\", \"customer\": \"$customer\", \"to\": \"$to\"}"
		done
	done
}
sent=0
for ((k = 1; k <= KILLS; k++)); do
	orders $((sent + 1)) $((ORDERS * k / KILLS)) | "$tool" send "$brokers" orders || fail "records are not sent"
	sent=$((ORDERS * k / KILLS))
	sleep "$((RANDOM % 2)).$((RANDOM % 10))"
	n=$((k % 2))
	kill -9 "${node_pid[n]}"
	await_end "${node_pid[n]}" 10
	[ "$k" != 2 ] || tests/services.sh restart-kafka "$dir/services" || fail "the broker does not start again"
	sleep "0.$((RANDOM % 10))"
	start_node $n
	wait_for 40 node_is_ready $n || fail "node $n is not ready again"
done

all_started() { [ "$(sql "select count(*) from sagas")" -ge "$ORDERS" ]; }
all_ended() { [ "$(sql "select count(*) from sagas where ended_at is null")" = 0 ]; }
wait_for 120 all_started || fail "$(sql "select count(*) from sagas") sagas were started"
wait_for 180 all_ended || fail "these do not end:"$'\n'"$(sql "select id, status, due_at, attention from sagas where ended_at is null limit 20")"
kill "$participant" # what it still has to say, it says now
await_end "$participant" 60
[ "$ended_with" = 0 ] || fail "the participant ended with $ended_with"
for fault in dropped lost late duplicate reordered unknown; do
	grep -qE "^$fault [1-9]" "$dir/participant.log" || fail "the fault \`$fault\` never happened"
done

"$tool" ledger "$dir/participant" > "$dir/ledger.json"
jq -s . "$dir/participant/replies.jsonl" > "$dir/replies.json"
broken() { # ledger history
	jq -n -r --slurpfile sagas "$dir/sagas.json" --slurpfile history "$2" \
		--slurpfile ledger "$1" --argjson acks '[[]]' -f tests/support/agreement.jq
	jq -n -r --slurpfile ledger "$1" -f tests/support/order_of_calls.jq
	jq -n -r --slurpfile history "$2" --slurpfile ledger "$1" --slurpfile replies "$dir/replies.json" \
		-f tests/support/kafka_replies.jq
}
join() {
	sql "select json_build_object('id', id, 'key', key, 'status', status) from sagas" | jq -s . > "$dir/sagas.json"
	sql "select json_build_object('saga', saga_id, 'seq', seq, 'events', events::json) from history order by saga_id, seq" |
		jq -c '. as $row | .events[] | . + {saga: $row.saga, seq: $row.seq}' > "$dir/history.jsonl"
	broken "$dir/ledger.json" "$dir/history.jsonl" > "$dir/broken"
	sql "select format('the compensation of %s[%s] is %s in a saga that is %s: %s', c.step, c.item, c.status, s.status, s.id)
		from compensations c join sagas s on s.slot = c.slot and s.id = c.saga_id
		where c.status <> case s.status when 'completed' then 'armed' else 'done' end" >> "$dir/broken"
	[ ! -s "$dir/broken" ]
}
# The last answers may still be on their way.
wait_for 30 join || fail "seed $SEED: $(wc -l < "$dir/broken") broken promises"$'\n'"$(head -n 40 "$dir/broken")"
[ "$(jq length "$dir/sagas.json")" = "$ORDERS" ] || fail "$ORDERS orders, and $(jq length "$dir/sagas.json") sagas"
# Who was refused is undone; of the others only those of which a step ended without an answer.
jq -r 'select(.type == "StepFailed" and .outcome == "unknown") | .saga' "$dir/history.jsonl" | sort -u | jq -R . | jq -s . > "$dir/unsure.json"
wrong=$(jq -r --slurpfile unsure "$dir/unsure.json" '.[] | .id as $id | (.key | ltrimstr("o-") | tonumber) as $n |
	(($n % 3 == 0) or ($unsure[0] | index($id)) != null) as $undone |
	select((.status == "compensated") != $undone) | "order \($n) is \(.status)"' "$dir/sagas.json")
[ -z "$wrong" ] || fail "$(head -n 20 <<< "$wrong")"
# The same, when one thing of it is not true: each has to be seen.
tampered() { # what ledger-filter history-filter
	jq "$2" "$dir/ledger.json" > "$dir/tampered.json"
	jq -c -s "$3 | .[]" "$dir/history.jsonl" > "$dir/tampered.jsonl"
	broken "$dir/tampered.json" "$dir/tampered.jsonl" > "$dir/seen"
	grep -q "$1" "$dir/seen" || fail "nobody sees it: $1"
}
tampered "took effect 2 times" '.calls[0].count = 2' .
tampered "another key" '.calls[0].key += "-2"' .
tampered "took effect after its undo" '.calls |= reverse' .
tampered "undone in a wrong order" '.calls |= reverse' .
tampered "left undone" '.calls |= map(select(.operation != "release"))' .
tampered "recorded as late or duplicate" . 'map(select(.type != "ReplyIgnored"))'
tampered "completed, but it did not happen" '.calls |= map(select(.operation != "reserve"))' .
count() { jq -s "map(select(.type == \"$1\")) | length" "$dir/history.jsonl"; }
[ "$(count ReplyIgnored)" -gt 0 ] || fail "no answer was late or duplicate"
[ "$(jq '[.calls[] | select(.requests > 1)] | length' "$dir/ledger.json")" -gt 0 ] || fail "no command came twice"
for n in 0 1; do
	kill "${node_pid[n]}"
	await_end "${node_pid[n]}" 30
	[ "$ended_with" = 0 ] || fail "node $n ended with $ended_with"
done
echo "$(grep -E '^[a-z_]+ [0-9]+$' "$dir/participant.log" | tr '\n' ',') $(jq '.calls | length' "$dir/ledger.json") calls," \
	"$(count ReplyIgnored) answers ignored, $(jq length "$dir/unsure.json") sagas with a step without an answer"
