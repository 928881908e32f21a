#include "coordinator/kafka/trigger_submit.h"

#include <pthread.h>
#include <string.h>
#include <sys/random.h>

#include "coordinator/clock.h"
#include "coordinator/create.h"
#include "coordinator/engine.h"
#include "coordinator/kafka/owners.h"

enum {
	WAITING_MAX = 20000, /* creations that wait for a commit; past it: later */
	CONFLICTS_MAX = 3,   /* with an id each; past it no id will do */
};

struct submitter {
	struct triggers_options options;
	int slots;
	pthread_mutex_t lock; /* of all that follows */
	/* Batches that wait, filled in their order; the last one is open. One is with the writer. */
	struct creations **waiting;
	size_t n_waiting, cap_waiting, n_submissions;
	bool committing;
};

void submission_release(struct submission *submission)
{
	saga_def_unref(TAKE(submission->def));
	json_decref(TAKE(submission->input));
	free(TAKE(submission->key));
}

struct submitter *submitter_new(const struct triggers_options *options)
{
	struct submitter *submitter = xcalloc(1, sizeof(*submitter));

	submitter->options = *options;
	submitter->slots = options->store->ops->slot_count(options->store);
	CHECK(pthread_mutex_init(&submitter->lock, NULL) == 0);
	return submitter;
}

void submitter_free(struct submitter *submitter)
{
	if (!submitter)
		return;
	CHECK(submitter->n_waiting == 0 && !submitter->committing);
	free(submitter->waiting);
	pthread_mutex_destroy(&submitter->lock);
	free(submitter);
}

static void conclude(struct submission *submission, enum submit_result result)
{
	submission->result = result;
	submission_release(submission);
	submission->done(submission);
}

static void conclude_err(struct submission *submission, const struct err *err)
{
	submission->err = *err;
	conclude(submission, err->code == ERR_INVALID || (err->code == ERR_LIMIT && !err->retriable) ||
								 err->code == ERR_NOT_BUILT
							 ? SUBMIT_REFUSED
							 : SUBMIT_LATER);
}

/* The key has a saga: this one, or another. */
static void conclude_key(struct submitter *submitter, struct submission *submission,
						 const char *saga_id, const char *fingerprint)
{
	const struct triggers_options *options = &submitter->options;
	enum submit_result result = SUBMIT_STARTED;

	memcpy(submission->saga_id, saga_id, SAGA_ID_SIZE);
	if (strcmp(saga_id, submission->id) != 0)
		result = strcmp(fingerprint, submission->fingerprint) == 0 ? SUBMIT_DUPLICATE
																   : SUBMIT_KEY_CONFLICT;
	if (result != SUBMIT_KEY_CONFLICT && options->remember)
		options->remember(options->ctx, submission->ns, submission->def->name, submission->key,
						  saga_id, fingerprint);
	if (result == SUBMIT_KEY_CONFLICT)
		err_set(&submission->err, ERR_CONFLICT,
				"saga %s has this key, and was started with another input", saga_id);
	conclude(submission, result);
}

/* The engine. */

struct engine_start {
	struct submitter *submitter;
	struct submission *submission;
};

/* Thread: engine. */
static void answered(struct engine_call *call)
{
	struct engine_start *start = call->ctx;
	struct submission *submission = start->submission;

	if (call->result < 0) {
		/* An earlier try with this id is not settled; or the store cannot take the saga, whatever
		 * its id, and the engine has parked it. */
		if (call->result == ERR_CONFLICT) {
			submission->id[0] = '\0';
			if (++submission->conflicts >= CONFLICTS_MAX)
				err_set(&call->err, ERR_INVALID, "the store cannot take the saga");
		}
		conclude_err(submission, &call->err);
	} else if (call->duplicate) {
		conclude_key(start->submitter, submission, call->existing_id, call->existing_fingerprint);
	} else {
		conclude_key(start->submitter, submission, call->id, submission->fingerprint);
	}
	free(start);
	engine_call_free(call);
}

static void start_here(struct submitter *submitter, struct submission *submission)
{
	struct engine_call *call = engine_call_new(ENGINE_START);
	struct engine_start *start = xcalloc(1, sizeof(*start));
	struct err err;

	*start = (struct engine_start){submitter, submission};
	call->ns = xstrdup(submission->ns);
	memcpy(call->id, submission->id, SAGA_ID_SIZE);
	call->def = saga_def_ref(submission->def);
	call->key = xstrdup(submission->key);
	memcpy(call->fingerprint, submission->fingerprint, sizeof(call->fingerprint));
	call->input = jval_from_json(TAKE(submission->input));
	call->parent = submission->parent ? xstrdup(submission->parent) : NULL;
	call->depth = submission->depth;
	call->hold = submission->hold;
	call->if_match = -1;
	call->answer = answered;
	call->ctx = start;
	if (engine_post(submitter->options.engine, call, &err) == 0)
		return;
	free(start);
	engine_call_free(call);
	conclude_err(submission, &err);
}

/* Creations for other nodes. */

static void post_next(struct submitter *submitter);

