/*
 * What the parts of decide share. Each part handles one subject:
 *
 *   decide.c          the entry, starts, acts, timers, emitting
 *   decide_request.c  making requests
 *   decide_call.c     sending, sending again
 *   decide_reply.c    what an answer does to an action
 *   decide_forward.c  the way forward: what can begin, what has settled
 *   decide_undo.c     the way back
 *   decide_kafka.c    records that are emitted, events that are awaited or cancel
 *   decide_signal.c   signals, and what waits for them
 *   decide_lock.c     locks: asked for, granted, given back
 *   decide_search.c   what a saga is found by
 *   decide_continue.c the end of a run, and the beginning of the next
 *   decide_await.c    awaits of webhooks, and of several things
 *   decide_callback.c answers through step.callback_url
 *   decide_task.c     tasks, and the workers that lease them
 *   decide_approval.c what people are asked to decide
 *   decide_escalate.c what is told when something takes too long
 *   decide_child.c    children, and the saga that is one
 *   decide_act.c      what people do to the saga
 *   decide_act_step.c … to a step or its compensation
 *   decide_edit.c     requests that people edit
 *   decide_reset.c    a new run of a saga that has ended
 */
#ifndef SAGAS_DECIDE_PRIV_H
#define SAGAS_DECIDE_PRIV_H

#include "sagas/decide.h"
#include "sagas/env.h"

enum {
	GRACE_MIN_MS = 10000,           /* at least so long may an unanswered call still take effect */
	DEADLINE_DEFAULT_MS = 86400000, /* of a forward step that says none: nothing waits for ever */
	HISTORY_MAX_EVENTS = 50000,
	HISTORY_MAX_BYTES = 50 * 1024 * 1024,
	IGNORED_MAX = 100,              /* so many late or duplicate replies a history tells of */
	REST_AFTER_MS = 10000,          /* a command that waits longer may let its saga sleep, */
	REST_WORTH_MS = 70000,          /* if its reply has so much time left when it is sent, */
	REST_ONGOING_WORTH_MS = 600000, /* and this much when it is sent again while it is worked on */
	CHILD_DEPTH_MAX = 16,           /* sagas above one */
	RECORD_MAX_HEADERS = 48,        /* that a definition gives to a record of Kafka */
	RECORD_HEADER_MAX_BYTES = 8 * 1024,
	RECORD_KEY_MAX_BYTES = 16 * 1024,
};

struct ctx {
	struct saga_state *state;
	const struct input *in;
	uint64_t random; /* drawn from in->random; advances with each use */
	wall_ms now;
	struct decision *decision;
	const char *holds; /* the child that undoes what completes now; NULL: none */
	const char *by;    /* who says how an action ended, instead of its participant; NULL: nobody */
	/* A replay: the row of the history, in which stand the nonces that were drawn then. */
	const json_t *replayed;
};

/* One thing being done: the forward action or the undo of an item. */
struct target {
	int step, item;
	enum side side;
};

/* decide.c */

/* An event of this step and item, to be filled in and emitted. */
struct event decide__event(enum event_type type, int step, int item);
/* A copy that is UTF-8; NULL for what is NULL or empty. */
char *decide__clean_copy(const char *text);
/* Copies code and message (either may be NULL) into the event. */
void decide__error(struct event *event, const char *code, const char *message);
/* Folds the event and takes it over. */
void decide__emit(struct ctx *ctx, struct event *event);
/* The item to write in events: -1 where a step has just one action. */
int decide__item(const struct saga_state *state, int step, int index);
/* Steps of on_compensated, steps past the pivot, and sagas that only go forward. */
bool decide__forward_only(const struct saga_state *state, int step);
struct exec *decide__exec(const struct ctx *ctx, struct target target);
const struct action_def *decide__action_def(const struct ctx *ctx, struct target target);
/* A cancel is asked for, and takes effect. id: of the event that asks; may be NULL. */
void decide__cancel(struct ctx *ctx, const char *by, const char *reason, const char *id);
/* Sends, or asks after, a call that nobody has sent in this process: it was lost with an earlier
 * owner, or held back by a pause. */
