#!/bin/bash
# Idempotency keys with Redis in front of the store: duplicates are answered by a pointer without a
# write; and with Redis lying, flushed, frozen, killed or absent no duplicate ever starts anything.
source "$(dirname "$0")/lib.sh"
KEYS=${KEYS:-150} # of the load while Redis comes and goes

redis_port=$(free_port)
start_redis() {
	redis-server --bind 127.0.0.1 --port "$redis_port" --dir "$dir" --save '' --appendonly no > "$dir/redis.log" 2>&1 &
	redis_pid=$!
	pids+=("$redis_pid")
	wait_for 10 redis ping || fail "redis-server does not answer"
}
redis() { redis-cli -p "$redis_port" "$@" < /dev/null 2> /dev/null; }
kill_redis() {
	kill -9 "$redis_pid"
	await_end "$redis_pid" 10
}

# start KEY INPUT [CURL ARGUMENT...]: the answer in $status and $body, its headers in $dir/head.
start() {
	status=$(curl -s -m 30 -D "$dir/head" -o "$dir/body" -w '%{http_code}' -H 'Content-Type: application/json' \
		"${@:3}" -d "{\"saga\":\"quick\",\"key\":\"$1\",\"input\":$2}" "$SKALD_SERVER/v1/sagas") || status=000
	body=$(< "$dir/body")
	id=$(jq -r '.id // empty' <<< "$body" 2> /dev/null || true)
}
is() { [ "$status" = "$1" ] || fail "status $status instead of $1: $body"; }
is_new() { is 200 && ! grep -qi '^Idempotent-Replayed' "$dir/head" || fail "it is no new saga: $body"; }
is_replay_of() {
	is 200 && [ "$id" = "$1" ] && grep -qi '^Idempotent-Replayed: true' "$dir/head" || fail "no replay of $1: $body"
}
metric() { curl -fs "$SKALD_SERVER/metrics" | awk -v name="$1" '$1 == name {print $2}'; }
lookups() { metric "skald_idempotency_lookups_total{result=\"$1\"}"; }
pointers() { [ "$(redis dbsize)" = "$1" ]; }
circuit() { [ "$(metric skald_idempotency_circuit_state)" = "$1" ]; }
wait=(-H 'Prefer: wait=20')
# What the pointer of a key is called, and the fingerprint of a start.
name_of() { printf 'skald:%s' "$(printf '7:default5:quick%d:%s' ${#1} "$1" | sha256sum | cut -d' ' -f1)"; }
fingerprint() { printf '{"input":%s,"key":"%s","saga":"quick"}' "$2" "$1" | sha256sum | cut -d' ' -f1; }

start_redis
serve() { start_skald --redis-url "redis://127.0.0.1:$redis_port" --redis-timeout 200ms "$@"; }
serve
await_skald
wait_for 10 circuit 0 || fail "Redis is not used"
printf 'saga: quick\nsteps:\n  - id: a\n    set: {x: 1}\n' > "$dir/quick.yaml"
expect 0 "$skald" def deploy "$dir/quick.yaml"
store=$(curl -fs "$SKALD_SERVER/readyz" | jq -r .store)
[ "$store" = "$([ -n "${STORE:-}" ] && echo postgres || echo sqlite)" ] || fail "the store is $store"

# ---- a duplicate is answered by the pointer, without a write ----

start a '{"n":1}' "${wait[@]}"
is_new
a=$id
wait_for 10 pointers 1 || fail "no pointer was written"
[ "$(redis exists "$(name_of a)")" = 1 ] || fail "the pointer has another name"
[ "$(redis get "$(name_of a)")" = "1 $a $(fingerprint a '{"n":1}')" ] || fail "the pointer says $(redis get "$(name_of a)")"
[ "$(redis pttl "$(name_of a)")" -gt 80000000 ] || fail "the pointer expires in $(redis pttl "$(name_of a)") ms"
written=$(metric skald_store_items_total) inputs=$(metric skald_engine_inputs_total)
for _ in 1 2 3; do
	start a '{"n":1}' "${wait[@]}"
	is_replay_of "$a"
