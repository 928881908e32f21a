/*
 * The rows of triggers: pauses and seeks, said by persons through any node, or by a policy for
 * poison. All nodes read them; a seek is made by the node that has the partition, which then takes
 * it out of the row. A row is written as a whole, and only if nobody has since it was read; who
 * comes too late looks again.
 */
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "coordinator/clock.h"
#include "coordinator/kafka/store_job.h"
#include "coordinator/kafka/trigger_priv.h"
#include "coordinator/log.h"
#include "sagas/json_text.h"

enum { SEEK_TIMEOUT_MS = 5000 };

/* Writing, while the manager waits. */

static int run_put(void *ctx, struct store *store, struct err *err)
{
	return store->ops->trigger_put(store, ctx, err);
}

static int put_row(struct triggers *triggers, struct trigger_row *row, struct err *err)
{
	return store_job_run(triggers->options.writer, run_put, row, err);
}

/* The row as it is known here. */
static struct trigger_row row_of(const struct trigger *trigger)
{
	return (struct trigger_row){
		.ns = trigger->ns,
		.name = trigger->name,
		.paused = trigger->paused,
		.reason = trigger->pause_reason,
		.seeks = trigger->seeks,
		.by = trigger->paused_by,
		.updated_at = clock_wall(),
		.revision = trigger->revision,
	};
}

/* Pauses. */

static void set_text(char **to, const char *text)
{
	char *before = *to; /* perhaps the same */

	*to = text ? xstrdup(text) : NULL;
	free(before);
}

static void take_row(struct trigger *trigger, const struct trigger_row *row)
{
	pthread_mutex_lock(&trigger->all->lock);
	if (row->paused != trigger->paused || row->revision != trigger->revision)
		trigger->paused_at = row->paused ? row->updated_at : 0;
	trigger->paused = row->paused;
	trigger->revision = row->revision;
	set_text(&trigger->pause_reason, row->paused ? row->reason : NULL);
	set_text(&trigger->paused_by, row->paused ? row->by : NULL);
	set_text(&trigger->seeks, row->seeks);
	pthread_mutex_unlock(&trigger->all->lock);
}

/* What a policy for poison wants is written before the row is obeyed: as long as it cannot be, the
 * trigger stands still here all the same. */
static void write_pause(struct triggers *triggers, struct trigger *trigger)
{
	struct trigger_row row = row_of(trigger);
	CLEANUP(free_p) char *reason = NULL;
	struct err err;

	pthread_mutex_lock(&triggers->lock);
	if (trigger->pause_wanted)
		reason = xstrdup(trigger->pause_wanted);
	pthread_mutex_unlock(&triggers->lock);
	if (!reason)
		return;
	row.paused = true;
	row.reason = reason;
	row.by = "poison policy";
	if (!trigger->paused && put_row(triggers, &row, &err) < 0) {
		log_warn("kafka", NULL, "the pause of trigger %s cannot be written yet: %s", trigger->name,
				 err.text);
		return;
	}
	if (!trigger->paused)
		take_row(trigger, &row);
	pthread_mutex_lock(&triggers->lock);
	if (trigger->pause_wanted && strcmp(trigger->pause_wanted, reason) == 0) {
		free(trigger->pause_wanted);
		trigger->pause_wanted = NULL;
	}
	pthread_mutex_unlock(&triggers->lock);
}

/* Seeks. */

static bool same_seek(const struct trigger *trigger, const char *partition, const json_t *to)
{
	return trigger->sought && json_equal(json_object_get(trigger->sought, partition), to);
}

/* An offset, "earliest", "latest", or {"timestamp": ms}. */
static bool read_seek(const json_t *to, int64_t *ret_offset, bool *ret_at_time)
{
	const char *text = json_string_value(to);
	const json_t *time = json_object_get(to, "timestamp");

	*ret_at_time = false;
	if (json_is_integer(to))
		*ret_offset = json_integer_value(to);
	else if (text && strcmp(text, "earliest") == 0)
		*ret_offset = KAFKA_OFFSET_EARLIEST;
	else if (text && strcmp(text, "latest") == 0)
		*ret_offset = KAFKA_OFFSET_LATEST;
	else if (json_is_integer(time)) {
		*ret_offset = json_integer_value(time);
		*ret_at_time = true;
	} else {
		return false;
	}
	return true;
}

