/*
 * One saga played on the core alone: no engine, no store. After each decision its events are
 * written as a row, read again, and folded into a second state, which must be the same; a restart
 * goes on with what the rows give. What does not hold ends the process, with the history so far.
 */
#ifndef TESTS_SUPPORT_PLAY_H
#define TESTS_SUPPORT_PLAY_H

#include "sagas/decide.h"

#define PLAY_STARTS_AT INT64_C(1767225600000) /* 2026-01-01T00:00:00Z */
#define PLAY_ID "0198c0de-7a31-7abc-bf11-223344556677"

struct play_row {
	wall_ms at;
	char *text;
};

struct play {
	struct saga_def *def;
	char id[SAGA_ID_SIZE];
	struct saga_state *state, *fold;
	wall_ms now;
	wall_ms queues_read_until; /* given with every input */
	wall_ms inbox_read_until;  /* the same, and at least as far */
	struct decision decision;  /* the last one */
	struct buf trail;          /* "Type step, Type step" of all events */
	struct play_row *rows;
	size_t n_rows;
	uint64_t random;
	struct err err; /* of the last input that was refused */
};

/* Loads the definition and starts the saga; input is JSON. */
void play_begin(struct play *play, const char *yaml, const char *input, bool create_only);
/* The same with a definition, to which a reference is taken. */
void play_begin_def(struct play *play, struct saga_def *def, const char *input, bool create_only);
/* … as a child, which its request starts. */
void play_begin_child(struct play *play, struct saga_def *def, const char *id,
					  const struct request *request);
void play_end(struct play *play);

/* Decides on one input; what saga_decide returns. */
int play_give(struct play *play, const struct input *in);
/* The process dies, and another one recovers; play->decision holds what it sends again. */
void play_restart(struct play *play);

/* Shorter words for frequent inputs. An index into the last decision's commands is of no use after
 * the next input, so a command is named by its step and kind. */

/* The producer has it (CALL_PUBLISHED), or not. */
void play_published(struct play *play, int step, int item, enum call_kind kind,
					enum call_result result);
/* A reply over Kafka; code, type and body (JSON) may be NULL. */
void play_reply(struct play *play, int step, int item, enum call_kind kind, int64_t ask,
				enum outcome said, const char *code, const char *type, const char *body);
/* Time passes; then the timers are looked at. */
void play_wait(struct play *play, int64_t ms);
/* What a person does, as act_from_json reads it; what saga_decide returns. */
int play_act(struct play *play, const char *json);
/* The only call over HTTP of this kind that is out is answered; body (JSON) may be NULL. */
void play_answer(struct play *play, int step, int item, enum call_kind kind, int http_status,
				 const char *body);
/* A worker's word; details (JSON; of COMPLETE the output) and code may be NULL. nonce NULL: of the
 * present lease, as is its attempt. */
struct task_answer play_task(struct play *play, int step, int item, enum side side,
							 enum task_word word, const char *details, const char *code,
							 const char *nonce, int64_t attempt);
/* An event for an await, or with step -1 for cancel_on; event is JSON. */
void play_event(struct play *play, int step, int item, int place, const char *id,
				const char *event);

#endif
