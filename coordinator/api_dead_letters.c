/*
 * /v1/dead-letters: records of triggers that started nothing. Browsing, sending one or many again,
 * and saying that nothing is to come of one. All of it runs on the read pool; a record is sent
 * again through the same evaluation and the same start as when it came (kafka/trigger_redrive.c).
 */
#include <semaphore.h>
#include <stdio.h>
#include <string.h>

#include "coordinator/api_body.h"
#include "coordinator/clock.h"
#include "coordinator/json_dead_letter.h"
#include "coordinator/kafka/store_job.h"
#include "coordinator/kafka/hub.h"
#include "coordinator/node.h"
#include "coordinator/routes.h"
#include "sagas/json_text.h"

enum {
	LIST_LIMIT_MAX = 500,
	REDRIVE_LIMIT_MAX = 100,
	REDRIVE_PAGES_MAX = 10, /* that are looked through for the oldest */
	CURSOR_MAX = 80,
};

static bool id_param(struct exchange *ex)
{
	const char *id = ex->params[0];

	if (strlen(id) == UUID_SIZE - 1 && strspn(id, "0123456789abcdef-") == UUID_SIZE - 1)
		return true;
	exchange_problem(ex, PROBLEM_DEAD_LETTER_NOT_FOUND, "there is no dead letter %.60s", id);
	return false;
}

static void read_failed(struct exchange *ex, const char *id, const struct err *err)
{
	if (err->code == ERR_NOT_FOUND)
		exchange_problem(ex, PROBLEM_DEAD_LETTER_NOT_FOUND,
						 "there is no dead letter %.60s in namespace %s", id, ex->ns);
	else
		exchange_problem_err(ex, err);
}

/* GET /v1/dead-letters */

struct list {
	struct exchange *ex;
	int n, limit;
	bool more;
	wall_ms last_at;
	char last_id[UUID_SIZE];
};

static int list_row(void *ctx, const struct dead_letter_row *row)
{
	struct list *list = ctx;

	if (list->n == list->limit) {
		list->more = true;
		return 0;
	}
	if (list->n++ > 0)
		buf_add_char(&list->ex->out, ',');
	json_dead_letter_open(row, &list->ex->out);
	buf_add_char(&list->ex->out, '}');
	list->last_at = row->failed_at;
	memcpy(list->last_id, row->id, sizeof(list->last_id));
	return 0;
}

/* "d<failed_at>.<id>" */
static bool read_cursor(struct exchange *ex, struct dead_letter_filter *filter)
{
	const char *text = exchange_arg(ex, "cursor");
	long long at;
	char *end;

	if (!text)
		return true;
	at = text[0] == 'd' ? strtoll(text + 1, &end, 10) : 0;
	if (text[0] != 'd' || *end != '.' || at <= 0 || strlen(end + 1) != UUID_SIZE - 1) {
		exchange_problem(ex, PROBLEM_INVALID_QUERY, "the cursor is not one that a list has given");
		return false;
	}
	filter->after_failed_at = at;
	memcpy(filter->after_id, end + 1, UUID_SIZE);
	return true;
}

static void filter_free(void *state)
{
	free(state);
}

/* Thread: read pool, as all that follows. */
static void list_dead_letters(struct exchange *ex, struct store_reader *reader)
{
	struct dead_letter_filter *filter = ex->state;
	struct list list = {.ex = ex, .limit = filter->limit};
	struct err err;

	filter->limit++; /* one more tells whether there is a next page */
	buf_add_lit(&ex->out, "{\"dead_letters\":[");
	if (reader->store->ops->dead_letter_list(reader, filter, list_row, &list, &err) < 0) {
		if (err.code == ERR_LIMIT)
			exchange_problem(ex, PROBLEM_INVALID_QUERY, "%s", err.text);
		else
			exchange_problem_err(ex, &err);
		return;
	}
	if (list.more)
		buf_printf(&ex->out, "],\"next\":\"d%lld.%s\"}", (long long)list.last_at, list.last_id);
	else
		buf_add_lit(&ex->out, "],\"next\":null}");
	exchange_answer(ex, 200);
}

static bool read_status(struct exchange *ex, int *status)
{
	const char *text = exchange_arg(ex, "status");

	*status = text ? dead_letter_status_parse(text) : -1;
	if (!text || *status >= 0)
		return true;
	exchange_problem(ex, PROBLEM_INVALID_QUERY, "status is one of waiting, redriven, discarded");
	return false;
}

