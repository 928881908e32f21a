/*
 * A closed-loop load generator: each of N keep-alive connections starts a saga, waits for its end
 * (Prefer: wait) and starts the next. One thread on epoll; a few microseconds a request.
 *
 *     bench_load --port P --saga NAME [--concurrency N] [--seconds S] [--warmup S]
 *                [--expect STATUS] [--server-pid PID] [--metric NAME]…
 *
 * Prints "name value" lines of what was measured between the end of the warm-up and the end:
 *
 *     all_sagas (also of the warm-up) sagas errors seconds sagas_per_second p50_ms p99_ms max_ms
 * load_cpu_seconds server_cpu_seconds (with --server-pid)   NAME (by how much that metric has
 * grown)
 *
 * `errors` counts answers that are not 200 with the expected status, over the whole run. Exit code
 * 1 when there was one, or when no saga ended.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "sagas/base/macros.h"
#include "tests/support/server_reading.h"

enum { INPUT_SIZE = 64 * 1024, EVENTS_A_TURN = 128, MAX_CONNECTIONS = 4096, MAX_METRICS = 4 };

struct options {
	int port, concurrency, server_pid;
	double seconds, warmup_seconds;
	const char *saga, *expect;
	const char *metrics[MAX_METRICS];
	int n_metrics;
};

struct connection {
	int fd;
	size_t in_len;
	int64_t sent_ns;
	char in[INPUT_SIZE];
};

/* What is read at both ends of the measured time. */
struct reading {
	int64_t at_ns;
	double server_cpu_s, load_cpu_s, metrics[MAX_METRICS];
};

static struct options options = {
	.concurrency = 64, .seconds = 5, .warmup_seconds = 1, .saga = "http3", .expect = "completed"};
static int64_t run_id, n_started, n_errors;
static bool measuring;
static uint32_t *latencies_us;
static size_t n_latencies, latencies_cap;

NORETURN static void die(const char *what)
{
	fprintf(stderr, "bench_load: %s: %s\n", what, strerror(errno));
	exit(1);
}

static int64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static int connect_server(void)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
								  .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
								  .sin_port = htons((uint16_t)options.port)};
	int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		die("connect");
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	return fd;
}

static void start_saga(struct connection *connection)
{
	char request[1024], body[512];
	int body_len, len;
	int64_t n = n_started++;

	body_len = snprintf(body, sizeof(body),
						"{\"saga\":\"%s\",\"input\":{\"order_id\":\"o-%" PRId64 "-%" PRId64
						"\",\"customer_id\":\"c-%" PRId64 "\",\"amount_minor\":1999}}",
						options.saga, run_id, n, n % 1000);
	len = snprintf(request, sizeof(request),
				   "POST /v1/sagas HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n"
				   "Content-Type: application/json\r\nContent-Length: %d\r\n"
				   "Idempotency-Key: bench-%" PRId64 "-%" PRId64 "\r\nPrefer: wait=30\r\n\r\n%s",
				   options.port, body_len, run_id, n, body);
	connection->sent_ns = now_ns();
	/* The last answer has been read, so the socket's buffer is empty and takes it whole. */
	if (send(connection->fd, request, (size_t)len, MSG_NOSIGNAL) != len)
		die("send");
}

static void note_latency(int64_t ns)
{
	if (!measuring)
		return;
	if (n_latencies == latencies_cap) {
		latencies_cap = latencies_cap ? latencies_cap * 2 : 65536;
		latencies_us = xrealloc_array(latencies_us, latencies_cap, sizeof(*latencies_us));
	}
	latencies_us[n_latencies++] = (uint32_t)(ns / 1000);
}

static bool has_status(const char *body)
{
	const char *at = strstr(body, "\"status\"");
	size_t len = strlen(options.expect);

	if (!at)
		return false;
	at += strlen("\"status\"");
	at += strspn(at, " :");
	return at[0] == '"' && strncmp(at + 1, options.expect, len) == 0 && at[len + 1] == '"';
}

/* The length of a whole answer in the buffer, 0 when it is not whole. */
static size_t answer_length(const struct connection *connection, const char **ret_body)
{
	const char *end = memmem(connection->in, connection->in_len, "\r\n\r\n", 4), *line;
	size_t head, body = 0;

	if (!end)
		return 0;
	head = (size_t)(end - connection->in) + 4;
	for (line = connection->in; (line = memchr(line, '\n', (size_t)(end - line)));) {
		line++;
		if (strncasecmp(line, "content-length:", 15) == 0)
			body = strtoul(line + 15, NULL, 10);
	}
	*ret_body = connection->in + head;
	return connection->in_len >= head + body ? head + body : 0;
}

/* Returns whether an answer came. */
static bool on_readable(struct connection *connection)
{
	ssize_t n = recv(connection->fd, connection->in + connection->in_len,
					 sizeof(connection->in) - 1 - connection->in_len, 0);
	const char *body;

	if (n <= 0)
		die(n == 0 ? "the server closed a connection" : "recv");
	connection->in_len += (size_t)n;
	connection->in[connection->in_len] = '\0';
	if (answer_length(connection, &body) == 0) {
		if (connection->in_len == sizeof(connection->in) - 1)
			die("an answer is too large");
		return false;
	}
	note_latency(now_ns() - connection->sent_ns);
	if (strncmp(connection->in, "HTTP/1.1 200 ", 13) != 0 || !has_status(body)) {
		if (n_errors++ == 0)
			fprintf(stderr, "bench_load: unexpected answer: %.500s\n", connection->in);
	}
	connection->in_len = 0;
	return true;
}

static struct reading read_now(void)
{
	struct reading reading = {.server_cpu_s = 0};
	struct rusage usage;

