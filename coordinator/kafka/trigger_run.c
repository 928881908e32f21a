#include "coordinator/kafka/trigger_run.h"

#include <stdio.h>
#include <string.h>

#include "coordinator/kafka/trigger_evaluate.h"
#include "coordinator/log.h"
#include "sagas/hash.h"
#include "sagas/share.h"

enum { SAY_SKIPS_EVERY_MS = 10000 };

/* The records of one key, of one partition, in their order; the first one is being worked on. */
struct run_lane {
	char key[SHA256_HEX_SIZE];
	struct run_record *head, **tail;
};

struct trigger_run {
	const struct run_ports *ports;
	void *ctx;
	const char *ns, *name;
	struct saga_def *def;
	const struct trigger_def *trigger;
	struct trigger_canary canary; /* def NULL: none */
	struct map lanes;
	struct heap timers;
	struct run_record *first, *last;
	bool paused, stopping;
	int64_t trouble_until; /* 0: no trouble */
	int64_t skips_unsaid, say_skips_at;
	int bury_failures; /* in a row */
	struct run_stats stats;
};

int64_t poison_retry_ms(const struct retry_policy *retry, int64_t n, double draw)
{
	double delay = (double)retry->initial_interval_ms, most = (double)retry->maximum_interval_ms;

	for (int64_t i = 1; i < n && delay < most; i++)
		delay *= retry->backoff_coefficient;
	if (delay > most)
		delay = most;
	delay *= 1.0 - retry->jitter * draw;
	return delay < 1 ? 1 : (int64_t)delay;
}

struct run_record *run_record_new(struct kafka_taken *taken, uint64_t number)
{
	struct run_record *record = xcalloc(1, sizeof(*record));

	record->taken = taken;
	record->number = number;
	return record;
}

static void record_free(struct run_record *record)
{
	submission_release(&record->submission);
	free(record->message);
	free(record->key);
	free(record);
}

struct trigger_run *trigger_run_new(const struct run_ports *ports, void *ctx, const char *ns,
									const char *name)
{
	struct trigger_run *run = xcalloc(1, sizeof(*run));

	run->ports = ports;
	run->ctx = ctx;
	run->ns = ns;
	run->name = name;
	return run;
}

void trigger_run_free(struct trigger_run *run)
{
	struct run_record *next;
	struct map_entry *entry;
	size_t pos = 0;

	if (!run)
		return;
	for (struct run_record *record = run->first; record; record = next) {
		next = record->next;
		run->ports->over(run->ctx, record->taken);
		record_free(record);
	}
	while ((entry = map_next(&run->lanes, &pos)))
		free(entry->value);
	map_release(&run->lanes);
	heap_release(&run->timers);
	saga_def_unref(run->def);
	saga_def_unref(run->canary.def);
	free(run);
}

void trigger_run_define(struct trigger_run *run, struct saga_def *def,
						const struct trigger_def *trigger, const struct trigger_canary *canary)
{
	struct saga_def *before = run->def, *canary_before = run->canary.def;

	run->def = saga_def_ref(def);
	run->trigger = trigger;
	run->canary = canary ? *canary : (struct trigger_canary){0};
	if (run->canary.def)
		run->canary.def = saga_def_ref(run->canary.def);
	saga_def_unref(before);
	saga_def_unref(canary_before);
}

/* The list of all, and lanes. */

static void link_record(struct trigger_run *run, struct run_record *record)
{
	record->prev = run->last;
	if (run->last)
		run->last->next = record;
	else
		run->first = record;
	run->last = record;
	run->stats.records++;
}

static void unlink_record(struct trigger_run *run, struct run_record *record)
{
	if (record->prev)
		record->prev->next = record->next;
	else
		run->first = record->next;
	if (record->next)
		record->next->prev = record->prev;
	else
		run->last = record->prev;
	run->stats.records--;
}

/* Keys are anybody's bytes, which a hash makes fit for a map. */
static void lane_key(const struct kafka_record *record, char key[SHA256_HEX_SIZE])
{
	struct buf bytes;

	buf_init(&bytes, 0);
	buf_printf(&bytes, "%d:", record->partition);
	buf_add(&bytes, record->key, record->key_len);
	hash_sha256_hex(bytes.data, bytes.len, key);
	buf_release(&bytes);
}

/* True: nobody with its key is before it. */
static bool enter_lane(struct trigger_run *run, struct run_record *record)
{
	char key[SHA256_HEX_SIZE];
	struct run_lane *lane;

	if (!record->taken->record.key)
		return true;
	lane_key(&record->taken->record, key);
	lane = map_get(&run->lanes, key);
	if (!lane) {
		lane = xcalloc(1, sizeof(*lane));
		memcpy(lane->key, key, sizeof(key));
		lane->tail = &lane->head;
		CHECK(!map_put(&run->lanes, lane->key, lane));
	}
	record->lane = lane;
	*lane->tail = record;
	lane->tail = &record->lane_next;
	return lane->head == record;
}

