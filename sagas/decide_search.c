/*
 * The values that a saga is found by: worked out once, from what it starts with, and told by its
 * first event. What gives nothing is left out; labels are the definition's.
 */
#include "sagas/decide_priv.h"

#include <string.h>

static int evaluate(const struct search_def *def, struct env *env, json_t *values, struct err *err)
{
	CLEANUP(buf_release) struct buf text;
	bool present = false;
	int r;

	buf_init(&text, SEARCH_VALUE_MAX_BYTES + 1);
	r = tmpl_write_text(def->value, &env->expr, TMPL_TEXT_PLAIN, &text, &present, err);
	if (r == 0 && (text.failed || text.len > SEARCH_VALUE_MAX_BYTES))
		r = err_set(err, ERR_LIMIT, "it is longer than %d bytes", SEARCH_VALUE_MAX_BYTES);
	if (r == 0 && memchr(text.data ? text.data : "", '\0', text.len))
		r = err_set(err, ERR_INVALID, "it may not hold a NUL");
	if (r < 0) {
		err_prefix(err, "search.%s", def->name);
		return r;
	}
	if (present && text.len > 0)
		json_object_set_new_nocheck(values, def->name, json_string(buf_str(&text)));
	return 0;
}

int decide__search(struct ctx *ctx, struct jval **ret_values, struct err *err)
{
	const struct saga_def *def = ctx->state->def;
	json_t *values;
	struct env env;
	size_t i;
	int r = 0;

	*ret_values = NULL;
	if (def->n_search == 0)
		return 0;
	values = json_object();
	env_init(&env, ctx->state, -1, -1);
	for (i = 0; i < def->n_search && r == 0; i++)
		r = evaluate(&def->search[i], &env, values, err);
	env_release(&env);
	if (r == 0 && json_object_size(values) > 0)
		*ret_values = jval_from_json(values);
	else
		json_decref(values);
	return r;
}
