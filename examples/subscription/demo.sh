#!/bin/bash
# Starts Skald and the biller on free ports in a temporary folder, and lets three customers subscribe
# whose months are short: one upgrades and cancels, one cannot pay, one pays with a stolen card. Shows
# what became of each, and what was charged and refunded. Leaves nothing behind. `make` builds what it
# needs.
# shellcheck source=examples/lib.sh
source "$(dirname "$0")/../lib.sh"

start_skald examples/subscription/subscription.yaml

say() { printf '\n== %s\n' "$1"; }
subscribe() { # CUSTOMER MONTH: the saga is in $id
	id=$("$skald" saga start subscription "{\"customer\": \"$1\", \"plan\": \"basic\", \"month\": \"$2\", \"retry_in\": \"300ms\"}" \
		-o json | sed -n 's/.*"id": *"\([^"]*\)".*/\1/p' | head -n 1)
	[ -n "$id" ] || exit 1
}
# until_run N [PLAN]: until the saga waits in this run, or a later one.
until_run() {
	for ((i = 0; i < 1500; i++)); do
		"$skald" saga show "$id" -o json > "$dir/show"
		jq -e --arg plan "${2:-basic}" ".run >= $1 and .input.plan == \$plan and .status == \"waiting\"" < "$dir/show" > "$dir/there" &&
			return
		sleep 0.02
	done
	cat "$dir/show" "$dir/log"
	exit 1
}
tell() { # SIGNAL [VALUE]
	echo "\$ skald saga signal \$id $*"
	"$skald" saga signal "$id" "$@" --by "the customer" > /dev/null
}
finish() {
	"$skald" saga wait "$id" --timeout 60s > "$dir/end" 2>&1 || true
	"$skald" saga show "$id"
	"$skald" saga show "$id" -o json | jq -c '{runs: .run, output}'
}

say "Ann stays three months of two seconds, upgrades, and cancels: what was paid stays paid."
subscribe ann 2s
until_run 3
tell upgrade '{"plan": "pro"}'
until_run 4 pro
tell cancel
finish

say "Bo pays once, then never again: he is asked three times, and the subscription lapses."
subscribe bo-poor 500ms
finish

say "The third payment finds out that the card was stolen: what earlier runs charged is refunded."
subscribe cy-thief 500ms
finish
"$skald" saga history "$id" -o jsonl | grep -c '"SagaContinued"' | sed 's/^/runs that were over: /'
