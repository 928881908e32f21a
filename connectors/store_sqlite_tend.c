/*
 * What the writer does beside the transitions of sagas: new definitions, and retention.
 */
#include <stdlib.h>

#include "connectors/store_sqlite_priv.h"
#include "sagas/base/macros.h"

static int put_in_transaction(struct store_sqlite *s, struct definition_row *row, struct err *err)
{
	sqlite3_stmt *stmt = s->stmts[W_DEF_FIND];
	int rc;

	store_sqlite__bind_text(stmt, 1, row->ns);
	store_sqlite__bind_text(stmt, 2, row->name);
	store_sqlite__bind_text(stmt, 3, row->hash);
	rc = sqlite3_step(stmt);
	row->existed = rc == SQLITE_ROW;
	if (rc == SQLITE_DONE) {
		sqlite3_reset(stmt);
		stmt = s->stmts[W_DEF_INSERT];
		store_sqlite__bind_text(stmt, 1, row->ns);
		store_sqlite__bind_text(stmt, 2, row->name);
		store_sqlite__bind_text(stmt, 3, row->hash);
		sqlite3_bind_int64(stmt, 4, row->deployed_at);
		store_sqlite__bind_bytes(stmt, 5, row->doc, row->doc_len);
		store_sqlite__bind_bytes(stmt, 6, row->source, row->source_len);
		rc = sqlite3_step(stmt);
	}
	if (rc == SQLITE_ROW) {
		row->version = sqlite3_column_int64(stmt, 0);
		rc = sqlite3_step(stmt); /* to the end, where an insert takes effect */
	}
	sqlite3_reset(stmt);
	return rc == SQLITE_DONE ? 0 : store_sqlite__error(s->db, rc, "cannot write a definition", err);
}

int store_sqlite__definition_put(struct store *store, struct definition_row *row, struct err *err)
{
	struct store_sqlite *s = store_sqlite__from(store);
	STORE_SQLITE_GUARD(s);
	int r = store_sqlite__begin(s, err);

	if (r < 0)
		return r;
	r = put_in_transaction(s, row, err);
	if (r == 0 && !row->existed) {
		int rc = store_sqlite__route_new_version(s, row);

		if (rc != SQLITE_DONE)
			r = store_sqlite__error(s->db, rc, "cannot write a definition", err);
	}
	if (r < 0) {
		store_sqlite__rollback(s);
		return r;
	}
	return store_sqlite__end(s, err);
}

/* A saga that is to go, and the statement row it was read from has gone on. */
struct doomed {
	char id[SAGA_ID_SIZE];
	char *definition, *key;
	int64_t version;
	enum saga_status status;
	char group[ATTENTION_GROUP_SIZE];
};

static int delete_saga(struct store_sqlite *s, const char *ns, const struct doomed *saga)
{
	static const enum store_sqlite_write by_id[] = {W_HISTORY_DELETE, W_COMP_DELETE};
	sqlite3_stmt *stmt;
	int rc = SQLITE_DONE;

	for (size_t i = 0; i < ARRAY_SIZE(by_id) && rc == SQLITE_DONE; i++) {
		stmt = s->stmts[by_id[i]];
		store_sqlite__bind_text(stmt, 1, saga->id);
		rc = store_sqlite__run(stmt);
	}
	if (rc == SQLITE_DONE)
		rc = store_sqlite__delete_messages(s, saga->id);
	if (rc == SQLITE_DONE)
		rc = store_sqlite__delete_long(s, saga->id);
	if (rc == SQLITE_DONE && saga->key) {
		stmt = s->stmts[W_KEY_DELETE];
		store_sqlite__bind_text(stmt, 1, ns);
		store_sqlite__bind_text(stmt, 2, saga->definition);
		store_sqlite__bind_text(stmt, 3, saga->key);
		store_sqlite__bind_text(stmt, 4, saga->id);
		rc = store_sqlite__run(stmt);
	}
	if (rc == SQLITE_DONE) {
		stmt = s->stmts[W_SAGA_DELETE];
		store_sqlite__bind_text(stmt, 1, ns);
		store_sqlite__bind_text(stmt, 2, saga->id);
		rc = store_sqlite__run(stmt);
	}
	if (rc == SQLITE_DONE)
		store_sqlite__tally_gone(&s->tally, ns, saga->definition, saga->version, saga->status,
								 saga->group);
	return rc;
}

/* Goes to the next namespace that has ever had sagas; SQLITE_DONE, with retain_ns NULL at the end.
 */
static int next_namespace(struct store_sqlite *s)
{
	sqlite3_stmt *stmt = s->stmts[W_RETAIN_NAMESPACE];
	const char *ns;
	int rc;

	store_sqlite__bind_text(stmt, 1, s->retain_ns ? s->retain_ns : "");
	rc = sqlite3_step(stmt);
	if (rc == SQLITE_ROW) {
		ns = store_sqlite__text(stmt, 0);
		ns = ns ? xstrdup(ns) : NULL;
		free(s->retain_ns);
		s->retain_ns = (char *)ns;
		s->retain_id[0] = '\0';
		rc = SQLITE_DONE;
	}
	sqlite3_reset(stmt);
	return rc;
}

