#include "coordinator/kafka/trigger_worker.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "coordinator/clock.h"
#include "coordinator/kafka/trigger_bury.h"
#include "coordinator/log.h"
#include "coordinator/mailbox.h"
#include "coordinator/start_identity.h"

enum {
	INTAKE = 1,                /* all of its mail is of what has room elsewhere */
	ENSURE_TIMEOUT_MS = 3000,  /* for making the topic of dead letters */
	ENSURE_AGAIN_MS = 30000,   /* when that failed */
	DEAD_LETTER_PARTITIONS = 1 /* when those of the source are not known */
};

enum worker_mail { MAIL_RECORD, MAIL_SUBMITTED, MAIL_BURIED, MAIL_TOLD };

enum told_kind { TOLD_DEFINE, TOLD_PAUSE, TOLD_FORGET, TOLD_STOP, TOLD_END };

struct told {
	struct mail mail;
	enum told_kind kind;
	struct saga_def *def; /* DEFINE */
	const struct trigger_def *trigger;
	struct trigger_canary canary; /* DEFINE, with a reference of its own */
	bool paused;                  /* PAUSE */
	int partition;                /* FORGET */
	uint64_t before;              /* FORGET */
};

struct trigger_worker {
	struct trigger_worker_options options;
	struct kafka_consumer *consumer; /* the manager's; taken away under the lock */
	struct mailbox *box;
	pthread_t thread;
	int64_t closed_until_ms; /* atomic: no record is taken before */
	uint64_t taken;          /* atomic: records taken; written by the consumer's thread */
	/* The thread's own. */
	struct trigger_run *run;
	bool stopping, ended, ensured;
	int64_t ensure_at_ms;

	pthread_mutex_t lock; /* of these: */
	pthread_cond_t published;
	bool stopped; /* nothing more begins; what is out is in stats */
	struct run_stats stats;
	char bury_error[160];
};

/* What the run asks for. Thread: the worker's. */

static void post(struct trigger_worker *worker, struct mail *mail, enum worker_mail type)
{
	mail->type = type;
	mailbox_post_reserved(worker->box, mail);
}

/* Thread: engine, writer, or the worker's. */
static void submitted(struct submission *submission)
{
	post(submission->ctx, &submission->mail, MAIL_SUBMITTED);
}

static void port_submit(void *ctx, struct submission *submission)
{
	struct trigger_worker *worker = ctx;

	submission->done = submitted;
	submission->ctx = worker;
	submitter_add(worker->options.submitter, submission);
}

/* As many partitions as the source has, so that whoever reads it finds it familiar. Where this is
 * not allowed, the topic may be there all the same. */
static void ensure_topic(struct trigger_worker *worker)
{
	const struct trigger_worker_options *options = &worker->options;
	CLEANUP(free_p)
	struct kafka_partition_offset *ends = xcalloc(KAFKA_PARTITIONS_MAX, sizeof(*ends));
	size_t n = 0;
	struct err err;
	int r;

	if (worker->ensured || clock_mono_ms() < worker->ensure_at_ms)
		return;
	if (kafka_ends(options->cluster, options->topic, ENSURE_TIMEOUT_MS, ends, KAFKA_PARTITIONS_MAX,
				   &n, &err) < 0 ||
		n == 0)
		n = DEAD_LETTER_PARTITIONS;
	r = kafka_topic_ensure(options->cluster, options->dead_letter_topic, (int)n, ENSURE_TIMEOUT_MS,
						   NULL, &err);
	if (r < 0)
		log_warn("kafka", NULL, "topic %s of dead letters cannot be made: %s",
				 options->dead_letter_topic, err.text);
	worker->ensured = r == 0;
	worker->ensure_at_ms = clock_mono_ms() + ENSURE_AGAIN_MS;
}

/* Thread: producer, writer, or the worker's. */
static void buried(struct burial *burial)
{
	post(burial->ctx, &burial->mail, MAIL_BURIED);
}

