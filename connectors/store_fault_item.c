/* Copies of what a commit carries, for one that is to land when its caller has long gone on. */
#include "connectors/store_fault_item.h"

#include <stdlib.h>
#include <string.h>

#include "sagas/base/macros.h"

static char *copy_bytes(const char *bytes, size_t len)
{
	return bytes ? xstrndup(bytes, len) : NULL;
}

static char *copy_text(const char *text)
{
	return text ? xstrdup(text) : NULL;
}

static struct saga_row *copy_saga(const struct saga_row *row)
{
	struct saga_row *copy;

	if (!row)
		return NULL;
	copy = xcalloc(1, sizeof(*copy));
	saga_row_copy(row, copy);
	return copy;
}

static void free_saga(const struct saga_row *row)
{
	if (row)
		saga_row_release((struct saga_row *)row);
	free((void *)row);
}

static void copy_messages(const struct store_item *from_item, struct store_item *item)
{
	struct subscription_row *subscriptions =
		xcalloc(from_item->n_subscriptions, sizeof(*subscriptions));
	struct outbox_row *outbox = xcalloc(from_item->n_outbox, sizeof(*outbox));
	char(*inbox)[UUID_SIZE] = xcalloc(from_item->n_inbox, sizeof(*inbox));

	for (size_t i = 0; i < item->n_subscriptions; i++) {
		subscriptions[i] = from_item->subscriptions[i];
		subscriptions[i].step = copy_text(subscriptions[i].step);
		subscriptions[i].ns = copy_text(subscriptions[i].ns);
		subscriptions[i].channel = copy_text(subscriptions[i].channel);
		subscriptions[i].value = copy_text(subscriptions[i].value);
	}
	for (size_t i = 0; i < item->n_outbox; i++)
		outbox_row_copy(&from_item->outbox[i], &outbox[i]);
	for (size_t i = 0; i < item->n_inbox; i++)
		memcpy(inbox[i], from_item->inbox[i], sizeof(inbox[i]));
	item->subscriptions = subscriptions;
	item->outbox = outbox;
	item->inbox = (const char(*)[UUID_SIZE])inbox;
}

static void copy_tasks(const struct store_item *from_item, struct store_item *item)
{
	struct task_change *tasks = xcalloc(from_item->n_tasks, sizeof(*tasks));
	struct lock_change *locks = xcalloc(from_item->n_locks, sizeof(*locks));

	for (size_t i = 0; i < item->n_tasks; i++) {
		tasks[i].remove = from_item->tasks[i].remove;
		task_row_copy(&from_item->tasks[i].row, &tasks[i].row);
	}
	for (size_t i = 0; i < item->n_locks; i++) {
		locks[i] = from_item->locks[i];
		locks[i].ns = copy_text(locks[i].ns);
		locks[i].step = copy_text(locks[i].step);
		locks[i].key = copy_text(locks[i].key);
	}
	item->tasks = tasks;
	item->locks = locks;
}

static void copy_values(const struct store_item *from_item, struct store_item *item)
{
	struct inbox_row *rows = xcalloc(from_item->n_messages, sizeof(*rows));
	struct search_value *search = xcalloc(from_item->n_search, sizeof(*search));

	for (size_t i = 0; i < item->n_messages; i++) {
		rows[i] = from_item->messages[i];
		rows[i].ns = copy_text(rows[i].ns);
		rows[i].message = copy_bytes(rows[i].message, rows[i].message_len);
	}
	for (size_t i = 0; i < item->n_search; i++) {
		search[i].name = copy_text(from_item->search[i].name);
		search[i].value = copy_text(from_item->search[i].value);
	}
	item->messages = rows;
	item->search = search;
}

static void release_long(struct store_item *item)
{
	for (size_t i = 0; i < item->n_tasks; i++)
		task_row_release((struct task_row *)&item->tasks[i].row);
	for (size_t i = 0; i < item->n_locks; i++) {
		free((char *)item->locks[i].ns);
		free((char *)item->locks[i].step);
		free((char *)item->locks[i].key);
	}
	for (size_t i = 0; i < item->n_messages; i++) {
		free((char *)item->messages[i].ns);
		free((char *)item->messages[i].message);
	}
	for (size_t i = 0; i < item->n_search; i++) {
		free((char *)item->search[i].name);
		free((char *)item->search[i].value);
	}
	free((void *)item->tasks);
	free((void *)item->locks);
	free((void *)item->messages);
	free((void *)item->search);
}

static void release_messages(struct store_item *item)
{
	for (size_t i = 0; i < item->n_subscriptions; i++) {
		free((char *)item->subscriptions[i].step);
		free((char *)item->subscriptions[i].ns);
		free((char *)item->subscriptions[i].channel);
		free((char *)item->subscriptions[i].value);
	}
	for (size_t i = 0; i < item->n_outbox; i++)
		outbox_row_release((struct outbox_row *)&item->outbox[i]);
	free((void *)item->subscriptions);
	free((void *)item->outbox);
	free((void *)item->inbox);
}

void store_item_copy(const struct store_item *from_item, struct store_item *item)
{
	struct compensation_row *comps =
		xcalloc(from_item->n_compensations, sizeof(*from_item->compensations));

	*item = *from_item;
	item->events = copy_bytes(item->events, item->events_len);
	item->fingerprint = copy_text(item->fingerprint);
	item->create = copy_saga(item->create);
	item->update = copy_saga(item->update);
	for (size_t i = 0; i < item->n_compensations; i++) {
		comps[i] = from_item->compensations[i];
		comps[i].step = copy_text(comps[i].step);
		comps[i].action = copy_text(comps[i].action);
		comps[i].request = copy_bytes(comps[i].request, comps[i].request_len);
		comps[i].last_error = copy_text(comps[i].last_error);
	}
	item->compensations = comps;
	copy_messages(from_item, item);
	copy_tasks(from_item, item);
	copy_values(from_item, item);
}

void store_item_release(struct store_item *item)
{
	free((char *)item->events);
	free((char *)item->fingerprint);
	free_saga(item->create);
	free_saga(item->update);
	for (size_t i = 0; i < item->n_compensations; i++) {
		free((char *)item->compensations[i].step);
		free((char *)item->compensations[i].action);
		free((char *)item->compensations[i].request);
		free((char *)item->compensations[i].last_error);
	}
	free((void *)item->compensations);
	release_messages(item);
	release_long(item);
}

void store_item_check(const struct store_item *item)
{
	for (size_t i = 0; i < item->n_compensations; i++) {
		const struct compensation_row *row = &item->compensations[i];

		for (size_t j = 0; j < i; j++)
			CHECK(row->item != item->compensations[j].item ||
				  strcmp(row->step, item->compensations[j].step) != 0);
	}
}
