/*
 * What only the Postgres store has: nodes and slots, commits whose outcome is unknown, a schema
 * that other programs share. (The contract of all stores is in test_store.c.)
 */
#include "connectors/store_postgres.h"

#include <check.h>
#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sagas/base/macros.h"
#include "schemas/embedded.h"
#include "tests/support/postgres.h"
#include "tests/support/store_rows.h"
#include "tests/support/tcp_proxy.h"

#define SCHEMA "test_store_postgres"

enum { LEASE_MS = 60000 };

static struct store *open_url(const char *url, bool exclusive)
{
	struct store_postgres_options options = {
		.url = url, .slot_count = ROWS_SLOTS, .exclusive = exclusive};
	struct store *store;
	struct err err;

	ck_assert_msg(store_postgres_open(&options, &store, &err) == 0, "%s", err.text);
	return store;
}

static const char *sql(const char *text)
{
	return postgres_sql(SCHEMA, text);
}

/* A node that has joined. */
struct member {
	struct store *store;
	char id[NODE_ID_SIZE];
};

static struct member join(const char *address)
{
	struct member m = {.store = open_url(postgres_again(SCHEMA), false)};
	struct err err;

	ck_assert_msg(m.store->ops->node_join(m.store, address, LEASE_MS, m.id, &err) == 0, "%s",
				  err.text);
	return m;
}

static void leave(struct member *m)
{
	m->store->ops->close(m->store);
}

/* Tries to take slots first to last; returns how many were got. */
static int acquire(struct member *m, int first, int last)
{
	int slots[ROWS_SLOTS] = {0}, n = 0, n_got = 0;
	bool got[ROWS_SLOTS];
	struct err err;

	for (int slot = first; slot <= last; slot++)
		slots[n++] = slot;
	ck_assert_msg(m->store->ops->slots_acquire(m->store, slots, (size_t)n, got, &err) == 0, "%s",
				  err.text);
	for (int i = 0; i < n; i++)
		n_got += got[i];
	return n_got;
}

static void expire(const struct member *m)
{
	char text[160];

	snprintf(text, sizeof(text),
			 "UPDATE nodes SET lease_until = clock_timestamp() - interval '1 s' WHERE id = '%s'",
			 m->id);
	sql(text);
}

START_TEST(test_slots__are_taken_from_a_node_whose_lease_ran_out)
{
	struct member a, b;

	postgres_fresh(SCHEMA);
	a = join("http://a");
	b = join("http://b");
	ck_assert_int_eq(acquire(&a, 0, 15), 16);
	ck_assert_int_eq(rows_put_create(a.store, 1), STORE_ACCEPTED);
	ck_assert_int_eq(rows_put_create(a.store, 2), STORE_ACCEPTED);
	ck_assert_int_eq(rows_put_next(b.store, 1, 2), STORE_FENCED);
	ck_assert_int_eq(acquire(&b, 0, 15), 0);
	expire(&a);
	ck_assert_int_eq(acquire(&b, 0, 1), 2);
	ck_assert_int_eq(rows_put_next(a.store, 1, 2), STORE_FENCED);
	ck_assert_int_eq(rows_put_next(b.store, 1, 2), STORE_ACCEPTED);
	ck_assert_int_eq(rows_put_next(a.store, 2, 2), STORE_ACCEPTED); /* slot 2 is a's still */
	leave(&a);
	leave(&b);
}
END_TEST

