/*
 * What the writer does for sagas that run long: the parts of a commit (tasks, messages to other
 * sagas, search values, places in the lines for locks), who gets which lock, queues, and the parts
 * of histories that nobody needs any more.
 *
 * A commit only asks for keys and gives them up, and notes for which keys something has changed.
 * Who is next is looked for by locks_grant, in a transaction of its own, from those notes; so a
 * crash between the two loses nothing.
 */
#include <stdlib.h>

#include "connectors/store_sqlite_priv.h"
#include "sagas/base/macros.h"

enum { TRIM_LOOKS = 500 }; /* sagas */

static int put_task(struct store_sqlite *s, const struct store_item *item,
					const struct task_row *row)
{
	sqlite3_stmt *stmt = s->stmts[W_TASK_PUT];

	sqlite3_bind_int(stmt, 1, item->slot);
	store_sqlite__bind_text(stmt, 2, item->saga_id);
	store_sqlite__bind_text(stmt, 3, row->ns);
	store_sqlite__bind_text(stmt, 4, row->definition);
	store_sqlite__bind_text(stmt, 5, row->step);
	sqlite3_bind_int(stmt, 6, row->item);
	store_sqlite__bind_text(stmt, 7, store_side_text(row->side));
	store_sqlite__bind_text(stmt, 8, task_kind_text(row->kind));
	store_sqlite__bind_text(stmt, 9, row->queue);
	store_sqlite__bind_text(stmt, 10, row->route);
	sqlite3_bind_int64(stmt, 11, row->attempt);
	store_sqlite__bind_text(stmt, 12, task_state_text(row->state));
	sqlite3_bind_int64(stmt, 13, row->queued_at);
	sqlite3_bind_int64(stmt, 14, row->available_at);
	store_sqlite__bind_time(stmt, 15, row->deadline_at);
	store_sqlite__bind_time(stmt, 16, row->leased_until);
	store_sqlite__bind_text(stmt, 17, row->worker);
	store_sqlite__bind_text(stmt, 18, row->build);
	store_sqlite__bind_bytes(stmt, 19, row->doc, row->doc_len);
	return store_sqlite__run(stmt);
}

static int remove_task(struct store_sqlite *s, const struct store_item *item,
					   const struct task_row *row)
{
	sqlite3_stmt *stmt = s->stmts[W_TASK_DELETE];

	store_sqlite__bind_text(stmt, 1, item->saga_id);
	store_sqlite__bind_text(stmt, 2, row->step);
	sqlite3_bind_int(stmt, 3, row->item);
	store_sqlite__bind_text(stmt, 4, store_side_text(row->side));
	return store_sqlite__run(stmt);
}

static int run_for_saga(struct store_sqlite *s, enum store_sqlite_write which, const char *saga_id)
{
	store_sqlite__bind_text(s->stmts[which], 1, saga_id);
	return store_sqlite__run(s->stmts[which]);
}

static int ask(struct store_sqlite *s, const struct store_item *item,
			   const struct lock_change *lock)
{
	sqlite3_stmt *stmt = s->stmts[W_LOCK_ASK];
	char ticket[UUID_SIZE];
	int rc;

	store_lock_ticket(item->at, item->saga_id, item->seq, lock->step, lock->item, ticket);
	store_sqlite__bind_text(stmt, 1, lock->ns);
	store_sqlite__bind_text(stmt, 2, lock->key);
	store_sqlite__bind_text(stmt, 3, ticket);
	store_sqlite__bind_text(stmt, 4, item->saga_id);
	store_sqlite__bind_text(stmt, 5, lock->step);
	sqlite3_bind_int(stmt, 6, lock->item);
	sqlite3_bind_int(stmt, 7, item->slot);
	sqlite3_bind_int64(stmt, 8, item->at);
	rc = store_sqlite__run(stmt);
	if (rc != SQLITE_DONE)
		return rc;
	stmt = s->stmts[W_LOCK_CALL];
	store_sqlite__bind_text(stmt, 1, lock->ns);
	store_sqlite__bind_text(stmt, 2, lock->key);
	return store_sqlite__run(stmt);
}

