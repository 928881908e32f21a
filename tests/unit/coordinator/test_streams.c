/*
 * Streams over a store that has as many rows as it is told, and connections that read when the test
 * reads for them.
 */
#include "coordinator/streams.h"

#include <check.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "coordinator/clock.h"

enum { MAX = 4 };
static const char saga[] = "0198c0de-7a31-7abc-bf11-223344556677";
static const char other_saga[] = "0198c0de-7a31-7abc-bf11-223344556688";

/* The store. */
static struct {
	pthread_mutex_t lock;
	int64_t n_rows;
	size_t row_bytes;
	int fail_every; /* so many calls fail; 0: none */
	int calls;
	int64_t given; /* rows */
	int readers;
} rows = {.lock = PTHREAD_MUTEX_INITIALIZER};

static int reader_open(struct store *store, struct store_reader **ret_reader, struct err *err)
{
	struct store_reader *reader = xcalloc(1, sizeof(*reader));

	(void)err;
	reader->store = store;
	*ret_reader = reader;
	rows.readers++;
	return 0;
}

static void reader_close(struct store_reader *reader)
{
	free(reader);
	rows.readers--;
}

static int history(struct store_reader *reader, const char *id, int64_t after_seq, int limit,
				   int (*row)(void *ctx, const struct history_row *row), void *ctx, struct err *err)
{
	CLEANUP(free_p) char *events = NULL;
	int64_t n_rows;
	bool fails;
	int r = 0;

	(void)reader;
	pthread_mutex_lock(&rows.lock);
	n_rows = strcmp(id, saga) == 0 ? rows.n_rows : 1;
	fails = rows.fail_every && ++rows.calls % rows.fail_every == 0;
	pthread_mutex_unlock(&rows.lock);
	events = xasprintf("[{\"type\":\"X\",\n\"pad\":\r\n\"%*s\"}]", (int)rows.row_bytes, "");
	for (int64_t seq = after_seq + 1; seq <= n_rows && limit-- > 0 && r == 0; seq++) {
		const struct history_row given = {seq, 1767225600000, events, strlen(events)};

		/* A connection may break between two rows. */
		if (fails && seq % 3 == 0)
			return err_set(err, ERR_UNAVAILABLE, "away");
		__atomic_add_fetch(&rows.given, 1, __ATOMIC_RELAXED);
		r = row(ctx, &given);
	}
	return r;
}

static const struct store_ops ops = {
	.reader_open = reader_open, .reader_close = reader_close, .history = history};
static struct store store = {.ops = &ops};

/* A connection, and what it was sent. */
struct connection {
	struct stream *stream;
	pthread_mutex_t lock;
	pthread_cond_t resumed;
	int resumes;
	struct buf text;
	bool ended;
};

static struct streams *streams;

static void resume(void *ctx, void *connection)
{
	struct connection *c = connection;

	(void)ctx;
	pthread_mutex_lock(&c->lock);
	c->resumes++;
	pthread_cond_signal(&c->resumed);
	pthread_mutex_unlock(&c->lock);
}

static void connection_open(struct connection *c, const char *saga_id, int64_t after)
{
	const struct stream_source source = {.ns = "default", .saga_id = saga_id, .after = after};

	*c = (struct connection){0};
	pthread_mutex_init(&c->lock, NULL);
	pthread_cond_init(&c->resumed, NULL);
	buf_init(&c->text, 0);
	c->stream = stream_open(streams, &source, c, -1);
}

static void connection_close(struct connection *c)
{
	if (c->stream)
		stream_close(c->stream);
	pthread_cond_destroy(&c->resumed);
	pthread_mutex_destroy(&c->lock);
	buf_release(&c->text);
}

/* What a server does when it can write up to max bytes; waits while there is nothing. */
static void take(struct connection *c, size_t max)
{
	char data[4096];
	int n = stream_read(c->stream, data, max < sizeof(data) ? max : sizeof(data));

	if (n < 0) {
		c->ended = true;
	} else if (n > 0) {
		buf_add(&c->text, data, (size_t)n);
	} else if (stream_park(c->stream)) {
		pthread_mutex_lock(&c->lock);
		while (c->resumes == 0)
			pthread_cond_wait(&c->resumed, &c->lock);
		ck_assert_int_eq(c->resumes, 1);
		c->resumes = 0;
		pthread_mutex_unlock(&c->lock);
	}
}

static bool is_whole(const struct buf *text)
{
	return text->len >= 2 && strcmp(text->data + text->len - 2, "\n\n") == 0;
}

