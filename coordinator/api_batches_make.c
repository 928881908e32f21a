/*
 * POST /v1/batches: one act on all sagas that match a filter. The act and the filter are checked
 * and the sagas counted before it is made; then a row is written, and who runs batches finds it.
 *
 * With a key the batch's id is made of namespace and key, so the same request gets the same batch.
 * With ?dry_run=true nothing is made: how many sagas match, and what the act would do to the first.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "coordinator/api_batches_priv.h"
#include "coordinator/api_body.h"
#include "coordinator/api_query.h"
#include "coordinator/batch_runs.h"
#include "coordinator/batch_select.h"
#include "coordinator/batches.h"
#include "coordinator/clock.h"
#include "coordinator/dry_run.h"
#include "coordinator/node.h"
#include "coordinator/routes.h"
#include "coordinator/saga_view.h"
#include "sagas/act.h"
#include "sagas/json_text.h"

enum {
	MAKE_BODY_MAX_BYTES = 256 * 1024, /* the act is kept once, and read for each saga */
	SAMPLE = 10,
	SAMPLE_MAX_BYTES = 2 * 1024 * 1024,
	PAGES_MAX = 1000, /* of up to STORE_LIST_LOOKS sagas each */
	MAKE_TRIES = 3,
};

struct making {
	struct act act;
	char *act_text, *query, *by;
	double rate;
	char id[UUID_SIZE];
	bool has_key;
};

static void making_free(void *state)
{
	struct making *making = state;

	act_release(&making->act);
	free(making->act_text);
	free(making->query);
	free(making->by);
	free(making);
}

/* Counting. */

static int open_row(void *ctx, const struct batch_row *row)
{
	(void)row;
	++*(int *)ctx;
	return 0;
}

/* Thread: read pool, as all that follows but what reads the request. */
static bool may_make_more(struct exchange *ex, struct store_reader *reader)
{
	struct err err;
	int n = 0;

	if (reader->store->ops->batch_open(reader, BATCHES_OPEN_MAX, open_row, &n, &err) < 0) {
		exchange_problem_err(ex, &err);
		return false;
	}
	if (n >= BATCHES_OPEN_MAX)
		exchange_problem(ex, PROBLEM_OVERLOADED,
						 "%d batches go on at once at most; wait for one to end, or stop one",
						 BATCHES_OPEN_MAX);
	return n < BATCHES_OPEN_MAX;
}

static void begin_select(const struct exchange *ex, struct batch_select *select)
{
	const struct making *making = ex->state;

	*select = (struct batch_select){
		.ns = ex->ns,
		.query = making->query,
		.made_at = clock_wall(),
	};
}

/* *ret_n: how many sagas match, one more than may be at most. ERR_LIMIT: it would take too long. */
static int count_matches(struct exchange *ex, struct store_reader *reader,
						 struct batch_select *select, int64_t *ret_n, struct err *err)
{
	int r = 0;

	begin_select(ex, select);
	*ret_n = 0;
	for (int i = 0; !select->all && *ret_n <= BATCH_ITEMS_MAX; i++) {
		if (i == PAGES_MAX)
			return err_set(err, ERR_LIMIT,
						   "too many sagas have to be looked at to find those that match; narrow "
						   "the filter, by status, group or started");
		r = batch_select_page(select, reader, BATCH_SELECT_MAX, err);
		if (r < 0)
			return r;
		*ret_n += (int64_t)select->n;
	}
	return 0;
}

static void count_failed(struct exchange *ex, const struct err *err)
{
	if (err->code == ERR_LIMIT)
		exchange_problem(ex, PROBLEM_BATCH_TOO_LARGE, "%s", err->text);
	else
		exchange_problem_err(ex, err);
}

static bool is_small_enough(struct exchange *ex, struct store_reader *reader)
{
	CLEANUP(free_p) struct batch_select *select = xcalloc(1, sizeof(*select));
	struct err err;
	int64_t n;

	if (count_matches(ex, reader, select, &n, &err) < 0) {
		count_failed(ex, &err);
		return false;
	}
	if (n > BATCH_ITEMS_MAX)
		exchange_problem(
			ex, PROBLEM_BATCH_TOO_LARGE,
			"more than %d sagas match; narrow the filter, for instance by started, and "
			"make several batches",
			BATCH_ITEMS_MAX);
	return n <= BATCH_ITEMS_MAX;
}

/* Making. */

static bool is_same(const struct making *making, const struct batch_row *row)
{
	return strcmp(row->act, making->act_text) == 0 && strcmp(row->query, making->query) == 0 &&
		   strcmp(row->by, making->by) == 0 && fabs(row->rate - making->rate) < 1e-9;
}