void api_list_dead_letters(struct exchange *ex)
{
	static const char *const known[] = {"trigger", "reason", "status", "limit", "cursor"};
	struct dead_letter_filter *filter = xcalloc(1, sizeof(*filter));
	int64_t limit = 50;

	ex->state = filter;
	ex->free_state = filter_free;
	filter->ns = ex->ns;
	filter->trigger = exchange_arg(ex, "trigger");
	filter->reason = exchange_arg(ex, "reason");
	filter->without_record = true;
	if (!read_status(ex, &filter->status) || !read_cursor(ex, filter) ||
		!exchange_arg_int(ex, "limit", 1, LIST_LIMIT_MAX, &limit) ||
		!exchange_args_done(ex, known, ARRAY_SIZE(known)))
		return;
	filter->limit = (int)limit;
	exchange_read(ex, list_dead_letters);
}

/* GET /v1/dead-letters/{id} */

static void get_dead_letter(struct exchange *ex, struct store_reader *reader)
{
	struct dead_letter_row row = {0};
	struct err err;

	if (reader->store->ops->dead_letter_get(reader, ex->ns, ex->params[0], &row, &err) < 0) {
		read_failed(ex, ex->params[0], &err);
		return;
	}
	json_dead_letter(&row, &ex->out);
	dead_letter_row_release(&row);
	exchange_answer(ex, 200);
}

void api_get_dead_letter(struct exchange *ex)
{
	if (id_param(ex) && exchange_args_done(ex, NULL, 0))
		exchange_read(ex, get_dead_letter);
}

/* What becomes of one is written. */

struct update {
	const char *ns, *id, *saga_id;
	enum dead_letter_status status;
};

static int put_status(void *ctx, struct store *store, struct err *err)
{
	const struct update *update = ctx;

	return store->ops->dead_letter_update(store, update->ns, update->id, update->status,
										  update->saga_id, clock_wall(), err);
}

static int set_status(struct exchange *ex, const char *id, enum dead_letter_status status,
					  const char *saga_id, struct err *err)
{
	struct update update = {.ns = ex->ns, .id = id, .saga_id = saga_id, .status = status};

	return store_job_run(ex->node->writer, put_status, &update, err);
}

static int check_waits(const struct dead_letter_row *row, struct err *err)
{
	if (row->status == DEAD_LETTER_WAITING)
		return 0;
	return err_set(err, ERR_CONFLICT, "dead letter %s is %s already%s%s", row->id,
				   dead_letter_status_text(row->status), row->saga_id ? ": saga " : "",
				   row->saga_id ? row->saga_id : "");
}

/* POST /v1/dead-letters/{id}/discard */

static void discard(struct exchange *ex, struct store_reader *reader)
{
	const struct store_ops *ops = reader->store->ops;
	struct dead_letter_row row = {0};
	struct err err;
	int r = ops->dead_letter_get(reader, ex->ns, ex->params[0], &row, &err);

	if (r == 0) {
		r = row.status == DEAD_LETTER_DISCARDED ? 0 : check_waits(&row, &err);
		if (r == 0)
			r = set_status(ex, row.id, DEAD_LETTER_DISCARDED, NULL, &err);
		dead_letter_row_release(&row);
	}
	if (r < 0) {
		read_failed(ex, ex->params[0], &err);
		return;
	}
	buf_printf(&ex->out, "{\"id\":\"%s\",\"status\":\"discarded\"}", ex->params[0]);
	exchange_answer(ex, 200);
}

void api_discard_dead_letter(struct exchange *ex)
{
	CLEANUP(json_decref_p) json_t *body = NULL;

	if (id_param(ex) && exchange_args_done(ex, NULL, 0) && body_read(ex, NULL, 0, true, &body))
		exchange_read(ex, discard);
}

/* Sending again. */

struct waited_redrive {
	struct trigger_redrive redrive;
	sem_t done;
};

/* Thread: any. */
static void redrive_done(struct trigger_redrive *redrive)
{
	sem_post(&CONTAINER_OF(redrive, struct waited_redrive, redrive)->done);
}

/* Starts, waits until that is durable, and says so of the dead letter. */
static void redrive_row(struct exchange *ex, struct triggers *triggers,
						const struct dead_letter_row *row, struct trigger_redrive *ret_redrive)
{
	struct waited_redrive waited = {.redrive = {.row = row, .done = redrive_done}};
	struct trigger_redrive *redrive = &waited.redrive;

	CHECK(sem_init(&waited.done, 0, 0) == 0);
	redrive->result = check_waits(row, &redrive->err);
	if (redrive->result == 0) {
		trigger_redrive(triggers, redrive);
		while (sem_wait(&waited.done) < 0)
			;
	}
	/* Should this fail, the saga is there, and sending it again finds it. */
	if (redrive->result == 0)
		redrive->result =
			set_status(ex, row->id, DEAD_LETTER_REDRIVEN, redrive->saga_id, &redrive->err);
	sem_destroy(&waited.done);
	*ret_redrive = *redrive;
}