START_TEST(test_slots__a_lost_one_fences_its_sagas_alone)
{
	struct member a, b;
	struct saga_row create = rows_saga(4), foreign = rows_saga(17), asleep = rows_saga(33);
	struct store_item items[5];
	struct err err;

	postgres_fresh(SCHEMA);
	a = join("http://a");
	b = join("http://b");
	acquire(&a, 0, 15);
	rows_put_create(a.store, 1);
	rows_put_create(a.store, 2);
	expire(&a);
	ck_assert_int_eq(acquire(&b, 1, 1), 1);
	asleep.due_at = rows_time(50); /* all three in slot 1, except the first */
	items[0] = rows_next(1, 2, NULL);
	items[1] = rows_next(2, 2, NULL);
	items[2] = rows_create(4, &create);
	items[3] = rows_create(17, &foreign);
	items[4] = rows_create(33, &asleep);
	ck_assert_int_eq(a.store->ops->commit(a.store, items, 5, &err), 0);
	ck_assert_int_eq(items[0].verdict, STORE_FENCED);
	ck_assert_int_eq(items[1].verdict, STORE_ACCEPTED);
	ck_assert_int_eq(items[2].verdict, STORE_ACCEPTED);
	ck_assert_int_eq(items[3].verdict, STORE_FENCED); /* awake, and nobody would look at it */
	ck_assert_int_eq(items[4].verdict, STORE_ACCEPTED);
	ck_assert_str_eq(sql("SELECT count(*) FROM history"), "5");
	ck_assert_str_eq(sql("SELECT count(*) FROM idempotency"), "4");
	ck_assert_int_eq(rows_put_next(b.store, 33, 2), STORE_ACCEPTED);
	leave(&a);
	leave(&b);
}
END_TEST

START_TEST(test_slots__taken_again_have_another_token)
{
	struct member a;
	char before[64];

	postgres_fresh(SCHEMA);
	a = join("http://a");
	acquire(&a, 3, 3);
	snprintf(before, sizeof(before), "%s", sql("SELECT token FROM slots WHERE slot = 3"));
	ck_assert_int_eq(acquire(&a, 3, 3), 1);
	ck_assert_str_ne(before, sql("SELECT token FROM slots WHERE slot = 3"));
	ck_assert_int_eq(rows_put_create(a.store, 3), STORE_ACCEPTED);
	leave(&a);
}
END_TEST

START_TEST(test_slots__given_up_are_free_at_once)
{
	struct member a, b;
	const int slots[] = {1, 2};
	struct err err;

	postgres_fresh(SCHEMA);
	a = join("http://a");
	b = join("http://b");
	acquire(&a, 0, 15);
	rows_put_create(a.store, 1);
	ck_assert_int_eq(a.store->ops->slots_release(a.store, slots, 2, &err), 0);
	ck_assert_int_eq(rows_put_next(a.store, 1, 2), STORE_FENCED);
	ck_assert_int_eq(acquire(&b, 0, 15), 2);
	ck_assert_int_eq(rows_put_next(b.store, 1, 2), STORE_ACCEPTED);
	ck_assert_int_eq(a.store->ops->node_leave(a.store, &err), 0);
	ck_assert_int_eq(acquire(&b, 0, 15), 16);
	ck_assert_str_eq(sql("SELECT count(*) FROM nodes"), "1");
	leave(&a);
	leave(&b);
}
END_TEST

/* The old owner sits in a transaction that it never ends; whoever takes over ends it. */
START_TEST(test_slots__an_open_transaction_of_the_old_owner_is_ended)
{
	struct member a, b;
	char text[400];
	int fds[2];
	pid_t pid;
	char c;

	postgres_fresh(SCHEMA);
	a = join("http://a");
	b = join("http://b");
	acquire(&a, 0, 15);
	ck_assert_int_eq(pipe(fds), 0);
	snprintf(text, sizeof(text),
			 "SET application_name = 'skald:%s:paused'; BEGIN;"
			 "SELECT slot FROM slots FOR SHARE; SELECT pg_sleep(600)",
			 a.id);
	pid = fork();
	if (pid == 0) {
		close(fds[0]);
		close(STDERR_FILENO);
		postgres_sql(SCHEMA, text);
		_exit(0);
	}
	close(fds[1]);
	while (strcmp(sql("SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'"), "1"))
		;
	expire(&a);
	ck_assert_int_eq(acquire(&b, 0, 15), 16);
	ck_assert_int_eq(read(fds[0], &c, 1), 0); /* it is gone */
	ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
	close(fds[0]);
	leave(&a);
	leave(&b);
}
END_TEST

