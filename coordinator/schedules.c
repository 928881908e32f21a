#include "coordinator/schedules.h"

#include <stdlib.h>
#include <string.h>

#include "connectors/http_client.h"
#include "coordinator/clock.h"
#include "coordinator/kafka/store_job.h"
#include "coordinator/log.h"
#include "coordinator/membership.h"
#include "coordinator/metrics_text.h"
#include "coordinator/registry.h"
#include "coordinator/schedules_priv.h"
#include "coordinator/start_identity.h"
#include "sagas/json_text.h"
#include "sagas/trigger.h"

enum {
	LOOK_EVERY_MS = 1000,
	STEPS_A_LOOK = 100, /* of one schedule, so that others come to theirs */
	CANCEL_TIMEOUT_MS = 10000,
};

static bool is_stopping(struct schedules *schedules)
{
	bool stop;

	pthread_mutex_lock(&schedules->lock);
	stop = schedules->stop;
	pthread_mutex_unlock(&schedules->lock);
	return stop;
}

/* Writing rows. */

static int put_row(void *ctx, struct store *store, struct err *err)
{
	return store->ops->schedule_put(store, ctx, err);
}

/* False: somebody else has written it, or it cannot be written now; it is read again. */
static bool write_row(struct schedules *schedules, struct scheduled *at)
{
	struct schedule_row row = at->row;
	CLEANUP(buf_release) struct buf text;
	struct err err;
	int r;

	buf_init(&text, 0);
	schedule_state_write(&at->state, &text);
	row.ns = at->ns;
	row.name = at->name;
	row.state = buf_str(&text);
	row.updated_at = clock_wall();
	r = store_job_run(schedules->options.writer, put_row, &row, &err);
	if (r == 0) {
		struct schedule_row before = at->row;

		schedule_row_copy(&row, &at->row);
		schedule_row_release(&before);
		return true;
	}
	if (r != ERR_CONFLICT)
		log_warn("schedules", NULL, "what became of schedule %s cannot be written yet: %s",
				 at->name, err.text);
	/* Whatever stands in the store is taken at the next look. */
	schedule_row_release(&at->row);
	at->state = (struct schedule_state){0};
	at->look_at = 0;
	return false;
}

/* Starting. */

struct starting {
	struct submission submission;
	struct schedules *schedules;
	bool done;
};

/* Thread: engine, writer, or this one. */
static void submitted(struct submission *submission)
{
	struct starting *starting = CONTAINER_OF(submission, struct starting, submission);

	pthread_mutex_lock(&starting->schedules->lock);
	starting->done = true;
	pthread_cond_broadcast(&starting->schedules->cond);
	pthread_mutex_unlock(&starting->schedules->lock);
}

static json_t *make_event(const struct scheduled *at, const struct schedule_plan *plan)
{
	char text[TIME_TEXT_SIZE];

	time_format(plan->at, text);
	return json_pack("{s:s, s:s, s:{}}", "scheduled_at", text, "schedule", at->schedule->name,
					 "data");
}

/* The version that the start belongs to, and its entry of the same name; without such an entry the
 * current one's. */
static int pick(struct schedules *schedules, const struct scheduled *at, const char *identity,
				struct saga_def **ret_def, const struct schedule_def **ret_schedule,
				struct err *err)
{
	struct saga_def *def = NULL;
	int r = registry_start(schedules->options.registry, at->ns, at->def->name, identity, &def, err);

	if (r < 0)
		return r;
	for (size_t i = 0; i < def->n_schedules; i++)
		if (strcmp(def->schedules[i].name, at->schedule->name) == 0) {
			*ret_def = def;
			*ret_schedule = &def->schedules[i];
			return 0;
		}
	saga_def_unref(def);
	*ret_def = saga_def_ref(at->def);
	*ret_schedule = at->schedule;
	return 0;
}

static int prepare(struct schedules *schedules, const struct scheduled *at,
				   const struct schedule_plan *plan, struct submission *submission, struct err *err)
{
	struct store *store = schedules->options.store;
	CLEANUP(json_decref_p) json_t *event = make_event(at, plan);
	CLEANUP(saga_def_unref_p) struct saga_def *def = NULL;
	const struct schedule_def *schedule = NULL;
	struct trigger_result result = {0};
	char key[KEY_MAX_BYTES + 1];
	int r;

	schedule_key(at->def->name, at->schedule->name, plan, key);
	r = pick(schedules, at, key, &def, &schedule, err);
	if (r < 0)
		return r;
	schedule_start(def, schedule, event, &result);
	if (result.verdict == TRIGGER_POISON) {
		*err = result.err;
		r = err->code == ERR_NO_MEMORY ? ERR_UNAVAILABLE : ERR_INVALID;
	} else {
		submission->ns = at->ns;
		submission->input = TAKE(result.input);
		submission->key = result.key ? TAKE(result.key) : xstrdup(key);
		r = start_fingerprint(def->name, submission->key, submission->input,
							  submission->fingerprint, err);
		start_make_id(at->ns, def->name, submission->key, store->ops->slot_count(store),
					  submission->id);
		submission->def = TAKE(def);
	}
	trigger_result_release(&result);
	return r;
}

