/*
 * What an operator does to a saga, to a step of it, or to the compensation of a step. The path says
 * which act it is (sagas/act.h), the body is read by act_read.
 *
 * With ?dry_run=true nothing is done: the same decision is made on a copy of the state that was
 * folded from the history, and the calls that would follow are shown.
 *
 * Only who has the saga's slot can act, so an act may be sent on; whoever does it answers with its
 * effect when that is durable. A reset names a place in the history: what it means is found here,
 * on the read pool, and posted with the sequence at which it was found.
 */
#include <stdio.h>
#include <string.h>

#include "coordinator/api_body.h"
#include "coordinator/api_new_run.h"
#include "coordinator/api_saga.h"
#include "coordinator/approval_groups.h"
#include "coordinator/clock.h"
#include "coordinator/dry_run.h"
#include "coordinator/forward.h"
#include "coordinator/node.h"
#include "coordinator/migrate.h"
#include "coordinator/reset.h"
#include "coordinator/routes.h"
#include "sagas/act_allowed.h"
#include "sagas/json_text.h"

/* A reset is found anew when the saga has moved on meanwhile, so many times. */
enum { RESETS_MAX = 5 };

struct act_request {
	struct new_run_request *new_run; /* first, where api_new_run finds it; NULL: it is none */
	struct act act;
	int64_t if_match;   /* as the caller said it */
	int64_t reset_from; /* the sequence at which `forget` was found */
	int tries;
	bool dry;
};

static void request_free(void *state)
{
	struct act_request *request = state;

	new_run_request_free(request->new_run);
	act_release(&request->act);
	free(request);
}

static void moved_on(struct exchange *ex, int64_t seq, int64_t expected)
{
	exchange_add_header(ex, "ETag", "\"%lld\"", (long long)seq);
	exchange_problem(ex, PROBLEM_PRECONDITION_FAILED,
					 "the saga is at history sequence %lld, not %lld: look at it again",
					 (long long)seq, (long long)expected);
}

/* What the core says against the act. */
static void refused(struct exchange *ex, const struct err *err)
{
	if (err->code == ERR_CONFLICT)
		exchange_problem(ex, PROBLEM_ACT_REFUSED, "%s", err->text);
	else if (err->code == ERR_NOT_FOUND)
		exchange_problem(ex, PROBLEM_STEP_NOT_FOUND, "%s", err->text);
	else if (err->code == ERR_INVALID)
		body_error(ex, err->place, err->text);
	else
		exchange_problem_err(ex, err);
}

/* Elsewhere. */

static void owner_failed(struct exchange *ex, enum forward_failure failure)
{
	exchange_problem(ex, PROBLEM_UNAVAILABLE,
					 failure == FORWARD_REFUSED
						 ? "the node that has this saga cannot be reached; try again"
						 : "the node that has this saga did not answer: look at the saga before "
						   "you try again");
}

/* As RFC 3986 has it. */
static void write_escaped(const char *text, struct buf *out)
{
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;

		if ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
			strchr("-._~", c))
			buf_add_char(out, (char)c);
		else
			buf_printf(out, "%%%02X", c);
	}
}

/* The path as it came, put together again from the pattern and what stood in its braces. */
static void write_path(const struct exchange *ex, struct buf *out)
{
	const char *const *param = ex->params;

	for (const char *p = ex->route->pattern; *p; p++) {
		if (*p != '{') {
			buf_add_char(out, *p);
			continue;
		}
		write_escaped(*param++, out);
		p += strcspn(p, "}");
	}
}

/* The slot is another node's, which alone can act. */
static void act_elsewhere(struct exchange *ex)
{
	CLEANUP(buf_release) struct buf path;
	char owner[NODE_ADDRESS_SIZE] = "";
	struct forward forward = {.address = owner, .failed = owner_failed};

	buf_init(&path, FORWARD_PATH_SIZE - 1);
	write_path(ex, &path);
	forward.path = buf_str(&path);
	if (!path.failed && !exchange_was_forwarded(ex) && ex->node->member &&
		member_slot(ex->node->member, saga_id_slot(ex->params[0]), owner) == SLOT_THERE)
		exchange_forward(ex, &forward);
	else
		owner_failed(ex, FORWARD_REFUSED);
}

/* Acting. */

static void post_act(struct exchange *ex);
static void read_reset(struct exchange *ex, struct store_reader *reader);
static bool read_act(struct exchange *ex, struct act_request *request);

/* What was found holds for a state that is gone. */
static void reset_again(struct exchange *ex, const struct engine_call *call)
{
	struct act_request *request = ex->state;

	if (request->if_match >= 0) {
		moved_on(ex, call->seq, request->if_match);
	} else if (++request->tries == RESETS_MAX) {
		exchange_problem(ex, PROBLEM_ACT_REFUSED, "the saga moves on all the time; pause it first");
	} else {
		/* The engine has kept the act. */
		if (read_act(ex, request))
			exchange_read(ex, read_reset);
	}
}

