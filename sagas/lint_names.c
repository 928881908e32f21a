/*
 * Static checks over expressions: each template noted while reading is checked against what may be
 * named at its place, now that the order of the steps is known. Types are checked as far as the
 * input schema and the kinds of steps tell them.
 */
#include <stdio.h>
#include <string.h>

#include "sagas/base/suggest.h"
#include "sagas/def_priv.h"

struct check {
	struct load *load;
	const struct use *use;
};

static int refuse_self(const struct check *check, const struct lstep *step, struct err *err)
{
	if (check->use->place.own && step->for_each)
		return err_set(
			err, ERR_INVALID,
			"the undo of one item of `%.64s` cannot read the whole step; its own part is "
			"`output`",
			step->id);
	return err_set(err, ERR_INVALID, "step `%.64s` cannot read itself here%s", step->id,
				   check->use->place.names & BIT(EXPR_REPLY) ? "; what it got is `reply`" : "");
}

static int refuse_unknown(const struct check *check, const char *id, struct err *err)
{
	struct suggest suggest;

	suggest_init(&suggest, id, strlen(id));
	for (const struct block *block = check->use->place.block; block; block = block->up) {
		for (size_t i = 0; i < block->n; i++) {
			if (block->steps[i].id)
				suggest_offer(&suggest, block->steps[i].id);
		}
	}
	if (suggest_best(&suggest))
		return err_set(err, ERR_INVALID, "unknown step `%.64s`; did you mean `%s`?", id,
					   suggest_best(&suggest));
	for (const struct block *block = check->load->blocks; block; block = block->next) {
		if (block_find(block, id) < 0)
			continue;
		if (block->owner)
			return err_set(
				err, ERR_INVALID,
				"step `%.64s` is inside the block `%.64s`; only the block's output can be "
				"read from outside",
				id, block->owner->id ? block->owner->id : "?");
		return err_set(err, ERR_INVALID, "step `%.64s` runs only after the undo", id);
	}
	return err_set(err, ERR_INVALID, "unknown step `%.64s`", id);
}

/* Whether steps.<id> may be read: in the own block what comes before, then in those around it. */
static int may_read_step(void *ctx, const char *id, struct err *err)
{
	const struct check *check = ctx;
	const struct block *block = check->use->place.block;
	const struct lstep *from = check->use->place.step;
	bool own = check->use->place.own;

	while (block) {
		int index = block_find(block, id);

		if (index >= 0) {
			if (!from || from->loose)
				return 0;
			if (index == from->index)
				return own && !from->for_each ? 0 : refuse_self(check, from, err);
			if (lstep_has_before(from, index))
				return 0;
			return err_set(
				err, ERR_INVALID,
				"step `%.64s` does not come before `%.64s`, so it may not have ended; add "
				"it to `needs`",
				id, from->id ? from->id : "?");
		}
		from = block->owner;
		own = block->in_undo;
		block = block->up;
	}
	return refuse_unknown(check, id, err);
}

static void report_use(void *ctx, const struct err *err)
{
	const struct check *check = ctx;
	char pointer[256];

	snprintf(pointer, sizeof(pointer), "%s%s", check->use->pointer, err->place);
	find_pointer(check->load, pointer, FINDING_ERROR, "%s", err->text);
}

static void check_type(const struct check *check, enum expr_type type)
{
	const char *wanted = NULL;

	switch (check->use->want) {
	case WANT_ANY:
		return;
	case WANT_BOOL:
		wanted = type == EXPR_T_BOOL ? NULL : "true or false";
		break;
	case WANT_LIST:
		wanted = type == EXPR_T_LIST ? NULL : "a list";
		break;
	case WANT_OBJECT:
		wanted = type == EXPR_T_MAP ? NULL : "an object";
		break;
	case WANT_SCALAR:
	case WANT_STRING:
		wanted = type == EXPR_T_LIST || type == EXPR_T_MAP ? "text or a number" : NULL;
		break;
	case WANT_TIME:
		wanted = type == EXPR_T_STRING || type == EXPR_T_DURATION || type == EXPR_T_TIMESTAMP
					 ? NULL
					 : "a duration or a timestamp";
		break;
	}
	if (wanted && type != EXPR_T_ANY)
		find_pointer(check->load, check->use->pointer, FINDING_ERROR,
					 "this must give %s, and gives %s", wanted, expr_type_text(type));
}

static void check_secrets(const struct check *check)
{
	if (check->use->place.names & BIT(EXPR_SECRET) && !tmpl_secrets(check->use->tmpl, NULL, NULL))
		find_pointer(check->load, check->use->pointer, FINDING_ERROR,
					 "a secret can only be named, as in \"Bearer ${secret.NAME}\": it is not known "
					 "before the request is sent");
}