/* True: it is made, here and now or before, or can never be. */
static bool make_seek(struct trigger *trigger, const char *partition, const json_t *to)
{
	int64_t offset;
	bool at_time;
	struct err err;

	if (!read_seek(to, &offset, &at_time) || same_seek(trigger, partition, to))
		return true;
	if (trigger_worker_seek(trigger->worker, (int)strtol(partition, NULL, 10), offset, at_time,
							SEEK_TIMEOUT_MS, &err) < 0) {
		if (err.code != ERR_NOT_FOUND)
			log_warn("kafka", NULL, "trigger %s cannot go on from there in partition %s yet: %s",
					 trigger->name, partition, err.text);
		return false;
	}
	log_info("kafka", NULL, "trigger %s of namespace %s goes on from elsewhere in partition %s",
			 trigger->name, trigger->ns, partition);
	if (!trigger->sought)
		trigger->sought = json_object();
	json_object_set(trigger->sought, partition, (json_t *)to);
	return true;
}

static void make_seeks(struct triggers *triggers, struct trigger *trigger)
{
	struct trigger_row row = row_of(trigger);
	CLEANUP(json_decref_p) json_t *seeks = NULL;
	CLEANUP(json_decref_p) json_t *left = json_object();
	const char *partition;
	struct buf text;
	struct err err;
	json_t *to;

	if (!trigger->seeks || json_parse_stored(trigger->seeks, strlen(trigger->seeks), &seeks, &err))
		seeks = NULL;
	if (json_object_size(seeks) == 0) {
		json_decref(trigger->sought);
		trigger->sought = NULL;
		return;
	}
	if (!trigger->worker)
		return;
	json_object_foreach (seeks, partition, to) {
		if (!make_seek(trigger, partition, to))
			json_object_set(left, partition, to);
	}
	if (json_object_size(left) == json_object_size(seeks))
		return;
	buf_init(&text, 0);
	json_write(left, &text);
	row.seeks = json_object_size(left) ? buf_str(&text) : NULL;
	/* When somebody else was faster the row is looked at again, and what was made is not made
	 * twice. */
	if (put_row(triggers, &row, &err) == 0) {
		take_row(trigger, &row);
		json_decref(trigger->sought);
		trigger->sought = NULL;
	}
	buf_release(&text);
}

/* Reading. */

static int note_row(void *ctx, const struct trigger_row *row)
{
	struct triggers *triggers = ctx;

	for (size_t i = 0; i < triggers->n; i++)
		if (strcmp(triggers->list[i]->name, row->name) == 0 &&
			strcmp(triggers->list[i]->ns, row->ns) == 0)
			take_row(triggers->list[i], row);
	return 0;
}

void triggers__obey_rows(struct triggers *triggers)
{
	const struct store_ops *ops = triggers->options.store->ops;
	struct err err;

	if (ops->trigger_list(triggers->reader, NULL, note_row, triggers, &err) < 0) {
		log_debug("kafka", NULL, "the rows of triggers cannot be read now: %s", err.text);
		return;
	}
	for (size_t i = 0; i < triggers->n; i++) {
		struct trigger *trigger = triggers->list[i];
		bool wanted;

		write_pause(triggers, trigger);
		pthread_mutex_lock(&triggers->lock);
		wanted = trigger->pause_wanted;
		pthread_mutex_unlock(&triggers->lock);
		/* A pause that began while this looked is written at the next look, not undone now. */
		if (trigger->worker && !wanted)
			trigger_worker_pause(trigger->worker, trigger->paused || trigger->held);
		make_seeks(triggers, trigger);
	}
}
