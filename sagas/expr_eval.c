/*
 * Evaluation walks the tree. Each node takes a step of the budget, and work that grows with the
 * data (comparing, copying, searching) takes more, so that the budget bounds the time.
 *
 * && and || absorb errors as CEL has it: `false && error` and `error && false` are both false. An
 * exhausted budget is never absorbed.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "sagas/expr_priv.h"

const char *expr_type_text(enum expr_type type)
{
	static const char *const texts[] = {
		"any", "null", "bool", "int", "double", "string", "list", "map", "timestamp", "duration",
	};

	return texts[type];
}

/* ---- errors and the budget ---- */

PRINTF_LIKE(4, 0)
static int vfail(struct eval *ev, const struct node *node, enum err_code code, const char *fmt,
				 va_list args)
{
	if (!ev->err)
		return code;
	err_vset(ev->err, code, fmt, args);
	snprintf(ev->err->place, sizeof(ev->err->place), "column %zu",
			 expr__column(ev->expr->text, node->start));
	return code;
}

int expr__fail(struct eval *ev, const struct node *node, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vfail(ev, node, ERR_INVALID, fmt, args);
	va_end(args);
	return ERR_INVALID;
}

static int fail_code(struct eval *ev, const struct node *node, enum err_code code, const char *fmt,
					 ...) PRINTF_LIKE(4, 5);
static int fail_code(struct eval *ev, const struct node *node, enum err_code code, const char *fmt,
					 ...)
{
	va_list args;

	va_start(args, fmt);
	vfail(ev, node, code, fmt, args);
	va_end(args);
	return code;
}

int expr__no_memory(struct eval *ev, const struct node *node)
{
	if (ev->arena.full)
		return fail_code(ev, node, ERR_LIMIT, "the evaluation needs more than %d MiB",
						 EXPR__MAX_MEMORY / 1024 / 1024);
	return fail_code(ev, node, ERR_NO_MEMORY, "no memory for the evaluation");
}

int expr__charge(struct eval *ev, const struct node *node, size_t steps)
{
	if (steps <= ev->budget) {
		ev->budget -= (unsigned)steps;
		return 0;
	}
	ev->budget = 0;
	return fail_code(ev, node, ERR_LIMIT, "the evaluation takes more than %u steps",
					 ev->env->budget ? ev->env->budget : EXPR_BUDGET);
}

int expr__charge_bytes(struct eval *ev, const struct node *node, size_t n)
{
	return expr__charge(ev, node, n / EXPR__BYTES_PER_STEP);
}

bool expr__is_absorbable(int r)
{
	return r == ERR_INVALID;
}

/* ---- names, fields, indexes ---- */

static int eval_name(struct eval *ev, const struct node *node, struct val *out)
{
	json_t *json = NULL;

	if (node->kind == N_NAME)
		json = ev->env->get ? ev->env->get(ev->env->ctx, (enum expr_name)node->which) : NULL;
	else if (ev->env->other)
		json = ev->env->other(ev->env->ctx, node->text.s);
	if (!json)
		return expr__fail(ev, node, "`%.*s` has no value here", SOURCE(ev, node));
	*out = val__from_json(json);
	return 0;
}

/* What stands before .?x or in has(): a name without value gives nothing, and that is no error. */
int expr__eval_lenient(struct eval *ev, const struct node *node, struct val *out)
{
	if (node->kind == N_NAME && ev->env->get &&
		!ev->env->get(ev->env->ctx, (enum expr_name)node->which)) {
		*out = (struct val){.tag = V_OPTIONAL};
		return expr__charge(ev, node, 1);
	}
	return expr__eval(ev, node, out);
}

int expr__make_optional(struct eval *ev, const struct node *node, const struct val *v,
						struct val *out)
{
	struct val *kept = arena__alloc(&ev->arena, sizeof(*kept));

	if (!kept)
		return expr__no_memory(ev, node);
	*kept = *v;
	*out = (struct val){.tag = V_OPTIONAL, .opt = kept};
	return 0;
}

