/* The store writer over a store that only takes notes, and fails when a test says so. */
#include "coordinator/writer.h"

#include <check.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/log.h"

enum { MAX_NOTES = 32 };

/* What the writer did to the store, a letter each: c(ommit), s(ettle), j(ob), i(dle), r(etain). */
static struct {
	struct store store;
	pthread_mutex_t mutex;
	pthread_cond_t noted;
	char notes[MAX_NOTES + 1];
	size_t n;
	int commit_result;
	int settle_failures, job_failures, trims;
	bool hold; /* commits wait */
} s;

static void note(char what)
{
	pthread_mutex_lock(&s.mutex);
	while (what == 'c' && s.hold)
		pthread_cond_wait(&s.noted, &s.mutex);
	if (s.n < MAX_NOTES)
		s.notes[s.n++] = what;
	pthread_cond_broadcast(&s.noted);
	pthread_mutex_unlock(&s.mutex);
}

/* Waits until the notes begin with text. */
static void expect(const char *text)
{
	pthread_mutex_lock(&s.mutex);
	while (s.n < strlen(text))
		pthread_cond_wait(&s.noted, &s.mutex);
	ck_assert_msg(strncmp(s.notes, text, strlen(text)) == 0, "notes are %s", s.notes);
	pthread_mutex_unlock(&s.mutex);
}

static void hold(bool holds)
{
	pthread_mutex_lock(&s.mutex);
	s.hold = holds;
	pthread_cond_broadcast(&s.noted);
	pthread_mutex_unlock(&s.mutex);
}

static int store_commit(struct store *store, struct store_item *items, size_t n, struct err *err)
{
	(void)store;
	note('c');
	if (s.commit_result < 0)
		return err_set(err, s.commit_result, "as the test wants it");
	for (size_t i = 0; i < n; i++)
		items[i].verdict = STORE_ACCEPTED;
	return 0;
}

static int store_settle(struct store *store, struct err *err)
{
	(void)store;
	note('s');
	return s.settle_failures-- > 0 ? err_set(err, ERR_IO, "not yet") : 0;
}

static int store_retain(struct store *store, wall_ms before, int limit, int *ret_n, struct err *err)
{
	(void)store;
	(void)before;
	(void)limit;
	(void)err;
	note('r');
	*ret_n = 0;
	return 0;
}

static int store_trim(struct store *store, wall_ms before, int limit, int *ret_n, struct err *err)
{
	(void)store;
	(void)before;
	(void)limit;
	(void)err;
	note('t');
	*ret_n = 0;
	return s.trims++ == 0; /* there is more, once */
}

static int store_grant(struct store *store, wall_ms now, bool *touched, struct err *err)
{
	(void)store;
	(void)now;
	(void)touched;
	(void)err;
	return 0;
}

static int store_idle(struct store *store, struct err *err)
{
	(void)store;
	(void)err;
	note('i');
	return 0;
}

static const struct store_ops ops = {
	.name = "notes",
	.commit = store_commit,
	.settle = store_settle,
	.retain = store_retain,
	.history_trim = store_trim,
	.locks_grant = store_grant,
	.idle = store_idle,
};

static struct writer *start_retaining(int64_t retention_ms, int64_t run_retention_ms)
{
	struct writer_options options = {
		.store = &s.store, .retention_ms = retention_ms, .run_retention_ms = run_retention_ms};
	struct writer *writer = NULL;
	struct err err;

	memset(&s, 0, sizeof(s));
	s.store.ops = &ops;
	pthread_mutex_init(&s.mutex, NULL);
	pthread_cond_init(&s.noted, NULL);
	log_setup(LOG_OFF, false);
	ck_assert_int_eq(writer_start(&options, &writer, &err), 0);
	return writer;
}

static struct writer *start_writer(void)
{
	return start_retaining(0, 0);
}

/* What was looked at in part is gone on with; sagas stay where they are kept for ever. */
START_TEST(test_retain__runs_that_are_over_alone)
{
	struct writer *writer = start_retaining(0, 1000);

	expect("tt");
	writer_stop(writer);
}
END_TEST

START_TEST(test_retain__sagas_and_runs)
{
	struct writer *writer = start_retaining(1000, 1000);

	expect("rt");
	writer_stop(writer);
}
END_TEST

struct ending {
	int result, n;
	int verdict;
};

static void batch_done(struct batch *batch)
{
	struct ending *ending = batch->ctx;

	ending->result = batch->result;
	ending->n++;
	ending->verdict = (int)batch->items[0].verdict;
	note('d');
}

