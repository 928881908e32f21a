/*
 * A TCP proxy that loses what a network loses, for tests of connections: what was sent and never
 * arrived, what arrived and was never answered, and what arrives when nobody waits any more.
 */
#ifndef TESTS_SUPPORT_TCP_PROXY_H
#define TESTS_SUPPORT_TCP_PROXY_H

enum proxy_fault {
	PROXY_PASS,
	PROXY_LOSE_REPLY,   /* the next request arrives; the client is cut off before its answer */
	PROXY_LOSE_REQUEST, /* the next request is lost; the client is cut off, the server is not */
	PROXY_LATE_REQUEST, /* the same, but the request is kept, and arrives at proxy_deliver */
};

struct tcp_proxy;

/* Passes connections on to 127.0.0.1:port. Listens on its own port, in a thread. */
struct tcp_proxy *tcp_proxy_start(int port);
void tcp_proxy_stop(struct tcp_proxy *proxy);
int tcp_proxy_port(const struct tcp_proxy *proxy);

/* Of the next request on any connection; it happens once. */
void tcp_proxy_fault(struct tcp_proxy *proxy, enum proxy_fault fault);
/* The kept request reaches the server now. Returns the number of bytes that the server took. */
long tcp_proxy_deliver(struct tcp_proxy *proxy);

#endif