/* of.field or of[key]: false in *ret_found when there is no such thing. */
static int look_up(struct eval *ev, const struct node *node, const struct val *of,
				   const struct val *key, struct val *out, bool *ret_found)
{
	int64_t i;

	if (val__is_map(of)) {
		if (!val__is_string(key) && key->tag != V_INT && key->tag != V_BOOL && key->tag != V_DOUBLE)
			return expr__fail(ev, node, "a key cannot be of type %s", val__type_text(key));
		*ret_found = val__map_get(of, key, out);
		return of->tag == V_MAP ? expr__charge(ev, node, of->map->n / 16) : 0;
	}
	if (!val__is_list(of))
		return expr__fail(ev, node, "`%.*s` is of type %s and has no %s", SOURCE(ev, node->args[0]),
						  val__type_text(of),
						  node->kind == N_INDEX || node->kind == N_INDEX_OPT ? "elements"
																			 : "fields");
	if (node->kind != N_INDEX && node->kind != N_INDEX_OPT)
		return expr__fail(ev, node, "`%.*s` is a list and has no fields; an element is `[0]`",
						  SOURCE(ev, node->args[0]));
	if (key->tag == V_INT)
		i = key->i;
	else if (key->tag == V_DOUBLE && fabs(key->d) < 0x1p31 && key->d == trunc(key->d))
		i = (int64_t)key->d;
	else
		return expr__fail(ev, node, "the index of a list is an int, not %s", val__type_text(key));
	*ret_found = i >= 0 && (uint64_t)i < val__size(of);
	if (*ret_found)
		*out = val__list_get(of, (size_t)i);
	return 0;
}

static int fail_not_found(struct eval *ev, const struct node *node, const struct val *of,
						  const struct val *key)
{
	if (val__is_list(of))
		return expr__fail(ev, node, "`%.*s` has %zu elements, and none at %lld",
						  SOURCE(ev, node->args[0]), val__size(of),
						  (long long)(key->tag == V_INT ? key->i : (int64_t)key->d));
	if (val__is_string(key)) {
		struct slice name = val__slice(key);

		return expr__fail(ev, node, "`%.*s` has no field `%.*s`", SOURCE(ev, node->args[0]),
						  (int)(name.len > 100 ? 100 : name.len), name.s);
	}
	return expr__fail(ev, node, "`%.*s` has no such key", SOURCE(ev, node->args[0]));
}

/*
 * Fields and elements, plain (absent: an error) and optional (absent: nothing). After an optional
 * step the rest of the chain is optional as well, and null on the way counts as absent: services
 * write it for what is not there.
 */
static int eval_access(struct eval *ev, const struct node *node, struct val *out)
{
	bool maybe = node->kind == N_SELECT_OPT || node->kind == N_INDEX_OPT, found = false;
	struct val of, key, value;
	int r;

	r = maybe ? expr__eval_lenient(ev, node->args[0], &of) : expr__eval(ev, node->args[0], &of);
	if (r < 0)
		return r;
	if (node->kind == N_INDEX || node->kind == N_INDEX_OPT) {
		r = expr__eval(ev, node->args[1], &key);
		if (r < 0)
			return r;
	} else {
		key = (struct val){.tag = V_STRING, .s = node->text.s, .len = (uint32_t)node->text.len};
	}
	if (of.tag == V_OPTIONAL) {
		maybe = true;
		of = of.opt ? *of.opt : (struct val){.tag = V_NULL};
	}
	if (!maybe || of.tag != V_NULL) {
		r = look_up(ev, node, &of, &key, &value, &found);
		if (r < 0)
			return r;
	}
	if (found && maybe)
		return expr__make_optional(ev, node, &value, out);
	if (!found && !maybe)
		return fail_not_found(ev, node, &of, &key);
	*out = found ? value : (struct val){.tag = V_OPTIONAL};
	return 0;
}

static int eval_has(struct eval *ev, const struct node *node, struct val *out)
{
	struct val of, value;
	bool found = false;
	int r;

	r = expr__eval_lenient(ev, node->args[0], &of);
	if (r < 0)
		return r;
	if (of.tag == V_OPTIONAL)
		of = of.opt ? *of.opt : (struct val){.tag = V_NULL};
	if (val__is_map(&of))
		found = val__map_get_field(&of, node->text.s, node->text.len, &value);
	else if (of.tag != V_NULL)
		return expr__fail(ev, node, "`%.*s` is of type %s and has no fields",
						  SOURCE(ev, node->args[0]), val__type_text(&of));
	*out = (struct val){.tag = V_BOOL, .b = found};
	return 0;
}

/* ---- logic ---- */

