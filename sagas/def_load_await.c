/*
 * What a saga waits for: `await` in all its forms, and `cancel_on`, which is the same for the saga
 * as a whole.
 *
 * An await of one thing other than a webhook is an action of a kind of its own, as it was before
 * there were lists; a webhook and a list are ACTION_AWAIT.
 */
#include <stdio.h>
#include <string.h>

#include "sagas/def_priv.h"
#include "sagas/trigger.h"

enum { MAX_CANCEL_ON = 16 };

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
	char *topic = read_topic(at);

	free(((struct wait_read *)to)->correlate->topic);
	((struct wait_read *)to)->correlate->topic = topic;
}

static void read_kafka_cluster(const struct node *at, void *to)
{
	((struct wait_read *)to)->correlate->cluster = read_cluster(at);
}

static void read_signal(const struct node *at, void *to)
{
	*((struct wait_read *)to)->signal = read_constant(at);
}

static void read_webhook(const struct node *at, void *to)
{
	struct correlate_def *correlate = ((struct wait_read *)to)->correlate;
	const char *source = read_name(at, "the source of a webhook", DEF_MAX_NAME, true);

	correlate->webhook = true;
	/* Beside `kafka` it is one too many, which is said. */
	if (source && !correlate->topic)
		correlate->topic = xstrdup(source);
}

static void read_after(const struct node *at, void *to)
{
	read_limit(at, ((struct wait_read *)to)->after);
}

/* Once all parts are read: what all that wait in the same way have in common. */
static void finish_correlate(const struct node *at, struct correlate_def *correlate)
{
	struct node how = node_child(at, "correlate");
	const char *from = json_string_value(json_object_get(how.value, "from"));

	if (correlate->webhook) {
		if (correlate->topic && from)
			correlate_channel(CORRELATE_WEBHOOK, correlate->topic, from, correlate->channel);
		return;
	}
	if (!correlate->cluster)
		correlate->cluster = default_cluster();
	if (correlate->topic && from)
		correlate_channel(correlate->cluster, correlate->topic, from, correlate->channel);
}

static const struct key_rule await_keys[] = {
	{"signal", read_signal},       {"kafka", read_kafka},           {"webhook", read_webhook},
	{"after", read_after},         {"cluster", read_kafka_cluster}, {"when", read_event_when},
	{"correlate", read_correlate},
};
static const char *const kinds[] = {
	[WAIT_SIGNAL] = "signal",
	[WAIT_KAFKA] = "kafka",
	[WAIT_WEBHOOK] = "webhook",
	[WAIT_AFTER] = "after",
};

static void refuse_beside(const struct node *at, const char *key, const char *kind)
{
	struct node child = node_child(at, key);

	if (child.value)
		find_at(&child, FINDING_ERROR, "`%s` has no meaning beside `%s`", key, kind);
}

/* One thing that is waited for; false when its kind cannot be told. */
static bool read_wait(const struct node *at, struct wait_def *wait)
{
	struct wait_read read = {&wait->after, &wait->signal, &wait->on};
	const char *kind;
	int said = 0;

	if (!read_object(at, "await", await_keys, ARRAY_SIZE(await_keys), &read))
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		if (!json_object_get(at->value, kinds[i]))
			continue;
		wait->kind = (enum wait_kind)i;
		said++;
	}
	if (said != 1) {
		find_at(at, FINDING_ERROR, "`await` must say one of signal, kafka, webhook and after%s",
				said ? "; in a list the first that comes wins" : "");
		return false;
	}
	kind = kinds[wait->kind];
	if (wait->kind == WAIT_KAFKA || wait->kind == WAIT_WEBHOOK) {
		need_key(at, "correlate", "which event is meant: {from: ..., expect: ...}");
		finish_correlate(at, &wait->on);
	} else {
		refuse_beside(at, "correlate", kind);
	}
	if (wait->kind != WAIT_KAFKA)
		refuse_beside(at, "cluster", kind);
	if (wait->kind == WAIT_AFTER)
		refuse_beside(at, "when", kind);
	return true;
}

