/*
 * The manager: which triggers there are, and that each has its worker. It asks the store which
 * versions of all definitions start sagas; what is new is loaded, and compared with what runs.
 */
#include "coordinator/kafka/trigger.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "coordinator/clock.h"
#include "coordinator/kafka/trigger_priv.h"
#include "coordinator/log.h"

enum { LOOK_EVERY_MS = 2000, RETIRE_GRACE_MS = 2000 };

static int compare_names(const char *ns_a, const char *name_a, const char *ns_b, const char *name_b)
{
	int c = strcmp(ns_a, ns_b);

	return c ? c : strcmp(name_a, name_b);
}

/* Workers. */

static void add_past(struct run_stats *past, const struct run_stats *more)
{
	for (int i = 0; i < TRIGGER_END_COUNT; i++)
		past->ends[i] += more->ends[i];
	past->poison += more->poison;
	past->retries += more->retries;
}

/* Nobody looks at the worker any more from here on. NULL: there is none. */
static struct trigger_worker *detach(struct trigger *trigger)
{
	struct trigger_worker *worker;

	pthread_mutex_lock(&trigger->all->lock);
	worker = TAKE(trigger->worker);
	if (worker)
		trigger->state = TRIGGER_STARTING;
	pthread_mutex_unlock(&trigger->all->lock);
	return worker;
}

/* After trigger_worker_stop: what is still out comes back to a worker that does nothing more. */
static void put_aside(struct trigger *trigger, struct trigger_worker *worker)
{
	struct triggers *triggers = trigger->all;
	struct trigger_worker_stats stats;

	trigger_worker_stats(worker, &stats);
	pthread_mutex_lock(&triggers->lock);
	add_past(&trigger->past, &stats.run);
	pthread_mutex_unlock(&triggers->lock);
	if (triggers->n_retired == triggers->cap_retired) {
		triggers->cap_retired = triggers->cap_retired ? 2 * triggers->cap_retired : 8;
		triggers->retired =
			xrealloc_array(triggers->retired, triggers->cap_retired, sizeof(worker));
	}
	triggers->retired[triggers->n_retired++] = worker;
}

static void retire(struct trigger *trigger)
{
	struct trigger_worker *worker = detach(trigger);

	if (!worker)
		return;
	trigger_worker_stop(worker, RETIRE_GRACE_MS);
	put_aside(trigger, worker);
}

static void free_idle(struct triggers *triggers)
{
	size_t n = 0;

	for (size_t i = 0; i < triggers->n_retired; i++) {
		if (trigger_worker_is_idle(triggers->retired[i]))
			trigger_worker_free(triggers->retired[i]);
		else
			triggers->retired[n++] = triggers->retired[i];
	}
	triggers->n_retired = n;
}

/* Thread: the worker's. */
static void pause_wanted(void *ctx, const char *reason)
{
	struct trigger *trigger = ctx;

	log_warn("kafka", NULL, "trigger %s of namespace %s is paused: %s", trigger->name, trigger->ns,
			 reason);
	pthread_mutex_lock(&trigger->all->lock);
	free(trigger->pause_wanted);
	trigger->pause_wanted = xstrdup(reason);
	trigger->all->look_now = true;
	pthread_cond_signal(&trigger->all->changed);
	pthread_mutex_unlock(&trigger->all->lock);
}

static void set_failed(struct trigger *trigger, const char *why)
{
	pthread_mutex_lock(&trigger->all->lock);
	if (trigger->state != TRIGGER_FAILED || strncmp(trigger->detail, why, 100) != 0)
		log_warn("kafka", NULL, "trigger %s of namespace %s cannot run: %s", trigger->name,
				 trigger->ns, why);
	trigger->state = TRIGGER_FAILED;
	snprintf(trigger->detail, sizeof(trigger->detail), "%s", why);
	pthread_mutex_unlock(&trigger->all->lock);
}

