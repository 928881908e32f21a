#include "sagas/trigger.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "sagas/hash.h"
#include "sagas/id.h"
#include "sagas/json_text.h"

const char *trigger_fault_code(enum trigger_fault fault)
{
	static const char *const codes[] = {
#define X(name, code) [name] = code,
		TRIGGER_FAULTS(X)
#undef X
	};

	return codes[fault];
}

/* What the expressions of triggers and of `from` see. */
struct names {
	json_t *event, *input;
	const struct surroundings *around;
	json_t *env; /* made when it is asked for: values of it may be kept by this thread */
};

static json_t *get_name(void *ctx, enum expr_name name)
{
	struct names *names = ctx;

	if (name == EXPR_ENV && !names->env)
		names->env = names->around && names->around->env ? json_deep_copy(names->around->env)
														 : json_object();
	return name == EXPR_EVENT   ? names->event
		   : name == EXPR_INPUT ? names->input
		   : name == EXPR_ENV   ? names->env
								: NULL;
}

/* The place of err is where inside of the template, or inside of the input. */
static void poison(struct trigger_result *ret, enum trigger_fault fault, const char *place,
				   const struct err *err)
{
	ret->verdict = TRIGGER_POISON;
	ret->fault = fault;
	ret->err = *err;
	snprintf(ret->err.place, sizeof(ret->err.place), "%.60s%s%.90s", place,
			 *err->place && *err->place != '/' ? ", " : "", err->place);
}

static bool is_wanted(const struct trigger_def *trigger, const struct expr_env *env,
					  const char *place, struct trigger_result *ret)
{
	CLEANUP(json_decref_p) json_t *value = NULL;
	struct err err;
	int r;

	if (!trigger->when)
		return true;
	r = tmpl_eval(trigger->when, env, &value, &err);
	if (r == 0 && !json_is_boolean(value))
		r = err_set(&err, ERR_INVALID, "`when` must give true or false");
	if (r < 0)
		poison(ret, TRIGGER_EXPRESSION_ERROR, place, &err);
	else if (json_is_false(value))
		ret->verdict = TRIGGER_SKIP;
	else
		return true;
	return false;
}

static bool make_input(const struct trigger_def *trigger, const struct expr_env *env,
					   const char *place, struct trigger_result *ret)
{
	const struct names *names = env->ctx;
	struct err err;

	if (!trigger->input)
		ret->input = json_incref(json_object_get(names->event, "data"));
	else if (tmpl_eval(trigger->input, env, &ret->input, &err) < 0) {
		poison(ret, TRIGGER_EXPRESSION_ERROR, place, &err);
		return false;
	}
	if (!ret->input)
		ret->input = json_null();
	return true;
}

/* The first violation, and how many there are. */
struct violations {
	struct err first;
	int n;
};

static void keep_first(void *ctx, const struct err *err)
{
	struct violations *violations = ctx;

	if (violations->n++ == 0)
		violations->first = *err;
}

static bool fits_schema(const struct saga_def *def, struct trigger_result *ret)
{
	struct violations violations = {.n = 0};
	struct err err;
	int n;

	if (!def->input_schema)
		return true;
	n = schema_validate(def->input_schema, ret->input, keep_first, &violations);
	if (n == 0)
		return true;
	err_set_at(&err, ERR_INVALID, violations.first.place,
			   "the input does not fit the schema of %s in %d place%s; first: %s", def->name, n,
			   n == 1 ? "" : "s", violations.first.text);
	poison(ret, TRIGGER_INVALID_INPUT, "/input", &err);
	return false;
}

static bool make_key(const struct tmpl *tmpl, const struct expr_env *env, const char *place,
					 struct trigger_result *ret)
{
	CLEANUP(buf_release) struct buf out;
	bool present = false;
	struct err err;
	int r;

	buf_init(&out, 64 * 1024);
	r = tmpl_write_text(tmpl, env, TMPL_TEXT_PLAIN, &out, &present, &err);
	if (r == 0 && !present)
		r = err_set(&err, ERR_INVALID, "the key gives nothing");
	if (r == 0)
		r = buf_check(&out, "the key", &err);
	if (r == 0)
		r = key_check(buf_str(&out), &err);
	if (r == 0) {
		ret->key = xstrdup(buf_str(&out));
		return true;
	}
	poison(ret, TRIGGER_KEY_INVALID, place, &err);
	return false;
}

static void start(const struct saga_def *def, const struct trigger_def *trigger,
				  struct names *names, struct trigger_result *ret)
{
	struct expr_env env = {.get = get_name, .ctx = names};
	int index = (int)(trigger - def->triggers);
	char place[64];

