/* The compiled form of a template, between tmpl.c and tmpl_compile.c. */
#ifndef SAGAS_TMPL_PRIV_H
#define SAGAS_TMPL_PRIV_H

#include "sagas/expr_priv.h"
#include "sagas/tmpl.h"

enum tmpl_kind {
	T_CONSTANT, /* value and json */
	T_EXPR,     /* the whole string is one ${}: expr */
	T_TEXT,     /* segments */
	T_LIST,     /* items */
	T_MAP,      /* items and their keys */
};

/* A piece of text: an expression, or text as it stands (raw) and as part of a JSON string. */
struct segment {
	struct expr *expr;
	char *raw, *json;
	size_t raw_len, json_len;
};

struct tmpl {
	enum tmpl_kind kind;
	char *pointer; /* JSON pointer to here, for messages */
	json_t *value;
	char *json;
	size_t json_len;
	struct expr *expr;
	struct segment *segments;
	size_t n; /* of segments or items */
	struct tmpl **items;
	struct slice *keys; /* "key": as JSON text */
	char **names;       /* and as they are */
};

#endif
