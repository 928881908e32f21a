/*
 * What a record of Kafka means to definitions: whether it starts a saga, with which input and key,
 * and the value by which it finds the saga that waits for it. Pure: the record has been made an
 * `event` (sagas/cloudevent.h), and what is done about it is the business of the coordinator.
 */
#ifndef SAGAS_TRIGGER_H
#define SAGAS_TRIGGER_H

#include "sagas/def.h"

enum trigger_verdict {
	TRIGGER_SKIP,  /* `when` is false */
	TRIGGER_START, /* with input and key */
	TRIGGER_POISON /* the record can start nothing, however often it is tried */
};

/* X(constant, code): why a record is poison. The codes are stable: people filter by them. */
#define TRIGGER_FAULTS(X)                                                                          \
	X(TRIGGER_EXPRESSION_ERROR, "expression_error") /* when or input cannot be evaluated */        \
	X(TRIGGER_INVALID_INPUT, "invalid_input")       /* against the schema of the definition */     \
	X(TRIGGER_KEY_INVALID, "key_invalid")           /* no key, or one past its limits */

enum trigger_fault {
#define X(name, code) name,
	TRIGGER_FAULTS(X)
#undef X
};
const char *trigger_fault_code(enum trigger_fault fault);

struct trigger_result {
	enum trigger_verdict verdict;
	json_t *input;            /* TRIGGER_START; never NULL then */
	char *key;                /* TRIGGER_START; NULL: neither trigger nor definition give one */
	enum trigger_fault fault; /* TRIGGER_POISON */
	/* TRIGGER_POISON: text, and place: "/start_on/0/input, column 3" of the definition, "/input/id"
	 * of the input that does not fit. */
	struct err err;
};

/* trigger is one of def's. The key is the trigger's, else the definition's over the input. */
void trigger_start(const struct saga_def *def, const struct trigger_def *trigger, json_t *event,
				   struct trigger_result *ret);
/* The same for a schedule of def's; event {scheduled_at, schedule, data}. */
void schedule_start(const struct saga_def *def, const struct schedule_def *schedule, json_t *event,
					struct trigger_result *ret);
void trigger_result_release(struct trigger_result *result);

enum { CORRELATE_VALUE_SIZE = 256 };

/*
 * A value as the text by which it is found: text as it is, a number or a truth value as JSON, where
 * 1.0 is 1. ERR_INVALID for nothing, null, "", lists, maps and text with a NUL; ERR_LIMIT past 255
 * bytes.
 */
int correlate_text(const json_t *value, char ret[CORRELATE_VALUE_SIZE], struct err *err) MUST_CHECK;

/* The value of an event, that of `from`; false when it has none, so that nobody waits for it. */
bool correlate_value(const struct correlate_def *correlate, json_t *event,
					 char ret[CORRELATE_VALUE_SIZE]);

/* The same where the expression may read `env`. */
bool correlate_value_in(const struct surroundings *around, const struct correlate_def *correlate,
						json_t *event, char ret[CORRELATE_VALUE_SIZE]);

/*
 * The same for all that wait for the same value of the same topic; see struct correlate_def. Of a
 * webhook the topic is its source, and the cluster is a word that no cluster can have as its name.
 */
#define CORRELATE_WEBHOOK "webhook:"
void correlate_channel(const char *cluster, const char *topic, const char *from,
					   char ret[CHANNEL_SIZE]);

#endif
