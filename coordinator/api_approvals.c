/*
 * GET /v1/approvals: what waits to be decided, those asked first, first. The rows are those of the
 * store's tasks, which a transition writes with its commit, so the list says what each node knows.
 * It is narrowed down to a group, or to what a person may decide and has not. Deciding is an act on
 * a step (api_acts.c).
 */
#include <stdio.h>
#include <string.h>

#include "coordinator/approval_groups.h"
#include "coordinator/node.h"
#include "coordinator/routes.h"
#include "sagas/base/base64.h"
#include "sagas/json_member.h"
#include "sagas/json_text.h"

enum {
	PAGE_MAX = 100,
	LOOKED_MAX = 1000, /* rows that one page looks at; then it ends, however few it found */
	CURSOR_MAX_BYTES = 512,
};

struct inbox {
	char *group, *by; /* NULL: any */
	json_t *groups;   /* those that `by` is in; NULL: any */
	int limit;
	struct task_filter filter;
	char after_step[DEF_MAX_NAME + 1];
	/* The last row that was looked at, for the next list or page. */
	struct {
		wall_ms asked_at;
		char saga_id[SAGA_ID_SIZE], step[DEF_MAX_NAME + 1];
		int item;
	} last;
	/* While it is read. */
	struct buf *out;
	int n, looked;
	bool more;
};

static void inbox_free(void *state)
{
	struct inbox *inbox = state;

	free(inbox->group);
	free(inbox->by);
	json_decref(inbox->groups);
	free(inbox);
}

/* Cursors: "<asked at> <saga> <item> <step>" in base64. */

static void write_cursor(const struct inbox *inbox, struct buf *out)
{
	CLEANUP(buf_release) struct buf text;

	buf_init(&text, 0);
	buf_printf(&text, "%lld %s %d %s", (long long)inbox->last.asked_at, inbox->last.saga_id,
			   inbox->last.item, inbox->last.step);
	base64_encode(buf_str(&text), text.len, out);
}

static bool read_cursor(const char *cursor, struct inbox *inbox)
{
	struct task_filter *at = &inbox->filter;
	CLEANUP(buf_release) struct buf text;
	long long asked_at;
	char saga[SAGA_ID_SIZE];
	int end = 0;

	buf_init(&text, CURSOR_MAX_BYTES);
	if (!base64_decode(cursor, strlen(cursor), &text) || text.failed ||
		sscanf(buf_str(&text), "%lld %36s %d %128s%n", &asked_at, saga, &at->after_item,
			   inbox->after_step, &end) != 4 ||
		(size_t)end != text.len || saga_id_slot(saga) < 0)
		return false;
	at->after_available_at = asked_at;
	memcpy(at->after_saga_id, saga, sizeof(at->after_saga_id));
	at->after_step = inbox->after_step;
	at->after_side = SIDE_DO;
	return true;
}

static bool lists(const json_t *list, const char *text)
{
	const json_t *one;
	size_t i;

	json_array_foreach (list, i, one)
		if (json_is_string(one) && strcmp(json_string_value(one), text) == 0)
			return true;
	return false;
}

static bool is_for_group(const json_t *doc, const char *group)
{
	return lists(json_object_get(doc, "groups"), group) ||
		   lists(json_object_get(doc, "escalated_groups"), group);
}

static bool is_for_person(const struct inbox *inbox, const json_t *doc)
{
	const json_t *decided = json_object_get(doc, "decisions"), *one;
	bool in_group = false;
	size_t i;

	json_array_foreach (inbox->groups, i, one)
		in_group |= is_for_group(doc, json_string_value(one));
	if (!in_group || lists(json_object_get(doc, "exclude"), inbox->by))
		return false;
	json_array_foreach (decided, i, one)
		if (strcmp(json_string_value(json_object_get(one, "by")), inbox->by) == 0)
			return false;
	return true;
}

static void write_row(const struct task_row *row, struct buf *out)
{
	buf_printf(out, "{\"saga\":\"%s\"", row->saga_id);
	json_member_text(out, "definition", row->definition);
	json_member_text(out, "step", row->step);
	if (row->item >= 0)
		buf_printf(out, ",\"item\":%d", row->item);
	json_member_time(out, "since", row->queued_at);
	json_member_time(out, "deadline_at", row->deadline_at);
	/* The document is an object, of which one brace is there already. */
	buf_add_char(out, ',');
	buf_add(out, row->doc + 1, row->doc_len - 1);
}

