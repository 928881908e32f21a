/*
 * What a decision writes in the store beside the history: tasks, and messages to other sagas.
 * The texts are copied; the decision owns them.
 */
#include <stdlib.h>
#include <string.h>

#include "sagas/decide_priv.h"

#define GROW(list, n, cap)                                                                         \
	do {                                                                                           \
		if ((n) == (cap)) {                                                                        \
			(cap) = (cap) ? 2 * (cap) : 4;                                                         \
			(list) = xrealloc_array((list), (cap), sizeof(*(list)));                               \
		}                                                                                          \
	} while (0)

static char *copy_text(const char *text)
{
	return text ? xstrdup(text) : NULL;
}

static void release_task(struct task_note *task)
{
	free(task->queue);
	free(task->route);
	free(task->worker);
	free(task->build);
	free(task->doc);
}

/* One for each (step, item, side): what is said last is how it now stands. */
static struct task_note *place_of(struct decision *decision, const struct task_note *task)
{
	for (size_t i = 0; i < decision->n_tasks; i++) {
		struct task_note *there = &decision->tasks[i];

		if (there->step == task->step && there->item == task->item && there->side == task->side) {
			release_task(there);
			return there;
		}
	}
	GROW(decision->tasks, decision->n_tasks, decision->cap_tasks);
	return &decision->tasks[decision->n_tasks++];
}

void decide__task(struct decision *decision, const struct task_note *task)
{
	struct task_note *to = place_of(decision, task);

	*to = *task;
	to->queue = copy_text(task->queue);
	to->route = copy_text(task->route);
	to->worker = copy_text(task->worker);
	to->build = copy_text(task->build);
	to->doc = copy_text(task->doc);
}

void decide__task_gone(struct decision *decision, int step, int item, enum side side)
{
	struct task_note gone = {.step = step, .item = item, .side = side, .remove = true};

	decide__task(decision, &gone);
}

void decide__message(struct decision *decision, const char *to, const char *text)
{
	struct saga_message *message;

	CHECK(strlen(to) == SAGA_ID_SIZE - 1);
	GROW(decision->messages, decision->n_messages, decision->cap_messages);
	message = &decision->messages[decision->n_messages++];
	memcpy(message->to, to, sizeof(message->to));
	message->text = xstrdup(text);
}

void decide__release_notes(struct decision *decision)
{
	for (size_t i = 0; i < decision->n_tasks; i++)
		release_task(&decision->tasks[i]);
	for (size_t i = 0; i < decision->n_messages; i++)
		free(decision->messages[i].text);
	free(decision->tasks);
	free(decision->messages);
}
