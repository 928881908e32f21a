#include "coordinator/create.h"

#include <string.h>

#include "coordinator/failpoint.h"
#include "coordinator/turn.h"
#include "sagas/decide.h"

static void write_events(struct creation *creation, const struct decision *decision)
{
	buf_init(&creation->events, 0);
	buf_add_char(&creation->events, '[');
	for (size_t i = 0; i < decision->n_events; i++) {
		if (i > 0)
			buf_add_char(&creation->events, ',');
		event_write(&decision->events[i], creation->state->def, &creation->events);
	}
	buf_add_char(&creation->events, ']');
}

static void fill_rows(struct creation *creation, const struct history_part *copied,
					  const char *fingerprint)
{
	const struct saga_state *state = creation->state;
	struct saga_row *row = &creation->row;
	struct store_item *item = &creation->item;

	row->slot = item->slot = saga_id_slot(state->id);
	memcpy(row->id, state->id, SAGA_ID_SIZE);
	memcpy(item->saga_id, state->id, SAGA_ID_SIZE);
	row->ns = state->ns;
	row->definition = state->def->name;
	row->version = state->def->version;
	row->status = state->status;
	row->key = state->key;
	if (state->parent)
		memcpy(row->parent_id, state->parent->saga_id, sizeof(row->parent_id));
	row->started_at = state->started_at;
	row->updated_at = state->updated_at;
	row->ended_at = state->ended_at;
	row->owner = state->owner;
	row->due_at = state->ended_at ? 0 : state->started_at;
	item->copied = *copied;
	item->seq = copied->n + 1;
	item->at = state->started_at;
	item->events = buf_str(&creation->events);
	item->events_len = creation->events.len;
	item->create = row;
	if (state->key && fingerprint) {
		memcpy(creation->fingerprint, fingerprint, sizeof(creation->fingerprint));
		item->fingerprint = creation->fingerprint;
	}
}

/* What it waits for, and that it has started. */
static int add_messages(struct creation *creation, const struct lifecycle_topic *lifecycle,
						const struct decision *decision, struct err *err)
{
	struct lifecycle_before before = {.status = SAGA_RUNNING};

	creation->item.reuse = creation->state->def->reuse_after_undo;
	if (decision->n_subscriptions == 0 && !lifecycle->topic &&
		!transition_has_search(creation->state))
		return 0;
	if (!creation->rows)
		creation->rows = batch_new_small();
	transition_add_search(creation->rows, creation->state, &creation->item);
	return transition_add_messages(creation->rows, creation->state, decision, lifecycle, &before,
								   &creation->item, err);
}

static void add_compensation(struct creation *creation, int step, int index)
{
	const struct saga_state *state = creation->state;
	int item = step_def_has_items(&state->def->steps[step]) ? index : -1;
	struct store_item *to = &creation->item;
	struct compensation_row *rows = (struct compensation_row *)to->compensations;
	CLEANUP(buf_release) struct buf scratch;

	buf_init(&scratch, 0);
	transition_compensation(creation->rows, state, step, item,
							saga_state_action(state, step, item)->undo.request, &scratch,
							&rows[to->n_compensations++]);
}

/* A saga that begins with a part of a history may have something to undo. */
static void add_compensations(struct creation *creation)
{
	const struct saga_state *state = creation->state;
	size_t n = 0;

	for (int i = 0; i < state->def->n_steps; i++)
		for (int j = 0; j < state->steps[i].n_actions; j++)
			n += state->steps[i].actions[j].comp != COMP_NOT_ARMED;
	if (n == 0)
		return;
	creation->rows = batch_new_small();
	creation->item.compensations =
		batch_alloc(creation->rows, n * sizeof(*creation->item.compensations));
	for (int i = 0; i < state->def->n_steps; i++)
		for (int j = 0; j < state->steps[i].n_actions; j++)
			if (state->steps[i].actions[j].comp != COMP_NOT_ARMED)
				add_compensation(creation, i, j);
}

int creation_of_state(struct saga_state *state, const struct decision *decision,
					  const struct history_part *copied, const char *fingerprint,
					  const struct lifecycle_topic *lifecycle, struct creation **ret_creation,
					  struct err *err)
{
	struct creation *creation = xcalloc(1, sizeof(*creation));
	int r;

	creation->state = state;
	write_events(creation, decision);
	fill_rows(creation, copied, fingerprint);
	add_compensations(creation);
	r = add_messages(creation, lifecycle, decision, err);
	if (r < 0) {
		creation_free(creation);
		return r;
	}
	*ret_creation = creation;
	return 0;
}

