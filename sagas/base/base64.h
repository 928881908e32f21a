/*
 * Base64 (RFC 4648, the standard alphabet, with padding), for bytes that have to stand in JSON.
 */
#ifndef SAGAS_BASE_BASE64_H
#define SAGAS_BASE_BASE64_H

#include <stdbool.h>
#include <stddef.h>

#include "sagas/base/buf.h"

/* Appends the text. */
void base64_encode(const void *data, size_t len, struct buf *out);

/*
 * Appends the bytes. False when it is not base64: another character, a length that is no multiple
 * of four, or bits that an encoder would have left zero; out may then hold a part.
 */
bool base64_decode(const char *text, size_t len, struct buf *out) MUST_CHECK;

#endif
