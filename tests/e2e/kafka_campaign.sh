#!/bin/bash
# Sagas that records of Kafka start, on several nodes and Postgres, while all that they stand on is
# broken again and again:
#
#   kill      a node is killed with -9, and started again
#   add       one more node comes, and so the partitions are shared out anew
#   remove    a node is stopped (SIGTERM), which hands over what it has
#   broker    Kafka is killed with -9, and started again on its data
#   restart   Postgres is stopped with -m immediate, and started again
#   pause     a node is stopped past its lease, and goes on as if nothing had happened
#
# Records come for as long as faults do: orders, 10 % duplicates, 5 % poison. Meanwhile the broker is
# asked many times a second what the group has committed. Afterwards everything is read back, records
# and offsets from the broker, sagas and dead letters from Postgres with the times of their commits, and
# joined (tests/support/kafka_agreement.jq): each record started exactly one saga, was deduplicated,
# or is among the dead letters; no offset was ever committed before all below it was durable; the
# lag is 0. That the checker can fail is shown on the same data, tampered with, unless there are many.
#
# The seed is printed; SEED=, RECORDS=, PARTITIONS=, SECONDS_OF_LOAD= and NODES= may be given, as `make campaign`
# does.
source "$(dirname "$0")/lib.sh"
RECORDS=${RECORDS:-1000} PARTITIONS=${PARTITIONS:-12} SECONDS_OF_LOAD=${SECONDS_OF_LOAD:-14} NODES=${NODES:-3} LEASE=3
SEED=${SEED:-$(date +%s)}
RANDOM=$SEED
echo "seed $SEED: $RECORDS records over $PARTITIONS partitions in $SECONDS_OF_LOAD s, $NODES nodes"

POSTGRES_SETTINGS='track_commit_timestamp = on' start_services "postgres kafka"
brokers=$SKALD_TEST_KAFKA
sql() { psql -X -q -t -A "$SKALD_TEST_POSTGRES" -c "$1"; }
tool=$build/tests/tools/kafka_campaign
group=skald.default.campaign-order

"$tool" topic "$brokers" campaign.orders "$PARTITIONS"
"$tool" topic "$brokers" campaign.orders-dlt 3
"$tool" topic "$brokers" campaign.confirmed 3
cat > "$dir/campaign.yaml" <<- 'DEFINITION'
	saga: campaign-order
	input:
	  schema:
	    type: object
	    required: [order_id, customer, amount]
	    properties:
	      order_id: {type: string}
	      customer: {type: string}
	      amount: {type: integer, minimum: 1}
	key: ${input.order_id}
	start_on:
	  - kafka: campaign.orders
	    input: ${event.data}
	    poison:
	      retry: {maximum_attempts: 2, initial_interval: 100ms}
	      then: dead_letter
	steps:
	  - id: confirm
	    emit: {topic: campaign.confirmed, type: OrderConfirmed, key: "${input.order_id}", data: {amount: "${input.amount}"}}
	    compensate: none
DEFINITION

# A member that was killed is missed after its session only, and nobody reads its partitions until then.
export SKALD_KAFKA__BROKERS=$brokers SKALD_KAFKA__PROPERTIES__SESSION_TIMEOUT_MS=6000
node_pid=() node_port=()
start_node() { # number
	[ -n "${node_port[$1]:-}" ] || node_port[$1]=$(free_port)
	"$skald" serve --port "${node_port[$1]}" --store "$SKALD_TEST_POSTGRES" --node-lease "${LEASE}s" \
		--retention 0s >> "$dir/node$1.log" 2>&1 &
	node_pid[$1]=$!
	pids+=($!)
}
node_is_ready() { curl -fs -m 2 "http://127.0.0.1:${node_port[$1]}/readyz"; }
for ((n = 0; n < NODES; n++)); do start_node $n; done
for ((n = 0; n < NODES; n++)); do wait_for 40 node_is_ready $n || fail "node $n is not ready"; done
expect 0 "$skald" def deploy "$dir/campaign.yaml" --server "http://127.0.0.1:${node_port[0]}"