/* step NULL: of the whole saga; key NULL: all keys. */
static int release(struct store_sqlite *s, const char *saga_id, const char *step, int item,
				   const char *key)
{
	static const enum store_sqlite_write both[] = {W_LOCK_CALL_OF, W_LOCK_RELEASE};
	int rc = SQLITE_DONE;

	for (size_t i = 0; i < ARRAY_SIZE(both) && rc == SQLITE_DONE; i++) {
		sqlite3_stmt *stmt = s->stmts[both[i]];

		store_sqlite__bind_text(stmt, 1, saga_id);
		store_sqlite__bind_text(stmt, 2, step);
		sqlite3_bind_int(stmt, 3, item);
		store_sqlite__bind_text(stmt, 4, key);
		rc = store_sqlite__run(stmt);
	}
	return rc;
}

static int write_locks(struct store_sqlite *s, const struct store_item *item)
{
	int rc = SQLITE_DONE;

	if (item->release_all_locks)
		rc = release(s, item->saga_id, NULL, 0, NULL);
	for (size_t i = 0; i < item->n_locks && rc == SQLITE_DONE; i++) {
		const struct lock_change *lock = &item->locks[i];

		rc = lock->release ? release(s, item->saga_id, lock->step, lock->item, lock->key)
						   : ask(s, item, lock);
	}
	return rc;
}

static int put_search(struct store_sqlite *s, const struct store_item *item,
					  const struct search_value *value)
{
	sqlite3_stmt *stmt = s->stmts[W_SEARCH_PUT];

	store_sqlite__bind_text(stmt, 1, item->create->ns);
	store_sqlite__bind_text(stmt, 2, value->name);
	store_sqlite__bind_text(stmt, 3, value->value);
	store_sqlite__bind_text(stmt, 4, item->saga_id);
	return store_sqlite__run(stmt);
}

int store_sqlite__write_long(struct store_sqlite *s, const struct store_item *item)
{
	int rc = SQLITE_DONE;

	if (item->remove_all_tasks)
		rc = run_for_saga(s, W_TASKS_DELETE_ALL, item->saga_id);
	for (size_t i = 0; i < item->n_tasks && rc == SQLITE_DONE; i++)
		rc = (item->tasks[i].remove ? remove_task : put_task)(s, item, &item->tasks[i].row);
	for (size_t i = 0; i < item->n_messages && rc == SQLITE_DONE; i++)
		rc = store_sqlite__insert_inbox(s, &item->messages[i]);
	if (rc == SQLITE_DONE)
		rc = write_locks(s, item);
	for (size_t i = 0; item->create && i < item->n_search && rc == SQLITE_DONE; i++)
		rc = put_search(s, item, &item->search[i]);
	return rc;
}

int store_sqlite__delete_long(struct store_sqlite *s, const char *saga_id)
{
	int rc = run_for_saga(s, W_TASKS_DELETE_ALL, saga_id);

	if (rc == SQLITE_DONE)
		rc = run_for_saga(s, W_SEARCH_DELETE_ALL, saga_id);
	return rc == SQLITE_DONE ? release(s, saga_id, NULL, 0, NULL) : rc;
}

int store_sqlite__retain_locks(struct store_sqlite *s, wall_ms before, int limit)
{
	static const enum store_sqlite_write both[] = {W_LOCK_FLOOR, W_LOCK_KEYS_EXPIRE};
	int rc = SQLITE_DONE;

	for (size_t i = 0; i < ARRAY_SIZE(both) && rc == SQLITE_DONE; i++) {
		sqlite3_bind_int64(s->stmts[both[i]], 1, before);
		sqlite3_bind_int(s->stmts[both[i]], 2, limit);
		rc = store_sqlite__run(s->stmts[both[i]]);
	}
	return rc;
}

