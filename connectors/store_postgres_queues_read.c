/*
 * Pages of the inbox, the outbox and early events. A page is over many slots and its order is over
 * all of them, while the indexes lead with the slot: each slot gives its first keys, the first of
 * those are the page, and only of these the rows are fetched.
 */
#include <stdio.h>

#include "connectors/store_postgres_priv.h"
#include "sagas/base/macros.h"

static const char no_id[] = "00000000-0000-0000-0000-000000000000";

/* The slots of a page, each once. */
static int add_slots(const struct store_postgres *s, const int *slots, size_t n,
					 struct pg_array *array, struct err *err)
{
	bool seen[SLOTS_MAX] = {false};

	pg__array_reset(array, PG_INT4);
	for (size_t i = 0; i < n; i++) {
		if (slots[i] < 0 || slots[i] >= s->slot_count)
			return err_set(err, ERR_INVALID, "there is no slot %d", slots[i]);
		if (!seen[slots[i]])
			pg__add_int4(array, slots[i]);
		seen[slots[i]] = true;
	}
	pg__array_finish(array);
	return 0;
}

int pg__inbox_list(struct store_reader *reader, const struct inbox_page *page,
				   int (*row)(void *ctx, const struct inbox_row *row), void *ctx, struct err *err)
{
	CLEANUP(pg__array_release) struct pg_array slots = {0};
	CLEANUP(PQclear_p) PGresult *result = NULL;
	struct pg_args args = {0};
	bool from_start = !page->after_id[0];
	int r = store_check_limit(page->limit, err);

	if (r == 0)
		r = add_slots(pg__from(reader->store), page->slots, page->n_slots, &slots, err);
	if (r < 0)
		return r;
	pg__arg_array(&args, &slots);
	pg__arg_int(&args, from_start ? INT64_MIN : page->after_at);
	pg__arg_text(&args, from_start ? no_id : page->after_id);
	pg__arg_int(&args, page->limit);
	r = pg__ask(pg__reader_conn(reader), PG_INBOX_LIST, &args, &result, err);
	for (int i = 0; r == 0 && i < PQntuples(result); i++) {
		struct inbox_row inbox = {
			.slot = (int)pg__int(result, i, 1),
			.ns = pg__text(result, i, 2),
			.at = pg__int(result, i, 4),
			.message = pg__text(result, i, 5),
			.message_len = (size_t)PQgetlength(result, i, 5),
		};

		PG_COPY(result, i, 0, inbox.id);
		PG_COPY(result, i, 3, inbox.saga_id);
		r = row(ctx, &inbox);
	}
	return r;
}

int pg__outbox_list(struct store_reader *reader, const struct outbox_page *page,
					int (*row)(void *ctx, const struct outbox_row *row), void *ctx, struct err *err)
{
	CLEANUP(pg__array_release) struct pg_array slots = {0};
	CLEANUP(PQclear_p) PGresult *result = NULL;
	struct pg_args args = {0};
	bool from_start = !page->after_saga_id[0];
	int r = store_check_limit(page->limit, err);

	if (r == 0)
		r = add_slots(pg__from(reader->store), page->slots, page->n_slots, &slots, err);
	if (r < 0)
		return r;
	pg__arg_array(&args, &slots);
	pg__arg_text(&args, from_start ? no_id : page->after_saga_id);
	pg__arg_int(&args, from_start ? 0 : page->after_seq);
	pg__arg_int(&args, from_start ? 0 : page->after_place);
	pg__arg_int(&args, page->limit);
	r = pg__ask(pg__reader_conn(reader), PG_OUTBOX_LIST, &args, &result, err);
	for (int i = 0; r == 0 && i < PQntuples(result); i++) {
		struct outbox_row outbox = {
			.slot = (int)pg__int(result, i, 0),
			.seq = pg__int(result, i, 2),
			.place = (int)pg__int(result, i, 3),
			.cluster = pg__text(result, i, 5),
			.topic = pg__text(result, i, 6),
			.key = pg__text(result, i, 7),
			.type = pg__text(result, i, 8),
			.headers = pg__text(result, i, 9),
			.payload = pg__text(result, i, 10),
			.payload_len = (size_t)PQgetlength(result, i, 10),
			.created_at = pg__int(result, i, 11),
		};

		PG_COPY(result, i, 1, outbox.saga_id);
		PG_COPY(result, i, 4, outbox.id);
		r = row(ctx, &outbox);
	}
	return r;
}

int pg__early_events(struct store_reader *reader, int slot, const char *saga_id, wall_ms after_at,
					 const char *after_event_id, int limit,
					 int (*row)(void *ctx, const struct inbox_row *row), void *ctx, struct err *err)
{
	CLEANUP(PQclear_p) PGresult *result = NULL;
	CLEANUP(buf_release) struct buf text;
	struct pg_args args = {0};
	struct pg_uuid id;
	int r = store_check_limit(limit, err);

	buf_init(&text, 0);
	if (r < 0 || !pg__uuid_parse(saga_id, &id))
		return r;
	pg__arg_int(&args, slot);
	pg__arg_text(&args, saga_id);
	pg__arg_int(&args, after_event_id[0] ? after_at : INT64_MIN);
	pg__arg_text(&args, after_event_id);
	pg__arg_int(&args, limit);
	r = pg__ask(pg__reader_conn(reader), PG_EARLY_EVENTS, &args, &result, err);
	for (int i = 0; r == 0 && i < PQntuples(result); i++) {
		const char *step = PQgetvalue(result, i, 1);
		int item = (int)pg__int(result, i, 2), place = (int)pg__int(result, i, 3);
		const struct event_row event = {
			.id = PQgetvalue(result, i, 4),
			.event = PQgetvalue(result, i, 6),
			.event_len = (size_t)PQgetlength(result, i, 6),
		};
		struct inbox_row inbox = {
			.slot = slot,
			.ns = PQgetvalue(result, i, 0),
			.at = pg__int(result, i, 5),
			.event_id = event.id,
		};

		snprintf(inbox.saga_id, sizeof(inbox.saga_id), "%s", saga_id);
		store_event_inbox_id(saga_id, step, item, place, event.id, inbox.id);
		buf_clear(&text);
		store_event_message(&event, step, item, place, &text);
		inbox.message = buf_str(&text);
		inbox.message_len = text.len;
		r = row(ctx, &inbox);
	}
	return r;
}
