/* What others want to know: numbers of queues, and who asked for their tasks. */
#include <string.h>

#include "coordinator/clock.h"
#include "coordinator/tasks_priv.h"

enum { PART_MS = 60000 / MINUTE_PARTS };

static void minute_turn(struct minute *minute, wall_ms now)
{
	int64_t part = now / PART_MS;

	if (part - minute->part >= MINUTE_PARTS) {
		*minute = (struct minute){.part = part};
		return;
	}
	while (minute->part < part)
		minute->parts[++minute->part % MINUTE_PARTS] = 0;
}

void minute_add(struct minute *minute, wall_ms now, int64_t n)
{
	minute_turn(minute, now);
	minute->parts[minute->part % MINUTE_PARTS] += n;
}

int64_t minute_sum(const struct minute *minute, wall_ms now)
{
	struct minute present = *minute;
	int64_t sum = 0;

	minute_turn(&present, now);
	for (int i = 0; i < MINUTE_PARTS; i++)
		sum += present.parts[i];
	return sum;
}

/* Those who have not asked for long make room. */
static bool make_room(struct tasks *tasks, struct queue *queue)
{
	struct map_entry *entry;
	size_t pos = 0;

	if (queue->workers.n < WORKERS_MAX)
		return true;
	while ((entry = map_next(&queue->workers, &pos))) {
		struct worker_seen *seen = entry->value;

		if (seen->polls > 0 || tasks->now - seen->at < WORKER_FORGOTTEN_MS)
			continue;
		map_remove(&queue->workers, seen->worker);
		free(seen->worker);
		free(seen->build);
		free(seen);
		return true;
	}
	return false;
}

void tasks__note_worker(struct tasks *tasks, struct queue *queue, const struct poll *poll,
						int polls)
{
	struct worker_seen *seen = map_get(&queue->workers, poll->worker);

	if (!seen && (polls < 0 || !make_room(tasks, queue)))
		return;
	if (!seen) {
		seen = xcalloc(1, sizeof(*seen));
		seen->worker = xstrdup(poll->worker);
		map_put(&queue->workers, seen->worker, seen);
	}
	seen->at = tasks->now;
	seen->polls += polls;
	if (seen->polls < 0)
		seen->polls = 0;
	if (polls > 0) {
		free(seen->build);
		seen->build = poll->build ? xstrdup(poll->build) : NULL;
	}
}

static struct queue_look look_at(const struct queue *queue, wall_ms now)
{
	struct queue_look look = queue->look;

	look.pollers = (int64_t)queue->n_waiting;
	look.leased_last = minute_sum(&queue->leased, now);
	look.completed_last = minute_sum(&queue->completed, now);
	look.failed_last = minute_sum(&queue->failed, now);
	return look;
}

void tasks_queue(struct tasks *tasks, const char *ns, const char *queue,
				 struct queue_look *ret_look)
{
	const struct queue *found;

	*ret_look = (struct queue_look){0};
	pthread_mutex_lock(&tasks->lock);
	found = tasks__queue(tasks, ns, queue, false);
	if (found)
		*ret_look = look_at(found, clock_wall());
	pthread_mutex_unlock(&tasks->lock);
}

void tasks_queues(struct tasks *tasks, const char *ns,
				  void (*row)(void *ctx, const char *ns, const char *queue,
							  const struct queue_look *look),
				  void *ctx)
{
	wall_ms now = clock_wall();
	struct map_entry *entry;
	size_t pos = 0;

	pthread_mutex_lock(&tasks->lock);
	while ((entry = map_next(&tasks->queues, &pos))) {
		const struct queue *queue = entry->value;
		struct queue_look look;

		if (ns && strcmp(queue->ns, ns) != 0)
			continue;
		look = look_at(queue, now);
		row(ctx, queue->ns, queue->name, &look);
	}
	pthread_mutex_unlock(&tasks->lock);
}

void tasks_workers(struct tasks *tasks, const char *ns, const char *queue,
				   void (*row)(void *ctx, const char *worker, const char *build, wall_ms last_seen,
							   bool polls),
				   void *ctx)
{
	wall_ms now = clock_wall();
	const struct queue *found;
	struct map_entry *entry;
	size_t pos = 0;

	pthread_mutex_lock(&tasks->lock);
	found = tasks__queue(tasks, ns, queue, false);
	while (found && (entry = map_next(&found->workers, &pos))) {
		const struct worker_seen *seen = entry->value;

		if (seen->polls > 0 || now - seen->at < WORKER_FORGOTTEN_MS)
			row(ctx, seen->worker, seen->build, seen->polls > 0 ? now : seen->at, seen->polls > 0);
	}
	pthread_mutex_unlock(&tasks->lock);
}
