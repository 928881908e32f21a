/*
 * /v1/idempotency/{definition}/{key}: what the store knows of a key, which is what counts, and the
 * pointer in Redis beside it, if there is one. Both run on the read pool; a look at Redis lasts no
 * longer than a start would wait for it.
 */
#include <stdio.h>
#include <string.h>

#include "coordinator/json_row.h"
#include "coordinator/routes.h"
#include "coordinator/server_priv.h"
#include "sagas/json_text.h"

static void write_member(struct buf *out, const char *name, const char *text)
{
	buf_printf(out, "\"%s\":", name);
	json_write_string(text, strlen(text), out);
	buf_add_char(out, ',');
}

static struct idempotency_lookup lookup_of(const struct exchange *ex)
{
	return (struct idempotency_lookup){
		.ns = ex->ns, .definition = ex->params[0], .key = ex->params[1]};
}

/* What Redis holds, beside what the store says. */
static void write_pointer(struct exchange *ex, const char *id, const char *fingerprint)
{
	struct idempotency *idempotency = ex->server->idempotency;
	struct idempotency_lookup lookup = lookup_of(ex);
	struct buf *out = &ex->out;
	struct err err;
	bool same;
	int r;

	buf_add_lit(out, "\"pointer\":{");
	if (!idempotency->ops->peek) {
		buf_add_lit(out, "\"state\":\"off\"}");
		return;
	}
	r = idempotency->ops->peek(idempotency, &lookup, &err);
	if (r < 0) {
		buf_printf(out, "\"state\":\"%s\"}", r == ERR_NOT_FOUND ? "none" : "unavailable");
		return;
	}
	same = strcmp(lookup.id, id) == 0 && strcmp(lookup.fingerprint, fingerprint) == 0;
	write_member(out, "state", same ? "agrees" : "stale");
	write_member(out, "saga_id", lookup.id);
	write_member(out, "fingerprint", lookup.fingerprint);
	if (lookup.expires_in_ms >= 0)
		buf_printf(out, "\"expires_in_ms\":%lld}", (long long)lookup.expires_in_ms);
	else
		buf_add_lit(out, "\"expires_in_ms\":null}");
}

/* The store knows no such key; a pointer to nowhere is told all the same. */
static void answer_unknown(struct exchange *ex)
{
	struct idempotency *idempotency = ex->server->idempotency;
	struct idempotency_lookup lookup = lookup_of(ex);
	char also[128] = "";
	struct err err;

	if (idempotency->ops->peek && idempotency->ops->peek(idempotency, &lookup, &err) == 0)
		snprintf(also, sizeof(also), "; Redis holds a stale pointer to saga %s", lookup.id);
	exchange_problem(ex, PROBLEM_KEY_NOT_FOUND,
					 "no saga of definition %.100s has this key in namespace %s%s", ex->params[0],
					 ex->ns, also);
}

/* Thread: read pool. */
static void read_key(struct exchange *ex, struct store_reader *reader)
{
	const struct store_ops *ops = reader->store->ops;
	char id[SAGA_ID_SIZE], fingerprint[SHA256_HEX_SIZE];
	struct saga_row row;
	struct err err;
	int r;

	r = ops->find_key(reader, ex->ns, ex->params[0], ex->params[1], id, fingerprint, &err);
	if (r == 0)
		r = ops->saga_get(reader, ex->ns, id, &row, &err);
	if (r == ERR_NOT_FOUND) {
		answer_unknown(ex);
		return;
	}
	if (r < 0) {
		exchange_problem_err(ex, &err);
		return;
	}
	buf_add_char(&ex->out, '{');
	write_member(&ex->out, "namespace", ex->ns);
	write_member(&ex->out, "definition", ex->params[0]);
	write_member(&ex->out, "key", ex->params[1]);
	write_member(&ex->out, "fingerprint", fingerprint);
	buf_add_lit(&ex->out, "\"saga\":");
	json_row_saga(&row, &ex->out);
	buf_add_char(&ex->out, ',');
	write_pointer(ex, id, fingerprint);
	buf_add_char(&ex->out, '}');
	saga_row_release(&row);
	exchange_answer(ex, 200);
}

void api_get_key(struct exchange *ex)
{
	if (exchange_args_done(ex, NULL, 0))
		exchange_read(ex, read_key);
}

/* Thread: read pool. */
static void forget(struct exchange *ex, struct store_reader *reader)
{
	struct idempotency *idempotency = ex->server->idempotency;
	const char *detail = "the pointer is removed from Redis; the store still knows the key";
	struct err err;
	int r = 0;

	(void)reader;
	if (!idempotency->ops->forget) {
		r = ERR_NOT_FOUND;
		detail = "this server keeps no pointers in Redis; the store alone knows keys";
	} else {
		r = idempotency->ops->forget(idempotency, ex->ns, ex->params[0], ex->params[1], &err);
		if (r == ERR_NOT_FOUND)
			detail = "Redis holds no pointer for this key";
		else if (r < 0) {
			exchange_problem_err(ex, &err);
			return;
		}
	}
	buf_printf(&ex->out, "{\"removed\":%s,\"detail\":\"%s\"}", r == 0 ? "true" : "false", detail);
	exchange_answer(ex, 200);
}

/* The key itself cannot be freed: the store knows it for as long as it has the saga. */
void api_forget_key(struct exchange *ex)
{
	if (exchange_args_done(ex, NULL, 0))
		exchange_read(ex, forget);
}