static void port_bury(void *ctx, struct run_record *record)
{
	struct trigger_worker *worker = ctx;
	struct burial *burial = xcalloc(1, sizeof(*burial));

	ensure_topic(worker);
	burial->record = record;
	burial->ns = worker->options.ns;
	burial->trigger = worker->options.name;
	burial->topic = worker->options.dead_letter_topic;
	burial->producer = worker->options.producer;
	burial->writer = worker->options.writer;
	burial->done = buried;
	burial->ctx = worker;
	bury(burial);
}

static void port_over(void *ctx, struct kafka_taken *taken)
{
	(void)ctx;
	kafka_done(taken);
}

static void port_pause(void *ctx, const char *reason)
{
	struct trigger_worker *worker = ctx;

	worker->options.pause(worker->options.ctx, reason);
}

static void port_close_until(void *ctx, int64_t until_ms)
{
	__atomic_store_n(&((struct trigger_worker *)ctx)->closed_until_ms, until_ms, __ATOMIC_RELAXED);
}

static void port_make_id(void *ctx, const char *definition, const char *key, char id[SAGA_ID_SIZE])
{
	struct trigger_worker *worker = ctx;

	start_make_id(worker->options.ns, definition, key, worker->options.slots, id);
}

static uint64_t port_random(void *ctx)
{
	uint64_t random;

	(void)ctx;
	CHECK(getrandom(&random, sizeof(random), 0) == sizeof(random));
	return random;
}

static const struct run_ports ports = {
	.submit = port_submit,
	.bury = port_bury,
	.over = port_over,
	.pause = port_pause,
	.close_until = port_close_until,
	.make_id = port_make_id,
	.random = port_random,
};

/* The thread. */

static void note_burial(struct trigger_worker *worker, const char *error)
{
	pthread_mutex_lock(&worker->lock);
	snprintf(worker->bury_error, sizeof(worker->bury_error), "%.159s", error);
	pthread_mutex_unlock(&worker->lock);
}

static void burial_came_back(struct trigger_worker *worker, struct burial *burial)
{
	note_burial(worker, burial->result < 0 ? burial->err.text : "");
	trigger_run_buried(worker->run, burial->record, burial->result < 0 ? &burial->err : NULL,
					   clock_mono_ms());
	burial_release(burial);
	free(burial);
}

static void obey(struct trigger_worker *worker, struct told *told)
{
	switch (told->kind) {
	case TOLD_DEFINE:
		trigger_run_define(worker->run, told->def, told->trigger, &told->canary);
		break;
	case TOLD_PAUSE:
		trigger_run_pause(worker->run, told->paused, clock_mono_ms());
		break;
	case TOLD_FORGET:
		trigger_run_forget(worker->run, told->partition, told->before, clock_mono_ms());
		note_burial(worker, ""); /* what waits may be gone; if not, it is said again */
		break;
	case TOLD_STOP:
		trigger_run_stop(worker->run);
		worker->stopping = true;
		break;
	case TOLD_END:
		worker->ended = true;
		break;
	}
	saga_def_unref(told->def);
	saga_def_unref(told->canary.def);
	free(told);
}

static void take_mail(struct trigger_worker *worker, struct mail *mail)
{
	switch ((enum worker_mail)mail->type) {
	case MAIL_RECORD:
		trigger_run_record(worker->run, CONTAINER_OF(mail, struct run_record, mail),
						   clock_mono_ms());
		break;
	case MAIL_SUBMITTED:
		trigger_run_submitted(worker->run, CONTAINER_OF(mail, struct submission, mail),
							  clock_mono_ms());
		break;
	case MAIL_BURIED:
		burial_came_back(worker, CONTAINER_OF(mail, struct burial, mail));
		break;
	case MAIL_TOLD:
		obey(worker, CONTAINER_OF(mail, struct told, mail));
		break;
	}
}

