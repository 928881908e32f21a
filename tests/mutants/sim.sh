#!/bin/bash
# Mistakes that the simulator has to find. SEEDS= sets how many seeds each may take; arguments name
# the mutants to try, none means all.
set -u
source "$(dirname "$0")/lib.sh"
seeds=${SEEDS:-3000}
targets=$build/tests/sim/sim limit=900 only=$*
try() { $build/tests/sim/sim --brief yes --seeds "$seeds" --jobs "$(nproc)"; }
reason() { grep -a 'fails:\|never' | grep -v 'the process died'; }
prepare

# What leaves before it is durable.
mutant calls-before-commit coordinator/turn_stage.c \
	's/(turn->n_committing\+\+;)/for (size_t k = 0; k < saga->decision.n_commands; k++)\n\t\tturn->ports->call(turn->ctx, saga->id, \&saga->decision.commands[k]);\n\tsaga->decision.n_commands = 0;\n\t\1/'
mutant acknowledged-before-commit coordinator/turn_stage.c \
	's/(turn->n_committing\+\+;)/turn__finish_consumed(turn, saga, false);\n\t\1/'
mutant unknown-commit-is-success coordinator/turn_commit.c \
	's/if \(batch->result < 0\)(\s+commit_failed)/if (batch->result < 0 \&\& batch->result != ERR_UNKNOWN)\1/'
mutant unknown-commit-taken-as-failed coordinator/turn_commit.c \
	's/batch->result == ERR_UNKNOWN\);/false);/'
mutant unknown-commit-not-settled tests/support/world.c \
	's/\t\t\treturn; \/\* to be settled[^\n]*\n/\t\t\t(void)0;\n/'
