/*
 * What operators read: counters, which the statement of a batch keeps, and what persons said about
 * groups of sagas that concern them. (Batches of acts are in store_postgres_batches.c.)
 */
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "connectors/store_postgres_priv.h"
#include "sagas/base/macros.h"

enum { RETAIN_MINUTES = 5000, RETAIN_ITEMS = 5000 };

int pg__definition_counts(struct store_reader *reader, const char *ns, const char *definition,
						  int (*row)(void *ctx, const struct definition_count_row *row), void *ctx,
						  struct err *err)
{
	CLEANUP(PQclear_p) PGresult *result = NULL;
	struct pg_args args = {0};
	int r;

	pg__arg_text(&args, ns);
	pg__arg_text(&args, definition);
	r = pg__ask(pg__reader_conn(reader), PG_DEFINITION_COUNTS, &args, &result, err);
	for (int i = 0; r == 0 && i < PQntuples(result); i++) {
		struct definition_count_row count = {
			.definition = pg__text(result, i, 0),
			.version = pg__int(result, i, 1),
			.n = pg__int(result, i, 3),
		};
		int status = saga_status_parse(PQgetvalue(result, i, 2));

		if (status < 0) /* of a newer program */
			continue;
		count.status = (enum saga_status)status;
		r = row(ctx, &count);
	}
	return r;
}

static void add_rate(struct rate_row *rate, const char *what, int64_t n)
{
	static const struct {
		const char *what;
		size_t offset;
	} columns[] = {
		{"started", offsetof(struct rate_row, started)},
		{"completed", offsetof(struct rate_row, completed)},
		{"compensated", offsetof(struct rate_row, compensated)},
		{"failed", offsetof(struct rate_row, failed)},
		{"terminated", offsetof(struct rate_row, terminated)},
		{"attention", offsetof(struct rate_row, attention)},
	};

	for (size_t i = 0; i < ARRAY_SIZE(columns); i++)
		if (strcmp(columns[i].what, what) == 0)
			memcpy((char *)rate + columns[i].offset, &n, sizeof(n));
}

int pg__rates(struct store_reader *reader, const char *ns, wall_ms from, wall_ms until,
			  int (*row)(void *ctx, const struct rate_row *row), void *ctx, struct err *err)
{
	CLEANUP(PQclear_p) PGresult *result = NULL;
	struct pg_args args = {0};
	struct rate_row rate;
	int r, i = 0;

	pg__arg_text(&args, ns);
	pg__arg_int(&args, from);
	pg__arg_int(&args, until);
	r = pg__ask(pg__reader_conn(reader), PG_RATES, &args, &result, err);
	while (r == 0 && i < PQntuples(result)) { /* a row for each thing that happened in a minute */
		rate = (struct rate_row){.at = pg__int(result, i, 0)};
		for (; i < PQntuples(result) && pg__int(result, i, 0) == rate.at; i++)
			add_rate(&rate, PQgetvalue(result, i, 1), pg__int(result, i, 2));
		r = row(ctx, &rate);
	}
	return r;
}

static const char *or_empty(const char *text)
{
	return text ? text : "";
}

static struct attention_group_row read_group(const PGresult *result, int row)
{
	struct attention_group_row group = {
		.ns = pg__text(result, row, 0),
		.id = pg__text(result, row, 1),
		.definition = or_empty(pg__text(result, row, 2)),
		.kind = or_empty(pg__text(result, row, 3)),
		.step = pg__text(result, row, 4),
		.side = pg__text(result, row, 5),
		.code = pg__text(result, row, 6),
		.message = or_empty(pg__text(result, row, 7)),
		.n = pg__int(result, row, 9),
		.first_seen_at = pg__int(result, row, 10),
		.last_seen_at = pg__int(result, row, 11),
		.acknowledged_by = pg__text(result, row, 12),
		.acknowledged_at = pg__int(result, row, 13),
		.note = pg__text(result, row, 14),
		.owner = pg__text(result, row, 15),
		.notified_at = pg__int(result, row, 16),
		.notified_n = pg__int(result, row, 17),
		.revision = pg__int(result, row, 18),
	};

	PG_COPY(result, row, 8, group.sample);
	return group;
}

static int ask_groups(struct store_reader *reader, enum pg_statement which,
					  const struct pg_args *args,
					  int (*row)(void *ctx, const struct attention_group_row *row), void *ctx,
					  struct err *err)
{
	CLEANUP(PQclear_p) PGresult *result = NULL;
	int r = pg__ask(pg__reader_conn(reader), which, args, &result, err);

