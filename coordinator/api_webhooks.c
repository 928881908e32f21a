/*
 * POST /v1/webhooks/{source}: what somebody outside tells, as an event that sagas wait for. The
 * sender knows nothing of Skald, so there is no header to say a namespace with: ?namespace= does,
 * and other arguments are the sender's business.
 *
 * It is answered 202 when the event is durable. Sent again, it has the same id, and changes
 * nothing.
 */
#include <stdio.h>
#include <string.h>

#include "coordinator/clock.h"
#include "coordinator/node.h"
#include "coordinator/routes.h"
#include "coordinator/webhooks.h"
#include "sagas/json_member.h"
#include "sagas/json_text.h"
#include "sagas/webhook_event.h"

struct posted {
	char id[WEBHOOK_ID_SIZE];
	json_t *event;
};

static void posted_free(void *state)
{
	struct posted *posted = state;

	json_decref(posted->event);
	free(posted);
}

static const char *header(void *ctx, const char *name)
{
	return exchange_header(ctx, name);
}

/* Thread: read pool. */
static void take(struct exchange *ex, struct store_reader *reader)
{
	const struct posted *posted = ex->state;
	const struct webhook_event event = {
		.ns = ex->ns, .source = ex->params[0], .id = posted->id, .event = posted->event};
	struct err err;
	int r = webhooks_take(ex->node->webhooks, reader, &event, &err);

	if (r == ERR_NOT_FOUND) {
		webhooks_note_refused(ex->node->webhooks);
		exchange_problem(ex, PROBLEM_NOT_FOUND, "%s", err.text);
		return;
	}
	if (r < 0) {
		exchange_problem_err(ex, &err);
		return;
	}
	buf_add_lit(&ex->out, "{\"id\":");
	json_write_string(posted->id, strlen(posted->id), &ex->out);
	json_member_text(&ex->out, "source", ex->params[0]);
	buf_add_char(&ex->out, '}');
	exchange_answer(ex, 202);
}

static bool take_namespace(struct exchange *ex)
{
	const char *ns = exchange_arg(ex, "namespace");
	struct err err;

	if (!ns)
		return true;
	if (namespace_check(ns, &err) < 0) {
		exchange_problem(ex, PROBLEM_INVALID_REQUEST, "the namespace: %s", err.text);
		return false;
	}
	snprintf(ex->ns, sizeof(ex->ns), "%s", ns);
	return true;
}

/* Whether it comes from whom it says, as far as the configuration wants to know. */
static bool verify(struct exchange *ex, wall_ms now)
{
	const struct webhook_check *check = webhooks_check(ex->node->webhooks, ex->params[0]);
	const struct webhook_message message = {
		.header = header,
		.ctx = ex,
		.body = ex->body.data,
		.body_len = ex->body.len,
	};
	struct err err;

	if (!check || webhook_verify(check, &message, now, &err) == 0)
		return true;
	exchange_problem(ex, PROBLEM_BAD_SIGNATURE, "webhook %.100s: %s", ex->params[0], err.text);
	return false;
}

static bool read_event(struct exchange *ex, struct posted *posted, wall_ms now)
{
	CLEANUP(json_decref_p) json_t *body = NULL;
	struct webhook_post post = {
		.source = ex->params[0],
		.text = buf_str(&ex->body),
		.len = ex->body.len,
		.header = header,
		.ctx = ex,
		.now = now,
	};
	struct err err = {0};

	if (json_parse(buf_str(&ex->body), ex->body.len, &body, &err) < 0) {
		exchange_problem(ex, PROBLEM_INVALID_JSON, "%s%s%s", err.place, *err.place ? ": " : "",
						 err.text);
		return false;
	}
	post.body = body;
	webhook_event_id(&post, posted->id);
	posted->event = webhook_event(&post, posted->id);
	return true;
}

void api_post_webhook(struct exchange *ex)
{
	struct posted *posted = xcalloc(1, sizeof(*posted));
	wall_ms now = clock_wall();

	ex->state = posted;
	ex->free_state = posted_free;
	if (take_namespace(ex) && verify(ex, now) && read_event(ex, posted, now))
		exchange_read(ex, take);
	else
		webhooks_note_refused(ex->node->webhooks);
}
