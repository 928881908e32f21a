/*
 * What is read from the store, on threads of their own: tasks that nobody here has heard of, what
 * was said about queues, and how many tasks are leased where that is limited. Only queues that
 * somebody waits at are looked for.
 */
#include <stdio.h>
#include <string.h>

#include "connectors/http_client.h"
#include "coordinator/membership.h"
#include "coordinator/tasks_priv.h"

enum { FAILED_AGAIN_MS = 1000, SCAN_EVERY_MS = 2, SCAN_MANY_EVERY_MS = 20, MANY_QUEUES = 100 };

enum read_kind { READ_TASKS, READ_SETTINGS, READ_LEASED };

struct tasks_read {
	struct mail mail;
	struct read_job job;
	struct tasks *tasks;
	enum read_kind kind;
	struct task_filter filter; /* its texts are those of row */
	char *ns, *queue, *after_step;
	uint64_t order;
	/* Answered. */
	int result;
	struct err err;
	struct task_row *rows; /* owned */
	struct queue_row *settings;
	size_t n, cap;
};

static void read_free(struct tasks_read *read)
{
	for (size_t i = 0; read->rows && i < read->n; i++)
		task_row_release(&read->rows[i]);
	for (size_t i = 0; read->settings && i < read->n; i++)
		queue_row_release(&read->settings[i]);
	free(read->rows);
	free(read->settings);
	free(read->ns);
	free(read->queue);
	free(read->after_step);
	free(read);
}

void tasks__read_throw_away(struct mail *mail)
{
	read_free(CONTAINER_OF(mail, struct tasks_read, mail));
}

/* Thread: read pool. */

static int add_task(void *ctx, const struct task_row *row)
{
	struct tasks_read *read = ctx;

	if (read->kind == READ_LEASED) {
		read->n++;
		return 0;
	}
	if (read->n == read->cap) {
		read->cap = read->cap ? 2 * read->cap : 32;
		read->rows = xrealloc_array(read->rows, read->cap, sizeof(*read->rows));
	}
	task_row_copy(row, &read->rows[read->n++]);
	return 0;
}

static int add_settings(void *ctx, const struct queue_row *row)
{
	struct tasks_read *read = ctx;

	if (read->n == read->cap) {
		read->cap = read->cap ? 2 * read->cap : 32;
		read->settings = xrealloc_array(read->settings, read->cap, sizeof(*read->settings));
	}
	queue_row_copy(row, &read->settings[read->n++]);
	return 0;
}

static void run(struct read_job *job, struct store_reader *reader)
{
	struct tasks_read *read = CONTAINER_OF(job, struct tasks_read, job);
	const struct store_ops *ops = reader->store->ops;

	read->result = read->kind == READ_SETTINGS
					   ? ops->queue_list(reader, NULL, add_settings, read, &read->err)
					   : ops->tasks_list(reader, &read->filter, add_task, read, &read->err);
	read->mail.type = TASKS_MAIL_READ;
	mailbox_post_reserved(read->tasks->box, &read->mail);
}

/* Thread: tasks. */

static bool send(struct tasks *tasks, struct tasks_read *read)
{
	read->tasks = tasks;
	read->job.run = run;
	if (!read_pool_post(tasks->pool, &read->job)) {
		read_free(read);
		return false;
	}
	tasks->jobs_out++;
	return true;
}

static struct tasks_read *read_of(const struct queue *queue, enum read_kind kind, int limit)
{
	struct tasks_read *read = xcalloc(1, sizeof(*read));

	read->kind = kind;
	read->ns = xstrdup(queue->ns);
	read->queue = xstrdup(queue->name);
	read->filter = (struct task_filter){
		.ns = read->ns,
		.kind = TASK_WORKER,
		.queue = read->queue,
		.state = kind == READ_LEASED ? TASK_LEASED : TASK_QUEUED,
		.limit = limit,
	};
	return read;
}

static void cursor_reset(struct queue *queue)
{
	queue->cursor_saga[0] = '\0';
	free(TAKE(queue->cursor_step));
}

static void read_tasks(struct tasks *tasks, struct queue *queue)
{
	struct tasks_read *read = read_of(queue, READ_TASKS, READ_PAGE);

	if (queue->cursor_step) {
		read->after_step = xstrdup(queue->cursor_step);
		read->filter.after_available_at = queue->cursor_at;
		memcpy(read->filter.after_saga_id, queue->cursor_saga, sizeof(queue->cursor_saga));
		read->filter.after_step = read->after_step;
		read->filter.after_item = queue->cursor_item;
		read->filter.after_side = queue->cursor_side;
	} else {
		queue->looked_at = tasks->now;
		queue->missed = false;
	}
	queue->reading = send(tasks, read);
}

static wall_ms look_every_ms(const struct tasks *tasks)
{
	return tasks->options.member ? LOOK_EVERY_MS : LOOK_ALONE_EVERY_MS;
}

