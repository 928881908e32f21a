#include "coordinator/transition.h"

#include <stdio.h>
#include <string.h>

static const char *copy_text(struct batch *arena, const char *text)
{
	return text ? batch_copy(arena, text, strlen(text)) : NULL;
}

static void add_subscriptions(struct batch *arena, const struct saga_state *state,
							  const struct decision *decision, struct store_item *item)
{
	struct subscription_row *rows;

	item->unsubscribe_all = decision->unsubscribe_all;
	if (decision->n_subscriptions == 0)
		return;
	rows = batch_alloc(arena, decision->n_subscriptions * sizeof(*rows));
	for (size_t i = 0; i < decision->n_subscriptions; i++) {
		const struct subscription *from = &decision->subscriptions[i];

		rows[i] = (struct subscription_row){
			.step = from->step < 0 ? "" : copy_text(arena, state->def->steps[from->step].id),
			.item = from->item,
			.place = from->place,
			.channel = from->remove ? NULL : copy_text(arena, from->on->channel),
			.value = from->remove ? NULL : copy_text(arena, from->value),
			.remove = from->remove,
			.ns = from->remove ? NULL : copy_text(arena, state->ns),
		};
	}
	item->subscriptions = rows;
	item->n_subscriptions = decision->n_subscriptions;
}

static void add_tasks(struct batch *arena, const struct saga_state *state,
					  const struct decision *decision, struct store_item *item)
{
	struct task_change *rows;

	item->remove_all_tasks = decision->remove_all_tasks;
	if (decision->n_tasks == 0)
		return;
	rows = batch_alloc(arena, decision->n_tasks * sizeof(*rows));
	for (size_t i = 0; i < decision->n_tasks; i++) {
		const struct task_note *from = &decision->tasks[i];
		const char *doc = from->doc ? from->doc : "{}";

		rows[i].remove = from->remove;
		rows[i].row = (struct task_row){
			.slot = item->slot,
			.ns = copy_text(arena, state->ns),
			.definition = copy_text(arena, state->def->name),
			.step = copy_text(arena, state->def->steps[from->step].id),
			.item = from->item,
			.side = from->side,
			.kind = from->kind,
			.queue = copy_text(arena, from->queue ? from->queue : ""),
			.route = copy_text(arena, from->route),
			.attempt = from->attempt,
			.state = from->state,
			.queued_at = from->queued_at,
			.available_at = from->available_at,
			.deadline_at = from->deadline_at,
			.leased_until = from->leased_until,
			.worker = copy_text(arena, from->worker),
			.build = copy_text(arena, from->build),
			.doc = copy_text(arena, doc),
			.doc_len = strlen(doc),
		};
		memcpy(rows[i].row.saga_id, item->saga_id, sizeof(rows[i].row.saga_id));
	}
	item->tasks = rows;
	item->n_tasks = decision->n_tasks;
}

static const json_t *keys_of(const struct lock_wish *wish)
{
	return wish->release ? NULL : json_object_get(jval_json(wish->lock), "keys");
}

/* A wish for several keys is as many rows, under one ticket. */
static void add_locks(struct batch *arena, const struct saga_state *state,
					  const struct decision *decision, struct store_item *item)
{
	struct lock_change *rows;
	size_t n = 0;

	item->release_all_locks = decision->release_all_locks;
	for (size_t i = 0; i < decision->n_locks; i++)
		n += decision->locks[i].release ? 1 : json_array_size(keys_of(&decision->locks[i]));
	if (n == 0)
		return;
	rows = batch_alloc(arena, n * sizeof(*rows));
	item->locks = rows;
	for (size_t i = 0; i < decision->n_locks; i++) {
		const struct lock_wish *from = &decision->locks[i];
		const json_t *keys = keys_of(from);
		const struct lock_change row = {
			.ns = copy_text(arena, state->ns),
			.step = copy_text(arena, state->def->steps[from->step].id),
			.item = from->item,
			.release = from->release,
		};

		if (from->release)
			rows[item->n_locks++] = row;
		for (size_t k = 0; k < json_array_size(keys); k++) {
			rows[item->n_locks] = row;
			rows[item->n_locks++].key =
				copy_text(arena, json_string_value(json_array_get(keys, k)));
		}
	}
}

/* Its id is made of the transition, so that whoever writes it again adds nothing. */
static void message_id(const struct store_item *item, size_t place, char ret_id[UUID_SIZE])
{
	char text[SAGA_ID_SIZE + 64];
	int len = snprintf(text, sizeof(text), "message:%s/%lld/%zu", item->saga_id,
					   (long long)item->seq, place);

	hash_uuid5(text, (size_t)len, ret_id);
}

static void add_saga_messages(struct batch *arena, const struct saga_state *state,
							  const struct decision *decision, struct store_item *item)
{
	struct inbox_row *rows;

	if (decision->n_messages == 0)
		return;
	rows = batch_alloc(arena, decision->n_messages * sizeof(*rows));
	for (size_t i = 0; i < decision->n_messages; i++) {
		const struct saga_message *from = &decision->messages[i];

		rows[i] = (struct inbox_row){
			.slot = saga_id_slot(from->to),
			.ns = copy_text(arena, state->ns),
			.at = item->at,
			.message = copy_text(arena, from->text),
			.message_len = strlen(from->text),
		};
		memcpy(rows[i].saga_id, from->to, sizeof(rows[i].saga_id));
		message_id(item, i, rows[i].id);
	}
	item->messages = rows;
	item->n_messages = decision->n_messages;
}

