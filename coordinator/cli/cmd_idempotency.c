/* skald idempotency: what is known of a key, in the store and in Redis. */
#include <string.h>

#include "coordinator/cli/client_show.h"
#include "coordinator/cli/print.h"

static int show(const struct cli *cli, const char *method, client_table *table)
{
	struct client_request request = {.method = method};
	int r = client_pair_path(&request, "idempotency", cli->args[0], cli->args[1], "");

	return r ? r : client_show(cli, &request, table);
}

static const char *text_at(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));

	return text ? text : "";
}

static void print_pointer(const json_t *pointer)
{
	const char *state = text_at(pointer, "state");
	const json_t *expires = json_object_get(pointer, "expires_in_ms");

	printf("pointer      %s", state);
	if (strcmp(state, "stale") == 0)
		printf(": it names saga %s", text_at(pointer, "saga_id"));
	if (json_is_integer(expires))
		printf(", expires in %lld s", (long long)json_integer_value(expires) / 1000);
	putchar('\n');
}

static void print_key(UNUSED const struct cli *cli, const json_t *key)
{
	const json_t *saga = json_object_get(key, "saga");

	printf("saga         %s\n", text_at(saga, "id"));
	printf("status       %s\n", text_at(saga, "status"));
	printf("fingerprint  %s\n", text_at(key, "fingerprint"));
	print_pointer(json_object_get(key, "pointer"));
}

int cmd_idempotency_show(struct cli *cli)
{
	return show(cli, "GET", print_key);
}

static void print_expired(UNUSED const struct cli *cli, const json_t *answer)
{
	printf("%s\n", text_at(answer, "detail"));
}

int cmd_idempotency_expire(struct cli *cli)
{
	return show(cli, "DELETE", print_expired);
}
