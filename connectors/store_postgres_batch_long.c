/*
 * A batch's rows of what runs long: tasks, messages to other sagas, search values, and places in
 * the lines for locks.
 *
 * All that an item drops and adds is dropped and added at one time, so only what is to be there in
 * the end is sent: a key that is asked for and given up again in one item never was in a line.
 */
#include "connectors/store_postgres_batch.h"
#include "sagas/base/macros.h"

static void add_parsed(struct pg_array *array, const char *text)
{
	struct pg_uuid id;

	CHECK(pg__uuid_parse(text, &id)); /* as pg__long_fits has seen */
	pg__add_uuid(array, &id);
}

static void add_task(struct pg_array *arrays, const struct store_item *item,
					 const struct task_row *row)
{
	pg__add_int4(&arrays[PG_BATCH_TASK_SLOT], item->slot);
	add_parsed(&arrays[PG_BATCH_TASK_SAGA_ID], item->saga_id);
	pg__add_str(&arrays[PG_BATCH_TASK_STEP], row->step);
	pg__add_int4(&arrays[PG_BATCH_TASK_ITEM], row->item);
	pg__add_str(&arrays[PG_BATCH_TASK_SIDE], store_side_text(row->side));
	pg__add_str(&arrays[PG_BATCH_TASK_NAMESPACE], row->ns);
	pg__add_str(&arrays[PG_BATCH_TASK_DEFINITION], row->definition);
	pg__add_str(&arrays[PG_BATCH_TASK_KIND], task_kind_text(row->kind));
	pg__add_str(&arrays[PG_BATCH_TASK_QUEUE], row->queue);
	pg__add_str(&arrays[PG_BATCH_TASK_ROUTE], row->route);
	pg__add_int8(&arrays[PG_BATCH_TASK_ATTEMPT], row->attempt);
	pg__add_str(&arrays[PG_BATCH_TASK_STATE], task_state_text(row->state));
	pg__add_int8(&arrays[PG_BATCH_TASK_QUEUED_AT], row->queued_at);
	pg__add_int8(&arrays[PG_BATCH_TASK_AVAILABLE_AT], row->available_at);
	pg__add_time(&arrays[PG_BATCH_TASK_DEADLINE_AT], row->deadline_at);
	pg__add_time(&arrays[PG_BATCH_TASK_LEASED_UNTIL], row->leased_until);
	pg__add_str(&arrays[PG_BATCH_TASK_WORKER], row->worker);
	pg__add_str(&arrays[PG_BATCH_TASK_BUILD], row->build);
	pg__add_text(&arrays[PG_BATCH_TASK_DOC], row->doc, row->doc_len);
}

/* row NULL: all of the saga. */
static void drop_task(struct pg_array *arrays, const struct store_item *item,
					  const struct task_row *row)
{
	pg__add_int4(&arrays[PG_BATCH_TASK_GONE_SLOT], item->slot);
	add_parsed(&arrays[PG_BATCH_TASK_GONE_SAGA_ID], item->saga_id);
	pg__add_str(&arrays[PG_BATCH_TASK_GONE_STEP], row ? row->step : NULL);
	pg__add_int4(&arrays[PG_BATCH_TASK_GONE_ITEM], row ? row->item : 0);
	pg__add_str(&arrays[PG_BATCH_TASK_GONE_SIDE], row ? store_side_text(row->side) : NULL);
}

static void add_message(struct pg_array *arrays, const struct store_item *item,
						const struct inbox_row *row)
{
	pg__add_int4(&arrays[PG_BATCH_MESSAGE_SLOT], row->slot);
	add_parsed(&arrays[PG_BATCH_MESSAGE_ID], row->id);
	add_parsed(&arrays[PG_BATCH_MESSAGE_SAGA_ID], row->saga_id);
	pg__add_str(&arrays[PG_BATCH_MESSAGE_NAMESPACE], row->ns);
	pg__add_int8(&arrays[PG_BATCH_MESSAGE_AT], row->at);
	pg__add_text(&arrays[PG_BATCH_MESSAGE_MESSAGE], row->message, row->message_len);
	add_parsed(&arrays[PG_BATCH_MESSAGE_SENDER], item->saga_id);
}

static void add_search(struct pg_array *arrays, const struct store_item *item,
					   const struct search_value *value)
{
	pg__add_int4(&arrays[PG_BATCH_SEARCH_SLOT], item->slot);
	add_parsed(&arrays[PG_BATCH_SEARCH_SAGA_ID], item->saga_id);
	pg__add_str(&arrays[PG_BATCH_SEARCH_NAME], value->name);
	pg__add_str(&arrays[PG_BATCH_SEARCH_VALUE], value->value);
	pg__add_str(&arrays[PG_BATCH_SEARCH_NAMESPACE], item->create->ns);
}

static bool is_same_step(const struct lock_change *a, const struct lock_change *b)
{
	return a->item == b->item && strcmp(a->step, b->step) == 0;
}

