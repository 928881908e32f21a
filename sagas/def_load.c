/*
 * The loader's top: the keys of the document itself, the three phases in their order, and the
 * assembly of the saga_def.
 */
#include "sagas/def_load.h"

#include <string.h>

#include "sagas/def_priv.h"

#define AT_START (BIT(EXPR_INPUT) | BIT(EXPR_ENV))
#define IN_SAGA (AT_START | BIT(EXPR_SAGA))
#define IN_STEPS (IN_SAGA | BIT(EXPR_STEPS) | BIT(EXPR_STEP))

static void read_saga_name(const struct node *at, void *to)
{
	const char *name = read_name(at, "the name of the saga", DEF_MAX_NAME, true);

	if (name)
		((struct saga_def *)to)->name = xstrdup(name);
}

static void read_key(const struct node *at, void *to)
{
	const struct place place = {.names = AT_START};
	struct node placed = node_placed(at, &place);

	read_tmpl(&placed, WANT_STRING, &((struct saga_def *)to)->key);
}

static void read_deadline(const struct node *at, void *to)
{
	const struct place place = {.names = IN_SAGA};
	struct node placed = node_placed(at, &place);

	read_limit(&placed, &((struct saga_def *)to)->deadline);
}

static void read_recovery(const struct node *at, void *to)
{
	static const char *const words[] = {"forward"};

	/* There is no other word; a slip must not bring a finding for each step that it excuses. */
	((struct saga_def *)to)->recovery_forward = true;
	(void)read_word(at, words, ARRAY_SIZE(words));
}

static void report_schema(void *ctx, const struct err *err)
{
	const struct node *at = ctx;
	char pointer[256];
	size_t len;

	node_pointer(at, pointer, sizeof(pointer));
	len = strlen(pointer);
	snprintf(pointer + len, sizeof(pointer) - len, "%s", err->place);
	find_pointer(at->load, pointer, FINDING_ERROR, "%s", err->text);
}

static void read_input_schema(const struct node *at, void *to)
{
	struct err err;

	if (schema_compile(at->value, &((struct saga_def *)to)->input_schema, &err) == 0)
		at->load->input_schema = at->value;
	else if (schema_check(at->value, report_schema, (void *)at) == 0)
		report_schema((void *)at, &err);
}

static void read_input(const struct node *at, void *to)
{
	static const struct key_rule keys[] = {{"schema", read_input_schema}};

	read_object(at, "input", keys, ARRAY_SIZE(keys), to);
}

static void read_participants(const struct node *at, void *to)
{
	const struct place place = {.names = IN_SAGA | BIT(EXPR_STEP)};
	const char *name;
	json_t *value;

	(void)to;
	if (!json_is_object(at->value)) {
		find_at(at, FINDING_ERROR,
				"`participants` must be an object such as {stock: {timeout: 3s}}, "
				"not %s",
				type_text(at->value));
		return;
	}
	json_object_foreach (at->value, name, value) {
		struct node child = node_child(at, name);
		json_t *text = json_string(name);
		struct node as_name = child;

		child.place = &place;
		as_name.value = text;
		(void)read_name(&as_name, "the participant", DEF_MAX_NAME, true);
		json_decref(text);
		check_inherited(&child, "a participant");
	}
}

static void read_defaults(const struct node *at, void *to)
{
	const struct place place = {.names = IN_SAGA | BIT(EXPR_STEP)};
	struct node placed = node_placed(at, &place);

	(void)to;
	check_inherited(&placed, "defaults");
}

static void read_start(const struct node *at, void *to)
{
	(void)to;
	read_start_on(at);
}

static void read_cancel(const struct node *at, void *to)
{
	(void)to;
	read_cancel_on(at);
}

static void read_saga_escalate(const struct node *at, void *to)
{
	const struct place place = {.names = IN_SAGA};
	struct node placed = node_placed(at, &place);

	read_escalate(&placed, true, &((struct saga_def *)to)->escalate);
}

static void read_steps(const struct node *at, void *to)
{
	const struct place place = {.names = IN_STEPS};
	struct node placed = node_placed(at, &place);

	(void)to;
	at->load->forward = read_block(&placed, NULL, NULL);
}

/* steps, on_compensated and output are read after the rest, in this order: see read_document. */
static const struct key_rule document_keys[] = {
	{"saga", read_saga_name},
	{"key", read_key},
	{"key_reuse", read_key_reuse},
	{"deadline", read_deadline},
	{"recovery", read_recovery},
	{"labels", read_labels},
	{"search", read_search},
	{"input", read_input},
	{"start_on", read_start},
	{"cancel_on", read_cancel},
	{"escalate", read_saga_escalate},
	{"participants", read_participants},
	{"defaults", read_defaults},
	{"steps", NULL},
	{"output", NULL},
	{"on_compensated", NULL},
};

