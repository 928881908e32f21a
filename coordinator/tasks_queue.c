/*
 * Queues and candidates. The oldest candidate goes to the poll that has waited longest, if routes
 * and builds fit; who fits nothing that is here waits on, and others are served past it.
 */
#include <stdio.h>
#include <string.h>

#include "coordinator/tasks_priv.h"

/* So many pairs are looked at in one go, where many do not fit. */
enum { PAIRS_MAX = 20000, PAIRS_AGAIN_MS = 10 };

char *tasks__key(const char *saga_id, const char *step, int item, enum side side)
{
	return xasprintf("%s/%s/%d/%d", saga_id, step, item, (int)side);
}

struct queue *tasks__queue(struct tasks *tasks, const char *ns, const char *name, bool make)
{
	CLEANUP(free_p) char *key = xasprintf("%s/%s", ns, name);
	struct queue *queue = map_get(&tasks->queues, key);

	if (queue || !make || tasks->queues.n >= QUEUES_MAX)
		return queue;
	queue = xcalloc(1, sizeof(*queue));
	queue->ns = xstrdup(ns);
	queue->name = xstrdup(name);
	queue->key = TAKE(key);
	queue->more = true;
	queue->allowance = -1;
	queue->order = ++tasks->order;
	tasks->settings_wanted = true;
	map_put(&tasks->queues, queue->key, queue);
	return queue;
}

void tasks__queue_free(struct queue *queue)
{
	struct map_entry *entry;
	size_t pos = 0;

	while ((entry = map_next(&queue->workers, &pos))) {
		struct worker_seen *seen = entry->value;

		free(seen->worker);
		free(seen->build);
		free(seen);
	}
	map_release(&queue->workers);
	tasks__settings_release(&queue->settings);
	free(queue->cursor_step);
	free(queue->ns);
	free(queue->name);
	free(queue->key);
	free(queue);
}

void tasks__list(struct tasks *tasks, struct queue *queue)
{
	if (queue->listed)
		return;
	queue->listed = true;
	queue->next_listed = tasks->listed;
	tasks->listed = queue;
}

/* Candidates. */

static void line_remove(struct candidate *candidate)
{
	struct queue *queue = candidate->queue;

	if (candidate->state != CANDIDATE_READY)
		return;
	if (candidate->prev)
		candidate->prev->next = candidate->next;
	else
		queue->first = candidate->next;
	if (candidate->next)
		candidate->next->prev = candidate->prev;
	else
		queue->last = candidate->prev;
	candidate->prev = candidate->next = NULL;
}

/* Most come in the order of their times. */
static void line_add(struct candidate *candidate)
{
	struct queue *queue = candidate->queue;
	struct candidate *after = queue->last;

	while (after && after->available_at > candidate->available_at)
		after = after->prev;
	candidate->state = CANDIDATE_READY;
	candidate->prev = after;
	candidate->next = after ? after->next : queue->first;
	if (after)
		after->next = candidate;
	else
		queue->first = candidate;
	if (candidate->next)
		candidate->next->prev = candidate;
	else
		queue->last = candidate;
}

void tasks__candidate_free(struct tasks *tasks, struct candidate *candidate)
{
	line_remove(candidate);
	heap_remove(&tasks->times, &candidate->timer);
	map_remove(&tasks->candidates, candidate->key);
	candidate->queue->n_candidates--;
	free(candidate->key);
	free(candidate->step);
	free(candidate->route);
	free(candidate);
}

void tasks__forget(struct tasks *tasks, const char *saga_id, const char *step, int item,
				   enum side side)
{
	CLEANUP(free_p) char *key = tasks__key(saga_id, step, item, side);
	struct candidate *candidate = map_get(&tasks->candidates, key);

	/* Whoever asks for its lease is told by the owner, and forgets it then. */
	if (candidate && candidate->state != CANDIDATE_LEASING)
		tasks__candidate_free(tasks, candidate);
}

void tasks__shun(struct tasks *tasks, struct candidate *candidate)
{
	line_remove(candidate);
	candidate->state = CANDIDATE_LATER;
	candidate->shunned = true;
	heap_update(&tasks->times, &candidate->timer, tasks->now + SHUN_MS);
}

static void take_in(struct tasks *tasks, struct candidate *candidate)
{
	if (candidate->available_at > tasks->now) {
		candidate->state = CANDIDATE_LATER;
		heap_update(&tasks->times, &candidate->timer, candidate->available_at);
		return;
	}
	line_add(candidate);
	tasks__list(tasks, candidate->queue);
}

/* Nobody asks for it, or there is no room: the store knows it. */
static bool is_wanted(const struct tasks *tasks, const struct queue *queue)
{
	return queue->n_candidates < CANDIDATES_MAX && tasks->candidates.n < CANDIDATES_ALL_MAX &&
		   (queue->n_waiting > 0 || tasks->now - queue->asked_at < IDLE_AFTER_MS);
}

