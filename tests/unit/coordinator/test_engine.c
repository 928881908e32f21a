/*
 * The engine's threads together with writer, loader, registry and HTTP client over a store on disk.
 * What is decided is the business of test_turn; here it is about threads (run it under SAN=thread).
 */
#include "coordinator/engine.h"

#include <check.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "connectors/http_client.h"
#include "connectors/store_sqlite.h"
#include "coordinator/clock.h"
#include "coordinator/delivery.h"
#include "coordinator/log.h"
#include "coordinator/registry.h"
#include "coordinator/turn.h"
#include "coordinator/writer.h"
#include "tests/support/temp_dir.h"

enum { STARTERS = 4, EACH = 100 };

static const char at_once[] = "saga: at-once\n"
							  "steps:\n"
							  "  - {id: a, set: {n: 1}}\n"
							  "  - {id: b, set: {n: '${steps.a.output.n + 1}'}}\n"
							  "output: {n: '${steps.b.output.n}'}\n";

static const char calling[] = "saga: calling\n"
							  "participants: {nobody: {timeout: 5s}}\n"
							  "defaults: {retry: {initial_interval: 1h}}\n"
							  "steps:\n"
							  "  - {id: a, http: {to: nobody, method: GET, path: /a}}\n";

static const char commanding[] = "saga: commanding\n"
								 "participants: {p: {timeout: 1h}}\n"
								 "steps:\n"
								 "  - {id: a, command: {to: p, type: A}, compensate: none}\n"
								 "  - {id: b, command: {to: p, type: B}, compensate: none}\n";

static const char hasty[] = "saga: hasty\n"
							"participants: {p: {timeout: 20ms}}\n"
							"defaults: {retry: {maximum_attempts: 1}}\n"
							"steps:\n"
							"  - {id: a, command: {to: p, type: A}, compensate: none}\n";

/* A command that was sent, for a thread that answers it. */
struct sent_command {
	char saga_id[SAGA_ID_SIZE];
	char step[2];
};

static struct {
	struct store *store;
	struct writer *writer;
	struct registry *registry;
	struct http_client *http;
	struct engine *engine;
	bool ready;
	char path[256];

	pthread_mutex_t mutex;
	pthread_cond_t changed;
	int n_answered, n_failed, n_ended, n_deployed;
	unsigned next_id;
	struct sent_command sent[2 * STARTERS * EACH];
	int n_sent, n_taken, n_delivered, n_refused;
	bool no_more; /* is sent */
} n;

/* Thread: engine. */
static void send_command(void *ctx, const char *saga_id, const char *ns, const struct saga_def *def,
						 const struct command *command, const int64_t *not_after_ms,
						 void (*replied)(void *ctx, struct call_reply *reply), void *reply_ctx)
{
	struct call_reply *reply = call_reply_new(saga_id, command);

	(void)ctx;
	ck_assert_str_eq(ns, "default");
	ck_assert_ptr_null(not_after_ms);
	reply->result = CALL_PUBLISHED;
	replied(reply_ctx, reply);
	pthread_mutex_lock(&n.mutex);
	memcpy(n.sent[n.n_sent].saga_id, saga_id, SAGA_ID_SIZE);
	n.sent[n.n_sent++].step[0] = def->steps[command->step].id[0];
	pthread_cond_broadcast(&n.changed);
	pthread_mutex_unlock(&n.mutex);
}

/* Everything that a node composes, without its server. */

static void start_node(void)
{
	struct store_sqlite_options store = {.no_sync = true};
	struct writer_options writer = {0};
	struct engine_options engine = {.ready = &n.ready, .send_command = send_command};
	struct err err;

	store.path = n.path;
	ck_assert_int_eq(store_sqlite_open(&store, &n.store, &err), 0);
	writer.store = engine.store = n.store;
	ck_assert_int_eq(writer_start(&writer, &n.writer, &err), 0);
	ck_assert_int_eq(registry_new(n.store, n.writer, &n.registry, &err), 0);
	ck_assert_int_eq(http_client_start(NULL, 0, &n.http, &err), 0);
	engine.writer = n.writer;
	engine.registry = n.registry;
	engine.http = n.http;
	ck_assert_int_eq(engine_start(&engine, &n.engine, &err), 0);
}