/* And to the end of that event. */
static void take_until(struct connection *c, const char *text)
{
	while (!c->ended && (!strstr(buf_str(&c->text), text) || !is_whole(&c->text))) {
		take(c, 4096);
		ck_assert_msg(c->text.len < 4 * 1024 * 1024, "so much, and no %s", text);
	}
	ck_assert_msg(!c->ended, "it ended before %s", text);
}

/* Every row from `first` to `last`, once and in order. */
static void assert_rows(const struct connection *c, int64_t first, int64_t last)
{
	const char *p = buf_str(&c->text);
	int64_t expected = first;

	while ((p = strstr(p, "\nid: "))) {
		long long id = 0, seq = 0;

		ck_assert_int_eq(sscanf(p, "\nid: %lld\ndata: {\"seq\":%lld,", &id, &seq), 2);
		ck_assert_int_eq(id, expected);
		ck_assert_int_eq(seq, expected);
		expected++;
		p++;
	}
	ck_assert_int_eq(expected, last + 1);
}

static void set_rows(int64_t n)
{
	pthread_mutex_lock(&rows.lock);
	rows.n_rows = n;
	pthread_mutex_unlock(&rows.lock);
	streams_touched(streams, saga);
}

static void setup(void)
{
	const struct streams_options options = {.store = &store, .max = MAX, .resume = resume};
	struct err err;

	clock_start();
	rows.n_rows = 0;
	rows.row_bytes = 10;
	rows.fail_every = rows.calls = rows.readers = 0;
	rows.given = 0;
	streams = streams_new();
	ck_assert_int_eq(streams_start(streams, &options, &err), 0);
}

static void teardown(void)
{
	streams_end(streams);
	streams_halt(streams);
	streams_free(streams);
	ck_assert_int_eq(rows.readers, 0);
}

START_TEST(test_streams__rows_in_order)
{
	struct connection c, rest;

	rows.n_rows = 1000;
	connection_open(&c, saga, 0);
	take_until(&c, "\nid: 1000\n");
	for (int64_t n = 1001; n <= 1050; n++) {
		char id[32];

		set_rows(n);
		snprintf(id, sizeof(id), "\nid: %lld\n", (long long)n);
		take_until(&c, id);
	}
	assert_rows(&c, 1, 1050);
	ck_assert_int_eq(strncmp(buf_str(&c.text), "retry: 1000\n\nevent: history\nid: 1\n", 34), 0);
	connection_open(&rest, saga, 1000);
	take_until(&rest, "\nid: 1050\n");
	assert_rows(&rest, 1001, 1050);
	connection_close(&c);
	connection_close(&rest);
}
END_TEST

/* A line break would end the data, and a carriage return too. */
START_TEST(test_streams__data_is_one_line)
{
	struct connection c;
	const char *data;

	rows.n_rows = 2;
	connection_open(&c, saga, 0);
	take_until(&c, "\nid: 2\n");
	data = strstr(buf_str(&c.text), "data: ");
	ck_assert_ptr_nonnull(data);
	ck_assert_ptr_null(strchr(buf_str(&c.text), '\r'));
	ck_assert_int_eq(strncmp(strchr(data, '\n'), "\n\nevent: ", 9), 0);
	connection_close(&c);
}
END_TEST

START_TEST(test_streams__a_slow_reader_costs_a_page)
{
	struct connection slow, quick;

	rows.row_bytes = 1000;
	rows.n_rows = 1000;
	connection_open(&slow, saga, 0);
	/* It takes its first bytes, and then no more. */
	while (slow.text.len < 100)
		take(&slow, 10);
	/* A page of 64 KiB, and one row more. */
	ck_assert_int_le(__atomic_load_n(&rows.given, __ATOMIC_RELAXED), 66);
	connection_open(&quick, saga, 0);
	for (int64_t n = 1001; n <= 1020; n++)
		set_rows(n);
	take_until(&quick, "\nid: 1020\n");
	assert_rows(&quick, 1, 1020);
	ck_assert_int_le(__atomic_load_n(&rows.given, __ATOMIC_RELAXED), 1020 + 66);
	/* When it goes on, it misses nothing. */
	take_until(&slow, "\nid: 1020\n");
	assert_rows(&slow, 1, 1020);
	connection_close(&slow);
	connection_close(&quick);
}
END_TEST

START_TEST(test_streams__a_store_that_fails_loses_nothing)
{
	struct connection c;

	rows.fail_every = 2;
	rows.n_rows = 3;
	connection_open(&c, saga, 0);
	for (int64_t n = 4; n <= 60; n++)
		set_rows(n);
	take_until(&c, "\nid: 60\n");
	assert_rows(&c, 1, 60);
	connection_close(&c);
}
END_TEST

