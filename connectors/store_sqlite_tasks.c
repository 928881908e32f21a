/*
 * What is read for sagas that run long: tasks, queues, and the lines for locks. Each list is a walk
 * along one index, or along one for each state, merged.
 */
#include <limits.h>
#include <stdio.h>

#include "connectors/store_sqlite_priv.h"
#include "sagas/base/macros.h"

/* Texts are borrowed from the statement. */
static int read_task(sqlite3_stmt *stmt, struct task_row *ret_row, struct err *err)
{
	const char *kind = store_sqlite__text(stmt, 7), *state = store_sqlite__text(stmt, 11);
	int kind_number = task_kind_parse(kind), state_number = task_state_parse(state);

	if (kind_number < 0 || state_number < 0)
		return err_set(err, ERR_INTERNAL, "a task in the store has the unknown kind %s or state %s",
					   kind, state);
	*ret_row = (struct task_row){
		.slot = sqlite3_column_int(stmt, 0),
		.ns = store_sqlite__text(stmt, 2),
		.definition = store_sqlite__text(stmt, 3),
		.step = store_sqlite__text(stmt, 4),
		.item = sqlite3_column_int(stmt, 5),
		.side = strcmp(store_sqlite__text(stmt, 6), "do") == 0 ? SIDE_DO : SIDE_UNDO,
		.kind = (enum task_kind)kind_number,
		.queue = store_sqlite__text(stmt, 8),
		.route = store_sqlite__text(stmt, 9),
		.attempt = sqlite3_column_int64(stmt, 10),
		.state = (enum task_state)state_number,
		.queued_at = sqlite3_column_int64(stmt, 12),
		.available_at = sqlite3_column_int64(stmt, 13),
		.deadline_at = sqlite3_column_int64(stmt, 14),
		.leased_until = sqlite3_column_int64(stmt, 15),
		.worker = store_sqlite__text(stmt, 16),
		.build = store_sqlite__text(stmt, 17),
		.doc = store_sqlite__text(stmt, 18),
		.doc_len = (size_t)sqlite3_column_bytes(stmt, 18),
	};
	STORE_SQLITE_COPY(stmt, 1, ret_row->saga_id);
	return 0;
}

static enum store_sqlite_read tasks_statement(const struct task_filter *filter)
{
	if (filter->queue || filter->kind == TASK_APPROVAL)
		return filter->state < 0 ? R_TASKS_QUEUE_ANY : R_TASKS_QUEUE;
	return filter->state < 0 ? R_TASKS_ALL_ANY : R_TASKS_ALL;
}

static void bind_filter(sqlite3_stmt *stmt, const struct task_filter *filter)
{
	bool first = !filter->after_saga_id[0];

	store_sqlite__bind_text(stmt, 1, filter->ns);
	store_sqlite__bind_text(stmt, 2, task_kind_text(filter->kind));
	store_sqlite__bind_text(stmt, 3, filter->queue ? filter->queue : "");
	if (filter->state >= 0)
		store_sqlite__bind_text(stmt, 4, task_state_text((enum task_state)filter->state));
	sqlite3_bind_int64(stmt, 5, filter->available_before ? filter->available_before : INT64_MAX);
	sqlite3_bind_int64(stmt, 6, first ? INT64_MIN : filter->after_available_at);
	/* Copies: a callback may note there already where the next page goes on. */
	sqlite3_bind_text(stmt, 7, filter->after_saga_id, -1, SQLITE_TRANSIENT);
	sqlite3_bind_text(stmt, 8, first ? "" : filter->after_step, -1, SQLITE_TRANSIENT);
	sqlite3_bind_int(stmt, 9, filter->after_item);
	store_sqlite__bind_text(stmt, 10, store_side_text(filter->after_side));
	sqlite3_bind_int(stmt, 11, filter->limit);
}

