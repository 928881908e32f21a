/*
 * A participant for benchmarks: answers at once and stores nothing, so that what is measured is the
 * coordinator. One thread on epoll, HTTP/1.1 with keep-alive; requests may be pipelined. Two system
 * calls a request: what is read is answered at once with one write.
 *
 *     bench_participant [--port N]     0, the default, takes a free port; prints "listening on …"
 *
 * Any path answers 200 {"ok":true}; a path that begins with /decline answers 422
 * {"code":"declined"}. It does not read chunked requests (411) nor any above 64 KiB (413).
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "sagas/base/macros.h"

enum { INPUT_SIZE = 64 * 1024, EVENTS_A_TURN = 128 };

#define ANSWER(status, body, length)                                                               \
	"HTTP/1.1 " status "\r\nContent-Type: application/json\r\nContent-Length: " length             \
	"\r\n\r\n" body

static const char answer_ok[] = ANSWER("200 OK", "{\"ok\":true}", "11");
static const char answer_declined[] =
	ANSWER("422 Unprocessable Content", "{\"code\":\"declined\"}", "19");
static const char answer_length_required[] = ANSWER("411 Length Required", "{}", "2");
static const char answer_too_large[] = ANSWER("413 Content Too Large", "{}", "2");

struct connection {
	int fd;
	size_t in_len, out_len, out_sent;
	char in[INPUT_SIZE];
	char out[INPUT_SIZE];
};

static volatile sig_atomic_t stopping;

static void on_signal(int number)
{
	(void)number;
	stopping = 1;
}

static void connection_close(struct connection *connection)
{
	close(connection->fd);
	free(connection);
}

/* The value of a header in a head that ends with an empty line, or NULL. */
static const char *find_header(const char *head, const char *end, const char *name)
{
	size_t len = strlen(name);
	const char *line = head;

	while ((line = memchr(line, '\n', (size_t)(end - line)))) {
		line++;
		if ((size_t)(end - line) > len && (*line | 0x20) == *name &&
			strncasecmp(line, name, len) == 0)
			return line + len;
	}
	return NULL;
}

static bool put(struct connection *connection, const char *answer, size_t len)
{
	if (connection->out_len + len > sizeof(connection->out))
		return false;
	memcpy(connection->out + connection->out_len, answer, len);
	connection->out_len += len;
	return true;
}

#define PUT(connection, answer) put(connection, answer, sizeof(answer) - 1)

/* Answers one request at `at`. Its length; 0 when it is not whole yet; -1: close afterwards. */
static ssize_t answer_one(struct connection *connection, const char *at, size_t len)
{
	const char *end = memmem(at, len, "\r\n\r\n", 4);
	const char *path, *value;
	size_t body = 0, head;

	if (!end)
		return len < INPUT_SIZE / 2 ? 0 : (PUT(connection, answer_too_large), -1);
	head = (size_t)(end - at) + 4;
	if (find_header(at, end + 2, "transfer-encoding:"))
		return PUT(connection, answer_length_required), -1;
	value = find_header(at, end + 2, "content-length:");
	if (value)
		body = strtoul(value, NULL, 10);
	if (body > INPUT_SIZE || head + body > INPUT_SIZE)
		return PUT(connection, answer_too_large), -1;
	if (head + body > len)
		return 0;
	path = memchr(at, ' ', head);
	if (path && strncmp(path + 1, "/decline", 8) == 0)
		return PUT(connection, answer_declined) ? (ssize_t)(head + body) : 0;
	return PUT(connection, answer_ok) ? (ssize_t)(head + body) : 0;
}

/* Answers what is there whole. Returns false when the connection is to be closed. */
static bool answer_all(struct connection *connection)
{
	size_t at = 0;
	bool go_on = true;

	while (at < connection->in_len) {
		ssize_t n = answer_one(connection, connection->in + at, connection->in_len - at);

		if (n <= 0) {
			go_on = n == 0;
			break;
		}
		at += (size_t)n;
	}
	memmove(connection->in, connection->in + at, connection->in_len - at);
	connection->in_len -= at;
	return go_on;
}

