/*
 * GET /v1/locks: who holds a key and who waits for it, in line; or the places of one saga in all
 * lines. Read from the store, so each node says the same.
 */
#include <string.h>

#include "coordinator/node.h"
#include "coordinator/routes.h"
#include "sagas/json_member.h"
#include "sagas/json_text.h"

enum { LINE_MAX_ROWS = 1000 }; /* of an answer; a longer line says so */

struct look {
	struct exchange *ex;
	char *key, *saga; /* one of them */
	int64_t limit;
	int n;
	bool more;
};

static void look_free(void *state)
{
	struct look *look = state;

	free(look->key);
	free(look->saga);
	free(look);
}

static int write_place(void *ctx, const struct lock_row *row)
{
	struct look *look = ctx;
	struct buf *out = &look->ex->out;

	/* The saga may be another namespace's. */
	if (strcmp(row->ns, look->ex->ns) != 0)
		return 0;
	if (look->n == look->limit) {
		look->more = true;
		return 1;
	}
	buf_printf(out, "%s{\"saga\":\"%s\"", look->n++ > 0 ? "," : "", row->saga_id);
	json_member_text(out, "key", row->key);
	json_member_text(out, "step", row->step);
	if (row->item >= 0)
		buf_printf(out, ",\"item\":%d", row->item);
	buf_printf(out, ",\"held\":%s", row->held ? "true" : "false");
	if (row->held)
		buf_printf(out, ",\"token\":%lld", (long long)row->token);
	else
		buf_add_lit(out, ",\"token\":null");
	json_member_time(out, "asked_at", row->asked_at);
	json_member_time(out, "held_at", row->held_at);
	json_member_text(out, "ticket", row->ticket);
	buf_add_char(out, '}');
	return 0;
}

/* Thread: read pool. */
static void read_line(struct exchange *ex, struct store_reader *reader)
{
	struct look *look = ex->state;
	struct err err;
	int r;

	look->ex = ex;
	buf_add_lit(&ex->out, "{\"locks\":[");
	r = reader->store->ops->locks_list(reader, look->key ? ex->ns : NULL, look->key, look->saga,
									   (int)look->limit + 1, write_place, look, &err);
	if (r < 0) {
		exchange_problem_err(ex, &err);
		return;
	}
	buf_printf(&ex->out, "],\"more\":%s}", look->more ? "true" : "false");
	exchange_answer(ex, 200);
}

void api_list_locks(struct exchange *ex)
{
	static const char *const known[] = {"key", "saga", "limit"};
	const char *key = exchange_arg(ex, "key"), *saga = exchange_arg(ex, "saga");
	struct look *look = xcalloc(1, sizeof(*look));

	ex->state = look;
	ex->free_state = look_free;
	look->limit = 100;
	if (!exchange_arg_int(ex, "limit", 1, LINE_MAX_ROWS, &look->limit) ||
		!exchange_args_done(ex, known, ARRAY_SIZE(known)))
		return;
	if (!key == !saga || (key && !*key)) {
		exchange_problem(ex, PROBLEM_INVALID_QUERY,
						 "say which `key` is meant, or which `saga`: one of them");
		return;
	}
	if (saga && saga_id_slot(saga) < 0) {
		exchange_problem(ex, PROBLEM_INVALID_QUERY, "`saga` is the id of a saga");
		return;
	}
	look->key = key ? xstrdup(key) : NULL;
	look->saga = saga ? xstrdup(saga) : NULL;
	exchange_read(ex, read_line);
}
