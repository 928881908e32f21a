/*
 * Phase 2 of loading, the order of the steps, and the static checks over steps: duplicate ids,
 * unknown needs, cycles, the pivot, and compensations.
 *
 * The pivot rule: no step may run beside the pivot, so it waits for all that does not depend on it.
 * These needs are added here; afterwards each step comes before the pivot or after it.
 */
#include <string.h>

#include "sagas/base/buf.h"
#include "sagas/base/suggest.h"
#include "sagas/def_priv.h"

int block_find(const struct block *block, const char *id)
{
	for (size_t i = 0; i < block->n; i++) {
		if (block->steps[i].id && strcmp(block->steps[i].id, id) == 0)
			return (int)i;
	}
	return -1;
}

static void find_in_step(struct load *load, const struct lstep *step, const char *below,
						 const char *text)
{
	char pointer[256];

	snprintf(pointer, sizeof(pointer), "%s%s", step->pointer, below);
	find_pointer(load, pointer, FINDING_ERROR, "%s", text);
}

static void check_duplicate(struct load *load, const struct block *block, const struct lstep *step)
{
	char pointer[256];

	if (!step->id)
		return;
	snprintf(pointer, sizeof(pointer), "%s/id", step->pointer);
	for (const struct block *at = block; at; at = at->up) {
		int first = block_find(at, step->id);

		if (first < 0 || &at->steps[first] == step)
			continue;
		find_pointer(load, pointer, FINDING_ERROR, "the id `%.64s` is taken by another step%s",
					 step->id,
					 at == block ? ""
								 : (at->owner || !block->on_compensated ? " around this block"
																		: " of the forward path"));
		return;
	}
}

void step_def__add_need(struct step_def *def, int index)
{
	for (size_t i = 0; i < def->n_needs; i++) {
		if (def->needs[i] == index)
			return;
	}
	def->needs = xrealloc_array(def->needs, def->n_needs + 1, sizeof(*def->needs));
	def->needs[def->n_needs++] = index;
}

/* What a step waits for when its needs do not tell: the likeliest, and no complaints about it. */
static void need_what_comes_before(struct lstep *step)
{
	step->loose = true;
	if (step->index > 0)
		step_def__add_need(&step->def, step->index - 1);
}

static void read_need(struct load *load, struct block *block, struct lstep *step,
					  const json_t *need, size_t at)
{
	const char *id = json_string_value(need);
	struct suggest suggest;
	char pointer[256];
	int index;

	snprintf(pointer, sizeof(pointer), "%s/needs/%zu", step->pointer, at);
	if (!id) {
		find_pointer(load, pointer, FINDING_ERROR, "`needs` lists ids of steps, not %s",
					 type_text(need));
		step->loose = true;
		return;
	}
	index = block_find(block, id);
	if (index == step->index) {
		find_pointer(load, pointer, FINDING_ERROR, "step `%.64s` needs itself", id);
		return;
	}
	if (index >= 0) {
		step_def__add_need(&step->def, index);
		return;
	}
	suggest_init(&suggest, id, strlen(id));
	for (size_t i = 0; i < block->n; i++) {
		if (block->steps[i].id && (int)i != step->index)
			suggest_offer(&suggest, block->steps[i].id);
	}
	for (const struct block *up = block->up; up; up = up->up) {
		if (block_find(up, id) >= 0) {
			find_pointer(load, pointer, FINDING_ERROR,
						 "step `%.64s` in needs stands outside of this list; what is outside %s",
						 id, block->on_compensated ? "has ended" : "is waited for by the block");
			return;
		}
	}
	if (!suggest_best(&suggest)) {
		find_pointer(load, pointer, FINDING_ERROR, "unknown step `%.64s` in needs", id);
		need_what_comes_before(step);
		return;
	}
	find_pointer(load, pointer, FINDING_ERROR, "unknown step `%.64s` in needs; did you mean `%s`?",
				 id, suggest_best(&suggest));
	/* Taken as meant, so that one slip is one finding. */
	step_def__add_need(&step->def, block_find(block, suggest_best(&suggest)));
}

