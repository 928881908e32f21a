/*
 * How threads talk: one mailbox a thread, many producers, one consumer, bounded. Only what comes
 * from outside may find it full; answers to what was asked for always have room, because the asker
 * reserved it by counting what it has out.
 */
#ifndef COORDINATOR_MAILBOX_H
#define COORDINATOR_MAILBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sagas/base/macros.h"

/* First member of every message. */
struct mail {
	struct mail *next;
	int type; /* the consumer's own enum */
};

struct mailbox;

/* capacity: how many messages of mailbox_post it holds. */
struct mailbox *mailbox_new(size_t capacity) MUST_CHECK;
/* It must be empty, and the threads that post to it must have ended. Takes NULL. */
void mailbox_free(struct mailbox *box);

/* Intake: false when it is full or closed. Thread: any. */
bool mailbox_post(struct mailbox *box, struct mail *mail) MUST_CHECK;
/* Answers: always taken, also after it was closed. Thread: any. */
void mailbox_post_reserved(struct mailbox *box, struct mail *mail);
/* From now on mailbox_post says false. */
void mailbox_close(struct mailbox *box);

/*
 * Takes all messages, oldest first, waiting for up to timeout_ms when there is none (0: not at all,
 * -1: for ever). NULL when there is none. Thread: consumer.
 */
struct mail *mailbox_drain(struct mailbox *box, int64_t timeout_ms);

size_t mailbox_length(struct mailbox *box); /* as of a moment ago, for metrics */

#endif
