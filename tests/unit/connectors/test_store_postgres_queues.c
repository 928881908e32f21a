/*
 * Queues in Postgres: what is written with a transition and what with none, who may write beside
 * whom, outcomes that nobody knows, and that every statement goes by an index. (The contract of all
 * stores is in test_store.c.)
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
#include "tests/support/postgres.h"
#include "tests/support/store_rows.h"
#include "tests/support/tcp_proxy.h"

#define SCHEMA "test_store_postgres_queues"
#define CHANNEL "0123456789abcdef0123456789abcdef"

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

static struct store *fresh(void)
{
	postgres_fresh(SCHEMA);
	return open_url(postgres_again(SCHEMA), true);
}

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

static struct subscription_row waits_for(const char *step, const char *value)
{
	return (struct subscription_row){
		.step = step, .item = -1, .ns = "default", .channel = CHANNEL, .value = value};
}

static struct event_row event_of(const char *value, const char *id)
{
	return (struct event_row){.ns = "default",
							  .channel = CHANNEL,
							  .value = value,
							  .id = id,
							  .at = rows_time(1),
							  .expires_at = rows_time(100),
							  .event = "{\"n\":1}",
							  .event_len = 7};
}

static struct outbox_row to_publish(int place)
{
	static const char *const ids[] = {"10000000-0000-5000-8000-000000000000",
									  "10000000-0000-5000-8000-000000000001"};
	struct outbox_row row = {.place = place,
							 .cluster = "default",
							 .topic = "orders",
							 .key = "k",
							 .type = "order.placed",
							 .headers = "{\"ce_source\":\"/skald/default/order\"}",
							 .payload = "{}",
							 .payload_len = 2,
							 .created_at = rows_time(1)};

	memcpy(row.id, ids[place], sizeof(row.id));
	return row;
}

static struct inbox_row arrived(int n, int id)
{
	struct inbox_row row = {.slot = n % ROWS_SLOTS,
							.ns = "default",
							.at = rows_time(1),
							.message = "{\"kind\":\"reply\"}",
							.message_len = 16};

	snprintf(row.id, sizeof(row.id), "20000000-0000-5000-8000-%012d", id);
	memcpy(row.saga_id, rows_id(n), sizeof(row.saga_id));
	return row;
}

/* An item of saga n with a row of each kind; what it borrows is static. */
static struct store_item with_queues(int n, int64_t seq, int inbox_id)
{
	static struct subscription_row subscription;
	static struct outbox_row outbox[2];
	static char inbox[1][UUID_SIZE];
	struct store_item item = rows_next(n, seq, NULL);

	subscription = waits_for("paid", "v");
	outbox[0] = to_publish(0);
	outbox[1] = to_publish(1);
	memcpy(inbox[0], arrived(n, inbox_id).id, UUID_SIZE);
	item.subscriptions = &subscription;
	item.n_subscriptions = 1;
	item.outbox = outbox;
	item.n_outbox = 2;
	item.inbox = (const char(*)[UUID_SIZE])inbox;
	item.n_inbox = 1;
	return item;
}

static int commit(struct store *store, struct store_item *items, size_t n)
{
	struct err err = {0};
	int r = store->ops->commit(store, items, n, &err);

	ck_assert_msg(r == 0 || r == ERR_UNKNOWN, "%s", err.text);
	return r;
}

static void put_inbox(struct store *store, int n, int id)
{
	struct inbox_row row = arrived(n, id);
	struct err err = {0};

	ck_assert_msg(store->ops->inbox_put(store, &row, 1, &err) == 0, "%s", err.text);
}

static void ck_queues(const char *subscriptions, const char *outbox, const char *inbox)
{
	ck_assert_str_eq(sql("SELECT count(*) FROM subscriptions"), subscriptions);
	ck_assert_str_eq(sql("SELECT count(*) FROM outbox"), outbox);
	ck_assert_str_eq(sql("SELECT count(*) FROM inbox"), inbox);
}