void decide__send_held_back(struct ctx *ctx, struct target target);
/* Takes the saga as far as it goes, forward or backward, until only the world can move it. */
void decide__advance(struct ctx *ctx);
/* What is due takes effect. */
void decide__timers(struct ctx *ctx);
/* The way back begins. */
void decide__fail_saga(struct ctx *ctx, int step, const char *code, const char *message);

/* What arrived through a queue wins over what ran out: a time-out that was due at `at` may take
 * effect, since all that came before it has been read. */
bool decide__queues_are_read(const struct ctx *ctx, wall_ms at);
/* The same of what would end what is waited for. */
bool decide__is_read(const struct ctx *ctx, enum awaits awaits, wall_ms at);
/* What cancels the saga as its definition says; where it is too late, that is told, and no more. */
struct cancelling {
	const char *by, *reason, *id;
};
void decide__cancel_by(struct ctx *ctx, const struct cancelling *by);
/* The signal that was told last may be one that cancels the saga; true: it has. */
bool decide__signal_cancels(struct ctx *ctx);

/* decide_request.c */

/* Of an action that sends something. ask: the number of a probe, else 0. */
int decide__request(const struct action_def *act, struct env *env, enum call_kind kind, int64_t ask,
					struct request **ret_request, struct err *err) MUST_CHECK;

/* What an answer says it is to: "<ns>/<saga>/<step>…". */
void decide__make_correlation(const struct env *env, enum call_kind kind, int64_t ask,
							  struct request *request);

/* decide_call.c */

/* Evaluates a time limit: *ret_ms is -1 when there is none. */
int decide__limit(const struct ctx *ctx, const struct limit *limit, struct env *env,
				  int64_t *ret_ms, struct err *err) MUST_CHECK;
/* So long from now, and never past the last year that a time can say. */
wall_ms decide__at(const struct ctx *ctx, int64_t ms);
/* One attempt's limit as the definition says it, whatever is left of the deadline. */
int64_t decide__full_timeout(const struct action_def *act, struct env *env, const struct ctx *ctx);
/* When the first attempt of a command times out, if its reply does not come; 0: not a command. */
wall_ms decide__reply_due(const struct ctx *ctx, const struct action_def *act, struct env *env,
						  wall_ms deadline_at);
wall_ms decide__later(wall_ms a, wall_ms b);
/* Until when a call that is out now, or was a moment ago, may take effect without an answer. */
wall_ms decide__settles(struct ctx *ctx, struct target target, bool attempt_is_over);
/* … the command that is out now, if it is one: nobody knows which attempt a reply is to. */
wall_ms decide__command_settles(struct ctx *ctx, struct target target);
/* The attempt's own limit: its timeout, cut at the deadline of all attempts. */
int64_t decide__timeout_left(struct ctx *ctx, struct target target);
/* Sends the call of a target (attempt exec->attempt) once the events are durable. */
void decide__send(struct ctx *ctx, struct target target);
/* The action waits for a person. outcome: OUTCOME_UNKNOWN or OUTCOME_FAILURE. */
void decide__park(struct ctx *ctx, struct target target, enum outcome outcome, const char *code,
				  const char *message);
/* What waited for a person, and was only asked after, waits again. outcome: as of decide__park. */
void decide__rest_again(struct ctx *ctx, struct target target, enum outcome outcome,
						const char *code, const char *message);
/* Sends again, after a restart, what may have been sent; keeps to its time-out if that is far. */
void decide__send_again(struct ctx *ctx, struct target target);
/* The producer has done with a command, or with a probe that is one. */
void decide__published(struct ctx *ctx, struct target target);
/* Asks the probe of a target, or sends again where there is none. */
void decide__probe(struct ctx *ctx, struct target target);
/* An error with this code is final. */
bool decide__non_retryable(const struct retry_policy *retry, const char *code);
/* The due time of a target has come. */
void decide__due(struct ctx *ctx, struct target target);
/* The probe that was asked says nothing, or not in time: it is asked again later. */
void decide__probe_unknown(struct ctx *ctx, struct target target);
/* An attempt ended without a definite outcome (or with a failure that must be tried again). */
void decide__attempt_failed(struct ctx *ctx, struct target target, enum outcome outcome, bool sent,
							bool answered, const char *code, const char *message);

