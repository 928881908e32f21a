/*
 * A delivery: what came through a queue for a saga, a reply to a command or an event that it waits
 * for, as an input of the engine.
 *
 *   consumer of replies, inbox --engine_deliver--> engine --decides, commits--> done
 *
 * It is the offerer's again when `done` is called, once: only then may an offset move past it, or
 * its row leave the inbox. Until then it can be offered again after a crash, so the same delivery
 * may come twice; the second one is of no use, or recorded as ignored.
 *
 * As a message of the inbox it is a JSON object, in which the row's saga and namespace do not
 * stand:
 *
 *   {"kind":"reply","step":"hold","item":-1,"call":"do","ask":0,"outcome":"failure",
 *    "code":"NoCredit","message":"…","type":"CreditRefused","value":{…}}
 *   {"kind":"reply","step":"track","nonce":"5f…","value":{…}}
 *   {"kind":"event","step":"paid","item":-1,"place":0,"event_id":"default/payments/3/17","event":{…}}
 *
 *   {"kind":"lock","step":"account","item":-1,"token":17}
 *
 * What stands at its default may be left out; unknown members are skipped.
 */
#ifndef COORDINATOR_DELIVERY_H
#define COORDINATOR_DELIVERY_H

#include "coordinator/mailbox.h"
#include "sagas/decide.h"
#include "sagas/hash.h"
#include "sagas/id.h"

enum delivery_kind { DELIVERY_REPLY, DELIVERY_EVENT, DELIVERY_LOCK, DELIVERY_CHILD };

struct delivery {
	struct mail mail;
	/* Filled in by who offers it. Strings and the value are the delivery's. */
	enum delivery_kind kind;
	char ns[NAMESPACE_MAX_BYTES + 1];
	char saga_id[SAGA_ID_SIZE];
	char step[DEF_MAX_NAME + 1]; /* EVENT: "": for the saga as a whole (cancel_on) */
	int item;                    /* -1: the step's only action */
	/* REPLY */
	enum call_kind call;
	int run;                     /* of the step; 0 or 1: the first */
	int64_t ask;                 /* of a probe: which asking this answers; 0: not said */
	enum outcome outcome;        /* OUTCOME_DEFAULT: not said */
	char *code, *message, *type; /* NULL: none */
	char *nonce;                 /* of the step.callback_url where it came; NULL: over Kafka */
	/* EVENT */
	char *event_id; /* "<cluster>/<topic>/<partition>/<offset>", "webhook/<source>/<id>" */
	int place;      /* which of the step's waits; with step "": which entry of cancel_on */
	/* LOCK: the keys that the step asked for under the ticket that is inbox_id are its saga's. */
	int64_t token; /* the fencing token */
	/*
	 * The reply's body or the event, or of CHILD the whole message (child_message.h); NULL: none.
	 * It is handed over whole, since nobody counts its references with atomics. When done says 0 or
	 * ERR_NOT_FOUND it is gone; else it is there, and nobody else refers to it.
	 */
	struct jval *value;
	char inbox_id[UUID_SIZE]; /* "": it is not from the inbox */
	/*
	 * Called once, on the engine's thread; it must not block, and it takes the delivery back.
	 *
	 *   0                durable in the saga's history, or of no use to it for ever
	 *   ERR_NOT_FOUND    there is no such saga
	 *   ERR_FENCED       another node has its slot, or the saga is parked: to be put into the
	 * inbox, where it waits ERR_UNAVAILABLE  not now (a limit, a stop, a store that is away): offer
	 * it again later
	 */
	void (*done)(struct delivery *delivery);
	void *ctx;
	/* Filled in before done. */
	int result;
	struct err err;
	/* The engine's own. */
	bool early;   /* an event that was there before its saga waited for it: it has no row */
	bool useless; /* the saga could do nothing with it */
};

struct delivery *delivery_new(enum delivery_kind kind) MUST_CHECK; /* item is -1, all else 0 */
void delivery_free(struct delivery *delivery);                     /* takes NULL */
DEFINE_CLEANUP(struct delivery *, delivery_free)

/* Appends the message. */
void delivery_write(const struct delivery *delivery, struct buf *out);
/* Reads a message; who calls it fills in ns, saga_id, inbox_id and done. ERR_INVALID. */
int delivery_read(const char *message, size_t len, struct delivery **ret_delivery,
				  struct err *err) MUST_CHECK;

#endif