void tasks__offer(struct tasks *tasks, struct queue *queue, const struct task_row *row)
{
	CLEANUP(free_p) char *key = tasks__key(row->saga_id, row->step, row->item, row->side);
	struct candidate *candidate = map_get(&tasks->candidates, key);

	/* What is known is known; another attempt is news. */
	if (candidate && (candidate->attempt >= row->attempt || candidate->queue != queue ||
					  candidate->state == CANDIDATE_LEASING))
		return;
	if (candidate)
		tasks__candidate_free(tasks, candidate);
	if (!is_wanted(tasks, queue)) {
		queue->more = queue->missed = true;
		return;
	}
	candidate = xcalloc(1, sizeof(*candidate));
	candidate->queue = queue;
	candidate->key = TAKE(key);
	memcpy(candidate->saga_id, row->saga_id, sizeof(candidate->saga_id));
	candidate->step = xstrdup(row->step);
	candidate->route = row->route ? xstrdup(row->route) : NULL;
	candidate->item = row->item;
	candidate->side = row->side;
	candidate->attempt = row->attempt;
	candidate->available_at = row->available_at;
	map_put(&tasks->candidates, candidate->key, candidate);
	queue->n_candidates++;
	candidate->state = CANDIDATE_LATER;
	take_in(tasks, candidate);
}

void tasks__times(struct tasks *tasks)
{
	struct heap_node *node;

	while ((node = heap_min(&tasks->times)) && node->at <= tasks->now) {
		struct candidate *candidate = CONTAINER_OF(node, struct candidate, timer);

		heap_remove(&tasks->times, node);
		if (candidate->shunned) {
			candidate->queue->more = true;
			tasks__candidate_free(tasks, candidate);
		} else {
			take_in(tasks, candidate);
		}
	}
}

/* Who gets which. */

static bool route_fits(const struct poll *poll, const char *route)
{
	for (size_t i = 0; i < poll->n_routes; i++)
		if (route && strcmp(poll->routes[i], route) == 0)
			return true;
	return poll->n_routes == 0;
}

static struct candidate *find_for(const struct queue *queue, const struct poll *poll, int *pairs)
{
	for (struct candidate *candidate = queue->first; candidate && *pairs > 0;
		 candidate = candidate->next) {
		(*pairs)--;
		if (route_fits(poll, candidate->route) &&
			tasks__build_fits(queue, candidate->saga_id, poll->build))
			return candidate;
	}
	return NULL;
}

static bool wants_more(const struct poll *poll)
{
	return poll->asked + poll->n_granted < poll->max;
}

/* One task of the queue for the poll, if there is one. */
static bool lease_one(struct tasks *tasks, struct queue *queue, struct poll *poll, int *pairs)
{
	struct candidate *candidate;

	if (!queue->first || !tasks__may_lease(tasks, queue))
		return false;
	candidate = find_for(queue, poll, pairs);
	if (!candidate)
		return false;
	line_remove(candidate);
	candidate->state = CANDIDATE_LEASING;
	tasks__note_lease(tasks, queue);
	tasks__lease(tasks, poll, candidate);
	return true;
}

void tasks__serve_poll(struct tasks *tasks, struct poll *poll)
{
	size_t start = poll->n_queues ? tasks->rotor++ % poll->n_queues : 0;
	int pairs = PAIRS_MAX;
	bool any = true;

	while (any && wants_more(poll)) {
		any = false;
		for (size_t i = 0; i < poll->n_queues && wants_more(poll); i++) {
			struct queue *queue = poll->places[(start + i) % poll->n_queues].queue;

			any |= lease_one(tasks, queue, poll, &pairs);
		}
	}
}

/* Serves the first in line for whom there is something. */
static bool serve_first(struct tasks *tasks, struct queue *queue, int *pairs)
{
	for (struct poll_place *place = queue->waiting; place; place = place->next) {
		struct poll *poll = place->poll;

		if (!queue->first || *pairs <= 0 || !tasks__may_lease(tasks, queue))
			return false;
		if (!find_for(queue, poll, pairs))
			continue;
		if (poll->is_gone && poll->is_gone(poll)) {
			poll->over = true;
		} else {
			(void)lease_one(tasks, queue, poll, pairs);
			tasks__serve_poll(tasks, poll);
		}
		tasks__poll_settle(tasks, poll);
		return true;
	}
	return false;
}

void tasks__serve(struct tasks *tasks)
{
	struct queue *queue = tasks->listed, *next;
	int pairs = PAIRS_MAX;

	tasks->listed = NULL;
	tasks->serve_at = 0;
	for (; queue; queue = next) {
		wall_ms rate_at;

		next = queue->next_listed;
		queue->listed = false;
		while (queue->waiting && queue->first && serve_first(tasks, queue, &pairs))
			;
		if (!queue->waiting || !queue->first)
			continue;
		rate_at = pairs <= 0 ? tasks->now + PAIRS_AGAIN_MS : tasks__rate_at(tasks, queue);
		if (rate_at == 0)
			continue;
		tasks__list(tasks, queue);
		if (tasks->serve_at == 0 || rate_at < tasks->serve_at)
			tasks->serve_at = rate_at;
	}
}
