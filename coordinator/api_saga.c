#include "coordinator/api_saga.h"
#include "coordinator/clock.h"

#include <string.h>

#include "coordinator/node.h"
#include "coordinator/routes.h"
#include "sagas/json_text.h"
#include "sagas/state_json.h"

static void call_answered(struct engine_call *call)
{
	exchange_resume(call->ctx);
}

void exchange_post(struct exchange *ex, struct engine_call *call, exchange_step *next)
{
	struct err err;

	CHECK(!ex->call);
	if (!call->ns)
		call->ns = xstrdup(ex->ns);
	call->answer = call_answered;
	call->ctx = ex;
	ex->call = call;
	ex->next = next;
	exchange_suspend(ex);
	if (engine_post(ex->node->engine, call, &err) == 0)
		return;
	if (__atomic_load_n(&ex->node->draining, __ATOMIC_RELAXED))
		exchange_problem(ex, PROBLEM_DRAINING,
						 "the server takes no new work; try another, or later");
	else
		exchange_problem(ex, PROBLEM_OVERLOADED, "%s", err.text);
	exchange_resume(ex);
}

struct engine_call *exchange_take_call(struct exchange *ex)
{
	CHECK(ex->call);
	return TAKE(ex->call);
}

bool saga_id_param(struct exchange *ex)
{
	if (saga_id_slot(ex->params[0]) >= 0)
		return true;
	exchange_problem(ex, PROBLEM_SAGA_NOT_FOUND, "%.80s is not the id of a saga", ex->params[0]);
	return false;
}

void saga_read_failed(struct exchange *ex, const char *id, const struct err *err)
{
	if (err->code == ERR_NOT_FOUND)
		exchange_problem(ex, PROBLEM_SAGA_NOT_FOUND, "there is no saga %s in namespace %s", id,
						 ex->ns);
	else
		exchange_problem_err(ex, err);
}

static void add_place(struct exchange *ex, const char *id, int64_t seq)
{
	if (strcmp(ex->route->method, "POST") == 0)
		exchange_add_header(ex, "Location", "/v1/sagas/%s", id);
	if (seq > 0)
		exchange_add_header(ex, "ETag", "\"%lld\"", (long long)seq);
}

void answer_view(struct exchange *ex, int status, const struct saga_view *view)
{
	if (saga_status_is_terminal(view->state->status))
		saga_state_write(view->state, clock_wall(), &ex->out);
	else
		saga_state_write_brief(view->state, &ex->out);
	add_place(ex, view->row.id, view->seq);
	exchange_answer(ex, status);
}

void answer_call(struct exchange *ex, int status, const struct engine_call *call)
{
	if (call->saga_json)
		buf_add(&ex->out, call->saga_json, call->saga_json_len);
	else
		buf_printf(&ex->out, "{\"id\":\"%s\",\"namespace\":\"%s\",\"status\":\"%s\"}", call->id,
				   ex->ns, saga_status_text(call->status));
	if (call->act == ENGINE_ACT && !ex->out.failed) {
		ex->out.len--; /* the brace that ends the saga */
		buf_add_lit(&ex->out, ",\"effect\":");
		act_effect_write(&call->effect, &ex->out);
		buf_add_char(&ex->out, '}');
	}
	add_place(ex, call->id, call->seq);
	exchange_answer(ex, status);
}
