/*
 * From text to tree. Precedence climbs, so that a level of brackets costs few levels of recursion;
 * names that macros bind are resolved to slots here, and names of the language to their constants,
 * so evaluation compares no names.
 */
#include <stdio.h>
#include <string.h>

#include "sagas/expr_priv.h"

struct parser {
	struct lexer lex;
	struct token token; /* the next one, not yet taken */
	struct expr *expr;
	struct err *err;
	bool failed, no_memory;
	int nesting;
	size_t n_vars;
	struct slice vars[EXPR__MAX_VARS];
};

/* A list of nodes while its length is not known. */
struct nodes {
	struct node **list;
	uint32_t n, cap;
};

static struct node *parse_expr(struct parser *p);

static struct node *fail_at(struct parser *p, size_t at, const char *fmt, ...) PRINTF_LIKE(3, 4);
static struct node *fail_at(struct parser *p, size_t at, const char *fmt, ...)
{
	va_list args;

	/* The first error is the one that explains the others. */
	if (p->failed)
		return NULL;
	p->failed = true;
	if (!p->err)
		return NULL;
	va_start(args, fmt);
	err_vset(p->err, ERR_INVALID, fmt, args);
	va_end(args);
	snprintf(p->err->place, sizeof(p->err->place), "column %zu", expr__column(p->lex.text, at));
	return NULL;
}

static struct node *fail_no_memory(struct parser *p)
{
	if (!p->failed)
		p->no_memory = err_set(p->err, ERR_NO_MEMORY, "no memory for the expression");
	p->failed = true;
	return NULL;
}

static void next(struct parser *p)
{
	expr__lex(&p->lex, &p->token);
	if (p->token.kind == TK_ERROR)
		fail_at(p, p->lex.error_at, "%s", p->lex.error);
}

static bool is_op(const struct parser *p, int op)
{
	return p->token.kind == TK_OP && p->token.op == op;
}

static bool take_op(struct parser *p, int op)
{
	if (!is_op(p, op))
		return false;
	next(p);
	return true;
}

static bool slice_is(struct slice s, const char *text)
{
	return strlen(text) == s.len && memcmp(s.s, text, s.len) == 0;
}

static struct node *fail_unexpected(struct parser *p, const char *wanted)
{
	if (p->token.kind == TK_END)
		return fail_at(p, p->token.start, "the expression ends where %s should follow", wanted);
	if (p->token.kind == TK_NAME && slice_is(p->token.text, "and"))
		return fail_at(p, p->token.start, "`and` is written &&");
	if (p->token.kind == TK_NAME && slice_is(p->token.text, "or"))
		return fail_at(p, p->token.start, "`or` is written ||");
	return fail_at(p, p->token.start, "`%.*s` where %s should follow",
				   (int)(p->token.end - p->token.start), p->lex.text + p->token.start, wanted);
}

static bool expect_op(struct parser *p, int op, const char *wanted)
{
	if (take_op(p, op))
		return true;
	fail_unexpected(p, wanted);
	return false;
}

static bool nodes_add(struct parser *p, struct nodes *nodes, struct node *node)
{
	if (!node)
		return false;
	if (nodes->n == nodes->cap) {
		uint32_t cap = nodes->cap ? nodes->cap * 2 : 4;
		struct node **list = arena__alloc(&p->expr->arena, cap * sizeof(struct node *));

		if (!list) {
			fail_no_memory(p);
			return false;
		}
		if (nodes->n)
			memcpy(list, nodes->list, nodes->n * sizeof(*list));
		nodes->list = list;
		nodes->cap = cap;
	}
	nodes->list[nodes->n++] = node;
	return true;
}

/* A node over children, which may be NULL after an error; then so is the node. */
static struct node *node_over(struct parser *p, enum node_kind kind, size_t start,
							  struct nodes children)
{
	struct node *node;
	uint16_t depth = 0;

