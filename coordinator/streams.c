/*
 * One lock for all streams, held for moments: never while the store is read, nor while a
 * connection is resumed. A stream that the thread is at is `held`: who closes it meanwhile leaves
 * it to the thread to be freed.
 */
#include "coordinator/streams.h"

#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "coordinator/clock.h"

enum {
	PAGE_ROWS = 200,
	PAGE_BYTES = 64 * 1024, /* and one row more */
	WATCH_BUCKETS = 1024,
};

struct stream {
	struct stream *prev, *next;
	struct streams *streams;
	void *connection;
	int fd;
	char ns[NAMESPACE_MAX_BYTES + 1];
	char saga_id[SAGA_ID_SIZE]; /* "": the overview */
	int minutes;
	/* Under the lock; what busy covers is the thread's meanwhile: pending, seq, tag. */
	struct buf pending;
	size_t sent; /* of pending */
	int64_t seq; /* of the last row in pending, or before it */
	char tag[OVERVIEW_TAG_SIZE];
	int64_t due_ms, written_ms;
	bool parked; /* its connection is suspended, and will be resumed once */
	bool touched, more, closed;
	bool busy; /* the thread fills pending */
	bool held; /* it stays in the list, closed or not */
	bool over; /* when all is sent */
};

struct streams {
	struct streams_options options;
	pthread_t thread;
	pthread_mutex_t lock; /* of all that follows */
	pthread_cond_t changed;
	struct stream *first;
	bool started, ended, stop;
	bool work; /* something has changed since the thread began to look */
	struct streams_stats stats;
	struct store_reader *reader; /* the thread's */
	/* How many streams follow sagas of this hash: read without the lock. */
	_Atomic int watchers[WATCH_BUCKETS];
};

struct streams *streams_new(void)
{
	struct streams *streams = xcalloc(1, sizeof(*streams));

	CHECK(pthread_mutex_init(&streams->lock, NULL) == 0);
	clock_cond_init(&streams->changed);
	return streams;
}

void streams_free(struct streams *streams)
{
	if (!streams)
		return;
	CHECK(!streams->first);
	pthread_cond_destroy(&streams->changed);
	pthread_mutex_destroy(&streams->lock);
	free(streams);
}

static unsigned bucket_of(const char *saga_id)
{
	unsigned hash = 2166136261u;

	for (; *saga_id; saga_id++)
		hash = (hash ^ (unsigned char)*saga_id) * 16777619u;
	return hash % WATCH_BUCKETS;
}

static void watch(struct stream *stream, int by)
{
	if (stream->saga_id[0])
		atomic_fetch_add_explicit(&stream->streams->watchers[bucket_of(stream->saga_id)], by,
								  memory_order_relaxed);
}

static void tell(struct streams *streams)
{
	streams->work = true;
	pthread_cond_signal(&streams->changed);
}

/* A commit that is missed here is seen within a second. */
void streams_touched(struct streams *streams, const char *saga_id)
{
	_Atomic int *watchers = &streams->watchers[bucket_of(saga_id)];

	if (atomic_load_explicit(watchers, memory_order_relaxed) == 0)
		return;
	pthread_mutex_lock(&streams->lock);
	for (struct stream *stream = streams->first; stream; stream = stream->next) {
		if (strcmp(stream->saga_id, saga_id) == 0) {
			stream->touched = true;
			tell(streams);
		}
	}
	pthread_mutex_unlock(&streams->lock);
}

/* The connection's side. */

struct stream *stream_open(struct streams *streams, const struct stream_source *source,
						   void *connection, int fd)
{
	struct stream *stream = NULL;

	pthread_mutex_lock(&streams->lock);
	if (streams->ended || streams->stats.open >= streams->options.max) {
		streams->stats.refused++;
		goto out;
	}
	stream = xcalloc(1, sizeof(*stream));
	stream->streams = streams;
	stream->connection = connection;
	stream->fd = fd;
	snprintf(stream->ns, sizeof(stream->ns), "%s", source->ns);
	if (source->saga_id)
		snprintf(stream->saga_id, sizeof(stream->saga_id), "%s", source->saga_id);
	stream->minutes = source->minutes;
	stream->seq = source->after;
	snprintf(stream->tag, sizeof(stream->tag), "%s", source->tag);
	stream->written_ms = clock_mono_ms();
	buf_init(&stream->pending, 0);
	buf_printf(&stream->pending, "retry: %d\n\n", STREAM_RETRY_MS);
	stream->next = streams->first;
	if (stream->next)
		stream->next->prev = stream;
	streams->first = stream;
	streams->stats.open++;
	streams->stats.opened++;
	watch(stream, 1);
	tell(streams);
out:
	pthread_mutex_unlock(&streams->lock);
	return stream;
}