static void submit(struct schedules *schedules, struct starting *starting)
{
	starting->schedules = schedules;
	starting->submission.done = submitted;
	submitter_add(schedules->submitter, &starting->submission);
	pthread_mutex_lock(&schedules->lock);
	while (!starting->done)
		pthread_cond_wait(&schedules->cond, &schedules->lock);
	pthread_mutex_unlock(&schedules->lock);
}

static void count_lateness(struct schedules *schedules, int64_t ms)
{
	__atomic_fetch_add(&schedules->lateness_sum_ms, ms, __ATOMIC_RELAXED);
	if (ms > __atomic_load_n(&schedules->lateness_max_ms, __ATOMIC_RELAXED))
		__atomic_store_n(&schedules->lateness_max_ms, ms, __ATOMIC_RELAXED);
}

static void told(struct schedules *schedules, struct scheduled *at,
				 const struct schedule_plan *plan, enum schedule_result result, const char *saga_id,
				 const char *detail)
{
	wall_ms now = clock_wall();

	schedule_told(&at->state, plan, now, result, saga_id, detail);
	if (result == SCHEDULE_STARTED) {
		if (plan->source == SOURCE_PLANNED && now > plan->at)
			count_lateness(schedules, now - plan->at);
		log_info("schedules", saga_id, "schedule %s of namespace %s has started a saga", at->name,
				 at->ns);
	} else if (result == SCHEDULE_FAILED) {
		log_error("schedules", NULL, "schedule %s of namespace %s starts nothing: %s", at->name,
				  at->ns, detail);
	}
}

/* False: not now. */
static bool start(struct schedules *schedules, struct scheduled *at,
				  const struct schedule_plan *plan)
{
	struct starting starting = {.done = false};
	struct submission *submission = &starting.submission;
	struct err err;
	int r = prepare(schedules, at, plan, submission, &err);

	if (r < 0) {
		submission_release(submission);
		if (r != ERR_INVALID && r != ERR_LIMIT && r != ERR_NOT_BUILT) {
			log_warn("schedules", NULL, "schedule %s cannot start its saga yet: %s", at->name,
					 err.text);
			return false;
		}
		told(schedules, at, plan, SCHEDULE_FAILED, NULL, err.text);
		return true;
	}
	submit(schedules, &starting);
	switch (submission->result) {
	case SUBMIT_STARTED:
		told(schedules, at, plan, SCHEDULE_STARTED, submission->saga_id, NULL);
		return true;
	case SUBMIT_DUPLICATE:
		told(schedules, at, plan, SCHEDULE_DUPLICATE, submission->saga_id, NULL);
		return true;
	case SUBMIT_KEY_CONFLICT:
	case SUBMIT_REFUSED:
		told(schedules, at, plan, SCHEDULE_FAILED, NULL, submission->err.text);
		return true;
	case SUBMIT_LATER:
		break;
	}
	log_warn("schedules", NULL, "schedule %s cannot start its saga yet: %s", at->name,
			 submission->err.text);
	return false;
}

/* Cancelling, through this node's own API, which knows the way to the saga's owner. */

struct cancelling {
	struct http_request request;
	struct schedules *schedules;
	bool done;
};

/* Thread: HTTP client. */
static void cancelled(struct http_request *request)
{
	struct cancelling *cancelling = request->ctx;

	pthread_mutex_lock(&cancelling->schedules->lock);
	cancelling->done = true;
	pthread_cond_broadcast(&cancelling->schedules->cond);
	pthread_mutex_unlock(&cancelling->schedules->lock);
}

