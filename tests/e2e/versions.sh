#!/bin/bash
# Versions: a canary's share, promotion, the way back, pauses and differences, by command line and
# API. With a Postgres there are two nodes: what is said to one is seen by the other.
source "$(dirname "$0")/lib.sh"

start_node() { # number
	node_ports[$1]=$(free_port)
	"$skald" serve --port "${node_ports[$1]}" --store "${STORE:-$dir/data/skald.db}" --node-lease 3s \
		>> "$dir/node$1.log" 2>&1 &
	pids+=($!)
	wait_for 20 curl -fs "http://127.0.0.1:${node_ports[$1]}/readyz" || fail "node $1 is not ready"
}
node_ports=()
start_node 0
last=0
if [ -n "${STORE:-}" ]; then
	start_node 1
	last=1
fi
at() { echo "http://127.0.0.1:${node_ports[$1]}"; }
export SKALD_SERVER=$(at 0)

deploy() { # n: another version; further arguments are deploy's
	printf 'saga: order\nkey: ${input.id}\ndeadline: %sd\nsteps:\n  - {id: a, set: {n: %s}}\noutput: {n: "${steps.a.output.n}"}\n' \
		"$1" "$1" > "$dir/order$1.yaml"
	expect 0 "$skald" def deploy "$dir/order$1.yaml" "${@:2}"
}
post() { # node path body: the code; the answer is in $dir/answer
	curl -s -o "$dir/answer" -w '%{http_code}' -m 20 -H 'Content-Type: application/json' -d "$3" "$(at "$1")$2"
}
begin() { # node id [version]: starts, and says which version it is
	local code
	code=$(post "$1" /v1/sagas '{"saga":"order","input":{"id":"'"$2"'"}'"${3:+,\"version\":$3}"'}')
	[ "$code" = 202 ] || [ "$code" = 200 ] || fail "start of $2 at node $1: $code $(cat "$dir/answer")"
	jq -r .version "$dir/answer"
}
# What the other node starts: it follows within a second or two.
starts() { # node version: every new saga is of it
	probes=$((probes + 1))
	[ "$(begin "$1" "probe-$probes")" = "$2" ]
}
probes=0
all_start() { # version
	local node
	for ((node = 0; node <= last; node++)); do
		wait_for 5 starts "$node" "$1" || fail "node $node does not start version $1"
	done
}

deploy 1
all_start 1
deploy 2 --canary 30
says 'order version 2 starts this share, in percent: 30'
expect 0 "$skald" def show order
says 'order: version 1, and 2 for 30% of the sagas'
expect 0 "$skald" def list order
says '30%' && says '70%'
sleep 1.2 # for so long another node may believe what it knew

# About that share, and the same for the same key at every node: also when it is started again.
canaries=0
for i in $(seq 60); do
	first=$(begin $((i % (last + 1))) "k-$i")
	again=$(begin $(((i + 1) % (last + 1))) "k-$i")
	[ "$first" = "$again" ] || fail "k-$i was of version $first, and again of $again"
	canaries=$((canaries + (first == 2)))
	echo "$first" > "$dir/k-$i"
done
[ $canaries -ge 6 ] && [ $canaries -le 32 ] || fail "$canaries of 60 are of a canary that has 30%"
# Without a key the id decides.
printf 'saga: free\nsteps:\n  - {id: a, set: 1}\n' > "$dir/free1.yaml"
printf 'saga: free\nsteps:\n  - {id: a, set: 2}\n' > "$dir/free2.yaml"
expect 0 "$skald" def deploy "$dir/free1.yaml"
expect 0 "$skald" def deploy "$dir/free2.yaml" --canary 50
sleep 1.2
for i in $(seq 40); do
	post $((i % (last + 1))) /v1/sagas '{"saga":"free"}' > /dev/null
	jq -r .version "$dir/answer"
done | sort | uniq -c > "$dir/free"
[ "$(wc -l < "$dir/free")" = 2 ] || fail "a canary of half of them has: $(cat "$dir/free")"

# Who is in the share stays in it when it grows; a version that is said is taken.
expect 0 "$skald" def canary order 100
all_start 2
[ "$(begin 0 said 1)" = 1 ] || fail 'a start of version 1 is not of it'
expect 0 "$skald" def canary order 0
all_start 1

# The same at the API, and what it refuses.
[ "$(post 0 /v1/definitions/order/canary '{"percent":101}')" = 422 ] || fail "$(cat "$dir/answer")"
[ "$(post 0 /v1/definitions/order/canary '{"percent":5,"version":9}')" = 404 ] || fail "$(cat "$dir/answer")"
[ "$(post 0 /v1/definitions/order/canary '{"percent":5,"version":1}')" = 409 ] || fail "$(cat "$dir/answer")"
[ "$(jq -r .code "$dir/answer")" = version_conflict ] || fail "$(cat "$dir/answer")"
[ "$(post 0 /v1/definitions/none/promote '{}')" = 404 ] || fail "$(cat "$dir/answer")"

expect 0 "$skald" def promote order
says 'order: version 2'
all_start 2
expect 5 "$skald" def promote order
complains 'there is no canary'
expect 0 "$skald" def rollback order
says 'order: version 1'
all_start 1
deploy 3
all_start 3
expect 0 "$skald" def rollback order 2 --reason 'the third is worse'
all_start 2
# Content that is there changes nothing.
expect 0 "$skald" def deploy "$dir/order3.yaml"
says 'was there already'
all_start 2
# A canary that is ended.
expect 0 "$skald" def canary order 100 3
all_start 3
expect 0 "$skald" def rollback order
says 'order: version 2'
all_start 2

# Differences.
expect 0 "$skald" def diff order 1 3
says 'from version 1 to version 3' && says 'deadline: "1d" -> "3d"' && says '    set.n: 1 -> 3'
expect 0 "$skald" def diff order -o json
[ "$(jq -c '[.from,.to,.same,(.steps|length),.members[0].pointer]' <<< "$out")" = '[2,3,false,1,"/deadline"]' ] || fail "$out"
expect 3 "$skald" def diff order 1 9

# A pause: nothing new begins, what was started is found, what runs goes on.
expect 0 "$skald" def pause order --reason 'the stock is counted'
says 'paused: the stock is counted'
is_refused() {
	probes=$((probes + 1))
	[ "$(post "$1" /v1/sagas '{"saga":"order","input":{"id":"late-'$probes'"}}')" = 409 ]
}
for ((node = 0; node <= last; node++)); do
	wait_for 5 is_refused "$node" || fail "node $node starts what is paused"
	[ "$(jq -r .code "$dir/answer")" = definition_paused ] || fail "$(cat "$dir/answer")"
	[ "$(begin "$node" k-7)" = "$(cat "$dir/k-7")" ] || fail 'a start that is sent again is refused'
	[ "$(post "$node" /v1/sagas '{"saga":"order","input":{"id":"k-7","x":1}}')" = 422 ] || fail "$(cat "$dir/answer")"
	[ "$(post "$node" /v1/sagas '{"saga":"order","version":1,"input":{"id":"other"}}')" = 409 ] || fail "$(cat "$dir/answer")"
done
expect 0 "$skald" def list
says paused
expect 0 "$skald" def resume order
expect 5 "$skald" def resume order
all_start 2

# Sagas by version, for whoever watches a rollout.
curl -fs "$SKALD_SERVER/metrics" > "$dir/metrics"
grep -q 'skald_version_sagas_started_total{namespace="default",definition="order",version="2"} [1-9]' "$dir/metrics" ||
	fail "$(grep version_sagas "$dir/metrics")"
echo "$test_name: ok"