static void write_redriven(const char *id, const struct trigger_redrive *redrive, struct buf *out)
{
	buf_printf(out, "{\"id\":\"%s\",\"result\":\"%s\"", id,
			   redrive->result == 0 ? "redriven" : "failed");
	if (redrive->result == 0) {
		buf_printf(out, ",\"saga_id\":\"%s\",\"duplicate\":%s}", redrive->saga_id,
				   redrive->duplicate ? "true" : "false");
		return;
	}
	buf_printf(out, ",\"reason\":\"%s\",\"detail\":",
			   redrive->reason ? redrive->reason : err_code_text(redrive->err.code));
	problem_write_text(redrive->err.text, out);
	buf_add_char(out, '}');
}

static struct triggers *triggers_of(struct exchange *ex)
{
	struct triggers *triggers = hub_triggers(ex->node->kafka);

	if (!triggers)
		exchange_problem(ex, PROBLEM_NOT_READY, "the triggers have not begun yet");
	return triggers;
}

/* POST /v1/dead-letters/{id}/redrive */

/* What was edited; what was not said stays as it is in the row. */
struct edit {
	struct buf key, value, headers;
	bool has_key, has_value, has_headers, no_key, no_value;
};

static void edit_free(void *state)
{
	struct edit *edit = state;

	buf_release(&edit->key);
	buf_release(&edit->value);
	buf_release(&edit->headers);
	free(edit);
}

static void apply(const struct edit *edit, struct dead_letter_row *row)
{
	if (edit->has_key) {
		row->key = edit->no_key ? NULL : buf_str(&edit->key);
		row->key_len = edit->key.len;
	}
	if (edit->has_value) {
		row->value = edit->no_value ? NULL : buf_str(&edit->value);
		row->value_len = edit->value.len;
	}
	if (edit->has_headers)
		row->headers = buf_str(&edit->headers);
}

static void answer_redrive(struct exchange *ex, const char *id,
						   const struct trigger_redrive *redrive)
{
	if (redrive->result == 0) {
		write_redriven(id, redrive, &ex->out);
		exchange_answer(ex, 200);
	} else if (redrive->reason) {
		exchange_problem(ex, PROBLEM_REDRIVE_FAILED, "%s: %s%s%s", redrive->reason,
						 redrive->err.place, *redrive->err.place ? ": " : "", redrive->err.text);
	} else {
		exchange_problem_err(ex, &redrive->err);
	}
}

static void redrive_one(struct exchange *ex, struct store_reader *reader)
{
	struct triggers *triggers = triggers_of(ex);
	struct dead_letter_row row = {0}, edited;
	struct trigger_redrive redrive;
	struct err err;

	if (!triggers)
		return;
	if (reader->store->ops->dead_letter_get(reader, ex->ns, ex->params[0], &row, &err) < 0) {
		read_failed(ex, ex->params[0], &err);
		return;
	}
	edited = row;
	apply(ex->state, &edited);
	redrive_row(ex, triggers, &edited, &redrive);
	answer_redrive(ex, row.id, &redrive);
	dead_letter_row_release(&row);
}

static int read_edit(const json_t *body, struct edit *edit, struct err *err)
{
	const json_t *key = json_object_get(body, "key"), *value = json_object_get(body, "value"),
				 *headers = json_object_get(body, "headers");
	int r = 0;

	edit->has_key = key;
	edit->has_value = value;
	edit->has_headers = headers;
	if (key)
		r = bytes_from_json(key, "key", &edit->key, &edit->no_key, err);
	if (r == 0 && value)
		r = bytes_from_json(value, "value", &edit->value, &edit->no_value, err);
	if (r == 0 && headers)
		r = headers_from_json(headers, &edit->headers, err);
	return r;
}

void api_redrive_dead_letter(struct exchange *ex)
{
	static const struct body_member members[] = {{"key", BODY_ANY, false, 0},
												 {"value", BODY_ANY, false, 0},
												 {"headers", BODY_ANY, false, 0}};
	CLEANUP(json_decref_p) json_t *body = NULL;
	struct edit *edit = xcalloc(1, sizeof(*edit));
	struct err err;

	buf_init(&edit->key, 0);
	buf_init(&edit->value, 0);
	buf_init(&edit->headers, 0);
	ex->state = edit;
	ex->free_state = edit_free;
	if (!id_param(ex) || !exchange_args_done(ex, NULL, 0) ||
		!body_read(ex, members, ARRAY_SIZE(members), true, &body))
		return;
	if (read_edit(body, edit, &err) < 0)
		exchange_problem(ex, PROBLEM_INVALID_BODY, "%s", err.text);
	else
		exchange_read(ex, redrive_one);
}