# Who is started, and how often.
mutant keys-do-not-collide connectors/store_sqlite_write.c 's/item->verdict = STORE_DUPLICATE/item->verdict = STORE_ACCEPTED/'
# Keys and requests.
mutant undo-has-the-key-of-do sagas/decide_request.c 's/step_key\(env->state, env->step, env->item, what_text\(kind\), key\)/step_key(env->state, env->step, env->item, "do", key)/'
mutant items-share-a-key sagas/env.c 's/if \(item >= 0\)/if (item >= 9999)/'
mutant undo-computed-again sagas/decide_undo.c 's/if \(!action->undo\.request\)/if (action)/'
# What is undone, when, and in which order.
mutant undo-in-any-order sagas/decide_undo.c 's/if \(saga_state_dependants_undone\(state, i\)\)/if (i >= 0)/'
mutant ambiguous-is-not-done sagas/decide_reply.c 's/bool ambiguous = !knows[^;]*;/bool ambiguous = false;/'
mutant ambiguous-is-not-armed sagas/decide_forward.c 's/if \(ambiguous\)(\s+decide__arm)/if (false)\1/'
mutant undo-before-it-settled sagas/decide_undo.c 's/action->run\.settle_at <= ctx->now \&\&/true \&\&/'
mutant grace-left-out sagas/decide_call.c 's/return timeout_ms < GRACE_MIN_MS \? GRACE_MIN_MS : timeout_ms;/return timeout_ms * 0;/'
mutant absent-believed-too-early sagas/decide_reply.c 's/bool settled = exec->settle_at <= exec->ask;/bool settled = true;/'
mutant tolerated-is-not-undone sagas/decide_forward.c 's/(action->comp == COMP_ARMED) \&\& action->run\.settle_at <= ctx->now\)(\s+decide__start_undo)/\1 \&\& false)\2/'
mutant no-pivot sagas/state_derive.c 's/return state->pivot_scheduled \|\| [^;]*;/return false;/'
# The way forward.
mutant needs-not-awaited sagas/decide_forward.c 's/if \(!state->steps\[def->needs\[i\]\]\.settled\)/if (!state->steps[def->needs[i]].begun)/'
mutant late-replies-accepted sagas/decide_reply.c 's/return \(kind_is_probe\(in->kind\) \? exec->probe_out : exec->out\) && in->attempt == exec->attempt;/return true;/'
mutant timers-early sagas/state.c 's/->due_at = event->due_at;/->due_at = event->due_at ? event->due_at - 300 : 0;/g'
# What persons do.
mutant act-allowed-past-the-pivot sagas/act_allowed.c 's/if \(saga_state_past_pivot\(state\)\)(\s+return err_set)/if (false)\1/'
mutant paused-saga-still-sends sagas/decide.c 's/if \(state->paused\)(\s+return;)/if (false)\1/' 's/if \(wanted \&\& ctx->state->paused\)/if (false)/' 's/if \(wanted \&\& !ctx->state->paused\)/if (wanted)/'
mutant resumed-without-what-was-held-back sagas/decide_act.c 's/each_target\(ctx, decide__send_held_back\);/(void)each_target;/'
mutant pause-does-not-move-time-outs sagas/state_act.c 's/exec->due_at \+= by;/exec->due_at += 0;/'
mutant edited-request-keeps-its-key sagas/decide_edit.c 's/"%\.\*s~%d", /"%.*s", /'
mutant edit-of-what-may-have-happened sagas/act_allowed_step.c 's/\&\&\s+!saga_exec_is_ambiguous\(exec, def->kind\);/\&\& def;/'
mutant did-not-happen-ignored sagas/state_act.c 's/(static void did_not_happen\([^{]*\{)/\1\n\tif (state)\n\t\treturn;/'
mutant act-id-not-looked-at sagas/decide_act.c 's/if \(saga_act_is_known\(ctx->state, act->id\)\)/if (saga_act_is_known(ctx->state, NULL))/'
mutant begins-anew-what-stands sagas/act_allowed_forget.c 's/(static int check_done\([^{]*\{)/\1\n\tif (forget)\n\t\treturn 0;/'
mutant runs-share-a-key sagas/env.c 's/if \(saga_state_run\(state, step\) > 1\)/if (saga_state_run(state, step) > 99)/'
mutant rows-of-what-begins-anew-stay coordinator/turn_stage.c 's/if \(!is_forgotten\(saga->state, armed\)\)/if (armed || !is_forgotten(saga->state, armed))/'
# What goes over into the next run, and into another version.
mutant carried-in-the-wrong-order sagas/decide_continue.c 's/json_array_append_new\(carried, entry\);/json_array_insert_new(carried, 0, entry);/'
mutant carried-keeps-no-request sagas/decide_continue.c 's/if \(action->undo\.request\)(\s+json_object_set_new_nocheck\(entry, "request")/if (action->undo.request \&\& entry == carried)\1/'
mutant run-begins-on-the-way-back sagas/decide_continue.c 's/if \(ctx->state->failing \|\| has_continued/if (has_continued/'
mutant notices-of-runs-are-one sagas/def.h 's/return watched >= 0 \&\& watched == def->carried \? entry->carried_step : entry->step;/return watched == -9 ? def->carried : entry->step;/'
mutant migrates-whatever-was-decided coordinator/migrate.c 's/return r == 0 \? replays\(reader, view, def, err\) : r;/return reader ? r : replays(reader, view, def, err);/'
mutant migrated-state-stays coordinator/turn_commit.c 's/if \(committed \&\& saga->migrated_to\)/if (false)/'
# What is waited for, of which the first wins.
mutant limit-passed-over sagas/decide_await.c 's/bool limit = exec->deadline_at \&\&[^;]*;/bool limit = exec->deadline_at \&\& !exec->due_at;/'
mutant list-leaves-its-signal sagas/state.c 's/def->act\.kind == ACTION_AWAIT_SIGNAL \|\| def->act\.kind == ACTION_AWAIT\b/def->act.kind == ACTION_AWAIT_SIGNAL/'
mutant list-of-one-place coordinator/transition.c 's/\.place = from->place/.place = 0/'
# What people are asked and told.
mutant quorum-of-one sagas/approval.c 's/>= quorum\(approval, "approve"\)\)/>= 1)/'
mutant excluded-may-decide sagas/approval.c 's/if \(has_text\(asked\(approval, "exclude"\), act->by\)\)/if (false)/'
mutant decides-twice sagas/approval.c 's/if \(had\)(\s+return err_set)/if (had \&\& !act)\1/'
mutant decision-not-folded sagas/state_act.c 's/if \(approval \&\& event->by\)/if (false \&\& event->by)/'
mutant told-too-early sagas/decide_escalate.c 's/return from \+ ms;/return from + ms \/ 2;/'
mutant told-after-the-end sagas/state_escalate.c 's/return exec->watch\.from \&\&\s+\(saga_exec_is_open\(exec\) \|\| [^;]*;/return exec->watch.from != 0;/'
mutant pause-does-not-hold-escalations sagas/state_act.c 's/state__watch_shift\(\&exec->watch, by\);//'
mutant escalations-share-a-key sagas/env.c 's/def->entry \+ 1\);/1);/'
# Recovery, sleep, and rows.
mutant recovery-sends-nothing sagas/decide.c 's/if \(!ctx->state->paused\)(\s+)decide__send_held_back\(ctx, target\);/(void)settles;/'
mutant recovery-forgets-it-was-sent sagas/decide.c 's/exec->sent_before = exec->ambiguous = true;/(void)settles;/'
mutant due-at-not-cleared coordinator/turn_stage.c 's/row->due_at = saga->next_due_at;/row->due_at = saga->next_due_at ? saga->next_due_at : saga->row_due_at;/'
mutant sleepers-forgotten coordinator/turn_load.c 's/turn->poll_at = turn->now \+ turn->poll_every_ms;/turn->poll_at = 0;/'
mutant attention-not-stored coordinator/turn_stage.c 's/row->attention = copy_attention\([^;]*;/row->attention = (struct attention_ref){0};/'
mutant event-loses-a-field sagas/event.c 's/\tX\("settle_at", settle_at\)//' 's/(X\("deadline_at", deadline_at\)) +\\\n/\1\n/'
# Commands over Kafka.
mutant time-out-before-the-queues-are-read sagas/decide.c 's/return at <= ctx->in->queues_read_until;/return at > 0 || ctx != NULL;/'
mutant reply-of-an-older-attempt-ignored sagas/decide_reply.c 's/return final \|\| judgement->outcome == OUTCOME_ONGOING;/return final \&\& exec->attempt > 99;/'
mutant id-of-a-command-changes-per-attempt sagas/command_record.c 's/\.id = request->correlation,/.id = address->attempt > 1 ? address->topic : request->correlation,/'
mutant reply-acknowledged-before-its-commit coordinator/turn_decide.c \
	's/(feed_mail\(turn, saga, mail, now\);)\n\t\tmail_list_push\(&saga->consumed, mail\);/\1\n\t\tif (mail->type == MAIL_DELIVERY)\n\t\t\tturn__end_delivery(turn, mail_delivery(mail), 0, false);\n\t\telse\n\t\t\tmail_list_push(\&saga->consumed, mail);/'
