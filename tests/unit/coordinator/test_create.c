/* Creating sagas for other nodes, with a real writer over a store whose commits fail on demand. */
#include "coordinator/create.h"

#include <check.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "connectors/store_fault.h"
#include "connectors/store_sqlite.h"
#include "coordinator/log.h"
#include "sagas/def_load.h"
#include "sagas/json_text.h"

enum { MAX_FAULTS = 8 };

static const char one_step[] =
	"{\"saga\": \"one\", \"participants\": {\"p\": {\"timeout\": \"5s\"}}, \"steps\": ["
	"{\"id\": \"a\", \"http\": {\"to\": \"p\", \"method\": \"GET\", \"path\": \"/a\"}}]}";

static const char cancelled_by[] =
	"{\"saga\": \"one\", \"participants\": {\"p\": {\"timeout\": \"5s\"}},"
	" \"cancel_on\": [{\"kafka\": \"stops\", \"correlate\": {\"from\": \"${event.data.id}\","
	" \"expect\": \"xx\"}}], \"steps\": ["
	"{\"id\": \"a\", \"http\": {\"to\": \"p\", \"method\": \"GET\", \"path\": \"/a\"}}]}";

static struct {
	struct store *store;
	struct store_ops ops;
	struct store_reader *reader;
	struct writer *writer;
	struct saga_def *def;
	enum store_fault faults[MAX_FAULTS]; /* of the commits to come, in order */
	int n_faults, n_commits;
	const char *events_topic;
	unsigned char next_id;
	pthread_mutex_t mutex;
	pthread_cond_t changed;
	bool done;
} w;

static enum store_fault choose_commit(void *ctx)
{
	int i = w.n_commits++;

	(void)ctx;
	return i < w.n_faults ? w.faults[i] : STORE_FAULT_NONE;
}

static void use_definition(const char *text)
{
	CLEANUP(json_decref_p) json_t *doc = NULL;
	struct findings findings = {0};
	struct err err;

	saga_def_unref(w.def);
	ck_assert_int_eq(json_parse(text, strlen(text), &doc, &err), 0);
	ck_assert_int_eq(saga_def_load(doc, NULL, &w.def, &findings), 0);
	findings_release(&findings);
	w.def->version = 1;
}

static void setup(void)
{
	struct store_sqlite_options options = {.path = ":memory:", .no_sync = true};
	struct writer_options writer;
	struct store *inner;
	struct err err;

	memset(&w, 0, sizeof(w));
	log_setup(LOG_OFF, false);
	pthread_mutex_init(&w.mutex, NULL);
	pthread_cond_init(&w.changed, NULL);
	ck_assert_int_eq(store_sqlite_open(&options, &inner, &err), 0);
	w.store = store_fault_new(inner, choose_commit, NULL, NULL);
	/* Only commits of sagas are counted, and no grant of locks at the writer's leisure. */
	w.ops = *w.store->ops;
	w.ops.locks_grant = NULL;
	w.store->ops = &w.ops;
	ck_assert_int_eq(w.store->ops->reader_open(w.store, &w.reader, &err), 0);
	writer = (struct writer_options){.store = w.store};
	ck_assert_int_eq(writer_start(&writer, &w.writer, &err), 0);
	use_definition(one_step);
}

static void teardown(void)
{
	writer_stop(w.writer);
	w.store->ops->reader_close(w.reader);
	w.store->ops->close(w.store);
	saga_def_unref(w.def);
	pthread_cond_destroy(&w.changed);
	pthread_mutex_destroy(&w.mutex);
}

static void many_done(struct creations *creations)
{
	(void)creations;
	pthread_mutex_lock(&w.mutex);
	w.done = true;
	pthread_cond_signal(&w.changed);
	pthread_mutex_unlock(&w.mutex);
}

