#include "sagas/child_message.h"

#include <string.h>

#include "sagas/json_text.h"

static const char *const WORD_TEXTS[] = {
#define X(name, text) [name] = (text),
	CHILD_WORDS(X)
#undef X
};

const char *child_word_text(enum child_word word)
{
	return WORD_TEXTS[word];
}

bool child_word_is_end(enum child_word word)
{
	return word <= CHILD_TERMINATED;
}

void child_message_release(struct child_message *message)
{
	jval_unref(message->value);
	free(message->code);
	free(message->message);
	*message = (struct child_message){0};
}

static void write_text(struct buf *out, const char *name, const char *text)
{
	if (!text)
		return;
	buf_printf(out, ",\"%s\":", name);
	json_write_string(text, strlen(text), out);
}

void child_message_write(const struct child_message *message, struct buf *out)
{
	buf_add_lit(out, "{\"kind\":\"child\"");
	write_text(out, "word", child_word_text(message->word));
	write_text(out, "child", message->child);
	write_text(out, "step", message->step);
	if (message->item >= 0)
		buf_printf(out, ",\"item\":%d", message->item);
	write_text(out, "side", message->side == SIDE_UNDO ? "undo" : "do");
	if (message->run > 1)
		buf_printf(out, ",\"run\":%d", message->run);
	write_text(out, "code", message->code);
	write_text(out, "message", message->message);
	if (message->value) {
		buf_add_lit(out, ",\"value\":");
		jval_write(message->value, out);
	}
	buf_add_char(out, '}');
}

static int read_word(const json_t *json, enum child_word *ret_word, struct err *err)
{
	const char *text = json_string_value(json_object_get(json, "word"));

	for (int i = 0; text && i < CHILD_WORD_COUNT; i++) {
		if (strcmp(text, WORD_TEXTS[i]) == 0) {
			*ret_word = (enum child_word)i;
			return 0;
		}
	}
	return err_set(err, ERR_INVALID, "a message between sagas needs a known `word`");
}

static int read_text(const json_t *json, const char *name, char *to, size_t size, struct err *err)
{
	const json_t *text = json_object_get(json, name);

	if (!json_is_string(text) || json_string_length(text) >= size)
		return err_set(err, ERR_INVALID, "a message between sagas needs `%s`", name);
	memcpy(to, json_string_value(text), json_string_length(text) + 1);
	return 0;
}

/* Members that need not be there. */
static void read_rest(const json_t *json, struct child_message *message)
{
	const json_t *item = json_object_get(json, "item");
	const json_t *run = json_object_get(json, "run");
	const char *side = json_string_value(json_object_get(json, "side"));
	const char *code = json_string_value(json_object_get(json, "code"));
	const char *text = json_string_value(json_object_get(json, "message"));
	json_t *value = json_object_get(json, "value");

	message->item = json_is_integer(item) && json_integer_value(item) >= 0 &&
							json_integer_value(item) < DEF_MAX_ITEMS
						? (int)json_integer_value(item)
						: -1;
	message->run =
		json_is_integer(run) && json_integer_value(run) > 0 && json_integer_value(run) < INT32_MAX
			? (int)json_integer_value(run)
			: 1;
	message->side = side && strcmp(side, "undo") == 0 ? SIDE_UNDO : SIDE_DO;
	message->code = code ? xstrdup(code) : NULL;
	message->message = text ? xstrdup(text) : NULL;
	message->value = value ? jval_from_json(json_incref(value)) : NULL;
}

int child_message_read(const json_t *json, struct child_message *ret_message, struct err *err)
{
	struct child_message message = {0};
	int r = read_word(json, &message.word, err);

	if (r == 0)
		r = read_text(json, "child", message.child, sizeof(message.child), err);
	if (r == 0)
		r = read_text(json, "step", message.step, sizeof(message.step), err);
	if (r == 0 && saga_id_slot(message.child) < 0)
		r = err_set(err, ERR_INVALID, "`child` must be the id of a saga");
	if (r < 0)
		return r;
	read_rest(json, &message);
	*ret_message = message;
	return 0;
}