mutant late-success-told-to-nobody sagas/decide_reply.c 's/if \(action->late_success \|\|/if (action || action->late_success ||/'
mutant published-time-out-is-no-effect sagas/decide_call.c 's/decide__attempt_failed\(ctx, target, OUTCOME_UNKNOWN, true, false, "timeout"/decide__attempt_failed(ctx, target, OUTCOME_UNKNOWN, false, false, "timeout"/'
# Tasks.
mutant lease-is-not-fenced sagas/decide_task.c 's/exec->status == EXEC_RUNNING \&\&\s+exec->attempt == in->attempt \&\& exec->nonce \&\&\s+strcmp\(exec->nonce, in->nonce\) == 0;/exec->status == EXEC_RUNNING;/'
mutant expired-lease-had-no-effect sagas/decide_task.c 's/OUTCOME_UNKNOWN, true, false, "lease_expired"/OUTCOME_UNKNOWN, false, false, "lease_expired"/'
mutant paused-saga-gives-out-work sagas/decide_task.c 's/if \(ctx->state->paused\)(\s+return "its saga is paused";)/if (false)\1/'
mutant two-workers-have-a-task sagas/decide_task.c 's/if \(exec->status == EXEC_RUNNING\)(\s+return "another worker has it";)/if (false)\1/' 's/if \(exec->status != EXEC_QUEUED\)(\s+return "it is not wanted any more";)/if (exec->status != EXEC_QUEUED \&\& exec->status != EXEC_RUNNING)\1/' 's/return exec->due_at > ctx->now/return exec->status == EXEC_QUEUED \&\& exec->due_at > ctx->now/'
# Events.
mutant event-ends-two-awaits sagas/decide_kafka.c 's/if \(used && strcmp\(used, id\) == 0\)/if (used \&\& !id)/'
mutant early-events-not-looked-for coordinator/turn_inbox.c 's/(void turn__look\([^{]*\{)/\1\n\tif (saga)\n\t\tturn__look_no_more(saga);/'
mutant when-of-an-await-not-looked-at sagas/decide_kafka.c 's/if \(decide__event_matches\(&act->await_kafka, &env\)\)/if (decide__event_matches(\&act->await_kafka, \&env) || env.event)/'
mutant read-until-believed-before-the-inbox-is-read coordinator/turn_inbox.c 's/(turn->inbox\.told_until = until;)/\1\n\tbelieve(turn, until);/' 's/(void turn_queues_read\()/static void believe(struct turn *turn, wall_ms until);\n\1/'
# Children.
child=sagas/decide_child.c
mutant child-never-released $child 's/each_child\(ctx, release_child\);/(void)release_child;/'
mutant child-held-is-taken-for-done $child 's/ctx->holds = message->word == CHILD_HELD \? message->child : NULL;/ctx->holds = NULL;/'
mutant child-that-nobody-waits-for-stays $child 's/if \(message->word != CHILD_HELD\)/if (message)/'
mutant child-ends-a-saga-that-has-ended $child 's/action->comp == COMP_RUNNING \&\& !ended\)/action->comp == COMP_RUNNING)/'
mutant child-with-any-key coordinator/child_request.c 's/\*ret_key = xstrdup\(request->key\);/*ret_key = xasprintf("%s\/%p", request->key, (void *)err->text + (size_t)rand());/'
mutant child-has-no-room-in-memory coordinator/turn.c 's/call->parent \? \(size_t\)call->depth \* MEMORY_SLACK : 0/call->parent ? 0 : 0/'
mutant child-messages-not-in-the-commit coordinator/transition.c 's/item->n_messages = ([^;]*);/item->n_messages = 0 * (\1);/'
mutant call-of-the-next-run-not-sent coordinator/turn_commit.c 's/ \&\&\s+sent->run == command->run\)/)/'
# The outbox.
mutant emission-not-in-the-outbox coordinator/transition.c 's/item->n_outbox = outbox->n_events;/item->n_outbox = outbox->n_events - 1;/'
mutant outbox-without-the-history connectors/store_sqlite_write.c 's/if \(rc == SQLITE_DONE && item->verdict == STORE_ACCEPTED\)(\s+rc = store_sqlite__write_messages)/if (rc == SQLITE_DONE)\1/'
mutant outbox-in-any-order connectors/store_sqlite_priv.h 's/(> \(\?1, \?2, \?3\) ORDER BY saga_id, )seq, place"/\1seq DESC, place DESC"/'
mutant two-records-share-an-id sagas/outbox.c 's/\(long long\)origin->seq, place/(long long)0, place/'

finish
