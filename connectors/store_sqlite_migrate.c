/*
 * The schema: which file is ours, and how it comes up to date. Migrations are the files
 * schemas/sqlite/NNNN_….sql, compiled in; each runs once, in a transaction that also notes its
 * number, so a crash between two of them is no harm.
 */
#include <stdlib.h>

#include "connectors/store_sqlite_priv.h"
#include "sagas/base/macros.h"
#include "schemas/embedded.h"

static int select_int(sqlite3 *db, const char *sql, int64_t *ret_value, struct err *err)
{
	sqlite3_stmt *stmt = NULL;
	int rc = sqlite3_prepare_v2(db, sql, -1, &stmt, NULL), r = 0;

	if (rc == SQLITE_OK)
		rc = sqlite3_step(stmt);
	if (rc == SQLITE_ROW)
		*ret_value = sqlite3_column_int64(stmt, 0);
	else
		r = rc == SQLITE_DONE ? err_set(err, ERR_NOT_FOUND, "no such row")
							  : store_sqlite__error(db, rc, "cannot read the store", err);
	sqlite3_finalize(stmt);
	return r;
}

/* *ret_version: 0 for a new file. */
static int identify(struct store_sqlite *s, int64_t *ret_version, struct err *err)
{
	int64_t application = 0, objects = 0;
	int r = select_int(s->db, "PRAGMA application_id", &application, err);

	if (r == 0)
		r = select_int(s->db, "SELECT count(*) FROM sqlite_schema", &objects, err);
	if (r == ERR_INVALID)
		return err_set(err, ERR_INVALID,
					   "%s is not a database of Skald's, or it is damaged; move it away or name "
					   "another file",
					   s->path);
	if (r < 0)
		return r;
	if (application == 0 && objects == 0) {
		*ret_version = 0;
		return 0;
	}
	if (application != STORE_SQLITE_APPLICATION_ID)
		return err_set(err, ERR_INVALID,
					   "%s is a SQLite database, but not one of Skald's; name another file",
					   s->path);
	r = select_int(s->db, "SELECT value FROM meta WHERE name = 'schema_version'", ret_version, err);
	if (r < 0)
		err_prefix(err, "%s", s->path);
	return r;
}

/* The number of a migration, or 0 when the file is none. */
static int64_t migration_number(const struct embedded_file *file)
{
	static const char folder[] = "schemas/sqlite/";

	if (strncmp(file->path, folder, sizeof(folder) - 1) != 0)
		return 0;
	return strtol(file->path + sizeof(folder) - 1, NULL, 10);
}

static int run_migration(struct store_sqlite *s, const struct embedded_file *file, int64_t number,
						 int slot_count, struct err *err)
{
	CLEANUP(free_p) char *what = xasprintf("%s: migration %s failed", s->path, file->path);
	CLEANUP(free_p)
	char *note = xasprintf("INSERT INTO meta (name, value) VALUES ('schema_version', %lld)"
						   " ON CONFLICT DO UPDATE SET value = excluded.value",
						   (long long)number);
	CLEANUP(free_p)
	char *first = xasprintf("PRAGMA application_id = %d;"
							"INSERT INTO meta (name, value) VALUES ('slot_count', %d),"
							" ('settled', 0)",
							STORE_SQLITE_APPLICATION_ID, slot_count);
	int r = store_sqlite__exec(s->db, "BEGIN IMMEDIATE", what, err);

	if (r < 0)
		return r;
	r = store_sqlite__exec(s->db, file->data, what, err);
	if (r == 0)
		r = store_sqlite__exec(s->db, note, what, err);
	if (r == 0 && number == 1)
		r = store_sqlite__exec(s->db, first, what, err);
	if (r == 0)
		r = store_sqlite__exec(s->db, "COMMIT", what, err);
	if (r < 0 && !sqlite3_get_autocommit(s->db))
		sqlite3_exec(s->db, "ROLLBACK", NULL, NULL, NULL);
	return r;
}

int store_sqlite__migrate(struct store_sqlite *s, int slot_count, struct err *err)
{
	int64_t version = 0, newest = 0, slots = 0;
	int r = identify(s, &version, err);

	if (r < 0)
		return r;
	for (size_t i = 0; i < embedded_file_count; i++)
		if (migration_number(&embedded_files[i]) > newest)
			newest = migration_number(&embedded_files[i]);
	if (version > newest)
		return err_set(err, ERR_INVALID,
					   "%s was written by a newer Skald (schema %lld, this one knows %lld); start "
					   "that version, or name another file",
					   s->path, (long long)version, (long long)newest);
	r = store_sqlite__exec(s->db,
						   s->no_sync ? "PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF"
									  : "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL",
						   s->path, err);
	if (r < 0)
		return r;
	for (size_t i = 0; i < embedded_file_count; i++) {
		int64_t number = migration_number(&embedded_files[i]);

		if (number <= version)
			continue;
		r = run_migration(s, &embedded_files[i], number, slot_count, err);
		if (r < 0)
			return r;
	}
	r = select_int(s->db, "SELECT value FROM meta WHERE name = 'slot_count'", &slots, err);
	if (r < 0)
		return r;
	if (slots < 1 || slots > SLOTS_MAX)
		return err_set(err, ERR_INVALID, "%s is damaged: it says that it has %lld slots", s->path,
					   (long long)slots);
	s->slot_count = (int)slots;
	return 0;
}