static struct creation *creation_of(const char *key, const char *print, size_t input_bytes)
{
	unsigned char random[8] = {0, 0, 0, 0, 0, 0, 0, ++w.next_id};
	char fingerprint[SHA256_HEX_SIZE], id[SAGA_ID_SIZE];
	CLEANUP(jval_unref_p) struct jval *input = NULL;
	char *text = xcalloc(1, input_bytes + 3);
	struct creation *creation;
	struct creation_request request = {.ns = "default", .id = id, .key = key, .def = w.def};
	struct err err;

	memset(text, 'x', input_bytes + 2);
	text[0] = text[input_bytes + 1] = '"';
	input = jval_from_text(text, input_bytes + 2);
	memset(fingerprint, *print, sizeof(fingerprint) - 1);
	fingerprint[SHA256_HEX_SIZE - 1] = '\0';
	saga_id_make(1700000000000, saga_slot("default", "one", key, 16), random, id);
	request.fingerprint = fingerprint;
	request.input = input;
	request.now = 1700000000000;
	request.lifecycle = (struct lifecycle_topic){"default", w.events_topic};
	ck_assert_int_eq(creation_new(&request, &creation, &err), 0);
	return creation;
}

static void add(struct creations *creations, const char *key, const char *print)
{
	ck_assert(creations_add(creations, creation_of(key, print, 2)));
}

static void post_and_wait(struct creations *creations)
{
	w.done = false;
	creations->done = many_done;
	ck_assert(creations_post(creations, w.writer));
	pthread_mutex_lock(&w.mutex);
	while (!w.done)
		pthread_cond_wait(&w.changed, &w.mutex);
	pthread_mutex_unlock(&w.mutex);
}

static bool is_stored(const char *id)
{
	struct saga_row row = {0};
	struct err err;
	int r = w.store->ops->saga_get(w.reader, "default", id, &row, &err);

	if (r == 0)
		saga_row_release(&row);
	return r == 0;
}

START_TEST(test_create__makes_many_in_one_commit_and_judges_each)
{
	struct creations *first = creations_new(), *second = creations_new();

	add(first, "a", "1");
	post_and_wait(first);
	ck_assert_int_eq(first->list[0]->result, 0);
	add(second, "b", "1");
	add(second, "a", "2"); /* is there already */
	add(second, "c", "1");
	add(second, "b", "3"); /* is in the same batch */
	post_and_wait(second);
	ck_assert_int_eq(w.n_commits, 2);
	for (size_t i = 0; i < second->n; i++)
		ck_assert_int_eq(second->list[i]->result, 0);
	ck_assert(!second->list[0]->duplicate);
	ck_assert(second->list[1]->duplicate);
	ck_assert_str_eq(second->list[1]->item.existing_id, first->list[0]->row.id);
	ck_assert_int_eq(second->list[1]->item.existing_fingerprint[0], '1');
	ck_assert(!second->list[2]->duplicate);
	ck_assert(second->list[3]->duplicate);
	ck_assert_str_eq(second->list[3]->item.existing_id, second->list[0]->row.id);
	ck_assert(is_stored(second->list[0]->row.id));
	ck_assert(is_stored(second->list[2]->row.id));
	ck_assert(!is_stored(second->list[1]->row.id));
	ck_assert(!is_stored(second->list[3]->row.id));
	creations_free(first);
	creations_free(second);
}
END_TEST

START_TEST(test_create__makes_many_again_after_a_commit_of_unknown_outcome)
{
	static const enum store_fault unknown[] = {
		STORE_FAULT_UNKNOWN_LANDED, STORE_FAULT_UNKNOWN_DROPPED, STORE_FAULT_UNKNOWN_LATE};
	struct creations *creations = creations_new();

	w.faults[0] = unknown[_i];
	w.n_faults = 1;
	add(creations, "a", "1");
	add(creations, "b", "1");
	post_and_wait(creations);
	ck_assert_int_eq(w.n_commits, 2);
	for (size_t i = 0; i < creations->n; i++) {
		ck_assert_int_eq(creations->list[i]->result, 0);
		ck_assert(!creations->list[i]->duplicate);
		ck_assert(is_stored(creations->list[i]->row.id));
	}
	creations_free(creations);
}
END_TEST

