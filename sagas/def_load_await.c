/*
 * What a saga waits for: `await` in all its forms, and `cancel_on`, which is the same for the saga
 * as a whole. Webhooks and lists are checked like what runs, and said to be not built.
 */
#include <stdio.h>
#include <string.h>

#include "sagas/def_priv.h"
#include "sagas/trigger.h"

enum { MAX_CANCEL_ON = 16 };

/* Webhooks are read into the same place as records of Kafka, and are not kept. */
struct wait_read {
	struct limit *after; /* NULL: of cancel_on */
	char **signal;       /* NULL, too */
	struct correlate_def *correlate;
};

static void read_from(const struct node *at, void *to)
{
	struct correlate_def *correlate = to;
	const struct place place = {.names = BIT(EXPR_EVENT) | BIT(EXPR_ENV)};
	struct node placed = node_placed(at, &place);

	read_tmpl(&placed, WANT_SCALAR, &correlate->from);
	if (correlate->from && !tmpl_reads(correlate->from, EXPR_EVENT, NULL))
		find_at(at, FINDING_ERROR,
				"`from` must read `event`, as in ${event.data.id}; else every record has the same "
				"value");
}

static void read_expect(const struct node *at, void *to)
{
	read_tmpl(at, WANT_SCALAR, &((struct correlate_def *)to)->expect);
}

static void read_correlate(const struct node *at, void *to)
{
	static const struct key_rule keys[] = {{"from", read_from}, {"expect", read_expect}};

	if (!read_object(at, "correlate", keys, ARRAY_SIZE(keys), ((struct wait_read *)to)->correlate))
		return;
	need_key(at, "from", "the value in the event, such as ${event.data.id}");
	need_key(at, "expect", "the value it must equal, such as ${input.order_id}");
}

static void read_event_when(const struct node *at, void *to)
{
	struct place place = *at->place;
	struct node placed = node_placed(at, &place);

	place.names |= BIT(EXPR_EVENT);
	read_tmpl(&placed, WANT_BOOL, &((struct wait_read *)to)->correlate->when);
}

static void read_kafka(const struct node *at, void *to)
{
	((struct wait_read *)to)->correlate->topic = read_topic(at);
}

static void read_kafka_cluster(const struct node *at, void *to)
{
	((struct wait_read *)to)->correlate->cluster = read_cluster(at);
}

static void read_signal(const struct node *at, void *to)
{
	*((struct wait_read *)to)->signal = read_constant(at);
}

static void check_webhook(const struct node *at, void *to)
{
	(void)to;
	free(read_participant(at));
}

static void read_after(const struct node *at, void *to)
{
	read_limit(at, ((struct wait_read *)to)->after);
}

/* Once all parts are read: what all that wait in the same way have in common. */
static void finish_kafka(const struct node *at, struct correlate_def *correlate)
{
	struct node how = node_child(at, "correlate");
	const char *from = json_string_value(json_object_get(how.value, "from"));

	if (!correlate->cluster)
		correlate->cluster = default_cluster();
	if (correlate->topic && from)
		correlate_channel(correlate->cluster, correlate->topic, from, correlate->channel);
}

static const struct key_rule await_keys[] = {
	{"signal", read_signal},       {"kafka", read_kafka},           {"webhook", check_webhook},
	{"after", read_after},         {"cluster", read_kafka_cluster}, {"when", read_event_when},
	{"correlate", read_correlate},
};
static const char *const kinds[] = {"signal", "kafka", "webhook", "after"};

static void refuse_beside(const struct node *at, const char *key, const char *kind)
{
	struct node child = node_child(at, key);

	if (child.value)
		find_at(&child, FINDING_ERROR, "`%s` has no meaning beside `%s`", key, kind);
}

/* One thing that is waited for; its kind, or NULL when that cannot be told. */
static const char *read_await_one(const struct node *at, struct action_def *act)
{
	struct wait_read read = {&act->after, &act->await_signal, &act->await_kafka};
	const char *kind = NULL;
	int said = 0;

	if (!read_object(at, "await", await_keys, ARRAY_SIZE(await_keys), &read))
		return NULL;
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		if (!json_object_get(at->value, kinds[i]))
			continue;
		kind = kinds[i];
		said++;
	}
	if (said != 1) {
		find_at(at, FINDING_ERROR, "`await` must say one of signal, kafka, webhook and after%s",
				said ? "; in a list the first that comes wins" : "");
		return NULL;
	}
	if (strcmp(kind, "kafka") == 0) {
		need_key(at, "correlate", "which record is meant: {from: ..., expect: ...}");
		finish_kafka(at, &act->await_kafka);
		return kind;
	}
	refuse_beside(at, "cluster", kind);
	if (strcmp(kind, "after") == 0)
		refuse_beside(at, "when", kind);
	if (strcmp(kind, "webhook") != 0)
		refuse_beside(at, "correlate", kind);
	return kind;
}

static void read_await_list(const struct node *at)
{
	if (json_array_size(at->value) == 0)
		find_at(at, FINDING_ERROR, "`await` lists nothing to wait for");
	for (size_t i = 0; i < json_array_size(at->value); i++) {
		struct node item = node_item(at, i);
		struct action_def scratch = {0};

		(void)read_await_one(&item, &scratch);
		load_keep(at->load, &scratch);
	}
	not_built(at, "`await` of several");
}

void read_await(const struct node *at, struct action_def *act)
{
	struct node child;
	const char *kind;
	char what[64];

	if (json_is_array(at->value)) {
		read_await_list(at);
		return;
	}
	if (!json_is_object(at->value)) {
		find_at(at, FINDING_ERROR,
				"`await` must be an object such as {after: 2h}, or a list of such");
		return;
	}
	kind = read_await_one(at, act);
	if (!kind)
		return;
	child = node_child(at, kind);
	if (strcmp(kind, "after") == 0) {
		act->kind = ACTION_AWAIT_AFTER;
	} else if (strcmp(kind, "kafka") == 0) {
		act->kind = ACTION_AWAIT_KAFKA;
	} else if (strcmp(kind, "signal") == 0) {
		act->kind = ACTION_AWAIT_SIGNAL;
	} else {
		snprintf(what, sizeof(what), "`await: {%s}`", kind);
		not_built(&child, what);
	}
}

void read_cancel_on(const struct node *at)
{
	static const struct key_rule keys[] = {
		{"kafka", read_kafka},
		{"cluster", read_kafka_cluster},
		{"when", read_event_when},
		{"correlate", read_correlate},
	};
	const struct place place = {.names = BIT(EXPR_INPUT) | BIT(EXPR_SAGA) | BIT(EXPR_ENV)};
	struct saga_def *def = at->load->def;

	if (!want_list(at, "[{kafka: orders.cancelled, correlate: {from: ..., expect: ...}}]"))
		return;
	if (json_array_size(at->value) > MAX_CANCEL_ON) {
		find_at(at, FINDING_ERROR, "`cancel_on` has more than %d entries", MAX_CANCEL_ON);
		return;
	}
	def->cancel_on = xcalloc(json_array_size(at->value), sizeof(*def->cancel_on));
	for (size_t i = 0; i < json_array_size(at->value); i++) {
		struct node item = node_item(at, i);
		struct wait_read read = {.correlate = &def->cancel_on[def->n_cancel_on++]};

		item.place = &place;
		if (!read_object(&item, "cancel_on", keys, ARRAY_SIZE(keys), &read))
			continue;
		need_key(&item, "kafka", "the topic of the event that cancels");
		need_key(&item, "correlate", "which saga is meant: {from: ..., expect: ...}");
		finish_kafka(&item, read.correlate);
	}
}