/* One that refuses goes on to its end, which is waited for all the same. */
static void cancel(struct schedules *schedules, const struct scheduled *at)
{
	CLEANUP(free_p) char *path = xasprintf("/v1/sagas/%s/cancel", at->state.running);
	CLEANUP(free_p) char *ns = xasprintf("Skald-Namespace: %s", at->ns);
	CLEANUP(free_p)
	char *body = xasprintf("{\"by\":\"schedule %s\",\"reason\":\"the next one is due\"}", at->name);
	const char *const headers[] = {"Content-Type: application/json", ns, NULL};
	struct cancelling cancelling = {
		.request =
			{
				.base_url = schedules->options.address,
				.method = "POST",
				.path = path,
				.headers = headers,
				.body = body,
				.body_len = strlen(body),
				.timeout_ms = CANCEL_TIMEOUT_MS,
				.done = cancelled,
				.ctx = &cancelling,
			},
		.schedules = schedules,
	};

	http_client_send(schedules->options.http, &cancelling.request);
	pthread_mutex_lock(&schedules->lock);
	while (!cancelling.done)
		pthread_cond_wait(&schedules->cond, &schedules->lock);
	pthread_mutex_unlock(&schedules->lock);
	if (cancelling.request.result != HTTP_ANSWERED || cancelling.request.status >= 300)
		log_warn("schedules", at->state.running, "schedule %s cannot cancel its saga; it waits",
				 at->name);
	free(cancelling.request.reply);
}

/* Looking. */

/* Whether the last saga is open; -1: that cannot be read now. */
static int is_running(struct schedules *schedules, const struct scheduled *at)
{
	const struct store_ops *ops = schedules->options.store->ops;
	struct saga_row row = {0};
	struct err err;
	int r, open;

	if (!at->state.running[0])
		return 0;
	r = ops->saga_get(schedules->reader, at->ns, at->state.running, &row, &err);
	open = r == ERR_NOT_FOUND ? 0 : r < 0 ? -1 : row.ended_at == 0;
	if (r == 0)
		saga_row_release(&row);
	return open;
}

/* One question, and what comes of it. False: it is done for now. */
static bool step(struct schedules *schedules, struct scheduled *at)
{
	int64_t before[SCHEDULE_RESULT_COUNT];
	struct schedule_now now = {.now = clock_wall(), .paused = at->row.paused, .held = at->held};
	int running = is_running(schedules, at);
	struct schedule_plan plan;
	bool changed = false, more = true;

	if (running < 0)
		return false;
	now.is_running = running > 0;
	memcpy(before, at->state.n, sizeof(before));
	plan = schedule_plan(&at->state, at->schedule, at->tz, &now, &changed);
	switch (plan.step) {
	case SCHEDULE_SLEEP:
		/* What waits for the end of a saga looks again soon. */
		at->look_at = at->state.queued || at->state.until ? 0 : plan.at < 0 ? INT64_MAX : plan.at;
		more = false;
		break;
	case SCHEDULE_AGAIN:
		break;
	case SCHEDULE_START:
		more = start(schedules, at, &plan);
		changed |= more;
		break;
	case SCHEDULE_CANCEL:
		cancel(schedules, at);
		break;
	}
	if (changed && !write_row(schedules, at))
		return false;
	for (int i = 0; i < SCHEDULE_RESULT_COUNT; i++)
		__atomic_fetch_add(&schedules->results[i], at->state.n[i] - before[i], __ATOMIC_RELAXED);
	return more;
}

static void look(struct schedules *schedules)
{
	struct err err;

	if (schedules__read(schedules, &err) < 0) {
		log_debug("schedules", NULL, "the schedules cannot be read now: %s", err.text);
		return;
	}
	__atomic_store_n(&schedules->n_known, (int64_t)schedules->n, __ATOMIC_RELAXED);
	for (size_t i = 0; i < schedules->n; i++) {
		struct scheduled *at = &schedules->list[i];

		for (int k = 0;
			 at->tz && k < STEPS_A_LOOK && at->look_at <= clock_wall() && !is_stopping(schedules);
			 k++)
			if (!step(schedules, at))
				break;
	}
}

/* How long until the next look: the next time that is due, or a while. */
static int64_t pause_ms(const struct schedules *schedules)
{
	int64_t ms = LOOK_EVERY_MS;
	wall_ms now = clock_wall();

	for (size_t i = 0; i < schedules->n; i++) {
		wall_ms at = schedules->list[i].look_at;

		if (at > now && at - now < ms)
			ms = at - now;
	}
	return ms;
}

/* False: the thread is to end. */
static bool wait_a_while(struct schedules *schedules, int64_t ms)
{
	int64_t until = clock_mono_ms() + ms;
	bool stop;

	pthread_mutex_lock(&schedules->lock);
	while (!schedules->stop && !schedules->changed && clock_mono_ms() < until) {
		struct timespec at = {until / 1000, (until % 1000) * 1000000};

		pthread_cond_timedwait(&schedules->cond, &schedules->lock, &at);
	}
	schedules->changed = false;
	stop = schedules->stop;
	pthread_mutex_unlock(&schedules->lock);
	return !stop;
}

