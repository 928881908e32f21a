#!/bin/bash
# Mistakes about commits, fences and keys in Postgres that the unit tests of its store have to find.
# Arguments name the mutants to try, none means all.
set -u
source "$(dirname "$0")/lib.sh"
tests=$build/tests/unit/connectors
targets="$tests/test_store_postgres $tests/test_store_postgres_queues $tests/test_store"
limit=240 only=$*
export tests
try() {
	"$tests/test_store_postgres" && "$tests/test_store_postgres_queues" && "$tests/test_store"
}
# check(3) says `file:line:F:case:test:0: what`, F for an assertion.
reason() { grep -a ':F:' | sed -E 's|^[^:]*/([a-z_]+\.c:[0-9]+):F:[a-z_]+:|\1 |'; }

services=$(mktemp -d)
trap 'tests/services.sh stop "$services"; rm -rf "$tree" "$services"' EXIT
# What a test leaves behind on the server when it fails must not make the next ones wait.
SERVICES=postgres POSTGRES_SETTINGS=$'fsync = off\nclient_connection_check_interval = 100' \
	tests/services.sh start "$services" > "$tree/url" || exit 1
SKALD_TEST_POSTGRES=$(sed 's/^SKALD_TEST_POSTGRES=//' "$tree/url")
export SKALD_TEST_POSTGRES CK_VERBOSITY=normal
prepare
unharmed

sql=connectors/store_postgres_sql.c commit=connectors/store_postgres_commit.c
# Who owns a slot.
mutant no-fence-check $sql 's/AND s\.token = f\.token/AND f.token IS NOT NULL/'
mutant token-kept-when-a-slot-moves $sql 's/(SET owner = \$2::uuid, token = )gen_random_uuid\(\)/\1s.token/'
mutant lease-not-looked-at $sql 's/(OR n\.id IS NULL OR n\.lease_until )< clock_timestamp\(\)\)/\1IS NOT NULL)/'
mutant old-owner-not-ended $sql 's/SELECT pg_terminate_backend\(a\.pid, 3000\)/SELECT a.pid/'
# What is accepted.
mutant predecessor-not-checked $sql 's/AND p\.seq = h\.seq - 1/AND p.seq = 1/'
mutant saga-without-its-key $sql 's/WHERE key IS NULL OR \(id IN/WHERE true OR (id IN/'
mutant counted-without-a-change $sql \
	's/UNION ALL SELECT namespace, status, 1 FROM changed WHERE old <> status/UNION ALL SELECT namespace, status, 1 FROM changed/'
# Commits of which nobody knows.
mutant unknown-commit-taken-as-failed $commit \
	's/(static void mark_lost\([^{]*\{)\n[^;]*;\n[^;]*;/\1\n\t(void)name;\n\tc->failure.fault = PG_FAULT_SERVER;/'
mutant unknown-commit-not-settled $commit 's/(int pg__settle\([^{]*\{)/\1\n\tpg__from(store)->lost.name[0] = 0;/'

# Queues: what is written and removed with a transition, and what beside it.
queues=connectors/store_postgres_queues.c tend=connectors/store_postgres_tend.c
joined() { echo "s/\\($1\\.saga_id IN \\(SELECT saga_id FROM accepted\\)\\) IS TRUE/true/"; }
mutant published-though-it-was-refused $sql "$(joined o)"
mutant inbox-emptied-without-the-transition $sql "$(joined i)"
mutant waits-though-it-was-refused $sql "$(joined a)"
mutant waits-no-more-though-it-was-refused $sql "$(joined d)"
mutant look-before-the-event-is-committed $queues \
	's/r = insert_events(\(s, events \+ from, some,) err\);([^;]*)r = announce\([^;]*;/r = announce\1 touched, err);\2r = insert_events\1 err);/'
mutant inbox-emptied-by-a-former-owner $sql 's/AND \(r\.slot IN \(SELECT slot FROM fence\)\) IS TRUE/AND true/'
mutant written-before-the-last-is-settled $tend 's/if \(s->lost\.name\[0\]\)/if (false)/'
mutant former-waiter-not-dropped $sql 's/\(d\.step IS NULL OR \(t\.step/(false OR (t.step/'

finish
