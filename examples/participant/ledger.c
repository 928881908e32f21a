/*
 * The rules by which a repeated, late or crossed request has its effect once:
 *
 *  1. Key and effect are written in one transaction. A key that is known gets its stored answer;
 * the same key with another request is refused.
 *  2. An answer that says no for good (4xx) is stored too, so that asking again does not change it.
 *  3. An undo of a thing that was never made succeeds, and leaves a mark: the request that it
 * undoes may still be on its way, delayed in a network or a queue. When it arrives it finds the
 * mark and has no effect. (Others call these the empty compensation and the suspended request.)
 *  4. Whatever fails before the transaction has ended leaves no trace, so that it can be sent
 * again.
 *
 *     a thing:  (nothing) --DO--> made --UNDO--> undone <--UNDO-- (nothing)
 */
#include "examples/participant/ledger.h"

#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { LIST_MAX = 100000 };

struct ledger {
	sqlite3 *db;
	pthread_mutex_t mutex;
};

static const char schema[] =
	"PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
	"CREATE TABLE IF NOT EXISTS calls ("
	"  key TEXT PRIMARY KEY, operation TEXT NOT NULL, id TEXT NOT NULL, request TEXT NOT NULL,"
	"  status INTEGER NOT NULL, reply TEXT NOT NULL,"
	"  count INTEGER NOT NULL,"    /* how often it took effect: 0 or 1, and never more */
	"  requests INTEGER NOT NULL," /* how often it was asked for */
	"  at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ')));"
	"CREATE TABLE IF NOT EXISTS things ("
	"  kind TEXT NOT NULL, id TEXT NOT NULL, state TEXT NOT NULL CHECK (state IN ('made', "
	"'undone')),"
	"  data TEXT NOT NULL, PRIMARY KEY (kind, id)) WITHOUT ROWID;";

/* The statement with its text parameters bound; NULL: the database failed. */
static sqlite3_stmt *query(struct ledger *ledger, const char *sql, const char *const *params)
{
	sqlite3_stmt *stmt = NULL;
	int i;

	if (sqlite3_prepare_v2(ledger->db, sql, -1, &stmt, NULL) != SQLITE_OK)
		return NULL;
	for (i = 0; params && params[i]; i++)
		sqlite3_bind_text(stmt, i + 1, params[i], -1, SQLITE_TRANSIENT);
	return stmt;
}

#define PARAMS(...) ((const char *const[]){__VA_ARGS__, NULL})

static bool execute(struct ledger *ledger, const char *sql, const char *const *params)
{
	sqlite3_stmt *stmt = query(ledger, sql, params);
	bool ok = stmt && sqlite3_step(stmt) == SQLITE_DONE;

	sqlite3_finalize(stmt);
	return ok;
}

static const char *column(sqlite3_stmt *stmt, int i)
{
	const char *text = (const char *)sqlite3_column_text(stmt, i);

	return text ? text : "";
}

enum found { FOUND_NOTHING, FOUND, FOUND_ERROR };

/* Rule 1: a known key is answered from what is stored. */
static enum found find_key(struct ledger *ledger, struct call *call)
{
	sqlite3_stmt *stmt =
		query(ledger, "SELECT request, status, reply FROM calls WHERE key = ?1", PARAMS(call->key));
	int r = stmt ? sqlite3_step(stmt) : SQLITE_ERROR;

	if (r == SQLITE_ROW) {
		if (strcmp(column(stmt, 0), call->request) != 0) {
			call_refuse(call, 422, "idempotency_key_reused", NULL);
		} else {
			call->status = sqlite3_column_int(stmt, 1);
			call->reply = json_loads(column(stmt, 2), JSON_DECODE_ANY, NULL);
			call->replayed = true;
		}
	}
	sqlite3_finalize(stmt);
	if (r == SQLITE_ROW &&
		!execute(ledger, "UPDATE calls SET requests = requests + 1 WHERE key = ?1",
				 PARAMS(call->key)))
		return FOUND_ERROR;
	return r == SQLITE_ROW ? FOUND : r == SQLITE_DONE ? FOUND_NOTHING : FOUND_ERROR;
}

