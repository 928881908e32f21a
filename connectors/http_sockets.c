#include "connectors/http_sockets.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "sagas/base/macros.h"

enum { EVENTS_A_TURN = 128 };

int64_t http_now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static struct http_socket *socket_at(struct http_sockets *sockets, int fd)
{
	size_t n = sockets->n ? sockets->n : 64;

	CHECK(fd >= 0);
	if ((size_t)fd < sockets->n)
		return &sockets->sockets[fd];
	while (n <= (size_t)fd)
		n *= 2;
	sockets->sockets = xrealloc_array(sockets->sockets, n, sizeof(*sockets->sockets));
	memset(sockets->sockets + sockets->n, 0, (n - sockets->n) * sizeof(*sockets->sockets));
	sockets->n = n;
	return &sockets->sockets[fd];
}

static void unregister(struct http_sockets *sockets, int fd)
{
	struct http_socket *socket = socket_at(sockets, fd);

	if (socket->registered)
		epoll_ctl(sockets->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
	socket->registered = 0;
}

static void register_wanted(struct http_sockets *sockets, int fd)
{
	struct http_socket *socket = socket_at(sockets, fd);
	struct epoll_event event = {.data.fd = fd};
	int r;

	if (socket->wanted == socket->registered)
		return;
	if (socket->wanted & CURL_POLL_IN)
		event.events |= EPOLLIN;
	if (socket->wanted & CURL_POLL_OUT)
		event.events |= EPOLLOUT;
	r = epoll_ctl(sockets->epoll_fd, socket->registered ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd,
				  &event);
	if (r < 0 && errno == ENOENT)
		r = epoll_ctl(sockets->epoll_fd, EPOLL_CTL_ADD, fd, &event);
	else if (r < 0 && errno == EEXIST)
		r = epoll_ctl(sockets->epoll_fd, EPOLL_CTL_MOD, fd, &event);
	/* Without it (no memory in the kernel) the exchange runs into its deadline, no worse. */
	socket->registered = r < 0 ? 0 : socket->wanted;
}

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *ctx, void *socket_ctx)
{
	struct http_sockets *sockets = ctx;
	struct http_socket *socket = socket_at(sockets, fd);

	(void)easy;
	(void)socket_ctx;
	if (what == CURL_POLL_REMOVE) {
		socket->wanted = 0;
		if (!socket->ours)
			unregister(sockets, fd);
		return 0;
	}
	socket->wanted = (uint8_t)what;
	register_wanted(sockets, fd);
	return 0;
}

static int on_timer(CURLM *multi, long timeout_ms, void *ctx)
{
	struct http_sockets *sockets = ctx;

	(void)multi;
	sockets->timer_at_ms = timeout_ms < 0 ? -1 : http_now_ms() + timeout_ms;
	return 0;
}

static curl_socket_t on_open(void *ctx, curlsocktype purpose, struct curl_sockaddr *address)
{
	struct http_sockets *sockets = ctx;
	int fd = socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);

	(void)purpose;
	if (fd < 0)
		return CURL_SOCKET_BAD;
	*socket_at(sockets, fd) = (struct http_socket){.ours = true};
	return fd;
}

static int on_close(void *ctx, curl_socket_t fd)
{
	struct http_sockets *sockets = ctx;

	/* Closing takes it out of epoll; the number may come back as another socket. */
	*socket_at(sockets, fd) = (struct http_socket){0};
	return close(fd);
}

void http_sockets_watch(struct http_sockets *sockets, CURL *easy)
{
	curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, on_open);
	curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, sockets);
	curl_easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION, on_close);
	curl_easy_setopt(easy, CURLOPT_CLOSESOCKETDATA, sockets);
}

int http_sockets_init(struct http_sockets *sockets, CURLM *multi, struct err *err)
{
	struct epoll_event event = {.events = EPOLLIN};

	*sockets = (struct http_sockets){.multi = multi, .timer_at_ms = -1};
	sockets->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	sockets->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	event.data.fd = sockets->wake_fd;
	if (sockets->epoll_fd < 0 || sockets->wake_fd < 0 ||
		epoll_ctl(sockets->epoll_fd, EPOLL_CTL_ADD, sockets->wake_fd, &event) < 0) {
		http_sockets_release(sockets);
		return err_set(err, ERR_IO, "HTTP client: epoll: %s", strerror(errno));
	}
	curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, on_socket);
	curl_multi_setopt(multi, CURLMOPT_SOCKETDATA, sockets);
	curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, on_timer);
	curl_multi_setopt(multi, CURLMOPT_TIMERDATA, sockets);
	return 0;
}

void http_sockets_release(struct http_sockets *sockets)
{
	if (sockets->epoll_fd >= 0)
		close(sockets->epoll_fd);
	if (sockets->wake_fd >= 0)
		close(sockets->wake_fd);
	sockets->epoll_fd = sockets->wake_fd = -1;
	free(sockets->sockets);
	sockets->sockets = NULL;
	sockets->n = 0;
}

void http_sockets_wake(struct http_sockets *sockets)
{
	uint64_t one = 1;
	ssize_t written = write(sockets->wake_fd, &one, sizeof(one));

	(void)written; /* it only fails when the counter is full, and then it is readable anyway */
}

static void on_event(struct http_sockets *sockets, const struct epoll_event *event)
{
	int fd = event->data.fd;
	int running, mask = 0;
	uint64_t count;

	if (fd == sockets->wake_fd) {
		ssize_t n = read(fd, &count, sizeof(count));

		(void)n;
		return;
	}
	if (!socket_at(sockets, fd)->wanted) {
		/* An idle connection ended, or spoke unasked: curl finds out before it uses it again. */
		unregister(sockets, fd);
		return;
	}
	if (event->events & EPOLLIN)
		mask |= CURL_CSELECT_IN;
	if (event->events & EPOLLOUT)
		mask |= CURL_CSELECT_OUT;
	if (event->events & (EPOLLERR | EPOLLHUP))
		mask |= CURL_CSELECT_ERR;
	curl_multi_socket_action(sockets->multi, fd, mask, &running);
}

static int wait_ms(const struct http_sockets *sockets, int64_t until_ms)
{
	int64_t until = sockets->timer_at_ms, left;

	if (until < 0 || (until_ms >= 0 && until_ms < until))
		until = until_ms;
	if (until < 0)
		return -1;
	left = until - http_now_ms();
	return left < 0 ? 0 : left > 60000 ? 60000 : (int)left;
}

void http_sockets_turn(struct http_sockets *sockets, int64_t until_ms)
{
	struct epoll_event events[EVENTS_A_TURN];
	int i, n, running;

	n = epoll_wait(sockets->epoll_fd, events, EVENTS_A_TURN, wait_ms(sockets, until_ms));
	for (i = 0; i < n; i++)
		on_event(sockets, &events[i]);
	if (sockets->timer_at_ms >= 0 && sockets->timer_at_ms <= http_now_ms()) {
		sockets->timer_at_ms = -1;
		curl_multi_socket_action(sockets->multi, CURL_SOCKET_TIMEOUT, 0, &running);
	}
}
