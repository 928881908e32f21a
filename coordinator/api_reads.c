/*
 * Reads of sagas: all run on the read pool, on what is committed.
 */
#include <stdio.h>
#include <string.h>

#include "coordinator/api_body.h"
#include "coordinator/api_query.h"
#include "coordinator/api_saga.h"
#include "coordinator/clock.h"
#include "coordinator/json_row.h"
#include "coordinator/ledger.h"
#include "coordinator/new_run.h"
#include "coordinator/node.h"
#include "coordinator/routes.h"
#include "coordinator/task_progress.h"
#include "sagas/json_text.h"
#include "sagas/state_json.h"

enum { LIST_LIMIT_MAX = 500, HISTORY_LIMIT_MAX = 1000, HISTORY_PAGE_BYTES = 4 * 1024 * 1024 };

/* GET /v1/sagas */

static void list_free(void *state)
{
	saga_query_release(state);
	free(state);
}

struct list {
	struct buf *out;
	int n, limit;
	char last_id[SAGA_ID_SIZE];
	bool more;
};

static int list_row(void *ctx, const struct saga_row *row)
{
	struct list *list = ctx;

	if (list->n == list->limit) {
		list->more = true;
		return 0;
	}
	if (list->n++ > 0)
		buf_add_char(list->out, ',');
	json_row_saga(row, list->out);
	snprintf(list->last_id, sizeof(list->last_id), "%s", row->id);
	return 0;
}

/* Thread: read pool. */
static void read_list(struct exchange *ex, struct store_reader *reader)
{
	struct saga_query *query = ex->state;
	struct list list = {.out = &ex->out, .limit = query->filter.limit};
	char cursor[CURSOR_SIZE];
	struct err err;

	query->filter.limit++; /* one more tells whether there is a next page */
	buf_add_lit(&ex->out, "{\"sagas\":[");
	if (reader->store->ops->list(reader, &query->filter, list_row, &list, &err) < 0) {
		exchange_problem_err(ex, &err);
		return;
	}
	if (list.more || query->filter.looked_to[0]) {
		/* A page that has looked at enough ends there, however few it found. */
		cursor_make(list.more ? list.last_id : query->filter.looked_to, cursor);
		buf_printf(&ex->out, "],\"next\":\"%s\"}", cursor);
	} else {
		buf_add_lit(&ex->out, "],\"next\":null}");
	}
	exchange_answer(ex, 200);
}

/* `q` and the plain parameters together. */
static int read_filters(struct exchange *ex, struct saga_query *query, struct err *err)
{
	static const struct {
		const char *name, *filter;
		char op;
	} plain[] = {
		{"status", "status", ':'},
		{"saga", "saga", ':'},
		{"version", "version", ':'},
		{"key", "key", ':'},
		{"group", "group", ':'},
		{"kind", "kind", ':'},
		{"step", "step", ':'},
		{"owner", "owner", ':'},
		{"parent", "parent", ':'},
		{"started_after", "started", '>'},
		{"started_before", "started", '<'},
	};
	const char *text = exchange_arg(ex, "q");
	int r = text ? saga_query_parse(query, text, err) : 0;

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(plain); i++) {
		text = exchange_arg(ex, plain[i].name);
		if (text)
			r = saga_query_add(query, plain[i].filter, plain[i].op, text, err);
	}
	text = exchange_arg(ex, "cursor");
	if (r == 0 && text)
		r = cursor_read(text, query->filter.after_id, err);
	text = exchange_arg(ex, "order");
	if (r == 0 && text && strcmp(text, "oldest") != 0 && strcmp(text, "newest") != 0)
		r = err_set(err, ERR_INVALID, "order is newest or oldest");
	query->filter.oldest_first = text && strcmp(text, "oldest") == 0;
	return r;
}