static enum found find_thing(struct ledger *ledger, struct call *call, bool *ret_undone)
{
	sqlite3_stmt *stmt = query(ledger, "SELECT state, data FROM things WHERE kind = ?1 AND id = ?2",
							   PARAMS(call->operation->kind, call->id));
	int r = stmt ? sqlite3_step(stmt) : SQLITE_ERROR;

	*ret_undone = false;
	if (r == SQLITE_ROW) {
		*ret_undone = strcmp(column(stmt, 0), "undone") == 0;
		call->thing = json_loads(column(stmt, 1), JSON_DECODE_ANY, NULL);
	}
	sqlite3_finalize(stmt);
	return r == SQLITE_ROW ? FOUND : r == SQLITE_DONE ? FOUND_NOTHING : FOUND_ERROR;
}

static void run(struct call *call)
{
	if (call->operation->run)
		call->operation->run(call);
	if (call->status == 0)
		call->status = 200;
	if (!call->reply)
		call->reply = json_pack("{s:s}", "id", call->id);
}

/* Does the work as far as the thing allows it. Returns whether it took effect. */
static bool work(struct call *call, enum found found, bool undone, const char *refuse_code)
{
	if (refuse_code) {
		call_refuse(call, 422, refuse_code, NULL);
		return false;
	}
	switch (call->operation->role) {
	case ROLE_DO:
		if (undone) { /* Rule 3, the late request. */
			call_refuse(call, 422, "already_undone", NULL);
			return false;
		}
		if (found == FOUND) { /* made under another key: it is there, and that is all */
			call->status = 200;
			call->reply = json_incref(call->thing);
			return false;
		}
		break;
	case ROLE_UNDO:
		if (found == FOUND_NOTHING || undone) { /* Rule 3, nothing to undo. */
			call->status = 200;
			call->reply = json_pack("{s:s, s:b}", "id", call->id, "nothing_to_undo", 1);
			return false;
		}
		break;
	case ROLE_READ:
		if (found == FOUND_NOTHING || undone) {
			call_refuse(call, 404, "not_found", NULL);
			return false;
		}
		break;
	}
	run(call);
	return call->status >= 200 && call->status < 300;
}

static bool store_thing(struct ledger *ledger, const struct call *call, const char *state,
						json_t *data)
{
	char *text = json_dumps(data, JSON_COMPACT | JSON_ENCODE_ANY);
	bool ok = text && execute(ledger,
							  "INSERT INTO things (kind, id, state, data) VALUES (?1, ?2, ?3, ?4)"
							  " ON CONFLICT DO UPDATE SET state = ?3, data = ?4",
							  PARAMS(call->operation->kind, call->id, state, text));

	free(text);
	return ok;
}

static bool store_key(struct ledger *ledger, const struct call *call, bool took_effect)
{
	char *reply = json_dumps(call->reply, JSON_COMPACT | JSON_ENCODE_ANY), status[16];
	bool ok;

	snprintf(status, sizeof(status), "%d", call->status);
	ok = reply && execute(ledger,
						  "INSERT INTO calls (key, operation, id, request, status, reply, count,"
						  " requests) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 1)",
						  PARAMS(call->key, call->operation->name, call->id, call->request, status,
								 reply, took_effect ? "1" : "0"));
	free(reply);
	return ok;
}