	for (int i = 0; r == 0 && i < PQntuples(result); i++) {
		const struct attention_group_row group = read_group(result, i);

		r = row(ctx, &group);
	}
	return r;
}

int pg__attention_told(struct store_reader *reader,
					   int (*row)(void *ctx, const struct attention_group_row *row), void *ctx,
					   struct err *err)
{
	return ask_groups(reader, PG_ATTENTION_TOLD, &(struct pg_args){0}, row, ctx, err);
}

int pg__attention_list(struct store_reader *reader, const char *ns, int limit,
					   int (*row)(void *ctx, const struct attention_group_row *row), void *ctx,
					   struct err *err)
{
	struct pg_args args = {0};

	if (limit < 1 || limit > ATTENTION_LIST_MAX)
		return err_set(err, ERR_INVALID, "a list of groups has 1 to %d", ATTENTION_LIST_MAX);
	pg__arg_text(&args, ns);
	pg__arg_int(&args, limit);
	return ask_groups(reader, PG_ATTENTION_LIST, &args, row, ctx, err);
}

int pg__attention_get(struct store_reader *reader, const char *ns, const char *id,
					  struct attention_group_row *ret_row, struct err *err)
{
	CLEANUP(PQclear_p) PGresult *result = NULL;
	struct attention_group_row group;
	struct pg_args args = {0};
	int r;

	pg__arg_text(&args, ns);
	pg__arg_text(&args, id);
	r = pg__ask(pg__reader_conn(reader), PG_ATTENTION_GET, &args, &result, err);
	if (r < 0)
		return r;
	if (PQntuples(result) == 0)
		return err_set(err, ERR_NOT_FOUND, "there is no group %.40s", id);
	group = read_group(result, 0);
	attention_group_row_copy(&group, ret_row);
	return 0;
}

int pg__attention_put(struct store *store, struct attention_group_row *row, struct err *err)
{
	struct pg_args args = {0};

	pg__arg_text(&args, row->ns);
	pg__arg_text(&args, row->id);
	pg__arg_text(&args, row->acknowledged_by);
	pg__arg_time(&args, row->acknowledged_at);
	pg__arg_text(&args, row->note);
	pg__arg_text(&args, row->owner);
	pg__arg_time(&args, row->notified_at);
	pg__arg_int(&args, row->notified_n);
	pg__arg_int(&args, row->revision);
	return pg__put_revised(pg__from(store), PG_ATTENTION_PUT, &args, "group", row->id,
						   &row->revision, err);
}

/* The oldest batch that ended before that time, and its items, in parts: a hundred thousand at once
 * would keep the writer from all else. *ret_n: items that were removed. */
static int retain_batch(struct store_postgres *s, wall_ms before, int *ret_n, bool *ret_gone,
						struct err *err)
{
	CLEANUP(PQclear_p) PGresult *result = NULL;
	struct pg_args args = {0};
	int r;

	pg__arg_int(&args, before);
	pg__arg_int(&args, RETAIN_ITEMS);
	r = pg__write(s, PG_BATCHES_RETAIN, &args, &result, "cannot remove old batches", err);
	if (r < 0)
		return r;
	*ret_n = (int)pg__int(result, 0, 0);
	*ret_gone = pg__int(result, 0, 1) > 0;
	return 0;
}

int pg__operators_retain(struct store_postgres *s, wall_ms before, int limit, struct err *err)
{
	struct pg_args groups = {0}, minutes = {0};
	bool gone = true;
	int r, n = 0, n_items = 0;

	pg__arg_int(&groups, before);
	pg__arg_int(&groups, limit);
	pg__arg_int(&minutes, RATE_KEEP_DAYS * 24 * 60 * 60 * 1000LL);
	pg__arg_int(&minutes, RETAIN_MINUTES);
	r = pg__write(s, PG_ATTENTION_RETAIN, &groups, NULL, "cannot remove old groups", err);
	if (r == 0)
		r = pg__write(s, PG_SAID_RETAIN, &groups, NULL, "cannot remove old groups", err);
	if (r == 0)
		r = pg__write(s, PG_COUNTS_RETAIN, NULL, NULL, "cannot remove empty counters", err);
	if (r == 0)
		r = pg__write(s, PG_RATES_RETAIN, &minutes, NULL, "cannot remove old minutes", err);
	for (int i = 0; r == 0 && gone && i < limit && n_items < RETAIN_ITEMS; i++, n_items += n)
		r = retain_batch(s, before, &n, &gone, err);
	return r;
}
