/*
 * A batch's rows of queues: subscriptions, the outbox, and what was taken out of the inbox.
 *
 * All subscriptions of an item are dropped and added at one time, so only what is to be there in
 * the end is sent: of each (step, item, place) the last that the item says.
 */
#include "connectors/store_postgres_batch.h"
#include "sagas/base/macros.h"

static bool is_same_place(const struct subscription_row *a, const struct subscription_row *b)
{
	return a->item == b->item && a->place == b->place && strcmp(a->step, b->step) == 0;
}

static void add_drop(struct pg_array *arrays, const struct store_item *item,
					 const struct pg_uuid *id, const struct subscription_row *row)
{
	pg__add_int4(&arrays[PG_BATCH_UNSUB_SLOT], item->slot);
	pg__add_uuid(&arrays[PG_BATCH_UNSUB_ID], id);
	pg__add_str(&arrays[PG_BATCH_UNSUB_STEP], row ? row->step : NULL);
	pg__add_int4(&arrays[PG_BATCH_UNSUB_ITEM], row ? row->item : 0);
	pg__add_int4(&arrays[PG_BATCH_UNSUB_PLACE], row ? row->place : 0);
}

static void add_subscription(struct store_postgres *s, const struct store_item *item,
							 const struct pg_uuid *id, const struct subscription_row *row)
{
	struct pg_array *arrays = s->arrays;

	pg__add_int4(&arrays[PG_BATCH_SUB_SLOT], pg__event_slot(s, row->ns, row->channel, row->value));
	pg__add_str(&arrays[PG_BATCH_SUB_NAMESPACE], row->ns);
	pg__add_str(&arrays[PG_BATCH_SUB_CHANNEL], row->channel);
	pg__add_str(&arrays[PG_BATCH_SUB_VALUE], row->value);
	pg__add_int4(&arrays[PG_BATCH_SUB_SAGA_SLOT], item->slot);
	pg__add_uuid(&arrays[PG_BATCH_SUB_SAGA_ID], id);
	pg__add_str(&arrays[PG_BATCH_SUB_STEP], row->step);
	pg__add_int4(&arrays[PG_BATCH_SUB_ITEM], row->item);
	pg__add_int4(&arrays[PG_BATCH_SUB_PLACE], row->place);
}

static void add_subscriptions(struct store_postgres *s, const struct store_item *item,
							  const struct pg_uuid *id)
{
	if (item->unsubscribe_all)
		add_drop(s->arrays, item, id, NULL);
	for (size_t i = 0; i < item->n_subscriptions; i++) {
		const struct subscription_row *row = &item->subscriptions[i];
		bool last = true;

		for (size_t k = i + 1; last && k < item->n_subscriptions; k++)
			last = !is_same_place(row, &item->subscriptions[k]);
		if (!last)
			continue;
		if (!item->unsubscribe_all)
			add_drop(s->arrays, item, id, row);
		if (!row->remove)
			add_subscription(s, item, id, row);
	}
}

static void add_outbox(struct pg_array *arrays, const struct store_item *item,
					   const struct pg_uuid *id, const struct outbox_row *row)
{
	struct pg_uuid event_id;

	CHECK(pg__uuid_parse(row->id, &event_id));
	pg__add_int4(&arrays[PG_BATCH_OUT_SLOT], item->slot);
	pg__add_uuid(&arrays[PG_BATCH_OUT_SAGA_ID], id);
	pg__add_int4(&arrays[PG_BATCH_OUT_SEQ], (int32_t)item->seq);
	pg__add_int4(&arrays[PG_BATCH_OUT_PLACE], row->place);
	pg__add_uuid(&arrays[PG_BATCH_OUT_ID], &event_id);
	pg__add_str(&arrays[PG_BATCH_OUT_CLUSTER], row->cluster);
	pg__add_str(&arrays[PG_BATCH_OUT_TOPIC], row->topic);
	pg__add_str(&arrays[PG_BATCH_OUT_KEY], row->key);
	pg__add_str(&arrays[PG_BATCH_OUT_TYPE], row->type);
	pg__add_str(&arrays[PG_BATCH_OUT_HEADERS], row->headers);
	pg__add_text(&arrays[PG_BATCH_OUT_PAYLOAD], row->payload, row->payload_len);
	pg__add_int8(&arrays[PG_BATCH_OUT_CREATED_AT], row->created_at);
}

bool pg__queues_fit(const struct store_item *item)
{
	struct pg_uuid id;

	if (!store_messages_fit(item->subscriptions, item->n_subscriptions, item->outbox,
							item->n_outbox))
		return false;
	for (size_t i = 0; i < item->n_outbox; i++)
		if (!pg__uuid_parse(item->outbox[i].id, &id))
			return false;
	for (size_t i = 0; i < item->n_inbox; i++)
		if (!pg__uuid_parse(item->inbox[i], &id))
			return false;
	return true;
}

void pg__batch_add_queues(struct store_postgres *s, const struct store_item *item)
{
	struct pg_array *arrays = s->arrays;
	struct pg_uuid saga_id, id;

	CHECK(pg__uuid_parse(item->saga_id, &saga_id));
	add_subscriptions(s, item, &saga_id);
	for (size_t i = 0; i < item->n_outbox; i++)
		add_outbox(arrays, item, &saga_id, &item->outbox[i]);
	for (size_t i = 0; i < item->n_inbox; i++) {
		CHECK(pg__uuid_parse(item->inbox[i], &id));
		pg__add_int4(&arrays[PG_BATCH_IN_SLOT], item->slot);
		pg__add_uuid(&arrays[PG_BATCH_IN_ID], &id);
		pg__add_uuid(&arrays[PG_BATCH_IN_SAGA_ID], &saga_id);
	}
}