int creation_new(const struct creation_request *request, struct creation **ret_creation,
				 struct err *err)
{
	CLEANUP(saga_state_free_p) struct saga_state *state = saga_state_new(request->def, request->id);
	struct history_part copied = {.n = 0};
	struct input in = {
		.type = INPUT_START,
		.random = request->random,
		.ns = request->ns,
		.key = request->key,
		.value = request->input,
		.parent = request->parent,
		.depth = request->depth,
		.hold = request->hold,
		.create_only = true,
	};
	struct decision decision;
	int r;

	decision_init(&decision);
	r = saga_decide(state, &in, request->now, &decision, err);
	if (r == 0)
		r = creation_of_state(TAKE(state), &decision, &copied, request->fingerprint,
							  &request->lifecycle, ret_creation, err);
	decision_release(&decision);
	return r;
}

void creation_free(struct creation *creation)
{
	if (!creation)
		return;
	saga_state_free(creation->state);
	buf_release(&creation->events);
	batch_free(creation->rows);
	free(creation);
}

/*
 * The id was made for this saga alone: whatever has it already is this saga, committed by a try of
 * unknown outcome, or by the owner who was thought to be out of reach.
 */
static void judge(struct creation *creation)
{
	const struct store_item *item = &creation->item;

	switch (item->verdict) {
	case STORE_ACCEPTED:
	case STORE_CONFLICT:
		break;
	case STORE_DUPLICATE:
		creation->duplicate = strcmp(item->existing_id, item->saga_id) != 0;
		break;
	case STORE_FENCED:
		creation->result = err_set(&creation->err, ERR_UNAVAILABLE,
								   "the owner of the saga's slot cannot be reached");
		break;
	case STORE_UNSTORABLE:
		creation->result = err_set(&creation->err, ERR_INVALID, "the store cannot take the saga");
		break;
	}
}

/* What the commit said, in its creation: 0, or an error that concerns it alone or all. */
static void conclude(struct creation *creation, int r, const struct err *err)
{
	creation->result = r;
	if (r == 0)
		judge(creation);
	else if (err != &creation->err)
		creation->err = *err;
}

/* Thread: writer. */
static int run(struct writer_job *job, struct store *store)
{
	struct creation *creation = CONTAINER_OF(job, struct creation, job);
	int r = store->ops->commit(store, &creation->item, 1, &creation->err);

	if (r == ERR_UNKNOWN && job->tries + 1 < WRITER_JOB_TRIES)
		return r;
	conclude(creation, r, &creation->err);
	creation->done(creation);
	return 0;
}

bool creation_post(struct creation *creation, struct writer *writer)
{
	creation->job.run = run;
	return writer_post(writer, &creation->job);
}

/* Many in one commit. */

struct creations *creations_new(void)
{
	return xcalloc(1, sizeof(struct creations));
}

void creations_free(struct creations *creations)
{
	if (!creations)
		return;
	for (size_t i = 0; i < creations->n; i++)
		creation_free(creations->list[i]);
	free(creations->items);
	free(creations);
}

bool creations_add(struct creations *creations, struct creation *creation)
{
	size_t bytes = creation->events.len + (creation->rows ? creation->rows->bytes : 0);

	if (creations->n == CREATIONS_MAX ||
		(creations->n > 0 && creations->bytes + bytes > CREATIONS_MAX_BYTES))
		return false;
	creations->list[creations->n++] = creation;
	creations->bytes += bytes;
	return true;
}

/* Thread: writer. */
static int run_many(struct writer_job *job, struct store *store)
{
	struct creations *creations = CONTAINER_OF(job, struct creations, job);
	struct err err;
	int r;

	if (!creations->items)
		creations->items = xcalloc(creations->n, sizeof(*creations->items));
	for (size_t i = 0; i < creations->n; i++)
		creations->items[i] = creations->list[i]->item;
	failpoint(FP_CREATE_BEFORE);
	r = store->ops->commit(store, creations->items, creations->n, &err);
	failpoint(FP_CREATE_AFTER);
	if (r == ERR_UNKNOWN && job->tries + 1 < WRITER_JOB_TRIES)
		return r;
	for (size_t i = 0; i < creations->n; i++) {
		creations->list[i]->item = creations->items[i];
		conclude(creations->list[i], r, &err);
	}
	creations->done(creations);
	return 0;
}

bool creations_post(struct creations *creations, struct writer *writer)
{
	CHECK(creations->n > 0);
	creations->job.run = run_many;
	return writer_post(writer, &creations->job);
}