START_TEST(test_nodes__a_renewal_tells_who_is_there)
{
	struct member a, b;
	struct membership seen;
	struct store_reader *reader;
	struct err err;

	postgres_fresh(SCHEMA);
	a = join("http://a:1");
	b = join("http://b:2");
	acquire(&a, 0, 4);
	acquire(&b, 5, 7);
	expire(&b);
	ck_assert_int_eq(a.store->ops->node_renew(a.store, true, &seen, &err), 0);
	ck_assert_uint_eq(seen.n_nodes, 2);
	ck_assert_int_ge(seen.self, 0);
	ck_assert_str_eq(seen.nodes[seen.self].id, a.id);
	ck_assert_str_eq(seen.nodes[seen.self].address, "http://a:1");
	ck_assert_int_eq(seen.nodes[seen.self].n_slots, 5);
	ck_assert(seen.nodes[seen.self].alive && seen.nodes[seen.self].draining);
	ck_assert(!seen.nodes[!seen.self].alive && !seen.nodes[!seen.self].draining);
	ck_assert_int_eq(seen.nodes[!seen.self].n_slots, 3);
	ck_assert_int_eq(seen.slot_owner[0], seen.self);
	ck_assert_int_eq(seen.slot_owner[5], !seen.self);
	ck_assert_int_eq(seen.slot_owner[8], -1);
	membership_release(&seen);
	ck_assert_int_eq(b.store->ops->reader_open(b.store, &reader, &err), 0);
	ck_assert_int_eq(b.store->ops->nodes(reader, &seen, &err), 0);
	ck_assert_uint_eq(seen.n_nodes, 2);
	membership_release(&seen);
	b.store->ops->reader_close(reader);
	sql("DELETE FROM nodes");
	ck_assert_int_eq(a.store->ops->node_renew(a.store, false, &seen, &err), 0);
	ck_assert_int_eq(seen.self, -1);
	membership_release(&seen);
	leave(&a);
	leave(&b);
}
END_TEST

START_TEST(test_nodes__one_that_joins_again_is_another)
{
	struct member a;
	char first[NODE_ID_SIZE];
	struct err err;

	postgres_fresh(SCHEMA);
	a = join("http://a");
	acquire(&a, 0, 15);
	rows_put_create(a.store, 1);
	memcpy(first, a.id, sizeof(first));
	sql("DELETE FROM nodes");
	ck_assert_int_eq(a.store->ops->node_join(a.store, "http://a", LEASE_MS, a.id, &err), 0);
	ck_assert_str_ne(a.id, first);
	ck_assert_int_eq(rows_put_next(a.store, 1, 2), STORE_FENCED);
	ck_assert_int_eq(acquire(&a, 0, 15), 16);
	ck_assert_int_eq(rows_put_next(a.store, 1, 2), STORE_ACCEPTED);
	leave(&a);
}
END_TEST

START_TEST(test_exclusive__the_last_one_has_all)
{
	struct store *a, *b;

	postgres_fresh(SCHEMA);
	a = open_url(postgres_again(SCHEMA), true);
	ck_assert_int_eq(rows_put_create(a, 1), STORE_ACCEPTED);
	b = open_url(postgres_again(SCHEMA), true);
	ck_assert_int_eq(rows_put_next(b, 1, 2), STORE_ACCEPTED);
	ck_assert_int_eq(rows_put_next(a, 1, 3), STORE_FENCED);
	ck_assert_ptr_null(a->ops->node_join);
	a->ops->close(a);
	b->ops->close(b);
}
END_TEST

/* The URL with the proxy's port in place of the server's. */
static const char *through(const struct tcp_proxy *proxy)
{
	static char text[512];
	const char *url = postgres_again(SCHEMA);
	const char *port = strstr(url, "127.0.0.1:") + 10;

	snprintf(text, sizeof(text), "%.*s%d%s", (int)(port - url), url, tcp_proxy_port(proxy),
			 port + strcspn(port, "/"));
	return text;
}

static struct tcp_proxy *proxy_of_server(void)
{
	return tcp_proxy_start((int)strtol(strstr(postgres_url(), "127.0.0.1:") + 10, NULL, 10));
}