	if (p->failed)
		return NULL;
	for (uint32_t i = 0; i < children.n; i++) {
		if (children.list[i]->depth > depth)
			depth = children.list[i]->depth;
	}
	if (depth >= EXPR__MAX_DEPTH)
		return fail_at(p, start, "the expression is nested too deeply");
	node = arena__alloc(&p->expr->arena, sizeof(*node));
	if (!node)
		return fail_no_memory(p);
	*node = (struct node){
		.kind = kind,
		.depth = depth + 1,
		.start = (uint16_t)start,
		.end = (uint16_t)p->token.start,
		.n = children.n,
		.args = children.list,
	};
	/* The next token has been read already; blanks before it are not part of this node. */
	while (node->end > node->start && strchr(" \t\r\n\f", p->lex.text[node->end - 1]))
		node->end--;
	return node;
}

static struct node *node_of(struct parser *p, enum node_kind kind, size_t start, struct node *a,
							struct node *b, struct node *c)
{
	struct node *const children[] = {a, b, c};
	struct nodes nodes = {0};

	for (size_t i = 0; i < ARRAY_SIZE(children) && children[i]; i++) {
		if (!nodes_add(p, &nodes, children[i]))
			return NULL;
	}
	return node_over(p, kind, start, nodes);
}

static struct slice keep_text(struct parser *p, struct slice text)
{
	char *copy = arena__alloc(&p->expr->arena, text.len + 1);

	if (!copy) {
		fail_no_memory(p);
		return (struct slice){"", 0};
	}
	memcpy(copy, text.s, text.len);
	copy[text.len] = '\0';
	return (struct slice){copy, text.len};
}

/* ---- primary expressions ---- */

static struct node *literal(struct parser *p, size_t start, struct val value)
{
	struct node *node = node_over(p, N_LITERAL, start, (struct nodes){0});

	if (node)
		node->literal = value;
	return node;
}

static struct node *parse_int(struct parser *p, size_t start, bool negative)
{
	uint64_t i = p->token.i;

	if (i > (uint64_t)INT64_MAX + negative)
		return fail_at(p, start, "this integer does not fit into 64 bits");
	next(p);
	return literal(p, start, (struct val){.tag = V_INT, .i = (int64_t)(negative ? -i : i)});
}

static struct node *parse_double(struct parser *p, size_t start, bool negative)
{
	double d = p->token.d;

	next(p);
	return literal(p, start, (struct val){.tag = V_DOUBLE, .d = negative ? -d : d});
}

static struct node *parse_string(struct parser *p)
{
	size_t start = p->token.start;
	char *out = arena__alloc(&p->expr->arena, p->token.text.len + 1);
	ptrdiff_t len;

	if (!out)
		return fail_no_memory(p);
	len = expr__unescape(&p->lex, &p->token, out);
	if (len < 0)
		return fail_at(p, p->lex.error_at, "%s", p->lex.error);
	out[len] = '\0';
	next(p);
	return literal(p, start, (struct val){.tag = V_STRING, .s = out, .len = (uint32_t)len});
}

static struct node *parse_list(struct parser *p, size_t start)
{
	struct nodes elements = {0};

	while (!p->failed && !is_op(p, ']')) {
		bool maybe = take_op(p, '?');
		struct node *element = parse_expr(p);

		if (!nodes_add(p, &elements, element))
			return NULL;
		element->maybe = maybe;
		if (!take_op(p, ','))
			break;
	}
	if (!expect_op(p, ']', "',' or ']'"))
		return NULL;
	return node_over(p, N_LIST, start, elements);
}

static struct node *parse_map(struct parser *p, size_t start)
{
	struct nodes entries = {0};

	while (!p->failed && !is_op(p, '}')) {
		bool maybe = take_op(p, '?');
		struct node *value;

		if (!nodes_add(p, &entries, parse_expr(p)) ||
			!expect_op(p, ':', "':' and the value of this key"))
			return NULL;
		value = parse_expr(p);
		if (!nodes_add(p, &entries, value))
			return NULL;
		value->maybe = maybe;
		if (!take_op(p, ','))
			break;
	}
	if (!expect_op(p, '}', "',' or '}'"))
		return NULL;
	return node_over(p, N_MAP, start, entries);
}