/* Who begins now that this one is gone, or NULL. */
static struct run_record *leave_lane(struct trigger_run *run, struct run_record *record)
{
	struct run_lane *lane = record->lane;
	struct run_record **link, *next;
	bool was_head;

	if (!lane)
		return NULL;
	was_head = lane->head == record;
	for (link = &lane->head; *link != record; link = &(*link)->lane_next)
		;
	*link = record->lane_next;
	if (lane->tail == &record->lane_next)
		lane->tail = link;
	record->lane = NULL;
	next = lane->head;
	if (!next) {
		map_remove(&run->lanes, lane->key);
		free(lane);
	}
	return was_head ? next : NULL;
}

/* Ends. */

static bool is_out(const struct run_record *record)
{
	return record->state == RECORD_SUBMITTED || record->state == RECORD_BURYING;
}

/* Takes the record out of the counts of its state, and puts it into those of the next. */
static void set_state(struct trigger_run *run, struct run_record *record,
					  enum run_record_state state)
{
	int64_t *const counts[] = {
		[RECORD_BEHIND] = &run->stats.waiting, [RECORD_SUBMITTED] = &run->stats.out,
		[RECORD_RETRY] = &run->stats.retrying, [RECORD_LATER] = NULL,
		[RECORD_BURYING] = &run->stats.out,    [RECORD_HELD] = &run->stats.held,
	};

	if (counts[record->state])
		--*counts[record->state];
	if (counts[state])
		++*counts[state];
	record->state = state;
}

/* Without beginning who comes next in its lane. */
static struct run_record *let_go(struct trigger_run *run, struct run_record *record)
{
	struct run_record *next = leave_lane(run, record);

	set_state(run, record, RECORD_LATER); /* counted nowhere */
	heap_remove(&run->timers, &record->timer);
	unlink_record(run, record);
	run->ports->over(run->ctx, record->taken);
	record_free(record);
	return next;
}

static struct run_record *end(struct trigger_run *run, struct run_record *record,
							  enum trigger_end how)
{
	run->stats.ends[how]++;
	return let_go(run, record);
}

/* Trouble. */

static int64_t trouble_ms(int64_t n)
{
	int64_t delay = RUN_TROUBLE_FIRST_MS;

	for (int64_t i = 1; i < n && delay < RUN_TROUBLE_MAX_MS; i++)
		delay *= 2;
	return delay < RUN_TROUBLE_MAX_MS ? delay : RUN_TROUBLE_MAX_MS;
}

static void wait_out_trouble(struct trigger_run *run, struct run_record *record,
							 const struct err *err, int64_t now)
{
	struct run_stats *stats = &run->stats;

	if (now >= run->trouble_until) {
		if (stats->troubles == 0)
			log_warn("kafka", NULL, "trigger %s of namespace %s waits: %s", run->name, run->ns,
					 err->text);
		stats->troubles++;
		run->trouble_until = now + trouble_ms(stats->troubles);
		if (!run->paused)
			run->ports->close_until(run->ctx, run->trouble_until);
	}
	snprintf(stats->trouble, sizeof(stats->trouble), "%.159s", err->text);
	set_state(run, record, RECORD_LATER);
	heap_add(&run->timers, &record->timer, run->trouble_until);
}

static void trouble_is_over(struct trigger_run *run)
{
	if (run->stats.troubles == 0)
		return;
	log_info("kafka", NULL, "trigger %s of namespace %s goes on", run->name, run->ns);
	run->stats.troubles = 0;
	run->stats.trouble[0] = '\0';
	run->trouble_until = 0;
	if (!run->paused)
		run->ports->close_until(run->ctx, 0);
}

/* Poison. */

static void pause_here(struct trigger_run *run)
{
	run->paused = true;
	run->ports->close_until(run->ctx, INT64_MAX);
}

static void hold(struct trigger_run *run, struct run_record *record)
{
	struct buf why;

	set_state(run, record, RECORD_HELD);
	if (run->paused)
		return;
	buf_init(&why, 0);
	buf_printf(&why, "partition %d, offset %lld: %s: %s", record->taken->record.partition,
			   (long long)record->taken->record.offset, record->reason, record->message);
	pause_here(run);
	run->ports->pause(run->ctx, buf_str(&why));
	buf_release(&why);
}