static int put(struct store *store, struct store_item *item)
{
	struct err err = {0};

	return store->ops->commit(store, item, 1, &err);
}

START_TEST(test_unknown__a_commit_without_an_answer_is_settled_and_there)
{
	struct tcp_proxy *proxy = proxy_of_server();
	struct saga_row row = rows_saga(1);
	struct store_item item = rows_create(1, &row);
	struct store *store;
	struct err err;

	postgres_fresh(SCHEMA);
	store = open_url(through(proxy), true);
	ck_assert_int_eq(rows_put_create(store, 2), STORE_ACCEPTED);
	tcp_proxy_fault(proxy, PROXY_LOSE_REPLY);
	ck_assert_int_eq(put(store, &item), ERR_UNKNOWN);
	ck_assert_int_eq(put(store, &item), ERR_UNAVAILABLE); /* not before it is settled */
	ck_assert_int_eq(store->ops->settle(store, &err), 0);
	ck_assert_str_eq(sql("SELECT count(*) FROM sagas"), "2");
	ck_assert_int_eq(rows_put_next(store, 1, 2), STORE_ACCEPTED);
	store->ops->close(store);
	tcp_proxy_stop(proxy);
}
END_TEST

START_TEST(test_unknown__a_commit_that_arrives_late_does_not_land)
{
	struct tcp_proxy *proxy = proxy_of_server();
	struct store_item item = rows_next(1, 2, NULL);
	struct store *store;
	struct err err;

	postgres_fresh(SCHEMA);
	store = open_url(through(proxy), true);
	ck_assert_int_eq(rows_put_create(store, 1), STORE_ACCEPTED);
	tcp_proxy_fault(proxy, PROXY_LATE_REQUEST);
	ck_assert_int_eq(put(store, &item), ERR_UNKNOWN);
	ck_assert_int_eq(store->ops->settle(store, &err), 0);
	ck_assert_int_eq(tcp_proxy_deliver(proxy), 0);
	ck_assert_str_eq(sql("SELECT count(*) FROM history"), "1");
	ck_assert_int_eq(rows_put_next(store, 1, 2), STORE_ACCEPTED);
	store->ops->close(store);
	tcp_proxy_stop(proxy);
}
END_TEST

/* That the test above can fail: without settling, what arrives late does land. */
START_TEST(test_unknown__a_late_commit_would_land)
{
	struct tcp_proxy *proxy = proxy_of_server();
	struct store_item item = rows_next(1, 2, NULL);
	struct store *store;

	postgres_fresh(SCHEMA);
	store = open_url(through(proxy), true);
	ck_assert_int_eq(rows_put_create(store, 1), STORE_ACCEPTED);
	tcp_proxy_fault(proxy, PROXY_LATE_REQUEST);
	ck_assert_int_eq(put(store, &item), ERR_UNKNOWN);
	ck_assert_int_gt(tcp_proxy_deliver(proxy), 0);
	ck_assert_str_eq(sql("SELECT count(*) FROM history"), "2");
	store->ops->close(store);
	tcp_proxy_stop(proxy);
}
END_TEST

START_TEST(test_unknown__a_lost_definition_is_found_when_put_again)
{
	struct tcp_proxy *proxy = proxy_of_server();
	struct definition_row row = {.ns = "default",
								 .name = "order",
								 .hash = "abc",
								 .doc = "{}",
								 .doc_len = 2,
								 .source = "",
								 .deployed_at = 1};
	struct store *store;
	struct err err;

	postgres_fresh(SCHEMA);
	store = open_url(through(proxy), true);
	ck_assert_int_eq(store->ops->definition_put(store, &row, &err), 0);
	ck_assert_int_eq(row.version, 1);
	row.hash = "def";
	tcp_proxy_fault(proxy, PROXY_LOSE_REPLY);
	ck_assert_int_eq(store->ops->definition_put(store, &row, &err), ERR_UNKNOWN);
	ck_assert_int_eq(store->ops->settle(store, &err), 0);
	ck_assert_int_eq(store->ops->definition_put(store, &row, &err), 0);
	ck_assert_int_eq(row.version, 2);
	ck_assert(row.existed);
	store->ops->close(store);
	tcp_proxy_stop(proxy);
}
END_TEST

