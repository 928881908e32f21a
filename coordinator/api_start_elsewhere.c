/*
 * Starts whose saga is another node's: they are sent on to the owner of the slot, or, when it is
 * out of reach, written here for it (create.h). Whoever waits here for the end of such a saga looks
 * at the store from time to time, with longer and longer pauses.
 */
#include "coordinator/api_body.h"
#include "coordinator/api_start_priv.h"
#include "coordinator/clock.h"
#include "coordinator/forward.h"
#include "coordinator/server_priv.h"
#include "sagas/json_text.h"
#include "sagas/state_json.h"

enum { PAUSE_FIRST_MS = 100, PAUSE_MAX_MS = 500 };

/* Waiting. */

void start__answer_created(struct exchange *ex)
{
	const struct start *start = start__of(ex);

	start__add_applied(ex);
	saga_state_write_brief(start->creation->state, &ex->out);
	exchange_add_header(ex, "Location", "/v1/sagas/%s", start->id);
	exchange_answer(ex, 202);
}

/* Whether it has ended. What cannot be read now may be at the next look. Thread: read pool. */
static void look(struct exchange *ex, struct store_reader *reader)
{
	const struct start *start = start__of(ex);
	struct saga_row row = {0};
	struct err err;
	int r = reader->store->ops->saga_get(reader, ex->ns, start->existing_id, &row, &err);
	bool ended = r == 0 && row.ended_at > 0;

	if (r == 0)
		saga_row_release(&row);
	if (ended)
		start__read_existing(ex, reader);
	else
		ex->next = start__wait_in_store;
}

static void pause_ended(struct exchange *ex)
{
	struct start *start = start__of(ex);

	start->waited = clock_mono_us() >= start->wait_until_us ||
					__atomic_load_n(&ex->node->draining, __ATOMIC_RELAXED);
	exchange_read(ex, start->waited ? start__read_existing : look);
}

/* Thread: that of the waits, or who ends them. */
static void pause_over(struct wait *wait)
{
	exchange_resume(CONTAINER_OF(wait, struct start, pause)->ex);
}

void start__wait_in_store(struct exchange *ex)
{
	struct start *start = start__of(ex);
	int64_t until_us;

	start->pause_ms *= 2;
	if (start->pause_ms == 0)
		start->pause_ms = PAUSE_FIRST_MS;
	if (start->pause_ms > PAUSE_MAX_MS)
		start->pause_ms = PAUSE_MAX_MS;
	until_us = clock_mono_us() + start->pause_ms * 1000;
	start->pause.until_us = until_us < start->wait_until_us ? until_us : start->wait_until_us;
	start->pause.over = pause_over;
	ex->next = pause_ended;
	exchange_suspend(ex);
	if (!waits_add(ex->node->waits, &start->pause))
		exchange_resume(ex);
}

static void wait_for_created(struct exchange *ex)
{
	struct start *start = start__of(ex);

	if (start->wait_ms == 0) {
		start__answer_created(ex);
		return;
	}
	start->created = start->in_store = true;
	memcpy(start->existing_id, start->id, SAGA_ID_SIZE);
	start__wait_in_store(ex);
}

/* Creating and sending on. */

/* The owner could not be reached, and this node has written the saga for it. */
static void created(struct exchange *ex)
{
	struct start *start = start__of(ex);
	const struct creation *creation = start->creation;
	char owner[NODE_ADDRESS_SIZE];

	if (creation->result < 0) {
		exchange_problem_err(ex, &creation->err);
	} else if (creation->duplicate &&
			   strcmp(creation->item.existing_fingerprint, start->fingerprint) != 0) {
		ex->server->key_reuses++;
		exchange_problem(ex, PROBLEM_KEY_REUSED,
						 "saga %s has this key, and was started with another input",
						 creation->item.existing_id);
	} else if (creation->duplicate) {
		start__remember(ex, creation->item.existing_id);
		start->in_store = true; /* its owner is out of reach */
		start__answer_duplicate(ex, creation->item.existing_id);
	} else {
		if (member_slot(ex->node->member, creation->row.slot, owner) == SLOT_THERE)
			node_poke(ex->node->http, owner);
		start__remember(ex, start->id);
		wait_for_created(ex);
	}
}

/* Thread: writer. */
static void creation_done(struct creation *creation)
{
	struct exchange *ex = creation->ctx;

	ex->next = created;
	exchange_resume(ex);
}

static void create_here(struct exchange *ex)
{
	struct start *start = start__of(ex);
	struct jval *input = jval_from_json(TAKE(start->input));
	struct creation_request request = {
		.ns = ex->ns,
		.id = start->id,
		.key = start->key,
		.fingerprint = start->fingerprint,
		.def = start->def,
		.input = input,
		.now = clock_wall(),
		.lifecycle = *engine_lifecycle(ex->node->engine),
	};
	struct err err;
	int r = creation_new(&request, &start->creation, &err);

	jval_unref(input);
	if (r < 0) {
		exchange_problem_err(ex, &err);
		return;
	}
	start->creation->done = creation_done;
	start->creation->ctx = ex;
	exchange_suspend(ex);
	if (!creation_post(start->creation, ex->node->writer)) {
		exchange_problem(ex, PROBLEM_OVERLOADED, "too many writes are waiting");
		exchange_resume(ex);
	}
}

/* Whether the owner has it or not: the key and the id tell, when it is written here too. */
static void owner_failed(struct exchange *ex, enum forward_failure failure)
{
	/* What was broken off by a stop is settled here, so that the client knows where it is. */
	if (failure == FORWARD_REFUSED && __atomic_load_n(&ex->node->draining, __ATOMIC_RELAXED))
		exchange_problem(ex, PROBLEM_DRAINING, "the server stops; send the start again");
	else
		create_here(ex);
}

/* The slot is another node's, or nobody knows whose. True: it is seen to. */
bool start__elsewhere(struct exchange *ex)
{
	struct start *start = start__of(ex);
	char owner[NODE_ADDRESS_SIZE] = "";
	struct forward forward = {
		.address = owner,
		.path = "/v1/sagas",
		.saga_id = start->id,
		.wait_ms = start->wait_ms,
		.failed = owner_failed,
	};

	if (!ex->node->member)
		return false;
	switch (member_slot(ex->node->member, saga_id_slot(start->id), owner)) {
	case SLOT_HERE:
		return false;
	case SLOT_THERE:
	case SLOT_UNKNOWN:
		break;
	}
	if (exchange_was_forwarded(ex))
		exchange_problem(ex, PROBLEM_UNAVAILABLE, "this node does not own the saga's slot");
	else if (*owner)
		exchange_forward(ex, &forward);
	else
		create_here(ex);
	return true;
}

/*
 * The engine had the slot no more when the start got there. The saga keeps its id, so that whatever
 * has become of the first try is found by the second.
 */
void start__reroute(struct exchange *ex, struct engine_call *call)
{
	struct start *start = start__of(ex);
	CLEANUP(json_decref_p) json_t *body = NULL;
	json_t *input;

	if (!start->rerouted && !exchange_was_forwarded(ex) && call->def) {
		start->rerouted = true;
		start->def = TAKE(call->def);
		/* The engine has used up the input that it was given. */
		body = json_loadb(buf_str(&ex->body), ex->body.len, 0, NULL);
		input = json_object_get(body, "input");
		start->input = input ? json_incref(input) : json_object();
		if (start__elsewhere(ex))
			return;
	}
	exchange_problem_err(ex, &call->err);
}