void api_list_sagas(struct exchange *ex)
{
	static const char *const known[] = {
		"q",      "status", "saga",  "version", "key",   "attention",     "group",
		"kind",   "step",   "owner", "parent",  "limit", "started_after", "started_before",
		"cursor", "order"};
	struct saga_query *query = xcalloc(1, sizeof(*query));
	int64_t limit = 50;
	bool attention = false;
	struct err err;

	saga_query_init(query, ex->ns);
	ex->state = query;
	ex->free_state = list_free;
	err.place[0] = '\0';
	if (read_filters(ex, query, &err) < 0) {
		exchange_problem(ex, PROBLEM_INVALID_QUERY, "%s%s%s", err.place, *err.place ? ": " : "",
						 err.text);
		return;
	}
	if (!exchange_arg_int(ex, "limit", 1, LIST_LIMIT_MAX, &limit) ||
		!exchange_arg_bool(ex, "attention", &attention) ||
		!exchange_args_done(ex, known, ARRAY_SIZE(known)))
		return;
	query->filter.attention_only = query->filter.attention_only || attention;
	query->filter.limit = (int)limit;
	exchange_read(ex, read_list);
}

/* GET /v1/sagas/{id} and …/compensations */

struct look {
	int64_t at; /* 0: now */
	int64_t after, limit;
	int64_t wait_ms; /* for the saga's end; 0: look at once */
	const char *if_none_match;
};

static struct look *new_look(struct exchange *ex)
{
	struct look *look = xcalloc(1, sizeof(*look));

	ex->state = look;
	ex->free_state = free;
	return look;
}

static bool read_view(struct exchange *ex, struct store_reader *reader, struct saga_view *view)
{
	const struct look *look = ex->state;
	struct err err;

	if (saga_view_read(reader, ex->node->registry, ex->ns, ex->params[0], look->at, view, &err) ==
		0)
		return true;
	if (look->at > 0 && err.code == ERR_NOT_FOUND && view->seq == 0)
		exchange_problem(ex, PROBLEM_SAGA_NOT_FOUND, "%s", err.text);
	else
		saga_read_failed(ex, ex->params[0], &err);
	return false;
}

/* The ETag is only known when the history was read, so 304 saves the transfer, not the work. */
static bool is_known(const struct look *look, const char *etag)
{
	return look->if_none_match && strstr(look->if_none_match, etag);
}

static void post_wait(struct exchange *ex);

/*
 * What is shown follows from the sequence of the history, but for the new run of a saga that has
 * ended, which is another saga's history. So the tag says that there is one; it is the same
 * sequence to If-Match.
 */
static void make_etag(const struct saga_view *view, const char *new_run, char etag[48])
{
	snprintf(etag, 48, "\"%lld%s\"", (long long)view->seq, *new_run ? ETAG_CONTINUED : "");
}

static void answer_saga(struct exchange *ex, const struct saga_view *view, const char *new_run)
{
	saga_state_write(view->state, clock_wall(), &ex->out);
	if (*new_run && !ex->out.failed) {
		ex->out.len--; /* the brace that ends the saga */
		buf_printf(&ex->out, ",\"continued_by\":\"%s\"}", new_run);
	}
	exchange_answer(ex, 200);
}

/* Thread: read pool. */
static void read_saga(struct exchange *ex, struct store_reader *reader)
{
	CLEANUP(saga_view_release) struct saga_view view = {0};
	const struct look *look = ex->state;
	char new_run[SAGA_ID_SIZE], etag[48];

	if (!read_view(ex, reader, &view))
		return;
	if (look->wait_ms > 0 && !saga_status_is_terminal(view.state->status)) {
		ex->next = post_wait;
		return;
	}
	if (look->at > 0 || !new_run_exists(reader, &view.row, new_run))
		new_run[0] = '\0';
	make_etag(&view, new_run, etag);
	exchange_add_header(ex, "ETag", "%s", etag);
	if (is_known(look, etag)) {
		exchange_answer(ex, 304);
		return;
	}
	if (look->at == 0)
		task_progress_read(reader, &view);
	answer_saga(ex, &view, new_run);
}

/* Whatever the wait has brought, the store says what is true. */
static void waited(struct exchange *ex)
{
	struct engine_call *call = exchange_take_call(ex);
	struct look *look = ex->state;

	look->wait_ms = 0;
	engine_call_free(call);
	exchange_read(ex, read_saga);
}

