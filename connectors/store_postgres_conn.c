/*
 * Connections: made when needed, named so that every other node can end them, never waited for
 * without an end, and closed at the first sign that they broke.
 *
 * Each connection has a name of its own, skald:<node>:<random>. When one breaks, that name tells
 * whether the server still works on what was sent through it. Process ids would not do: they are
 * used again, and a pooler has its own.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <time.h>

#include "connectors/store_postgres_priv.h"
#include "sagas/base/macros.h"

static const char *const settings[] = {
	/*
	 * One plan, made once, that walks indexes from the batch's rows: what a planner thinks of
	 * tables that were still empty then must not decide it.
	 */
	[PG_WRITER] =
		"SET skald.schema = '4';" /* that it counts by itself: see migration 0004 */
		"SET plan_cache_mode = force_generic_plan; SET enable_seqscan = off;"
		"SET enable_hashjoin = off; SET enable_mergejoin = off; SET enable_bitmapscan = off;"
		"SET jit = off; SET statement_timeout = '20s';"
		"SET default_transaction_isolation = 'read committed';"
		"SELECT set_config('synchronous_commit', 'on', false)"
		" WHERE current_setting('synchronous_commit') = 'off'",
	/* A page of a list walks an index and stops; it never begins with reading or sorting all there
	 * is, whatever the planner knew of a table. */
	[PG_READER] = "SET jit = off; SET statement_timeout = '10s'; SET enable_seqscan = off;"
				  "SET enable_bitmapscan = off; SET enable_sort = off;"
				  "SET max_parallel_workers_per_gather = 0;"
				  "SET default_transaction_read_only = on",
	[PG_MEMBER] = "SET jit = off; SET statement_timeout = '10s';"
				  "SET default_transaction_isolation = 'read committed'",
};

int64_t pg__mono_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static void pause_ms(int64_t ms)
{
	struct timespec ts = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};

	nanosleep(&ts, NULL);
}

void pg__conn_init(struct pg_conn *conn, struct store_postgres *s, enum pg_kind kind)
{
	*conn = (struct pg_conn){.store = s, .kind = kind, .counting_slot = -1};
}

void pg__disconnect(struct pg_conn *conn)
{
	PQfinish(conn->pg);
	conn->pg = NULL;
	conn->prepared[0] = conn->prepared[1] = 0;
	conn->counting_slot = -1;
}

/*
 * WARNINGs matter: a commit that says one may not be on the standby that was promised. What is
 * FATAL comes here when nothing was asked: the connection was ended while it was idle.
 */
static void on_notice(void *ctx, const PGresult *result)
{
	struct pg_conn *conn = ctx;
	const char *severity = PQresultErrorField(result, PG_DIAG_SEVERITY_NONLOCALIZED);

	if (severity && strcmp(severity, "WARNING") == 0)
		conn->warned = true;
	if (severity && strcmp(severity, "FATAL") == 0)
		conn->ended = true;
}

void pg__copy_line(const char *from, char *to, size_t size)
{
	size_t len;

	snprintf(to, size, "%s", from);
	len = strlen(to);
	while (len > 0 && (to[len - 1] == '\n' || to[len - 1] == ' '))
		to[--len] = '\0';
	for (char *c = to; *c; c++)
		if (*c == '\n' || *c == '\t')
			*c = ' ';
}

static int connect_error(PGconn *pg, struct err *err)
{
	char text[400];

	pg__copy_line(PQerrorMessage(pg), text, sizeof(text));
	return err_set(err, ERR_UNAVAILABLE, "cannot connect to Postgres: %s", text);
}

static void name_connection(struct pg_conn *conn)
{
	uint32_t random;

	CHECK(getrandom(&random, sizeof(random), 0) == sizeof(random));
	pthread_mutex_lock(&conn->store->mutex);
	conn->identity = conn->store->identity;
	snprintf(conn->name, sizeof(conn->name), "skald:%s:%08x", conn->store->node_id, random);
	pthread_mutex_unlock(&conn->store->mutex);
}

static bool is_current(struct pg_conn *conn)
{
	bool current;

	if (!conn->pg)
		return false;
	pthread_mutex_lock(&conn->store->mutex);
	current = conn->identity == conn->store->identity;
	pthread_mutex_unlock(&conn->store->mutex);
	return current;
}

