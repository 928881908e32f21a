/*
 * The schema: which version a database has, and how it comes up to date. Migrations are the files
 * schemas/postgres/NNNN_….sql, compiled in; each runs once, in a transaction that also notes its
 * number. An advisory lock lets one node at a time do so; the others wait, and then find it done.
 *
 * A server starts on its own schema only. An empty database gets one; what is older is left to
 * `skald migrate up`, because nodes of the version before may still run on it.
 */
#include <stdlib.h>

#include "connectors/store_postgres.h"
#include "connectors/store_postgres_priv.h"
#include "sagas/base/macros.h"
#include "schemas/embedded.h"

/* "Skald", as a number: of the advisory lock. */
#define MIGRATION_LOCK "358485159012"

static const char folder[] = "schemas/postgres/";

/* The number of a migration, or 0 when the file is none. */
static int64_t migration_number(const struct embedded_file *file)
{
	if (strncmp(file->path, folder, sizeof(folder) - 1) != 0)
		return 0;
	return strtol(file->path + sizeof(folder) - 1, NULL, 10);
}

static int64_t newest_number(void)
{
	int64_t newest = 0;

	for (size_t i = 0; i < embedded_file_count; i++)
		if (migration_number(&embedded_files[i]) > newest)
			newest = migration_number(&embedded_files[i]);
	return newest;
}

/* *ret_version: 0 when there is nothing of ours. */
static int read_version(struct pg_conn *conn, int64_t *ret_version, struct err *err)
{
	CLEANUP(PQclear_p) PGresult *there = NULL, *value = NULL;
	int r = pg__ask_sql(conn, "SELECT to_regclass('meta') IS NOT NULL", NULL, &there, err);

	if (r < 0)
		return r;
	*ret_version = 0;
	if (strcmp(PQgetvalue(there, 0, 0), "t") != 0)
		return 0;
	r = pg__ask_sql(conn, "SELECT value FROM meta WHERE name = 'schema_version'", NULL, &value,
					err);
	if (r < 0)
		return r;
	if (PQntuples(value) != 1)
		return err_set(err, ERR_INVALID,
					   "the database has a table meta, but it is not one of Skald's; name another "
					   "database, or another schema (options=-csearch_path%%3D…)");
	*ret_version = pg__int(value, 0, 0);
	return 0;
}

static int run_text(struct pg_conn *conn, const char *sql, const char *what, struct err *err)
{
	struct pg_failure failure;

	if (pg__run_sql(conn, sql, NULL, NULL, &failure) == 0)
		return 0;
	return pg__fail(&failure, what, err);
}

static int run_migration(struct pg_conn *conn, const struct embedded_file *file, int64_t number,
						 int slot_count, struct err *err)
{
	CLEANUP(free_p) char *what = xasprintf("migration %s failed", file->path);
	CLEANUP(free_p)
	char *note = xasprintf("INSERT INTO meta (name, value) VALUES ('schema_version', '%lld')"
						   " ON CONFLICT (name) DO UPDATE SET value = excluded.value",
						   (long long)number);
	CLEANUP(free_p)
	char *first = xasprintf("INSERT INTO meta (name, value) VALUES ('slot_count', '%d');"
							"INSERT INTO slots (slot, token, epoch)"
							" SELECT s, gen_random_uuid(), 0 FROM generate_series(0, %d) AS g (s)",
							slot_count, slot_count - 1);
	int r = run_text(conn, "BEGIN", what, err);

	if (r == 0)
		r = run_text(conn, file->data, what, err);
	if (r == 0)
		r = run_text(conn, note, what, err);
	if (r == 0 && number == 1)
		r = run_text(conn, first, what, err);
	if (r == 0)
		r = run_text(conn, "COMMIT", what, err);
	if (r < 0)
		pg__disconnect(conn); /* which rolls back, and gives the lock up */
	return r;
}

/* With the lock held: runs what is missing. */
static int migrate_locked(struct pg_conn *conn, int slot_count, struct err *err)
{
	int64_t version = 0;
	int r = read_version(conn, &version, err);

	for (size_t i = 0; r == 0 && i < embedded_file_count; i++) {
		int64_t number = migration_number(&embedded_files[i]);

		if (number > version)
			r = run_migration(conn, &embedded_files[i], number, slot_count, err);
	}
	return r;
}

