#!/bin/bash
# Mistakes about idempotency keys that tests/e2e/redis.sh has to find. Arguments name the mutants to
# try, none means all.
set -u
source "$(dirname "$0")/lib.sh"
targets="all $build/tests/tools/fits_openapi" limit=300 only=$*
try() { BUILD=$build tests/e2e/redis.sh; }
reason() { grep -a '^redis:'; }
prepare
unharmed

start=coordinator/api_start.c
# The store lets a second saga take the key.
mutant redis-alone-deduplicates connectors/store_sqlite_priv.h \
	's/INSERT INTO (idempotency"[^?]*VALUES[^)]*\)) ON CONFLICT DO NOTHING/INSERT OR REPLACE INTO \1/'
# The pointer is written when the start is posted.
mutant redis-before-the-commit $start \
	's/(static void make_id\()/static void remember(struct exchange *ex, const char *id);\n\1/' \
	's/(\tmemcpy\(call->id, start->id, sizeof\(call->id\)\);\n)(\tcall->def)/\1\tremember(ex, call->id);\n\2/'
mutant pointer-not-compared $start 's/(struct saga_view \*view\)\n\{\n\tchar fingerprint[^\n]*\n)/\1\n\tif (!start->posted)\n\t\treturn true;/'
mutant fingerprint-of-the-pointer-trusted $start 's/return start->posted \|\|/return true || start->posted ||/'
mutant dead-pointer-refuses-the-start $start 's/if \(!start->posted\)(\s+ex->next = leave_stale_pointer)/if (false)\1/'
mutant pointer-in-the-wrong-namespace connectors/idempotency_redis.c 's/strlen\(ns\), ns, strlen/(size_t)0, ns, strlen/'

finish
