#include "tests/support/scenario_kafka.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/delivery.h"
#include "sagas/callback.h"
#include "sagas/env.h"
#include "sagas/json_text.h"
#include "sagas/trigger.h"

static const char *text_of(const json_t *json, const char *name)
{
	return json_string_value(json_object_get(json, name));
}

static bool action_uses_kafka(const struct action_def *act)
{
	return act->kind == ACTION_COMMAND || act->kind == ACTION_EMIT || action_subscribes(act) ||
		   act->reads_callback || (act->probe && action_uses_kafka(&act->probe->act));
}

bool scenario_uses_kafka(const struct saga_def *def)
{
	for (int i = 0; i < def->n_steps; i++)
		if (action_uses_kafka(&def->steps[i].act) ||
			(def->steps[i].undo_kind == UNDO_ACTION && action_uses_kafka(&def->steps[i].undo)))
			return true;
	return def->n_cancel_on > 0;
}

enum outcome scenario_outcome(const char *text)
{
	for (int i = 0; text && i < OUTCOME_DEFAULT; i++)
		if (strcmp(text, outcome_text((enum outcome)i)) == 0)
			return (enum outcome)i;
	return OUTCOME_DEFAULT;
}

/* The number in "…/probe-do.1767225600000". */
static int64_t ask_of(const char *correlation)
{
	const char *dot = strrchr(correlation, '.');

	return dot ? strtoll(dot + 1, NULL, 10) : 0;
}

/* The number in "…/charge~2/do"; 0: the first run. */
static int run_of(const char *correlation)
{
	const char *tilde = strchr(correlation, '~');

	return tilde ? (int)strtol(tilde + 1, NULL, 10) : 0;
}

/* Whoever offered it would offer it again; here nothing stands in the way of the first time. */
static void done(struct delivery *delivery)
{
	if (delivery->result < 0 && delivery->result != ERR_NOT_FOUND) {
		fprintf(stderr, "a delivery is refused: %s\n", delivery->err.text);
		abort();
	}
	delivery_free(delivery);
}

static char *copy_or_null(const char *text)
{
	return text ? xstrdup(text) : NULL;
}

void scenario_reply(struct world *world, const struct world_call *to, const json_t *reply)
{
	const struct saga_def *def = world->defs[0];
	struct delivery *delivery = delivery_new(DELIVERY_REPLY);
	json_t *data = json_object_get(reply, "data");
	bool probe = to->command.kind == CALL_PROBE_DO || to->command.kind == CALL_PROBE_UNDO;

	snprintf(delivery->ns, sizeof(delivery->ns), "%s", WORLD_NS);
	memcpy(delivery->saga_id, to->saga_id, sizeof(delivery->saga_id));
	snprintf(delivery->step, sizeof(delivery->step), "%s", def->steps[to->command.step].id);
	delivery->item = to->command.item;
	delivery->call = to->command.kind;
	delivery->ask = probe ? ask_of(to->command.request->correlation) : 0;
	delivery->run = run_of(to->command.request->correlation);
	delivery->outcome = scenario_outcome(json_is_string(reply) ? json_string_value(reply)
															   : text_of(reply, "outcome"));
	delivery->code = copy_or_null(text_of(reply, "code"));
	delivery->message = copy_or_null(text_of(reply, "message"));
	delivery->type = copy_or_null(text_of(reply, "type"));
	delivery->value = jval_from_json(data ? json_deep_copy(data) : json_null());
	delivery->done = done;
	world_post(world, POST_DELIVERY, delivery);
}

static void put_event(struct world *world, const struct correlate_def *on, json_t *event,
					  const char *id)
{
	CLEANUP(free_p) char *text = json_dumps(event, JSON_COMPACT);
	bool touched[WORLD_SLOTS] = {0};
	char value[CORRELATE_VALUE_SIZE];
	struct event_row row = {
		.ns = WORLD_NS,
		.channel = on->channel,
		.value = value,
		.id = id,
		.at = world->now,
		.expires_at = world->now + INT64_C(3600000),
		.event = text,
		.event_len = strlen(text),
	};
	struct err err;

	if (!correlate_value(on, event, value))
		return;
	if (world->inner->ops->events_put(world->inner, &row, 1, touched, &err) < 0) {
		fprintf(stderr, "an event cannot be stored: %s\n", err.text);
		abort();
	}
}

/* The channels that were looked through already. */
struct seen {
	const struct correlate_def *list[32];
	size_t n;
};

