/*
 * What sagas tell each other: a child its parent how it ended, and a parent its child what becomes
 * of it. Such a message is a row of the other's inbox, written in the commit of the event that it
 * tells of:
 *
 *   {"kind":"child","word":"held","child":"<saga>","step":"pay","item":3,"side":"do","run":1,
 *    "value":{…},"code":"…","message":"…"}
 *
 *   child -> parent   completed    it is done, for good                    value: its output
 *                     held         it is done, and can be undone           value: its output
 *                     compensated  it has failed, or was told to turn back, and undid itself
 *                     terminated   a person ended it as it was
 *   parent -> child   cancel       turn back, if there is a way
 *                     compensate   undo what was done: it is held
 *                     release      the parent is done: so is the child
 */
#ifndef SAGAS_CHILD_MESSAGE_H
#define SAGAS_CHILD_MESSAGE_H

#include <stddef.h>

#include "sagas/base/buf.h"
#include "sagas/event.h"
#include "sagas/id.h"

#define CHILD_WORDS(X)                                                                             \
	X(CHILD_COMPLETED, "completed")                                                                \
	X(CHILD_HELD, "held")                                                                          \
	X(CHILD_COMPENSATED, "compensated")                                                            \
	X(CHILD_TERMINATED, "terminated")                                                              \
	X(CHILD_CANCEL, "cancel")                                                                      \
	X(CHILD_COMPENSATE, "compensate")                                                              \
	X(CHILD_RELEASE, "release")

enum child_word {
#define X(name, text) name,
	CHILD_WORDS(X)
#undef X
		CHILD_WORD_COUNT
};

struct child_message {
	enum child_word word;
	char child[SAGA_ID_SIZE];
	/* Whose end this is; told in both directions, and read by the parent. */
	char step[DEF_MAX_NAME + 1];
	int item, run;
	enum side side;
	struct jval *value;   /* NULL: none */
	char *code, *message; /* why; may be NULL */
};

const char *child_word_text(enum child_word word);
/* Whether it is said by a child. */
bool child_word_is_end(enum child_word word);
void child_message_release(struct child_message *message);
/* Appends the JSON. */
void child_message_write(const struct child_message *message, struct buf *out);
/* Reads it; what it holds is the caller's. ERR_INVALID. */
int child_message_read(const json_t *json, struct child_message *ret_message,
					   struct err *err) MUST_CHECK;

#endif
