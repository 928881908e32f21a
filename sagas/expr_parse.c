/*
 * From text to tree: operators by climbing precedence, so that a level of brackets costs few levels
 * of recursion, and what follows a value. Values themselves, calls and macros are
 * expr_parse_value.c.
 */
#include <stdio.h>
#include <string.h>

#include "sagas/expr_parse_priv.h"

struct node *parse__fail(struct parser *p, size_t at, const char *fmt, ...)
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

struct node *parse__no_memory(struct parser *p)
{
	if (!p->failed)
		p->no_memory = err_set(p->err, ERR_NO_MEMORY, "no memory for the expression");
	p->failed = true;
	return NULL;
}

void parse__next(struct parser *p)
{
	expr__lex(&p->lex, &p->token);
	if (p->token.kind == TK_ERROR)
		parse__fail(p, p->lex.error_at, "%s", p->lex.error);
}

bool parse__is_op(const struct parser *p, int op)
{
	return p->token.kind == TK_OP && p->token.op == op;
}

bool parse__take_op(struct parser *p, int op)
{
	if (!parse__is_op(p, op))
		return false;
	parse__next(p);
	return true;
}

bool parse__slice_is(struct slice s, const char *text)
{
	return strlen(text) == s.len && memcmp(s.s, text, s.len) == 0;
}

struct node *parse__unexpected(struct parser *p, const char *wanted)
{
	if (p->token.kind == TK_END)
		return parse__fail(p, p->token.start, "the expression ends where %s should follow", wanted);
	if (p->token.kind == TK_NAME && parse__slice_is(p->token.text, "and"))
		return parse__fail(p, p->token.start, "`and` is written &&");
	if (p->token.kind == TK_NAME && parse__slice_is(p->token.text, "or"))
		return parse__fail(p, p->token.start, "`or` is written ||");
	return parse__fail(p, p->token.start, "`%.*s` where %s should follow",
					   (int)(p->token.end - p->token.start), p->lex.text + p->token.start, wanted);
}

bool parse__expect_op(struct parser *p, int op, const char *wanted)
{
	if (parse__take_op(p, op))
		return true;
	parse__unexpected(p, wanted);
	return false;
}

