/*
 * What runs long, beside the commits of sagas: who gets which lock, tasks and queues, and the parts
 * of histories that nobody needs any more.
 */
#include <limits.h>
#include <stdio.h>

#include "connectors/store_postgres_priv.h"
#include "sagas/base/macros.h"

enum { TRIM_LOOKS = 500 }; /* sagas */

static const char first_id[] = "00000000-0000-0000-0000-000000000000";

int pg__locks_grant(struct store *store, wall_ms now, bool *touched, struct err *err)
{
	struct store_postgres *s = pg__from(store);
	CLEANUP(PQclear_p) PGresult *result = NULL;
	struct pg_args args = {0};
	bool more = false;
	int r;

	pg__arg_int(&args, now);
	pg__arg_int(&args, LOCKS_GRANT_MAX);
	r = pg__write(s, PG_LOCKS_GRANT, &args, &result, "cannot grant locks", err);
	if (r < 0)
		return r;
	for (int row = 0; row < PQntuples(result); row++) {
		int slot = (int)pg__int(result, row, 1);

		more = pg__int(result, row, 0) == LOCKS_GRANT_MAX;
		if (!PQgetisnull(result, row, 1) && slot >= 0 && slot < s->slot_count)
			touched[slot] = true;
	}
	return more;
}

int pg__task_note(struct store *store, const struct task_row *row, struct err *err)
{
	CLEANUP(PQclear_p) PGresult *result = NULL;
	struct pg_args args = {0};
	int r = store_check_task_note(row, err);

	if (r < 0)
		return r;
	pg__arg_int(&args, row->slot);
	pg__arg_text(&args, row->saga_id);
	pg__arg_text(&args, row->step);
	pg__arg_int(&args, row->item);
	pg__arg_text(&args, store_side_text(row->side));
	pg__arg_int(&args, row->attempt);
	pg__arg_text(&args, row->doc);
	return pg__write(pg__from(store), PG_TASK_NOTE, &args, &result,
					 "cannot write what a worker says", err);
}

int pg__queue_put(struct store *store, struct queue_row *row, struct err *err)
{
	struct pg_args args = {0};
	int r = store_check_queue(row, err);

	if (r < 0)
		return r;
	pg__arg_text(&args, row->ns);
	pg__arg_text(&args, row->name);
	pg__arg_text(&args, row->settings);
	pg__arg_text(&args, row->by);
	pg__arg_int(&args, row->updated_at);
	pg__arg_int(&args, row->revision);
	return pg__put_revised(pg__from(store), PG_QUEUE_PUT, &args, "queue", row->name, &row->revision,
						   err);
}

int pg__history_trim(struct store *store, wall_ms before, int limit, int *ret_n, struct err *err)
{
	struct store_postgres *s = pg__from(store);
	CLEANUP(PQclear_p) PGresult *result = NULL;
	struct pg_args args = {0};
	int r = store_check_limit(limit, err), n, looked;

	if (r < 0)
		return r;
	pg__arg_text(&args, s->trim_ns);
	pg__arg_text(&args, s->trim_id[0] ? s->trim_id : first_id);
	pg__arg_int(&args, before);
	pg__arg_int(&args, limit);
	pg__arg_int(&args, TRIM_LOOKS);
	r = pg__write(s, PG_HISTORY_TRIM, &args, &result, "cannot remove what no fold needs", err);
	if (r < 0) { /* what was passed over is still there */
		s->trim_ns[0] = '\0';
		s->trim_id[0] = '\0';
		return r;
	}
	n = (int)pg__int(result, 0, 0);
	looked = (int)pg__int(result, 0, 1);
	*ret_n = n;
	if (n == limit) /* of the same sagas there may be more */
		return 1;
	PG_COPY(result, 0, 2, s->trim_ns);
	PG_COPY(result, 0, 3, s->trim_id);
	if (looked == TRIM_LOOKS)
		return 1;
	s->trim_ns[0] = '\0';
	s->trim_id[0] = '\0';
	return 0;
}

