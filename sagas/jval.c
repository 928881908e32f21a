/*
 * The text of a jval was checked before it came here, so building it cannot fail on its syntax; of
 * duplicate keys, which that check does not look for, the last one counts, always in the same way.
 */
#include "sagas/jval.h"

#include "sagas/json_text.h"

struct jval *jval_from_text(char *text, size_t len)
{
	struct jval *jv = xcalloc(1, sizeof(*jv));

	*jv = (struct jval){.refs = 1, .text = text, .len = len};
	return jv;
}

struct jval *jval_from_json(json_t *value)
{
	struct jval *jv = xcalloc(1, sizeof(*jv));

	CHECK(value);
	*jv = (struct jval){.refs = 1, .value = value};
	return jv;
}

struct jval *jval_ref(struct jval *jv)
{
	if (jv)
		jv->refs++;
	return jv;
}

void jval_unref(struct jval *jv)
{
	if (!jv || --jv->refs > 0)
		return;
	free(jv->text);
	json_decref(jv->value);
	free(jv);
}

json_t *jval_json(struct jval *jv)
{
	if (!jv)
		return NULL;
	if (!jv->value) {
		CHECK(json_parse_stored(jv->text, jv->len, &jv->value, NULL) == 0);
	}
	return jv->value;
}

const char *jval_text(struct jval *jv, size_t *ret_len)
{
	if (!jv) {
		if (ret_len)
			*ret_len = 4;
		return "null";
	}
	if (!jv->text) {
		struct buf out;

		buf_init(&out, 0);
		json_write(jv->value, &out);
		CHECK(!out.failed);
		jv->text = buf_take(&out, &jv->len);
	}
	if (ret_len)
		*ret_len = jv->len;
	return jv->text;
}

void jval_write(struct jval *jv, struct buf *out)
{
	/* A value without text is written straight into `out`, which saves keeping the text twice. */
	if (jv && !jv->text)
		json_write(jv->value, out);
	else if (jv)
		buf_add(out, jv->text, jv->len);
	else
		buf_add_lit(out, "null");
}