/* Everything between BEGIN and COMMIT. */
static bool transact(struct ledger *ledger, struct call *call, const char *refuse_code)
{
	enum found found = find_key(ledger, call);
	bool undone, took_effect, ok = true;

	if (found != FOUND_NOTHING)
		return found == FOUND;
	found = find_thing(ledger, call, &undone);
	if (found == FOUND_ERROR)
		return false;
	took_effect = work(call, found, undone, refuse_code);
	switch (call->operation->role) {
	case ROLE_DO:
		if (took_effect)
			ok = store_thing(ledger, call, "made", call->reply);
		break;
	case ROLE_UNDO:
		/* Also when there was nothing: this is the mark of rule 3. */
		if (call->status < 300)
			ok = store_thing(ledger, call, "undone", call->thing ? call->thing : json_null());
		break;
	case ROLE_READ:
		break;
	}
	return ok && store_key(ledger, call, took_effect);
}

static void reset_answer(struct call *call)
{
	json_decref(call->reply);
	call->reply = NULL;
	call->status = 0;
	call->replayed = call->lose_reply = false;
}

void ledger_call(struct ledger *ledger, struct call *call, const char *refuse_code)
{
	bool ok, undone;

	pthread_mutex_lock(&ledger->mutex);
	if (call->operation->role == ROLE_READ) {
		enum found found = find_thing(ledger, call, &undone);

		ok = found != FOUND_ERROR;
		if (found == FOUND && !undone && !call->operation->run)
			call->reply = json_incref(call->thing);
		if (ok)
			(void)work(call, found, undone, refuse_code);
	} else {
		ok = execute(ledger, "BEGIN IMMEDIATE", NULL) && transact(ledger, call, refuse_code) &&
			 execute(ledger, "COMMIT", NULL);
		if (!ok)
			(void)execute(ledger, "ROLLBACK", NULL);
	}
	if (!ok) {
		fprintf(stderr, "ledger: %s\n", sqlite3_errmsg(ledger->db));
		reset_answer(call);
		call_refuse(call, 500, "ledger_failed", NULL); /* Rule 4: send it again. */
	}
	pthread_mutex_unlock(&ledger->mutex);
}

json_t *ledger_list(struct ledger *ledger)
{
	json_t *list = json_array();
	sqlite3_stmt *stmt;

	pthread_mutex_lock(&ledger->mutex);
	stmt = query(ledger,
				 "SELECT key, operation, id, at, count, requests, status FROM calls"
				 " ORDER BY rowid LIMIT ?1",
				 NULL);
	sqlite3_bind_int(stmt, 1, LIST_MAX);
	while (stmt && sqlite3_step(stmt) == SQLITE_ROW)
		json_array_append_new(
			list, json_pack("{s:s, s:s, s:s, s:s, s:i, s:i, s:i}", "key", column(stmt, 0),
							"operation", column(stmt, 1), "id", column(stmt, 2), "at",
							column(stmt, 3), "count", sqlite3_column_int(stmt, 4), "requests",
							sqlite3_column_int(stmt, 5), "status", sqlite3_column_int(stmt, 6)));
	sqlite3_finalize(stmt);
	pthread_mutex_unlock(&ledger->mutex);
	return json_pack("{s:o}", "calls", list);
}

struct ledger *ledger_open(const char *dir)
{
	struct ledger *ledger = calloc(1, sizeof(*ledger));
	char path[4096];

	if (!ledger)
		abort();
	pthread_mutex_init(&ledger->mutex, NULL);
	mkdir(dir, 0700); /* when it is there already, opening says whether it will do */
	snprintf(path, sizeof(path), "%s/ledger.db", dir);
	if (sqlite3_open(path, &ledger->db) != SQLITE_OK ||
		sqlite3_busy_timeout(ledger->db, 5000) != SQLITE_OK ||
		sqlite3_exec(ledger->db, schema, NULL, NULL, NULL) != SQLITE_OK) {
		fprintf(stderr, "%s: %s\n", path, sqlite3_errmsg(ledger->db));
		ledger_close(ledger);
		return NULL;
	}
	return ledger;
}

void ledger_close(struct ledger *ledger)
{
	if (!ledger)
		return;
	sqlite3_close(ledger->db);
	pthread_mutex_destroy(&ledger->mutex);
	free(ledger);
}