static int eval_logic(struct eval *ev, const struct node *node, struct val *out)
{
	const bool decisive = node->kind == N_OR;
	int pending = 0, r;
	struct val v;

	for (uint32_t i = 0; i < node->n; i++) {
		r = expr__eval(ev, node->args[i], &v);
		if (r == 0 && v.tag != V_BOOL)
			r = expr__fail(ev, node->args[i], "%s wants bools, and `%.*s` is of type %s",
						   decisive ? "||" : "&&", SOURCE(ev, node->args[i]), val__type_text(&v));
		if (r < 0 && !expr__is_absorbable(r))
			return r;
		if (r < 0)
			pending = r;
		else if (v.b == decisive) {
			*out = v;
			return 0;
		}
	}
	*out = (struct val){.tag = V_BOOL, .b = !decisive};
	return pending;
}

static int eval_condition(struct eval *ev, const struct node *node, struct val *out)
{
	struct val v;
	int r;

	r = expr__eval(ev, node->args[0], &v);
	if (r < 0)
		return r;
	if (v.tag != V_BOOL)
		return expr__fail(ev, node, "before ? stands a bool, and `%.*s` is of type %s",
						  SOURCE(ev, node->args[0]), val__type_text(&v));
	return expr__eval(ev, node->args[v.b ? 1 : 2], out);
}

/* ---- operators ---- */

static int eval_unary(struct eval *ev, const struct node *node, struct val *out)
{
	int r;

	r = expr__eval(ev, node->args[0], out);
	if (r < 0)
		return r;
	if (node->kind == N_NOT && out->tag == V_BOOL)
		out->b = !out->b;
	else if (node->kind == N_NEGATE && out->tag == V_DOUBLE)
		out->d = -out->d;
	else if (node->kind == N_NEGATE && out->tag == V_DURATION) {
		out->i = -out->i;
		out->nanos = -out->nanos;
	} else if (node->kind == N_NEGATE && out->tag == V_INT) {
		if (__builtin_sub_overflow(0, out->i, &out->i))
			return expr__fail(ev, node, "integer overflow");
	} else
		return expr__fail(ev, node, "%s cannot be applied to %s",
						  node->kind == N_NOT ? "!" : "the sign -", val__type_text(out));
	return 0;
}

static int eval_in(struct eval *ev, const struct node *node, const struct val *args,
				   struct val *out)
{
	struct val value;
	bool found = false;
	int r;

	if (val__is_map(&args[1])) {
		found = val__map_get(&args[1], &args[0], &value);
	} else if (val__is_list(&args[1])) {
		size_t n = val__size(&args[1]);

		for (size_t i = 0; i < n && !found; i++) {
			value = val__list_get(&args[1], i);
			r = expr__equal(ev, node, &args[0], &value, &found);
			if (r < 0)
				return r;
		}
	} else {
		return expr__fail(ev, node, "after `in` stands a list or a map, not %s",
						  val__type_text(&args[1]));
	}
	*out = (struct val){.tag = V_BOOL, .b = found};
	return 0;
}

static int eval_order(struct eval *ev, const struct node *node, const struct val *args,
					  struct val *out)
{
	int order = val__compare(&args[0], &args[1]), r;
	bool holds = false;

	if (order == VAL__UNORDERED)
		return expr__fail(ev, node, "%s and %s cannot be compared by size",
						  val__type_text(&args[0]), val__type_text(&args[1]));
	if (val__is_string(&args[0])) {
		r = expr__charge_bytes(ev, node, val__slice(&args[0]).len);
		if (r < 0)
			return r;
	}
	if (node->kind == N_LESS)
		holds = order < 0;
	else if (node->kind == N_LESS_EQUAL)
		holds = order <= 0;
	else if (node->kind == N_GREATER)
		holds = order > 0;
	else
		holds = order >= 0;
	*out = (struct val){.tag = V_BOOL, .b = holds && order != VAL__NAN};
	return 0;
}

static int eval_binary(struct eval *ev, const struct node *node, struct val *out)
{
	struct val args[2];
	bool equal;
	int r;

	r = expr__eval(ev, node->args[0], &args[0]);
	if (r < 0)
		return r;
	r = expr__eval(ev, node->args[1], &args[1]);
	if (r < 0)
		return r;
	if (node->kind == N_EQUAL || node->kind == N_NOT_EQUAL) {
		r = expr__equal(ev, node, &args[0], &args[1], &equal);
		if (r == 0)
			*out = (struct val){.tag = V_BOOL, .b = equal == (node->kind == N_EQUAL)};
		return r;
	}
	if (node->kind == N_IN)
		return eval_in(ev, node, args, out);
	if (node->kind >= N_LESS && node->kind <= N_GREATER_EQUAL)
		return eval_order(ev, node, args, out);
	if (node->kind == N_ADD)
		return expr__add(ev, node, &args[0], &args[1], out);
	return expr__arithmetic(ev, node, &args[0], &args[1], out);
}