static void read_needs(struct load *load, struct block *block, struct lstep *step)
{
	const json_t *needs = json_object_get(step->value, "needs");

	if (!needs) {
		if (step->index > 0)
			step_def__add_need(&step->def, step->index - 1);
		return;
	}
	if (!json_is_array(needs)) {
		char text[128];

		snprintf(text, sizeof(text), "`needs` must be a list of ids, such as [%.40s], not %s",
				 json_is_string(needs) ? json_string_value(needs) : "charge", type_text(needs));
		find_in_step(load, step, "/needs", text);
		need_what_comes_before(step);
		return;
	}
	if (json_array_size(needs) > DEF_MAX_STEPS) {
		find_in_step(load, step, "/needs", "`needs` lists more steps than a saga may have");
		step->loose = true;
		return;
	}
	for (size_t i = 0; i < json_array_size(needs); i++)
		read_need(load, block, step, json_array_get(needs, i), i);
}

/* Repeats until nothing changes; lists are mostly in order, so that is soon. */
static void find_before(struct block *block)
{
	size_t words = (block->n + 63) / 64;
	bool changed = true;

	for (size_t i = 0; i < block->n; i++) {
		free(block->steps[i].before);
		block->steps[i].before = xcalloc(words, sizeof(uint64_t));
	}
	while (changed) {
		changed = false;
		for (size_t i = 0; i < block->n; i++) {
			struct lstep *step = &block->steps[i];

			for (size_t k = 0; k < step->def.n_needs; k++) {
				int need = step->def.needs[k];

				for (size_t w = 0; w < words; w++) {
					uint64_t with = step->before[w] | block->steps[need].before[w];

					if (w == (size_t)need / 64)
						with |= (uint64_t)1 << (need % 64);
					changed |= with != step->before[w];
					step->before[w] = with;
				}
			}
		}
	}
}

/* From a step back to itself, each time over the first need that leads there. */
static void report_cycle(struct load *load, const struct block *block, const struct lstep *start)
{
	const struct lstep *at = start;
	struct buf path;

	buf_init(&path, 300);
	buf_add_str(&path, start->id ? start->id : "?");
	for (size_t hops = 0; hops <= block->n; hops++) {
		for (size_t k = 0; k < at->def.n_needs; k++) {
			const struct lstep *need = &block->steps[at->def.needs[k]];

			if (need == start || lstep_has_before(need, start->index)) {
				at = need;
				break;
			}
		}
		buf_printf(&path, " -> %s", at->id ? at->id : "?");
		if (at == start)
			break;
	}
	find_pointer(load, start->pointer, FINDING_ERROR,
				 "these steps wait for each other in a circle: %s%s", buf_str(&path),
				 path.failed ? " ..." : "");
	buf_release(&path);
}

static bool find_cycles(struct load *load, const struct block *block)
{
	bool found = false;

	for (size_t i = 0; i < block->n; i++) {
		const struct lstep *step = &block->steps[i];
		bool reported = false;

		if (!lstep_has_before(step, step->index))
			continue;
		for (size_t k = 0; k < i; k++)
			reported |=
				lstep_has_before(&block->steps[k], step->index) && lstep_has_before(step, (int)k);
		if (!reported)
			report_cycle(load, block, step);
		found = true;
	}
	return found;
}

static void find_pivot(struct load *load, struct block *block)
{
	for (size_t i = 0; i < block->n; i++) {
		struct lstep *step = &block->steps[i];

		if (!step->def.pivot)
			continue;
		if (block->on_compensated || block->in_undo)
			find_in_step(load, step, "/pivot",
						 "there is no way back to close where things are undone");
		else if (block->pivot >= 0)
			find_in_step(load, step, "/pivot",
						 "a saga has at most one pivot, and there is one above");
		else
			block->pivot = (int)i;
	}
}

