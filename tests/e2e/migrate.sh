#!/bin/bash
# `skald migrate`: what plan prints is what up runs; several at once make one schema; a server does
# not start on an older one, and says which command helps; an older program may go on with a newer
# schema that allows it; the embedded store needs none of it.
source "$(dirname "$0")/lib.sh"

[ -n "${SKALD_TEST_POSTGRES:-}" ] || SERVICES=postgres exec tests/services.sh run "$0" "$@"
database() { # name; its URL is in $url
	psql "$SKALD_TEST_POSTGRES" -qc "CREATE DATABASE $1_$$" || fail "no database"
	url=${SKALD_TEST_POSTGRES%/*}/$1_$$
}
query() { psql "$url" -v ON_ERROR_STOP=1 -qAtc "$1"; }
schema_of() { pg_dump --no-owner "$url" | grep -v '^\\\(un\)\?restrict'; }
newest=$(find schemas/postgres -name '*.sql' | sed -E 's|.*/0*([0-9]+)_.*|\1|' | sort -n | tail -n 1)

# The embedded store.
for command in status plan up; do
	expect 0 "$skald" migrate $command --store "$dir/skald.db"; complains 'migrates itself'
	[ -z "$out" ] || fail "stdout is not empty: $out"
done
[ ! -e "$dir/skald.db" ] || fail "a file was made"

# Wrong calls, and a database that is away.
expect 2 "$skald" migrate up --slots 0 --store "$SKALD_TEST_POSTGRES"; complains '1 to 4096'
expect 2 "$skald" migrate up --slots 4097 --store "$SKALD_TEST_POSTGRES"
expect 2 "$skald" migrate; expect 2 "$skald" migrate down; complains 'unknown command'
expect 6 "$skald" migrate status --store "${SKALD_TEST_POSTGRES%:*}:1/postgres"; complains 'cannot connect'

# Several at once, on an empty database: one schema, and each reports success.
database many
expect 0 "$skald" migrate status --store "$url" -o json; says '"empty"'
[ -z "$(query "SELECT to_regclass('meta')")" ] || fail "status has changed the database"
at_once=()
for ((i = 0; i < 4; i++)); do
	"$skald" migrate up --store "$url" --slots 64 > "$dir/up$i" 2>&1 &
	at_once+=($!)
done
for pid in "${at_once[@]}"; do wait "$pid" || fail "one of several at once failed: $(cat "$dir"/up?)"; done
[ "$(query 'SELECT count(*) FROM slots')" = 64 ] || fail "not 64 slots"
expect 0 "$skald" migrate status --store "$url"; says 'up to date'
expect 0 "$skald" migrate plan --store "$url"
[ -z "$out" ] || fail "a plan where there is nothing to do: $out"
expect 0 "$skald" migrate up --store "$url"; complains "schema $newest"

# The plan, given to psql, makes the same as up did; the address may come from a file.
many=$url
database planned
printf 'store:\n  path: "%s"\n' "$url" > "$dir/skald.yaml"
expect 0 "$skald" migrate plan --config "$dir/skald.yaml" --slots 64; says 'CREATE TABLE'
psql "$url" -qv ON_ERROR_STOP=1 < "$dir/out" > "$dir/psql" 2>&1 || fail "psql: $(< "$dir/psql")"
url=$many schema_of | grep -v 'COPY\|-00000000\|^[0-9]*	' | sed 's/\t[0-9a-f-]\{36\}\t/\t/' > "$dir/by_up"
schema_of | grep -v 'COPY\|-00000000\|^[0-9]*	' | sed 's/\t[0-9a-f-]\{36\}\t/\t/' > "$dir/by_plan"
grep -q schema_version "$dir/by_up" || fail "the schema has no version"
diff "$dir/by_up" "$dir/by_plan" > "$dir/diff" || fail "the plan is not what up does: $(< "$dir/diff")"
expect 0 "$skald" migrate status --config "$dir/skald.yaml"; says 'up to date'

# A server on an older schema refuses, and changes nothing.
query "UPDATE meta SET value = '-1' WHERE name = 'schema_version'"
expect 1 timeout 30 "$skald" serve --port 0 --store "$url"; complains 'skald migrate up'
expect 1 "$skald" migrate status --store "$url" -o json; says '"older"'

# A newer one: refused, unless it says that this program may work with it.
query "UPDATE meta SET value = '999' WHERE name LIKE 'schema%'"
expect 1 timeout 30 "$skald" serve --port 0 --store "$url"; complains 'newer Skald'
expect 1 "$skald" migrate status --store "$url" -o json; says '"closed"'
expect 1 "$skald" migrate up --store "$url"; complains 'newer Skald'
query "UPDATE meta SET value = '$newest' WHERE name = 'schema_works_with'"
expect 0 "$skald" migrate status --store "$url" -o json; says '"newer"'
STORE=$url start_skald --batch-by slot
await_skald
stop_skald
# Of somebody else's table it keeps its hands.
database other
query 'CREATE TABLE meta (name text, value text)'
expect 1 "$skald" migrate up --store "$url"; complains "not one of Skald's"