static void acted(struct exchange *ex)
{
	struct engine_call *call = exchange_take_call(ex);
	const struct act_request *request = ex->state;

	if (call->result == ERR_FENCED)
		act_elsewhere(ex);
	else if (call->result == 0)
		answer_call(ex, call->ended ? 200 : 202, call);
	else if (call->result == ERR_CONFLICT && call->if_match >= 0 && call->seq != call->if_match &&
			 request->reset_from > 0)
		reset_again(ex, call);
	else if (call->result == ERR_CONFLICT && call->if_match >= 0 && call->seq != call->if_match)
		moved_on(ex, call->seq, call->if_match);
	else if (call->seq > 0)
		refused(ex, &call->err); /* by the saga, which is there */
	else
		saga_read_failed(ex, call->id, &call->err);
	engine_call_free(call);
}

static void post_act(struct exchange *ex)
{
	struct act_request *request = ex->state;
	struct engine_call *call = engine_call_for_act(ex->ns, ex->params[0], &request->act);

	call->if_match = request->reset_from > 0 ? request->reset_from : request->if_match;
	exchange_post(ex, call, acted);
}

/* Reading, for a dry run or for what a reset means. Thread: read pool. */

/* What has ended is not begun again: a new run is made of it. */
static bool is_new_run(const struct act_request *request, const struct saga_view *view)
{
	return request->act.kind == ACT_RESET && saga_status_is_terminal(view->state->status);
}

static bool read_current(struct exchange *ex, struct store_reader *reader, struct saga_view *view)
{
	const struct act_request *request = ex->state;
	struct err err;

	if (saga_view_read(reader, ex->node->registry, ex->ns, ex->params[0], 0, view, &err) < 0) {
		saga_read_failed(ex, ex->params[0], &err);
		return false;
	}
	if (request->if_match < 0 || request->if_match == view->seq)
		return true;
	moved_on(ex, view->seq, request->if_match);
	return false;
}

static bool find_forgotten(struct exchange *ex, struct store_reader *reader,
						   const struct saga_view *view)
{
	struct act_request *request = ex->state;
	struct err err;

	if (request->act.kind == ACT_MIGRATE) {
		if (migrate_check(reader, ex->node->registry, view, &request->act, &err) == 0)
			return true;
		refused(ex, &err);
		return false;
	}
	if (request->act.kind != ACT_RESET)
		return true;
	if (reset_find(reader, ex->node->registry, view, &request->act, &err) == 0)
		return true;
	refused(ex, &err);
	return false;
}

static void read_reset(struct exchange *ex, struct store_reader *reader)
{
	CLEANUP(saga_view_release) struct saga_view view = {0};
	struct act_request *request = ex->state;

	if (!read_current(ex, reader, &view))
		return;
	if (is_new_run(request, &view)) {
		api_new_run(ex, reader, &view, &request->act, false, &request->new_run);
		return;
	}
	if (!find_forgotten(ex, reader, &view))
		return;
	request->reset_from = view.seq;
	ex->next = post_act;
}

static void read_dry_run(struct exchange *ex, struct store_reader *reader)
{
	CLEANUP(saga_view_release) struct saga_view view = {0};
	struct act_request *request = ex->state;
	struct err err;

	if (!read_current(ex, reader, &view))
		return;
	if (is_new_run(request, &view)) {
		api_new_run(ex, reader, &view, &request->act, true, &request->new_run);
		return;
	}
	if (!find_forgotten(ex, reader, &view))
		return;
	if (dry_run(view.state, &request->act, clock_wall(), &ex->out, &err) < 0) {
		refused(ex, &err);
		return;
	}
	exchange_add_header(ex, "ETag", "\"%lld\"", (long long)view.seq);
	exchange_answer(ex, 200);
}

/* Taking it in. Thread: server. */

/* What the caller says of groups that the configuration knows is not taken. */
static void resolve_groups(struct exchange *ex, struct act *act)
{
	json_t *groups = approval_groups_of(ex->node->options.approval_groups, act->by,
										act->groups ? jval_json(act->groups) : NULL);

	jval_unref(act->groups);
	act->groups = jval_from_json(groups);
}

/* The body, with what the path says. False: it is answered. */
static bool read_act(struct exchange *ex, struct act_request *request)
{
	CLEANUP(json_decref_p) json_t *body = NULL;
	struct act *act = &request->act;
	struct err err = {0};

	if (ex->body.len == 0) {
		body = json_object();
	} else if (json_parse(buf_str(&ex->body), ex->body.len, &body, &err) < 0) {
		exchange_problem(ex, PROBLEM_INVALID_JSON, "%s%s%s", err.place, *err.place ? ": " : "",
						 err.text);
		return false;
	}
	if (act_is_of_step(act->kind))
		act->step = xstrdup(ex->params[1]);
	if (act->kind == ACT_SIGNAL)
		act->name = xstrdup(ex->params[1]);
	if (act_read(act, body, &err) < 0) {
		body_error(ex, err.place, err.text);
		return false;
	}
	if (act->kind == ACT_STEP_APPROVE || act->kind == ACT_STEP_REJECT)
		resolve_groups(ex, act);
	if (!act->by)
		act->by = xstrdup("api");
	if (!act->reason)
		act->reason = xstrdup("");
	return true;
}