/* Whether the pivot has to be told to wait for a step: neither before it nor after it so far. */
static bool beside_pivot(const struct block *block, const struct lstep *step)
{
	return step->index != block->pivot && !lstep_has_before(step, block->pivot) &&
		   !lstep_has_before(&block->steps[block->pivot], step->index);
}

static void apply_pivot(struct block *block)
{
	struct lstep *pivot = &block->steps[block->pivot];

	for (size_t i = 0; i < block->n; i++) {
		bool last = beside_pivot(block, &block->steps[i]);

		/* The last ones are enough; what they wait for comes with them. */
		for (size_t k = 0; last && k < block->n; k++)
			last = !(lstep_has_before(&block->steps[k], (int)i) &&
					 beside_pivot(block, &block->steps[k]));
		if (last)
			step_def__add_need(&pivot->def, (int)i);
	}
	find_before(block);
}

void order_block(struct load *load, struct block *block)
{
	bool cycles;

	for (size_t i = 0; i < block->n; i++) {
		check_duplicate(load, block, &block->steps[i]);
		read_needs(load, block, &block->steps[i]);
	}
	order_continue(load, block);
	find_before(block);
	find_pivot(load, block);
	cycles = find_cycles(load, block);
	if (block->pivot < 0)
		return;
	if (!cycles)
		apply_pivot(block);
	for (size_t i = 0; i < block->n; i++)
		block->steps[i].after_pivot = lstep_has_before(&block->steps[i], block->pivot);
}

bool way_back_closed(const struct load *load, const struct lstep *step)
{
	if (load->def->recovery_forward)
		return true;
	for (; step; step = step->block->owner) {
		if (step->after_pivot)
			return true;
	}
	return false;
}

static bool needs_compensate(const struct lstep *step)
{
	switch (step->action) {
	case ACT_HTTP:
		return !step->http_safe;
	case ACT_COMMAND:
	case ACT_EMIT:
	case ACT_TASK:
		return true;
	case ACT_STEPS:
		return step->inner && step->inner->pivot >= 0;
	case ACT_SAGA: /* whether the child has a pivot is known when it is deployed */
	case ACT_AWAIT:
	case ACT_APPROVAL:
	case ACT_SET:
	case ACT_FAIL:
	case ACT_LOCK:
	case ACT_CONTINUE:
	case ACT_COUNT:
		return false;
	}
	return false;
}

/* A block that says how it is undone answers for the steps in it. */
static bool undone_by_block(const struct lstep *step)
{
	for (const struct lstep *at = step->block->owner; at; at = at->block->owner) {
		if (at->def.undo_kind != UNDO_NOT_NEEDED || at->def.pivot)
			return true;
	}
	return false;
}

static void check_compensate(struct load *load, const struct lstep *step)
{
	const struct block *block = step->block;
	bool closed = way_back_closed(load, step);
	const char *why = NULL;

	if (step->def.undo_kind == UNDO_ACTION) {
		if (load->def->recovery_forward)
			why = "`recovery: forward` undoes nothing, so `compensate` would never run";
		else if (closed)
			why = "after the pivot nothing is undone, so `compensate` would never run";
		else if (step->def.pivot)
			why = "the pivot is never undone, so `compensate` would never run";
		else if (block->on_compensated || block->in_undo)
			why = "what undoes is not undone itself: no `compensate` here";
		else if (step->action == ACT_FAIL)
			why = "`fail` does nothing that could be undone";
		if (why)
			find_in_step(load, step, "/compensate", why);
		return;
	}
	if (step->def.undo_kind == UNDO_NONE || !needs_compensate(step) || closed || step->def.pivot ||
		block->on_compensated || block->in_undo || undone_by_block(step))
		return;
	find_pointer(
		load, step->pointer, FINDING_ERROR,
		"step `%.64s` has no `compensate`: before the pivot, %s must say how it is undone, or "
		"`compensate: none` on purpose",
		step->id ? step->id : "?",
		step->action == ACT_HTTP    ? "a call that changes something"
		: step->action == ACT_STEPS ? "a block with a pivot"
									: action_text(step->action));
}

