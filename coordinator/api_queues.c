/*
 * Queues: how much waits in them, who asks for it, and what persons say about them.
 *
 * How many tasks wait or are leased is counted in the store, for all nodes; pollers, workers and
 * rates are those of the node that is asked.
 */
#include <stdlib.h>
#include <string.h>

#include "coordinator/api_body.h"
#include "coordinator/clock.h"
#include "coordinator/node.h"
#include "coordinator/registry.h"
#include "coordinator/routes.h"
#include "coordinator/server_priv.h"
#include "coordinator/tasks.h"
#include "coordinator/tasks_settings.h"
#include "coordinator/kafka/store_job.h"
#include "sagas/base/map.h"
#include "sagas/json_member.h"
#include "sagas/json_text.h"

enum { SETTINGS_MAX_BYTES = 16 * 1024, TASKS_PAGE = 100, LEASED_SHOWN = 1000 };

/* ---- One queue, or all ---- */

/* What is known of a queue from three sides. */
struct shown {
	char *name;
	struct queue_count_row count; /* its texts are not looked at */
	struct queue_row settings;    /* owned; name NULL: nothing was said */
	struct queue_look look;
};

struct all {
	struct map by_name; /* -> shown */
	const char *only;   /* NULL: all */
};

static struct shown *shown_of(struct all *all, const char *name)
{
	struct shown *shown;

	if (all->only && strcmp(all->only, name) != 0)
		return NULL;
	shown = map_get(&all->by_name, name);
	if (shown || all->by_name.n >= QUEUE_LIST_MAX)
		return shown;
	shown = xcalloc(1, sizeof(*shown));
	shown->name = xstrdup(name);
	map_put(&all->by_name, shown->name, shown);
	return shown;
}

static void all_release(struct all *all)
{
	struct map_entry *entry;
	size_t pos = 0;

	while ((entry = map_next(&all->by_name, &pos))) {
		struct shown *shown = entry->value;

		if (shown->settings.name)
			queue_row_release(&shown->settings);
		free(shown->name);
		free(shown);
	}
	map_release(&all->by_name);
}

static int add_count(void *ctx, const struct queue_count_row *row)
{
	struct shown *shown = shown_of(ctx, row->queue);

	if (shown)
		shown->count = *row;
	return 0;
}

static int add_settings(void *ctx, const struct queue_row *row)
{
	struct shown *shown = shown_of(ctx, row->name);

	if (shown && !shown->settings.name)
		queue_row_copy(row, &shown->settings);
	return 0;
}

static void add_look(void *ctx, const char *ns, const char *queue, const struct queue_look *look)
{
	struct shown *shown = shown_of(ctx, queue);

	(void)ns;
	if (shown)
		shown->look = *look;
}

static void write_rates(const struct queue_look *look, struct buf *out)
{
	buf_add_lit(out, ",\"rates\":{");
	json_member_int(out, "leased", look->leased_last);
	json_member_int(out, "completed", look->completed_last);
	json_member_int(out, "failed", look->failed_last);
	buf_add_lit(out, "},\"totals\":{");
	json_member_int(out, "leased", look->leased);
	json_member_int(out, "completed", look->completed);
	json_member_int(out, "failed", look->failed);
	json_member_int(out, "lease_expired", look->expired);
	buf_add_char(out, '}');
}

static void count_worker(void *ctx, const char *worker, const char *build, wall_ms last_seen,
						 bool polls)
{
	(void)worker, (void)build, (void)last_seen, (void)polls;
	(*(int *)ctx)++;
}

/* Without the brace that ends it. */
static void write_queue(struct exchange *ex, const struct shown *shown)
{
	struct buf *out = &ex->out;
	int workers = 0;

	tasks_workers(ex->node->tasks, ex->ns, shown->name, count_worker, &workers);
	buf_add_char(out, '{');
	json_member_text(out, "queue", shown->name);
	json_member_int(out, "queued", shown->count.queued);
	json_member_int(out, "leased", shown->count.leased);
	buf_printf(out, ",\"more\":%s",
			   shown->count.queued_more || shown->count.leased_more ? "true" : "false");
	json_member_time(out, "oldest_at", shown->count.oldest_available_at);
	json_member_int(out, "pollers", shown->look.pollers);
	json_member_int(out, "workers_seen", workers);
	buf_printf(out, ",\"settings\":%s", shown->settings.name ? shown->settings.settings : "{}");
	json_member_int(out, "revision", shown->settings.name ? shown->settings.revision : 0);
	json_member_text(out, "updated_by", shown->settings.name ? shown->settings.by : NULL);
	json_member_time(out, "updated_at", shown->settings.name ? shown->settings.updated_at : 0);
	write_rates(&shown->look, out);
}