static struct batch *new_batch(struct ending *ending)
{
	struct batch *batch = batch_new();

	*ending = (struct ending){.verdict = -1};
	batch_add(batch, NULL);
	batch->done = batch_done;
	batch->ctx = ending;
	return batch;
}

struct job {
	struct writer_job job;
	int tries;
};

static int run_job(struct writer_job *base, struct store *store)
{
	struct job *job = CONTAINER_OF(base, struct job, job);

	(void)store;
	job->tries = base->tries;
	note('j');
	return s.job_failures-- > 0 && base->tries + 1 < WRITER_JOB_TRIES ? ERR_UNKNOWN : 0;
}

START_TEST(test_writer__commits_and_then_tends_the_idle_store)
{
	struct writer *writer = start_writer();
	struct writer_stats stats;
	struct ending ending;
	struct batch *batch = new_batch(&ending);

	writer_commit(writer, batch);
	expect("cdi");
	ck_assert_int_eq(ending.n, 1);
	ck_assert_int_eq(ending.result, 0);
	ck_assert_int_eq(ending.verdict, STORE_ACCEPTED);
	writer_stats(writer, &stats);
	ck_assert_int_eq(stats.commits, 1);
	ck_assert_int_eq(stats.items, 1);
	writer_stop(writer);
	batch_free(batch);
}
END_TEST

START_TEST(test_writer__settles_before_it_tells_an_unknown_outcome)
{
	struct writer *writer = start_writer();
	struct ending ending;
	struct batch *batch = new_batch(&ending);

	s.commit_result = ERR_UNKNOWN;
	s.settle_failures = 2;
	writer_commit(writer, batch);
	expect("csssd");
	ck_assert_int_eq(ending.result, ERR_UNKNOWN);
	writer_stop(writer);
	batch_free(batch);
}
END_TEST

START_TEST(test_writer__tells_a_failure_at_once)
{
	struct writer *writer = start_writer();
	struct writer_stats stats;
	struct ending ending;
	struct batch *batch = new_batch(&ending);

	s.commit_result = ERR_IO;
	writer_commit(writer, batch);
	expect("cd");
	ck_assert_int_eq(ending.result, ERR_IO);
	writer_stats(writer, &stats);
	ck_assert_int_eq(stats.failures, 1);
	writer_stop(writer);
	batch_free(batch);
}
END_TEST

START_TEST(test_writer__runs_jobs_between_batches)
{
	struct writer *writer = start_writer();
	struct ending ending[2];
	struct batch *first = new_batch(&ending[0]), *second = new_batch(&ending[1]);
	struct job job = {.job.run = run_job};

	hold(true);
	writer_commit(writer, first);
	ck_assert(writer_post(writer, &job.job));
	writer_commit(writer, second);
	hold(false);
	expect("cdjcd");
	writer_stop(writer);
	batch_free(first);
	batch_free(second);
}
END_TEST

START_TEST(test_writer__runs_a_job_of_unknown_outcome_again)
{
	struct writer *writer = start_writer();
	struct job job = {.job.run = run_job};

	s.job_failures = 100;
	ck_assert(writer_post(writer, &job.job));
	expect("jsjsj");
	writer_stop(writer);
	ck_assert_int_eq(job.tries, WRITER_JOB_TRIES - 1);
}
END_TEST

START_TEST(test_writer__does_what_it_was_given_before_it_stops)
{
	struct writer *writer = start_writer();
	struct ending ending;
	struct batch *batch = new_batch(&ending);

	writer_commit(writer, batch);
	writer_stop(writer);
	ck_assert_int_eq(ending.n, 1);
	batch_free(batch);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("writer");
	TCase *tc = tcase_create("writer");
	SRunner *runner;
	int failed;

	tcase_add_test(tc, test_retain__runs_that_are_over_alone);
	tcase_add_test(tc, test_retain__sagas_and_runs);
	tcase_add_test(tc, test_writer__commits_and_then_tends_the_idle_store);
	tcase_add_test(tc, test_writer__settles_before_it_tells_an_unknown_outcome);
	tcase_add_test(tc, test_writer__tells_a_failure_at_once);
	tcase_add_test(tc, test_writer__runs_jobs_between_batches);
	tcase_add_test(tc, test_writer__runs_a_job_of_unknown_outcome_again);
	tcase_add_test(tc, test_writer__does_what_it_was_given_before_it_stops);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