START_TEST(test_connection__one_that_died_while_idle_loses_nothing)
{
	struct store_reader *reader;
	struct store *store;
	struct saga_row row;
	struct err err;

	postgres_fresh(SCHEMA);
	store = open_url(postgres_again(SCHEMA), true);
	ck_assert_int_eq(store->ops->reader_open(store, &reader, &err), 0);
	for (int n = 1; n < 5; n++) {
		ck_assert_int_eq(rows_put_create(store, n), STORE_ACCEPTED);
		ck_assert_int_eq(store->ops->saga_get(reader, "default", rows_id(n), &row, &err), 0);
		saga_row_release(&row);
		sql("SELECT count(pg_terminate_backend(pid, 5000)) FROM pg_stat_activity"
			" WHERE application_name LIKE 'skald:%'");
	}
	store->ops->reader_close(reader);
	store->ops->close(store);
}
END_TEST

START_TEST(test_connection__no_server_is_unavailable)
{
	struct store_postgres_options options = {.url = "postgresql://127.0.0.1:1/x",
											 .exclusive = true};
	struct store *store;
	struct err err;

	ck_assert_int_eq(store_postgres_open(&options, &store, &err), ERR_UNAVAILABLE);
	ck_assert(err.retriable);
}
END_TEST

START_TEST(test_commit__finds_every_item_that_cannot_be_stored)
{
	enum { N = 40 };
	struct saga_row rows[N];
	struct store_item items[N];
	struct store *store;
	struct err err;

	postgres_fresh(SCHEMA);
	store = open_url(postgres_again(SCHEMA), true);
	for (int n = 0; n < N; n++) {
		rows[n] = rows_saga(n);
		items[n] = rows_create(n, &rows[n]);
	}
	items[3].events = "[\"\xff\"]"; /* no UTF-8 */
	items[3].events_len = 5;
	items[20].events = "[\"\0\"]"; /* a NUL */
	items[20].events_len = 5;
	rows[21].attention.text = "\xc3(";
	ck_assert_int_eq(store->ops->commit(store, items, N, &err), 0);
	for (int n = 0; n < N; n++)
		ck_assert_int_eq(items[n].verdict,
						 n == 3 || n == 20 || n == 21 ? STORE_UNSTORABLE : STORE_ACCEPTED);
	ck_assert_str_eq(sql("SELECT count(*) FROM sagas"), "37");
	ck_assert_str_eq(sql("SELECT count(*) FROM idempotency"), "37");
	ck_assert_str_eq(sql("SELECT sum(n) FROM counters WHERE definition > ''"), "37");
	store->ops->close(store);
}
END_TEST

START_TEST(test_commit__writers_of_two_nodes_meet_at_keys)
{
	enum { N = 200 };
	struct member a;
	struct saga_row rows[N];
	struct store_item items[N];
	struct store *b;
	struct err err;
	int status;
	pid_t pid;

	postgres_fresh(SCHEMA);
	a = join("http://a");
	for (int n = 0; n < N; n++) { /* asleep: any node may write them */
		rows[n] = rows_saga(n);
		rows[n].due_at = rows_time(1);
		items[n] = rows_create(n, &rows[n]);
	}
	pid = fork();
	if (pid == 0) { /* the same keys for other sagas, the other way round */
		b = open_url(postgres_again(SCHEMA), false);
		for (int n = 0; n < N; n++) {
			rows[n] = rows_saga(1000 + n);
			rows[n].due_at = rows_time(1);
			rows[n].key = rows_key(N - 1 - n);
			items[n] = rows_create(1000 + n, &rows[n]);
		}
		for (int from = 0; from < N; from += 20)
			if (b->ops->commit(b, items + from, 20, &err) < 0)
				_exit(1);
		_exit(0);
	}
	for (int from = 0; from < N; from += 20)
		ck_assert_int_eq(a.store->ops->commit(a.store, items + from, 20, &err), 0);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
	for (int n = 0; n < N; n++)
		ck_assert(items[n].verdict == STORE_ACCEPTED || items[n].verdict == STORE_DUPLICATE);
	ck_assert_str_eq(sql("SELECT count(*) FROM sagas"), "200");
	ck_assert_str_eq(sql("SELECT count(*) FROM idempotency"), "200");
	ck_assert_str_eq(sql("SELECT sum(n) FROM counters WHERE definition > ''"), "200");
	leave(&a);
}
END_TEST

