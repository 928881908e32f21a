/*
 * The beginnings of expressions: literals, names, lists and maps, calls and macros. Names that
 * macros bind are resolved to slots here, and names of the language to their constants, so
 * evaluation compares no names.
 */
#include <string.h>

#include "sagas/expr_parse_priv.h"

/* ---- primary expressions ---- */

static struct node *literal(struct parser *p, size_t start, struct val value)
{
	struct node *node = parse__node(p, N_LITERAL, start, (struct nodes){0});

	if (node)
		node->literal = value;
	return node;
}

struct node *parse__int(struct parser *p, size_t start, bool negative)
{
	uint64_t i = p->token.i;

	if (i > (uint64_t)INT64_MAX + negative)
		return parse__fail(p, start, "this integer does not fit into 64 bits");
	parse__next(p);
	return literal(p, start, (struct val){.tag = V_INT, .i = (int64_t)(negative ? -i : i)});
}

struct node *parse__double(struct parser *p, size_t start, bool negative)
{
	double d = p->token.d;

	parse__next(p);
	return literal(p, start, (struct val){.tag = V_DOUBLE, .d = negative ? -d : d});
}

static struct node *parse_string(struct parser *p)
{
	size_t start = p->token.start;
	char *out = arena__alloc(&p->expr->arena, p->token.text.len + 1);
	ptrdiff_t len;

	if (!out)
		return parse__no_memory(p);
	len = expr__unescape(&p->lex, &p->token, out);
	if (len < 0)
		return parse__fail(p, p->lex.error_at, "%s", p->lex.error);
	out[len] = '\0';
	parse__next(p);
	return literal(p, start, (struct val){.tag = V_STRING, .s = out, .len = (uint32_t)len});
}

static struct node *parse_list(struct parser *p, size_t start)
{
	struct nodes elements = {0};

	while (!p->failed && !parse__is_op(p, ']')) {
		bool maybe = parse__take_op(p, '?');
		struct node *element = parse__expr(p);

		if (!parse__add(p, &elements, element))
			return NULL;
		element->maybe = maybe;
		if (!parse__take_op(p, ','))
			break;
	}
	if (!parse__expect_op(p, ']', "',' or ']'"))
		return NULL;
	return parse__node(p, N_LIST, start, elements);
}

static struct node *parse_map(struct parser *p, size_t start)
{
	struct nodes entries = {0};

	while (!p->failed && !parse__is_op(p, '}')) {
		bool maybe = parse__take_op(p, '?');
		struct node *value;

		if (!parse__add(p, &entries, parse__expr(p)) ||
			!parse__expect_op(p, ':', "':' and the value of this key"))
			return NULL;
		value = parse__expr(p);
		if (!parse__add(p, &entries, value))
			return NULL;
		value->maybe = maybe;
		if (!parse__take_op(p, ','))
			break;
	}
	if (!parse__expect_op(p, '}', "',' or '}'"))
		return NULL;
	return parse__node(p, N_MAP, start, entries);
}

static bool is_reserved(struct slice name)
{
	static const char *const words[] = {
		"as",  "break", "const",   "continue",  "else",   "for", "function", "if",    "import",
		"let", "loop",  "package", "namespace", "return", "var", "void",     "while", "in",
	};

	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		if (parse__slice_is(name, words[i]))
			return true;
	}
	return false;
}

static struct node *name_node(struct parser *p, size_t start, struct slice name)
{
	static const char *const names[] = {
#define X(constant, text) text,
		EXPR_NAMES(X)
#undef X
	};
	static const struct {
		const char *text;
		int type;
	} types[] = {
		{"optional_type", EXPR__T_OPTIONAL},
		{"bool", EXPR_T_BOOL},
		{"int", EXPR_T_INT},
		{"double", EXPR_T_DOUBLE},
		{"string", EXPR_T_STRING},
		{"list", EXPR_T_LIST},
		{"map", EXPR_T_MAP},
		{"null_type", EXPR_T_NULL},
		{"type", EXPR_T_ANY},
	};
	struct node *node = parse__node(p, N_OTHER, start, (struct nodes){0});

