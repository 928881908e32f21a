/* Reading sagas back: row, definition, history, fold. Declared in turn.h. */
#include <string.h>

#include "coordinator/turn.h"

enum { HISTORY_PAGE = 1000 };

struct loaded_saga *loaded_saga_new(const char *ns, const char *id)
{
	struct loaded_saga *loaded = xcalloc(1, sizeof(*loaded));

	memcpy(loaded->ns, ns, strnlen(ns, sizeof(loaded->ns) - 1));
	memcpy(loaded->id, id, strnlen(id, sizeof(loaded->id) - 1));
	return loaded;
}

void loaded_saga_free(struct loaded_saga *loaded)
{
	if (!loaded)
		return;
	saga_state_free(loaded->state);
	while (loaded->early) {
		struct mail *mail = loaded->early;

		loaded->early = mail->next;
		delivery_free(CONTAINER_OF(mail, struct delivery, mail));
	}
	attention_ref_release(&loaded->attention);
	free(loaded);
}

struct saga_list *saga_list_new(wall_ms due_before, bool awake_too, int limit)
{
	struct saga_list *list = xcalloc(1, sizeof(*list));

	list->due_before = due_before;
	list->awake_too = awake_too;
	list->limit = limit;
	return list;
}

void saga_list_free(struct saga_list *list)
{
	if (!list)
		return;
	free(list->sagas);
	free(list->ranges);
	free(list);
}

void saga_list_add_range(struct saga_list *list, int first, int last)
{
	list->ranges = xrealloc_array(list->ranges, list->n_ranges + 1, sizeof(*list->ranges));
	list->ranges[list->n_ranges++] = (struct slot_range){first, last};
}

struct call_reply *call_reply_new(const char *saga_id, const struct command *command)
{
	struct call_reply *reply = xcalloc(1, sizeof(*reply));

	call_reply_name(reply, saga_id, command);
	return reply;
}

void call_reply_name(struct call_reply *reply, const char *saga_id, const struct command *command)
{
	memcpy(reply->saga_id, saga_id, SAGA_ID_SIZE);
	reply->step = command->step;
	reply->item = command->item;
	reply->kind = command->kind;
	reply->attempt = command->attempt;
	reply->run = command->run;
	reply->retry_after_ms = -1;
}

void call_reply_free(struct call_reply *reply)
{
	if (!reply)
		return;
	jval_unref(reply->body);
	if (reply->release)
		reply->release(reply);
	else
		free(reply);
}

struct fold {
	struct saga_state *state;
	int64_t seq;
	int rows; /* of this page */
	struct err *err;
};

static int fold_row(void *ctx, const struct history_row *row)
{
	struct fold *fold = ctx;
	int r;

	fold->rows++;
	if (row->seq != fold->seq + 1)
		return err_set(fold->err, ERR_INVALID, "history row %lld is missing",
					   (long long)fold->seq + 1);
	r = saga_state_apply_row(fold->state, row->at, row->events, row->events_len, fold->err);
	if (r < 0) {
		err_prefix(fold->err, "history row %lld", (long long)row->seq);
		return r == ERR_NO_MEMORY ? r : ERR_INVALID;
	}
	fold->seq = row->seq;
	return 0;
}

/* first: the row to begin with. */
static int fold_history(struct store_reader *reader, struct saga_state *state, int64_t first,
						int64_t *ret_seq, struct err *err)
{
	const struct store_ops *ops = reader->store->ops;
	struct fold fold = {.state = state, .seq = first - 1, .err = err};
	int r;

	state->rows = first - 1;
	do {
		fold.rows = 0;
		r = ops->history(reader, state->id, fold.seq, HISTORY_PAGE, fold_row, &fold, err);
		if (r < 0)
			return r;
	} while (fold.rows == HISTORY_PAGE);
	if (fold.seq == first - 1)
		return err_set(err, ERR_INVALID, "the history is empty");
	*ret_seq = fold.seq;
	return saga_state_validate(state, err);
}

