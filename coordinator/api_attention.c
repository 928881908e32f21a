/*
 * /v1/attention: what concerns a person, in groups of sagas with the same trouble; and what a
 * person says about a group: that it is seen, and whose it is. Such a word is a row of the store,
 * and lasts as long as the group has sagas. It acts on no saga: that is what batches are for, with
 * the filter `group:`.
 */
#include <string.h>

#include "coordinator/api_body.h"
#include "coordinator/clock.h"
#include "coordinator/json_attention.h"
#include "coordinator/kafka/store_job.h"
#include "coordinator/node.h"
#include "coordinator/routes.h"
#include "sagas/json_text.h"

enum {
	PUT_TRIES = 5, /* when others write the same row */
	ATTENTION_BODY_MAX_BYTES = 16 * 1024,
};

/* GET /v1/attention */

struct list {
	struct buf *out;
	int n;
	int64_t total;
};

static int list_group(void *ctx, const struct attention_group_row *row)
{
	struct list *list = ctx;

	if (list->n++ > 0)
		buf_add_char(list->out, ',');
	json_attention(row, list->out);
	list->total += row->n;
	return 0;
}

/* Thread: read pool, as all that reads. */
static void read_list(struct exchange *ex, struct store_reader *reader)
{
	struct list list = {.out = &ex->out};
	struct err err;

	buf_add_lit(&ex->out, "{\"groups\":[");
	if (reader->store->ops->attention_list(reader, ex->ns, ATTENTION_LIST_MAX, list_group, &list,
										   &err) < 0) {
		exchange_problem_err(ex, &err);
		return;
	}
	buf_printf(&ex->out, "],\"total\":%lld,\"truncated\":%s}", (long long)list.total,
			   list.n == ATTENTION_LIST_MAX ? "true" : "false");
	exchange_answer(ex, 200);
}

void api_list_attention(struct exchange *ex)
{
	if (exchange_args_done(ex, NULL, 0))
		exchange_read(ex, read_list);
}

/* GET /v1/attention/{group} */

static void group_failed(struct exchange *ex, const struct err *err)
{
	if (err->code == ERR_NOT_FOUND)
		exchange_problem(ex, PROBLEM_ATTENTION_NOT_FOUND,
						 "no saga of namespace %s concerns a person for reason %.40s", ex->ns,
						 ex->params[0]);
	else
		exchange_problem_err(ex, err);
}

static int get_group(struct exchange *ex, struct store_reader *reader,
					 struct attention_group_row *ret_row, struct err *err)
{
	if (strlen(ex->params[0]) != ATTENTION_GROUP_SIZE - 1)
		return err_set(err, ERR_NOT_FOUND, "a group has %d digits", ATTENTION_GROUP_SIZE - 1);
	return reader->store->ops->attention_get(reader, ex->ns, ex->params[0], ret_row, err);
}

static void read_group(struct exchange *ex, struct store_reader *reader)
{
	CLEANUP(attention_group_row_release) struct attention_group_row row = {0};
	struct err err;

	if (get_group(ex, reader, &row, &err) < 0) {
		group_failed(ex, &err);
		return;
	}
	json_attention(&row, &ex->out);
	exchange_answer(ex, 200);
}

void api_get_attention(struct exchange *ex)
{
	if (exchange_args_done(ex, NULL, 0))
		exchange_read(ex, read_group);
}

/* What persons say. */

enum word { WORD_ACKNOWLEDGE, WORD_UNACKNOWLEDGE, WORD_OWNER };

struct said {
	enum word word;
	char *by, *reason, *owner;
};

static void said_free(void *state)
{
	struct said *said = state;

	free(said->by);
	free(said->reason);
	free(said->owner);
	free(said);
}

static void say(const struct said *said, struct attention_group_row *row)
{
	switch (said->word) {
	case WORD_ACKNOWLEDGE:
		row->acknowledged_by = said->by;
		row->acknowledged_at = clock_wall();
		row->note = said->reason;
		break;
	case WORD_UNACKNOWLEDGE:
		row->acknowledged_by = row->note = NULL;
		row->acknowledged_at = 0;
		break;
	case WORD_OWNER:
		row->owner = said->owner;
		break;
	}
}

static int put_row(void *ctx, struct store *store, struct err *err)
{
	return store->ops->attention_put(store, ctx, err);
}

/* Reads the row, changes it, writes it; ERR_CONFLICT: somebody else was faster. */
static int try_say(struct exchange *ex, struct store_reader *reader, struct err *err)
{
	CLEANUP(attention_group_row_release) struct attention_group_row row = {0};
	struct attention_group_row changed;
	int r = get_group(ex, reader, &row, err);

	if (r < 0)
		return r;
	changed = row; /* what is said is borrowed, and the rest is the row's */
	say(ex->state, &changed);
	r = store_job_run(ex->node->writer, put_row, &changed, err);
	if (r < 0)
		return r;
	json_attention(&changed, &ex->out);
	exchange_answer(ex, 200);
	return 0;
}

static void write_word(struct exchange *ex, struct store_reader *reader)
{
	struct err err;
	int r = ERR_CONFLICT;

	for (int i = 0; i < PUT_TRIES && r == ERR_CONFLICT; i++)
		r = try_say(ex, reader, &err);
	if (r < 0)
		group_failed(ex, &err);
}

static char *text_member(const json_t *body, const char *name)
{
	const char *text = json_string_value(json_object_get(body, name));

	return text && *text ? xstrdup(text) : NULL;
}

static void take_word(struct exchange *ex, enum word word, const struct body_member *members,
					  size_t n)
{
	CLEANUP(json_decref_p) json_t *body = NULL;
	struct said *said = xcalloc(1, sizeof(*said));

	said->word = word;
	ex->state = said;
	ex->free_state = said_free;
	if (ex->body.len > ATTENTION_BODY_MAX_BYTES) {
		exchange_problem(ex, PROBLEM_TOO_LARGE, "this body has at most %d bytes",
						 ATTENTION_BODY_MAX_BYTES);
		return;
	}
	if (!exchange_args_done(ex, NULL, 0) || !body_read(ex, members, n, true, &body))
		return;
	said->by = text_member(body, "by");
	if (!said->by)
		said->by = xstrdup("api");
	said->reason = text_member(body, "reason");
	said->owner = text_member(body, "owner");
	exchange_read(ex, write_word);
}

static const struct body_member members[] = {
	{"by", BODY_STRING, false, OWNER_MAX_BYTES},
	{"reason", BODY_STRING, false, 1000},
	{"owner", BODY_STRING, false, OWNER_MAX_BYTES},
};

void api_acknowledge_attention(struct exchange *ex)
{
	take_word(ex, WORD_ACKNOWLEDGE, members, 2);
}

void api_unacknowledge_attention(struct exchange *ex)
{
	take_word(ex, WORD_UNACKNOWLEDGE, members, 2);
}

void api_own_attention(struct exchange *ex)
{
	take_word(ex, WORD_OWNER, members, 3);
}
