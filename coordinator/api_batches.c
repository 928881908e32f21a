/*
 * /v1/batches: what was asked for, how far it has come, and what became of each saga; and stop,
 * resume and retry, which are written into the batch's row, where its runner finds them, whichever
 * node it is. How a batch is made is in api_batches_make.c.
 */
#include <stdio.h>
#include <string.h>

#include "coordinator/api_batches_priv.h"
#include "coordinator/api_body.h"
#include "coordinator/api_query.h"
#include "coordinator/batch_runs.h"
#include "coordinator/batches.h"
#include "coordinator/clock.h"
#include "coordinator/json_batch.h"
#include "coordinator/kafka/store_job.h"
#include "coordinator/log.h"
#include "coordinator/node.h"
#include "coordinator/routes.h"
#include "sagas/act.h"
#include "sagas/json_text.h"

enum {
	LIST_MAX = 200,
	ITEMS_MAX = 500,
	BATCH_BODY_MAX_BYTES = 16 * 1024,
	PUT_TRIES = 20, /* its runner writes the same row, a few times a second */
};

/* Of a UUID as it is written here: the store may ask for no other. */
static bool is_batch_id(const char *text)
{
	size_t n = 0;

	for (; text[n]; n++) {
		bool hyphen = n == 8 || n == 13 || n == 18 || n == 23;

		if (hyphen ? text[n] != '-' : !strchr("0123456789abcdef", text[n]))
			return false;
	}
	return n == UUID_SIZE - 1;
}

static void batch_not_found(struct exchange *ex)
{
	exchange_problem(ex, PROBLEM_BATCH_NOT_FOUND, "there is no batch %.80s in namespace %s",
					 ex->params[0], ex->ns);
}

bool batch_id_param(struct exchange *ex)
{
	if (is_batch_id(ex->params[0]))
		return true;
	batch_not_found(ex);
	return false;
}

bool batch_read(struct exchange *ex, struct store_reader *reader, struct batch_row *ret_row)
{
	struct err err;
	int r = reader->store->ops->batch_get(reader, ex->ns, ex->params[0], ret_row, &err);

	if (r == ERR_NOT_FOUND)
		batch_not_found(ex);
	else if (r < 0)
		exchange_problem_err(ex, &err);
	return r == 0;
}

struct batch_write {
	struct batch_row *row;
	const struct batch_item_row *items;
	size_t n;
};

static int run_write(void *ctx, struct store *store, struct err *err)
{
	struct batch_write *write = ctx;

	return store->ops->batch_put(store, write->row, write->items, write->n, err);
}

int batch_write(struct exchange *ex, struct batch_row *row, const struct batch_item_row *items,
				size_t n, struct err *err)
{
	struct batch_write write = {.row = row, .items = items, .n = n};

	return store_job_run(ex->node->writer, run_write, &write, err);
}

void batch_answer(struct exchange *ex, int status, const struct batch_row *row)
{
	json_batch(row, &ex->out);
	exchange_answer(ex, status);
}

/* GET /v1/batches/{id} */

/* Thread: read pool, as all that follows but the handlers. */
static void read_batch(struct exchange *ex, struct store_reader *reader)
{
	CLEANUP(batch_row_release) struct batch_row row = {0};

	if (batch_read(ex, reader, &row))
		batch_answer(ex, 200, &row);
}

void api_get_batch(struct exchange *ex)
{
	if (exchange_args_done(ex, NULL, 0) && batch_id_param(ex))
		exchange_read(ex, read_batch);
}

/* GET /v1/batches */

struct list {
	struct buf *out;
	int64_t n, limit;
	char after[UUID_SIZE], last[UUID_SIZE];
	bool more;
};

static int list_batch(void *ctx, const struct batch_row *row)
{
	struct list *list = ctx;

	if (list->n == list->limit) {
		list->more = true;
		return 1;
	}
	if (list->n++ > 0)
		buf_add_char(list->out, ',');
	json_batch(row, list->out);
	memcpy(list->last, row->id, sizeof(list->last));
	return 0;
}

