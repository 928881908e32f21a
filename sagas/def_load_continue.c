/*
 * `continue_as_new`: the end of a run, and what the next one begins with. Nothing of the run may be
 * open then, so the step waits for all others that do not end a run themselves; and nothing comes
 * after it.
 */
#include <string.h>

#include "sagas/def_priv.h"

static void read_next_input(const struct node *at, void *to)
{
	read_tmpl(at, WANT_ANY, &((struct action_def *)to)->next_input);
}

/* What a step that ends its run cannot have. */
static const struct {
	const char *key, *why;
} refused[] = {
	{"for_each", "a run ends once"},
	{"repeat", "a run ends once"},
	{"pivot", "the next run has not passed it; make the step before it the pivot"},
	{"tolerate", "there is nothing that could go on after it"},
	{"compensate", "it does nothing that could be undone; what its run did is undone all the same"},
};

void read_continue(const struct node *at, const struct lstep *step, struct action_def *act)
{
	static const struct key_rule keys[] = {{"input", read_next_input}};
	const struct block *block = step->block;

	act->kind = ACTION_CONTINUE;
	if (!read_object(at, "continue_as_new", keys, ARRAY_SIZE(keys), act))
		return;
	need_key(at, "input", "what the next run begins with, such as {seats: \"${...}\"}");
	if (block->owner)
		find_at(at, FINDING_ERROR,
				"`continue_as_new` ends a run of the saga, and cannot stand in a block");
	else if (block->on_compensated)
		find_at(at, FINDING_ERROR, "a saga that has been undone has ended: it cannot continue");
	for (size_t i = 0; i < ARRAY_SIZE(refused); i++)
		if (json_object_get(step->value, refused[i].key))
			find_at(at, FINDING_ERROR, "`continue_as_new` takes no `%s`: %s", refused[i].key,
					refused[i].why);
}

static bool needs(const struct lstep *step, int index)
{
	for (size_t i = 0; i < step->def.n_needs; i++)
		if (step->def.needs[i] == index)
			return true;
	return false;
}

void order_continue(struct load *load, struct block *block)
{
	for (size_t i = 0; i < block->n; i++) {
		struct lstep *step = &block->steps[i];

		if (step->action != ACT_CONTINUE)
			continue;
		for (size_t k = 0; k < block->n; k++) {
			const struct lstep *other = &block->steps[k];

			if (k == i)
				continue;
			if (needs(other, (int)i))
				find_pointer(load, other->pointer, FINDING_ERROR,
							 "step `%.64s` waits for `%.64s`, where the run ends; put it before, "
							 "or say what else it `needs`",
							 other->id ? other->id : "?", step->id ? step->id : "?");
			else if (other->action != ACT_CONTINUE)
				step_def__add_need(&step->def, (int)k);
		}
	}
}
