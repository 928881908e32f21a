/* Lists and maps, macros over them, and the methods of optionals. */
#include "sagas/expr_priv.h"

/* An element written ?x: false in *ret_present when it gives nothing. */
static int unwrap_maybe(struct eval *ev, const struct node *node, struct val *v, bool *ret_present)
{
	*ret_present = true;
	if (!node->maybe)
		return 0;
	if (v->tag != V_OPTIONAL)
		return expr__fail(ev, node, "after ? stands an optional, not %s", val__type_text(v));
	*ret_present = v->opt != NULL;
	if (v->opt)
		*v = *v->opt;
	return 0;
}

int expr__eval_list(struct eval *ev, const struct node *node, struct val *out)
{
	struct val_list *list = arena__alloc(&ev->arena, sizeof(*list) + node->n * sizeof(struct val));
	bool present = true;
	int r;

	if (!list)
		return expr__no_memory(ev, node);
	list->n = 0;
	for (uint32_t i = 0; i < node->n; i++) {
		r = expr__eval(ev, node->args[i], &list->items[list->n]);
		if (r == 0)
			r = unwrap_maybe(ev, node->args[i], &list->items[list->n], &present);
		if (r < 0)
			return r;
		list->n += present;
	}
	*out = (struct val){.tag = V_LIST, .list = list};
	return 0;
}

int expr__eval_map(struct eval *ev, const struct node *node, struct val *out)
{
	size_t most = node->n / 2;
	struct val_map *map = arena__alloc(&ev->arena, sizeof(*map) + most * sizeof(struct val_entry));
	int r;

	if (!map)
		return expr__no_memory(ev, node);
	map->n = 0;
	*out = (struct val){.tag = V_MAP, .map = map};
	for (uint32_t i = 0; i < node->n; i += 2) {
		struct val_entry *entry = &map->entries[map->n];
		struct val other;
		bool present = true;

		r = expr__eval(ev, node->args[i], &entry->key);
		if (r == 0)
			r = expr__eval(ev, node->args[i + 1], &entry->value);
		if (r == 0)
			r = unwrap_maybe(ev, node->args[i + 1], &entry->value, &present);
		if (r == 0)
			r = expr__charge(ev, node, map->n / 16);
		if (r < 0)
			return r;
		if (!val__is_string(&entry->key) && entry->key.tag != V_INT && entry->key.tag != V_BOOL)
			return expr__fail(ev, node->args[i], "a key cannot be of type %s",
							  val__type_text(&entry->key));
		if (present && val__map_get(out, &entry->key, &other))
			return expr__fail(ev, node->args[i], "the key `%.*s` stands twice in a map",
							  SOURCE(ev, node->args[i]));
		map->n += present;
	}
	return 0;
}

/* What a macro runs over: the elements of a list, or the keys of a map. */
struct range {
	struct val of;
	size_t n, at;
	void *iter; /* of a JSON object */
};

static struct val range_next(struct range *range)
{
	struct val v;
	const char *key;

	switch (range->of.tag) {
	case V_MAP:
		v = range->of.map->entries[range->at].key;
		break;
	case V_JMAP:
		key = json_object_iter_key(range->iter);
		v = (struct val){
			.tag = V_STRING,
			.s = key,
			.len = (uint32_t)json_object_iter_key_len(range->iter),
		};
		range->iter = json_object_iter_next(range->of.json, range->iter);
		break;
	default:
		v = val__list_get(&range->of, range->at);
	}
	range->at++;
	return v;
}

/* all, exists, exists_one. The first two absorb errors as && and || do. */
static int eval_quantifier(struct eval *ev, const struct node *node, struct range *range,
						   struct val *out)
{
	size_t n_true = 0;
	int pending = 0, r;
	struct val v;

	while (range->at < range->n) {
		ev->vars[node->slot] = range_next(range);
		r = expr__eval(ev, node->args[1], &v);
		if (r == 0 && v.tag != V_BOOL)
			r = expr__fail(ev, node->args[1], "`%.*s` is of type %s, not bool",
						   SOURCE(ev, node->args[1]), val__type_text(&v));
		if (r < 0 && (!expr__is_absorbable(r) || node->which == MACRO_EXISTS_ONE))
			return r;
		if (r < 0) {
			pending = r;
		} else if (node->which == MACRO_EXISTS_ONE) {
			n_true += v.b;
		} else if (v.b == (node->which == MACRO_EXISTS)) {
			*out = v;
			return 0;
		}
	}
	*out = (struct val){.tag = V_BOOL};
	out->b = node->which == MACRO_ALL || (node->which == MACRO_EXISTS_ONE && n_true == 1);
	return pending;
}

