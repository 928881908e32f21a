#include "connectors/store_postgres_batch.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include "sagas/base/macros.h"

bool pg__is_fenced(const struct store_item *item)
{
	const struct saga_row *row = item->create;

	/* A saga that is born asleep waits for the owner of its slot; one that is awake is ours, or
	 * nobody would ever look at it. What has ended needs no owner. */
	return !row || (!row->due_at && !row->ended_at);
}

int pg__key_slot(const struct store_postgres *s, const struct saga_row *row)
{
	return row->key ? saga_slot(row->ns, row->definition, row->key, s->slot_count) : row->slot;
}

size_t pg__item_bytes(const struct store_item *item, size_t *ret_row)
{
	size_t all = item->events_len + 512, row = item->events_len;

	for (size_t i = 0; i < item->n_compensations; i++) {
		all += item->compensations[i].request_len + 256;
		if (item->compensations[i].request_len > row)
			row = item->compensations[i].request_len;
	}
	all += item->n_subscriptions * 512 + item->n_inbox * 64;
	for (size_t i = 0; i < item->n_outbox; i++) {
		all += item->outbox[i].payload_len + strlen(item->outbox[i].headers) + 1024;
		if (item->outbox[i].payload_len > row)
			row = item->outbox[i].payload_len;
	}
	for (size_t i = 0; i < item->n_tasks; i++) {
		all += item->tasks[i].row.doc_len + 1024;
		if (item->tasks[i].row.doc_len > row)
			row = item->tasks[i].row.doc_len;
	}
	for (size_t i = 0; i < item->n_messages; i++) {
		all += item->messages[i].message_len + 256;
		if (item->messages[i].message_len > row)
			row = item->messages[i].message_len;
	}
	all += item->n_locks * 1024 + item->n_search * 512;
	*ret_row = row;
	return all;
}

/* An array as Postgres reads it, so that any text may be in it: {"a","b \"c\"",NULL}. */
static void add_element(struct buf *out, const char *text)
{
	buf_add_char(out, out->len == 0 ? '{' : ',');
	if (!text) {
		buf_add_lit(out, "NULL");
		return;
	}
	buf_add_char(out, '"');
	for (; *text; text++) {
		if (*text == '"' || *text == '\\')
			buf_add_char(out, '\\');
		buf_add_char(out, *text);
	}
	buf_add_char(out, '"');
}

static bool has_concern(const struct saga_row *row)
{
	return row && (row->attention.group || row->owner);
}

/* What most sagas have none of, in one text: NULL. */
static void add_concern(struct pg_array *array, const struct saga_row *row)
{
	CLEANUP(buf_release) struct buf text;
	const struct attention_ref *ref = &row->attention;
	char at[24];

	buf_init(&text, 0);
	if (!has_concern(row)) {
		pg__add_str(array, NULL);
		return;
	}
	snprintf(at, sizeof(at), "%lld", (long long)row->attention_at);
	add_element(&text, ref->group);
	add_element(&text, ref->kind);
	add_element(&text, ref->step);
	add_element(&text, ref->side);
	add_element(&text, ref->code);
	add_element(&text, row->attention_at ? at : NULL);
	add_element(&text, row->owner);
	buf_add_char(&text, '}');
	pg__add_text(array, text.data, text.len);
}

struct beginning {
	const struct store_item *item;
	int key_slot;
	size_t place; /* in the batch */
};

/* The same order for all writers, so that two that meet at two keys do not wait for each other. */
static int compare_beginnings(const void *a, const void *b)
{
	const struct beginning *x = a, *y = b;
	const struct saga_row *p = x->item->create, *q = y->item->create;
	int r = (x->key_slot > y->key_slot) - (x->key_slot < y->key_slot);

	if (r == 0)
		r = strcmp(p->ns, q->ns);
	if (r == 0)
		r = strcmp(p->definition, q->definition);
	if (r == 0)
		r = strcmp(p->key ? p->key : "", q->key ? q->key : "");
	return r ? r : (x->place > y->place) - (x->place < y->place);
}

static void add_saga(struct pg_array *arrays, const struct beginning *beginning,
					 enum pg_statement which)
{
	const struct store_item *item = beginning->item;
	const struct saga_row *row = item->create;
	struct pg_uuid id;

