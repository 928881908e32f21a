/*
 * Faults around a store. What is to land late is copied, because the caller's batch is gone by
 * then; it lands in settle, or before the next commit, as it would if a slow disk or server got to
 * it in between.
 */
#include "connectors/store_fault.h"

#include <stdlib.h>
#include <string.h>

#include "connectors/store_fault_item.h"
#include "sagas/base/macros.h"

struct late_batch {
	struct store_item *items;
	size_t n;
};

struct store_fault_store {
	struct store store;
	struct store *inner;
	enum store_fault (*choose)(void *ctx);
	bool (*choose_read)(void *ctx);
	void *ctx;
	struct late_batch late;
};

struct fault_reader {
	struct store_reader reader;
	struct store_reader *inner;
};

static struct store_fault_store *from(const struct store *store)
{
	return (struct store_fault_store *)store;
}

static void late_release(struct late_batch *late)
{
	for (size_t i = 0; i < late->n; i++)
		store_item_release(&late->items[i]);
	free(late->items);
	*late = (struct late_batch){0};
}

/* The batch that was under way lands now, whoever is told. */
static int land_late(struct store_fault_store *fault, struct err *err)
{
	int r;

	if (fault->late.n == 0)
		return 0;
	r = fault->inner->ops->commit(fault->inner, fault->late.items, fault->late.n, err);
	if (r == 0)
		late_release(&fault->late);
	return r;
}

static int unknown(struct err *err)
{
	return err_set(err, ERR_UNKNOWN, "injected: the outcome of the commit is unknown");
}

static int unavailable(struct err *err)
{
	return err_set(err, ERR_UNAVAILABLE, "injected: the store is away");
}

static int commit(struct store *store, struct store_item *items, size_t n, struct err *err)
{
	struct store_fault_store *fault = from(store);
	int r = land_late(fault, err);

	for (size_t i = 0; i < n; i++)
		store_item_check(&items[i]);
	if (r < 0)
		return r;
	switch (fault->choose(fault->ctx)) {
	case STORE_FAULT_NONE:
		return fault->inner->ops->commit(fault->inner, items, n, err);
	case STORE_FAULT_BEFORE:
		return unavailable(err);
	case STORE_FAULT_UNKNOWN_DROPPED:
		return unknown(err);
	case STORE_FAULT_UNKNOWN_LANDED:
		r = fault->inner->ops->commit(fault->inner, items, n, err);
		return r < 0 ? r : unknown(err);
	case STORE_FAULT_UNKNOWN_LATE:
		fault->late.items = xcalloc(n, sizeof(*items));
		fault->late.n = n;
		for (size_t i = 0; i < n; i++)
			store_item_copy(&items[i], &fault->late.items[i]);
		return unknown(err);
	}
	return err_set(err, ERR_INTERNAL, "no such fault");
}

static int settle(struct store *store, struct err *err)
{
	int r = land_late(from(store), err);

	return r < 0 ? r : from(store)->inner->ops->settle(from(store)->inner, err);
}

static int definition_put(struct store *store, struct definition_row *row, struct err *err)
{
	return from(store)->inner->ops->definition_put(from(store)->inner, row, err);
}

static int retain(struct store *store, wall_ms before, int limit, int *ret_n, struct err *err)
{
	return from(store)->inner->ops->retain(from(store)->inner, before, limit, ret_n, err);
}

/*
 * What becomes of a function that writes beside commits. *ret_lost: it takes effect, and its answer
 * is lost. What lands late is not kept for settle: until then nobody can tell it from what landed
 * at once.
 */
static int choose_write(struct store_fault_store *fault, bool *ret_lost, struct err *err)
{
	int r = land_late(fault, err);

	*ret_lost = false;
	if (r < 0)
		return r;
	switch (fault->choose(fault->ctx)) {
	case STORE_FAULT_NONE:
		return 0;
	case STORE_FAULT_BEFORE:
		return unavailable(err);
	case STORE_FAULT_UNKNOWN_DROPPED:
		return unknown(err);
	case STORE_FAULT_UNKNOWN_LANDED:
	case STORE_FAULT_UNKNOWN_LATE:
		*ret_lost = true;
		return 0;
	}
	return err_set(err, ERR_INTERNAL, "no such fault");
}

