#!/bin/bash
# Mistakes in how batches go that their unit tests have to find. Arguments name the mutants to try,
# none means all.
set -u
source "$(dirname "$0")/lib.sh"
targets="$build/tests/unit/coordinator/test_batch_runs $build/tests/unit/coordinator/test_batch_call"
limit=120 only=$*
try() { "$build/tests/unit/coordinator/test_batch_runs" && "$build/tests/unit/coordinator/test_batch_call"; }
reason() { grep -aE ':[FE]:'; }
prepare
unharmed

run=coordinator/batch_run.c runs=coordinator/batch_runs.c call=coordinator/batch_call.c
mutant taken-from-who-lives $runs 's/row->runner_seen_at \+ BATCH_ABANDONED_MS <= now/true/'
mutant never-taken-over $runs 's/row->runner_seen_at \+ BATCH_ABANDONED_MS <= now/false/'
mutant goes-on-after-it-was-lost $run 's/(\tif \()mine && (row->status != BATCH_DONE)/\1\2/'
mutant stop-is-not-seen $run 's/\tcase BATCH_STOPPED:\n\t\treturn wind_up/\tcase BATCH_STOPPED:\n\t\treturn act_on/'
mutant closed-rows-are-not-looked-at $runs 's/(\t\tif \()(!is_among)/\1false \&\& \2/'
mutant forgets-what-is-out-at-a-stop $run 's/(wind_up[^{]*\{[^}]*if \()run->n_out > 0/\1false/'
mutant keeps-the-batch-when-it-leaves $run 's/\tnext = run->row;\n\tnext.runner = NULL;/\tnext = run->row;/'
mutant rate-is-ignored $run 's/rate > 0 && run->begin_at_us > now_us/false/'
mutant makes-up-for-a-pause $run 's/\tif \(run->begin_at_us < now_us - BURST_US\)/\tif (run->begin_at_us == 0)/'
mutant too-many-at-once $run 's/i < run->n && run->n_out < BATCH_OUT_MAX/i < run->n/'
mutant no-backoff $run 's/entry->not_before_us = [^;]*;/entry->not_before_us = now_us;/'
mutant tries-without-end $run 's/\+\+entry->tries >= BATCH_ACT_TRIES/false/'
mutant refusals-are-done $run 's/BATCH_ITEM_REFUSED, act/BATCH_ITEM_DONE, act/'
mutant a-row-for-each-saga $run 's/run->n_ended >= BATCH_WRITE_ITEMS/run->n_ended > 0/'
mutant drops-what-was-not-written $run 's/\tif \(r == 0\)\n\t\tdrop_outcomes/\tdrop_outcomes/'
mutant an-empty-page-is-the-last coordinator/batch_select.c 's/ && !filter->looked_to\[0\]//'
mutant takes-sagas-that-began-later coordinator/batch_select.c 's/filter->started_before = before;/;/'
mutant past-the-limit $run 's/room < \(int64_t\)select->n/false/'
mutant loses-what-begins-anew $run 's/(BATCH_ITEM_PENDING\] > )0\) \{\n\t\trun->read_to/\1INT64_MAX) {\n\t\trun->read_to/'
mutant another-id-for-the-owner $call 's/(json_object_set_new\(\*ret_json, "id", json_string\()task->id/\1task->ns/'
mutant unknown-routes-refuse $call 's/code && strcmp\(code, "route_not_found"\) != 0/code/'
mutant fenced-is-refused $call 's/\tcase ERR_NOT_BUILT:/\tcase ERR_NOT_BUILT:\n\tcase ERR_FENCED:/'
mutant finds-the-id-in-a-payload $call 's/if \(there && strcmp\(there, id\) == 0\)/if (true)/'

finish
