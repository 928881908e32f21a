/*
 * The contract of lists, for what operators ask: by version, group, kind, step and owner, one saga,
 * a key as it stands, either way round, in pages that are bounded by what they look at. Every
 * filter, followed to its end, gives what a plain loop over the same rows gives, each saga once.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "sagas/base/macros.h"
#include "tests/sim/rng.h"
#include "tests/support/store_contract.h"
#include "tests/support/store_rows.h"

enum { N = 120, PAGE = 5, FILTERS = 400 };

static const char *const namespaces[] = {"default", "other"};
static const char *const definitions[] = {"order", "order-old", "payment"};
static const char *const groups[] = {"aaaaaaaaaaaaaaaa", "bbbbbbbbbbbbbbbb"};
static const char *const kinds[] = {"stuck", "parked"};
static const char *const steps[] = {"charge", "ship"};
static const char *const owners[] = {"ann", "bob"};

static struct saga_row model_row(int n)
{
	struct saga_row row = rows_saga(n);

	row.ns = namespaces[n % 7 == 0];
	row.definition = definitions[n % ARRAY_SIZE(definitions)];
	row.version = 1 + n / 3 % 2;
	row.status = (enum saga_status)(n * 7 / 3 % SAGA_STATUS_COUNT);
	row.ended_at = saga_status_is_terminal(row.status) ? rows_time(n + 1) : 0;
	row.due_at = !row.ended_at && n % 4 == 1 ? rows_time(n + 50) : 0;
	row.key = n % 5 == 3 ? NULL : n == 10 ? "order-?" : n == 20 ? "order-*" : rows_key(n);
	row.owner = n % 6 == 0 ? owners[n / 6 % 2] : NULL;
	if (n % 3 == 0) {
		row.attention = (struct attention_ref){.text = "look",
											   .group = groups[n / 3 % 2],
											   .kind = kinds[n / 3 % 2],
											   .step = n % 9 == 0 ? NULL : steps[n / 3 / 2 % 2],
											   .side = n % 9 == 0 ? NULL : "do"};
		row.attention_at = row.updated_at;
	}
	return row;
}

static bool is(const char *wanted, const char *text)
{
	return !wanted || (text && strcmp(wanted, text) == 0);
}

/* The only globs here are these two. */
static bool key_is(const struct saga_filter *filter, const char *key)
{
	if (!filter->key || filter->key_exact)
		return is(filter->key, key);
	if (strcmp(filter->key, "order-?") == 0)
		return key && strlen(key) == 7;
	if (strcmp(filter->key, "order-*") == 0)
		return key != NULL;
	return is(filter->key, key);
}

static bool matches(const struct saga_filter *filter, const struct saga_row *row)
{
	return strcmp(row->ns, filter->ns) == 0 &&
		   (!filter->status_mask || filter->status_mask >> row->status & 1) &&
		   is(filter->id, row->id) && is(filter->definition, row->definition) &&
		   (!filter->version || filter->version == row->version) && key_is(filter, row->key) &&
		   (!filter->attention_only || row->attention.text) &&
		   is(filter->group, row->attention.group) && is(filter->kind, row->attention.kind) &&
		   is(filter->step, row->attention.step) && is(filter->owner, row->owner) &&
		   (!filter->started_from || row->started_at >= filter->started_from) &&
		   (!filter->started_before || row->started_at < filter->started_before);
}

static struct store *filled(int kind, struct store_reader **ret_reader)
{
	struct store *store = store_contract__kinds[kind].open();
	struct saga_row rows[N];
	struct store_item items[N];
	struct err err = {0};

	for (int n = 0; n < N; n++) {
		rows[n] = model_row(n);
		items[n] = rows_create(n, &rows[n]);
	}
	ck_assert_msg(store->ops->commit(store, items, N, &err) == 0, "%s", err.text);
	for (int n = 0; n < N; n++)
		ck_assert_int_eq(items[n].verdict, STORE_ACCEPTED);
	ck_assert_int_eq(store->ops->reader_open(store, ret_reader, &err), 0);
	return store;
}

struct seen {
	int order[N];
	int n;
};

static int see_row(void *ctx, const struct saga_row *row)
{
	struct seen *seen = ctx;
	int n = 0;

	while (n < N && strcmp(rows_id(n), row->id) != 0)
		n++;
	ck_assert_int_lt(n, N);
	ck_assert_int_lt(seen->n, N); /* not for ever */
	seen->order[seen->n++] = n;
	return 0;
}

/* Follows a list to its end; returns the pages. */
static int follow(struct store_reader *reader, struct saga_filter filter, struct seen *seen)
{
	struct err err = {0};
	int pages = 0, on_page;

	for (;;) {
		int before = seen->n;

		ck_assert_msg(reader->store->ops->list(reader, &filter, see_row, seen, &err) == 0, "%s",
					  err.text);
		on_page = seen->n - before;
		pages++;
		ck_assert_int_le(on_page, filter.limit);
		ck_assert_int_le(pages, 4 * N);
		if (filter.looked_to[0]) {
			ck_assert_int_lt(on_page, filter.limit);
			ck_assert_str_ne(filter.looked_to, filter.after_id);
			memcpy(filter.after_id, filter.looked_to, sizeof(filter.after_id));
		} else if (on_page == filter.limit) {
			memcpy(filter.after_id, rows_id(seen->order[seen->n - 1]), sizeof(filter.after_id));
		} else {
			return pages;
		}
	}
}