static bool is_reserved(struct slice name)
{
	static const char *const words[] = {
		"as",  "break", "const",   "continue",  "else",   "for", "function", "if",    "import",
		"let", "loop",  "package", "namespace", "return", "var", "void",     "while", "in",
	};

	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		if (slice_is(name, words[i]))
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
	struct node *node = node_over(p, N_OTHER, start, (struct nodes){0});

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
		if (slice_is(name, names[i])) {
			node->kind = N_NAME;
			node->which = (uint8_t)i;
			return node;
		}
	}
	for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
		if (slice_is(name, types[i].text)) {
			node->kind = N_TYPE;
			node->which = (uint8_t)types[i].type;
			return node;
		}
	}
	node->text = keep_text(p, name);
	return node;
}

/* ---- calls and macros ---- */

/* Reads the arguments up to the closing bracket. */
static bool parse_args(struct parser *p, struct nodes *args)
{
	while (!p->failed && !is_op(p, ')')) {
		if (!nodes_add(p, args, parse_expr(p)))
			return false;
		if (!take_op(p, ','))
			break;
	}
	return expect_op(p, ')', "',' or ')'");
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
			return fail_no_memory(p);
		if (expr->n_regexes)
			memcpy(list, expr->regexes, expr->n_regexes * sizeof(struct regex *));
		expr->regexes = list;
	}
	if (regex_compile(arg->literal.s, &call->regex, &err) < 0)
		return fail_at(p, arg->start, "%s", err.text);
	expr->regexes[expr->n_regexes++] = call->regex;
	return call;
}

static struct node *call_node(struct parser *p, size_t start, struct slice name, size_t name_at,
							  enum fn_style style, struct nodes args)
{
	struct node *node = node_over(p, N_CALL_UNKNOWN, start, args);

	if (!node)
		return NULL;
	for (size_t i = 0; i < FN_COUNT; i++) {
		const struct fn_info *fn = &expr__functions[i];
		int shown = (int)args.n - (style == METHOD), receiver = style == METHOD;

		if (!slice_is(name, fn->name) || !(fn->style & style))
			continue;
		if ((int)args.n < fn->min || (int)args.n > fn->max)
			return fail_at(p, name_at, "%s() takes %d%s%.0d argument%s, not %d", fn->name,
						   fn->min - receiver, fn->max > fn->min ? " or more, at most " : "",
						   fn->max > fn->min ? fn->max - receiver : 0,
						   fn->max - receiver == 1 ? "" : "s", shown);
		node->kind = N_CALL;
		node->which = (uint8_t)i;
		return i == FN_MATCHES ? compile_regex(p, node) : node;
	}
	node->text = keep_text(p, name);
	node->slot = style;
	return node;
}

static struct node *parse_has(struct parser *p, size_t start)
{
	struct node *arg = parse_expr(p);

	if (!arg || !expect_op(p, ')', "')'"))
		return NULL;
	if (arg->kind != N_SELECT && arg->kind != N_SELECT_OPT)
		return fail_at(
			p, arg->start,
			"has() asks for a field, as in has(input.note); for a key write \"key\" in map");
	arg->kind = N_HAS;
	arg->start = (uint16_t)start;
	return arg;
}

static int macro_of(struct slice name)
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
		if (slice_is(name, macros[i].name))
			return (int)macros[i].macro;
	}
	return -1;
}

/* After "range.macro(": name, expression (map() may have two). */
static struct node *parse_macro(struct parser *p, size_t start, enum macro macro, struct slice name,
								struct node *range)
{
	struct nodes args = {0};
	struct node *node;
	uint32_t most = macro == MACRO_MAP ? 3 : 2;