/* How many ${ stand in a document. Recursion is as deep as its readers allow. */
static size_t count_exprs(const json_t *value)
{
	const char *key;
	json_t *child;
	size_t i, n = 0;

	if (json_is_string(value)) {
		for (const char *at = json_string_value(value); (at = strstr(at, "${")) != NULL; at += 2)
			n++;
		return n;
	}
	json_array_foreach (value, i, child)
		n += count_exprs(child);
	json_object_foreach ((json_t *)value, key, child)
		n += count_exprs(child);
	return n;
}

static void read_document(struct load *load)
{
	const struct node root = {.load = load, .value = load->doc};
	struct node steps = node_child(&root, "steps");
	struct node last = node_child(&root, "on_compensated");
	struct node output = node_child(&root, "output");
	struct place place = {.names = IN_STEPS, .saga_failure = true};

	if (count_exprs(load->doc) > DEF_MAX_EXPRS) {
		find_at(&root, FINDING_ERROR, "the document has more than %d expressions", DEF_MAX_EXPRS);
		return;
	}
	load->participants = json_object_get(load->doc, "participants");
	load->defaults = json_object_get(load->doc, "defaults");
	if (!read_object(&root, "the document", document_keys, ARRAY_SIZE(document_keys), load->def))
		return;
	need_key(&root, "saga", "the name of the saga, such as order-fulfilment");
	if (need_key(&root, "steps", "what the saga does"))
		read_steps(&steps, NULL);
	if (last.value) {
		last.place = &place;
		load->on_compensated = read_block(&last, load->forward, NULL);
	}
	if (output.value) {
		place = (struct place){.names = IN_SAGA | BIT(EXPR_STEPS), .block = load->forward};
		output.place = &place;
		read_tmpl(&output, WANT_ANY, &load->def->output);
	}
}

/* Moves the steps of a block into the definition, behind those that are there. */
static void take_steps(struct load *load, struct saga_def *def, struct block *block, int first)
{
	size_t words = ((size_t)def->n_steps + 63) / 64;

	for (size_t i = 0; i < block->n; i++) {
		struct lstep *from = &block->steps[i];
		struct step_def *step = &def->steps[first + (int)i];

		*step = from->def;
		memset(&from->def, 0, sizeof(from->def));
		compile_blocks(load, def->name, from, step);
		step->index = first + (int)i;
		def->locks |= step->act.kind == ACTION_LOCK;
		if (step->act.kind == ACTION_LOCK && step->act.lock.release_after >= 0)
			step->act.lock.release_after += first;
		step->after_pivot = from->after_pivot;
		step->ancestors = xcalloc(words, sizeof(uint64_t));
		for (size_t k = 0; k < block->n; k++) {
			if (lstep_has_before(from, (int)k)) {
				size_t at = (size_t)first + k;

				step->ancestors[at / 64] |= (uint64_t)1 << (at % 64);
			}
		}
		for (size_t k = 0; k < step->n_needs; k++)
			step->needs[k] += first;
	}
}

static void find_dependants(struct saga_def *def)
{
	for (int i = 0; i < def->n_steps; i++) {
		for (size_t k = 0; k < def->steps[i].n_needs; k++)
			def->steps[def->steps[i].needs[k]].n_dependants++;
	}
	for (int i = 0; i < def->n_steps; i++) {
		struct step_def *step = &def->steps[i];

		step->dependants = xcalloc(step->n_dependants, sizeof(*step->dependants));
		step->n_dependants = 0;
	}
	for (int i = 0; i < def->n_steps; i++) {
		for (size_t k = 0; k < def->steps[i].n_needs; k++) {
			struct step_def *need = &def->steps[def->steps[i].needs[k]];

			need->dependants[need->n_dependants++] = i;
		}
	}
}

static int continues(const struct block *block)
{
	for (size_t i = 0; i < block->n; i++)
		if (block->steps[i].action == ACT_CONTINUE)
			return 1;
	return 0;
}

static int count_escalations(const struct saga_def *def, const struct block *forward,
							 const struct block *on_compensated)
{
	const struct block *blocks[] = {forward, on_compensated};
	int n = escalate_steps(&def->escalate);

	for (size_t i = 0; i < ARRAY_SIZE(blocks); i++)
		for (size_t k = 0; blocks[i] && k < blocks[i]->n; k++)
			n += escalate_steps(&blocks[i]->steps[k].def.act.escalate) +
				 escalate_steps(&blocks[i]->steps[k].def.undo.escalate);
	for (size_t k = 0; continues(forward) && k < forward->n; k++)
		n += escalate_steps(&forward->steps[k].def.undo.escalate);
	return n;
}

