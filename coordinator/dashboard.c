/*
 * /ui/: the dashboard's files. They are served as they were embedded, compressed when they were
 * compressed at build and the client takes it; nothing is computed for a request.
 *
 * The headers that confine the page (what it may load, who may frame it) are on every answer below
 * /ui/, errors too: send_answer adds them by the route's flag.
 */
#include "coordinator/dashboard.h"

#include <stdio.h>
#include <string.h>

#include "coordinator/http_text.h"
#include "coordinator/routes.h"

static const struct {
	const char *ending, *type;
} types[] = {
	{".html", "text/html; charset=utf-8"},
	{".js", "text/javascript; charset=utf-8"},
	{".css", "text/css; charset=utf-8"},
	{".svg", "image/svg+xml"},
	{".png", "image/png"},
	{".ico", "image/vnd.microsoft.icon"},
	{".woff2", "font/woff2"},
	{".json", "application/json"},
	{".map", "application/json"},
	{".webmanifest", "application/manifest+json"},
	{".txt", "text/plain; charset=utf-8"},
};

static const char *type_by_ending(const char *path)
{
	const char *ending = strrchr(path, '.');

	for (size_t i = 0; ending && i < ARRAY_SIZE(types); i++) {
		if (strcmp(types[i].ending, ending) == 0)
			return types[i].type;
	}
	return NULL;
}

const char *dashboard_media_type(const char *path)
{
	const char *type = type_by_ending(path);

	return type ? type : "application/octet-stream";
}

bool dashboard_is_immutable(const char *path)
{
	return strncmp(path, "assets/", 7) == 0;
}

static const struct dashboard_file *find_exactly(const struct dashboard_file *files, size_t n,
												 const char *path)
{
	for (size_t i = 0; i < n; i++) {
		if (strcmp(files[i].path, path) == 0)
			return &files[i];
	}
	return NULL;
}

const struct dashboard_file *dashboard_find(const struct dashboard_file *files, size_t n,
											const char *path)
{
	const struct dashboard_file *file = find_exactly(files, n, path);

	if (file || dashboard_is_immutable(path) || type_by_ending(path))
		return file;
	return find_exactly(files, n, "index.html");
}

static bool is_built_in(void)
{
	return dashboard_file_count > 0;
}

static void serve(struct exchange *ex, const struct dashboard_file *file)
{
	bool gzip = file->gzip && http_accepts_gzip(exchange_header(ex, "Accept-Encoding"));
	const char *known = exchange_header(ex, "If-None-Match");
	char etag[40];

	/* Each form has a tag of its own: the bytes differ. */
	snprintf(etag, sizeof(etag), "\"%s%s\"", file->tag, gzip ? "-gz" : "");
	exchange_add_header(ex, "ETag", "%s", etag);
	if (file->gzip)
		exchange_add_header(ex, "Vary", "Accept-Encoding");
	ex->cache_control =
		dashboard_is_immutable(file->path) ? "public, max-age=31536000, immutable" : "no-cache";
	if (known && http_etag_matches(known, etag)) {
		exchange_answer(ex, 304);
		return;
	}
	if (gzip)
		exchange_add_header(ex, "Content-Encoding", "gzip");
	ex->content_type = dashboard_media_type(file->path);
	ex->fixed = gzip ? file->gzip : file->data;
	ex->fixed_len = gzip ? file->gzip_len : file->len;
	exchange_answer(ex, 200);
}

/* GET /ui/… */
void api_dashboard(struct exchange *ex)
{
	const struct dashboard_file *file =
		dashboard_find(dashboard_files, dashboard_file_count, ex->params[0]);

	if (file)
		serve(ex, file);
	else if (is_built_in())
		exchange_problem(ex, PROBLEM_ROUTE_NOT_FOUND, "the dashboard has no such file");
	else
		exchange_problem(ex, PROBLEM_NO_DASHBOARD,
						 "this binary was built with DASHBOARD=0; `make DASHBOARD=1`, with Node.js "
						 "and npm, builds it with the dashboard");
}

static void redirect(struct exchange *ex, const char *path)
{
	exchange_add_header(ex, "Location", "%s", path);
	exchange_answer(ex, 302);
}

/* GET /ui */
void api_dashboard_home(struct exchange *ex)
{
	redirect(ex, "/ui/");
}

/* GET /: browsers are led to the dashboard; who asks from a terminal reads what is where. */
void api_root(struct exchange *ex)
{
	const char *accept = exchange_header(ex, "Accept");

	exchange_add_header(ex, "Vary", "Accept");
	if (is_built_in() && accept && strstr(accept, "text/html")) {
		redirect(ex, "/ui/");
		return;
	}
	buf_add_lit(&ex->out, "Skald " SKALD_VERSION ", a saga coordinator.\n"
						  "\n"
						  "GET  /openapi.json    describes this API\n"
						  "GET  /ui/             is the dashboard, for browsers\n"
						  "GET  /v1/sagas        lists sagas\n"
						  "POST /v1/sagas        starts one\n"
						  "GET  /v1/definitions  lists definitions\n"
						  "GET  /readyz          says whether the server takes work\n"
						  "GET  /metrics         counts, for Prometheus\n");
	ex->content_type = "text/plain; charset=utf-8";
	exchange_answer(ex, 200);
}