START_TEST(test_streams__there_are_so_many_at_most)
{
	struct connection c[MAX], more;
	struct streams_stats stats;

	for (int i = 0; i < MAX; i++) {
		connection_open(&c[i], saga, 0);
		ck_assert_ptr_nonnull(c[i].stream);
	}
	connection_open(&more, saga, 0);
	ck_assert_ptr_null(more.stream);
	connection_close(&more);
	connection_close(&c[0]);
	connection_open(&c[0], other_saga, 0);
	take_until(&c[0], "\nid: 1\n");
	streams_stats(streams, &stats);
	ck_assert_int_eq(stats.open, MAX);
	ck_assert_int_eq(stats.opened, MAX + 1);
	ck_assert_int_eq(stats.refused, 1);
	for (int i = 0; i < MAX; i++)
		connection_close(&c[i]);
	streams_stats(streams, &stats);
	ck_assert_int_eq(stats.open, 0);
}
END_TEST

START_TEST(test_streams__end)
{
	struct connection c, late;

	rows.n_rows = 3;
	connection_open(&c, saga, 0);
	take_until(&c, "\nid: 3\n");
	streams_end(streams);
	while (!c.ended)
		take(&c, 4096);
	assert_rows(&c, 1, 3);
	ck_assert(is_whole(&c.text));
	connection_open(&late, saga, 0);
	ck_assert_ptr_null(late.stream);
	connection_close(&late);
	streams_halt(streams);
	/* Connections end when they end. */
	connection_close(&c);
}
END_TEST

/* One whose client is gone ends, although nothing is sent to it. */
START_TEST(test_streams__notice_who_is_gone)
{
	struct connection c = {0};
	const struct stream_source source = {.ns = "default", .saga_id = saga};
	int fds[2];

	ck_assert_int_eq(pipe(fds), 0);
	pthread_mutex_init(&c.lock, NULL);
	pthread_cond_init(&c.resumed, NULL);
	buf_init(&c.text, 0);
	c.stream = stream_open(streams, &source, &c, fds[0]);
	take(&c, 4096);
	ck_assert_str_eq(buf_str(&c.text), "retry: 1000\n\n");
	close(fds[1]);
	while (!c.ended)
		take(&c, 4096);
	connection_close(&c);
	close(fds[0]);
}
END_TEST

static void *touch(void *arg)
{
	bool *stop = arg;

	for (int64_t n = 1; !__atomic_load_n(stop, __ATOMIC_RELAXED); n++)
		set_rows(n);
	return NULL;
}

/* Streams come and go while others write: for the sanitizers, above all. */
START_TEST(test_streams__come_and_go)
{
	unsigned seed = (unsigned)clock_mono_us();
	struct connection c[MAX] = {0};
	bool stop = false;
	pthread_t writer;

	printf("seed %u\n", seed);
	rows.fail_every = 7;
	ck_assert_int_eq(pthread_create(&writer, NULL, touch, &stop), 0);
	for (int i = 0; i < 20000; i++) {
		struct connection *one = &c[rand_r(&seed) % MAX];

		if (!one->stream) {
			connection_open(one, rand_r(&seed) % 3 ? saga : other_saga, 0);
		} else if (rand_r(&seed) % 20 == 0) {
			connection_close(one);
			one->stream = NULL;
		} else {
			char data[512];
			int n = stream_read(one->stream, data, 1 + (size_t)rand_r(&seed) % sizeof(data));

			ck_assert_int_ge(n, 0);
		}
	}
	__atomic_store_n(&stop, true, __ATOMIC_RELAXED);
	pthread_join(writer, NULL);
	for (int i = 0; i < MAX; i++) {
		if (c[i].stream)
			connection_close(&c[i]);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("streams");
	TCase *tc = tcase_create("streams");
	SRunner *runner;
	int failed;

	tcase_set_timeout(tc, 30);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, test_streams__rows_in_order);
	tcase_add_test(tc, test_streams__data_is_one_line);
	tcase_add_test(tc, test_streams__a_slow_reader_costs_a_page);
	tcase_add_test(tc, test_streams__a_store_that_fails_loses_nothing);
	tcase_add_test(tc, test_streams__there_are_so_many_at_most);
	tcase_add_test(tc, test_streams__end);
	tcase_add_test(tc, test_streams__notice_who_is_gone);
	tcase_add_test(tc, test_streams__come_and_go);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
