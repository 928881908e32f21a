#!/bin/bash
# Mistakes about commits, fences and keys in Postgres that the unit tests of its store have to find.
# Arguments name the mutants to try, none means all.
set -u
source "$(dirname "$0")/lib.sh"
targets="$build/tests/unit/connectors/test_store_postgres $build/tests/unit/connectors/test_store"
limit=240 only=$*
try() {
	"$build/tests/unit/connectors/test_store_postgres" && "$build/tests/unit/connectors/test_store"
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

finish
