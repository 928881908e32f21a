/*
 * The check of operators and functions. A type is a set of possible ones, and only what cannot fit
 * in any case is an error.
 */
#include <stdio.h>
#include <string.h>

#include "sagas/expr_check_priv.h"

static const char *operator_text(const struct node *node)
{
	static const char *const texts[] = {
		[N_ADD] = "+",
		[N_SUBTRACT] = "-",
		[N_MULTIPLY] = "*",
		[N_DIVIDE] = "/",
		[N_MODULO] = "%",
		[N_EQUAL] = "==",
		[N_NOT_EQUAL] = "!=",
		[N_LESS] = "<",
		[N_LESS_EQUAL] = "<=",
		[N_GREATER] = ">",
		[N_GREATER_EQUAL] = ">=",
		[N_IN] = "in",
		[N_AND] = "&&",
		[N_OR] = "||",
		[N_NOT] = "!",
		[N_NEGATE] = "-",
	};

	return texts[node->kind];
}

/* The possible results of a op b, or 0. */
static unsigned arithmetic_mask(enum node_kind kind, unsigned a, unsigned b)
{
	unsigned result = 0;

	if ((a & T_(INT)) && (b & T_(INT)))
		result |= T_(INT);
	if (kind == N_MODULO)
		return result;
	if (((a | b) & T_(DOUBLE)) && (a & T_NUM) && (b & T_NUM))
		result |= T_(DOUBLE);
	if (kind == N_ADD) {
		result |= a & b & (T_(STRING) | T_(LIST) | T_(DURATION));
		if ((a & T_(TIMESTAMP) && b & T_(DURATION)) || (a & T_(DURATION) && b & T_(TIMESTAMP)))
			result |= T_(TIMESTAMP);
	} else if (kind == N_SUBTRACT) {
		result |= a & b & T_(DURATION);
		if (a & b & T_(TIMESTAMP))
			result |= T_(DURATION);
		if (a & T_(TIMESTAMP) && b & T_(DURATION))
			result |= T_(TIMESTAMP);
	}
	return result;
}

/* Types between which == can be true; ints and doubles are one kind, and null may always be asked
 * for. */
static bool may_be_equal(unsigned a, unsigned b)
{
	if ((a | b) & (T_(NULL) | T_(ANY)))
		return true;
	if (a & T_NUM)
		a |= T_NUM;
	return a & b;
}

static bool may_be_ordered(unsigned a, unsigned b)
{
	if ((a & T_NUM) && (b & T_NUM))
		return true;
	return a & b & (T_(STRING) | T_(BOOL) | T_(TIMESTAMP) | T_(DURATION));
}

static void report_operands(struct check *c, const struct node *node, unsigned a, unsigned b,
							const char *why)
{
	char left[128], right[128];

	check__report(c, node, "%s %s %s %s", check__mask_text(a, left), operator_text(node),
				  check__mask_text(b, right), why);
}

static struct ctype check_binary(struct check *c, const struct node *node)
{
	struct ctype a = check__node(c, node->args[0]), b = check__node(c, node->args[1]);
	enum node_kind kind = (enum node_kind)node->kind;
	struct ctype type = {.mask = T_(BOOL)};
	bool both_optional = a.optional == OPT_YES && b.optional == OPT_YES;

	if ((kind == N_EQUAL || kind == N_NOT_EQUAL) && both_optional)
		return type;
	if (a.optional == OPT_YES || b.optional == OPT_YES) {
		check__wants(c, node->args[0], &a, T_ALL, operator_text(node));
		check__wants(c, node->args[1], &b, T_ALL, operator_text(node));
		if (kind >= N_ADD && kind <= N_MODULO)
			return CTYPE_ANY;
		return type;
	}
	if (kind >= N_ADD && kind <= N_MODULO) {
		type.mask = arithmetic_mask(kind, a.mask, b.mask);
		if (type.mask == 0) {
			report_operands(c, node, a.mask, b.mask, "is not defined");
			return CTYPE_ANY;
		}
	} else if (kind == N_IN) {
		check__wants(c, node->args[1], &b, T_(LIST) | T_(MAP), "what stands after `in`");
	} else if (kind == N_EQUAL || kind == N_NOT_EQUAL) {
		if (!may_be_equal(a.mask, b.mask))
			report_operands(c, node, a.mask, b.mask, "compares types that are never equal");
	} else if (!may_be_ordered(a.mask, b.mask)) {
		report_operands(c, node, a.mask, b.mask, "is not defined");
	}
	return type;
}

static struct ctype check_condition(struct check *c, const struct node *node)
{
	struct ctype condition = check__node(c, node->args[0]);
	struct ctype yes = check__node(c, node->args[1]), no = check__node(c, node->args[2]);

	check__wants(c, node->args[0], &condition, T_(BOOL), "condition");
	if (yes.schema != no.schema)
		yes.schema = NULL;
	if (yes.optional != no.optional)
		yes.optional = OPT_UNKNOWN;
	yes.mask |= no.mask;
	return yes;
}

struct ctype check__operator(struct check *c, const struct node *node)
{
	struct ctype type;