static int check_filter(struct store_reader *reader, const struct saga_filter *filter)
{
	struct seen seen = {0};
	int i = 0;

	follow(reader, *filter, &seen);
	for (int k = 0; k < N; k++) {
		int n = filter->oldest_first ? k : N - 1 - k;
		struct saga_row row = model_row(n);

		if (!matches(filter, &row))
			continue;
		ck_assert_int_lt(i, seen.n);
		ck_assert_int_eq(seen.order[i], n);
		i++;
	}
	ck_assert_int_eq(seen.n, i);
	return i;
}

static struct saga_filter random_filter(struct rng *rng)
{
	struct saga_filter filter = {.ns = namespaces[rng_percent(rng, 20)], .limit = PAGE};

	/* Each kind of filter now and then, and few at once, so that most match something. */
	if (rng_percent(rng, 30))
		filter.status_mask = (unsigned)rng_below(rng, 1 << SAGA_STATUS_COUNT);
	if (rng_percent(rng, 20))
		filter.definition = RNG_PICK(rng, definitions);
	if (rng_percent(rng, 20))
		filter.version = 1 + rng_below(rng, 3);
	if (rng_percent(rng, 15))
		filter.group = RNG_PICK(rng, groups);
	if (rng_percent(rng, 15))
		filter.kind = RNG_PICK(rng, kinds);
	if (rng_percent(rng, 15))
		filter.step = RNG_PICK(rng, steps);
	if (rng_percent(rng, 20))
		filter.owner = RNG_PICK(rng, owners);
	if (rng_percent(rng, 15))
		filter.attention_only = true;
	if (rng_percent(rng, 10))
		filter.id = rows_id((int)rng_below(rng, N));
	if (rng_percent(rng, 15)) {
		filter.key = rng_percent(rng, 50)   ? rows_key((int)rng_below(rng, N))
					 : rng_percent(rng, 50) ? "order-?"
											: "order-*";
		filter.key_exact = rng_percent(rng, 50);
	}
	if (rng_percent(rng, 15))
		filter.started_from = rows_time((int)rng_below(rng, N));
	if (rng_percent(rng, 15))
		filter.started_before = rows_time((int)rng_below(rng, N));
	filter.oldest_first = rng_percent(rng, 40);
	filter.looks = rng_percent(rng, 70) ? (int)rng_below(rng, 30) : 0;
	return filter;
}

/* A seed that fails is printed; SEED=… repeats it. */
START_TEST(test_filters__agree_with_a_plain_loop_however_little_a_page_looks_at)
{
	const char *text = getenv("SEED");
	uint64_t seed = text ? strtoull(text, NULL, 10) : (uint64_t)time(NULL);
	struct store_reader *reader;
	struct store *store = filled(_i, &reader);
	struct rng rng;
	int total = 0;

	fprintf(stderr, "%s: SEED=%llu\n", store_contract__kinds[_i].name, (unsigned long long)seed);
	rng_init(&rng, seed, 0);
	for (int i = 0; i < FILTERS; i++) {
		struct saga_filter filter = random_filter(&rng);

		total += check_filter(reader, &filter);
	}
	ck_assert_int_gt(total, FILTERS); /* they do match something */
	store->ops->reader_close(reader);
	store->ops->close(store);
}
END_TEST

START_TEST(test_filters__each_one_alone)
{
	struct store_reader *reader;
	struct store *store = filled(_i, &reader);
	const struct saga_filter filters[] = {
		{.version = 2},
		{.group = groups[1]},
		{.kind = "stuck"},
		{.step = "ship"},
		{.owner = "bob"},
		{.attention_only = true},
		{.id = rows_id(11)},
		{.key = "order-?", .key_exact = true},
		{.key = "order-*", .key_exact = true},
		{.key = "order-?"},
		{.key = rows_key(17)},
		{.status_mask = 1U << SAGA_WAITING | 1U << SAGA_RUNNING},
		{.started_from = rows_time(100)},
		{.started_before = rows_time(20)},
	};

	for (size_t i = 0; i < ARRAY_SIZE(filters); i++) {
		for (int variant = 0; variant < 4; variant++) {
			struct saga_filter filter = filters[i];

			filter.ns = "default";
			filter.limit = PAGE;
			filter.oldest_first = variant & 1;
			filter.looks = variant & 2 ? 3 : 0;
			ck_assert_int_gt(check_filter(reader, &filter), 0);
		}
	}
	store->ops->reader_close(reader);
	store->ops->close(store);
}
END_TEST

START_TEST(test_filters__a_page_that_looks_at_little_says_how_far_it_has_come)
{
	struct saga_filter filter = {
		.ns = "default", .definition = "order", .version = 9, .limit = PAGE, .looks = 10};
	struct store_reader *reader;
	struct store *store = filled(_i, &reader);
	struct seen seen = {0};
	struct err err;
	int pages;

	ck_assert_int_eq(store->ops->list(reader, &filter, see_row, &seen, &err), 0);
	ck_assert_str_ne(filter.looked_to, "");
	pages = follow(reader, filter, &seen);
	ck_assert_int_eq(seen.n, 0);
	ck_assert_int_ge(pages, N / 10 / 2);
	filter.looks = 0;
	ck_assert_int_eq(store->ops->list(reader, &filter, see_row, &seen, &err), 0);
	ck_assert_str_eq(filter.looked_to, ""); /* all was looked at */
	store->ops->reader_close(reader);
	store->ops->close(store);
}
END_TEST

void store_contract__add_filters(TCase *tcase, int n)
{
	tcase_add_loop_test(tcase, test_filters__each_one_alone, 0, n);
	tcase_add_loop_test(tcase, test_filters__agree_with_a_plain_loop_however_little_a_page_looks_at,
						0, n);
	tcase_add_loop_test(tcase, test_filters__a_page_that_looks_at_little_says_how_far_it_has_come,
						0, n);
}
