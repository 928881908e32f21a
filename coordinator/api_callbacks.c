/*
 * POST /v1/callbacks/{token}: a participant answers a call that it was given step.callback_url
 * with. The token says which action is meant, and holds a nonce that only who got the request
 * knows.
 *
 * Whether it fits is seen here, on any node, from the history; what fits is put into the saga's
 * inbox, where it is durable, and the saga's owner is woken. What it does to the saga is decided
 * there: it may be late, or the second one, and is noted then.
 */
#include <stdio.h>
#include <string.h>

#include "coordinator/api_saga.h"
#include "coordinator/clock.h"
#include "coordinator/delivery.h"
#include "coordinator/kafka/store_job.h"
#include "coordinator/node.h"
#include "coordinator/routes.h"
#include "coordinator/saga_view.h"
#include "coordinator/webhooks.h"
#include "sagas/callback.h"
#include "sagas/json_member.h"
#include "sagas/json_text.h"

struct called {
	struct callback callback;
	struct delivery *delivery;
	struct inbox_row row;
	struct buf message;
};

static void called_free(void *state)
{
	struct called *called = state;

	delivery_free(called->delivery);
	buf_release(&called->message);
	free(called);
}

static void unknown(struct exchange *ex)
{
	exchange_problem(ex, PROBLEM_NOT_FOUND, "nothing waits for this callback");
}

static bool fits(const struct saga_state *state, const struct callback *callback)
{
	int step = saga_def_step(state->def, callback->at.step);
	int item = callback->at.item;
	const struct step_def *def = step >= 0 ? &state->def->steps[step] : NULL;

	return def && def->act.reads_callback && step_def_has_items(def) == (item >= 0) &&
		   (item < 0 ? 0 : item) < state->steps[step].n_actions &&
		   callback_nonce_fits(saga_state_action(state, step, item)->run.nonce, callback->nonce);
}

static int put(void *ctx, struct store *store, struct err *err)
{
	struct called *called = ctx;

	return store->ops->inbox_put(store, &called->row, 1, err);
}

/* The same words on the same token are one message, as long as it waits. */
static void make_row(struct exchange *ex, struct called *called)
{
	CLEANUP(buf_release) struct buf name;

	buf_init(&name, 0);
	buf_printf(&name, "callback/%s/", ex->params[0]);
	buf_add(&name, ex->body.data, ex->body.len);
	delivery_write(called->delivery, &called->message);
	called->row = (struct inbox_row){
		.slot = saga_id_slot(called->callback.at.saga_id),
		.ns = called->callback.at.ns,
		.at = clock_wall(),
		.message = buf_str(&called->message),
		.message_len = called->message.len,
	};
	hash_uuid5(buf_str(&name), name.len, called->row.id);
	memcpy(called->row.saga_id, called->callback.at.saga_id, sizeof(called->row.saga_id));
}

/* Thread: read pool. */
static void take(struct exchange *ex, struct store_reader *reader)
{
	CLEANUP(saga_view_release) struct saga_view view = {0};
	struct called *called = ex->state;
	const struct correlation *at = &called->callback.at;
	struct err err;
	int r = saga_view_read(reader, ex->node->registry, at->ns, at->saga_id, 0, &view, &err);

	if (r == ERR_NOT_FOUND || (r == 0 && !fits(view.state, &called->callback))) {
		unknown(ex);
		return;
	}
	if (r == 0) {
		make_row(ex, called);
		r = store_job_run(ex->node->writer, put, called, &err);
	}
	if (r < 0) {
		exchange_problem_err(ex, &err);
		return;
	}
	webhooks_called_back(ex->node->webhooks, called->row.slot);
	buf_printf(&ex->out, "{\"saga\":\"%s\"", at->saga_id);
	json_member_text(&ex->out, "step", at->step);
	buf_add_char(&ex->out, '}');
	exchange_answer(ex, 202);
}

/* JSON as it came, other text as a string, as of an answer; false: it is neither. */
static bool read_body(const struct exchange *ex, struct jval **ret)
{
	const char *text = buf_str(&ex->body);
	struct err err;
	json_t *string;

	*ret = NULL;
	if (ex->body.len == 0)
		return true;
	if (json_text_check(text, ex->body.len, &err) == 0) {
		*ret = jval_from_text(xstrndup(text, ex->body.len), ex->body.len);
		return true;
	}
	string = memchr(text, '\0', ex->body.len) ? NULL : json_stringn(text, ex->body.len);
	*ret = string ? jval_from_json(string) : NULL;
	return string != NULL;
}

void api_post_callback(struct exchange *ex)
{
	struct called *called = xcalloc(1, sizeof(*called));
	struct delivery *delivery = delivery_new(DELIVERY_REPLY);

	called->delivery = delivery;
	buf_init(&called->message, 0);
	ex->state = called;
	ex->free_state = called_free;
	if (!callback_read(ex->params[0], &called->callback)) {
		unknown(ex);
		return;
	}
	if (!read_body(ex, &delivery->value)) {
		exchange_problem(ex, PROBLEM_INVALID_JSON, "the body is neither JSON nor other text");
		return;
	}
	snprintf(delivery->step, sizeof(delivery->step), "%s", called->callback.at.step);
	delivery->item = called->callback.at.item;
	delivery->call = CALL_DO;
	delivery->run = called->callback.at.run;
	delivery->nonce = xstrdup(called->callback.nonce);
	exchange_read(ex, take);
}