/* False: the connection has ended. */
static bool flush(struct connection *connection)
{
	while (connection->out_sent < connection->out_len) {
		ssize_t n = send(connection->fd, connection->out + connection->out_sent,
						 connection->out_len - connection->out_sent, MSG_NOSIGNAL);

		if (n < 0 && errno == EAGAIN)
			return true;
		if (n < 0)
			return false;
		connection->out_sent += (size_t)n;
	}
	connection->out_sent = connection->out_len = 0;
	return true;
}

/* Reads until the socket is drained; the next edge tells of more. False: close. */
static bool read_all(struct connection *connection)
{
	for (;;) {
		size_t room = sizeof(connection->in) - connection->in_len;
		ssize_t n = recv(connection->fd, connection->in + connection->in_len, room, 0);
		bool go_on;

		if (n < 0 && errno == EAGAIN)
			return true;
		if (n <= 0)
			return false;
		connection->in_len += (size_t)n;
		go_on = answer_all(connection);
		if (!flush(connection) || !go_on)
			return false;
		/* Less than there was room for means drained, which saves the call that says so. */
		if ((size_t)n < room)
			return true;
		if (connection->in_len == sizeof(connection->in))
			return false; /* answers are not read */
	}
}

static void accept_all(int epoll_fd, int listen_fd)
{
	int fd, one = 1;

	while ((fd = accept4(listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
		struct connection *connection = xcalloc(1, sizeof(*connection));
		/* Edge-triggered, so that waiting to write needs no second call. */
		struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET,
									.data.ptr = connection};

		connection->fd = fd;
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
		if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0)
			connection_close(connection);
	}
}

static void on_connection(struct connection *connection, unsigned events)
{
	bool go_on = flush(connection);

	if (go_on && (events & EPOLLIN))
		go_on = read_all(connection);
	if (!go_on || events & (EPOLLHUP | EPOLLERR | EPOLLRDHUP))
		connection_close(connection);
}

static int listen_on(int port)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
								  .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
								  .sin_port = htons((uint16_t)port)};
	int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	socklen_t len = sizeof(address);

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (fd < 0 || bind(fd, (struct sockaddr *)&address, len) < 0 || listen(fd, 1024) < 0 ||
		getsockname(fd, (struct sockaddr *)&address, &len) < 0) {
		fprintf(stderr, "bench_participant: port %d: %s\n", port, strerror(errno));
		exit(1);
	}
	printf("listening on 127.0.0.1:%d\n", ntohs(address.sin_port));
	fflush(stdout);
	return fd;
}

int main(int argc, char **argv)
{
	struct epoll_event events[EVENTS_A_TURN], event = {.events = EPOLLIN};
	struct sigaction action = {.sa_handler = on_signal};
	int i, n, epoll_fd, listen_fd, port = 0;

	if (argc == 3 && strcmp(argv[1], "--port") == 0) {
		port = (int)strtol(argv[2], NULL, 10);
	} else if (argc != 1) {
		fprintf(stderr, "usage: bench_participant [--port N]\n");
		return 2;
	}
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGINT, &action, NULL);
	listen_fd = listen_on(port);
	epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	CHECK(epoll_fd >= 0 && epoll_ctl(epoll_fd, EPOLL_CTL_ADD, listen_fd, &event) == 0);
	while (!stopping) {
		n = epoll_wait(epoll_fd, events, EVENTS_A_TURN, -1);
		for (i = 0; i < n; i++) {
			if (events[i].data.ptr)
				on_connection(events[i].data.ptr, events[i].events);
			else
				accept_all(epoll_fd, listen_fd);
		}
	}
	close(epoll_fd);
	close(listen_fd);
	return 0;
}
