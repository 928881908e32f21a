/*
 * The parts of the language that this version knows but does not run yet: their structure and
 * their expressions are checked like any other, so that a definition that loads without errors
 * today is one that runs when they are built. Who calls these functions says "not built".
 */
#include <stdio.h>
#include <string.h>

#include "sagas/base/suggest.h"
#include "sagas/def_priv.h"

static void check_tmpl(const struct node *at, void *to)
{
	(void)to;
	read_tmpl(at, WANT_ANY, NULL);
}

static void check_text(const struct node *at, void *to)
{
	(void)to;
	read_tmpl(at, WANT_STRING, NULL);
}

static void check_constant(const struct node *at, void *to)
{
	(void)to;
	free(read_constant(at));
}

static void check_limit(const struct node *at, void *to)
{
	struct limit limit = {.ms = -1};

	(void)to;
	/* The template, if there is one, lives in the load like any that is checked only. */
	if (json_is_string(at->value) && strstr(json_string_value(at->value), "${"))
		read_tmpl(at, WANT_TIME, NULL);
	else
		read_limit(at, &limit);
}

static void check_count(const struct node *at, void *to)
{
	int64_t n;

	(void)to;
	read_int(at, 1, 1000, &n);
}

static void check_texts(const struct node *at, void *to)
{
	(void)to;
	if (!want_list(at, "[a, b]"))
		return;
	for (size_t i = 0; i < json_array_size(at->value); i++) {
		struct node item = node_item(at, i);

		read_tmpl(&item, WANT_STRING, NULL);
	}
}

void read_child(const struct node *at)
{
	(void)read_name(at, "the name of the child saga", DEF_MAX_NAME, true);
}

static void check_form(const struct node *at, void *to)
{
	struct schema *schema;
	struct err err;

	(void)to;
	if (schema_compile(at->value, &schema, &err) < 0)
		find_at(at, FINDING_ERROR, "the form is not a schema: %s (at %s)", err.text, err.place);
	else
		schema_free(schema);
}

void read_approval(const struct node *at)
{
	static const struct key_rule keys[] = {
		{"title", check_text},   {"groups", check_texts},  {"approve", check_count},
		{"reject", check_count}, {"exclude", check_texts}, {"show", check_tmpl},
		{"form", check_form},
	};

	if (!read_object(at, "approval", keys, ARRAY_SIZE(keys), NULL))
		return;
	need_key(at, "title", "what people read in their list");
	need_key(at, "groups", "who may decide, such as [sales]");
}

static void check_escalate_http(const struct node *at, void *to)
{
	struct action_def scratch = {0};
	bool safe;

	(void)to;
	read_http(at, &scratch.http, &safe);
	load_keep(at->load, &scratch);
}

static void check_escalate_emit(const struct node *at, void *to)
{
	struct action_def scratch = {0};

	(void)to;
	read_emit(at, &scratch.emit);
	load_keep(at->load, &scratch);
}

static void check_escalate_task(const struct node *at, void *to)
{
	struct action_def scratch = {0};

	(void)to;
	read_task(at, &scratch.task);
	load_keep(at->load, &scratch);
}

static const struct key_rule escalate_keys[] = {
	{"after", check_limit},        {"http", check_escalate_http}, {"emit", check_escalate_emit},
	{"task", check_escalate_task}, {"groups", check_texts},       {"with", check_tmpl},
};

void read_escalate(const struct node *at)
{
	if (!want_list(at, "[{after: 4h, groups: [sales-heads]}]"))
		return;
	for (size_t i = 0; i < json_array_size(at->value); i++) {
		struct node item = node_item(at, i);
		int said = 0;

		if (!read_object(&item, "escalate", escalate_keys, ARRAY_SIZE(escalate_keys), NULL))
			continue;
		need_key(&item, "after", "how long to wait before it");
		for (size_t k = 1; k < 5; k++)
			said += json_object_get(item.value, escalate_keys[k].key) != NULL;
		if (said > 1)
			find_at(&item, FINDING_ERROR,
					"one entry of `escalate` does one thing; write two entries");
	}
	not_built(at, "`escalate`");
}

static void check_overlap(const struct node *at, void *to)
{
	static const char *const words[] = {"skip", "queue", "start"};

	(void)to;
	read_word(at, words, ARRAY_SIZE(words));
}

static void check_cron(const struct node *at, void *to)
{
	const char *cron = read_string(at);
	int fields = 0;

	(void)to;
	if (!cron)
		return;
	for (const char *c = cron; *c; c++)
		fields += *c != ' ' && (c == cron || c[-1] == ' ');
	if (fields != 5)
		find_at(
			at, FINDING_ERROR,
			"`schedule` must have five fields (minute hour day month weekday), such as \"0 3 * * "
			"*\"");
}

static const struct key_rule schedule_keys[] = {
	{"schedule", check_cron},
	{"time_zone", check_constant},
	{"overlap", check_overlap},
	{"input", check_tmpl},
};

void check_schedule(const struct node *at)
{
	struct node schedule = node_child(at, "schedule");

	read_object(at, "start_on", schedule_keys, ARRAY_SIZE(schedule_keys), NULL);
	not_built(&schedule, "`start_on: {schedule}`");
}
