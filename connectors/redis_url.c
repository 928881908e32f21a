/* The grammar stands in idempotency_redis.h. */
#include "connectors/redis_url.h"

#include <string.h>

enum { DEFAULT_PORT = 6379, DEFAULT_SENTINEL_PORT = 26379, DB_MAX = 65535 };

void redis_url_release(struct redis_url *url)
{
	for (size_t i = 0; i < url->n_hosts; i++)
		free(url->hosts[i].name);
	free(url->path);
	free(url->master);
	free(url->user);
	free(url->password);
	*url = (struct redis_url){0};
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* A part of the address with %41 decoded; NULL: it holds a broken escape or a NUL. */
static char *decoded(const char *text, size_t len)
{
	char *copy = xstrndup(text, len), *to = copy;

	for (const char *p = copy; *p; p++) {
		int high, low;

		if (*p != '%') {
			*to++ = *p;
			continue;
		}
		high = hex_digit(p[1]);
		low = high < 0 ? -1 : hex_digit(p[2]);
		if (low < 0 || high + low == 0) {
			free(copy);
			return NULL;
		}
		*to++ = (char)(high << 4 | low);
		p += 2;
	}
	*to = '\0';
	return copy;
}

/* 0 to max, decimal; -1: it is none. */
static int number(const char *text, size_t len, int max)
{
	int n = 0;

	if (len == 0 || len > 6)
		return -1;
	for (size_t i = 0; i < len; i++) {
		if (text[i] < '0' || text[i] > '9')
			return -1;
		n = n * 10 + (text[i] - '0');
	}
	return n <= max ? n : -1;
}

static int parse_login(const char *text, size_t len, struct redis_url *url, struct err *err)
{
	const char *colon = memchr(text, ':', len);
	size_t user = colon ? (size_t)(colon - text) : len;

	if (!colon)
		return err_set(err, ERR_INVALID,
					   "before the @ stands user:password, or :password without a user");
	if (memchr(text, '@', len))
		return err_set(err, ERR_INVALID, "an @ in the user or password is written %%40");
	if (user > 0) {
		url->user = decoded(text, user);
		if (!url->user)
			return err_set(err, ERR_INVALID, "the user holds a broken %% escape");
	}
	url->password = decoded(colon + 1, len - user - 1);
	if (!url->password)
		return err_set(err, ERR_INVALID, "the password holds a broken %% escape");
	return 0;
}

/* "host", "host:port", "[::1]:port" */
static int parse_host(const char *text, size_t len, int fallback_port, struct redis_url *url,
					  struct err *err)
{
	const char *end = text + len, *name = text, *name_end, *port;
	struct redis_host host = {.port = fallback_port};

	if (url->n_hosts == REDIS_HOSTS_MAX)
		return err_set(err, ERR_INVALID, "there are more than %d hosts", REDIS_HOSTS_MAX);
	if (len > 0 && *text == '[') {
		name++;
		name_end = memchr(text, ']', len);
		if (!name_end)
			return err_set(err, ERR_INVALID, "a [ has no ]");
		port = name_end + 1;
	} else {
		name_end = memchr(text, ':', len);
		if (!name_end)
			name_end = end;
		port = name_end;
	}
	if (port < end)
		host.port = *port == ':' ? number(port + 1, (size_t)(end - port - 1), 65535) : -1;
	if (host.port <= 0)
		return err_set(err, ERR_INVALID, "a port is a number from 1 to 65535");
	if (name == name_end)
		return err_set(err, ERR_INVALID, "a host has no name");
	host.name = xstrndup(name, (size_t)(name_end - name));
	url->hosts[url->n_hosts++] = host;
	return 0;
}

static int parse_db(const char *text, struct redis_url *url, struct err *err)
{
	url->db = *text ? number(text, strlen(text), DB_MAX) : 0;
	if (url->db < 0)
		return err_set(err, ERR_INVALID, "the database is a number");
	return 0;
}

static int parse_unix(const char *text, struct redis_url *url, struct err *err)
{
	const char *query = strchr(text, '?');

	if (*text != '/')
		return err_set(err, ERR_INVALID, "the path of a socket begins with /: unix:///run/redis");
	url->path = decoded(text, query ? (size_t)(query - text) : strlen(text));
	if (!url->path)
		return err_set(err, ERR_INVALID, "the path holds a broken %% escape");
	if (!query)
		return 0;
	if (strncmp(query, "?db=", 4) != 0)
		return err_set(err, ERR_INVALID, "after the path of a socket only ?db=n may stand");
	return parse_db(query + 4, url, err);
}

static int parse_master(const char *path, struct redis_url *url, struct err *err)
{
	size_t len = strcspn(path, "/");

	if (len == 0)
		return err_set(err, ERR_INVALID,
					   "after the sentinels stands the master's name: host,host/mymaster");
	url->master = decoded(path, len);
	if (!url->master)
		return err_set(err, ERR_INVALID, "the master's name holds a broken %% escape");
	return parse_db(path[len] ? path + len + 1 : "", url, err);
}

static int parse_network(const char *text, bool sentinel, struct redis_url *url, struct err *err)
{
	int fallback_port = sentinel ? DEFAULT_SENTINEL_PORT : DEFAULT_PORT;
	size_t authority = strcspn(text, "/?#");
	const char *path = text + authority, *at = memrchr(text, '@', authority);
	int r = 0;

	if (*path == '?' || *path == '#' || strpbrk(path, "?#@"))
		return err_set(err, ERR_INVALID,
					   "it has no ?, # or second @; in a user or password they are written %%3F, "
					   "%%23, %%40, and / is %%2F");
	if (at) {
		r = parse_login(text, (size_t)(at - text), url, err);
		authority -= (size_t)(at + 1 - text);
		text = at + 1;
	}
	while (r == 0) {
		const char *comma = memchr(text, ',', authority);
		size_t len = comma ? (size_t)(comma - text) : authority;

		r = parse_host(text, len, fallback_port, url, err);
		if (!comma)
			break;
		if (!sentinel)
			return err_set(err, ERR_INVALID, "several hosts are for redis+sentinel://");
		text += len + 1;
		authority -= len + 1;
	}
	if (r < 0)
		return r;
	path += *path == '/';
	return sentinel ? parse_master(path, url, err) : parse_db(path, url, err);
}

static int parse(const char *text, struct redis_url *url, struct err *err)
{
	if (strlen(text) > REDIS_URL_MAX_BYTES)
		return err_set(err, ERR_INVALID, "it is longer than %d bytes", REDIS_URL_MAX_BYTES);
	if (strncmp(text, "redis://", 8) == 0)
		return parse_network(text + 8, false, url, err);
	if (strncmp(text, "redis+sentinel://", 17) == 0)
		return parse_network(text + 17, true, url, err);
	if (strncmp(text, "unix://", 7) == 0)
		return parse_unix(text + 7, url, err);
	if (strncmp(text, "rediss:", 7) == 0 || strncmp(text, "rediss+", 7) == 0)
		return err_set(err, ERR_INVALID,
					   "rediss:// needs TLS, which the hiredis this was built with (0.14) does not "
					   "have; put a TLS tunnel (stunnel, an Envoy or HAProxy beside Skald) before "
					   "Redis, and say redis://127.0.0.1 or unix:// here");
	return err_set(err, ERR_INVALID, "it begins with redis://, redis+sentinel:// or unix://");
}

int redis_url_parse(const char *text, struct redis_url *ret_url, struct err *err)
{
	struct redis_url url = {0};
	int r = parse(text, &url, err);

	if (r < 0) {
		redis_url_release(&url);
		err_prefix(err, "the address of Redis");
		return r;
	}
	*ret_url = url;
	return 0;
}