static void answer_made(struct exchange *ex, const struct batch_row *row)
{
	exchange_add_header(ex, "Location", "/v1/batches/%s", row->id);
	batch_answer(ex, row->status == BATCH_DONE ? 200 : 202, row);
}

/* Whether there is a batch of this key already; then it is answered. */
static bool answer_existing(struct exchange *ex, struct store_reader *reader)
{
	CLEANUP(batch_row_release) struct batch_row row = {0};
	const struct making *making = ex->state;
	struct err err;
	int r = reader->store->ops->batch_get(reader, ex->ns, making->id, &row, &err);

	if (r == ERR_NOT_FOUND)
		return false;
	if (r < 0) {
		exchange_problem_err(ex, &err);
	} else if (!is_same(making, &row)) {
		exchange_problem(ex, PROBLEM_KEY_REUSED,
						 "batch %s was made with this key and another act, filter, rate or name",
						 row.id);
	} else {
		exchange_add_header(ex, "Idempotent-Replayed", "true");
		answer_made(ex, &row);
	}
	return true;
}

static int put_batch(struct exchange *ex, struct err *err)
{
	const struct making *making = ex->state;
	wall_ms now = clock_wall();
	struct batch_row row = {
		.ns = ex->ns,
		.act = making->act_text,
		.query = making->query,
		.by = making->by,
		.rate = making->rate,
		.status = BATCH_SELECTING,
		.created_at = now,
		.updated_at = now,
		.cursor = BATCH_CURSOR_SELECT,
	};
	int r;

	memcpy(row.id, making->id, sizeof(row.id));
	r = batch_write(ex, &row, NULL, 0, err);
	if (r == 0)
		answer_made(ex, &row);
	return r;
}

static void make_batch(struct exchange *ex, struct store_reader *reader)
{
	const struct making *making = ex->state;
	struct err err;
	int r = ERR_CONFLICT;

	if ((making->has_key && answer_existing(ex, reader)) || !may_make_more(ex, reader) ||
		!is_small_enough(ex, reader))
		return;
	/* Somebody else may make it with the same key meanwhile. */
	for (int i = 0; i < MAKE_TRIES && r == ERR_CONFLICT; i++) {
		r = put_batch(ex, &err);
		if (r == ERR_CONFLICT && answer_existing(ex, reader))
			return;
	}
	if (r < 0)
		exchange_problem_err(ex, &err);
	else
		batches_wake(ex->node->batches);
}

/* Dry runs. */

static void add_error(const char *text, struct buf *out)
{
	buf_add_lit(out, ",\"error\":");
	problem_write_text(text, out);
	buf_add_char(out, '}');
}

/* {"id", …as the saga's own dry run}, or {"id","error"} where it would be refused. */
static void write_sample(struct exchange *ex, struct store_reader *reader, const char *id)
{
	CLEANUP(saga_view_release) struct saga_view view = {0};
	CLEANUP(buf_release) struct buf text;
	const struct making *making = ex->state;
	struct buf *out = &ex->out;
	struct err err;
	int r;

	buf_printf(out, "{\"id\":\"%s\"", id);
	buf_init(&text, SAMPLE_MAX_BYTES);
	r = saga_view_read(reader, ex->node->registry, ex->ns, id, 0, &view, &err);
	if (r == 0)
		r = dry_run(view.state, &making->act, clock_wall(), &text, &err);
	if (r == 0)
		r = buf_check(&text, "what the act would do", &err);
	if (r < 0) {
		add_error(err.text, out);
		return;
	}
	/* It is an object; its members go on here. */
	buf_add_char(out, ',');
	buf_add(out, text.data + 1, text.len - 1);
}

static void dry_batch(struct exchange *ex, struct store_reader *reader)
{
	CLEANUP(free_p) struct batch_select *select = xcalloc(1, sizeof(*select));
	struct err err;
	int64_t n, shown = 0;

	if (count_matches(ex, reader, select, &n, &err) < 0) {
		count_failed(ex, &err);
		return;
	}
	buf_printf(&ex->out, "{\"matches\":%lld,\"truncated\":%s,\"sample\":[",
			   (long long)(n > BATCH_ITEMS_MAX ? BATCH_ITEMS_MAX : n),
			   n > BATCH_ITEMS_MAX ? "true" : "false");
	begin_select(ex, select);
	while (!select->all && shown < SAMPLE) {
		if (batch_select_page(select, reader, (size_t)(SAMPLE - shown), &err) < 0) {
			exchange_problem_err(ex, &err);
			return;
		}
		for (size_t i = 0; i < select->n; i++) {
			if (shown++ > 0)
				buf_add_char(&ex->out, ',');
			write_sample(ex, reader, select->ids[i]);
		}
	}
	buf_add_lit(&ex->out, "]}");
	exchange_answer(ex, 200);
}

