/*
 * The contract over time: definitions, retention, closing and opening again, and a process that is
 * killed while it commits.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sagas/base/macros.h"
#include "tests/support/store_contract.h"
#include "tests/support/store_rows.h"

static struct store_reader *reader_of(struct store *store)
{
	struct store_reader *reader;
	struct err err;

	ck_assert_int_eq(store->ops->reader_open(store, &reader, &err), 0);
	return reader;
}

static struct definition_row deploy(struct store *store, const char *ns, const char *name,
									const char *doc)
{
	static char hash[SHA256_HEX_SIZE];
	struct definition_row row = {.ns = ns,
								 .name = name,
								 .doc = doc,
								 .doc_len = strlen(doc),
								 .source = "saga: x\n",
								 .source_len = 8,
								 .deployed_at = rows_time(1),
								 .version = -1};
	struct err err = {0};

	hash_sha256_hex(doc, strlen(doc), hash);
	row.hash = hash;
	ck_assert_msg(store->ops->definition_put(store, &row, &err) == 0, "%s", err.text);
	return row;
}

static int count_definitions(void *ctx, const struct definition_row *row)
{
	int64_t *versions = ctx;

	versions[0]++;
	versions[versions[0]] = row->version;
	ck_assert_ptr_nonnull(row->name);
	ck_assert_ptr_nonnull(row->hash);
	return 0;
}

START_TEST(test_definition__the_same_content_is_the_same_version)
{
	struct store *store = store_contract__kinds[_i].open();
	struct definition_row row = deploy(store, "default", "order", "{\"a\":1}");

	ck_assert_int_eq(row.version, 1);
	ck_assert(!row.existed);
	row = deploy(store, "default", "order", "{\"a\":2}");
	ck_assert_int_eq(row.version, 2);
	ck_assert(!row.existed);
	row = deploy(store, "default", "order", "{\"a\":1}");
	ck_assert_int_eq(row.version, 1);
	ck_assert(row.existed);
	row = deploy(store, "default", "order", "{\"a\":3}");
	ck_assert_int_eq(row.version, 3);
	row = deploy(store, "default", "payment", "{\"a\":1}"); /* names and namespaces count alone */
	ck_assert_int_eq(row.version, 1);
	ck_assert(!row.existed);
	row = deploy(store, "other", "order", "{\"a\":1}");
	ck_assert_int_eq(row.version, 1);
	ck_assert(!row.existed);
	store->ops->close(store);
}
END_TEST

START_TEST(test_definition__is_read_by_version_and_listed)
{
	struct store *store = store_contract__kinds[_i].open();
	struct store_reader *reader = reader_of(store);
	const struct store_ops *ops = store->ops;
	int64_t versions[8] = {0};
	struct definition_row row;
	struct err err;

	deploy(store, "default", "order", "{\"a\":1}");
	deploy(store, "default", "order", "{\"a\":22}");
	deploy(store, "default", "payment", "{}");
	deploy(store, "other", "order", "{\"o\":1}");
	ck_assert_int_eq(ops->definition_get(reader, "default", "order", 0, &row, &err), 0);
	ck_assert_int_eq(row.version, 2);
	ck_assert_str_eq(row.ns, "default");
	ck_assert_str_eq(row.name, "order");
	ck_assert_str_eq(row.doc, "{\"a\":22}");
	ck_assert_uint_eq(row.doc_len, 8);
	ck_assert_str_eq(row.source, "saga: x\n");
	ck_assert_uint_eq(row.source_len, 8);
	ck_assert_uint_eq(strlen(row.hash), 64);
	ck_assert_int_eq(row.deployed_at, rows_time(1));
	definition_row_release(&row);
	ck_assert_int_eq(ops->definition_get(reader, "default", "order", 1, &row, &err), 0);
	ck_assert_str_eq(row.doc, "{\"a\":1}");
	definition_row_release(&row);
	ck_assert_int_eq(ops->definition_get(reader, "default", "order", 3, &row, &err), ERR_NOT_FOUND);
	ck_assert_int_eq(ops->definition_get(reader, "default", "none", 0, &row, &err), ERR_NOT_FOUND);
	ck_assert_int_eq(
		ops->definition_list(reader, "default", NULL, count_definitions, versions, &err), 0);
	ck_assert_int_eq(versions[0], 2); /* the newest of order, then of payment */
	ck_assert_int_eq(versions[1], 2);
	ck_assert_int_eq(versions[2], 1);
	versions[0] = 0;
	ck_assert_int_eq(ops->definition_list(reader, NULL, NULL, count_definitions, versions, &err),
					 0);
	ck_assert_int_eq(versions[0], 3); /* and then that of the other namespace */
	ck_assert_int_eq(versions[1], 2);
	ck_assert_int_eq(versions[2], 1);
	ck_assert_int_eq(versions[3], 1);
	versions[0] = 0;
	ck_assert_int_eq(
		ops->definition_list(reader, "default", "order", count_definitions, versions, &err), 0);
	ck_assert_int_eq(versions[0], 2);
	ck_assert_int_eq(versions[1], 2); /* newest first */
	ck_assert_int_eq(versions[2], 1);
	ops->reader_close(reader);
	ops->close(store);
}
END_TEST

