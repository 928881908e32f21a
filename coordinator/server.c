/*
 * The wrapper of libmicrohttpd: one epoll thread that reads requests, runs the first part of their
 * handlers, and sends answers. What takes long is done elsewhere while the connection is suspended,
 * so the thread never waits.
 *
 * libmicrohttpd calls on_request several times for one request: with the headers, with each piece
 * of the body, at its end, and again each time when the connection was resumed.
 *
 * A body that is too large, or that nobody will read because the answer is an error already, is
 * read and thrown away up to a limit, so that the client sees the answer and the connection can be
 * used again; past the limit the connection is closed.
 */
#include "coordinator/server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <microhttpd.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "connectors/idempotency_redis.h"
#include "coordinator/clock.h"
#include "coordinator/http_text.h"
#include "coordinator/log.h"
#include "coordinator/overview.h"
#include "coordinator/server_priv.h"
#include "coordinator/streams.h"

enum {
	DEFAULT_PAYLOAD_MAX = 2 * 1024 * 1024,
	DISCARD_MAX = 16 * 1024 * 1024, /* bytes of a body that are read only to be polite */
	CONNECTIONS_MAX = 4000,
	IDLE_TIMEOUT_S = 75, /* longer than what proxies keep a connection for */
	BACKLOG = 1024,
	STOP_GRACE_S = 3, /* for clients that are still sending or reading */
};

const char *exchange_header(struct exchange *ex, const char *name)
{
	return MHD_lookup_connection_value(ex->connection, MHD_HEADER_KIND, name);
}

void exchange_suspend(struct exchange *ex)
{
	CHECK(!ex->suspended);
	ex->suspended = true;
	MHD_suspend_connection(ex->connection);
}

bool exchange_is_gone(struct exchange *ex)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(ex->connection, MHD_CONNECTION_INFO_CONNECTION_FD);
	char byte;

	/* Nothing more, and nothing to come; or an error other than "nothing now". */
	if (!info)
		return false;
	for (;;) {
		ssize_t n = recv(info->connect_fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);

		if (n >= 0)
			return n == 0;
		if (errno != EINTR)
			return errno != EAGAIN && errno != EWOULDBLOCK;
	}
}

/*
 * Once resumed, the exchange may be answered, freed, and the last one that server_stop waited for,
 * all before MHD_resume_connection has returned. The lock keeps the daemon alive until it has.
 */
void exchange_resume(struct exchange *ex)
{
	struct server *server = ex->server;

	pthread_mutex_lock(&server->resuming);
	MHD_resume_connection(ex->connection);
	pthread_mutex_unlock(&server->resuming);
}

