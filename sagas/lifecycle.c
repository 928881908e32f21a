/*
 * One table says which event of a history tells what to the world; most of the history (attempts,
 * what is armed or scheduled) is nobody's business but ours.
 */
#include "sagas/lifecycle.h"

#include <string.h>

#include "sagas/json_text.h"
#include "sagas/outbox_priv.h"

static const char *const type_texts[] = {
#define X(name, text) [name] = (text),
	LIFECYCLE_TYPES(X)
#undef X
};

const char *lifecycle_type_text(enum lifecycle_type type)
{
	return type_texts[type];
}

struct lifecycle_before lifecycle_before(const struct saga_state *state)
{
	return (struct lifecycle_before){
		.status = state->status,
		.attention = saga_state_attention(state) != NULL,
	};
}

/* What an event of the history is to the world; LIFECYCLE_TYPE_COUNT: nothing. */
static enum lifecycle_type type_of(const struct saga_state *state, const struct event *event)
{
	/* What only tells that something is late is no step to the world. */
	if (event->step >= state->def->n_listed)
		return LIFECYCLE_TYPE_COUNT;
	switch (event->type) {
	case EV_SAGA_STARTED:
		return LIFE_SAGA_STARTED;
	case EV_STEP_COMPLETED:
		return LIFE_STEP_COMPLETED;
	case EV_STEP_SETTLED:
		/* All items or turns of a step are over; if some failed, each of them has said so. */
		return state->steps[event->step].status == STEP_COMPLETED ? LIFE_STEP_COMPLETED
																  : LIFECYCLE_TYPE_COUNT;
	case EV_STEP_FAILED:
		return LIFE_STEP_FAILED;
	case EV_STEP_SKIPPED:
		return LIFE_STEP_SKIPPED;
	case EV_STEP_PARKED:
		return LIFE_STEP_PARKED;
	case EV_COMPENSATION_COMPLETED:
		return LIFE_COMPENSATION_COMPLETED;
	case EV_COMPENSATION_FAILED:
		return LIFE_COMPENSATION_FAILED;
	case EV_SAGA_COMPENSATING:
		return LIFE_SAGA_COMPENSATING;
	case EV_SAGA_COMPLETED:
		return LIFE_SAGA_COMPLETED;
	case EV_SAGA_COMPENSATED:
		return LIFE_SAGA_COMPENSATED;
	case EV_SAGA_TERMINATED:
		return LIFE_SAGA_TERMINATED;
	case EV_STEP_SCHEDULED:
	case EV_STEP_ATTEMPT_FAILED:
	case EV_STEP_ONGOING:
	case EV_STEP_EXPANDED:
	case EV_COMPENSATION_ARMED:
	case EV_COMPENSATION_STARTED:
	case EV_COMPENSATION_ATTEMPT_FAILED:
	case EV_COMPENSATION_SKIPPED:
	case EV_COMPENSATION_ONGOING:
	case EV_SAGA_CANCEL_REQUESTED:
	case EV_SAGA_DEADLINE_PASSED:
	case EV_REPLY_IGNORED:
	case EV_SAGA_ATTENTION:
	case EV_STEP_ABSENT:
	case EV_COMMAND_PUBLISHED:
	case EV_SAGA_CONTINUED:
	case EV_SAGA_RESET:
	case EV_CHILD_STARTED:
	case EV_CHILD_CANCELLED:
	case EV_SAGA_HELD:
	case EV_ACT_TAKEN:
	case EV_TASK_LEASED:
	case EV_ESCALATED:
		break;
	}
	return LIFECYCLE_TYPE_COUNT;
}

static void write_text(struct buf *out, const char *name, const char *value)
{
	if (!value)
		return;
	buf_printf(out, ",\"%s\":", name);
	json_write_string(value, strlen(value), out);
}

/* {"saga":{…},"seq":N,"at":"…" — what every event says. */
static void write_head(const struct outbox_origin *origin, const struct saga_state *state,
					   struct buf *out)
{
	char at[TIME_TEXT_SIZE];