static void post_wait(struct exchange *ex)
{
	const struct look *look = ex->state;
	struct engine_call *call = engine_call_new(ENGINE_WAIT);

	snprintf(call->id, sizeof(call->id), "%s", ex->params[0]);
	call->wait_ms = look->wait_ms;
	call->if_match = -1;
	exchange_post(ex, call, waited);
}

static void look_at_saga(struct exchange *ex,
						 void (*read)(struct exchange *ex, struct store_reader *reader))
{
	static const char *const known[] = {"at"};
	struct look *look = new_look(ex);

	if (!exchange_arg_int(ex, "at", 1, INT32_MAX, &look->at) || !exchange_args_done(ex, known, 1) ||
		!saga_id_param(ex))
		return;
	if (look->at == 0) {
		look->if_none_match = exchange_header(ex, "If-None-Match");
		look->wait_ms = prefer_wait_ms(ex);
	}
	exchange_read(ex, read);
}

void api_get_saga(struct exchange *ex)
{
	look_at_saga(ex, read_saga);
}

/* Thread: read pool. */
static void read_ledger(struct exchange *ex, struct store_reader *reader)
{
	CLEANUP(saga_view_release) struct saga_view view = {0};

	if (!read_view(ex, reader, &view))
		return;
	ledger_write(view.state, clock_wall(), &ex->out);
	exchange_add_header(ex, "ETag", "\"%lld\"", (long long)view.seq);
	exchange_answer(ex, 200);
}

void api_get_compensations(struct exchange *ex)
{
	look_at_saga(ex, read_ledger);
}

/* GET /v1/sagas/{id}/history */

struct page {
	struct buf *out;
	int64_t rows, limit, last_seq;
	bool more;
};

static int history_row(void *ctx, const struct history_row *row)
{
	struct page *page = ctx;
	char at[TIME_TEXT_SIZE];

	if (page->rows == page->limit || page->out->len > HISTORY_PAGE_BYTES) {
		page->more = true;
		return 1;
	}
	time_format(row->at, at);
	buf_printf(page->out, "%s{\"seq\":%lld,\"at\":\"%s\",\"events\":", page->rows > 0 ? "," : "",
			   (long long)row->seq, at);
	buf_add(page->out, row->events, row->events_len);
	buf_add_char(page->out, '}');
	page->rows++;
	page->last_seq = row->seq;
	return 0;
}

/* Thread: read pool. */
static void read_history(struct exchange *ex, struct store_reader *reader)
{
	const struct store_ops *ops = reader->store->ops;
	const struct look *look = ex->state;
	struct page page = {.out = &ex->out, .limit = look->limit};
	struct saga_row row;
	struct err err;

	/* The row says whether the saga belongs to the namespace. */
	if (ops->saga_get(reader, ex->ns, ex->params[0], &row, &err) < 0) {
		saga_read_failed(ex, ex->params[0], &err);
		return;
	}
	saga_row_release(&row);
	buf_printf(&ex->out, "{\"id\":\"%s\",\"history\":[", ex->params[0]);
	if (ops->history(reader, ex->params[0], look->after, (int)look->limit + 1, history_row, &page,
					 &err) < 0) {
		exchange_problem_err(ex, &err);
		return;
	}
	if (page.more)
		buf_printf(&ex->out, "],\"next\":%lld}", (long long)page.last_seq);
	else
		buf_add_lit(&ex->out, "],\"next\":null}");
	exchange_answer(ex, 200);
}

void api_get_history(struct exchange *ex)
{
	static const char *const known[] = {"after", "limit"};
	struct look *look = new_look(ex);

	look->limit = 200;
	if (!exchange_arg_int(ex, "after", 0, INT32_MAX, &look->after) ||
		!exchange_arg_int(ex, "limit", 1, HISTORY_LIMIT_MAX, &look->limit) ||
		!exchange_args_done(ex, known, ARRAY_SIZE(known)) || !saga_id_param(ex))
		return;
	exchange_read(ex, read_history);
}