bool parse__add(struct parser *p, struct nodes *nodes, struct node *node)
{
	if (!node)
		return false;
	if (nodes->n == nodes->cap) {
		uint32_t cap = nodes->cap ? nodes->cap * 2 : 4;
		struct node **list = arena__alloc(&p->expr->arena, cap * sizeof(struct node *));

		if (!list) {
			parse__no_memory(p);
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
struct node *parse__node(struct parser *p, enum node_kind kind, size_t start, struct nodes children)
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
		return parse__fail(p, start, "the expression is nested too deeply");
	node = arena__alloc(&p->expr->arena, sizeof(*node));
	if (!node)
		return parse__no_memory(p);
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

struct node *parse__node_of(struct parser *p, enum node_kind kind, size_t start, struct node *a,
							struct node *b, struct node *c)
{
	struct node *const children[] = {a, b, c};
	struct nodes nodes = {0};

	for (size_t i = 0; i < ARRAY_SIZE(children) && children[i]; i++) {
		if (!parse__add(p, &nodes, children[i]))
			return NULL;
	}
	return parse__node(p, kind, start, nodes);
}

struct slice parse__keep_text(struct parser *p, struct slice text)
{
	char *copy = arena__alloc(&p->expr->arena, text.len + 1);

	if (!copy) {
		parse__no_memory(p);
		return (struct slice){"", 0};
	}
	memcpy(copy, text.s, text.len);
	copy[text.len] = '\0';
	return (struct slice){copy, text.len};
}

/* ---- what follows a value: fields, indexes, methods ---- */

static struct node *select_node(struct parser *p, size_t start, enum node_kind kind,
								struct node *of, struct slice field)
{
	struct node *node = parse__node_of(p, kind, start, of, NULL, NULL);

	if (node)
		node->text = parse__keep_text(p, field);
	return node;
}

/* After the point. */
static struct node *parse_field(struct parser *p, size_t start, struct node *of)
{
	bool maybe = parse__take_op(p, '?');
	size_t name_at = p->token.start;
	struct slice name = p->token.text;
	struct nodes args = {0};
	int macro;

	if (p->token.kind != TK_NAME && p->token.kind != TK_QUOTED)
		return parse__unexpected(p, "the name of a field");
	if (p->token.kind == TK_NAME &&
		(parse__slice_is(name, "true") || parse__slice_is(name, "false") ||
		 parse__slice_is(name, "null") || parse__slice_is(name, "in")))
		return parse__fail(p, name_at, "`%.*s` is a reserved word; write [\"%.*s\"]", (int)name.len,
						   name.s, (int)name.len, name.s);
	if (p->token.kind == TK_QUOTED || maybe) {
		parse__next(p);
		return select_node(p, start, maybe ? N_SELECT_OPT : N_SELECT, of, name);
	}
	parse__next(p);
	if (!parse__take_op(p, '('))
		return select_node(p, start, N_SELECT, of, name);
	macro = parse__macro_of(name);
	if (macro >= 0)
		return parse__macro(p, start, (enum macro)macro, name, of);
	if (!parse__add(p, &args, of) || !parse__args(p, &args))
		return NULL;
	return parse__call(p, start, name, name_at, METHOD, args);
}

static struct node *parse_index(struct parser *p, size_t start, struct node *of)
{
	bool maybe = parse__take_op(p, '?');
	struct node *index = parse__expr(p);

	if (!index || !parse__expect_op(p, ']', "']'"))
		return NULL;
	return parse__node_of(p, maybe ? N_INDEX_OPT : N_INDEX, start, of, index, NULL);
}

static struct node *parse_member(struct parser *p, struct node *node, size_t start)
{
	while (node && !p->failed) {
		if (parse__take_op(p, '.'))
			node = parse_field(p, start, node);
		else if (parse__take_op(p, '['))
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
		return parse__fail(p, start, "the expression is nested too deeply");
	if (parse__take_op(p, '!')) {
		node = parse_unary(p);
		node = node ? parse__node_of(p, N_NOT, start, node, NULL, NULL) : NULL;
	} else if (parse__take_op(p, '-')) {
		/* The smallest integer has no positive twin, so the sign belongs to the number. */
		if (p->token.kind == TK_INT)
			node = parse_member(p, parse__int(p, start, true), start);
		else if (p->token.kind == TK_DOUBLE)
			node = parse_member(p, parse__double(p, start, true), start);
		else {
			node = parse_unary(p);
			node = node ? parse__node_of(p, N_NEGATE, start, node, NULL, NULL) : NULL;
		}
	} else {
		node = parse_member(p, parse__primary(p), start);
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

	if (p->token.kind == TK_NAME && parse__slice_is(p->token.text, "in")) {
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
		parse__next(p);
		right = parse_binary(p, precedence + 1);
		left = right ? parse__node_of(p, kind, start, left, right, NULL) : NULL;
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

		if (!parse__add(p, &terms, term))
			return NULL;
	} while (parse__take_op(p, op));
	return terms.n == 1 ? terms.list[0] : parse__node(p, kind, start, terms);
}

struct node *parse__expr(struct parser *p)
{
	size_t start = p->token.start;
	struct node *condition, *yes, *no;

	if (++p->nesting > EXPR__MAX_NESTING)
		return parse__fail(p, start, "the expression is nested too deeply");
	condition = parse_logic(p, N_OR);
	if (condition && parse__take_op(p, '?')) {
		yes = parse_logic(p, N_OR);
		if (!yes || !parse__expect_op(p, ':', "':' and the other value"))
			return NULL;
		no = parse__expr(p);
		condition = no ? parse__node_of(p, N_CONDITION, start, condition, yes, no) : NULL;
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
	parse__next(&p);
	expr->root = parse__expr(&p);
	if (!p.failed && p.token.kind != TK_END)
		parse__unexpected(&p, "the end of the expression");
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
			return parse__slice_is(parent->text, field);
		if ((parent->kind == N_INDEX || parent->kind == N_INDEX_OPT) && parent->args[0] == node &&
			parent->args[1]->kind == N_LITERAL && parent->args[1]->literal.tag == V_STRING)
			return parse__slice_is(val__slice(&parent->args[1]->literal), field);
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
