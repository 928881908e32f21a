/*
 * From a record to a start: read as an event, put to the trigger, given a key and a fingerprint.
 * The same for what a consumer takes and for what a person sends again. No I/O, no clock.
 */
#ifndef COORDINATOR_KAFKA_TRIGGER_EVALUATE_H
#define COORDINATOR_KAFKA_TRIGGER_EVALUATE_H

#include "sagas/def.h"
#include "sagas/hash.h"
#include "sagas/id.h"
#include "sagas/kafka_record.h"

/* X(constant, text): why a record is poison, beside the words of sagas/trigger.h. Stable: people
 * filter by them. */
#define POISON_REASONS(X)                                                                          \
	X(POISON_UNPARSABLE, "unparsable")     /* neither JSON nor a CloudEvent */                     \
	X(POISON_TOO_LARGE, "too_large")       /* past a limit of events */                            \
	X(POISON_KEY_CONFLICT, "key_conflict") /* the key was used with another input */               \
	X(POISON_REFUSED, "refused")           /* the start itself: a limit of sagas */

enum poison_reason {
#define X(name, text) name,
	POISON_REASONS(X)
#undef X
};
const char *poison_reason_text(enum poison_reason reason);

enum evaluation_verdict {
	EVALUATION_START,    /* with input, key and fingerprint */
	EVALUATION_FILTERED, /* `when` is false */
	EVALUATION_POISON,   /* reason and err say why */
	EVALUATION_LATER,    /* memory is gone: err */
};

struct evaluation {
	enum evaluation_verdict verdict;
	json_t *input;
	char *key; /* never NULL with START */
	char fingerprint[SHA256_HEX_SIZE];
	const char *reason; /* a literal */
	struct err err;
};

/* trigger is one of def's. Released with evaluation_release. */
void trigger_evaluate(const struct saga_def *def, const struct trigger_def *trigger,
					  const struct kafka_record *record, struct evaluation *ret);
void evaluation_release(struct evaluation *evaluation);

/*
 * The key of a record that gives none: the place where it is. Long names of topics are shortened to
 * their hash, since a key has at most KEY_MAX_BYTES.
 */
void trigger_place_key(const struct kafka_record *record, char key[KEY_MAX_BYTES + 1]);

#endif
