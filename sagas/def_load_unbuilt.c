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

static void check_scalar(const struct node *at, void *to)
{
	(void)to;
	read_tmpl(at, WANT_SCALAR, NULL);
}

static void check_condition(const struct node *at, void *to)
{
	(void)to;
	read_tmpl(at, WANT_BOOL, NULL);
}

static void check_string(const struct node *at, void *to)
{
	(void)to;
	(void)read_string(at);
}

/* Topics and event types: constant, so that who listens to what can be told from a definition. */
static void check_constant(const struct node *at, void *to)
{
	const char *text = read_string(at);

	(void)to;
	if (text && strstr(text, "${"))
		find_at(at, FINDING_ERROR, "`%s` must be constant text, without ${}", at->key);
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

static void check_to(const struct node *at, void *to)
{
	const char *name = read_name(at, "the participant", DEF_MAX_NAME, true);

	(void)to;
	if (name)
		check_participant(at, name);
}

void read_command(const struct node *at)
{
	static const struct key_rule keys[] = {{"to", check_to},
										   {"key", check_scalar},
										   {"type", check_constant},
										   {"data", check_tmpl},
										   {"headers", check_tmpl}};

	if (!read_object(at, "command", keys, ARRAY_SIZE(keys), NULL))
		return;
	need_key(at, "to", "the participant that answers");
	need_key(at, "type", "the type of the command, such as ReserveCredit");
}

void read_emit(const struct node *at)
{
	static const struct key_rule keys[] = {{"topic", check_constant},
										   {"key", check_scalar},
										   {"type", check_constant},
										   {"data", check_tmpl},
										   {"headers", check_tmpl}};

	if (!read_object(at, "emit", keys, ARRAY_SIZE(keys), NULL))
		return;
	need_key(at, "topic", "the Kafka topic");
	need_key(at, "type", "the type of the event, such as OrderConfirmed");
}

void read_task(const struct node *at)
{
	static const struct key_rule keys[] = {{"queue", check_constant}, {"route", check_scalar}};

	if (json_is_string(at->value)) {
		check_constant(at, NULL);
		return;
	}
	if (read_object(at, "task", keys, ARRAY_SIZE(keys), NULL))
		need_key(at, "queue", "the queue that workers pull from");
}

void read_child(const struct node *at)
{
	(void)read_name(at, "the name of the child saga", DEF_MAX_NAME, true);
}

static void check_correlate(const struct node *at, void *to)
{
	static const struct key_rule keys[] = {{"from", NULL}, {"expect", NULL}};
	struct place place = *at->place;
	struct node from = node_child(at, "from"), expect = node_child(at, "expect");

	(void)to;
	if (!read_object(at, "correlate", keys, ARRAY_SIZE(keys), NULL))
		return;
	need_key(at, "from", "the value in the event, such as ${event.data.id}");
	need_key(at, "expect", "the value it must equal, such as ${input.order_id}");
	place.names = BIT(EXPR_EVENT) | BIT(EXPR_ENV);
	from.place = &place;
	if (from.value)
		read_tmpl(&from, WANT_SCALAR, NULL);
	if (expect.value)
		read_tmpl(&expect, WANT_SCALAR, NULL);
}

static void check_event_condition(const struct node *at, void *to)
{
	struct place place = *at->place;
	struct node placed = node_placed(at, &place);

	place.names |= BIT(EXPR_EVENT);
	check_condition(&placed, to);
}

static const struct key_rule await_keys[] = {
	{"signal", check_constant}, {"kafka", check_constant},       {"webhook", check_to},
	{"after", check_limit},     {"when", check_event_condition}, {"correlate", check_correlate},
};

/* One thing that is waited for; true when it is a time. */
static bool read_await_one(const struct node *at)
{
	static const char *const kinds[] = {"signal", "kafka", "webhook", "after"};
	int said = 0;

	if (!read_object(at, "await", await_keys, ARRAY_SIZE(await_keys), NULL))
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		said += json_object_get(at->value, kinds[i]) != NULL;
	if (said != 1)
		find_at(at, FINDING_ERROR, "`await` must say one of signal, kafka, webhook and after%s",
				said ? "; in a list the first that comes wins" : "");
	if (json_object_get(at->value, "kafka"))
		need_key(at, "correlate", "which record is meant: {from: ..., expect: ...}");
	if (!json_object_get(at->value, "after"))
		return false;
	for (size_t i = 4; i < ARRAY_SIZE(await_keys); i++) {
		struct node child = node_child(at, await_keys[i].key);

		if (child.value)
			find_at(&child, FINDING_ERROR, "`%s` has no meaning beside `after`", child.key);
	}
	return said == 1;
}

void read_await(const struct node *at, struct action_def *act)
{
	struct node after = node_child(at, "after");

	if (json_is_array(at->value)) {
		if (json_array_size(at->value) == 0)
			find_at(at, FINDING_ERROR, "`await` lists nothing to wait for");
		for (size_t i = 0; i < json_array_size(at->value); i++) {
			struct node item = node_item(at, i);

			read_await_one(&item);
		}
		not_built(at, "`await` of several");
		return;
	}
	if (!json_is_object(at->value)) {
		find_at(at, FINDING_ERROR,
				"`await` must be an object such as {after: 2h}, or a list of such");
		return;
	}
	if (read_await_one(at)) {
		act->kind = ACTION_AWAIT_AFTER;
		at->load->muted++; /* its findings were reported just now */
		read_limit(&after, &act->after);
		at->load->muted--;
		return;
	}
	for (size_t i = 0; i < 3; i++) {
		struct node kind = node_child(at, await_keys[i].key);
		char what[64];

		snprintf(what, sizeof(what), "`await: {%s}`", kind.key);
		if (kind.value)
			not_built(&kind, what);
	}
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

static void check_lock_keys(const struct node *at, void *to)
{
	(void)to;
	if (json_is_array(at->value) && json_array_size(at->value) == 0)
		find_at(at, FINDING_ERROR, "`keys` lists nothing to lock");
	read_tmpl(at, WANT_LIST, NULL);
}

void read_lock(const struct node *at, const struct block *block)
{
	static const struct key_rule keys[] = {{"keys", check_lock_keys},
										   {"release_after", check_string}};
	struct node release = node_child(at, "release_after");
	const char *id = json_string_value(release.value);
	struct suggest suggest;

	if (!read_object(at, "lock", keys, ARRAY_SIZE(keys), NULL))
		return;
	need_key(at, "keys", "what is locked, such as [\"account:${input.from}\"]");
	if (!id)
		return;
	suggest_init(&suggest, id, strlen(id));
	for (size_t i = 0; i < block->n; i++) {
		const char *other = json_string_value(json_object_get(block->steps[i].value, "id"));

		if (other && strcmp(other, id) == 0)
			return;
		if (other)
			suggest_offer(&suggest, other);
	}
	find_at(&release, FINDING_ERROR, "unknown step `%.64s` in release_after%s%s%s", id,
			suggest_best(&suggest) ? "; did you mean `" : "",
			suggest_best(&suggest) ? suggest_best(&suggest) : "",
			suggest_best(&suggest) ? "`?" : "");
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
	(void)to;
	read_emit(at);
}

static void check_escalate_task(const struct node *at, void *to)
{
	(void)to;
	read_task(at);
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

static void check_poison(const struct node *at, void *to)
{
	static const char *const words[] = {"dead_letter", "stop"};

	(void)to;
	read_word(at, words, ARRAY_SIZE(words));
}

static void check_overlap(const struct node *at, void *to)
{
	static const char *const words[] = {"skip", "queue", "start"};

	(void)to;
	read_word(at, words, ARRAY_SIZE(words));
}

static void check_schedule(const struct node *at, void *to)
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

static const struct key_rule kafka_trigger_keys[] = {
	{"kafka", check_constant}, {"group", check_constant},       {"when", check_condition},
	{"input", check_tmpl},     {"dead_letter", check_constant}, {"poison", check_poison},
};
static const struct key_rule schedule_keys[] = {
	{"schedule", check_schedule},
	{"time_zone", check_constant},
	{"overlap", check_overlap},
	{"input", check_tmpl},
};
static const struct key_rule cancel_keys[] = {
	{"kafka", check_constant},
	{"group", check_constant},
	{"when", check_event_condition},
	{"correlate", check_correlate},
};

void read_start_on(const struct node *at)
{
	const struct place place = {.names = BIT(EXPR_EVENT) | BIT(EXPR_ENV)};

	if (!want_list(at, "[{kafka: orders.placed, input: \"${event.data}\"}]"))
		return;
	for (size_t i = 0; i < json_array_size(at->value); i++) {
		struct node item = node_item(at, i);

		item.place = &place;
		if (json_object_get(item.value, "schedule"))
			read_object(&item, "start_on", schedule_keys, ARRAY_SIZE(schedule_keys), NULL);
		else if (read_object(&item, "start_on", kafka_trigger_keys, ARRAY_SIZE(kafka_trigger_keys),
							 NULL))
			need_key(&item, "kafka", "the topic; or `schedule`, a cron line");
	}
	not_built(at, "`start_on`");
}

void read_cancel_on(const struct node *at)
{
	const struct place place = {.names = BIT(EXPR_INPUT) | BIT(EXPR_SAGA) | BIT(EXPR_ENV)};

	if (!want_list(at, "[{kafka: orders.cancelled, correlate: {from: ..., expect: ...}}]"))
		return;
	for (size_t i = 0; i < json_array_size(at->value); i++) {
		struct node item = node_item(at, i);

		item.place = &place;
		if (!read_object(&item, "cancel_on", cancel_keys, ARRAY_SIZE(cancel_keys), NULL))
			continue;
		need_key(&item, "kafka", "the topic of the event that cancels");
		need_key(&item, "correlate", "which saga is meant: {from: ..., expect: ...}");
	}
	not_built(at, "`cancel_on`");
}
