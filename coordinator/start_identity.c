#include "coordinator/start_identity.h"

#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "coordinator/clock.h"
#include "sagas/base/buf.h"
#include "sagas/json_text.h"

int start_fingerprint(const char *definition, const char *key, json_t *input,
					  char ret_fingerprint[SHA256_HEX_SIZE], struct err *err)
{
	struct buf out;
	int r;

	buf_init(&out, 0);
	buf_add_lit(&out, "{\"input\":");
	json_write_canonical(input, &out);
	buf_add_lit(&out, ",\"key\":");
	json_write_string(key, strlen(key), &out);
	buf_add_lit(&out, ",\"saga\":");
	json_write_string(definition, strlen(definition), &out);
	buf_add_char(&out, '}');
	r = buf_check(&out, "the input", err);
	if (r == 0)
		hash_sha256_hex(out.data, out.len, ret_fingerprint);
	buf_release(&out);
	return r;
}

void start_make_id(const char *ns, const char *definition, const char *key, int slots,
				   char id[SAGA_ID_SIZE])
{
	unsigned char random[8];
	char nameless[2 * sizeof(random) + 1];

	CHECK(getrandom(random, sizeof(random), 0) == sizeof(random));
	for (size_t i = 0; !key && i < sizeof(random); i++)
		snprintf(nameless + 2 * i, 3, "%02x", random[i]);
	saga_id_make(clock_wall(), saga_slot(ns, definition, key ? key : nameless, slots), random, id);
}
