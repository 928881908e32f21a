/*
 * Creating a saga on a node that does not own its slot, because the owner cannot be reached: its
 * row, its key, SagaStarted and what it subscribes to are committed, and nothing is scheduled. The
 * row is due at once, so whoever owns the slot, now or next, finds it by that and advances it; and
 * looks for events that came before.
 *
 * One creation is a job of the writer; many can be one together, and so one commit, which judges
 * each of them alone.
 */
#ifndef COORDINATOR_CREATE_H
#define COORDINATOR_CREATE_H

#include "coordinator/transition.h"
#include "coordinator/writer.h"
#include "sagas/def.h"
#include "sagas/jval.h"
#include "sagas/state.h"

struct creation {
	struct writer_job job;
	struct store_item item; /* with the store's verdict */
	struct saga_row row;
	struct saga_state *state;
	struct buf events;
	struct batch *rows; /* memory of what goes beside the history; NULL: nothing does */
	char fingerprint[SHA256_HEX_SIZE];
	/* Called on the writer's thread when result is there. */
	void (*done)(struct creation *creation);
	void *ctx;
	int result; /* 0: it is there, by this or by an earlier try; or it is a duplicate */
	struct err err;
	bool duplicate; /* the key belongs to item.existing_id */
};

struct creation_request {
	const char *ns, *id;
	const char *key, *fingerprint; /* NULL: none */
	struct saga_def *def;          /* a reference is taken */
	struct jval *input;            /* a reference is taken */
	/* Of a child; parent NULL: it is none. As its request says it. */
	const char *parent;
	int64_t depth;
	bool hold;
	wall_ms now;
	uint64_t random;
	struct lifecycle_topic lifecycle;
};

/* The same of a state that was made otherwise, by decision, and is taken over; its history begins
 * with what is copied. fingerprint: NULL where it has no key. Compensations of the state that are
 * armed go into the ledger. */
int creation_of_state(struct saga_state *state, const struct decision *decision,
					  const struct history_part *copied, const char *fingerprint,
					  const struct lifecycle_topic *lifecycle, struct creation **ret_creation,
					  struct err *err) MUST_CHECK;
/* Makes what is to be committed. The input's references are counted on this thread only. */
int creation_new(const struct creation_request *request, struct creation **ret_creation,
				 struct err *err) MUST_CHECK;
/* On the thread that made it. Takes NULL. */
void creation_free(struct creation *creation);
/* Hands it to the writer; false when it takes no more. */
bool creation_post(struct creation *creation, struct writer *writer) MUST_CHECK;

/* A batch of creations. Two of the same key may be in it: the first has it. */
enum { CREATIONS_MAX = 500, CREATIONS_MAX_BYTES = 8 * 1024 * 1024 };

struct creations {
	struct writer_job job;
	/* In the order in which they were added, each with its result when done is called; they are
	 * the batch's, and `done` of each is not called. */
	struct creation *list[CREATIONS_MAX];
	size_t n, bytes;
	/* Called once on the writer's thread, and takes the batch back. */
	void (*done)(struct creations *creations);
	void *ctx;
	/* The writer's. */
	struct store_item *items;
};

struct creations *creations_new(void) MUST_CHECK;
/* With all that was added, on the thread that made them. Takes NULL. */
void creations_free(struct creations *creations);
/* Takes over the creation; false when there is no room, and it is still the caller's. One alone
 * has room, however large. */
bool creations_add(struct creations *creations, struct creation *creation) MUST_CHECK;
/*
 * Hands it to the writer; false when it takes no more. When the commit fails as a whole, result
 * and err of every creation say how; ERR_UNKNOWN: some may be there, and the same ids may be
 * handed over again.
 */
bool creations_post(struct creations *creations, struct writer *writer) MUST_CHECK;

#endif