/* The same function inside, with the arguments, and the fault that is chosen. */
#define WRITE(store, function, ...)                                                                \
	do {                                                                                           \
		struct store *inner_ = from(store)->inner;                                                 \
		bool lost_;                                                                                \
		int r_ = choose_write(from(store), &lost_, err);                                           \
		if (r_ < 0)                                                                                \
			return r_;                                                                             \
		r_ = inner_->ops->function(inner_, __VA_ARGS__, err);                                      \
		return r_ >= 0 && lost_ ? unknown(err) : r_;                                               \
	} while (0)

/* The same for a row with a revision: unless it is told that it was written, the caller's row stays
 * as it was. */
#define WRITE_REVISED(store, function, row, ...)                                                   \
	do {                                                                                           \
		struct store *inner_ = from(store)->inner;                                                 \
		typeof(*(row)) told_ = *(row);                                                             \
		bool lost_;                                                                                \
		int r_ = choose_write(from(store), &lost_, err);                                           \
		if (r_ < 0)                                                                                \
			return r_;                                                                             \
		r_ = inner_->ops->function(inner_, &told_, ##__VA_ARGS__, err);                            \
		if (r_ >= 0 && lost_)                                                                      \
			return unknown(err);                                                                   \
		if (r_ == 0)                                                                               \
			*(row) = told_;                                                                        \
		return r_;                                                                                 \
	} while (0)

static int events_put(struct store *store, const struct event_row *rows, size_t n, bool *touched,
					  struct err *err)
{
	WRITE(store, events_put, rows, n, touched);
}

static int events_expire(struct store *store, wall_ms before, int limit, int *ret_n,
						 struct err *err)
{
	WRITE(store, events_expire, before, limit, ret_n);
}

static int inbox_put(struct store *store, const struct inbox_row *rows, size_t n, struct err *err)
{
	WRITE(store, inbox_put, rows, n);
}

static int inbox_remove(struct store *store, const struct inbox_row *rows, size_t n,
						struct err *err)
{
	WRITE(store, inbox_remove, rows, n);
}

static int outbox_remove(struct store *store, const struct outbox_row *rows, size_t n,
						 struct err *err)
{
	WRITE(store, outbox_remove, rows, n);
}

static int outbox_expire(struct store *store, wall_ms before, int limit, int *ret_n,
						 struct err *err)
{
	WRITE(store, outbox_expire, before, limit, ret_n);
}

static int dead_letter_put(struct store *store, const struct dead_letter_row *row, struct err *err)
{
	WRITE(store, dead_letter_put, row);
}

static int dead_letter_update(struct store *store, const char *ns, const char *id,
							  enum dead_letter_status status, const char *saga_id, wall_ms at,
							  struct err *err)
{
	WRITE(store, dead_letter_update, ns, id, status, saga_id, at);
}

static int routing_put(struct store *store, struct routing_row *row, struct err *err)
{
	WRITE_REVISED(store, routing_put, row);
}

static int schedule_put(struct store *store, struct schedule_row *row, struct err *err)
{
	WRITE_REVISED(store, schedule_put, row);
}

static int trigger_put(struct store *store, struct trigger_row *row, struct err *err)
{
	WRITE_REVISED(store, trigger_put, row);
}

static int idle(struct store *store, struct err *err)
{
	return from(store)->inner->ops->idle(from(store)->inner, err);
}

static void stats(struct store *store, struct store_stats *ret_stats)
{
	from(store)->inner->ops->stats(from(store)->inner, ret_stats);
}

static int slot_count(const struct store *store)
{
	return from(store)->inner->ops->slot_count(from(store)->inner);
}

static void close_store(struct store *store)
{
	if (!store)
		return;
	late_release(&from(store)->late); /* it never landed */
	from(store)->inner->ops->close(from(store)->inner);
	free(from(store));
}

static int reader_open(struct store *store, struct store_reader **ret_reader, struct err *err)
{
	struct fault_reader *reader = xcalloc(1, sizeof(*reader));
	int r = from(store)->inner->ops->reader_open(from(store)->inner, &reader->inner, err);

	if (r < 0) {
		free(reader);
		return r;
	}
	reader->reader.store = store;
	*ret_reader = &reader->reader;
	return 0;
}

static void reader_close(struct store_reader *reader)
{
	struct fault_reader *fault = (struct fault_reader *)reader;

	if (!fault)
		return;
	from(reader->store)->inner->ops->reader_close(fault->inner);
	free(fault);
}

/* Gives the reader inside, or the failure that was chosen. */
static int pass(struct store_reader *reader, struct store_reader **ret_inner,
				const struct store_ops **ret_ops, struct err *err)
{
	struct store_fault_store *fault = from(reader->store);

	if (fault->choose_read && fault->choose_read(fault->ctx))
		return err_set(err, ERR_UNAVAILABLE, "injected: the store cannot be read");
	*ret_inner = ((struct fault_reader *)reader)->inner;
	*ret_ops = fault->inner->ops;
	return 0;
}

/* A function of readers: asks pass, then calls the same one inside with the arguments. */
#define PASS(reader, function, ...)                                                                \
	do {                                                                                           \
		struct store_reader *inner_ = NULL;                                                        \
		const struct store_ops *ops_ = NULL;                                                       \
		int r_ = pass((reader), &inner_, &ops_, err);                                              \
		return r_ < 0 ? r_ : ops_->function(inner_, __VA_ARGS__, err);                             \
	} while (0)

static int saga_get(struct store_reader *reader, const char *ns, const char *id,
					struct saga_row *ret_row, struct err *err)
{
	PASS(reader, saga_get, ns, id, ret_row);
}

static int history(struct store_reader *reader, const char *id, int64_t after_seq, int limit,
				   int (*row)(void *ctx, const struct history_row *row), void *ctx, struct err *err)
{
	PASS(reader, history, id, after_seq, limit, row, ctx);
}

static int compensations(struct store_reader *reader, const char *id,
						 int (*row)(void *ctx, const struct compensation_row *row), void *ctx,
						 struct err *err)
{
	PASS(reader, compensations, id, row, ctx);
}

static int list(struct store_reader *reader, struct saga_filter *filter,
				int (*row)(void *ctx, const struct saga_row *row), void *ctx, struct err *err)
{
	PASS(reader, list, filter, row, ctx);
}

static int load_due(struct store_reader *reader, int first_slot, int last_slot, wall_ms due_before,
					bool awake_too, int limit, int (*row)(void *ctx, const struct saga_row *row),
					void *ctx, struct err *err)
{
	PASS(reader, load_due, first_slot, last_slot, due_before, awake_too, limit, row, ctx);
}

static int find_key(struct store_reader *reader, const char *ns, const char *definition,
					const char *key, char ret_id[SAGA_ID_SIZE],
					char ret_fingerprint[SHA256_HEX_SIZE], struct err *err)
{
	PASS(reader, find_key, ns, definition, key, ret_id, ret_fingerprint);
}

static int definition_get(struct store_reader *reader, const char *ns, const char *name,
						  int64_t version, struct definition_row *ret_row, struct err *err)
{
	PASS(reader, definition_get, ns, name, version, ret_row);
}

static int definition_list(struct store_reader *reader, const char *ns, const char *name,
						   int (*row)(void *ctx, const struct definition_row *row), void *ctx,
						   struct err *err)
{
	PASS(reader, definition_list, ns, name, row, ctx);
}

static int counts(struct store_reader *reader, const char *ns, int64_t numbers[SAGA_STATUS_COUNT],
				  struct err *err)
{
	PASS(reader, counts, ns, numbers);
}

static int inbox_list(struct store_reader *reader, const struct inbox_page *page,
					  int (*row)(void *ctx, const struct inbox_row *row), void *ctx,
					  struct err *err)
{
	PASS(reader, inbox_list, page, row, ctx);
}

static int early_events(struct store_reader *reader, int slot, const char *saga_id,
						wall_ms after_at, const char *after_event_id, int limit,
						int (*row)(void *ctx, const struct inbox_row *row), void *ctx,
						struct err *err)
{
	PASS(reader, early_events, slot, saga_id, after_at, after_event_id, limit, row, ctx);
}

static int outbox_list(struct store_reader *reader, const struct outbox_page *page,
					   int (*row)(void *ctx, const struct outbox_row *row), void *ctx,
					   struct err *err)
{
	PASS(reader, outbox_list, page, row, ctx);
}

static int dead_letter_get(struct store_reader *reader, const char *ns, const char *id,
						   struct dead_letter_row *ret_row, struct err *err)
{
	PASS(reader, dead_letter_get, ns, id, ret_row);
}

static int dead_letter_list(struct store_reader *reader, const struct dead_letter_filter *filter,
							int (*row)(void *ctx, const struct dead_letter_row *row), void *ctx,
							struct err *err)
{
	PASS(reader, dead_letter_list, filter, row, ctx);
}

static int trigger_list(struct store_reader *reader, const char *ns,
						int (*row)(void *ctx, const struct trigger_row *row), void *ctx,
						struct err *err)
{
	PASS(reader, trigger_list, ns, row, ctx);
}

static int routing_list(struct store_reader *reader, const char *ns, const char *name,
						int (*row)(void *ctx, const struct routing_row *row), void *ctx,
						struct err *err)
{
	PASS(reader, routing_list, ns, name, row, ctx);
}

static int schedule_list(struct store_reader *reader, const char *ns, const char *name,
						 int (*row)(void *ctx, const struct schedule_row *row), void *ctx,
						 struct err *err)
{
	PASS(reader, schedule_list, ns, name, row, ctx);
}

static int attention_put(struct store *store, struct attention_group_row *row, struct err *err)
{
	WRITE_REVISED(store, attention_put, row);
}

static int batch_put(struct store *store, struct batch_row *row, const struct batch_item_row *items,
					 size_t n, struct err *err)
{
	WRITE_REVISED(store, batch_put, row, items, n);
}

static int definition_counts(struct store_reader *reader, const char *ns, const char *definition,
							 int (*row)(void *ctx, const struct definition_count_row *row),
							 void *ctx, struct err *err)
{
	PASS(reader, definition_counts, ns, definition, row, ctx);
}

static int attention_told(struct store_reader *reader,
						  int (*row)(void *ctx, const struct attention_group_row *row), void *ctx,
						  struct err *err)
{
	PASS(reader, attention_told, row, ctx);
}

static int attention_list(struct store_reader *reader, const char *ns, int limit,
						  int (*row)(void *ctx, const struct attention_group_row *row), void *ctx,
						  struct err *err)
{
	PASS(reader, attention_list, ns, limit, row, ctx);
}

static int attention_get(struct store_reader *reader, const char *ns, const char *id,
						 struct attention_group_row *ret_row, struct err *err)
{
	PASS(reader, attention_get, ns, id, ret_row);
}

static int rates(struct store_reader *reader, const char *ns, wall_ms from_at, wall_ms until,
				 int (*row)(void *ctx, const struct rate_row *row), void *ctx, struct err *err)
{
	PASS(reader, rates, ns, from_at, until, row, ctx);
}

static int batch_get(struct store_reader *reader, const char *ns, const char *id,
					 struct batch_row *ret_row, struct err *err)
{
	PASS(reader, batch_get, ns, id, ret_row);
}

static int batch_list(struct store_reader *reader, const char *ns, const char *after_id, int limit,
					  int (*row)(void *ctx, const struct batch_row *row), void *ctx,
					  struct err *err)
{
	PASS(reader, batch_list, ns, after_id, limit, row, ctx);
}

static int batch_open(struct store_reader *reader, int limit,
					  int (*row)(void *ctx, const struct batch_row *row), void *ctx,
					  struct err *err)
{
	PASS(reader, batch_open, limit, row, ctx);
}

static int batch_items(struct store_reader *reader, const struct batch_item_filter *filter,
					   int (*row)(void *ctx, const struct batch_item_row *row), void *ctx,
					   struct err *err)
{
	PASS(reader, batch_items, filter, row, ctx);
}

static int task_note(struct store *store, const struct task_row *row, struct err *err)
{
	WRITE(store, task_note, row);
}

static int queue_put(struct store *store, struct queue_row *row, struct err *err)
{
	WRITE_REVISED(store, queue_put, row);
}

static int locks_grant(struct store *store, wall_ms now, bool *touched, struct err *err)
{
	WRITE(store, locks_grant, now, touched);
}

static int history_trim(struct store *store, wall_ms before, int limit, int *ret_n, struct err *err)
{
	return from(store)->inner->ops->history_trim(from(store)->inner, before, limit, ret_n, err);
}

static int tasks_list(struct store_reader *reader, const struct task_filter *filter,
					  int (*row)(void *ctx, const struct task_row *row), void *ctx, struct err *err)
{
	PASS(reader, tasks_list, filter, row, ctx);
}

static int saga_tasks(struct store_reader *reader, int slot, const char *saga_id, int state,
					  int limit, int (*row)(void *ctx, const struct task_row *row), void *ctx,
					  struct err *err)
{
	PASS(reader, saga_tasks, slot, saga_id, state, limit, row, ctx);
}

static int approval_counts(struct store_reader *reader, struct approval_counts *ret_counts,
						   struct err *err)
{
	PASS(reader, approval_counts, ret_counts);
}

static int queue_counts(struct store_reader *reader, const char *ns, const char *after_ns,
						const char *after_queue, int limit,
						int (*row)(void *ctx, const struct queue_count_row *row), void *ctx,
						struct err *err)
{
	PASS(reader, queue_counts, ns, after_ns, after_queue, limit, row, ctx);
}

static int queue_get(struct store_reader *reader, const char *ns, const char *name,
					 struct queue_row *ret_row, struct err *err)
{
	PASS(reader, queue_get, ns, name, ret_row);
}

static int queue_list(struct store_reader *reader, const char *ns,
					  int (*row)(void *ctx, const struct queue_row *row), void *ctx,
					  struct err *err)
{
	PASS(reader, queue_list, ns, row, ctx);
}

static int locks_list(struct store_reader *reader, const char *ns, const char *key,
					  const char *saga_id, int limit,
					  int (*row)(void *ctx, const struct lock_row *row), void *ctx, struct err *err)
{
	PASS(reader, locks_list, ns, key, saga_id, limit, row, ctx);
}

static const struct store_ops ops = {
	.name = "fault",
	.commit = commit,
	.settle = settle,
	.definition_put = definition_put,
	.retain = retain,
	.idle = idle,
	.stats = stats,
	.slot_count = slot_count,
	.close = close_store,
	.reader_open = reader_open,
	.reader_close = reader_close,
	.saga_get = saga_get,
	.history = history,
	.compensations = compensations,
	.list = list,
	.load_due = load_due,
	.find_key = find_key,
	.definition_get = definition_get,
	.definition_list = definition_list,
	.counts = counts,
	.events_put = events_put,
	.events_expire = events_expire,
	.inbox_put = inbox_put,
	.inbox_remove = inbox_remove,
	.outbox_remove = outbox_remove,
	.outbox_expire = outbox_expire,
	.dead_letter_put = dead_letter_put,
	.dead_letter_update = dead_letter_update,
	.trigger_put = trigger_put,
	.routing_put = routing_put,
	.routing_list = routing_list,
	.schedule_put = schedule_put,
	.schedule_list = schedule_list,
	.inbox_list = inbox_list,
	.early_events = early_events,
	.outbox_list = outbox_list,
	.dead_letter_get = dead_letter_get,
	.dead_letter_list = dead_letter_list,
	.trigger_list = trigger_list,
	.attention_put = attention_put,
	.batch_put = batch_put,
	.definition_counts = definition_counts,
	.attention_list = attention_list,
	.attention_told = attention_told,
	.attention_get = attention_get,
	.rates = rates,
	.batch_get = batch_get,
	.batch_list = batch_list,
	.batch_open = batch_open,
	.batch_items = batch_items,
	.locks_grant = locks_grant,
	.task_note = task_note,
	.queue_put = queue_put,
	.history_trim = history_trim,
	.tasks_list = tasks_list,
	.saga_tasks = saga_tasks,
	.queue_counts = queue_counts,
	.approval_counts = approval_counts,
	.queue_get = queue_get,
	.queue_list = queue_list,
	.locks_list = locks_list,
};

struct store *store_fault_new(struct store *inner, enum store_fault (*choose)(void *ctx),
							  bool (*choose_read)(void *ctx), void *ctx)
{
	struct store_fault_store *fault = xcalloc(1, sizeof(*fault));

	fault->store.ops = &ops;
	fault->inner = inner;
	fault->choose = choose;
	fault->choose_read = choose_read;
	fault->ctx = ctx;
	return &fault->store;
}