"$tool" sample "$brokers" campaign.orders "$group" 40 > "$dir/samples.jsonl" 2> "$dir/sample.log" &
sampler=$!
pids+=("$sampler")
"$tool" produce "$brokers" campaign.orders "$RECORDS" $((RECORDS / SECONDS_OF_LOAD)) $((SEED % 1000000 + 1)) > "$dir/produced" 2> "$dir/produce.log" &
producer=$!
pids+=("$producer")
producing() { kill -0 "$producer" 2> /dev/null; }

declare -A happened
did() {
	happened[$1]=$((${happened[$1]:-0} + 1))
	echo "$(date +%T) $1" >> "$dir/faults.log"
}
running() { # the numbers of nodes that run, at random first
	local n
	for n in "${!node_pid[@]}"; do [ -z "${node_pid[n]}" ] || echo "$n"; done | shuf --random-source=<(yes $RANDOM)
}
break_something() { # kind
	local n
	n=$(running | head -n 1)
	case $1 in
	kill)
		kill -9 "${node_pid[n]}"
		await_end "${node_pid[n]}" 10
		sleep "0.$((RANDOM % 10))"
		start_node "$n"
		;;
	add) start_node "${#node_port[@]}" ;;
	remove)
		kill "${node_pid[n]}"
		await_end "${node_pid[n]}" 40
		[ "$ended_with" = 0 ] || fail "node $n ended with $ended_with"
		node_pid[n]=
		;;
	broker) tests/services.sh restart-kafka "$dir/services" || fail "Kafka does not start again" ;;
	restart) tests/services.sh restart-postgres "$dir/services" || fail "Postgres does not start again" ;;
	pause)
		kill -STOP "${node_pid[n]}"
		sleep $((LEASE + 2))
		kill -CONT "${node_pid[n]}"
		;;
	esac
	did "$1"
}
# Each kind once, and then as it comes; a node is added for one that was removed.
kinds=(kill add broker remove restart pause)
sleep 1
for ((f = 0;; f++)); do
	kind=${kinds[f]:-${kinds[RANDOM % ${#kinds[@]}]}}
	count=$(running | wc -l)
	if [ "$kind" = add ] && [ "$count" -gt "$NODES" ]; then kind=remove; fi
	if [ "$kind" = remove ] && [ "$count" -lt 2 ]; then kind=add; fi
	if [ $f -ge ${#kinds[@]} ] && ! producing; then break; fi
	break_something "$kind"
	sleep "$((RANDOM % 2)).$((RANDOM % 10))"
done
await_end "$producer" 120
[ "$ended_with" = 0 ] || fail "the producer ended with $ended_with: $(< "$dir/produce.log")"

over() {
	"$tool" ends "$brokers" campaign.orders "$group" > "$dir/ends.jsonl" 2> "$dir/ends.log" || return 1
	jq -e '.committed == .ends' "$dir/ends.jsonl" &&
		[ "$(sql "SELECT (SELECT count(*) FROM sagas WHERE ended_at IS NULL) + (SELECT count(*) FROM outbox)
			+ (SELECT count(*) FROM inbox)")" = 0 ]
}
wait_for 120 over || fail "it does not come to an end: $(< "$dir/ends.jsonl"), $(sql "SELECT
	(SELECT count(*) FROM sagas), (SELECT count(*) FROM sagas WHERE ended_at IS NULL),
	(SELECT count(*) FROM outbox), (SELECT count(*) FROM inbox), (SELECT count(*) FROM dead_letters)")"
kill "$sampler"
await_end "$sampler" 10
for kind in "${kinds[@]}"; do [ "${happened[$kind]:-0}" -gt 0 ] || fail "the fault \`$kind\` never happened"; done

for topic in orders orders-dlt confirmed; do
	"$tool" dump "$brokers" "campaign.$topic" > "$dir/$topic.jsonl" 2> "$dir/dump.log" || fail "no dump of $topic"
done
micros="(extract(epoch FROM pg_xact_commit_timestamp(h.xmin)) * 1000000)::bigint"
sql "SELECT json_build_object('id', s.id, 'key', s.key, 'status', s.status, 'at', $micros,
	'amount', h.events::json -> 0 -> 'value' -> 'amount')
	FROM sagas s JOIN history h ON h.slot = s.slot AND h.saga_id = s.id AND h.seq = 1" > "$dir/sagas.jsonl"
sql "SELECT json_build_object('p', h.partition, 'o', h.offset, 'reason', h.reason, 'at', $micros,
	'key', encode(h.key, 'hex'), 'value', encode(h.value, 'hex')) FROM dead_letters h" > "$dir/letters.jsonl"

# check: prints what is broken in the folder's data.
check() { # folder
	jq -n -r --slurpfile records "$1/orders.jsonl" --slurpfile dlt "$1/orders-dlt.jsonl" \
		--slurpfile confirmed "$1/confirmed.jsonl" --slurpfile sagas "$1/sagas.jsonl" \
		--slurpfile letters "$1/letters.jsonl" --slurpfile samples "$1/samples.jsonl" \
		--slurpfile ends "$1/ends.jsonl" -f tests/support/kafka_agreement.jq
}
check "$dir" > "$dir/broken" || fail "the checker fails"
[ ! -s "$dir/broken" ] || fail "seed $SEED: $(wc -l < "$dir/broken") broken promises"$'\n'"$(head -n 40 "$dir/broken")"
[ "$(wc -l < "$dir/orders.jsonl")" -ge "$RECORDS" ] || fail "only $(wc -l < "$dir/orders.jsonl") records"

# tampered FILE FILTER WORDS: the checker complains in these words when a line of the file is changed.
mkdir "$dir/tampered"
tampered() {
	[ "$RECORDS" -le 5000 ] || return 0
	rm -f "$dir"/tampered/*
	ln "$dir"/*.jsonl "$dir/tampered/"
	rm "$dir/tampered/$1"
	jq -c -s "$2 | .[]" "$dir/$1" > "$dir/tampered/$1"
	! cmp -s "$dir/$1" "$dir/tampered/$1" || fail "nothing was tampered with: $1, $2"
	check "$dir/tampered" > "$dir/complaints" || fail "the checker fails on $2"
	grep -q "$3" "$dir/complaints" || fail "the checker does not find it: $1, $2"$'\n'"$(head -n 5 "$dir/complaints")"
}
tampered sagas.jsonl '.[1:]' '0 sagas'
tampered sagas.jsonl '. + [.[7] | .id = "another"]' '2 sagas'
tampered sagas.jsonl '.[3].amount += 1' 'another input'
tampered sagas.jsonl '.[-1].at += 3600000000' 'before a record below was over'
tampered sagas.jsonl 'sort_by(.at) | .[-20:][].at = 1' 'which has the same key'
tampered sagas.jsonl '.[5].status = "running"' 'is running'
tampered letters.jsonl '.[1:]' 'has 0 rows'
tampered letters.jsonl '.[2].value = "00"' 'is not the record'
tampered letters.jsonl '.[2].reason = "too_large"' 'its reason too_large'
tampered orders-dlt.jsonl '(.[0] | [.headers["skald-dlt-partition"], .headers["skald-dlt-offset"]]) as $p
	| map(select([.headers["skald-dlt-partition"], .headers["skald-dlt-offset"]] != $p))' 'not in the dead-letter topic'
tampered orders-dlt.jsonl '.[1].headers.kind = "order"' 'lost headers'
tampered confirmed.jsonl '.[0].headers.ce_id = "another" | . + [.[0] | .headers.ce_id = "a third"]' 'has published 2'
tampered ends.jsonl '.[0].committed[0] -= 1' 'is committed'
tampered samples.jsonl '[.[] | select(.committed[1] > 0)][0].t as $t | map(if .t < $t then .committed[1] = 1 else . end)' \
	'before a record below was over'
tampered samples.jsonl '.[0:2]' 'saw only'

for n in $(running); do
	kill "${node_pid[n]}"
	await_end "${node_pid[n]}" 40
	[ "$ended_with" = 0 ] || fail "node $n ended with $ended_with"
done
for kind in "${kinds[@]}"; do printf '%s %s, ' "$kind" "${happened[$kind]}"; done
echo "$(< "$dir/produced"), $(wc -l < "$dir/samples.jsonl") samples"