int pg__lock_keys_retain(struct store_postgres *s, wall_ms before, int limit, struct err *err)
{
	struct pg_args args = {0};

	pg__arg_int(&args, before);
	pg__arg_int(&args, limit);
	return pg__write(s, PG_LOCK_KEYS_FORGET, &args, NULL, "cannot forget locks", err);
}

/* Readers. */

static int read_task(const PGresult *result, int row, struct task_row *ret_row, struct err *err)
{
	const char *kind = PQgetvalue(result, row, 7), *state = PQgetvalue(result, row, 11);
	int kind_number = task_kind_parse(kind), state_number = task_state_parse(state);

	if (kind_number < 0 || state_number < 0)
		return err_set(err, ERR_INTERNAL, "a task in the store has the unknown kind %s or state %s",
					   kind, state);
	*ret_row = (struct task_row){
		.slot = (int)pg__int(result, row, 0),
		.ns = pg__text(result, row, 2),
		.definition = pg__text(result, row, 3),
		.step = pg__text(result, row, 4),
		.item = (int)pg__int(result, row, 5),
		.side = strcmp(PQgetvalue(result, row, 6), "do") == 0 ? SIDE_DO : SIDE_UNDO,
		.kind = (enum task_kind)kind_number,
		.queue = pg__text(result, row, 8),
		.route = pg__text(result, row, 9),
		.attempt = pg__int(result, row, 10),
		.state = (enum task_state)state_number,
		.queued_at = pg__int(result, row, 12),
		.available_at = pg__int(result, row, 13),
		.deadline_at = pg__int(result, row, 14),
		.leased_until = pg__int(result, row, 15),
		.worker = pg__text(result, row, 16),
		.build = pg__text(result, row, 17),
		.doc = pg__text(result, row, 18),
		.doc_len = (size_t)PQgetlength(result, row, 18),
	};
	PG_COPY(result, row, 1, ret_row->saga_id);
	return 0;
}

static enum pg_statement tasks_statement(const struct task_filter *filter)
{
	if (filter->queue || filter->kind == TASK_APPROVAL)
		return filter->state < 0 ? PG_TASKS_QUEUE_ANY : PG_TASKS_QUEUE;
	return filter->state < 0 ? PG_TASKS_ALL_ANY : PG_TASKS_ALL;
}

static int each_task(const PGresult *result, int (*row)(void *ctx, const struct task_row *row),
					 void *ctx, struct err *err)
{
	struct task_row task;
	int r = 0;

	for (int i = 0; r == 0 && i < PQntuples(result); i++) {
		r = read_task(result, i, &task, err);
		if (r == 0)
			r = row(ctx, &task);
	}
	return r;
}

int pg__tasks_list(struct store_reader *reader, const struct task_filter *filter,
				   int (*row)(void *ctx, const struct task_row *row), void *ctx, struct err *err)
{
	CLEANUP(PQclear_p) PGresult *result = NULL;
	bool first = !filter->after_saga_id[0];
	struct pg_args args = {0};
	int r = store_check_task_filter(filter, err);

	if (r < 0)
		return r;
	if (!first && saga_id_slot(filter->after_saga_id) < 0)
		return err_set(err, ERR_INVALID, "a page goes on after the id of a saga");
	pg__arg_text(&args, filter->ns);
	pg__arg_text(&args, task_kind_text(filter->kind));
	pg__arg_text(&args, filter->queue ? filter->queue : "");
	pg__arg_text(&args, filter->state < 0 ? "" : task_state_text((enum task_state)filter->state));
	pg__arg_int(&args, filter->available_before ? filter->available_before : INT64_MAX);
	pg__arg_int(&args, first ? INT64_MIN : filter->after_available_at);
	pg__arg_text(&args, first ? first_id : filter->after_saga_id);
	pg__arg_text(&args, first ? "" : filter->after_step);
	pg__arg_int(&args, filter->after_item);
	pg__arg_text(&args, store_side_text(filter->after_side));
	pg__arg_int(&args, filter->limit);
	r = pg__ask(pg__reader_conn(reader), tasks_statement(filter), &args, &result, err);
	return r < 0 ? r : each_task(result, row, ctx, err);
}

