/*
 * The table of functions, arithmetic, and the conversions between types. Strings are
 * expr_string.c, times expr_time.c.
 */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "sagas/expr_priv.h"
#include "sagas/json_text.h"

const struct fn_info expr__functions[FN_COUNT] = {
#define X(id, name, style, min, max, a0, a1, a2, a3, result)                                       \
	[id] = {name, style, min, max, {a0, a1, a2, a3}, result},
	EXPR_FUNCTIONS(X)
#undef X
};

/* ---- arithmetic ---- */

static bool is_number(const struct val *v)
{
	return v->tag == V_INT || v->tag == V_DOUBLE;
}

static double as_double(const struct val *v)
{
	return v->tag == V_INT ? (double)v->i : v->d;
}

static char operator_of(const struct node *node)
{
	switch (node->kind) {
	case N_SUBTRACT:
		return '-';
	case N_MULTIPLY:
		return '*';
	case N_DIVIDE:
		return '/';
	case N_MODULO:
		return '%';
	}
	/* sum() adds, too. */
	return '+';
}

static int fail_operands(struct eval *ev, const struct node *node, const struct val *a,
						 const struct val *b)
{
	return expr__fail(ev, node, "%s %c %s is not defined", val__type_text(a), operator_of(node),
					  val__type_text(b));
}

static int int_arithmetic(struct eval *ev, const struct node *node, int64_t a, int64_t b,
						  int64_t *ret_value)
{
	bool overflow = false;

	switch (operator_of(node)) {
	case '+':
		overflow = __builtin_add_overflow(a, b, ret_value);
		break;
	case '-':
		overflow = __builtin_sub_overflow(a, b, ret_value);
		break;
	case '*':
		overflow = __builtin_mul_overflow(a, b, ret_value);
		break;
	default:
		if (b == 0)
			return expr__fail(ev, node, "division by zero");
		/* The one quotient that does not fit; its remainder would trap as well. */
		overflow = a == INT64_MIN && b == -1;
		if (!overflow)
			*ret_value = operator_of(node) == '/' ? a / b : a % b;
	}
	if (overflow)
		return expr__fail(ev, node, "integer overflow");
	return 0;
}

static double double_arithmetic(const struct node *node, double a, double b)
{
	switch (operator_of(node)) {
	case '+':
		return a + b;
	case '-':
		return a - b;
	case '*':
		return a * b;
	default:
		return a / b;
	}
}

/* An integer beside a double is promoted; % is for integers. */
int expr__arithmetic(struct eval *ev, const struct node *node, const struct val *a,
					 const struct val *b, struct val *ret_value)
{
	if (a->tag == V_INT && b->tag == V_INT) {
		*ret_value = (struct val){.tag = V_INT};
		return int_arithmetic(ev, node, a->i, b->i, &ret_value->i);
	}
	if (is_number(a) && is_number(b) && node->kind != N_MODULO) {
		*ret_value = (struct val){
			.tag = V_DOUBLE,
			.d = double_arithmetic(node, as_double(a), as_double(b)),
		};
		return 0;
	}
	if ((a->tag == V_TIMESTAMP || a->tag == V_DURATION) &&
		(b->tag == V_TIMESTAMP || b->tag == V_DURATION))
		return expr__time_arithmetic(ev, node, a, b, ret_value);
	return fail_operands(ev, node, a, b);
}

static int concat_strings(struct eval *ev, const struct node *node, const struct val *a,
						  const struct val *b, struct val *ret_value)
{
	struct slice x = val__slice(a), y = val__slice(b);
	char *text;
	int r;

	r = expr__charge_bytes(ev, node, x.len + y.len);
	if (r < 0)
		return r;
	text = arena__alloc(&ev->arena, x.len + y.len);
	if (!text)
		return expr__no_memory(ev, node);
	memcpy(text, x.s, x.len);
	memcpy(text + x.len, y.s, y.len);
	*ret_value = (struct val){.tag = V_STRING, .s = text, .len = (uint32_t)(x.len + y.len)};
	return 0;
}

static int concat_lists(struct eval *ev, const struct node *node, const struct val *a,
						const struct val *b, struct val *ret_value)
{
	size_t x = val__size(a), y = val__size(b);
	struct val_list *list;
	int r;

	r = expr__charge(ev, node, (x + y) / 16);
	if (r < 0)
		return r;
	list = arena__alloc(&ev->arena, sizeof(*list) + (x + y) * sizeof(struct val));
	if (!list)
		return expr__no_memory(ev, node);
	list->n = x + y;
	for (size_t i = 0; i < x; i++)
		list->items[i] = val__list_get(a, i);
	for (size_t i = 0; i < y; i++)
		list->items[x + i] = val__list_get(b, i);
	*ret_value = (struct val){.tag = V_LIST, .list = list};
	return 0;
}

