/*
 * Rows are found by name in a map that is the engine's alone, and published for readers by the
 * length of a list that only grows. Counters have one writer.
 */
#include "coordinator/tally.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "coordinator/metrics_text.h"
#include "sagas/base/map.h"

/* How a step ends, or its compensation. X(constant, text) */
#define STEP_ENDS(X)                                                                               \
	X(STEP_END_COMPLETED, "completed")                                                             \
	X(STEP_END_FAILED, "failed")                                                                   \
	X(STEP_END_UNKNOWN, "unknown")                                                                 \
	X(STEP_END_SKIPPED, "skipped")
#define UNDO_ENDS(X)                                                                               \
	X(UNDO_END_DONE, "done")                                                                       \
	X(UNDO_END_FAILED, "failed")                                                                   \
	X(UNDO_END_SKIPPED, "skipped")                                                                 \
	X(UNDO_END_RESOLVED, "resolved")

#define X(name, text) name,
enum step_end { STEP_ENDS(X) STEP_END_COUNT };
enum undo_end { UNDO_ENDS(X) UNDO_END_COUNT };
#undef X

#define X(name, text) text,
static const char *const step_ends[] = {STEP_ENDS(X)};
static const char *const undo_ends[] = {UNDO_ENDS(X)};
static const char *const act_words[] = {SAGA_ACTS(X) STEP_ACTS(X)};
#undef X

typedef _Atomic int64_t counter;

/* Of a definition, or of a step of one. */
struct row {
	char *key; /* "namespace/definition" or "namespace/definition/step": none holds a slash */
	char *ns, *definition, *step;
	counter started, ended[SAGA_STATUS_COUNT];
	counter step_ends[STEP_END_COUNT], attempts_failed;
	counter undo_ends[UNDO_END_COUNT], undo_attempts_failed;
};

struct rows {
	struct map by_key; /* the engine's */
	_Atomic size_t n;
	struct row *list[TALLY_MAX + 1]; /* the first: other */
};

struct tally {
	struct rows definitions, versions, steps; /* a version's number stands for the step */
	counter attention[ATTENTION_KIND_COUNT];
	counter acts[ACT_KIND_COUNT];
};

static void count(counter *c)
{
	atomic_store_explicit(c, atomic_load_explicit(c, memory_order_relaxed) + 1,
						  memory_order_relaxed);
}

static long long value(const counter *c)
{
	return atomic_load_explicit(c, memory_order_relaxed);
}

static struct row *add_row(struct rows *rows, const char *key, const char *ns,
						   const char *definition, const char *step)
{
	size_t n = atomic_load_explicit(&rows->n, memory_order_relaxed);
	struct row *row = xcalloc(1, sizeof(*row));

	row->key = xstrdup(key);
	row->ns = xstrdup(ns);
	row->definition = xstrdup(definition);
	row->step = xstrdup(step);
	rows->list[n] = row;
	atomic_store_explicit(&rows->n, n + 1, memory_order_release);
	return row;
}

struct tally *tally_new(void)
{
	struct tally *tally = xcalloc(1, sizeof(*tally));

	add_row(&tally->definitions, "", "", "other", "");
	add_row(&tally->versions, "", "", "other", "other");
	add_row(&tally->steps, "", "", "other", "other");
	return tally;
}

static void rows_release(struct rows *rows)
{
	for (size_t i = 0; i < rows->n; i++) {
		struct row *row = rows->list[i];

		free(row->key);
		free(row->ns);
		free(row->definition);
		free(row->step);
		free(row);
	}
	map_release(&rows->by_key);
}

void tally_free(struct tally *tally)
{
	if (!tally)
		return;
	rows_release(&tally->definitions);
	rows_release(&tally->versions);
	rows_release(&tally->steps);
	free(tally);
}

/* step: "" for a definition as a whole. */
static struct row *find_row(struct rows *rows, const char *ns, const char *definition,
							const char *step)
{
	struct row *row;
	char key[512];
	int len = snprintf(key, sizeof(key), "%s/%s/%s", ns, definition, step);

	if (len < 0 || len >= (int)sizeof(key))
		return rows->list[0];
	row = map_get(&rows->by_key, key);
	if (row)
		return row;
	if (atomic_load_explicit(&rows->n, memory_order_relaxed) > TALLY_MAX)
		return rows->list[0];
	row = add_row(rows, key, ns, definition, step);
	(void)map_put(&rows->by_key, row->key, row);
	return row;
}

static void count_act(struct tally *tally, const char *word)
{
	for (size_t i = 0; word && i < ARRAY_SIZE(act_words); i++) {
		if (strcmp(act_words[i], word) == 0) {
			count(&tally->acts[i]);
			return;
		}
	}
}

