/*
 * Steps: their action, their modifiers, their undo, and lists of them.
 *
 * What an expression may name depends on where in the step it stands: `item` exists inside a
 * for_each but not in what gives its list, `reply` in the output but not in the request, and so on.
 * step_places works these places out, once for each step.
 */
#include <stdio.h>
#include <string.h>

#include "sagas/base/buf.h"
#include "sagas/base/suggest.h"
#include "sagas/def_priv.h"

enum { MAX_BLOCK_DEPTH = 16 };

static const char *const action_keys[] = {
#define X(name, key) [name] = key,
	ACTIONS(X)
#undef X
};

const char *action_text(enum action action)
{
	return action < ACT_COUNT ? action_keys[action] : "?";
}

/* What is being read: a step's forward half, or its undo. */
struct step_read {
	struct lstep *step;
	struct action_def *act;
	enum action action;
	bool undo;
	struct place before;  /* when, for_each, needs */
	struct place content; /* the action and its modifiers */
	struct place output;
	struct place late; /* of an undo: what is evaluated when it begins, not when it is armed */
};

/* Where a modifier has an effect. */
#define CALLS (BIT(ACT_HTTP) | BIT(ACT_COMMAND) | BIT(ACT_TASK) | BIT(ACT_SAGA))
#define WAITS (BIT(ACT_AWAIT) | BIT(ACT_APPROVAL) | BIT(ACT_LOCK))
static const struct modifier {
	const char *key;
	unsigned actions;
} modifiers[] = {
	{"timeout", CALLS | WAITS | BIT(ACT_STEPS)},
	{"deadline", CALLS | WAITS | BIT(ACT_STEPS)},
	{"retry", CALLS | BIT(ACT_STEPS)},
	{"outcome", CALLS},
	{"output", CALLS | WAITS | BIT(ACT_EMIT) | BIT(ACT_STEPS)},
	{"idempotency_key", CALLS},
	{"heartbeat", BIT(ACT_TASK)},
	{"with", BIT(ACT_TASK) | BIT(ACT_SAGA)},
	{"escalate", CALLS | WAITS | BIT(ACT_STEPS)},
};

static void check_modifiers(const struct node *at, enum action action)
{
	if (action == ACT_NOT_SAID)
		return;
	for (size_t i = 0; i < ARRAY_SIZE(modifiers); i++) {
		struct node child = node_child(at, modifiers[i].key);

		if (child.value && !(modifiers[i].actions & BIT(action)))
			find_at(&child, FINDING_WARNING, "`%s` has no effect on `%s`", child.key,
					action_keys[action]);
	}
}

static enum action first_action(const struct node *at)
{
	enum action action = 0;

	while (action < ACT_COUNT && !json_object_get(at->value, action_keys[action]))
		action++;
	return action;
}

/* While it is not known what a step does, nothing is said against what it may read. */
static bool has_reply(enum action action)
{
	return action == ACT_NOT_SAID || CALLS & BIT(action);
}

/* The one action of a step or undo; none and several are reported. */
static enum action find_action(const struct node *at, const char *what)
{
	enum action found = first_action(at);

	for (enum action a = found + 1; a < ACT_COUNT; a++) {
		struct node child = node_child(at, action_keys[a]);

		if (child.value)
			find_at(&child, FINDING_ERROR, "%s has two actions, `%s` and `%s`; make it two steps",
					what, action_keys[found], action_keys[a]);
	}
	return found;
}

/* A key that is almost an action was reported as unknown; "no action" beside it would be noise. */
static bool has_misspelled_action(const struct node *at, const struct key_rule *rules, size_t n)
{
	const char *key;
	json_t *value;

	json_object_foreach (at->value, key, value) {
		struct suggest suggest;
		bool known = false;

		suggest_init(&suggest, key, strlen(key));
		for (enum action a = 0; a < ACT_COUNT; a++)
			suggest_offer(&suggest, action_keys[a]);
		for (size_t i = 0; i < n; i++)
			known |= strcmp(rules[i].key, key) == 0;
		if (!known && suggest_best(&suggest))
			return true;
	}
	return false;
}

