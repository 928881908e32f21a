#include "tests/support/http_script.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "sagas/base/buf.h"
#include "sagas/base/macros.h"

enum { MAX_CONNECTIONS = 512, MAX_LOGGED = 4096, HUGE_BYTES = 100 * 1000 * 1000 };

struct connection {
	struct http_script *script;
	pthread_t thread;
	int fd;
};

struct http_script {
	int listen_fd;
	int stop_fd; /* readable: everything ends */
	int port;
	char url[64];
	pthread_t thread;
	pthread_mutex_t mutex;
	pthread_cond_t changed;
	bool refuse, gate_open, stopping;
	struct connection connections[MAX_CONNECTIONS];
	int n_connections, open, most_open, n_requests;
	char *log[MAX_LOGGED];
	struct buf recorded; /* "body,body" */
};

/* False when the test ends before the descriptor is ready. */
static bool wait_for(struct http_script *script, int fd, short events, int timeout_ms)
{
	struct pollfd fds[] = {{.fd = script->stop_fd, .events = POLLIN}, {fd, events, 0}};

	if (poll(fds, fd < 0 ? 1 : 2, timeout_ms) < 0)
		return false;
	return fds[0].revents == 0;
}

static bool send_all(struct connection *connection, const char *data, size_t len)
{
	while (len > 0) {
		ssize_t n;

		if (!wait_for(connection->script, connection->fd, POLLOUT, -1))
			return false;
		n = send(connection->fd, data, len, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n <= 0)
			return false;
		data += n;
		len -= (size_t)n;
	}
	return true;
}

static bool send_text(struct connection *connection, const char *text)
{
	return send_all(connection, text, strlen(text));
}

static bool answer(struct connection *connection, int status, const char *more_headers,
				   const char *type, const char *body, size_t len)
{
	struct buf out;
	bool ok;

	buf_init(&out, 0);
	buf_printf(&out, "HTTP/1.1 %d Scripted\r\nContent-Type: %s\r\nContent-Length: %zu\r\n%s\r\n",
			   status, type, len, more_headers);
	buf_add(&out, body, len);
	ok = send_all(connection, out.data, out.len);
	buf_release(&out);
	return ok;
}

static bool answer_json(struct connection *connection, int status, const char *more_headers,
						const char *body)
{
	return answer(connection, status, more_headers, "application/json", body, strlen(body));
}

static bool answer_length(struct connection *connection, size_t len)
{
	char *body = malloc(len + 1);
	bool ok;

	CHECK(body);
	memset(body, 'x', len);
	ok = answer(connection, 200, "", "text/plain", body, len);
	free(body);
	return ok;
}

static bool drip(struct connection *connection)
{
	int i;

	if (!send_text(connection, "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"))
		return false;
	for (i = 0; i < 1000; i++) {
		if (!wait_for(connection->script, -1, 0, 5) || !send_text(connection, "x"))
			return false;
	}
	return true;
}

static bool huge(struct connection *connection, bool chunked)
{
	static char block[65536];
	size_t sent;

	if (!send_text(connection, "HTTP/1.1 200 OK\r\n") ||
		!send_text(connection,
				   chunked ? "Transfer-Encoding: chunked\r\n\r\n"
						   : "Content-Type: text/plain\r\nContent-Length: 100000000\r\n\r\n"))
		return false;
	for (sent = 0; sent < HUGE_BYTES; sent += sizeof(block)) {
		if ((chunked && !send_text(connection, "10000\r\n")) ||
			!send_all(connection, block, sizeof(block)) ||
			(chunked && !send_text(connection, "\r\n")))
			return false;
	}
	return false;
}

static bool endless_headers(struct connection *connection)
{
	bool ok = send_text(connection, "HTTP/1.1 200 OK\r\n");

	while (ok)
		ok = send_text(connection, "X-Filler: 0123456789012345678901234567890123456789\r\n");
	return false;
}

static bool gate(struct connection *connection)
{
	struct http_script *script = connection->script;

	pthread_mutex_lock(&script->mutex);
	while (!script->gate_open && !script->stopping)
		pthread_cond_wait(&script->changed, &script->mutex);
	pthread_mutex_unlock(&script->mutex);
	return answer_json(connection, 200, "", "{\"ok\":true}");
}

static bool record(struct connection *connection, const struct buf *request)
{
	struct http_script *script = connection->script;
	const char *body = strstr(request->data, "\r\n\r\n") + 4;

	pthread_mutex_lock(&script->mutex);
	if (script->recorded.len > 0)
		buf_add_char(&script->recorded, ',');
	buf_add(&script->recorded, body, request->len - (size_t)(body - request->data));
	pthread_mutex_unlock(&script->mutex);
	return send_text(connection, "HTTP/1.1 204 No Content\r\n\r\n");
}