static bool read_all(struct exchange *ex, struct store_reader *reader, struct all *all)
{
	const struct store_ops *ops = reader->store->ops;
	struct err err;

	/* What nobody polls and holds no task shows all the same if something was said about it. */
	if (ops->queue_list(reader, ex->ns, add_settings, all, &err) < 0 ||
		ops->queue_counts(reader, ex->ns, "", "", QUEUE_LIST_MAX, add_count, all, &err) < 0) {
		exchange_problem_err(ex, &err);
		return false;
	}
	tasks_queues(ex->node->tasks, ex->ns, add_look, all);
	return true;
}

static int by_name(const void *a, const void *b)
{
	return strcmp((*(struct shown *const *)a)->name, (*(struct shown *const *)b)->name);
}

static void read_queues(struct exchange *ex, struct store_reader *reader)
{
	CLEANUP(all_release) struct all all = {0};
	CLEANUP(free_p) struct shown **list = NULL;
	struct map_entry *entry;
	size_t pos = 0, n = 0;

	if (!read_all(ex, reader, &all))
		return;
	list = xcalloc(all.by_name.n + 1, sizeof(*list));
	while ((entry = map_next(&all.by_name, &pos)))
		list[n++] = entry->value;
	qsort(list, n, sizeof(*list), by_name);
	buf_add_lit(&ex->out, "{\"queues\":[");
	for (size_t i = 0; i < n; i++) {
		buf_add_str(&ex->out, i > 0 ? "," : "");
		write_queue(ex, list[i]);
		buf_add_char(&ex->out, '}');
	}
	buf_printf(&ex->out, "],\"node\":\"%s\"}", ex->node->address);
	exchange_answer(ex, 200);
}

void api_list_queues(struct exchange *ex)
{
	if (exchange_args_done(ex, NULL, 0))
		exchange_read(ex, read_queues);
}

/* ---- Workers ---- */

struct worker_shown {
	char *worker, *build;
	wall_ms last_seen;
	int64_t leased;
	bool polls;
};

struct workers {
	struct map by_name; /* -> worker_shown */
};

static struct worker_shown *worker_of(struct workers *workers, const char *name, const char *build)
{
	struct worker_shown *shown = map_get(&workers->by_name, name);

	if (!shown) {
		shown = xcalloc(1, sizeof(*shown));
		shown->worker = xstrdup(name);
		map_put(&workers->by_name, shown->worker, shown);
	}
	if (build && !shown->build)
		shown->build = xstrdup(build);
	return shown;
}

static void workers_release(struct workers *workers)
{
	struct map_entry *entry;
	size_t pos = 0;

	while ((entry = map_next(&workers->by_name, &pos))) {
		struct worker_shown *shown = entry->value;

		free(shown->worker);
		free(shown->build);
		free(shown);
	}
	map_release(&workers->by_name);
}

static void add_worker(void *ctx, const char *worker, const char *build, wall_ms last_seen,
					   bool polls)
{
	struct worker_shown *shown = worker_of(ctx, worker, build);

	shown->last_seen = last_seen;
	shown->polls = polls;
}

static int add_leased(void *ctx, const struct task_row *row)
{
	if (row->worker)
		worker_of(ctx, row->worker, row->build)->leased++;
	return 0;
}

static void write_workers(struct exchange *ex, const struct workers *workers)
{
	struct buf *out = &ex->out;
	struct map_entry *entry;
	size_t pos = 0;
	bool first = true;

	buf_add_lit(out, ",\"workers\":[");
	while ((entry = map_next(&workers->by_name, &pos))) {
		const struct worker_shown *shown = entry->value;

		buf_add_str(out, first ? "{" : ",{");
		first = false;
		json_member_text(out, "worker", shown->worker);
		json_member_text(out, "build", shown->build);
		json_member_text(out, "node", shown->last_seen ? ex->node->address : NULL);
		json_member_time(out, "last_seen", shown->last_seen);
		buf_printf(out, ",\"polls\":%s", shown->polls ? "true" : "false");
		json_member_int(out, "leased", shown->leased);
		buf_add_char(out, '}');
	}
	buf_add_char(out, ']');
}

static void write_builds(const struct workers *workers, struct buf *out)
{
	struct map builds = {0};
	struct map_entry *entry;
	size_t pos = 0;
	bool first = true;

	while ((entry = map_next(&workers->by_name, &pos))) {
		const char *build = ((struct worker_shown *)entry->value)->build;

		if (build)
			map_put(&builds, build, entry->value);
	}
	pos = 0;
	buf_add_lit(out, ",\"builds\":[");
	while ((entry = map_next(&builds, &pos))) {
		if (!first)
			buf_add_char(out, ',');
		first = false;
		json_write_string(entry->key, strlen(entry->key), out);
	}
	buf_add_char(out, ']');
	map_release(&builds);
}

