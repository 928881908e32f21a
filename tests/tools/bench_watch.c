/*
 * Waits until a counter of a running server has come to a number, and tells how long it took:
 *
 *     bench_watch --port P --from NAME --metric NAME --until N
 *                 [--server-pid PID] [--pid PID]… [--seconds S]
 *
 * The time begins when the counter of --from is seen not to be 0 any more, and ends when that of
 * --metric has come to N. What that one had counted by the beginning does not count. Prints
 * "name value" lines:
 *
 *     counted seconds per_second server_cpu_seconds (with --server-pid) other_cpu_seconds (--pid)
 *
 * Exit code 1 when it has not come there after S seconds (default 120).
 */
#include <errno.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "sagas/base/macros.h"
#include "tests/support/server_reading.h"

enum { MAX_PIDS = 8, LOOK_EVERY_NS = 20 * 1000 * 1000 };

struct options {
	int port, server_pid, pids[MAX_PIDS], n_pids;
	const char *from, *metric;
	double until, seconds;
};

struct reading {
	double at_s, value, server_cpu_s, other_cpu_s;
};

static struct options options = {
	.from = "skald_sagas_started_total", .metric = "skald_sagas_ended_total", .seconds = 120};

static double now_s(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static struct reading read_now(const char *metric)
{
	struct reading reading = {.value = 0};

	if (server_metrics(options.port, &metric, 1, &reading.value) < 0) {
		fprintf(stderr, "bench_watch: port %d: %s\n", options.port, strerror(errno));
		exit(1);
	}
	reading.at_s = now_s();
	if (options.server_pid)
		reading.server_cpu_s = process_cpu_seconds(options.server_pid);
	for (int i = 0; i < options.n_pids; i++)
		reading.other_cpu_s += process_cpu_seconds(options.pids[i]);
	return reading;
}

static struct reading wait_for(const char *metric, double value, double deadline_s)
{
	const struct timespec moment = {.tv_nsec = LOOK_EVERY_NS};
	struct reading reading;

	for (;;) {
		reading = read_now(metric);
		if (reading.value >= value)
			return reading;
		if (reading.at_s > deadline_s) {
			fprintf(stderr, "bench_watch: %s is %.0f, not %.0f\n", metric, reading.value, value);
			exit(1);
		}
		nanosleep(&moment, NULL);
	}
}

static void parse_options(int argc, char **argv)
{
	static const struct option known[] = {
		{"port", required_argument, NULL, 'p'},       {"from", required_argument, NULL, 'f'},
		{"metric", required_argument, NULL, 'm'},     {"until", required_argument, NULL, 'u'},
		{"server-pid", required_argument, NULL, 'i'}, {"pid", required_argument, NULL, 'o'},
		{"seconds", required_argument, NULL, 's'},    {0}};
	int c;

	while ((c = getopt_long(argc, argv, "", known, NULL)) >= 0) {
		switch (c) {
		case 'p':
			options.port = (int)strtol(optarg, NULL, 10);
			break;
		case 'f':
			options.from = optarg;
			break;
		case 'm':
			options.metric = optarg;
			break;
		case 'u':
			options.until = strtod(optarg, NULL);
			break;
		case 'i':
			options.server_pid = (int)strtol(optarg, NULL, 10);
			break;
		case 'o':
			if (options.n_pids == MAX_PIDS)
				exit(2);
			options.pids[options.n_pids++] = (int)strtol(optarg, NULL, 10);
			break;
		case 's':
			options.seconds = strtod(optarg, NULL);
			break;
		default:
			exit(2);
		}
	}
	if (!options.port || options.until <= 0) {
		fprintf(stderr, "bench_watch: --port and --until are needed\n");
		exit(2);
	}
}

int main(int argc, char **argv)
{
	struct reading from, to;
	double deadline_s;

	parse_options(argc, argv);
	deadline_s = now_s() + options.seconds;
	wait_for(options.from, 1, deadline_s);
	from = read_now(options.metric);
	to = wait_for(options.metric, options.until, deadline_s);
	printf("counted %.0f\nseconds %.3f\nper_second %.1f\n", to.value - from.value,
		   to.at_s - from.at_s, (to.value - from.value) / (to.at_s - from.at_s));
	if (options.server_pid)
		printf("server_cpu_seconds %.3f\n", to.server_cpu_s - from.server_cpu_s);
	if (options.n_pids > 0)
		printf("other_cpu_seconds %.3f\n", to.other_cpu_s - from.other_cpu_s);
	return 0;
}