int expr__add(struct eval *ev, const struct node *node, const struct val *a, const struct val *b,
			  struct val *ret_value)
{
	if (val__is_string(a) && val__is_string(b))
		return concat_strings(ev, node, a, b, ret_value);
	if (val__is_list(a) && val__is_list(b))
		return concat_lists(ev, node, a, b, ret_value);
	return expr__arithmetic(ev, node, a, b, ret_value);
}

static int call_sum(struct eval *ev, const struct node *node, const struct val *of, struct val *out)
{
	struct val sum = {.tag = V_INT};
	size_t n;
	int r;

	if (!val__is_list(of))
		return expr__no_overload(ev, node, of);
	n = val__size(of);
	r = expr__charge(ev, node, n / 4);
	for (size_t i = 0; i < n && r == 0; i++) {
		struct val v = val__list_get(of, i), so_far = sum;

		if (!is_number(&v) && v.tag != V_DURATION)
			return expr__fail(ev, node,
							  "sum() adds numbers or durations, and element %zu is of "
							  "type %s",
							  i, val__type_text(&v));
		if (i == 0)
			sum = v;
		else
			r = expr__arithmetic(ev, node, &so_far, &v, &sum);
	}
	*out = sum;
	return r;
}

/* ---- conversions ---- */

static int keep_string(struct eval *ev, const struct node *node, const char *text, size_t len,
					   struct val *out)
{
	char *copy = arena__alloc(&ev->arena, len);

	if (!copy)
		return expr__no_memory(ev, node);
	memcpy(copy, text, len);
	*out = (struct val){.tag = V_STRING, .s = copy, .len = (uint32_t)len};
	return 0;
}

static int to_string(struct eval *ev, const struct node *node, const struct val *v, struct val *out)
{
	char text[VAL__TIME_SIZE];
	size_t len;

	switch ((enum val_tag)v->tag) {
	case V_STRING:
	case V_JSTRING:
		*out = *v;
		return 0;
	case V_BOOL:
		*out = (struct val){.tag = V_STRING, .s = v->b ? "true" : "false", .len = v->b ? 4 : 5};
		return 0;
	case V_INT:
		return keep_string(ev, node, text,
						   (size_t)snprintf(text, sizeof(text), "%lld", (long long)v->i), out);
	case V_DOUBLE:
		if (!isfinite(v->d))
			return expr__fail(ev, node, "a number that is not finite has no text");
		len = json_format_real(v->d, text);
		/* A text needs no ".0" to say what it is, and CEL writes none. */
		if (len > 2 && memcmp(text + len - 2, ".0", 2) == 0)
			len -= 2;
		return keep_string(ev, node, text, len, out);
	case V_TIMESTAMP:
	case V_DURATION:
		return keep_string(ev, node, text, val__time_text(v, text), out);
	case V_NULL:
	case V_LIST:
	case V_JLIST:
	case V_MAP:
	case V_JMAP:
	case V_OPTIONAL:
	case V_TYPE:
		break;
	}
	return expr__no_overload(ev, node, v);
}

/* A number from text: nothing but the number, and it fits. */
static int parse_number(struct eval *ev, const struct node *node, const struct val *v,
						bool want_int, struct val *out)
{
	struct slice text = val__slice(v);
	char copy[128], *end = copy;
	bool digits = false;

	if (text.len > 0 && text.len < sizeof(copy)) {
		memcpy(copy, text.s, text.len);
		copy[text.len] = '\0';
		digits = strspn(copy, want_int ? "+-0123456789" : "+-0123456789.eE") == text.len;
	}
	errno = 0;
	*out = (struct val){.tag = want_int ? V_INT : V_DOUBLE};
	if (digits && want_int)
		out->i = strtoll(copy, &end, 10);
	else if (digits)
		out->d = strtod(copy, &end);
	if (!digits || end == copy || *end || (want_int && errno) || (!want_int && !isfinite(out->d)))
		return expr__fail(ev, node, "\"%.*s\" is not %s", (int)(text.len > 60 ? 60 : text.len),
						  text.s, want_int ? "an integer of 64 bits" : "a number");
	return 0;
}

