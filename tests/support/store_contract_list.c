/*
 * The contract of lists: every combination of filters gives what a plain loop over the same rows
 * gives, newest first, in pages without gaps or repeats.
 */
#include <string.h>

#include "sagas/base/macros.h"
#include "tests/support/store_contract.h"
#include "tests/support/store_rows.h"

enum { N = 72, PAGE = 7 };

static const char *const namespaces[] = {"default", "other"};
static const char *const definitions[] = {"order", "order-old", "payment", "[odd]"};

static struct saga_row model_row(int n)
{
	static const char *const keys[] = {"a-1", "a-12", "b*", "[x]", "\xc3\xa4-1", NULL};
	static const enum saga_status statuses[] = {SAGA_RUNNING,      SAGA_COMPLETED,
												SAGA_WAITING,      SAGA_COMPENSATED,
												SAGA_COMPLETED,    SAGA_COMPENSATION_FAILED,
												SAGA_TERMINATED,   SAGA_PAUSED,
												SAGA_COMPENSATING, SAGA_FAILED};
	struct saga_row row = rows_saga(n);

	row.ns = namespaces[n % 5 == 0];
	row.definition = definitions[n % 7 % ARRAY_SIZE(definitions)];
	row.status = statuses[n % ARRAY_SIZE(statuses)];
	row.ended_at = saga_status_is_terminal(row.status) ? rows_time(n + 1) : 0;
	/* The first ones have keys that globs are about; a key is used once in each definition. */
	row.key = n < 6 ? keys[n] : n % 3 == 0 ? NULL : rows_key(n);
	row.attention.text = row.status == SAGA_COMPENSATION_FAILED || n % 11 == 0 ? "look" : NULL;
	return row;
}

static bool glob_matches(const char *glob, const char *text)
{
	if (*glob == '*')
		return glob_matches(glob + 1, text) || (*text && glob_matches(glob, text + 1));
	if (*glob == '\0' || *text == '\0')
		return *glob == *text;
	if (*glob == '?') {
		text++;
		while ((*text & 0xc0) == 0x80) /* a character, not a byte */
			text++;
		return glob_matches(glob + 1, text);
	}
	return *glob == *text && glob_matches(glob + 1, text + 1);
}

static bool model_matches(const struct saga_filter *filter, const struct saga_row *row)
{
	return strcmp(row->ns, filter->ns) == 0 &&
		   (!filter->status_mask || filter->status_mask >> row->status & 1) &&
		   (!filter->definition || glob_matches(filter->definition, row->definition)) &&
		   (!filter->key || (row->key && glob_matches(filter->key, row->key))) &&
		   (!filter->attention_only || row->attention.text) &&
		   (!filter->started_from || row->started_at >= filter->started_from) &&
		   (!filter->started_before || row->started_at < filter->started_before);
}

static struct store *filled(int kind)
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
	return store;
}

struct pages {
	int next; /* the number of the saga that is expected, or that lies above it */
	int on_page;
	int total;
	const struct saga_filter *filter;
	char last_id[SAGA_ID_SIZE];
};

static void to_next_match(struct pages *pages)
{
	struct saga_row row;

	for (; pages->next >= 0; pages->next--) {
		row = model_row(pages->next);
		if (model_matches(pages->filter, &row))
			return;
	}
}

static int see_row(void *ctx, const struct saga_row *row)
{
	struct pages *pages = ctx;

	to_next_match(pages);
	ck_assert_int_ge(pages->next, 0);
	ck_assert_str_eq(row->id, rows_id(pages->next));
	memcpy(pages->last_id, row->id, sizeof(pages->last_id));
	pages->next--;
	pages->on_page++;
	pages->total++;
	return 0;
}

static int check_filter(struct store_reader *reader, struct saga_filter filter)
{
	struct pages pages = {.next = N - 1, .filter = &filter};
	struct err err = {0};

	filter.limit = PAGE;
	do {
		pages.on_page = 0;
		ck_assert_msg(reader->store->ops->list(reader, &filter, see_row, &pages, &err) == 0, "%s",
					  err.text);
		ck_assert_int_le(pages.on_page, PAGE);
		memcpy(filter.after_id, pages.last_id, sizeof(filter.after_id));
	} while (pages.on_page == PAGE);
	to_next_match(&pages);
	ck_assert_int_eq(pages.next, -1);
	return pages.total;
}

