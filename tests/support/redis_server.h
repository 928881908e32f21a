/*
 * A Redis of the test's own: a child process with its files in a temporary folder, which dies with
 * the test.
 */
#ifndef TESTS_SUPPORT_REDIS_SERVER_H
#define TESTS_SUPPORT_REDIS_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct redis_server {
	const char *dir; /* filled in by the test: for its files */
	pid_t pid;       /* 0: it does not run */
	int port;        /* on the loopback address */
	bool sentinel;
	char url[64];   /* "redis://127.0.0.1:…" */
	char conf[256]; /* of a sentinel: its file */
};

/* Starts one on a free port, or again on the port it had; returns when it answers. */
void redis_server_start(struct redis_server *server);
void redis_server_kill(struct redis_server *server);   /* kill -9, and waits for its end */
void redis_server_freeze(struct redis_server *server); /* SIGSTOP: connected, and silent */
void redis_server_thaw(struct redis_server *server);

/* One command, split at spaces; the answer as text, which lives until the next one. */
const char *redis_server_run(struct redis_server *server, const char *command);
/* SET, of any bytes. */
void redis_server_set(struct redis_server *server, const char *key, const char *value, size_t len);

#endif
