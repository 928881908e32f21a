/*
 * Named places where a test can end the process as kill -9 would: SKALD_FAILPOINTS in the
 * environment arms them.
 *
 *   SKALD_FAILPOINTS="commit_before:3=kill,reply_posted:10=kill"
 *
 * kills the process when it reaches commit_before for the third time, or reply_posted for the
 * tenth. Always compiled in; unarmed, a place costs one branch that is never taken.
 *
 * Thread: any; failpoints_arm is called once, before threads are started.
 */
#ifndef COORDINATOR_FAILPOINT_H
#define COORDINATOR_FAILPOINT_H

#include <stdbool.h>

#include "sagas/base/err.h"

/* X(constant, name) */
#define FAILPOINTS(X)                                                                              \
	X(FP_COMMIT_BEFORE, "commit_before")         /* writer: the batch is there, nothing written */ \
	X(FP_COMMIT_AFTER, "commit_after")           /* writer: durable, nobody knows it yet */        \
	X(FP_COMMIT_POSTED, "commit_posted")         /* writer: the engine has been told */            \
	X(FP_COMMIT_RELEASE, "commit_release")       /* engine: before calls and answers go out */     \
	X(FP_COMMIT_RELEASED, "commit_released")     /* engine: after they went out */                 \
	X(FP_SEND_BEFORE, "send_before")             /* engine: before a call is handed over */        \
	X(FP_SEND_AFTER, "send_after")               /* engine: it is with the HTTP client */          \
	X(FP_REPLY_BEFORE, "reply_before")           /* client: an answer came, not yet posted */      \
	X(FP_REPLY_POSTED, "reply_posted")           /* client: it is in the engine's mailbox */       \
	X(FP_ANSWER_BEFORE, "answer_before")         /* engine: before a caller is answered */         \
	X(FP_ANSWER_AFTER, "answer_after")           /* engine: after it */                            \
	X(FP_RECOVERY_LISTED, "recovery_listed")     /* loader: knows what to load */                  \
	X(FP_RECOVERY_LOAD, "recovery_load")         /* loader: before a history is read */            \
	X(FP_RECOVERY_LOADED, "recovery_loaded")     /* loader: after it was folded */                 \
	X(FP_CHECKPOINT_BEFORE, "checkpoint_before") /* writer */                                      \
	X(FP_CHECKPOINT_AFTER, "checkpoint_after")   /* writer */                                      \
	X(FP_DEPLOY_BEFORE, "deploy_before")         /* writer: before a definition is written */      \
	X(FP_DEPLOY_AFTER, "deploy_after")           /* writer: after it */                            \
	X(FP_GRANT_BEFORE, "grant_before")           /* writer: before free locks are granted */       \
	X(FP_GRANT_AFTER, "grant_after")             /* writer: they are, no owner knows it yet */     \
	X(FP_RETAIN_BEFORE, "retain_before")         /* writer: before ended sagas are removed */      \
	X(FP_DRAIN, "drain")                         /* engine: a graceful stop has begun */           \
	FAILPOINTS_KAFKA(X)

/* Those that nothing reaches without Kafka: lists are made of each of the two. K(constant, name) */
#define FAILPOINTS_KAFKA(K)                                                                        \
	K(FP_CREATE_BEFORE, "create_before") /* writer: many sagas are to be created for others */     \
	K(FP_CREATE_AFTER, "create_after") /* writer: they are there, their offsets have not moved */  \
	K(FP_DEAD_LETTER_BEFORE, "dead_letter_before") /* writer: it is in its topic */                \
	K(FP_DEAD_LETTER_AFTER, "dead_letter_after") /* writer: and kept; its offset has not moved */  \
	K(FP_DELIVERY_TAKEN, "delivery_taken")       /* engine: a reply or event came in */            \
	K(FP_DELIVERY_DONE, "delivery_done")         /* engine: durable, nobody knows it yet */        \
	K(FP_LOOK_BEFORE, "look_before") /* engine: a saga waits, early events are not looked for */   \
	K(FP_INBOX_READ, "inbox_read")   /* loader: rows of the inbox were read */                     \
	K(FP_INBOX_REMOVE_BEFORE, "inbox_remove_before") /* writer: rows are of no use */              \
	K(FP_INBOX_REMOVE_AFTER, "inbox_remove_after")   /* writer: they are gone */

enum failpoint {
#define X(name, text) name,
	FAILPOINTS(X)
#undef X
		FAILPOINT_COUNT
};

extern bool failpoints_armed;

/* spec: the environment's value; NULL or "" arms nothing. ERR_INVALID names what is wrong. */
int failpoints_arm(const char *spec, struct err *err) MUST_CHECK;
void failpoint_reached(enum failpoint failpoint);

static inline void failpoint(enum failpoint name)
{
	if (__builtin_expect(failpoints_armed, false))
		failpoint_reached(name);
}

#endif