START_TEST(test_list__every_filter_agrees_with_a_plain_loop)
{
	static const unsigned masks[] = {0,
									 1U << SAGA_RUNNING,
									 1U << SAGA_COMPLETED,
									 1U << SAGA_FAILED,
									 1U << SAGA_COMPENSATION_FAILED | 1U << SAGA_COMPENSATING,
									 1U << SAGA_FAILED | 1U << SAGA_TERMINATED,
									 1U << SAGA_FAILED | 1U << SAGA_RUNNING,
									 1U << SAGA_COMPLETED | 1U << SAGA_PAUSED};
	static const char *const names[] = {NULL, "order", "order*", "[odd]", "[o*", "?a*", "none"};
	static const char *const keys[] = {NULL, "a-1", "a-?", "a-*", "[*", "?-1", "order-[67]*"};
	struct store *store = filled(_i);
	struct store_reader *reader;
	struct err err;
	int total = 0;

	ck_assert_int_eq(store->ops->reader_open(store, &reader, &err), 0);
	for (size_t m = 0; m < ARRAY_SIZE(masks); m++)
		for (size_t d = 0; d < ARRAY_SIZE(names); d++)
			for (size_t k = 0; k < ARRAY_SIZE(keys); k++)
				for (int rest = 0; rest < 8; rest++)
					total += check_filter(reader,
										  (struct saga_filter){
											  .ns = namespaces[rest & 1],
											  .status_mask = masks[m],
											  .definition = names[d],
											  .key = keys[k],
											  .attention_only = rest & 2,
											  .started_from = rest & 4 ? rows_time(N / 4) : 0,
											  .started_before = rest & 4 ? rows_time(3 * N / 4) : 0,
										  });
	ck_assert_int_gt(total, 500); /* the filters do match something */
	store->ops->reader_close(reader);
	store->ops->close(store);
}
END_TEST

static int count_row(void *ctx, const struct saga_row *row)
{
	ck_assert_str_eq(row->key, "the-key");
	++*(int *)ctx;
	return 0;
}

START_TEST(test_list__an_exact_key_is_found_in_every_definition)
{
	struct store *store = store_contract__kinds[_i].open();
	struct saga_filter filter = {.ns = "default", .key = "the-key", .limit = 10};
	struct saga_row rows[5];
	struct store_item items[5];
	struct store_reader *reader;
	struct err err;
	int found = 0;

	for (int n = 0; n < 5; n++) {
		rows[n] = rows_saga(n);
		rows[n].definition = definitions[n % 4];
		rows[n].key = n < 4 ? "the-key" : "another";
		items[n] = rows_create(n, &rows[n]);
	}
	ck_assert_int_eq(store->ops->commit(store, items, 5, &err), 0);
	ck_assert_int_eq(store->ops->reader_open(store, &reader, &err), 0);
	ck_assert_int_eq(store->ops->list(reader, &filter, count_row, &found, &err), 0);
	ck_assert_int_eq(found, 4);
	store->ops->reader_close(reader);
	store->ops->close(store);
}
END_TEST

START_TEST(test_list__refuses_a_page_without_a_size)
{
	struct store *store = store_contract__kinds[_i].open();
	struct saga_filter filter = {.ns = "default"};
	struct pages pages = {.next = -1, .filter = &filter};
	struct store_reader *reader;
	struct err err;

	ck_assert_int_eq(store->ops->reader_open(store, &reader, &err), 0);
	ck_assert_int_eq(store->ops->list(reader, &filter, see_row, &pages, &err), ERR_INVALID);
	filter.limit = 1001;
	ck_assert_int_eq(store->ops->list(reader, &filter, see_row, &pages, &err), ERR_INVALID);
	filter.limit = 1;
	ck_assert_int_eq(store->ops->list(reader, &filter, see_row, &pages, &err), 0);
	store->ops->reader_close(reader);
	store->ops->close(store);
}
END_TEST

void store_contract__add_list(TCase *tcase, int n)
{
	tcase_add_loop_test(tcase, test_list__every_filter_agrees_with_a_plain_loop, 0, n);
	tcase_add_loop_test(tcase, test_list__an_exact_key_is_found_in_every_definition, 0, n);
	tcase_add_loop_test(tcase, test_list__refuses_a_page_without_a_size, 0, n);
}