static void count_step(struct row *row, const struct event *event)
{
	switch (event->type) {
	case EV_STEP_COMPLETED:
		count(&row->step_ends[STEP_END_COMPLETED]);
		break;
	case EV_STEP_FAILED:
	case EV_STEP_PARKED:
		count(&row->step_ends[event->outcome == OUTCOME_UNKNOWN ? STEP_END_UNKNOWN
																: STEP_END_FAILED]);
		break;
	case EV_STEP_SKIPPED:
		count(&row->step_ends[STEP_END_SKIPPED]);
		break;
	case EV_STEP_ATTEMPT_FAILED:
		count(&row->attempts_failed);
		break;
	case EV_COMPENSATION_COMPLETED:
		count(&row->undo_ends[event->by ? UNDO_END_RESOLVED : UNDO_END_DONE]);
		break;
	case EV_COMPENSATION_FAILED:
		count(&row->undo_ends[UNDO_END_FAILED]);
		break;
	case EV_COMPENSATION_SKIPPED:
		count(&row->undo_ends[UNDO_END_SKIPPED]);
		break;
	case EV_COMPENSATION_ATTEMPT_FAILED:
		count(&row->undo_attempts_failed);
		break;
	case EV_SAGA_STARTED:
	case EV_STEP_SCHEDULED:
	case EV_STEP_ONGOING:
	case EV_STEP_EXPANDED:
	case EV_STEP_SETTLED:
	case EV_COMPENSATION_ARMED:
	case EV_COMPENSATION_STARTED:
	case EV_COMPENSATION_ONGOING:
	case EV_SAGA_COMPENSATING:
	case EV_SAGA_COMPLETED:
	case EV_SAGA_COMPENSATED:
	case EV_SAGA_TERMINATED:
	case EV_SAGA_CANCEL_REQUESTED:
	case EV_SAGA_DEADLINE_PASSED:
	case EV_REPLY_IGNORED:
	case EV_SAGA_ATTENTION:
	case EV_STEP_ABSENT:
	case EV_COMMAND_PUBLISHED:
	case EV_SAGA_CONTINUED:
	case EV_SAGA_RESET:
	case EV_CHILD_STARTED:
	case EV_CHILD_CANCELLED:
	case EV_SAGA_HELD:
	case EV_ACT_TAKEN:
	case EV_TASK_LEASED:
	case EV_ESCALATED:
		break;
	}
}

static void count_start(struct tally *tally, const char *ns, const struct saga_def *def)
{
	char version[24];

	snprintf(version, sizeof(version), "%lld", (long long)def->version);
	count(&find_row(&tally->definitions, ns, def->name, "")->started);
	count(&find_row(&tally->versions, ns, def->name, version)->started);
}

void tally_events(struct tally *tally, const char *ns, const struct saga_def *def,
				  const struct event *events, size_t n)
{
	struct row *row = NULL;
	int row_step = -1;

	for (size_t i = 0; tally && i < n; i++) {
		const struct event *event = &events[i];

		if (event->type == EV_SAGA_STARTED)
			count_start(tally, ns, def);
		else if (event->type == EV_ACT_TAKEN)
			count_act(tally, event->name);
		else if (event->type == EV_SAGA_CANCEL_REQUESTED)
			count(&tally->acts[ACT_CANCEL]);
		else if (event->type == EV_SAGA_TERMINATED)
			count(&tally->acts[ACT_TERMINATE]);
		if (event->step < 0)
			continue;
		/* The events of a transition are often of one step. */
		if (!row || row_step != event->step)
			row = find_row(&tally->steps, ns, def->name, def->steps[event->step].id);
		row_step = event->step;
		count_step(row, event);
	}
}

void tally_ended(struct tally *tally, const char *ns, const struct saga_def *def,
				 enum saga_status status)
{
	if (tally)
		count(&find_row(&tally->definitions, ns, def->name, "")->ended[status]);
}

void tally_attention(struct tally *tally, const char *kind)
{
	int i = kind ? attention_kind_parse(kind) : -1;

	if (tally && i >= 0)
		count(&tally->attention[i]);
}

/* The text. Names are letters, digits, dashes, dots and underscores: nothing is to be quoted. */

