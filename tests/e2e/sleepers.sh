#!/bin/bash
# A store with 20,000 sleeping sagas, on SQLite and on Postgres: a start takes into memory what is
# due within a minute and reads nothing of the rest, and what is due ends. tests/bench/sleepers
# measures the same with more of them.
source "$(dirname "$0")/lib.sh"

sleeping=20000 due=100 ended=200
POSTGRES_SETTINGS='fsync = off' start_services postgres
services=$dir/services postgres=$SKALD_TEST_POSTGRES
query() { tests/services.sh sql "$services" postgres "$1"; }
metric() { curl -fs "$SKALD_SERVER/metrics" | awk -v name="$1" '$1 == name {print $2}'; }
completed() { [ "$(metric 'skald_sagas{status="completed"}')" = $((ended + due)) ]; }

check_on() { # address
	[ "$1" != "$postgres" ] || export STORE=$1
	"$build/tests/tools/fill_sleepers" "$1" $sleeping $due $ended 1 3
	[ "$1" != "$postgres" ] || query 'SELECT pg_stat_reset()' > "$dir/reset"
	start_skald
	await_skald
	in_memory=$(metric skald_sagas_in_memory)
	[ "$in_memory" -le $due ] || fail "$in_memory sagas in memory, of which $due are due"
	[ "$(metric 'skald_sagas{status="waiting"}')" -ge $sleeping ] || fail "the sleeping ones are not counted"
	wait_for 60 completed || fail "what was due has not ended: $(metric 'skald_sagas{status="completed"}') have"
	[ "$(metric skald_sagas_in_memory)" = 0 ] || fail "what has ended is still in memory"
	stop_skald
}

mkdir "$dir/data"
check_on "$dir/data/skald.db"
check_on "$postgres"
# All that the server has read by now; the two rows of a saga that ends are read and changed.
rows_read() {
	query "SELECT sum(coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0))::int8
		FROM pg_stat_user_tables WHERE relname IN ('sagas', 'history')"
}
read_at_most() { [ "$(rows_read)" -gt 0 ] && [ "$(rows_read)" -le "$1" ]; }
read_at_most $((20 * due)) || fail "$(rows_read) rows were read for $due sagas"