/* Of many that are skipped the log tells now and then, and how many. */
static void say_skipped(struct trigger_run *run, const struct run_record *record, int64_t now)
{
	const struct kafka_record *place = &record->taken->record;

	run->skips_unsaid++;
	if (now < run->say_skips_at)
		return;
	log_warn(
		"kafka", NULL,
		"trigger %s of namespace %s skips %lld record(s); the last: partition %d, offset %lld: %s",
		run->name, run->ns, (long long)run->skips_unsaid, place->partition,
		(long long)place->offset, record->reason);
	run->skips_unsaid = 0;
	run->say_skips_at = now + SAY_SKIPS_EVERY_MS;
}

/* Attempts are used up. Returns who comes next in its lane. */
static struct run_record *give_up(struct trigger_run *run, struct run_record *record, int64_t now)
{

	switch (run->trigger->then) {
	case POISON_DEAD_LETTER:
		set_state(run, record, RECORD_BURYING);
		run->ports->bury(run->ctx, record);
		break;
	case POISON_PAUSE:
		hold(run, record);
		break;
	case POISON_SKIP:
		say_skipped(run, record, now);
		return end(run, record, TRIGGER_SKIPPED);
	}
	return NULL;
}

static struct run_record *poison(struct trigger_run *run, struct run_record *record,
								 const char *reason, const struct err *err, int64_t now)
{
	const struct retry_policy *retry = &run->trigger->retry;
	double draw = (double)(run->ports->random(run->ctx) >> 11) / 9007199254740992.0;

	record->reason = reason;
	free(record->message);
	record->message =
		err->place[0] ? xasprintf("%s: %s", err->place, err->text) : xstrdup(err->text);
	if (record->forgotten)
		return let_go(run, record);
	/* What failed again only because it could not be buried is not another attempt. */
	if (record->attempts < retry->maximum_attempts || record->attempts == 0)
		record->attempts++;
	if (record->attempts == 1)
		run->stats.poison++;
	if (record->attempts >= retry->maximum_attempts)
		return give_up(run, record, now);
	set_state(run, record, RECORD_RETRY);
	heap_add(&run->timers, &record->timer, now + poison_retry_ms(retry, record->attempts, draw));
	return NULL;
}

/* Beginning. */

static void submit(struct trigger_run *run, struct run_record *record, struct saga_def *def,
				   struct evaluation *evaluation)
{
	struct submission *submission = &record->submission;

	submission_release(submission);
	/* The same id over all tries, so that a start of unknown outcome is found to be this one's; but
	 * an id carries the slot of its key, and a new version of the definition may give another. */
	if (!submission->id[0] || !record->key || strcmp(record->key, evaluation->key) != 0)
		run->ports->make_id(run->ctx, run->def->name, evaluation->key, submission->id);
	free(record->key);
	record->key = xstrdup(evaluation->key);
	submission->ns = run->ns;
	submission->def = saga_def_ref(def);
	submission->input = TAKE(evaluation->input);
	submission->key = TAKE(evaluation->key);
	memcpy(submission->fingerprint, evaluation->fingerprint, sizeof(submission->fingerprint));
	set_state(run, record, RECORD_SUBMITTED);
	run->ports->submit(run->ctx, submission);
}

/* By the current version; and by the canary, when the key that the former gives is in its share. */
static struct saga_def *evaluate(struct trigger_run *run, const struct run_record *record,
								 struct evaluation *ret)
{
	const struct trigger_canary *canary = &run->canary;

	trigger_evaluate(run->def, run->trigger, &record->taken->record, ret);
	if (!canary->def || ret->verdict != EVALUATION_START ||
		!share_has(run->ns, run->def->name, canary->def->version, ret->key, canary->percent))
		return run->def;
	evaluation_release(ret);
	trigger_evaluate(canary->def, canary->trigger, &record->taken->record, ret);
	return canary->def;
}

/* Returns who comes next in its lane, if this one is over at once. */
static struct run_record *try_record(struct trigger_run *run, struct run_record *record,
									 int64_t now)
{
	struct run_record *next = NULL;
	struct evaluation evaluation;
	struct saga_def *def;

	if (run->paused || run->stopping) {
		set_state(run, record, RECORD_HELD);
		return NULL;
	}
	if (now < run->trouble_until) {
		set_state(run, record, RECORD_LATER);
		heap_add(&run->timers, &record->timer, run->trouble_until);
		return NULL;
	}
	def = evaluate(run, record, &evaluation);
	switch (evaluation.verdict) {
	case EVALUATION_START:
		submit(run, record, def, &evaluation);
		break;
	case EVALUATION_FILTERED:
		next = end(run, record, TRIGGER_FILTERED);
		break;
	case EVALUATION_POISON:
		next = poison(run, record, evaluation.reason, &evaluation.err, now);
		break;
	case EVALUATION_LATER:
		wait_out_trouble(run, record, &evaluation.err, now);
		break;
	}
	evaluation_release(&evaluation);
	return next;
}