static void start_worker(struct triggers *triggers, struct trigger *trigger)
{
	const struct triggers_options *options = &triggers->options;
	struct trigger_worker_options worker = {
		.ns = trigger->ns,
		.name = trigger->name,
		.topic = trigger->topic,
		.group = trigger->group,
		.dead_letter_topic = trigger->dead_letter_topic,
		.cluster = options->cluster(options->ctx, trigger->cluster),
		.producer = options->producer(options->ctx, trigger->cluster),
		.submitter = triggers->submitter,
		.writer = options->writer,
		.slots = options->store->ops->slot_count(options->store),
		.from_latest = trigger->trigger->from_latest,
		.in_flight = options->in_flight,
		.paused = trigger->paused || trigger->held,
		.pause = pause_wanted,
		.ctx = trigger,
	};
	struct trigger_worker *started = NULL;
	char text[150];
	struct err err;

	if (!worker.cluster || !worker.producer) {
		snprintf(text, sizeof(text), "no cluster `%s` is configured on this node",
				 trigger->cluster);
		set_failed(trigger, text);
		return;
	}
	if (trigger_worker_start(&worker, trigger->def, trigger->trigger, &trigger->canary, &started,
							 &err) < 0) {
		set_failed(trigger, err.text);
		return;
	}
	log_info("kafka", NULL, "trigger %s of namespace %s consumes topic %s as group %s",
			 trigger->name, trigger->ns, trigger->topic, trigger->group);
	pthread_mutex_lock(&triggers->lock);
	trigger->worker = started;
	trigger->state = TRIGGER_RUNNING;
	trigger->detail[0] = '\0';
	pthread_mutex_unlock(&triggers->lock);
}

bool triggers__has_room(const struct triggers *triggers)
{
	size_t n = 0;

	for (size_t i = 0; i < triggers->n; i++)
		n += triggers->list[i]->state != TRIGGER_REFUSED;
	return n < TRIGGERS_MAX;
}

static void start_workers(struct triggers *triggers)
{
	int64_t refused = 0;

	for (size_t i = 0; i < triggers->n; i++) {
		struct trigger *trigger = triggers->list[i];

		if (trigger->worker || !trigger->seen)
			continue;
		if (trigger->state == TRIGGER_REFUSED && !triggers__has_room(triggers)) {
			refused++;
			continue;
		}
		start_worker(triggers, trigger);
	}
	pthread_mutex_lock(&triggers->lock);
	triggers->refused = refused;
	pthread_mutex_unlock(&triggers->lock);
}

/* What there is, and what there should be. */

static void trigger_free(struct trigger *trigger)
{
	saga_def_unref(trigger->def);
	saga_def_unref(trigger->canary.def);
	free(trigger->ns);
	free(trigger->name);
	free(trigger->cluster);
	free(trigger->topic);
	free(trigger->group);
	free(trigger->dead_letter_topic);
	free(trigger->pause_reason);
	free(trigger->paused_by);
	free(trigger->seeks);
	free(trigger->pause_wanted);
	json_decref(trigger->sought);
	free(trigger);
}

static void set_places(struct trigger *trigger, const struct trigger_def *from)
{
	const char *prefix = trigger->all->options.group_prefix;

	trigger->cluster = xstrdup(from->cluster);
	trigger->topic = xstrdup(from->topic);
	trigger->group = from->group ? xstrdup(from->group)
								 : xasprintf("%s.%s.%s", prefix ? prefix : "skald", trigger->ns,
											 trigger->def->name);
	trigger->dead_letter_topic = xstrdup(from->dead_letter_topic);
}

static bool same_places(const struct trigger_def *a, const struct trigger_def *b)
{
	return strcmp(a->cluster, b->cluster) == 0 && strcmp(a->topic, b->topic) == 0 &&
		   strcmp(a->dead_letter_topic, b->dead_letter_topic) == 0 &&
		   (a->group == b->group || (a->group && b->group && strcmp(a->group, b->group) == 0));
}

static void set_definition(struct trigger *trigger, struct saga_def *def,
						   const struct trigger_def *from)
{
	struct saga_def *before = trigger->def;

	pthread_mutex_lock(&trigger->all->lock);
	trigger->def = saga_def_ref(def);
	trigger->trigger = from;
	pthread_mutex_unlock(&trigger->all->lock);
	saga_def_unref(before);
}

static void update(struct triggers *triggers, struct trigger *trigger, struct saga_def *def,
				   const struct trigger_def *from)
{
	if (trigger->def == def)
		return;
	/* Another place is another trigger: the old one goes, and the next look finds the new one. */
	if (!same_places(trigger->trigger, from)) {
		trigger->seen = false;
		triggers_deployed(triggers);
		return;
	}
	set_definition(trigger, def, from);
	if (trigger->worker)
		trigger_worker_define(trigger->worker, def, from, &trigger->canary);
	log_info("kafka", NULL, "trigger %s of namespace %s is now that of version %lld", trigger->name,
			 trigger->ns, (long long)def->version);
}

static void insert(struct triggers *triggers, struct trigger *trigger)
{
	size_t at = 0;

	pthread_mutex_lock(&triggers->lock);
	if (triggers->n == triggers->cap) {
		triggers->cap = triggers->cap ? 2 * triggers->cap : 16;
		triggers->list = xrealloc_array(triggers->list, triggers->cap, sizeof(struct trigger *));
	}
	while (at < triggers->n && compare_names(triggers->list[at]->ns, triggers->list[at]->name,
											 trigger->ns, trigger->name) < 0)
		at++;
	memmove(triggers->list + at + 1, triggers->list + at,
			(triggers->n++ - at) * sizeof(struct trigger *));
	triggers->list[at] = trigger;
	pthread_mutex_unlock(&triggers->lock);
}

