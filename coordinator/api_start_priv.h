/*
 * What the files of POST /v1/sagas share. Thread: the server's, unless said otherwise.
 */
#ifndef COORDINATOR_API_START_PRIV_H
#define COORDINATOR_API_START_PRIV_H

#include <jansson.h>

#include "connectors/idempotency.h"
#include "coordinator/api_saga.h"
#include "coordinator/create.h"
#include "coordinator/waits.h"

struct start {
	char *saga, *key;
	struct saga_def *def;
	json_t *input;
	char fingerprint[SHA256_HEX_SIZE];
	bool paused; /* the definition: nothing new is started */
	char pause_reason[256];
	int64_t wait_ms;       /* as the client asked for it */
	int64_t wait_until_us; /* on the monotonic clock */
	bool waited;           /* the time is up, or nobody is to wait any more */
	char existing_id[SAGA_ID_SIZE];
	bool posted;
	char id[SAGA_ID_SIZE]; /* of the new saga */
	bool rerouted;         /* the engine has refused it, because its slot had just moved */
	struct creation *creation;
	bool created;      /* the creation has made the saga */
	bool in_store;     /* its end is waited for by looking at the store */
	struct wait pause; /* between two looks */
	int64_t pause_ms;
	struct exchange *ex;
	struct idempotency_lookup lookup;
};

static inline struct start *start__of(struct exchange *ex)
{
	return ex->state;
}

/* api_start.c */
void start__add_applied(struct exchange *ex);
/* The saga that has the key, or was created here, as it stands in the store. Thread: read pool. */
void start__read_existing(struct exchange *ex, struct store_reader *reader);
/* The commit has accepted the key for this saga, or has found it there. */
void start__remember(struct exchange *ex, const char *id);
void start__answer_duplicate(struct exchange *ex, const char *id);

/* api_start_elsewhere.c */
/* The slot is another node's, or nobody knows whose. True: it is seen to. */
bool start__elsewhere(struct exchange *ex) MUST_CHECK;
/* Of a call that the engine has refused with ERR_FENCED. */
void start__reroute(struct exchange *ex, struct engine_call *call);
/* Looks until the saga has ended or the time is up, then answers. */
void start__wait_in_store(struct exchange *ex);
/* 202, from what was committed here. Thread: whoever has the exchange. */
void start__answer_created(struct exchange *ex);

#endif
