/*
 * Whether a request may go to its route: the namespace, whose page sent it, whether the server can
 * do it now, and what the body claims to be.
 */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "coordinator/http_text.h"
#include "coordinator/server_priv.h"

static bool media_type_is(const char *header, const char *type)
{
	size_t len = strlen(type);

	return strncasecmp(header, type, len) == 0 && (!header[len] || strchr("; \t", header[len]));
}

static bool check_media_type(struct exchange *ex)
{
	static const char *const texts[] = {"application/yaml", "application/x-yaml", "text/yaml",
										"text/x-yaml"};
	const char *type = exchange_header(ex, "Content-Type");

	if (!type || !(ex->route->flags & (ROUTE_JSON | ROUTE_TEXT)))
		return true;
	if (media_type_is(type, "application/json"))
		return true;
	for (size_t i = 0; ex->route->flags & ROUTE_TEXT && i < ARRAY_SIZE(texts); i++) {
		if (media_type_is(type, texts[i]))
			return true;
	}
	exchange_problem(ex, PROBLEM_MEDIA_TYPE, "send the body with Content-Type: %s",
					 ex->route->flags & ROUTE_TEXT ? "application/yaml or application/json"
												   : "application/json");
	return false;
}

/*
 * What a browser sends on behalf of another site's page is refused: acts, and streams, of which
 * there is a limited number. Other reads it may send, but gets nothing of their answers to see; a
 * page that only pretends to be of this server, by a name that leads here, would.
 */
static bool check_origin(struct exchange *ex)
{
	const struct http_origins *origins = &ex->server->origins;
	const char *host = exchange_header(ex, "Host");
	const char *origin = exchange_header(ex, "Origin");
	const char *site = exchange_header(ex, "Sec-Fetch-Site");

	if (!http_host_is_served(origins, host)) {
		exchange_problem(ex, PROBLEM_UNKNOWN_HOST,
						 "the server listens on this machine alone, and is asked for another host, "
						 "%.100s; server.allowed_origins takes more names",
						 host);
		return false;
	}
	if (strcmp(ex->route->method, "GET") == 0 && !(ex->route->flags & ROUTE_STREAM))
		return true;
	if (origin ? http_origin_is_own(origins, origin, host)
			   : !site || strcmp(site, "cross-site") != 0)
		return true;
	exchange_problem(
		ex, PROBLEM_CROSS_SITE,
		"the request comes from a page of another site%s%.100s; server.allowed_origins "
		"says whose pages may",
		origin ? ", " : "", origin ? origin : "");
	return false;
}

bool server_check(struct exchange *ex)
{
	const struct node *node = ex->node;
	const char *ns = exchange_header(ex, "Skald-Namespace");
	struct err err;

	/* A browser's EventSource sends no headers of its own. */
	if (!ns && ex->route->flags & ROUTE_STREAM)
		ns = exchange_arg(ex, "namespace");
	if (!ns)
		ns = "default";
	if (namespace_check(ns, &err) < 0) {
		exchange_problem(ex, PROBLEM_INVALID_REQUEST, "the namespace: %s", err.text);
		return false;
	}
	snprintf(ex->ns, sizeof(ex->ns), "%s", ns);
	if (!check_origin(ex))
		return false;
	if (ex->route->flags & ROUTE_INTAKE && __atomic_load_n(&node->draining, __ATOMIC_RELAXED)) {
		exchange_problem(ex, PROBLEM_DRAINING,
						 "the server takes no new work; try another, or later");
		return false;
	}
	if (ex->route->flags & ROUTE_STORE && !__atomic_load_n(&node->ready, __ATOMIC_RELAXED)) {
		exchange_problem(ex, PROBLEM_NOT_READY,
						 "the server still recovers what its last run left, or its store does not "
						 "answer");
		return false;
	}
	return check_media_type(ex);
}