static int each_task(struct store_sqlite_reader *reader, sqlite3_stmt *stmt,
					 int (*row)(void *ctx, const struct task_row *row), void *ctx, struct err *err)
{
	struct task_row task;
	int r, rc;

	while ((rc = sqlite3_step(stmt)) == SQLITE_ROW) {
		r = read_task(stmt, &task, err);
		if (r == 0)
			r = row(ctx, &task);
		if (r != 0)
			return r;
	}
	return rc == SQLITE_DONE ? 0 : store_sqlite__read_error(reader, rc, err);
}

int store_sqlite__tasks_list(struct store_reader *store_reader, const struct task_filter *filter,
							 int (*row)(void *ctx, const struct task_row *row), void *ctx,
							 struct err *err)
{
	STORE_SQLITE_GUARD(store_sqlite__from(store_reader->store));
	struct store_sqlite_reader *reader = store_sqlite__reader(store_reader);
	CLEANUP(store_sqlite__reset_p) sqlite3_stmt *stmt = NULL;
	int r = store_check_task_filter(filter, err);

	if (r == 0)
		r = store_sqlite__get(reader, tasks_statement(filter), &stmt, err);
	if (r < 0)
		return r;
	bind_filter(stmt, filter);
	return each_task(reader, stmt, row, ctx, err);
}

int store_sqlite__saga_tasks(struct store_reader *store_reader, int slot, const char *saga_id,
							 int state, int limit,
							 int (*row)(void *ctx, const struct task_row *row), void *ctx,
							 struct err *err)
{
	STORE_SQLITE_GUARD(store_sqlite__from(store_reader->store));
	struct store_sqlite_reader *reader = store_sqlite__reader(store_reader);
	CLEANUP(store_sqlite__reset_p) sqlite3_stmt *stmt = NULL;
	int r = store_check_limit(limit, err);

	if (r == 0)
		r = store_sqlite__get(reader, R_SAGA_TASKS, &stmt, err);
	if (r < 0)
		return r;
	store_sqlite__bind_text(stmt, 1, saga_id);
	sqlite3_bind_int(stmt, 2, slot);
	store_sqlite__bind_text(stmt, 3, state < 0 ? NULL : task_state_text((enum task_state)state));
	sqlite3_bind_int(stmt, 4, limit);
	return each_task(reader, stmt, row, ctx, err);
}

/* The queues of one namespace; *left counts down the rows that may still be given. */
static int count_queues(struct store_sqlite_reader *reader, const char *ns, const char *after,
						int *left, int (*row)(void *ctx, const struct queue_count_row *row),
						void *ctx, struct err *err)
{
	CLEANUP(store_sqlite__reset_p) sqlite3_stmt *stmt = NULL;
	int r = store_sqlite__get(reader, R_QUEUES, &stmt, err), rc;

	if (r < 0)
		return r;
	store_sqlite__bind_text(stmt, 1, ns);
	store_sqlite__bind_text(stmt, 2, after);
	sqlite3_bind_int(stmt, 3, *left);
	sqlite3_bind_int(stmt, 4, QUEUE_COUNT_MAX + 1);
	while ((rc = sqlite3_step(stmt)) == SQLITE_ROW) {
		struct queue_count_row count = {
			.ns = ns,
			.queue = store_sqlite__text(stmt, 0),
			.queued = sqlite3_column_int64(stmt, 1),
			.leased = sqlite3_column_int64(stmt, 2),
			.oldest_available_at = sqlite3_column_int64(stmt, 3),
		};

		store_queue_count_bound(&count);
		--*left;
		r = row(ctx, &count);
		if (r != 0)
			return r;
	}
	return rc == SQLITE_DONE ? 0 : store_sqlite__read_error(reader, rc, err);
}