static void stop_node(void)
{
	engine_drain(n.engine, 1000);
	http_client_stop(n.http, 0);
	engine_stop(n.engine);
	writer_stop(n.writer);
	engine_free(n.engine);
	registry_free(n.registry);
	n.store->ops->close(n.store);
}

static void setup(void)
{
	memset(&n, 0, sizeof(n));
	log_setup(LOG_OFF, false);
	pthread_mutex_init(&n.mutex, NULL);
	pthread_cond_init(&n.changed, NULL);
	snprintf(n.path, sizeof(n.path), "%s/engine.db", temp_dir_make());
	start_node();
}

static void teardown(void)
{
	stop_node();
	temp_dir_remove();
	pthread_cond_destroy(&n.changed);
	pthread_mutex_destroy(&n.mutex);
}

static void deployed(struct deployment *deployment)
{
	pthread_mutex_lock(&n.mutex);
	n.n_deployed += deployment->result == 0;
	n.n_failed += deployment->result != 0;
	pthread_cond_broadcast(&n.changed);
	pthread_mutex_unlock(&n.mutex);
}

static void deploy(const char *text)
{
	struct deployment deployment = {.done = deployed};
	int before = n.n_deployed;

	registry_deploy(n.registry, "default", text, strlen(text), NULL, false, &deployment);
	pthread_mutex_lock(&n.mutex);
	while (n.n_deployed == before && n.n_failed == 0)
		pthread_cond_wait(&n.changed, &n.mutex);
	pthread_mutex_unlock(&n.mutex);
	ck_assert_msg(deployment.result == 0, "%s: %s", deployment.err.text,
				  deployment.findings.n > 0 ? deployment.findings.list[0].text : "");
	deployment_release(&deployment);
}

static void answered(struct engine_call *call)
{
	pthread_mutex_lock(&n.mutex);
	n.n_answered++;
	n.n_failed += call->result != 0;
	n.n_ended += call->ended;
	pthread_cond_broadcast(&n.changed);
	pthread_mutex_unlock(&n.mutex);
	engine_call_free(call);
}

static void wait_for_answers(int wanted)
{
	pthread_mutex_lock(&n.mutex);
	while (n.n_answered < wanted)
		pthread_cond_wait(&n.changed, &n.mutex);
	pthread_mutex_unlock(&n.mutex);
}

static void post_start(const char *name, int64_t wait_ms, char id[SAGA_ID_SIZE])
{
	struct engine_call *call = engine_call_new(ENGINE_START);
	unsigned char random[8] = {0};
	unsigned number = __atomic_add_fetch(&n.next_id, 1, __ATOMIC_RELAXED);
	struct err err;

	memcpy(random + 4, &number, sizeof(number));
	saga_id_make(clock_wall(), (int)(number % 16), random, call->id);
	if (id)
		memcpy(id, call->id, SAGA_ID_SIZE);
	call->ns = xstrdup("default");
	ck_assert_int_eq(registry_get(n.registry, "default", name, 0, &call->def, &err), 0);
	call->input = jval_from_json(json_object());
	call->wait_ms = wait_ms;
	call->answer = answered;
	ck_assert_int_eq(engine_post(n.engine, call, &err), 0);
}

static void *start_many(void *arg)
{
	(void)arg;
	for (int i = 0; i < EACH; i++)
		post_start("at-once", 60000, NULL);
	return NULL;
}

START_TEST(test_engine__serves_many_threads)
{
	pthread_t threads[STARTERS];
	struct engine_stats stats;

	deploy(at_once);
	for (int i = 0; i < STARTERS; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, start_many, NULL), 0);
	for (int i = 0; i < STARTERS; i++)
		pthread_join(threads[i], NULL);
	wait_for_answers(STARTERS * EACH);
	ck_assert_int_eq(n.n_failed, 0);
	ck_assert_int_eq(n.n_ended, STARTERS * EACH);
	engine_stats(n.engine, &stats); /* of a turn that may not have ended */
	ck_assert_int_le(stats.sagas_completed, STARTERS * EACH);
}
END_TEST