/* decide_reply.c */
struct judgement;
void decide__reply(struct ctx *ctx);
/* What the answer in ctx->in does. of_action: it is for the action, whichever attempt caused it. */
void decide__judge(struct ctx *ctx, struct target target, bool of_action);
/* What a success gives, of the answer that env has; NULL: nothing. */
int decide__output(const struct ctx *ctx, struct target target, struct env *env,
				   struct jval **ret_output, struct err *err) MUST_CHECK;
/* What an answer that is awaited does, and one that is not; ctx->in and env hold it. */
void decide__act_on(struct ctx *ctx, struct target target, const struct judgement *judgement,
					struct env *env);
void decide__ignore_reply(struct ctx *ctx, struct target target, const struct judgement *judgement);
/* It can never be sent: a definite failure. */
void decide__refused(struct ctx *ctx, struct target target, const char *code, const char *message);
/* Step and item are from outside: whether the state has such an action. */
bool decide__action_exists(const struct saga_state *state, int step, int item);
/* … and if its probe is meant, whose definition it is. */
const struct action_def *decide__answered_def(const struct ctx *ctx, struct target target,
											  enum call_kind kind);

/* decide_forward.c */

/* Takes every step forward that can be taken; ends the saga when all is settled. */
void decide__forward(struct ctx *ctx);
/* Begins the action, or takes that it cannot be begun as its failure. */
void decide__begin_action(struct ctx *ctx, int step, int item);
/* Steps first to last-1 as one DAG; true when all have settled. */
bool decide__run_steps(struct ctx *ctx, int first, int last);
/* The step's `tolerate`, for the failure in env. */
bool decide__tolerates(struct ctx *ctx, int step, struct env *env);
/* Another item or turn of the pivot has taken effect, or may yet. */
bool decide__pivot_may_be_done(const struct saga_state *state, int item);
/* The forward action of an item has ended in success. */
void decide__completed(struct ctx *ctx, int step, int item, struct jval *output, struct env *env);
/* … or for good without it. outcome: OUTCOME_FAILURE, or OUTCOME_UNKNOWN. */
void decide__failed(struct ctx *ctx, int step, int item, enum outcome outcome, bool ambiguous,
					wall_ms settle_at, const char *code, const char *message, struct env *env);

/* decide_undo.c */

/* Stores how the item will be undone, if it can be. env may hold the reply. */
void decide__arm(struct ctx *ctx, int step, int item, struct env *env);
/* What decide__arm would store; *ret_request is NULL where that is nothing, or not yet. */
int decide__undo_request(struct ctx *ctx, int step, struct env *env, struct request **ret_request,
						 struct err *err) MUST_CHECK;
void decide__start_undo(struct ctx *ctx, int step, int item);
void decide__backward(struct ctx *ctx);

/* decide_kafka.c */

/* The forward action is a record to be emitted: begun and done at once. */
int decide__emit_record(struct ctx *ctx, int step, int item, struct env *env,
						struct err *err) MUST_CHECK;
/* The record that stands for a request leaves with the commit. */
void decide__add_emission(struct ctx *ctx, struct target target, struct request *request);
int decide__begin_await(struct ctx *ctx, int step, int item, struct env *env,
						struct err *err) MUST_CHECK;
/* The await of a step that is forgotten is no longer subscribed. */
void decide__unsubscribe(struct ctx *ctx, int step, int item);
/* Until when an await waits: the nearer one of what the step says; a day if it says nothing. */
int decide__await_limit(struct ctx *ctx, const struct action_def *act, struct env *env,
						int64_t *ret_ms, struct err *err) MUST_CHECK;
/* Whether the event in env is what is waited for. A condition that cannot be evaluated does not
 * hold. */
bool decide__event_matches(const struct correlate_def *on, struct env *env);
/* The text that `from` must give. */
int decide__expected_value(const struct correlate_def *on, struct env *env, char **ret_value,
						   struct err *err) MUST_CHECK;
