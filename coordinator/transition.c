#include "coordinator/transition.h"

#include <string.h>

static const char *copy_text(struct batch *arena, const char *text)
{
	return text ? batch_copy(arena, text, strlen(text)) : NULL;
}

static void add_subscriptions(struct batch *arena, const struct saga_state *state,
							  const struct decision *decision, struct store_item *item)
{
	struct subscription_row *rows;

	item->unsubscribe_all = decision->unsubscribe_all;
	if (decision->n_subscriptions == 0)
		return;
	rows = batch_alloc(arena, decision->n_subscriptions * sizeof(*rows));
	for (size_t i = 0; i < decision->n_subscriptions; i++) {
		const struct subscription *from = &decision->subscriptions[i];

		rows[i] = (struct subscription_row){
			.step = from->step < 0 ? "" : copy_text(arena, state->def->steps[from->step].id),
			.item = from->item,
			.place = from->place,
			.channel = from->remove ? NULL : copy_text(arena, from->on->channel),
			.value = from->remove ? NULL : copy_text(arena, from->value),
			.remove = from->remove,
			.ns = from->remove ? NULL : copy_text(arena, state->ns),
		};
	}
	item->subscriptions = rows;
	item->n_subscriptions = decision->n_subscriptions;
}

static void copy_outbox(struct batch *arena, const struct outbox *outbox, struct store_item *item)
{
	struct outbox_row *rows;

	if (outbox->n_events == 0)
		return;
	rows = batch_alloc(arena, outbox->n_events * sizeof(*rows));
	for (size_t i = 0; i < outbox->n_events; i++) {
		const struct outbox_event *from = &outbox->events[i];
		struct outbox_row *row = &rows[i];

		*row = (struct outbox_row){
			.slot = item->slot,
			.seq = item->seq,
			.place = from->place,
			.cluster = copy_text(arena, from->cluster),
			.topic = copy_text(arena, from->topic),
			.key = copy_text(arena, from->key),
			.type = copy_text(arena, from->type),
			.headers = copy_text(arena, from->headers),
			.payload = from->payload ? batch_copy(arena, from->payload, from->payload_len) : NULL,
			.payload_len = from->payload_len,
			.created_at = item->at,
		};
		memcpy(row->saga_id, item->saga_id, sizeof(row->saga_id));
		memcpy(row->id, from->id, sizeof(row->id));
	}
	item->outbox = rows;
	item->n_outbox = outbox->n_events;
}

static void outbox_release_p(struct outbox *outbox)
{
	outbox_release(outbox);
}

static int add_outbox(struct batch *arena, const struct saga_state *state,
					  const struct decision *decision, const struct lifecycle_topic *topic,
					  const struct lifecycle_before *before, struct store_item *item,
					  struct err *err)
{
	CLEANUP(outbox_release_p) struct outbox outbox;
	struct outbox_origin origin = {
		.ns = state->ns,
		.definition = state->def->name,
		.saga_id = state->id,
		.seq = item->seq,
		.at = item->at,
	};
	int r = 0;

	outbox_init(&outbox);
	for (size_t i = 0; i < decision->n_emissions && r == 0; i++)
		r = outbox_add_emission(&outbox, &origin, decision->emissions[i].request, err);
	if (r == 0 && topic->topic)
		r = lifecycle_add(&outbox, &origin, topic->cluster, topic->topic, state, before,
						  decision->events, decision->n_events, err);
	if (r < 0)
		return r;
	copy_outbox(arena, &outbox, item);
	return 0;
}

int transition_add_messages(struct batch *arena, const struct saga_state *state,
							const struct decision *decision, const struct lifecycle_topic *topic,
							const struct lifecycle_before *before, struct store_item *item,
							struct err *err)
{
	add_subscriptions(arena, state, decision, item);
	if (decision->n_emissions == 0 && !topic->topic)
		return 0;
	return add_outbox(arena, state, decision, topic, before, item, err);
}

bool transition_may_wait(const struct saga_def *def)
{
	if (def->n_cancel_on > 0)
		return true;
	for (int i = 0; i < def->n_steps; i++)
		if (action_subscribes(&def->steps[i].act))
			return true;
	return false;
}