static void read_list(struct exchange *ex, struct store_reader *reader)
{
	struct list *list = ex->state;
	struct err err;

	list->out = &ex->out;
	buf_add_lit(&ex->out, "{\"batches\":[");
	if (reader->store->ops->batch_list(reader, ex->ns, list->after, (int)list->limit + 1,
									   list_batch, list, &err) < 0) {
		exchange_problem_err(ex, &err);
		return;
	}
	if (list->more)
		buf_printf(&ex->out, "],\"next\":\"%s\"}", list->last);
	else
		buf_add_lit(&ex->out, "],\"next\":null}");
	exchange_answer(ex, 200);
}

void api_list_batches(struct exchange *ex)
{
	static const char *const known[] = {"limit", "cursor"};
	struct list *list = xcalloc(1, sizeof(*list));
	const char *cursor = exchange_arg(ex, "cursor");

	ex->state = list;
	ex->free_state = free;
	list->limit = 50;
	if (!exchange_arg_int(ex, "limit", 1, LIST_MAX, &list->limit) ||
		!exchange_args_done(ex, known, ARRAY_SIZE(known)))
		return;
	if (cursor && !is_batch_id(cursor)) {
		exchange_problem(ex, PROBLEM_INVALID_QUERY, "the cursor is not one that a list has given");
		return;
	}
	if (cursor)
		memcpy(list->after, cursor, sizeof(list->after));
	exchange_read(ex, read_list);
}

/* GET /v1/batches/{id}/items */

struct items {
	struct batch_item_filter filter;
	struct batch_item_row *rows; /* owned, with their texts */
	size_t n;
};

static void items_free(void *state)
{
	struct items *items = state;

	for (size_t i = 0; i < items->n; i++) {
		free((char *)items->rows[i].effect);
		free((char *)items->rows[i].error);
	}
	free(items->rows);
	free(items);
}

static int add_item(void *ctx, const struct batch_item_row *row)
{
	struct items *items = ctx;
	struct batch_item_row *copy = &items->rows[items->n++];

	*copy = *row;
	copy->effect = row->effect ? xstrdup(row->effect) : NULL;
	copy->error = row->error ? xstrdup(row->error) : NULL;
	return 0;
}

/* With the saga as it is now, which may be gone. */
static int write_item(struct exchange *ex, struct store_reader *reader,
					  const struct batch_item_row *item, struct err *err)
{
	struct saga_row saga;
	int r = reader->store->ops->saga_get(reader, ex->ns, item->saga_id, &saga, err);

	if (r < 0 && r != ERR_NOT_FOUND)
		return r;
	json_batch_item(item, r == 0 ? &saga : NULL, &ex->out);
	if (r == 0)
		saga_row_release(&saga);
	return 0;
}

static int write_items(struct exchange *ex, struct store_reader *reader, const struct items *items,
					   size_t limit, struct err *err)
{
	char cursor[CURSOR_SIZE];
	int r = 0;

	buf_add_lit(&ex->out, "{\"items\":[");
	for (size_t i = 0; i < items->n && i < limit && r == 0; i++) {
		if (i > 0)
			buf_add_char(&ex->out, ',');
		r = write_item(ex, reader, &items->rows[i], err);
	}
	if (items->n > limit) {
		cursor_make(items->rows[limit - 1].saga_id, cursor);
		buf_printf(&ex->out, "],\"next\":\"%s\"}", cursor);
	} else {
		buf_add_lit(&ex->out, "],\"next\":null}");
	}
	return r;
}

static void read_items(struct exchange *ex, struct store_reader *reader)
{
	CLEANUP(batch_row_release) struct batch_row row = {0};
	struct items *items = ex->state;
	size_t limit = (size_t)items->filter.limit;
	struct err err;
	int r;

	if (!batch_read(ex, reader, &row))
		return;
	items->filter.ns = ex->ns;
	items->filter.batch_id = ex->params[0];
	items->filter.limit++; /* one more tells whether there is a next page */
	items->rows = xcalloc(limit + 1, sizeof(*items->rows));
	r = reader->store->ops->batch_items(reader, &items->filter, add_item, items, &err);
	if (r >= 0)
		r = write_items(ex, reader, items, limit, &err);
	if (r < 0)
		exchange_problem_err(ex, &err);
	else
		exchange_answer(ex, 200);
}

