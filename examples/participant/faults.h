/*
 * Misbehaviour on request, for demonstrations and tests:
 *
 *     POST /control {"path": "/payments/charges", "mode": "lose_reply", "times": 2,
 *                    "match": {"order": "o-7"}, "code": "…", "delay_ms": 2000}
 *
 * From then on the next `times` (1 unless said; 0: all) requests whose path begins with `path`, and
 * whose body has the members of `match`, are treated so:
 *
 *     decline     422 {"code": code}, no effect; "declined" unless said. The key keeps the answer.
 *     fail        503, no effect; nothing is stored, so that it can be sent again
 *     redirect    302, no effect
 *     hang        never answers, no effect
 *     slow        waits for delay_ms, then works; meanwhile the same key gets 409
 *     lose_reply  takes effect, then closes the connection without a word
 *     garbage     takes effect, then answers with bytes that are not HTTP
 *     huge        takes effect, then answers with 100 MB
 *     none        as usual; with times 0 it ends what was asked for that path before
 *
 * Kept in memory, so a restart forgets it. Thread: any; one mutex inside.
 */
#ifndef EXAMPLES_PARTICIPANT_FAULTS_H
#define EXAMPLES_PARTICIPANT_FAULTS_H

#include <jansson.h>
#include <stdbool.h>

#define FAULT_MODES(X)                                                                             \
	X(FAULT_NONE, "none")                                                                          \
	X(FAULT_DECLINE, "decline")                                                                    \
	X(FAULT_FAIL, "fail")                                                                          \
	X(FAULT_REDIRECT, "redirect")                                                                  \
	X(FAULT_HANG, "hang")                                                                          \
	X(FAULT_SLOW, "slow")                                                                          \
	X(FAULT_LOSE_REPLY, "lose_reply")                                                              \
	X(FAULT_GARBAGE, "garbage")                                                                    \
	X(FAULT_HUGE, "huge")

enum fault_mode {
#define X(name, text) name,
	FAULT_MODES(X)
#undef X
};

struct fault {
	enum fault_mode mode;
	char code[64];
	int delay_ms;
};

struct faults;

struct faults *faults_new(void);
void faults_free(struct faults *faults);

/* What a request is to meet; counts it. */
struct fault faults_take(struct faults *faults, const char *path, json_t *body);

/* NULL, or what is wrong with the order. */
const char *faults_add(struct faults *faults, json_t *order);

#endif
