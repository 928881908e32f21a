/*
 * The contract of counters: whatever is committed, refused or removed, the counts by status, by
 * version and by group, and the rates, are what a recount of the rows gives.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "sagas/base/macros.h"
#include "tests/sim/rng.h"
#include "tests/support/store_contract.h"
#include "tests/support/store_rows.h"

enum { SAGAS = 90, ROUNDS = 40, BATCH = 12, GROUPS = 4, MINUTES = 200, MINUTE_MS = 60000 };

static const char *const namespaces[] = {"default", "other"};
static const char *const definitions[] = {"order", "payment", "ship"};
static const char *const groups[GROUPS] = {"00000000000000aa", "00000000000000bb",
										   "00000000000000cc", "00000000000000dd"};

/* One saga as it ought to be in the store. */
struct model {
	bool exists;
	struct saga_row row;
	int64_t seq;
	unsigned was_in; /* groups, as bits */
};

struct run {
	struct rng rng;
	struct store *store;
	struct store_reader *reader;
	const struct store_ops *ops;
	struct model sagas[SAGAS];
	struct rate_row rates[ARRAY_SIZE(namespaces)][MINUTES];
	int verdicts[STORE_UNSTORABLE + 1];
	int retained, moved; /* from group to group */
};

static int minute_of(wall_ms at)
{
	return (int)(at / MINUTE_MS - rows_time(0) / MINUTE_MS);
}

static int below(struct run *run, int n)
{
	return (int)rng_below(&run->rng, n);
}

static int ns_of(const struct saga_row *row)
{
	return strcmp(row->ns, namespaces[1]) == 0;
}

static int group_of(const struct saga_row *row)
{
	for (int g = 0; g < GROUPS; g++)
		if (row->attention.group && strcmp(row->attention.group, groups[g]) == 0)
			return g;
	return -1;
}

/* Each group has one kind and step, as the hash that names it says. */
static void set_attention(struct saga_row *row, int group)
{
	static const char *const kinds[GROUPS] = {"stuck", "parked", "notice", "failing"};
	static const char *const steps[GROUPS] = {"charge", "ship", NULL, "charge"};

	row->attention = (struct attention_ref){0};
	row->attention_at = 0;
	if (group < 0)
		return;
	row->attention = (struct attention_ref){
		.text = "look at this",
		.group = groups[group],
		.kind = kinds[group],
		.step = steps[group],
		.side = steps[group] ? "undo" : NULL,
		.code = group == 1 ? NULL : "declined",
	};
	row->attention_at = row->updated_at;
}

/* Anything that a saga may come to; an end concerns nobody more often than not. */
static void change(struct run *run, struct saga_row *row, wall_ms at)
{
	row->status = (enum saga_status)below(run, SAGA_STATUS_COUNT);
	row->updated_at = at;
	row->ended_at = saga_status_is_terminal(row->status) ? at : 0;
	set_attention(row, below(run, row->ended_at ? 12 : 6) - (row->ended_at ? 8 : 2));
	row->owner = below(run, 5) == 0 ? "ann" : NULL;
}

/* What an item will do when it is accepted, and what the store ought to say of it. */
struct intent {
	int n;
	struct saga_row row;
	bool writes; /* the row */
	enum store_verdict verdict;
};

static void count_rates(struct run *run, const struct store_item *item, const struct saga_row *was,
						const struct saga_row *is)
{
	struct rate_row *rate = &run->rates[ns_of(is)][minute_of(item->at)];
	int group = group_of(is);

	/* A minute in which nothing was counted is not there. */
	if (!was || (is->ended_at && !was->ended_at) || (group >= 0 && group_of(was) != group))
		rate->at = item->at - item->at % MINUTE_MS;
	rate->started += !was;
	if (is->ended_at && !(was && was->ended_at)) {
		rate->completed += is->status == SAGA_COMPLETED;
		rate->compensated += is->status == SAGA_COMPENSATED;
		rate->failed += is->status == SAGA_FAILED;
		rate->terminated += is->status == SAGA_TERMINATED;
	}
	rate->attention += group >= 0 && !(was && group_of(was) == group);
	run->moved += was && group >= 0 && group_of(was) >= 0 && group_of(was) != group;
}

static struct store_item begin(struct run *run, int n, struct intent *intent)
{
	struct saga_row *row = &intent->row;
	struct model *saga = &run->sagas[n];

