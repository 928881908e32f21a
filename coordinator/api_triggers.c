/*
 * /v1/triggers: the triggers of this node, and what a person says about one: pause, resume, go on
 * from elsewhere. Such a word is a row of the store, which all nodes read; so it holds for all, and
 * takes effect within seconds. All of it runs on the read pool, where brokers and the store writer
 * may be waited for.
 */
#include <stdio.h>
#include <string.h>

#include "coordinator/api_body.h"
#include "coordinator/clock.h"
#include "coordinator/kafka/store_job.h"
#include "coordinator/kafka/hub.h"
#include "coordinator/node.h"
#include "coordinator/routes.h"
#include "sagas/json_member.h"
#include "sagas/json_text.h"

enum {
	BROKER_TIMEOUT_MS = 2000,
	PUT_TRIES = 5, /* when others write the same row */
	ACT_MAX_BYTES = 16 * 1024,
};

/* As JSON. */

static void add_text_or_null(struct buf *out, const char *name, const char *text)
{
	json_member_text(out, name, text && *text ? text : NULL);
}

static void add_int_or_null(struct buf *out, const char *name, int64_t n)
{
	if (n >= 0)
		buf_printf(out, ",\"%s\":%lld", name, (long long)n);
	else
		buf_printf(out, ",\"%s\":null", name);
}

static void add_partitions(struct buf *out, const struct trigger_partition *partitions, size_t n)
{
	buf_add_lit(out, ",\"partitions\":[");
	for (size_t i = 0; i < n; i++) {
		const struct trigger_partition *at = &partitions[i];

		buf_printf(out, "%s{\"partition\":%d,\"assigned\":%s,\"paused\":%s", i > 0 ? "," : "",
				   at->partition, at->assigned ? "true" : "false", at->paused ? "true" : "false");
		add_int_or_null(out, "committed", at->committed);
		add_int_or_null(out, "end", at->end);
		add_int_or_null(out, "lag", at->lag);
		buf_printf(out, ",\"in_flight\":%lld}", (long long)at->in_flight);
	}
	buf_add_char(out, ']');
}

static void add_pause(struct buf *out, const struct trigger_info *info)
{
	if (info->state != TRIGGER_PAUSED) {
		buf_add_lit(out, ",\"pause\":null");
		return;
	}
	buf_add_lit(out, ",\"pause\":{\"paused\":true");
	add_text_or_null(out, "reason", info->pause_reason);
	add_text_or_null(out, "by", info->paused_by);
	json_member_time(out, "at", info->paused_at);
	buf_add_char(out, '}');
}

/* Without the partitions and the closing brace. */
static void write_trigger_open(const struct trigger_info *info, struct buf *out)
{
	buf_add_lit(out, "{\"name\":");
	json_write_string(info->name, strlen(info->name), out);
	json_member_text(out, "definition", info->definition);
	buf_printf(out, ",\"version\":%lld", (long long)info->version);
	json_member_text(out, "cluster", info->cluster);
	json_member_text(out, "topic", info->topic);
	json_member_text(out, "group", info->group);
	json_member_text(out, "dead_letter_topic", info->dead_letter_topic);
	json_member_text(out, "state", trigger_state_text(info->state));
	add_text_or_null(out, "detail", info->detail);
	add_pause(out, info);
	buf_printf(out, ",\"seeks\":%s,\"records\":{", info->seeks ? info->seeks : "null");
	for (int i = 0; i < TRIGGER_END_COUNT; i++)
		buf_printf(out, "%s\"%s\":%lld", i > 0 ? "," : "", trigger_end_text((enum trigger_end)i),
				   (long long)info->ends[i]);
	buf_printf(out,
			   "},\"poison\":%lld,\"retries\":%lld,\"retrying\":%lld,\"held\":%lld,"
			   "\"waiting\":%lld,\"in_flight\":%lld",
			   (long long)info->poison, (long long)info->retries, (long long)info->retrying,
			   (long long)info->held, (long long)info->waiting, (long long)info->in_flight);
}

/* Reading. */

static struct triggers *triggers_of(struct exchange *ex)
{
	struct triggers *triggers = hub_triggers(ex->node->kafka);

	if (!triggers)
		exchange_problem(ex, PROBLEM_NOT_READY, "the triggers have not begun yet");
	return triggers;
}