	CHECK(pg__uuid_parse(item->saga_id, &id));
	pg__add_int4(&arrays[PG_BATCH_SAGA_SLOT], item->slot);
	pg__add_uuid(&arrays[PG_BATCH_SAGA_ID], &id);
	pg__add_str(&arrays[PG_BATCH_SAGA_NAMESPACE], row->ns);
	pg__add_str(&arrays[PG_BATCH_SAGA_DEFINITION], row->definition);
	pg__add_int8(&arrays[PG_BATCH_SAGA_VERSION], row->version);
	pg__add_str(&arrays[PG_BATCH_SAGA_STATUS], saga_status_text(row->status));
	pg__add_str(&arrays[PG_BATCH_SAGA_KEY], row->key);
	pg__add_int8(&arrays[PG_BATCH_SAGA_STARTED_AT], row->started_at);
	pg__add_int8(&arrays[PG_BATCH_SAGA_UPDATED_AT], row->updated_at);
	pg__add_time(&arrays[PG_BATCH_SAGA_ENDED_AT], row->ended_at);
	pg__add_time(&arrays[PG_BATCH_SAGA_DUE_AT], row->due_at);
	pg__add_str(&arrays[PG_BATCH_SAGA_ATTENTION], row->attention.text);
	pg__add_int4(&arrays[PG_BATCH_SAGA_KEY_SLOT], beginning->key_slot);
	pg__add_str(&arrays[PG_BATCH_SAGA_FINGERPRINT], item->fingerprint ? item->fingerprint : "");
	pg__add_bool(&arrays[PG_BATCH_SAGA_FENCED], pg__is_fenced(item));
	if (which >= PG_COMMIT_ALL) {
		pg__add_int8(&arrays[PG_BATCH_SAGA_AT], item->at);
		add_concern(&arrays[PG_BATCH_SAGA_CONCERN], row);
	}
	if (which >= PG_COMMIT_LONG) {
		if (row->parent_id[0]) {
			CHECK(pg__uuid_parse(row->parent_id, &id));
			pg__add_uuid(&arrays[PG_BATCH_SAGA_PARENT], &id);
		} else {
			pg__add_text(&arrays[PG_BATCH_SAGA_PARENT], NULL, 0);
		}
		pg__add_int4(&arrays[PG_BATCH_SAGA_BASE_SEQ], (int32_t)row->base_seq);
		pg__add_bool(&arrays[PG_BATCH_SAGA_REUSE], item->reuse);
		pg__batch_add_copied(arrays, item);
	}
}

static void add_sagas(struct store_postgres *s, const struct pg_part *part, enum pg_statement which)
{
	CLEANUP(free_p) struct beginning *beginnings = xcalloc(part->n, sizeof(*beginnings));
	size_t n = 0;

	for (size_t i = 0; i < part->n; i++)
		if (part->items[i]->create)
			beginnings[n++] = (struct beginning){
				.item = part->items[i],
				.key_slot = pg__key_slot(s, part->items[i]->create),
				.place = i,
			};
	qsort(beginnings, n, sizeof(*beginnings), compare_beginnings);
	for (size_t i = 0; i < n; i++)
		add_saga(s->arrays, &beginnings[i], which);
}

static void add_change(struct pg_array *arrays, const struct store_item *item,
					   const struct pg_uuid *id, enum pg_statement which)
{
	const struct saga_row *row = item->update;

	pg__add_int4(&arrays[PG_BATCH_CHANGE_SLOT], item->slot);
	pg__add_uuid(&arrays[PG_BATCH_CHANGE_ID], id);
	pg__add_str(&arrays[PG_BATCH_CHANGE_STATUS], saga_status_text(row->status));
	pg__add_int8(&arrays[PG_BATCH_CHANGE_UPDATED_AT], row->updated_at);
	pg__add_time(&arrays[PG_BATCH_CHANGE_ENDED_AT], row->ended_at);
	pg__add_time(&arrays[PG_BATCH_CHANGE_DUE_AT], row->ended_at ? 0 : row->due_at);
	pg__add_str(&arrays[PG_BATCH_CHANGE_ATTENTION], row->attention.text);
	if (which >= PG_COMMIT_ALL) {
		pg__add_int8(&arrays[PG_BATCH_CHANGE_AT], item->at);
		add_concern(&arrays[PG_BATCH_CHANGE_CONCERN], row);
	}
	if (which < PG_COMMIT_LONG)
		return;
	if (item->rebase) {
		pg__add_int8(&arrays[PG_BATCH_CHANGE_VERSION], row->version);
		pg__add_int4(&arrays[PG_BATCH_CHANGE_BASE_SEQ], (int32_t)row->base_seq);
	} else {
		pg__add_text(&arrays[PG_BATCH_CHANGE_VERSION], NULL, 0);
		pg__add_text(&arrays[PG_BATCH_CHANGE_BASE_SEQ], NULL, 0);
	}
}