	*row = rows_saga(n);
	row->ns = namespaces[below(run, 4) == 0];
	row->definition = definitions[below(run, ARRAY_SIZE(definitions))];
	row->version = 1 + below(run, 3);
	change(run, row, row->started_at + 1);
	intent->writes = true;
	intent->verdict = saga->exists ? STORE_CONFLICT : STORE_ACCEPTED;
	if (saga->exists) {
		row->ns = saga->row.ns;
		row->key = NULL;
	}
	return rows_create(n, row);
}

/* A new saga under the key of one that is there. */
static struct store_item begin_again(struct run *run, int n, int other, struct intent *intent)
{
	struct store_item item = begin(run, n, intent);

	intent->row.ns = run->sagas[other].row.ns;
	intent->row.definition = run->sagas[other].row.definition;
	intent->row.key = run->sagas[other].row.key;
	intent->verdict = STORE_DUPLICATE;
	item.fingerprint = rows_fingerprint(n);
	return item;
}

static struct store_item go_on(struct run *run, int n, struct intent *intent)
{
	struct model *saga = &run->sagas[n];
	struct store_item item;
	int64_t seq = saga->seq + 1;

	intent->verdict = STORE_ACCEPTED;
	intent->row = saga->row;
	intent->writes = below(run, 5) > 0;
	change(run, &intent->row, rows_time(n) + seq * 20000);
	switch (below(run, 16)) {
	case 0: /* what comes before it is not there */
		seq++;
		intent->verdict = STORE_CONFLICT;
		break;
	case 1: /* somebody else was there first */
		seq -= saga->seq > 1;
		intent->verdict = saga->seq > 1 ? STORE_CONFLICT : STORE_ACCEPTED;
		break;
	case 2: /* a row that no store takes */
		intent->writes = true;
		intent->row.ended_at = intent->row.ended_at ? 0 : intent->row.updated_at;
		intent->verdict = STORE_UNSTORABLE;
		break;
	default:
		break;
	}
	item = rows_next(n, seq, intent->writes ? &intent->row : NULL);
	item.at = rows_time(n) + seq * 20000;
	return item;
}

static void take_in(struct run *run, const struct store_item *item, const struct intent *intent)
{
	struct model *saga = &run->sagas[intent->n];
	int group = intent->writes ? group_of(&intent->row) : -1;

	run->verdicts[item->verdict]++;
	ck_assert_msg(item->verdict == intent->verdict, "saga %d seq %lld: %d, not %d", intent->n,
				  (long long)item->seq, (int)item->verdict, (int)intent->verdict);
	if (item->verdict != STORE_ACCEPTED)
		return;
	if (intent->writes)
		count_rates(run, item, saga->exists ? &saga->row : NULL, &intent->row);
	if (intent->writes)
		saga->row = intent->row;
	saga->exists = true;
	saga->seq = item->seq;
	if (group >= 0)
		saga->was_in |= 1U << group;
}

/* Some sagas, each once, in one batch. */
static void commit_some(struct run *run)
{
	struct store_item items[BATCH];
	struct intent intents[BATCH];
	bool used[SAGAS] = {false};
	struct err err = {0};
	int n = 0;

	for (int i = 0; i < BATCH; i++) {
		int saga = below(run, SAGAS), other = below(run, SAGAS);
		struct intent *intent = &intents[n];

		if (used[saga])
			continue;
		*intent = (struct intent){.n = saga};
		if (run->sagas[saga].exists && below(run, 8) > 0)
			items[n] = go_on(run, saga, intent);
		else if (!run->sagas[saga].exists && run->sagas[other].exists && below(run, 4) == 0)
			items[n] = begin_again(run, saga, other, intent);
		else
			items[n] = begin(run, saga, intent);
		used[saga] = true;
		n++;
	}
	ck_assert_msg(run->ops->commit(run->store, items, (size_t)n, &err) == 0, "%s", err.text);
	for (int i = 0; i < n; i++)
		take_in(run, &items[i], &intents[i]);
}

static void retain_some(struct run *run)
{
	wall_ms before = rows_time(below(run, SAGAS));
	int n = 0, expected = 0;
	struct err err = {0};

	for (int i = 0; i < SAGAS; i++) {
		struct model *saga = &run->sagas[i];

		if (!saga->exists || !saga->row.ended_at || saga->row.ended_at >= before)
			continue;
		*saga = (struct model){.was_in = saga->was_in};
		expected++;
	}
	ck_assert_msg(run->ops->retain(run->store, before, SAGAS, &n, &err) >= 0, "%s", err.text);
	ck_assert_int_eq(n, expected);
	run->retained += n;
}