/* The first namespace with tasks from ns on; "" when there is none. */
static int next_namespace(struct store_sqlite_reader *reader, const char *ns,
						  char ret_ns[NAMESPACE_MAX_BYTES + 1], struct err *err)
{
	CLEANUP(store_sqlite__reset_p) sqlite3_stmt *stmt = NULL;
	int r = store_sqlite__get(reader, R_QUEUE_NAMESPACE, &stmt, err), rc;

	if (r < 0)
		return r;
	store_sqlite__bind_text(stmt, 1, ns);
	rc = sqlite3_step(stmt);
	if (rc != SQLITE_ROW)
		return store_sqlite__read_error(reader, rc, err);
	store_sqlite__copy(stmt, 0, ret_ns, NAMESPACE_MAX_BYTES + 1);
	return 0;
}

int store_sqlite__queue_counts(struct store_reader *store_reader, const char *ns,
							   const char *after_ns, const char *after_queue, int limit,
							   int (*row)(void *ctx, const struct queue_count_row *row), void *ctx,
							   struct err *err)
{
	STORE_SQLITE_GUARD(store_sqlite__from(store_reader->store));
	struct store_sqlite_reader *reader = store_sqlite__reader(store_reader);
	char from[NAMESPACE_MAX_BYTES + 2], at[NAMESPACE_MAX_BYTES + 1];
	int r = store_check_queue_page(limit, err);

	if (r < 0)
		return r;
	if (ns)
		return count_queues(reader, ns, after_queue, &limit, row, ctx, err);
	snprintf(from, sizeof(from), "%s", after_ns);
	while (limit > 0) {
		r = next_namespace(reader, from, at, err);
		if (r < 0 || !at[0])
			return r;
		r = count_queues(reader, at, strcmp(at, after_ns) == 0 ? after_queue : "", &limit, row, ctx,
						 err);
		if (r != 0)
			return r;
		snprintf(from, sizeof(from), "%s\x01", at); /* after this one, and before all others */
	}
	return 0;
}

static int count_approvals(struct store_sqlite_reader *reader, const char *ns,
						   struct approval_counts *counts, struct err *err)
{
	CLEANUP(store_sqlite__reset_p) sqlite3_stmt *stmt = NULL;
	int r = store_sqlite__get(reader, R_APPROVALS, &stmt, err), rc;

	if (r < 0)
		return r;
	store_sqlite__bind_text(stmt, 1, ns);
	sqlite3_bind_int(stmt, 2, QUEUE_COUNT_MAX + 1);
	rc = sqlite3_step(stmt);
	if (rc != SQLITE_ROW)
		return store_sqlite__read_error(reader, rc, err);
	store_approvals_add(counts, sqlite3_column_int64(stmt, 0), sqlite3_column_int64(stmt, 1));
	return 0;
}

int store_sqlite__approval_counts(struct store_reader *store_reader,
								  struct approval_counts *ret_counts, struct err *err)
{
	STORE_SQLITE_GUARD(store_sqlite__from(store_reader->store));
	struct store_sqlite_reader *reader = store_sqlite__reader(store_reader);
	char from[NAMESPACE_MAX_BYTES + 2] = "", at[NAMESPACE_MAX_BYTES + 1];
	int r;

	*ret_counts = (struct approval_counts){0};
	while (true) {
		r = next_namespace(reader, from, at, err);
		if (r < 0 || !at[0])
			return r;
		r = count_approvals(reader, at, ret_counts, err);
		if (r < 0)
			return r;
		snprintf(from, sizeof(from), "%s\x01", at); /* after this one, and before all others */
	}
}

static void read_queue(sqlite3_stmt *stmt, struct queue_row *ret_row)
{
	*ret_row = (struct queue_row){
		.ns = store_sqlite__text(stmt, 0),
		.name = store_sqlite__text(stmt, 1),
		.settings = store_sqlite__text(stmt, 2),
		.by = store_sqlite__text(stmt, 3),
		.updated_at = sqlite3_column_int64(stmt, 4),
		.revision = sqlite3_column_int64(stmt, 5),
	};
}

int store_sqlite__queue_get(struct store_reader *store_reader, const char *ns, const char *name,
							struct queue_row *ret_row, struct err *err)
{
	STORE_SQLITE_GUARD(store_sqlite__from(store_reader->store));
	struct store_sqlite_reader *reader = store_sqlite__reader(store_reader);
	CLEANUP(store_sqlite__reset_p) sqlite3_stmt *stmt = NULL;
	struct queue_row queue;
	int r = store_sqlite__get(reader, R_QUEUE, &stmt, err), rc;