static void check_past_pivot(struct load *load, const struct lstep *step)
{
	const json_t *retry = json_object_get(step->value, "retry");
	const char *exhausted = json_string_value(json_object_get(retry, "on_exhausted"));

	if (!way_back_closed(load, step))
		return;
	if (step->action == ACT_FAIL)
		find_in_step(load, step, "/fail",
					 load->def->recovery_forward
						 ? "with `recovery: forward` no step can fail the saga"
						 : "after the pivot no step can fail the saga; move it before the pivot");
	if (exhausted && strcmp(exhausted, "fail") == 0 && !step->def.tolerate)
		find_in_step(load, step, "/retry/on_exhausted",
					 "here no step can fail the saga: say park, or tolerate the failure");
}

static void check_pivot(struct load *load, const struct lstep *step)
{
	char pointer[256];

	if (!step->def.pivot)
		return;
	snprintf(pointer, sizeof(pointer), "%s/pivot", step->pointer);
	if (load->def->recovery_forward)
		find_pointer(load, pointer, FINDING_WARNING,
					 "with `recovery: forward` there is no way back, so a pivot changes nothing");
	else if (step->for_each)
		find_pointer(load, pointer, FINDING_WARNING,
					 "a pivot with `for_each` has many points of no return: when one item fails, "
					 "others may be done for good");
}

/* A code that no reply can have: without `code`, what a reply has is http_<status>. */
static void check_codes(struct load *load, const struct lstep *step)
{
	const struct outcome_rules *outcome = &step->def.act.outcome;

	if (step->action != ACT_HTTP || outcome->code)
		return;
	for (size_t i = 0; i < outcome->n_rules; i++) {
		const char *code = outcome->rules[i].code;

		if (!code || strncmp(code, "http_", 5) == 0)
			continue;
		find_pointer(
			load, step->pointer, FINDING_WARNING,
			"the outcome `%.64s` is an error code, and no `code` says where a reply has one; "
			"write outcome: {code: \"${reply.body.code}\"}",
			code);
		return;
	}
}

void lint_limits(struct load *load)
{
	const struct block *block = load->forward;

	if (load->def->deadline.ms >= 0 || load->def->deadline.tmpl || load->def->recovery_forward ||
		json_object_get(load->doc, "deadline"))
		return;
	for (size_t i = 0; block && i < block->n; i++) {
		const struct action_def *act = &block->steps[i].def.act;

		bool call = block->steps[i].action == ACT_HTTP || block->steps[i].action == ACT_COMMAND;

		if (!call || act->deadline.ms >= 0 || act->deadline.tmpl ||
			act->retry.maximum_attempts > 0 || block->steps[i].after_pivot ||
			block->steps[i].def.pivot)
			continue;
		find_pointer(load, block->steps[i].pointer, FINDING_WARNING,
					 "step `%.64s` is retried without end while its participant is away; say "
					 "`deadline` for the saga or the step, or `maximum_attempts`",
					 block->steps[i].id ? block->steps[i].id : "?");
		return;
	}
}

void lint_steps(struct load *load)
{
	for (const struct block *block = load->blocks; block; block = block->next) {
		for (size_t i = 0; i < block->n; i++) {
			check_compensate(load, &block->steps[i]);
			check_past_pivot(load, &block->steps[i]);
			check_pivot(load, &block->steps[i]);
			check_codes(load, &block->steps[i]);
			lint_lock(load, &block->steps[i]);
		}
	}
	if (load->def->recovery_forward && load->on_compensated)
		find_pointer(load, "/on_compensated", FINDING_WARNING,
					 "with `recovery: forward` nothing is undone, so these steps never run");
}
