#!/bin/bash
# Starts Skald and two processes of workers on a free port in a temporary folder, and imports three
# tables: one goes through while a process of workers is killed in the middle, one leaves out a bad
# chunk, one has too many of them and is undone. Leaves nothing behind.
# shellcheck source=examples/lib.sh
source "$(dirname "$0")/../lib.sh"

start_skald examples/data-pipeline/data-pipeline.yaml

workers() { # NAME [ARGUMENT...]
	examples/data-pipeline/table_worker.py --server "$SKALD_SERVER" --data "$dir/tables" --name "$@" > "$dir/$1.log" 2>&1 &
	pids+=($!)
	disown # the shell need not say that it was killed
}
loaded() { find "$dir/tables/$1" -name 'chunk-*' 2> /dev/null | wc -l; }
import() { # what-happens file rows exit-code
	local status=0
	printf '\n== %s\n' "$1"
	"$skald" saga start table-import --wait --timeout 60s "{\"file\": \"$2\", \"rows\": $3}" -o json > "$dir/end" 2> "$dir/note" || status=$?
	if [ "$status" != "$4" ]; then
		echo "it ended with exit code $status instead of $4"
		cat "$dir/end" "$dir/note" "$dir"/*log
		exit 1
	fi
	jq -c '{status, output, failure}' "$dir/end"
	printf '%s: %d chunks are loaded\n' "$2" "$(loaded "$2")"
}

workers steady --threads 4
workers mortal --threads 2 --die-after 700
import "40 chunks; two of six workers are killed on the way, and their chunks are done by others." sales.csv 4000 0
cat "$dir/mortal.log"
import "25 chunks, a third of them unreadable: all that was loaded is unloaded." bad-sales.csv 2500 20
import "One more table, by those who are left." stock.csv 500 0
printf '\n== The queues\n'
"$skald" queue list