static void write_definitions(struct tally *tally, struct buf *out)
{
	static const char started[] = "skald_definition_sagas_started_total",
					  ended[] = "skald_definition_sagas_ended_total";
	size_t n = atomic_load_explicit(&tally->definitions.n, memory_order_acquire);

	metrics_write_head(out, started, "counter", "Sagas started, by definition.");
	for (size_t i = 0; i < n; i++) {
		const struct row *row = tally->definitions.list[i];

		if (value(&row->started) > 0)
			buf_printf(out, "%s{namespace=\"%s\",definition=\"%s\"} %lld\n", started, row->ns,
					   row->definition, value(&row->started));
	}
	metrics_write_head(out, ended, "counter", "Sagas that ended, by definition and how.");
	for (size_t i = 0; i < n; i++) {
		const struct row *row = tally->definitions.list[i];

		for (int k = 0; k < SAGA_STATUS_COUNT; k++) {
			if (value(&row->ended[k]) > 0)
				buf_printf(out, "%s{namespace=\"%s\",definition=\"%s\",status=\"%s\"} %lld\n",
						   ended, row->ns, row->definition, saga_status_text(k),
						   value(&row->ended[k]));
		}
	}
}

static void write_versions(struct tally *tally, struct buf *out)
{
	static const char started[] = "skald_version_sagas_started_total";
	size_t n = atomic_load_explicit(&tally->versions.n, memory_order_acquire);

	metrics_write_head(out, started, "counter", "Sagas started, by version of the definition.");
	for (size_t i = 0; i < n; i++) {
		const struct row *row = tally->versions.list[i];

		if (value(&row->started) > 0)
			buf_printf(out, "%s{namespace=\"%s\",definition=\"%s\",version=\"%s\"} %lld\n", started,
					   row->ns, row->definition, row->step, value(&row->started));
	}
}

/* One metric of steps: a counter each, with a label when there are several. */
static void write_steps(struct tally *tally, const char *name, const char *help, size_t offset,
						const char *const *labels, size_t n_labels, struct buf *out)
{
	size_t n = atomic_load_explicit(&tally->steps.n, memory_order_acquire);

	metrics_write_head(out, name, "counter", help);
	for (size_t i = 0; i < n; i++) {
		const struct row *row = tally->steps.list[i];
		const counter *counters = (const counter *)((const char *)row + offset);

		for (size_t k = 0; k < n_labels; k++) {
			if (value(&counters[k]) == 0)
				continue;
			buf_printf(out, "%s{namespace=\"%s\",definition=\"%s\",step=\"%s\"", name, row->ns,
					   row->definition, row->step);
			if (labels)
				buf_printf(out, ",outcome=\"%s\"", labels[k]);
			buf_printf(out, "} %lld\n", value(&counters[k]));
		}
	}
}

static void write_by(const char *name, const char *help, const char *label,
					 const char *(*text)(int i), const counter *counters, int n, struct buf *out)
{
	metrics_write_head(out, name, "counter", help);
	for (int i = 0; i < n; i++)
		buf_printf(out, "%s{%s=\"%s\"} %lld\n", name, label, text(i), value(&counters[i]));
}

static const char *kind_text(int i)
{
	return attention_kind_text(i);
}

static void write_acts(struct tally *tally, struct buf *out)
{
	static const char name[] = "skald_acts_total";

	metrics_write_head(out, name, "counter", "Acts of persons that took effect, by what they are.");
	for (size_t i = 0; i < ARRAY_SIZE(act_words); i++) {
		long long n = value(&tally->acts[i]);

		/* An act of a saga and one of its steps may have one word, and events say the word. */
		for (size_t k = 0; k < i; k++) {
			if (strcmp(act_words[k], act_words[i]) == 0)
				n = -1;
		}
		if (n >= 0)
			buf_printf(out, "%s{act=\"%s\"} %lld\n", name, act_words[i], n);
	}
}

void tally_write(struct tally *tally, struct buf *out)
{
	write_definitions(tally, out);
	write_versions(tally, out);
	write_steps(tally, "skald_step_ends_total",
				"Steps and their items that ended, by definition, step and how; failed ones that "
				"wait for a person too.",
				offsetof(struct row, step_ends), step_ends, STEP_END_COUNT, out);
	write_steps(tally, "skald_step_attempts_failed_total",
				"Attempts at steps that failed and were followed by another, as far as histories "
				"tell them.",
				offsetof(struct row, attempts_failed), NULL, 1, out);
	write_steps(tally, "skald_compensation_ends_total",
				"Compensations that ended or wait for a person, by definition, step and how.",
				offsetof(struct row, undo_ends), undo_ends, UNDO_END_COUNT, out);
	write_steps(tally, "skald_compensation_attempts_failed_total",
				"Attempts at compensations that failed and were followed by another.",
				offsetof(struct row, undo_attempts_failed), NULL, 1, out);
	write_by("skald_attention_total",
			 "Sagas that began to concern a person, or did so for another reason, by why.", "kind",
			 kind_text, tally->attention, ATTENTION_KIND_COUNT, out);
	write_acts(tally, out);
}