static void publish(struct trigger_worker *worker)
{
	pthread_mutex_lock(&worker->lock);
	trigger_run_stats(worker->run, &worker->stats);
	worker->stopped = worker->stopping;
	if (worker->stopped && worker->stats.out == 0)
		pthread_cond_broadcast(&worker->published);
	pthread_mutex_unlock(&worker->lock);
}

static void *work(void *arg)
{
	struct trigger_worker *worker = arg;
	int64_t due, now;

	while (!worker->ended) {
		struct mail *mail, *next;

		now = clock_mono_ms();
		due = trigger_run_tick(worker->run, now);
		publish(worker);
		now = clock_mono_ms();
		mail = mailbox_drain(worker->box, due < 0 ? -1 : due > now ? due - now : 0);
		for (; mail; mail = next) {
			next = mail->next;
			take_mail(worker, mail);
		}
	}
	return NULL;
}

static struct told *told_new(enum told_kind kind)
{
	struct told *told = xcalloc(1, sizeof(*told));

	told->kind = kind;
	return told;
}

/* What the consumer says. Thread: the consumer's. */

static int take(void *ctx, struct kafka_taken *taken)
{
	struct trigger_worker *worker = ctx;
	struct run_record *record;

	if (clock_mono_ms() < __atomic_load_n(&worker->closed_until_ms, __ATOMIC_RELAXED))
		return ERR_UNAVAILABLE;
	record = run_record_new(taken, __atomic_fetch_add(&worker->taken, 1, __ATOMIC_SEQ_CST));
	post(worker, &record->mail, MAIL_RECORD);
	return 0;
}

static void forget(struct trigger_worker *worker, int partition, uint64_t before)
{
	struct told *told = told_new(TOLD_FORGET);

	told->partition = partition;
	told->before = before;
	post(worker, &told->mail, MAIL_TOLD);
}

static void revoked(void *ctx, const struct kafka_assigned *partitions, size_t n)
{
	struct trigger_worker *worker = ctx;

	for (size_t i = 0; i < n; i++)
		forget(worker, partitions[i].partition, __atomic_load_n(&worker->taken, __ATOMIC_SEQ_CST));
}

/* What the manager says. */

static int start_thread(struct trigger_worker *worker, struct err *err)
{
	if (pthread_create(&worker->thread, NULL, work, worker) == 0)
		return 0;
	return err_set(err, ERR_UNAVAILABLE, "cannot start a trigger's thread");
}

static void end_thread(struct trigger_worker *worker)
{
	post(worker, &told_new(TOLD_END)->mail, MAIL_TOLD);
	pthread_join(worker->thread, NULL);
}

static int start_consumer(struct trigger_worker *worker, struct err *err)
{
	const struct trigger_worker_options *options = &worker->options;
	struct kafka_consumer_options consumer = {
		.cluster = options->cluster,
		.group = options->group,
		.topics = &options->topic,
		.n_topics = 1,
		.from = options->from_latest ? KAFKA_FROM_LATEST : KAFKA_FROM_EARLIEST,
		.in_flight_max = options->in_flight,
		.record = take,
		.revoked = revoked,
		.ctx = worker,
	};
	int r = kafka_consumer_start(&consumer, &worker->consumer, err);

	if (r == 0 && options->paused)
		kafka_consumer_pause(worker->consumer, options->topic, -1, true);
	return r;
}

static void worker_free(struct trigger_worker *worker)
{
	trigger_run_free(worker->run);
	mailbox_free(worker->box);
	pthread_cond_destroy(&worker->published);
	pthread_mutex_destroy(&worker->lock);
	free(worker);
}

int trigger_worker_start(const struct trigger_worker_options *options, struct saga_def *def,
						 const struct trigger_def *trigger, const struct trigger_canary *canary,
						 struct trigger_worker **ret_worker, struct err *err)
{
	struct trigger_worker *worker = xcalloc(1, sizeof(*worker));
	int r;