done
[ "$(lookups hit)" = 3 ] || fail "$(lookups hit) hits"
[ "$(metric skald_store_items_total)" = "$written" ] || fail "a duplicate was written"
[ "$(metric skald_engine_inputs_total)" = "$inputs" ] || fail "a duplicate went through the engine"
start a '{"n":2}' "${wait[@]}"
is 422

# ---- what is known of a key ----

expect 0 "$skald" idempotency show quick a
says "$a" && says 'pointer      agrees, expires in'
expect 0 "$skald" idempotency show quick a -o json
"$build/tests/tools/fits_openapi" KeyEntry <<< "$out" || fail "no KeyEntry: $out"
expect 0 "$skald" idempotency expire quick a
says 'the store still knows the key'
expect 0 "$skald" idempotency expire quick a
says 'no pointer'
pointers 0 || fail "the pointer is still there"
expect 0 "$skald" idempotency show quick a
says 'pointer      none'
expect 3 "$skald" idempotency show quick nobody
# The store knows it still; and its answer leaves a pointer again.
start a '{"n":1}' "${wait[@]}"
is_replay_of "$a"
wait_for 10 pointers 1 || fail "a duplicate that the store found left no pointer"

# ---- lies ----

lie() { redis set "$(name_of "$1")" "$2" > /dev/null; }
stale=$(lookups stale_hit)
# To a saga of another key, with the right fingerprint.
lie b "1 $a $(fingerprint b '{"n":1}')"
start b '{"n":1}' "${wait[@]}"
is_new
b=$id
[ "$b" != "$a" ] || fail "a lying pointer was believed"
[ "$(lookups stale_hit)" = $((stale + 1)) ] || fail "the lie was not counted"
wait_for 10 eval '[[ "$(redis get "$(name_of b)")" == "1 $b "* ]]' || fail "the lie was not put right"
# To the right saga, with the fingerprint of another payload than it was started with.
lie b "1 $b $(fingerprint b '{"n":7}')"
start b '{"n":7}' "${wait[@]}"
is 422
lie b "1 $a $(fingerprint b '{"n":1}')"
start b '{"n":1}' "${wait[@]}"
is_replay_of "$b"
lie b "1 $a $(fingerprint b '{"n":1}')"
expect 0 "$skald" idempotency show quick b
says "pointer      stale: it names saga $a"
# To a saga of another namespace, of the same definition and key.
expect 0 "$skald" def deploy "$dir/quick.yaml" -n other
start b '{"n":1}' "${wait[@]}" -H 'Skald-Namespace: other'
is_new
lie b "1 $id $(fingerprint b '{"n":1}')"
start b '{"n":1}' "${wait[@]}"
is_replay_of "$b"
# To nothing at all, and no pointer.
for lie in "1 01890000-0000-7000-8000-000000000000 $(fingerprint c '{}')" "1 $a" garbage '' "$(head -c 100000 /dev/zero | tr '\0' x)"; do
	lie c "$lie"
	start c '{}' "${wait[@]}"
	is 200
	[ -z "${c:-}" ] || [ "$id" = "$c" ] || fail "a second saga was started"
	c=$id
done
redis del "$(name_of c)" > /dev/null
redis rpush "$(name_of c)" x > /dev/null
start c '{}' "${wait[@]}"
is_replay_of "$c"
circuit 0 || fail "lies opened the circuit"
# Someone else's dump: a pointer from a store that has since lost its sagas.
lie future "1 $(sed 's/^......../ffffffff/' <<< "$a") $(fingerprint future '{}')"
start future '{}' "${wait[@]}"
is_new

# ---- Redis comes and goes under load ----

mkdir "$dir/acks"
client() { # number: starts its keys, each until it was acknowledged, and each again
	local i code
	for ((i = $1; i < KEYS; i += 4)); do
		for try in 1 2 3; do
			code=000
			until [[ $code == 20? ]]; do
				code=$(curl -s -m 20 -o "$dir/acks/$i.$try" -w '%{http_code}' -H 'Content-Type: application/json' \
					-d "{\"saga\":\"quick\",\"key\":\"load-$i\",\"input\":{\"n\":$i}}" "$SKALD_SERVER/v1/sagas" || true)
			done
		done
	done
}
clients=()
for n in 0 1 2 3; do
	client $n &
	clients+=($!)
