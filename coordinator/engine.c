/*
 * The engine's thread: a loop around the turn. It drains the mailbox, reads the clock once, lets
 * the turn decide, and hands the batch to the writer.
 *
 *   server, HTTP client, writer, loader --mailbox--> engine --> writer, loader, HTTP client
 *
 * A turn takes at most SLICE inputs before the batch is offered to the writer, so that a flood does
 * not hold commits back. Timers take effect only when nothing that has arrived is unread.
 */
#include "coordinator/engine_priv.h"

#include <string.h>
#include <time.h>

#include "coordinator/clock.h"
#include "coordinator/failpoint.h"
#include "coordinator/log.h"
#include "coordinator/writer.h"

enum {
	SLICE = 256,
	INTAKE_DEFAULT = 10000,
	MANY_POLL_MS = 1000, /* for what other nodes created here */
};

/* What membership says. */
struct slots_mail {
	struct mail mail;
	enum { SLOTS_GAINED, SLOTS_LOST, SLOTS_RELEASE } what;
	const int64_t *lease_until_ms;
	size_t n;
	int slots[];
};

/* What others post. */

int engine_post(struct engine *engine, struct engine_call *call, struct err *err)
{
	call->mail.type = ENGINE_MAIL_CALL;
	if (mailbox_post(engine->box, &call->mail))
		return 0;
	err_set(err, ERR_UNAVAILABLE, "the engine takes no more work now");
	if (err)
		err->retriable = true;
	return ERR_UNAVAILABLE;
}

int engine_deliver(struct engine *engine, struct delivery *delivery, struct err *err)
{
	delivery->mail.type = ENGINE_MAIL_DELIVERY;
	if (mailbox_post(engine->box, &delivery->mail))
		return 0;
	err_set(err, ERR_UNAVAILABLE, "the engine takes no more work now");
	if (err)
		err->retriable = true;
	return ERR_UNAVAILABLE;
}

void engine_queues_read(struct engine *engine, wall_ms until)
{
	__atomic_store_n(&engine->queues_until, until, __ATOMIC_RELEASE);
	if (__atomic_exchange_n(&engine->queues_told, true, __ATOMIC_ACQ_REL))
		return;
	engine->queues.type = ENGINE_MAIL_QUEUES;
	mailbox_post_reserved(engine->box, &engine->queues);
}

/* Thread: writer. */
static void post_batch(struct batch *batch)
{
	struct engine *engine = batch->ctx;

	batch->mail.type = ENGINE_MAIL_BATCH;
	mailbox_post_reserved(engine->box, &batch->mail);
}

/* Thread: loader. */
static void post_loaded(void *ctx, struct loaded_saga *loaded)
{
	struct engine *engine = ctx;

	loaded->mail.type = ENGINE_MAIL_LOADED;
	mailbox_post_reserved(engine->box, &loaded->mail);
}

/* Thread: loader. */
static void post_listed(void *ctx, struct saga_list *list)
{
	struct engine *engine = ctx;

	list->mail.type = ENGINE_MAIL_LISTED;
	mailbox_post_reserved(engine->box, &list->mail);
}

/* Thread: loader. */
static void post_inbox(void *ctx, struct inbox_read *read)
{
	struct engine *engine = ctx;

	read->mail.type = ENGINE_MAIL_INBOX;
	mailbox_post_reserved(engine->box, &read->mail);
}

/* Thread: membership. */
static void post_slots(struct engine *engine, int what, const int *slots, size_t n,
					   const int64_t *lease_until_ms)
{
	struct slots_mail *mail = xcalloc(1, sizeof(*mail) + n * sizeof(mail->slots[0]));

	mail->mail.type = ENGINE_MAIL_SLOTS;
	mail->what = what;
	mail->lease_until_ms = lease_until_ms;
	mail->n = n;
	if (n > 0)
		memcpy(mail->slots, slots, n * sizeof(mail->slots[0]));
	mailbox_post_reserved(engine->box, &mail->mail);
}

void engine_slots_gained(struct engine *engine, const int *slots, size_t n,
						 const int64_t *lease_until_ms)
{
	post_slots(engine, SLOTS_GAINED, slots, n, lease_until_ms);
}

void engine_slots_lost(struct engine *engine, const int *slots, size_t n)
{
	post_slots(engine, SLOTS_LOST, slots, n, NULL);
}

