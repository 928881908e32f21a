#!/bin/bash
# Starts Skald and workers, in C and in Python, on a free port in a temporary folder; prepares three
# films: one goes through, in the middle of one an encoder is killed, one does not exist. Leaves
# nothing behind. `make` builds what it needs.
# shellcheck source=examples/lib.sh
source "$(dirname "$0")/../lib.sh"
encoder=$build/examples/task-worker/participants/film_worker

start_skald examples/task-worker/task-worker.yaml

examples/task-worker/film_worker.py --server "$SKALD_SERVER" > "$dir/python.log" 2>&1 &
pids+=($!)
encode() { # NAME [ARGUMENT...]
	"$encoder" --server "$SKALD_SERVER" --name "$@" >> "$dir/$1.log" 2>&1 &
	pids+=($!)
}
prepare() { # what-happens film exit-code
	local status=0
	printf '\n== %s\n' "$1"
	"$skald" saga start film --wait --timeout 60s "{\"film\": \"$2\", \"minutes\": 10}" > "$dir/end" 2> "$dir/note" || status=$?
	if [ "$status" != "$3" ]; then
		echo "it ended with exit code $status instead of $3"
		cat "$dir/end" "$dir/note" "$dir"/*log
		exit 1
	fi
	read -r id _ < "$dir/end"
	"$skald" saga show "$id"
}

encode mortal --die-after 25
prepare "A film goes through two sizes, by one encoder." nosferatu 0
encode survivor
prepare "An encoder dies in the middle: the other goes on where it had got to." metropolis 0
cat "$dir/survivor.log"
prepare "A film that nobody has: nothing is encoded." lost-film 20
printf '\n== The queues and their workers\n'
"$skald" queue list
"$skald" worker list