	if (p->token.kind != TK_NAME || is_reserved(p->token.text))
		return fail_at(p, p->token.start,
					   "%.*s() wants a name for the element first, as in %.*s(x, …)", (int)name.len,
					   name.s, (int)name.len, name.s);
	if (p->n_vars == EXPR__MAX_VARS)
		return fail_at(p, p->token.start, "the expression is nested too deeply");
	p->vars[p->n_vars++] = p->token.text;
	next(p);
	if (!expect_op(p, ',', "','") || !nodes_add(p, &args, range) || !parse_args(p, &args))
		return NULL;
	p->n_vars--;
	if (args.n < 2 || args.n > most)
		return fail_at(p, start, "%.*s() takes a name and %s", (int)name.len, name.s,
					   most == 3 ? "one or two expressions" : "one expression");
	node = node_over(p, N_MACRO, start, args);
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

	if (slice_is(name, "true") || slice_is(name, "false")) {
		next(p);
		return literal(p, start, (struct val){.tag = V_BOOL, .b = *name.s == 't'});
	}
	if (slice_is(name, "null")) {
		next(p);
		return literal(p, start, (struct val){.tag = V_NULL});
	}
	if (is_reserved(name))
		return fail_at(p, start, "`%.*s` is a reserved word", (int)name.len, name.s);
	next(p);
	if (slice_is(name, "not") && p->token.kind == TK_NAME)
		return fail_at(p, start, "`not` is written !");
	if (slice_is(name, "optional") && is_op(p, '.')) {
		next(p);
		name.len = p->token.end - start;
		if (p->token.kind != TK_NAME)
			return fail_unexpected(p, "of, ofNonZeroValue or none");
		next(p);
		if (!is_op(p, '('))
			return fail_unexpected(p, "'('");
	}
	if (!take_op(p, '('))
		return name_node(p, start, name);
	if (slice_is(name, "has"))
		return parse_has(p, start);
	if (!parse_args(p, &args))
		return NULL;
	return call_node(p, start, name, start, GLOBAL, args);
}

static struct node *parse_primary(struct parser *p)
{
	size_t start = p->token.start;
	struct node *node;

	switch (p->token.kind) {
	case TK_NAME:
		return parse_name(p);
	case TK_INT:
		return parse_int(p, start, false);
	case TK_DOUBLE:
		return parse_double(p, start, false);
	case TK_STRING:
		return parse_string(p);
	case TK_OP:
		if (take_op(p, '(')) {
			node = parse_expr(p);
			return expect_op(p, ')', "')'") ? node : NULL;
		}
		if (take_op(p, '['))
			return parse_list(p, start);
		if (take_op(p, '{'))
			return parse_map(p, start);
		break;
	case TK_END:
	case TK_QUOTED:
	case TK_ERROR:
		break;
	}
	return fail_unexpected(p, "a value");
}

/* ---- what follows a value: fields, indexes, methods ---- */

static struct node *select_node(struct parser *p, size_t start, enum node_kind kind,
								struct node *of, struct slice field)
{
	struct node *node = node_of(p, kind, start, of, NULL, NULL);

	if (node)
		node->text = keep_text(p, field);
	return node;
}

/* After the point. */
static struct node *parse_field(struct parser *p, size_t start, struct node *of)
{
	bool maybe = take_op(p, '?');
	size_t name_at = p->token.start;
	struct slice name = p->token.text;
	struct nodes args = {0};
	int macro;