/* Visible ASCII without what would need quoting somewhere. */
static bool request_id_is_sane(const char *id)
{
	size_t len =
		strspn(id, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.:/+=");

	return len > 0 && len <= REQUEST_ID_MAX_BYTES && id[len] == '\0';
}

static void take_request_id(struct exchange *ex)
{
	const char *sent = exchange_header(ex, "X-Request-Id");

	if (sent && request_id_is_sane(sent))
		snprintf(ex->request_id, sizeof(ex->request_id), "%s", sent);
	else
		snprintf(ex->request_id, sizeof(ex->request_id), "%s-%llx", ex->server->id_prefix,
				 (unsigned long long)++ex->server->n_requests);
}

static void refuse_size(struct exchange *ex)
{
	buf_release(&ex->body);
	ex->discard = true;
	if (!ex->status)
		exchange_problem(ex, PROBLEM_TOO_LARGE, "a body has at most %zu bytes",
						 ex->server->body_max);
}

/* Returns true when the answer cannot wait for the body. */
static bool begin(struct exchange *ex, const char *method)
{
	const char *length = exchange_header(ex, "Content-Length");
	const char *expect = exchange_header(ex, "Expect");
	unsigned long long announced = length ? strtoull(length, NULL, 10) : 0;
	const struct route *route;
	char *path;

	ex->begun = true;
	ex->started_us = clock_mono_us();
	take_request_id(ex);
	exchange_parse_target(ex, &path);
	if (!ex->status) {
		route = route_find(ex, method, path);
		if (route)
			ex->route = route;
		if (route && server_check(ex))
			ex->next = route->handler;
	}
	if (announced > ex->server->body_max)
		refuse_size(ex);
	ex->discard = ex->status != 0;
	return ex->discard && announced > 0 && (announced > DISCARD_MAX || expect);
}

/*
 * Between its handler's first step and its answer an exchange is busy, and may be suspended. False
 * when the server is closed: nothing new begins.
 */
static bool set_busy(struct exchange *ex, bool busy)
{
	struct server *server = ex->server;
	bool may = true;

	if (ex->busy == busy)
		return true;
	pthread_mutex_lock(&server->lock);
	may = !busy || !server->closed;
	if (may) {
		ex->busy = busy;
		server->busy += busy ? 1 : -1;
	}
	pthread_mutex_unlock(&server->lock);
	return may;
}

/* Errors of the server itself; what a client has done wrong is the client's to log. */
static void log_failure(const struct exchange *ex)
{
	if (ex->status == 500)
		log_error("http", NULL, "request %s to %s: %s", ex->request_id,
				  ex->route ? ex->route->name : "no route", buf_str(&ex->out));
}

static struct MHD_Response *make_response(struct exchange *ex)
{
	struct MHD_Response *response;
	size_t len = ex->fixed_len;
	char *data = NULL;

	if (ex->stream) {
		response = server_stream_response(ex);
		len = 1; /* it has a type */
	} else if (ex->fixed) {
		response = MHD_create_response_from_buffer(len, (void *)ex->fixed, MHD_RESPMEM_PERSISTENT);
	} else {
		data = buf_take(&ex->out, &len);
		response = MHD_create_response_from_buffer(
			len, data ? data : (char *)"", data ? MHD_RESPMEM_MUST_FREE : MHD_RESPMEM_PERSISTENT);
	}
	CHECK(response);
	if (len > 0)
		MHD_add_response_header(response, "Content-Type", ex->content_type);
	return response;
}

/*
 * Pages of other origins may not embed an answer. The dashboard loads nothing from elsewhere, runs
 * no script that stands in the page, and may be framed by nobody.
 */
static void add_confinement(const struct exchange *ex, struct MHD_Response *response)
{
	MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
	MHD_add_response_header(response, "Cross-Origin-Resource-Policy", "same-origin");
	if (!ex->route || !(ex->route->flags & ROUTE_PAGE))
		return;
	MHD_add_response_header(
		response, "Content-Security-Policy",
		"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
		"connect-src 'self'; font-src 'self'; base-uri 'none'; form-action 'none'; "
		"frame-ancestors 'none'");
	MHD_add_response_header(response, "Referrer-Policy", "no-referrer");
	MHD_add_response_header(response, "Cross-Origin-Opener-Policy", "same-origin");
}

static enum MHD_Result send_answer(struct exchange *ex)
{
	struct MHD_Response *response;
	enum MHD_Result r;

	log_failure(ex);
	response = make_response(ex);
	MHD_add_response_header(response, "X-Request-Id", ex->request_id);
	MHD_add_response_header(response, "Cache-Control",
							ex->cache_control ? ex->cache_control : "no-store");
	add_confinement(ex, response);
	for (size_t i = 0; i < ex->n_headers; i++)
		MHD_add_response_header(response, ex->headers[i].name, ex->headers[i].value);
	if (__atomic_load_n(&ex->node->draining, __ATOMIC_RELAXED))
		MHD_add_response_header(response, "Connection", "close");
	r = MHD_queue_response(ex->connection, (unsigned)ex->status, response);
	MHD_destroy_response(response);
	return r;
}

static enum MHD_Result run(struct exchange *ex)
{
	while (!ex->suspended && !ex->status) {
		exchange_step *step = TAKE(ex->next);

		CHECK(step);
		step(ex);
	}
	if (ex->suspended)
		return MHD_YES;
	set_busy(ex, false);
	return send_answer(ex);
}

/* The request is whole. */
static enum MHD_Result run_first(struct exchange *ex)
{
	if (!set_busy(ex, true) && !ex->status)
		exchange_problem(ex, PROBLEM_DRAINING, "the server stops");
	return run(ex);
}

static enum MHD_Result on_request(void *cls, struct MHD_Connection *connection, const char *url,
								  const char *method, const char *version, const char *upload_data,
								  size_t *upload_data_size, void **request)
{
	struct exchange *ex = *request;

	(void)cls, (void)url, (void)version;
	if (!ex->begun) {
		ex->connection = connection;
		return begin(ex, method) ? send_answer(ex) : MHD_YES;
	}
	if (*upload_data_size > 0) {
		ex->received += *upload_data_size;
		if (ex->received > DISCARD_MAX)
			return MHD_NO;
		if (!ex->discard && ex->received > ex->server->body_max)
			refuse_size(ex);
		if (!ex->discard)
			buf_add(&ex->body, upload_data, *upload_data_size);
		*upload_data_size = 0;
		return MHD_YES;
	}
	if (!ex->suspended)
		return run_first(ex);
	ex->suspended = false;
	return run(ex);
}

/* The first that is heard of a request; what it returns is on_request's `request`. */
static void *on_target(void *cls, const char *target, struct MHD_Connection *connection)
{
	struct server *server = cls;
	struct exchange *ex = xcalloc(1, sizeof(*ex));

	(void)connection;
	ex->server = server;
	ex->node = server->node;
	ex->target = xstrdup(target);
	ex->content_type = "application/json";
	buf_init(&ex->body, 0);
	buf_init(&ex->out, 0);
	pthread_mutex_lock(&server->lock);
	server->in_flight++;
	pthread_mutex_unlock(&server->lock);
	return ex;
}

static void on_completed(void *cls, struct MHD_Connection *connection, void **request,
						 enum MHD_RequestTerminationCode code)
{
	struct server *server = cls;
	struct exchange *ex = *request;

	(void)connection;
	if (!ex)
		return;
	*request = NULL;
	set_busy(ex, false);
	if (ex->begun)
		server_count(server, ex, code == MHD_REQUEST_TERMINATED_COMPLETED_OK);
	if (ex->undelivered && code != MHD_REQUEST_TERMINATED_COMPLETED_OK)
		ex->undelivered(ex);
	exchange_free(ex);
	pthread_mutex_lock(&server->lock);
	if (--server->in_flight == 0)
		pthread_cond_broadcast(&server->idle);
	pthread_mutex_unlock(&server->lock);
}

void server_count(struct server *server, const struct exchange *ex, bool answered)
{
	static const int64_t bounds[] = {
#define X(us, text) us,
		LATENCY_BUCKETS(X)
#undef X
	};
	struct route_metrics *m = &server->metrics[ex->route ? ex->route - routes : ROUTE_COUNT];
	int64_t took_us = clock_mono_us() - ex->started_us;
	int bucket = 0;

	while (bucket < N_LATENCY_BUCKETS && took_us > bounds[bucket])
		bucket++;
	m->buckets[bucket]++;
	m->sum_us += took_us;
	m->answers[answered && ex->status < 600 ? ex->status / 100 : 0]++;
}

static int listen_on(const char *address, int port, int *ret_fd, int *ret_port, struct err *err)
{
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port)};
	struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
	struct sockaddr *addr = (struct sockaddr *)&v4;
	socklen_t len = sizeof(v4);
	int fd, one = 1, r;

	if (strcmp(address, "localhost") == 0)
		address = "127.0.0.1";
	if (inet_pton(AF_INET6, address, &v6.sin6_addr) == 1) {
		addr = (struct sockaddr *)&v6;
		len = sizeof(v6);
	} else if (inet_pton(AF_INET, address, &v4.sin_addr) != 1) {
		return err_set(err, ERR_INVALID, "%.100s is not an IP address to listen on", address);
	}
	fd = socket(addr->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return err_set(err, ERR_IO, "no socket: %s", strerror(errno));
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, addr, len) < 0 || listen(fd, BACKLOG) < 0 || getsockname(fd, addr, &len) < 0) {
		r = err_set(err, errno == EADDRINUSE ? ERR_CONFLICT : ERR_IO, "cannot listen on %s:%d: %s",
					address, port, strerror(errno));
		close(fd);
		return r;
	}
	*ret_fd = fd;
	*ret_port = ntohs(addr->sa_family == AF_INET6 ? v6.sin6_port : v4.sin_port);
	return 0;
}