void engine_slots_release(struct engine *engine, const int *slots, size_t n)
{
	post_slots(engine, SLOTS_RELEASE, slots, n, NULL);
}

const struct lifecycle_topic *engine_lifecycle(const struct engine *engine)
{
	return &engine->lifecycle;
}

void engine_poke(struct engine *engine)
{
	if (__atomic_exchange_n(&engine->poked, true, __ATOMIC_ACQ_REL))
		return;
	engine->poke.type = ENGINE_MAIL_POKE;
	mailbox_post_reserved(engine->box, &engine->poke);
}

/* The loop. */

static void begin_drain(struct engine *engine)
{
	failpoint(FP_DRAIN);
	engine->draining = true;
	turn_drain(engine->turn);
}

static bool lease_holds(const struct engine *engine)
{
	return engine->lease && __atomic_load_n(engine->lease, __ATOMIC_ACQUIRE) > clock_mono_ms();
}

static void take_slots(struct engine *engine, struct slots_mail *mail)
{
	switch (mail->what) {
	case SLOTS_GAINED:
		engine->lease = mail->lease_until_ms;
		turn_slots_gained(engine->turn, mail->slots, mail->n);
		break;
	case SLOTS_LOST:
		turn_slots_lost(engine->turn, mail->slots, mail->n);
		break;
	case SLOTS_RELEASE:
		turn_slots_release(engine->turn, mail->slots, mail->n);
		break;
	}
	free(mail);
}

/* Whatever membership is busy with: past the lease nothing is ours. */
static void check_lease(struct engine *engine)
{
	const int64_t *lease = engine->lease;

	if (!lease || lease_holds(engine))
		return;
	engine->lease = NULL;
	turn_slots_lost_all(engine->turn);
	engine->options.lease_ended(engine->options.slots_ctx, lease);
}

/*
 * When the HTTP client or a producer is stopped, what it did not send or had to break off says
 * nothing about the participant. It is left out: the history still says that the call is owed, and
 * the next start makes it again.
 */
static bool reply_counts(const struct engine *engine, const struct call_reply *reply)
{
	/* Nor does a call that was held back because its lease had ended: under the next one it was
	 * recovered. Under the same one it has to be made again, as one that never connected. */
	if (reply->cancelled)
		return !__atomic_load_n(&engine->sealed, __ATOMIC_ACQUIRE) && engine->lease &&
			   reply->not_after_ms == engine->lease;
	return (reply->result != CALL_BROKEN && reply->result != CALL_NOT_CONNECTED) ||
		   !__atomic_load_n(&engine->sealed, __ATOMIC_ACQUIRE);
}

static void take_mail(struct engine *engine, struct mail *mail)
{
	struct turn *turn = engine->turn;
	struct call_reply *reply;

	switch ((enum engine_mail)mail->type) {
	case ENGINE_MAIL_CALL:
		turn_call(turn, CONTAINER_OF(mail, struct engine_call, mail));
		break;
	case ENGINE_MAIL_REPLY:
		reply = CONTAINER_OF(mail, struct call_reply, mail);
		if (reply_counts(engine, reply))
			turn_reply(turn, reply);
		else
			turn_reply_void(turn, reply);
		break;
	case ENGINE_MAIL_BATCH:
		engine->batch_out = false;
		turn_committed(turn, CONTAINER_OF(mail, struct batch, mail));
		break;
	case ENGINE_MAIL_LOADED:
		turn_loaded(turn, CONTAINER_OF(mail, struct loaded_saga, mail));
		break;
	case ENGINE_MAIL_LISTED:
		turn_listed(turn, CONTAINER_OF(mail, struct saga_list, mail));
		break;
	case ENGINE_MAIL_DELIVERY:
		turn_deliver(turn, CONTAINER_OF(mail, struct delivery, mail));
		break;
	case ENGINE_MAIL_INBOX:
		turn_inbox_read(turn, CONTAINER_OF(mail, struct inbox_read, mail));
		break;
	case ENGINE_MAIL_REMOVED:
		turn_inbox_removed(turn, CONTAINER_OF(mail, struct inbox_removal, mail));
		break;
	case ENGINE_MAIL_QUEUES:
		__atomic_store_n(&engine->queues_told, false, __ATOMIC_RELEASE);
		turn_queues_read(turn, __atomic_load_n(&engine->queues_until, __ATOMIC_ACQUIRE));
		break;
	case ENGINE_MAIL_SLOTS:
		take_slots(engine, CONTAINER_OF(mail, struct slots_mail, mail));
		break;
	case ENGINE_MAIL_POKE:
		__atomic_store_n(&engine->poked, false, __ATOMIC_RELEASE);
		turn_poke(turn);
		break;
	case ENGINE_MAIL_DRAIN:
		begin_drain(engine);
		break;
	case ENGINE_MAIL_STOP:
		engine->stopping = true;
		break;
	}
}