static void read_action(const struct node *at, void *to)
{
	struct step_read *read = to;
	struct action_def *act = read->act;
	struct place calling = read->content;
	struct node placed = node_placed(at, &read->content);
	enum action action = 0;
	char what[32];
	bool safe = true;

	while (strcmp(action_keys[action], at->key) != 0)
		action++;
	if (action != read->action)
		return; /* the second action, which was reported */
	snprintf(what, sizeof(what), "`%s`", at->key);
	switch (action) {
	case ACT_HTTP:
		act->kind = ACTION_HTTP;
		calling.callback = !read->undo;
		placed = node_placed(at, &calling);
		read_http(&placed, &act->http, &safe);
		act->reads_callback = !read->undo && request_reads_callback(act);
		if (!read->undo)
			read->step->http_safe = safe;
		return;
	case ACT_SET:
		read_set(&placed, act);
		return;
	case ACT_FAIL:
		read_fail(&placed, act);
		return;
	case ACT_AWAIT:
		read_await(&placed, act);
		return;
	case ACT_COMMAND:
		act->kind = ACTION_COMMAND;
		read_command(&placed, &act->command);
		return;
	case ACT_EMIT:
		act->kind = ACTION_EMIT;
		read_emit(&placed, &act->emit);
		return;
	case ACT_TASK:
		act->kind = ACTION_TASK;
		read_task(&placed, &act->task);
		return;
	case ACT_SAGA:
		read_child(&placed, act);
		return;
	case ACT_APPROVAL:
		read_approval(&placed, act);
		return;
	case ACT_LOCK:
		read_lock(&placed, read->step, act);
		return;
	case ACT_CONTINUE:
		read_continue(&placed, read->step, act);
		return;
	case ACT_STEPS:
		act->kind = ACTION_CHILD; /* read_inner */
		return;
	case ACT_COUNT:
		return;
	}
	not_built(at, what);
}

static void read_when(const struct node *at, void *to)
{
	struct step_read *read = to;
	struct node placed = node_placed(at, read->undo ? &read->late : &read->before);

	read_tmpl(&placed, WANT_BOOL, &read->act->when);
}

static void read_for_each(const struct node *at, void *to)
{
	struct step_read *read = to;
	struct node placed = node_placed(at, &read->before);

	if (json_is_array(at->value) && json_array_size(at->value) > DEF_MAX_ITEMS)
		find_at(at, FINDING_ERROR, "`for_each` takes at most %d items", DEF_MAX_ITEMS);
	else
		read_tmpl(&placed, WANT_LIST, &read->step->def.for_each);
}

static void read_max_parallel(const struct node *at, void *to)
{
	struct step_read *read = to;
	int64_t n;

	if (!read_int(at, 1, DEF_MAX_ITEMS, &n))
		return;
	read->step->def.max_parallel = (int)n;
	if (!read->step->for_each)
		find_at(at, FINDING_ERROR, "`max_parallel` belongs to a `for_each`, and there is none");
}

static void read_until(const struct node *at, void *to)
{
	struct step_def *def = to;
	CLEANUP(tmpl_free_p) struct tmpl *tmpl = NULL;
	const struct expr *expr;
	struct err err;

	read_tmpl(at, WANT_BOOL, NULL);
	if (!json_is_string(at->value)) {
		if (json_is_boolean(at->value))
			find_at(at, FINDING_ERROR, "`until` must be one ${expression} over `output`");
		return;
	}
	if (!is_whole_expr(json_string_value(at->value)) ||
		tmpl_compile(at->value, NULL, NULL, &tmpl) < 0)
		return;
	expr = tmpl_as_expr(tmpl);
	if (expr && expr_parse(expr_text(expr), strlen(expr_text(expr)), &def->repeat_until, &err) < 0)
		find_at(at, FINDING_ERROR, "%s", err.text);
}

static void read_max(const struct node *at, void *to)
{
	int64_t n;

	if (read_int(at, 1, DEF_MAX_ITEMS, &n))
		((struct step_def *)to)->repeat_max = (int)n;
}

static void read_repeat(const struct node *at, void *to)
{
	static const struct key_rule keys[] = {{"until", read_until}, {"max", read_max}};
	struct step_read *read = to;
	struct place place = read->content;
	struct node placed = node_placed(at, &place);

	place.names |= BIT(EXPR_OUTPUT);
	if (!read_object(&placed, "repeat", keys, ARRAY_SIZE(keys), &read->step->def))
		return;
	need_key(at, "until", "the condition over `output` that ends it");
	need_key(at, "max", "the most turns that it may take, for everything has a limit");
	if (read->step->for_each)
		find_at(at, FINDING_ERROR,
				"`repeat` and `for_each` cannot stand on one step; put the repeat into a `steps` "
				"block inside the for_each");
}

static void read_tolerate(const struct node *at, void *to)
{
	struct step_read *read = to;
	struct place place = read->content;
	struct node placed = node_placed(at, &place);

	place.names |= BIT(EXPR_FAILURE);
	if (read->step->for_each)
		place.names |= BIT(EXPR_FAILURES);
	if (!json_is_false(at->value))
		read_tmpl(&placed, WANT_BOOL, &read->step->def.tolerate);
}

