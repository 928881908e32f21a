/*
 * Opening and closing the Postgres store. The writer, the membership and each reader have a
 * connection of their own, so none waits behind another; all are made when they are needed and made
 * again when they broke.
 */
#include "connectors/store_postgres.h"

#include <stdlib.h>
#include <sys/random.h>

#include "connectors/store_postgres_batch.h"
#include "sagas/base/macros.h"

enum { SIZE_EVERY_MS = 60 * 1000 };

bool store_postgres_is_url(const char *address)
{
	return strncmp(address, "postgres://", 11) == 0 || strncmp(address, "postgresql://", 13) == 0;
}

void pg__new_identity(struct store_postgres *s)
{
	static const char digits[] = "0123456789abcdef";
	unsigned char random[PG_UUID_SIZE];
	char *out;

	CHECK(getrandom(random, sizeof(random), 0) == sizeof(random));
	random[6] = (random[6] & 0x0f) | 0x40; /* a UUID of version 4 */
	random[8] = (random[8] & 0x3f) | 0x80;
	pthread_mutex_lock(&s->mutex);
	out = s->node_id;
	for (int i = 0; i < PG_UUID_SIZE; i++) {
		if (i == 4 || i == 6 || i == 8 || i == 10)
			*out++ = '-';
		*out++ = digits[random[i] >> 4];
		*out++ = digits[random[i] & 15];
	}
	*out = '\0';
	s->identity++;
	if (s->tokens) /* they were those of another node */
		memset(s->tokens, 0, (size_t)s->slot_count * sizeof(*s->tokens));
	pthread_mutex_unlock(&s->mutex);
}

/* Asks for the size now and then; nothing else is to be done for Postgres. */
static int idle(struct store *store, struct err *err)
{
	struct store_postgres *s = pg__from(store);
	CLEANUP(PQclear_p) PGresult *result = NULL;
	int64_t now = pg__mono_ms();
	int r;

	if (s->sized_at_ms && now - s->sized_at_ms < SIZE_EVERY_MS)
		return 0;
	s->sized_at_ms = now;
	r = pg__ask(&s->writer, PG_SIZE, NULL, &result, err);
	if (r == 0 && PQntuples(result) == 1)
		atomic_store_explicit(&s->bytes, pg__int(result, 0, 0), memory_order_relaxed);
	return r;
}

static void stats(struct store *store, struct store_stats *ret_stats)
{
	struct store_postgres *s = pg__from(store);

	*ret_stats = (struct store_stats){
		.commits = atomic_load_explicit(&s->n_commits, memory_order_relaxed),
		.items = atomic_load_explicit(&s->n_items, memory_order_relaxed),
		.bytes = atomic_load_explicit(&s->bytes, memory_order_relaxed),
	};
}

static int slot_count(const struct store *store)
{
	return pg__from(store)->slot_count;
}

static void close_store(struct store *store)
{
	struct store_postgres *s = store ? pg__from(store) : NULL;

	if (!s)
		return;
	pg__disconnect(&s->writer);
	pg__disconnect(&s->member);
	for (int i = 0; s->arrays && i < PG_BATCH_ARRAY_COUNT; i++)
		buf_release(&s->arrays[i].buf);
	pthread_mutex_destroy(&s->mutex);
	free(s->arrays);
	free(s->tokens);
	free(s->lost.slots);
	free(s->retain_ns);
	free(s->url);
	free(s);
}

static void store_postgres_close(struct store_postgres *s)
{
	close_store(s ? &s->store : NULL);
}
DEFINE_CLEANUP(struct store_postgres *, store_postgres_close)