/* Events that came before the saga waited for them, or that its last owner did not get to see. */
static int load_early(struct store_reader *reader, const struct saga_state *state,
					  struct loaded_saga *loaded)
{
	struct inbox_read *read;
	int r;

	if (saga_status_is_terminal(state->status) || !transition_may_wait(state->def))
		return 0;
	read = inbox_read_new();
	read->early = true;
	memcpy(read->saga_id, loaded->id, sizeof(read->saga_id));
	load_inbox(reader, read);
	r = read->result;
	loaded->err = read->err;
	loaded->early = TAKE(read->deliveries);
	loaded->more_early = read->more;
	inbox_read_free(read);
	return r;
}

static void row_release(struct saga_row *row)
{
	saga_row_release(row);
}

static int load(struct store_reader *reader, definition_source *definition, void *ctx,
				struct loaded_saga *loaded)
{
	CLEANUP(saga_def_unref_p) struct saga_def *def = NULL;
	CLEANUP(saga_state_free_p) struct saga_state *state = NULL;
	CLEANUP(row_release) struct saga_row row = {0};
	int r;

	r = reader->store->ops->saga_get(reader, loaded->ns, loaded->id, &row, &loaded->err);
	if (r < 0)
		return r;
	r = definition(ctx, loaded->ns, row.definition, row.version, &def, &loaded->err);
	if (r < 0) {
		err_prefix(&loaded->err, "definition");
		return r == ERR_NOT_FOUND ? ERR_INVALID : r;
	}
	state = saga_state_new(def, loaded->id);
	r = fold_history(reader, state, row.base_seq > 0 ? row.base_seq : 1, &loaded->seq,
					 &loaded->err);
	if (r < 0)
		return r;
	r = load_early(reader, state, loaded);
	if (r < 0)
		return r;
	loaded->state = TAKE(state);
	loaded->status = row.status;
	loaded->due_at = row.due_at;
	attention_ref_copy(&row.attention, &loaded->attention);
	return 0;
}

void load_saga(struct store_reader *reader, definition_source *definition, void *definition_ctx,
			   struct loaded_saga *loaded)
{
	loaded->result = load(reader, definition, definition_ctx, loaded);
}

static int add_listed(void *ctx, const struct saga_row *row)
{
	struct saga_list *list = ctx;
	struct listed_saga *listed;

	if (list->n == list->cap) {
		list->cap = list->cap ? list->cap * 2 : 64;
		list->sagas = xrealloc_array(list->sagas, list->cap, sizeof(*list->sagas));
	}
	listed = &list->sagas[list->n++];
	memset(listed, 0, sizeof(*listed));
	memcpy(listed->ns, row->ns, strnlen(row->ns, sizeof(listed->ns) - 1));
	memcpy(listed->id, row->id, sizeof(listed->id));
	return 0;
}

/* Slots that were taken over lie scattered: one question for all of them. */
static void list_slots(struct store_reader *reader, struct saga_list *list)
{
	CLEANUP(free_p) int *slots = xcalloc(SLOTS_MAX, sizeof(*slots));
	size_t n = 0;

	for (size_t i = 0; i < list->n_ranges; i++)
		for (int slot = list->ranges[i].first; slot <= list->ranges[i].last; slot++) {
			CHECK(n < SLOTS_MAX);
			slots[n++] = slot;
		}
	list->result =
		reader->store->ops->load_due_slots(reader, slots, n, list->due_before, list->awake_too,
										   list->limit, add_listed, list, &list->err);
}

void load_list(struct store_reader *reader, struct saga_list *list)
{
	const struct store_ops *ops = reader->store->ops;

	list->result = 0;
	if (list->n_ranges > 1 && ops->load_due_slots) {
		list_slots(reader, list);
		return;
	}
	for (size_t i = 0; i < list->n_ranges && list->result == 0; i++) {
		int left = list->limit - (int)list->n;

		if (left <= 0)
			break;
		list->result =
			ops->load_due(reader, list->ranges[i].first, list->ranges[i].last, list->due_before,
						  list->awake_too, left, add_listed, list, &list->err);
	}
}
