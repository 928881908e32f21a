/*
 * What the files of the expression language share, and nobody else may include.
 *
 *     text --expr_lex--> tokens --expr_parse--> tree of nodes --expr_eval--> struct val
 *                                                     |                         |
 *                                               expr_check                 expr_value (JSON, text)
 *
 * The tree lives in one arena that belongs to the expression. Values that arise while evaluating
 * live in a second one that dies with the evaluation, and point into JSON that the environment
 * lends: so nothing is counted or copied on the way, and a result is referenced or copied once.
 */
#ifndef SAGAS_EXPR_PRIV_H
#define SAGAS_EXPR_PRIV_H

#include <stdarg.h>

#include "sagas/base/buf.h"
#include "sagas/expr.h"
#include "sagas/regex.h"

enum {
	EXPR__MAX_DEPTH = 200,               /* of the tree, so of every recursion over it */
	EXPR__MAX_NESTING = 200,             /* of brackets in the text, so of the parser's recursion */
	EXPR__MAX_VARS = 16,                 /* macros inside macros */
	EXPR__MAX_MEMORY = 16 * 1024 * 1024, /* of one evaluation */
	EXPR__TREE_MEMORY = 4 * 1024 * 1024, /* of one tree */
	EXPR__BYTES_PER_STEP = 1024,         /* a step of the budget pays for so much copying */
};

/* ---- arena ---- */

struct arena_chunk;
struct arena {
	char *at, *end;
	struct arena_chunk *chunks;
	size_t used, max;
	bool full; /* an allocation failed for the maximum */
};

void arena__init(struct arena *arena, void *first, size_t first_size, size_t max);
void arena__release(struct arena *arena);
void *arena__alloc_slow(struct arena *arena, size_t size);

/* NULL when memory or the arena's maximum is used up. The memory is not cleared. */
static inline void *arena__alloc(struct arena *arena, size_t size)
{
	char *at = arena->at;

	size = (size + 7) & ~(size_t)7;
	if (size > (size_t)(arena->end - at))
		return arena__alloc_slow(arena, size);
	arena->at = at + size;
	return at;
}

/* ---- values ---- */

enum val_tag {
	V_NULL,
	V_BOOL,
	V_INT,
	V_DOUBLE,
	V_STRING,  /* s, len */
	V_JSTRING, /* json */
	V_LIST,    /* list */
	V_JLIST,   /* json */
	V_MAP,     /* map */
	V_JMAP,    /* json */
	V_TIMESTAMP,
	V_DURATION,
	V_OPTIONAL, /* opt; NULL: nothing */
	V_TYPE,     /* i: enum expr_type, or EXPR__T_OPTIONAL */
};

/* Beside enum expr_type, as the value of type(). */
enum { EXPR__T_OPTIONAL = 255 };

struct val {
	uint8_t tag;
	union {
		uint32_t len;  /* of s */
		int32_t nanos; /* of times, beyond i seconds */
	};
	union {
		bool b;
		int64_t i;
		double d;
		const char *s;
		json_t *json;
		const struct val_list *list;
		const struct val_map *map;
		const struct val *opt;
	};
};

struct val_list {
	size_t n;
	struct val items[];
};

struct val_entry {
	struct val key, value;
};

struct val_map {
	size_t n;
	struct val_entry entries[];
};

struct slice {
	const char *s;
	size_t len;
};

static inline bool val__is_string(const struct val *v)
{
	return v->tag == V_STRING || v->tag == V_JSTRING;
}

static inline struct slice val__slice(const struct val *v)
{
	if (v->tag == V_JSTRING)
		return (struct slice){json_string_value(v->json), json_string_length(v->json)};
	return (struct slice){v->s, v->len};
}

struct val val__from_json(json_t *json);
bool val__is_list(const struct val *v);
bool val__is_map(const struct val *v);
size_t val__size(const struct val *v); /* of a list or map */
struct val val__list_get(const struct val *v, size_t i);
/* Finds the value of a key; false when there is none. */
bool val__map_get(const struct val *v, const struct val *key, struct val *ret_value);
bool val__map_get_field(const struct val *v, const char *name, size_t len, struct val *ret_value);
/* The type as users see it; EXPR_T_ANY for an optional. */
enum expr_type val__type(const struct val *v);
const char *val__type_text(const struct val *v);
bool val__is_zero(const struct val *v); /* null, false, 0, "", empty */