/* Who gets a lock. All that follows returns SQLITE_DONE, or SQLite's error. */

struct lock_call {
	char ns[NAMESPACE_MAX_BYTES + 1];
	char key[LOCK_KEY_MAX_BYTES + 1];
};

static int read_calls(struct store_sqlite *s, struct lock_call *calls, int *ret_n)
{
	sqlite3_stmt *stmt = s->stmts[W_LOCK_CALLS];
	int rc, n = 0;

	sqlite3_bind_int(stmt, 1, LOCKS_GRANT_MAX);
	while ((rc = sqlite3_step(stmt)) == SQLITE_ROW) {
		STORE_SQLITE_COPY(stmt, 0, calls[n].ns);
		STORE_SQLITE_COPY(stmt, 1, calls[n].key);
		n++;
	}
	sqlite3_reset(stmt);
	*ret_n = n;
	return rc;
}

/* The ticket that is first in line for a key that nobody holds; "": none. */
static int read_head(struct store_sqlite *s, const struct lock_call *call, char ticket[UUID_SIZE])
{
	sqlite3_stmt *stmt = s->stmts[W_LOCK_HEAD];
	int rc;

	ticket[0] = '\0';
	store_sqlite__bind_text(stmt, 1, call->ns);
	store_sqlite__bind_text(stmt, 2, call->key);
	rc = sqlite3_step(stmt);
	if (rc == SQLITE_ROW) {
		store_sqlite__copy(stmt, 0, ticket, UUID_SIZE);
		rc = SQLITE_DONE;
	}
	sqlite3_reset(stmt);
	return rc;
}

/* Whether another holds one of its keys, or is before it in the line for one. */
static int is_blocked(struct store_sqlite *s, const char *ticket, bool *ret_blocked)
{
	sqlite3_stmt *stmt = s->stmts[W_LOCK_BLOCKED];
	int rc;

	store_sqlite__bind_text(stmt, 1, ticket);
	rc = sqlite3_step(stmt);
	sqlite3_reset(stmt);
	*ret_blocked = rc == SQLITE_ROW;
	return rc == SQLITE_ROW ? SQLITE_DONE : rc;
}

static int next_token(struct store_sqlite *s, const char *ns, const char *ticket,
					  int64_t *ret_token)
{
	sqlite3_stmt *stmt = s->stmts[W_LOCK_TOKEN];
	int rc;

	store_sqlite__bind_text(stmt, 1, ticket);
	store_sqlite__bind_text(stmt, 2, ns);
	rc = sqlite3_step(stmt);
	if (rc == SQLITE_ROW) {
		*ret_token = sqlite3_column_int64(stmt, 0);
		rc = SQLITE_DONE;
	}
	sqlite3_reset(stmt);
	return rc;
}

static int tell(struct store_sqlite *s, const char *ticket, wall_ms now, bool *touched)
{
	sqlite3_stmt *stmt = s->stmts[W_LOCK_TELL];
	int rc, slot;

	store_sqlite__bind_text(stmt, 1, ticket);
	sqlite3_bind_int64(stmt, 2, now);
	while ((rc = sqlite3_step(stmt)) == SQLITE_ROW) {
		slot = sqlite3_column_int(stmt, 0);
		if (slot >= 0 && slot < s->slot_count)
			touched[slot] = true;
	}
	sqlite3_reset(stmt);
	return rc;
}

static int grant(struct store_sqlite *s, const char *ns, const char *ticket, wall_ms now,
				 bool *touched)
{
	static const enum store_sqlite_write both[] = {W_LOCK_GRANT, W_LOCK_KEYS};
	int64_t token = 0;
	int rc = next_token(s, ns, ticket, &token);

	for (size_t i = 0; i < ARRAY_SIZE(both) && rc == SQLITE_DONE; i++) {
		sqlite3_stmt *stmt = s->stmts[both[i]];

		store_sqlite__bind_text(stmt, 1, ticket);
		sqlite3_bind_int64(stmt, 2, token);
		sqlite3_bind_int64(stmt, 3, now);
		rc = store_sqlite__run(stmt);
	}
	return rc == SQLITE_DONE ? tell(s, ticket, now, touched) : rc;
}

