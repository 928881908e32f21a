/*
 * Events, and the sagas that wait for them: by topic and the text that both sides give.
 */
#include "sagas/sandbox_priv.h"

#include <string.h>

#include "sagas/trigger.h"

static bool is_from(const struct correlate_def *on, const char *cluster, const char *topic)
{
	if (on->webhook != !cluster || strcmp(on->topic, topic) != 0)
		return false;
	return !cluster || strcmp(on->cluster, cluster) == 0;
}

static bool finds(const struct sandbox_wait *wait, const char *cluster, const char *topic,
				  json_t *event)
{
	char value[CORRELATE_VALUE_SIZE];

	return is_from(wait->on, cluster, topic) && correlate_value(wait->on, event, value) &&
		   strcmp(value, wait->value) == 0;
}

static void forget_wait(struct sandbox_saga *saga, size_t i)
{
	free(saga->waits[i].value);
	memmove(&saga->waits[i], &saga->waits[i + 1], (saga->n_waits - i - 1) * sizeof(*saga->waits));
	saga->n_waits--;
}

void sandbox__forget_waits(struct sandbox_saga *saga)
{
	while (saga->n_waits > 0)
		forget_wait(saga, saga->n_waits - 1);
	free(saga->waits);
	saga->waits = NULL;
}

/* Something for a saga to look at, by and by. */
struct telling {
	struct sandbox_saga *saga;
	int step, item, place;
	struct jval *event;
	char *id;
};

static void telling_free(void *ctx)
{
	struct telling *telling = ctx;

	jval_unref(telling->event);
	free(telling->id);
	free(telling);
}

static void tell(void *ctx)
{
	struct telling *telling = ctx;
	struct input in = {
		.type = INPUT_EVENT,
		.step = telling->step,
		.item = telling->item,
		.place = telling->place,
		.event = telling->event,
		.event_id = telling->id,
	};

	sandbox__tell(telling->saga, &in);
	telling_free(telling);
}

static void post(struct sandbox_saga *saga, const struct sandbox_wait *wait, json_t *event,
				 const char *id)
{
	struct telling *telling = xcalloc(1, sizeof(*telling));

	*telling = (struct telling){
		.saga = saga,
		.step = wait->step,
		.item = wait->item,
		.place = wait->place,
		.event = jval_from_json(json_deep_copy(event)),
		.id = xstrdup(id),
	};
	sandbox_at(saga->sandbox, saga->sandbox->now, tell, telling_free, telling);
}

/* What came before it waited. */
static void look_back(struct sandbox_saga *saga, const struct sandbox_wait *wait)
{
	struct sandbox *sandbox = saga->sandbox;
	size_t i;

	for (i = 0; i < sandbox->n_events; i++) {
		const struct kept_event *event = &sandbox->events[i];

		if (event->at + SANDBOX_EVENTS_KEPT_MS > sandbox->now &&
			finds(wait, event->cluster, event->topic, event->event))
			post(saga, wait, event->event, event->id);
	}
}

void sandbox__subscribe(struct sandbox_saga *saga, const struct decision *decision)
{
	size_t i, j;

	if (decision->unsubscribe_all)
		sandbox__forget_waits(saga);
	for (i = 0; i < decision->n_subscriptions; i++) {
		const struct subscription *from = &decision->subscriptions[i];

		for (j = saga->n_waits; j-- > 0;)
			if (saga->waits[j].step == from->step && saga->waits[j].item == from->item &&
				saga->waits[j].place == from->place)
				forget_wait(saga, j);
		if (from->remove)
			continue;
		saga->waits = xrealloc_array(saga->waits, saga->n_waits + 1, sizeof(*saga->waits));
		saga->waits[saga->n_waits++] = (struct sandbox_wait){
			.step = from->step,
			.item = from->item,
			.place = from->place,
			.on = from->on,
			.value = xstrdup(from->value),
		};
		look_back(saga, &saga->waits[saga->n_waits - 1]);
	}
}

size_t sandbox_event(struct sandbox *sandbox, const char *cluster, const char *topic, json_t *event,
					 const char *id)
{
	struct kept_event *kept;
	size_t i, j, n = 0;

	sandbox->events =
		xrealloc_array(sandbox->events, sandbox->n_events + 1, sizeof(*sandbox->events));
	kept = &sandbox->events[sandbox->n_events++];
	*kept = (struct kept_event){
		.cluster = cluster ? xstrdup(cluster) : NULL,
		.topic = xstrdup(topic),
		.id = xstrdup(id),
		.event = json_incref(event),
		.at = sandbox->now,
	};
	for (i = 0; i < sandbox->n_sagas; i++) {
		struct sandbox_saga *saga = sandbox->sagas[i];

		for (j = 0; j < saga->n_waits; j++) {
			if (!finds(&saga->waits[j], cluster, topic, event))
				continue;
			post(saga, &saga->waits[j], event, id);
			n++;
		}
	}
	return n;
}

void sandbox__free_events(struct sandbox *sandbox)
{
	size_t i;

	for (i = 0; i < sandbox->n_events; i++) {
		free(sandbox->events[i].cluster);
		free(sandbox->events[i].topic);
		free(sandbox->events[i].id);
		json_decref(sandbox->events[i].event);
	}
	free(sandbox->events);
}
