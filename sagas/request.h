/*
 * What is sent for an action, materialised: a call to a participant, a command to one over Kafka,
 * or a record that is published. These bytes are what every attempt sends. It is made once, stored
 * in the history with the event that schedules it, and never computed again.
 *
 * Immutable after it was made; counted with atomics, because the thread that sends it holds a
 * reference while the engine goes on.
 */
#ifndef SAGAS_REQUEST_H
#define SAGAS_REQUEST_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sagas/base/buf.h"
#include "sagas/base/err.h"

enum request_kind {
	REQUEST_HTTP,
	REQUEST_COMMAND, /* a Kafka record that the participant answers with another */
	REQUEST_EMIT,    /* a Kafka record that nobody answers */
	REQUEST_TASK,    /* waits in a queue for a worker, who gives the answer */
	REQUEST_CHILD,   /* a saga to be started; its body is the input */
};

struct request {
	int refs;
	enum request_kind kind;
	char *to;       /* participant; EMIT: NULL; CHILD: the definition */
	char *key;      /* idempotency key; EMIT: NULL */
	char **headers; /* "Name: value", NULL-terminated; NULL: none. Without the key */
	char *body;     /* NULL: none; COMMAND, EMIT: the data, as JSON */
	size_t body_len;
	char *content_type; /* of the body */
	char **secrets;     /* names of those in headers and query, NULL-terminated; NULL: none */
	/* HTTP */
	char *method; /* "POST" */
	char *path;   /* with the query, encoded: "/a/b?c=d" */
	/* COMMAND, EMIT */
	char *type;       /* of the command or event */
	char *record_key; /* of the record; the saga's id where the definition says none */
	/* COMMAND: "<ns>/<saga>/<step>[<item>]/<do|undo|probe-do.N|probe-undo.N>" */
	char *correlation;
	/* EMIT */
	char *cluster, *topic;
	/* TASK; its input is the body */
	char *queue, *route; /* route: NULL: none */
	/* CHILD; its correlation says whose step it is */
	int64_t version; /* of a block: that of its surroundings; 0: the newest */
	int64_t depth;   /* sagas that stand above it */
	bool hold;       /* its undos are wanted when it is done */
};

/*
 * A secret in a header or in the query is not in the request: a placeholder is, ${secret.NAME}, and
 * the names that stand there are listed, so that no text that only looks like one is taken for it.
 */
#define REQUEST_PLACEHOLDER "${secret."
#define REQUEST_PLACEHOLDER_QUERY "%24%7Bsecret."
enum { REQUEST_SECRET_MAX_BYTES = 128, REQUEST_PLACEHOLDER_SIZE = 160 };
void request_placeholder(const char *name, bool query, char ret[REQUEST_PLACEHOLDER_SIZE]);

struct request *request_new(void) MUST_CHECK;
struct request *request_ref(struct request *request);
void request_unref(struct request *request);
DEFINE_CLEANUP(struct request *, request_unref)

/*
 * HTTP:
 * {"to","method","path","key","headers":[…],"secrets":[…],"body":…|"body_text":"…","content_type"}
 * {"kind":"command","to","type","record_key","key","correlation","headers","body"}
 * {"kind":"emit","cluster","topic","type","record_key","headers","body"}
 * {"kind":"task","queue","route","key","body"}
 * {"kind":"child","to","key","correlation","version","depth","hold","body"}
 */
void request_write(const struct request *request, struct buf *out);
int request_from_json(const json_t *json, struct request **ret_request, struct err *err) MUST_CHECK;

#endif
