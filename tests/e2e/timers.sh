#!/bin/bash
# No timer fires before it is due, and each one fires: 2,000 of them, due within three seconds, on
# SQLite and on Postgres. How late they are is measured by tests/bench/timers, and not judged here.
source "$(dirname "$0")/lib.sh"

AFTER=8 tests/bench/timers "$build" 2000 "sqlite postgres" 3 > "$dir/timers" ||
	fail "timers: $(cat "$dir/timers")"
[ "$(jq -s 'map(select(.ended == 2000 and .early == 0)) | length' "$dir/timers")" = 2 ] ||
	fail "not all of them fired in time: $(cat "$dir/timers")"
