/*
 * A worker in C for the film example, with the client library (connectors/worker_client.h). It
 * encodes: minute after minute, with a heartbeat after each that tells how far it is.
 *
 *   film_worker --server http://127.0.0.1:7878 [--name N] [--route 720p] [--minute-ms 20]
 *
 * --die-after N: it ends without a word in the middle of its N-th minute, to show what becomes of
 * the task.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "connectors/worker_client.h"

static volatile bool stopped;

struct encoder {
	int minute_ms;
	long die_after; /* minutes; 0: never */
	long minutes;   /* done, in all */
};

static void on_signal(int number)
{
	(void)number;
	stopped = true;
}

static void work_on(int ms)
{
	struct timespec pause = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L};

	nanosleep(&pause, NULL);
}

static json_t *encode(struct worker *worker, const struct worker_task *task,
					  struct worker_failure *failure, void *ctx)
{
	struct encoder *encoder = ctx;
	json_int_t minutes = json_integer_value(json_object_get(task->input, "minutes"));
	json_int_t from = json_integer_value(json_object_get(task->progress, "minute"));
	bool cancel = false;

	printf("%s attempt %lld: %s from minute %lld\n", task->step, (long long)task->attempt,
		   json_string_value(json_object_get(task->input, "size")), (long long)from);
	fflush(stdout);
	for (json_int_t minute = from; minute < minutes; minute++) {
		json_t *details;
		int r;

		if (encoder->die_after && ++encoder->minutes > encoder->die_after)
			_exit(9);
		work_on(encoder->minute_ms);
		details = json_pack("{s:I}", "minute", minute + 1);
		r = worker_heartbeat(worker, task, details, &cancel);
		json_decref(details);
		if (r == WORKER_LOST || cancel) {
			*failure = (struct worker_failure){.code = "cancelled", .message = "not wanted"};
			return NULL;
		}
	}
	return json_pack("{s:I, s:I}", "bytes", minutes * 1000000, "resumed_at", from);
}

static int usage(void)
{
	fprintf(stderr,
			"film_worker --server URL [--name N] [--build B] [--route R]... [--minute-ms N] "
			"[--die-after N]\n");
	return 2;
}

int main(int argc, char **argv)
{
	const char *routes[8] = {0};
	struct worker_options options = {.name = "encoder", .queue = "film-encode"};
	struct encoder encoder = {.minute_ms = 20};
	struct worker *worker;
	int n_routes = 0;

	for (int i = 1; i + 1 < argc; i += 2) {
		if (strcmp(argv[i], "--server") == 0)
			options.server = argv[i + 1];
		else if (strcmp(argv[i], "--name") == 0)
			options.name = argv[i + 1];
		else if (strcmp(argv[i], "--build") == 0)
			options.build = argv[i + 1];
		else if (strcmp(argv[i], "--route") == 0 && n_routes < 7)
			routes[n_routes++] = argv[i + 1];
		else if (strcmp(argv[i], "--minute-ms") == 0)
			encoder.minute_ms = (int)strtol(argv[i + 1], NULL, 10);
		else if (strcmp(argv[i], "--die-after") == 0)
			encoder.die_after = strtol(argv[i + 1], NULL, 10);
		else
			return usage();
	}
	if (!options.server || argc % 2 == 0)
		return usage();
	options.routes = n_routes > 0 ? routes : NULL;
	signal(SIGTERM, on_signal);
	signal(SIGINT, on_signal);
	worker = worker_new(&options);
	if (!worker)
		return 1;
	worker_run(worker, encode, &encoder, &stopped);
	worker_free(worker);
	return 0;
}