static int read_item_filter(struct exchange *ex, struct batch_item_filter *filter, struct err *err)
{
	const char *status = exchange_arg(ex, "status"), *cursor = exchange_arg(ex, "cursor");

	filter->status = status ? batch_item_status_parse(status) : -1;
	if (status && filter->status < 0)
		return err_set(err, ERR_INVALID, "status is pending, done, refused or failed");
	return cursor ? cursor_read(cursor, filter->after_saga_id, err) : 0;
}

void api_get_batch_items(struct exchange *ex)
{
	static const char *const known[] = {"status", "cursor", "limit"};
	struct items *items = xcalloc(1, sizeof(*items));
	int64_t limit = 100;
	struct err err;

	ex->state = items;
	ex->free_state = items_free;
	if (read_item_filter(ex, &items->filter, &err) < 0) {
		exchange_problem(ex, PROBLEM_INVALID_QUERY, "%s", err.text);
		return;
	}
	if (!exchange_arg_int(ex, "limit", 1, ITEMS_MAX, &limit) ||
		!exchange_args_done(ex, known, ARRAY_SIZE(known)) || !batch_id_param(ex))
		return;
	items->filter.limit = (int)limit;
	exchange_read(ex, read_items);
}

/* POST /v1/batches/{id}/<stop|resume|retry> */

enum word { WORD_STOP, WORD_RESUME, WORD_RETRY };

struct said {
	enum word word;
	bool refused; /* err says why the batch does not allow it */
	bool nothing; /* it is so already */
};

static bool is_open(const struct batch_row *row)
{
	return row->status == BATCH_SELECTING || row->status == BATCH_RUNNING;
}

static void set_open(struct batch_row *row)
{
	static const char prefix[] = BATCH_CURSOR_SELECT;
	bool selecting = row->cursor && strncmp(row->cursor, prefix, sizeof(prefix) - 1) == 0;

	row->status = selecting ? BATCH_SELECTING : BATCH_RUNNING;
	row->ended_at = 0;
}

static int stop(struct batch_row *row, struct said *said, struct err *err)
{
	said->nothing = row->status == BATCH_STOPPED;
	said->refused = row->status == BATCH_DONE;
	if (said->refused)
		return err_set(err, ERR_CONFLICT, "the batch is done; there is nothing to stop");
	row->status = BATCH_STOPPED;
	row->ended_at = clock_wall();
	return 0;
}

static int resume(struct batch_row *row, struct said *said, struct err *err)
{
	said->nothing = is_open(row);
	said->refused = row->status == BATCH_DONE;
	if (said->refused)
		return err_set(err, ERR_CONFLICT,
					   "the batch is done; retry does its failed and refused sagas again");
	set_open(row);
	return 0;
}

/* A page of items with this status becomes pending again; *ret_n: how many there were. */
static int reopen_page(struct exchange *ex, struct store_reader *reader, struct batch_row *row,
					   enum batch_item_status status, size_t *ret_n, struct err *err)
{
	struct items *items = xcalloc(1, sizeof(*items));
	int r;

	items->filter = (struct batch_item_filter){
		.ns = ex->ns, .batch_id = row->id, .status = (int)status, .limit = BATCH_PUT_MAX};
	items->rows = xcalloc(BATCH_PUT_MAX, sizeof(*items->rows));
	r = reader->store->ops->batch_items(reader, &items->filter, add_item, items, err);
	*ret_n = items->n;
	if (r >= 0 && items->n > 0) {
		struct batch_item_row *again = xcalloc(items->n, sizeof(*again));

		for (size_t i = 0; i < items->n; i++) {
			memcpy(again[i].saga_id, items->rows[i].saga_id, SAGA_ID_SIZE);
			again[i].status = BATCH_ITEM_PENDING;
			again[i].updated_at = row->updated_at;
		}
		r = batch_write(ex, row, again, items->n, err);
		free(again);
	}
	items_free(items);
	return r;
}

/* The batch becomes open again when all are pending; a crash before that is mended by another
 * retry. */