/* One slice of what came; returns the rest. */
static struct mail *run_turn(struct engine *engine, struct mail *mail)
{
	struct batch *batch;
	int n = 0;

	/* Of many nodes the clock is the store's, and not known before the node has joined. */
	if (!engine->options.many_nodes || engine->lease)
		turn_begin(engine->turn, clock_wall());
	check_lease(engine);
	while (mail && n++ < SLICE) {
		struct mail *next = mail->next;

		take_mail(engine, mail);
		mail = next;
	}
	turn_run(engine->turn, !mail);
	batch = turn_take_batch(engine->turn);
	if (batch) {
		batch->done = post_batch;
		batch->ctx = engine;
		engine->batch_out = true;
		writer_commit(engine->options.writer, batch);
	}
	engine->turns++;
	return mail;
}

static void publish(struct engine *engine)
{
	bool ready = turn_recovered(engine->turn) && turn_store_answers(engine->turn) &&
				 (!engine->options.many_nodes || lease_holds(engine));

	__atomic_store_n(engine->options.ready, ready, __ATOMIC_RELAXED);
	pthread_mutex_lock(&engine->mutex);
	engine->stats = *turn_stats(engine->turn);
	engine->stats.turns = engine->turns;
	if (engine->draining && !engine->quiet && turn_is_quiet(engine->turn)) {
		engine->quiet = true;
		pthread_cond_broadcast(&engine->quieted);
	}
	pthread_mutex_unlock(&engine->mutex);
}

static int64_t patience_ms(const struct engine *engine)
{
	wall_ms at = turn_next_at(engine->turn);
	int64_t left = INT64_MAX;

	if (at != 0)
		left = at - clock_wall();
	if (engine->lease) {
		int64_t lease_left = __atomic_load_n(engine->lease, __ATOMIC_ACQUIRE) - clock_mono_ms();

		if (lease_left < left)
			left = lease_left;
	}
	if (left == INT64_MAX)
		return -1;
	/* Never 0: the mailbox would then not be waited on at all. */
	return left > 0 ? left : 1;
}

static void *engine_main(void *arg)
{
	struct engine *engine = arg;

	if (!engine->options.many_nodes) {
		turn_begin(engine->turn, clock_wall());
		turn_recover(engine->turn);
	}
	/* A batch that is out is waited for: its memory is ours. */
	while (!engine->stopping || engine->batch_out) {
		struct mail *mail = mailbox_drain(engine->box, patience_ms(engine));

		do {
			mail = run_turn(engine, mail);
		} while (mail);
		publish(engine);
	}
	return NULL;
}

/* Starting and stopping. Thread: the node's. */

int engine_start(const struct engine_options *options, struct engine **ret_engine, struct err *err)
{
	struct engine *engine = xcalloc(1, sizeof(*engine));
	struct loader_options loader = {
		.store = options->store,
		.registry = options->registry,
		.loaded = post_loaded,
		.listed = post_listed,
		.inbox = post_inbox,
		.ctx = engine,
	};
	struct turn_options turn = {
		.ports = &engine__ports,
		.ctx = engine,
		.slot_count = options->store->ops->slot_count(options->store),
		.memory_sagas_max = options->memory_sagas_max,
		.many_nodes = options->many_nodes,
		.poll_every_ms = options->many_nodes ? MANY_POLL_MS : 0,
		.lifecycle = {options->events_cluster, options->events_topic},
		.tally = options->tally,
	};
	int r;

	clock_start();
	engine->options = *options;
	engine->lifecycle = turn.lifecycle;
	engine->box = mailbox_new(options->intake_limit ? options->intake_limit : INTAKE_DEFAULT);
	engine->turn = turn_new(&turn);
	CHECK(pthread_mutex_init(&engine->mutex, NULL) == 0);
	clock_cond_init(&engine->quieted);
	r = loader_start(&loader, &engine->loader, err);
	if (r == 0 && pthread_create(&engine->thread, NULL, engine_main, engine) != 0) {
		loader_stop(engine->loader);
		r = err_set(err, ERR_UNAVAILABLE, "cannot start the engine's thread");
	}
	if (r < 0) {
		turn_free(engine->turn);
		mailbox_free(engine->box);
		free(engine);
		return r;
	}
	pthread_setname_np(engine->thread, "skald-engine");
	*ret_engine = engine;
	return 0;
}