/* Less than 0, 0, more than 0; VAL__UNORDERED for what cannot be compared, VAL__NAN for NaN. */
enum { VAL__UNORDERED = 2, VAL__NAN = 3 };
int val__compare(const struct val *a, const struct val *b);

/* A timestamp or duration as text; returns its length. */
enum { VAL__TIME_SIZE = 48 };
size_t val__time_text(const struct val *v, char text[VAL__TIME_SIZE]);

/* ---- functions ---- */

#define T_(type) (1u << EXPR_T_##type)
#define T_NUM (T_(INT) | T_(DOUBLE))
#define T_SIZED (T_(STRING) | T_(LIST) | T_(MAP))
#define T_ALL (T_(NULL) | T_(BOOL) | T_NUM | T_SIZED | T_(TIMESTAMP) | T_(DURATION) | T_(ANY))

enum fn_style { GLOBAL = 1, METHOD = 2, BOTH = 3 };

/*
 * X(constant, name, style, fewest arguments, most, what each may be, result). The receiver of a
 * method is its first argument. T_(ANY) stands for what only the dynamic types cover (types).
 */
#define EXPR_FUNCTIONS(X)                                                                          \
	X(FN_SIZE, "size", BOTH, 1, 1, T_SIZED, 0, 0, 0, T_(INT))                                      \
	X(FN_SUM, "sum", BOTH, 1, 1, T_(LIST), 0, 0, 0, T_NUM | T_(DURATION))                          \
	X(FN_CONTAINS, "contains", METHOD, 2, 2, T_(STRING), T_(STRING), 0, 0, T_(BOOL))               \
	X(FN_STARTS_WITH, "startsWith", METHOD, 2, 2, T_(STRING), T_(STRING), 0, 0, T_(BOOL))          \
	X(FN_ENDS_WITH, "endsWith", METHOD, 2, 2, T_(STRING), T_(STRING), 0, 0, T_(BOOL))              \
	X(FN_MATCHES, "matches", BOTH, 2, 2, T_(STRING), T_(STRING), 0, 0, T_(BOOL))                   \
	X(FN_LOWER, "lowerAscii", METHOD, 1, 1, T_(STRING), 0, 0, 0, T_(STRING))                       \
	X(FN_UPPER, "upperAscii", METHOD, 1, 1, T_(STRING), 0, 0, 0, T_(STRING))                       \
	X(FN_TRIM, "trim", METHOD, 1, 1, T_(STRING), 0, 0, 0, T_(STRING))                              \
	X(FN_REVERSE, "reverse", METHOD, 1, 1, T_(STRING), 0, 0, 0, T_(STRING))                        \
	X(FN_REPLACE, "replace", METHOD, 3, 4, T_(STRING), T_(STRING), T_(STRING), T_(INT),            \
	  T_(STRING))                                                                                  \
	X(FN_SPLIT, "split", METHOD, 2, 3, T_(STRING), T_(STRING), T_(INT), 0, T_(LIST))               \
	X(FN_JOIN, "join", METHOD, 1, 2, T_(LIST), T_(STRING), 0, 0, T_(STRING))                       \
	X(FN_SUBSTRING, "substring", METHOD, 2, 3, T_(STRING), T_(INT), T_(INT), 0, T_(STRING))        \
	X(FN_INDEX_OF, "indexOf", METHOD, 2, 3, T_(STRING), T_(STRING), T_(INT), 0, T_(INT))           \
	X(FN_LAST_INDEX_OF, "lastIndexOf", METHOD, 2, 3, T_(STRING), T_(STRING), T_(INT), 0, T_(INT))  \
	X(FN_CHAR_AT, "charAt", METHOD, 2, 2, T_(STRING), T_(INT), 0, 0, T_(STRING))                   \
	X(FN_INT, "int", GLOBAL, 1, 1, T_NUM | T_(STRING) | T_(TIMESTAMP), 0, 0, 0, T_(INT))           \
	X(FN_DOUBLE, "double", GLOBAL, 1, 1, T_NUM | T_(STRING), 0, 0, 0, T_(DOUBLE))                  \
	X(FN_STRING, "string", GLOBAL, 1, 1,                                                           \
	  T_NUM | T_(BOOL) | T_(STRING) | T_(TIMESTAMP) | T_(DURATION), 0, 0, 0, T_(STRING))           \
	X(FN_BOOL, "bool", GLOBAL, 1, 1, T_(BOOL) | T_(STRING), 0, 0, 0, T_(BOOL))                     \
	X(FN_DYN, "dyn", GLOBAL, 1, 1, T_ALL, 0, 0, 0, T_ALL)                                          \
	X(FN_TYPE, "type", GLOBAL, 1, 1, T_ALL, 0, 0, 0, T_(ANY))                                      \
	X(FN_TIMESTAMP, "timestamp", GLOBAL, 1, 1, T_(STRING) | T_(INT) | T_(TIMESTAMP), 0, 0, 0,      \
	  T_(TIMESTAMP))                                                                               \
	X(FN_DURATION, "duration", GLOBAL, 1, 1, T_(STRING) | T_(DURATION), 0, 0, 0, T_(DURATION))     \
	X(FN_YEAR, "getFullYear", METHOD, 1, 2, T_(TIMESTAMP), T_(STRING), 0, 0, T_(INT))              \
	X(FN_MONTH, "getMonth", METHOD, 1, 2, T_(TIMESTAMP), T_(STRING), 0, 0, T_(INT))                \
	X(FN_DATE, "getDate", METHOD, 1, 2, T_(TIMESTAMP), T_(STRING), 0, 0, T_(INT))                  \
	X(FN_DAY_OF_MONTH, "getDayOfMonth", METHOD, 1, 2, T_(TIMESTAMP), T_(STRING), 0, 0, T_(INT))    \
	X(FN_DAY_OF_WEEK, "getDayOfWeek", METHOD, 1, 2, T_(TIMESTAMP), T_(STRING), 0, 0, T_(INT))      \
	X(FN_DAY_OF_YEAR, "getDayOfYear", METHOD, 1, 2, T_(TIMESTAMP), T_(STRING), 0, 0, T_(INT))      \
	X(FN_HOURS, "getHours", METHOD, 1, 2, T_(TIMESTAMP) | T_(DURATION), T_(STRING), 0, 0, T_(INT)) \
	X(FN_MINUTES, "getMinutes", METHOD, 1, 2, T_(TIMESTAMP) | T_(DURATION), T_(STRING), 0, 0,      \
	  T_(INT))                                                                                     \
	X(FN_SECONDS, "getSeconds", METHOD, 1, 2, T_(TIMESTAMP) | T_(DURATION), T_(STRING), 0, 0,      \
	  T_(INT))                                                                                     \
	X(FN_MILLISECONDS, "getMilliseconds", METHOD, 1, 2, T_(TIMESTAMP) | T_(DURATION), T_(STRING),  \
	  0, 0, T_(INT))                                                                               \
	X(FN_OPT_OF, "optional.of", GLOBAL, 1, 1, T_ALL, 0, 0, 0, T_ALL)                               \
	X(FN_OPT_NON_ZERO, "optional.ofNonZeroValue", GLOBAL, 1, 1, T_ALL, 0, 0, 0, T_ALL)             \
	X(FN_OPT_NONE, "optional.none", GLOBAL, 0, 0, 0, 0, 0, 0, T_ALL)                               \
	X(FN_OR, "or", METHOD, 2, 2, T_ALL, T_ALL, 0, 0, T_ALL)                                        \
	X(FN_OR_VALUE, "orValue", METHOD, 2, 2, T_ALL, T_ALL, 0, 0, T_ALL)                             \
	X(FN_HAS_VALUE, "hasValue", METHOD, 1, 1, T_ALL, 0, 0, 0, T_(BOOL))                            \
	X(FN_VALUE, "value", METHOD, 1, 1, T_ALL, 0, 0, 0, T_ALL)

