/*
 * What most commands are made of: one request, and its answer shown, as a table of the command's
 * own or in another format as the server gave it. All return 0 or an exit code, with the failure
 * said on stderr.
 */
#ifndef COORDINATOR_CLI_CLIENT_SHOW_H
#define COORDINATOR_CLI_CLIENT_SHOW_H

#include "coordinator/cli/client.h"

/* Shows an answer, or a list of it, to a person. */
typedef void client_table(const struct cli *cli, const json_t *value);

/* "/v1/<collection>/<a>/<b><suffix>", with a and b escaped. */
int client_pair_path(struct client_request *request, const char *collection, const char *a,
					 const char *b, const char *suffix) MUST_CHECK;
/* The same for "a/b" of the command line; usage says how a name that is none should look. */
int client_named_path(struct client_request *request, const char *collection, const char *name,
					  const char *suffix, const char *usage) MUST_CHECK;
/* Appends a parameter to the path; a value of NULL is left out. */
int client_query(struct client_request *request, const char *name, const char *value) MUST_CHECK;

int client_show(const struct cli *cli, struct client_request *request,
				client_table *table) MUST_CHECK;
/* The answer's list of that name. */
int client_show_list(const struct cli *cli, struct client_request *request, const char *member,
					 client_table *table) MUST_CHECK;
/* The same, page after page, until --limit (50) or with --all the end. */
int client_show_pages(const struct cli *cli, const struct client_request *request,
					  const char *member, client_table *table) MUST_CHECK;
/* A body of an act with who says it and --reason; the caller's. */
json_t *client_said(const struct cli *cli) MUST_CHECK;
/* Sends the body, with who says it and --reason, and shows the answer. Takes the body. */
int client_say(const struct cli *cli, struct client_request *request, json_t *body,
			   client_table *table) MUST_CHECK;

#endif