	*ret = (struct trigger_result){.verdict = TRIGGER_START};
	snprintf(place, sizeof(place), "/start_on/%d/when", index);
	if (!is_wanted(trigger, &env, place, ret))
		return;
	snprintf(place, sizeof(place), "/start_on/%d/input", index);
	if (!make_input(trigger, &env, place, ret) || !fits_schema(def, ret))
		return;
	snprintf(place, sizeof(place), "/start_on/%d/key", index);
	if (trigger->key) {
		make_key(trigger->key, &env, place, ret);
		return;
	}
	names->event = NULL;
	names->input = ret->input;
	if (def->key)
		make_key(def->key, &env, "/key", ret);
}

void trigger_start(const struct saga_def *def, const struct trigger_def *trigger, json_t *event,
				   struct trigger_result *ret)
{
	struct names names = {.event = event, .around = def->around};

	start(def, trigger, &names, ret);
	json_decref(names.env);
}

static void start_scheduled(const struct saga_def *def, const struct schedule_def *schedule,
							struct names *names, struct trigger_result *ret)
{
	const struct trigger_def trigger = {.input = schedule->input};
	struct expr_env env = {.get = get_name, .ctx = names};
	char place[64];

	*ret = (struct trigger_result){.verdict = TRIGGER_START};
	snprintf(place, sizeof(place), "/start_on/%d/input", schedule->index);
	if (!make_input(&trigger, &env, place, ret) || !fits_schema(def, ret))
		return;
	names->event = NULL;
	names->input = ret->input;
	if (def->key)
		make_key(def->key, &env, "/key", ret);
}

void schedule_start(const struct saga_def *def, const struct schedule_def *schedule, json_t *event,
					struct trigger_result *ret)
{
	struct names names = {.event = event, .around = def->around};

	start_scheduled(def, schedule, &names, ret);
	json_decref(names.env);
}

void trigger_result_release(struct trigger_result *result)
{
	json_decref(TAKE(result->input));
	free(TAKE(result->key));
}

int correlate_text(const json_t *value, char ret[CORRELATE_VALUE_SIZE], struct err *err)
{
	const char *text = json_string_value(value);
	char number[JSON_REAL_SIZE];
	size_t len;

	if (text) {
		len = json_string_length(value);
	} else if (json_is_boolean(value)) {
		text = json_is_true(value) ? "true" : "false";
		len = strlen(text);
	} else if (json_is_integer(value)) {
		text = number;
		len =
			(size_t)snprintf(number, sizeof(number), "%lld", (long long)json_integer_value(value));
	} else if (json_is_real(value)) {
		double real = json_real_value(value);

		text = number;
		/* What is equal in an expression must have the same text. */
		if (real == floor(real) && fabs(real) < 0x1p53)
			len = (size_t)snprintf(number, sizeof(number), "%.0f", real == 0 ? 0 : real);
		else
			len = json_format_real(real, number);
	} else {
		return err_set(err, ERR_INVALID, "it gives %s, not text or a number",
					   !value || json_is_null(value) ? "nothing"
					   : json_is_array(value)        ? "a list"
													 : "an object");
	}
	if (len == 0)
		return err_set(err, ERR_INVALID, "it gives empty text");
	if (len >= CORRELATE_VALUE_SIZE)
		return err_set(err, ERR_LIMIT, "it gives %zu bytes; at most %d can be matched", len,
					   CORRELATE_VALUE_SIZE - 1);
	if (memchr(text, '\0', len))
		return err_set(err, ERR_INVALID, "it gives text with a NUL");
	memcpy(ret, text, len);
	ret[len] = '\0';
	return 0;
}

bool correlate_value_in(const struct surroundings *around, const struct correlate_def *correlate,
						json_t *event, char ret[CORRELATE_VALUE_SIZE])
{
	struct names names = {.event = event, .around = around};
	struct expr_env env = {.get = get_name, .ctx = &names};
	CLEANUP(json_decref_p) json_t *value = NULL;
	struct err err;
	bool found;

	found = tmpl_eval(correlate->from, &env, &value, &err) == 0 &&
			correlate_text(value, ret, &err) == 0;
	json_decref(names.env);
	return found;
}

bool correlate_value(const struct correlate_def *correlate, json_t *event,
					 char ret[CORRELATE_VALUE_SIZE])
{
	return correlate_value_in(NULL, correlate, event, ret);
}

void correlate_channel(const char *cluster, const char *topic, const char *from,
					   char ret[CHANNEL_SIZE])
{
	const char *const parts[] = {cluster, topic, from};
	CLEANUP(buf_release) struct buf out;
	char hex[SHA256_HEX_SIZE];

	buf_init(&out, 0);
	for (size_t i = 0; i < ARRAY_SIZE(parts); i++)
		buf_printf(&out, "%zu:%s", strlen(parts[i]), parts[i]);
	hash_sha256_hex(out.data, out.len, hex);
	memcpy(ret, hex, CHANNEL_SIZE - 1);
	ret[CHANNEL_SIZE - 1] = '\0';
}