	if (options.server_pid)
		reading.server_cpu_s = process_cpu_seconds(options.server_pid);
	if (options.n_metrics > 0 &&
		server_metrics(options.port, options.metrics, options.n_metrics, reading.metrics) < 0)
		die("metrics");
	getrusage(RUSAGE_SELF, &usage);
	reading.load_cpu_s = (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
						 (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
	reading.at_ns = now_ns();
	return reading;
}

static int compare_u32(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

static double percentile_ms(double part)
{
	size_t i = (size_t)(part * (double)n_latencies);

	if (n_latencies == 0)
		return 0;
	return latencies_us[i < n_latencies ? i : n_latencies - 1] / 1000.0;
}

static void print_results(const struct reading *from, const struct reading *to)
{
	double seconds = (double)(to->at_ns - from->at_ns) / 1e9;
	int i;

	qsort(latencies_us, n_latencies, sizeof(*latencies_us), compare_u32);
	printf("all_sagas %" PRId64 "\n", n_started);
	printf("sagas %zu\nerrors %" PRId64 "\nseconds %.3f\n", n_latencies, n_errors, seconds);
	printf("sagas_per_second %.1f\n", (double)n_latencies / seconds);
	printf("p50_ms %.3f\np99_ms %.3f\nmax_ms %.3f\n", percentile_ms(0.5), percentile_ms(0.99),
		   percentile_ms(1));
	printf("load_cpu_seconds %.3f\n", to->load_cpu_s - from->load_cpu_s);
	if (options.server_pid)
		printf("server_cpu_seconds %.3f\n", to->server_cpu_s - from->server_cpu_s);
	for (i = 0; i < options.n_metrics; i++)
		printf("%s %.0f\n", options.metrics[i], to->metrics[i] - from->metrics[i]);
}

static void parse_options(int argc, char **argv)
{
	static const struct option known[] = {{"port", required_argument, NULL, 'p'},
										  {"saga", required_argument, NULL, 's'},
										  {"concurrency", required_argument, NULL, 'c'},
										  {"seconds", required_argument, NULL, 't'},
										  {"warmup", required_argument, NULL, 'w'},
										  {"expect", required_argument, NULL, 'e'},
										  {"server-pid", required_argument, NULL, 'i'},
										  {"metric", required_argument, NULL, 'm'},
										  {0}};
	int c;

	while ((c = getopt_long(argc, argv, "", known, NULL)) >= 0) {
		switch (c) {
		case 'p':
			options.port = (int)strtol(optarg, NULL, 10);
			break;
		case 's':
			options.saga = optarg;
			break;
		case 'c':
			options.concurrency = (int)strtol(optarg, NULL, 10);
			break;
		case 't':
			options.seconds = strtod(optarg, NULL);
			break;
		case 'w':
			options.warmup_seconds = strtod(optarg, NULL);
			break;
		case 'e':
			options.expect = optarg;
			break;
		case 'i':
			options.server_pid = (int)strtol(optarg, NULL, 10);
			break;
		case 'm':
			if (options.n_metrics == MAX_METRICS)
				exit(2);
			options.metrics[options.n_metrics++] = optarg;
			break;
		default:
			exit(2);
		}
	}
	if (optind != argc || options.port <= 0 || options.concurrency < 1 ||
		options.concurrency > MAX_CONNECTIONS || strlen(options.saga) > 128) {
		fprintf(stderr, "usage: bench_load --port P --saga NAME [--concurrency N] [--seconds S] "
						"[--warmup S] [--expect STATUS] [--server-pid PID] [--metric NAME]...\n");
		exit(2);
	}
}

/* Keeps the loop closed until until_ns; then, with `last`, only waits for what is out. */
static void run_until(int epoll_fd, int64_t until_ns, bool last, int *n_out)
{
	struct epoll_event events[EVENTS_A_TURN];
	int i, n;

	while (last ? *n_out > 0 : now_ns() < until_ns) {
		n = epoll_wait(epoll_fd, events, EVENTS_A_TURN, last ? 60000 : 100);
		if (last && n == 0) {
			n_errors += *n_out;
			return;
		}
		for (i = 0; i < n; i++) {
			struct connection *connection = events[i].data.ptr;

			if (!on_readable(connection))
				continue;
			if (last)
				(*n_out)--;
			else
				start_saga(connection);
		}
	}
}

int main(int argc, char **argv)
{
	struct connection *connections;
	struct epoll_event event = {.events = EPOLLIN};
	struct reading from, to;
	int i, epoll_fd, n_out;

	parse_options(argc, argv);
	run_id = now_ns() / 1000 + getpid();
	epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	connections = xcalloc((size_t)options.concurrency, sizeof(*connections));
	for (i = 0; i < options.concurrency; i++) {
		connections[i].fd = connect_server();
		event.data.ptr = &connections[i];
		if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, connections[i].fd, &event) < 0)
			die("epoll");
		start_saga(&connections[i]);
	}
	n_out = options.concurrency;
	run_until(epoll_fd, now_ns() + (int64_t)(options.warmup_seconds * 1e9), false, &n_out);
	from = read_now();
	measuring = true;
	run_until(epoll_fd, from.at_ns + (int64_t)(options.seconds * 1e9), false, &n_out);
	measuring = false;
	to = read_now();
	run_until(epoll_fd, 0, true, &n_out);
	print_results(&from, &to);
	for (i = 0; i < options.concurrency; i++)
		close(connections[i].fd);
	close(epoll_fd);
	free(connections);
	i = n_errors > 0 || n_latencies == 0;
	free(latencies_us);
	return i;
}