static bool is_ours(const struct schedules *schedules)
{
	char address[NODE_ADDRESS_SIZE];

	return __atomic_load_n(schedules->options.ready, __ATOMIC_RELAXED) &&
		   (!schedules->options.member ||
			member_slot(schedules->options.member, 0, address) == SLOT_HERE);
}

static void *run(void *arg)
{
	struct schedules *schedules = arg;
	int64_t ms = 0;

	while (wait_a_while(schedules, ms)) {
		ms = LOOK_EVERY_MS;
		if (!is_ours(schedules)) {
			schedules__forget(schedules);
			__atomic_store_n(&schedules->n_known, 0, __ATOMIC_RELAXED);
			continue;
		}
		look(schedules);
		ms = pause_ms(schedules);
	}
	return NULL;
}

int schedules_start(const struct schedules_options *options, struct schedules **ret_schedules,
					struct err *err)
{
	struct schedules *schedules = xcalloc(1, sizeof(*schedules));
	const struct triggers_options submitter = {
		.store = options->store,
		.writer = options->writer,
		.engine = options->engine,
		.member = options->member,
		.http = options->http,
		.remember = options->remember,
		.ctx = options->ctx,
	};
	int r = options->store->ops->reader_open(options->store, &schedules->reader, err);

	if (r < 0) {
		free(schedules);
		return r;
	}
	schedules->options = *options;
	schedules->submitter = submitter_new(&submitter);
	CHECK(pthread_mutex_init(&schedules->lock, NULL) == 0);
	clock_cond_init(&schedules->cond);
	if (pthread_create(&schedules->thread, NULL, run, schedules) != 0) {
		schedules->stop = true;
		schedules_free(schedules);
		return err_set(err, ERR_UNAVAILABLE, "cannot start the thread of the schedules");
	}
	*ret_schedules = schedules;
	return 0;
}

void schedules_stop(struct schedules *schedules)
{
	if (!schedules)
		return;
	pthread_mutex_lock(&schedules->lock);
	schedules->stop = true;
	pthread_cond_broadcast(&schedules->cond);
	pthread_mutex_unlock(&schedules->lock);
	pthread_join(schedules->thread, NULL);
}

void schedules_free(struct schedules *schedules)
{
	if (!schedules)
		return;
	schedules__forget(schedules);
	free(schedules->list);
	free(schedules->versions);
	submitter_free(schedules->submitter);
	schedules->options.store->ops->reader_close(schedules->reader);
	pthread_cond_destroy(&schedules->cond);
	pthread_mutex_destroy(&schedules->lock);
	free(schedules);
}

void schedules_changed(struct schedules *schedules)
{
	if (!schedules)
		return;
	pthread_mutex_lock(&schedules->lock);
	schedules->changed = true;
	pthread_cond_broadcast(&schedules->cond);
	pthread_mutex_unlock(&schedules->lock);
}

void schedules_write_metrics(struct schedules *schedules, struct buf *out)
{
	if (!schedules)
		return;
	metrics_write_head(out, "skald_schedules", "gauge", "Schedules that this node runs.");
	buf_printf(out, "skald_schedules %lld\n",
			   (long long)__atomic_load_n(&schedules->n_known, __ATOMIC_RELAXED));
	metrics_write_head(out, "skald_schedule_times_total", "counter",
					   "Planned times, by what became of them here.");
	for (int i = 1; i < SCHEDULE_RESULT_COUNT; i++)
		buf_printf(out, "skald_schedule_times_total{result=\"%s\"} %lld\n",
				   schedule_result_text((enum schedule_result)i),
				   (long long)__atomic_load_n(&schedules->results[i], __ATOMIC_RELAXED));
	metrics_write_head(out, "skald_schedule_lateness_seconds_total", "counter",
					   "By how much starts at planned times were late, added up.");
	buf_printf(out, "skald_schedule_lateness_seconds_total %.3f\n",
			   (double)__atomic_load_n(&schedules->lateness_sum_ms, __ATOMIC_RELAXED) / 1000);
	metrics_write_head(out, "skald_schedule_lateness_seconds_max", "gauge",
					   "By how much such a start was late at most.");
	buf_printf(out, "skald_schedule_lateness_seconds_max %.3f\n",
			   (double)__atomic_load_n(&schedules->lateness_max_ms, __ATOMIC_RELAXED) / 1000);
}
