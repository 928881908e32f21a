#include "coordinator/webhooks.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "coordinator/clock.h"
#include "coordinator/kafka/channels.h"
#include "coordinator/kafka/store_job.h"
#include "coordinator/log.h"
#include "sagas/json_text.h"
#include "sagas/trigger.h"

enum { EXPIRE_EVERY_MS = 20000, EXPIRE_AGAIN_MS = 50, EXPIRE_LIMIT = 1000 };

struct webhooks {
	struct webhooks_options options;
	struct webhooks_stats stats; /* atomics */
	pthread_t thread;
	bool started;

	pthread_mutex_t looking; /* of channels, while the store is read */
	struct channels channels;

	pthread_mutex_t mutex; /* of stopping */
	pthread_cond_t stopped;
	bool stopping;
};

static void count(int64_t *counter, int64_t n)
{
	__atomic_add_fetch(counter, n, __ATOMIC_RELAXED);
}

const struct webhook_check *webhooks_check(const struct webhooks *webhooks, const char *source)
{
	for (size_t i = 0; i < webhooks->options.n_checks; i++)
		if (strcmp(webhooks->options.checks[i].source, source) == 0)
			return &webhooks->options.checks[i];
	return NULL;
}

/* Taking. */

struct rows {
	struct event_row rows[STORE_PUT_MAX];
	char values[STORE_PUT_MAX][STORE_VALUE_MAX_BYTES + 1];
	size_t n;
	bool touched[SLOTS_MAX];
};

/*
 * The expressions over the source, as of what is deployed now, so that no saga can wait for an
 * event that was passed over for want of its definition. They live as long as the webhooks do.
 */
static int find_channels(struct webhooks *webhooks, struct store_reader *reader,
						 const struct webhook_event *event, const struct channel **ret_found,
						 size_t *ret_n, struct err *err)
{
	struct channel *found = NULL;
	bool changed = false;
	size_t n = 0;
	int r;

	pthread_mutex_lock(&webhooks->looking);
	r = channels_refresh(&webhooks->channels, reader, webhooks->options.registry, &changed, err);
	for (size_t i = 0; r == 0 && i < webhooks->channels.n; i++) {
		const struct channel *channel = &webhooks->channels.channels[i];

		if (strcmp(channel->ns, event->ns) != 0 || strcmp(channel->on->topic, event->source) != 0)
			continue;
		found = xrealloc_array(found, n + 1, sizeof(*found));
		found[n++] = *channel;
	}
	pthread_mutex_unlock(&webhooks->looking);
	*ret_found = found;
	*ret_n = n;
	return r;
}

static void add_rows(const struct webhooks *webhooks, const struct webhook_event *event,
					 const char *id, const struct buf *text, const struct channel *channels,
					 size_t n, struct rows *rows)
{
	wall_ms now = clock_wall();

	for (size_t i = 0; i < n && rows->n < STORE_PUT_MAX; i++) {
		if (!correlate_value_in(channels[i].def->around, channels[i].on, event->event,
								rows->values[rows->n]))
			continue;
		rows->rows[rows->n] = (struct event_row){
			.ns = channels[i].ns,
			.channel = channels[i].on->channel,
			.value = rows->values[rows->n],
			.id = id,
			.at = now,
			.expires_at = now + webhooks->options.keep_ms,
			.event = buf_str(text),
			.event_len = text->len,
		};
		rows->n++;
	}
}

static int put(void *ctx, struct store *store, struct err *err)
{
	struct rows *rows = ctx;

	return store->ops->events_put(store, rows->rows, rows->n, rows->touched, err);
}

int webhooks_take(struct webhooks *webhooks, struct store_reader *reader,
				  const struct webhook_event *event, struct err *err)
{
	CLEANUP(free_p) char *id = xasprintf("webhook/%s/%s", event->source, event->id);
	CLEANUP(free_p) struct rows *rows = NULL;
	CLEANUP(buf_release) struct buf text;
	const struct channel *channels = NULL;
	size_t n = 0;
	int r;

	buf_init(&text, 0);
	r = find_channels(webhooks, reader, event, &channels, &n, err);
	if (r == 0 && n == 0)
		r = err_set(err, ERR_NOT_FOUND, "no definition in namespace %s waits for webhook `%.100s`",
					event->ns, event->source);
	if (r == 0) {
		rows = xcalloc(1, sizeof(*rows));
		json_write(event->event, &text);
		add_rows(webhooks, event, id, &text, channels, n, rows);
		if (rows->n > 0)
			r = store_job_run(webhooks->options.writer, put, rows, err);
	}
	free((void *)channels);
	if (r < 0)
		return r;
	count(&webhooks->stats.taken, 1);
	count(&webhooks->stats.kept, (int64_t)rows->n);
	if (rows->n > 0)
		owners_wake(&webhooks->options.owners, rows->touched);
	return 0;
}