static void read_pivot(const struct node *at, void *to)
{
	struct step_def *def = &((struct step_read *)to)->step->def;

	/* A slip such as `yes` must not bring a finding for each step behind it. */
	def->pivot = true;
	read_bool(at, &def->pivot);
}

static void read_output(const struct node *at, void *to)
{
	struct step_read *read = to;
	struct node placed = node_placed(at, &read->output);

	read_tmpl(&placed, WANT_ANY, &read->act->output);
}

static void read_idempotency_key(const struct node *at, void *to)
{
	struct step_read *read = to;
	struct node placed = node_placed(at, &read->content);

	read_tmpl(&placed, WANT_STRING, &read->act->idempotency_key);
}

static void read_step_probe(const struct node *at, void *to)
{
	struct step_read *read = to;
	struct node placed = node_placed(at, &read->content);

	if (read->action != ACT_HTTP && read->action != ACT_COMMAND && read->action != ACT_NOT_SAID) {
		find_at(at, FINDING_ERROR,
				"a `probe` asks about a call: it belongs to `http` or `command`, "
				"not to `%s`",
				action_keys[read->action]);
		return;
	}
	read_probe(&placed, &read->act->probe);
}

static void read_with(const struct node *at, void *to)
{
	struct step_read *read = to;
	struct node placed = node_placed(at, &read->content);

	/* A child's input is an object; what a worker is given may be anything. */
	read_tmpl(&placed, read->action == ACT_SAGA ? WANT_OBJECT : WANT_ANY, &read->act->with);
}

static void read_step_heartbeat(const struct node *at, void *to)
{
	read_heartbeat(at, &((struct step_read *)to)->act->task);
}

static void read_step_escalate(const struct node *at, void *to)
{
	struct step_read *read = to;
	struct place place = read->undo ? read->late : read->content;
	struct node placed = node_placed(at, &place);

	/* It runs on its own while the step does: what that ends with does not exist yet. */
	place.own = place.undo = false;
	place.names &= ~(BIT(EXPR_OUTPUT) | BIT(EXPR_REPLY));
	read_escalate(&placed, read->action == ACT_APPROVAL && !read->undo, &read->act->escalate);
}

/* The `steps` block of a step or of its undo. */
static void read_inner(const struct node *at, struct step_read *read)
{
	struct node list = node_child(at, "steps");
	struct place place = read->content;

	place.undo = false;
	place.names &= ~(BIT(EXPR_REPLY) | BIT(EXPR_OUTPUT));
	list.place = &place;
	read->output.block = read_block(&list, read->step->block, read->step);
	if (read->undo)
		read->step->undo_inner = (struct block *)read->output.block;
	else
		read->step->inner = (struct block *)read->output.block;
	read->output.step = NULL;
}

static void read_id(const struct node *at, void *to)
{
	struct lstep *step = ((struct step_read *)to)->step;

	step->id = read_string(at);
	if (step->id)
		(void)read_name(at, "a step's id", ID_MAX, false);
}

static void read_compensate(const struct node *at, void *to);

static void refuse_compensate(const struct node *at, void *to)
{
	(void)to;
	find_at(at, FINDING_ERROR, "an undo cannot be undone: no `compensate` inside `compensate`");
}

#define ACTION_KEYS                                                                                \
	{"http", read_action}, {"command", read_action}, {"emit", read_action}, {"task", read_action}, \
		{"saga", read_action}, {"await", read_action}, {"approval", read_action},                  \
		{"steps", read_action}, {"set", read_action}, {"fail", read_action},                       \
		{"lock", read_action},                                                                     \
	{                                                                                              \
		"continue_as_new", read_action                                                             \
	}
/* timeout, deadline, retry and outcome are read by read_rules, needs by order_block. */
#define MODIFIER_KEYS                                                                              \
	{"when", read_when}, {"timeout", NULL}, {"deadline", NULL}, {"retry", NULL},                   \
		{"outcome", NULL}, {"probe", read_step_probe}, {"output", read_output},                    \
		{"idempotency_key", read_idempotency_key}, {"escalate", read_step_escalate},               \
		{"with", read_with},                                                                       \
	{                                                                                              \
		"heartbeat", read_step_heartbeat                                                           \
	}