static void put_through(struct world *world, const struct correlate_def *on, bool webhook,
						const char *topic, json_t *event, const char *id, struct seen *seen)
{
	size_t k;

	if (!on || on->webhook != webhook || strcmp(on->topic, topic) != 0)
		return;
	for (k = 0; k < seen->n && strcmp(seen->list[k]->channel, on->channel) != 0; k++)
		;
	if (k < seen->n || seen->n == ARRAY_SIZE(seen->list))
		return;
	seen->list[seen->n++] = on;
	put_event(world, on, event, id);
}

static json_t *make_event(const json_t *record, const char *topic, bool webhook, int n)
{
	const json_t *data = json_object_get(record, "data");
	const char *type = text_of(record, "type");

	if (webhook)
		return json_pack("{s:i, s:s, s:O?, s:s?}", "id", n, "source", topic, "data", data, "type",
						 type);
	return json_pack("{s:s?, s:i, s:i, s:O?, s:s?}", "topic", topic, "partition", 0, "offset", n,
					 "data", data, "type", type);
}

/* As the consumer of events, or a webhook, does: once for each channel of the topic. */
void scenario_event(struct world *world, const struct saga_def *def, const json_t *record, int n)
{
	const char *source = text_of(record, "webhook");
	const char *topic = source ? source : text_of(record, "topic");
	CLEANUP(free_p) char *id = xasprintf(source ? "webhook/%s/%d" : "default/%s/0/%d", topic, n);
	CLEANUP(json_decref_p) json_t *event = make_event(record, topic, source != NULL, n);
	struct seen seen = {.n = 0};

	for (size_t i = 0; i < def->n_cancel_on; i++)
		put_through(world, &def->cancel_on[i], source != NULL, topic, event, id, &seen);
	for (int i = 0; i < def->n_steps; i++) {
		const struct action_def *act = &def->steps[i].act;
		int places = act->kind == ACTION_AWAIT_KAFKA ? 1 : (int)act->await.n_waits;

		for (int k = 0; k < places; k++)
			put_through(world, action_subscription(act, k), source != NULL, topic, event, id,
						&seen);
	}
	if (world->turn)
		turn_poke(world->turn);
}

/* To the only step whose request reads step.callback_url, at its own token or a forged one. */
void scenario_callback(struct world *world, const char *saga_id, const json_t *said)
{
	const char *step = text_of(said, "step");
	json_t *body = json_object_get(said, "body");
	struct delivery *delivery = delivery_new(DELIVERY_REPLY);
	char nonce[CALLBACK_NONCE_SIZE], key[STEP_KEY_SIZE];

	snprintf(delivery->ns, sizeof(delivery->ns), "%s", WORLD_NS);
	memcpy(delivery->saga_id, saga_id, sizeof(delivery->saga_id));
	snprintf(delivery->step, sizeof(delivery->step), "%s", step);
	snprintf(key, sizeof(key), "%s/%s/do", saga_id, step);
	/* The world draws no random number. */
	callback_nonce(json_is_true(json_object_get(said, "forged")) ? 1 : 0, key, nonce);
	delivery->nonce = xstrdup(nonce);
	delivery->value = body ? jval_from_json(json_deep_copy(body)) : NULL;
	delivery->done = done;
	world_post(world, POST_DELIVERY, delivery);
}

static void earliest(void *ctx, const struct saga_state *state, int64_t seq)
{
	wall_ms *due = ctx;
	wall_ms at = saga_state_due(state, state->last_at).queued_at;

	(void)seq;
	if (at && (!*due || at < *due))
		*due = at;
}

wall_ms scenario_queued_due(const struct world *world)
{
	wall_ms due = 0;

	if (world->turn)
		turn_each_state(world->turn, earliest, &due);
	return due;
}

static int add_row(void *ctx, const struct outbox_row *row)
{
	CLEANUP(free_p) char *line = xasprintf("%s %s", row->type, row->topic);
	CLEANUP(json_decref_p) json_t *body = NULL;
	struct err err;

	if (row->payload && json_parse(row->payload, row->payload_len, &body, &err) < 0)
		return ERR_INVALID;
	json_array_append_new(
		ctx, json_pack("{s:s, s:s?, s:O?}", "emit", line, "key", row->key, "data", body));
	return 0;
}

json_t *scenario_outbox(struct world *world)
{
	static const int slots[WORLD_SLOTS] = {0, 1, 2, 3};
	struct outbox_page page = {.slots = slots, .n_slots = WORLD_SLOTS, .limit = STORE_PUT_MAX};
	json_t *rows = json_array();
	struct err err;

	if (world->inner->ops->outbox_list(world->truth, &page, add_row, rows, &err) < 0) {
		fprintf(stderr, "the outbox cannot be read: %s\n", err.text);
		abort();
	}
	return rows;
}
