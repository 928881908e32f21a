#!/bin/bash
# A saga goes on by another version of its definition: one by one and by a batch, dry runs, what is
# refused and why; and what was migrated survives kill -9. With a Postgres there are two nodes.
source "$(dirname "$0")/lib.sh"

node_ports=() node_pids=()
start_node() { # number
	[ -n "${node_ports[$1]:-}" ] || node_ports[$1]=$(free_port)
	"$skald" serve --port "${node_ports[$1]}" --store "${STORE:-$dir/data/skald.db}" --node-lease 2s \
		>> "$dir/node$1.log" 2>&1 &
	node_pids[$1]=$!
	pids+=($!)
	wait_for 20 curl -fs "$(at "$1")/readyz" || fail "node $1 is not ready"
}
at() { echo "http://127.0.0.1:${node_ports[$1]}"; }
start_node 0
[ -z "${STORE:-}" ] || start_node 1
export SKALD_SERVER=$(at 0)

version() { # number steps...: of `loan`, which waits for a signal
	printf 'saga: loan\nkey: ${input.id}\nsteps:\n%s\n' "$2" > "$dir/loan$1.yaml"
	expect 0 "$skald" def deploy "$dir/loan$1.yaml"
}
check='  - {id: check, set: {score: "${size(input.id)}"}}'
wait='  - {id: ok, await: {signal: ok}, timeout: 1d}'
version 1 "$check
$wait
  - {id: pay, set: {by: one}}"
begin() { # key: a saga that waits, whose id is in $id
	expect 0 "$skald" saga start loan "{\"id\":\"$1\"}" -o json
	id=$(jq -r .id <<< "$out")
}
for i in 1 2 3 4 5 6; do
	begin "k-$i"
	ids[$i]=$id
done
# Version 2 goes on otherwise; 3 would have decided otherwise before; in 4 what has begun stands
# elsewhere; 5 asks more of the input.
version 2 "$check
$wait
  - {id: note, set: {n: 1}}
  - {id: pay, set: {by: two}}"
version 3 '  - {id: check, when: "${input.id == '"'x'"'}", set: {score: 1}}
'"$wait"
version 4 "  - {id: early, needs: [], set: {n: 1}}
$check
$wait"
sed 's|^steps:|input: {schema: {type: object, required: [more]}}\nsteps:|' "$dir/loan1.yaml" > "$dir/loan5.yaml"
expect 0 "$skald" def deploy "$dir/loan5.yaml"

expect 2 "$skald" saga migrate "${ids[1]}"
expect 0 "$skald" saga migrate "${ids[1]}" --version 2 --dry-run
[ "$("$skald" saga show "${ids[1]}" -o json | jq -r .version)" = 1 ] || fail 'a dry run has migrated it'
refused() { # version, what it says
	expect 5 "$skald" saga migrate "${ids[1]}" --version "$1"
	complains "$2"
	expect 5 "$skald" saga migrate "${ids[1]}" --version "$1" --dry-run
	complains "$2"
}
refused 1 'is of version 1 already'
refused 3 'version 3 would decide otherwise from row 1'
refused 4 'stands at another place'
refused 5 'does not fit the schema of version 5'
"$skald" saga migrate "${ids[1]}" --version 9 > "$dir/out" 2> "$dir/err" && fail 'there is no version 9'
grep -q 'no version 9' "$dir/err" || fail "$(cat "$dir/err")"

expect 0 "$skald" saga migrate "${ids[1]}" --version 2 --reason 'the new way'
says ActTaken
show=$("$skald" saga show "${ids[1]}" -o json)
[ "$(jq -c '[.version,.status,(.steps|length)]' <<< "$show")" = '[2,"waiting",4]' ] || fail "$show"
refused 2 'is of version 2 already'
expect 0 "$skald" saga history "${ids[1]}" -o json
jq -e '[.. | objects | select(.act? == "migrate" or .name? == "migrate")] | length > 0' <<< "$out" > /dev/null || fail "$out"

# What was migrated goes on by the new version: at once, and after kill -9.
expect 0 "$skald" saga signal "${ids[1]}" ok
expect 0 "$skald" saga wait "${ids[1]}" --timeout 20s
[ "$("$skald" saga show "${ids[1]}" -o json | jq -c '[.version,.steps[3].output.by]')" = '[2,"two"]' ] || fail "$("$skald" saga show "${ids[1]}" -o json)"
expect 5 "$skald" saga migrate "${ids[1]}" --version 1
complains 'has ended'
expect 0 "$skald" saga migrate "${ids[2]}" --version 2
kill -9 "${node_pids[0]}"
await_end "${node_pids[0]}" 10
start_node 0
signalled() { "$skald" saga signal "${ids[2]}" ok; }
wait_for 20 signalled || fail 'no signal is taken'
expect 0 "$skald" saga wait "${ids[2]}" --timeout 20s
[ "$("$skald" saga show "${ids[2]}" -o json | jq -c '[.version,.steps[3].output.by]')" = '[2,"two"]' ] || fail "$("$skald" saga show "${ids[2]}" -o json)"

# All that are left, by a batch; one has ended meanwhile, and is of the old version.
expect 0 "$skald" saga signal "${ids[3]}" ok
expect 0 "$skald" saga wait "${ids[3]}" --timeout 20s
"$skald" batch start migrate --version 2 -q 'saga:loan version:1' --reason 'all of them' --watch > "$dir/out" 2>&1 || true
for i in 4 5 6; do
	show=$("$skald" saga show "${ids[$i]}" -o json)
	[ "$(jq -c '[.version,.status]' <<< "$show")" = '[2,"waiting"]' ] || fail "$(cat "$dir/out") $show"
done
[ "$("$skald" saga show "${ids[3]}" -o json | jq -r .version)" = 1 ] || fail 'one that had ended was migrated'
# The counts by version follow.
expect 0 "$skald" saga list 'saga:loan version:2' --all -o jsonl
[ "$(wc -l <<< "$out")" = 5 ] || fail "$out"
[ "$(curl -fs "$SKALD_SERVER/v1/definitions/loan/counts" | jq -c '[.versions[] | select(.version <= 2) | [.version, (.counts | to_entries | map(.value) | add)]] | sort')" = '[[1,1],[2,5]]' ] ||
	fail "$(curl -fs "$SKALD_SERVER/v1/definitions/loan/counts")"
for i in 4 5 6; do
	expect 0 "$skald" saga signal "${ids[$i]}" ok
	expect 0 "$skald" saga wait "${ids[$i]}" --timeout 20s
done
echo "$test_name: ok"
