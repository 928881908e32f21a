#!/bin/bash
# The demonstration of the example with workers in C and Python goes the ways that it says.
source "$(dirname "$0")/lib.sh"

expect 0 env BUILD="$build" examples/task-worker/demo.sh
says 'Completed.'
says 'lease_expired'
[[ $out =~ attempt\ 2:\ [0-9]+p\ from\ minute\ [1-9] ]] || fail "the second encoder begins anew: $out"
says 'no_such_film: nobody has lost-film'
says 'survivor'
# The library can be installed and used alone.
make -s install DESTDIR="$dir/install" prefix=/usr BUILD="${build#"$PWD"/}" > "$dir/out" 2>&1 || fail "no install: $(cat "$dir/out")"
cat > "$dir/own.c" <<'END'
#include <skald/worker_client.h>
int main(void)
{
	struct worker *worker = worker_new(&(struct worker_options){.server = "http://127.0.0.1:1", .name = "own", .queue = "q"});
	struct worker_task task;
	int r = worker_poll(worker, &task);
	worker_free(worker);
	return r == WORKER_SILENT ? 0 : 1;
}
END
cc -I"$dir/install/usr/include" -o "$dir/own" "$dir/own.c" "$dir/install/usr/lib/libskald_worker.a" -lcurl -ljansson || fail "it does not compile alone"
"$dir/own" || fail "it does not run alone"
