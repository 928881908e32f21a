/*
 * What a transaction of the writer counts: sagas by version and status, what began and ended in
 * which minute, and who came into which group of attention and left it. It is summed up while the
 * items are judged, and written when all have been, each counter once.
 *
 * Most batches know a few versions and one minute, and no group: the entries of versions are kept
 * from one transaction to the next, so that counting allocates nothing.
 */
#include <stdio.h>
#include <stdlib.h>

#include "connectors/store_sqlite_priv.h"
#include "sagas/base/macros.h"

enum { MINUTE_MS = 60 * 1000, COUNTS_KEPT = 64 };

static void clear_counts(struct store_sqlite_tally *tally)
{
	for (size_t i = 0; i < tally->n_counts; i++)
		free(tally->counts[i].definition);
	tally->n_counts = 0;
}

void store_sqlite__tally_reset(struct store_sqlite_tally *tally)
{
	if (tally->n_counts > COUNTS_KEPT)
		clear_counts(tally);
	for (size_t i = 0; i < tally->n_counts; i++) {
		struct store_sqlite_count *count = &tally->counts[i];

		if (count->touched)
			memset(count->add, 0, sizeof(count->add));
		count->touched = false;
	}
	for (size_t i = 0; i < tally->n_groups; i++)
		free(tally->groups[i].definition);
	tally->n_rates = tally->n_groups = 0;
}

void store_sqlite__tally_release(struct store_sqlite_tally *tally)
{
	store_sqlite__tally_reset(tally);
	clear_counts(tally);
	free(tally->counts);
	free(tally->rates);
	free(tally->groups);
	*tally = (struct store_sqlite_tally){0};
}

/* Makes room for one more. */
#define GROW(list, n, cap)                                                                         \
	do {                                                                                           \
		if ((n) == (cap)) {                                                                        \
			(cap) = (cap) ? (cap)*2 : 8;                                                           \
			(list) = xrealloc_array((list), (cap), sizeof(*(list)));                               \
		}                                                                                          \
	} while (0)

size_t store_sqlite__tally_version(struct store_sqlite_tally *tally, const char *ns,
								   const char *definition, int64_t version)
{
	struct store_sqlite_count *count;
	size_t i;

	for (i = 0; i < tally->n_counts; i++) {
		count = &tally->counts[i];
		if (count->version == version && strcmp(count->definition, definition) == 0 &&
			strcmp(count->ns, ns) == 0)
			return i;
	}
	GROW(tally->counts, tally->n_counts, tally->cap_counts);
	count = &tally->counts[tally->n_counts++];
	*count = (struct store_sqlite_count){.definition = xstrdup(definition), .version = version};
	snprintf(count->ns, sizeof(count->ns), "%s", ns);
	return i;
}

static void count(struct store_sqlite_tally *tally, size_t version, enum saga_status status,
				  int add)
{
	tally->counts[version].touched = true;
	tally->counts[version].add[status] += add;
}

static struct rate_row *find_rate(struct store_sqlite_tally *tally, const char *ns, wall_ms at)
{
	struct store_sqlite_rate *rate;
	size_t i = tally->n_rates;

	at -= at % MINUTE_MS;
	for (; i > 0; i--) {
		rate = &tally->rates[i - 1];
		if (rate->row.at == at && strcmp(rate->ns, ns) == 0)
			return &rate->row;
	}
	GROW(tally->rates, tally->n_rates, tally->cap_rates);
	rate = &tally->rates[tally->n_rates++];
	*rate = (struct store_sqlite_rate){.row.at = at};
	snprintf(rate->ns, sizeof(rate->ns), "%s", ns);
	return &rate->row;
}

static void count_end(struct rate_row *rate, enum saga_status status)
{
	rate->completed += status == SAGA_COMPLETED;
	rate->compensated += status == SAGA_COMPENSATED;
	rate->failed += status == SAGA_FAILED;
	rate->terminated += status == SAGA_TERMINATED;
}

static struct store_sqlite_group *find_group(struct store_sqlite_tally *tally, const char *ns,
											 const char *id)
{
	struct store_sqlite_group *group;

	for (size_t i = tally->n_groups; i > 0; i--) {
		group = &tally->groups[i - 1];
		if (strcmp(group->id, id) == 0 && strcmp(group->ns, ns) == 0)
			return group;
	}
	GROW(tally->groups, tally->n_groups, tally->cap_groups);
	group = &tally->groups[tally->n_groups++];
	*group = (struct store_sqlite_group){0};
	snprintf(group->ns, sizeof(group->ns), "%s", ns);
	snprintf(group->id, sizeof(group->id), "%s", id);
	return group;
}

static void join_group(struct store_sqlite_tally *tally, const struct store_item *item,
					   const struct saga_row *row, const char *definition)
{
	struct store_sqlite_group *group = find_group(tally, row->ns, row->attention.group);
	wall_ms at = row->attention_at ? row->attention_at : item->at;

	group->joined++;
	if (!group->definition)
		group->definition = xstrdup(definition);
	group->ref = &row->attention;
	memcpy(group->sample, item->saga_id, sizeof(group->sample));
	if (!group->first_at || at < group->first_at)
		group->first_at = at;
	if (at > group->last_at)
		group->last_at = at;
}

/* A person may take a saga to another version. */
static size_t version_after(struct store_sqlite_tally *tally, const struct store_item *item,
							const struct saga_row *row, const struct store_sqlite_before *before)
{
	if (!before)
		return store_sqlite__tally_version(tally, row->ns, row->definition, row->version);
	if (!item->rebase)
		return before->count;
	return store_sqlite__tally_version(tally, row->ns, tally->counts[before->count].definition,
									   row->version);
}

