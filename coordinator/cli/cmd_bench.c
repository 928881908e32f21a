/*
 * `skald bench`: a closed loop of a few threads, each with one connection, for a look at an
 * installation. The numbers by which Skald itself is judged come from `make bench`, whose load
 * generator costs less.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "coordinator/cli/cli.h"
#include "coordinator/cli/client.h"
#include "coordinator/cli/print.h"
#include "sagas/base/buf.h"
#include "sagas/json_text.h"

enum { BENCH_MAX_THREADS = 1024, BENCH_MAX_SAMPLES = 4 * 1024 * 1024 };

struct bench {
	const struct cli *cli;
	const char *saga;
	char *input;
	int64_t end_us;
	int64_t run_id; /* so that two runs do not share keys */
	atomic_llong next;
	pthread_mutex_t mutex;
	/* under mutex */
	uint32_t *samples_us;
	size_t n_samples, cap_samples;
	int64_t completed, compensated, other, errors;
	char first_error[256];
};

static int64_t now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000LL + ts.tv_nsec / 1000;
}

/* The body of one start: `{n}` in the input becomes the number. */
static void write_body(struct bench *bench, int64_t n, struct buf *out)
{
	const char *at = bench->input, *mark;

	buf_clear(out);
	buf_add_lit(out, "{\"saga\":");
	json_write_string(bench->saga, strlen(bench->saga), out);
	buf_add_lit(out, ",\"input\":");
	while ((mark = strstr(at, "{n}"))) {
		buf_add(out, at, (size_t)(mark - at));
		buf_printf(out, "%llx-%lld", (long long)bench->run_id, (long long)n);
		at = mark + 3;
	}
	buf_add_str(out, at);
	buf_add_char(out, '}');
}

static void count(struct bench *bench, int64_t took_us, const char *status, const char *error)
{
	pthread_mutex_lock(&bench->mutex);
	if (error) {
		if (bench->errors++ == 0)
			snprintf(bench->first_error, sizeof(bench->first_error), "%s", error);
	} else {
		if (bench->n_samples == bench->cap_samples && bench->cap_samples < BENCH_MAX_SAMPLES) {
			bench->cap_samples = bench->cap_samples ? 2 * bench->cap_samples : 4096;
			bench->samples_us =
				xrealloc_array(bench->samples_us, bench->cap_samples, sizeof(uint32_t));
		}
		if (bench->n_samples < bench->cap_samples)
			bench->samples_us[bench->n_samples++] = (uint32_t)took_us;
		if (strcmp(status, "completed") == 0)
			bench->completed++;
		else if (strcmp(status, "compensated") == 0)
			bench->compensated++;
		else
			bench->other++;
	}
	pthread_mutex_unlock(&bench->mutex);
}

static void one(struct bench *bench, struct client *client, struct buf *body)
{
	struct client_request request = {.method = "POST"};
	int64_t n = atomic_fetch_add(&bench->next, 1), began = now_us();
	struct client_reply reply;
	const char *status, *title;

	write_body(bench, n, body);
	client_path(&request, "/v1/sagas", "");
	client_header(&request, "Prefer: wait=30");
	client_header(&request, "Idempotency-Key: \"bench-%llx-%lld\"", (long long)bench->run_id,
				  (long long)n);
	request.body = body->data;
	request.body_len = body->len;
	if (client_send(client, &request, &reply)) {
		count(bench, 0, NULL, "the server cannot be reached");
		__atomic_store_n(&bench->end_us, 0, __ATOMIC_RELAXED);
		return;
	}
	status = text_of(reply.json, "status");
	title = text_of(reply.json, "title");
	if (reply.http.status == 200 || reply.http.status == 202)
		count(bench, now_us() - began, status ? status : "", NULL);
	else
		count(bench, 0, NULL, title ? title : "an answer without a problem document");
	client_reply_release(&reply);
}

static void *work(void *ctx)
{
	struct bench *bench = ctx;
	struct client client;
	struct buf body;

	if (client_open(bench->cli, &client))
		return NULL;
	buf_init(&body, 0);
	while (now_us() < __atomic_load_n(&bench->end_us, __ATOMIC_RELAXED))
		one(bench, &client, &body);
	buf_release(&body);
	client_close(&client);
	return NULL;
}

static int by_value(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static double percentile_ms(const struct bench *bench, double part)
{
	size_t i = (size_t)(part * (double)(bench->n_samples - 1) + 0.5);

	return bench->n_samples ? bench->samples_us[i] / 1000.0 : 0;
}

static int report(struct bench *bench, double seconds, int64_t concurrency)
{
	int64_t ended = bench->completed + bench->compensated + bench->other;
	double rate = seconds > 0 ? (double)ended / seconds : 0;

	if (bench->n_samples > 0)
		qsort(bench->samples_us, bench->n_samples, sizeof(uint32_t), by_value);
	if (bench->cli->format == FORMAT_TABLE) {
		printf("%.0f sagas/s, p50 %.2f ms, p99 %.2f ms  (%lld at a time, %.1f s: %lld completed, "
			   "%lld compensated, %lld other, %lld refused)\n",
			   rate, percentile_ms(bench, 0.5), percentile_ms(bench, 0.99), (long long)concurrency,
			   seconds, (long long)bench->completed, (long long)bench->compensated,
			   (long long)bench->other, (long long)bench->errors);
	} else {
		CLEANUP(json_decref_p)
		json_t *json = json_pack(
			"{s:s, s:I, s:f, s:f, s:f, s:f, s:I, s:I, s:I, s:I}", "saga", bench->saga,
			"concurrency", (json_int_t)concurrency, "seconds", seconds, "sagas_per_second", rate,
			"p50_ms", percentile_ms(bench, 0.5), "p99_ms", percentile_ms(bench, 0.99), "completed",
			(json_int_t)bench->completed, "compensated", (json_int_t)bench->compensated, "other",
			(json_int_t)bench->other, "errors", (json_int_t)bench->errors);

		print_value(bench->cli, json);
	}
	if (bench->errors > 0)
		return cli_fail(CLI_FAILED, "%lld starts were refused; the first: %s",
						(long long)bench->errors, bench->first_error);
	return CLI_OK;
}

int cmd_bench(struct cli *cli)
{
	struct bench bench = {.cli = cli, .saga = cli_option(cli, "saga")};
	const char *input = cli_option(cli, "input");
	int64_t concurrency = 16, seconds = 10, began;
	pthread_t threads[BENCH_MAX_THREADS];
	size_t len;
	int r;

	if (!bench.saga)
		return cli_fail(CLI_USAGE, "`skald bench` needs --saga NAME");
	r = cli_option_int(cli, "concurrency", 1, BENCH_MAX_THREADS, &concurrency);
	if (!r)
		r = cli_option_int(cli, "seconds", 1, 86400, &seconds);
	if (!r)
		r = client_read_argument(input ? input : "{}", &bench.input, &len);
	if (r)
		return r;
	pthread_mutex_init(&bench.mutex, NULL);
	began = now_us();
	bench.run_id = (int64_t)time(NULL) << 16 | (getpid() & 0xffff);
	bench.end_us = began + seconds * 1000000;
	for (int i = 0; i < concurrency; i++)
		CHECK(pthread_create(&threads[i], NULL, work, &bench) == 0);
	for (int i = 0; i < concurrency; i++)
		pthread_join(threads[i], NULL);
	r = report(&bench, (double)(now_us() - began) / 1e6, concurrency);
	pthread_mutex_destroy(&bench.mutex);
	free(bench.samples_us);
	free(bench.input);
	return r;
}