int pg__connect(struct pg_conn *conn, struct err *err)
{
	/* What stands before dbname may be overridden by the URL, what stands behind may not. */
	const char *keywords[] = {"connect_timeout",  "keepalives_idle",  "keepalives_interval",
							  "keepalives_count", "tcp_user_timeout", "dbname",
							  "application_name", "client_encoding",  NULL};
	const char *values[] = {"5",        "10",   "5", "3", "20000", conn->store->url,
							conn->name, "UTF8", NULL};
	struct pg_failure failure;
	PGconn *pg;
	int r;

	if (is_current(conn))
		return 0;
	pg__disconnect(conn);
	name_connection(conn);
	pg = PQconnectdbParams(keywords, values, 1);
	if (PQstatus(pg) != CONNECTION_OK) {
		r = connect_error(pg, err);
		PQfinish(pg);
		return r;
	}
	PQsetNoticeReceiver(pg, on_notice, conn);
	PQsetnonblocking(pg, 1);
	conn->pg = pg;
	conn->warned = conn->ended = false;
	if (pg__run_sql(conn, settings[conn->kind], NULL, NULL, &failure) < 0) {
		pg__disconnect(conn);
		return err_set(err, ERR_UNAVAILABLE, "cannot connect to Postgres: %s", failure.text);
	}
	return 0;
}

void pg__notice_hangup(struct pg_conn *conn)
{
	struct pollfd poll_fd;
	bool alive = true;

	if (!conn->pg)
		return;
	poll_fd = (struct pollfd){.fd = PQsocket(conn->pg), .events = POLLIN};
	while (alive && poll(&poll_fd, 1, 0) > 0) {
		alive = PQconsumeInput(conn->pg) && !PQisBusy(conn->pg); /* which parses it */
		alive = alive && !conn->ended && PQstatus(conn->pg) == CONNECTION_OK;
	}
	if (!alive)
		pg__disconnect(conn);
}

static bool wait_for(PGconn *pg, short events, int64_t deadline_ms)
{
	struct pollfd poll_fd = {.fd = PQsocket(pg), .events = events};
	int n;

	do {
		int64_t left = deadline_ms - pg__mono_ms();

		n = left > 0 ? poll(&poll_fd, 1, (int)left) : 0;
	} while (n < 0 && errno == EINTR);
	return n > 0;
}

bool pg__flush(struct pg_conn *conn, int64_t deadline_ms)
{
	int r;

	/* A server that answers while we still send must be read, or both wait for each other. */
	while ((r = PQflush(conn->pg)) == 1)
		if (!wait_for(conn->pg, POLLIN | POLLOUT, deadline_ms) || !PQconsumeInput(conn->pg))
			return false;
	return r == 0;
}

bool pg__next_result(struct pg_conn *conn, int64_t deadline_ms, PGresult **ret_result)
{
	*ret_result = NULL;
	while (PQisBusy(conn->pg))
		if (!wait_for(conn->pg, POLLIN, deadline_ms) || !PQconsumeInput(conn->pg))
			return false;
	*ret_result = PQgetResult(conn->pg);
	return PQstatus(conn->pg) == CONNECTION_OK;
}

static enum pg_fault fault_of(const char *state)
{
	if (strncmp(state, "22", 2) == 0 || strncmp(state, "23", 2) == 0 ||
		strncmp(state, "54", 2) == 0)
		return PG_FAULT_DATA;
	if (strcmp(state, "40001") == 0 || strcmp(state, "40P01") == 0 || strcmp(state, "55P03") == 0)
		return PG_FAULT_AGAIN;
	/* Killed: it may have been in the middle of its commit, or behind it. */
	if (strncmp(state, "57P", 3) == 0 || strncmp(state, "08", 2) == 0)
		return PG_FAULT_LOST;
	if (strncmp(state, "53", 2) == 0 || strncmp(state, "57", 2) == 0 ||
		strncmp(state, "58", 2) == 0 || strncmp(state, "25", 2) == 0)
		return PG_FAULT_SERVER;
	return PG_FAULT_INTERNAL;
}

void pg__judge(const PGresult *result, struct pg_failure *ret_failure)
{
	const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
	const char *text = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);

	*ret_failure = (struct pg_failure){.fault = state ? fault_of(state) : PG_FAULT_LOST};
	if (state) {
		ret_failure->unique = strcmp(state, "23505") == 0;
		ret_failure->timed_out = strcmp(state, "57014") == 0;
		ret_failure->stale = strcmp(state, "25006") == 0 || strcmp(state, "26000") == 0 ||
							 strcmp(state, "0A000") == 0;
	}
	pg__copy_line(text ? text : PQresultErrorMessage(result), ret_failure->text,
				  sizeof(ret_failure->text));
}

static void lost(struct pg_conn *conn, struct pg_failure *failure)
{
	const char *text = conn->pg ? PQerrorMessage(conn->pg) : "";

	*failure = (struct pg_failure){.fault = PG_FAULT_LOST};
	pg__copy_line(*text ? text : "the connection to Postgres broke, or it did not answer in time",
				  failure->text, sizeof(failure->text));
	pg__disconnect(conn);
}