static struct trigger *add(struct triggers *triggers, const char *ns, char *name,
						   struct saga_def *def, const struct trigger_def *from)
{
	struct trigger *trigger = xcalloc(1, sizeof(*trigger));

	trigger->all = triggers;
	trigger->ns = xstrdup(ns);
	trigger->name = name;
	trigger->seen = true;
	trigger->state = TRIGGER_STARTING;
	set_definition(trigger, def, from);
	set_places(trigger, from);
	if (!triggers__has_room(triggers)) {
		trigger->state = TRIGGER_REFUSED;
		snprintf(trigger->detail, sizeof(trigger->detail),
				 "a node runs at most %d triggers, and this is one more", TRIGGERS_MAX);
		log_error("kafka", NULL, "trigger %s of namespace %s does not run: %s", name, ns,
				  trigger->detail);
	}
	insert(triggers, trigger);
	return trigger;
}

static struct trigger *find(struct triggers *triggers, const char *ns, const char *name)
{
	for (size_t i = 0; i < triggers->n; i++)
		if (strcmp(triggers->list[i]->name, name) == 0 && strcmp(triggers->list[i]->ns, ns) == 0)
			return triggers->list[i];
	return NULL;
}

/* The canary's trigger of the same topic; one of another place is not consumed until its version is
 * the current one. */
static void update_canary(struct trigger *trigger, const struct trigger_version *version)
{
	struct saga_def *def = version->canary_def, *before = trigger->canary.def;
	struct trigger_canary canary = {.percent = version->percent};

	for (size_t i = 0; def && trigger->seen && i < def->n_triggers; i++)
		if (same_places(&def->triggers[i], trigger->trigger)) {
			canary.def = saga_def_ref(def);
			canary.trigger = &def->triggers[i];
		}
	pthread_mutex_lock(&trigger->all->lock);
	trigger->held = version->paused;
	pthread_mutex_unlock(&trigger->all->lock);
	if (canary.def == before && (!before || canary.percent == trigger->canary.percent)) {
		saga_def_unref(canary.def);
		return;
	}
	pthread_mutex_lock(&trigger->all->lock);
	trigger->canary = canary;
	pthread_mutex_unlock(&trigger->all->lock);
	saga_def_unref(before);
	if (trigger->worker)
		trigger_worker_define(trigger->worker, trigger->def, trigger->trigger, &trigger->canary);
}

static void want(struct triggers *triggers, const struct trigger_version *version)
{
	struct saga_def *def = version->def;
	const char *ns = version->ns;

	for (size_t i = 0; i < def->n_triggers; i++) {
		const struct trigger_def *from = &def->triggers[i];
		char *name = xasprintf("%s/%s", def->name, from->topic);
		struct trigger *trigger = find(triggers, ns, name);

		if (trigger) {
			free(name);
			trigger->seen = true;
			update(triggers, trigger, def, from);
		} else {
			trigger = add(triggers, ns, name, def, from);
		}
		update_canary(trigger, version);
	}
}

/* A trigger that no current version has any more. It stays while something of it is out. */
static void remove_unseen(struct triggers *triggers)
{
	for (size_t i = 0; i < triggers->n; i++) {
		struct trigger *trigger = triggers->list[i];

		if (trigger->seen)
			continue;
		if (trigger->worker)
			log_info("kafka", NULL, "trigger %s of namespace %s is gone", trigger->name,
					 trigger->ns);
		retire(trigger);
		free_idle(triggers);
		if (triggers->n_retired > 0)
			continue;
		pthread_mutex_lock(&triggers->lock);
		memmove(triggers->list + i, triggers->list + i + 1,
				(--triggers->n - i) * sizeof(struct trigger *));
		pthread_mutex_unlock(&triggers->lock);
		trigger_free(trigger);
		i--;
	}
}

static void look(struct triggers *triggers)
{
	struct err err = {0};

	free_idle(triggers);
	if (triggers__read_versions(triggers, &err) < 0) {
		log_debug("kafka", NULL, "the definitions cannot be read now: %s", err.text);
		return; /* everything stays as it is */
	}
	for (size_t i = 0; i < triggers->n; i++)
		triggers->list[i]->seen = false;
	for (size_t i = 0; i < triggers->n_versions; i++)
		if (triggers->versions[i].seen && triggers->versions[i].def)
			want(triggers, &triggers->versions[i]);
	remove_unseen(triggers);
	triggers__obey_rows(
		triggers); /* before workers begin: what is paused is not to take anything */
	start_workers(triggers);
}

