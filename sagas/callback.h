/*
 * The token of a step.callback_url: which action is answered there, and the nonce that only who got
 * the request knows. Opaque to others: base64url of the correlation (sagas/correlation.h), a slash
 * and the nonce.
 */
#ifndef SAGAS_CALLBACK_H
#define SAGAS_CALLBACK_H

#include "sagas/correlation.h"
#include "sagas/hash.h"

enum { CALLBACK_NONCE_SIZE = 33, CALLBACK_TOKEN_MAX_BYTES = 1024 };

struct callback {
	struct correlation at;
	char nonce[CALLBACK_NONCE_SIZE]; /* 128 bits in hex */
};

/* Appends the token. */
void callback_write(const struct callback *callback, struct buf *out);
/* Reads exactly what callback_write gives; false for anything else. */
bool callback_read(const char *token, struct callback *ret) MUST_CHECK;

/* A nonce that cannot be told from those before it. random: unguessable; place: of the action. */
void callback_nonce(uint64_t random, const char *place, char ret[CALLBACK_NONCE_SIZE]);
/* In a time that does not tell where they differ. known may be NULL: then nothing fits. */
bool callback_nonce_fits(const char *known, const char *given);

#endif