/* map and filter. map(x, condition, value) does both. */
static int eval_transform(struct eval *ev, const struct node *node, struct range *range,
						  struct val *out)
{
	const struct node *condition =
		node->which == MACRO_FILTER || node->n == 3 ? node->args[1] : NULL;
	struct val_list *list = arena__alloc(&ev->arena, sizeof(*list) + range->n * sizeof(struct val));
	struct val v;
	int r;

	if (!list)
		return expr__no_memory(ev, node);
	list->n = 0;
	while (range->at < range->n) {
		struct val element = range_next(range);

		ev->vars[node->slot] = element;
		if (condition) {
			r = expr__eval(ev, condition, &v);
			if (r < 0)
				return r;
			if (v.tag != V_BOOL)
				return expr__fail(ev, condition, "`%.*s` is of type %s, not bool",
								  SOURCE(ev, condition), val__type_text(&v));
			if (!v.b)
				continue;
		}
		if (node->which == MACRO_MAP) {
			r = expr__eval(ev, node->args[node->n - 1], &element);
			if (r < 0)
				return r;
		}
		list->items[list->n++] = element;
	}
	*out = (struct val){.tag = V_LIST, .list = list};
	return 0;
}

/* optMap(x, value) and optFlatMap(x, optional): nothing stays nothing. */
static int eval_opt_map(struct eval *ev, const struct node *node, const struct val *of,
						struct val *out)
{
	struct val v;
	int r;

	if (of->tag != V_OPTIONAL)
		return expr__fail(ev, node, "optMap() and optFlatMap() want an optional, not %s",
						  val__type_text(of));
	*out = *of;
	if (!of->opt)
		return 0;
	ev->vars[node->slot] = *of->opt;
	r = expr__eval(ev, node->args[1], &v);
	if (r < 0)
		return r;
	if (node->which == MACRO_OPT_MAP)
		return expr__make_optional(ev, node, &v, out);
	if (v.tag != V_OPTIONAL)
		return expr__fail(ev, node, "optFlatMap() wants an expression that gives an optional");
	*out = v;
	return 0;
}

int expr__eval_macro(struct eval *ev, const struct node *node, struct val *out)
{
	struct range range = {0};
	int r;

	r = expr__eval(ev, node->args[0], &range.of);
	if (r < 0)
		return r;
	if (node->which == MACRO_OPT_MAP || node->which == MACRO_OPT_FLAT_MAP)
		return eval_opt_map(ev, node, &range.of, out);
	if (!val__is_list(&range.of) && !val__is_map(&range.of))
		return expr__fail(ev, node, "`%.*s` is of type %s, not a list or map",
						  SOURCE(ev, node->args[0]), val__type_text(&range.of));
	range.n = val__size(&range.of);
	if (range.of.tag == V_JMAP)
		range.iter = json_object_iter(range.of.json);
	if (node->which == MACRO_MAP || node->which == MACRO_FILTER)
		return eval_transform(ev, node, &range, out);
	return eval_quantifier(ev, node, &range, out);
}

/* or, orValue, hasValue, value: what is not needed is not evaluated. */
int expr__eval_optional_call(struct eval *ev, const struct node *node, struct val *out)
{
	struct val of;
	int r;

	r = expr__eval_lenient(ev, node->args[0], &of);
	if (r < 0)
		return r;
	/* A name may have no value, so it counts as an optional even where it has one. */
	if (of.tag != V_OPTIONAL && node->args[0]->kind == N_NAME) {
		r = expr__make_optional(ev, node, &of, &of);
		if (r < 0)
			return r;
	}
	if (of.tag != V_OPTIONAL)
		return expr__fail(ev, node, "%s() wants an optional such as x.?y, and `%.*s` is of type %s",
						  expr__functions[node->which].name, SOURCE(ev, node->args[0]),
						  val__type_text(&of));
	switch (node->which) {
	case FN_HAS_VALUE:
		*out = (struct val){.tag = V_BOOL, .b = of.opt != NULL};
		return 0;
	case FN_OR:
		*out = of;
		if (of.opt)
			return 0;
		r = expr__eval_lenient(ev, node->args[1], out);
		if (r == 0 && out->tag != V_OPTIONAL)
			return expr__fail(ev, node->args[1],
							  "or() wants another optional; a plain value goes into orValue()");
		return r;
	case FN_OR_VALUE:
		if (!of.opt)
			return expr__eval(ev, node->args[1], out);
		break;
	}
	if (!of.opt)
		return expr__fail(ev, node, "`%.*s` gives nothing", SOURCE(ev, node->args[0]));
	*out = *of.opt;
	return 0;
}