static bool recorded(struct connection *connection)
{
	struct http_script *script = connection->script;
	char *list;
	bool ok;

	pthread_mutex_lock(&script->mutex);
	list = xasprintf("[%s]", buf_str(&script->recorded));
	pthread_mutex_unlock(&script->mutex);
	ok = answer_json(connection, 200, "", list);
	free(list);
	return ok;
}

/* Returns whether the connection goes on. */
static bool play(struct connection *connection, const char *path, const struct buf *request)
{
	if (strcmp(path, "/ok") == 0)
		return answer_json(connection, 200, "", "{\"ok\":true}");
	if (strcmp(path, "/echo") == 0)
		return answer(connection, 200, "", "text/plain", request->data, request->len);
	if (strncmp(path, "/status/", 8) == 0)
		return answer_json(connection, (int)strtol(path + 8, NULL, 10), "",
						   "{\"code\":\"declined\"}");
	if (strcmp(path, "/redirect") == 0)
		return answer_json(connection, 302, "Location: /ok\r\n", "{}");
	if (strcmp(path, "/retry-after") == 0)
		return answer_json(connection, 429, "Retry-After: 7\r\n", "{}");
	if (strcmp(path, "/empty") == 0)
		return send_text(connection, "HTTP/1.1 204 No Content\r\n\r\n");
	if (strcmp(path, "/interim") == 0)
		return send_text(connection, "HTTP/1.1 103 Early Hints\r\nContent-Type: a/b\r\n"
									 "Retry-After: 9\r\n\r\n") &&
			   answer_json(connection, 200, "", "{\"ok\":true}");
	if (strcmp(path, "/chunked") == 0)
		return send_text(connection, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
									 "3\r\n{\"o\r\n") &&
			   send_text(connection, "5\r\nk\":tr\r\n3\r\nue}\r\n0\r\n\r\n");
	if (strncmp(path, "/length/", 8) == 0)
		return answer_length(connection, strtoul(path + 8, NULL, 10));
	if (strcmp(path, "/garbage") == 0)
		return send_text(connection, "\x01\x02 this is not HTTP\n\n\n\xff") && false;
	if (strcmp(path, "/short") == 0)
		return send_text(connection, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n0123456789") &&
			   false;
	if (strcmp(path, "/hang") == 0)
		return wait_for(connection->script, connection->fd, POLLIN, -1) && false;
	if (strcmp(path, "/drip") == 0)
		return drip(connection);
	if (strcmp(path, "/huge") == 0 || strcmp(path, "/huge-chunked") == 0)
		return huge(connection, path[5] == '-');
	if (strcmp(path, "/headers") == 0)
		return endless_headers(connection);
	if (strcmp(path, "/record") == 0)
		return record(connection, request);
	if (strcmp(path, "/recorded") == 0)
		return recorded(connection);
	if (strcmp(path, "/gate") == 0)
		return gate(connection);
	return false; /* /close */
}

static void note_request(struct http_script *script, const char *path)
{
	pthread_mutex_lock(&script->mutex);
	if (script->n_requests < MAX_LOGGED)
		script->log[script->n_requests] = xstrdup(path);
	script->n_requests++;
	script->open++;
	if (script->open > script->most_open)
		script->most_open = script->open;
	pthread_cond_broadcast(&script->changed);
	pthread_mutex_unlock(&script->mutex);
}

static void note_end(struct http_script *script)
{
	pthread_mutex_lock(&script->mutex);
	script->open--;
	pthread_mutex_unlock(&script->mutex);
}

static size_t content_length(const char *head)
{
	const char *line;

	for (line = strstr(head, "\r\n"); line; line = strstr(line + 2, "\r\n")) {
		if (strncasecmp(line + 2, "content-length:", 15) == 0)
			return strtoul(line + 17, NULL, 10);
	}
	return 0;
}

/* Reads one request into `in`; false when the connection ended. */
static bool read_request(struct connection *connection, struct buf *in)
{
	char block[65536];
	const char *end;
	ssize_t n;

	for (;;) {
		end = in->len > 0 ? strstr(in->data, "\r\n\r\n") : NULL;
		if (end && in->len >= (size_t)(end - in->data) + 4 + content_length(in->data))
			return true;
		if (!wait_for(connection->script, connection->fd, POLLIN, -1))
			return false;
		n = recv(connection->fd, block, sizeof(block), 0);
		if (n <= 0)
			return false;
		buf_add(in, block, (size_t)n);
	}
}

static void *serve(void *arg)
{
	struct connection *connection = arg;
	bool go_on = true;

	while (go_on) {
		struct buf in;
		char path[256] = "";

		buf_init(&in, 0);
		go_on = read_request(connection, &in);
		if (go_on && sscanf(in.data, "%*s %255[^ ?]", path) == 1) {
			note_request(connection->script, path);
			go_on = play(connection, path, &in);
			note_end(connection->script);
		}
		buf_release(&in);
	}
	/* Only says so: the descriptor is closed when the thread has been joined. */
	shutdown(connection->fd, SHUT_RDWR);
	return NULL;
}

static void *accept_connections(void *arg)
{
	struct http_script *script = arg;
	struct connection *connection;

	for (;;) {
		int fd;

		if (!wait_for(script, script->listen_fd, POLLIN, -1))
			return NULL;
		fd = accept(script->listen_fd, NULL, NULL);
		if (fd < 0)
			return NULL; /* http_script_refuse */
		pthread_mutex_lock(&script->mutex);
		CHECK(script->n_connections < MAX_CONNECTIONS);
		connection = &script->connections[script->n_connections++];
		*connection = (struct connection){.script = script, .fd = fd};
		CHECK(pthread_create(&connection->thread, NULL, serve, connection) == 0);
		pthread_mutex_unlock(&script->mutex);
	}
}

struct http_script *http_script_start(void)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct http_script *script = xcalloc(1, sizeof(*script));
	socklen_t len = sizeof(address);

	pthread_mutex_init(&script->mutex, NULL);
	pthread_cond_init(&script->changed, NULL);
	buf_init(&script->recorded, 0);
	script->stop_fd = eventfd(0, EFD_CLOEXEC);
	script->listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	CHECK(script->stop_fd >= 0 && script->listen_fd >= 0);
	CHECK(bind(script->listen_fd, (struct sockaddr *)&address, len) == 0);
	CHECK(listen(script->listen_fd, 256) == 0);
	CHECK(getsockname(script->listen_fd, (struct sockaddr *)&address, &len) == 0);
	script->port = ntohs(address.sin_port);
	snprintf(script->url, sizeof(script->url), "http://127.0.0.1:%d", script->port);
	CHECK(pthread_create(&script->thread, NULL, accept_connections, script) == 0);
	return script;
}