/* When its tasks are to be read; 0: not, since nobody waits or it is read already. */
static wall_ms tasks_due(const struct tasks *tasks, const struct queue *queue)
{
	wall_ms at = queue->looked_at + look_every_ms(tasks);

	if (queue->n_waiting == 0 || queue->reading)
		return 0;
	if (queue->more && queue->n_candidates < CANDIDATES_MAX / 2)
		at = queue->not_before;
	return at > queue->not_before ? at : queue->not_before + (queue->not_before == 0);
}

/* The same of what is leased, where that is limited and used up. */
static wall_ms count_due(const struct queue *queue)
{
	if (queue->settings.max_concurrent <= 0 || queue->counting || queue->allowance > 0 ||
		queue->n_waiting == 0 || !queue->first)
		return 0;
	return queue->counted_at + (queue->count_again ? COUNT_EVERY_MS : LOOK_EVERY_MS);
}

static void count_leased(struct tasks *tasks, struct queue *queue)
{
	struct tasks_read *read = read_of(queue, READ_LEASED, (int)queue->settings.max_concurrent);

	queue->count_again = false;
	queue->counted_at = tasks->now;
	queue->counted_leasing = queue->leasing;
	queue->counting = send(tasks, read);
}

static void drop_idle(struct tasks *tasks, struct queue *queue)
{
	if (queue->n_waiting > 0 || !queue->first || tasks->now - queue->asked_at < IDLE_AFTER_MS)
		return;
	while (queue->first)
		tasks__candidate_free(tasks, queue->first);
	queue->more = true;
}

static void note_due(struct tasks *tasks, wall_ms at)
{
	if (at != 0 && (tasks->read_at == 0 || at < tasks->read_at))
		tasks->read_at = at;
}

static void read_settings(struct tasks *tasks)
{
	struct tasks_read *read = xcalloc(1, sizeof(*read));

	read->kind = READ_SETTINGS;
	read->order = tasks->order;
	tasks->settings_wanted = false;
	tasks->settings_tried_at = tasks->now;
	tasks->settings_out = send(tasks, read);
	tasks->settings_wanted = !tasks->settings_out;
}

static wall_ms settings_due(const struct tasks *tasks)
{
	if (tasks->settings_out)
		return 0;
	if (tasks->settings_wanted)
		return tasks->settings_tried_at + tasks->settings_pause_ms + 1;
	return tasks->n_polls > 0 && tasks->options.member ? tasks->settings_at + SETTINGS_EVERY_MS : 0;
}

void tasks__read(struct tasks *tasks)
{
	struct map_entry *entry;
	size_t pos = 0;
	wall_ms at = settings_due(tasks);

	if (at != 0 && at <= tasks->now)
		read_settings(tasks);
	if (tasks->now < tasks->scan_at) {
		note_due(tasks, tasks->scan_at);
		return;
	}
	tasks->scan_at =
		tasks->now + (tasks->queues.n > MANY_QUEUES ? SCAN_MANY_EVERY_MS : SCAN_EVERY_MS);
	tasks->read_at = 0;
	while ((entry = map_next(&tasks->queues, &pos))) {
		struct queue *queue = entry->value;

		at = tasks_due(tasks, queue);
		if (at != 0 && at <= tasks->now)
			read_tasks(tasks, queue);
		else
			note_due(tasks, at);
		at = count_due(queue);
		if (at != 0 && at <= tasks->now)
			count_leased(tasks, queue);
		else
			note_due(tasks, at);
		drop_idle(tasks, queue);
	}
}

wall_ms tasks__read_next_at(const struct tasks *tasks)
{
	wall_ms at = settings_due(tasks);

	return tasks->read_at != 0 && (at == 0 || tasks->read_at < at) ? tasks->read_at : at;
}

void tasks__look_all(struct tasks *tasks)
{
	struct map_entry *entry;
	size_t pos = 0;

	while ((entry = map_next(&tasks->queues, &pos))) {
		struct queue *queue = entry->value;

		if (queue->n_waiting == 0 || queue->reading)
			continue;
		cursor_reset(queue);
		queue->more = true;
	}
	tasks->scan_at = 0;
}

/* What was read. */

static void take_tasks(struct tasks *tasks, struct queue *queue, const struct tasks_read *read)
{
	const struct task_row *last;

	queue->reading = false;
	if (read->result < 0) {
		queue->not_before = tasks->now + FAILED_AGAIN_MS;
		return;
	}
	for (size_t i = 0; i < read->n; i++)
		tasks__offer(tasks, queue, &read->rows[i]);
	if (read->n < READ_PAGE) {
		cursor_reset(queue);
		queue->more = queue->missed;
		return;
	}
	last = &read->rows[read->n - 1];
	queue->cursor_at = last->available_at;
	memcpy(queue->cursor_saga, last->saga_id, sizeof(queue->cursor_saga));
	free(queue->cursor_step);
	queue->cursor_step = xstrdup(last->step);
	queue->cursor_item = last->item;
	queue->cursor_side = last->side;
	queue->more = true;
}