static void list_one(void *ctx, const struct trigger_info *info)
{
	struct buf *out = ctx;

	if (out->data[out->len - 1] != '[')
		buf_add_char(out, ',');
	write_trigger_open(info, out);
	add_int_or_null(out, "lag", info->lag);
	add_partitions(out, info->partitions, info->n_partitions);
	buf_add_char(out, '}');
}

/* Thread: read pool, as all that follows. */
static void list_triggers(struct exchange *ex, struct store_reader *reader)
{
	struct triggers *triggers = triggers_of(ex);

	(void)reader;
	if (!triggers)
		return;
	buf_add_lit(&ex->out, "{\"triggers\":[");
	triggers_each(triggers, ex->ns, NULL, list_one, &ex->out);
	buf_add_lit(&ex->out, "]}");
	exchange_answer(ex, 200);
}

void api_list_triggers(struct exchange *ex)
{
	if (exchange_args_done(ex, NULL, 0))
		exchange_read(ex, list_triggers);
}

struct one {
	struct buf *out;
	bool found;
	int64_t lag;
	struct trigger_partition partitions[TRIGGER_PARTITIONS_MAX];
	size_t n;
};

static void show_one(void *ctx, const struct trigger_info *info)
{
	struct one *one = ctx;

	one->found = true;
	one->lag = info->lag;
	one->n = info->n_partitions;
	memcpy(one->partitions, info->partitions, one->n * sizeof(*one->partitions));
	if (one->out)
		write_trigger_open(info, one->out);
}

static int64_t sum_of_lags(const struct trigger_partition *partitions, size_t n)
{
	int64_t sum = 0;

	for (size_t i = 0; i < n; i++) {
		if (partitions[i].lag < 0)
			return -1;
		sum += partitions[i].lag;
	}
	return sum;
}

static char *name_of(const struct exchange *ex)
{
	return xasprintf("%s/%s", ex->params[0], ex->params[1]);
}

static void not_found(struct exchange *ex)
{
	exchange_problem(
		ex, PROBLEM_TRIGGER_NOT_FOUND,
		"the newest version of no definition in namespace %s has trigger %.100s/%.200s", ex->ns,
		ex->params[0], ex->params[1]);
}

/* Live what this node has; and from the brokers what all nodes have, if they answer. */
static void get_trigger(struct exchange *ex, struct store_reader *reader)
{
	struct triggers *triggers = triggers_of(ex);
	CLEANUP(free_p) struct one *one = xcalloc(1, sizeof(*one));
	CLEANUP(free_p) char *name = name_of(ex);
	struct err err;
	int r;

	(void)reader;
	if (!triggers)
		return;
	one->out = &ex->out;
	triggers_each(triggers, ex->ns, name, show_one, one);
	if (!one->found) {
		not_found(ex);
		return;
	}
	r = triggers_partitions(triggers, ex->ns, name, BROKER_TIMEOUT_MS, one->partitions,
							TRIGGER_PARTITIONS_MAX, &one->n, &err);
	if (r == 0)
		one->lag = sum_of_lags(one->partitions, one->n);
	add_int_or_null(&ex->out, "lag", one->lag);
	add_text_or_null(&ex->out, "brokers_error", r < 0 ? err.text : NULL);
	add_partitions(&ex->out, one->partitions, one->n);
	buf_add_char(&ex->out, '}');
	exchange_answer(ex, 200);
}

void api_get_trigger(struct exchange *ex)
{
	if (exchange_args_done(ex, NULL, 0))
		exchange_read(ex, get_trigger);
}

/* Acts. */

enum trigger_act_kind { TRIGGER_PAUSE, TRIGGER_RESUME, TRIGGER_SEEK };

struct trigger_act {
	enum trigger_act_kind act;
	char *by, *reason;
	json_t *partition, *to; /* SEEK; partition NULL: all */
	bool brokers_failed;
};

static void act_free(void *state)
{
	struct trigger_act *act = state;

	free(act->by);
	free(act->reason);
	json_decref(act->partition);
	json_decref(act->to);
	free(act);
}

struct find {
	const char *name;
	struct trigger_row row;
	bool found;
};

static int find_row(void *ctx, const struct trigger_row *row)
{
	struct find *find = ctx;

	if (strcmp(row->name, find->name) != 0)
		return 0;
	trigger_row_copy(row, &find->row);
	find->found = true;
	return 1;
}

static int put_row(void *ctx, struct store *store, struct err *err)
{
	return store->ops->trigger_put(store, ctx, err);
}