struct recount {
	struct run *run;
	const char *ns;
	int64_t statuses[SAGA_STATUS_COUNT];
	int64_t versions[ARRAY_SIZE(definitions)][4][SAGA_STATUS_COUNT];
	int64_t groups[GROUPS];
	int64_t last_n; /* the order of the list of groups */
	int rows;
};

static size_t definition_of(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(definitions); i++)
		if (strcmp(name, definitions[i]) == 0)
			return i;
	ck_abort_msg("an unknown definition %s", name);
	return 0;
}

static int see_saga(void *ctx, const struct saga_row *row)
{
	struct recount *recount = ctx;
	int group = group_of(row);

	ck_assert_str_eq(row->ns, recount->ns);
	recount->statuses[row->status]++;
	recount->versions[definition_of(row->definition)][row->version][row->status]++;
	if (group >= 0)
		recount->groups[group]++;
	recount->rows++;
	return 0;
}

static int see_count(void *ctx, const struct definition_count_row *row)
{
	struct recount *recount = ctx;

	ck_assert_int_gt(row->n, 0);
	recount->versions[definition_of(row->definition)][row->version][row->status] -= row->n;
	return 0;
}

static int see_group(void *ctx, const struct attention_group_row *row)
{
	struct recount *recount = ctx;
	const struct saga_row as_row = {.attention.group = row->id};
	struct saga_row meant = {0};
	int group = group_of(&as_row);
	bool sampled = false;

	ck_assert_int_ge(group, 0);
	set_attention(&meant, group);
	ck_assert_str_eq(row->ns, recount->ns);
	ck_assert_str_eq(row->kind, meant.attention.kind);
	ck_assert_pstr_eq(row->step, meant.attention.step);
	ck_assert_pstr_eq(row->side, meant.attention.side);
	ck_assert_pstr_eq(row->code, meant.attention.code);
	ck_assert_str_eq(row->message, meant.attention.text);
	ck_assert_int_le(row->n, recount->last_n);
	ck_assert_int_le(row->first_seen_at, row->last_seen_at);
	ck_assert_int_ge(row->first_seen_at, rows_time(0));
	definition_of(row->definition);
	for (int i = 0; i < SAGAS; i++)
		sampled |=
			strcmp(rows_id(i), row->sample) == 0 && recount->run->sagas[i].was_in >> group & 1;
	ck_assert(sampled);
	recount->last_n = row->n;
	recount->groups[group] -= row->n;
	return 0;
}

static int see_rate(void *ctx, const struct rate_row *row)
{
	struct rate_row *rates = ctx;

	ck_assert_int_eq(row->at % MINUTE_MS, 0);
	ck_assert_int_ge(minute_of(row->at), 0);
	ck_assert_int_lt(minute_of(row->at), MINUTES);
	ck_assert_int_eq(rates[minute_of(row->at)].at, 0);
	rates[minute_of(row->at)] = *row;
	return 0;
}

static void check_rates(struct run *run, const char *ns)
{
	struct rate_row got[MINUTES] = {0};
	struct err err;

	ck_assert_int_eq(run->ops->rates(run->reader, ns, 0, rows_time(0) * 2, see_rate, got, &err), 0);
	for (int m = 0; m < MINUTES; m++) {
		const struct rate_row *model = &run->rates[strcmp(ns, namespaces[1]) == 0][m];

		ck_assert_mem_eq(&got[m], model, sizeof(got[m]));
	}
}

static void check(struct run *run, const char *ns)
{
	struct recount recount = {.run = run, .ns = ns, .last_n = INT64_MAX};
	struct saga_filter filter = {.ns = ns, .limit = 1000};
	int64_t counts[SAGA_STATUS_COUNT];
	struct err err = {0};
	int model = 0;

	ck_assert_int_eq(run->ops->list(run->reader, &filter, see_saga, &recount, &err), 0);
	for (int i = 0; i < SAGAS; i++)
		model += run->sagas[i].exists && strcmp(run->sagas[i].row.ns, ns) == 0;
	ck_assert_int_eq(recount.rows, model);
	ck_assert_int_eq(run->ops->counts(run->reader, ns, counts, &err), 0);
	ck_assert_mem_eq(counts, recount.statuses, sizeof(counts));
	ck_assert_int_eq(run->ops->definition_counts(run->reader, ns, NULL, see_count, &recount, &err),
					 0);
	for (size_t i = 0; i < sizeof(recount.versions) / sizeof(int64_t); i++)
		ck_assert_int_eq(((int64_t *)recount.versions)[i], 0);
	ck_assert_msg(run->ops->attention_list(run->reader, ns, ATTENTION_LIST_MAX, see_group, &recount,
										   &err) == 0,
				  "%s", err.text);
	for (int g = 0; g < GROUPS; g++)
		ck_assert_msg(recount.groups[g] == 0, "%s: group %s is %lld off", ns, groups[g],
					  (long long)-recount.groups[g]);
	check_rates(run, ns);
}