static void conclude_created(struct submitter *submitter, struct creation *creation)
{
	struct submission *submission = creation->ctx;

	if (creation->result < 0)
		conclude_err(submission, &creation->err);
	else if (creation->duplicate)
		conclude_key(submitter, submission, creation->item.existing_id,
					 creation->item.existing_fingerprint);
	else
		conclude_key(submitter, submission, submission->id, submission->fingerprint);
}

static void wake_owners(struct submitter *submitter, const struct creations *batch)
{
	const struct triggers_options *options = &submitter->options;
	const struct owners owners = {
		.engine = options->engine,
		.member = options->member,
		.http = options->http,
		.slot_count = submitter->slots,
	};
	bool slots[SLOTS_MAX] = {false};

	for (size_t i = 0; i < batch->n; i++)
		if (batch->list[i]->result == 0 && !batch->list[i]->duplicate)
			slots[batch->list[i]->row.slot] = true;
	owners_wake(&owners, slots);
}

/* Thread: writer. */
static void created(struct creations *batch)
{
	struct submitter *submitter = batch->ctx;

	pthread_mutex_lock(&submitter->lock);
	submitter->committing = false;
	submitter->n_submissions -= batch->n;
	pthread_mutex_unlock(&submitter->lock);
	wake_owners(submitter, batch);
	post_next(submitter);
	for (size_t i = 0; i < batch->n; i++)
		conclude_created(submitter, batch->list[i]);
	creations_free(batch);
}

/* The writer takes no more jobs. */
static void give_back(struct submitter *submitter, struct creations *batch)
{
	for (size_t i = 0; i < batch->n; i++) {
		batch->list[i]->result = err_set(&batch->list[i]->err, ERR_UNAVAILABLE,
										 "too many writes are waiting, or the server stops");
		conclude_created(submitter, batch->list[i]);
	}
	creations_free(batch);
}

/* One batch is with the writer at a time, so that the next one grows meanwhile. */
static void post_next(struct submitter *submitter)
{
	struct creations *batch = NULL;

	pthread_mutex_lock(&submitter->lock);
	if (!submitter->committing && submitter->n_waiting > 0) {
		batch = submitter->waiting[0];
		memmove(submitter->waiting, submitter->waiting + 1,
				--submitter->n_waiting * sizeof(struct creations *));
		submitter->committing = true;
	}
	pthread_mutex_unlock(&submitter->lock);
	if (!batch)
		return;
	batch->done = created;
	batch->ctx = submitter;
	if (creations_post(batch, submitter->options.writer))
		return;
	pthread_mutex_lock(&submitter->lock);
	submitter->committing = false;
	submitter->n_submissions -= batch->n;
	pthread_mutex_unlock(&submitter->lock);
	give_back(submitter, batch);
}

static bool add_to_batch(struct submitter *submitter, struct creation *creation)
{
	struct creations *open;
	bool added = false;

	pthread_mutex_lock(&submitter->lock);
	if (submitter->n_submissions < WAITING_MAX) {
		open = submitter->n_waiting ? submitter->waiting[submitter->n_waiting - 1] : NULL;
		added = open && creations_add(open, creation);
		if (!added) {
			if (submitter->n_waiting == submitter->cap_waiting) {
				submitter->cap_waiting = submitter->cap_waiting ? 2 * submitter->cap_waiting : 8;
				submitter->waiting = xrealloc_array(submitter->waiting, submitter->cap_waiting,
													sizeof(struct creations *));
			}
			open = submitter->waiting[submitter->n_waiting++] = creations_new();
			added = creations_add(open, creation);
		}
		submitter->n_submissions++;
	}
	pthread_mutex_unlock(&submitter->lock);
	return added;
}

static void create_for_owner(struct submitter *submitter, struct submission *submission)
{
	struct jval *input = jval_from_json(TAKE(submission->input));
	struct creation_request request = {
		.ns = submission->ns,
		.id = submission->id,
		.key = submission->key,
		.fingerprint = submission->fingerprint,
		.def = submission->def,
		.input = input,
		.parent = submission->parent,
		.depth = submission->depth,
		.hold = submission->hold,
		.now = clock_wall(),
		.lifecycle = *engine_lifecycle(submitter->options.engine),
	};
	struct creation *creation = NULL;
	struct err err;
	int r;

	CHECK(getrandom(&request.random, sizeof(request.random), 0) == sizeof(request.random));
	r = creation_new(&request, &creation, &err);
	jval_unref(input); /* from here on it is the creation's alone, and goes where that goes */
	if (r < 0) {
		conclude_err(submission, &err);
		return;
	}
	creation->ctx = submission;
	if (!add_to_batch(submitter, creation)) {
		creation_free(creation);
		err_set(&err, ERR_UNAVAILABLE, "too many sagas wait to be written");
		conclude_err(submission, &err);
		return;
	}
	post_next(submitter);
}

void submitter_add(struct submitter *submitter, struct submission *submission)
{
	struct member *member = submitter->options.member;
	char owner[NODE_ADDRESS_SIZE];
	enum slot_place place =
		member ? member_slot(member, saga_id_slot(submission->id), owner) : SLOT_HERE;

	switch (place) {
	case SLOT_HERE:
		start_here(submitter, submission);
		break;
	case SLOT_THERE:
	case SLOT_UNKNOWN:
		create_for_owner(submitter, submission);
		break;
	}
}
