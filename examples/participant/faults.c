#include "examples/participant/faults.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_RULES = 100, MAX_DELAY_MS = 600000 };

struct rule {
	struct fault fault;
	char path[256];
	json_t *match; /* an object, or NULL */
	long left;     /* how many more requests; -1: all */
};

struct faults {
	pthread_mutex_t mutex;
	struct rule rules[MAX_RULES];
	size_t n;
};

struct faults *faults_new(void)
{
	struct faults *faults = calloc(1, sizeof(*faults));

	if (!faults)
		abort();
	pthread_mutex_init(&faults->mutex, NULL);
	return faults;
}

static void remove_rule(struct faults *faults, size_t i)
{
	json_decref(faults->rules[i].match);
	memmove(&faults->rules[i], &faults->rules[i + 1], (faults->n - i - 1) * sizeof(struct rule));
	faults->n--;
}

void faults_free(struct faults *faults)
{
	if (!faults)
		return;
	while (faults->n > 0)
		remove_rule(faults, faults->n - 1);
	pthread_mutex_destroy(&faults->mutex);
	free(faults);
}

static bool matches(const struct rule *rule, const char *path, json_t *body)
{
	const char *name;
	json_t *value;

	if (strncmp(path, rule->path, strlen(rule->path)) != 0)
		return false;
	json_object_foreach (rule->match, name, value) {
		if (!json_equal(value, json_object_get(body, name)))
			return false;
	}
	return true;
}

struct fault faults_take(struct faults *faults, const char *path, json_t *body)
{
	struct fault fault = {.mode = FAULT_NONE};
	size_t i;

	pthread_mutex_lock(&faults->mutex);
	for (i = 0; i < faults->n; i++) {
		struct rule *rule = &faults->rules[i];

		if (!matches(rule, path, body))
			continue;
		fault = rule->fault;
		if (rule->left > 0 && --rule->left == 0)
			remove_rule(faults, i);
		break;
	}
	pthread_mutex_unlock(&faults->mutex);
	return fault;
}

static int mode_parse(const char *text)
{
	static const char *const texts[] = {
#define X(name, mode_text) mode_text,
		FAULT_MODES(X)
#undef X
	};
	size_t i;

	for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		if (strcmp(texts[i], text) == 0)
			return (int)i;
	}
	return -1;
}

static void forget_path(struct faults *faults, const char *path)
{
	size_t i;

	for (i = faults->n; i-- > 0;) {
		if (strncmp(faults->rules[i].path, path, strlen(path)) == 0)
			remove_rule(faults, i);
	}
}

const char *faults_add(struct faults *faults, json_t *order)
{
	const char *path = NULL, *mode = NULL, *code = "declined", *problem = NULL;
	int times = 1, delay_ms = 2000, mode_number;
	json_t *match = NULL;

	if (json_unpack(order, "{s:s, s:s, s?:i, s?:s, s?:i, s?:o}", "path", &path, "mode", &mode,
					"times", &times, "code", &code, "delay_ms", &delay_ms, "match", &match) < 0)
		return "wanted: {path, mode, times?, code?, delay_ms?, match?}";
	mode_number = mode_parse(mode);
	if (mode_number < 0)
		return "mode is one of none, decline, fail, redirect, hang, slow, lose_reply, garbage, "
			   "huge";
	if (path[0] != '/' || strlen(path) >= sizeof(faults->rules[0].path) || times < 0 ||
		delay_ms < 0 || delay_ms > MAX_DELAY_MS || (match && !json_is_object(match)) ||
		strlen(code) >= sizeof(faults->rules[0].fault.code))
		return "path begins with /, times is 0 or more, delay_ms up to 600000, match an object";
	pthread_mutex_lock(&faults->mutex);
	if (mode_number == FAULT_NONE && times == 0) {
		forget_path(faults, path);
	} else if (faults->n == MAX_RULES) {
		problem =
			"there are 100 orders already; {\"path\": \"/\", \"mode\": \"none\", \"times\": 0} "
			"ends them all";
	} else {
		struct rule *rule = &faults->rules[faults->n++];

		*rule = (struct rule){.left = times > 0 ? times : -1, .match = json_incref(match)};
		rule->fault.mode = (enum fault_mode)mode_number;
		rule->fault.delay_ms = delay_ms;
		snprintf(rule->fault.code, sizeof(rule->fault.code), "%s", code);
		snprintf(rule->path, sizeof(rule->path), "%s", path);
	}
	pthread_mutex_unlock(&faults->mutex);
	return problem;
}
