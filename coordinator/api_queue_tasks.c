/* GET /v1/queues/{queue}/tasks: what waits in a queue, and who has what, page by page. */
#include <stdio.h>
#include <string.h>

#include "coordinator/node.h"
#include "coordinator/routes.h"
#include "coordinator/server_priv.h"
#include "coordinator/task_token.h"
#include "sagas/json_member.h"
#include "sagas/json_text.h"

enum { PAGE_DEFAULT = 50, PAGE_MAX = 200 };

struct page {
	struct task_filter filter;
	struct task_token after; /* the cursor: attempt is the time, the nonce says nothing */
	struct task_row last;    /* owned, if any */
	bool any;
	int n;
	struct buf *out;
};

#define NO_NONCE "0000000000000000"

static void page_free(void *state)
{
	struct page *page = state;

	if (page->any)
		task_row_release(&page->last);
	free(page);
}

/* The doc of a task is {} or {"progress": …}. */
static void add_progress(struct buf *out, const struct task_row *row)
{
	CLEANUP(json_decref_p) json_t *doc = NULL;
	const json_t *said;
	struct err err;

	if (json_parse_stored(row->doc, row->doc_len, &doc, &err) < 0)
		return;
	said = json_object_get(doc, "progress");
	buf_add_lit(out, ",\"progress\":");
	if (said)
		json_write(said, out);
	else
		buf_add_lit(out, "null");
}

static int add_row(void *ctx, const struct task_row *row)
{
	struct page *page = ctx;
	struct buf *out = page->out;

	/* One more than is shown is read, to know whether there are more. */
	if (page->n++ == page->filter.limit - 1)
		return 0;
	if (page->any)
		task_row_release(&page->last);
	task_row_copy(row, &page->last);
	page->any = true;
	buf_printf(out, "%s{\"saga\":\"%s\"", page->n > 1 ? "," : "", row->saga_id);
	json_member_text(out, "definition", row->definition);
	json_member_text(out, "step", row->step);
	if (row->item >= 0)
		buf_printf(out, ",\"item\":%d", row->item);
	json_member_text(out, "side", store_side_text(row->side));
	json_member_text(out, "route", row->route);
	json_member_text(out, "state", task_state_text(row->state));
	buf_printf(out, ",\"attempt\":%lld", (long long)row->attempt);
	json_member_time(out, "queued_at", row->queued_at);
	json_member_time(out, "available_at", row->available_at);
	json_member_time(out, "deadline_at", row->deadline_at);
	json_member_time(out, "leased_until", row->leased_until);
	json_member_text(out, "worker", row->worker);
	json_member_text(out, "build", row->build);
	add_progress(out, row);
	buf_add_char(out, '}');
	return 0;
}

static void add_next(struct page *page)
{
	struct task_token cursor = {
		.item = page->last.item,
		.side = page->last.side,
		.attempt = page->last.available_at,
		.nonce = NO_NONCE,
	};

	snprintf(cursor.saga_id, sizeof(cursor.saga_id), "%s", page->last.saga_id);
	snprintf(cursor.step, sizeof(cursor.step), "%s", page->last.step);
	buf_add_char(page->out, '"');
	task_token_write(&cursor, page->out);
	buf_add_char(page->out, '"');
}

/* Thread: read pool. */
static void read_page(struct exchange *ex, struct store_reader *reader)
{
	struct page *page = ex->state;
	struct err err;

	page->out = &ex->out;
	page->filter.limit++;
	buf_add_lit(&ex->out, "{\"tasks\":[");
	if (reader->store->ops->tasks_list(reader, &page->filter, add_row, page, &err) < 0) {
		exchange_problem_err(ex, &err);
		return;
	}
	buf_add_lit(&ex->out, "],\"next\":");
	if (page->n == page->filter.limit)
		add_next(page);
	else
		buf_add_lit(&ex->out, "null");
	buf_add_char(&ex->out, '}');
	exchange_answer(ex, 200);
}

static bool read_state(struct exchange *ex, struct task_filter *filter)
{
	const char *text = exchange_arg(ex, "state");

	filter->state = text ? task_state_parse(text) : -1;
	if (!text || filter->state >= 0)
		return true;
	exchange_problem(ex, PROBLEM_INVALID_QUERY, "state must be queued or leased");
	return false;
}

static bool read_cursor(struct exchange *ex, struct page *page)
{
	const char *text = exchange_arg(ex, "cursor");
	struct task_filter *filter = &page->filter;
	struct err err;

	if (!text)
		return true;
	if (task_token_read(text, &page->after, &err) < 0) {
		exchange_problem(ex, PROBLEM_INVALID_QUERY, "the cursor is not one that a list has given");
		return false;
	}
	filter->after_available_at = page->after.attempt;
	memcpy(filter->after_saga_id, page->after.saga_id, sizeof(filter->after_saga_id));
	filter->after_step = page->after.step;
	filter->after_item = page->after.item;
	filter->after_side = page->after.side;
	return true;
}

void api_list_tasks(struct exchange *ex)
{
	static const char *const known[] = {"state", "cursor", "limit"};
	struct page *page = xcalloc(1, sizeof(*page));
	int64_t limit = PAGE_DEFAULT;

	ex->state = page;
	ex->free_state = page_free;
	page->filter.ns = ex->ns;
	page->filter.kind = TASK_WORKER;
	page->filter.queue = ex->params[0];
	if (!read_state(ex, &page->filter) || !read_cursor(ex, page) ||
		!exchange_arg_int(ex, "limit", 1, PAGE_MAX, &limit) ||
		!exchange_args_done(ex, known, ARRAY_SIZE(known)))
		return;
	page->filter.limit = (int)limit;
	exchange_read(ex, read_page);
}
