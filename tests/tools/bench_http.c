/*
 * How much a call to a participant costs: keeps N requests in flight through the HTTP client and
 * prints the rate and the processor time a request.
 *
 *     bench_http URL [CONCURRENCY [REQUESTS]]
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "connectors/http_client.h"
#include "sagas/base/macros.h"

static struct http_client *client;
static long left; /* on the client's thread, but for the first ones */
static atomic_long running, failed;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t ended = PTHREAD_COND_INITIALIZER;

static void on_done(struct http_request *request)
{
	if (request->result != HTTP_ANSWERED || request->status != 200)
		failed++;
	free(request->reply);
	if (left > 0) {
		left--;
		http_client_send(client, request);
		return;
	}
	if (--running == 0) {
		pthread_mutex_lock(&mutex);
		pthread_cond_signal(&ended);
		pthread_mutex_unlock(&mutex);
	}
}

static double seconds(struct timespec from, struct timespec to)
{
	return (double)(to.tv_sec - from.tv_sec) + (double)(to.tv_nsec - from.tv_nsec) / 1e9;
}

int main(int argc, char **argv)
{
	static const char *const headers[] = {
		"Content-Type: application/json",
		"Idempotency-Key: 0198c0de-7a31-7000-8000-000000000000/a/do", NULL};
	static const char body[] = "{\"order\":\"o-1\",\"amount_minor\":1999}";
	struct http_participant participant = {.name = "p", .url = argc > 1 ? argv[1] : ""};
	long i, n = argc > 2 ? strtol(argv[2], NULL, 10) : 64;
	long requests = argc > 3 ? strtol(argv[3], NULL, 10) : 200000;
	struct timespec from, to, cpu_from, cpu_to;
	struct http_request *all;
	struct err err = {0};

	if (argc < 2 || n < 1 || n > 4096 || requests < n) {
		fprintf(stderr, "usage: bench_http URL [CONCURRENCY [REQUESTS]]\n");
		return 2;
	}
	participant.max_connections = (int)n;
	if (http_client_start(&participant, 1, &client, &err) < 0) {
		fprintf(stderr, "bench_http: %s\n", err.text);
		return 1;
	}
	all = xcalloc((size_t)n, sizeof(*all));
	left = requests - n;
	running = n;
	clock_gettime(CLOCK_MONOTONIC, &from);
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu_from);
	for (i = 0; i < n; i++) {
		all[i] = (struct http_request){.participant = "p",
									   .method = "POST",
									   .path = "/a",
									   .headers = headers,
									   .body = body,
									   .body_len = sizeof(body) - 1,
									   .timeout_ms = 30000,
									   .done = on_done};
		http_client_send(client, &all[i]);
	}
	pthread_mutex_lock(&mutex);
	while (running > 0)
		pthread_cond_wait(&ended, &mutex);
	pthread_mutex_unlock(&mutex);
	clock_gettime(CLOCK_MONOTONIC, &to);
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu_to);
	printf("{\"concurrency\":%ld,\"requests\":%ld,\"failed\":%ld,\"requests_per_second\":%.0f,"
		   "\"cpu_us_per_request\":%.1f}\n",
		   n, requests, (long)failed, (double)requests / seconds(from, to),
		   seconds(cpu_from, cpu_to) * 1e6 / (double)requests);
	http_client_stop(client, 0);
	free(all);
	return failed ? 1 : 0;
}