static void take_leased(struct tasks *tasks, struct queue *queue, const struct tasks_read *read)
{
	queue->counting = false;
	if (read->result == 0)
		queue->allowance =
			queue->settings.max_concurrent - (int64_t)read->n - queue->counted_leasing;
	tasks__list(tasks, queue);
}

static void take_settings(struct tasks *tasks, const struct tasks_read *read)
{
	struct map_entry *entry;
	size_t pos = 0;

	tasks->settings_out = false;
	tasks->settings_pause_ms = read->result < 0 ? FAILED_AGAIN_MS : 0;
	tasks->settings_wanted |= read->result < 0;
	if (read->result < 0)
		return;
	tasks->settings_at = tasks->now;
	while ((entry = map_next(&tasks->queues, &pos))) {
		struct queue *queue = entry->value;

		/* Of one that was not there when it was read nothing is known. */
		if (queue->order > read->order)
			continue;
		queue->settings_known = true;
		tasks__list(tasks, queue);
	}
	for (size_t i = 0; i < read->n; i++) {
		const struct queue_row *row = &read->settings[i];
		struct queue *queue = tasks__queue(tasks, row->ns, row->name, false);
		struct queue_settings settings;
		struct err err;

		if (!queue || queue->settings.revision == row->revision ||
			tasks__settings_read(row->settings, strlen(row->settings), &settings, &err) < 0)
			continue;
		tasks__settings_release(&queue->settings);
		queue->settings = settings;
		queue->settings.revision = row->revision;
		queue->allowance = -1;
		queue->counted_at = 0;
	}
}

void tasks__read_done(struct tasks *tasks, struct mail *mail)
{
	struct tasks_read *read = CONTAINER_OF(mail, struct tasks_read, mail);
	struct queue *queue =
		read->kind == READ_SETTINGS ? NULL : tasks__queue(tasks, read->ns, read->queue, false);

	tasks->jobs_out--;
	if (read->kind == READ_SETTINGS)
		take_settings(tasks, read);
	else if (read->kind == READ_TASKS && queue)
		take_tasks(tasks, queue, read);
	else if (queue)
		take_leased(tasks, queue, read);
	tasks->scan_at = 0;
	read_free(read);
}

/* Poking: other nodes may have workers that wait for what was queued here. */

enum { POKE_MS = 1000, PEERS_EVERY_MS = 5000 };

struct poke {
	struct http_request http;
	char address[NODE_ADDRESS_SIZE];
};

/* Thread: HTTP client. */
static void poked(struct http_request *http)
{
	free(http->reply);
	free(http->ctx);
}

static void poke_one(struct tasks *tasks, const char *address)
{
	struct poke *poke = xcalloc(1, sizeof(*poke));

	snprintf(poke->address, sizeof(poke->address), "%s", address);
	poke->http = (struct http_request){
		.base_url = poke->address,
		.method = "POST",
		.path = "/v1/nodes/poke?tasks=true",
		.timeout_ms = POKE_MS,
		.done = poked,
		.ctx = poke,
	};
	http_client_send(tasks->options.http, &poke->http);
}

/* Who has slots; who has none yet finds what there is when it looks by itself. */
static void find_peers(struct tasks *tasks)
{
	int slots = tasks->options.store->ops->slot_count(tasks->options.store);
	char address[NODE_ADDRESS_SIZE];

	tasks->n_peers = 0;
	for (int slot = 0; slot < slots && tasks->n_peers < TASKS_PEERS_MAX; slot++) {
		bool known = false;

		if (member_slot(tasks->options.member, slot, address) != SLOT_THERE)
			continue;
		for (int i = 0; i < tasks->n_peers; i++)
			known |= strcmp(tasks->peers[i], address) == 0;
		if (!known)
			snprintf(tasks->peers[tasks->n_peers++], NODE_ADDRESS_SIZE, "%s", address);
	}
	tasks->peers_at = tasks->now;
}

void tasks__poke(struct tasks *tasks)
{
	if (!tasks->poke_owed || tasks->now < tasks->poked_at + POKE_EVERY_MS)
		return;
	tasks->poke_owed = false;
	tasks->poked_at = tasks->now;
	if (!tasks->options.member || __atomic_load_n(&tasks->ended, __ATOMIC_ACQUIRE))
		return;
	if (tasks->now - tasks->peers_at >= PEERS_EVERY_MS)
		find_peers(tasks);
	for (int i = 0; i < tasks->n_peers; i++)
		poke_one(tasks, tasks->peers[i]);
}