static int any_history(void *ctx, const struct history_row *row)
{
	(void)row;
	++*(int *)ctx;
	return 0;
}

static int any_compensation(void *ctx, const struct compensation_row *row)
{
	(void)row;
	++*(int *)ctx;
	return 0;
}

/* How many rows there are of saga n, of all kinds. */
static int rows_of(struct store *store, const char *ns, int n)
{
	struct store_reader *reader = reader_of(store);
	char id[SAGA_ID_SIZE], fingerprint[SHA256_HEX_SIZE];
	struct saga_row row;
	struct err err;
	int rows = 0;

	if (store->ops->saga_get(reader, ns, rows_id(n), &row, &err) == 0) {
		rows++;
		saga_row_release(&row);
	}
	if (store->ops->find_key(reader, ns, "order", rows_key(n), id, fingerprint, &err) == 0)
		rows++;
	ck_assert_int_eq(store->ops->history(reader, rows_id(n), 0, 100, any_history, &rows, &err), 0);
	ck_assert_int_eq(store->ops->compensations(reader, rows_id(n), any_compensation, &rows, &err),
					 0);
	store->ops->reader_close(reader);
	return rows;
}

/* Saga n: 2 history rows, 1 compensation, 1 key, 1 saga. */
enum { ALL_ROWS = 5 };

static void put_ended(struct store *store, const char *ns, int n, enum saga_status status)
{
	struct saga_row row = rows_saga(n), end = rows_saga(n);
	struct compensation_row comp = rows_compensation("charge", COMP_ARMED);
	struct store_item items[] = {rows_create(n, &row), rows_next(n, 2, &end)};
	struct err err;

	row.ns = end.ns = ns;
	end.status = status;
	end.ended_at = saga_status_is_terminal(status) ? rows_time(n + 1) : 0;
	items[1].compensations = &comp;
	items[1].n_compensations = 1;
	ck_assert_int_eq(store->ops->commit(store, items, 2, &err), 0);
	ck_assert_int_eq(items[1].verdict, STORE_ACCEPTED);
}

START_TEST(test_retain__removes_old_ends_whole_and_nothing_else)
{
	struct store *store = store_contract__kinds[_i].open();
	struct store_reader *reader = reader_of(store);
	int64_t counts[SAGA_STATUS_COUNT];
	struct err err;
	int n;

	put_ended(store, "default", 1, SAGA_COMPLETED);
	put_ended(store, "default", 2, SAGA_COMPENSATION_FAILED);
	put_ended(store, "other", 3, SAGA_COMPENSATED);
	put_ended(store, "default", 4, SAGA_RUNNING);
	put_ended(store, "default", 5, SAGA_FAILED);
	put_ended(store, "default", 6, SAGA_TERMINATED);
	put_ended(store, "default", 20, SAGA_COMPLETED); /* too young */
	ck_assert_int_eq(store->ops->retain(store, rows_time(10), 100, &n, &err), 0);
	ck_assert_int_eq(n, 4);
	ck_assert_int_eq(rows_of(store, "default", 1), 0);
	ck_assert_int_eq(rows_of(store, "default", 2), ALL_ROWS);
	ck_assert_int_eq(rows_of(store, "other", 3), 0);
	ck_assert_int_eq(rows_of(store, "default", 4), ALL_ROWS);
	ck_assert_int_eq(rows_of(store, "default", 5), 0);
	ck_assert_int_eq(rows_of(store, "default", 6), 0);
	ck_assert_int_eq(rows_of(store, "default", 20), ALL_ROWS);
	ck_assert_int_eq(store->ops->counts(reader, "default", counts, &err), 0);
	ck_assert_int_eq(counts[SAGA_COMPLETED], 1);
	ck_assert_int_eq(counts[SAGA_FAILED], 0);
	ck_assert_int_eq(counts[SAGA_COMPENSATION_FAILED], 1);
	ck_assert_int_eq(store->ops->retain(store, rows_time(10), 100, &n, &err), 0);
	ck_assert_int_eq(n, 0);
	ck_assert_int_eq(rows_put_create(store, 1), STORE_ACCEPTED); /* the key is free again */
	store->ops->reader_close(reader);
	store->ops->close(store);
}
END_TEST