START_TEST(test_commit__a_fenced_item_leaves_its_queues_alone)
{
	struct store *a, *b;
	struct store_item item;

	a = fresh();
	ck_assert_int_eq(rows_put_create(a, 1), STORE_ACCEPTED);
	put_inbox(a, 1, 1);
	b = open_url(postgres_again(SCHEMA), true); /* takes all slots */
	item = with_queues(1, 2, 1);
	ck_assert_int_eq(commit(a, &item, 1), 0);
	ck_assert_int_eq(item.verdict, STORE_FENCED);
	ck_queues("0", "0", "1");
	item = with_queues(1, 2, 1);
	ck_assert_int_eq(commit(b, &item, 1), 0);
	ck_assert_int_eq(item.verdict, STORE_ACCEPTED);
	ck_queues("1", "2", "0");
	item = rows_next(1, 3, NULL);
	item.unsubscribe_all = true;
	ck_assert_int_eq(commit(a, &item, 1), 0);
	ck_assert_int_eq(item.verdict, STORE_FENCED);
	ck_queues("1", "2", "0");
	a->ops->close(a);
	b->ops->close(b);
}
END_TEST

/* The neighbours of what cannot be stored are written in halves, each of their rows once. */
START_TEST(test_commit__bisecting_writes_queues_once)
{
	enum { N = 20 };
	struct store *store = fresh();
	struct outbox_row outbox[N];
	struct store_item items[N];

	for (int n = 0; n < N; n++) {
		ck_assert_int_eq(rows_put_create(store, n), STORE_ACCEPTED);
		items[n] = rows_next(n, 2, NULL);
		outbox[n] = to_publish(0);
		items[n].outbox = &outbox[n];
		items[n].n_outbox = n % 2;
	}
	outbox[7].payload = "\xff"; /* no UTF-8 */
	outbox[7].payload_len = 1;
	outbox[11].headers = "{"; /* no JSON */
	ck_assert_int_eq(commit(store, items, N), 0);
	for (int n = 0; n < N; n++)
		ck_assert_int_eq(items[n].verdict, n == 7 || n == 11 ? STORE_UNSTORABLE : STORE_ACCEPTED);
	ck_queues("0", "8", "0");
	ck_assert_str_eq(sql("SELECT count(*) FROM history WHERE seq = 2"), "18");
	store->ops->close(store);
}
END_TEST

START_TEST(test_commit__fills_the_columns_of_routers)
{
	struct store *store = fresh();
	struct store_item item = with_queues(1, 2, 1);

	ck_assert_int_eq(rows_put_create(store, 1), STORE_ACCEPTED);
	ck_assert_int_eq(commit(store, &item, 1), 0);
	ck_assert_str_eq(sql("SELECT concat_ws(' ', id, aggregatetype, aggregateid, type, payload,"
						 " source) FROM outbox WHERE place = 1"),
					 "10000000-0000-5000-8000-000000000001 orders k order.placed {}"
					 " /skald/default/order");
	store->ops->close(store);
}
END_TEST

START_TEST(test_commit__of_unknown_outcome_has_its_queues_or_not)
{
	struct tcp_proxy *proxy = proxy_of_server();
	struct store_item item = with_queues(2, 2, 1);
	struct store *store;
	struct err err;

	postgres_fresh(SCHEMA);
	store = open_url(through(proxy), true);
	ck_assert_int_eq(rows_put_create(store, 1), STORE_ACCEPTED);
	ck_assert_int_eq(commit(store, &item, 1), 0); /* so that the statement is prepared */
	ck_assert_int_eq(item.verdict, STORE_CONFLICT);
	put_inbox(store, 1, 1);
	item = with_queues(1, 2, 1);
	tcp_proxy_fault(proxy, PROXY_LOSE_REPLY);
	ck_assert_int_eq(commit(store, &item, 1), ERR_UNKNOWN);
	ck_assert_int_eq(store->ops->settle(store, &err), 0);
	ck_queues("1", "2", "0");
	item = with_queues(1, 2, 1); /* what is in the history already is a conflict */
	ck_assert_int_eq(commit(store, &item, 1), 0);
	ck_assert_int_eq(item.verdict, STORE_CONFLICT);
	ck_queues("1", "2", "0");
	store->ops->close(store);
	tcp_proxy_stop(proxy);
}
END_TEST

