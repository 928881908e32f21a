/*
 * Templates: JSON values whose strings may hold ${expressions}. A string that is one ${} keeps the
 * type of its value, and one that gives nothing drops its key (or list element); inside text the
 * value is interpolated; $${ is a literal ${.
 *
 * A compiled template is immutable and may be shared by threads.
 */
#ifndef SAGAS_TMPL_H
#define SAGAS_TMPL_H

#include <jansson.h>
#include <stdbool.h>

#include "sagas/base/buf.h"
#include "sagas/expr.h"

struct tmpl;

/*
 * Compiles a JSON value. Errors are reported with place = the JSON pointer below value ("" for
 * value itself, "/body/sku") and text that holds the column; returns 0 or ERR_INVALID after having
 * reported everything. `report` may be NULL: then only err-less failure.
 */
int tmpl_compile(const json_t *value, void (*report)(void *ctx, const struct err *err),
				 void *report_ctx, struct tmpl **ret_tmpl) MUST_CHECK;
void tmpl_free(struct tmpl *tmpl);
DEFINE_CLEANUP(struct tmpl *, tmpl_free)

bool tmpl_is_constant(const struct tmpl *tmpl);
/* The single expression of a template that is one whole ${}, else NULL. */
const struct expr *tmpl_as_expr(const struct tmpl *tmpl);
/* The literal string of a constant string template, else NULL. */
const char *tmpl_as_string(const struct tmpl *tmpl);
bool tmpl_reads(const struct tmpl *tmpl, enum expr_name name, const char *field);

/* Calls each (NULL: nobody) with every secret that is named; false when an expression does more
 * with one than to name it. */
bool tmpl_secrets(const struct tmpl *tmpl, void (*each)(void *ctx, const char *name, size_t len),
				  void *ctx);

/* As expr_check, over every expression; places are JSON pointers as in tmpl_compile. */
int tmpl_check(const struct tmpl *tmpl, const struct expr_scope *scope,
			   void (*report)(void *ctx, const struct err *err), void *report_ctx,
			   enum expr_type *ret_type);

/* *ret_value: the caller's, or NULL when the whole gives nothing. Errors as expr_eval. */
int tmpl_eval(const struct tmpl *tmpl, const struct expr_env *env, json_t **ret_value,
			  struct err *err) MUST_CHECK;

/*
 * The same, written as JSON text without building a tree (the hot path: request bodies).
 * *ret_present is false when it gives nothing; then nothing was written.
 */
int tmpl_write(const struct tmpl *tmpl, const struct expr_env *env, struct buf *out,
			   bool *ret_present, struct err *err) MUST_CHECK;

/* What a text is for. In both parts of a URL what comes from expressions is percent-encoded (RFC
 * 3986 unreserved stay), and literal text stays as written. */
enum tmpl_text_use {
	TMPL_TEXT_PLAIN,
	TMPL_TEXT_PATH, /* of a URL: empty or nothing is ERR_INVALID, for it would name another thing */
	TMPL_TEXT_QUERY /* a value in a URL's query; may be empty */
};

/*
 * A string template as text (strings unquoted, numbers and bools as JSON prints them; null, lists
 * and maps are ERR_INVALID). *ret_present as in tmpl_write.
 */
int tmpl_write_text(const struct tmpl *tmpl, const struct expr_env *env, enum tmpl_text_use use,
					struct buf *out, bool *ret_present, struct err *err) MUST_CHECK;

#endif