START_TEST(test_engine__drains_and_goes_on_at_the_next_start)
{
	struct engine_call *call;
	char id[SAGA_ID_SIZE];
	struct act act;
	struct err err;

	deploy(calling);
	post_start("calling", 60000, id);
	stop_node(); /* answers the one that waits */
	ck_assert_int_eq(n.n_answered, 1);
	ck_assert_int_eq(n.n_failed, 0);
	ck_assert_int_eq(n.n_ended, 0);

	start_node();
	act_init(&act, ACT_TERMINATE);
	act.by = xstrdup("test");
	call = engine_call_for_act("default", id, &act);
	call->answer = answered;
	ck_assert_int_eq(engine_post(n.engine, call, &err), 0);
	wait_for_answers(2);
	ck_assert_int_eq(n.n_failed, 0);
	ck_assert_int_eq(n.n_ended, 1);
}
END_TEST

START_TEST(test_engine__takes_nothing_while_it_drains)
{
	struct engine_call *call = engine_call_new(ENGINE_WAIT);
	struct err err;

	engine_drain(n.engine, 1000);
	ck_assert_int_eq(engine_post(n.engine, call, &err), ERR_UNAVAILABLE);
	ck_assert(err.retriable);
	engine_call_free(call);
}
END_TEST

/* Thread: engine. */
static void delivered(struct delivery *delivery)
{
	pthread_mutex_lock(&n.mutex);
	n.n_delivered += delivery->result == 0;
	n.n_refused += delivery->result != 0;
	pthread_cond_broadcast(&n.changed);
	pthread_mutex_unlock(&n.mutex);
	delivery_free(delivery);
}

static struct delivery *reply_to(const struct sent_command *sent)
{
	struct delivery *delivery = delivery_new(DELIVERY_REPLY);

	memcpy(delivery->ns, "default", sizeof("default"));
	memcpy(delivery->saga_id, sent->saga_id, SAGA_ID_SIZE);
	memcpy(delivery->step, sent->step, sizeof(sent->step));
	delivery->value = jval_from_json(json_pack("{s:i}", "n", 1));
	delivery->done = delivered;
	return delivery;
}

/* Answers what is sent, twice, until no more is. */
static void *answer_commands(void *arg)
{
	struct err err;

	(void)arg;
	for (;;) {
		struct sent_command sent;

		pthread_mutex_lock(&n.mutex);
		while (n.n_taken == n.n_sent && !n.no_more)
			pthread_cond_wait(&n.changed, &n.mutex);
		if (n.n_taken == n.n_sent) {
			pthread_mutex_unlock(&n.mutex);
			return NULL;
		}
		sent = n.sent[n.n_taken++];
		pthread_mutex_unlock(&n.mutex);
		for (int i = 0; i < 2; i++)
			ck_assert_int_eq(engine_deliver(n.engine, reply_to(&sent), &err), 0);
	}
}

START_TEST(test_engine__takes_replies_from_many_threads)
{
	pthread_t threads[STARTERS];
	int wanted = 2 * STARTERS * EACH; /* commands, two of each saga */

	deploy(commanding);
	for (int i = 0; i < STARTERS; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, answer_commands, NULL), 0);
	for (int i = 0; i < STARTERS * EACH; i++)
		post_start("commanding", 60000, NULL);
	wait_for_answers(STARTERS * EACH);
	pthread_mutex_lock(&n.mutex);
	while (n.n_delivered + n.n_refused < 2 * wanted)
		pthread_cond_wait(&n.changed, &n.mutex);
	n.no_more = true;
	pthread_cond_broadcast(&n.changed);
	pthread_mutex_unlock(&n.mutex);
	for (int i = 0; i < STARTERS; i++)
		pthread_join(threads[i], NULL);
	ck_assert_int_eq(n.n_failed, 0);
	ck_assert_int_eq(n.n_ended, STARTERS * EACH);
	ck_assert_int_eq(n.n_sent, wanted);
	ck_assert_int_eq(n.n_delivered, 2 * wanted);
}
END_TEST

START_TEST(test_engine__lets_time_outs_pass_when_the_queues_are_read)
{
	deploy(hasty);
	post_start("hasty", 60000, NULL);
	engine_queues_read(n.engine, clock_wall() + 3600 * 1000);
	wait_for_answers(1);
	ck_assert_int_eq(n.n_failed, 0);
	ck_assert_int_eq(n.n_ended, 1);
}
END_TEST

