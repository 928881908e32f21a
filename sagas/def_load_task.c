/* The action `task`, and the modifiers that belong to it: `with` and `heartbeat`. */
#include <string.h>

#include "sagas/def_priv.h"

enum {
	TIMEOUT_MS = 10 * 60 * 1000,           /* of a lease, where nothing is said */
	TIMEOUT_BEATING_MS = 24 * 3600 * 1000, /* with heartbeats: they tell that it goes on */
};

static void read_queue(const struct node *at, void *to)
{
	((struct task_action *)to)->queue = read_constant(at);
}

static void read_route(const struct node *at, void *to)
{
	read_tmpl(at, WANT_SCALAR, &((struct task_action *)to)->route);
}

void read_task(const struct node *at, struct task_action *task)
{
	static const struct key_rule keys[] = {{"queue", read_queue}, {"route", read_route}};

	if (json_is_string(at->value)) {
		read_queue(at, task);
		return;
	}
	if (read_object(at, "task", keys, ARRAY_SIZE(keys), task))
		need_key(at, "queue", "the queue that workers pull from");
}

void read_heartbeat(const struct node *at, struct task_action *task)
{
	(void)read_duration(at, &task->heartbeat_ms);
}

/* A limit is said by the step itself, by its participant (a task has none), or by `defaults`. */
static bool timeout_is_said(const struct node *at)
{
	const json_t *defaults = at->load->defaults;

	return json_object_get(at->value, "timeout") || json_object_get(defaults, "timeout");
}

/* The lease would be over before the first word is due, so nobody could tell that a worker died. */
static void refuse_slow_heartbeat(const struct node *at)
{
	struct node heartbeat = node_child(at, "heartbeat");

	find_at(&heartbeat, FINDING_ERROR,
			"`heartbeat` is longer than the `timeout` of the task%s, so no word would ever be due; "
			"say a shorter one, such as a third of it, or a longer `timeout`",
			json_object_get(at->value, "timeout") ? "" : ", which `defaults` gives");
}

void finish_task(const struct node *at, struct action_def *act)
{
	bool beats = act->task.heartbeat_ms > 0;

	if (!beats)
		act->task.heartbeat_ms = -1;
	if (!timeout_is_said(at))
		act->timeout.ms = beats ? TIMEOUT_BEATING_MS : TIMEOUT_MS;
	else if (beats && act->timeout.ms >= 0 && act->task.heartbeat_ms > act->timeout.ms)
		refuse_slow_heartbeat(at);
}