void webhooks_called_back(struct webhooks *webhooks, int slot)
{
	bool touched[SLOTS_MAX] = {false};

	count(&webhooks->stats.callbacks, 1);
	touched[slot] = true;
	owners_wake(&webhooks->options.owners, touched);
}

void webhooks_note_refused(struct webhooks *webhooks)
{
	count(&webhooks->stats.refused, 1);
}

/* Removing what is over. */

struct expiry {
	wall_ms before;
	int n;
};

static int expire(void *ctx, struct store *store, struct err *err)
{
	struct expiry *expiry = ctx;

	return store->ops->events_expire(store, expiry->before, EXPIRE_LIMIT, &expiry->n, err);
}

/* How long until the next time. */
static int64_t expire_some(struct webhooks *webhooks)
{
	struct expiry expiry = {.before = clock_wall()};
	struct err err;

	if (store_job_run(webhooks->options.writer, expire, &expiry, &err) < 0)
		return EXPIRE_EVERY_MS;
	count(&webhooks->stats.expired, expiry.n);
	return expiry.n == EXPIRE_LIMIT ? EXPIRE_AGAIN_MS : EXPIRE_EVERY_MS;
}

static void *webhooks_main(void *arg)
{
	struct webhooks *webhooks = arg;
	int64_t at_ms = clock_mono_ms() + EXPIRE_EVERY_MS;

	pthread_mutex_lock(&webhooks->mutex);
	while (!webhooks->stopping) {
		struct timespec until = {.tv_sec = at_ms / 1000, .tv_nsec = at_ms % 1000 * 1000000};

		pthread_cond_timedwait(&webhooks->stopped, &webhooks->mutex, &until);
		if (webhooks->stopping || clock_mono_ms() < at_ms)
			continue;
		pthread_mutex_unlock(&webhooks->mutex);
		at_ms = clock_mono_ms() + expire_some(webhooks);
		pthread_mutex_lock(&webhooks->mutex);
	}
	pthread_mutex_unlock(&webhooks->mutex);
	return NULL;
}

int webhooks_start(const struct webhooks_options *options, struct webhooks **ret_webhooks,
				   struct err *err)
{
	struct webhooks *webhooks = xcalloc(1, sizeof(*webhooks));

	webhooks->options = *options;
	webhooks->channels.webhooks = true;
	CHECK(pthread_mutex_init(&webhooks->looking, NULL) == 0);
	CHECK(pthread_mutex_init(&webhooks->mutex, NULL) == 0);
	clock_cond_init(&webhooks->stopped);
	if (pthread_create(&webhooks->thread, NULL, webhooks_main, webhooks) != 0) {
		webhooks_free(webhooks);
		return err_set(err, ERR_UNAVAILABLE, "cannot start the thread of webhooks");
	}
	pthread_setname_np(webhooks->thread, "skald-webhooks");
	webhooks->started = true;
	*ret_webhooks = webhooks;
	return 0;
}

void webhooks_stop(struct webhooks *webhooks)
{
	if (!webhooks || !webhooks->started)
		return;
	pthread_mutex_lock(&webhooks->mutex);
	webhooks->stopping = true;
	pthread_cond_signal(&webhooks->stopped);
	pthread_mutex_unlock(&webhooks->mutex);
	pthread_join(webhooks->thread, NULL);
	webhooks->started = false;
}

void webhooks_free(struct webhooks *webhooks)
{
	if (!webhooks)
		return;
	CHECK(!webhooks->started);
	channels_release(&webhooks->channels);
	pthread_cond_destroy(&webhooks->stopped);
	pthread_mutex_destroy(&webhooks->looking);
	pthread_mutex_destroy(&webhooks->mutex);
	free(webhooks);
}

void webhooks_stats(struct webhooks *webhooks, struct webhooks_stats *ret_stats)
{
	ret_stats->taken = __atomic_load_n(&webhooks->stats.taken, __ATOMIC_RELAXED);
	ret_stats->kept = __atomic_load_n(&webhooks->stats.kept, __ATOMIC_RELAXED);
	ret_stats->refused = __atomic_load_n(&webhooks->stats.refused, __ATOMIC_RELAXED);
	ret_stats->callbacks = __atomic_load_n(&webhooks->stats.callbacks, __ATOMIC_RELAXED);
	ret_stats->expired = __atomic_load_n(&webhooks->stats.expired, __ATOMIC_RELAXED);
}
