/*
 * The client side of the API: where the server is, how a request is made, and how its errors are
 * told to a person and turned into an exit code.
 */
#ifndef COORDINATOR_CLI_CLIENT_H
#define COORDINATOR_CLI_CLIENT_H

#include <jansson.h>

#include "connectors/http_sync.h"
#include "coordinator/cli/cli.h"

#define CLIENT_DEFAULT_SERVER "http://127.0.0.1:7878"

struct client {
	struct http_sync *http;
	char *server; /* without a slash at its end */
	char *ns;
	int64_t timeout_ms; /* of one request */
	bool quiet;         /* client_send says nothing when it fails */
};

enum { CLIENT_MAX_HEADERS = 6, CLIENT_INPUT_MAX_BYTES = 64 * 1024 * 1024 };

struct client_request {
	const char *method;
	char path[1024];  /* "/v1/..." */
	const char *body; /* NULL: none */
	size_t body_len;
	const char *content_type; /* of the body; NULL: application/json */
	char headers[CLIENT_MAX_HEADERS][320];
	int n_headers;
};

struct client_reply {
	struct http_sync_reply http;
	json_t *json; /* NULL: no body, or none of JSON */
};

/* From the options and the environment. Returns 0 or an exit code. */
int client_open(const struct cli *cli, struct client *ret_client) MUST_CHECK;
void client_close(struct client *client);

/* Builds "/v1/..." where %s are escaped as segments. */
void client_path(struct client_request *request, const char *format, const char *a);
void client_header(struct client_request *request, const char *fmt, ...) PRINTF_LIKE(2, 3);

/*
 * Sends; 0 with an answer whatever its status, or an exit code with the failure said on stderr.
 * The reply is then to be released.
 */
int client_send(struct client *client, struct client_request *request,
				struct client_reply *ret_reply) MUST_CHECK;
/* client_send, and an answer that is no success is said on stderr and becomes an exit code. */
int client_call(struct client *client, struct client_request *request,
				struct client_reply *ret_reply) MUST_CHECK;
/* client_call for a command that asks once: opened and closed around it. */
int client_ask(const struct cli *cli, struct client_request *request,
			   struct client_reply *ret_reply) MUST_CHECK;
/*
 * For a path of server-sent events: the data of each event that has this name is given to `event`,
 * with its id, until that returns false (0), the stream ends (0), or the time is up
 * (CLI_TIMED_OUT). Negative: there is no such stream, or not now; nothing is said, and who wants to
 * may ask again in another way.
 */
int client_stream(struct client *client, struct client_request *request, const char *name,
				  bool (*event)(void *ctx, const char *id, const json_t *data),
				  void *ctx) MUST_CHECK;
void client_reply_release(struct client_reply *reply);

/* Says the problem document on stderr; returns the exit code that fits. */
int client_problem(const struct client_reply *reply);

/* What is given on the command line: text, @file or -. 0 or an exit code, said. */
int client_read_text(const char *argument, char **ret_text, size_t *ret_len) MUST_CHECK;
/* The same, which must be JSON. */
int client_read_argument(const char *argument, char **ret_text, size_t *ret_len) MUST_CHECK;
/* A whole file; - is stdin. */
int client_read_file(const char *path, size_t max, char **ret_text, size_t *ret_len,
					 struct err *err) MUST_CHECK;

#endif