	switch ((enum node_kind)node->kind) {
	case N_AND:
	case N_OR:
		for (uint32_t i = 0; i < node->n; i++) {
			type = check__node(c, node->args[i]);
			check__wants(c, node->args[i], &type, T_(BOOL), operator_text(node));
		}
		return (struct ctype){.mask = T_(BOOL)};
	case N_NOT:
		type = check__node(c, node->args[0]);
		check__wants(c, node->args[0], &type, T_(BOOL), "!");
		return (struct ctype){.mask = T_(BOOL)};
	case N_NEGATE:
		type = check__node(c, node->args[0]);
		check__wants(c, node->args[0], &type, T_NUM | T_(DURATION), "-");
		type.mask &= T_NUM | T_(DURATION);
		return type.mask ? (struct ctype){.mask = type.mask} : CTYPE_ANY;
	case N_CONDITION:
		return check_condition(c, node);
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
	case N_LITERAL:
	case N_NAME:
	case N_OTHER:
	case N_TYPE:
	case N_VAR:
	case N_SELECT:
	case N_SELECT_OPT:
	case N_HAS:
	case N_INDEX:
	case N_INDEX_OPT:
	case N_CALL:
	case N_CALL_UNKNOWN:
	case N_LIST:
	case N_MAP:
	case N_MACRO:
		break;
	}
	return check_binary(c, node);
}

/* ---- functions ---- */

static const struct fn_info *function_named(const char *name)
{
	for (size_t i = 0; name && i < FN_COUNT; i++) {
		if (strcmp(expr__functions[i].name, name) == 0)
			return &expr__functions[i];
	}
	return NULL;
}

/* The function that was probably meant, written as it is called. */
static void report_unknown_call(struct check *c, const struct node *node)
{
	const struct fn_info *fn = function_named(node->text.s);
	static const char *const macros[] = {"all", "exists", "exists_one", "map", "filter"};
	struct suggest suggest;

	if (fn) {
		check__report(c, node,
					  node->slot == GLOBAL ? "%s() is called on a value, as in x.%s()"
										   : "%s() is not called on a value; write %s(x)",
					  fn->name, fn->name);
		return;
	}
	suggest_init(&suggest, node->text.s, node->text.len);
	for (size_t i = 0; i < FN_COUNT; i++)
		suggest_offer(&suggest, expr__functions[i].name);
	for (size_t i = 0; i < ARRAY_SIZE(macros); i++)
		suggest_offer(&suggest, macros[i]);
	fn = function_named(suggest.best);
	if (fn)
		check__report(c, node, "there is no function %.100s() (did you mean %s%s()?)", node->text.s,
					  fn->style == METHOD ? "x." : "", fn->name);
	else if (suggest.best)
		check__report(c, node, "there is no function %.100s() (did you mean x.%s()?)", node->text.s,
					  suggest.best);
	else
		check__report(c, node, "there is no function %.100s()", node->text.s);
}

static struct ctype check_unknown_call(struct check *c, const struct node *node)
{
	report_unknown_call(c, node);
	for (uint32_t i = 0; i < node->n; i++)
		check__node(c, node->args[i]);
	return CTYPE_ANY;
}

/* or, orValue, hasValue, value. A name alone counts as an optional: it may have no value. */
static struct ctype check_optional_call(struct check *c, const struct node *node)
{
	struct ctype of = check__node(c, node->args[0]), other = of;

	if (of.optional == OPT_NO && node->args[0]->kind != N_NAME)
		check__report(c, node,
					  "%s() belongs to an optional, such as x.?y; this value is always there or an "
					  "error",
					  expr__functions[node->which].name);
	if (node->n > 1)
		other = check__node(c, node->args[1]);
	of.mask |= other.mask;
	if (of.schema != other.schema)
		of.schema = NULL;
	of.optional = OPT_NO;
	if (node->which == FN_HAS_VALUE)
		return (struct ctype){.mask = T_(BOOL)};
	if (node->which == FN_OR) {
		if (other.optional == OPT_NO)
			check__report(c, node->args[1],
						  "or() takes another optional; a plain value goes into orValue()");
		of.optional = OPT_YES;
	} else if (node->which == FN_OR_VALUE) {
		of.optional = other.optional;
	}
	return of;
}

struct ctype check__call(struct check *c, const struct node *node)
{
	const struct fn_info *fn = &expr__functions[node->which];
	struct ctype type = CTYPE_ANY;
	char what[64];

	if (node->kind == N_CALL_UNKNOWN)
		return check_unknown_call(c, node);
	if (node->which >= FN_OR)
		return check_optional_call(c, node);
	for (uint32_t i = 0; i < node->n; i++) {
		type = check__node(c, node->args[i]);
		snprintf(what, sizeof(what), "%s()", fn->name);
		/* dyn, type and optional.of take an optional as well. */
		if (fn->args[i] != T_ALL)
			check__wants(c, node->args[i], &type, fn->args[i], what);
	}
	if (node->which == FN_DYN)
		return CTYPE_ANY;
	if (node->which == FN_OPT_OF || node->which == FN_OPT_NON_ZERO || node->which == FN_OPT_NONE)
		return (struct ctype){.mask = node->n ? type.mask : T_ALL, .optional = OPT_YES};
	return (struct ctype){.mask = fn->result};
}