void store_sqlite__tally_item(struct store_sqlite_tally *tally, const struct store_item *item,
							  const struct store_sqlite_before *before)
{
	const struct saga_row *row = item->create ? item->create : item->update;
	const char *was = before ? before->group : "", *is = row->attention.group;
	size_t version = version_after(tally, item, row, before);

	if (!before || before->status != row->status || before->count != version) {
		if (before)
			count(tally, before->count, before->status, -1);
		count(tally, version, row->status, 1);
	}
	if (!before)
		find_rate(tally, row->ns, item->at)->started++;
	if (saga_status_is_terminal(row->status) &&
		!(before && saga_status_is_terminal(before->status)))
		count_end(find_rate(tally, row->ns, item->at), row->status);
	if (strcmp(was, is ? is : "") == 0)
		return;
	if (*was)
		find_group(tally, row->ns, was)->left++;
	if (is) {
		find_rate(tally, row->ns, item->at)->attention++;
		join_group(tally, item, row, tally->counts[version].definition);
	}
}

void store_sqlite__tally_gone(struct store_sqlite_tally *tally, const char *ns,
							  const char *definition, int64_t version, enum saga_status status,
							  const char *group)
{
	count(tally, store_sqlite__tally_version(tally, ns, definition, version), status, -1);
	if (*group)
		find_group(tally, ns, group)->left++;
}

static int write_count(const struct store_sqlite_count *counted, sqlite3_stmt *stmt)
{
	int rc = SQLITE_DONE;

	for (int status = 0; status < SAGA_STATUS_COUNT && rc == SQLITE_DONE; status++) {
		if (counted->add[status] == 0)
			continue;
		store_sqlite__bind_text(stmt, 1, counted->ns);
		store_sqlite__bind_text(stmt, 2, counted->definition);
		sqlite3_bind_int64(stmt, 3, counted->version);
		store_sqlite__bind_text(stmt, 4, saga_status_text((enum saga_status)status));
		sqlite3_bind_int64(stmt, 5, counted->add[status]);
		rc = store_sqlite__run(stmt);
	}
	return rc;
}

static int write_rate(const struct store_sqlite_rate *rate, sqlite3_stmt *stmt)
{
	sqlite3_bind_int64(stmt, 1, rate->row.at);
	store_sqlite__bind_text(stmt, 2, rate->ns);
	sqlite3_bind_int64(stmt, 3, rate->row.started);
	sqlite3_bind_int64(stmt, 4, rate->row.completed);
	sqlite3_bind_int64(stmt, 5, rate->row.compensated);
	sqlite3_bind_int64(stmt, 6, rate->row.failed);
	sqlite3_bind_int64(stmt, 7, rate->row.terminated);
	sqlite3_bind_int64(stmt, 8, rate->row.attention);
	return store_sqlite__run(stmt);
}

static int write_join(const struct store_sqlite_group *group, sqlite3_stmt *stmt)
{
	store_sqlite__bind_text(stmt, 1, group->ns);
	store_sqlite__bind_text(stmt, 2, group->id);
	store_sqlite__bind_text(stmt, 3, group->definition);
	store_sqlite__bind_text(stmt, 4, group->ref->kind ? group->ref->kind : "");
	store_sqlite__bind_text(stmt, 5, group->ref->step);
	store_sqlite__bind_text(stmt, 6, group->ref->side);
	store_sqlite__bind_text(stmt, 7, group->ref->code);
	store_sqlite__bind_text(stmt, 8, group->ref->text);
	store_sqlite__bind_text(stmt, 9, group->sample);
	sqlite3_bind_int64(stmt, 10, group->joined - group->left);
	sqlite3_bind_int64(stmt, 11, group->first_at);
	sqlite3_bind_int64(stmt, 12, group->last_at);
	return store_sqlite__run(stmt);
}

static int write_group(const struct store_sqlite_group *group, sqlite3_stmt *const *stmts)
{
	sqlite3_stmt *stmt = stmts[W_GROUP_LEAVE];
	int rc;

	if (group->ref) {
		rc = write_join(group, stmts[W_GROUP_JOIN]);
	} else {
		store_sqlite__bind_text(stmt, 1, group->ns);
		store_sqlite__bind_text(stmt, 2, group->id);
		sqlite3_bind_int64(stmt, 3, group->left);
		rc = store_sqlite__run(stmt);
	}
	if (rc != SQLITE_DONE || group->left == 0)
		return rc;
	stmt = stmts[W_GROUP_SAMPLE]; /* it may be the sample that left */
	store_sqlite__bind_text(stmt, 1, group->ns);
	store_sqlite__bind_text(stmt, 2, group->id);
	return store_sqlite__run(stmt);
}

int store_sqlite__tally_write(const struct store_sqlite_tally *tally, sqlite3_stmt *const *stmts)
{
	int rc = SQLITE_DONE;

	for (size_t i = 0; i < tally->n_counts && rc == SQLITE_DONE; i++)
		if (tally->counts[i].touched)
			rc = write_count(&tally->counts[i], stmts[W_COUNT_ADD]);
	for (size_t i = 0; i < tally->n_rates && rc == SQLITE_DONE; i++)
		rc = write_rate(&tally->rates[i], stmts[W_RATE_ADD]);
	for (size_t i = 0; i < tally->n_groups && rc == SQLITE_DONE; i++)
		rc = write_group(&tally->groups[i], stmts);
	return rc;
}
