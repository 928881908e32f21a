/* skald idempotency: what is known of a key, in the store and in Redis. */
#include <string.h>

#include "coordinator/cli/client.h"
#include "coordinator/cli/print.h"

static int call(struct cli *cli, const char *method, struct client_reply *ret_reply)
{
	struct client_request request = {.method = method}, key = {0};
	struct client client;
	size_t len;
	int r = client_open(cli, &client);

	if (r)
		return r;
	client_path(&request, "/v1/idempotency/%s/", cli->args[0]);
	client_path(&key, "%s", cli->args[1]);
	len = strlen(request.path);
	if (len + strlen(key.path) >= sizeof(request.path)) {
		client_close(&client);
		return cli_fail(CLI_USAGE, "a key has at most 255 bytes");
	}
	memcpy(request.path + len, key.path, strlen(key.path) + 1);
	r = client_call(&client, &request, ret_reply);
	client_close(&client);
	return r;
}

static const char *text_at(json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));

	return text ? text : "";
}

static void print_pointer(json_t *pointer)
{
	const char *state = text_at(pointer, "state");
	json_t *expires = json_object_get(pointer, "expires_in_ms");

	printf("pointer      %s", state);
	if (strcmp(state, "stale") == 0)
		printf(": it names saga %s", text_at(pointer, "saga_id"));
	if (json_is_integer(expires))
		printf(", expires in %lld s", (long long)json_integer_value(expires) / 1000);
	putchar('\n');
}

int cmd_idempotency_show(struct cli *cli)
{
	struct client_reply reply;
	json_t *saga;
	int r = call(cli, "GET", &reply);

	if (r)
		return r;
	if (cli->format != FORMAT_TABLE) {
		print_value(cli, reply.json);
	} else {
		saga = json_object_get(reply.json, "saga");
		printf("saga         %s\n", text_at(saga, "id"));
		printf("status       %s\n", text_at(saga, "status"));
		printf("fingerprint  %s\n", text_at(reply.json, "fingerprint"));
		print_pointer(json_object_get(reply.json, "pointer"));
	}
	client_reply_release(&reply);
	return CLI_OK;
}

int cmd_idempotency_expire(struct cli *cli)
{
	struct client_reply reply;
	int r = call(cli, "DELETE", &reply);

	if (r)
		return r;
	if (cli->format != FORMAT_TABLE)
		print_value(cli, reply.json);
	else
		printf("%s\n", text_at(reply.json, "detail"));
	client_reply_release(&reply);
	return CLI_OK;
}
