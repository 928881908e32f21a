/*
 * The check at load time: names and fields. A name that cannot exist is refused, and so is a field
 * that the input's schema rules out; what may exist is let through. Operators and functions are
 * expr_check_type.c.
 */
#include <stdio.h>
#include <string.h>

#include "sagas/expr_check_priv.h"

/* The fields of the names that Skald itself fills. */
static const struct known_field {
	uint8_t of; /* enum expr_name; EXPR_STEPS: of one step */
	const char *name;
	unsigned mask;
} known_fields[] = {
	{EXPR_STEPS, "output", T_ALL},           {EXPR_STEPS, "status", T_(STRING)},
	{EXPR_STEPS, "failures", T_(LIST)},      {EXPR_STEPS, "undo", T_ALL},
	{EXPR_STEP, "key", T_(STRING)},          {EXPR_STEP, "uuid", T_(STRING)},
	{EXPR_STEP, "callback_url", T_(STRING)}, {EXPR_SAGA, "id", T_(STRING)},
	{EXPR_SAGA, "name", T_(STRING)},         {EXPR_SAGA, "key", T_(STRING)},
	{EXPR_SAGA, "started_at", T_(STRING)},   {EXPR_SAGA, "failure", T_ALL},
};

static const char *const name_texts[] = {
#define X(constant, text) text,
	EXPR_NAMES(X)
#undef X
};

static void report_err(struct check *c, const struct node *node, struct err *err)
{
	c->n_errors++;
	snprintf(err->place, sizeof(err->place), "column %zu",
			 expr__column(c->expr->text, node->start));
	if (c->report)
		c->report(c->report_ctx, err);
}

void check__report(struct check *c, const struct node *node, const char *fmt, ...)
{
	struct err err;
	va_list args;

	va_start(args, fmt);
	err_vset(&err, ERR_INVALID, fmt, args);
	va_end(args);
	report_err(c, node, &err);
}

const char *check__mask_text(unsigned mask, char text[128])
{
	size_t len = 0;

	text[0] = '\0';
	for (unsigned type = EXPR_T_NULL; type <= EXPR_T_DURATION; type++) {
		if (mask & (1u << type))
			len += (size_t)snprintf(text + len, 128 - len, "%s%s", len ? " or " : "",
									expr_type_text((enum expr_type)type));
	}
	return len ? text : "type";
}

void check__wants(struct check *c, const struct node *node, const struct ctype *type,
				  unsigned wanted, const char *what)
{
	char text[128], other[128];

	if (type->optional == OPT_YES)
		check__report(c, node, "%s: `%.*s` is an optional, which may give nothing; add .orValue(…)",
					  what, SOURCE(c, node));
	else if (!(type->mask & wanted))
		check__report(c, node, "%s: `%.*s` is of type %s, and %s is wanted", what, SOURCE(c, node),
					  check__mask_text(type->mask, text), check__mask_text(wanted, other));
}

/* " (did you mean `x`?)" or nothing. */
static const char *did_you_mean(const char *best, char text[96])
{
	text[0] = '\0';
	if (best)
		snprintf(text, 96, " (did you mean `%.64s`?)", best);
	return text;
}

/* ---- names ---- */

static void report_unknown_name(struct check *c, const struct node *node)
{
	struct suggest suggest;
	char text[96];

	/* A step's id alone is the most likely slip. */
	if (c->scope->allowed[EXPR_STEPS] && c->scope->step &&
		c->scope->step(c->scope->ctx, node->text.s, NULL) == 0) {
		check__report(c, node, "there is no name `%s` (did you mean `steps.%s`?)", node->text.s,
					  node->text.s);
		return;
	}
	suggest_init(&suggest, node->text.s, node->text.len);
	for (size_t i = 0; i < EXPR_NAME_COUNT; i++) {
		if (c->scope->allowed[i])
			suggest_offer(&suggest, name_texts[i]);
	}
	check__report(c, node, "there is no name `%.100s`%s", node->text.s,
				  did_you_mean(suggest.best, text));
}

static struct ctype check_name(struct check *c, const struct node *node)
{
	struct ctype type = {.mask = T_ALL, .optional = OPT_NO};
	enum expr_name name = (enum expr_name)node->which;

	if (!c->scope->allowed[name]) {
		check__report(c, node, "`%s` is not available here", name_texts[name]);
		return CTYPE_ANY;
	}
	switch (name) {
	case EXPR_INPUT:
		if (c->scope->input_schema)
			type = ctype__of_schema(c->scope->input_schema, c->scope->input_schema);
		break;
	case EXPR_INDEX:
		type.mask = T_(INT);
		break;
	case EXPR_FAILURES:
		type.mask = T_(LIST);
		break;
	case EXPR_FAILURE:
	case EXPR_STEP:
	case EXPR_SAGA:
	case EXPR_EVENT:
		type.mask = T_(MAP);
		break;
	case EXPR_STEPS:
	case EXPR_ENV:
	case EXPR_SECRET:
		check__report(c, node, "`%s` is read by the name of what is in it, as in %s.%s",
					  name_texts[name], name_texts[name], name == EXPR_STEPS ? "charge" : "NAME");
		return CTYPE_ANY;
	case EXPR_REPLY:
	case EXPR_OUTPUT:
	case EXPR_ITEM:
	case EXPR_PREVIOUS:
	case EXPR_NAME_COUNT:
		break;
	}
	return type;
}

