/*
 * Whether what was posted to a webhook comes from whom it says: HMAC-SHA256 with a shared secret,
 * as two families of senders do it.
 *
 *   standard  Standard Webhooks: webhook-id, webhook-timestamp, and webhook-signature with
 *             "v1,<base64>" of "<id>.<timestamp>.<body>", several separated by spaces. The secret
 *             may be written whsec_<base64>. Others call the headers svix-id and so on: then
 *             `header` is svix-signature.
 *   github    x-hub-signature-256 (or `header`) with "sha256=<hex>" of the body, or the hex alone.
 *             It has no time, so what was heard once can be sent again.
 *
 * Comparisons take the same time whatever they find. Pure: the time arrives from outside.
 */
#ifndef COORDINATOR_WEBHOOK_CHECK_H
#define COORDINATOR_WEBHOOK_CHECK_H

#include <stddef.h>

#include "sagas/base/err.h"
#include "sagas/base/time.h"

/* X(constant, text) */
#define WEBHOOK_SCHEMES(X)                                                                         \
	X(WEBHOOK_STANDARD, "standard")                                                                \
	X(WEBHOOK_GITHUB, "github")

enum webhook_scheme {
#define X(name, text) name,
	WEBHOOK_SCHEMES(X)
#undef X
		WEBHOOK_SCHEME_COUNT
};
const char *webhook_scheme_text(enum webhook_scheme scheme);
int webhook_scheme_parse(const char *text); /* -1: no such scheme */

/* Of one source. Strings are borrowed. */
struct webhook_check {
	const char *source;
	enum webhook_scheme scheme;
	const char *secret;
	const char *header;   /* NULL: the scheme's */
	int64_t tolerance_ms; /* how far its time may be from ours */
};

enum { WEBHOOK_HEADER_SIZE = 128 };

struct webhook_message {
	const char *(*header)(void *ctx, const char *name); /* NULL: it has none */
	void *ctx;
	const void *body;
	size_t body_len;
};

/* ERR_INVALID says what is wrong, without anything of the secret. */
int webhook_verify(const struct webhook_check *check, const struct webhook_message *message,
				   wall_ms now, struct err *err) MUST_CHECK;
/* Whether a secret can be used with the scheme; ERR_INVALID. */
int webhook_secret_check(enum webhook_scheme scheme, const char *secret,
						 struct err *err) MUST_CHECK;

#endif
