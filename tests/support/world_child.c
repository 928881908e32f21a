#include "tests/support/world_child.h"

#include <string.h>

#include "sagas/json_text.h"

static json_t *refusal(const char *code, const struct err *err)
{
	return json_pack("{s:s, s:s}", "code", code, "message", err->text);
}

static json_t *get_input(void *ctx, enum expr_name name)
{
	return name == EXPR_INPUT ? ctx : NULL;
}

int world_child_key(const struct saga_def *def, json_t *input, char **ret_key, struct err *err)
{
	struct expr_env env = {.get = get_input, .ctx = input};
	CLEANUP(buf_release) struct buf out;
	bool present = true;
	int r;

	buf_init(&out, 0);
	r = tmpl_write_text(def->key, &env, TMPL_TEXT_PLAIN, &out, &present, err);
	if (r == 0 && !present)
		r = err_set(err, ERR_INVALID, "the key is empty");
	if (r == 0)
		r = key_check(buf_str(&out), err);
	if (r == 0)
		*ret_key = xstrdup(buf_str(&out));
	return r;
}

static int make_key(const struct saga_def *def, const struct request *request, json_t *input,
					char **ret_key, struct err *err)
{
	if (def->key)
		return world_child_key(def, input, ret_key, err);
	*ret_key = xstrdup(request->key);
	return 0;
}

static void first_fault(void *ctx, const struct err *fault)
{
	if (!((struct err *)ctx)->text[0])
		*(struct err *)ctx = *fault;
}

static int check_input(const struct saga_def *def, json_t *input, struct err *err)
{
	err->text[0] = '\0';
	if (!def->input_schema || schema_validate(def->input_schema, input, first_fault, err) == 0)
		return 0;
	return ERR_INVALID;
}

/* Whose child it is, and by which of its starts: no other request has this. */
static void make_fingerprint(const struct request *request, char fingerprint[SHA256_HEX_SIZE])
{
	CLEANUP(buf_release) struct buf text;

	buf_init(&text, 0);
	buf_printf(&text, "child\n%s\n%s\n%s", request->correlation, request->key, request->to);
	hash_sha256_hex(buf_str(&text), text.len, fingerprint);
}

struct engine_call *world_child_start(struct world *world, const struct world_call *call,
									  struct saga_def *def, uint64_t random, json_t **ret_refusal)
{
	const struct request *request = call->command.request;
	CLEANUP(json_decref_p) json_t *input = NULL;
	CLEANUP(free_p) char *key = NULL;
	struct engine_call *start = NULL;
	struct err err;

	*ret_refusal = NULL;
	err_set(&err, ERR_NOT_FOUND, "there is no saga `%s`", request->to);
	if (!def)
		*ret_refusal = refusal("definition_not_found", &err);
	else if (json_parse_stored(request->body ? request->body : "{}",
							   request->body ? request->body_len : 2, &input, &err) < 0 ||
			 check_input(def, input, &err) < 0 || make_key(def, request, input, &key, &err) < 0)
		*ret_refusal = refusal("invalid_input", &err);
	if (*ret_refusal)
		return NULL;
	start = world_start_call(world, def, key, json_incref(input), random);
	make_fingerprint(request, start->fingerprint);
	start->parent = xstrdup(request->correlation);
	start->depth = request->depth;
	start->hold = request->hold;
	return start;
}

json_t *world_child_answer(const struct engine_call *call)
{
	if (call->result < 0 && (call->err.retriable || call->result == ERR_UNKNOWN))
		return NULL;
	if (call->result < 0)
		return refusal("child_refused", &call->err);
	if (!call->duplicate)
		return json_pack("{s:s}", "id", call->id);
	if (strcmp(call->existing_fingerprint, call->fingerprint) == 0)
		return json_pack("{s:s}", "id", call->existing_id);
	return json_pack("{s:s, s:s}", "code", "key_taken", "message",
					 "the key belongs to another saga");
}