/* ---- Whether there is such a queue, of which nothing was said and for which nobody asks ---- */

struct named {
	const char *queue;
	bool found;
};

/* Whether a definition gives tasks to it. For saga_def_walk. */
static void look_for_queue(struct saga_def *def, void *ctx)
{
	struct named *named = ctx;

	for (int i = 0; i < def->n_steps && !named->found; i++) {
		const struct step_def *step = &def->steps[i];

		named->found =
			(step->act.kind == ACTION_TASK && strcmp(step->act.task.queue, named->queue) == 0) ||
			(step->undo_kind == UNDO_ACTION && step->undo.kind == ACTION_TASK &&
			 strcmp(step->undo.task.queue, named->queue) == 0);
	}
}

struct definitions {
	char **names;
	int64_t *newest;
	size_t n;
};

static void definitions_release(struct definitions *definitions)
{
	for (size_t i = 0; i < definitions->n; i++)
		free(definitions->names[i]);
	free(definitions->names);
	free(definitions->newest);
}

static int keep_definition(void *ctx, const struct definition_row *row)
{
	struct definitions *to = ctx;

	to->names = xrealloc_array(to->names, to->n + 1, sizeof(*to->names));
	to->newest = xrealloc_array(to->newest, to->n + 1, sizeof(*to->newest));
	to->newest[to->n] = row->version;
	to->names[to->n++] = xstrdup(row->name);
	return 0;
}

static int seen(void *ctx, const struct task_row *row)
{
	(void)row;
	((struct named *)ctx)->found = true;
	return 0;
}

/* The newest version of each definition and the one that starts sagas; one that this node cannot
 * load names nothing here. 0, or the store cannot be read. */
static int look_in_definitions(struct exchange *ex, struct store_reader *reader,
							   struct named *named, struct err *err)
{
	CLEANUP(definitions_release) struct definitions all = {.n = 0};
	int r = reader->store->ops->definition_list(reader, ex->ns, NULL, keep_definition, &all, err);

	for (size_t i = 0; i < 2 * all.n && r == 0 && !named->found; i++) {
		CLEANUP(saga_def_unref_p) struct saga_def *def = NULL;
		struct err ignored;

		if (registry_get(ex->node->registry, ex->ns, all.names[i / 2],
						 i % 2 ? all.newest[i / 2] : 0, &def, &ignored) == 0)
			saga_def_walk(def, look_for_queue, named);
	}
	return r == ERR_NOT_FOUND ? 0 : r;
}

/* Of a queue that read_all has not found. False: it is answered. */
static bool queue_exists(struct exchange *ex, struct store_reader *reader)
{
	const struct task_filter any = {
		.ns = ex->ns,
		.kind = TASK_WORKER,
		.queue = ex->params[0],
		.state = -1,
		.limit = 1,
	};
	struct named named = {.queue = ex->params[0]};
	struct err err;
	int r = reader->store->ops->tasks_list(reader, &any, seen, &named, &err);

	if (r == 0 && !named.found)
		r = look_in_definitions(ex, reader, &named, &err);
	if (r < 0)
		exchange_problem_err(ex, &err);
	else if (!named.found)
		exchange_problem(
			ex, PROBLEM_QUEUE_NOT_FOUND,
			"no definition in namespace %s names queue %.255s, it holds no task, nothing "
			"was said about it, and no worker has asked this node for it",
			ex->ns, ex->params[0]);
	return r == 0 && named.found;
}

/* ---- The queue ---- */

static void read_queue(struct exchange *ex, struct store_reader *reader)
{
	CLEANUP(all_release) struct all all = {.only = ex->params[0]};
	CLEANUP(workers_release) struct workers workers = {0};
	const struct task_filter leased = {
		.ns = ex->ns,
		.kind = TASK_WORKER,
		.queue = ex->params[0],
		.state = TASK_LEASED,
		.limit = LEASED_SHOWN,
	};
	const struct shown *shown;
	struct err err;

	if (!read_all(ex, reader, &all) ||
		(!map_get(&all.by_name, ex->params[0]) && !queue_exists(ex, reader)))
		return;
	shown = shown_of(&all, ex->params[0]);
	tasks_workers(ex->node->tasks, ex->ns, ex->params[0], add_worker, &workers);
	if (reader->store->ops->tasks_list(reader, &leased, add_leased, &workers, &err) < 0) {
		exchange_problem_err(ex, &err);
		return;
	}
	write_queue(ex, shown);
	write_workers(ex, &workers);
	write_builds(&workers, &ex->out);
	buf_add_char(&ex->out, '}');
	exchange_add_header(ex, "ETag", "\"%lld\"",
						(long long)(shown->settings.name ? shown->settings.revision : 0));
	exchange_answer(ex, 200);
}

