/*
 * What the writer does beside the transitions of sagas: new definitions, and retention.
 */
#include <stdio.h>
#include <stdlib.h>

#include "connectors/store_postgres_priv.h"
#include "sagas/base/macros.h"

int pg__write(struct store_postgres *s, enum pg_statement which, const struct pg_args *args,
			  PGresult **ret_result, const char *what, struct err *err)
{
	char name[PG_NAME_SIZE];
	struct pg_failure failure;
	int r;

	if (s->lost.name[0]) /* or it would be forgotten which */
		return err_set(err, ERR_UNAVAILABLE, "the last commit is not settled yet");
	for (int try = 1;; try++) {
		pg__notice_hangup(&s->writer);
		r = pg__connect(&s->writer, err);
		if (r < 0)
			return r;
		memcpy(name, s->writer.name, sizeof(name));
		if (pg__run(&s->writer, which, args, ret_result, &failure) == 0)
			return 0;
		if (try == PG_TRIES || (failure.fault != PG_FAULT_AGAIN && !failure.stale))
			break;
	}
	if (failure.fault == PG_FAULT_LOST)
		pg__note_lost(s, name, NULL, 0);
	return pg__fail(&failure, what, err);
}

int pg__put_revised(struct store_postgres *s, enum pg_statement which, const struct pg_args *args,
					const char *what, const char *name, int64_t *revision, struct err *err)
{
	CLEANUP(PQclear_p) PGresult *result = NULL;
	char doing[60];
	int r;

	snprintf(doing, sizeof(doing), "cannot write what is said of a %s", what);
	r = pg__write(s, which, args, &result, doing, err);
	if (r < 0)
		return r;
	if (PQntuples(result) == 0)
		return err_set(err, ERR_CONFLICT, "%s %s was changed by somebody else just now", what,
					   name);
	*revision = pg__int(result, 0, 0);
	return 0;
}

int pg__definition_put(struct store *store, struct definition_row *row, struct err *err)
{
	struct store_postgres *s = pg__from(store);
	CLEANUP(free_p) char *doc = xstrndup(row->doc, row->doc_len);
	CLEANUP(free_p) char *source = xstrndup(row->source, row->source_len);
	struct pg_args args = {0};

	pg__arg_text(&args, row->ns);
	pg__arg_text(&args, row->name);
	pg__arg_text(&args, row->hash);
	pg__arg_int(&args, row->deployed_at);
	pg__arg_text(&args, doc);
	pg__arg_text(&args, source);
	if (row->canary)
		pg__arg_int(&args, row->percent);
	else
		pg__arg_text(&args, NULL);
	/* Another node may take the same number at the same time: then the next one is free. */
	for (int try = 0; try < PG_TRIES; try++) {
		CLEANUP(PQclear_p) PGresult *result = NULL;
		int r = pg__write(s, PG_DEF_PUT, &args, &result, "cannot write a definition", err);

		if (r < 0)
			return r;
		if (PQntuples(result) > 0) {
			row->version = pg__int(result, 0, 0);
			row->existed = pg__int(result, 0, 1) != 0;
			return 0;
		}
	}
	return err_set(err, ERR_UNAVAILABLE, "other nodes deploy definition %s just now", row->name);
}

/* Goes to the next namespace that has sagas; retain_ns is NULL at the end. */
static int next_namespace(struct store_postgres *s, struct err *err)
{
	CLEANUP(PQclear_p) PGresult *result = NULL;
	struct pg_args args = {0};
	int r;

	pg__arg_text(&args, s->retain_ns ? s->retain_ns : "");
	r = pg__ask(&s->writer, PG_RETAIN_NAMESPACE, &args, &result, err);
	if (r < 0)
		return r;
	free(s->retain_ns);
	s->retain_ns = PQgetisnull(result, 0, 0) ? NULL : xstrdup(PQgetvalue(result, 0, 0));
	s->retain_id[0] = '\0';
	return 0;
}

