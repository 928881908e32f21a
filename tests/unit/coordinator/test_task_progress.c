/* What workers say of their progress, over a store that counts what it is told. */
#include "coordinator/task_progress.h"

#include <check.h>
#include <pthread.h>
#include <stdlib.h>

#include "coordinator/engine.h"
#include "coordinator/log.h"
#include "coordinator/writer.h"

/* So many that some share a place in any table of a few thousand. */
enum { TASKS = 1000 };

static struct {
	struct store store;
	pthread_mutex_t mutex;
	pthread_cond_t noted;
	int notes, last_item;
} s;

static int task_note(struct store *store, const struct task_row *row, struct err *err)
{
	(void)store;
	(void)err;
	pthread_mutex_lock(&s.mutex);
	s.notes++;
	s.last_item = row->item;
	pthread_cond_broadcast(&s.noted);
	pthread_mutex_unlock(&s.mutex);
	return 0;
}

static int idle(struct store *store, struct err *err)
{
	(void)store;
	(void)err;
	return 0;
}

static int grant(struct store *store, wall_ms now, bool *touched, struct err *err)
{
	(void)store;
	(void)now;
	(void)touched;
	(void)err;
	return 0;
}

static const struct store_ops ops = {
	.name = "notes", .task_note = task_note, .idle = idle, .locks_grant = grant};

static void tell(struct task_progress *progress, int item, int64_t attempt)
{
	struct engine_call *call =
		engine_call_for_task("default", "01a20bbf-4f4d-7006-ba02-c32b3af4d5fa", TASK_WORD_HEARTBEAT,
							 "pack", item, SIDE_DO);

	call->task->attempt = attempt;
	call->task->details_text = xstrdup("{\"done\":1}");
	task_progress_told(progress, call);
	engine_call_free(call);
}

static void await_note(int notes, int item)
{
	pthread_mutex_lock(&s.mutex);
	while (s.notes < notes)
		pthread_cond_wait(&s.noted, &s.mutex);
	ck_assert_int_eq(s.notes, notes);
	ck_assert_int_eq(s.last_item, item);
	pthread_mutex_unlock(&s.mutex);
}

/* The first word of an attempt is shown at once, whatever others said in the same second. */
START_TEST(test_task_progress__no_task_holds_another_back)
{
	struct writer_options options = {.store = &s.store};
	struct task_progress *progress;
	struct writer *writer = NULL;
	struct err err;

	s.store.ops = &ops;
	pthread_mutex_init(&s.mutex, NULL);
	pthread_cond_init(&s.noted, NULL);
	log_setup(LOG_OFF, false);
	ck_assert_int_eq(writer_start(&options, &writer, &err), 0);
	progress = task_progress_new(writer);
	for (int i = 0; i < TASKS; i++) {
		tell(progress, i, 1);
		await_note(i + 1, i);
	}
	tell(progress, 7, 2);
	await_note(TASKS + 1, 7);
	task_progress_free(progress);
	writer_stop(writer);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("task_progress");
	TCase *tcase = tcase_create("told");
	SRunner *runner;
	int failed;

	tcase_add_test(tcase, test_task_progress__no_task_holds_another_back);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