/* With the commit; takes the value over. */
void decide__subscription(struct ctx *ctx, const struct subscription *from);
/* An await ends with the event in env, which has this id (NULL: none). name: of what came, where
 * the await lists several; else NULL. */
void decide__complete_await(struct ctx *ctx, struct target target, const char *name, const char *id,
							struct env *env);
/* An await has run out. */
void decide__await_timed_out(struct ctx *ctx, struct target target, const char *why);
/* Before the event is folded: an await that it ends is no longer subscribed. */
void decide__note_end(struct ctx *ctx, const struct event *event);
/* At the start of the saga: what may cancel it. */
int decide__subscribe_cancel(struct ctx *ctx, struct err *err) MUST_CHECK;
void decide__event_input(struct ctx *ctx);

/* decide_notes.c: texts are copied */

/* How a task, or an approval, now stands. */
void decide__task(struct decision *decision, const struct task_note *task);
void decide__task_gone(struct decision *decision, int step, int item, enum side side);
/* Tells another saga; to is its id. */
void decide__message(struct decision *decision, const char *to, const char *text);
void decide__release_notes(struct decision *decision);

/* decide_signal.c */

int decide__begin_signal(struct ctx *ctx, int step, int item, struct env *env,
						 struct err *err) MUST_CHECK;
/* A signal that is there ends the await that a target may be. */
void decide__read_signal(struct ctx *ctx, struct target target);

/* decide_lock.c */

int decide__begin_lock(struct ctx *ctx, int step, int item, struct env *env,
					   struct err *err) MUST_CHECK;
/* A lock that is asked for or held is given back: it has failed, or begins anew. */
void decide__unlock(struct ctx *ctx, int step, int item);
/* Around the folding of an event: what was held for the sake of its step is given back. */
void decide__note_settled(struct ctx *ctx, int step);
void decide__lock_input(struct ctx *ctx);
/* decide_await.c */

int decide__begin_waits(struct ctx *ctx, int step, int item, struct env *env,
						struct err *err) MUST_CHECK;
/* What ends an ACTION_AWAIT by time has come. */
void decide__waits_due(struct ctx *ctx, struct target target);
/* decide_approval.c */

int decide__begin_approval(struct ctx *ctx, int step, int item, struct env *env,
						   struct err *err) MUST_CHECK;
/* approve or reject, which is allowed. */
int decide__decision(struct ctx *ctx, struct target target, const struct act *act,
					 struct err *err) MUST_CHECK;
/* What others see of an approval changes with this event. */
void decide__note_approval(struct ctx *ctx, const struct event *event);
/* … with what is decided now, if the step is one. */
void decide__touch_approval(struct ctx *ctx, int step, int item);

/* After all that was decided: how those that it was about now stand. */
void decide__tell_approvals(struct ctx *ctx);

/* decide_escalate.c */

/* Before the event is folded: when the first escalation of what begins with it is due. */
void decide__note_beginning(struct ctx *ctx, struct event *event);
/* Tells what is due of it. */
void decide__escalate(struct ctx *ctx, struct target target);
/* … of all that is watched. */
void decide__escalations(struct ctx *ctx);
/* Entry n has been told: the step that does it begins, if there is one. */
void decide__begin_escalation(struct ctx *ctx, struct target target, int n);
/* What would be told again is not, once it is over. */
void decide__drop_escalations(struct ctx *ctx);
/* The step of an entry has failed for good: a person is told. */
void decide__escalation_failed(struct ctx *ctx, int step, const char *code, const char *message);
/* decide_child.c */

/* The code of an action that could not be begun, or of an undo: what it wants is not allowed here,
 * or an expression failed. */
const char *decide__refusal_code(const struct saga_state *state, const struct action_def *act);
int decide__make_child(const struct action_def *act, struct env *env, enum call_kind kind,
					   struct request *request, struct err *err) MUST_CHECK;
int decide__begin_child(struct ctx *ctx, int step, int item, struct env *env,
						struct err *err) MUST_CHECK;