static const struct key_rule step_keys[] = {
	{"id", read_id},
	{"needs", NULL},
	{"for_each", read_for_each},
	{"max_parallel", read_max_parallel},
	{"repeat", read_repeat},
	{"tolerate", read_tolerate},
	{"pivot", read_pivot},
	{"compensate", read_compensate},
	ACTION_KEYS,
	MODIFIER_KEYS,
};
static const struct key_rule undo_keys[] = {
	{"compensate", refuse_compensate}, ACTION_KEYS, MODIFIER_KEYS};

static void add_undo_default(struct outcome_rules *outcome, int status)
{
	outcome->rules = xrealloc_array(outcome->rules, outcome->n_rules + 1, sizeof(*outcome->rules));
	outcome->rules[outcome->n_rules++] =
		(struct outcome_rule){.match = MATCH_STATUS, .outcome = OUTCOME_SUCCESS, .status = status};
}

/* The participant whose rules an action takes over; NULL for what has none. */
static const char *rules_from(const struct step_read *read)
{
	switch (read->action) {
	case ACT_HTTP:
		return read->act->http.to ? read->act->http.to : "";
	case ACT_COMMAND:
		return read->act->command.to ? read->act->command.to : "";
	case ACT_TASK:
		return "";
	case ACT_SAGA:
	case ACT_STEPS:
	case ACT_EMIT:
	case ACT_AWAIT:
	case ACT_APPROVAL:
	case ACT_SET:
	case ACT_FAIL:
	case ACT_LOCK:
	case ACT_CONTINUE:
	case ACT_COUNT:
		return NULL;
	}
	return NULL;
}

static void read_half(const struct node *at, struct step_read *read, const char *what,
					  const struct key_rule *keys, size_t n_keys)
{
	struct node placed = node_placed(at, read->undo ? &read->late : &read->content);

	read->action = find_action(at, what);
	if (read->action == ACT_NOT_SAID && !has_misspelled_action(at, keys, n_keys))
		find_at(at, FINDING_ERROR, "%s has no action: say http, set, fail, await or another", what);
	if (read->action == ACT_STEPS)
		read_inner(at, read);
	read_object(at, what, keys, n_keys, read);
	check_modifiers(at, read->action);
	read_rules(&placed, rules_from(read), read->act, read->undo ? RULES_OF_UNDO : RULES_OF_STEP);
	if (read->action == ACT_COMMAND || read->action == ACT_TASK) {
		struct node outcome = node_child(at, "outcome");

		warn_statuses(&outcome);
	}
	if (read->action == ACT_TASK)
		finish_task(at, read->act);
}

static void read_compensate(const struct node *at, void *to)
{
	struct step_read *read = to;
	struct lstep *step = read->step;
	struct step_read undo = {.step = step, .act = &step->def.undo, .undo = true};

	if (json_is_string(at->value) && strcmp(json_string_value(at->value), "none") == 0) {
		step->def.undo_kind = UNDO_NONE;
		return;
	}
	if (!json_is_object(at->value)) {
		step->def.undo_kind = UNDO_NONE;
		find_at(at, FINDING_ERROR,
				"`compensate` must be an action such as {http: {...}}, or none, not %s",
				json_is_string(at->value) ? "other text" : type_text(at->value));
		return;
	}
	step->def.undo_kind = UNDO_ACTION;
	undo.content = read->content;
	undo.content.names |= BIT(EXPR_OUTPUT) | (has_reply(read->action) ? BIT(EXPR_REPLY) : 0);
	undo.content.saga_failure = true;
	undo.content.own = true;
	undo.content.undo = true;
	undo.output = undo.content;
	undo.output.undo = false;
	undo.output.names |= BIT(EXPR_REPLY); /* its own */
	undo.late = undo.content;
	undo.late.names &= ~BIT(EXPR_REPLY);
	read_half(at, &undo, "compensate", undo_keys, ARRAY_SIZE(undo_keys));
	if (undo.action == ACT_SET || undo.action == ACT_FAIL || undo.action == ACT_LOCK ||
		undo.action == ACT_CONTINUE || undo.action == ACT_APPROVAL)
		find_at(at, FINDING_ERROR, "`%s` undoes nothing; `compensate` must be a call, or none",
				action_keys[undo.action]);
	if (undo.action == ACT_AWAIT)
		find_at(
			at, FINDING_ERROR,
			"`await` undoes nothing; an undo that waits is a block, in which something may also be "
			"done: compensate: {steps: [{id: wait, await: {...}}]}");
	if (undo.action == ACT_HTTP) {
		add_undo_default(&step->def.undo.outcome, 404);
		add_undo_default(&step->def.undo.outcome, 410);
	}
	step->def.undo.reads_failure =
		request_reads_failure(&step->def.undo) ||
		(step->undo_inner && block_reads_failure(at->load, step->undo_inner));
}

