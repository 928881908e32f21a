/*
 * Addresses of Redis, taken apart. Private to the adapters over Redis.
 */
#ifndef CONNECTORS_REDIS_URL_H
#define CONNECTORS_REDIS_URL_H

#include <stddef.h>

#include "sagas/base/err.h"

enum { REDIS_HOSTS_MAX = 16, REDIS_URL_MAX_BYTES = 2048 };

struct redis_host {
	char *name;
	int port;
};

struct redis_url {
	struct redis_host hosts[REDIS_HOSTS_MAX]; /* of the server, or of its sentinels */
	size_t n_hosts;                           /* 0: a Unix socket */
	char *path;                               /* of the socket */
	char *master;                             /* its name at the sentinels; NULL: none are asked */
	char *user, *password;                    /* NULL: none */
	int db;
};

/* ERR_INVALID; the text never holds a password. */
int redis_url_parse(const char *text, struct redis_url *ret_url, struct err *err) MUST_CHECK;
void redis_url_release(struct redis_url *url); /* takes all zeros */

#endif
