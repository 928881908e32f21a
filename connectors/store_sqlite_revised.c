/*
 * Rows with a revision: what is said of triggers, queues, routes, schedules and groups. Each is
 * written as a whole, by who has read the last one, and refused when somebody else has written it
 * since.
 */
#include <stdio.h>

#include "connectors/store_sqlite_priv.h"

static int put_in_transaction(struct store_sqlite *s, const struct store_sqlite_revised *table,
							  const void *row, const char *name, int64_t read, struct err *err)
{
	sqlite3_stmt *stmt = s->stmts[table->find];
	int64_t revision = 0;
	bool same = false;
	char doing[60];
	int rc;

	table->bind(stmt, row);
	rc = sqlite3_step(stmt);
	if (rc == SQLITE_ROW) {
		revision = sqlite3_column_int64(stmt, 0);
		same = sqlite3_column_int(stmt, 1) != 0;
		rc = SQLITE_DONE;
	}
	sqlite3_reset(stmt);
	if (rc == SQLITE_DONE && revision == read) {
		table->bind(s->stmts[table->put], row);
		rc = store_sqlite__run(s->stmts[table->put]);
	} else if (rc == SQLITE_DONE && !(same && revision == read + 1)) {
		return err_set(err, ERR_CONFLICT, "%s %s was changed by somebody else just now",
					   table->what, name);
	}
	if (rc == SQLITE_DONE)
		return 0;
	snprintf(doing, sizeof(doing), "cannot write what is said of a %s", table->what);
	return store_sqlite__error(s->db, rc, doing, err);
}

int store_sqlite__put_revised(struct store_sqlite *s, const struct store_sqlite_revised *table,
							  const void *row, const char *name, int64_t *revision, struct err *err)
{
	int r = store_sqlite__begin(s, err);

	if (r < 0)
		return r;
	r = put_in_transaction(s, table, row, name, *revision, err);
	if (r < 0) {
		store_sqlite__rollback(s);
		return r;
	}
	r = store_sqlite__end(s, err);
	if (r == 0)
		++*revision;
	return r;
}

int store_sqlite__list_revised(struct store_reader *store_reader, enum store_sqlite_read which,
							   const char *ns, const char *name,
							   int (*row)(sqlite3_stmt *stmt, void *ctx), void *ctx,
							   struct err *err)
{
	STORE_SQLITE_GUARD(store_sqlite__from(store_reader->store));
	struct store_sqlite_reader *reader = store_sqlite__reader(store_reader);
	CLEANUP(store_sqlite__reset_p) sqlite3_stmt *stmt = NULL;
	int r = store_sqlite__get(reader, which, &stmt, err), rc;

	if (r < 0)
		return r;
	store_sqlite__bind_text(stmt, 1, ns);
	if (name)
		store_sqlite__bind_text(stmt, 2, name);
	while ((rc = sqlite3_step(stmt)) == SQLITE_ROW) {
		r = row(stmt, ctx);
		if (r != 0)
			return r;
	}
	return rc == SQLITE_DONE ? 0 : store_sqlite__read_error(reader, rc, err);
}