static void open_run(struct run *run, int kind, uint64_t seed)
{
	struct err err;

	rng_init(&run->rng, seed, 0);
	run->store = store_contract__kinds[kind].open();
	run->ops = run->store->ops;
	ck_assert_int_eq(run->ops->reader_open(run->store, &run->reader, &err), 0);
}

static void close_run(struct run *run)
{
	run->ops->reader_close(run->reader);
	run->ops->close(run->store);
}

/* A seed that fails is printed with the assertion's place; SEED=… repeats it. */
START_TEST(test_counters__equal_a_recount_whatever_was_committed)
{
	const char *text = getenv("SEED");
	uint64_t seed = text ? strtoull(text, NULL, 10) : (uint64_t)time(NULL);
	struct run *run = xcalloc(1, sizeof(*run));

	fprintf(stderr, "%s: SEED=%llu\n", store_contract__kinds[_i].name, (unsigned long long)seed);
	open_run(run, _i, seed);
	for (int round = 0; round < ROUNDS; round++) {
		commit_some(run);
		if (round % 8 == 7)
			retain_some(run);
		for (size_t i = 0; i < ARRAY_SIZE(namespaces); i++)
			check(run, namespaces[i]);
	}
	ck_assert_int_gt(run->verdicts[STORE_ACCEPTED], ROUNDS); /* all of it did happen */
	ck_assert_int_gt(run->verdicts[STORE_DUPLICATE], 0);
	ck_assert_int_gt(run->verdicts[STORE_CONFLICT], 0);
	ck_assert_int_gt(run->verdicts[STORE_UNSTORABLE], 0);
	ck_assert_int_gt(run->retained, 0);
	ck_assert_int_gt(run->moved, 0);
	close_run(run);
	free(run);
}
END_TEST

START_TEST(test_counters__see_every_transition_of_a_saga_in_one_batch)
{
	struct run *run = xcalloc(1, sizeof(*run));
	struct intent intents[4] = {{.n = 1}, {.n = 1}, {.n = 1}, {.n = 2}};
	struct store_item items[4];
	struct err err;

	open_run(run, _i, 1);
	for (int i = 0; i < 4; i++) {
		struct saga_row *row = &intents[i].row;

		*row = rows_saga(intents[i].n);
		intents[i].writes = true;
		row->status = i == 2 ? SAGA_TERMINATED : SAGA_COMPENSATION_FAILED;
		row->ended_at = i == 2 ? row->updated_at : 0;
		set_attention(row, i == 2 ? -1 : i == 1 ? 1 : 0);
		items[i] = i == 1 || i == 2 ? rows_next(1, i + 1, row) : rows_create(intents[i].n, row);
	}
	ck_assert_int_eq(run->ops->commit(run->store, items, 4, &err), 0);
	for (int i = 0; i < 4; i++)
		take_in(run, &items[i], &intents[i]);
	check(run, "default");
	close_run(run);
	free(run);
}
END_TEST

START_TEST(test_counters__leave_out_what_another_owner_writes)
{
	struct run *run = xcalloc(1, sizeof(*run));
	struct store_item item;
	struct saga_row row = rows_saga(1);
	struct store *second;
	struct err err;

	if (store_contract__kinds[_i].second) {
		open_run(run, _i, 1);
		item = rows_create(1, &row);
		ck_assert_int_eq(run->ops->commit(run->store, &item, 1, &err), 0);
		take_in(run, &item, &(struct intent){.n = 1, .row = row, .writes = true});
		second = store_contract__kinds[_i].second();
		set_attention(&row, 2);
		row.status = SAGA_WAITING;
		item = rows_next(1, 2, &row);
		ck_assert_int_eq(second->ops->commit(second, &item, 1, &err), 0);
		ck_assert_int_eq(item.verdict, STORE_FENCED);
		check(run, "default");
		second->ops->close(second);
		close_run(run);
	}
	free(run);
}
END_TEST

void store_contract__add_counters(TCase *tcase, int n)
{
	tcase_add_loop_test(tcase, test_counters__equal_a_recount_whatever_was_committed, 0, n);
	tcase_add_loop_test(tcase, test_counters__see_every_transition_of_a_saga_in_one_batch, 0, n);
	tcase_add_loop_test(tcase, test_counters__leave_out_what_another_owner_writes, 0, n);
}