/* How long its start may take. */
int64_t decide__child_start_timeout(void);
/* Its start was answered, or was not. */
void decide__child_answered(struct ctx *ctx, struct target target);
/* The same of a start of an earlier run of its step: what nobody wants any more turns back. */
void decide__child_answered_late(struct ctx *ctx, struct target target);
/* A child that runs is told to turn back, once: the way back has begun, or its time is over. */
void decide__abandon_child(struct ctx *ctx, struct target target);
/* Whether this end of an attempt says that there is no child, whatever became of earlier starts. */
bool decide__is_no_child(const struct ctx *ctx, struct target target, enum outcome outcome);
void decide__child_is_due(struct ctx *ctx, struct target target);
/* ctx->holds is what undoes the item. */
void decide__arm_child(struct ctx *ctx, int step, int item);
/* The child that is held undoes what it did. */
void decide__undo_by_child(struct ctx *ctx, int step, int item);
/* `compensate` is a saga, or a block. */
int decide__undo_with_child(struct ctx *ctx, int step, int item, struct env *env,
							struct err *err) MUST_CHECK;
/* Before the event is folded: whom it concerns is told. */
void decide__note_children(struct ctx *ctx, const struct event *event);
/* All is done: whether that is the end, or the parent may still want it undone. */
enum event_type decide__end_type(const struct saga_state *state);
void decide__child_input(struct ctx *ctx);

/* decide_task.c */

/* The request of a task is there: it waits for a worker. */
int decide__queue_task(struct ctx *ctx, int step, int item, struct env *env,
					   struct err *err) MUST_CHECK;
void decide__task_input(struct ctx *ctx);
/* The lease of a task is over. */
void decide__lease_over(struct ctx *ctx, struct target target);
/* After a fold: a lease runs anew, for what the worker has said meanwhile was heard by nobody. */
void decide__recover_task(struct ctx *ctx, struct target target);
/* Before an action is forgotten: nobody may take its task any more. */
void decide__forget_task(struct ctx *ctx, struct target target);
/* After all that was decided: what has become of tasks since it was last told. */
void decide__tell_tasks(struct ctx *ctx);
/* decide_search.c */

/* What the saga is found by, as an object of texts; NULL: nothing. */
int decide__search(struct ctx *ctx, struct jval **ret_values, struct err *err) MUST_CHECK;

/* decide_continue.c */

int decide__begin_continue(struct ctx *ctx, int step, int item, struct env *env,
						   struct err *err) MUST_CHECK;
/* A run that had to wait for its end ends now. */
void decide__continue_due(struct ctx *ctx, struct target target);

/* decide_callback.c */

/* Of an action that begins now; written to ret. */
const char *decide__callback_nonce(struct ctx *ctx, int step, int item, char *ret);
/* in->nonce says that it comes through step.callback_url: what it says of the action. */
void decide__callback(struct ctx *ctx, struct target target);
/* Nothing is asked while the participant works on it: it calls back. */
bool decide__calls_back(const struct exec *exec, const struct action_def *act);

/* decide_act.c */

int decide__act(struct ctx *ctx, struct err *err) MUST_CHECK;
/* ActTaken, with who and why; step -1: of the saga. */
struct event decide__act_event(const struct act *act, int step);
/* A copy that shares nothing with what another thread holds; NULL for NULL. */
struct jval *decide__copy_value(struct jval *value);

/* decide_act_step.c */

/* The act is allowed. ERR_INVALID, ERR_CONFLICT: what was given with it does not do. */
int decide__step_act(struct ctx *ctx, const struct act *act, struct err *err) MUST_CHECK;
/* Tries a target now that act_allowed__is_retried; edit: of the request, or NULL. */
int decide__retry(struct ctx *ctx, struct target target, const struct act *act,
				  struct err *err) MUST_CHECK;

/* decide_edit.c */

/* The request with what a person replaces in it, and a key of its own: the n-th one, from 2. */
int decide__edit_request(const struct request *request, const json_t *edit, int n,
						 struct request **ret_request, struct err *err) MUST_CHECK;

#endif
