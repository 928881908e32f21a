/*
 * The pointers in Redis against a real server of the test's own: killed, frozen, flushed, demoted,
 * and filled with lies. What waits here waits for something to have happened, not for time to pass.
 */
#include <check.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "connectors/idempotency_redis.h"
#include "connectors/store_sqlite.h"
#include "tests/support/redis_server.h"
#include "tests/support/store_rows.h"
#include "tests/support/temp_dir.h"

enum { PATIENCE_MS = 20000 };

static struct redis_server server;
static struct idempotency *port;
static const char *dir;

static _Atomic int n_opened, n_closed;
static char why_opened[480];

static void note_change(void *ctx, enum idempotency_circuit circuit, const char *why)
{
	(void)ctx;
	if (circuit == CIRCUIT_OPEN) {
		snprintf(why_opened, sizeof(why_opened), "%s", why);
		n_opened++;
	} else {
		n_closed++;
	}
}

/* Impatient with the circuit, patient with answers unless a test says otherwise. */
static struct idempotency_redis_options options(const char *url)
{
	return (struct idempotency_redis_options){
		.url = url,
		.timeout_ms = 5000,
		.open_min_ms = 1,
		.open_max_ms = 20,
		.changed = note_change,
	};
}

static struct idempotency_stats stats(void)
{
	struct idempotency_stats now;

	port->ops->stats(port, &now);
	return now;
}

static void pause_a_little(void)
{
	const struct timespec pause = {.tv_nsec = 1000000};

	nanosleep(&pause, NULL);
}