	if (!node)
		return NULL;
	for (size_t i = p->n_vars; i-- > 0;) {
		if (p->vars[i].len == name.len && memcmp(p->vars[i].s, name.s, name.len) == 0) {
			node->kind = N_VAR;
			node->slot = (uint8_t)i;
			return node;
		}
	}
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		if (parse__slice_is(name, names[i])) {
			node->kind = N_NAME;
			node->which = (uint8_t)i;
			return node;
		}
	}
	for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
		if (parse__slice_is(name, types[i].text)) {
			node->kind = N_TYPE;
			node->which = (uint8_t)types[i].type;
			return node;
		}
	}
	node->text = parse__keep_text(p, name);
	return node;
}

/* ---- calls and macros ---- */

/* Reads the arguments up to the closing bracket. */
bool parse__args(struct parser *p, struct nodes *args)
{
	while (!p->failed && !parse__is_op(p, ')')) {
		if (!parse__add(p, args, parse__expr(p)))
			return false;
		if (!parse__take_op(p, ','))
			break;
	}
	return parse__expect_op(p, ')', "',' or ')'");
}

/* matches() with a literal: compiled once, and wrong ones are found here. */
static struct node *compile_regex(struct parser *p, struct node *call)
{
	const struct node *arg = call->args[1];
	struct expr *expr = p->expr;
	struct err err;

	if (arg->kind != N_LITERAL || arg->literal.tag != V_STRING)
		return call;
	if ((expr->n_regexes & (expr->n_regexes - 1)) == 0) {
		size_t cap = expr->n_regexes ? expr->n_regexes * 2 : 1;
		struct regex **list = arena__alloc(&expr->arena, cap * sizeof(struct regex *));

		if (!list)
			return parse__no_memory(p);
		if (expr->n_regexes)
			memcpy(list, expr->regexes, expr->n_regexes * sizeof(struct regex *));
		expr->regexes = list;
	}
	if (regex_compile(arg->literal.s, &call->regex, &err) < 0)
		return parse__fail(p, arg->start, "%s", err.text);
	expr->regexes[expr->n_regexes++] = call->regex;
	return call;
}

struct node *parse__call(struct parser *p, size_t start, struct slice name, size_t name_at,
						 enum fn_style style, struct nodes args)
{
	struct node *node = parse__node(p, N_CALL_UNKNOWN, start, args);

	if (!node)
		return NULL;
	for (size_t i = 0; i < FN_COUNT; i++) {
		const struct fn_info *fn = &expr__functions[i];
		int shown = (int)args.n - (style == METHOD), receiver = style == METHOD;

		if (!parse__slice_is(name, fn->name) || !(fn->style & style))
			continue;
		if ((int)args.n < fn->min || (int)args.n > fn->max)
			return parse__fail(p, name_at, "%s() takes %d%s%.0d argument%s, not %d", fn->name,
							   fn->min - receiver, fn->max > fn->min ? " or more, at most " : "",
							   fn->max > fn->min ? fn->max - receiver : 0,
							   fn->max - receiver == 1 ? "" : "s", shown);
		node->kind = N_CALL;
		node->which = (uint8_t)i;
		return i == FN_MATCHES ? compile_regex(p, node) : node;
	}
	node->text = parse__keep_text(p, name);
	node->slot = style;
	return node;
}

static struct node *parse_has(struct parser *p, size_t start)
{
	struct node *arg = parse__expr(p);

	if (!arg || !parse__expect_op(p, ')', "')'"))
		return NULL;
	if (arg->kind != N_SELECT && arg->kind != N_SELECT_OPT)
		return parse__fail(
			p, arg->start,
			"has() asks for a field, as in has(input.note); for a key write \"key\" in map");
	arg->kind = N_HAS;
	arg->start = (uint16_t)start;
	return arg;
}