/* What is said of one partition, as it stands in the row: a name, an offset, or a time. */
static bool read_to(struct exchange *ex, const json_t *to, json_t **ret_seek)
{
	const char *text = json_string_value(to);
	wall_ms at;

	if (json_is_integer(to) && json_integer_value(to) >= 0)
		*ret_seek = json_integer(json_integer_value(to));
	else if (text && (strcmp(text, "earliest") == 0 || strcmp(text, "latest") == 0))
		*ret_seek = json_string(text);
	else if (text && time_parse(text, &at, NULL) == 0 && at >= 0)
		*ret_seek = json_pack("{s:I}", "timestamp", (json_int_t)at);
	else {
		struct problem_errors errors = {0};

		problem_errors_add(&errors, "/to", 0,
						   "must be \"earliest\", \"latest\", an offset, or a time as in "
						   "2026-01-31T12:00:00Z");
		exchange_problem_errors(ex, PROBLEM_INVALID_BODY, &errors,
								"the body does not say where to go on");
		problem_errors_release(&errors);
		return false;
	}
	return true;
}

/*
 * Adds what this act says to the seeks that are in the row already. "latest" becomes the offset
 * that it means now, so that a seek that is made twice skips no more than was asked for.
 */
static int add_seeks(struct exchange *ex, struct triggers *triggers, const char *name,
					 const struct trigger_act *act, json_t *seek, json_t *seeks, struct err *err)
{
	CLEANUP(free_p)
	struct trigger_partition *partitions = xcalloc(TRIGGER_PARTITIONS_MAX, sizeof(*partitions));
	bool latest = json_is_string(seek) && strcmp(json_string_value(seek), "latest") == 0;
	int64_t wanted = act->partition ? json_integer_value(act->partition) : -1;
	bool found = false;
	char number[16];
	size_t n = 0;
	int r = triggers_partitions(triggers, ex->ns, name, BROKER_TIMEOUT_MS, partitions,
								TRIGGER_PARTITIONS_MAX, &n, err);

	for (size_t i = 0; r == 0 && i < n; i++) {
		if (wanted >= 0 && partitions[i].partition != wanted)
			continue;
		found = true;
		/* Brokers take it for a place whose records are gone: everything would come again. */
		if (json_is_integer(seek) && partitions[i].end >= 0 &&
			json_integer_value(seek) > partitions[i].end)
			return err_set(
				err, ERR_INVALID,
				"partition %d ends at offset %lld, before %lld; name a partition that has "
				"it, or latest",
				partitions[i].partition, (long long)partitions[i].end,
				(long long)json_integer_value(seek));
		snprintf(number, sizeof(number), "%d", partitions[i].partition);
		if (latest)
			json_object_set_new(seeks, number, json_integer(partitions[i].end));
		else
			json_object_set(seeks, number, seek);
	}
	if (r == 0 && !found)
		return err_set(err, ERR_INVALID, "the topic has %zu partitions, numbered from 0", n);
	return r;
}

static int change_row(struct exchange *ex, struct triggers *triggers, struct trigger_row *row,
					  struct trigger_act *act, json_t *seek, struct buf *seeks_text,
					  struct err *err)
{
	CLEANUP(json_decref_p) json_t *seeks = NULL;
	int r;

	row->updated_at = clock_wall();
	switch (act->act) {
	case TRIGGER_PAUSE:
	case TRIGGER_RESUME:
		row->paused = act->act == TRIGGER_PAUSE;
		row->reason = act->reason;
		row->by = act->by;
		return 0;
	case TRIGGER_SEEK:
		break;
	}
	if (!row->seeks || json_parse_stored(row->seeks, strlen(row->seeks), &seeks, err) < 0 ||
		!json_is_object(seeks)) {
		json_decref(seeks);
		seeks = json_object();
	}
	r = add_seeks(ex, triggers, row->name, act, seek, seeks, err);
	act->brokers_failed = r == ERR_UNAVAILABLE || r == ERR_TIMEOUT;
	buf_clear(seeks_text);
	json_write(seeks, seeks_text);
	row->seeks = buf_str(seeks_text);
	return r;
}

static void answer_row(struct exchange *ex, const struct trigger_row *row)
{
	struct buf *out = &ex->out;

	buf_add_lit(out, "{\"name\":");
	json_write_string(row->name, strlen(row->name), out);
	buf_printf(out, ",\"paused\":%s", row->paused ? "true" : "false");
	add_text_or_null(out, "reason", row->reason);
	add_text_or_null(out, "by", row->by);
	buf_printf(out, ",\"seeks\":%s", row->seeks ? row->seeks : "null");
	json_member_time(out, "updated_at", row->updated_at);
	buf_add_char(out, '}');
	exchange_answer(ex, 200);
}

