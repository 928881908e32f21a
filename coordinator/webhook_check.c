#include "coordinator/webhook_check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sagas/base/base64.h"
#include "sagas/hash.h"

static const char *const scheme_texts[] = {
#define X(name, text) [name] = text,
	WEBHOOK_SCHEMES(X)
#undef X
};

const char *webhook_scheme_text(enum webhook_scheme scheme)
{
	return scheme_texts[scheme];
}

int webhook_scheme_parse(const char *text)
{
	for (int i = 0; i < WEBHOOK_SCHEME_COUNT; i++)
		if (strcmp(scheme_texts[i], text) == 0)
			return i;
	return -1;
}

/* The bytes that are the key. */
static int make_key(enum webhook_scheme scheme, const char *secret, struct buf *key,
					struct err *err)
{
	static const char prefix[] = "whsec_";
	size_t skip = sizeof(prefix) - 1;

	if (!*secret)
		return err_set(err, ERR_INVALID, "the secret is empty");
	if (scheme != WEBHOOK_STANDARD || strncmp(secret, prefix, skip) != 0) {
		buf_add_str(key, secret);
		return 0;
	}
	if (!base64_decode(secret + skip, strlen(secret + skip), key) || key->len == 0)
		return err_set(err, ERR_INVALID, "behind whsec_ the secret must be base64");
	return 0;
}

int webhook_secret_check(enum webhook_scheme scheme, const char *secret, struct err *err)
{
	CLEANUP(buf_release) struct buf key;

	buf_init(&key, 0);
	return make_key(scheme, secret, &key, err);
}

static const char *need_header(const struct webhook_message *message, const char *name,
							   struct err *err)
{
	const char *value = message->header(message->ctx, name);

	if (!value)
		err_set(err, ERR_INVALID, "the header %.64s is missing", name);
	return value;
}

/* "webhook-signature" -> "webhook-id": the headers of a sender have one beginning. */
static void sibling(const char *signature, const char *end, char name[WEBHOOK_HEADER_SIZE])
{
	static const char own[] = "signature";
	size_t len = strlen(signature), tail = sizeof(own) - 1;

	if (len > tail && strcmp(signature + len - tail, own) == 0)
		snprintf(name, WEBHOOK_HEADER_SIZE, "%.*s%s", (int)(len - tail), signature, end);
	else
		snprintf(name, WEBHOOK_HEADER_SIZE, "webhook-%s", end);
}

static int check_time(const struct webhook_check *check, const char *text, wall_ms now,
					  struct err *err)
{
	size_t digits = strspn(text, "0123456789");
	wall_ms at, away;

	if (digits == 0 || digits > 12 || text[digits])
		return err_set(err, ERR_INVALID, "its timestamp is not a number of seconds");
	at = (wall_ms)strtoll(text, NULL, 10) * 1000;
	away = at < now ? now - at : at - now;
	if (away > check->tolerance_ms)
		return err_set(err, ERR_INVALID,
					   "its timestamp is %lld s away from now; at most %lld are allowed",
					   (long long)(away / 1000), (long long)(check->tolerance_ms / 1000));
	return 0;
}

/* Whether one of "v1,<base64> v1,<base64>" is the digest. */
static bool one_is(const char *signatures, const unsigned char digest[SHA256_SIZE])
{
	bool found = false;

	while (*signatures) {
		size_t len = strcspn(signatures, " ");
		CLEANUP(buf_release) struct buf given;

		buf_init(&given, 0);
		if (len > 3 && strncmp(signatures, "v1,", 3) == 0 &&
			base64_decode(signatures + 3, len - 3, &given) && given.len == SHA256_SIZE)
			found |= hash_equal(given.data, digest, SHA256_SIZE);
		signatures += len + strspn(signatures + len, " ");
	}
	return found;
}

static int verify_standard(const struct webhook_check *check, const struct webhook_message *message,
						   const struct buf *key, wall_ms now, struct err *err)
{
	const char *name = check->header ? check->header : "webhook-signature";
	char id_name[WEBHOOK_HEADER_SIZE], time_name[WEBHOOK_HEADER_SIZE];
	const char *signatures = need_header(message, name, err), *id, *at;
	CLEANUP(buf_release) struct buf text;
	unsigned char digest[SHA256_SIZE];
	int r;

	buf_init(&text, 0);
	sibling(name, "id", id_name);
	sibling(name, "timestamp", time_name);
	id = signatures ? need_header(message, id_name, err) : NULL;
	at = id ? need_header(message, time_name, err) : NULL;
	if (!at)
		return ERR_INVALID;
	r = check_time(check, at, now, err);
	if (r < 0)
		return r;
	buf_printf(&text, "%s.%s.", id, at);
	buf_add(&text, message->body, message->body_len);
	hash_hmac_sha256(key->data, key->len, text.data, text.len, digest);
	return one_is(signatures, digest) ? 0 : err_set(err, ERR_INVALID, "its signature is wrong");
}

static int verify_github(const struct webhook_check *check, const struct webhook_message *message,
						 const struct buf *key, struct err *err)
{
	const char *given =
		need_header(message, check->header ? check->header : "x-hub-signature-256", err);
	unsigned char digest[SHA256_SIZE];
	char hex[2 * SHA256_SIZE + 1];

	if (!given)
		return ERR_INVALID;
	if (strncmp(given, "sha256=", 7) == 0)
		given += 7;
	hash_hmac_sha256(key->data, key->len, message->body, message->body_len, digest);
	for (int i = 0; i < SHA256_SIZE; i++)
		snprintf(hex + 2 * i, 3, "%02x", digest[i]);
	if (strlen(given) != sizeof(hex) - 1 || !hash_equal(given, hex, sizeof(hex) - 1))
		return err_set(err, ERR_INVALID, "its signature is wrong");
	return 0;
}

int webhook_verify(const struct webhook_check *check, const struct webhook_message *message,
				   wall_ms now, struct err *err)
{
	CLEANUP(buf_release) struct buf key;
	int r;

	buf_init(&key, 0);
	r = make_key(check->scheme, check->secret, &key, err);
	if (r < 0)
		return r;
	switch (check->scheme) {
	case WEBHOOK_STANDARD:
		return verify_standard(check, message, &key, now, err);
	case WEBHOOK_GITHUB:
	case WEBHOOK_SCHEME_COUNT:
		break;
	}
	return verify_github(check, message, &key, err);
}
