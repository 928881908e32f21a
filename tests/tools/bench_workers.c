/*
 * Workers for the benchmark of tasks:
 *
 *   bench_workers --port N --work THREADS --queue Q    completes whatever it is given
 *   bench_workers --port N --idle CONNECTIONS          polls queues in which nothing ever is
 *
 * until SIGTERM; then it prints how many tasks it completed, or polls were answered.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "connectors/worker_client.h"
#include "sagas/base/err.h"
#include "sagas/base/macros.h"

enum { IDLE_MAX = 5000, THREADS_MAX = 256, IDLE_QUEUES = 10 };

static volatile bool stopped;
static atomic_llong done;
static char server[64];
static const char *queue = "bench";

static void on_signal(int number)
{
	(void)number;
	stopped = true;
}

static json_t *work(struct worker *worker, const struct worker_task *task,
					struct worker_failure *failure, void *ctx)
{
	(void)worker, (void)task, (void)failure, (void)ctx;
	atomic_fetch_add(&done, 1);
	return NULL;
}

static void *work_main(void *arg)
{
	struct worker_options options = {.server = server, .name = arg, .queue = queue, .wait_s = 1};
	struct worker *worker = worker_new(&options);

	CHECK(worker);
	worker_run(worker, work, NULL, &stopped);
	worker_free(worker);
	return NULL;
}

static void run_workers(int n)
{
	pthread_t threads[THREADS_MAX];
	char names[THREADS_MAX][16];

	for (int i = 0; i < n; i++) {
		snprintf(names[i], sizeof(names[i]), "w-%d", i);
		CHECK(pthread_create(&threads[i], NULL, work_main, names[i]) == 0);
	}
	for (int i = 0; i < n; i++)
		pthread_join(threads[i], NULL);
}

/* Idle polls, on one thread. */

static int open_connection(int port)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0) {
		fprintf(stderr, "cannot connect: %s\n", strerror(errno));
		exit(1);
	}
	return fd;
}

static void ask(int fd, int i)
{
	char body[64], text[512];
	int n = snprintf(body, sizeof(body), "{\"worker\":\"idle-%d\",\"wait\":\"60s\"}", i);
	int len = snprintf(text, sizeof(text),
					   "POST /v1/queues/idle-%d/poll HTTP/1.1\r\nHost: 127.0.0.1\r\n"
					   "Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%s",
					   i % IDLE_QUEUES, n, body);

	if (send(fd, text, (size_t)len, MSG_NOSIGNAL) != len) {
		fprintf(stderr, "a connection broke\n");
		exit(1);
	}
}

static void run_idle(int port, int n)
{
	static struct pollfd fds[IDLE_MAX];
	char answer[4096];

	for (int i = 0; i < n; i++) {
		fds[i] = (struct pollfd){.fd = open_connection(port), .events = POLLIN};
		ask(fds[i].fd, i);
	}
	printf("%d connections wait\n", n);
	fflush(stdout);
	while (!stopped) {
		if (poll(fds, (nfds_t)n, 500) <= 0)
			continue;
		for (int i = 0; i < n; i++) {
			ssize_t len = fds[i].revents ? recv(fds[i].fd, answer, sizeof(answer) - 1, 0) : 0;

			if (!fds[i].revents)
				continue;
			if (len <= 0 || strncmp(answer, "HTTP/1.1 204", 12) != 0) {
				fprintf(stderr, "an idle poll was answered: %.*s\n", (int)(len > 0 ? len : 0),
						answer);
				exit(1);
			}
			atomic_fetch_add(&done, 1);
			ask(fds[i].fd, i);
		}
	}
}

int main(int argc, char **argv)
{
	int port = 0, workers = 0, idle = 0;

	for (int i = 1; i + 1 < argc; i += 2) {
		if (strcmp(argv[i], "--port") == 0)
			port = (int)strtol(argv[i + 1], NULL, 10);
		else if (strcmp(argv[i], "--work") == 0)
			workers = (int)strtol(argv[i + 1], NULL, 10);
		else if (strcmp(argv[i], "--idle") == 0)
			idle = (int)strtol(argv[i + 1], NULL, 10);
		else if (strcmp(argv[i], "--queue") == 0)
			queue = argv[i + 1];
	}
	if (!port || workers > THREADS_MAX || idle > IDLE_MAX || (!workers && !idle)) {
		fprintf(stderr, "bench_workers --port N (--work THREADS [--queue Q] | --idle N)\n");
		return 2;
	}
	snprintf(server, sizeof(server), "http://127.0.0.1:%d", port);
	signal(SIGTERM, on_signal);
	signal(SIGINT, on_signal);
	if (workers)
		run_workers(workers);
	else
		run_idle(port, idle);
	printf("done %lld\n", (long long)done);
	return 0;
}