int pg__saga_tasks(struct store_reader *reader, int slot, const char *saga_id, int state, int limit,
				   int (*row)(void *ctx, const struct task_row *row), void *ctx, struct err *err)
{
	CLEANUP(PQclear_p) PGresult *result = NULL;
	struct pg_args args = {0};
	int r = store_check_limit(limit, err);

	if (r < 0 || saga_id_slot(saga_id) < 0)
		return r;
	pg__arg_int(&args, slot);
	pg__arg_text(&args, saga_id);
	pg__arg_text(&args, state < 0 ? NULL : task_state_text((enum task_state)state));
	pg__arg_int(&args, limit);
	r = pg__ask(pg__reader_conn(reader), PG_SAGA_TASKS, &args, &result, err);
	return r < 0 ? r : each_task(result, row, ctx, err);
}

/* The queues of one namespace; *left counts down the rows that may still be given. */
static int count_queues(struct pg_conn *conn, const char *ns, const char *after, int *left,
						int (*row)(void *ctx, const struct queue_count_row *row), void *ctx,
						struct err *err)
{
	CLEANUP(PQclear_p) PGresult *result = NULL;
	struct pg_args args = {0};
	int r;

	pg__arg_text(&args, ns);
	pg__arg_text(&args, after);
	pg__arg_int(&args, *left);
	pg__arg_int(&args, QUEUE_COUNT_MAX + 1);
	r = pg__ask(conn, PG_QUEUE_COUNTS, &args, &result, err);
	for (int i = 0; r == 0 && i < PQntuples(result); i++) {
		struct queue_count_row count = {
			.ns = ns,
			.queue = pg__text(result, i, 0),
			.queued = pg__int(result, i, 1),
			.leased = pg__int(result, i, 2),
			.oldest_available_at = pg__int(result, i, 3),
		};

		store_queue_count_bound(&count);
		--*left;
		r = row(ctx, &count);
	}
	return r;
}

/* The first namespace with tasks from ns on; "" when there is none. */
static int next_namespace(struct pg_conn *conn, const char *ns,
						  char ret_ns[NAMESPACE_MAX_BYTES + 1], struct err *err)
{
	CLEANUP(PQclear_p) PGresult *result = NULL;
	struct pg_args args = {0};
	int r;

	pg__arg_text(&args, ns);
	r = pg__ask(conn, PG_QUEUE_NAMESPACE, &args, &result, err);
	if (r == 0)
		pg__copy(result, 0, 0, ret_ns, NAMESPACE_MAX_BYTES + 1);
	return r;
}

int pg__queue_counts(struct store_reader *reader, const char *ns, const char *after_ns,
					 const char *after_queue, int limit,
					 int (*row)(void *ctx, const struct queue_count_row *row), void *ctx,
					 struct err *err)
{
	struct pg_conn *conn = pg__reader_conn(reader);
	char from[NAMESPACE_MAX_BYTES + 2], at[NAMESPACE_MAX_BYTES + 1];
	int r = store_check_queue_page(limit, err);

	if (r < 0)
		return r;
	if (ns)
		return count_queues(conn, ns, after_queue, &limit, row, ctx, err);
	snprintf(from, sizeof(from), "%s", after_ns);
	while (limit > 0) {
		r = next_namespace(conn, from, at, err);
		if (r < 0 || !at[0])
			return r;
		r = count_queues(conn, at, strcmp(at, after_ns) == 0 ? after_queue : "", &limit, row, ctx,
						 err);
		if (r != 0)
			return r;
		snprintf(from, sizeof(from), "%s\x01", at); /* after this one, and before all others */
	}
	return 0;
}

static int count_approvals(struct pg_conn *conn, const char *ns, struct approval_counts *counts,
						   struct err *err)
{
	CLEANUP(PQclear_p) PGresult *result = NULL;
	struct pg_args args = {0};
	int r;

	pg__arg_text(&args, ns);
	pg__arg_int(&args, QUEUE_COUNT_MAX + 1);
	r = pg__ask(conn, PG_APPROVALS, &args, &result, err);
	if (r == 0)
		store_approvals_add(counts, pg__int(result, 0, 0), pg__int(result, 0, 1));
	return r;
}