static void stream_free(struct stream *stream)
{
	struct streams *streams = stream->streams;

	if (stream->prev)
		stream->prev->next = stream->next;
	else
		streams->first = stream->next;
	if (stream->next)
		stream->next->prev = stream->prev;
	buf_release(&stream->pending);
	free(stream);
}

void stream_close(struct stream *stream)
{
	struct streams *streams = stream->streams;

	pthread_mutex_lock(&streams->lock);
	CHECK(!stream->parked && !stream->closed);
	stream->closed = true;
	watch(stream, -1);
	streams->stats.open--;
	if (!stream->held)
		stream_free(stream);
	pthread_mutex_unlock(&streams->lock);
}

static size_t unsent(const struct stream *stream)
{
	return stream->busy ? 0 : stream->pending.len - stream->sent;
}

static bool is_over(const struct stream *stream)
{
	return stream->over || stream->streams->ended;
}

int stream_read(struct stream *stream, char *data, size_t max)
{
	struct streams *streams = stream->streams;
	size_t n;

	pthread_mutex_lock(&streams->lock);
	n = unsent(stream);
	if (n > max)
		n = max;
	if (n > INT32_MAX)
		n = INT32_MAX;
	if (n > 0) {
		memcpy(data, stream->pending.data + stream->sent, n);
		stream->sent += n;
		if (unsent(stream) == 0) {
			/* The memory goes with it: most streams have nothing to send for long. */
			buf_release(&stream->pending);
			buf_init(&stream->pending, 0);
			stream->sent = 0;
			tell(streams);
		}
	}
	if (n == 0 && is_over(stream)) {
		pthread_mutex_unlock(&streams->lock);
		return -1;
	}
	pthread_mutex_unlock(&streams->lock);
	return (int)n;
}

bool stream_park(struct stream *stream)
{
	struct streams *streams = stream->streams;
	bool parked;

	pthread_mutex_lock(&streams->lock);
	parked = stream->parked = unsent(stream) == 0 && !is_over(stream);
	pthread_mutex_unlock(&streams->lock);
	return parked; /* and not what it is by now */
}

/* The thread's side. */

struct page {
	struct stream *stream;
	int rows;
	bool full;
};

/* A line break in JSON text stands between tokens, where a blank means the same. */
static void add_in_one_line(struct buf *out, const char *text, size_t len)
{
	size_t start = out->len;

	buf_add(out, text, len);
	if (out->failed)
		return;
	for (char *p = out->data + start; p < out->data + out->len; p++) {
		if (*p == '\n' || *p == '\r')
			*p = ' ';
	}
}

static int add_row(void *ctx, const struct history_row *row)
{
	struct page *page = ctx;
	struct buf *out = &page->stream->pending;
	char at[TIME_TEXT_SIZE];

	time_format(row->at, at);
	buf_printf(out, "event: history\nid: %lld\ndata: {\"seq\":%lld,\"at\":\"%s\",\"events\":",
			   (long long)row->seq, (long long)row->seq, at);
	add_in_one_line(out, row->events, row->events_len);
	buf_add_lit(out, "}\n\n");
	page->stream->seq = row->seq;
	page->rows++;
	page->full = page->rows == PAGE_ROWS || out->len >= PAGE_BYTES;
	return page->full;
}

static int open_reader(struct streams *streams, struct err *err)
{
	struct store *store = streams->options.store;

	return streams->reader ? 0 : store->ops->reader_open(store, &streams->reader, err);
}

/* Returns how many events it has added. Without the lock, and the stream is busy. */
static int read_history(struct streams *streams, struct stream *stream, bool *ret_more)
{
	struct page page = {.stream = stream};
	struct err err;

	if (open_reader(streams, &err) == 0)
		(void)streams->options.store->ops->history(streams->reader, stream->saga_id, stream->seq,
												   PAGE_ROWS, add_row, &page, &err);
	*ret_more = page.full;
	return page.rows;
}

static int read_overview(struct streams *streams, struct stream *stream)
{
	char tag[OVERVIEW_TAG_SIZE];
	struct err err;
	struct buf text;
	int n = 0;

	buf_init(&text, 0);
	if (open_reader(streams, &err) == 0 &&
		overview_get(streams->options.overview, streams->reader, stream->ns, stream->minutes, &text,
					 tag, &err) == 0 &&
		strcmp(tag, stream->tag) != 0) {
		snprintf(stream->tag, sizeof(stream->tag), "%s", tag);
		buf_printf(&stream->pending, "event: overview\nid: %s\ndata: ", tag);
		add_in_one_line(&stream->pending, text.data, text.len);
		buf_add_lit(&stream->pending, "\n\n");
		n = 1;
	}
	buf_release(&text);
	return n;
}