static void add_carried(struct saga_def *def)
{
	int at = def->n_forward - 1;
	struct step_def *carried = &def->steps[at];
	json_t *none = json_array();

	def->carried = at;
	*carried = (struct step_def){
		.id = xstrdup(CARRIED_STEP_ID),
		.index = at,
		.ancestors = xcalloc(((size_t)def->n_steps + 63) / 64, sizeof(uint64_t)),
		.max_parallel = 1,
		.act = {.kind = ACTION_SET},
		.undo_kind = UNDO_ACTION,
		.undo = {.kind = ACTION_SET},
	};
	CHECK(tmpl_compile(none, NULL, NULL, &carried->for_each) == 0);
	json_decref(none);
	for (int i = 0; i < at; i++)
		def->steps[i].ancestors[at / 64] |= (uint64_t)1 << (at % 64);
}

void assemble_steps(struct load *load, struct saga_def *def, struct block *forward,
					struct block *on_compensated)
{
	size_t after = on_compensated ? on_compensated->n : 0;

	def->n_forward = (int)forward->n + continues(forward);
	def->n_listed = def->n_forward + (int)after;
	def->n_steps = def->n_listed + count_escalations(def, forward, on_compensated);
	def->steps = xcalloc((size_t)def->n_steps, sizeof(*def->steps));
	def->carried = -1;
	def->pivot = forward->pivot;
	take_steps(load, def, forward, 0);
	if (on_compensated)
		take_steps(load, def, on_compensated, def->n_forward);
	if (continues(forward))
		add_carried(def);
	assemble_escalations(def);
	find_dependants(def);
}

static void load_release(struct load *load)
{
	for (size_t i = 0; i < load->n_uses; i++) {
		if (load->uses[i].owned)
			tmpl_free(load->uses[i].tmpl);
		free(load->uses[i].pointer);
	}
	free(load->uses);
	for (size_t i = 0; i < load->n_kept; i++)
		action_def__release(&load->kept[i]);
	free(load->kept);
	while (load->blocks) {
		struct block *block = load->blocks;

		load->blocks = block->next;
		block_free(block);
	}
	saga_def_unref(load->def);
}

struct ordered {
	struct finding finding;
	size_t index;
};

static int compare_ordered(const void *a, const void *b)
{
	const struct ordered *x = a, *y = b;

	if (x->finding.line != y->finding.line)
		return x->finding.line < y->finding.line ? -1 : 1;
	return x->index < y->index ? -1 : 1;
}

/* The phases find things in their own order; who reads them goes down the document. */
static void sort_findings(struct findings *findings)
{
	CLEANUP(free_p) struct ordered *ordered = xcalloc(findings->n, sizeof(*ordered));

	for (size_t i = 0; i < findings->n; i++)
		ordered[i] = (struct ordered){findings->list[i], i};
	qsort(ordered, findings->n, sizeof(*ordered), compare_ordered);
	for (size_t i = 0; i < findings->n; i++)
		findings->list[i] = ordered[i].finding;
}

int saga_def_load(json_t *doc, const struct doc_places *places, struct saga_def **ret_def,
				  struct findings *findings)
{
	struct load load = {
		.doc = doc, .places = places, .findings = findings, .n_of_reading = findings->n};
	int r = 0;

	load.def = xcalloc(1, sizeof(*load.def));
	load.def->refs = 1;
	load.def->doc = json_incref(doc);
	load.def->deadline.ms = -1;
	load.def->pivot = load.def->carried = -1;
	read_document(&load);
	/* Outer blocks first: what stands in a block looks at the steps around it. */
	for (struct block *block = load.blocks; block; block = block->next)
		order_block(&load, block);
	lint_steps(&load);
	lint_uses(&load);
	lint_blocks(&load);
	lint_search(&load);
	if (load.n_rules > DEF_MAX_EXPRS)
		find_pointer(
			&load, "", FINDING_ERROR,
			"the outcomes of all actions, with those that they take over, are more than %d "
			"rules",
			DEF_MAX_EXPRS);
	if (findings->n_errors == 0)
		lint_limits(&load); /* advice can wait until nothing is wrong */
	sort_findings(findings);
	if (findings->n_errors > 0)
		r = ERR_INVALID;
	else if (findings->n_not_built > 0)
		r = ERR_NOT_BUILT;
	if (r == 0) {
		assemble_steps(&load, load.def, load.forward, load.on_compensated);
		*ret_def = TAKE(load.def);
	}
	load_release(&load);
	return r;
}