/* Files are also needed for the store and for the calls to participants. */
static unsigned connections_max(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur / 2 > CONNECTIONS_MAX)
		return CONNECTIONS_MAX;
	return (unsigned)(limit.rlim_cur / 2);
}

static int start_daemon(struct server *server, struct err *err)
{
	struct node *node = server->node;
	int r;

	r = listen_on(node->options.listen_address, node->options.listen_port, &server->listen_fd,
				  &node->port, err);
	if (r < 0)
		return r;
	server->daemon = MHD_start_daemon(
		MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ITC, 0, NULL, NULL,
		on_request, server, MHD_OPTION_LISTEN_SOCKET, server->listen_fd,
		MHD_OPTION_URI_LOG_CALLBACK, on_target, server, MHD_OPTION_NOTIFY_COMPLETED, on_completed,
		server, MHD_OPTION_CONNECTION_LIMIT, connections_max(), MHD_OPTION_CONNECTION_TIMEOUT,
		(unsigned)IDLE_TIMEOUT_S, MHD_OPTION_END);
	if (!server->daemon)
		return err_set(err, ERR_UNAVAILABLE, "the HTTP server cannot be started");
	return 0;
}

static bool is_loopback(const char *address)
{
	return strcmp(address, "localhost") == 0 || strcmp(address, "::1") == 0 ||
		   strncmp(address, "127.", 4) == 0;
}

