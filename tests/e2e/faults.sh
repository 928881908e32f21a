#!/bin/bash
# Orders on Postgres and Redis, with several nodes behind round robin, while everything that they
# stand on is broken again and again:
#
#   kill      a node is killed with -9, and started again
#   pause     a node is stopped past its lease, and goes on as if nothing had happened
#   cut       every connection to Postgres is closed at once
#   half      a commit is cut in the middle of its request
#   swallow   a commit is sent whole and lands, and its answer is lost
#   restart   Postgres is stopped with -m immediate, and started again
#   flush     Redis forgets everything
#   redis     Redis is stopped, and started again
#
# Orders come for as long as faults do. Afterwards the clients' log, the participants' ledger, the
# histories and the ledger of compensations are joined: nothing is lost, doubled or in a wrong order,
# and everything has come to an end. A fault that never happened fails
# the run as well. The seed is printed; SEED=, SAGAS=, CLIENTS= and FAULTS= (how many) may be given, as
# `make campaign` does.
source "$(dirname "$0")/lib.sh"
SAGAS=${SAGAS:-200} CLIENTS=${CLIENTS:-6} FAULTS=${FAULTS:-10} NODES=3 LEASE=3
SEED=${SEED:-$(date +%s)}
RANDOM=$SEED
echo "seed $SEED: $SAGAS orders, $CLIENTS clients, $FAULTS faults, $NODES nodes"

start_services "postgres redis"
db_port=$(sed -E 's/.*:([0-9]+)\/.*/\1/' <<< "$SKALD_TEST_POSTGRES")
redis_port=${SKALD_TEST_REDIS##*:}
sql() { psql -X -q -t -A "$SKALD_TEST_POSTGRES" -c "$1"; }

mkfifo "$dir/proxy.in"
"$build/tests/tools/fault_proxy" "$db_port" skald_0 < "$dir/proxy.in" > "$dir/proxy.log" 2>&1 &
pids+=($!)
exec 9> "$dir/proxy.in"
wait_for 10 grep -q listening "$dir/proxy.log" || fail "the proxy does not listen"
db="postgresql://skald@127.0.0.1:$(sed -n 's/listening on 127.0.0.1://p' "$dir/proxy.log")/postgres?sslmode=disable"
proxy() { echo "$*" >&9; }

start_participant order_services
mapfile -t shop < <(shop_at)

node_pid=() node_url=() node_port=()
start_node() { # number
	"$skald" serve --port "${node_port[$1]}" --store "$db" --node-lease "${LEASE}s" --redis-url "$SKALD_TEST_REDIS" \
		--retention 0s "${shop[@]}" >> "$dir/node$1.log" 2>&1 &
	node_pid[$1]=$!
	pids+=($!)
}
node_is_ready() { curl -fs -m 2 "${node_url[$1]}/readyz"; }
for ((n = 0; n < NODES; n++)); do
	node_port[n]=$(free_port)
	node_url[n]=http://127.0.0.1:${node_port[n]}
	start_node $n
done
for ((n = 0; n < NODES; n++)); do wait_for 40 node_is_ready $n || fail "node $n is not ready"; done
export SKALD_SERVER=${node_url[0]}
expect 0 "$skald" def deploy examples/order-fulfilment/order-fulfilment.yaml

# Each client takes every CLIENTS-th order, at one node after the other until it is acknowledged, and
# sends every third one again to another node. Some orders are declined, some charged without an answer,
# and some fail when they are to be shipped, so that their charge has to be undone before their stock.
mkdir "$dir/acks"
client() { # first
	local running=1
	local order card to code body node i attempt
	for ((order = $1; order <= SAGAS || running; order += CLIENTS)); do
		[ ! -e "$dir/faults.over" ] || running=0
		to=Oslo
		[ $((order % 8)) != 6 ] || to=Atlantis
		case $((order % 4)) in
		0) card=0002 ;; # declined
		1) card=0005 ;; # charged, and the answer is lost
		*) card=4242 ;;
		esac
		body='{"saga": "order-fulfilment", "input": {"order_id": "o-'$order'", "customer_id": "c", "lines": [{"sku": "TEA", "quantity": 1}, {"sku": "CUP", "quantity": 2}], "amount_minor": 5, "card": "'$card'", "ship_to": "'$to'"}}'
		node=$order
		for ((i = 0; i <= (order % 3 == 0); i++)); do
			for ((attempt = 0; attempt < 3000; attempt++)); do
				code=$(curl -s -o "$dir/acks/o-$order.try" -w '%{http_code}' -m 10 -H 'Content-Type: application/json' \
					-d "$body" "${node_url[node++ % NODES]}/v1/sagas" || true)
				case $code in
				200 | 202)
					jq -c '{id, key}' "$dir/acks/o-$order.try" >> "$dir/acks/$1.log"
					break
					;;
				000 | 429 | 500 | 502 | 503 | 504) sleep 0.1 ;;
				*) echo "order $order: status $code: $(cat "$dir/acks/o-$order.try")" >> "$dir/acks/refused" && break ;;
				esac
			done
			[ $attempt -lt 3000 ] || echo "order $order was never acknowledged" >> "$dir/acks/refused"
			rm -f "$dir/acks/o-$order.try"
		done
	done
}
clients=()
for ((i = 1; i <= CLIENTS; i++)); do
	client $i &
	clients+=($!)