enum expr_fn {
#define X(id, name, style, min, max, a0, a1, a2, a3, result) id,
	EXPR_FUNCTIONS(X)
#undef X
		FN_COUNT
};

struct fn_info {
	const char *name;
	enum fn_style style;
	int min, max;
	unsigned args[4];
	unsigned result;
};
extern const struct fn_info expr__functions[FN_COUNT];

/* ---- tree ---- */

enum macro {
	MACRO_ALL,
	MACRO_EXISTS,
	MACRO_EXISTS_ONE,
	MACRO_MAP,
	MACRO_FILTER,
	MACRO_OPT_MAP,
	MACRO_OPT_FLAT_MAP
};

enum node_kind {
	N_LITERAL, /* literal */
	N_NAME,    /* name: one of EXPR_NAMES */
	N_OTHER,   /* text: a name that nothing defines */
	N_TYPE,    /* a type as a value: type_name */
	N_VAR,     /* slot: bound by a macro */
	N_SELECT,  /* args[0] . text */
	N_SELECT_OPT,
	N_HAS,   /* has(args[0] . text) */
	N_INDEX, /* args[0] [ args[1] ] */
	N_INDEX_OPT,
	N_CALL,         /* fn(args…) */
	N_CALL_UNKNOWN, /* text(args…); the receiver of a method is among args */
	N_AND,
	N_OR,
	N_NOT,
	N_NEGATE,
	N_CONDITION,
	N_ADD,
	N_SUBTRACT,
	N_MULTIPLY,
	N_DIVIDE,
	N_MODULO,
	N_EQUAL,
	N_NOT_EQUAL,
	N_LESS,
	N_LESS_EQUAL,
	N_GREATER,
	N_GREATER_EQUAL,
	N_IN,
	N_LIST,
	N_MAP,   /* args: key, value, key, value… */
	N_MACRO, /* macro over args[0] with slot bound in args[1…] */
};

