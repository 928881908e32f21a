/*
 * A durable start of a saga for a record. Of a slot of this node it is a call of the engine; of a
 * slot of another node (or of nobody just now) the saga is created here for its owner, many in one
 * commit, and the owners are poked: a record is not sent on, since its consumer waits for it.
 *
 *                  .-- own slot ----> engine ----------------------------.
 *   submitter_add -+                                                      +-> done
 *                  '-- other slot --> batch, while the last one commits --'
 *
 * Known keys are not looked up before: that would cost each new key a read, and only spare a
 * duplicate its place in a commit. A pointer is left behind for starts over HTTP.
 *
 * Thread: any, unless said otherwise.
 */
#ifndef COORDINATOR_KAFKA_TRIGGER_SUBMIT_H
#define COORDINATOR_KAFKA_TRIGGER_SUBMIT_H

#include <jansson.h>

#include "coordinator/kafka/trigger.h"
#include "coordinator/mailbox.h"
#include "sagas/hash.h"
#include "sagas/id.h"

enum submit_result {
	SUBMIT_STARTED,      /* by this, or by an earlier try of unknown outcome */
	SUBMIT_DUPLICATE,    /* saga_id had been started with this key and input */
	SUBMIT_KEY_CONFLICT, /* saga_id had been started with this key and another input */
	SUBMIT_REFUSED,      /* no try will ever succeed: err */
	SUBMIT_LATER,        /* not now: err; the same id may be submitted again */
};

struct submission {
	struct mail mail; /* the owner's, for what follows `done` */
	/* Filled in by the owner. All but ns is used up, and gone when done is called. */
	const char *ns;
	struct saga_def *def;
	json_t *input;
	char *key;
	char fingerprint[SHA256_HEX_SIZE]; /* stays */
	/* Of a child; parent NULL: it is none. Borrowed until done is called. */
	const char *parent;
	int64_t depth;
	bool hold;
	/* Of start_make_id; stays, or is emptied when another is to be made for the next try. */
	char id[SAGA_ID_SIZE];
	/* Called once: on the engine's or the writer's thread, or before submitter_add returns. It must
	 * not block, and takes the submission back. */
	void (*done)(struct submission *submission);
	void *ctx;
	/* Filled in before done. */
	enum submit_result result;
	struct err err;
	int conflicts;              /* how often the engine would not have the id; the submitter's */
	char saga_id[SAGA_ID_SIZE]; /* STARTED, DUPLICATE, KEY_CONFLICT */
};
/* Of what was filled in and never submitted. */
void submission_release(struct submission *submission);

struct submitter;

/* Of these options store, writer, engine, member, http, remember and ctx are used. */
struct submitter *submitter_new(const struct triggers_options *options) MUST_CHECK;
/* When all is done. Takes NULL. */
void submitter_free(struct submitter *submitter);

void submitter_add(struct submitter *submitter, struct submission *submission);

#endif
