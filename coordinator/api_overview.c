/* GET /v1/overview: kept for a second for all who ask, so most answers need no read at all. */
#include "coordinator/overview.h"
#include "coordinator/routes.h"
#include "coordinator/server_priv.h"

/* Thread: read pool. */
static void read_overview(struct exchange *ex, struct store_reader *reader)
{
	const int64_t *minutes = ex->state;
	struct err err;

	if (overview_get(ex->server->overview, reader, ex->ns, (int)*minutes, &ex->out, NULL, &err) < 0)
		exchange_problem_err(ex, &err);
	else
		exchange_answer(ex, 200);
}

void api_overview(struct exchange *ex)
{
	static const char *const known[] = {"minutes"};
	int64_t *minutes = xcalloc(1, sizeof(*minutes));

	*minutes = OVERVIEW_MINUTES;
	ex->state = minutes;
	ex->free_state = free;
	if (!exchange_arg_int(ex, "minutes", 1, OVERVIEW_MINUTES_MAX, minutes) ||
		!exchange_args_done(ex, known, ARRAY_SIZE(known)))
		return;
	if (overview_known(ex->server->overview, ex->ns, (int)*minutes, &ex->out, NULL))
		exchange_answer(ex, 200);
	else
		exchange_read(ex, read_overview);
}

/* GET /v1/participants: of this node alone; what other nodes ask for their overview. */
void api_participants(struct exchange *ex)
{
	if (!exchange_args_done(ex, NULL, 0))
		return;
	buf_add_lit(&ex->out, "{\"participants\":");
	overview_participants(ex->node, &ex->out);
	buf_add_char(&ex->out, '}');
	exchange_answer(ex, 200);
}
