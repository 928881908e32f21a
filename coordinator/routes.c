/*
 * Paths are matched segment by segment before they are decoded, so an encoded slash stays inside
 * its parameter. The table is short enough to be walked.
 */
#include "coordinator/routes.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

enum { SEGMENTS_MAX = 8 };

const struct route routes[ROUTE_COUNT] = {
#define X(name, method, pattern, flags) {#name, method, pattern, api_##name, flags},
	ROUTES(X)
#undef X
};

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int percent_decode(char *text, bool plus)
{
	char *out = text;
	bool ascii = true;
	json_t *utf8;

	for (const char *p = text; *p; p++) {
		unsigned char c = (unsigned char)*p;

		if (c == '%') {
			int high = hex_value(p[1]);
			int low = high < 0 ? -1 : hex_value(p[2]);

			if (low < 0)
				return -1;
			c = (unsigned char)(high << 4 | low);
			p += 2;
		} else if (c == '+' && plus) {
			c = ' ';
		}
		if (c < 0x20 || c == 0x7f)
			return -1;
		ascii = ascii && c < 0x80;
		*out++ = (char)c;
	}
	*out = '\0';
	if (!ascii) {
		utf8 = json_string(text);
		if (!utf8)
			return -1;
		json_decref(utf8);
	}
	return (int)(out - text);
}

static size_t split(char *path, char *segments[SEGMENTS_MAX])
{
	size_t n = 0;

	while (*path == '/') {
		if (n == SEGMENTS_MAX)
			return SEGMENTS_MAX + 1;
		*path++ = '\0';
		segments[n++] = path;
		path += strcspn(path, "/");
	}
	return n;
}

/* Whether the pattern has these segments; params get those that stand for parameters. */
static bool matches(const char *pattern, char *const *segments, size_t n,
					const char *params[EXCHANGE_MAX_PARAMS])
{
	size_t n_params = 0;

	for (size_t i = 0; i < n; i++) {
		size_t len;

		if (*pattern++ != '/')
			return false;
		len = strcspn(pattern, "/");
		if (*pattern == '{') {
			if (!*segments[i])
				return false;
			CHECK(n_params < EXCHANGE_MAX_PARAMS);
			params[n_params++] = segments[i];
		} else if (strlen(segments[i]) != len || memcmp(pattern, segments[i], len) != 0) {
			return false;
		}
		pattern += len;
	}
	return *pattern == '\0';
}

static bool is_literal(const char *pattern)
{
	return !strchr(pattern, '{');
}

/* Where the last parameter of a route with ROUTE_REST begins in the path; NULL: it is another. */
static char *rest_of(const struct route *route, char *path)
{
	size_t len = strcspn(route->pattern, "{");

	if (!(route->flags & ROUTE_REST) || strncmp(path, route->pattern, len) != 0)
		return NULL;
	return path + len;
}

/* A path below such a route: nothing else is there, so it is not cut. NULL: answered. */
static const struct route *take_rest(struct exchange *ex, const struct route *route,
									 const char *method, char *rest)
{
	ex->route = route; /* whose headers stand on errors, too */
	if (strcmp(route->method, method) != 0) {
		exchange_add_header(ex, "Allow", "%s, HEAD", route->method);
		exchange_problem(ex, PROBLEM_METHOD_NOT_ALLOWED, "this path knows %s", route->method);
		return NULL;
	}
	if (percent_decode(rest, false) < 0) {
		exchange_problem(ex, PROBLEM_INVALID_REQUEST,
						 "the path holds a broken %% escape, a control character or bytes that "
						 "are not UTF-8");
		return NULL;
	}
	ex->params[0] = rest;
	return route;
}

const struct route *route_find(struct exchange *ex, const char *method, char *path)
{
	const char *params[EXCHANGE_MAX_PARAMS] = {NULL};
	char *segments[SEGMENTS_MAX], allow[64] = "";
	const struct route *found = NULL;
	size_t n;

	if (strcmp(method, "HEAD") == 0)
		method = "GET";
	for (size_t i = 0; i < ROUTE_COUNT; i++) {
		char *rest = rest_of(&routes[i], path);

		if (rest)
			return take_rest(ex, &routes[i], method, rest);
	}
	n = *path == '/' ? split(path, segments) : SEGMENTS_MAX + 1;
	for (size_t i = 0; n <= SEGMENTS_MAX && i < ROUTE_COUNT; i++) {
		if (!matches(routes[i].pattern, segments, n, params))
			continue;
		if (strcmp(routes[i].method, method) != 0) {
			size_t len = strlen(allow);

			snprintf(allow + len, sizeof(allow) - len, "%s%s", len ? ", " : "", routes[i].method);
			continue;
		}
		/* A literal path is meant before a parameter of the same place. */
		if (!found || is_literal(routes[i].pattern))
			found = &routes[i];
	}
	if (!found && *allow) {
		exchange_add_header(ex, "Allow", "%s%s", allow, strstr(allow, "GET") ? ", HEAD" : "");
		exchange_problem(ex, PROBLEM_METHOD_NOT_ALLOWED, "this path knows %s", allow);
		return NULL;
	}
	if (!found) {
		exchange_problem(ex, PROBLEM_ROUTE_NOT_FOUND,
						 "there is nothing at this path; GET /openapi.json describes all routes");
		return NULL;
	}
	CHECK(matches(found->pattern, segments, n, ex->params));
	for (size_t i = 0; i < EXCHANGE_MAX_PARAMS && ex->params[i]; i++) {
		if (percent_decode((char *)ex->params[i], false) < 0) {
			exchange_problem(ex, PROBLEM_INVALID_REQUEST,
							 "the path holds a broken %% escape, a control character or bytes that "
							 "are not UTF-8");
			return NULL;
		}
	}
	return found;
}
