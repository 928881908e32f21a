/* Which secrets a template names. A secret is named and nothing else: what an expression makes of
 * it would be worked out before it is known. */
#include <ctype.h>
#include <string.h>

#include "sagas/tmpl.h"
#include "sagas/tmpl_priv.h"

/* The name in "secret.NAME", and its length; NULL when the expression is anything else. */
static const char *only_name(const struct expr *expr, size_t *ret_len)
{
	static const char prefix[] = "secret.";
	const char *text = expr_text(expr);
	size_t len = 0;

	text += strspn(text, " \t\r\n");
	if (strncmp(text, prefix, sizeof(prefix) - 1) != 0)
		return NULL;
	text += sizeof(prefix) - 1;
	while (isalnum((unsigned char)text[len]) || text[len] == '_')
		len++;
	*ret_len = len;
	return len > 0 && !text[len + strspn(text + len, " \t\r\n")] ? text : NULL;
}

static bool one(const struct expr *expr, void (*each)(void *ctx, const char *name, size_t len),
				void *ctx)
{
	const char *name;
	size_t len;

	if (!expr || !expr_reads(expr, EXPR_SECRET, NULL))
		return true;
	name = only_name(expr, &len);
	if (name && each)
		each(ctx, name, len);
	return name != NULL;
}

bool tmpl_secrets(const struct tmpl *tmpl, void (*each)(void *ctx, const char *name, size_t len),
				  void *ctx)
{
	bool only = true;

	if (tmpl->kind == T_EXPR)
		return one(tmpl->expr, each, ctx);
	for (size_t i = 0; i < tmpl->n; i++)
		only &= tmpl->kind == T_TEXT ? one(tmpl->segments[i].expr, each, ctx)
									 : tmpl_secrets(tmpl->items[i], each, ctx);
	return only;
}
