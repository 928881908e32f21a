/*
 * The sockets and the timer of a curl multi handle on epoll: private to the HTTP client.
 *
 * curl_multi_poll hands every socket to the kernel each time and curl_multi_perform then looks at
 * every transfer; here only what happened is looked at. curl drops interest in a socket at the end
 * of each exchange and takes it up again with the next, so a dropped socket stays registered until
 * it either is wanted again, speaks, or is closed: a busy connection costs no epoll_ctl at all.
 *
 * Thread: the client's, but for http_sockets_wake.
 */
#ifndef CONNECTORS_HTTP_SOCKETS_H
#define CONNECTORS_HTTP_SOCKETS_H

#include <curl/curl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sagas/base/err.h"

struct http_socket {
	uint8_t wanted;     /* CURL_POLL_IN, CURL_POLL_OUT: what curl waits for */
	uint8_t registered; /* what epoll waits for; 0: it does not know the socket */
	bool ours;          /* opened through http_sockets_open, so that its closing is seen too */
};

struct http_sockets {
	CURLM *multi;
	int epoll_fd;
	int wake_fd;
	int64_t timer_at_ms; /* when curl wants to be called; -1: not */
	struct http_socket *sockets;
	size_t n;
};

int http_sockets_init(struct http_sockets *sockets, CURLM *multi, struct err *err) MUST_CHECK;
void http_sockets_release(struct http_sockets *sockets);

/* Makes every connection of the easy handle open and close its sockets here. */
void http_sockets_watch(struct http_sockets *sockets, CURL *easy);

/* Waits until something happens, at most until until_ms (-1: no limit), and lets curl act on it. */
void http_sockets_turn(struct http_sockets *sockets, int64_t until_ms);

/* Ends the wait, also one that has not begun. Thread: any. */
void http_sockets_wake(struct http_sockets *sockets);

int64_t http_now_ms(void);

#endif
