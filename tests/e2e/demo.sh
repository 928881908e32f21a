#!/bin/bash
# `make demo` in a folder with a space in its name, twice; it leaves no process behind. And
# `skald dev`: answers within a second, stops its participants, also when it is killed.
source "$(dirname "$0")/lib.sh"

mkdir "$dir/a copy"
tar cf - --exclude=./build --exclude=./.git . | tar xf - -C "$dir/a copy"
mkdir -p "$dir/a copy/build"
cp -a "$build" "$dir/a copy/build/release" # what is built need not be built again
find "$dir/a copy/build" -name '*.d' -delete
find "$dir/a copy/build" -type f -exec touch {} +
of_copy() { # processes whose program lies in the copy
	local exe
	for exe in /proc/[0-9]*/exe; do
		[[ $(readlink "$exe" 2> /dev/null) == "$dir/a copy/"* ]] && echo "$exe"
	done
	return 0
}
for run in first second; do
	(cd "$dir/a copy" && make demo) > "$dir/demo.log" 2>&1 < /dev/null || fail "the $run run of make demo failed"
	for word in SagaCompleted SagaCompensated card_declined COMPENSATION; do
		grep -q "$word" "$dir/demo.log" || fail "make demo does not show $word"
	done
	[ -z "$(of_copy)" ] || fail "the $run run left processes: $(of_copy)"
done

# skald dev keeps its data where it says, and answers within a second.
begun=$(date +%s%N)
"$skald" dev --data "$dir/dev data" --port "$port" > "$dir/dev.log" 2>&1 &
dev=$!
pids+=("$dev")
wait_for 10 ready || fail "dev does not answer"
took=$((($(date +%s%N) - begun) / 1000000))
[ $took -lt 1000 ] || fail "dev answered after $took ms"
wait_for 5 grep -q '^Ctrl-C' "$dir/dev.log"
grep -q "data: $dir/dev data/skald.db" "$dir/dev.log" || fail "dev does not say where its data is"
[ -s "$dir/dev data/skald.db" ] || fail "the data is not where dev says"
children=$(pgrep -P "$dev")
[ "$(wc -w <<< "$children")" = 4 ] || fail "dev has these children: $children"
gone() { local pid; for pid in $children; do [ ! -e "/proc/$pid" ] || grep -q '^State:.Z' "/proc/$pid/status" || return 1; done; }
expect 0 "$skald" saga start payment --wait --timeout 20s \
	'{"payment_id": "p-1", "account": "4242", "merchant": "m", "amount_minor": 100}'
kill "$dev"
await_end "$dev" 20
[ "$ended_with" = 0 ] || fail "dev ended with $ended_with"
gone || fail "dev left its participants behind"

# Killed, it takes its participants with it; started again, it knows what it knew.
"$skald" dev --data "$dir/dev data" --port "$port" > "$dir/dev again.log" 2>&1 &
dev=$!
pids+=("$dev")
wait_for 10 grep -q '^Ctrl-C' "$dir/dev again.log" || fail "dev does not start again"
expect 0 "$skald" saga list key:p-1 -o json
[ "$(jq -r '.[0].status' <<< "$out")" = completed ] || fail "the payment is gone: $out"
children=$(pgrep -P "$dev")
kill -9 "$dev"
await_end "$dev" 20
wait_for 10 gone || fail "participants outlive a killed dev"