START_TEST(test_commit__a_subscription_that_is_there_already_stays)
{
	struct store *store = fresh();
	struct store_item item = with_queues(1, 2, 1);
	struct subscription_row rows[3];

	ck_assert_int_eq(rows_put_create(store, 1), STORE_ACCEPTED);
	ck_assert_int_eq(commit(store, &item, 1), 0);
	rows[0] = waits_for("old", "v");
	item = rows_next(1, 3, NULL);
	item.subscriptions = rows;
	item.n_subscriptions = 1;
	ck_assert_int_eq(commit(store, &item, 1), 0);
	rows[0] = waits_for("paid", "w");
	rows[1] = waits_for("paid", "v"); /* which is the last word, and nothing new */
	rows[2] = waits_for("sent", "v");
	item = rows_next(1, 4, NULL);
	item.subscriptions = rows;
	item.n_subscriptions = 3;
	item.unsubscribe_all = true; /* before them */
	ck_assert_int_eq(commit(store, &item, 1), 0);
	ck_assert_str_eq(sql("SELECT string_agg(step || value, ' ' ORDER BY step) FROM subscriptions"),
					 "paidv sentv");
	store->ops->close(store);
}
END_TEST

static int count_row(void *ctx, const struct inbox_row *row)
{
	(void)row;
	++*(int *)ctx;
	return 0;
}

static int count_early(struct store *store, int n)
{
	struct store_reader *reader;
	struct err err;
	int count = 0;

	ck_assert_int_eq(store->ops->reader_open(store, &reader, &err), 0);
	ck_assert_int_eq(store->ops->early_events(reader, n % ROWS_SLOTS, rows_id(n), 0, "", 10,
											  count_row, &count, &err),
					 0);
	store->ops->reader_close(reader);
	return count;
}

static void exec(PGconn *pg, const char *text)
{
	PGresult *result = PQexec(pg, text);

	ck_assert_msg(PQresultStatus(result) == PGRES_COMMAND_OK ||
					  PQresultStatus(result) == PGRES_TUPLES_OK,
				  "%s", PQerrorMessage(pg));
	PQclear(result);
}

static void wait_until(const char *text)
{
	while (strcmp(sql(text), "t") != 0)
		;
}

/*
 * An event is on its way while a saga begins to wait. The table is locked, so the event cannot be
 * written; the saga's look does not see it; so whoever puts the event has to see the saga, and may
 * not have looked before.
 */
START_TEST(test_events__a_look_comes_after_the_commit)
{
	struct event_row event = event_of("v", "default/payments/0/1");
	struct store_item item = with_queues(1, 2, 1);
	bool touched[ROWS_SLOTS] = {false};
	struct store *store = fresh(), *other;
	struct err err;
	int status;
	PGconn *pg;
	pid_t pid;

	ck_assert_int_eq(rows_put_create(store, 1), STORE_ACCEPTED);
	pg = PQconnectdb(postgres_again(SCHEMA));
	exec(pg, "BEGIN; LOCK TABLE events IN EXCLUSIVE MODE"); /* reading is allowed */
	pid = fork();
	if (pid == 0) {
		other = open_url(postgres_again(SCHEMA), false);
		if (other->ops->events_put(other, &event, 1, touched, &err) < 0 || !touched[1])
			_exit(1);
		other->ops->close(other);
		_exit(0);
	}
	wait_until("SELECT count(*) > 0 FROM pg_locks WHERE NOT granted AND relation ="
			   " 'events'::regclass");
	ck_assert_int_eq(commit(store, &item, 1), 0);
	ck_assert_int_eq(item.verdict, STORE_ACCEPTED);
	ck_assert_int_eq(count_early(store, 1), 0);
	exec(pg, "COMMIT");
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
	ck_assert_str_eq(sql("SELECT count(*) FROM inbox WHERE saga_id IN (SELECT id FROM sagas)"),
					 "1");
	ck_assert_int_eq(count_early(store, 1), 1);
	PQfinish(pg);
	store->ops->close(store);
}
END_TEST