/* Finds up to max sagas after the cursor, which moves along with what is looked at. */
static int find_doomed(struct store_sqlite *s, wall_ms before, struct doomed *sagas, int max,
					   int *looks, int *ret_n)
{
	static const unsigned char zeros[8] = {0};
	sqlite3_stmt *stmt = s->stmts[W_RETAIN_FIND];
	char end_id[SAGA_ID_SIZE];
	int rc, n = 0, status;

	/* What ended before that time began before it too, and ids begin with the time. */
	saga_id_make(before, 0, zeros, end_id);
	store_sqlite__bind_text(stmt, 1, s->retain_ns);
	store_sqlite__bind_text(stmt, 2, s->retain_id);
	store_sqlite__bind_text(stmt, 3, end_id);
	sqlite3_bind_int64(stmt, 4, before);
	sqlite3_bind_int(stmt, 5, *looks);
	rc = SQLITE_DONE;
	while (n < max && (rc = sqlite3_step(stmt)) == SQLITE_ROW) {
		struct doomed *saga = &sagas[n];
		const char *key = store_sqlite__text(stmt, 2);

		--*looks;
		STORE_SQLITE_COPY(stmt, 0, s->retain_id);
		if (!sqlite3_column_int(stmt, 4))
			continue;
		status = saga_status_parse(store_sqlite__text(stmt, 3));
		if (status < 0)
			continue; /* not a row of ours; nobody is harmed when it stays */
		n++;
		memcpy(saga->id, s->retain_id, sizeof(saga->id));
		saga->definition = xstrdup(store_sqlite__text(stmt, 1));
		saga->key = key ? xstrdup(key) : NULL;
		saga->status = (enum saga_status)status;
		saga->version = sqlite3_column_int64(stmt, 5);
		STORE_SQLITE_COPY(stmt, 6, saga->group);
	}
	sqlite3_reset(stmt);
	*ret_n = n;
	return rc == SQLITE_ROW ? SQLITE_DONE : rc;
}

/* One turn: at most max sagas of one namespace. */
static int retain_some(struct store_sqlite *s, wall_ms before, struct doomed *sagas, int max,
					   int *looks, int *ret_n)
{
	int n = 0;
	int rc = find_doomed(s, before, sagas, max, looks, &n);

	for (int i = 0; i < n && rc == SQLITE_DONE; i++)
		rc = delete_saga(s, s->retain_ns, &sagas[i]);
	for (int i = 0; i < n; i++) {
		free(sagas[i].definition);
		free(sagas[i].key);
	}
	*ret_n = n;
	return rc;
}

static int retain_in_transaction(struct store_sqlite *s, wall_ms before, int limit, int *looks,
								 int *ret_n)
{
	CLEANUP(free_p) struct doomed *sagas = xcalloc((size_t)limit, sizeof(*sagas));
	int rc = s->retain_ns ? SQLITE_DONE : next_namespace(s), some;

	while (rc == SQLITE_DONE && s->retain_ns && *looks > 0 && *ret_n < limit) {
		rc = retain_some(s, before, sagas, limit - *ret_n, looks, &some);
		*ret_n += some;
		if (rc == SQLITE_DONE && *looks > 0 && *ret_n < limit)
			rc = next_namespace(s);
	}
	if (rc == SQLITE_DONE)
		rc = store_sqlite__tally_write(&s->tally, s->stmts);
	if (rc == SQLITE_DONE && !s->retain_ns) /* at the end of a round */
		rc = store_sqlite__run(s->stmts[W_COUNTS_EMPTY]);
	if (rc == SQLITE_DONE)
		rc = store_sqlite__retain_operators(s->stmts, before, limit);
	if (rc == SQLITE_DONE)
		rc = store_sqlite__retain_locks(s, before, limit);
	if (rc == SQLITE_DONE) {
		sqlite3_bind_int64(s->stmts[W_LETTERS_EXPIRE], 1, before);
		sqlite3_bind_int(s->stmts[W_LETTERS_EXPIRE], 2, limit);
		rc = store_sqlite__run(s->stmts[W_LETTERS_EXPIRE]);
	}
	return rc;
}

int store_sqlite__retain(struct store *store, wall_ms before, int limit, int *ret_n,
						 struct err *err)
{
	struct store_sqlite *s = store_sqlite__from(store);
	STORE_SQLITE_GUARD(s);
	int rc, r, n = 0, looks = STORE_RETAIN_LOOKS;

	if (limit < 1 || limit > STORE_SQLITE_MAX_RETAIN)
		return err_set(err, ERR_INVALID, "retention removes 1 to %d sagas at a time",
					   STORE_SQLITE_MAX_RETAIN);
	r = store_sqlite__begin(s, err);
	if (r < 0)
		return r;
	rc = retain_in_transaction(s, before, limit, &looks, &n);
	if (rc == SQLITE_DONE) {
		r = store_sqlite__end(s, err);
	} else {
		r = store_sqlite__error(s->db, rc, "cannot remove old sagas", err);
		store_sqlite__rollback(s);
	}
	if (r < 0) { /* what was passed over is still there */
		free(TAKE(s->retain_ns));
		s->retain_id[0] = '\0';
		return r;
	}
	*ret_n = n;
	return n < limit && looks == 0;
}
