/*
 * What every store does the same way with the rows of sagas that run long: copies, limits, and
 * tickets.
 */
#include "connectors/store_long.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "connectors/store.h"
#include "sagas/base/buf.h"
#include "sagas/base/macros.h"

static char *copy_text(const char *text)
{
	return text ? xstrdup(text) : NULL;
}

void task_row_copy(const struct task_row *from, struct task_row *ret_row)
{
	*ret_row = *from;
	ret_row->ns = copy_text(from->ns);
	ret_row->definition = copy_text(from->definition);
	ret_row->step = copy_text(from->step);
	ret_row->queue = copy_text(from->queue);
	ret_row->route = copy_text(from->route);
	ret_row->worker = copy_text(from->worker);
	ret_row->build = copy_text(from->build);
	ret_row->doc = from->doc ? xstrndup(from->doc, from->doc_len) : NULL;
}

void task_row_release(struct task_row *row)
{
	free((char *)row->ns);
	free((char *)row->definition);
	free((char *)row->step);
	free((char *)row->queue);
	free((char *)row->route);
	free((char *)row->worker);
	free((char *)row->build);
	free((char *)row->doc);
	*row = (struct task_row){0};
}

void queue_row_copy(const struct queue_row *from, struct queue_row *ret_row)
{
	*ret_row = *from;
	ret_row->ns = copy_text(from->ns);
	ret_row->name = copy_text(from->name);
	ret_row->settings = copy_text(from->settings);
	ret_row->by = copy_text(from->by);
}

void queue_row_release(struct queue_row *row)
{
	free((char *)row->ns);
	free((char *)row->name);
	free((char *)row->settings);
	free((char *)row->by);
	*row = (struct queue_row){0};
}

void store_lock_ticket(wall_ms at, const char *saga_id, int64_t seq, const char *step, int item,
					   char ret_ticket[UUID_SIZE])
{
	CLEANUP(buf_release) struct buf text;
	unsigned char random[8];
	char hash[UUID_SIZE];
	unsigned byte;

	buf_init(&text, 0);
	buf_printf(&text, "lock:%s/%lld/%s/%d", saga_id, (long long)seq, step, item);
	hash_uuid5(buf_str(&text), text.len, hash);
	/* Of the parts of the hash that are neither version nor variant. */
	for (int i = 0; i < 4; i++) {
		CHECK(sscanf(hash + (ptrdiff_t)2 * i, "%2x", &byte) == 1);
		random[i] = (unsigned char)byte;
		CHECK(sscanf(hash + 24 + (ptrdiff_t)2 * i, "%2x", &byte) == 1);
		random[4 + i] = (unsigned char)byte;
	}
	saga_id_make(at, 0, random, ret_ticket);
}

const char *store_side_text(enum side side)
{
	return side == SIDE_DO ? "do" : "undo";
}

static bool is_long(const char *text, size_t max)
{
	return text && strnlen(text, max + 1) > max;
}

static bool task_fits(const struct task_row *row)
{
	return row->step && row->ns && row->definition && row->queue && row->doc &&
		   !is_long(row->step, STORE_NAME_MAX_BYTES) && !is_long(row->ns, NAMESPACE_MAX_BYTES) &&
		   !is_long(row->definition, STORE_NAME_MAX_BYTES) &&
		   !is_long(row->queue, STORE_NAME_MAX_BYTES) &&
		   !is_long(row->route, STORE_NAME_MAX_BYTES) &&
		   !is_long(row->worker, STORE_NAME_MAX_BYTES) &&
		   !is_long(row->build, STORE_NAME_MAX_BYTES) && row->doc_len <= TASK_DOC_MAX_BYTES;
}

static bool locks_fit(const struct lock_change *locks, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!locks[i].ns || !locks[i].step || (!locks[i].release && !locks[i].key) ||
			is_long(locks[i].ns, NAMESPACE_MAX_BYTES) ||
			is_long(locks[i].step, STORE_NAME_MAX_BYTES) ||
			is_long(locks[i].key, LOCK_KEY_MAX_BYTES))
			return false;
	return true;
}

static bool messages_fit(const struct store_item *item)
{
	if (item->n_messages > MESSAGES_MAX)
		return false;
	for (size_t i = 0; i < item->n_messages; i += STORE_PUT_MAX) {
		size_t n = item->n_messages - i;

		if (store_check_inbox(item->messages + i, n < STORE_PUT_MAX ? n : STORE_PUT_MAX, NULL) < 0)
			return false;
	}
	return true;
}

bool store_long_fits(const struct store_item *item, int slot_count)
{
	if (item->n_search > SEARCH_VALUES_MAX || !locks_fit(item->locks, item->n_locks) ||
		!messages_fit(item))
		return false;
	for (size_t i = 0; i < item->n_messages; i++)
		if (item->messages[i].slot >= slot_count)
			return false;
	for (size_t i = 0; i < item->n_tasks; i++) {
		const struct task_change *task = &item->tasks[i];

		if (task->remove ? !task->row.step : !task_fits(&task->row))
			return false;
	}
	for (size_t i = 0; i < item->n_search; i++)
		if (is_long(item->search[i].name, SEARCH_NAME_MAX_BYTES) ||
			is_long(item->search[i].value, STORE_VALUE_MAX_BYTES))
			return false;
	return true;
}

int store_check_task_note(const struct task_row *row, struct err *err)
{
	if (row->doc_len > TASK_DOC_MAX_BYTES)
		return err_set(err, ERR_LIMIT, "what a task notes has more than %d bytes",
					   TASK_DOC_MAX_BYTES);
	return 0;
}

int store_check_queue(const struct queue_row *row, struct err *err)
{
	if (!row->ns || !row->name || !row->settings)
		return err_set(err, ERR_INVALID, "a queue has a namespace, a name and settings");
	if (is_long(row->ns, NAMESPACE_MAX_BYTES) || is_long(row->name, STORE_NAME_MAX_BYTES) ||
		is_long(row->settings, STORE_TEXT_MAX_BYTES) || is_long(row->by, STORE_NAME_MAX_BYTES))
		return err_set(err, ERR_LIMIT,
					   "the namespace, name, settings or author of a queue are "
					   "too long");
	return 0;
}

int store_check_task_filter(const struct task_filter *filter, struct err *err)
{
	if (filter->state < -1 || filter->state >= TASK_STATE_COUNT)
		return err_set(err, ERR_INVALID, "a list of tasks has no state %d", filter->state);
	if (filter->after_saga_id[0] && !filter->after_step)
		return err_set(err, ERR_INVALID, "a page of tasks goes on after a step, too");
	return store_check_limit(filter->limit, err);
}

static void bound(int64_t *n, bool *ret_more)
{
	*ret_more = *n > QUEUE_COUNT_MAX;
	if (*ret_more)
		*n = QUEUE_COUNT_MAX;
}

void store_approvals_add(struct approval_counts *counts, int64_t n, wall_ms oldest_at)
{
	counts->open += n < QUEUE_COUNT_MAX ? n : QUEUE_COUNT_MAX;
	if (oldest_at && (!counts->oldest_at || oldest_at < counts->oldest_at))
		counts->oldest_at = oldest_at;
}

void store_queue_count_bound(struct queue_count_row *row)
{
	bound(&row->queued, &row->queued_more);
	bound(&row->leased, &row->leased_more);
}

int store_check_queue_page(int limit, struct err *err)
{
	if (limit < 1 || limit > QUEUE_LIST_MAX)
		return err_set(err, ERR_INVALID, "a page has 1 to %d queues", QUEUE_LIST_MAX);
	return 0;
}