START_TEST(test_create__says_of_each_that_the_commit_failed)
{
	struct creations *creations = creations_new();

	w.faults[0] = STORE_FAULT_BEFORE;
	w.n_faults = 1;
	add(creations, "a", "1");
	add(creations, "b", "1");
	post_and_wait(creations);
	for (size_t i = 0; i < creations->n; i++) {
		ck_assert_int_eq(creations->list[i]->result, ERR_UNAVAILABLE);
		ck_assert(*creations->list[i]->err.text);
	}
	/* The same may be handed over again. */
	post_and_wait(creations);
	for (size_t i = 0; i < creations->n; i++)
		ck_assert_int_eq(creations->list[i]->result, 0);
	creations_free(creations);
}
END_TEST

static int count_row(void *ctx, const struct outbox_row *row)
{
	ck_assert_str_eq(row->type, "skald.saga.started");
	ck_assert_str_eq(row->topic, "skald.events");
	++*(int *)ctx;
	return 0;
}

static int outbox_rows(void)
{
	struct outbox_page page = {.limit = STORE_PUT_MAX};
	int slots[SLOTS_MAX];
	struct err err;
	int n = 0;

	page.n_slots = (size_t)w.store->ops->slot_count(w.store);
	for (size_t i = 0; i < page.n_slots; i++)
		slots[i] = (int)i;
	page.slots = slots;
	ck_assert_int_eq(w.store->ops->outbox_list(w.reader, &page, count_row, &n, &err), 0);
	return n;
}

START_TEST(test_create__writes_what_the_saga_waits_for_and_that_it_has_started)
{
	struct creations *creations = creations_new();
	bool *touched = xcalloc(SLOTS_MAX, sizeof(*touched));
	struct event_row event = {.ns = "default",
							  .value = "xx",
							  .id = "default/stops/0/1",
							  .at = 1700000000000,
							  .expires_at = 1700000001000,
							  .event = "{}",
							  .event_len = 2};
	struct err err;
	int n = 0;

	use_definition(cancelled_by);
	w.events_topic = _i ? "skald.events" : NULL;
	add(creations, "a", "1");
	add(creations, "b", "1");
	add(creations, "a", "1"); /* never was */
	post_and_wait(creations);
	ck_assert(creations->list[2]->duplicate);
	ck_assert_int_eq(outbox_rows(), _i ? 2 : 0);
	event.channel = w.def->cancel_on[0].channel;
	ck_assert_int_eq(w.store->ops->events_put(w.store, &event, 1, touched, &err), 0);
	for (int i = 0; i < SLOTS_MAX; i++)
		n += touched[i];
	ck_assert_int_eq(n, creations->list[0]->row.slot == creations->list[1]->row.slot ? 1 : 2);
	creations_free(creations);
	free(touched);
}
END_TEST

START_TEST(test_create__takes_no_more_than_fits_one_commit)
{
	struct creations *creations = creations_new();
	struct creation *large = creation_of("large", "1", CREATIONS_MAX_BYTES);
	struct creation *small;
	char key[16];

	ck_assert(creations_add(creations, large));
	small = creation_of("small", "1", 2);
	ck_assert(!creations_add(creations, small));
	creations_free(creations);
	creations = creations_new();
	for (int i = 0; i < CREATIONS_MAX; i++) {
		snprintf(key, sizeof(key), "k%d", i);
		add(creations, key, "1");
	}
	ck_assert(!creations_add(creations, small));
	creation_free(small);
	creations_free(creations);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("create");
	TCase *tcase = tcase_create("create");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, test_create__makes_many_in_one_commit_and_judges_each);
	tcase_add_loop_test(tcase, test_create__makes_many_again_after_a_commit_of_unknown_outcome, 0,
						3);
	tcase_add_test(tcase, test_create__says_of_each_that_the_commit_failed);
	tcase_add_loop_test(tcase, test_create__writes_what_the_saga_waits_for_and_that_it_has_started,
						0, 2);
	tcase_add_test(tcase, test_create__takes_no_more_than_fits_one_commit);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