static void begin(struct trigger_run *run, struct run_record *record, int64_t now)
{
	while (record)
		record = try_record(run, record, now);
}

void trigger_run_record(struct trigger_run *run, struct run_record *record, int64_t now)
{
	link_record(run, record);
	record->state = RECORD_LATER;
	if (enter_lane(run, record))
		begin(run, record, now);
	else
		set_state(run, record, RECORD_BEHIND);
}

/* What comes back. */

void trigger_run_submitted(struct trigger_run *run, struct submission *submission, int64_t now)
{
	struct run_record *record = CONTAINER_OF(submission, struct run_record, submission);
	struct run_record *next = NULL;

	CHECK(record->state == RECORD_SUBMITTED);
	if (submission->result != SUBMIT_LATER)
		trouble_is_over(run);
	switch (submission->result) {
	case SUBMIT_STARTED:
		next = end(run, record, TRIGGER_STARTED);
		break;
	case SUBMIT_DUPLICATE:
		next = end(run, record, TRIGGER_DEDUPLICATED);
		break;
	case SUBMIT_KEY_CONFLICT:
		next = poison(run, record, poison_reason_text(POISON_KEY_CONFLICT), &submission->err, now);
		break;
	case SUBMIT_REFUSED:
		next = poison(run, record, poison_reason_text(POISON_REFUSED), &submission->err, now);
		break;
	case SUBMIT_LATER:
		if (record->forgotten)
			next = let_go(run, record);
		else if (run->stopping)
			set_state(run, record, RECORD_HELD);
		else
			wait_out_trouble(run, record, &submission->err, now);
		break;
	}
	begin(run, next, now);
}

void trigger_run_buried(struct trigger_run *run, struct run_record *record, const struct err *err,
						int64_t now)
{
	CHECK(record->state == RECORD_BURYING);
	if (!err) {
		run->bury_failures = 0;
		begin(run, end(run, record, TRIGGER_DEAD_LETTERED), now);
	} else if (record->forgotten) {
		begin(run, let_go(run, record), now);
	} else if (run->stopping) {
		set_state(run, record, RECORD_HELD);
	} else {
		/* Only this one waits, and what has its key: others go on, as far as there is room. */
		if (run->bury_failures++ == 0)
			log_warn("kafka", NULL, "trigger %s of namespace %s keeps a dead letter for later: %s",
					 run->name, run->ns, err->text);
		set_state(run, record, RECORD_LATER);
		heap_add(&run->timers, &record->timer, now + trouble_ms(run->bury_failures));
	}
}

/* What others say. */

void trigger_run_pause(struct trigger_run *run, bool paused, int64_t now)
{
	if (paused == run->paused || run->stopping)
		return;
	if (paused) {
		pause_here(run);
		return;
	}
	run->paused = false;
	run->ports->close_until(run->ctx, now < run->trouble_until ? run->trouble_until : 0);
	for (struct run_record *record = run->first; record; record = record->next) {
		if (record->state != RECORD_HELD)
			continue;
		record->attempts = 0;
		set_state(run, record, RECORD_LATER);
		heap_add(&run->timers, &record->timer, now);
	}
}

void trigger_run_forget(struct trigger_run *run, int partition, uint64_t before, int64_t now)
{
	struct run_record *record, *next;

	for (record = run->first; record; record = next) {
		next = record->next;
		if ((partition >= 0 && record->taken->record.partition != partition) ||
			record->number >= before)
			continue;
		if (is_out(record)) {
			record->forgotten = true;
			continue;
		}
		let_go(run, record); /* who comes next in its lane is forgotten as well, or begins below */
	}
	for (record = run->first; record; record = record->next)
		if (record->state == RECORD_BEHIND && record->lane->head == record)
			heap_update(&run->timers, &record->timer, now);
}

void trigger_run_stop(struct trigger_run *run)
{
	run->stopping = true;
}

int64_t trigger_run_tick(struct trigger_run *run, int64_t now)
{
	struct heap_node *node;

	while ((node = heap_min(&run->timers)) && node->at <= now) {
		struct run_record *record = CONTAINER_OF(node, struct run_record, timer);

		heap_remove(&run->timers, node);
		if (record->state == RECORD_RETRY)
			run->stats.retries++;
		begin(run, record, now);
	}
	return node ? node->at : -1;
}

void trigger_run_stats(const struct trigger_run *run, struct run_stats *ret_stats)
{
	*ret_stats = run->stats;
}
