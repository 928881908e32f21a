/*
 * Commands as records, and replies out of records: how they are laid out for those who read and
 * write them. docs/kafka.md shows each profile with examples.
 *
 *   native      CloudEvents in binary mode with correlation-id, reply-to and idempotency-key; any
 *               language can do it
 *   spring      Spring for Apache Kafka: kafka_correlationId, kafka_replyTopic, __TypeId__
 *   eventuate   Eventuate Tram: an envelope {"payload","headers"} in the value; the message's id is
 *               what comes back as reply_to_message_id
 *
 * In each profile our correlation travels in what the framework echoes by itself.
 */
#ifndef SAGAS_REPLY_PROFILE_H
#define SAGAS_REPLY_PROFILE_H

#include "sagas/correlation.h"
#include "sagas/jval.h"
#include "sagas/kafka_record.h"
#include "sagas/request.h"

/* X(constant, text) */
#define REPLY_PROFILES(X)                                                                          \
	X(PROFILE_NATIVE, "native")                                                                    \
	X(PROFILE_SPRING, "spring")                                                                    \
	X(PROFILE_EVENTUATE, "eventuate")

enum reply_profile {
#define X(name, text) name,
	REPLY_PROFILES(X)
#undef X
};

const char *reply_profile_text(enum reply_profile profile);
/* -1 for an unknown text. */
int reply_profile_parse(const char *text);

/* What a command's record says beside its request. All borrowed. */
struct command_address {
	const char *ns, *definition, *saga_id;
	const char *cluster;
	const char *topic;       /* where the participant reads */
	const char *reply_topic; /* where Skald reads */
	int64_t attempt;
	wall_ms at; /* of this attempt */
};

enum { COMMAND_MAX_HEADERS = 64, COMMAND_MAX_HEADER_BYTES = 512 * 1024 };

struct command_record {
	struct kafka_record record; /* borrows from below, from the request and from the address */
	struct kafka_header headers[COMMAND_MAX_HEADERS];
	char *bytes; /* of the headers */
	char *value; /* of an envelope; NULL: the request's body as it is */
};

/*
 * Lays out a request of REQUEST_COMMAND. Its own headers never replace Skald's. ERR_LIMIT,
 * ERR_NO_MEMORY; on failure nothing has to be released. The record must stay where it is, and
 * request and address must last as long.
 */
int command_record_make(enum reply_profile profile, const struct request *request,
						const struct command_address *address, struct command_record *ret_record,
						struct err *err) MUST_CHECK;
void command_record_release(struct command_record *record);

/* What a record in the reply topic says. */
struct kafka_reply {
	enum reply_profile profile; /* as it was recognised */
	struct correlation correlation;
	enum outcome outcome; /* OUTCOME_DEFAULT: not said, so success unless a rule knows better */
	char *code, *message; /* of an outcome that is not success; NULL: not said */
	char *type;           /* of the reply: ce_type, __TypeId__, reply_type; NULL: not said */
	struct jval *body;    /* never NULL: JSON null where the record has none */
};

/*
 * Recognises the profile by the record itself. ERR_NOT_FOUND: it says no correlation of ours, so
 * it is nobody's here. ERR_INVALID: it is an answer to one of ours and cannot be read, or to
 * several at once; ERR_LIMIT, ERR_NO_MEMORY. On failure nothing has to be released.
 */
int kafka_reply_read(const struct kafka_record *record, struct kafka_reply *ret_reply,
					 struct err *err) MUST_CHECK;
void kafka_reply_release(struct kafka_reply *reply);

#endif