START_TEST(test_retain__goes_on_where_its_limit_stopped_it)
{
	struct store *store = store_contract__kinds[_i].open();
	int n, total = 0;
	struct err err;

	for (int i = 0; i < 30; i++)
		put_ended(store, i % 2 ? "default" : "other", i, i % 3 ? SAGA_COMPLETED : SAGA_RUNNING);
	for (int turn = 0; turn < 4; turn++) {
		ck_assert_int_eq(store->ops->retain(store, rows_time(50), 6, &n, &err), 0);
		ck_assert_int_le(n, 6);
		total += n;
	}
	ck_assert_int_eq(total, 20);
	rows_put_end(store, 3, 3, SAGA_COMPLETED); /* was passed over; it is found the next time */
	for (int turn = 0; turn < 2; turn++) {
		ck_assert_int_eq(store->ops->retain(store, rows_time(50), 6, &n, &err), 0);
		total += n;
	}
	ck_assert_int_eq(total, 21);
	ck_assert_int_eq(rows_of(store, "default", 3), 0);
	store->ops->close(store);
}
END_TEST

START_TEST(test_retain__looks_at_so_many_at_a_time)
{
	enum { OPEN = STORE_RETAIN_LOOKS + 10 };
	static struct saga_row rows[OPEN];
	static struct store_item items[OPEN];
	struct store *store = store_contract__kinds[_i].open();
	struct err err;
	int n;

	for (int i = 0; i < OPEN; i++) {
		rows[i] = rows_saga(i);
		items[i] = rows_create(i, &rows[i]);
	}
	ck_assert_int_eq(store->ops->commit(store, items, OPEN, &err), 0);
	put_ended(store, "default", OPEN, SAGA_COMPLETED);
	ck_assert_int_eq(store->ops->retain(store, rows_time(OPEN + 10), 100, &n, &err), 1);
	ck_assert_int_eq(n, 0);
	ck_assert_int_eq(store->ops->retain(store, rows_time(OPEN + 10), 100, &n, &err), 0);
	ck_assert_int_eq(n, 1);
	ck_assert_int_eq(rows_of(store, "default", OPEN), 0);
	ck_assert_int_eq(rows_of(store, "default", 0), 3); /* itself, its key and its history */
	store->ops->close(store);
}
END_TEST

START_TEST(test_reopen__keeps_what_was_committed)
{
	const struct store_kind *kind = &store_contract__kinds[_i];
	struct store *store = kind->open();
	struct store_reader *reader;
	struct definition_row row;
	struct err err;

	deploy(store, "default", "order", "{}");
	put_ended(store, "default", 1, SAGA_COMPLETED);
	rows_put_create(store, 2);
	store->ops->close(store);
	if (!kind->reopen)
		return;
	store = kind->reopen();
	ck_assert_int_eq(store->ops->slot_count(store), ROWS_SLOTS);
	ck_assert_int_eq(rows_of(store, "default", 1), ALL_ROWS);
	ck_assert_int_eq(rows_put_next(store, 2, 2), STORE_ACCEPTED);
	ck_assert_int_eq(rows_put_next(store, 2, 2), STORE_CONFLICT);
	reader = reader_of(store);
	ck_assert_int_eq(store->ops->definition_get(reader, "default", "order", 1, &row, &err), 0);
	definition_row_release(&row);
	store->ops->reader_close(reader);
	store->ops->close(store);
}
END_TEST

enum { BATCH = 6 };