done

declare -A happened
did() { happened[$1]=$((${happened[$1]:-0} + 1)); }
redis_again() { # on the same port
	redis-server --port "$redis_port" --bind 127.0.0.1 --dir "$dir/services/redis" --save '' --appendonly no \
		--daemonize yes --pidfile "$dir/services/redis/pid" --logfile "$dir/services/redis/log" > "$dir/redis.log"
}
break_something() { # kind
	local n=$((RANDOM % NODES))
	case $1 in
	kill)
		kill -9 "${node_pid[n]}"
		await_end "${node_pid[n]}" 10
		sleep "0.$((RANDOM % 10))"
		start_node $n
		;;
	pause)
		kill -STOP "${node_pid[n]}"
		sleep $((LEASE + 2))
		kill -CONT "${node_pid[n]}"
		;;
	cut) proxy cut ;;
	half | swallow) proxy "$1 1" ;;
	restart) tests/services.sh restart-postgres "$dir/services" || fail "Postgres does not start again" ;;
	flush) redis-cli -p "$redis_port" flushall > "$dir/redis.log" ;;
	redis)
		redis-cli -p "$redis_port" shutdown nosave > "$dir/redis.log" 2>&1 || true
		sleep 1
		redis_again
		;;
	esac
	did "$1"
}
kinds=(kill swallow pause half cut restart flush redis)
for ((f = 0; f < FAULTS; f++)); do
	# Each kind once, and then as it comes.
	kind=${kinds[f]:-${kinds[RANDOM % ${#kinds[@]}]}}
	echo "$(date +%T) $kind" >> "$dir/faults.log"
	break_something "$kind"
	sleep "$((RANDOM % 2)).$((RANDOM % 10))"
done
touch "$dir/faults.over"
wait "${clients[@]}"
[ ! -e "$dir/acks/refused" ] || fail "$(head -n 20 "$dir/acks/refused")"

open_sagas() { sql "select count(*) from sagas where ended_at is null"; }
all_ended() { [ "$(open_sagas)" = 0 ]; }
wait_for 180 all_ended || fail "these do not end:"$'\n'"$(sql "select id, status, due_at, attention from sagas where ended_at is null limit 20")"

for kind in half swallow cut; do
	[ "$(grep -c "did $kind" "$dir/proxy.log")" -gt 0 ] || fail "the fault \`$kind\` never happened"
done
for kind in "${kinds[@]}"; do [ "${happened[$kind]:-0}" -gt 0 ] || fail "the fault \`$kind\` never happened"; done

sql "select json_build_object('id', id, 'key', key, 'status', status) from sagas" | jq -s . > "$dir/sagas.json"
sql "select json_build_object('saga', saga_id, 'seq', seq, 'events', events::json) from history order by saga_id, seq" |
	jq -c '. as $row | .events[] | . + {saga: $row.saga, seq: $row.seq}' > "$dir/history.jsonl"
curl -fs "$url_order_services/ledger" > "$dir/ledger.json"
cat "$dir"/acks/*.log | jq -s . > "$dir/acks.json"
jq -n -r --slurpfile sagas "$dir/sagas.json" --slurpfile history "$dir/history.jsonl" \
	--slurpfile ledger "$dir/ledger.json" --slurpfile acks "$dir/acks.json" \
	-f tests/support/agreement.jq > "$dir/broken"
jq -n -r --slurpfile ledger "$dir/ledger.json" -f tests/support/order_of_calls.jq >> "$dir/broken"
sql "select format('the compensation of %s[%s] is %s in a saga that is %s: %s', c.step, c.item, c.status, s.status, s.id)
	from compensations c join sagas s on s.slot = c.slot and s.id = c.saga_id
	where c.status <> case s.status when 'completed' then 'armed' else 'done' end" >> "$dir/broken"
[ ! -s "$dir/broken" ] || fail "seed $SEED: $(wc -l < "$dir/broken") broken promises"$'\n'"$(head -n 40 "$dir/broken")"
orders=$(jq '[.[].key] | unique | length' "$dir/acks.json")
[ "$orders" -ge "$SAGAS" ] || fail "only $orders orders"
[ "$(jq length "$dir/sagas.json")" = "$orders" ] || fail "$orders orders, and $(jq length "$dir/sagas.json") sagas"
wrong=$(jq -r '.[] | (.key | ltrimstr("o-") | tonumber) as $n |
	select((.status == "compensated") != ($n % 4 == 0 or $n % 8 == 6)) | "order \($n) is \(.status)"' "$dir/sagas.json")
[ -z "$wrong" ] || fail "$(head -n 20 <<< "$wrong")"
for ((n = 0; n < NODES; n++)); do
	kill "${node_pid[n]}"
	await_end "${node_pid[n]}" 30
	[ "$ended_with" = 0 ] || fail "node $n ended with $ended_with"
done
for kind in "${kinds[@]}"; do printf '%s %s, ' "$kind" "${happened[$kind]}"; done
echo "$orders orders, $(jq '.calls | length' "$dir/ledger.json") calls"