	if (r < 0)
		return r;
	store_sqlite__bind_text(stmt, 1, ns);
	store_sqlite__bind_text(stmt, 2, name);
	rc = sqlite3_step(stmt);
	if (rc == SQLITE_DONE)
		return err_set(err, ERR_NOT_FOUND, "nothing was said about queue %s", name);
	if (rc != SQLITE_ROW)
		return store_sqlite__read_error(reader, rc, err);
	read_queue(stmt, &queue);
	queue_row_copy(&queue, ret_row);
	return 0;
}

struct queue_call {
	int (*row)(void *ctx, const struct queue_row *row);
	void *ctx;
};

static int give_queue(sqlite3_stmt *stmt, void *to)
{
	const struct queue_call *call = to;
	struct queue_row queue;

	read_queue(stmt, &queue);
	return call->row(call->ctx, &queue);
}

int store_sqlite__queue_list(struct store_reader *reader, const char *ns,
							 int (*row)(void *ctx, const struct queue_row *row), void *ctx,
							 struct err *err)
{
	struct queue_call call = {row, ctx};

	return store_sqlite__list_revised(reader, R_QUEUE_ROWS, ns, NULL, give_queue, &call, err);
}

/* *left counts down the rows that may still be given. */
static int list_locks(struct store_sqlite_reader *reader, enum store_sqlite_read which,
					  const char *ns, const char *of, int *left,
					  int (*row)(void *ctx, const struct lock_row *row), void *ctx, struct err *err)
{
	CLEANUP(store_sqlite__reset_p) sqlite3_stmt *stmt = NULL;
	int r = store_sqlite__get(reader, which, &stmt, err), rc;

	if (r < 0)
		return r;
	if (ns)
		store_sqlite__bind_text(stmt, 1, ns);
	store_sqlite__bind_text(stmt, 2, of);
	sqlite3_bind_int(stmt, 3, *left);
	while ((rc = sqlite3_step(stmt)) == SQLITE_ROW) {
		struct lock_row lock = {
			.ns = store_sqlite__text(stmt, 0),
			.key = store_sqlite__text(stmt, 1),
			.ticket = store_sqlite__text(stmt, 2),
			.slot = sqlite3_column_int(stmt, 4),
			.step = store_sqlite__text(stmt, 5),
			.item = sqlite3_column_int(stmt, 6),
			.held = sqlite3_column_int(stmt, 7) != 0,
			.token = sqlite3_column_int64(stmt, 8),
			.asked_at = sqlite3_column_int64(stmt, 9),
			.held_at = sqlite3_column_int64(stmt, 10),
		};

		STORE_SQLITE_COPY(stmt, 3, lock.saga_id);
		--*left;
		r = row(ctx, &lock);
		if (r != 0)
			return r;
	}
	return rc == SQLITE_DONE ? 0 : store_sqlite__read_error(reader, rc, err);
}

int store_sqlite__locks_list(struct store_reader *store_reader, const char *ns, const char *key,
							 const char *saga_id, int limit,
							 int (*row)(void *ctx, const struct lock_row *row), void *ctx,
							 struct err *err)
{
	STORE_SQLITE_GUARD(store_sqlite__from(store_reader->store));
	struct store_sqlite_reader *reader = store_sqlite__reader(store_reader);
	int r = store_check_limit(limit, err);

	if (r < 0)
		return r;
	if (!key)
		return list_locks(reader, R_LOCKS_OF, NULL, saga_id, &limit, row, ctx, err);
	r = list_locks(reader, R_LOCK_HOLDER, ns, key, &limit, row, ctx, err);
	if (r == 0 && limit > 0)
		r = list_locks(reader, R_LOCK_LINE, ns, key, &limit, row, ctx, err);
	return r;
}