/* Batch b starts six sagas, and ends the first three of the batch before. */
static void write_batch(struct store *store, int b)
{
	struct saga_row rows[BATCH], ends[3];
	struct store_item items[BATCH + 3];
	int n = 0;
	struct err err;

	for (int i = 0; i < BATCH; i++) {
		rows[i] = rows_saga(b * BATCH + i);
		items[n++] = rows_create(b * BATCH + i, &rows[i]);
	}
	for (int i = 0; b > 0 && i < 3; i++) {
		ends[i] = rows_saga((b - 1) * BATCH + i);
		ends[i].status = SAGA_COMPLETED;
		ends[i].ended_at = rows_time(b * BATCH);
		items[n++] = rows_next((b - 1) * BATCH + i, 2, &ends[i]);
	}
	CHECK(store->ops->commit(store, items, (size_t)n, &err) == 0);
	for (int i = 0; i < n; i++)
		CHECK(items[i].verdict == STORE_ACCEPTED);
}

/* Commits batches, and tells of each once it is durable, until it is killed. */
static void run_until_killed(const struct store_kind *kind, int first, int fd)
{
	struct store *store = kind->reopen();

	for (int b = first; b < ROWS_MAX / BATCH; b++) {
		write_batch(store, b);
		CHECK(write(fd, &b, sizeof(b)) == sizeof(b));
	}
	_exit(0);
}

/* Runs a child that goes on from batch `first`, kills it after `reports` commits, and returns the
 * last batch that it reported. */
static int run_and_kill(const struct store_kind *kind, int first, int reports)
{
	int fds[2], b = first - 1, got;
	pid_t pid;

	ck_assert_int_eq(pipe(fds), 0);
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		close(fds[0]);
		run_until_killed(kind, first, fds[1]);
	}
	close(fds[1]);
	for (int i = 0; i < reports; i++)
		ck_assert_int_eq(read(fds[0], &b, sizeof(b)), sizeof(b));
	kill(pid, SIGKILL);
	ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
	while (read(fds[0], &got, sizeof(got)) == sizeof(got)) /* reported before it died */
		b = got;
	close(fds[0]);
	return b;
}

/* True when batch b is there as a whole, false when it is absent as a whole. */
static bool is_there(struct store *store, int b)
{
	int rows = 0;

	for (int i = 3; i < BATCH; i++) /* those that no later batch ends */
		rows += rows_of(store, "default", b * BATCH + i);
	ck_assert(rows == 0 || rows == 3 * 3); /* a saga, its key, its first row */
	for (int i = 0; b > 0 && i < 3; i++)
		ck_assert_int_eq(rows_of(store, "default", (b - 1) * BATCH + i), rows > 0 ? 4 : 3);
	return rows > 0;
}

START_TEST(test_kill__loses_nothing_that_was_reported_and_halves_no_batch)
{
	const struct store_kind *kind = &store_contract__kinds[_i];
	struct store *store = kind->open();
	int first = 0;

	store->ops->close(store);
	if (!kind->reopen)
		return;
	for (int round = 0; round < 12; round++) {
		int last = run_and_kill(kind, first, 1 + round * 3 % 10);

		store = kind->reopen();
		ck_assert_int_ge(last, first);
		for (int b = first; b <= last; b++)
			ck_assert(is_there(store, b));
		first = last + 1;
		if (is_there(store, first)) /* committed, and died before it could say so */
			first++;
		ck_assert(!is_there(store, first));
		store->ops->close(store);
	}
}
END_TEST

void store_contract__add_life(TCase *tcase, int n)
{
	tcase_add_loop_test(tcase, test_definition__the_same_content_is_the_same_version, 0, n);
	tcase_add_loop_test(tcase, test_definition__is_read_by_version_and_listed, 0, n);
	tcase_add_loop_test(tcase, test_retain__removes_old_ends_whole_and_nothing_else, 0, n);
	tcase_add_loop_test(tcase, test_retain__goes_on_where_its_limit_stopped_it, 0, n);
	tcase_add_loop_test(tcase, test_retain__looks_at_so_many_at_a_time, 0, n);
	tcase_add_loop_test(tcase, test_reopen__keeps_what_was_committed, 0, n);
	tcase_add_loop_test(tcase, test_kill__loses_nothing_that_was_reported_and_halves_no_batch, 0,
						n);
}
