/*
 * What an operator does to a saga: cancel (undo what was done) and terminate (stop where it is,
 * undo nothing). With ?dry_run=true nothing is done: the same decision is made on a copy of the
 * state that was folded from the history, and the calls that would follow are shown.
 */
#include <stdio.h>
#include <string.h>

#include "coordinator/api_body.h"
#include "coordinator/api_saga.h"
#include "coordinator/clock.h"
#include "coordinator/dry_run.h"
#include "coordinator/forward.h"
#include "coordinator/node.h"
#include "coordinator/routes.h"
#include "sagas/json_text.h"

enum { ACT_MAX_BYTES = 16 * 1024 };

struct api_act {
	enum engine_act act;
	char *by, *reason;
	int64_t if_match;
};

static void act_free(void *state)
{
	struct api_act *act = state;

	free(act->by);
	free(act->reason);
	free(act);
}

static void moved_on(struct exchange *ex, int64_t seq, int64_t expected)
{
	exchange_add_header(ex, "ETag", "\"%lld\"", (long long)seq);
	exchange_problem(ex, PROBLEM_PRECONDITION_FAILED,
					 "the saga is at history sequence %lld, not %lld: look at it again",
					 (long long)seq, (long long)expected);
}

static void owner_failed(struct exchange *ex, enum forward_failure failure)
{
	exchange_problem(ex, PROBLEM_UNAVAILABLE,
					 failure == FORWARD_REFUSED
						 ? "the node that has this saga cannot be reached; try again"
						 : "the node that has this saga did not answer: look at the saga before "
						   "you try again");
}

/* The slot is another node's, which alone can act. */
static void act_elsewhere(struct exchange *ex)
{
	char owner[NODE_ADDRESS_SIZE] = "", path[64 + SAGA_ID_SIZE];
	struct forward forward = {.address = owner, .path = path, .failed = owner_failed};
	const struct api_act *act = ex->state;

	snprintf(path, sizeof(path), "/v1/sagas/%s/%s", ex->params[0],
			 act->act == ENGINE_CANCEL ? "cancel" : "terminate");
	if (!exchange_was_forwarded(ex) && ex->node->member &&
		member_slot(ex->node->member, saga_id_slot(ex->params[0]), owner) == SLOT_THERE)
		exchange_forward(ex, &forward);
	else
		owner_failed(ex, FORWARD_REFUSED);
}

static void acted(struct exchange *ex)
{
	struct engine_call *call = exchange_take_call(ex);

	if (call->result == ERR_FENCED)
		act_elsewhere(ex);
	else if (call->result == 0)
		answer_call(ex, call->ended ? 200 : 202, call);
	else if (call->result == ERR_CONFLICT && call->if_match >= 0 && call->seq != call->if_match)
		moved_on(ex, call->seq, call->if_match);
	else
		saga_read_failed(ex, call->id, &call->err);
	engine_call_free(call);
}

static void post_act(struct exchange *ex)
{
	struct api_act *act = ex->state;
	struct engine_call *call = engine_call_new(act->act);

	snprintf(call->id, sizeof(call->id), "%s", ex->params[0]);
	call->by = TAKE(act->by);
	call->reason = TAKE(act->reason);
	call->if_match = act->if_match;
	exchange_post(ex, call, acted);
}

/* Thread: read pool. */
static void read_dry_run(struct exchange *ex, struct store_reader *reader)
{
	CLEANUP(saga_view_release) struct saga_view view = {0};
	const struct api_act *act = ex->state;
	const struct act what = {
		.kind = act->act == ENGINE_CANCEL ? ACT_CANCEL : ACT_TERMINATE,
		.item = -1,
		.by = act->by,
		.reason = act->reason,
	};
	struct err err;

	if (saga_view_read(reader, ex->node->registry, ex->ns, ex->params[0], 0, &view, &err) < 0) {
		saga_read_failed(ex, ex->params[0], &err);
		return;
	}
	if (act->if_match >= 0 && act->if_match != view.seq) {
		moved_on(ex, view.seq, act->if_match);
		return;
	}
	if (dry_run(view.state, &what, clock_wall(), &ex->out, &err) < 0) {
		exchange_problem_err(ex, &err);
		return;
	}
	exchange_add_header(ex, "ETag", "\"%lld\"", (long long)view.seq);
	exchange_answer(ex, 200);
}

static char *text_member(const json_t *body, const char *name)
{
	const char *text = json_string_value(json_object_get(body, name));

	return text ? xstrdup(text) : NULL;
}

static void take_act(struct exchange *ex, enum engine_act what)
{
	static const struct body_member members[] = {
		{"reason", BODY_STRING, false, 1000},
		{"by", BODY_STRING, false, 200},
	};
	static const char *const known[] = {"dry_run"};
	CLEANUP(json_decref_p) json_t *body = NULL;
	struct api_act *act = xcalloc(1, sizeof(*act));
	bool dry = false;

	ex->state = act;
	ex->free_state = act_free;
	act->act = what;
	if (ex->body.len > ACT_MAX_BYTES) {
		exchange_problem(ex, PROBLEM_TOO_LARGE, "the body of an act has at most %d bytes",
						 ACT_MAX_BYTES);
		return;
	}
	if (!exchange_arg_bool(ex, "dry_run", &dry) || !exchange_args_done(ex, known, 1) ||
		!saga_id_param(ex) || !if_match(ex, &act->if_match) ||
		!body_read(ex, members, ARRAY_SIZE(members), true, &body))
		return;
	act->by = text_member(body, "by");
	if (!act->by)
		act->by = xstrdup("api");
	act->reason = text_member(body, "reason");
	if (!act->reason)
		act->reason = xstrdup("");
	if (dry)
		exchange_read(ex, read_dry_run);
	else
		post_act(ex);
}

void api_cancel_saga(struct exchange *ex)
{
	take_act(ex, ENGINE_CANCEL);
}

void api_terminate_saga(struct exchange *ex)
{
	take_act(ex, ENGINE_TERMINATE);
}