int pg__fail(const struct pg_failure *failure, const char *what, struct err *err)
{
	enum err_code code = ERR_INTERNAL;

	switch (failure->fault) {
	case PG_FAULT_NONE:
	case PG_FAULT_INTERNAL:
		break;
	case PG_FAULT_AGAIN:
	case PG_FAULT_SERVER:
		code = ERR_UNAVAILABLE;
		break;
	case PG_FAULT_DATA:
		code = ERR_INVALID;
		break;
	case PG_FAULT_LOST:
		code = ERR_UNKNOWN;
		break;
	}
	return err_set(err, code, "%s: %s", what, failure->text);
}

/* Reads to the end of what was sent; the last result that is no failure is kept. */
static int collect(struct pg_conn *conn, PGresult **ret_result, struct pg_failure *failure)
{
	int64_t deadline = pg__mono_ms() + PG_ANSWER_MS;
	CLEANUP(PQclear_p) PGresult *kept = NULL;
	PGresult *result;

	*failure = (struct pg_failure){0};
	if (!pg__flush(conn, deadline)) {
		lost(conn, failure);
		return -1;
	}
	for (;;) {
		bool alive = pg__next_result(conn, deadline, &result);

		if (result && PQresultStatus(result) == PGRES_FATAL_ERROR && !failure->fault)
			pg__judge(result, failure);
		if (!alive) {
			PQclear(result);
			lost(conn, failure);
			return -1;
		}
		if (!result)
			break;
		PQclear(kept);
		kept = result;
	}
	if (failure->stale || failure->fault == PG_FAULT_LOST)
		pg__disconnect(conn); /* of another server by now, perhaps */
	if (failure->fault)
		return -1;
	if (ret_result)
		*ret_result = TAKE(kept);
	return 0;
}

int pg__prepare_now(struct pg_conn *conn, enum pg_statement which, struct pg_failure *failure)
{
	uint64_t bit = (uint64_t)1 << (which % 64);
	char name[24];

	if (conn->prepared[which / 64] & bit)
		return 0;
	snprintf(name, sizeof(name), "skald_%d", (int)which);
	if (!PQsendPrepare(conn->pg, name, pg__sql[which], 0, NULL)) {
		lost(conn, failure);
		return -1;
	}
	if (collect(conn, NULL, failure) < 0)
		return -1;
	conn->prepared[which / 64] |= bit;
	return 0;
}

int pg__run(struct pg_conn *conn, enum pg_statement which, const struct pg_args *args,
			PGresult **ret_result, struct pg_failure *failure)
{
	static const struct pg_args none = {0};
	char name[24];

	if (!args)
		args = &none;
	if (pg__prepare_now(conn, which, failure) < 0)
		return -1;
	snprintf(name, sizeof(name), "skald_%d", (int)which);
	if (!PQsendQueryPrepared(conn->pg, name, args->n, args->values, args->lengths, args->formats,
							 0)) {
		lost(conn, failure);
		return -1;
	}
	return collect(conn, ret_result, failure);
}

int pg__run_sql(struct pg_conn *conn, const char *sql, const struct pg_args *args,
				PGresult **ret_result, struct pg_failure *failure)
{
	int sent = args ? PQsendQueryParams(conn->pg, sql, args->n, NULL, args->values, args->lengths,
										args->formats, 0)
					: PQsendQuery(conn->pg, sql);

	if (!sent) {
		lost(conn, failure);
		return -1;
	}
	return collect(conn, ret_result, failure);
}

static int ask(struct pg_conn *conn, enum pg_statement which, const char *sql,
			   const struct pg_args *args, PGresult **ret_result, struct err *err)
{
	struct pg_failure failure;
	int r;

	for (int try = 1;; try++) {
		r = pg__connect(conn, err);
		if (r < 0)
			return r;
		r = sql ? pg__run_sql(conn, sql, args, ret_result, &failure)
				: pg__run(conn, which, args, ret_result, &failure);
		if (r == 0)
			return 0;
		if (try == PG_TRIES ||
			(failure.fault != PG_FAULT_AGAIN && failure.fault != PG_FAULT_LOST && !failure.stale))
			break;
		pause_ms(10 << try);
	}
	if (failure.fault == PG_FAULT_LOST)
		failure.fault = PG_FAULT_SERVER;
	if (failure.timed_out)
		return err_set(err, ERR_LIMIT, "Postgres took too long: %s", failure.text);
	return pg__fail(&failure, "Postgres", err);
}

int pg__ask(struct pg_conn *conn, enum pg_statement which, const struct pg_args *args,
			PGresult **ret_result, struct err *err)
{
	return ask(conn, which, NULL, args, ret_result, err);
}

int pg__ask_sql(struct pg_conn *conn, const char *sql, const struct pg_args *args,
				PGresult **ret_result, struct err *err)
{
	return ask(conn, PG_STATEMENT_COUNT, sql, args, ret_result, err);
}