static bool queue_param(struct exchange *ex)
{
	if (*ex->params[0] && strlen(ex->params[0]) <= QUEUE_NAME_MAX_BYTES)
		return true;
	exchange_problem(ex, PROBLEM_INVALID_REQUEST, "a queue's name has 1 to 255 bytes");
	return false;
}

void api_get_queue(struct exchange *ex)
{
	if (exchange_args_done(ex, NULL, 0) && queue_param(ex))
		exchange_read(ex, read_queue);
}

/* ---- Settings ---- */

struct put {
	char *settings, *by;
	int64_t revision; /* -1: whatever it is */
};

static void put_free(void *state)
{
	struct put *put = state;

	free(put->settings);
	free(put->by);
	free(put);
}

/* Thread: writer. */
static int put_row(void *ctx, struct store *store, struct err *err)
{
	return store->ops->queue_put(store, ctx, err);
}

/* Thread: read pool. */
static void write_settings(struct exchange *ex, struct store_reader *reader)
{
	const struct put *put = ex->state;
	struct queue_row there = {0}, row = {.ns = ex->ns, .name = ex->params[0]};
	struct err err;
	int r = reader->store->ops->queue_get(reader, ex->ns, ex->params[0], &there, &err);

	if (r < 0 && r != ERR_NOT_FOUND) {
		exchange_problem_err(ex, &err);
		return;
	}
	row.revision = r == 0 ? there.revision : 0;
	if (r == 0)
		queue_row_release(&there);
	row.settings = put->settings;
	row.by = put->by;
	row.updated_at = clock_wall();
	r = put->revision >= 0 && put->revision != row.revision
			? err_set(&err, ERR_CONFLICT, "the settings have changed since")
			: store_job_run(ex->node->writer, put_row, &row, &err);
	if (r == ERR_CONFLICT) {
		exchange_problem(ex, PROBLEM_PRECONDITION_FAILED,
						 "the settings of the queue have changed since; look at them again");
		return;
	}
	if (r < 0) {
		exchange_problem_err(ex, &err);
		return;
	}
	tasks_look(ex->node->tasks);
	exchange_add_header(ex, "ETag", "\"%lld\"", (long long)row.revision);
	ex->next = NULL;
	read_queue(ex, reader);
}

static bool read_settings(struct exchange *ex, const json_t *body, struct put *put)
{
	CLEANUP(buf_release) struct buf text;
	struct err err = {0};

	buf_init(&text, 0);
	json_write(body, &text);
	if (queue_settings_check(buf_str(&text), text.len, &err) < 0) {
		body_error(ex, err.place, err.text);
		return false;
	}
	put->settings = buf_take(&text, NULL);
	return true;
}

/* If-Match as a revision; 0 is that of a queue of which nothing was said. */
static bool read_revision(struct exchange *ex, int64_t *ret)
{
	const char *p = exchange_header(ex, "If-Match");
	int64_t n = 0;

	*ret = -1;
	if (!p || strcmp(p, "*") == 0)
		return true;
	p += *p == '"';
	if (*p < '0' || *p > '9')
		n = INT64_MAX;
	for (; *p >= '0' && *p <= '9' && n < 1000000000; p++)
		n = n * 10 + (*p - '0');
	p += *p == '"';
	if (*p || n > 1000000000) {
		exchange_problem(ex, PROBLEM_INVALID_REQUEST,
						 "header If-Match: give one ETag as it came with the queue, like \"7\"");
		return false;
	}
	*ret = n;
	return true;
}

void api_put_queue(struct exchange *ex)
{
	static const char *const known[] = {"by"};
	CLEANUP(json_decref_p) json_t *body = NULL;
	struct put *put = xcalloc(1, sizeof(*put));
	const char *by = exchange_arg(ex, "by");
	struct err err = {0};

	ex->state = put;
	ex->free_state = put_free;
	put->by = xstrdup(by ? by : "api");
	if (!exchange_args_done(ex, known, 1) || !queue_param(ex) || !read_revision(ex, &put->revision))
		return;
	if (strlen(put->by) > TASK_WORKER_MAX_BYTES || ex->body.len > SETTINGS_MAX_BYTES) {
		exchange_problem(ex, PROBLEM_TOO_LARGE, "settings have at most %d bytes",
						 SETTINGS_MAX_BYTES);
		return;
	}
	if (json_parse(buf_str(&ex->body), ex->body.len, &body, &err) < 0) {
		exchange_problem(ex, PROBLEM_INVALID_JSON, "%s%s%s", err.place, *err.place ? ": " : "",
						 err.text);
		return;
	}
	if (read_settings(ex, body, put))
		exchange_read(ex, write_settings);
}