/* ---- fields ---- */

/* The field that a node reads by name, also written ["name"]; NULL when it is not known. */
static const char *field_of(const struct node *node)
{
	if (node->kind == N_SELECT || node->kind == N_SELECT_OPT || node->kind == N_HAS)
		return node->text.s;
	if ((node->kind == N_INDEX || node->kind == N_INDEX_OPT) && node->args[1]->kind == N_LITERAL &&
		node->args[1]->literal.tag == V_STRING)
		return node->args[1]->literal.s;
	return NULL;
}

static bool is_name(const struct node *node, enum expr_name name)
{
	return node->kind == N_NAME && node->which == name;
}

/* steps.<id>, env.NAME and secret.NAME: asks the scope whether it may be read. */
static struct ctype check_member_of_scope(struct check *c, const struct node *node,
										  const char *field)
{
	const struct node *of = node->args[0];
	struct ctype type = {.mask = of->which == EXPR_STEPS ? T_(MAP) : T_(STRING)};
	struct err err = {.code = ERR_INVALID};
	int r = 0;

	if (!c->scope->allowed[of->which]) {
		check__report(c, of, "`%s` is not available here", name_texts[of->which]);
		return CTYPE_ANY;
	}
	if (of->which == EXPR_STEPS && c->scope->step)
		r = c->scope->step(c->scope->ctx, field, &err);
	else if (of->which == EXPR_ENV && c->scope->env)
		r = c->scope->env(c->scope->ctx, field, &err);
	if (r < 0)
		report_err(c, node, &err);
	return type;
}

static struct ctype check_known_field(struct check *c, const struct node *node, uint8_t of,
									  const char *field)
{
	struct suggest suggest;
	char text[96], names[128] = "";
	size_t len = 0;

	suggest_init(&suggest, field, strlen(field));
	for (size_t i = 0; i < ARRAY_SIZE(known_fields); i++) {
		if (known_fields[i].of != of)
			continue;
		if (strcmp(known_fields[i].name, field) == 0)
			return (struct ctype){.mask = known_fields[i].mask};
		suggest_offer(&suggest, known_fields[i].name);
		len += (size_t)snprintf(names + len, sizeof(names) - len, "%s%s", len ? ", " : "",
								known_fields[i].name);
	}
	check__report(c, node, "`%.*s` has no field `%.100s`%s; it has %s", SOURCE(c, node->args[0]),
				  field, did_you_mean(suggest.best, text), names);
	return CTYPE_ANY;
}

/* A field by its name, of a value whose schema may be known. */
static struct ctype check_field(struct check *c, const struct node *node, const struct ctype *of,
								const char *field)
{
	struct suggest suggest;
	struct ctype type;
	char text[128];

	if (!(of->mask & T_(MAP))) {
		check__report(c, node, "`%.*s` is of type %s and has no field `%.100s`",
					  SOURCE(c, node->args[0]), check__mask_text(of->mask, text), field);
		return CTYPE_ANY;
	}
	if (!of->schema)
		return (struct ctype){.mask = T_ALL, .optional = OPT_UNKNOWN};
	suggest_init(&suggest, field, strlen(field));
	if (!ctype__field(c->scope->input_schema, of->schema, field, &type, &suggest))
		check__report(c, node, "`%.*s` has no field `%.100s`%s", SOURCE(c, node->args[0]), field,
					  did_you_mean(suggest.best, text));
	return type;
}

static struct ctype check_index(struct check *c, const struct node *node, const struct ctype *of)
{
	struct ctype index = check__node(c, node->args[1]);
	unsigned keys = 0;
	char text[128];

	if (of->mask & T_(LIST))
		keys |= T_NUM;
	if (of->mask & T_(MAP))
		keys |= T_NUM | T_(STRING) | T_(BOOL);
	if (keys == 0) {
		check__report(c, node, "`%.*s` is of type %s and has no elements", SOURCE(c, node->args[0]),
					  check__mask_text(of->mask, text));
		return CTYPE_ANY;
	}
	check__wants(c, node->args[1], &index, keys, "index");
	if (of->mask == T_(LIST) && of->schema)
		return ctype__items(c->scope->input_schema, of->schema);
	return CTYPE_ANY;
}

static struct ctype check_access(struct check *c, const struct node *node)
{
	const struct node *of = node->args[0];
	const char *field = field_of(node);
	struct ctype from, type;

