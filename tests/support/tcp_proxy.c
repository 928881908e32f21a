#include "tests/support/tcp_proxy.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "sagas/base/macros.h"

enum { MAX_LINKS = 64, CHUNK = 65536 };

struct link {
	int client, server; /* -1: closed */
	bool cut_on_reply;
};

struct tcp_proxy {
	pthread_t thread;
	pthread_mutex_t mutex; /* over all below */
	int listen_fd, wake[2], port, to_port;
	bool stopping;
	enum proxy_fault fault;
	struct link links[MAX_LINKS];
	int n_links;
	char *kept; /* of a late request, for kept_fd */
	size_t kept_len;
	int kept_fd;
};

static struct sockaddr_in loopback(int port)
{
	return (struct sockaddr_in){.sin_family = AF_INET,
								.sin_port = htons((uint16_t)port),
								.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static void accept_one(struct tcp_proxy *proxy)
{
	struct sockaddr_in to = loopback(proxy->to_port);
	int one = 1, client = accept(proxy->listen_fd, NULL, NULL);
	struct link *link;

	CHECK(client >= 0 && proxy->n_links < MAX_LINKS);
	link = &proxy->links[proxy->n_links++];
	*link = (struct link){.client = client, .server = socket(AF_INET, SOCK_STREAM, 0)};
	if (connect(link->server, (struct sockaddr *)&to, sizeof(to)) < 0) {
		close_fd(&link->client);
		close_fd(&link->server);
		return;
	}
	setsockopt(link->client, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	setsockopt(link->server, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
}

static bool send_all(int fd, const char *data, size_t len)
{
	while (len > 0) {
		ssize_t n = send(fd, data, len, MSG_NOSIGNAL);

		if (n <= 0)
			return false;
		data += n;
		len -= (size_t)n;
	}
	return true;
}

/* The client sends. A fault takes effect here, and stays with the link. */
static void from_client(struct tcp_proxy *proxy, struct link *link)
{
	static char data[CHUNK];
	ssize_t n = recv(link->client, data, sizeof(data), 0);
	enum proxy_fault fault = proxy->fault;

	if (n <= 0) {
		close_fd(&link->client);
		if (!proxy->kept || proxy->kept_fd != link->server)
			close_fd(&link->server);
		return;
	}
	proxy->fault = PROXY_PASS;
	switch (fault) {
	case PROXY_LOSE_REPLY:
		link->cut_on_reply = true;
		send_all(link->server, data, (size_t)n);
		break;
	case PROXY_LATE_REQUEST:
		proxy->kept = malloc((size_t)n);
		CHECK(proxy->kept);
		memcpy(proxy->kept, data, (size_t)n);
		proxy->kept_len = (size_t)n;
		proxy->kept_fd = link->server;
		close_fd(&link->client);
		link->server = -1; /* open, and the keeper's */
		break;
	case PROXY_LOSE_REQUEST:
		close_fd(&link->client);
		proxy->kept_fd = link->server; /* stays open, like one of which the server hears nothing */
		link->server = -1;
		break;
	case PROXY_PASS:
		if (!send_all(link->server, data, (size_t)n))
			close_fd(&link->client);
		break;
	}
}

static void from_server(struct link *link)
{
	static char data[CHUNK];
	ssize_t n = recv(link->server, data, sizeof(data), 0);

	if (n <= 0 || link->cut_on_reply || !send_all(link->client, data, (size_t)n)) {
		close_fd(&link->client);
		close_fd(&link->server);
	}
}

static void turn(struct tcp_proxy *proxy)
{
	struct pollfd fds[2 + 2 * MAX_LINKS] = {{.fd = proxy->listen_fd, .events = POLLIN},
											{.fd = proxy->wake[0], .events = POLLIN}};
	int n = proxy->n_links;

	for (int i = 0; i < n; i++) {
		fds[2 + 2 * i] = (struct pollfd){.fd = proxy->links[i].client, .events = POLLIN};
		fds[3 + 2 * i] = (struct pollfd){.fd = proxy->links[i].server, .events = POLLIN};
	}
	pthread_mutex_unlock(&proxy->mutex);
	poll(fds, (nfds_t)(2 + 2 * n), -1);
	pthread_mutex_lock(&proxy->mutex);
	if (fds[0].revents)
		accept_one(proxy);
	for (int i = 0; i < n; i++) {
		struct link *link = &proxy->links[i];

		if (fds[2 + 2 * i].revents && link->client >= 0)
			from_client(proxy, link);
		if (fds[3 + 2 * i].revents && link->server >= 0)
			from_server(link);
	}
}

static void *proxy_main(void *arg)
{
	struct tcp_proxy *proxy = arg;

	pthread_mutex_lock(&proxy->mutex);
	while (!proxy->stopping)
		turn(proxy);
	pthread_mutex_unlock(&proxy->mutex);
	return NULL;
}

struct tcp_proxy *tcp_proxy_start(int port)
{
	struct tcp_proxy *proxy = xcalloc(1, sizeof(*proxy));
	struct sockaddr_in here = loopback(0);
	socklen_t len = sizeof(here);

	proxy->to_port = port;
	proxy->kept_fd = -1;
	proxy->listen_fd = socket(AF_INET, SOCK_STREAM, 0);
	CHECK(bind(proxy->listen_fd, (struct sockaddr *)&here, len) == 0);
	CHECK(listen(proxy->listen_fd, 16) == 0);
	CHECK(getsockname(proxy->listen_fd, (struct sockaddr *)&here, &len) == 0);
	proxy->port = ntohs(here.sin_port);
	CHECK(pipe(proxy->wake) == 0);
	pthread_mutex_init(&proxy->mutex, NULL);
	CHECK(pthread_create(&proxy->thread, NULL, proxy_main, proxy) == 0);
	return proxy;
}

int tcp_proxy_port(const struct tcp_proxy *proxy)
{
	return proxy->port;
}

void tcp_proxy_fault(struct tcp_proxy *proxy, enum proxy_fault fault)
{
	pthread_mutex_lock(&proxy->mutex);
	proxy->fault = fault;
	pthread_mutex_unlock(&proxy->mutex);
}

long tcp_proxy_deliver(struct tcp_proxy *proxy)
{
	char data[CHUNK];
	ssize_t n = -1, got;

	pthread_mutex_lock(&proxy->mutex);
	CHECK(proxy->kept);
	if (send_all(proxy->kept_fd, proxy->kept, proxy->kept_len))
		n = (ssize_t)proxy->kept_len;
	/* Until the server has answered or hung up, so that what it did is done. */
	got = n > 0 ? recv(proxy->kept_fd, data, sizeof(data), 0) : -1;
	if (got > 0 && data[0] == 'E')
		got = -1; /* it told the connection goodbye */
	close_fd(&proxy->kept_fd);
	free(proxy->kept);
	proxy->kept = NULL;
	pthread_mutex_unlock(&proxy->mutex);
	return got > 0 ? (long)n : 0;
}

void tcp_proxy_stop(struct tcp_proxy *proxy)
{
	pthread_mutex_lock(&proxy->mutex);
	proxy->stopping = true;
	pthread_mutex_unlock(&proxy->mutex);
	CHECK(write(proxy->wake[1], "", 1) == 1);
	pthread_join(proxy->thread, NULL);
	for (int i = 0; i < proxy->n_links; i++) {
		close_fd(&proxy->links[i].client);
		close_fd(&proxy->links[i].server);
	}
	close_fd(&proxy->kept_fd);
	close(proxy->listen_fd);
	close(proxy->wake[0]);
	close(proxy->wake[1]);
	pthread_mutex_destroy(&proxy->mutex);
	free(proxy->kept);
	free(proxy);
}