	time_format(origin->at, at);
	buf_add_lit(out, "{\"saga\":{\"id\":");
	json_write_string(origin->saga_id, strlen(origin->saga_id), out);
	write_text(out, "namespace", origin->ns);
	write_text(out, "definition", origin->definition);
	if (state->def->version > 0) {
		buf_add_lit(out, ",\"version\":");
		buf_add_int(out, state->def->version);
	}
	write_text(out, "key", state->key);
	write_text(out, "status", saga_status_text(state->status));
	buf_add_lit(out, "},\"seq\":");
	buf_add_int(out, origin->seq);
	write_text(out, "at", at);
}

static void write_event(const struct saga_state *state, enum lifecycle_type type,
						const struct event *event, struct buf *out)
{
	if (event->step >= 0)
		write_text(out, "step", state->def->steps[event->step].id);
	if (event->item >= 0)
		buf_printf(out, ",\"item\":%d", event->item);
	if (event->attempt > 0)
		buf_printf(out, ",\"attempt\":%lld", (long long)event->attempt);
	write_text(out, "code", event->code);
	write_text(out, "message", event->message);
	if (type == LIFE_STEP_FAILED) {
		/* Whoever counts what may have been done must know. */
		write_text(out, "outcome", event->ambiguous ? "unknown" : "failure");
		if (event->tolerated)
			buf_add_lit(out, ",\"tolerated\":true");
	}
	write_text(out, "by", event->by);
	write_text(out, "reason", event->reason);
}

static int add(struct outbox *outbox, const struct outbox_origin *origin, const char *cluster,
			   const char *topic, enum lifecycle_type type, const struct buf *data, struct err *err)
{
	const struct outbox_message message = {
		.cluster = cluster,
		.topic = topic,
		.type = type_texts[type],
		.payload = buf_str(data),
		.payload_len = data->len,
	};
	int r = buf_check(data, "a lifecycle event", err);

	return r < 0 ? r : outbox__add(outbox, origin, &message, err);
}

/* What the state says and no single event: it has ended badly, or now concerns a person. */
static int add_of_state(struct outbox *outbox, const struct outbox_origin *origin,
						const char *cluster, const char *topic, const struct saga_state *state,
						const struct lifecycle_before *before, struct err *err)
{
	const char *attention = saga_state_attention(state);
	bool stuck_now =
		state->status == SAGA_COMPENSATION_FAILED && before->status != SAGA_COMPENSATION_FAILED;
	bool failed_now = state->status == SAGA_FAILED && before->status != SAGA_FAILED;
	CLEANUP(buf_release) struct buf data = {0};
	int r = 0;

	buf_init(&data, 0);
	if (failed_now) {
		write_head(origin, state, &data);
		write_text(&data, "code", state->failure_code);
		write_text(&data, "message", state->failure_message);
		buf_add_char(&data, '}');
		r = add(outbox, origin, cluster, topic, LIFE_SAGA_FAILED, &data, err);
		buf_clear(&data);
	}
	if (r < 0 || (!stuck_now && (!attention || before->attention)))
		return r;
	write_head(origin, state, &data);
	write_text(&data, "reason", attention ? attention : "an undo has failed for good");
	buf_add_char(&data, '}');
	return add(outbox, origin, cluster, topic, LIFE_SAGA_ATTENTION, &data, err);
}

int lifecycle_add(struct outbox *outbox, const struct outbox_origin *origin, const char *cluster,
				  const char *topic, const struct saga_state *state,
				  const struct lifecycle_before *before, const struct event *events,
				  size_t n_events, struct err *err)
{
	CLEANUP(buf_release) struct buf data = {0};
	int r;

	buf_init(&data, 0);
	for (size_t i = 0; i < n_events; i++) {
		enum lifecycle_type type = type_of(state, &events[i]);

		if (type == LIFECYCLE_TYPE_COUNT)
			continue;
		buf_clear(&data);
		write_head(origin, state, &data);
		write_event(state, type, &events[i], &data);
		buf_add_char(&data, '}');
		r = add(outbox, origin, cluster, topic, type, &data, err);
		if (r < 0)
			return r;
	}
	return add_of_state(outbox, origin, cluster, topic, state, before, err);
}