done
pids+=("${clients[@]}")
busy() { kill -0 "${clients[0]}" 2> /dev/null; }
for ((round = 0; round < 4; round++)); do
	redis flushall > /dev/null
	sleep 0.1
	kill -STOP "$redis_pid"
	sleep 0.3
	kill -CONT "$redis_pid"
	redis replicaof 127.0.0.1 1 > /dev/null
	sleep 0.1
	kill_redis
	sleep 0.2
	start_redis
done
wait "${clients[@]}"
for pid in "${clients[@]}"; do forget "$pid"; done
for ((i = 0; i < KEYS; i++)); do
	mapfile -t ids < <(jq -r .id "$dir/acks/$i".? | sort -u)
	[ ${#ids[@]} = 1 ] || fail "key load-$i was answered with ${#ids[@]} sagas: ${ids[*]}"
done
expect 0 "$skald" saga list 'key:load-*' --all -o json
[ "$(jq length <<< "$out")" = "$KEYS" ] || fail "$(jq length <<< "$out") sagas for $KEYS keys"
grep -q 'found by the store alone' "$dir/skald.log" || fail "the log says nothing of Redis"

# ---- without Redis ----

wait_for 20 circuit 0 || fail "Redis is not used again"
kill_redis
wait_for 20 circuit 2 || wait_for 20 circuit 2 || fail "the circuit is not open"
ready > /dev/null || fail "without Redis the server is not ready"
start a '{"n":1}' "${wait[@]}"
is_replay_of "$a"
start without '{}' "${wait[@]}"
is_new
without=$id
[ "$(lookups open_circuit)" -gt 0 ] || fail "nothing was counted as refused"
expect 0 "$skald" idempotency show quick a
says 'pointer      unavailable'
expect 6 "$skald" idempotency expire quick a
start_redis
wait_for 20 circuit 0 || fail "Redis is not used again"
wait_for 20 eval '[ "$(redis exists "$(name_of without)")" = 1 ]' || fail "what was committed meanwhile left no pointer"
stop_skald

# ---- no pointer to what was not committed ----

for life in 1 2 3 4 5 6; do
	SKALD_FAILPOINTS="commit_before:1=kill" serve
	await_skald
	wait_for 10 circuit 0 || fail "Redis is not used"
	start "lost-$life" '{}'
	await_end "$skald_pid" 20
	[ "$status:$ended_with" = 000:137 ] || fail "the server was to die before the commit: $status, $ended_with"
	[ "$(redis exists "$(name_of "lost-$life")")" = 0 ] || fail "there is a pointer to a saga that was never committed"
done
SKALD_FAILPOINTS="commit_after:1=kill" serve
await_skald
start after '{}'
await_end "$skald_pid" 20
[ "$(redis exists "$(name_of after)")" = 0 ] || fail "a pointer was written before the engine knew of the commit"
serve
await_skald
start lost-1 '{}' "${wait[@]}"
is_new
start after '{}' "${wait[@]}"
[ "$status" = 200 ] && grep -qi '^Idempotent-Replayed: true' "$dir/head" || fail "it was committed, and started again: $body"
start without '{}' "${wait[@]}"
is_replay_of "$without"
stop_skald
[[ $(< "$dir/skald.log") != *ERROR* ]]

# ---- addresses that cannot be used ----

expect 1 "$skald" serve --port 0 --store "$dir/other.db" --redis-url rediss://redis.internal
complains 'needs TLS'
expect 1 "$skald" serve --port 0 --store "$dir/other.db" --redis-url 'redis://:hunter2@redis.internal/x'
complains 'database' && [[ $err != *hunter2* ]] || fail "the password is told: $err"
expect 0 "$skald" serve --redis-url 'redis://me:hun@ter2@redis.internal' --print-config
says '***@redis.internal' && [[ $out != *ter2* ]] || fail "the password is told: $out"
