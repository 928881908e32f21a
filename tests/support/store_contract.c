/*
 * The contract of commit: verdicts, atomicity, and what is left behind by what was refused.
 */
#include "tests/support/store_contract.h"

#include <stdlib.h>
#include <string.h>

#include "sagas/base/macros.h"
#include "tests/support/store_rows.h"

const struct store_kind *store_contract__kinds;

#define OPEN(store) struct store *store = store_contract__kinds[_i].open()
#define CLOSE(store) store->ops->close(store)

static void ck_commit(struct store *store, struct store_item *items, size_t n)
{
	struct err err = {0};

	ck_assert_msg(store->ops->commit(store, items, n, &err) == 0, "%s", err.text);
}

/* What the store holds of saga n. */
struct found {
	int sagas;
	int64_t last_seq;
	int history;
	int compensations;
	int keys;
	enum saga_status status;
};

static int see_history(void *ctx, const struct history_row *row)
{
	struct found *found = ctx;

	found->history++;
	ck_assert_int_eq(row->seq, found->last_seq + 1);
	found->last_seq = row->seq;
	return 0;
}

static int see_compensation(void *ctx, const struct compensation_row *row)
{
	(void)row;
	++*(int *)ctx;
	return 0;
}

static struct found look(struct store *store, int n)
{
	char id[SAGA_ID_SIZE], fingerprint[SHA256_HEX_SIZE];
	struct found found = {0};
	struct store_reader *reader;
	struct saga_row row;
	struct err err;
	int r;

	ck_assert_int_eq(store->ops->reader_open(store, &reader, &err), 0);
	r = store->ops->saga_get(reader, "default", rows_id(n), &row, &err);
	ck_assert(r == 0 || r == ERR_NOT_FOUND);
	if (r == 0) {
		found.sagas = 1;
		found.status = row.status;
		saga_row_release(&row);
	}
	r = store->ops->history(reader, rows_id(n), 0, 1000, see_history, &found, &err);
	ck_assert_int_eq(r, 0);
	r = store->ops->compensations(reader, rows_id(n), see_compensation, &found.compensations, &err);
	ck_assert_int_eq(r, 0);
	r = store->ops->find_key(reader, "default", "order", rows_key(n), id, fingerprint, &err);
	ck_assert(r == 0 || r == ERR_NOT_FOUND);
	found.keys = r == 0 && strcmp(id, rows_id(n)) == 0;
	store->ops->reader_close(reader);
	return found;
}

static void ck_nothing(struct store *store, int n)
{
	struct found found = look(store, n);

	ck_assert_int_eq(found.sagas, 0);
	ck_assert_int_eq(found.history, 0);
	ck_assert_int_eq(found.compensations, 0);
	ck_assert_int_eq(found.keys, 0);
}

START_TEST(test_commit__accepts_a_life)
{
	OPEN(store);
	struct compensation_row comp = rows_compensation("charge", COMP_ARMED);
	struct store_item item = rows_next(1, 2, NULL);
	struct found found;

	ck_assert_int_eq(rows_put_create(store, 1), STORE_ACCEPTED);
	item.compensations = &comp;
	item.n_compensations = 1;
	ck_commit(store, &item, 1);
	ck_assert_int_eq(item.verdict, STORE_ACCEPTED);
	ck_assert_int_eq(rows_put_end(store, 1, 3, SAGA_COMPLETED), STORE_ACCEPTED);
	found = look(store, 1);
	ck_assert_int_eq(found.sagas, 1);
	ck_assert_int_eq(found.status, SAGA_COMPLETED);
	ck_assert_int_eq(found.history, 3);
	ck_assert_int_eq(found.compensations, 1);
	ck_assert_int_eq(found.keys, 1);
	CLOSE(store);
}
END_TEST

START_TEST(test_commit__takes_an_empty_batch)
{
	OPEN(store);

	ck_commit(store, NULL, 0);
	CLOSE(store);
}
END_TEST

START_TEST(test_commit__several_transitions_of_a_saga_in_one_batch)
{
	OPEN(store);
	struct saga_row row = rows_saga(1), end = rows_saga(1);
	struct store_item items[] = {rows_create(1, &row), rows_next(1, 2, NULL),
								 rows_next(1, 3, &end)};

	end.status = SAGA_FAILED;
	end.ended_at = rows_time(2);
	ck_commit(store, items, ARRAY_SIZE(items));
	for (size_t i = 0; i < ARRAY_SIZE(items); i++)
		ck_assert_int_eq(items[i].verdict, STORE_ACCEPTED);
	ck_assert_int_eq(look(store, 1).history, 3);
	ck_assert_int_eq(look(store, 1).status, SAGA_FAILED);
	CLOSE(store);
}
END_TEST