#define UNTIL(cond)                                                                                \
	do {                                                                                           \
		int tries_ = 0;                                                                            \
		while (!(cond)) {                                                                          \
			ck_assert_msg(tries_++ < PATIENCE_MS, "never: %s", #cond);                             \
			pause_a_little();                                                                      \
		}                                                                                          \
	} while (0)

static void open_port(const struct idempotency_redis_options *with)
{
	struct err err;

	ck_assert_msg(idempotency_redis_open(with, &port, &err) == 0, "%s", err.text);
}

static void open_closed(const struct idempotency_redis_options *with)
{
	open_port(with);
	UNTIL(stats().circuit == CIRCUIT_CLOSED);
}

static void setup(void)
{
	struct idempotency_redis_options with;

	dir = temp_dir_make();
	server = (struct redis_server){.dir = dir};
	redis_server_start(&server);
	with = options(server.url);
	open_closed(&with);
}

static void teardown(void)
{
	if (port)
		port->ops->close(port);
	port = NULL;
	redis_server_kill(&server);
	temp_dir_remove();
}

static void reopen(const struct idempotency_redis_options *with)
{
	port->ops->close(port);
	open_closed(with);
}

static int find(const char *key, char id[SAGA_ID_SIZE])
{
	char fingerprint[SHA256_HEX_SIZE];
	struct err err;

	return port->ops->find(port, "default", "order", key, id, fingerprint, &err);
}

static void remember(const char *key, int n)
{
	struct err err;

	ck_assert_int_eq(
		port->ops->remember(port, "default", "order", key, rows_id(n), rows_fingerprint(n), &err),
		0);
}

/* Remembers, and waits until it was written. */
static void write_pointer(const char *key, int n)
{
	int64_t before = stats().writes;

	remember(key, n);
	UNTIL(stats().writes > before);
}

static void check_found(const char *key, int n)
{
	char id[SAGA_ID_SIZE];

	ck_assert_int_eq(find(key, id), 0);
	ck_assert_str_eq(id, rows_id(n));
}

/* The one key that the server holds. */
static void only_key(char key[256])
{
	ck_assert_str_eq(redis_server_run(&server, "DBSIZE"), "1");
	snprintf(key, 256, "%s", redis_server_run(&server, "KEYS *"));
}

/* ---- the contract of the port, for both of its adapters ---- */

static void contract(struct idempotency *gate, void (*put)(void *ctx, int n), void *ctx)
{
	char id[SAGA_ID_SIZE], fingerprint[SHA256_HEX_SIZE];
	struct err err;

	ck_assert_int_eq(gate->ops->find(gate, "default", "order", rows_key(1), id, fingerprint, &err),
					 ERR_NOT_FOUND);
	for (int n = 1; n <= 3; n++)
		put(ctx, n);
	for (int n = 1; n <= 3; n++) {
		ck_assert_int_eq(
			gate->ops->find(gate, "default", "order", rows_key(n), id, fingerprint, &err), 0);
		ck_assert_str_eq(id, rows_id(n));
		ck_assert_str_eq(fingerprint, rows_fingerprint(n));
	}
	/* The three parts of an identity count, each for itself. */
	ck_assert_int_eq(gate->ops->find(gate, "other", "order", rows_key(1), id, fingerprint, &err),
					 ERR_NOT_FOUND);
	ck_assert_int_eq(gate->ops->find(gate, "default", "orders", rows_key(1), id, fingerprint, &err),
					 ERR_NOT_FOUND);
	ck_assert_int_eq(gate->ops->find(gate, "default", "orde", "rorder-1", id, fingerprint, &err),
					 ERR_NOT_FOUND);
	ck_assert_int_eq(gate->ops->find(gate, "defaultorder", "order-1", "", id, fingerprint, &err),
					 ERR_NOT_FOUND);
	ck_assert_int_eq(gate->ops->find(gate, "default", "order", "ORDER-1", id, fingerprint, &err),
					 ERR_NOT_FOUND);
}

static void put_pointer(void *ctx, int n)
{
	(void)ctx;
	write_pointer(rows_key(n), n);
}

static void put_row(void *ctx, int n)
{
	ck_assert_int_eq(rows_put_create(ctx, n), STORE_ACCEPTED);
}

START_TEST(test_redis__keeps_the_contract)
{
	contract(port, put_pointer, NULL);
}
END_TEST

START_TEST(test_store__keeps_the_same_contract)
{
	char path[256];
	struct store_sqlite_options with = {.path = path};
	struct store_reader *reader;
	struct store *store;
	struct idempotency *gate;
	struct err err;

	snprintf(path, sizeof(path), "%s/skald.db", dir);
	ck_assert_int_eq(store_sqlite_open(&with, &store, &err), 0);
	ck_assert_int_eq(store->ops->reader_open(store, &reader, &err), 0);
	gate = idempotency_store_new(reader);
	contract(gate, put_row, store);
	gate->ops->close(gate);
	store->ops->reader_close(reader);
	store->ops->close(store);
}
END_TEST

START_TEST(test_none__finds_nothing)
{
	struct idempotency *none = idempotency_none_new();
	char id[SAGA_ID_SIZE], fingerprint[SHA256_HEX_SIZE];
	struct err err;

	ck_assert_int_eq(
		none->ops->remember(none, "default", "order", "a", rows_id(1), rows_fingerprint(1), &err),
		0);
	ck_assert_int_eq(none->ops->find(none, "default", "order", "a", id, fingerprint, &err),
					 ERR_NOT_FOUND);
	none->ops->close(none);
}
END_TEST

/* ---- what is in Redis ---- */

START_TEST(test_pointer__expires_and_tells_nothing_of_the_key)
{
	struct idempotency_lookup lookup = {
		.ns = "default", .definition = "order", .key = "anna@example.org"};
	struct idempotency_redis_options with = options(server.url);
	char key[256], command[300];
	struct err err;

	with.ttl_ms = 3600 * 1000;
	with.prefix = "shop:idem:";
	reopen(&with);
	write_pointer("anna@example.org", 1);
	only_key(key);
	ck_assert_int_eq(strlen(key), strlen("shop:idem:") + 64);
	ck_assert(strncmp(key, "shop:idem:", 10) == 0 && !strstr(key, "anna"));
	snprintf(command, sizeof(command), "GET %s", key);
	ck_assert(strstr(redis_server_run(&server, command), rows_id(1)));
	ck_assert_int_eq(port->ops->peek(port, &lookup, &err), 0);
	ck_assert_int_gt(lookup.expires_in_ms, 0);
	ck_assert_int_le(lookup.expires_in_ms, with.ttl_ms);
	ck_assert_str_eq(lookup.id, rows_id(1));
	/* A lookup does not prolong it. */
	snprintf(command, sizeof(command), "PEXPIRE %s 1000000", key);
	redis_server_run(&server, command);
	check_found("anna@example.org", 1);
	ck_assert_int_eq(port->ops->peek(port, &lookup, &err), 0);
	ck_assert_int_le(lookup.expires_in_ms, 1000000);
	/* Another write does, and wins. */
	write_pointer("anna@example.org", 2);
	ck_assert_int_eq(port->ops->peek(port, &lookup, &err), 0);
	ck_assert_int_gt(lookup.expires_in_ms, 1000000);
	ck_assert_str_eq(lookup.id, rows_id(2));
}
END_TEST

START_TEST(test_forget__removes_the_pointer_alone)
{
	struct err err;
	char id[SAGA_ID_SIZE];

	write_pointer("a", 1);
	write_pointer("b", 2);
	ck_assert_int_eq(port->ops->forget(port, "default", "order", "a", &err), 0);
	ck_assert_int_eq(port->ops->forget(port, "default", "order", "a", &err), ERR_NOT_FOUND);
	ck_assert_int_eq(find("a", id), ERR_NOT_FOUND);
	check_found("b", 2);
}
END_TEST

START_TEST(test_flush__is_a_miss)
{
	char id[SAGA_ID_SIZE];

	write_pointer("a", 1);
	redis_server_run(&server, "FLUSHALL");
	ck_assert_int_eq(find("a", id), ERR_NOT_FOUND);
	ck_assert_int_eq(stats().errors, 0);
	ck_assert_int_eq(stats().misses, 1);
	write_pointer("a", 1);
	check_found("a", 1);
}
END_TEST

START_TEST(test_lies__are_misses_and_no_failures)
{
	static const char fingerprint[] =
		"00000000000000000000000000000000000000000000000000000000000000ff";
	char key[256], id[SAGA_ID_SIZE], huge[200000], command[300];
	char lies[12][160];
	size_t n = 0;

	write_pointer("a", 1);
	only_key(key);
	snprintf(lies[n++], sizeof(lies[0]), "garbage");
	snprintf(lies[n++], sizeof(lies[0]), "1");
	snprintf(lies[n++], sizeof(lies[0]), "2 %s %s", rows_id(1), fingerprint);
	snprintf(lies[n++], sizeof(lies[0]), "1 %s %s ", rows_id(1), fingerprint);
	snprintf(lies[n++], sizeof(lies[0]), "1 %s %.63s", rows_id(1), fingerprint);
	snprintf(lies[n++], sizeof(lies[0]), "1 %s %.63sG", rows_id(1), fingerprint);
	snprintf(lies[n++], sizeof(lies[0]), "1 %s %.63sF", rows_id(1), fingerprint);
	snprintf(lies[n++], sizeof(lies[0]), "1_%s %s", rows_id(1), fingerprint);
	snprintf(lies[n++], sizeof(lies[0]), "1 %.35sx %s", rows_id(1), fingerprint);
	snprintf(lies[n++], sizeof(lies[0]), "1 %36s %s", "", fingerprint);
	for (size_t i = 0; i < n; i++) {
		redis_server_set(&server, key, lies[i], strlen(lies[i]));
		ck_assert_msg(find("a", id) == ERR_NOT_FOUND, "believed: %s", lies[i]);
		ck_assert_int_eq(stats().malformed, i + 1);
	}
	memset(huge, 'x', sizeof(huge));
	redis_server_set(&server, key, huge, sizeof(huge));
	ck_assert_int_eq(find("a", id), ERR_NOT_FOUND);
	redis_server_set(&server, key, "\0\0\0", 3);
	ck_assert_int_eq(find("a", id), ERR_NOT_FOUND);
	snprintf(command, sizeof(command), "DEL %s", key);
	redis_server_run(&server, command);
	snprintf(command, sizeof(command), "RPUSH %s x", key);
	redis_server_run(&server, command);
	for (int i = 0; i < 5; i++)
		ck_assert_int_eq(find("a", id), ERR_NOT_FOUND);
	ck_assert_int_eq(stats().malformed, n + 7);
	ck_assert_int_eq(stats().circuit, CIRCUIT_CLOSED);
	ck_assert_int_eq(stats().connects, 1);
	/* A pointer in the right form is handed on, whatever it says: the caller reads the saga. */
	snprintf(lies[0], sizeof(lies[0]), "1 %s %s", rows_id(7), fingerprint);
	redis_server_set(&server, key, lies[0], strlen(lies[0]));
	check_found("a", 7);
}
END_TEST

/* ---- Redis is away, slow, or says no ---- */

START_TEST(test_stop__opens_the_circuit_and_a_start_closes_it)
{
	char id[SAGA_ID_SIZE];
	int64_t written;

	write_pointer("a", 1);
	redis_server_kill(&server);
	UNTIL(n_opened == 1);
	ck_assert_int_eq(find("a", id), ERR_UNAVAILABLE);
	UNTIL(!port->ops->may_ask(port));
	ck_assert_int_gt(stats().refused, 0);
	/* What is remembered meanwhile is written later. */
	written = stats().writes;
	remember("b", 2);
	redis_server_start(&server);
	UNTIL(stats().circuit == CIRCUIT_CLOSED && stats().writes > written);
	ck_assert_int_eq(n_closed, 1);
	ck_assert_int_eq(find("a", id), ERR_NOT_FOUND); /* it kept nothing */
	check_found("b", 2);
}
END_TEST

START_TEST(test_absence__is_no_error_at_the_start)
{
	struct idempotency_redis_options with = options("redis://127.0.0.1:1");
	char id[SAGA_ID_SIZE];
	struct err err;

	port->ops->close(port);
	open_port(&with);
	UNTIL(n_opened == 1);
	ck_assert_int_eq(find("a", id), ERR_UNAVAILABLE);
	ck_assert_int_eq(port->ops->forget(port, "default", "order", "a", &err), ERR_UNAVAILABLE);
	ck_assert_int_eq(stats().hits + stats().misses + stats().errors, 0);
	ck_assert(strstr(why_opened, "refused"));
}
END_TEST

START_TEST(test_writes__are_bounded_while_nobody_takes_them)
{
	enum { MORE = 100 };
	char key[32], id[SAGA_ID_SIZE];

	redis_server_kill(&server);
	UNTIL(n_opened == 1);
	for (int i = 0; i < REDIS_WRITES_MAX + MORE; i++) {
		snprintf(key, sizeof(key), "k%d", i);
		remember(key, 1 + i % 100);
	}
	ck_assert_int_eq(stats().dropped, MORE);
	redis_server_start(&server);
	UNTIL(stats().writes == REDIS_WRITES_MAX);
	/* The oldest were dropped. */
	UNTIL(stats().circuit == CIRCUIT_CLOSED);
	snprintf(key, sizeof(key), "k%d", MORE - 1);
	ck_assert_int_eq(find(key, id), ERR_NOT_FOUND);
	snprintf(key, sizeof(key), "k%d", MORE);
	check_found(key, 1 + MORE % 100);
}
END_TEST

/* Slow: it takes the question, and the answer does not come in time. */
static void slow(void (*begin)(void), void (*end)(void))
{
	struct idempotency_redis_options with = options(server.url);
	char id[SAGA_ID_SIZE];
	int timed_out = 0;

	with.timeout_ms = 200;
	reopen(&with);
	write_pointer("a", 1);
	check_found("a", 1);
	n_opened = n_closed = 0;
	begin();
	/* Each may cost its time-out, until the circuit opens; then they cost nothing. */
	while (n_opened == 0) {
		int r = find("a", id);

		timed_out += r == ERR_TIMEOUT;
		if (r == 0)
			begin();
	}
	ck_assert_int_ge(timed_out, 1);
	ck_assert_int_le(timed_out, 3);
	ck_assert_int_eq(find("a", id), ERR_UNAVAILABLE);
	end();
	UNTIL(stats().circuit == CIRCUIT_CLOSED && n_closed == 1);
	UNTIL(find("a", id) == 0);
	ck_assert_str_eq(id, rows_id(1));
}

/* It ends by itself: while it lasts, nobody can end it. */
static void client_pause(void)
{
	redis_server_run(&server, "CLIENT PAUSE 2500 ALL");
}

static void nothing(void)
{
}

static void freeze(void)
{
	redis_server_freeze(&server);
}

static void thaw(void)
{
	redis_server_thaw(&server);
}

START_TEST(test_client_pause__opens_the_circuit)
{
	slow(client_pause, nothing);
}
END_TEST

START_TEST(test_frozen__opens_the_circuit)
{
	slow(freeze, thaw);
}
END_TEST

START_TEST(test_read_only__answers_lookups_and_loses_writes)
{
	int64_t refused;

	write_pointer("a", 1);
	redis_server_run(&server, "REPLICAOF 127.0.0.1 1");
	refused = stats().write_errors;
	remember("b", 2);
	UNTIL(stats().write_errors > refused);
	/* It has looked for a master once, and found the same server. */
	UNTIL(stats().connects == 2 && stats().circuit == CIRCUIT_CLOSED);
	check_found("a", 1);
	refused = stats().write_errors;
	remember("b", 2);
	UNTIL(stats().write_errors > refused);
	ck_assert_int_eq(stats().connects, 2); /* and not again so soon */
	ck_assert_int_eq(n_opened, 0);
	redis_server_run(&server, "REPLICAOF NO ONE");
	write_pointer("b", 2);
	check_found("b", 2);
}
END_TEST

START_TEST(test_errors__open_the_circuit)
{
	char id[SAGA_ID_SIZE];

	write_pointer("a", 1);
	redis_server_run(&server, "ACL SETUSER default -getrange");
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(find("a", id), ERR_UNAVAILABLE);
	UNTIL(n_opened == 1);
	redis_server_run(&server, "ACL SETUSER default +@all");
	UNTIL(stats().circuit == CIRCUIT_CLOSED);
	check_found("a", 1);
}
END_TEST

START_TEST(test_killed_connection__is_made_again)
{
	write_pointer("a", 1);
	redis_server_run(&server, "CLIENT KILL TYPE normal");
	UNTIL(stats().connects >= 2 && stats().circuit == CIRCUIT_CLOSED);
	check_found("a", 1);
	ck_assert_int_eq(n_opened, 0);
}
END_TEST

/* ---- many at a time ---- */

struct many {
	struct idempotency_lookup lookup;
	char key[32];
};

static _Atomic int n_done, n_good;

static void note_done(struct idempotency_lookup *lookup)
{
	n_good += lookup->result == 0;
	n_done++;
}

static struct many *ask_many(int n)
{
	struct many *many = xcalloc(n, sizeof(*many));

	n_done = n_good = 0;
	for (int i = 0; i < n; i++) {
		snprintf(many[i].key, sizeof(many[i].key), "k%d", i);
		many[i].lookup = (struct idempotency_lookup){
			.ns = "default", .definition = "order", .key = many[i].key, .done = note_done};
		port->ops->ask(port, &many[i].lookup);
	}
	return many;
}

static long reads_processed(void)
{
	const char *info = redis_server_run(&server, "INFO stats");
	const char *line = strstr(info, "total_reads_processed:");

	ck_assert(line);
	return strtol(line + strlen("total_reads_processed:"), NULL, 10);
}

START_TEST(test_lookups__share_round_trips)
{
	enum { N = 1000 };
	struct many *many;
	char key[32];
	long reads;

	for (int i = 0; i < N; i++) {
		snprintf(key, sizeof(key), "k%d", i);
		remember(key, 1 + i);
	}
	UNTIL(stats().writes == N);
	reads = reads_processed();
	/* While it is frozen they gather; what it then reads at a time is many. */
	freeze();
	many = ask_many(N);
	thaw();
	UNTIL(n_done == N);
	ck_assert_int_eq(n_good, N);
	for (int i = 0; i < N; i++)
		ck_assert_str_eq(many[i].lookup.id, rows_id(1 + i));
	ck_assert_int_lt(reads_processed() - reads, N / 4);
	ck_assert_int_eq(stats().connects, 1);
	free(many);
}
END_TEST

START_TEST(test_lookups__past_the_limit_are_refused)
{
	/* SENT_MAX are out, REDIS_LOOKUPS_MAX wait. */
	enum { N = REDIS_LOOKUPS_MAX + 1024 + 500 };
	struct many *many;

	freeze();
	many = ask_many(N);
	ck_assert_int_ge(stats().refused, 500);
	thaw();
	UNTIL(n_done == N);
	free(many);
}
END_TEST

START_TEST(test_close__answers_who_waits)
{
	enum { N = 100 };
	struct many *many;

	freeze();
	many = ask_many(N);
	port->ops->close(port);
	port = NULL;
	ck_assert_int_eq(n_done, N);
	ck_assert_int_eq(n_good, 0);
	for (int i = 0; i < N; i++)
		ck_assert_int_eq(many[i].lookup.result, ERR_UNAVAILABLE);
	thaw();
	free(many);
}
END_TEST

static void *hammer(void *arg)
{
	int *wrong = arg;
	char key[32], id[SAGA_ID_SIZE];

	for (int i = 0; i < 2000; i++) {
		int n = 1 + i % 50;

		snprintf(key, sizeof(key), "h%d", n);
		remember(key, n);
		if (find(key, id) == 0)
			*wrong += strcmp(id, rows_id(n)) != 0;
	}
	return NULL;
}

START_TEST(test_threads__find_only_what_was_remembered_while_redis_comes_and_goes)
{
	pthread_t threads[3];
	int wrong[3] = {0};

	/* Made before there are threads. */
	for (int n = 1; n <= 50; n++)
		CHECK(rows_id(n)[0] && rows_fingerprint(n)[0]);
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, hammer, &wrong[i]), 0);
	for (int round = 0; round < 3; round++) {
		redis_server_kill(&server);
		UNTIL(stats().circuit != CIRCUIT_CLOSED);
		redis_server_start(&server);
		UNTIL(stats().circuit == CIRCUIT_CLOSED);
		redis_server_run(&server, "FLUSHALL");
		redis_server_run(&server, "CLIENT KILL TYPE normal");
	}
	for (int i = 0; i < 3; i++) {
		pthread_join(threads[i], NULL);
		ck_assert_int_eq(wrong[i], 0);
	}
}
END_TEST

