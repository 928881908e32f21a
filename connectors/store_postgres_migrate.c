/*
 * The schema: which version a database has, and how it comes up to date. Migrations are the files
 * schemas/postgres/NNNN_….sql, compiled in; each runs once, in a transaction that also notes its
 * number. An advisory lock lets one node at a time do so; the others wait, and then find it done.
 *
 * An empty database gets its schema when a server starts on it; what is older is left to `skald
 * migrate up`, because nodes of the version before may still run on it.
 *
 * A migration that only expands says so in a line `-- works with: N`: programs that know schema N
 * or newer may go on with it, and start on it. Without that line only programs that know the
 * migration itself may start. So a release expands, and a later one contracts.
 */
#include <stdlib.h>

#include "connectors/store_postgres.h"
#include "connectors/store_postgres_priv.h"
#include "sagas/base/macros.h"
#include "schemas/embedded.h"

/* "Skald", as a number: of the advisory lock. */
#define MIGRATION_LOCK "358485159012"

enum { DEFAULT_SLOTS = 256 };

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

/* The oldest schema whose programs can work with what the migration leaves behind. */
static int64_t works_with(const struct embedded_file *file, int64_t number)
{
	static const char mark[] = "\n-- works with: ";
	const char *line = strstr(file->data, mark);

	return line ? strtol(line + sizeof(mark) - 1, NULL, 10) : number;
}

/* What runs, to the letter: the same for `plan` and for `up`. The caller's. */
static char *migration_text(const struct embedded_file *file, int slot_count)
{
	int64_t number = migration_number(file);
	int slots = slot_count > 0 ? slot_count : DEFAULT_SLOTS;
	CLEANUP(free_p)
	char *first =
		xasprintf("INSERT INTO meta (name, value) VALUES ('slot_count', '%d');\n"
				  "INSERT INTO slots (slot, token, epoch)"
				  " SELECT s, gen_random_uuid(), 0 FROM generate_series(0, %d) AS g (s);\n",
				  slots, slots - 1);

	return xasprintf("BEGIN;\n%s\n"
					 "INSERT INTO meta (name, value) VALUES ('schema_version', '%lld'),"
					 " ('schema_works_with', '%lld')"
					 " ON CONFLICT (name) DO UPDATE SET value = excluded.value;\n%sCOMMIT;\n",
					 file->data, (long long)number, (long long)works_with(file, number),
					 number == 1 ? first : "");
}

static int run_migration(struct pg_conn *conn, const struct embedded_file *file, int slot_count,
						 struct err *err)
{
	CLEANUP(free_p) char *what = xasprintf("migration %s failed", file->path);
	CLEANUP(free_p) char *text = migration_text(file, slot_count);
	int r = run_text(conn, text, what, err);

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
			r = run_migration(conn, &embedded_files[i], slot_count, err);
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

/* Whether a program of this version may work with a schema that is newer than it. */
static int check_newer(const struct store_postgres_schema *schema, struct err *err)
{
	if (schema->version <= schema->newest || schema->works_with <= schema->newest)
		return 0;
	return err_set(err, ERR_INVALID,
				   "the database was written by a newer Skald (schema %lld, this one knows %lld); "
				   "start that version, or name another database",
				   (long long)schema->version, (long long)schema->newest);
}

static int read_schema(struct pg_conn *conn, struct store_postgres_schema *ret_schema,
					   struct err *err)
{
	CLEANUP(PQclear_p) PGresult *value = NULL;
	struct store_postgres_schema schema = {.newest = newest_number()};
	int r = read_version(conn, &schema.version, err);

	schema.works_with = schema.version;
	if (r == 0 && schema.version > schema.newest)
		r = pg__ask_sql(conn, "SELECT value FROM meta WHERE name = 'schema_works_with'", NULL,
						&value, err);
	if (r < 0)
		return r;
	if (value && PQntuples(value) == 1)
		schema.works_with = pg__int(value, 0, 0);
	*ret_schema = schema;
	return 0;
}

/* Another node may be in the middle of it: an empty database gets several migrations, one by one.
 */
static int await_migration(struct pg_conn *conn, struct store_postgres_schema *schema,
						   struct err *err)
{
	int r = run_text(conn,
					 "SET statement_timeout = 0; SELECT pg_advisory_lock(" MIGRATION_LOCK ");"
					 "SELECT pg_advisory_unlock(" MIGRATION_LOCK ")",
					 "cannot lock the schema", err);

	pg__disconnect(conn); /* with the settings */
	return r < 0 ? r : read_schema(conn, schema, err);
}

int pg__open_schema(struct store_postgres *s, int slot_count, struct err *err)
{
	CLEANUP(PQclear_p) PGresult *value = NULL;
	struct store_postgres_schema schema;
	int64_t slots;
	int r = read_schema(&s->member, &schema, err);

	if (r == 0 && schema.version == 0) {
		r = migrate(&s->member, slot_count, err);
		if (r == 0)
			r = read_schema(&s->member, &schema, err);
	}
	if (r == 0 && schema.version < schema.newest)
		r = await_migration(&s->member, &schema, err);
	if (r == 0)
		r = check_newer(&schema, err);
	if (r < 0)
		return r;
	if (schema.version < schema.newest)
		return err_set(err, ERR_INVALID,
					   "the database has schema %lld, this Skald needs %lld; run `skald migrate "
					   "plan` and `skald migrate up`",
					   (long long)schema.version, (long long)schema.newest);
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

	return read_schema(&s->member, ret_schema, err);
}

int store_postgres_migrate_plan(const char *url, int slot_count,
								int (*step)(void *ctx, const char *path, const char *sql),
								void *ctx, struct err *err)
{
	struct store_postgres_schema schema;
	int r = store_postgres_migrate_status(url, &schema, err);

	if (r == 0)
		r = check_newer(&schema, err);
	for (size_t i = 0; r == 0 && i < embedded_file_count; i++) {
		CLEANUP(free_p) char *text = NULL;

		if (migration_number(&embedded_files[i]) <= schema.version)
			continue;
		text = migration_text(&embedded_files[i], slot_count);
		r = step(ctx, embedded_files[i].path, text);
	}
	return r;
}

int store_postgres_migrate_up(const char *url, int slot_count,
							  struct store_postgres_schema *ret_schema, struct err *err)
{
	CLEANUP(bare_free_p) struct store_postgres *s = bare(url);
	int r = migrate(&s->member, slot_count, err);

	if (r == 0)
		r = read_schema(&s->member, ret_schema, err);
	if (r == 0)
		r = check_newer(ret_schema, err);
	return r;
}