START_TEST(test_commit__a_duplicate_key_names_its_saga)
{
	OPEN(store);
	struct saga_row row = rows_saga(2);
	struct store_item item = rows_create(2, &row);

	ck_assert_int_eq(rows_put_create(store, 1), STORE_ACCEPTED);
	row.key = rows_key(1);
	ck_commit(store, &item, 1);
	ck_assert_int_eq(item.verdict, STORE_DUPLICATE);
	ck_assert_str_eq(item.existing_id, rows_id(1));
	ck_assert_str_eq(item.existing_fingerprint, rows_fingerprint(1));
	ck_nothing(store, 2);
	CLOSE(store);
}
END_TEST

START_TEST(test_commit__a_duplicate_key_within_a_batch)
{
	OPEN(store);
	struct saga_row row1 = rows_saga(1), row2 = rows_saga(2);
	struct store_item items[] = {rows_create(1, &row1), rows_create(2, &row2)};

	row2.key = rows_key(1);
	ck_commit(store, items, ARRAY_SIZE(items));
	ck_assert_int_eq(items[0].verdict, STORE_ACCEPTED);
	ck_assert_int_eq(items[1].verdict, STORE_DUPLICATE);
	ck_assert_str_eq(items[1].existing_id, rows_id(1));
	ck_nothing(store, 2);
	CLOSE(store);
}
END_TEST

START_TEST(test_commit__a_key_belongs_to_its_namespace_and_definition)
{
	OPEN(store);
	struct saga_row rows[] = {rows_saga(1), rows_saga(2), rows_saga(3), rows_saga(4)};
	struct store_item items[] = {rows_create(1, &rows[0]), rows_create(2, &rows[1]),
								 rows_create(3, &rows[2]), rows_create(4, &rows[3])};

	for (int i = 0; i < 3; i++)
		rows[i].key = rows_key(1);
	rows[1].ns = "other";
	rows[2].definition = "payment";
	rows[3].key = NULL;
	items[3].fingerprint = NULL;
	ck_commit(store, items, ARRAY_SIZE(items));
	for (size_t i = 0; i < ARRAY_SIZE(items); i++)
		ck_assert_int_eq(items[i].verdict, STORE_ACCEPTED);
	CLOSE(store);
}
END_TEST

START_TEST(test_commit__sagas_without_a_key_are_no_duplicates)
{
	OPEN(store);
	struct saga_row rows[] = {rows_saga(1), rows_saga(2)};
	struct store_item items[] = {rows_create(1, &rows[0]), rows_create(2, &rows[1])};

	for (int i = 0; i < 2; i++) {
		rows[i].key = NULL;
		items[i].fingerprint = NULL;
	}
	ck_commit(store, items, ARRAY_SIZE(items));
	ck_assert_int_eq(items[0].verdict, STORE_ACCEPTED);
	ck_assert_int_eq(items[1].verdict, STORE_ACCEPTED);
	CLOSE(store);
}
END_TEST

START_TEST(test_commit__an_id_that_exists_is_a_conflict)
{
	OPEN(store);
	struct saga_row row = rows_saga(1);
	struct store_item item = rows_create(1, &row);

	ck_assert_int_eq(rows_put_create(store, 1), STORE_ACCEPTED);
	row.key = "another";
	ck_commit(store, &item, 1);
	ck_assert_int_eq(item.verdict, STORE_CONFLICT);
	row = rows_saga(5); /* the key of the refused one is still free */
	row.key = "another";
	item = rows_create(5, &row);
	ck_commit(store, &item, 1);
	ck_assert_int_eq(item.verdict, STORE_ACCEPTED);
	ck_assert_int_eq(look(store, 1).history, 1);
	CLOSE(store);
}
END_TEST

START_TEST(test_commit__a_row_that_exists_is_a_conflict)
{
	OPEN(store);
	struct saga_row row = rows_saga(1);
	struct compensation_row comp = rows_compensation("charge", COMP_ARMED);
	struct store_item item = rows_next(1, 2, &row);

	ck_assert_int_eq(rows_put_create(store, 1), STORE_ACCEPTED);
	ck_assert_int_eq(rows_put_next(store, 1, 2), STORE_ACCEPTED);
	row.status = SAGA_COMPENSATING;
	item.compensations = &comp;
	item.n_compensations = 1;
	ck_commit(store, &item, 1);
	ck_assert_int_eq(item.verdict, STORE_CONFLICT);
	ck_assert_int_eq(look(store, 1).status, SAGA_RUNNING);
	ck_assert_int_eq(look(store, 1).history, 2);
	ck_assert_int_eq(look(store, 1).compensations, 0);
	CLOSE(store);
}
END_TEST