struct seen {
	char text[256];
	size_t len;
};

static int see(void *ctx, const struct saga_row *row)
{
	struct seen *seen = ctx;

	for (int n = 0; n < 40; n++)
		if (strcmp(row->id, rows_id(n)) == 0)
			seen->len +=
				(size_t)snprintf(seen->text + seen->len, sizeof(seen->text) - seen->len, "%d ", n);
	return 0;
}

static const char *due(struct store *store, const int *slots, size_t n, bool awake, int limit)
{
	static struct seen seen;
	struct store_reader *reader;
	struct err err;

	seen = (struct seen){0};
	ck_assert_int_eq(store->ops->reader_open(store, &reader, &err), 0);
	ck_assert_int_eq(store->ops->load_due_slots(reader, slots, n, rows_time(100), awake, limit, see,
												&seen, &err),
					 0);
	store->ops->reader_close(reader);
	return seen.text;
}

START_TEST(test_load_due_slots__takes_any_slots)
{
	const int slots[] = {9, 1, 5};
	struct store *store;
	struct err err;

	postgres_fresh(SCHEMA);
	store = open_url(postgres_again(SCHEMA), true);
	for (int n = 0; n < 32; n++) { /* the first of each slot is awake, the second sleeps */
		struct saga_row row = rows_saga(n);
		struct store_item item = rows_create(n, &row);

		row.due_at = n < 16 ? 0 : rows_time(n == 21 ? 10 : n == 25 ? 200 : 50);
		ck_assert_int_eq(store->ops->commit(store, &item, 1, &err), 0);
		ck_assert_int_eq(item.verdict, STORE_ACCEPTED);
	}
	ck_assert_str_eq(due(store, slots, 3, true, 100), "1 5 9 21 17 ");
	ck_assert_str_eq(due(store, slots, 3, false, 100), "21 17 ");
	ck_assert_str_eq(due(store, slots, 3, true, 4), "1 5 9 21 ");
	ck_assert_str_eq(due(store, slots, 3, true, 2), "1 5 ");
	ck_assert_str_eq(due(store, slots, 0, true, 2), "");
	store->ops->close(store);
}
END_TEST

static int count_step(void *ctx, const char *path, const char *text)
{
	int *steps = ctx;

	ck_assert_ptr_nonnull(strstr(path, "schemas/postgres/"));
	ck_assert_ptr_nonnull(strstr(text, "CREATE TABLE"));
	ck_assert((strstr(text, "('slot_count', '32')") != NULL) == (strstr(path, "/0001_") != NULL));
	++*steps;
	return 0;
}

/* Migrations that there are. */
static int n_migrations(void)
{
	int n = 0;

	for (size_t i = 0; i < embedded_file_count; i++)
		n += strncmp(embedded_files[i].path, "schemas/postgres/", 17) == 0;
	return n;
}

START_TEST(test_migrate__status_plan_and_up)
{
	struct store_postgres_schema schema;
	const char *url;
	struct err err;
	int steps = 0;

	postgres_fresh(SCHEMA);
	url = postgres_again(SCHEMA);
	ck_assert_int_eq(store_postgres_migrate_status(url, &schema, &err), 0);
	ck_assert_int_eq(schema.version, 0);
	ck_assert_int_ge(schema.newest, 3);
	ck_assert_int_eq(store_postgres_migrate_plan(url, 32, count_step, &steps, &err), 0);
	ck_assert_int_eq(steps, n_migrations());
	ck_assert_int_eq(store_postgres_migrate_up(url, 32, &schema, &err), 0);
	ck_assert_int_eq(schema.version, schema.newest);
	ck_assert_int_eq(store_postgres_migrate_up(url, 64, &schema, &err), 0);
	ck_assert_str_eq(sql("SELECT count(*) FROM slots"), "32"); /* fixed for ever */
}
END_TEST

