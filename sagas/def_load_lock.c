/*
 * `lock`: what a saga alone may touch, and until when. That the step after which it is given back
 * comes after the lock is checked when the order of the steps is known.
 */
#include <string.h>

#include "sagas/base/suggest.h"
#include "sagas/def_priv.h"

static void read_keys(const struct node *at, void *to)
{
	if (json_is_array(at->value) && json_array_size(at->value) == 0)
		find_at(at, FINDING_ERROR, "`keys` lists nothing to lock");
	else if (json_is_array(at->value) && json_array_size(at->value) > LOCK_MAX_KEYS)
		find_at(at, FINDING_ERROR, "`keys` lists more than %d keys", LOCK_MAX_KEYS);
	read_tmpl(at, WANT_LIST, &((struct action_def *)to)->lock.keys);
}

static void read_release(const struct node *at, void *to)
{
	(void)to;
	(void)read_string(at);
}

/* The index of the step in its block, or -1: it was reported. */
static int find_release(const struct node *at, const struct block *block)
{
	const char *id = json_string_value(at->value);
	struct suggest suggest;

	if (!id)
		return -1;
	suggest_init(&suggest, id, strlen(id));
	for (size_t i = 0; i < block->n; i++) {
		const char *other = json_string_value(json_object_get(block->steps[i].value, "id"));

		if (other && strcmp(other, id) == 0)
			return (int)i;
		if (other)
			suggest_offer(&suggest, other);
	}
	find_at(at, FINDING_ERROR, "unknown step `%.64s` in release_after%s%s%s", id,
			suggest_best(&suggest) ? "; did you mean `" : "",
			suggest_best(&suggest) ? suggest_best(&suggest) : "",
			suggest_best(&suggest) ? "`?" : "");
	return -1;
}

void read_lock(const struct node *at, const struct lstep *step, struct action_def *act)
{
	static const struct key_rule keys[] = {{"keys", read_keys}, {"release_after", read_release}};
	struct node release = node_child(at, "release_after");

	act->kind = ACTION_LOCK;
	act->lock.release_after = -1;
	if (!read_object(at, "lock", keys, ARRAY_SIZE(keys), act))
		return;
	need_key(at, "keys", "what is locked, such as [\"account:${input.from}\"]");
	act->lock.release_after = find_release(&release, step->block);
}

void lint_lock(struct load *load, const struct lstep *step)
{
	int after = step->def.act.lock.release_after;
	char pointer[256];

	if (step->action != ACT_LOCK || after < 0 || step->loose)
		return;
	if (lstep_has_before(&step->block->steps[after], step->index) ||
		step->block->steps[after].loose)
		return;
	snprintf(pointer, sizeof(pointer), "%s/lock/release_after", step->pointer);
	find_pointer(load, pointer, FINDING_ERROR,
				 "step `%.64s` does not come after the lock, so it may end before it is granted; "
				 "add the lock to its `needs`",
				 step->block->steps[after].id ? step->block->steps[after].id : "?");
}