START_TEST(test_engine__takes_no_delivery_while_it_drains)
{
	struct sent_command nobody = {.saga_id = "none", .step = "a"};
	struct delivery *delivery = reply_to(&nobody);
	struct err err;

	engine_drain(n.engine, 1000);
	ck_assert_int_eq(engine_deliver(n.engine, delivery, &err), ERR_UNAVAILABLE);
	ck_assert(err.retriable);
	ck_assert_int_eq(n.n_delivered + n.n_refused, 0);
	delivery_free(delivery);
}
END_TEST

START_TEST(test_registry__gives_the_same_version_for_the_same_content)
{
	struct saga_def *first = NULL, *second = NULL;
	struct err err;

	deploy(at_once);
	deploy(at_once);
	ck_assert_int_eq(registry_get(n.registry, "default", "at-once", 0, &first, &err), 0);
	ck_assert_int_eq(first->version, 1);
	ck_assert_int_eq(registry_get(n.registry, "default", "at-once", 2, &second, &err),
					 ERR_NOT_FOUND);
	deploy("saga: at-once\nsteps: [{id: a, set: {n: 2}}]\n");
	ck_assert_int_eq(registry_get(n.registry, "default", "at-once", 0, &second, &err), 0);
	ck_assert_int_eq(second->version, 2);
	ck_assert_str_ne(first->hash, second->hash);
	saga_def_unref(first);
	saga_def_unref(second);
}
END_TEST

START_TEST(test_registry__reads_what_an_earlier_process_deployed)
{
	struct saga_def *def = NULL;
	char hash[65];
	struct err err;

	deploy(at_once);
	ck_assert_int_eq(registry_get(n.registry, "default", "at-once", 1, &def, &err), 0);
	memcpy(hash, def->hash, sizeof(hash));
	saga_def_unref(def);
	stop_node();
	start_node();
	ck_assert_int_eq(registry_get(n.registry, "default", "at-once", 0, &def, &err), 0);
	ck_assert_str_eq(def->hash, hash);
	ck_assert_int_eq(def->version, 1);
	saga_def_unref(def);
}
END_TEST

START_TEST(test_registry__suggests_the_name_that_was_meant)
{
	struct saga_def *def = NULL;
	struct err err;

	deploy(at_once);
	ck_assert_int_eq(registry_get(n.registry, "default", "at-onse", 0, &def, &err), ERR_NOT_FOUND);
	ck_assert_ptr_nonnull(strstr(err.text, "at-once"));
	ck_assert_int_eq(registry_get(n.registry, "other", "at-once", 0, &def, &err), ERR_NOT_FOUND);
	ck_assert_ptr_null(def);
}
END_TEST

START_TEST(test_registry__refuses_a_name_that_does_not_agree)
{
	struct deployment deployment = {.done = deployed};

	registry_deploy(n.registry, "default", at_once, strlen(at_once), "at-twice", false,
					&deployment);
	ck_assert_int_eq(deployment.result, ERR_INVALID);
	ck_assert_uint_eq(deployment.findings.n, 1);
	ck_assert_str_eq(deployment.findings.list[0].pointer, "/saga");
	ck_assert_int_eq(deployment.findings.list[0].line, 1);
	deployment_release(&deployment);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("engine");
	TCase *tc = tcase_create("engine");
	SRunner *runner;
	int failed;

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, test_engine__serves_many_threads);
	tcase_add_test(tc, test_engine__drains_and_goes_on_at_the_next_start);
	tcase_add_test(tc, test_engine__takes_nothing_while_it_drains);
	tcase_add_test(tc, test_engine__takes_replies_from_many_threads);
	tcase_add_test(tc, test_engine__lets_time_outs_pass_when_the_queues_are_read);
	tcase_add_test(tc, test_engine__takes_no_delivery_while_it_drains);
	tcase_add_test(tc, test_registry__gives_the_same_version_for_the_same_content);
	tcase_add_test(tc, test_registry__reads_what_an_earlier_process_deployed);
	tcase_add_test(tc, test_registry__suggests_the_name_that_was_meant);
	tcase_add_test(tc, test_registry__refuses_a_name_that_does_not_agree);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