static int answer_call(struct store_sqlite *s, const struct lock_call *call, wall_ms now,
					   bool *touched)
{
	sqlite3_stmt *stmt = s->stmts[W_LOCK_CALLED];
	char ticket[UUID_SIZE];
	bool blocked = true;
	int rc = read_head(s, call, ticket);

	if (rc == SQLITE_DONE && ticket[0])
		rc = is_blocked(s, ticket, &blocked);
	if (rc == SQLITE_DONE && !blocked)
		rc = grant(s, call->ns, ticket, now, touched);
	if (rc != SQLITE_DONE)
		return rc;
	store_sqlite__bind_text(stmt, 1, call->ns);
	store_sqlite__bind_text(stmt, 2, call->key);
	return store_sqlite__run(stmt);
}

/* Ends the transaction with what its statements gave: SQLITE_DONE, or an error, which undoes it. */
static int finish(struct store_sqlite *s, int rc, const char *what, struct err *err)
{
	int r;

	if (rc == SQLITE_DONE)
		return store_sqlite__end(s, err);
	r = store_sqlite__error(s->db, rc, what, err);
	store_sqlite__rollback(s);
	return r;
}

int store_sqlite__locks_grant(struct store *store, wall_ms now, bool *touched, struct err *err)
{
	struct store_sqlite *s = store_sqlite__from(store);
	STORE_SQLITE_GUARD(s);
	CLEANUP(free_p) struct lock_call *calls = NULL;
	int r = store_sqlite__begin(s, err), rc, n = 0;

	if (r < 0)
		return r;
	calls = xcalloc(LOCKS_GRANT_MAX, sizeof(*calls));
	rc = read_calls(s, calls, &n);
	for (int i = 0; i < n && rc == SQLITE_DONE; i++)
		rc = answer_call(s, &calls[i], now, touched);
	r = finish(s, rc, "cannot grant locks", err);
	return r < 0 ? r : n == LOCKS_GRANT_MAX;
}

static void bind_queue(sqlite3_stmt *stmt, const void *from)
{
	const struct queue_row *row = from;

	store_sqlite__bind_text(stmt, 1, row->ns);
	store_sqlite__bind_text(stmt, 2, row->name);
	store_sqlite__bind_text(stmt, 3, row->settings);
	store_sqlite__bind_text(stmt, 4, row->by);
	sqlite3_bind_int64(stmt, 5, row->updated_at);
	sqlite3_bind_int64(stmt, 6, row->revision + 1);
}

int store_sqlite__queue_put(struct store *store, struct queue_row *row, struct err *err)
{
	static const struct store_sqlite_revised table = {W_QUEUE_FIND, W_QUEUE_PUT, bind_queue,
													  "queue"};
	struct store_sqlite *s = store_sqlite__from(store);
	STORE_SQLITE_GUARD(s);
	int r = store_check_queue(row, err);

	return r == 0 ? store_sqlite__put_revised(s, &table, row, row->name, &row->revision, err) : r;
}

int store_sqlite__task_note(struct store *store, const struct task_row *row, struct err *err)
{
	struct store_sqlite *s = store_sqlite__from(store);
	STORE_SQLITE_GUARD(s);
	sqlite3_stmt *stmt = s->stmts[W_TASK_NOTE];
	int r = store_check_task_note(row, err);

	if (r == 0)
		r = store_sqlite__begin(s, err);
	if (r < 0)
		return r;
	store_sqlite__bind_text(stmt, 1, row->saga_id);
	store_sqlite__bind_text(stmt, 2, row->step);
	sqlite3_bind_int(stmt, 3, row->item);
	store_sqlite__bind_text(stmt, 4, store_side_text(row->side));
	sqlite3_bind_int(stmt, 5, row->slot);
	sqlite3_bind_int64(stmt, 6, row->attempt);
	store_sqlite__bind_bytes(stmt, 7, row->doc, row->doc_len);
	return finish(s, store_sqlite__run(stmt), "cannot write what a worker says", err);
}