static void read_await_list(const struct node *at, struct await_def *await)
{
	size_t n = json_array_size(at->value);
	bool seen_after = false;

	await->list = true;
	if (n == 0)
		find_at(at, FINDING_ERROR, "`await` lists nothing to wait for");
	if (n > AWAIT_MAX_WAITS) {
		find_at(at, FINDING_ERROR, "`await` lists more than %d things", AWAIT_MAX_WAITS);
		return;
	}
	await->waits = xcalloc(n, sizeof(*await->waits));
	for (size_t i = 0; i < n; i++) {
		struct wait_def *wait = &await->waits[await->n_waits++];
		struct node item = node_item(at, i);

		wait->after.ms = -1;
		if (!read_wait(&item, wait) || wait->kind != WAIT_AFTER)
			continue;
		if (seen_after)
			find_at(&item, FINDING_WARNING,
					"`await` lists `after` twice; only the shorter one matters");
		seen_after = true;
	}
}

/* One thing by itself, which is an action of its own kind where it was before there were lists. */
static void read_await_one(const struct node *at, struct action_def *act)
{
	struct wait_def *wait = xcalloc(1, sizeof(*wait));

	wait->after.ms = -1;
	act->kind = ACTION_AWAIT;
	act->await = (struct await_def){.waits = wait, .n_waits = 1};
	if (!read_wait(at, wait) || wait->kind == WAIT_WEBHOOK)
		return;
	act->kind = wait->kind == WAIT_AFTER   ? ACTION_AWAIT_AFTER
				: wait->kind == WAIT_KAFKA ? ACTION_AWAIT_KAFKA
										   : ACTION_AWAIT_SIGNAL;
	act->after = wait->after;
	act->await_kafka = wait->on;
	act->await_signal = wait->signal;
	act->await = (struct await_def){0};
	free(wait);
}

void read_await(const struct node *at, struct action_def *act)
{
	if (json_is_array(at->value)) {
		act->kind = ACTION_AWAIT;
		read_await_list(at, &act->await);
	} else if (json_is_object(at->value)) {
		read_await_one(at, act);
	} else {
		find_at(at, FINDING_ERROR,
				"`await` must be an object such as {after: 2h}, or a list of such");
	}
}

/* One that is a signal has no correlation: it is told to one saga. */
static void read_cancel_signal(const struct node *at, struct cancel_signal *signal)
{
	static const struct key_rule keys[] = {{"signal", read_signal}, {"when", read_event_when}};
	struct correlate_def on = {.when = NULL};
	struct wait_read read = {.signal = &signal->name, .correlate = &on};

	(void)read_object(at, "cancel_on", keys, ARRAY_SIZE(keys), &read);
	signal->when = on.when;
}

static void read_cancel_event(const struct node *at, struct correlate_def *correlate)
{
	static const struct key_rule keys[] = {
		{"kafka", read_kafka},     {"cluster", read_kafka_cluster}, {"webhook", read_webhook},
		{"when", read_event_when}, {"correlate", read_correlate},
	};
	struct wait_read read = {.correlate = correlate};

	if (!read_object(at, "cancel_on", keys, ARRAY_SIZE(keys), &read))
		return;
	if (!correlate->webhook)
		need_key(at, "kafka", "the topic of the event that cancels; or say webhook, or signal");
	else if (json_object_get(at->value, "kafka"))
		find_at(at, FINDING_ERROR, "`cancel_on` has `kafka` and `webhook`; make it two entries");
	else
		refuse_beside(at, "cluster", "webhook");
	need_key(at, "correlate", "which saga is meant: {from: ..., expect: ...}");
	finish_correlate(at, correlate);
}

void read_cancel_on(const struct node *at)
{
	const struct place place = {.names = BIT(EXPR_INPUT) | BIT(EXPR_SAGA) | BIT(EXPR_ENV)};
	struct saga_def *def = at->load->def;
	size_t n = json_array_size(at->value);

	if (!want_list(at, "[{kafka: orders.cancelled, correlate: {from: ..., expect: ...}}]"))
		return;
	if (n > MAX_CANCEL_ON) {
		find_at(at, FINDING_ERROR, "`cancel_on` has more than %d entries", MAX_CANCEL_ON);
		return;
	}
	def->cancel_on = xcalloc(n, sizeof(*def->cancel_on));
	def->cancel_signals = xcalloc(n, sizeof(*def->cancel_signals));
	for (size_t i = 0; i < n; i++) {
		struct node item = node_item(at, i);

		item.place = &place;
		if (json_object_get(item.value, "signal"))
			read_cancel_signal(&item, &def->cancel_signals[def->n_cancel_signals++]);
		else
			read_cancel_event(&item, &def->cancel_on[def->n_cancel_on++]);
	}
}
