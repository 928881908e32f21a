/*
 * GET /v1/sagas/{id}/children: the sagas that the steps of a saga have started, with the step of
 * each and whether it is held, which its own history tells. On the read pool.
 */
#include <stdio.h>
#include <string.h>

#include "coordinator/api_query.h"
#include "coordinator/api_saga.h"
#include "coordinator/json_row.h"
#include "coordinator/node.h"
#include "coordinator/routes.h"

enum { CHILDREN_LIMIT = 50, CHILDREN_LIMIT_MAX = 200 };

struct page {
	char cursor_id[SAGA_ID_SIZE]; /* of the query; "": from the first */
	int64_t limit;
	char (*ids)[SAGA_ID_SIZE];
	size_t n;
};

static void page_free(void *state)
{
	struct page *page = state;

	free(page->ids);
	free(page);
}

static int note_id(void *ctx, const struct saga_row *row)
{
	struct page *page = ctx;

	memcpy(page->ids[page->n++], row->id, SAGA_ID_SIZE);
	return 0;
}

/* A child that has just been removed is left out. */
static int write_child(struct exchange *ex, struct store_reader *reader, const char *id, bool first,
					   struct err *err)
{
	CLEANUP(saga_view_release) struct saga_view view = {0};
	const struct saga_parent *parent;
	int r = saga_view_read(reader, ex->node->registry, ex->ns, id, 0, &view, err);

	if (r == ERR_NOT_FOUND)
		return 0;
	if (r < 0)
		return r;
	parent = view.state->parent;
	if (!first)
		buf_add_char(&ex->out, ',');
	json_row_saga(&view.row, &ex->out);
	ex->out.len--; /* its brace */
	if (parent) {
		buf_printf(&ex->out, ",\"step\":\"%s\",\"item\":", parent->step);
		if (parent->item >= 0)
			buf_printf(&ex->out, "%d", parent->item);
		else
			buf_add_lit(&ex->out, "null");
		buf_printf(&ex->out, ",\"side\":\"%s\",\"run\":%d",
				   parent->side == SIDE_UNDO ? "undo" : "do", parent->run);
	}
	buf_printf(&ex->out, ",\"held\":%s}", view.state->held ? "true" : "false");
	return 1;
}

static void write_page(struct exchange *ex, struct store_reader *reader, struct page *page,
					   const char *looked_to)
{
	size_t shown = page->n > (size_t)page->limit ? (size_t)page->limit : page->n;
	const char *last = page->n > shown ? page->ids[shown - 1] : looked_to;
	char cursor[CURSOR_SIZE];
	bool first = true;
	struct err err;

	buf_add_lit(&ex->out, "{\"children\":[");
	for (size_t i = 0; i < shown; i++) {
		int r = write_child(ex, reader, page->ids[i], first, &err);

		if (r < 0) {
			exchange_problem_err(ex, &err);
			return;
		}
		first &= r == 0;
	}
	if (*last) {
		cursor_make(last, cursor);
		buf_printf(&ex->out, "],\"next\":\"%s\"}", cursor);
	} else {
		buf_add_lit(&ex->out, "],\"next\":null}");
	}
	exchange_answer(ex, 200);
}

/* Thread: read pool. */
static void read_children(struct exchange *ex, struct store_reader *reader)
{
	const struct store_ops *ops = reader->store->ops;
	struct page *page = ex->state;
	struct saga_filter filter = {
		.ns = ex->ns, .parent = ex->params[0], .oldest_first = true, .limit = (int)page->limit + 1};
	struct saga_row row = {0};
	struct err err;

	if (ops->saga_get(reader, ex->ns, ex->params[0], &row, &err) < 0) {
		saga_read_failed(ex, ex->params[0], &err);
		return;
	}
	saga_row_release(&row);
	memcpy(filter.after_id, page->cursor_id, sizeof(filter.after_id));
	page->ids = xcalloc((size_t)page->limit + 1, sizeof(*page->ids));
	if (ops->list(reader, &filter, note_id, page, &err) < 0)
		exchange_problem_err(ex, &err);
	else
		write_page(ex, reader, page, filter.looked_to);
}

void api_get_children(struct exchange *ex)
{
	static const char *const known[] = {"limit", "cursor"};
	struct page *page = xcalloc(1, sizeof(*page));
	const char *cursor = exchange_arg(ex, "cursor");
	struct err err;

	ex->state = page;
	ex->free_state = page_free;
	page->limit = CHILDREN_LIMIT;
	if (cursor && cursor_read(cursor, page->cursor_id, &err) < 0) {
		exchange_problem(ex, PROBLEM_INVALID_QUERY, "%s", err.text);
		return;
	}
	if (!exchange_arg_int(ex, "limit", 1, CHILDREN_LIMIT_MAX, &page->limit) ||
		!exchange_args_done(ex, known, ARRAY_SIZE(known)) || !saga_id_param(ex))
		return;
	exchange_read(ex, read_children);
}
