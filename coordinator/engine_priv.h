/* What the files of the engine share: engine.c, engine_ports.c. */
#ifndef COORDINATOR_ENGINE_PRIV_H
#define COORDINATOR_ENGINE_PRIV_H

#include <pthread.h>

#include "coordinator/engine.h"
#include "coordinator/loader.h"
#include "coordinator/turn.h"

enum engine_mail {
	ENGINE_MAIL_CALL = 1,
	ENGINE_MAIL_REPLY,
	ENGINE_MAIL_BATCH,
	ENGINE_MAIL_LOADED,
	ENGINE_MAIL_LISTED,
	ENGINE_MAIL_DELIVERY,
	ENGINE_MAIL_INBOX,
	ENGINE_MAIL_REMOVED,
	ENGINE_MAIL_QUEUES,
	ENGINE_MAIL_SLOTS,
	ENGINE_MAIL_POKE,
	ENGINE_MAIL_DRAIN,
	ENGINE_MAIL_STOP,
};

enum { ENGINE_RANDOMS = 64 };

struct engine {
	pthread_t thread;
	struct mailbox *box;
	struct engine_options options;
	struct lifecycle_topic lifecycle;
	struct loader *loader;
	struct mail drain, stop, poke, queues;
	bool poked;           /* atomic: the mail is under way */
	bool queues_told;     /* the same */
	wall_ms queues_until; /* atomic */

	/* The thread's own. */
	struct turn *turn;
	uint64_t randoms[ENGINE_RANDOMS]; /* drawn from the system, used from the end */
	size_t n_randoms;
	int64_t turns;
	bool batch_out;
	bool draining;
	bool stopping;
	const int64_t *lease; /* NULL: a store of one process, or none is held now */

	/* For others. */
	pthread_mutex_t mutex;
	pthread_cond_t quieted;
	struct engine_stats stats;
	bool quiet;  /* drained */
	bool sealed; /* atomic: the drain is over; what is broken off now is left out */
};

/* engine_ports.c: what the turn asks of the world; its ctx is the engine. Thread: engine. */
extern const struct turn_ports engine__ports;

#endif
