/*
 * A thread that reads pages of the outbox. Within a page the first row of each saga goes out, then
 * the second of each, and so on: many sagas make up for the wait between two rows of one.
 */
#include "coordinator/kafka/relay.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "coordinator/clock.h"
#include "coordinator/kafka/store_job.h"
#include "coordinator/log.h"
#include "sagas/outbox.h"

enum {
	PAGE_ROWS = 500,
	LOOK_EVERY_MS = 1000, /* for what was left, and for slots that were taken over */
	EXPIRE_EVERY_MS = 60 * 1000,
	EXPIRE_AFTER_MS = 3600 * 1000,
	EXPIRE_LIMIT = 1000,
	COMPLAIN_EVERY_MS = 10000,
};

struct relay;

/* A row of the page. */
struct item {
	struct outbox_row row;
	struct kafka_send send;
	struct relay *relay;
};

/* The rows of one saga in the page: next is the one to be sent. */
struct run {
	size_t next, end;
	bool failed;
};

struct relay {
	struct relay_options options;
	pthread_t thread;
	struct relay_stats stats; /* atomics */
	/* The thread's own. */
	struct store_reader *reader;
	int *slots;
	struct item *items; /* PAGE_ROWS */
	size_t n;
	struct run *runs; /* PAGE_ROWS */
	size_t n_runs;
	char failed_saga[SAGA_ID_SIZE]; /* the last of the page before; its next rows have to wait */
	int64_t complain_at_ms, expire_at_ms;
	wall_ms oldest;
	int64_t n_stuck;

	pthread_mutex_t mutex; /* of all that follows */
	pthread_cond_t changed;
	size_t out; /* sends that are not done */
	bool woken, stopping;
	int64_t stop_at_ms; /* monotonic */
};

/* Thread: producer's, or the relay's own. */
static void sent(struct kafka_send *send)
{
	struct relay *relay = CONTAINER_OF(send, struct item, send)->relay;

	pthread_mutex_lock(&relay->mutex);
	relay->out--;
	pthread_cond_signal(&relay->changed);
	pthread_mutex_unlock(&relay->mutex);
}

/* It may be sent later. */
static void refuse(struct item *item)
{
	item->send.result = KAFKA_NOT_SENT;
	sent(&item->send);
}

static void send_item(struct relay *relay, struct item *item)
{
	const struct outbox_row *row = &item->row;
	struct kafka_producer *producer = relay->options.producer(relay->options.ctx, row->cluster);
	struct outbox_headers headers;

	item->relay = relay;
	item->send = (struct kafka_send){
		.record =
			{
				.topic = row->topic,
				.partition = -1,
				.key = row->key,
				.key_len = row->key ? strlen(row->key) : 0,
				.value = row->payload,
				.value_len = row->payload_len,
			},
		.done = sent,
	};
	pthread_mutex_lock(&relay->mutex);
	relay->out++;
	pthread_mutex_unlock(&relay->mutex);
	if (!producer) {
		err_set(&item->send.err, ERR_INVALID, "there is no Kafka cluster `%s` in the configuration",
				row->cluster);
		refuse(item);
		return;
	}
	/* Without its id nobody could tell that a record came twice. */
	if (outbox_headers_read(row->headers, strlen(row->headers), &headers, &item->send.err) < 0) {
		refuse(item);
		return;
	}
	item->send.record.headers = headers.list;
	item->send.record.n_headers = headers.n;
	kafka_produce(producer, &item->send);
	outbox_headers_release(&headers);
}

static void wait_for_sends(struct relay *relay)
{
	pthread_mutex_lock(&relay->mutex);
	while (relay->out > 0)
		pthread_cond_wait(&relay->changed, &relay->mutex);
	pthread_mutex_unlock(&relay->mutex);
}

static void complain(struct relay *relay, const struct item *item)
{
	if (clock_mono_ms() < relay->complain_at_ms)
		return;
	relay->complain_at_ms = clock_mono_ms() + COMPLAIN_EVERY_MS;
	log_warn("kafka", item->row.saga_id, "an event for topic %s cannot be published now: %s",
			 item->row.topic, item->send.err.text);
}