	if (p->token.kind != TK_NAME && p->token.kind != TK_QUOTED)
		return fail_unexpected(p, "the name of a field");
	if (p->token.kind == TK_NAME && (slice_is(name, "true") || slice_is(name, "false") ||
									 slice_is(name, "null") || slice_is(name, "in")))
		return fail_at(p, name_at, "`%.*s` is a reserved word; write [\"%.*s\"]", (int)name.len,
					   name.s, (int)name.len, name.s);
	if (p->token.kind == TK_QUOTED || maybe) {
		next(p);
		return select_node(p, start, maybe ? N_SELECT_OPT : N_SELECT, of, name);
	}
	next(p);
	if (!take_op(p, '('))
		return select_node(p, start, N_SELECT, of, name);
	macro = macro_of(name);
	if (macro >= 0)
		return parse_macro(p, start, (enum macro)macro, name, of);
	if (!nodes_add(p, &args, of) || !parse_args(p, &args))
		return NULL;
	return call_node(p, start, name, name_at, METHOD, args);
}

static struct node *parse_index(struct parser *p, size_t start, struct node *of)
{
	bool maybe = take_op(p, '?');
	struct node *index = parse_expr(p);

	if (!index || !expect_op(p, ']', "']'"))
		return NULL;
	return node_of(p, maybe ? N_INDEX_OPT : N_INDEX, start, of, index, NULL);
}

static struct node *parse_member(struct parser *p, struct node *node, size_t start)
{
	while (node && !p->failed) {
		if (take_op(p, '.'))
			node = parse_field(p, start, node);
		else if (take_op(p, '['))
			node = parse_index(p, start, node);
		else
			return node;
	}
	return NULL;
}

/* ---- operators ---- */

static struct node *parse_unary(struct parser *p)
{
	size_t start = p->token.start;
	struct node *node;

	if (++p->nesting > EXPR__MAX_NESTING)
		return fail_at(p, start, "the expression is nested too deeply");
	if (take_op(p, '!')) {
		node = parse_unary(p);
		node = node ? node_of(p, N_NOT, start, node, NULL, NULL) : NULL;
	} else if (take_op(p, '-')) {
		/* The smallest integer has no positive twin, so the sign belongs to the number. */
		if (p->token.kind == TK_INT)
			node = parse_member(p, parse_int(p, start, true), start);
		else if (p->token.kind == TK_DOUBLE)
			node = parse_member(p, parse_double(p, start, true), start);
		else {
			node = parse_unary(p);
			node = node ? node_of(p, N_NEGATE, start, node, NULL, NULL) : NULL;
		}
	} else {
		node = parse_member(p, parse_primary(p), start);
	}
	p->nesting--;
	return node;
}

static int binary_op(const struct parser *p, enum node_kind *ret_kind)
{
	static const struct {
		int op, precedence;
		enum node_kind kind;
	} ops[] = {
		{OP2('=', '='), 1, N_EQUAL},
		{OP2('!', '='), 1, N_NOT_EQUAL},
		{'<', 1, N_LESS},
		{OP2('<', '='), 1, N_LESS_EQUAL},
		{'>', 1, N_GREATER},
		{OP2('>', '='), 1, N_GREATER_EQUAL},
		{'+', 2, N_ADD},
		{'-', 2, N_SUBTRACT},
		{'*', 3, N_MULTIPLY},
		{'/', 3, N_DIVIDE},
		{'%', 3, N_MODULO},
	};

	if (p->token.kind == TK_NAME && slice_is(p->token.text, "in")) {
		*ret_kind = N_IN;
		return 1;
	}
	for (size_t i = 0; p->token.kind == TK_OP && i < ARRAY_SIZE(ops); i++) {
		if (ops[i].op == p->token.op) {
			*ret_kind = ops[i].kind;
			return ops[i].precedence;
		}
	}
	return 0;
}

static struct node *parse_binary(struct parser *p, int min_precedence)
{
	size_t start = p->token.start;
	struct node *left = parse_unary(p);

	while (left && !p->failed) {
		enum node_kind kind;
		int precedence = binary_op(p, &kind);
		struct node *right;

		if (precedence < min_precedence || precedence == 0)
			return left;
		next(p);
		right = parse_binary(p, precedence + 1);
		left = right ? node_of(p, kind, start, left, right, NULL) : NULL;
	}
	return NULL;
}