/* The request. */

static bool read_act(struct exchange *ex, const json_t *json, struct making *making)
{
	struct act *act = &making->act;
	char pointer[sizeof((struct err *) { 0 } -> place) + 8];
	json_t *kept;
	struct buf text;
	struct err err = {0};

	if (act_from_json(json, act, &err) < 0) {
		snprintf(pointer, sizeof(pointer), "/act%s", err.place);
		return body_error(ex, pointer, err.text);
	}
	if (act->id)
		return body_error(ex, "/act/id", "the id of a batch's acts is that of the batch");
	if (act->kind == ACT_STEP_APPROVE || act->kind == ACT_STEP_REJECT)
		return body_error(ex, "/act/act", "approvals are decided one by one");
	if (act->kind == ACT_RESET)
		return body_error(ex, "/act/act",
						  "a reset names a row of one saga's history; retry has `from` for many");
	making->by = act->by;
	act->by = NULL;
	kept = act_json(act);
	buf_init(&text, 0);
	json_write_canonical(kept, &text);
	json_decref(kept);
	making->act_text = buf_take(&text, NULL);
	return true;
}

static bool read_query(struct exchange *ex, const char *text, struct making *making)
{
	struct saga_query query;
	struct err err;
	int r;

	if (strspn(text, " ") == strlen(text))
		return body_error(ex, "/q",
						  "a filter is needed; started>1970-01-01 matches each saga there is");
	saga_query_init(&query, ex->ns);
	r = saga_query_parse(&query, text, &err);
	saga_query_release(&query);
	if (r < 0)
		return body_error(ex, "/q", err.text);
	making->query = xstrdup(text);
	return true;
}

static bool read_rate(struct exchange *ex, const json_t *rate, struct making *making)
{
	if (!rate || json_is_null(rate))
		return true;
	making->rate = json_number_value(rate);
	/* One a day is slow enough. */
	if (making->rate >= 1.0 / 86400 && making->rate <= BATCH_RATE_MAX)
		return true;
	return body_error(ex, "/rate", "sagas a second, up to 10000; without it, as fast as it goes");
}

static void read_by(const json_t *body, struct making *making)
{
	const char *by = json_string_value(json_object_get(body, "by"));

	if (!by && making->by)
		return;
	free(making->by);
	making->by = xstrdup(by ? by : "api");
}

static bool read_key(struct exchange *ex, struct making *making)
{
	CLEANUP(free_p) char *key = NULL, *name = NULL;
	unsigned char random[16];

	if (!idempotency_key(ex, &key))
		return false;
	making->has_key = key != NULL;
	if (key) {
		name = xasprintf("batch\n%s\n%s", ex->ns, key);
		hash_uuid5(name, strlen(name), making->id);
	} else {
		CHECK(getrandom(random, sizeof(random), 0) == sizeof(random));
		hash_uuid5((const char *)random, sizeof(random), making->id);
	}
	return true;
}

static bool read_request(struct exchange *ex, struct making *making)
{
	static const struct body_member members[] = {
		{"act", BODY_ANY, true, 0},
		{"q", BODY_STRING, true, QUERY_MAX_BYTES},
		{"rate", BODY_ANY, false, 0},
		{"by", BODY_STRING, false, ACT_BY_MAX_BYTES},
	};
	CLEANUP(json_decref_p) json_t *body = NULL;

	if (ex->body.len > MAKE_BODY_MAX_BYTES) {
		exchange_problem(ex, PROBLEM_TOO_LARGE, "the body of a batch has at most %d bytes",
						 MAKE_BODY_MAX_BYTES);
		return false;
	}
	if (!body_read(ex, members, ARRAY_SIZE(members), false, &body) ||
		!read_act(ex, json_object_get(body, "act"), making) ||
		!read_query(ex, json_string_value(json_object_get(body, "q")), making) ||
		!read_rate(ex, json_object_get(body, "rate"), making) || !read_key(ex, making))
		return false;
	read_by(body, making);
	making->act.by = xstrdup(making->by);
	return true;
}

void api_make_batch(struct exchange *ex)
{
	static const char *const known[] = {"dry_run"};
	struct making *making = xcalloc(1, sizeof(*making));
	bool dry = false;

	act_init(&making->act, ACT_NOTE);
	ex->state = making;
	ex->free_state = making_free;
	if (exchange_arg_bool(ex, "dry_run", &dry) && exchange_args_done(ex, known, 1) &&
		read_request(ex, making))
		exchange_read(ex, dry ? dry_batch : make_batch);
}