static int run_the_first(void *ctx, const char *path, const char *text)
{
	(void)ctx;
	if (strstr(path, "/0001_"))
		sql(text);
	return 0;
}

/* What the release before left behind: it is refused, then migrated, and its sagas are there. */
START_TEST(test_migrate__from_the_schema_before)
{
	struct store_postgres_options options = {.exclusive = true};
	struct store_postgres_schema schema;
	struct store *store;
	char text[400];
	struct err err;
	int steps = 0;

	postgres_fresh(SCHEMA);
	options.url = postgres_again(SCHEMA);
	ck_assert_int_eq(
		store_postgres_migrate_plan(options.url, ROWS_SLOTS, run_the_first, NULL, &err), 0);
	snprintf(text, sizeof(text),
			 "INSERT INTO sagas (slot, id, namespace, definition, version, status, started_at,"
			 " updated_at) VALUES (1, '%s', 'default', 'order', 1, 'running', 1, 1);"
			 "INSERT INTO history VALUES (1, '%s', 1, 1, '[]')",
			 rows_id(1), rows_id(1));
	sql(text);
	ck_assert_int_eq(store_postgres_open(&options, &store, &err), ERR_INVALID);
	ck_assert_ptr_nonnull(strstr(err.text, "migrate up"));
	ck_assert_int_eq(store_postgres_migrate_plan(options.url, 0, count_step, &steps, &err), 0);
	ck_assert_int_eq(steps, n_migrations() - 1);
	ck_assert_int_eq(store_postgres_migrate_up(options.url, 0, &schema, &err), 0);
	ck_assert_int_eq(schema.version, schema.newest);
	/* A program of the schema before may go on beside this one. */
	ck_assert_str_eq(sql("SELECT value FROM meta WHERE name = 'schema_works_with'"), "1");
	store = open_url(options.url, true);
	ck_assert_int_eq(rows_put_next(store, 1, 2), STORE_ACCEPTED);
	store->ops->close(store);
}
END_TEST

START_TEST(test_migrate__many_at_once)
{
	enum { N = 4 };
	pid_t pids[N];
	int status;

	postgres_fresh(SCHEMA);
	for (int i = 0; i < N; i++) {
		pids[i] = fork();
		if (pids[i] == 0) {
			struct store_postgres_options options = {.url = postgres_again(SCHEMA)};
			struct store *store;

			_exit(store_postgres_open(&options, &store, NULL) < 0);
		}
	}
	for (int i = 0; i < N; i++) {
		ck_assert_int_eq(waitpid(pids[i], &status, 0), pids[i]);
		ck_assert_int_eq(status, 0);
	}
	ck_assert_str_eq(sql("SELECT count(*) FROM slots"), "256");
}
END_TEST

/* The first of two nodes has made the tables of migration 1, and is not at the end. */
START_TEST(test_migrate__waits_for_another_node_that_is_at_it)
{
	struct store_postgres_schema schema;
	PGresult *result;
	char done[100];
	int status;
	PGconn *pg;
	struct err err;
	pid_t pid;

	postgres_fresh(SCHEMA);
	ck_assert_int_eq(store_postgres_migrate_status(postgres_again(SCHEMA), &schema, &err), 0);
	snprintf(done, sizeof(done), "UPDATE meta SET value = '%lld' WHERE name LIKE 'schema%%'",
			 (long long)schema.newest);
	leave(&(struct member){.store = open_url(postgres_again(SCHEMA), true)});
	sql("UPDATE meta SET value = '1' WHERE name LIKE 'schema%'");
	pg = PQconnectdb(postgres_again(SCHEMA));
	result = PQexec(pg, "SELECT pg_advisory_lock(358485159012)");
	ck_assert_int_eq(PQresultStatus(result), PGRES_TUPLES_OK);
	PQclear(result);
	pid = fork();
	if (pid == 0) {
		struct store_postgres_options options = {.url = postgres_again(SCHEMA)};
		struct store *store;

		_exit(store_postgres_open(&options, &store, NULL) < 0);
	}
	while (strcmp(sql("SELECT count(*) > 0 FROM pg_locks WHERE locktype = 'advisory'"
					  " AND NOT granted"),
				  "t") != 0)
		ck_assert_int_eq(waitpid(pid, &status, WNOHANG), 0); /* it has not given up */
	sql(done);
	PQfinish(pg); /* with the lock */
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
}
END_TEST

