/*
 * A TCP proxy that breaks what passes through it, for campaigns against a real database:
 *
 *   fault_proxy PORT_TO MATCH
 *
 * Listens on a free port of 127.0.0.1 (its one line says which), forwards to PORT_TO, and reads
 * commands from stdin:
 *
 *   cut          closes every connection at once
 *   half N       the next N requests that hold MATCH are forwarded by half, and their connection
 * closed swallow N    the next N such requests are forwarded whole, and their connection is closed
 * before anything of the answer comes back: the commit lands, and nobody is told hold MS nothing is
 * forwarded for so long
 *
 * After each fault that has happened it prints "did cut", "did half" or "did swallow", so that a
 * campaign can count. A request is what one read brings; MATCH is the name of the prepared
 * statement that commits.
 *
 * What it does not do: TLS, or more than MAX connections.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MAX = 256, BYTES = 256 * 1024 };

struct link {
	int client, server; /* -1: free */
	bool swallowing;    /* what the server answers is thrown away, until it has answered */
};

struct proxy {
	struct sockaddr_in to;
	const char *match;
	struct link links[MAX];
	int half, swallow;
};

static void say(const char *what)
{
	printf("did %s\n", what);
	fflush(stdout);
}

static void link_close(struct link *link)
{
	close(link->client);
	close(link->server);
	link->client = link->server = -1;
}

static void take_connection(struct proxy *proxy, int listener)
{
	int client = accept(listener, NULL, NULL);
	int server = socket(AF_INET, SOCK_STREAM, 0);
	int on = 1;

	for (int i = 0; client >= 0 && i < MAX; i++) {
		struct link *link = &proxy->links[i];

		if (link->client >= 0)
			continue;
		if (connect(server, (struct sockaddr *)&proxy->to, sizeof(proxy->to)) < 0)
			break;
		setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
		setsockopt(server, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
		*link = (struct link){client, server, false};
		return;
	}
	close(client);
	close(server);
}

static bool send_all(int fd, const char *data, size_t len)
{
	while (len > 0) {
		ssize_t n = send(fd, data, len, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		data += n;
		len -= (size_t)n;
	}
	return true;
}

static void from_client(struct proxy *proxy, struct link *link, char *bytes)
{
	ssize_t n = recv(link->client, bytes, BYTES, 0);
	bool commit = n > 0 && memmem(bytes, (size_t)n, proxy->match, strlen(proxy->match));

	if (n <= 0) {
		link_close(link);
	} else if (commit && proxy->half > 0) {
		proxy->half--;
		send_all(link->server, bytes, (size_t)n / 2);
		link_close(link);
		say("half");
	} else if (commit && proxy->swallow > 0) {
		proxy->swallow--;
		link->swallowing = true;
		if (!send_all(link->server, bytes, (size_t)n))
			link_close(link);
	} else if (!send_all(link->server, bytes, (size_t)n)) {
		link_close(link);
	}
}

static void from_server(struct link *link, char *bytes)
{
	ssize_t n = recv(link->server, bytes, BYTES, 0);

	if (n > 0 && link->swallowing) {
		/* It has answered, so it has committed. */
		link_close(link);
		say("swallow");
	} else if (n <= 0 || !send_all(link->client, bytes, (size_t)n)) {
		link_close(link);
	}
}

static void obey(struct proxy *proxy, const char *line)
{
	int n = 1;

	if (strncmp(line, "cut", 3) == 0) {
		for (int i = 0; i < MAX; i++)
			if (proxy->links[i].client >= 0)
				link_close(&proxy->links[i]);
		say("cut");
	} else if (sscanf(line, "half %d", &n) == 1) {
		proxy->half += n;
	} else if (sscanf(line, "swallow %d", &n) == 1) {
		proxy->swallow += n;
	} else if (sscanf(line, "hold %d", &n) == 1) {
		poll(NULL, 0, n);
		say("hold");
	}
}

static void run(struct proxy *proxy, int listener)
{
	static char bytes[BYTES];
	struct pollfd fds[2 + 2 * MAX];
	char line[128];

	for (;;) {
		fds[0] = (struct pollfd){.fd = 0, .events = POLLIN};
		fds[1] = (struct pollfd){.fd = listener, .events = POLLIN};
		for (int i = 0; i < MAX; i++) {
			fds[2 + 2 * i] = (struct pollfd){.fd = proxy->links[i].client, .events = POLLIN};
			fds[3 + 2 * i] = (struct pollfd){.fd = proxy->links[i].server, .events = POLLIN};
		}
		if (poll(fds, 2 + 2 * MAX, -1) < 0)
			continue;
		for (int i = 0; i < MAX; i++) {
			struct link *link = &proxy->links[i];

			if (fds[2 + 2 * i].revents && link->client == fds[2 + 2 * i].fd)
				from_client(proxy, link, bytes);
			if (fds[3 + 2 * i].revents && link->server == fds[3 + 2 * i].fd)
				from_server(link, bytes);
		}
		if (fds[1].revents)
			take_connection(proxy, listener);
		if (fds[0].revents) {
			if (!fgets(line, sizeof(line), stdin))
				return;
			obey(proxy, line);
		}
	}
}

int main(int argc, char **argv)
{
	static struct proxy proxy;
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(at);
	int listener = socket(AF_INET, SOCK_STREAM, 0);

	if (argc != 3) {
		fprintf(stderr, "usage: fault_proxy PORT_TO MATCH\n");
		return 2;
	}
	setvbuf(stdin, NULL, _IONBF, 0);
	proxy.to = at;
	proxy.to.sin_port = htons((uint16_t)strtol(argv[1], NULL, 10));
	proxy.match = argv[2];
	for (int i = 0; i < MAX; i++)
		proxy.links[i].client = proxy.links[i].server = -1;
	if (bind(listener, (struct sockaddr *)&at, sizeof(at)) < 0 || listen(listener, 128) < 0 ||
		getsockname(listener, (struct sockaddr *)&at, &len) < 0) {
		perror("fault_proxy");
		return 1;
	}
	printf("listening on 127.0.0.1:%d\n", ntohs(at.sin_port));
	fflush(stdout);
	run(&proxy, listener);
	return 0;
}
