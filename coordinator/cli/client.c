#include "coordinator/cli/client.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>

#include "coordinator/cli/print.h"
#include "sagas/base/buf.h"
#include "sagas/json_text.h"

/* Longer than the server lets anybody wait. */
enum { REQUEST_TIMEOUT_MS = 90 * 1000 };

static const char *given(const struct cli *cli, const char *option, const char *variable,
						 const char *fallback)
{
	const char *value = cli_option(cli, option);

	if (!value)
		value = getenv(variable);
	return value && *value ? value : fallback;
}

int client_open(const struct cli *cli, struct client *ret_client)
{
	const char *server = given(cli, "server", "SKALD_SERVER", CLIENT_DEFAULT_SERVER);
	const char *ns = given(cli, "namespace", "SKALD_NAMESPACE", "default");
	struct client client = {.timeout_ms = REQUEST_TIMEOUT_MS};
	struct err err = {0};
	size_t len = strlen(server);

	if (strlen(ns) > 255 || strpbrk(ns, "\r\n"))
		return cli_fail(CLI_USAGE, "`%.40s` cannot be a namespace", ns);
	if (http_sync_new(&client.http, &err) < 0)
		return cli_fail_err(&err);
	while (len > 0 && server[len - 1] == '/')
		len--;
	client.server =
		strstr(server, "://") ? xstrndup(server, len) : xasprintf("http://%.*s", (int)len, server);
	client.ns = xstrdup(ns);
	*ret_client = client;
	return 0;
}

void client_close(struct client *client)
{
	http_sync_free(client->http);
	free(client->server);
	free(client->ns);
}

void client_path(struct client_request *request, const char *format, const char *a)
{
	CLEANUP(free_p) char *escaped = http_sync_escape(a);
	const char *mark = strstr(format, "%s");

	if (mark)
		snprintf(request->path, sizeof(request->path), "%.*s%s%s", (int)(mark - format), format,
				 escaped, mark + 2);
	else
		snprintf(request->path, sizeof(request->path), "%s", format);
}

void client_header(struct client_request *request, const char *fmt, ...)
{
	va_list args;

	CHECK(request->n_headers < CLIENT_MAX_HEADERS);
	va_start(args, fmt);
	vsnprintf(request->headers[request->n_headers], sizeof(request->headers[0]), fmt, args);
	va_end(args);
	request->n_headers++;
}

int client_send(struct client *client, struct client_request *request,
				struct client_reply *ret_reply)
{
	CLEANUP(free_p) char *url = xasprintf("%s%s", client->server, request->path);
	CLEANUP(free_p) char *ns = xasprintf("Skald-Namespace: %s", client->ns);
	CLEANUP(free_p)
	char *type = xasprintf("Content-Type: %s",
						   request->content_type ? request->content_type : "application/json");
	const char *headers[CLIENT_MAX_HEADERS + 3];
	struct client_reply reply = {0};
	struct err err = {0};
	int n = 0;

	headers[n++] = ns;
	if (request->body)
		headers[n++] = type;
	for (int i = 0; i < request->n_headers; i++)
		headers[n++] = request->headers[i];
	headers[n] = NULL;
	struct http_sync_request http = {
		request->method, url, headers, request->body, request->body_len, client->timeout_ms};

	if (http_sync_send(client->http, &http, &reply.http, &err) < 0) {
		if (!client->quiet)
			cli_fail(CLI_UNREACHABLE, "cannot reach the server: %s", err.text);
		if (err.code == ERR_UNAVAILABLE && !client->quiet)
			cli_note("Is it running? `skald dev` starts one; --server or SKALD_SERVER says where.");
		return err.code == ERR_INVALID ? CLI_USAGE : CLI_UNREACHABLE;
	}
	if (reply.http.body_len > 0 && strstr(reply.http.content_type, "json") &&
		json_parse(reply.http.body, reply.http.body_len, &reply.json, &err) < 0) {
		http_sync_reply_release(&reply.http);
		return cli_fail(CLI_FAILED, "%s: the answer is not valid JSON: %s", url, err.text);
	}
	*ret_reply = reply;
	return 0;
}

void client_reply_release(struct client_reply *reply)
{
	http_sync_reply_release(&reply->http);
	json_decref(reply->json);
	reply->json = NULL;
}