START_TEST(test_commit__a_missing_predecessor_is_a_conflict)
{
	OPEN(store);

	ck_assert_int_eq(rows_put_next(store, 1, 2), STORE_CONFLICT); /* no saga at all */
	ck_assert_int_eq(rows_put_create(store, 2), STORE_ACCEPTED);
	ck_assert_int_eq(rows_put_next(store, 2, 3), STORE_CONFLICT);
	ck_assert_int_eq(rows_put_end(store, 2, 4, SAGA_COMPLETED), STORE_CONFLICT);
	ck_assert_int_eq(rows_put_end(store, 3, 2, SAGA_COMPLETED), STORE_CONFLICT);
	ck_nothing(store, 1);
	ck_nothing(store, 3);
	ck_assert_int_eq(look(store, 2).history, 1);
	ck_assert_int_eq(look(store, 2).status, SAGA_RUNNING);
	CLOSE(store);
}
END_TEST

START_TEST(test_commit__judges_each_item_of_a_mixed_batch_alone)
{
	OPEN(store);
	struct saga_row create3 = rows_saga(3), duplicate = rows_saga(4), end = rows_saga(2);
	struct compensation_row comp = rows_compensation("charge", COMP_ARMED);
	struct store_item items[6];

	ck_assert_int_eq(rows_put_create(store, 1), STORE_ACCEPTED);
	ck_assert_int_eq(rows_put_create(store, 2), STORE_ACCEPTED);
	ck_assert_int_eq(rows_put_next(store, 2, 2), STORE_ACCEPTED);
	duplicate.key = rows_key(1);
	end.status = SAGA_COMPLETED;
	end.ended_at = rows_time(9);
	items[0] = rows_next(1, 3, NULL); /* a gap */
	items[1] = rows_create(3, &create3);
	items[2] = rows_create(4, &duplicate);
	items[3] = rows_next(2, 2, NULL); /* exists */
	items[4] = rows_next(1, 2, NULL);
	items[5] = rows_next(2, 3, &end);
	for (int i = 0; i < 6; i++) {
		items[i].compensations = i == 1 ? NULL : &comp;
		items[i].n_compensations = i == 1 ? 0 : 1;
	}
	ck_commit(store, items, ARRAY_SIZE(items));
	ck_assert_int_eq(items[0].verdict, STORE_CONFLICT);
	ck_assert_int_eq(items[1].verdict, STORE_ACCEPTED);
	ck_assert_int_eq(items[2].verdict, STORE_DUPLICATE);
	ck_assert_int_eq(items[3].verdict, STORE_CONFLICT);
	ck_assert_int_eq(items[4].verdict, STORE_ACCEPTED);
	ck_assert_int_eq(items[5].verdict, STORE_ACCEPTED);
	ck_assert_int_eq(look(store, 1).history, 2);
	ck_assert_int_eq(look(store, 2).history, 3);
	ck_assert_int_eq(look(store, 2).status, SAGA_COMPLETED);
	ck_assert_int_eq(look(store, 3).history, 1);
	ck_nothing(store, 4);
	CLOSE(store);
}
END_TEST

/* Of what kind the fault is does not matter: here a saga that is terminal, and has not ended. */
START_TEST(test_commit__parks_what_cannot_be_stored_and_keeps_the_rest)
{
	OPEN(store);
	struct saga_row row1 = rows_saga(1), wrong = rows_saga(2), row3 = rows_saga(3);
	struct store_item items[] = {rows_create(1, &row1), rows_create(2, &wrong),
								 rows_create(3, &row3)};

	wrong.status = SAGA_COMPLETED;
	ck_commit(store, items, ARRAY_SIZE(items));
	ck_assert_int_eq(items[0].verdict, STORE_ACCEPTED);
	ck_assert_int_eq(items[1].verdict, STORE_UNSTORABLE);
	ck_assert_int_eq(items[2].verdict, STORE_ACCEPTED);
	ck_nothing(store, 2);
	ck_assert_int_eq(look(store, 1).keys + look(store, 3).keys, 2);
	CLOSE(store);
}
END_TEST