static int delete_found(struct store_postgres *s, const PGresult *found, struct err *err)
{
	static const enum pg_type types[] = {PG_INT4, PG_UUID, PG_INT4, PG_TEXT, PG_TEXT};
	struct pg_args args = {0};
	struct pg_uuid id;
	int slot;

	for (size_t i = 0; i < ARRAY_SIZE(types); i++)
		pg__array_reset(&s->arrays[i], types[i]);
	for (int row = 1; row < PQntuples(found); row++) {
		const char *definition = PQgetvalue(found, row, 2), *key = pg__text(found, row, 3);

		if (!pg__uuid_parse(PQgetvalue(found, row, 1), &id))
			return err_set(err, ERR_INTERNAL, "a saga has no id");
		pg__add_int4(&s->arrays[0], (int32_t)pg__int(found, row, 0));
		pg__add_uuid(&s->arrays[1], &id);
		pg__add_int4(&s->arrays[2],
					 key ? saga_slot(s->retain_ns, definition, key, s->slot_count) : -1);
		pg__add_str(&s->arrays[3], definition);
		pg__add_str(&s->arrays[4], key);
	}
	for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
		pg__array_finish(&s->arrays[i]);
		pg__arg_array(&args, &s->arrays[i]);
	}
	pg__arg_text(&args, s->retain_ns);
	slot = s->single_slot_batches ? -1 : pg__first_slot(s);
	pg__arg_int(&args, slot >= 0 ? slot : pg__int(found, 1, 0));
	return pg__write(s, PG_RETAIN_DELETE, &args, NULL, "cannot remove old sagas", err);
}

/*
 * One turn: at most max sagas of one namespace, in one transaction. The server looks at all that it
 * may before it answers, so it may look at few where the last turn has found enough.
 */
static int retain_some(struct store_postgres *s, wall_ms before, int max, int *looks, int *ret_n,
					   bool *ret_end, struct err *err)
{
	static const unsigned char zeros[8] = {0};
	CLEANUP(PQclear_p) PGresult *found = NULL;
	struct pg_args args = {0};
	char first_id[SAGA_ID_SIZE], end_id[SAGA_ID_SIZE];
	int r, n, seen, may_see = *looks;

	if (s->retain_dense && may_see > 4 * max)
		may_see = 4 * max;
	saga_id_make(0, 0, zeros, first_id);
	/* What ended before that time began before it too, and ids begin with the time. */
	saga_id_make(before, 0, zeros, end_id);
	pg__arg_text(&args, s->retain_ns);
	pg__arg_text(&args, s->retain_id[0] ? s->retain_id : first_id);
	pg__arg_text(&args, end_id);
	pg__arg_int(&args, before);
	pg__arg_int(&args, max);
	pg__arg_int(&args, may_see);
	r = pg__write(s, PG_RETAIN_FIND, &args, &found, "cannot look for old sagas", err);
	if (r < 0)
		return r;
	n = PQntuples(found) - 1;
	if (n > 0)
		r = delete_found(s, found, err);
	/* Where it goes on: after the last that goes, when there may be more of them. */
	if (n == max)
		PG_COPY(found, n, 1, s->retain_id);
	else if (!PQgetisnull(found, 0, 1))
		PG_COPY(found, 0, 1, s->retain_id);
	seen = (int)pg__int(found, 0, 0);
	s->retain_dense = n == max;
	*looks -= seen;
	*ret_end = n < max && seen < may_see;
	*ret_n = n;
	return r;
}

static int retain(struct store_postgres *s, wall_ms before, int limit, int *looks, int *ret_n,
				  struct err *err)
{
	int r = s->retain_ns ? 0 : next_namespace(s, err), some = 0;
	bool end = false;

	while (r == 0 && s->retain_ns && *looks > 0 && *ret_n < limit) {
		r = retain_some(s, before, limit - *ret_n, looks, &some, &end, err);
		if (r < 0)
			return r;
		*ret_n += some;
		if (end)
			r = next_namespace(s, err);
	}
	return r;
}

int pg__retain(struct store *store, wall_ms before, int limit, int *ret_n, struct err *err)
{
	struct store_postgres *s = pg__from(store);
	int n = 0, looks = STORE_RETAIN_LOOKS, r;

	if (limit < 1 || limit > PG_MAX_RETAIN)
		return err_set(err, ERR_INVALID, "retention removes 1 to %d sagas at a time",
					   PG_MAX_RETAIN);
	r = retain(s, before, limit, &looks, &n, err);
	if (r < 0) { /* what was passed over is still there */
		free(TAKE(s->retain_ns));
		s->retain_id[0] = '\0';
		return r;
	}
	r = pg__dead_letters_retain(s, before, limit, err);
	if (r == 0 && n < limit && looks > 0) /* not in each of many calls in a row */
		r = pg__operators_retain(s, before, limit, err);
	if (r == 0 && n < limit && looks > 0)
		r = pg__lock_keys_retain(s, before, limit, err);
	if (r < 0)
		return r;
	*ret_n = n;
	return n < limit && looks == 0;
}
