/*
 * JSON text: what the check accepts jansson can build (unless a key stands twice), and what is
 * written of it is accepted, reads back equal, and is written in the same way again.
 */
#include <stdint.h>

#include "sagas/json_text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = size ? (const char *)data : "";
	CLEANUP(json_decref_p) json_t *value = NULL;
	CLEANUP(json_decref_p) json_t *again = NULL;
	json_error_t why;
	struct buf out, twice;
	struct err err;

	if (json_text_check(text, size, &err) < 0) {
		CHECK(err.text[0] && err.place[0]);
		CHECK(json_parse(text, size, &value, NULL) < 0 && !value);
		return 0;
	}
	/* As jval does it. */
	value = json_loadb(text, size, JSON_DECODE_ANY, &why);
	CHECK(value);
	CHECK(json_depth(value) <= JSON_MAX_DEPTH);
	buf_init(&out, 0);
	buf_init(&twice, 0);
	json_write(value, &out);
	CHECK(json_parse(out.data, out.len, &again, &err) == 0);
	CHECK(json_equal(value, again));
	CHECK(json_write_depth(again, &twice) == json_depth(value));
	CHECK(out.len == twice.len && memcmp(out.data, twice.data, out.len) == 0);
	buf_clear(&out);
	json_write_canonical(again, &out);
	CHECK(out.len == twice.len);
	buf_release(&out);
	buf_release(&twice);
	return 0;
}
