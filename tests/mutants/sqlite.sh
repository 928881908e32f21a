#!/bin/bash
# Mistakes about what the SQLite store keeps for operators, and about its lists, that the contract of
# stores and its own tests have to find. Arguments name the mutants to try, none means all.
set -u
source "$(dirname "$0")/lib.sh"
tests=$build/tests/unit/connectors
targets="$tests/test_store $tests/test_store_sqlite"
limit=120 only=$*
export tests
try() { STORES=sqlite "$tests/test_store" && "$tests/test_store_sqlite"; }
# check(3) says `file:line:F:case:test:0: what`, F for an assertion.
reason() { grep -a ':F:' | sed -E 's|^[^:]*/([a-z_]+\.c:[0-9]+):F:[a-z_]+:|\1 |'; }
export CK_VERBOSITY=normal
prepare
unharmed

tally=connectors/store_sqlite_tally.c sql=connectors/store_sqlite_operators.h
list=connectors/store_sqlite_list.c batches=connectors/store_sqlite_batches.c
migration=schemas/sqlite/0004_operators.sql
# Counters.
mutant old-status-keeps-its-count $tally 's/count\(tally, before->count, before->status, -1\)/(void)0/'
mutant counts-outlive-a-transaction $tally 's/memset\(count->add, 0, sizeof\(count->add\)\)/(void)0/'
mutant versions-are-one $tally 's/count->version == version && //'
mutant ends-twice $tally 's/ &&\n\t\t!\(before && saga_status_is_terminal\(before->status\)\)\)/)/'
mutant rates-by-the-hour $tally 's/MINUTE_MS = 60 \* 1000/MINUTE_MS = 3600 * 1000/'
mutant nobody-leaves-a-group $tally 's/find_group\(tally, ns, group\)->left\+\+|find_group\(tally, row->ns, was\)->left\+\+/(void)0/g'
mutant joins-again-at-each-change $tally 's/if \(strcmp\(was, is \? is : ""\) == 0\)/if (!*was \&\& !is)/'
mutant the-sample-has-left $sql 's/AND n > 0 AND NOT EXISTS/AND n < 0 AND NOT EXISTS/'
mutant first-seen-is-kept $sql 's/CASE WHEN n <= 0 THEN/CASE WHEN n < 0 THEN/'
mutant told-groups-go $sql 's/ AND notified_at IS NULL"/ "/'
mutant marks-are-not-taken-back connectors/store_sqlite_write.c 's/before->marked \|\| //'
mutant retain-counts-nothing connectors/store_sqlite_tend.c 's/\t\tstore_sqlite__tally_gone\([^;]*;/\t\t(void)0;/'
mutant old-rates-stay $batches 's/RATE_KEEP_DAYS \* 24/RATE_KEEP_DAYS * 48/'
mutant nothing-old-is-counted $migration 's/INSERT INTO definition_counts\n[^;]*;//'
# What is said by revision.
mutant any-revision-of-a-group connectors/store_sqlite_operators.c 's/&& revision == row->revision\)\n/\&\& revision >= row->revision)\n/'
mutant any-revision-of-a-batch $batches 's/stored->revision != row->revision\)/stored->revision < row->revision)/'
mutant items-counted-twice $batches 's/\tif \(was >= 0\)\n\t\tn\[was\]--;//'
mutant items-stay $batches 's/\{W_BATCH_ITEMS_DELETE, W_BATCH_DELETE\}/{W_BATCH_DELETE}/'
# Lists.
mutant looks-without-end $list 's/if \(looks-- == 0\)/if (looks-- == INT32_MIN)/'
mutant a-full-page-says-where-it-looked $list "s/(\n\t)filter->looked_to\[0\] = '.0';\n\treturn rc/\1return rc/"
mutant passes-over-one-at-the-bound $list 's/if \(looks == 0\)\n(\t\t\tSTORE_SQLITE_COPY\(stmt, COL_ID)/if (looks <= 1)\n\1/;s/if \(looks-- == 0\)/if (--looks == 0)/'
mutant an-exact-key-is-a-glob $list 's/filter->key_exact \|\| //'
mutant newest-only $list 's/filter->oldest_first \? " ORDER BY id" : //'
mutant ids-bound-too-closely $list 's/filter->started_before \+ ID_LATER_MS/filter->started_before - ID_LATER_MS/'
mutant kinds-without-their-index $list 's/INDEXED BY sagas_attention_kind/NOT INDEXED/'
# What runs long.
long=connectors/store_sqlite_long.c long_sql=connectors/store_sqlite_long.h
mutant waits-for-another-key-and-gets-one $long 's/rc == SQLITE_DONE && !blocked/rc == SQLITE_DONE/'
mutant who-came-later-first $long_sql 's/AND o\.ticket < \?1/AND o.ticket > ?1/'
mutant nobody-looks-when-a-key-is-free $long 's/\{W_LOCK_CALL_OF, W_LOCK_RELEASE\}/{W_LOCK_RELEASE}/'
mutant tokens-begin-anew $long 's/\{W_LOCK_FLOOR, W_LOCK_KEYS_EXPIRE\}/{W_LOCK_KEYS_EXPIRE}/'
mutant tokens-are-not-kept $long 's/\{W_LOCK_GRANT, W_LOCK_KEYS\}/{W_LOCK_GRANT}/'
mutant tasks-outlive-their-saga $long 's/rc = run_for_saga\(s, W_TASKS_DELETE_ALL, item->saga_id\)/rc = SQLITE_DONE/'
mutant a-key-of-any-saga-is-free $long_sql 's/ AND status = .compensated.\)/)/'
mutant the-other-queue-as-well $long_sql 's/" AND queue = \?3", "\?4"/"", "?4"/'
mutant searched-by-one-value $list 's/i < filter->n_search; i\+\+\)\n\t\tbuf_printf/i < 1 \&\& i < filter->n_search; i++)\n\t\tbuf_printf/'
mutant trims-what-a-fold-needs $long_sql 's/AND seq < \?2 AND at/AND seq <= ?2 AND at/'

finish