/* ---- addresses ---- */

START_TEST(test_login__by_password_user_and_database)
{
	struct idempotency_redis_options with;
	char url[128];

	redis_server_run(&server, "ACL SETUSER skald on >p%40ss ~skald:* +@all");
	redis_server_run(&server, "ACL SETUSER skald on >s/e@c ~skald:* +@all");
	snprintf(url, sizeof(url), "redis://skald:s%%2Fe%%40c@127.0.0.1:%d/3", server.port);
	with = options(url);
	reopen(&with);
	write_pointer("a", 1);
	check_found("a", 1);
	ck_assert_str_eq(redis_server_run(&server, "DBSIZE"), "0");
	redis_server_run(&server, "SWAPDB 0 3");
	ck_assert_str_eq(redis_server_run(&server, "DBSIZE"), "1");

	redis_server_run(&server, "CONFIG SET requirepass hunter2");
	snprintf(url, sizeof(url), "redis://:hunter2@127.0.0.1:%d", server.port);
	with = options(url);
	reopen(&with);
	check_found("a", 1);

	n_opened = 0;
	snprintf(url, sizeof(url), "redis://:hunter3@127.0.0.1:%d", server.port);
	with = options(url);
	port->ops->close(port);
	open_port(&with);
	UNTIL(n_opened == 1);
	ck_assert(strstr(why_opened, "logging in") && !strstr(why_opened, "hunter"));
}
END_TEST