START_TEST(test_migrate__another_schema_is_refused)
{
	struct store_postgres_options options = {.url = NULL, .exclusive = true};
	struct store *store;
	struct err err;

	postgres_fresh(SCHEMA);
	options.url = postgres_again(SCHEMA);
	ck_assert_int_eq(store_postgres_open(&options, &store, &err), 0);
	store->ops->close(store);
	sql("UPDATE meta SET value = '999' WHERE name LIKE 'schema%'");
	ck_assert_int_eq(store_postgres_open(&options, &store, &err), ERR_INVALID);
	ck_assert_ptr_nonnull(strstr(err.text, "newer"));
	/* One that only expands lets this program start, and is not held against it. */
	sql("UPDATE meta SET value = '1' WHERE name = 'schema_works_with'");
	ck_assert_int_eq(store_postgres_open(&options, &store, &err), 0);
	store->ops->close(store);
	sql("UPDATE meta SET value = '-1' WHERE name = 'schema_version'");
	ck_assert_int_eq(store_postgres_open(&options, &store, &err), ERR_INVALID);
	ck_assert_ptr_nonnull(strstr(err.text, "migrate up"));
	sql("DELETE FROM meta");
	ck_assert_int_eq(store_postgres_open(&options, &store, &err), ERR_INVALID);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("store_postgres");
	TCase *tcase = tcase_create("store_postgres");
	SRunner *runner;
	int failed;

	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, test_slots__are_taken_from_a_node_whose_lease_ran_out);
	tcase_add_test(tcase, test_slots__a_lost_one_fences_its_sagas_alone);
	tcase_add_test(tcase, test_slots__taken_again_have_another_token);
	tcase_add_test(tcase, test_slots__given_up_are_free_at_once);
	tcase_add_test(tcase, test_slots__an_open_transaction_of_the_old_owner_is_ended);
	tcase_add_test(tcase, test_nodes__a_renewal_tells_who_is_there);
	tcase_add_test(tcase, test_nodes__one_that_joins_again_is_another);
	tcase_add_test(tcase, test_exclusive__the_last_one_has_all);
	tcase_add_test(tcase, test_unknown__a_commit_without_an_answer_is_settled_and_there);
	tcase_add_test(tcase, test_unknown__a_commit_that_arrives_late_does_not_land);
	tcase_add_test(tcase, test_unknown__a_late_commit_would_land);
	tcase_add_test(tcase, test_unknown__a_lost_definition_is_found_when_put_again);
	tcase_add_test(tcase, test_connection__one_that_died_while_idle_loses_nothing);
	tcase_add_test(tcase, test_connection__no_server_is_unavailable);
	tcase_add_test(tcase, test_commit__finds_every_item_that_cannot_be_stored);
	tcase_add_test(tcase, test_commit__writers_of_two_nodes_meet_at_keys);
	tcase_add_test(tcase, test_load_due_slots__takes_any_slots);
	tcase_add_test(tcase, test_migrate__status_plan_and_up);
	tcase_add_test(tcase, test_migrate__from_the_schema_before);
	tcase_add_test(tcase, test_migrate__many_at_once);
	tcase_add_test(tcase, test_migrate__waits_for_another_node_that_is_at_it);
	tcase_add_test(tcase, test_migrate__another_schema_is_refused);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}