static int retry(struct exchange *ex, struct store_reader *reader, struct batch_row *row,
				 struct said *said, struct err *err)
{
	static const enum batch_item_status again[] = {BATCH_ITEM_FAILED, BATCH_ITEM_REFUSED};
	int r = 0;

	said->refused = row->status != BATCH_DONE;
	if (said->refused)
		return err_set(err, ERR_CONFLICT,
					   is_open(row)
						   ? "the batch goes on; retry when it is done"
						   : "the batch was stopped, and retry would go on with the rest of "
							 "it: resume it if that is meant");
	for (size_t i = 0; i < ARRAY_SIZE(again); i++) {
		size_t n = BATCH_PUT_MAX;

		while (r >= 0 && n == BATCH_PUT_MAX)
			r = reopen_page(ex, reader, row, again[i], &n, err);
	}
	if (r < 0)
		return r;
	said->refused = row->n[BATCH_ITEM_PENDING] == 0;
	if (said->refused)
		return err_set(err, ERR_CONFLICT, "no saga of the batch has failed or was refused");
	set_open(row);
	return 0;
}

static int say(struct exchange *ex, struct store_reader *reader, struct batch_row *row,
			   struct err *err)
{
	struct said *said = ex->state;

	said->nothing = false;
	switch (said->word) {
	case WORD_STOP:
		return stop(row, said, err);
	case WORD_RESUME:
		return resume(row, said, err);
	case WORD_RETRY:
		return retry(ex, reader, row, said, err);
	}
	return ERR_INTERNAL;
}

/* Reads the row, changes it, writes it; ERR_CONFLICT: its runner was faster, or it is refused. */
static int try_say(struct exchange *ex, struct store_reader *reader, struct err *err)
{
	CLEANUP(batch_row_release) struct batch_row row = {0};
	struct said *said = ex->state;
	struct batch_row changed;
	int r;

	if (!batch_read(ex, reader, &row))
		return 0;
	changed = row;
	changed.updated_at = clock_wall();
	r = say(ex, reader, &changed, err);
	if (r == 0 && !said->nothing)
		r = batch_write(ex, &changed, NULL, 0, err);
	if (r == 0)
		batch_answer(ex, 200, said->nothing ? &row : &changed);
	return r;
}

static void change_batch(struct exchange *ex, struct store_reader *reader)
{
	static const char *const words[] = {"stopped", "resumed", "retried"};
	struct said *said = ex->state;
	struct err err;
	int r = ERR_CONFLICT;

	for (int i = 0; i < PUT_TRIES && r == ERR_CONFLICT && !said->refused; i++)
		r = try_say(ex, reader, &err);
	if (said->refused) {
		exchange_problem(ex, PROBLEM_BATCH_CONFLICT, "%s", err.text);
	} else if (r < 0) {
		exchange_problem_err(ex, &err);
	} else if (ex->status == 200) {
		log_info("batches", NULL, "batch %s was %s by a request", ex->params[0], words[said->word]);
		batches_wake(ex->node->batches);
	}
}

static void take_word(struct exchange *ex, enum word word)
{
	/* Who and why, as with all that a person says; the batch's row keeps neither. */
	static const struct body_member members[] = {
		{"reason", BODY_STRING, false, ACT_REASON_MAX_BYTES},
		{"by", BODY_STRING, false, ACT_BY_MAX_BYTES},
	};
	CLEANUP(json_decref_p) json_t *body = NULL;
	struct said *said = xcalloc(1, sizeof(*said));

	ex->state = said;
	ex->free_state = free;
	said->word = word;
	if (ex->body.len > BATCH_BODY_MAX_BYTES)
		exchange_problem(ex, PROBLEM_TOO_LARGE, "this body has at most %d bytes",
						 BATCH_BODY_MAX_BYTES);
	else if (exchange_args_done(ex, NULL, 0) && batch_id_param(ex) &&
			 body_read(ex, members, ARRAY_SIZE(members), true, &body))
		exchange_read(ex, change_batch);
}

void api_stop_batch(struct exchange *ex)
{
	take_word(ex, WORD_STOP);
}

void api_resume_batch(struct exchange *ex)
{
	take_word(ex, WORD_RESUME);
}

void api_retry_batch(struct exchange *ex)
{
	take_word(ex, WORD_RETRY);
}