/* One row of each saga; false when there was none left to send. */
static bool send_wave(struct relay *relay)
{
	bool any = false;

	for (size_t i = 0; i < relay->n_runs; i++) {
		struct run *run = &relay->runs[i];

		if (run->failed || run->next == run->end)
			continue;
		send_item(relay, &relay->items[run->next]);
		any = true;
	}
	wait_for_sends(relay);
	for (size_t i = 0; i < relay->n_runs; i++) {
		struct run *run = &relay->runs[i];
		const struct item *item = &relay->items[run->next];

		if (run->failed || run->next == run->end)
			continue;
		if (item->send.result == KAFKA_SENT) {
			run->next++;
			__atomic_add_fetch(&relay->stats.published, 1, __ATOMIC_RELAXED);
			continue;
		}
		run->failed = true;
		__atomic_add_fetch(&relay->stats.failed, 1, __ATOMIC_RELAXED);
		complain(relay, item);
	}
	return any;
}

/* The rows are in the order of sagas. A saga that had to stop in the page before stays stopped. */
static void make_runs(struct relay *relay)
{
	relay->n_runs = 0;
	for (size_t i = 0; i < relay->n; i++) {
		const char *saga_id = relay->items[i].row.saga_id;

		if (i == 0 || strcmp(saga_id, relay->items[i - 1].row.saga_id) != 0)
			relay->runs[relay->n_runs++] = (struct run){
				.next = i,
				.failed = strcmp(saga_id, relay->failed_saga) == 0,
			};
		relay->runs[relay->n_runs - 1].end = i + 1;
	}
}

struct removal {
	struct outbox_row rows[PAGE_ROWS];
	size_t n;
};

static int remove_rows(void *ctx, struct store *store, struct err *err)
{
	struct removal *removal = ctx;

	return store->ops->outbox_remove(store, removal->rows, removal->n, err);
}

/* What cannot be removed now is published once more, which its readers have to expect. */
static void remove_sent(struct relay *relay)
{
	CLEANUP(free_p) struct removal *removal = xcalloc(1, sizeof(*removal));
	struct err err;
	size_t i = 0;

	for (size_t k = 0; k < relay->n_runs; k++) {
		for (; i < relay->runs[k].next; i++)
			removal->rows[removal->n++] = relay->items[i].row;
		relay->n_stuck += (int64_t)(relay->runs[k].end - relay->runs[k].next);
		i = relay->runs[k].end;
	}
	if (removal->n > 0 && store_job_run(relay->options.writer, remove_rows, removal, &err) < 0)
		log_warn("kafka", NULL, "%zu rows of the outbox were published and stay: %s", removal->n,
				 err.text);
}

static int add_row(void *ctx, const struct outbox_row *row)
{
	struct relay *relay = ctx;

	outbox_row_copy(row, &relay->items[relay->n++].row);
	if (relay->oldest == 0 || row->created_at < relay->oldest)
		relay->oldest = row->created_at;
	return 0;
}

static bool time_is_up(struct relay *relay)
{
	bool up;

	pthread_mutex_lock(&relay->mutex);
	up = relay->stopping && clock_mono_ms() >= relay->stop_at_ms;
	pthread_mutex_unlock(&relay->mutex);
	return up;
}

/* One page; its last row is where the next one begins. False: there is no next one. */
static bool relay_page(struct relay *relay, struct outbox_page *page)
{
	const struct store_ops *ops = relay->options.store->ops;
	const struct outbox_row *last;
	struct err err;
	bool more;

	relay->n = 0;
	if (ops->outbox_list(relay->reader, page, add_row, relay, &err) < 0) {
		log_warn("kafka", NULL, "the outbox cannot be read now: %s", err.text);
		more = false;
	} else {
		more = relay->n == PAGE_ROWS;
		make_runs(relay);
		while (send_wave(relay))
			;
		remove_sent(relay);
	}
	relay->failed_saga[0] = '\0';
	if (more) {
		last = &relay->items[relay->n - 1].row;
		memcpy(page->after_saga_id, last->saga_id, sizeof(page->after_saga_id));
		page->after_seq = last->seq;
		page->after_place = last->place;
		if (relay->runs[relay->n_runs - 1].failed)
			memcpy(relay->failed_saga, last->saga_id, sizeof(relay->failed_saga));
	}
	for (size_t i = 0; i < relay->n; i++)
		outbox_row_release(&relay->items[i].row);
	return more;
}

static void relay_all(struct relay *relay)
{
	struct outbox_page page = {
		.slots = relay->slots,
		.n_slots = owners_here(relay->options.owners, relay->slots),
		.limit = PAGE_ROWS,
	};

	relay->oldest = 0;
	relay->n_stuck = 0;
	relay->failed_saga[0] = '\0';
	if (page.n_slots > 0)
		while (relay_page(relay, &page) && !time_is_up(relay))
			;
	__atomic_store_n(&relay->stats.stuck, relay->n_stuck, __ATOMIC_RELAXED);
	__atomic_store_n(&relay->stats.oldest_ms, relay->oldest ? clock_wall() - relay->oldest : 0,
					 __ATOMIC_RELAXED);
}

