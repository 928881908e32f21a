/*
 * Skald, server and command line in one binary. What it can do is one table, in cli/commands.c; how
 * a server is put together is node.c, started by `serve` and `dev`.
 */
#include <jansson.h>
#include <stdlib.h>

#include "coordinator/cli/cli.h"
#include "sagas/base/macros.h"

/*
 * jansson's parser drops a character of a string, without a word, when it cannot get memory for it.
 * What it parses is limited in size, so to abort is safe and to go on is not.
 */
static void *must_malloc(size_t size)
{
	void *ptr = malloc(size);

	CHECK(ptr);
	return ptr;
}

int main(int argc, char **argv)
{
	json_set_alloc_funcs(must_malloc, free);
	return cli_main(argc, argv);
}