START_TEST(test_commit__parks_a_row_that_is_too_large)
{
	enum { LARGE = 100 * 1024 * 1024 };
	OPEN(store);
	char *large = malloc(LARGE);
	struct saga_row row1 = rows_saga(1), row2 = rows_saga(2);
	struct store_item items[] = {rows_create(1, &row1), rows_create(2, &row2)};

	ck_assert_ptr_nonnull(large);
	memset(large, ' ', LARGE);
	items[0].events = large;
	items[0].events_len = LARGE;
	ck_commit(store, items, ARRAY_SIZE(items));
	ck_assert_int_eq(items[0].verdict, STORE_UNSTORABLE);
	ck_assert_int_eq(items[1].verdict, STORE_ACCEPTED);
	ck_nothing(store, 1);
	free(large);
	CLOSE(store);
}
END_TEST

START_TEST(test_commit__updates_a_compensation_and_keeps_its_request)
{
	OPEN(store);
	struct compensation_row comp = rows_compensation("charge", COMP_ARMED);
	struct store_item item = rows_next(1, 2, NULL);

	ck_assert_int_eq(rows_put_create(store, 1), STORE_ACCEPTED);
	item.compensations = &comp;
	item.n_compensations = 1;
	ck_commit(store, &item, 1);
	item = rows_next(1, 3, NULL);
	item.compensations = &comp;
	item.n_compensations = 1;
	comp.status = COMP_FAILED;
	comp.request = NULL;
	comp.attempts = 3;
	comp.last_error = "refused";
	ck_commit(store, &item, 1);
	ck_assert_int_eq(item.verdict, STORE_ACCEPTED);
	ck_assert_int_eq(look(store, 1).compensations, 1);
	CLOSE(store);
}
END_TEST

START_TEST(test_commit__counts_commits_and_items)
{
	OPEN(store);
	struct store_stats stats;

	rows_put_create(store, 1);
	rows_put_next(store, 1, 2);
	store->ops->stats(store, &stats);
	ck_assert_int_eq(stats.commits, 2);
	ck_assert_int_eq(stats.items, 2);
	CLOSE(store);
}
END_TEST

void store_contract__add_commit(TCase *tcase, int n)
{
	tcase_add_loop_test(tcase, test_commit__accepts_a_life, 0, n);
	tcase_add_loop_test(tcase, test_commit__takes_an_empty_batch, 0, n);
	tcase_add_loop_test(tcase, test_commit__several_transitions_of_a_saga_in_one_batch, 0, n);
	tcase_add_loop_test(tcase, test_commit__a_duplicate_key_names_its_saga, 0, n);
	tcase_add_loop_test(tcase, test_commit__a_duplicate_key_within_a_batch, 0, n);
	tcase_add_loop_test(tcase, test_commit__a_key_belongs_to_its_namespace_and_definition, 0, n);
	tcase_add_loop_test(tcase, test_commit__sagas_without_a_key_are_no_duplicates, 0, n);
	tcase_add_loop_test(tcase, test_commit__an_id_that_exists_is_a_conflict, 0, n);
	tcase_add_loop_test(tcase, test_commit__a_row_that_exists_is_a_conflict, 0, n);
	tcase_add_loop_test(tcase, test_commit__a_missing_predecessor_is_a_conflict, 0, n);
	tcase_add_loop_test(tcase, test_commit__judges_each_item_of_a_mixed_batch_alone, 0, n);
	tcase_add_loop_test(tcase, test_commit__parks_what_cannot_be_stored_and_keeps_the_rest, 0, n);
	tcase_add_loop_test(tcase, test_commit__parks_a_row_that_is_too_large, 0, n);
	tcase_add_loop_test(tcase, test_commit__updates_a_compensation_and_keeps_its_request, 0, n);
	tcase_add_loop_test(tcase, test_commit__counts_commits_and_items, 0, n);
}

void store_contract_add(Suite *suite, const struct store_kind *kinds, int n_kinds)
{
	static void (*const parts[])(TCase * tcase, int n_kinds) = {
		store_contract__add_commit,  store_contract__add_read,     store_contract__add_list,
		store_contract__add_life,    store_contract__add_messages, store_contract__add_events,
		store_contract__add_letters, store_contract__add_counters, store_contract__add_attention,
		store_contract__add_batches, store_contract__add_filters,  store_contract__add_versions,
		store_contract__add_long,    store_contract__add_locks,    store_contract__add_tasks,
	};

	store_contract__kinds = kinds;
	for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
		TCase *tcase = tcase_create("contract");

		tcase_set_timeout(tcase, 60);
		parts[i](tcase, n_kinds);
		suite_add_tcase(suite, tcase);
	}
}