static void add_compensation(struct pg_array *arrays, const struct store_item *item,
							 const struct pg_uuid *id, size_t place)
{
	const struct compensation_row *comp = &item->compensations[place];

	pg__add_int4(&arrays[PG_BATCH_COMP_SLOT], item->slot);
	pg__add_uuid(&arrays[PG_BATCH_COMP_ID], id);
	pg__add_str(&arrays[PG_BATCH_COMP_STEP], comp->step);
	pg__add_int4(&arrays[PG_BATCH_COMP_ITEM], comp->item);
	pg__add_int4(&arrays[PG_BATCH_COMP_SEQ], (int32_t)item->seq);
	pg__add_int4(&arrays[PG_BATCH_COMP_PLACE], (int32_t)place);
	pg__add_str(&arrays[PG_BATCH_COMP_ACTION], comp->action);
	pg__add_str(&arrays[PG_BATCH_COMP_STATUS], comp_status_text(comp->status));
	pg__add_int8(&arrays[PG_BATCH_COMP_ATTEMPTS], comp->attempts);
	pg__add_int8(&arrays[PG_BATCH_COMP_UPDATED_AT], comp->updated_at);
	pg__add_str(&arrays[PG_BATCH_COMP_LAST_ERROR], comp->last_error);
	pg__add_text(&arrays[PG_BATCH_COMP_REQUEST], comp->request, comp->request_len);
}

static void add_item(struct pg_array *arrays, const struct store_item *item,
					 enum pg_statement which)
{
	struct pg_uuid id;

	CHECK(item->seq <= INT32_MAX && item->copied.first <= INT32_MAX);
	CHECK(item->create ? item->seq == item->copied.n + 1 : item->seq > 1);
	CHECK(!(item->create && item->update));
	CHECK(pg__uuid_parse(item->saga_id, &id));
	pg__add_int4(&arrays[PG_BATCH_HISTORY_SLOT], item->slot);
	pg__add_uuid(&arrays[PG_BATCH_HISTORY_ID], &id);
	pg__add_int4(&arrays[PG_BATCH_HISTORY_SEQ], (int32_t)item->seq);
	pg__add_int8(&arrays[PG_BATCH_HISTORY_AT], item->at);
	pg__add_text(&arrays[PG_BATCH_HISTORY_EVENTS], item->events, item->events_len);
	for (size_t i = 0; i < item->n_compensations; i++)
		add_compensation(arrays, item, &id, i);
	if (item->update)
		add_change(arrays, item, &id, which);
}

void pg__add_fences(struct store_postgres *s, const bool needed[SLOTS_MAX], struct pg_array *slots,
					struct pg_array *tokens)
{
	pthread_mutex_lock(&s->mutex);
	for (int slot = 0; slot < s->slot_count; slot++) {
		if (!needed[slot])
			continue;
		pg__add_int4(slots, slot);
		pg__add_uuid(tokens, &s->tokens[slot]);
	}
	pthread_mutex_unlock(&s->mutex);
}

static void add_fences(struct store_postgres *s, const struct pg_part *part)
{
	bool needed[SLOTS_MAX] = {false};

	for (size_t i = 0; i < part->n; i++)
		needed[part->items[i]->slot] |= pg__is_fenced(part->items[i]);
	pg__add_fences(s, needed, &s->arrays[PG_BATCH_FENCE_SLOT], &s->arrays[PG_BATCH_FENCE_TOKEN]);
}

/*
 * To which slot's rows is counted: the first that is ours, so that a node has few of them; or,
 * where a transaction is to stay in one slot, or none is ours, one of the batch.
 */
static int counting_slot(struct store_postgres *s, const struct pg_part *part)
{
	int best = INT_MAX, ours = s->single_slot_batches ? -1 : pg__first_slot(s);

	for (size_t i = 0; ours < 0 && i < part->n; i++) {
		/* Another node's slot comes behind all of ours. */
		int rank = part->items[i]->slot + (pg__is_fenced(part->items[i]) ? 0 : SLOTS_MAX);

		if (rank < best)
			best = rank;
	}
	return ours < 0 ? best % SLOTS_MAX : ours;
}

int pg__first_slot(struct store_postgres *s)
{
	static const struct pg_uuid none;
	int slot;

	pthread_mutex_lock(&s->mutex);
	for (slot = 0; slot < s->slot_count; slot++)
		if (memcmp(&s->tokens[slot], &none, sizeof(none)) != 0)
			break;
	pthread_mutex_unlock(&s->mutex);
	return slot < s->slot_count ? slot : -1;
}

/* Whether the times in the row are not of the minute that the transition was in. */
static bool has_other_minute(const struct store_item *item)
{
	enum { MINUTE_MS = 60000 };
	const struct saga_row *row = item->create ? item->create : item->update;

	return (item->create && row->started_at / MINUTE_MS != item->at / MINUTE_MS) ||
		   (row && row->ended_at && row->ended_at / MINUTE_MS != item->at / MINUTE_MS);
}