/* a && b && c is one node, and so is a || b || c. */
static struct node *parse_logic(struct parser *p, enum node_kind kind)
{
	const int op = kind == N_OR ? OP2('|', '|') : OP2('&', '&');
	size_t start = p->token.start;
	struct nodes terms = {0};

	do {
		struct node *term = kind == N_OR ? parse_logic(p, N_AND) : parse_binary(p, 1);

		if (!nodes_add(p, &terms, term))
			return NULL;
	} while (take_op(p, op));
	return terms.n == 1 ? terms.list[0] : node_over(p, kind, start, terms);
}

static struct node *parse_expr(struct parser *p)
{
	size_t start = p->token.start;
	struct node *condition, *yes, *no;

	if (++p->nesting > EXPR__MAX_NESTING)
		return fail_at(p, start, "the expression is nested too deeply");
	condition = parse_logic(p, N_OR);
	if (condition && take_op(p, '?')) {
		yes = parse_logic(p, N_OR);
		if (!yes || !expect_op(p, ':', "':' and the other value"))
			return NULL;
		no = parse_expr(p);
		condition = no ? node_of(p, N_CONDITION, start, condition, yes, no) : NULL;
	}
	p->nesting--;
	return condition;
}

/* ---- the public face ---- */

int expr_parse(const char *text, size_t len, struct expr **ret_expr, struct err *err)
{
	CLEANUP(expr_free_p) struct expr *expr = NULL;
	struct parser p = {.err = err};

	if (len > EXPR_MAX_LENGTH)
		return err_set_at(err, ERR_INVALID, "column 1", "the expression is longer than %d bytes",
						  EXPR_MAX_LENGTH);
	expr = calloc(1, sizeof(*expr));
	if (!expr)
		return err_set(err, ERR_NO_MEMORY, "no memory for the expression");
	arena__init(&expr->arena, NULL, 0, EXPR__TREE_MEMORY);
	expr->text = arena__alloc(&expr->arena, len + 1);
	if (!expr->text)
		return err_set(err, ERR_NO_MEMORY, "no memory for the expression");
	memcpy(expr->text, text, len);
	expr->text[len] = '\0';
	expr->len = len;
	p.expr = expr;
	p.lex = (struct lexer){.text = expr->text, .len = len};
	next(&p);
	expr->root = parse_expr(&p);
	if (!p.failed && p.token.kind != TK_END)
		fail_unexpected(&p, "the end of the expression");
	if (p.failed || !expr->root)
		return p.no_memory ? ERR_NO_MEMORY : ERR_INVALID;
	*ret_expr = TAKE(expr);
	return 0;
}

void expr_free(struct expr *expr)
{
	if (!expr)
		return;
	for (size_t i = 0; i < expr->n_regexes; i++)
		regex_free(expr->regexes[i]);
	arena__release(&expr->arena);
	free(expr);
}

const char *expr_text(const struct expr *expr)
{
	return expr->text;
}

/* Walks down to where `name` is read; a field of it is read by the select or index above. */
static bool node_reads(const struct node *node, const struct node *parent, enum expr_name name,
					   const char *field)
{
	if (node->kind == N_NAME && node->which == name) {
		if (!field || !parent)
			return true;
		if (parent->kind == N_SELECT || parent->kind == N_SELECT_OPT || parent->kind == N_HAS)
			return slice_is(parent->text, field);
		if ((parent->kind == N_INDEX || parent->kind == N_INDEX_OPT) && parent->args[0] == node &&
			parent->args[1]->kind == N_LITERAL && parent->args[1]->literal.tag == V_STRING)
			return slice_is(val__slice(&parent->args[1]->literal), field);
		return true;
	}
	for (uint32_t i = 0; i < node->n; i++) {
		if (node_reads(node->args[i], node, name, field))
			return true;
	}
	return false;
}

bool expr_reads(const struct expr *expr, enum expr_name name, const char *field)
{
	return node_reads(expr->root, NULL, name, field);
}