static int take_row(void *ctx, const struct task_row *row)
{
	struct inbox *inbox = ctx;
	CLEANUP(json_decref_p) json_t *doc = NULL;
	struct err err;

	if (inbox->n == inbox->limit) {
		inbox->more = true;
		return 1;
	}
	inbox->looked++;
	inbox->last.asked_at = row->available_at;
	memcpy(inbox->last.saga_id, row->saga_id, sizeof(inbox->last.saga_id));
	snprintf(inbox->last.step, sizeof(inbox->last.step), "%s", row->step);
	inbox->last.item = row->item;
	if (json_parse_stored(row->doc, row->doc_len, &doc, &err) < 0 || !json_is_object(doc) ||
		json_object_size(doc) == 0)
		return 0; /* none of ours */
	if ((inbox->group && !is_for_group(doc, inbox->group)) ||
		(inbox->by && !is_for_person(inbox, doc)))
		return 0;
	if (inbox->n++ > 0)
		buf_add_char(inbox->out, ',');
	write_row(row, inbox->out);
	return 0;
}

/* After what was looked at; a list keeps to its filter while it runs. */
static void go_on(struct inbox *inbox)
{
	struct task_filter *at = &inbox->filter;

	at->after_available_at = inbox->last.asked_at;
	memcpy(at->after_saga_id, inbox->last.saga_id, sizeof(at->after_saga_id));
	memcpy(inbox->after_step, inbox->last.step, sizeof(inbox->after_step));
	at->after_step = inbox->after_step;
	at->after_item = inbox->last.item;
	at->after_side = SIDE_DO;
}

/* Thread: read pool. */
static void read_inbox(struct exchange *ex, struct store_reader *reader)
{
	struct inbox *inbox = ex->state;
	struct err err;
	int before, r;

	inbox->out = &ex->out;
	buf_add_lit(&ex->out, "{\"approvals\":[");
	do {
		if (inbox->looked > 0)
			go_on(inbox);
		before = inbox->looked;
		r = reader->store->ops->tasks_list(reader, &inbox->filter, take_row, inbox, &err);
	} while (r == 0 && inbox->looked == before + inbox->filter.limit && inbox->looked < LOOKED_MAX);
	if (r < 0) {
		exchange_problem_err(ex, &err);
		return;
	}
	inbox->more |= inbox->looked >= LOOKED_MAX;
	if (inbox->more) {
		buf_add_lit(&ex->out, "],\"next\":\"");
		write_cursor(inbox, &ex->out);
		buf_add_lit(&ex->out, "\"}");
	} else {
		buf_add_lit(&ex->out, "],\"next\":null}");
	}
	exchange_answer(ex, 200);
}

/* Groups that the caller says that the person is in: those that are not configured are believed. */
static json_t *claimed_groups(struct exchange *ex)
{
	const char *text = exchange_arg(ex, "groups");
	json_t *list = json_array();

	while (text && *text) {
		size_t len = strcspn(text, ",");

		json_array_append_new(list, json_stringn(text, len));
		text += len;
		text += *text == ',';
	}
	return list;
}

void api_list_approvals(struct exchange *ex)
{
	static const char *const known[] = {"group", "groups", "by", "cursor", "limit"};
	struct inbox *inbox = xcalloc(1, sizeof(*inbox));
	CLEANUP(json_decref_p) json_t *claimed = claimed_groups(ex);
	const char *group = exchange_arg(ex, "group"), *by = exchange_arg(ex, "by");
	const char *cursor = exchange_arg(ex, "cursor");
	int64_t limit = 50;

	ex->state = inbox;
	ex->free_state = inbox_free;
	if (!exchange_arg_int(ex, "limit", 1, PAGE_MAX, &limit) ||
		!exchange_args_done(ex, known, ARRAY_SIZE(known)))
		return;
	if (json_array_size(claimed) > 0 && !by) {
		exchange_problem(ex, PROBLEM_INVALID_QUERY,
						 "`groups` are those of the person `by`; to see one group's, say `group`");
		return;
	}
	inbox->limit = (int)limit;
	inbox->group = group ? xstrdup(group) : NULL;
	inbox->by = by ? xstrdup(by) : NULL;
	if (by)
		inbox->groups = approval_groups_of(ex->node->options.approval_groups, by, claimed);
	inbox->filter = (struct task_filter){
		.ns = ex->ns,
		.kind = TASK_APPROVAL,
		.queue = "",
		.state = TASK_QUEUED,
		.limit = PAGE_MAX + 1,
		.after_item = -1,
	};
	if (cursor && !read_cursor(cursor, inbox)) {
		exchange_problem(ex, PROBLEM_INVALID_QUERY,
						 "this cursor is none that an earlier page has given as `next`");
		return;
	}
	exchange_read(ex, read_inbox);
}