static void take_act(struct exchange *ex, enum act_kind kind, enum side side)
{
	static const char *const known[] = {"dry_run"};
	struct act_request *request = xcalloc(1, sizeof(*request));

	act_init(&request->act, kind);
	request->act.side = side;
	ex->state = request;
	ex->free_state = request_free;
	if (ex->body.len > ACT_BODY_MAX_BYTES) {
		exchange_problem(ex, PROBLEM_TOO_LARGE, "the body of an act has at most %d bytes",
						 ACT_BODY_MAX_BYTES);
		return;
	}
	if (!exchange_arg_bool(ex, "dry_run", &request->dry) || !exchange_args_done(ex, known, 1) ||
		!saga_id_param(ex) || !if_match(ex, &request->if_match) || !read_act(ex, request))
		return;
	if (request->dry)
		exchange_read(ex, read_dry_run);
	else if (kind == ACT_RESET || kind == ACT_MIGRATE)
		exchange_read(ex, read_reset);
	else
		post_act(ex);
}

#define SAGA_ACT_HANDLER(name, kind)                                                               \
	void api_##name(struct exchange *ex)                                                           \
	{                                                                                              \
		take_act(ex, kind, SIDE_DO);                                                               \
	}
SAGA_ACT_HANDLER(cancel_saga, ACT_CANCEL)
SAGA_ACT_HANDLER(terminate_saga, ACT_TERMINATE)
SAGA_ACT_HANDLER(pause_saga, ACT_PAUSE)
SAGA_ACT_HANDLER(resume_saga, ACT_RESUME)
SAGA_ACT_HANDLER(compensate_saga, ACT_COMPENSATE)
SAGA_ACT_HANDLER(retry_saga, ACT_RETRY)
SAGA_ACT_HANDLER(reset_saga, ACT_RESET)
SAGA_ACT_HANDLER(acknowledge_saga, ACT_ACKNOWLEDGE)
SAGA_ACT_HANDLER(note_saga, ACT_NOTE)
SAGA_ACT_HANDLER(own_saga, ACT_OWNER)
SAGA_ACT_HANDLER(migrate_saga, ACT_MIGRATE)
SAGA_ACT_HANDLER(signal_saga, ACT_SIGNAL)

#define STEP_ACT_HANDLER(verb, kind)                                                               \
	void api_##verb##_step(struct exchange *ex)                                                    \
	{                                                                                              \
		take_act(ex, kind, SIDE_DO);                                                               \
	}                                                                                              \
	void api_##verb##_compensation(struct exchange *ex)                                            \
	{                                                                                              \
		take_act(ex, kind, SIDE_UNDO);                                                             \
	}
STEP_ACT_HANDLER(retry, ACT_STEP_RETRY)
STEP_ACT_HANDLER(skip, ACT_STEP_SKIP)
STEP_ACT_HANDLER(complete, ACT_STEP_COMPLETE)
STEP_ACT_HANDLER(fail, ACT_STEP_FAIL)
STEP_ACT_HANDLER(resolve, ACT_STEP_RESOLVE)

/* Decisions, of a step alone. */

void api_approve_step(struct exchange *ex)
{
	take_act(ex, ACT_STEP_APPROVE, SIDE_DO);
}

void api_reject_step(struct exchange *ex)
{
	take_act(ex, ACT_STEP_REJECT, SIDE_DO);
}

/* GET /v1/sagas/{id}/acts */

/* Thread: read pool. */
static void read_acts(struct exchange *ex, struct store_reader *reader)
{
	CLEANUP(saga_view_release) struct saga_view view = {0};
	CLEANUP(json_decref_p) json_t *acts = NULL;
	struct err err;

	if (saga_view_read(reader, ex->node->registry, ex->ns, ex->params[0], 0, &view, &err) < 0) {
		saga_read_failed(ex, ex->params[0], &err);
		return;
	}
	mark_calls_out(view.state);
	acts = saga_acts_allowed(view.state, clock_wall());
	buf_printf(&ex->out, "{\"id\":\"%s\",\"seq\":%lld,\"status\":\"%s\",\"saga\":", view.row.id,
			   (long long)view.seq, saga_status_text(view.state->status));
	json_write(json_object_get(acts, "saga"), &ex->out);
	buf_add_lit(&ex->out, ",\"actions\":");
	json_write(json_object_get(acts, "actions"), &ex->out);
	buf_add_char(&ex->out, '}');
	exchange_add_header(ex, "ETag", "\"%lld\"", (long long)view.seq);
	exchange_answer(ex, 200);
}

void api_get_acts(struct exchange *ex)
{
	if (exchange_args_done(ex, NULL, 0) && saga_id_param(ex))
		exchange_read(ex, read_acts);
}