static void monitor(struct redis_server *sentinel, int master_port)
{
	char command[128];

	redis_server_run(sentinel, "SENTINEL REMOVE shop");
	snprintf(command, sizeof(command), "SENTINEL MONITOR shop 127.0.0.1 %d 1", master_port);
	ck_assert_str_eq(redis_server_run(sentinel, command), "OK");
}

START_TEST(test_sentinel__names_the_master_each_time)
{
	struct redis_server sentinel = {.dir = dir, .sentinel = true}, other = {.dir = dir};
	struct idempotency_redis_options with;
	char url[160];

	redis_server_start(&sentinel);
	redis_server_start(&other);
	monitor(&sentinel, server.port);
	/* The first of the sentinels is not there. */
	snprintf(url, sizeof(url), "redis+sentinel://127.0.0.1:1,127.0.0.1:%d/shop/0", sentinel.port);
	with = options(url);
	reopen(&with);
	write_pointer("a", 1);
	ck_assert_str_eq(redis_server_run(&server, "DBSIZE"), "1");
	/* A fail-over: another server is the master now, and the old one is gone. */
	monitor(&sentinel, other.port);
	redis_server_kill(&server);
	write_pointer("b", 2);
	ck_assert_str_eq(redis_server_run(&other, "DBSIZE"), "1");
	UNTIL(stats().circuit == CIRCUIT_CLOSED);
	check_found("b", 2);
	/* Or it was demoted while we were connected: the next write finds out. */
	redis_server_start(&server);
	monitor(&sentinel, server.port);
	redis_server_run(&other, "REPLICAOF 127.0.0.1 1");
	remember("c", 3);
	UNTIL(stats().write_errors > 0);
	UNTIL(stats().circuit == CIRCUIT_CLOSED);
	write_pointer("c", 3);
	ck_assert_str_eq(redis_server_run(&server, "DBSIZE"), "1");
	/* A server that is no master is not used, whatever the sentinels say. */
	n_opened = 0;
	monitor(&sentinel, other.port);
	redis_server_kill(&server);
	UNTIL(n_opened == 1);
	ck_assert(strstr(why_opened, "no master"));
	redis_server_kill(&sentinel);
	redis_server_kill(&other);
}
END_TEST