static bool has_more(const struct store_item *item)
{
	return item->n_subscriptions || item->unsubscribe_all || item->n_outbox || item->n_inbox ||
		   has_concern(item->create) || has_concern(item->update) || has_other_minute(item);
}

enum pg_statement pg__statement_for(const struct store_item *item)
{
	if (pg__has_long(item))
		return PG_COMMIT_LONG;
	return has_more(item) ? PG_COMMIT_ALL : PG_COMMIT;
}

static void add_arrays(struct store_postgres *s, int from, int to, struct pg_args *args)
{
	for (int i = from; i < to; i++) {
		pg__array_finish(&s->arrays[i]);
		pg__arg_array(args, &s->arrays[i]);
	}
}

enum pg_statement pg__batch_fill(struct store_postgres *s, const struct pg_part *part,
								 struct pg_args *args)
{
	static const enum pg_type types[] = {
#define X(name, type) type,
		PG_BATCH_ARRAYS(X) PG_BATCH_MORE_ARRAYS(X) PG_BATCH_LONG_ARRAYS(X)
#undef X
	};
	static const int ends[] = {
		[PG_COMMIT] = PG_BATCH_SUB_SLOT,
		[PG_COMMIT_ALL] = PG_BATCH_SAGA_PARENT,
		[PG_COMMIT_LONG] = PG_BATCH_ARRAY_COUNT,
	};
	enum pg_statement which = PG_COMMIT;

	for (size_t i = 0; i < part->n; i++)
		if (pg__statement_for(part->items[i]) > which)
			which = pg__statement_for(part->items[i]);
	for (int i = 0; i < ends[which]; i++)
		pg__array_reset(&s->arrays[i], types[i]);
	add_fences(s, part);
	add_sagas(s, part, which);
	for (size_t i = 0; i < part->n; i++) {
		add_item(s->arrays, part->items[i], which);
		if (which >= PG_COMMIT_ALL)
			pg__batch_add_queues(s, part->items[i]);
		if (which >= PG_COMMIT_LONG)
			pg__batch_add_long(s, part->items[i]);
	}
	*args = (struct pg_args){0};
	add_arrays(s, 0, PG_BATCH_SUB_SLOT, args);
	pg__arg_int(args, counting_slot(s, part));
	add_arrays(s, PG_BATCH_SUB_SLOT, ends[which], args);
	return which;
}

/* An array in a result, in binary: elements of one size and no NULLs. */
struct elements {
	const unsigned char *data;
	size_t n, size;
};

static uint32_t get32(const unsigned char *from)
{
	return (uint32_t)from[0] << 24 | (uint32_t)from[1] << 16 | (uint32_t)from[2] << 8 | from[3];
}

static bool get_elements(const PGresult *result, int col, size_t size, struct elements *ret)
{
	const unsigned char *data = (const unsigned char *)PQgetvalue(result, 0, col);
	size_t len = (size_t)PQgetlength(result, 0, col);

	*ret = (struct elements){.size = size};
	if (len == 12 && get32(data) == 0)
		return true;
	if (len < 20 || get32(data) != 1)
		return false;
	ret->n = get32(data + 12);
	ret->data = data + 20;
	return len == 20 + ret->n * (4 + size);
}

static const unsigned char *element(const struct elements *elements, size_t i)
{
	return elements->data + i * (4 + elements->size) + 4;
}

int pg__batch_read(struct store_postgres *s, const struct pg_part *part, const PGresult *result,
				   struct err *err)
{
	struct elements accepted, slots;
	bool ours[SLOTS_MAX] = {false};
	size_t next = 0;
	struct pg_uuid id;

	(void)s;
	if (PQntuples(result) != 1 || PQnfields(result) != 2 ||
		!get_elements(result, 0, PG_UUID_SIZE, &accepted) || !get_elements(result, 1, 4, &slots))
		return err_set(err, ERR_INTERNAL, "Postgres answered a batch with something else");
	for (size_t i = 0; i < slots.n; i++)
		ours[get32(element(&slots, i)) % SLOTS_MAX] = true;
	/* What was accepted comes in the order in which it was sent. */
	for (size_t i = 0; i < part->n; i++) {
		struct store_item *item = part->items[i];

		CHECK(pg__uuid_parse(item->saga_id, &id));
		if (next < accepted.n && memcmp(element(&accepted, next), id.bytes, sizeof(id)) == 0) {
			item->verdict = STORE_ACCEPTED;
			next++;
		} else if (pg__is_fenced(item) && !ours[item->slot]) {
			item->verdict = STORE_FENCED;
		} else {
			item->verdict = STORE_CONFLICT;
		}
	}
	if (next != accepted.n)
		return err_set(err, ERR_INTERNAL, "Postgres accepted a batch in another order");
	return 0;
}