static int exit_code(int status, const char *code)
{
	if (strcmp(code, "idempotency_key_reused") == 0)
		return CLI_CONFLICT;
	switch (status) {
	case 401:
	case 403:
		return CLI_AUTH;
	case 404:
		return CLI_NOT_FOUND;
	case 409:
	case 412:
		return CLI_CONFLICT;
	case 502:
	case 503:
	case 504:
		return CLI_UNREACHABLE;
	default:
		return CLI_FAILED;
	}
}

int client_problem(const struct client_reply *reply)
{
	const char *code = text_of(reply->json, "code"), *title = text_of(reply->json, "title");
	const char *detail = text_of(reply->json, "detail");
	json_t *errors = json_object_get(reply->json, "errors"), *one;
	size_t i;

	if (!title) {
		cli_fail(CLI_FAILED, "the server answered with status %d", reply->http.status);
		return exit_code(reply->http.status, "");
	}
	CLEANUP(free_p) char *shown = shown_text(detail ? detail : "");

	cli_fail(CLI_FAILED, "%s%s%s", title, *shown ? ": " : "", shown);
	json_array_foreach (errors, i, one) {
		const char *pointer = text_of(one, "pointer"), *what = text_of(one, "detail");
		CLEANUP(free_p)
		char *line = xasprintf("%s: %s", pointer && *pointer ? pointer : "/", what ? what : "");
		CLEANUP(free_p) char *plain = shown_text(line);

		cli_note("  %s", plain);
	}
	return exit_code(reply->http.status, code ? code : "");
}

int client_call(struct client *client, struct client_request *request,
				struct client_reply *ret_reply)
{
	struct client_reply reply;
	int r = client_send(client, request, &reply);

	if (r)
		return r;
	if (reply.http.status < 200 || reply.http.status > 299) {
		r = client_problem(&reply);
		client_reply_release(&reply);
		return r;
	}
	*ret_reply = reply;
	return 0;
}

int client_ask(const struct cli *cli, struct client_request *request,
			   struct client_reply *ret_reply)
{
	struct client client;
	int r = client_open(cli, &client);

	if (r)
		return r;
	r = client_call(&client, request, ret_reply);
	client_close(&client);
	return r;
}

int client_read_file(const char *path, size_t max, char **ret_text, size_t *ret_len,
					 struct err *err)
{
	FILE *file = strcmp(path, "-") == 0 ? stdin : fopen(path, "re");
	struct buf text;
	char block[16384];
	size_t n;
	int r = 0;

	if (!file)
		return err_set(err, errno == ENOENT ? ERR_NOT_FOUND : ERR_IO, "%s: %s", path,
					   strerror(errno));
	buf_init(&text, max);
	while (!text.failed && (n = fread(block, 1, sizeof(block), file)) > 0)
		buf_add(&text, block, n);
	if (ferror(file))
		r = err_set(err, ERR_IO, "%s: %s", path, strerror(errno));
	if (file != stdin)
		fclose(file);
	if (!r)
		r = buf_check(&text, path, err);
	if (r < 0) {
		buf_release(&text);
		return r;
	}
	*ret_text = buf_take(&text, ret_len);
	return 0;
}

int client_read_text(const char *argument, char **ret_text, size_t *ret_len)
{
	struct err err = {0};

	if (*argument == '@' || strcmp(argument, "-") == 0) {
		const char *path = *argument == '@' ? argument + 1 : argument;

		if (client_read_file(path, CLIENT_INPUT_MAX_BYTES, ret_text, ret_len, &err) < 0)
			return cli_fail(CLI_FAILED, "%s", err.text);
	} else {
		*ret_text = xstrdup(argument);
		*ret_len = strlen(argument);
	}
	return 0;
}

int client_read_argument(const char *argument, char **ret_text, size_t *ret_len)
{
	CLEANUP(json_decref_p) json_t *value = NULL;
	struct err err = {0};
	char *text;
	size_t len;
	int r = client_read_text(argument, &text, &len);

	if (r)
		return r;
	if (json_parse(text, len, &value, &err) < 0) {
		free(text);
		return cli_fail(CLI_FAILED, "the input is not valid JSON: %s%s%s", err.place,
						*err.place ? ": " : "", err.text);
	}
	*ret_text = text;
	*ret_len = len;
	return 0;
}