	if (field && (is_name(of, EXPR_STEPS) || is_name(of, EXPR_ENV) || is_name(of, EXPR_SECRET))) {
		type = check_member_of_scope(c, node, field);
		from.optional = OPT_NO;
	} else {
		from = check__node(c, of);
		if (field && is_name(of, EXPR_STEP))
			type = check_known_field(c, node, EXPR_STEP, field);
		else if (field && is_name(of, EXPR_SAGA))
			type = check_known_field(c, node, EXPR_SAGA, field);
		else if (field && field_of(of) && is_name(of->args[0], EXPR_STEPS))
			type = check_known_field(c, node, EXPR_STEPS, field);
		else if (field)
			type = check_field(c, node, &from, field);
		else
			type = check_index(c, node, &from);
	}
	if (node->kind == N_SELECT_OPT || node->kind == N_INDEX_OPT || from.optional == OPT_YES)
		type.optional = OPT_YES;
	else if (from.optional == OPT_UNKNOWN)
		type.optional = OPT_UNKNOWN;
	if (node->kind == N_HAS)
		return (struct ctype){.mask = T_(BOOL)};
	return type;
}

/* ---- macros ---- */

static struct ctype check_macro(struct check *c, const struct node *node)
{
	bool on_optional = node->which == MACRO_OPT_MAP || node->which == MACRO_OPT_FLAT_MAP;
	struct ctype range = check__node(c, node->args[0]), element = CTYPE_ANY, body = CTYPE_ANY;

	if (on_optional) {
		if (range.optional == OPT_NO)
			check__report(c, node->args[0], "`%.*s` is no optional", SOURCE(c, node->args[0]));
		element = range;
		element.optional = OPT_NO;
	} else {
		check__wants(c, node->args[0], &range, T_(LIST) | T_(MAP), "what a macro runs over");
		if (range.mask == T_(MAP))
			element = (struct ctype){.mask = T_(STRING)};
		else if (range.mask == T_(LIST) && range.schema)
			element = ctype__items(c->scope->input_schema, range.schema);
	}
	c->vars[node->slot] = element;
	for (uint32_t i = 1; i < node->n; i++) {
		body = check__node(c, node->args[i]);
		if (!on_optional && (node->which != MACRO_MAP || i + 1 < node->n))
			check__wants(c, node->args[i], &body, T_(BOOL), "condition");
	}
	switch ((enum macro)node->which) {
	case MACRO_ALL:
	case MACRO_EXISTS:
	case MACRO_EXISTS_ONE:
		return (struct ctype){.mask = T_(BOOL)};
	case MACRO_FILTER:
		return (struct ctype){.mask = T_(LIST),
							  .schema = range.mask == T_(LIST) ? range.schema : NULL};
	case MACRO_MAP:
		return (struct ctype){.mask = T_(LIST)};
	case MACRO_OPT_MAP:
	case MACRO_OPT_FLAT_MAP:
		break;
	}
	body.optional = OPT_YES;
	return body;
}

/* ---- everything ---- */

struct ctype check__node(struct check *c, const struct node *node)
{
	struct ctype type = {.mask = T_ALL};

	switch ((enum node_kind)node->kind) {
	case N_LITERAL:
		type.mask = 1u << val__type(&node->literal);
		return type;
	case N_NAME:
		return check_name(c, node);
	case N_OTHER:
		report_unknown_name(c, node);
		return CTYPE_ANY;
	case N_TYPE:
		type.mask = T_(ANY);
		return type;
	case N_VAR:
		return c->vars[node->slot];
	case N_SELECT:
	case N_SELECT_OPT:
	case N_INDEX:
	case N_INDEX_OPT:
	case N_HAS:
		return check_access(c, node);
	case N_CALL:
	case N_CALL_UNKNOWN:
		return check__call(c, node);
	case N_MACRO:
		return check_macro(c, node);
	case N_LIST:
	case N_MAP:
		for (uint32_t i = 0; i < node->n; i++)
			check__node(c, node->args[i]);
		type.mask = node->kind == N_LIST ? T_(LIST) : T_(MAP);
		return type;
	case N_AND:
	case N_OR:
	case N_NOT:
	case N_NEGATE:
	case N_CONDITION:
	case N_ADD:
	case N_SUBTRACT:
	case N_MULTIPLY:
	case N_DIVIDE:
	case N_MODULO:
	case N_EQUAL:
	case N_NOT_EQUAL:
	case N_LESS:
	case N_LESS_EQUAL:
	case N_GREATER:
	case N_GREATER_EQUAL:
	case N_IN:
		break;
	}
	return check__operator(c, node);
}

int expr_check(const struct expr *expr, const struct expr_scope *scope,
			   void (*report)(void *ctx, const struct err *err), void *report_ctx,
			   enum expr_type *ret_type)
{
	struct check c = {
		.expr = expr,
		.scope = scope,
		.report = report,
		.report_ctx = report_ctx,
	};
	struct ctype type = check__node(&c, expr->root);

	if (!ret_type)
		return c.n_errors;
	*ret_type = EXPR_T_ANY;
	/* An int or a double is called a double, which ints promote to. */
	if (type.mask == T_NUM)
		*ret_type = EXPR_T_DOUBLE;
	for (unsigned t = EXPR_T_NULL; t <= EXPR_T_DURATION; t++) {
		if (type.mask == 1u << t)
			*ret_type = (enum expr_type)t;
	}
	return c.n_errors;
}
