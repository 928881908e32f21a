#!/bin/bash
# Mistakes in what children and parents tell each other; the families that are drawn at random, and
# the cases that are written down, have to find each. Arguments name the mutants to try.
set -u
source "$(dirname "$0")/lib.sh"
seeds=${SEEDS:-2000}
targets="$build/tests/unit/sagas/test_families $build/tests/unit/sagas/test_decide_child" limit=300 only=$*
try() { SEEDS=$seeds $build/tests/unit/sagas/test_families && $build/tests/unit/sagas/test_decide_child; }
reason() { grep -a 'seed [0-9]*: \|:[FE]:\|cannot be\|differ\|without an event\|would not wake'; }
prepare
unharmed

child=sagas/decide_child.c
mutant never-released $child 's/each_child\(ctx, release_child\);/(void)release_child;/'
mutant parent-not-told-of-the-end $child 's/tell_parent\(ctx, CHILD_COMPENSATED, NULL\);/(void)state;/'
mutant held-is-taken-for-done $child 's/ctx->holds = message->word == CHILD_HELD \? message->child : NULL;/ctx->holds = NULL;/'
mutant strays-are-left $child 's/if \(message->word != CHILD_HELD\)/if (message)/'
mutant started-in-vain-goes-on $child 's/tell_child\(ctx, target, id, CHILD_CANCEL, "abandoned", NULL\);/(void)target;/'
mutant not-told-to-turn-back $child 's/exec->status == EXEC_RUNNING \&\& exec->child \&\& !exec->child_told\)(\s+cancel\(ctx, target, "abandoned")/exec == NULL)\1/'
mutant past-the-pivot-it-turns-back $child 's/!state->failing \&\& !saga_state_past_pivot\(state\)/!state->failing/'
mutant holds-past-its-pivot $child 's/!state->parent->hold \|\| saga_state_past_pivot\(state\)/!state->parent->hold/'
mutant never-holds $child 's/return stays_held\(state\) \? EV_SAGA_HELD : EV_SAGA_COMPLETED;/return EV_SAGA_COMPLETED;/'
mutant limit-not-kept $child 's/\*ret_at = timeout_ms < 0 \? 0 : [^;]*;/*ret_at = 0;/'
mutant start-given-up-in-doubt sagas/decide_call.c 's/if \(act->kind == ACTION_CHILD \&\& ambiguous\)(\s+exhausted = false;)/if (false)\1/'
mutant start-in-doubt-abandoned sagas/decide_undo.c 's/kind == ACTION_CHILD \&\& run->status == EXEC_BACKING_OFF \&\& run->ambiguous/kind == ACTION_COUNT_NONE/' 's/ACTION_COUNT_NONE/ACTION_SET \&\& run->out/'
mutant start-not-repeated sagas/decide.c 's/exec->sent_before = exec->ambiguous = true;\s+if \(!ctx->state->paused\)(\s+decide__send_held_back\(ctx, target\);\s+\}\s+static void recover_exec)/if (false)\1/'
mutant undone-at-once sagas/decide_undo.c 's/decide__undo_by_child\(ctx, step, item\);\s+return;/(void)0;/'
mutant same-child-again sagas/decide_act_step.c 's/exec->request->kind == REQUEST_CHILD \&\& exec->child\)/exec->request->kind == REQUEST_CHILD \&\& !exec)/'
mutant child-forgotten-by-the-fold sagas/state.c 's/state__set_string\(\&exec->child, event->id\);/(void)event;/'
mutant held-forgotten-by-the-fold sagas/state.c 's/action->held = event->id != NULL;/(void)event;/'
mutant block-behind-the-pivot-fails sagas/def_load_block.c 's/def->recovery_forward = only_goes_forward\(load, step, undo\);/(void)only_goes_forward;/'
mutant item-not-seen-in-a-block sagas/env.c 's/if \(!env->made\[name\] \&\& \(name == EXPR_ITEM/if (env == NULL \&\& (name == EXPR_ITEM/'
mutant scope-without-steps $child 's/if \(block->scope\.n_steps > 0\)/if (block == NULL)/'

finish
