/*
 * start_on: what starts sagas of a definition. Records of Kafka stand here, schedules in
 * def_load_schedule.c.
 */
#include <stdio.h>
#include <string.h>

#include "sagas/def_priv.h"
#include "sagas/kafka_topic.h"

enum {
	MAX_TRIGGERS = 16, /* each is a consumer of its own */
	MAX_POISON_ATTEMPTS = 1000,
	DEFAULT_POISON_ATTEMPTS = 3,
	DEFAULT_POISON_INTERVAL_MS = 1000,
	DEFAULT_POISON_MAXIMUM_MS = 100 * 1000,
};

static void read_trigger_topic(const struct node *at, void *to)
{
	((struct trigger_def *)to)->topic = read_topic(at);
}

static void read_trigger_cluster(const struct node *at, void *to)
{
	((struct trigger_def *)to)->cluster = read_cluster(at);
}

static void read_group(const struct node *at, void *to)
{
	((struct trigger_def *)to)->group = read_constant(at);
}

static void read_from(const struct node *at, void *to)
{
	static const char *const words[] = {"earliest", "latest"};

	((struct trigger_def *)to)->from_latest = read_word(at, words, ARRAY_SIZE(words)) == 1;
}

static void read_when(const struct node *at, void *to)
{
	read_tmpl(at, WANT_BOOL, &((struct trigger_def *)to)->when);
}

static void read_input(const struct node *at, void *to)
{
	read_tmpl(at, WANT_ANY, &((struct trigger_def *)to)->input);
}

static void read_key(const struct node *at, void *to)
{
	struct trigger_def *trigger = to;

	read_tmpl(at, WANT_STRING, &trigger->key);
	if (trigger->key && !tmpl_reads(trigger->key, EXPR_EVENT, NULL))
		find_at(at, FINDING_ERROR,
				"`key` must read `event`, as in ${event.data.id}; else only the first record "
				"starts a saga");
}

static void read_dead_letter(const struct node *at, void *to)
{
	((struct trigger_def *)to)->dead_letter_topic = read_topic(at);
}

/* ---- poison ---- */

static void read_then(const struct node *at, void *to)
{
	static const char *const words[] = {
		[POISON_DEAD_LETTER] = "dead_letter",
		[POISON_PAUSE] = "pause",
		[POISON_SKIP] = "skip",
	};
	int word = read_word(at, words, ARRAY_SIZE(words));

	if (word >= 0)
		((struct trigger_def *)to)->then = (enum poison_then)word;
}

static void read_attempts(const struct node *at, void *to)
{
	read_int(at, 1, MAX_POISON_ATTEMPTS, &((struct retry_policy *)to)->maximum_attempts);
}

static void read_initial_interval(const struct node *at, void *to)
{
	read_duration(at, &((struct retry_policy *)to)->initial_interval_ms);
}

static void read_coefficient(const struct node *at, void *to)
{
	double n = json_number_value(at->value);

	if (!json_is_number(at->value) || !(n >= 1 && n <= 100))
		find_at(at, FINDING_ERROR, "`backoff_coefficient` must be a number from 1 to 100");
	else
		((struct retry_policy *)to)->backoff_coefficient = n;
}

static void read_maximum_interval(const struct node *at, void *to)
{
	read_duration(at, &((struct retry_policy *)to)->maximum_interval_ms);
}

static void read_retry(const struct node *at, void *to)
{
	static const struct key_rule keys[] = {
		{"maximum_attempts", read_attempts},
		{"initial_interval", read_initial_interval},
		{"backoff_coefficient", read_coefficient},
		{"maximum_interval", read_maximum_interval},
	};

	read_object(at, "retry", keys, ARRAY_SIZE(keys), &((struct trigger_def *)to)->retry);
}

static void read_poison(const struct node *at, void *to)
{
	static const struct key_rule keys[] = {{"retry", read_retry}, {"then", read_then}};

	if (json_is_object(at->value))
		read_object(at, "poison", keys, ARRAY_SIZE(keys), to);
	else
		read_then(at, to);
}

/* ---- entries ---- */

static const struct key_rule kafka_keys[] = {
	{"kafka", read_trigger_topic},
	{"cluster", read_trigger_cluster},
	{"group", read_group},
	{"from", read_from},
	{"when", read_when},
	{"input", read_input},
	{"key", read_key},
	{"dead_letter", read_dead_letter},
	{"poison", read_poison},
};

static void check_dead_letter(const struct node *at, struct trigger_def *trigger)
{
	struct node said = node_child(at, "dead_letter");
	struct node topic = node_child(at, "kafka");

	if (said.value) {
		if (trigger->topic && trigger->dead_letter_topic &&
			strcmp(trigger->topic, trigger->dead_letter_topic) == 0)
			find_at(&said, FINDING_ERROR,
					"dead letters cannot go to the topic that they come from; say another, such "
					"as %.64s-dlt",
					trigger->topic);
		return;
	}
	if (!trigger->topic)
		return;
	if (strlen(trigger->topic) + strlen("-dlt") > KAFKA_TOPIC_MAX_BYTES)
		find_at(&topic, FINDING_ERROR,
				"the topic is too long to put -dlt behind it; say `dead_letter`");
	trigger->dead_letter_topic = xasprintf("%s-dlt", trigger->topic);
}

static void check_twice(const struct node *at, const struct saga_def *def)
{
	const struct trigger_def *trigger = &def->triggers[def->n_triggers - 1];
	struct node topic = node_child(at, "kafka");

	for (size_t i = 0; trigger->topic && i + 1 < def->n_triggers; i++) {
		if (!def->triggers[i].topic || strcmp(def->triggers[i].topic, trigger->topic) != 0)
			continue;
		find_at(&topic, FINDING_ERROR,
				"the topic `%.64s` has a trigger above; a definition has one for a topic, with "
				"`when` for what differs",
				trigger->topic);
		return;
	}
}

static void read_kafka_trigger(const struct node *at, struct saga_def *def)
{
	struct trigger_def *trigger = &def->triggers[def->n_triggers++];

	trigger->retry = (struct retry_policy){
		.initial_interval_ms = DEFAULT_POISON_INTERVAL_MS,
		.backoff_coefficient = 2,
		.maximum_interval_ms = DEFAULT_POISON_MAXIMUM_MS,
		.maximum_attempts = DEFAULT_POISON_ATTEMPTS,
	};
	if (!read_object(at, "start_on", kafka_keys, ARRAY_SIZE(kafka_keys), trigger))
		return;
	need_key(at, "kafka", "the topic; or `schedule`, a cron line");
	if (!trigger->cluster)
		trigger->cluster = default_cluster();
	check_dead_letter(at, trigger);
	check_twice(at, def);
}

void read_start_on(const struct node *at)
{
	const struct place place = {.names = BIT(EXPR_EVENT) | BIT(EXPR_ENV)};
	struct saga_def *def = at->load->def;

	if (!want_list(at, "[{kafka: orders.placed, input: \"${event.data}\"}]"))
		return;
	if (json_array_size(at->value) > MAX_TRIGGERS) {
		find_at(at, FINDING_ERROR, "`start_on` has more than %d entries", MAX_TRIGGERS);
		return;
	}
	def->triggers = xcalloc(json_array_size(at->value), sizeof(*def->triggers));
	def->schedules = xcalloc(json_array_size(at->value), sizeof(*def->schedules));
	for (size_t i = 0; i < json_array_size(at->value); i++) {
		struct node item = node_item(at, i);

		item.place = &place;
		if (json_object_get(item.value, "schedule"))
			read_schedule(&item, def);
		else
			read_kafka_trigger(&item, def);
	}
}
