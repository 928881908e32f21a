#include "coordinator/api_body.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "sagas/base/suggest.h"
#include "sagas/json_text.h"

enum { WAIT_MAX_S = 60, POINTER_SIZE = 160 };

char *body_member_text(const json_t *body, const char *name)
{
	const char *text = json_string_value(json_object_get(body, name));

	return text ? xstrdup(text) : NULL;
}

void pointer_add(char *pointer, size_t size, const char *name)
{
	size_t len = strlen(pointer);

	if (len + 1 < size)
		pointer[len++] = '/';
	for (; *name && len + 2 < size; name++) {
		if (*name == '~' || *name == '/') {
			pointer[len++] = '~';
			pointer[len++] = *name == '~' ? '0' : '1';
		} else {
			pointer[len++] = *name;
		}
	}
	pointer[len < size ? len : size - 1] = '\0';
}

static void add_unknown(const char *name, const struct body_member *members, size_t n,
						struct problem_errors *errors)
{
	char pointer[POINTER_SIZE] = "";
	struct suggest suggest;

	suggest_init(&suggest, name, strlen(name));
	for (size_t i = 0; i < n; i++)
		suggest_offer(&suggest, members[i].name);
	pointer_add(pointer, sizeof(pointer), name);
	if (suggest_best(&suggest))
		problem_errors_add(errors, pointer, 0, "unknown member; did you mean %s?",
						   suggest_best(&suggest));
	else
		problem_errors_add(errors, pointer, 0, "unknown member");
}

static void check_member(const struct body_member *member, const json_t *value,
						 struct problem_errors *errors)
{
	char pointer[POINTER_SIZE] = "";

	pointer_add(pointer, sizeof(pointer), member->name);
	if (!value) {
		if (member->required)
			problem_errors_add(errors, pointer, 0, "is missing");
		return;
	}
	switch (member->type) {
	case BODY_ANY:
		break;
	case BODY_STRING:
		if (!json_is_string(value))
			problem_errors_add(errors, pointer, 0, "must be a string");
		else if (member->max_bytes && json_string_length(value) > member->max_bytes)
			problem_errors_add(errors, pointer, 0, "has at most %zu bytes", member->max_bytes);
		break;
	case BODY_NUMBER:
		if (!json_is_integer(value) || json_integer_value(value) < 1)
			problem_errors_add(errors, pointer, 0, "must be a whole number from 1");
		break;
	}
}

static const struct body_member *find_member(const struct body_member *members, size_t n,
											 const char *name)
{
	for (size_t i = 0; i < n; i++) {
		if (strcmp(members[i].name, name) == 0)
			return &members[i];
	}
	return NULL;
}

bool body_read(struct exchange *ex, const struct body_member *members, size_t n, bool may_be_empty,
			   json_t **ret_body)
{
	CLEANUP(json_decref_p) json_t *body = NULL;
	struct problem_errors errors = {0};
	const char *name;
	json_t *value;
	struct err err;

	if (ex->body.len == 0 && may_be_empty) {
		body = json_object();
	} else if (json_parse(buf_str(&ex->body), ex->body.len, &body, &err) < 0) {
		exchange_problem(ex, PROBLEM_INVALID_JSON, "%s%s%s", err.place, *err.place ? ": " : "",
						 err.text);
		return false;
	}
	if (!json_is_object(body)) {
		exchange_problem(ex, PROBLEM_INVALID_BODY, "the body must be a JSON object");
		return false;
	}
	json_object_foreach (body, name, value) {
		if (!find_member(members, n, name))
			add_unknown(name, members, n, &errors);
	}
	for (size_t i = 0; i < n; i++)
		check_member(&members[i], json_object_get(body, members[i].name), &errors);
	if (errors.n > 0) {
		exchange_problem_errors(ex, PROBLEM_INVALID_BODY, &errors,
								"the body has %d error%s; `errors` says where", errors.n,
								errors.n == 1 ? "" : "s");
		problem_errors_release(&errors);
		return false;
	}
	*ret_body = TAKE(body);
	return true;
}

bool body_error(struct exchange *ex, const char *pointer, const char *what)
{
	struct problem_errors errors = {0};

	problem_errors_add(&errors, pointer, 0, "%s", what);
	exchange_problem_errors(ex, PROBLEM_INVALID_BODY, &errors, "%s%s%s", pointer,
							*pointer ? ": " : "", what);
	problem_errors_release(&errors);
	return false;
}

int64_t prefer_wait_ms(struct exchange *ex)
{
	const char *p = exchange_header(ex, "Prefer");

	/* RFC 7240: a preference that cannot be read is as if it were not there. */
	while (p && *p) {
		int64_t seconds = 0;

		p += strspn(p, " \t,;");
		if (strncasecmp(p, "wait=", 5) == 0 && p[5] >= '0' && p[5] <= '9') {
			for (p += 5; *p >= '0' && *p <= '9'; p++) {
				seconds = seconds * 10 + (*p - '0');
				if (seconds > WAIT_MAX_S)
					seconds = WAIT_MAX_S;
			}
			return seconds * 1000;
		}
		p += strcspn(p, ",;");
	}
	return 0;
}

/* Unquotes an RFC 8941 string in place; false when it is broken. */
static bool unquote(char *text)
{
	char *out = text;
	const char *p = text + 1;

	for (; *p && *p != '"'; p++) {
		if (*p == '\\' && p[1] != '"' && p[1] != '\\')
			return false;
		if (*p == '\\')
			p++;
		*out++ = *p;
	}
	if (p[0] != '"' || p[1] != '\0')
		return false;
	*out = '\0';
	return true;
}

bool idempotency_key(struct exchange *ex, char **ret_key)
{
	const char *header = exchange_header(ex, "Idempotency-Key");
	CLEANUP(free_p) char *key = NULL;
	struct err err;

	*ret_key = NULL;
	if (!header)
		return true;
	key = xstrdup(header);
	if (*key == '"' && !unquote(key)) {
		exchange_problem(ex, PROBLEM_INVALID_KEY, "header Idempotency-Key: the quotes are broken");
		return false;
	}
	if (key_check(key, &err) < 0) {
		exchange_problem(ex, PROBLEM_INVALID_KEY, "header Idempotency-Key: %s", err.text);
		return false;
	}
	*ret_key = TAKE(key);
	return true;
}

bool if_match(struct exchange *ex, int64_t *ret_seq)
{
	const char *p = exchange_header(ex, "If-Match");
	int64_t seq = 0;

	*ret_seq = -1;
	if (!p || strcmp(p, "*") == 0)
		return true;
	p += *p == '"';
	for (; *p >= '0' && *p <= '9' && seq < 1000000000; p++)
		seq = seq * 10 + (*p - '0');
	if (strncmp(p, ETAG_CONTINUED, strlen(ETAG_CONTINUED)) == 0)
		p += strlen(ETAG_CONTINUED);
	p += *p == '"';
	if (*p || seq == 0) {
		exchange_problem(ex, PROBLEM_INVALID_REQUEST,
						 "header If-Match: give one ETag as it came with the saga, like \"7\"");
		return false;
	}
	*ret_seq = seq;
	return true;
}