/* Reads the row, changes it, writes it; ERR_CONFLICT: somebody else was faster. */
static int try_act(struct exchange *ex, struct store_reader *reader, struct triggers *triggers,
				   const char *name, json_t *seek, struct err *err)
{
	struct find find = {.name = name};
	struct trigger_row row;
	struct buf seeks;
	int r;

	buf_init(&seeks, 0);
	r = reader->store->ops->trigger_list(reader, ex->ns, find_row, &find, err);
	if (r >= 0) {
		row = find.found ? find.row : (struct trigger_row){.ns = ex->ns, .name = name};
		r = change_row(ex, triggers, &row, ex->state, seek, &seeks, err);
		if (r == 0)
			r = store_job_run(ex->node->writer, put_row, &row, err);
		if (r == 0)
			answer_row(ex, &row);
	}
	if (find.found)
		trigger_row_release(&find.row);
	buf_release(&seeks);
	return r;
}

static void do_act(struct exchange *ex, struct store_reader *reader)
{
	struct triggers *triggers = triggers_of(ex);
	const struct trigger_act *act = ex->state;
	CLEANUP(free_p) struct one *one = xcalloc(1, sizeof(*one));
	CLEANUP(json_decref_p) json_t *seek = NULL;
	CLEANUP(free_p) char *name = name_of(ex);
	struct err err;
	int r = ERR_CONFLICT;

	if (!triggers)
		return;
	triggers_each(triggers, ex->ns, name, show_one, one);
	if (!one->found) {
		not_found(ex);
		return;
	}
	if (act->act == TRIGGER_SEEK && !read_to(ex, act->to, &seek))
		return;
	for (int i = 0; i < PUT_TRIES && r == ERR_CONFLICT; i++)
		r = try_act(ex, reader, triggers, name, seek, &err);
	if (r == 0)
		triggers_deployed(triggers);
	else if (act->brokers_failed)
		exchange_problem(ex, PROBLEM_BROKERS_UNAVAILABLE, "%s", err.text);
	else
		exchange_problem_err(ex, &err);
}

static bool check_partition(struct exchange *ex, const json_t *partition)
{
	struct problem_errors errors = {0};

	if (!partition || (json_is_integer(partition) && json_integer_value(partition) >= 0))
		return true;
	problem_errors_add(&errors, "/partition", 0, "must be a whole number from 0");
	exchange_problem_errors(ex, PROBLEM_INVALID_BODY, &errors, "there is no such partition");
	problem_errors_release(&errors);
	return false;
}

static void take_act(struct exchange *ex, enum trigger_act_kind what)
{
	static const struct body_member members[] = {
		{"reason", BODY_STRING, false, 1000},
		{"by", BODY_STRING, false, 200},
		{"to", BODY_ANY, true, 0},
		{"partition", BODY_ANY, false, 0},
	};
	CLEANUP(json_decref_p) json_t *body = NULL;
	struct trigger_act *act = xcalloc(1, sizeof(*act));

	ex->state = act;
	ex->free_state = act_free;
	act->act = what;
	if (ex->body.len > ACT_MAX_BYTES) {
		exchange_problem(ex, PROBLEM_TOO_LARGE, "the body of an act has at most %d bytes",
						 ACT_MAX_BYTES);
		return;
	}
	if (!exchange_args_done(ex, NULL, 0) ||
		!body_read(ex, members, what == TRIGGER_SEEK ? ARRAY_SIZE(members) : 2,
				   what != TRIGGER_SEEK, &body))
		return;
	act->by = body_member_text(body, "by");
	act->reason = body_member_text(body, "reason");
	act->to = json_incref(json_object_get(body, "to"));
	act->partition = json_incref(json_object_get(body, "partition"));
	if (check_partition(ex, act->partition))
		exchange_read(ex, do_act);
}

void api_pause_trigger(struct exchange *ex)
{
	take_act(ex, TRIGGER_PAUSE);
}

void api_resume_trigger(struct exchange *ex)
{
	take_act(ex, TRIGGER_RESUME);
}

void api_seek_trigger(struct exchange *ex)
{
	take_act(ex, TRIGGER_SEEK);
}