/* Thread: the gate's. */
static void note_circuit(void *ctx, enum idempotency_circuit circuit, const char *why)
{
	(void)ctx;
	if (circuit == CIRCUIT_OPEN)
		log_warn("redis", NULL, "duplicates are found by the store alone until it answers: %s",
				 why);
	else
		log_info("redis", NULL, "it answers again");
}

static int open_idempotency(struct server *server, struct err *err)
{
	const struct node_options *options = &server->node->options;
	struct idempotency_redis_options redis = {
		.url = options->redis_url,
		.prefix = options->redis_prefix,
		.ttl_ms = options->idempotency_ttl_ms,
		.timeout_ms = options->idempotency_timeout_ms,
		.changed = note_circuit,
	};

	if (redis.url)
		return idempotency_redis_open(&redis, &server->idempotency, err);
	/* A store that nodes share is a round trip away, for which this thread must not wait. */
	if (server->node->store->ops->node_join)
		server->idempotency = idempotency_none_new();
	else
		server->idempotency = idempotency_store_new(server->reader);
	return 0;
}

void server_remember(struct server *server, const char *ns, const char *definition, const char *key,
					 const char *saga_id, const char *fingerprint)
{
	struct idempotency *idempotency = server->idempotency;
	struct err err;

	/* Only what is asked from any thread is beside the store, and needs to be told. */
	if (idempotency->ops->ask)
		(void)idempotency->ops->remember(idempotency, ns, definition, key, saga_id, fingerprint,
										 &err);
}

int server_start(struct node *node, struct server **ret_server, struct err *err)
{
	struct server *server = xcalloc(1, sizeof(*server));
	unsigned char random[8];
	int r;

	server->node = node;
	server->listen_fd = -1;
	server->origins = (struct http_origins){
		.loopback = is_loopback(node->options.listen_address),
		.listen = node->options.listen_address,
		.advertise = node->options.advertise,
		.allowed = node->options.allowed_origins,
	};
	server->body_max = node->options.payload_max ? node->options.payload_max : DEFAULT_PAYLOAD_MAX;
	CHECK(pthread_mutex_init(&server->lock, NULL) == 0);
	CHECK(pthread_mutex_init(&server->resuming, NULL) == 0);
	CHECK(pthread_cond_init(&server->idle, NULL) == 0);
	CHECK(getrandom(random, sizeof(random), 0) == sizeof(random));
	for (size_t i = 0; i < sizeof(random); i++)
		snprintf(server->id_prefix + 2 * i, 3, "%02x", random[i]);
	server->overview = overview_new(node);
	r = node->store->ops->reader_open(node->store, &server->reader, err);
	if (r == 0) {
		r = open_idempotency(server, err);
	}
	if (r == 0) {
		r = read_pool_start(node->store, &server->pool, err);
	}
	if (r == 0)
		r = start_daemon(server, err);
	if (r == 0)
		r = server_start_streams(server, err);
	if (r < 0) {
		server_stop(server);
		return r;
	}
	*ret_server = server;
	return 0;
}

/*
 * Clients that are slow are cut off after a while. Busy exchanges are not: their answers are on
 * their way from threads that still run, and libmicrohttpd cannot stop with suspended connections.
 */
static void wait_until_idle(struct server *server)
{
	int64_t give_up_us = clock_mono_us() + STOP_GRACE_S * INT64_C(1000000);
	struct timespec until;

	pthread_mutex_lock(&server->lock);
	while (server->busy > 0 || (server->in_flight > 0 && clock_mono_us() < give_up_us)) {
		clock_gettime(CLOCK_REALTIME, &until);
		until.tv_sec++;
		pthread_cond_timedwait(&server->idle, &server->lock, &until);
	}
	server->closed = true;
	pthread_mutex_unlock(&server->lock);
}

void server_stop(struct server *server)
{
	if (!server)
		return;
	if (server->daemon) {
		MHD_quiesce_daemon(server->daemon);
		streams_end(server->node->streams);
		wait_until_idle(server);
		streams_halt(server->node->streams);
		pthread_mutex_lock(&server->resuming);
		pthread_mutex_unlock(&server->resuming);
		MHD_stop_daemon(server->daemon);
	}
	if (server->listen_fd >= 0)
		close(server->listen_fd);
	read_pool_stop(server->pool);
	overview_free(server->overview);
	if (server->idempotency)
		server->idempotency->ops->close(server->idempotency);
	if (server->reader)
		server->node->store->ops->reader_close(server->reader);
	pthread_cond_destroy(&server->idle);
	pthread_mutex_destroy(&server->resuming);
	pthread_mutex_destroy(&server->lock);
	free(server);
}
