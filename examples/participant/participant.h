/*
 * What a service has to do so that a saga can call it more than once and still have its effect
 * once: a small library, and the example services that are written with it. examples/README.md
 * tells the rules; they are about forty lines in ledger.c, and can be carried over into any
 * language and any database that has transactions.
 *
 * A service is a table of operations. Each works on a thing that the caller names in the path
 * (`PUT /reservations/{id}`): it makes the thing, undoes it, or reads it.
 */
#ifndef EXAMPLES_PARTICIPANT_PARTICIPANT_H
#define EXAMPLES_PARTICIPANT_PARTICIPANT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

enum role {
	ROLE_DO,   /* makes the thing */
	ROLE_UNDO, /* undoes it; remembers the undo of a thing that was never made */
	ROLE_READ, /* answers with the thing, or 404; needs no key and leaves no trace */
};

struct call;

struct operation {
	const char *method;
	const char *path; /* "/stock/reservations/{id}", "/charges/{id}/refund" */
	const char *name; /* in the ledger: "reserve" */
	const char *kind; /* of thing: "reservation"; the undo has the same */
	enum role role;
	/*
	 * The work itself, inside the transaction that also stores the key: it may not call anybody.
	 * Sets call->status and call->reply; only a 2xx status is an effect. NULL: 200 and {"id": …}.
	 */
	void (*run)(struct call *call);
};

/* One request to an operation. */
struct call {
	const struct operation *operation;
	const char *key;     /* the Idempotency-Key */
	const char *request; /* method, path and body as they came: another one is another request */
	char id[128];        /* the {id} of the path */
	json_t *body;        /* an object; empty when there was none */
	json_t *thing;       /* UNDO, READ: what the DO answered; else NULL */
	/* The answer. */
	int status;
	json_t *reply;
	bool replayed;   /* the key was known, and this is its stored answer */
	bool lose_reply; /* run may set it: take effect, but close the connection without a word */
};

/* Sets the answer to {"code": code, "message": message}; message, which is for people, may be NULL.
 */
void call_refuse(struct call *call, int status, const char *code, const char *message);

/* A string of the body, "" when it has none of that name. */
const char *call_string(const struct call *call, const char *name);
bool text_ends_with(const char *text, const char *end);

/*
 * A whole program: parses `--port N` (0: a free one), `--data DIR` and `--listen IPV4` (127.0.0.1
 * unless said), prints "NAME listening on http://ADDRESS:PORT", and stops on SIGTERM and SIGINT.
 * Returns the exit code. Beside the operations it serves GET /ledger, POST /control and GET /livez.
 */
int participant_main(int argc, char **argv, const char *name, const struct operation *operations,
					 size_t n);

#endif