/* POST /v1/dead-letters/redrive */

struct redrive_batch {
	char *trigger, *reason;
	int limit;
	/* The oldest that were found, newest first, in a ring. */
	char ids[REDRIVE_LIMIT_MAX][UUID_SIZE];
	int64_t found;
	int n_page;
	struct dead_letter_filter filter;
};

static void batch_state_free(void *state)
{
	struct redrive_batch *batch = state;

	free(batch->trigger);
	free(batch->reason);
	free(batch);
}

static int note_id(void *ctx, const struct dead_letter_row *row)
{
	struct redrive_batch *batch = ctx;

	memcpy(batch->ids[batch->found++ % batch->limit], row->id, UUID_SIZE);
	batch->filter.after_failed_at = row->failed_at;
	memcpy(batch->filter.after_id, row->id, UUID_SIZE);
	batch->n_page++;
	return 0;
}

static int find_oldest(struct exchange *ex, struct store_reader *reader,
					   struct redrive_batch *batch, struct err *err)
{
	struct dead_letter_filter *filter = &batch->filter;
	int r = 0;

	*filter = (struct dead_letter_filter){
		.ns = ex->ns,
		.trigger = batch->trigger,
		.reason = batch->reason,
		.status = DEAD_LETTER_WAITING,
		.without_record = true,
		.limit = STORE_PUT_MAX,
	};
	batch->n_page = STORE_PUT_MAX;
	for (int i = 0; r == 0 && i < REDRIVE_PAGES_MAX && batch->n_page == STORE_PUT_MAX; i++) {
		batch->n_page = 0;
		r = reader->store->ops->dead_letter_list(reader, filter, note_id, batch, err);
	}
	return r;
}

static void redrive_id(struct exchange *ex, struct store_reader *reader, struct triggers *triggers,
					   const char *id, struct trigger_redrive *ret_redrive)
{
	struct dead_letter_row row = {0};
	struct err err;

	if (reader->store->ops->dead_letter_get(reader, ex->ns, id, &row, &err) < 0) {
		*ret_redrive = (struct trigger_redrive){.result = err.code, .err = err};
		return;
	}
	redrive_row(ex, triggers, &row, ret_redrive);
	dead_letter_row_release(&row);
}

static void redrive_many(struct exchange *ex, struct store_reader *reader)
{
	struct triggers *triggers = triggers_of(ex);
	struct redrive_batch *batch = ex->state;
	struct trigger_redrive redrive;
	int64_t n, redriven = 0;
	struct err err;

	if (!triggers)
		return;
	if (find_oldest(ex, reader, batch, &err) < 0) {
		exchange_problem_err(ex, &err);
		return;
	}
	n = batch->found < batch->limit ? batch->found : batch->limit;
	buf_add_lit(&ex->out, "{\"effects\":[");
	/* From the oldest on, one after the other: their order is kept. */
	for (int64_t i = 1; i <= n; i++) {
		const char *id = batch->ids[(batch->found - i) % batch->limit];

		redrive_id(ex, reader, triggers, id, &redrive);
		if (i > 1)
			buf_add_char(&ex->out, ',');
		write_redriven(id, &redrive, &ex->out);
		redriven += redrive.result == 0;
	}
	buf_printf(&ex->out, "],\"redriven\":%lld,\"failed\":%lld,\"more\":%s}", (long long)redriven,
			   (long long)(n - redriven), batch->found > n ? "true" : "false");
	exchange_answer(ex, 200);
}

void api_redrive_dead_letters(struct exchange *ex)
{
	static const struct body_member members[] = {
		{"trigger", BODY_STRING, false, STORE_NAME_MAX_BYTES},
		{"reason", BODY_STRING, false, STORE_NAME_MAX_BYTES},
		{"limit", BODY_NUMBER, false, 0},
	};
	CLEANUP(json_decref_p) json_t *body = NULL;
	struct redrive_batch *batch = xcalloc(1, sizeof(*batch));
	json_int_t limit;

	ex->state = batch;
	ex->free_state = batch_state_free;
	if (!exchange_args_done(ex, NULL, 0) ||
		!body_read(ex, members, ARRAY_SIZE(members), true, &body))
		return;
	limit = json_integer_value(json_object_get(body, "limit"));
	batch->trigger = body_member_text(body, "trigger");
	batch->reason = body_member_text(body, "reason");
	batch->limit = limit > 0 && limit < REDRIVE_LIMIT_MAX ? (int)limit : REDRIVE_LIMIT_MAX;
	exchange_read(ex, redrive_many);
}