#define OPS                                                                                        \
	.name = "postgres", .commit = pg__commit, .settle = pg__settle,                                \
	.definition_put = pg__definition_put, .retain = pg__retain, .idle = idle, .stats = stats,      \
	.slot_count = slot_count, .close = close_store, .nodes = pg__nodes,                            \
	.reader_open = pg__reader_open, .reader_close = pg__reader_close, .saga_get = pg__saga_get,    \
	.history = pg__history, .compensations = pg__compensations, .list = pg__list,                  \
	.load_due = pg__load_due, .load_due_slots = pg__load_due_slots, .find_key = pg__find_key,      \
	.definition_get = pg__definition_get, .definition_list = pg__definition_list,                  \
	.counts = pg__counts, .events_put = pg__events_put, .events_expire = pg__events_expire,        \
	.inbox_put = pg__inbox_put, .inbox_remove = pg__inbox_remove,                                  \
	.outbox_remove = pg__outbox_remove, .outbox_expire = pg__outbox_expire,                        \
	.dead_letter_put = pg__dead_letter_put, .dead_letter_update = pg__dead_letter_update,          \
	.trigger_put = pg__trigger_put, .inbox_list = pg__inbox_list,                                  \
	.early_events = pg__early_events, .outbox_list = pg__outbox_list,                              \
	.dead_letter_get = pg__dead_letter_get, .dead_letter_list = pg__dead_letter_list,              \
	.trigger_list = pg__trigger_list, .definition_counts = pg__definition_counts,                  \
	.rates = pg__rates, .attention_list = pg__attention_list,                                      \
	.attention_told = pg__attention_told, .attention_get = pg__attention_get,                      \
	.attention_put = pg__attention_put, .batch_put = pg__batch_put, .batch_get = pg__batch_get,    \
	.batch_list = pg__batch_list, .batch_open = pg__batch_open, .batch_items = pg__batch_items,    \
	.routing_put = pg__routing_put, .routing_list = pg__routing_list,                              \
	.schedule_put = pg__schedule_put, .schedule_list = pg__schedule_list,                          \
	.locks_grant = pg__locks_grant, .queue_put = pg__queue_put, .history_trim = pg__history_trim,  \
	.tasks_list = pg__tasks_list, .saga_tasks = pg__saga_tasks, .queue_counts = pg__queue_counts,  \
	.approval_counts = pg__approval_counts, .queue_get = pg__queue_get,                            \
	.queue_list = pg__queue_list, .locks_list = pg__locks_list, .task_note = pg__task_note

static const struct store_ops exclusive_ops = {OPS};

static const struct store_ops shared_ops = {
	OPS,
	.node_join = pg__node_join,
	.node_renew = pg__node_renew,
	.slots_acquire = pg__slots_acquire,
	.slots_release = pg__slots_release,
	.node_leave = pg__node_leave,
};

int store_postgres_open(const struct store_postgres_options *options, struct store **ret_store,
						struct err *err)
{
	CLEANUP(store_postgres_close_p) struct store_postgres *s = NULL;
	int r;

	if (options->slot_count > SLOTS_MAX)
		return err_set(err, ERR_INVALID, "a store has at most %d slots", SLOTS_MAX);
	if (!PQisthreadsafe())
		return err_set(err, ERR_INTERNAL, "this libpq is not made for threads");
	s = xcalloc(1, sizeof(*s));
	pthread_mutex_init(&s->mutex, NULL);
	s->store.ops = options->exclusive ? &exclusive_ops : &shared_ops;
	s->url = xstrdup(options->url);
	s->exclusive = options->exclusive;
	s->single_slot_batches = options->single_slot_batches;
	s->arrays = xcalloc(PG_BATCH_ARRAY_COUNT, sizeof(*s->arrays));
	pg__new_identity(s);
	pg__conn_init(&s->writer, s, PG_WRITER);
	pg__conn_init(&s->member, s, PG_MEMBER);
	r = pg__open_schema(s, options->slot_count, err);
	if (r < 0)
		return r;
	s->tokens = xcalloc((size_t)s->slot_count, sizeof(*s->tokens));
	r = s->exclusive ? pg__take_all(s, err) : 0;
	if (r < 0)
		return r;
	*ret_store = &TAKE(s)->store;
	return 0;
}