int pg__approval_counts(struct store_reader *reader, struct approval_counts *ret_counts,
						struct err *err)
{
	struct pg_conn *conn = pg__reader_conn(reader);
	char from[NAMESPACE_MAX_BYTES + 2] = "", at[NAMESPACE_MAX_BYTES + 1];
	int r;

	*ret_counts = (struct approval_counts){0};
	while (true) {
		r = next_namespace(conn, from, at, err);
		if (r < 0 || !at[0])
			return r;
		r = count_approvals(conn, at, ret_counts, err);
		if (r < 0)
			return r;
		snprintf(from, sizeof(from), "%s\x01", at); /* after this one, and before all others */
	}
}

static void read_queue(const PGresult *result, int row, struct queue_row *ret_row)
{
	*ret_row = (struct queue_row){
		.ns = pg__text(result, row, 0),
		.name = pg__text(result, row, 1),
		.settings = pg__text(result, row, 2),
		.by = pg__text(result, row, 3),
		.updated_at = pg__int(result, row, 4),
		.revision = pg__int(result, row, 5),
	};
}

int pg__queue_get(struct store_reader *reader, const char *ns, const char *name,
				  struct queue_row *ret_row, struct err *err)
{
	CLEANUP(PQclear_p) PGresult *result = NULL;
	struct pg_args args = {0};
	struct queue_row queue;
	int r;

	pg__arg_text(&args, ns);
	pg__arg_text(&args, name);
	r = pg__ask(pg__reader_conn(reader), PG_QUEUE, &args, &result, err);
	if (r < 0)
		return r;
	if (PQntuples(result) == 0)
		return err_set(err, ERR_NOT_FOUND, "nothing was said about queue %s", name);
	read_queue(result, 0, &queue);
	queue_row_copy(&queue, ret_row);
	return 0;
}

int pg__queue_list(struct store_reader *reader, const char *ns,
				   int (*row)(void *ctx, const struct queue_row *row), void *ctx, struct err *err)
{
	CLEANUP(PQclear_p) PGresult *result = NULL;
	struct pg_args args = {0};
	struct queue_row queue;
	int r;

	pg__arg_text(&args, ns);
	r = pg__ask(pg__reader_conn(reader), PG_QUEUES, &args, &result, err);
	for (int i = 0; r == 0 && i < PQntuples(result); i++) {
		read_queue(result, i, &queue);
		r = row(ctx, &queue);
	}
	return r;
}

int pg__locks_list(struct store_reader *reader, const char *ns, const char *key,
				   const char *saga_id, int limit,
				   int (*row)(void *ctx, const struct lock_row *row), void *ctx, struct err *err)
{
	CLEANUP(PQclear_p) PGresult *result = NULL;
	struct pg_args args = {0};
	int r = store_check_limit(limit, err), slot = key ? -1 : saga_id_slot(saga_id);

	if (r < 0)
		return r;
	if (!key && slot < 0)
		return 0;
	if (key)
		pg__arg_text(&args, ns);
	else
		pg__arg_int(&args, slot);
	pg__arg_text(&args, key ? key : saga_id);
	pg__arg_int(&args, limit);
	r = pg__ask(pg__reader_conn(reader), key ? PG_LOCK_LINE : PG_LOCKS_OF, &args, &result, err);
	for (int i = 0; r == 0 && i < PQntuples(result); i++) {
		struct lock_row lock = {
			.ns = pg__text(result, i, 0),
			.key = pg__text(result, i, 1),
			.ticket = pg__text(result, i, 2),
			.slot = (int)pg__int(result, i, 4),
			.step = pg__text(result, i, 5),
			.item = (int)pg__int(result, i, 6),
			.held = pg__int(result, i, 7) != 0,
			.token = pg__int(result, i, 8),
			.asked_at = pg__int(result, i, 9),
			.held_at = pg__int(result, i, 10),
		};

		PG_COPY(result, i, 3, lock.saga_id);
		r = row(ctx, &lock);
	}
	return r;
}