void engine_drain(struct engine *engine, int64_t grace_ms)
{
	struct timespec until;
	bool quiet;
	int r = 0;

	mailbox_close(engine->box);
	engine->drain.type = ENGINE_MAIL_DRAIN;
	mailbox_post_reserved(engine->box, &engine->drain);
	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += grace_ms / 1000;
	until.tv_nsec += grace_ms % 1000 * 1000000;
	if (until.tv_nsec >= 1000000000) {
		until.tv_sec++;
		until.tv_nsec -= 1000000000;
	}
	pthread_mutex_lock(&engine->mutex);
	while (!engine->quiet && r == 0)
		r = pthread_cond_timedwait(&engine->quieted, &engine->mutex, &until);
	quiet = engine->quiet;
	pthread_mutex_unlock(&engine->mutex);
	if (!quiet)
		log_warn("engine", NULL, "calls are still out; the next start makes them again");
	__atomic_store_n(&engine->sealed, true, __ATOMIC_RELEASE);
}

/* It came too late for the turn. */
static void end_delivery(struct delivery *delivery)
{
	delivery->result = err_set(&delivery->err, ERR_UNAVAILABLE, "the server stops");
	delivery->err.retriable = true;
	delivery->done(delivery);
}

/* What came after the last turn. */
static void throw_away(struct mail *mail)
{
	struct loaded_saga *loaded;

	switch ((enum engine_mail)mail->type) {
	case ENGINE_MAIL_REPLY:
		call_reply_free(CONTAINER_OF(mail, struct call_reply, mail));
		break;
	case ENGINE_MAIL_LOADED:
		loaded = CONTAINER_OF(mail, struct loaded_saga, mail);
		loaded_saga_free(loaded);
		break;
	case ENGINE_MAIL_LISTED:
		saga_list_free(CONTAINER_OF(mail, struct saga_list, mail));
		break;
	case ENGINE_MAIL_DELIVERY:
		end_delivery(CONTAINER_OF(mail, struct delivery, mail));
		break;
	case ENGINE_MAIL_INBOX:
		inbox_read_free(CONTAINER_OF(mail, struct inbox_read, mail));
		break;
	case ENGINE_MAIL_REMOVED:
		inbox_removal_free(CONTAINER_OF(mail, struct inbox_removal, mail));
		break;
	case ENGINE_MAIL_SLOTS:
		free(CONTAINER_OF(mail, struct slots_mail, mail));
		break;
	case ENGINE_MAIL_CALL:
	case ENGINE_MAIL_BATCH:
	case ENGINE_MAIL_POKE:
	case ENGINE_MAIL_QUEUES:
	case ENGINE_MAIL_DRAIN:
	case ENGINE_MAIL_STOP:
		break;
	}
}

void engine_stop(struct engine *engine)
{
	engine->stop.type = ENGINE_MAIL_STOP;
	mailbox_post_reserved(engine->box, &engine->stop);
	pthread_join(engine->thread, NULL);
	loader_stop(engine->loader);
	turn_free(engine->turn);
	engine->turn = NULL;
}

void engine_free(struct engine *engine)
{
	struct mail *mail;

	if (!engine)
		return;
	CHECK(!engine->turn);
	mail = mailbox_drain(engine->box, 0);
	while (mail) {
		struct mail *next = mail->next;

		throw_away(mail);
		mail = next;
	}
	mailbox_free(engine->box);
	pthread_cond_destroy(&engine->quieted);
	pthread_mutex_destroy(&engine->mutex);
	free(engine);
}

void engine_stats(struct engine *engine, struct engine_stats *ret_stats)
{
	pthread_mutex_lock(&engine->mutex);
	*ret_stats = engine->stats;
	pthread_mutex_unlock(&engine->mutex);
	ret_stats->mailbox_length = (int64_t)mailbox_length(engine->box);
}