struct node {
	uint8_t kind;  /* enum node_kind */
	uint8_t which; /* enum expr_name, expr_fn, macro or expr_type */
	uint8_t slot;
	bool maybe; /* an element written ?x: an optional that may give nothing */
	uint16_t depth;
	uint16_t start, end; /* in the text, in bytes */
	uint32_t n;
	struct node **args;
	union {
		struct val literal;
		struct slice text;   /* ends in NUL, too */
		struct regex *regex; /* of matches() with a literal */
	};
};

struct expr {
	struct arena arena;
	char *text;
	size_t len;
	struct node *root;
	struct regex **regexes; /* to be freed; the list is in the arena */
	size_t n_regexes;
};

/* ---- lexer ---- */

enum token_kind {
	TK_END,
	TK_NAME,
	TK_QUOTED, /* `name` */
	TK_INT,
	TK_DOUBLE,
	TK_STRING,
	TK_OP, /* one or two characters, in op */
	TK_ERROR,
};

#define OP2(a, b) ((a) << 8 | (b))

struct token {
	enum token_kind kind;
	size_t start, end;
	int op;            /* '+', or OP2('&', '&') */
	uint64_t i;        /* TK_INT, without sign; up to 2^63 */
	double d;          /* TK_DOUBLE */
	struct slice text; /* TK_NAME, TK_QUOTED: in the source. TK_STRING: the source between quotes */
	bool raw;          /* TK_STRING: without escapes */
};

struct lexer {
	const char *text;
	size_t len, at;
	const char *error; /* after TK_ERROR */
	size_t error_at;
};

void expr__lex(struct lexer *lex, struct token *ret_token);
/* Decodes the escapes of a TK_STRING into out, which has room for the source. Returns the length,
 * or -1 with lex->error set. */
ptrdiff_t expr__unescape(struct lexer *lex, const struct token *token, char *out);
/*
 * Finds the } that ends an expression which begins at text[0] inside ${…}. Returns its offset, or
 * -1 when there is none.
 */
ptrdiff_t expr__find_end(const char *text, size_t len);

/* The column of a byte, from 1, in characters. */
size_t expr__column(const char *text, size_t at);