static void copy_outbox(struct batch *arena, const struct outbox *outbox, struct store_item *item)
{
	struct outbox_row *rows;

	if (outbox->n_events == 0)
		return;
	rows = batch_alloc(arena, outbox->n_events * sizeof(*rows));
	for (size_t i = 0; i < outbox->n_events; i++) {
		const struct outbox_event *from = &outbox->events[i];
		struct outbox_row *row = &rows[i];

		*row = (struct outbox_row){
			.slot = item->slot,
			.seq = item->seq,
			.place = from->place,
			.cluster = copy_text(arena, from->cluster),
			.topic = copy_text(arena, from->topic),
			.key = copy_text(arena, from->key),
			.type = copy_text(arena, from->type),
			.headers = copy_text(arena, from->headers),
			.payload = from->payload ? batch_copy(arena, from->payload, from->payload_len) : NULL,
			.payload_len = from->payload_len,
			.created_at = item->at,
		};
		memcpy(row->saga_id, item->saga_id, sizeof(row->saga_id));
		memcpy(row->id, from->id, sizeof(row->id));
	}
	item->outbox = rows;
	item->n_outbox = outbox->n_events;
}

static void outbox_release_p(struct outbox *outbox)
{
	outbox_release(outbox);
}

static int add_outbox(struct batch *arena, const struct saga_state *state,
					  const struct decision *decision, const struct lifecycle_topic *topic,
					  const struct lifecycle_before *before, struct store_item *item,
					  struct err *err)
{
	CLEANUP(outbox_release_p) struct outbox outbox;
	struct outbox_origin origin = {
		.ns = state->ns,
		.definition = state->def->name,
		.saga_id = state->id,
		.seq = item->seq,
		.at = item->at,
	};
	int r = 0;

	outbox_init(&outbox);
	for (size_t i = 0; i < decision->n_emissions && r == 0; i++)
		r = outbox_add_emission(&outbox, &origin, decision->emissions[i].request, err);
	if (r == 0 && topic->topic)
		r = lifecycle_add(&outbox, &origin, topic->cluster, topic->topic, state, before,
						  decision->events, decision->n_events, err);
	if (r < 0)
		return r;
	copy_outbox(arena, &outbox, item);
	return 0;
}

int transition_add_messages(struct batch *arena, const struct saga_state *state,
							const struct decision *decision, const struct lifecycle_topic *topic,
							const struct lifecycle_before *before, struct store_item *item,
							struct err *err)
{
	add_subscriptions(arena, state, decision, item);
	add_tasks(arena, state, decision, item);
	add_locks(arena, state, decision, item);
	add_saga_messages(arena, state, decision, item);
	if (decision->n_emissions == 0 && !topic->topic)
		return 0;
	return add_outbox(arena, state, decision, topic, before, item, err);
}

bool transition_has_search(const struct saga_state *state)
{
	return state->search || state->def->n_labels > 0;
}

/* Labels stand beside the values, under names that no value has. */
void transition_add_search(struct batch *arena, const struct saga_state *state,
						   struct store_item *item)
{
	const struct saga_def *def = state->def;
	json_t *values = state->search ? jval_json(state->search) : NULL;
	struct search_value *search;
	const char *name;
	json_t *value;
	size_t n = 0;

	item->reuse = def->reuse_after_undo;
	if (!transition_has_search(state))
		return;
	search = batch_alloc(arena, (json_object_size(values) + def->n_labels) * sizeof(*search));
	json_object_foreach (values, name, value)
		search[n++] = (struct search_value){copy_text(arena, name),
											copy_text(arena, json_string_value(value))};
	for (size_t i = 0; i < def->n_labels; i++) {
		char text[sizeof(SEARCH_LABEL_PREFIX) + SEARCH_NAME_MAX];

		snprintf(text, sizeof(text), SEARCH_LABEL_PREFIX "%s", def->labels[i].name);
		search[n++] =
			(struct search_value){copy_text(arena, text), copy_text(arena, def->labels[i].value)};
	}
	item->search = search;
	item->n_search = n;
}

const char *transition_action_text(enum action_kind kind)
{
	switch (kind) {
	case ACTION_HTTP:
		return "http";
	case ACTION_SET:
		return "set";
	case ACTION_FAIL:
		return "fail";
	case ACTION_COMMAND:
		return "command";
	case ACTION_EMIT:
		return "emit";
	case ACTION_TASK:
		return "task";
	case ACTION_AWAIT_AFTER:
	case ACTION_AWAIT_KAFKA:
	case ACTION_AWAIT_SIGNAL:
	case ACTION_AWAIT:
		return "await";
	case ACTION_LOCK:
		return "lock";
	case ACTION_APPROVAL:
		return "approval";
	case ACTION_CONTINUE:
		return "continue_as_new";
	case ACTION_CHILD:
		return "saga";
	}
	return "";
}

void transition_compensation(struct batch *arena, const struct saga_state *state, int step,
							 int item, const struct request *request, struct buf *scratch,
							 struct compensation_row *row)
{
	const struct action_state *action = saga_state_action(state, step, item);
	const struct exec *undo = &action->undo;

	*row = (struct compensation_row){
		.step = copy_text(arena, state->def->steps[step].id),
		.item = item,
		.action = transition_action_text(saga_state_undo_def(state, step, item)->kind),
		.status = action->comp,
		.attempts = undo->attempt,
		.last_error = copy_text(arena, undo->message ? undo->message : undo->code),
		.updated_at = state->last_at,
	};
	if (!request)
		return;
	request_write(request, scratch);
	row->request_len = scratch->len;
	row->request = batch_copy(arena, buf_str(scratch), scratch->len);
}

bool transition_may_wait(const struct saga_def *def)
{
	if (def->n_cancel_on > 0)
		return true;
	for (int i = 0; i < def->n_steps; i++)
		if (action_subscribes(&def->steps[i].act))
			return true;
	return false;
}