static int to_int(struct eval *ev, const struct node *node, const struct val *v, struct val *out)
{
	if (val__is_string(v))
		return parse_number(ev, node, v, true, out);
	if (v->tag == V_DOUBLE) {
		/* The ends themselves are left out, as CEL does: what rounds to them may lie beyond. */
		if (!(v->d > -0x1p63 && v->d < 0x1p63))
			return expr__fail(ev, node, "this double does not fit into 64 bits");
		*out = (struct val){.tag = V_INT, .i = (int64_t)v->d};
		return 0;
	}
	if (v->tag != V_INT && v->tag != V_TIMESTAMP)
		return expr__no_overload(ev, node, v);
	*out = (struct val){.tag = V_INT, .i = v->i};
	return 0;
}

static int to_double(struct eval *ev, const struct node *node, const struct val *v, struct val *out)
{
	if (val__is_string(v))
		return parse_number(ev, node, v, false, out);
	if (!is_number(v))
		return expr__no_overload(ev, node, v);
	*out = (struct val){.tag = V_DOUBLE, .d = as_double(v)};
	return 0;
}

static int to_bool(struct eval *ev, const struct node *node, const struct val *v, struct val *out)
{
	static const char *const words[] = {"true",  "True",  "TRUE",  "t", "1",
										"false", "False", "FALSE", "f", "0"};
	struct slice text;

	*out = *v;
	if (v->tag == V_BOOL)
		return 0;
	if (!val__is_string(v))
		return expr__no_overload(ev, node, v);
	text = val__slice(v);
	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		if (strlen(words[i]) == text.len && memcmp(words[i], text.s, text.len) == 0) {
			*out = (struct val){.tag = V_BOOL, .b = i < ARRAY_SIZE(words) / 2};
			return 0;
		}
	}
	return expr__fail(ev, node, "\"%.*s\" is neither true nor false",
					  (int)(text.len > 60 ? 60 : text.len), text.s);
}

static int call_type(const struct val *v, struct val *out)
{
	*out = (struct val){
		.tag = V_TYPE,
		.i = v->tag == V_OPTIONAL ? EXPR__T_OPTIONAL : (int)val__type(v),
	};
	return 0;
}

/* ---- dispatch ---- */

int expr__no_overload(struct eval *ev, const struct node *node, const struct val *args)
{
	const struct fn_info *fn = &expr__functions[node->which];
	char types[200] = "";
	size_t len = 0;

	for (uint32_t i = 0; i < node->n && i < 4 && len < sizeof(types) - 20; i++)
		len += (size_t)snprintf(types + len, sizeof(types) - len, "%s%s", i ? ", " : "",
								val__type_text(&args[i]));
	return expr__fail(ev, node, "%s() is not defined for %s", fn->name, types);
}

/* The argument types of the table hold for every function that has no say of its own. */
static bool args_fit(const struct node *node, const struct val *args)
{
	const struct fn_info *fn = &expr__functions[node->which];

	for (uint32_t i = 0; i < node->n; i++) {
		if (args[i].tag == V_OPTIONAL || args[i].tag == V_TYPE) {
			if (!(fn->args[i] & T_(ANY)))
				return false;
		} else if (!(fn->args[i] & (1u << val__type(&args[i])))) {
			return false;
		}
	}
	return true;
}

int expr__call(struct eval *ev, const struct node *node, const struct val *args,
			   struct val *ret_value)
{
	if (!args_fit(node, args))
		return expr__no_overload(ev, node, args);
	switch (node->which) {
	case FN_SIZE:
		if (val__is_string(&args[0]))
			return expr__call_string(ev, node, args, ret_value);
		*ret_value = (struct val){.tag = V_INT, .i = (int64_t)val__size(&args[0])};
		return 0;
	case FN_SUM:
		return call_sum(ev, node, &args[0], ret_value);
	case FN_INT:
		return to_int(ev, node, &args[0], ret_value);
	case FN_DOUBLE:
		return to_double(ev, node, &args[0], ret_value);
	case FN_STRING:
		return to_string(ev, node, &args[0], ret_value);
	case FN_BOOL:
		return to_bool(ev, node, &args[0], ret_value);
	case FN_DYN:
		*ret_value = args[0];
		return 0;
	case FN_TYPE:
		return call_type(&args[0], ret_value);
	}
	if (node->which >= FN_TIMESTAMP && node->which <= FN_MILLISECONDS)
		return expr__call_time(ev, node, args, ret_value);
	return expr__call_string(ev, node, args, ret_value);
}
