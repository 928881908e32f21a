/*
 * GET /v1/definitions/{name}/diff: what differs between two versions. Both are read from the store
 * and compared on the read pool.
 */
#include "coordinator/node.h"
#include "coordinator/routes.h"
#include "sagas/def_diff.h"
#include "sagas/json_text.h"

struct versions {
	int64_t from, to; /* 0: not said */
};

static int read_doc(struct exchange *ex, struct store_reader *reader, int64_t version,
					json_t **ret_doc, int64_t *ret_version, struct err *err)
{
	struct definition_row row = {0};
	int r = reader->store->ops->definition_get(reader, ex->ns, ex->params[0], version, &row, err);

	if (r < 0)
		return r;
	r = json_parse_stored(row.doc, row.doc_len, ret_doc, err);
	*ret_version = row.version;
	definition_row_release(&row);
	return r;
}

/* Thread: read pool. */
static void read_diff(struct exchange *ex, struct store_reader *reader)
{
	const struct versions *versions = ex->state;
	CLEANUP(json_decref_p) json_t *from = NULL;
	CLEANUP(json_decref_p) json_t *to = NULL;
	CLEANUP(json_decref_p) json_t *diff = NULL;
	CLEANUP(buf_release) struct buf words;
	int64_t from_version = 0, to_version = 0;
	struct err err;
	int r = read_doc(ex, reader, versions->to, &to, &to_version, &err);

	buf_init(&words, 0);
	if (r == 0 && !versions->from && to_version == 1)
		r = err_set(&err, ERR_NOT_FOUND, "version 1 is the first; there is none before it");
	if (r == 0)
		r = read_doc(ex, reader, versions->from ? versions->from : to_version - 1, &from,
					 &from_version, &err);
	if (r == ERR_NOT_FOUND) {
		exchange_problem(ex, PROBLEM_DEFINITION_NOT_FOUND, "%s", err.text);
		return;
	}
	if (r < 0) {
		exchange_problem_err(ex, &err);
		return;
	}
	diff = def_diff(from, to);
	def_diff_words(diff, &words);
	json_object_set_new(diff, "from", json_integer(from_version));
	json_object_set_new(diff, "to", json_integer(to_version));
	json_object_set_new(diff, "text", json_stringn(buf_str(&words), words.len));
	json_write(diff, &ex->out);
	exchange_answer(ex, 200);
}

void api_diff_versions(struct exchange *ex)
{
	static const char *const known[] = {"from", "to"};
	struct versions *versions = xcalloc(1, sizeof(*versions));

	ex->state = versions;
	ex->free_state = free;
	if (exchange_arg_int(ex, "from", 1, INT32_MAX, &versions->from) &&
		exchange_arg_int(ex, "to", 1, INT32_MAX, &versions->to) &&
		exchange_args_done(ex, known, ARRAY_SIZE(known)))
		exchange_read(ex, read_diff);
}