static int migrate(struct pg_conn *conn, int slot_count, struct err *err)
{
	int r = pg__connect(conn, err);

	if (r < 0)
		return r;
	/* A migration, and waiting for another node's, may take its time. */
	r = run_text(conn,
				 "SET statement_timeout = 0; SET client_min_messages = warning;"
				 "SELECT pg_advisory_lock(" MIGRATION_LOCK ")",
				 "cannot lock the schema", err);
	if (r == 0)
		r = migrate_locked(conn, slot_count, err);
	pg__disconnect(conn); /* with the lock and the settings */
	return r;
}

static int too_new(int64_t version, int64_t newest, struct err *err)
{
	return err_set(err, ERR_INVALID,
				   "the database was written by a newer Skald (schema %lld, this one knows %lld); "
				   "start that version, or name another database",
				   (long long)version, (long long)newest);
}

int pg__open_schema(struct store_postgres *s, int slot_count, struct err *err)
{
	CLEANUP(PQclear_p) PGresult *value = NULL;
	int64_t newest = newest_number(), version = 0, slots;
	int r = read_version(&s->member, &version, err);

	if (r == 0 && version == 0) {
		r = migrate(&s->member, slot_count, err);
		if (r == 0)
			r = read_version(&s->member, &version, err);
	}
	if (r < 0)
		return r;
	if (version > newest)
		return too_new(version, newest, err);
	if (version < newest)
		return err_set(err, ERR_INVALID,
					   "the database has schema %lld, this Skald needs %lld; run `skald migrate "
					   "plan` and `skald migrate up`",
					   (long long)version, (long long)newest);
	r = pg__ask_sql(&s->member, "SELECT value FROM meta WHERE name = 'slot_count'", NULL, &value,
					err);
	if (r < 0)
		return r;
	slots = PQntuples(value) == 1 ? pg__int(value, 0, 0) : 0;
	if (slots < 1 || slots > SLOTS_MAX)
		return err_set(err, ERR_INVALID, "the database is damaged: it says that it has %lld slots",
					   (long long)slots);
	s->slot_count = (int)slots;
	return 0;
}

/* A store that is nothing but a connection, for the functions below. */
static struct store_postgres *bare(const char *url)
{
	struct store_postgres *s = xcalloc(1, sizeof(*s));

	pthread_mutex_init(&s->mutex, NULL);
	s->url = xstrdup(url);
	pg__new_identity(s);
	pg__conn_init(&s->member, s, PG_MEMBER);
	return s;
}

static void bare_free(struct store_postgres *s)
{
	pg__disconnect(&s->member);
	pthread_mutex_destroy(&s->mutex);
	free(s->url);
	free(s);
}
DEFINE_CLEANUP(struct store_postgres *, bare_free)

int store_postgres_migrate_status(const char *url, struct store_postgres_schema *ret_schema,
								  struct err *err)
{
	CLEANUP(bare_free_p) struct store_postgres *s = bare(url);

	ret_schema->newest = newest_number();
	return read_version(&s->member, &ret_schema->version, err);
}

int store_postgres_migrate_plan(const char *url,
								int (*step)(void *ctx, const char *path, const char *sql),
								void *ctx, struct err *err)
{
	struct store_postgres_schema schema;
	int r = store_postgres_migrate_status(url, &schema, err);

	if (r == 0 && schema.version > schema.newest)
		r = too_new(schema.version, schema.newest, err);
	for (size_t i = 0; r == 0 && i < embedded_file_count; i++)
		if (migration_number(&embedded_files[i]) > schema.version)
			r = step(ctx, embedded_files[i].path, embedded_files[i].data);
	return r;
}

int store_postgres_migrate_up(const char *url, int slot_count,
							  struct store_postgres_schema *ret_schema, struct err *err)
{
	CLEANUP(bare_free_p) struct store_postgres *s = bare(url);
	int r = migrate(&s->member, slot_count > 0 ? slot_count : 256, err);

	ret_schema->newest = newest_number();
	if (r == 0)
		r = read_version(&s->member, &ret_schema->version, err);
	if (r == 0 && ret_schema->version > ret_schema->newest)
		r = too_new(ret_schema->version, ret_schema->newest, err);
	return r;
}