/* Reads what is new for a stream that has sent all. Under the lock, which it leaves meanwhile. */
static void serve(struct streams *streams, struct stream *stream)
{
	bool more = false;
	int64_t now_ms;
	int n;

	stream->busy = true;
	stream->touched = false;
	pthread_mutex_unlock(&streams->lock);
	n = stream->saga_id[0] ? read_history(streams, stream, &more) : read_overview(streams, stream);
	now_ms = clock_mono_ms();
	if (n == 0 && now_ms - stream->written_ms >= STREAM_HEARTBEAT_MS)
		buf_add_lit(&stream->pending, ":\n\n");
	pthread_mutex_lock(&streams->lock);
	stream->busy = false;
	stream->more = more;
	stream->due_ms = now_ms + STREAM_LOOK_MS;
	streams->stats.events += n;
	if (stream->pending.len > 0)
		stream->written_ms = now_ms;
	if (stream->pending.failed) {
		buf_clear(&stream->pending);
		stream->over = true;
	}
}

/* A connection that is suspended cannot be over, and its stream not closed, before this. */
static void wake(struct streams *streams, struct stream *stream)
{
	if (!stream->parked || (unsent(stream) == 0 && !is_over(stream)))
		return;
	stream->parked = false;
	pthread_mutex_unlock(&streams->lock);
	streams->options.resume(streams->options.ctx, stream->connection);
	pthread_mutex_lock(&streams->lock);
}

/*
 * A suspended connection does not see its client go; without this, streams of pages that were left
 * would take the places of others until they are written to, twice.
 */
static bool client_is_gone(const struct stream *stream)
{
	struct pollfd fd = {.fd = stream->fd, .events = POLLRDHUP};

	return stream->parked && stream->fd >= 0 && poll(&fd, 1, 0) > 0 &&
		   fd.revents & (POLLRDHUP | POLLHUP | POLLERR);
}

static void look_at(struct streams *streams, struct stream *stream)
{
	int64_t now_ms = clock_mono_ms();
	bool overdue = stream->due_ms <= now_ms;

	if (stream->closed)
		return;
	if (overdue && client_is_gone(stream))
		stream->over = true;
	if (unsent(stream) == 0 && !is_over(stream) && (stream->touched || stream->more || overdue))
		serve(streams, stream);
	wake(streams, stream);
}

/* One page for whoever is due. Returns when to look again; 0: when something changes. */
static int64_t look_at_all(struct streams *streams)
{
	int64_t next_ms = 0;
	struct stream *next;

	streams->work = false;
	for (struct stream *stream = streams->first; stream; stream = next) {
		stream->held = true;
		look_at(streams, stream);
		stream->held = false;
		next = stream->next;
		if (stream->closed)
			stream_free(stream);
		else if (unsent(stream) == 0 && !is_over(stream) &&
				 (next_ms == 0 || stream->due_ms < next_ms))
			next_ms = stream->due_ms;
	}
	return next_ms;
}

static void *streams_main(void *arg)
{
	struct streams *streams = arg;
	bool stop = false;

	pthread_mutex_lock(&streams->lock);
	while (!stop) {
		int64_t next_ms;
		struct timespec until;

		/* Read before the look, so that the last look sees everything. */
		stop = streams->stop;
		next_ms = look_at_all(streams);
		if (streams->work || stop)
			continue;
		until.tv_sec = next_ms / 1000;
		until.tv_nsec = next_ms % 1000 * 1000000;
		if (next_ms == 0)
			pthread_cond_wait(&streams->changed, &streams->lock);
		else
			pthread_cond_timedwait(&streams->changed, &streams->lock, &until);
	}
	pthread_mutex_unlock(&streams->lock);
	return NULL;
}

int streams_start(struct streams *streams, const struct streams_options *options, struct err *err)
{
	streams->options = *options;
	if (pthread_create(&streams->thread, NULL, streams_main, streams) != 0)
		return err_set(err, ERR_UNAVAILABLE, "no thread for streams can be started");
	streams->started = true;
	pthread_setname_np(streams->thread, "skald-streams");
	return 0;
}

void streams_end(struct streams *streams)
{
	pthread_mutex_lock(&streams->lock);
	streams->ended = true;
	tell(streams);
	pthread_mutex_unlock(&streams->lock);
}

void streams_halt(struct streams *streams)
{
	if (!streams->started)
		return;
	pthread_mutex_lock(&streams->lock);
	CHECK(streams->ended);
	streams->stop = true;
	tell(streams);
	pthread_mutex_unlock(&streams->lock);
	pthread_join(streams->thread, NULL);
	streams->started = false;
	if (streams->reader)
		streams->options.store->ops->reader_close(streams->reader);
	streams->reader = NULL;
}

void streams_stats(struct streams *streams, struct streams_stats *ret_stats)
{
	pthread_mutex_lock(&streams->lock);
	*ret_stats = streams->stats;
	pthread_mutex_unlock(&streams->lock);
}