static int eval_call(struct eval *ev, const struct node *node, struct val *out)
{
	struct val args[4];
	int r;

	for (uint32_t i = 0; i < node->n; i++) {
		r = expr__eval(ev, node->args[i], &args[i]);
		if (r < 0)
			return r;
	}
	/* optionals have methods of their own, of which `or` must not look at what it does not need. */
	switch (node->which) {
	case FN_OPT_OF:
		return expr__make_optional(ev, node, &args[0], out);
	case FN_OPT_NON_ZERO:
		*out = (struct val){.tag = V_OPTIONAL};
		return val__is_zero(&args[0]) ? 0 : expr__make_optional(ev, node, &args[0], out);
	case FN_OPT_NONE:
		*out = (struct val){.tag = V_OPTIONAL};
		return 0;
	}
	return expr__call(ev, node, args, out);
}

int expr__eval(struct eval *ev, const struct node *node, struct val *out)
{
	if (ev->budget == 0)
		return expr__charge(ev, node, 1);
	ev->budget--;
	switch ((enum node_kind)node->kind) {
	case N_LITERAL:
		*out = node->literal;
		return 0;
	case N_NAME:
	case N_OTHER:
		return eval_name(ev, node, out);
	case N_TYPE:
		*out = (struct val){.tag = V_TYPE, .i = node->which};
		return 0;
	case N_VAR:
		*out = ev->vars[node->slot];
		return 0;
	case N_SELECT:
	case N_SELECT_OPT:
	case N_INDEX:
	case N_INDEX_OPT:
		return eval_access(ev, node, out);
	case N_HAS:
		return eval_has(ev, node, out);
	case N_CALL:
		if (node->which >= FN_OR)
			return expr__eval_optional_call(ev, node, out);
		return eval_call(ev, node, out);
	case N_CALL_UNKNOWN:
		return expr__fail(ev, node, "there is no function %s()", node->text.s);
	case N_AND:
	case N_OR:
		return eval_logic(ev, node, out);
	case N_NOT:
	case N_NEGATE:
		return eval_unary(ev, node, out);
	case N_CONDITION:
		return eval_condition(ev, node, out);
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
		return eval_binary(ev, node, out);
	case N_LIST:
		return expr__eval_list(ev, node, out);
	case N_MAP:
		return expr__eval_map(ev, node, out);
	case N_MACRO:
		return expr__eval_macro(ev, node, out);
	}
	return ERR_INTERNAL;
}

/* ---- the public face ---- */

int expr__eval_begin(struct eval *ev, const struct expr *expr, const struct expr_env *env,
					 struct val *ret_value, struct err *err)
{
	ev->expr = expr;
	ev->env = env;
	ev->err = err;
	ev->budget = env->budget ? env->budget : EXPR_BUDGET;
	arena__init(&ev->arena, ev->first, sizeof(ev->first), EXPR__MAX_MEMORY);
	return expr__eval(ev, expr->root, ret_value);
}

void expr__eval_end(struct eval *ev)
{
	arena__release(&ev->arena);
}

int expr_eval(const struct expr *expr, const struct expr_env *env, json_t **ret_value,
			  struct err *err)
{
	json_t *value = NULL;
	struct eval ev;
	struct val v;
	int r;

	r = expr__eval_begin(&ev, expr, env, &v, err);
	if (r == 0)
		r = expr__to_json(&ev, &v, &value);
	expr__eval_end(&ev);
	if (r == 0)
		*ret_value = value;
	return r;
}

int expr_eval_bool(const struct expr *expr, const struct expr_env *env, bool *ret_value,
				   struct err *err)
{
	struct eval ev;
	struct val v;
	int r;

	r = expr__eval_begin(&ev, expr, env, &v, err);
	if (r == 0 && v.tag == V_OPTIONAL && v.opt)
		v = *v.opt;
	if (r == 0 && v.tag != V_BOOL)
		r = expr__fail(&ev, expr->root, "a condition gives true or false, and this gives %s",
					   v.tag == V_OPTIONAL ? "nothing" : val__type_text(&v));
	expr__eval_end(&ev);
	if (r == 0)
		*ret_value = v.b;
	return r;
}