int parse__macro_of(struct slice name)
{
	static const struct {
		const char *name;
		enum macro macro;
	} macros[] = {
		{"all", MACRO_ALL},
		{"exists", MACRO_EXISTS},
		{"exists_one", MACRO_EXISTS_ONE},
		{"existsOne", MACRO_EXISTS_ONE},
		{"map", MACRO_MAP},
		{"filter", MACRO_FILTER},
		{"optMap", MACRO_OPT_MAP},
		{"optFlatMap", MACRO_OPT_FLAT_MAP},
	};

	for (size_t i = 0; i < ARRAY_SIZE(macros); i++) {
		if (parse__slice_is(name, macros[i].name))
			return (int)macros[i].macro;
	}
	return -1;
}

/* After "range.macro(": name, expression (map() may have two). */
struct node *parse__macro(struct parser *p, size_t start, enum macro macro, struct slice name,
						  struct node *range)
{
	struct nodes args = {0};
	struct node *node;
	uint32_t most = macro == MACRO_MAP ? 3 : 2;

	if (p->token.kind != TK_NAME || is_reserved(p->token.text))
		return parse__fail(p, p->token.start,
						   "%.*s() wants a name for the element first, as in %.*s(x, …)",
						   (int)name.len, name.s, (int)name.len, name.s);
	if (p->n_vars == EXPR__MAX_VARS)
		return parse__fail(p, p->token.start, "the expression is nested too deeply");
	p->vars[p->n_vars++] = p->token.text;
	parse__next(p);
	if (!parse__expect_op(p, ',', "','") || !parse__add(p, &args, range) || !parse__args(p, &args))
		return NULL;
	p->n_vars--;
	if (args.n < 2 || args.n > most)
		return parse__fail(p, start, "%.*s() takes a name and %s", (int)name.len, name.s,
						   most == 3 ? "one or two expressions" : "one expression");
	node = parse__node(p, N_MACRO, start, args);
	if (node) {
		node->which = macro;
		node->slot = (uint8_t)p->n_vars;
	}
	return node;
}

/* A name at the beginning: a variable, a function, or optional.of and its like. */
static struct node *parse_name(struct parser *p)
{
	size_t start = p->token.start;
	struct slice name = p->token.text;
	struct nodes args = {0};

	if (parse__slice_is(name, "true") || parse__slice_is(name, "false")) {
		parse__next(p);
		return literal(p, start, (struct val){.tag = V_BOOL, .b = *name.s == 't'});
	}
	if (parse__slice_is(name, "null")) {
		parse__next(p);
		return literal(p, start, (struct val){.tag = V_NULL});
	}
	if (is_reserved(name))
		return parse__fail(p, start, "`%.*s` is a reserved word", (int)name.len, name.s);
	parse__next(p);
	if (parse__slice_is(name, "not") && p->token.kind == TK_NAME)
		return parse__fail(p, start, "`not` is written !");
	if (parse__slice_is(name, "optional") && parse__is_op(p, '.')) {
		parse__next(p);
		name.len = p->token.end - start;
		if (p->token.kind != TK_NAME)
			return parse__unexpected(p, "of, ofNonZeroValue or none");
		parse__next(p);
		if (!parse__is_op(p, '('))
			return parse__unexpected(p, "'('");
	}
	if (!parse__take_op(p, '('))
		return name_node(p, start, name);
	if (parse__slice_is(name, "has"))
		return parse_has(p, start);
	if (!parse__args(p, &args))
		return NULL;
	return parse__call(p, start, name, start, GLOBAL, args);
}

struct node *parse__primary(struct parser *p)
{
	size_t start = p->token.start;
	struct node *node;

	switch (p->token.kind) {
	case TK_NAME:
		return parse_name(p);
	case TK_INT:
		return parse__int(p, start, false);
	case TK_DOUBLE:
		return parse__double(p, start, false);
	case TK_STRING:
		return parse_string(p);
	case TK_OP:
		if (parse__take_op(p, '(')) {
			node = parse__expr(p);
			return parse__expect_op(p, ')', "')'") ? node : NULL;
		}
		if (parse__take_op(p, '['))
			return parse_list(p, start);
		if (parse__take_op(p, '{'))
			return parse_map(p, start);
		break;
	case TK_END:
	case TK_QUOTED:
	case TK_ERROR:
		break;
	}
	return parse__unexpected(p, "a value");
}