struct expiry {
	wall_ms before;
	int n;
};

static int expire(void *ctx, struct store *store, struct err *err)
{
	struct expiry *expiry = ctx;

	return store->ops->outbox_expire(store, expiry->before, EXPIRE_LIMIT, &expiry->n, err);
}

static void expire_all(struct relay *relay)
{
	struct expiry expiry = {.before = clock_wall() - EXPIRE_AFTER_MS};
	struct err err;

	if (clock_mono_ms() < relay->expire_at_ms)
		return;
	do {
		expiry.n = 0;
		if (store_job_run(relay->options.writer, expire, &expiry, &err) < 0)
			log_warn("kafka", NULL, "the outbox cannot be cleared now: %s", err.text);
	} while (expiry.n == EXPIRE_LIMIT);
	relay->expire_at_ms = clock_mono_ms() + EXPIRE_EVERY_MS;
}

/* False when it is to stop. */
static bool wait_for_rows(struct relay *relay)
{
	int64_t at_ms = clock_mono_ms() + LOOK_EVERY_MS;
	struct timespec until = {.tv_sec = at_ms / 1000, .tv_nsec = at_ms % 1000 * 1000000};
	bool go_on;
	int r = 0;

	pthread_mutex_lock(&relay->mutex);
	while (!relay->woken && !relay->stopping && r == 0)
		r = pthread_cond_timedwait(&relay->changed, &relay->mutex, &until);
	relay->woken = false;
	go_on = !relay->stopping;
	pthread_mutex_unlock(&relay->mutex);
	return go_on;
}

static void *relay_main(void *arg)
{
	struct relay *relay = arg;

	while (wait_for_rows(relay)) {
		if (relay->options.cdc)
			expire_all(relay);
		else
			relay_all(relay);
	}
	/* What the drain has left. */
	if (!relay->options.cdc && !time_is_up(relay))
		relay_all(relay);
	return NULL;
}

int relay_start(const struct relay_options *options, struct relay **ret_relay, struct err *err)
{
	struct relay *relay = xcalloc(1, sizeof(*relay));
	int r;

	relay->options = *options;
	relay->slots = xcalloc(SLOTS_MAX, sizeof(*relay->slots));
	relay->items = xcalloc(PAGE_ROWS, sizeof(*relay->items));
	relay->runs = xcalloc(PAGE_ROWS, sizeof(*relay->runs));
	CHECK(pthread_mutex_init(&relay->mutex, NULL) == 0);
	clock_cond_init(&relay->changed);
	r = options->store->ops->reader_open(options->store, &relay->reader, err);
	if (r == 0 && pthread_create(&relay->thread, NULL, relay_main, relay) != 0)
		r = err_set(err, ERR_UNAVAILABLE, "cannot start the thread of the relay");
	if (r < 0) {
		relay_free(relay);
		return r;
	}
	pthread_setname_np(relay->thread, "skald-relay");
	*ret_relay = relay;
	return 0;
}

void relay_wake(struct relay *relay)
{
	pthread_mutex_lock(&relay->mutex);
	relay->woken = true;
	pthread_cond_signal(&relay->changed);
	pthread_mutex_unlock(&relay->mutex);
}

void relay_stop(struct relay *relay, int64_t grace_ms)
{
	pthread_mutex_lock(&relay->mutex);
	relay->stopping = true;
	relay->stop_at_ms = clock_mono_ms() + grace_ms;
	pthread_cond_signal(&relay->changed);
	pthread_mutex_unlock(&relay->mutex);
	pthread_join(relay->thread, NULL);
}

void relay_free(struct relay *relay)
{
	if (!relay)
		return;
	if (relay->reader)
		relay->options.store->ops->reader_close(relay->reader);
	pthread_cond_destroy(&relay->changed);
	pthread_mutex_destroy(&relay->mutex);
	free(relay->slots);
	free(relay->items);
	free(relay->runs);
	free(relay);
}

void relay_stats(struct relay *relay, struct relay_stats *ret_stats)
{
	ret_stats->published = __atomic_load_n(&relay->stats.published, __ATOMIC_RELAXED);
	ret_stats->failed = __atomic_load_n(&relay->stats.failed, __ATOMIC_RELAXED);
	ret_stats->stuck = __atomic_load_n(&relay->stats.stuck, __ATOMIC_RELAXED);
	ret_stats->oldest_ms = __atomic_load_n(&relay->stats.oldest_ms, __ATOMIC_RELAXED);
}