/* Histories. */

/* The next saga after the cursor whose fold begins later than its history; *ret_base 0: none. */
static int next_based(struct store_sqlite *s, int64_t *ret_base)
{
	sqlite3_stmt *stmt = s->stmts[W_TRIM_FIND];
	int rc;

	*ret_base = 0;
	store_sqlite__bind_text(stmt, 1, s->trim_ns);
	store_sqlite__bind_text(stmt, 2, s->trim_id);
	rc = sqlite3_step(stmt);
	if (rc == SQLITE_ROW) {
		*ret_base = sqlite3_column_int64(stmt, 2);
		STORE_SQLITE_COPY(stmt, 0, s->trim_ns);
		STORE_SQLITE_COPY(stmt, 1, s->trim_id);
		rc = SQLITE_DONE;
	}
	sqlite3_reset(stmt);
	return rc;
}

/* Most have nothing old enough: the first row tells. */
static int is_oldest_over(struct store_sqlite *s, wall_ms before, bool *ret_over)
{
	sqlite3_stmt *stmt = s->stmts[W_TRIM_OLDEST];
	int rc;

	store_sqlite__bind_text(stmt, 1, s->trim_id);
	rc = sqlite3_step(stmt);
	*ret_over = rc == SQLITE_ROW && sqlite3_column_int64(stmt, 0) < before;
	sqlite3_reset(stmt);
	return rc == SQLITE_ROW ? SQLITE_DONE : rc;
}

static int trim(struct store_sqlite *s, int64_t base, wall_ms before, int limit, int *n)
{
	sqlite3_stmt *stmt = s->stmts[W_TRIM];
	int rc;

	store_sqlite__bind_text(stmt, 1, s->trim_id);
	sqlite3_bind_int64(stmt, 2, base);
	sqlite3_bind_int64(stmt, 3, before);
	sqlite3_bind_int(stmt, 4, limit);
	rc = store_sqlite__run(stmt);
	*n += sqlite3_changes(s->db);
	return rc;
}

int store_sqlite__history_trim(struct store *store, wall_ms before, int limit, int *ret_n,
							   struct err *err)
{
	struct store_sqlite *s = store_sqlite__from(store);
	STORE_SQLITE_GUARD(s);
	int r = store_check_limit(limit, err), rc = SQLITE_DONE, n = 0, looks = TRIM_LOOKS;
	char from_ns[sizeof(s->trim_ns)], from_id[sizeof(s->trim_id)];
	int64_t base = 1;

	if (r == 0)
		r = store_sqlite__begin(s, err);
	if (r < 0)
		return r;
	while (rc == SQLITE_DONE && base > 0 && looks-- > 0 && n < limit) {
		bool over = false;

		memcpy(from_ns, s->trim_ns, sizeof(from_ns));
		memcpy(from_id, s->trim_id, sizeof(from_id));
		rc = next_based(s, &base);
		if (rc == SQLITE_DONE && base > 0)
			rc = is_oldest_over(s, before, &over);
		if (rc == SQLITE_DONE && over)
			rc = trim(s, base, before, limit - n, &n);
	}
	if (n == limit) { /* of the last saga there may be more */
		memcpy(s->trim_ns, from_ns, sizeof(from_ns));
		memcpy(s->trim_id, from_id, sizeof(from_id));
	}
	r = finish(s, rc, "cannot remove what no fold needs", err);
	if (r < 0 || base == 0) { /* again from the first one: what failed, or all has been looked at */
		s->trim_ns[0] = '\0';
		s->trim_id[0] = '\0';
	}
	if (r == 0)
		*ret_n = n;
	return r < 0 ? r : base > 0;
}