void http_script_stop(struct http_script *script)
{
	uint64_t one = 1;
	int i;

	pthread_mutex_lock(&script->mutex);
	script->stopping = true;
	pthread_cond_broadcast(&script->changed);
	pthread_mutex_unlock(&script->mutex);
	CHECK(write(script->stop_fd, &one, sizeof(one)) == sizeof(one));
	pthread_join(script->thread, NULL);
	for (i = 0; i < script->n_connections; i++) {
		pthread_join(script->connections[i].thread, NULL);
		close(script->connections[i].fd);
	}
	close(script->listen_fd);
	close(script->stop_fd);
	for (i = 0; i < MAX_LOGGED; i++)
		free(script->log[i]);
	buf_release(&script->recorded);
	pthread_cond_destroy(&script->changed);
	pthread_mutex_destroy(&script->mutex);
	free(script);
}

int http_script_port(const struct http_script *script)
{
	return script->port;
}

const char *http_script_url(const struct http_script *script)
{
	return script->url;
}

void http_script_refuse(struct http_script *script)
{
	shutdown(script->listen_fd, SHUT_RDWR);
}

void http_script_open_gate(struct http_script *script)
{
	pthread_mutex_lock(&script->mutex);
	script->gate_open = true;
	pthread_cond_broadcast(&script->changed);
	pthread_mutex_unlock(&script->mutex);
}

static int read_counter(struct http_script *script, const int *counter)
{
	int value;

	pthread_mutex_lock(&script->mutex);
	value = *counter;
	pthread_mutex_unlock(&script->mutex);
	return value;
}

int http_script_requests(struct http_script *script)
{
	return read_counter(script, &script->n_requests);
}

int http_script_connections(struct http_script *script)
{
	return read_counter(script, &script->n_connections);
}

int http_script_most_open(struct http_script *script)
{
	return read_counter(script, &script->most_open);
}

void http_script_await_requests(struct http_script *script, int n)
{
	pthread_mutex_lock(&script->mutex);
	while (script->n_requests < n)
		pthread_cond_wait(&script->changed, &script->mutex);
	pthread_mutex_unlock(&script->mutex);
}

char *http_script_path(struct http_script *script, int n)
{
	char *path = NULL;

	pthread_mutex_lock(&script->mutex);
	if (n < script->n_requests && n < MAX_LOGGED)
		path = xstrdup(script->log[n]);
	pthread_mutex_unlock(&script->mutex);
	return path;
}