static void check_callback(const struct check *check)
{
	if (!check->use->place.callback && check->use->place.names & BIT(EXPR_STEP) &&
		tmpl_reads(check->use->tmpl, EXPR_STEP, "callback_url"))
		find_pointer(check->load, check->use->pointer, FINDING_ERROR,
					 "step.callback_url exists only in the request of a step's `http`, which is "
					 "answered there");
}

static bool ends_known(const struct lstep *step)
{
	switch (step->action) {
	case ACT_HTTP:
	case ACT_COMMAND:
	case ACT_TASK:
		return step->def.act.probe != NULL;
	case ACT_EMIT: /* done with the commit that says so */
	case ACT_SAGA:
	case ACT_AWAIT:
	case ACT_APPROVAL:
	case ACT_STEPS:
	case ACT_SET:
	case ACT_FAIL:
	case ACT_LOCK:
	case ACT_CONTINUE:
	case ACT_COUNT:
		return true;
	}
	return true;
}

/* steps.<own id>.output without the `?` that allows it to be absent. */
static bool text_reads_output(const char *text, const char *id)
{
	char name[ID_MAX + 32];

	snprintf(name, sizeof(name), "steps.%.64s.output", id);
	return strstr(text, name) != NULL;
}

static bool source_reads_output(const json_t *value, const char *id)
{
	const char *key;
	json_t *child;
	size_t i;

	if (json_is_string(value))
		return text_reads_output(json_string_value(value), id);
	json_object_foreach ((json_t *)value, key, child) {
		if (source_reads_output(child, id))
			return true;
	}
	json_array_foreach (value, i, child) {
		if (source_reads_output(child, id))
			return true;
	}
	return false;
}

/*
 * The request of an undo is made when its step ends, completed or unknown. What may not be there
 * then must not be read; and what is read only later (saga.failure) cannot stand beside the raw
 * reply, which is not kept that long.
 */
static bool check_undo(const struct check *check)
{
	const struct use *use = check->use;
	const struct lstep *step = use->place.step;
	bool reply = use->place.undo && tmpl_reads(use->tmpl, EXPR_REPLY, NULL);
	bool output = tmpl_reads(use->tmpl, EXPR_OUTPUT, NULL);

	if (!use->place.own || !step || !step->id)
		return true;
	if (!output && tmpl_reads(use->tmpl, EXPR_STEPS, step->id))
		output = source_reads_output(use->source, step->id);
	if (!(reply || output) || ends_known(step))
		return true;
	find_pointer(check->load, use->pointer, FINDING_ERROR,
				 "`%s` may not exist when step `%.64s` is undone, for it may end with its outcome "
				 "unknown; name what is undone by step.key, step.uuid or input, or give the step a "
				 "`probe`",
				 reply ? "reply" : "output", step->id);
	return false;
}

/* saga.failure completes the whole request when undo begins; then `reply` is gone everywhere in it.
 */
static void check_late_reply(struct load *load, const struct use *use)
{
	const struct lstep *step = use->place.step;

	if (use->place.undo && step && step->def.undo.reads_failure &&
		tmpl_reads(use->tmpl, EXPR_REPLY, NULL))
		find_pointer(load, use->pointer, FINDING_ERROR,
					 "this undo reads saga.failure, so its request is made when undo begins, and "
					 "`reply` is gone by then; keep what it needs in `output`");
}

static void lint_use(struct load *load, const struct use *use)
{
	struct check check = {load, use};
	struct expr_scope scope = {
		.input_schema = load->input_schema, .step = may_read_step, .ctx = &check};
	enum expr_type type = EXPR_T_ANY;
	int errors;

	for (int name = 0; name < EXPR_NAME_COUNT; name++)
		scope.allowed[name] = use->place.names >> name & 1;
	errors = tmpl_check(use->tmpl, &scope, report_use, &check, &type);
	if (errors == 0)
		check_type(&check, type);
	if (!use->place.saga_failure && use->place.names & BIT(EXPR_SAGA) &&
		tmpl_reads(use->tmpl, EXPR_SAGA, "failure"))
		find_pointer(load, use->pointer, FINDING_ERROR,
					 "saga.failure exists only in an undo and in on_compensated");
	check_secrets(&check);
	check_callback(&check);
	if (check_undo(&check))
		check_late_reply(load, use);
}

void lint_uses(struct load *load)
{
	for (size_t i = 0; i < load->n_uses; i++)
		lint_use(load, &load->uses[i]);
}
