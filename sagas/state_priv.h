/*
 * What the parts of the fold share: state.c folds what the engine does, state_act.c what people do.
 */
#ifndef SAGAS_STATE_PRIV_H
#define SAGAS_STATE_PRIV_H

#include "sagas/state.h"

/* Replaces the string by a copy of `from`, or by NULL. */
void state__set_string(char **to, const char *from);

void state__set_jval(struct jval **to, struct jval *from);
/* It is over, in this way: nothing of it is out or due any more. */
void state__exec_end(struct exec *exec, enum exec_status status);
/* The step is as if it had never begun; its run stays what it was. */
void state__step_clear(struct saga_state *state, int step);
/* Nothing has begun. */
void state__init_carried(struct saga_state *state);
void state__signals_free(struct saga_state *state);
void state__grow_actions(struct step_state *step, int n);
/* … and so is one of several actions of it. */
void state__action_clear(struct action_state *action);

/* state_escalate.c */

/* What is watched has begun with this event. */
void state__watch_begin(struct watch *watch, const struct event *event);
/* It stood still for so long. */
void state__watch_shift(struct watch *watch, int64_t by);
void state__apply_escalated(struct saga_state *state, const struct event *event);
/* A person knows what is late. */
void state__late_seen(struct saga_state *state);
/* The step begins anew, and with it those that stand for its `escalate`. item -1: all of it. */
void state__forget_escalations(struct saga_state *state, int step, int item);
/* Whose child it is, once for all. */
void state__set_parent(struct saga_state *state, const struct event *event);

/* state_attention.c */

void state__derive_attention(struct saga_state *state);

/* state_lock.c */

/* The keys of a lock are asked for, in this history row. */
void state__lock_asked(struct action_state *action, const struct event *event, int64_t row);
/* What was held until this step had settled is given back. */
void state__release_locks(struct saga_state *state, int settled);

/* state_continue.c */

/* SagaContinued: the state is made anew, from what the event holds alone. ERR_INVALID: it does not
 * fit the definition, which is to be asked before. */
int state__check_continued(const struct saga_state *state, const struct event *event,
						   struct err *err) MUST_CHECK;
void state__apply_continued(struct saga_state *state, const struct event *event);

/* state_reset.c */

/* SagaReset: what follows is a new run. ERR_INVALID: it does not fit the definition, which is to be
 * asked before. */
int state__check_reset(const struct saga_state *state, const struct event *event,
					   struct err *err) MUST_CHECK;
void state__apply_reset(struct saga_state *state, const struct event *event);

/* state_act.c */

/* It begins anew, as another run. */
void state__forget_step(struct saga_state *state, int step);

void state__apply_act(struct saga_state *state, const struct event *event);
/* An await has read the signal of this id (may be NULL). */
void state__signal_read(struct saga_state *state, const char *id);
/* An act of this id (may be NULL) was taken. */
void state__note_act_id(struct saga_state *state, const char *id);

/* state_task.c */

/* Its request waits for a worker. */
bool state__is_task(const struct exec *exec);
void state__apply_task_leased(struct action_state *action, const struct event *event);

#endif
