/*
 * `skald saga export`: a saga as a file.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/cli/cli.h"
#include "coordinator/cli/client.h"
#include "coordinator/cli/print.h"

int cmd_saga_export(struct cli *cli)
{
	struct client_request request = {.method = "GET"};
	const char *path = cli_option(cli, "file");
	struct client_reply reply;
	struct client client;
	FILE *out = stdout;
	int r = client_open(cli, &client);

	if (r)
		return r;
	client_path(&request, "/v1/sagas/%s/export", cli->args[0]);
	r = client_call(&client, &request, &reply);
	client_close(&client);
	if (r)
		return r;
	if (path && strcmp(path, "-") != 0)
		out = fopen(path, "we");
	if (!out) {
		client_reply_release(&reply);
		return cli_fail(CLI_FAILED, "%s: %s", path, strerror(errno));
	}
	fwrite(reply.http.body, 1, reply.http.body_len, out);
	fputc('\n', out);
	if (out != stdout && fclose(out) != 0)
		r = cli_fail(CLI_FAILED, "%s: %s", path, strerror(errno));
	else if (out != stdout)
		cli_note("%s: %lld rows of history", path,
				 (long long)json_array_size(json_object_get(reply.json, "history")));
	client_reply_release(&reply);
	return r;
}
