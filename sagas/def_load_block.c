/*
 * Steps that are sagas of their own: `saga`, and `steps` blocks. A block is compiled into a
 * definition that has no document of its own: its steps, their order and its pivot are those of the
 * block, its output is that of the step, and its input is what its expressions read of what stands
 * around it, which is worked out here.
 */
#include <stdio.h>
#include <string.h>

#include "sagas/def_priv.h"

void read_child(const struct node *at, struct action_def *act)
{
	const char *name = read_name(at, "the name of the child saga", DEF_MAX_NAME, true);

	act->kind = ACTION_CHILD;
	if (name)
		act->child.saga = xstrdup(name);
}

static bool is_within(const struct block *block, const struct block *around)
{
	while (block && block != around)
		block = block->up;
	return block != NULL;
}

static void add_scope_step(struct block_scope *scope, const char *id)
{
	for (size_t i = 0; i < scope->n_steps; i++)
		if (strcmp(scope->steps[i], id) == 0)
			return;
	scope->steps = xrealloc_array(scope->steps, scope->n_steps + 1, sizeof(*scope->steps));
	scope->steps[scope->n_steps++] = xstrdup(id);
}

static void add_use(const struct use *use, const struct block *block, struct block_scope *scope)
{
	static const enum expr_name names[] = {EXPR_INPUT, EXPR_ITEM, EXPR_INDEX, EXPR_PREVIOUS,
										   EXPR_SAGA};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (tmpl_reads(use->tmpl, names[i], NULL))
			scope->names |= BIT(names[i]);
	if (!tmpl_reads(use->tmpl, EXPR_STEPS, NULL))
		return;
	for (const struct block *around = block->up; around; around = around->up)
		for (size_t i = 0; i < around->n; i++)
			if (around->steps[i].id && tmpl_reads(use->tmpl, EXPR_STEPS, around->steps[i].id))
				add_scope_step(scope, around->steps[i].id);
}

/* What stands in participants and defaults is read in every block that calls one. */
static bool is_inherited(const struct use *use)
{
	return !use->place.block && use->place.names & BIT(EXPR_STEP);
}

static void find_scope(const struct load *load, const struct block *block,
					   struct block_scope *scope)
{
	for (size_t i = 0; i < load->n_uses; i++) {
		const struct use *use = &load->uses[i];

		if (is_within(use->place.block, block) || is_inherited(use))
			add_use(use, block, scope);
	}
}

bool block_reads_failure(const struct load *load, const struct block *block)
{
	for (size_t i = 0; i < load->n_uses; i++)
		if (is_within(load->uses[i].place.block, block) &&
			tmpl_reads(load->uses[i].tmpl, EXPR_SAGA, "failure"))
			return true;
	return false;
}

/* Nothing in it is ever undone: retries and parks, and cannot fail. */
static bool only_goes_forward(const struct load *load, const struct lstep *step, bool undo)
{
	return undo || step->block->in_undo || step->block->on_compensated ||
		   way_back_closed(load, step);
}

static struct saga_def *make_block(struct load *load, const char *name, struct lstep *step,
								   bool undo)
{
	struct block *block = undo ? step->undo_inner : step->inner;
	struct saga_def *def = xcalloc(1, sizeof(*def));

	def->refs = 1;
	def->is_block = true;
	def->name = xasprintf("%s#%s%s", name, step->id, undo ? "~undo" : "");
	def->doc = json_pack(
		"{s:s, s:O}", "saga", def->name, "steps",
		json_object_get(undo ? json_object_get(step->value, "compensate") : step->value, "steps"));
	def->deadline.ms = -1;
	def->recovery_forward = only_goes_forward(load, step, undo);
	find_scope(load, block, &def->scope);
	assemble_steps(load, def, block, NULL);
	return def;
}

/* The step's definition has been moved to `to` already. */
void compile_blocks(struct load *load, const char *name, struct lstep *from, struct step_def *to)
{
	if (from->inner) {
		to->act.child.block = make_block(load, name, from, false);
		to->act.child.saga = xstrdup(to->act.child.block->name);
		to->act.child.block->output = TAKE(to->act.output);
	}
	if (from->undo_inner) {
		to->undo.child.block = make_block(load, name, from, true);
		to->undo.child.saga = xstrdup(to->undo.child.block->name);
		to->undo.child.block->output = TAKE(to->undo.output);
	}
}

/* How long the name of a block is: those of all that stands around it, too. */
static size_t name_length(const struct load *load, const struct block *block)
{
	size_t len = 0;

	for (; block && block->owner; block = block->up)
		len += strlen(block->owner->id ? block->owner->id : "") + 1 +
			   (block->owner->undo_inner == block ? strlen("~undo") : 0);
	return len + (load->def->name ? strlen(load->def->name) : 0);
}

void lint_blocks(struct load *load)
{
	for (const struct block *block = load->blocks; block; block = block->next)
		if (block->owner && block->owner->pointer && name_length(load, block) > DEF_MAX_NAME)
			find_pointer(load, block->owner->pointer, FINDING_ERROR,
						 "the block's name, made of those around it and `#`, is longer than %d "
						 "bytes: give shorter ids",
						 DEF_MAX_NAME);
}