/* Whether what the i-th change asks for is given up by a later one. */
static bool is_given_up(const struct store_item *item, size_t i)
{
	const struct lock_change *ask = &item->locks[i];

	for (size_t k = i + 1; k < item->n_locks; k++) {
		const struct lock_change *later = &item->locks[k];

		if (later->release && is_same_step(ask, later) &&
			(!later->key || strcmp(ask->key, later->key) == 0))
			return true;
	}
	return false;
}

static void add_ask(struct pg_array *arrays, const struct store_item *item,
					const struct lock_change *lock)
{
	char ticket[UUID_SIZE];

	store_lock_ticket(item->at, item->saga_id, item->seq, lock->step, lock->item, ticket);
	pg__add_str(&arrays[PG_BATCH_ASK_NAMESPACE], lock->ns);
	pg__add_str(&arrays[PG_BATCH_ASK_KEY], lock->key);
	add_parsed(&arrays[PG_BATCH_ASK_TICKET], ticket);
	pg__add_int4(&arrays[PG_BATCH_ASK_SLOT], item->slot);
	add_parsed(&arrays[PG_BATCH_ASK_SAGA_ID], item->saga_id);
	pg__add_str(&arrays[PG_BATCH_ASK_STEP], lock->step);
	pg__add_int4(&arrays[PG_BATCH_ASK_ITEM], lock->item);
	pg__add_int8(&arrays[PG_BATCH_ASK_ASKED_AT], item->at);
	pg__add_int4(&arrays[PG_BATCH_ASK_SEQ], (int32_t)item->seq);
}

/* lock NULL: all of the saga. */
static void add_release(struct pg_array *arrays, const struct store_item *item,
						const struct lock_change *lock)
{
	pg__add_int4(&arrays[PG_BATCH_RELEASE_SLOT], item->slot);
	add_parsed(&arrays[PG_BATCH_RELEASE_SAGA_ID], item->saga_id);
	pg__add_str(&arrays[PG_BATCH_RELEASE_STEP], lock ? lock->step : NULL);
	pg__add_int4(&arrays[PG_BATCH_RELEASE_ITEM], lock ? lock->item : 0);
	pg__add_str(&arrays[PG_BATCH_RELEASE_KEY], lock ? lock->key : NULL);
	pg__add_int4(&arrays[PG_BATCH_RELEASE_SEQ], (int32_t)item->seq);
}

void pg__batch_add_copied(struct pg_array *arrays, const struct store_item *item)
{
	if (item->copied.n)
		add_parsed(&arrays[PG_BATCH_SAGA_COPIED_OF], item->copied.saga_id);
	else
		pg__add_text(&arrays[PG_BATCH_SAGA_COPIED_OF], NULL, 0);
	pg__add_int4(&arrays[PG_BATCH_SAGA_COPIED_FIRST], (int32_t)item->copied.first);
	pg__add_int4(&arrays[PG_BATCH_SAGA_COPIED_N], (int32_t)item->copied.n);
}

bool pg__has_long(const struct store_item *item)
{
	return item->copied.n || item->n_tasks || item->remove_all_tasks || item->n_locks ||
		   item->release_all_locks || item->n_messages || item->n_search || item->rebase ||
		   item->reuse || (item->create && (item->create->parent_id[0] || item->create->base_seq));
}

bool pg__long_fits(const struct store_postgres *s, const struct store_item *item)
{
	struct pg_uuid id;

	if (!store_long_fits(item, s->slot_count) ||
		(item->copied.n && !pg__uuid_parse(item->copied.saga_id, &id)))
		return false;
	for (size_t i = 0; i < item->n_messages; i++)
		if (!pg__uuid_parse(item->messages[i].id, &id) ||
			!pg__uuid_parse(item->messages[i].saga_id, &id))
			return false;
	return !item->create || !item->create->parent_id[0] ||
		   pg__uuid_parse(item->create->parent_id, &id);
}

void pg__batch_add_long(struct store_postgres *s, const struct store_item *item)
{
	struct pg_array *arrays = s->arrays;

	if (item->remove_all_tasks)
		drop_task(arrays, item, NULL);
	for (size_t i = 0; i < item->n_tasks; i++)
		(item->tasks[i].remove ? drop_task : add_task)(arrays, item, &item->tasks[i].row);
	for (size_t i = 0; i < item->n_messages; i++)
		add_message(arrays, item, &item->messages[i]);
	for (size_t i = 0; item->create && i < item->n_search; i++)
		add_search(arrays, item, &item->search[i]);
	if (item->release_all_locks)
		add_release(arrays, item, NULL);
	for (size_t i = 0; i < item->n_locks; i++) {
		if (item->locks[i].release)
			add_release(arrays, item, &item->locks[i]);
		else if (!is_given_up(item, i))
			add_ask(arrays, item, &item->locks[i]);
	}
}