/* ---- evaluation ---- */

struct eval {
	const struct expr *expr;
	const struct expr_env *env;
	struct err *err;
	unsigned budget;
	struct arena arena;
	struct val vars[EXPR__MAX_VARS];
	char first[1024];
};

/* One node. The rest of this block are the kinds of nodes of expr_macro.c. */
int expr__eval(struct eval *ev, const struct node *node, struct val *out) MUST_CHECK;
/* The same for what stands before .?x or in has(): a name without value gives nothing. */
int expr__eval_lenient(struct eval *ev, const struct node *node, struct val *out) MUST_CHECK;
int expr__eval_list(struct eval *ev, const struct node *node, struct val *out) MUST_CHECK;
int expr__eval_map(struct eval *ev, const struct node *node, struct val *out) MUST_CHECK;
int expr__eval_macro(struct eval *ev, const struct node *node, struct val *out) MUST_CHECK;
int expr__eval_optional_call(struct eval *ev, const struct node *node, struct val *out) MUST_CHECK;
int expr__make_optional(struct eval *ev, const struct node *node, const struct val *v,
						struct val *out) MUST_CHECK;
/* Whether && and || may absorb an error: not a spent budget, not a lack of memory. */
bool expr__is_absorbable(int r);

/* The source of a node, for messages: not too much of it. */
#define SOURCE(ev, node)                                                                           \
	(int)((node)->end - (node)->start > 60 ? 60 : (node)->end - (node)->start),                    \
		(ev)->expr->text + (node)->start

/* Evaluates to a value that lives until expr__eval_end; always pair them. */
int expr__eval_begin(struct eval *ev, const struct expr *expr, const struct expr_env *env,
					 struct val *ret_value, struct err *err) MUST_CHECK;
void expr__eval_end(struct eval *ev);

/* Sets the error with the column of the node, and returns ERR_INVALID. */
int expr__fail(struct eval *ev, const struct node *node, const char *fmt, ...) PRINTF_LIKE(3, 4);
int expr__no_memory(struct eval *ev, const struct node *node);
/* Takes steps for work on n bytes. ERR_LIMIT. */
int expr__charge_bytes(struct eval *ev, const struct node *node, size_t n) MUST_CHECK;
int expr__charge(struct eval *ev, const struct node *node, size_t steps) MUST_CHECK;

int expr__equal(struct eval *ev, const struct node *node, const struct val *a, const struct val *b,
				bool *ret_equal) MUST_CHECK;
int expr__add(struct eval *ev, const struct node *node, const struct val *a, const struct val *b,
			  struct val *ret_value) MUST_CHECK;
int expr__arithmetic(struct eval *ev, const struct node *node, const struct val *a,
					 const struct val *b, struct val *ret_value) MUST_CHECK;
int expr__call(struct eval *ev, const struct node *node, const struct val *args,
			   struct val *ret_value) MUST_CHECK;
int expr__call_string(struct eval *ev, const struct node *node, const struct val *args,
					  struct val *ret_value) MUST_CHECK;
int expr__call_time(struct eval *ev, const struct node *node, const struct val *args,
					struct val *ret_value) MUST_CHECK;
int expr__time_arithmetic(struct eval *ev, const struct node *node, const struct val *a,
						  const struct val *b, struct val *ret_value) MUST_CHECK;
/* "f() is not defined for …". */
int expr__no_overload(struct eval *ev, const struct node *node, const struct val *args);

/* A value as the caller's JSON; NULL for nothing. ERR_LIMIT when it is nested too deeply. */
int expr__to_json(struct eval *ev, const struct val *v, json_t **ret_value) MUST_CHECK;
/*
 * The same as JSON text; *ret_depth is how deep it is nested, and -1 when it gives nothing (then
 * nothing is written).
 */
int expr__write(struct eval *ev, const struct val *v, struct buf *out, int *ret_depth) MUST_CHECK;
/* A string, number, bool or time as plain text in out; others are ERR_INVALID. */
int expr__write_text(struct eval *ev, const struct val *v, struct buf *out) MUST_CHECK;
int expr__too_deep(struct err *err);

#endif
