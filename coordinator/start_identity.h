/*
 * What identifies a start, wherever it comes from (HTTP, Kafka): the fingerprint, by which two
 * starts with one key are told apart, and the id of the new saga, which carries the slot of its
 * key.
 */
#ifndef COORDINATOR_START_IDENTITY_H
#define COORDINATOR_START_IDENTITY_H

#include <jansson.h>

#include "sagas/base/err.h"
#include "sagas/hash.h"
#include "sagas/id.h"

/* What makes two starts the same; the definition's version is not part of it. */
int start_fingerprint(const char *definition, const char *key, json_t *input,
					  char ret_fingerprint[SHA256_HEX_SIZE], struct err *err) MUST_CHECK;

/* A new id. key NULL: it has none, and any slot will do. Reads the clock and random numbers. */
void start_make_id(const char *ns, const char *definition, const char *key, int slots,
				   char id[SAGA_ID_SIZE]);

#endif
