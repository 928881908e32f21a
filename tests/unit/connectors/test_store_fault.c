#include "connectors/store_fault.h"

#include <check.h>
#include <stdlib.h>

#include "connectors/idempotency.h"
#include "connectors/store_sqlite.h"
#include "tests/support/store_rows.h"

/* What happens next; afterwards nothing is wrong again. */
struct plan {
	enum store_fault next;
	bool fail_read;
};

static enum store_fault choose(void *ctx)
{
	struct plan *plan = ctx;
	enum store_fault fault = plan->next;

	plan->next = STORE_FAULT_NONE;
	return fault;
}

static bool choose_read(void *ctx)
{
	return ((struct plan *)ctx)->fail_read;
}

static struct store *open_fault(struct plan *plan)
{
	struct store_sqlite_options options = {.path = ":memory:", .slot_count = 16};
	struct store *inner;
	struct err err;

	ck_assert_int_eq(store_sqlite_open(&options, &inner, &err), 0);
	return store_fault_new(inner, choose, choose_read, plan);
}

static int try_create(struct store *store, int n)
{
	struct saga_row row = rows_saga(n);
	struct compensation_row comp = rows_compensation("charge", COMP_ARMED);
	struct store_item item = rows_create(n, &row);
	struct err err;

	item.compensations = &comp;
	item.n_compensations = 1;
	return store->ops->commit(store, &item, 1, &err);
}

static bool is_there(struct store *store, int n)
{
	struct store_reader *reader;
	struct saga_row row;
	struct err err;
	int r;

	ck_assert_int_eq(store->ops->reader_open(store, &reader, &err), 0);
	r = store->ops->saga_get(reader, "default", rows_id(n), &row, &err);
	ck_assert(r == 0 || r == ERR_NOT_FOUND);
	if (r == 0)
		saga_row_release(&row);
	store->ops->reader_close(reader);
	return r == 0;
}

START_TEST(test_fault__before_has_no_effect)
{
	struct plan plan = {.next = STORE_FAULT_BEFORE};
	struct store *store = open_fault(&plan);

	ck_assert_int_eq(try_create(store, 1), ERR_UNAVAILABLE);
	ck_assert(!is_there(store, 1));
	ck_assert_int_eq(try_create(store, 1), 0);
	ck_assert(is_there(store, 1));
	store->ops->close(store);
}
END_TEST

START_TEST(test_fault__unknown_may_have_dropped_or_landed)
{
	struct plan plan = {.next = STORE_FAULT_UNKNOWN_DROPPED};
	struct store *store = open_fault(&plan);
	struct err err;

	ck_assert_int_eq(try_create(store, 1), ERR_UNKNOWN);
	ck_assert_int_eq(store->ops->settle(store, &err), 0);
	ck_assert(!is_there(store, 1));
	plan.next = STORE_FAULT_UNKNOWN_LANDED;
	ck_assert_int_eq(try_create(store, 2), ERR_UNKNOWN);
	ck_assert_int_eq(store->ops->settle(store, &err), 0);
	ck_assert(is_there(store, 2));
	store->ops->close(store);
}
END_TEST

START_TEST(test_fault__late_lands_when_it_is_settled)
{
	struct plan plan = {.next = STORE_FAULT_UNKNOWN_LATE};
	struct store *store = open_fault(&plan);
	struct err err;

	ck_assert_int_eq(try_create(store, 1), ERR_UNKNOWN);
	ck_assert(!is_there(store, 1));
	ck_assert_int_eq(store->ops->settle(store, &err), 0);
	ck_assert(is_there(store, 1));
	ck_assert_int_eq(store->ops->settle(store, &err), 0); /* once */
	ck_assert_int_eq(rows_put_next(store, 1, 2), STORE_ACCEPTED);
	store->ops->close(store);
}
END_TEST

START_TEST(test_fault__late_lands_before_what_is_committed_unsettled)
{
	struct plan plan = {.next = STORE_FAULT_UNKNOWN_LATE};
	struct store *store = open_fault(&plan);

	ck_assert_int_eq(try_create(store, 1), ERR_UNKNOWN);
	ck_assert_int_eq(rows_put_create(store, 1), STORE_DUPLICATE);
	store->ops->close(store);
}
END_TEST

START_TEST(test_fault__late_may_never_land)
{
	struct plan plan = {.next = STORE_FAULT_UNKNOWN_LATE};
	struct store *store = open_fault(&plan);

	ck_assert_int_eq(try_create(store, 1), ERR_UNKNOWN);
	store->ops->close(store);
}
END_TEST

START_TEST(test_fault__a_read_fails)
{
	struct plan plan = {.next = STORE_FAULT_NONE};
	struct store *store = open_fault(&plan);
	struct store_reader *reader;
	struct saga_row row;
	struct err err;

	rows_put_create(store, 1);
	ck_assert_int_eq(store->ops->reader_open(store, &reader, &err), 0);
	plan.fail_read = true;
	ck_assert_int_eq(store->ops->saga_get(reader, "default", rows_id(1), &row, &err),
					 ERR_UNAVAILABLE);
	plan.fail_read = false;
	ck_assert_int_eq(store->ops->saga_get(reader, "default", rows_id(1), &row, &err), 0);
	saga_row_release(&row);
	store->ops->reader_close(reader);
	store->ops->close(store);
}
END_TEST

START_TEST(test_idempotency_store__finds_what_the_commit_wrote)
{
	struct plan plan = {.next = STORE_FAULT_NONE};
	struct store *store = open_fault(&plan);
	struct store_reader *reader;
	struct idempotency *port;
	char id[SAGA_ID_SIZE], fingerprint[SHA256_HEX_SIZE];
	struct err err;

	rows_put_create(store, 1);
	ck_assert_int_eq(store->ops->reader_open(store, &reader, &err), 0);
	port = idempotency_store_new(reader);
	ck_assert_int_eq(port->ops->find(port, "default", "order", rows_key(1), id, fingerprint, &err),
					 0);
	ck_assert_str_eq(id, rows_id(1));
	ck_assert_str_eq(fingerprint, rows_fingerprint(1));
	/* Remembering changes nothing: the table is the authority. */
	ck_assert_int_eq(port->ops->remember(port, "default", "order", rows_key(2), rows_id(2),
										 rows_fingerprint(2), &err),
					 0);
	ck_assert_int_eq(port->ops->find(port, "default", "order", rows_key(2), id, fingerprint, &err),
					 ERR_NOT_FOUND);
	port->ops->close(port);
	store->ops->reader_close(reader);
	store->ops->close(store);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("store_fault");
	TCase *tcase = tcase_create("store_fault");
	SRunner *runner;
	int failed;

	tcase_add_test(tcase, test_fault__before_has_no_effect);
	tcase_add_test(tcase, test_fault__unknown_may_have_dropped_or_landed);
	tcase_add_test(tcase, test_fault__late_lands_when_it_is_settled);
	tcase_add_test(tcase, test_fault__late_lands_before_what_is_committed_unsettled);
	tcase_add_test(tcase, test_fault__late_may_never_land);
	tcase_add_test(tcase, test_fault__a_read_fails);
	tcase_add_test(tcase, test_idempotency_store__finds_what_the_commit_wrote);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}