static struct timespec monotonic_in(int64_t ms)
{
	int64_t at = clock_mono_ms() + ms;

	return (struct timespec){.tv_sec = at / 1000, .tv_nsec = at % 1000 * 1000000};
}

static void *manage(void *arg)
{
	struct triggers *triggers = arg;

	pthread_mutex_lock(&triggers->lock);
	while (!triggers->stopping) {
		struct timespec at;
		int r = 0;

		triggers->look_now = false;
		pthread_mutex_unlock(&triggers->lock);
		look(triggers);
		at = monotonic_in(triggers->look_every_ms);
		pthread_mutex_lock(&triggers->lock);
		while (r != ETIMEDOUT && !triggers->look_now && !triggers->stopping)
			r = pthread_cond_timedwait(&triggers->changed, &triggers->lock, &at);
	}
	pthread_mutex_unlock(&triggers->lock);
	return NULL;
}

int triggers_start(const struct triggers_options *options, struct triggers **ret_triggers,
				   struct err *err)
{
	struct triggers *triggers = xcalloc(1, sizeof(*triggers));
	int r;

	r = options->store->ops->reader_open(options->store, &triggers->reader, err);
	if (r < 0) {
		free(triggers);
		return r;
	}
	triggers->options = *options;
	triggers->look_every_ms = options->look_every_ms ? options->look_every_ms : LOOK_EVERY_MS;
	triggers->submitter = submitter_new(options);
	CHECK(pthread_mutex_init(&triggers->lock, NULL) == 0);
	clock_cond_init(&triggers->changed);
	if (pthread_create(&triggers->thread, NULL, manage, triggers) != 0) {
		triggers->stopping = true;
		triggers_free(triggers);
		return err_set(err, ERR_UNAVAILABLE, "cannot start the thread of the triggers");
	}
	*ret_triggers = triggers;
	return 0;
}

/* A consumer takes its time to leave its group, so all do it at once. */
struct stopping {
	pthread_t thread;
	bool threaded;
	struct trigger_worker *worker; /* NULL: there is none */
	int64_t grace_ms;
};

static void *stop_worker(void *arg)
{
	struct stopping *stopping = arg;

	trigger_worker_stop(stopping->worker, stopping->grace_ms);
	return NULL;
}

void triggers_stop(struct triggers *triggers, int64_t grace_ms)
{
	CLEANUP(free_p) struct stopping *stopping = NULL;

	if (!triggers)
		return;
	pthread_mutex_lock(&triggers->lock);
	triggers->stopping = true;
	pthread_cond_signal(&triggers->changed);
	pthread_mutex_unlock(&triggers->lock);
	pthread_join(triggers->thread, NULL);
	stopping = xcalloc(triggers->n + 1, sizeof(*stopping));
	for (size_t i = 0; i < triggers->n; i++) {
		stopping[i].worker = detach(triggers->list[i]);
		stopping[i].grace_ms = grace_ms;
		if (stopping[i].worker)
			stopping[i].threaded =
				pthread_create(&stopping[i].thread, NULL, stop_worker, &stopping[i]) == 0;
	}
	for (size_t i = 0; i < triggers->n; i++) {
		if (!stopping[i].worker)
			continue;
		if (stopping[i].threaded)
			pthread_join(stopping[i].thread, NULL);
		else
			stop_worker(&stopping[i]);
		put_aside(triggers->list[i], stopping[i].worker);
	}
}

void triggers_free(struct triggers *triggers)
{
	if (!triggers)
		return;
	for (size_t i = 0; i < triggers->n_retired; i++)
		trigger_worker_free(triggers->retired[i]);
	for (size_t i = 0; i < triggers->n; i++)
		trigger_free(triggers->list[i]);
	for (size_t i = 0; i < triggers->n_versions; i++) {
		saga_def_unref(triggers->versions[i].def);
		saga_def_unref(triggers->versions[i].canary_def);
		free(triggers->versions[i].ns);
		free(triggers->versions[i].name);
	}
	free(triggers->retired);
	free(triggers->list);
	free(triggers->versions);
	submitter_free(triggers->submitter);
	triggers->options.store->ops->reader_close(triggers->reader);
	pthread_cond_destroy(&triggers->changed);
	pthread_mutex_destroy(&triggers->lock);
	free(triggers);
}

void triggers_deployed(struct triggers *triggers)
{
	if (!triggers)
		return;
	pthread_mutex_lock(&triggers->lock);
	triggers->look_now = true;
	pthread_cond_signal(&triggers->changed);
	pthread_mutex_unlock(&triggers->lock);
}