static void step_places(const struct node *at, struct step_read *read)
{
	const json_t *await = json_object_get(at->value, "await");
	struct lstep *step = read->step;

	read->before = *at->place;
	read->before.block = step->block;
	read->before.own = false; /* of what is around it */
	read->before.step = step;
	read->content = read->before;
	if (step->for_each)
		read->content.names |= BIT(EXPR_ITEM) | BIT(EXPR_INDEX);
	if (step->repeat)
		read->content.names |= BIT(EXPR_INDEX) | BIT(EXPR_PREVIOUS);
	read->output = read->content;
	if (has_reply(first_action(at)))
		read->output.names |= BIT(EXPR_REPLY);
	if ((await && (json_is_array(await) || !json_object_get(await, "after"))) ||
		json_object_get(at->value, "lock") || first_action(at) == ACT_APPROVAL)
		read->output.names |= BIT(EXPR_EVENT);
}

/* There, or there with a slip that is reported: what it brings is not missing as well. */
static bool is_meant(const json_t *object, const char *key)
{
	return json_object_get(object, key) || is_misspelled(object, key);
}

static void read_step(const struct node *at, struct lstep *step)
{
	struct step_read read = {.step = step, .act = &step->def.act};
	char pointer[256];
	char what[96] = "a step";

	node_pointer(at, pointer, sizeof(pointer));
	step->pointer = xstrdup(pointer);
	step->value = at->value;
	step->action = ACT_NOT_SAID;
	step->http_safe = true;
	step->def.max_parallel = 10;
	step->def.act.kind = ACTION_SET;
	if (!json_is_object(at->value)) {
		find_at(at, FINDING_ERROR,
				"a step must be an object such as {id: charge, http: {...}}, not %s",
				type_text(at->value));
		step->def.id = xstrdup("");
		return;
	}
	step->for_each = is_meant(at->value, "for_each");
	step->repeat = is_meant(at->value, "repeat");
	if (json_is_string(json_object_get(at->value, "id")))
		snprintf(what, sizeof(what), "step `%.64s`",
				 json_string_value(json_object_get(at->value, "id")));
	step_places(at, &read);
	need_key(at, "id", "the name under which others read it, such as charge");
	read_half(at, &read, what, step_keys, ARRAY_SIZE(step_keys));
	step->def.pivot |= !json_object_get(at->value, "pivot") && is_misspelled(at->value, "pivot");
	if (!json_object_get(at->value, "compensate") && is_misspelled(at->value, "compensate"))
		step->def.undo_kind = UNDO_NONE;
	step->action = read.action;
	step->def.id = xstrdup(step->id ? step->id : "");
}

struct block *read_block(const struct node *at, const struct block *up, struct lstep *owner)
{
	struct load *load = at->load;
	struct block *block = xcalloc(1, sizeof(*block));

	block->next = load->blocks;
	load->blocks = block;
	block->up = up;
	block->owner = owner;
	block->pivot = -1;
	block->depth = up ? up->depth + 1 : 0;
	block->on_compensated = up && (up->on_compensated || !owner);
	block->in_undo = (up && up->in_undo) || (at->place && at->place->own);
	if (!want_list(at, "[{id: charge, http: {...}}]"))
		return block;
	if (json_array_size(at->value) == 0)
		find_at(at, FINDING_ERROR, "`%s` lists no step", at->key);
	if (block->depth > MAX_BLOCK_DEPTH) {
		find_at(at, FINDING_ERROR, "blocks are nested deeper than %d", MAX_BLOCK_DEPTH);
		return block;
	}
	load->n_steps += json_array_size(at->value);
	if (load->n_steps > DEF_MAX_STEPS) {
		find_at(at, FINDING_ERROR, "the saga has more than %d steps", DEF_MAX_STEPS);
		return block;
	}
	block->steps = xcalloc(json_array_size(at->value), sizeof(*block->steps));
	/* All are known before the first is read, for some name others (release_after). */
	block->n = json_array_size(at->value);
	for (size_t i = 0; i < block->n; i++) {
		block->steps[i].block = block;
		block->steps[i].index = (int)i;
		block->steps[i].value = json_array_get(at->value, i);
	}
	for (size_t i = 0; i < block->n; i++) {
		struct node item = node_item(at, i);

		read_step(&item, &block->steps[i]);
	}
	return block;
}

void block_free(struct block *block)
{
	if (!block)
		return;
	for (size_t i = 0; i < block->n; i++) {
		step_def__release(&block->steps[i].def);
		free(block->steps[i].pointer);
		free(block->steps[i].before);
	}
	free(block->steps);
	free(block);
}
