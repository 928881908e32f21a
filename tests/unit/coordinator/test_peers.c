/* What other nodes say of their participants, over HTTP from one that answers as the test wants. */
#include "coordinator/peers.h"

#include <arpa/inet.h>
#include <check.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "connectors/http_client.h"
#include "coordinator/clock.h"

/* Answers each connection with the same, and counts them. */
static struct {
	int fd;
	int n; /* atomic */
	const char *answer;
	char address[NODE_ADDRESS_SIZE];
	pthread_t thread;
} other;

static void *serve(void *arg)
{
	char request[4096];
	int fd;

	(void)arg;
	while ((fd = accept(other.fd, NULL, NULL)) >= 0) {
		if (read(fd, request, sizeof(request)) > 0)
			ck_assert_int_ge(write(fd, other.answer, strlen(other.answer)), 0);
		close(fd);
		__atomic_add_fetch(&other.n, 1, __ATOMIC_RELAXED);
	}
	return NULL;
}

static struct http_client *http;
static struct peers *peers;
static struct buf out;

static void setup(void)
{
	struct sockaddr_in addr = {.sin_family = AF_INET};
	socklen_t len = sizeof(addr);
	struct err err;

	clock_start();
	other.n = 0;
	other.fd = socket(AF_INET, SOCK_STREAM, 0);
	addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	ck_assert_int_eq(bind(other.fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	ck_assert_int_eq(listen(other.fd, 10), 0);
	ck_assert_int_eq(getsockname(other.fd, (struct sockaddr *)&addr, &len), 0);
	snprintf(other.address, sizeof(other.address), "http://127.0.0.1:%d", ntohs(addr.sin_port));
	ck_assert_int_eq(pthread_create(&other.thread, NULL, serve, NULL), 0);
	ck_assert_int_eq(http_client_start(NULL, 0, &http, &err), 0);
	peers = peers_new(http);
	buf_init(&out, 0);
}

static void teardown(void)
{
	http_client_stop(http, 0);
	peers_free(peers);
	shutdown(other.fd, SHUT_RDWR);
	pthread_join(other.thread, NULL);
	close(other.fd);
	buf_release(&out);
}

static int look(int *ret_asked)
{
	struct node_row rows[3] = {
		{.alive = true, .address = "http://self:1"}, {.alive = true}, {.alive = false}};
	struct membership membership = {.nodes = rows, .n_nodes = 3};
	int answered = 0;

	snprintf(rows[1].address, sizeof(rows[1].address), "%s", other.address);
	snprintf(rows[2].address, sizeof(rows[2].address), "http://dead:1");
	buf_clear(&out);
	buf_add_lit(&out, "[");
	peers_participants(peers, &membership, "http://self:1", &out, ret_asked, &answered);
	return answered;
}

/* Until the other one was asked so often, and a moment more for what becomes of it. */
static void await_asked(int n)
{
	const struct timespec moment = {.tv_nsec = 10 * 1000 * 1000};
	int asked;

	while (__atomic_load_n(&other.n, __ATOMIC_RELAXED) < n) {
		(void)look(&asked);
		nanosleep(&moment, NULL);
	}
}

#define OK "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"

START_TEST(test_peers__what_others_say_is_there_later)
{
	const struct timespec moment = {.tv_nsec = 2 * 1000 * 1000};
	int64_t began_ms = clock_mono_ms();
	int asked;

	other.answer = OK "{\"participants\":[{\"name\":\"p\",\"p50\":1.5},{\"name\":\"q\"}]}";
	/* Nobody waits for the first answer. */
	ck_assert_int_eq(look(&asked), 0);
	ck_assert_int_eq(asked, 1);
	ck_assert_str_eq(buf_str(&out), "[");
	while (look(&asked) == 0)
		await_asked(1);
	ck_assert_str_eq(buf_str(&out), "[{\"name\":\"p\",\"p50\":1.5},{\"name\":\"q\"}");
	/* It is kept meanwhile, and not asked for each time. */
	for (int i = 0; i < 100; i++) {
		ck_assert_int_eq(look(&asked), 1);
		nanosleep(&moment, NULL);
	}
	/* Once a second, however long this took. */
	ck_assert_int_le(__atomic_load_n(&other.n, __ATOMIC_RELAXED),
					 2 + (clock_mono_ms() - began_ms) / 1000);
}
END_TEST

START_TEST(test_peers__an_empty_list_is_an_answer)
{
	int asked;

	other.answer = OK "{\"participants\":[]}";
	while (look(&asked) == 0)
		await_asked(1);
	ck_assert_str_eq(buf_str(&out), "[");
}
END_TEST

START_TEST(test_peers__nonsense_is_none)
{
	static const char *const answers[] = {
		OK "{\"participants\":7}",
		OK "nonsense",
		"HTTP/1.1 503 Unavailable\r\nConnection: close\r\n\r\n{\"participants\":[]}",
		"",
	};
	int asked;

	for (size_t i = 0; i < ARRAY_SIZE(answers); i++) {
		other.answer = answers[i];
		await_asked((int)i + 1);
		ck_assert_int_eq(look(&asked), 0);
		ck_assert_int_eq(asked, 1);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("peers");
	TCase *tc = tcase_create("peers");
	SRunner *runner;
	int failed;

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, test_peers__what_others_say_is_there_later);
	tcase_add_test(tc, test_peers__an_empty_list_is_an_answer);
	tcase_add_test(tc, test_peers__nonsense_is_none);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