START_TEST(test_url__is_checked)
{
	static const struct {
		const char *url, *says; /* NULL: it is good */
	} cases[] = {
		{"redis://localhost", NULL},
		{"redis://localhost/", NULL},
		{"redis://[::1]:7000/12", NULL},
		{"redis://user:p%40ss@redis.internal:6380/1", NULL},
		{"redis://:@localhost", NULL},
		{"unix:///run/redis.sock", NULL},
		{"unix:///run/redis.sock?db=4", NULL},
		{"redis+sentinel://a,b:26380,[::1]/mymaster", NULL},
		{"redis+sentinel://:pw@a/mymaster/3", NULL},
		{"rediss://localhost", "needs TLS"},
		{"rediss+sentinel://localhost/m", "needs TLS"},
		{"localhost:6379", "begins with"},
		{"http://localhost", "begins with"},
		{"redis://", "no name"},
		{"redis://:6379", "no name"},
		{"redis://a:", "port"},
		{"redis://a:0", "port"},
		{"redis://a:65536", "port"},
		{"redis://a:6379x", "port"},
		{"redis://[::1", "]"},
		{"redis://[::1]x", "port"},
		{"redis://a,b", "several hosts"},
		{"redis://a/x", "database"},
		{"redis://a/-1", "database"},
		{"redis://a?db=1", "%3F"},
		{"redis://secret@a", "before the @"},
		{"redis://u:se@cret@a", "%40"},
		{"redis://u:se/cret@a", "%2F"},
		{"redis://u:se%zzcret@a", "broken"},
		{"redis://u:se%00cret@a", "broken"},
		{"redis+sentinel://a,b", "mymaster"},
		{"redis+sentinel://a,,b/m", "no name"},
		{"unix://run/redis.sock", "begins with /"},
		{"unix:///run/redis.sock?x=4", "?db=n"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const char *url = cases[i].url;
		struct err err = {0};
		int r = idempotency_redis_check_url(url, &err);

		if (!cases[i].says) {
			ck_assert_msg(r == 0, "%s: %s", url, err.text);
			continue;
		}
		ck_assert_msg(r == ERR_INVALID, "%s is taken", url);
		ck_assert_msg(strstr(err.text, cases[i].says), "%s: %s", url, err.text);
		ck_assert_msg(!strstr(err.text, "cret"), "%s: %s", url, err.text);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("idempotency_redis");
	TCase *tcase = tcase_create("idempotency_redis"), *pure = tcase_create("url");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, test_redis__keeps_the_contract);
	tcase_add_test(tcase, test_store__keeps_the_same_contract);
	tcase_add_test(tcase, test_pointer__expires_and_tells_nothing_of_the_key);
	tcase_add_test(tcase, test_forget__removes_the_pointer_alone);
	tcase_add_test(tcase, test_flush__is_a_miss);
	tcase_add_test(tcase, test_lies__are_misses_and_no_failures);
	tcase_add_test(tcase, test_stop__opens_the_circuit_and_a_start_closes_it);
	tcase_add_test(tcase, test_absence__is_no_error_at_the_start);
	tcase_add_test(tcase, test_writes__are_bounded_while_nobody_takes_them);
	tcase_add_test(tcase, test_client_pause__opens_the_circuit);
	tcase_add_test(tcase, test_frozen__opens_the_circuit);
	tcase_add_test(tcase, test_read_only__answers_lookups_and_loses_writes);
	tcase_add_test(tcase, test_errors__open_the_circuit);
	tcase_add_test(tcase, test_killed_connection__is_made_again);
	tcase_add_test(tcase, test_lookups__share_round_trips);
	tcase_add_test(tcase, test_lookups__past_the_limit_are_refused);
	tcase_add_test(tcase, test_close__answers_who_waits);
	tcase_add_test(tcase, test_threads__find_only_what_was_remembered_while_redis_comes_and_goes);
	tcase_add_test(tcase, test_login__by_password_user_and_database);
	tcase_add_test(tcase, test_sentinel__names_the_master_each_time);
	suite_add_tcase(suite, tcase);
	tcase_add_test(pure, test_url__is_checked);
	tcase_add_test(pure, test_none__finds_nothing);
	suite_add_tcase(suite, pure);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