	worker->options = *options;
	worker->box = mailbox_new(INTAKE);
	CHECK(pthread_mutex_init(&worker->lock, NULL) == 0);
	clock_cond_init(&worker->published);
	worker->run = trigger_run_new(&ports, worker, options->ns, options->name);
	trigger_run_define(worker->run, def, trigger, canary);
	if (options->paused)
		trigger_run_pause(worker->run, true, clock_mono_ms());
	r = start_thread(worker, err);
	if (r < 0) {
		worker_free(worker);
		return r;
	}
	r = start_consumer(worker, err);
	if (r < 0) {
		end_thread(worker);
		worker_free(worker);
		return r;
	}
	*ret_worker = worker;
	return 0;
}

void trigger_worker_define(struct trigger_worker *worker, struct saga_def *def,
						   const struct trigger_def *trigger, const struct trigger_canary *canary)
{
	struct told *told = told_new(TOLD_DEFINE);

	told->def = saga_def_ref(def);
	told->trigger = trigger;
	told->canary = *canary;
	if (canary->def)
		told->canary.def = saga_def_ref(canary->def);
	post(worker, &told->mail, MAIL_TOLD);
}

void trigger_worker_pause(struct trigger_worker *worker, bool paused)
{
	struct told *told = told_new(TOLD_PAUSE);

	told->paused = paused;
	post(worker, &told->mail, MAIL_TOLD);
	kafka_consumer_pause(worker->consumer, worker->options.topic, -1, paused);
}

int trigger_worker_seek(struct trigger_worker *worker, int partition, int64_t offset, bool at_time,
						int64_t timeout_ms, struct err *err)
{
	/* What is taken from here on may be from either side of the seek, and is worked on in any case:
	 * should it be old, it does no more than start what would have been started. */
	uint64_t before = __atomic_load_n(&worker->taken, __ATOMIC_SEQ_CST);
	int r = kafka_consumer_seek(worker->consumer, worker->options.topic, partition, offset, at_time,
								timeout_ms, err);

	if (r == 0)
		forget(worker, partition, before);
	return r;
}

bool trigger_worker_is_idle(struct trigger_worker *worker)
{
	bool idle;

	pthread_mutex_lock(&worker->lock);
	idle = worker->stopped && worker->stats.out == 0;
	pthread_mutex_unlock(&worker->lock);
	return idle;
}

void trigger_worker_stop(struct trigger_worker *worker, int64_t grace_ms)
{
	struct kafka_consumer *consumer;
	int64_t until = clock_mono_ms() + grace_ms;
	struct timespec at = {.tv_sec = until / 1000, .tv_nsec = until % 1000 * 1000000};
	int r = 0;

	port_close_until(worker, INT64_MAX);
	post(worker, &told_new(TOLD_STOP)->mail, MAIL_TOLD);
	pthread_mutex_lock(&worker->lock);
	while (r == 0 && !(worker->stopped && worker->stats.out == 0))
		r = pthread_cond_timedwait(&worker->published, &worker->lock, &at);
	consumer = TAKE(worker->consumer);
	pthread_mutex_unlock(&worker->lock);
	kafka_consumer_stop(consumer, 0);
}

void trigger_worker_free(struct trigger_worker *worker)
{
	if (!worker)
		return;
	end_thread(worker);
	worker_free(worker);
}

void trigger_worker_stats(struct trigger_worker *worker, struct trigger_worker_stats *ret_stats)
{
	*ret_stats = (struct trigger_worker_stats){0};
	pthread_mutex_lock(&worker->lock);
	ret_stats->run = worker->stats;
	memcpy(ret_stats->bury_error, worker->bury_error, sizeof(worker->bury_error));
	if (worker->consumer)
		kafka_consumer_stats(worker->consumer, &ret_stats->consumer);
	pthread_mutex_unlock(&worker->lock);
}

size_t trigger_worker_progress(struct trigger_worker *worker, struct kafka_progress *progress,
							   size_t max)
{
	size_t n = 0;

	pthread_mutex_lock(&worker->lock);
	if (worker->consumer)
		n = kafka_consumer_progress(worker->consumer, progress, max);
	pthread_mutex_unlock(&worker->lock);
	return n;
}