/* Sagas that begin to wait while events come, again and again: none of the pairs is missed. */
START_TEST(test_events__crossing_with_who_waits_are_not_missed)
{
	enum { N = 150 };
	bool touched[ROWS_SLOTS] = {false}, early[N];
	struct subscription_row row;
	struct store_item item;
	struct store *store = fresh(), *other;
	char value[16], id[40], text[160];
	struct err err;
	int status;
	pid_t pid;

	for (int n = 0; n < N; n++)
		ck_assert_int_eq(rows_put_create(store, n), STORE_ACCEPTED);
	pid = fork();
	if (pid == 0) {
		other = open_url(postgres_again(SCHEMA), false);
		for (int n = 0; n < N; n++) {
			struct event_row event = event_of(value, id);

			snprintf(value, sizeof(value), "v%d", n);
			snprintf(id, sizeof(id), "default/payments/0/%d", n);
			if (other->ops->events_put(other, &event, 1, touched, &err) < 0)
				_exit(1);
		}
		_exit(0);
	}
	for (int n = 0; n < N; n++) {
		snprintf(value, sizeof(value), "v%d", n);
		row = waits_for("paid", value);
		item = rows_next(n, 2, NULL);
		item.subscriptions = &row;
		item.n_subscriptions = 1;
		ck_assert_int_eq(commit(store, &item, 1), 0);
		early[n] = count_early(store, n) == 1;
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
	for (int n = 0; n < N; n++) {
		snprintf(text, sizeof(text), "SELECT count(*) FROM inbox WHERE saga_id = '%s'", rows_id(n));
		ck_assert_msg(early[n] || strcmp(sql(text), "1") == 0, "saga %d was told nothing", n);
	}
	store->ops->close(store);
}
END_TEST

/* Every node may put the same events, in any order, at the same time. */
START_TEST(test_events__of_two_nodes_at_once)
{
	enum { N = 200 };
	struct event_row events[N];
	static char ids[N][40], values[N][16];
	bool touched[ROWS_SLOTS] = {false};
	struct store *store = fresh(), *other;
	struct store_item item = with_queues(1, 2, 1);
	struct subscription_row row = waits_for("paid", "v7");
	struct err err;
	int status;
	pid_t pid;

	ck_assert_int_eq(rows_put_create(store, 1), STORE_ACCEPTED);
	item.subscriptions = &row;
	ck_assert_int_eq(commit(store, &item, 1), 0);
	for (int n = 0; n < N; n++) {
		snprintf(values[n], sizeof(values[n]), "v%d", n);
		snprintf(ids[n], sizeof(ids[n]), "default/payments/0/%d", n);
	}
	pid = fork();
	for (int n = 0; n < N; n++) {
		int which = pid == 0 ? N - 1 - n : n;

		events[n] = event_of(values[which], ids[which]);
	}
	if (pid == 0) {
		other = open_url(postgres_again(SCHEMA), false);
		for (int i = 0; i < 10; i++)
			if (other->ops->events_put(other, events, N, touched, &err) < 0)
				_exit(1);
		_exit(!touched[1]);
	}
	for (int i = 0; i < 10; i++)
		ck_assert_int_eq(store->ops->events_put(store, events, N, touched, &err), 0);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
	ck_assert(touched[1]);
	ck_assert_str_eq(sql("SELECT count(*) FROM events"), "200");
	ck_assert_str_eq(sql("SELECT count(*) FROM inbox"), "1");
	store->ops->close(store);
}
END_TEST

static struct dead_letter_row letter_of(int64_t offset)
{
	struct dead_letter_row letter = {.ns = "default",
									 .trigger = "order/orders",
									 .cluster = "default",
									 .topic = "orders",
									 .offset = offset,
									 .headers = "[]",
									 .reason = "unparsable",
									 .message = "no JSON"};

	dead_letter_id(&letter);
	return letter;
}

/* Each of them is called again after its answer was lost, and changes nothing more. */
START_TEST(test_unknown__what_is_repeated_adds_nothing)
{
	struct tcp_proxy *proxy = proxy_of_server();
	struct event_row event = event_of("w", "default/payments/0/1");
	struct dead_letter_row letter = letter_of(1);
	struct trigger_row trigger = {.ns = "default", .name = "first"};
	struct inbox_row inbox = arrived(1, 1);
	bool touched[ROWS_SLOTS] = {false};
	const struct store_ops *ops;
	struct store *store;
	struct err err;

	postgres_fresh(SCHEMA);
	store = open_url(through(proxy), true);
	ops = store->ops;
	ck_assert_int_eq(rows_put_create(store, 1), STORE_ACCEPTED);
	/* Once without faults, so that what is lost below is no preparation. */
	ck_assert_int_eq(ops->events_put(store, &event, 1, touched, &err), 0);
	ck_assert_int_eq(ops->inbox_put(store, &inbox, 1, &err), 0);
	ck_assert_int_eq(ops->inbox_remove(store, &inbox, 1, &err), 0);
	ck_assert_int_eq(ops->dead_letter_put(store, &letter, &err), 0);
	ck_assert_int_eq(ops->trigger_put(store, &trigger, &err), 0);
	event.id = "default/payments/0/2";
	letter = letter_of(2);
	trigger.name = "second";
	trigger.revision = 0;
#define REPEATED(call, query, result)                                                              \
	do {                                                                                           \
		tcp_proxy_fault(proxy, PROXY_LOSE_REPLY);                                                  \
		ck_assert_int_eq((call), ERR_UNKNOWN);                                                     \
		ck_assert_int_eq((call), ERR_UNAVAILABLE); /* not before it is settled */                  \
		ck_assert_int_eq(ops->settle(store, &err), 0);                                             \
		ck_assert_str_eq(sql(query), (result));                                                    \
		ck_assert_int_eq((call), 0);                                                               \
		ck_assert_str_eq(sql(query), (result));                                                    \
	} while (0)
	REPEATED(ops->events_put(store, &event, 1, touched, &err), "SELECT count(*) FROM events", "2");
	ck_assert_int_eq(ops->inbox_put(store, &inbox, 1, &err), 0);
	ck_assert_int_eq(ops->inbox_remove(store, &inbox, 1, &err), 0);
	REPEATED(ops->inbox_put(store, &inbox, 1, &err), "SELECT count(*) FROM inbox", "1");
	ck_assert_int_eq(ops->dead_letter_put(store, &letter, &err), 0);
	letter = letter_of(3);
	REPEATED(ops->dead_letter_put(store, &letter, &err), "SELECT count(*) FROM dead_letters", "3");
	ck_assert_int_eq(ops->trigger_put(store, &trigger, &err), 0);
	trigger.paused = true;
	trigger.name = "third";
	trigger.revision = 0;
	REPEATED(ops->trigger_put(store, &trigger, &err), "SELECT sum(revision) FROM triggers", "3");
	ck_assert_int_eq(trigger.revision, 1);
	ck_assert_int_eq(ops->trigger_put(store, &trigger, &err), 0); /* an update this time */
	REPEATED(ops->trigger_put(store, &trigger, &err), "SELECT sum(revision) FROM triggers", "5");
	ck_assert_int_eq(trigger.revision, 3);
	inbox = arrived(1, 2);
	ck_assert_int_eq(ops->inbox_remove(store, &inbox, 1, &err), 0);
	inbox = arrived(1, 1);
	REPEATED(ops->inbox_remove(store, &inbox, 1, &err), "SELECT count(*) FROM inbox", "0");
#undef REPEATED
	store->ops->close(store);
	tcp_proxy_stop(proxy);
}
END_TEST

START_TEST(test_inbox__is_emptied_by_the_owner_alone)
{
	struct inbox_row row = arrived(1, 1);
	struct store *a = fresh(), *b;
	struct err err;

	put_inbox(a, 1, 1);
	b = open_url(postgres_again(SCHEMA), true); /* takes all slots */
	ck_assert_int_eq(a->ops->inbox_remove(a, &row, 1, &err), 0);
	ck_queues("0", "0", "1");
	ck_assert_int_eq(b->ops->inbox_remove(b, &row, 1, &err), 0);
	ck_queues("0", "0", "0");
	a->ops->close(a);
	b->ops->close(b);
}
END_TEST

static int any_outbox(void *ctx, const struct outbox_row *row)
{
	(void)row;
	++*(int *)ctx;
	return 0;
}

static int any_letter(void *ctx, const struct dead_letter_row *row)
{
	(void)row;
	++*(int *)ctx;
	return 0;
}

/* Tables as full as they may get: what belongs to others lies around what a statement looks for. */
static void fill(void)
{
	sql("INSERT INTO subscriptions SELECT n % 16, 'default', '" CHANNEL "', 'x' || n, n % 16,"
		" gen_random_uuid(), 'paid', -1, 0 FROM generate_series(1, 20000) AS g (n);"
		"INSERT INTO events SELECT n % 16, 'default', '" CHANNEL "', 'x' || n, 'e' || n, n,"
		" 1000000 + n, '{}' FROM generate_series(1, 20000) AS g (n);"
		"INSERT INTO inbox SELECT n % 16, gen_random_uuid(), gen_random_uuid(), 'default', n, '{}'"
		" FROM generate_series(1, 20000) AS g (n);"
		"INSERT INTO outbox (id, aggregatetype, type, slot, saga_id, seq, place, cluster, headers,"
		" created_at) SELECT gen_random_uuid(), 't', 't', n % 16, gen_random_uuid(), 1, 0,"
		" 'default', '{}', 1000000 + n FROM generate_series(1, 20000) AS g (n);"
		"INSERT INTO dead_letters SELECT 'default', gen_random_uuid(), 't' || n % 1000, 'default',"
		" 't', 0, n, n, n, NULL, NULL, '[]', 'unparsable', '', 1,"
		" CASE WHEN n % 1000 = 0 THEN 'waiting' ELSE 'discarded' END, NULL, 1000000 + n"
		" FROM generate_series(1, 20000) AS g (n);"
		"ANALYZE");
}

static void use_everything(struct store *store)
{
	const struct store_ops *ops = store->ops;
	const int slots[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
	struct inbox_page in = {.slots = slots, .n_slots = 16, .limit = 10};
	struct outbox_page out = {.slots = slots, .n_slots = 16, .limit = 10};
	struct dead_letter_filter filters[] = {
		{.ns = "default", .status = -1, .limit = 10},
		{.ns = "default", .status = DEAD_LETTER_WAITING, .limit = 10},
		{.ns = "default", .status = -1, .trigger = "t5", .limit = 10},
		{.ns = "default",
		 .status = -1,
		 .limit = 10,
		 .after_failed_at = 9000,
		 .after_id = "20000000-0000-5000-8000-000000000000"},
	};
	struct event_row event = event_of("v", "default/payments/0/1");
	struct store_item item = with_queues(1, 2, 1);
	struct outbox_row published = to_publish(0);
	struct inbox_row inbox = arrived(1, 1);
	bool touched[ROWS_SLOTS] = {false};
	struct store_reader *reader;
	struct err err = {0};
	int n = 0, rows = 0;

	ck_assert_int_eq(ops->inbox_put(store, &inbox, 1, &err), 0);
	ck_assert_int_eq(commit(store, &item, 1), 0);
	ck_assert_int_eq(item.verdict, STORE_ACCEPTED);
	ck_assert_int_eq(ops->events_put(store, &event, 1, touched, &err), 0);
	ck_assert(touched[1]);
	ck_assert_int_eq(ops->inbox_remove(store, &inbox, 1, &err), 0);
	memcpy(published.saga_id, rows_id(1), sizeof(published.saga_id));
	published.slot = 1;
	published.seq = 2;
	ck_assert_int_eq(ops->outbox_remove(store, &published, 1, &err), 0);
	ck_assert_int_eq(ops->events_expire(store, 1000011, 20, &n, &err), 0);
	ck_assert_int_eq(n, 10);
	ck_assert_int_eq(ops->outbox_expire(store, 1000011, 20, &n, &err), 0);
	ck_assert_int_eq(n, 10);
	ck_assert_int_eq(ops->retain(store, 1000011, 20, &n, &err), 0);
	ck_assert_int_eq(ops->reader_open(store, &reader, &err), 0);
	ck_assert_int_eq(ops->inbox_list(reader, &in, count_row, &rows, &err), 0);
	ck_assert_int_eq(ops->outbox_list(reader, &out, any_outbox, &rows, &err), 0);
	ck_assert_int_eq(rows, 20);
	ck_assert_int_eq(ops->early_events(reader, 1, rows_id(1), 0, "", 10, count_row, &rows, &err),
					 0);
	ck_assert_int_eq(rows, 21);
	for (size_t i = 0; i < ARRAY_SIZE(filters); i++)
		ck_assert_int_eq(ops->dead_letter_list(reader, &filters[i], any_letter, &rows, &err), 0);
	ck_assert_int_eq(rows, 61);
	ops->reader_close(reader);
}

/* Postgres counts what was read from tables and indexes; a backend tells it when it ends. */
START_TEST(test_indexes__no_statement_walks_a_table)
{
	struct store *store = fresh();

	ck_assert_int_eq(rows_put_create(store, 1), STORE_ACCEPTED);
	fill();
	store->ops->close(store);
	store = open_url(postgres_again(SCHEMA), true);
	sql("SELECT pg_stat_reset()");
	use_everything(store);
	store->ops->close(store);
	wait_until("SELECT count(*) = 0 FROM pg_stat_activity WHERE application_name LIKE 'skald:%'");
	wait_until("SELECT sum(idx_scan) > 0 FROM pg_stat_user_tables WHERE relname ="
			   " 'dead_letters' AND schemaname = current_schema()");
	ck_assert_str_eq(sql("SELECT coalesce(string_agg(relname, ' '), '') FROM pg_stat_user_tables"
						 " WHERE schemaname = current_schema() AND seq_scan > 0 AND relname IN"
						 " ('subscriptions', 'events', 'inbox', 'outbox', 'dead_letters')"),
					 "");
	/* 16 slots with 10 keys each is the most that any one of them has to look at, a few times. */
	ck_assert_str_eq(sql("SELECT coalesce(string_agg(indexrelname || ' ' || idx_tup_read, ', '),"
						 " '') FROM pg_stat_user_indexes WHERE schemaname = current_schema()"
						 " AND idx_tup_read > 400"),
					 "");
	ck_assert_str_eq(sql("SELECT coalesce(string_agg(indexrelname, ' ' ORDER BY indexrelname), '')"
						 " FROM pg_stat_user_indexes WHERE schemaname = current_schema()"
						 " AND idx_scan = 0 AND relname IN ('subscriptions', 'events', 'inbox',"
						 " 'outbox', 'dead_letters')"),
					 "");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("store_postgres_queues");
	TCase *tcase = tcase_create("queues");
	SRunner *runner;
	int failed;

	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, test_commit__a_fenced_item_leaves_its_queues_alone);
	tcase_add_test(tcase, test_commit__bisecting_writes_queues_once);
	tcase_add_test(tcase, test_commit__fills_the_columns_of_routers);
	tcase_add_test(tcase, test_commit__of_unknown_outcome_has_its_queues_or_not);
	tcase_add_test(tcase, test_commit__a_subscription_that_is_there_already_stays);
	tcase_add_test(tcase, test_events__a_look_comes_after_the_commit);
	tcase_add_test(tcase, test_events__crossing_with_who_waits_are_not_missed);
	tcase_add_test(tcase, test_events__of_two_nodes_at_once);
	tcase_add_test(tcase, test_unknown__what_is_repeated_adds_nothing);
	tcase_add_test(tcase, test_inbox__is_emptied_by_the_owner_alone);
	tcase_add_test(tcase, test_indexes__no_statement_walks_a_table);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}
