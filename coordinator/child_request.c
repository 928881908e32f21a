#include "coordinator/child_request.h"

#include <stdio.h>
#include <string.h>

#include "sagas/base/buf.h"
#include "sagas/id.h"
#include "sagas/json_text.h"
#include "sagas/schema.h"
#include "sagas/tmpl.h"

static json_t *get_input(void *ctx, enum expr_name name)
{
	return name == EXPR_INPUT ? ctx : NULL;
}

/* The definition's over the input, or the step's. */
static int make_key(const struct saga_def *def, const struct request *request, json_t *input,
					char **ret_key, struct err *err)
{
	struct expr_env env = {.get = get_input, .ctx = input};
	CLEANUP(buf_release) struct buf out;
	bool present = false;
	int r;

	buf_init(&out, 64 * 1024);
	if (!def->key) {
		*ret_key = xstrdup(request->key);
		return 0;
	}
	r = tmpl_write_text(def->key, &env, TMPL_TEXT_PLAIN, &out, &present, err);
	if (r == 0 && !present)
		r = err_set(err, ERR_INVALID, "it gives nothing");
	if (r == 0)
		r = buf_check(&out, "the key", err);
	if (r == 0)
		r = key_check(buf_str(&out), err);
	if (r < 0) {
		err_prefix(err, "the key of %s", def->name);
		return r;
	}
	*ret_key = buf_take(&out, NULL);
	return 0;
}

/* Whose child it is, and by which of its starts: no other request has this. */
static void make_fingerprint(const struct request *request, char fingerprint[SHA256_HEX_SIZE])
{
	CLEANUP(buf_release) struct buf text;

	buf_init(&text, 0);
	buf_printf(&text, "child\n%s\n%s\n%s", request->correlation, request->key, request->to);
	hash_sha256_hex(buf_str(&text), text.len, fingerprint);
}

struct first_violation {
	char text[400];
};

static void note_violation(void *ctx, const struct err *err)
{
	struct first_violation *first = ctx;

	if (!*first->text)
		snprintf(first->text, sizeof(first->text), "%.60s: %.300s", *err->place ? err->place : "/",
				 err->text);
}

static int check_input(const struct saga_def *def, const json_t *input, struct err *err)
{
	struct first_violation first = {0};

	if (!def->input_schema ||
		schema_validate(def->input_schema, (json_t *)input, note_violation, &first) == 0)
		return 0;
	return err_set(err, ERR_INVALID, "the input does not fit the schema of %s: %s", def->name,
				   first.text);
}

void child_request_release(struct child_request *child)
{
	json_decref(child->input);
	free(child->key);
	*child = (struct child_request){0};
}

int child_request_make(const struct request *request, const struct saga_def *def,
					   struct child_request *ret_child, struct err *err)
{
	CLEANUP(child_request_release) struct child_request child = {0};
	int r = json_parse_stored(request->body ? request->body : "{}",
							  request->body ? request->body_len : 2, &child.input, err);

	if (r == 0)
		r = check_input(def, child.input, err);
	if (r == 0)
		r = make_key(def, request, child.input, &child.key, err);
	if (r < 0)
		return r;
	make_fingerprint(request, child.fingerprint);
	*ret_child = child;
	child = (struct child_request){0};
	return 0;
}

const char *child_request_refusal(int error)
{
	if (error == ERR_NOT_FOUND)
		return "definition_not_found";
	if (error == ERR_INVALID)
		return "invalid_input";
	return error == ERR_LIMIT || error == ERR_NOT_BUILT ? "child_refused" : NULL;
}

json_t *child_started_answer(const char *saga_id)
{
	return json_pack("{s:s}", "id", saga_id);
}

json_t *child_refused_answer(const char *code, const char *message)
{
	json_t *json = json_pack("{s:s, s:s}", "code", code, "message", message);

	return json ? json : json_null();
}
