#include "coordinator/api_new_run.h"

#include <string.h>

#include "coordinator/clock.h"
#include "coordinator/engine.h"
#include "coordinator/forward.h"
#include "coordinator/new_run.h"
#include "coordinator/node.h"
#include "sagas/json_text.h"
#include "sagas/state_json.h"

/* Another may be making it at the same time: then it is looked for so many times. */
enum { LOOKS_MAX = 3 };

struct new_run_request {
	const struct act *act;
	char of[SAGA_ID_SIZE];
	struct new_run_found found;
	struct creation *creation;
	int looks;
};

void new_run_request_free(struct new_run_request *request)
{
	if (!request)
		return;
	new_run_found_release(&request->found);
	creation_free(request->creation);
	free(request);
}

/* Every reason, each with the step that it is about. */
static void refused(struct exchange *ex, const json_t *refusals, const char *of, int64_t to)
{
	struct problem_errors errors = {0};
	CLEANUP(buf_release) struct buf detail;
	const json_t *refusal;
	size_t i;

	buf_init(&detail, 2000);
	json_array_foreach (refusals, i, refusal) {
		const char *step = json_string_value(json_object_get(refusal, "step"));
		const char *reason = json_string_value(json_object_get(refusal, "reason"));

		buf_printf(&detail, "%s%s%s%s", i ? "; " : "", step ? step : "", step ? ": " : "", reason);
		problem_errors_add(&errors, "/to", 0, "%s%s%s", step ? step : "", step ? ": " : "", reason);
	}
	exchange_problem_errors(ex, PROBLEM_ACT_REFUSED, &errors,
							"no new run of saga %s may begin with row %lld: %.1000s", of,
							(long long)to, detail.failed ? "see `errors`" : buf_str(&detail));
	problem_errors_release(&errors);
}

static void answer(struct exchange *ex, const struct new_run_request *request,
				   const struct saga_state *state)
{
	saga_state_write_brief(state, &ex->out);
	ex->out.len--; /* the brace that ends the saga */
	buf_printf(&ex->out, ",\"run_of\":{\"id\":\"%s\",\"seq\":%lld}}", request->of,
			   (long long)request->act->to);
	exchange_add_header(ex, "Location", "/v1/sagas/%s", request->found.id);
	exchange_answer(ex, 201);
}

/* It was made by an earlier try. Thread: read pool. */
static void read_made(struct exchange *ex, struct store_reader *reader,
					  const struct new_run_request *request)
{
	CLEANUP(saga_view_release) struct saga_view made = {0};
	struct err err;

	if (saga_view_read(reader, ex->node->registry, ex->ns, request->found.id, 0, &made, &err) < 0)
		exchange_problem_err(ex, &err);
	else
		answer(ex, request, made.state);
}

/* Whoever owns the slot takes it up at once. */
static void poke_owner(struct exchange *ex, const struct creation *creation)
{
	char owner[NODE_ADDRESS_SIZE];

	if (ex->node->member && member_slot(ex->node->member, creation->row.slot, owner) == SLOT_THERE)
		node_poke(ex->node->http, owner);
	else
		engine_poke(ex->node->engine);
}

static void look_again(struct exchange *ex, struct store_reader *reader);

/* Thread: server. */
static void made(struct exchange *ex)
{
	struct new_run_request *request = *(struct new_run_request **)ex->state;
	struct creation *creation = request->creation;

	if (creation->result < 0) {
		exchange_problem_err(ex, &creation->err);
	} else if (creation->duplicate) {
		exchange_problem(ex, PROBLEM_ACT_REFUSED, "its key is that of saga %s since",
						 creation->item.existing_id);
	} else if (creation->item.verdict == STORE_ACCEPTED) {
		poke_owner(ex, creation);
		answer(ex, request, creation->state);
	} else if (++request->looks < LOOKS_MAX) {
		exchange_read(ex, look_again);
	} else {
		exchange_problem(ex, PROBLEM_UNAVAILABLE,
						 "the new run could not be made: others write the same; try again");
	}
}

/* Thread: writer. */
static void creation_done(struct creation *creation)
{
	struct exchange *ex = creation->ctx;

	ex->next = made;
	exchange_resume(ex);
}

/* Thread: server. */
static void make(struct exchange *ex)
{
	struct new_run_request *request = *(struct new_run_request **)ex->state;
	struct err err;

	creation_free(request->creation);
	request->creation = NULL;
	if (new_run_creation(&request->found, request->act, request->of,
						 engine_lifecycle(ex->node->engine), clock_wall(), &request->creation,
						 &err) < 0) {
		exchange_problem_err(ex, &err);
		return;
	}
	request->creation->done = creation_done;
	request->creation->ctx = ex;
	exchange_suspend(ex);
	if (!creation_post(request->creation, ex->node->writer)) {
		exchange_problem(ex, PROBLEM_OVERLOADED, "too many writes are waiting");
		exchange_resume(ex);
	}
}

static void answer_dry(struct exchange *ex, const struct new_run_request *request, int64_t seq)
{
	const struct saga_state *state = request->found.state;
	bool first = true;

	buf_printf(&ex->out,
			   "{\"dry_run\":true,\"act\":\"reset\",\"new_run\":{\"id\":\"%s\",\"run_of\":{"
			   "\"id\":\"%s\",\"seq\":%lld},\"kept\":[",
			   request->found.id, request->of, (long long)request->act->to);
	for (int i = 0; i < state->def->n_listed; i++) {
		if (!state->steps[i].settled || i == state->def->carried)
			continue;
		buf_printf(&ex->out, "%s\"%s\"", first ? "" : ",", state->def->steps[i].id);
		first = false;
	}
	buf_add_lit(&ex->out, "]}}");
	exchange_add_header(ex, "ETag", "\"%lld\"", (long long)seq);
	exchange_answer(ex, 200);
}

/* Thread: read pool. */
void api_new_run(struct exchange *ex, struct store_reader *reader, const struct saga_view *view,
				 const struct act *act, bool dry, struct new_run_request **to)
{
	struct new_run_request *request = *to;
	struct err err;
	int r;

	if (!request)
		request = *to = xcalloc(1, sizeof(*request));
	new_run_found_release(&request->found);
	request->act = act;
	memcpy(request->of, view->row.id, sizeof(request->of));
	r = new_run_find(reader, ex->node->registry, view, act, clock_wall(), &request->found, &err);
	if (r == ERR_INVALID) {
		struct problem_errors errors = {0};

		problem_errors_add(&errors, err.place, 0, "%s", err.text);
		exchange_problem_errors(ex, PROBLEM_INVALID_BODY, &errors, "%s: %s", err.place, err.text);
		problem_errors_release(&errors);
	} else if (r < 0) {
		exchange_problem_err(ex, &err);
	} else if (request->found.exists && request->found.same && !dry) {
		read_made(ex, reader, request);
	} else if (request->found.exists) {
		exchange_problem(ex, PROBLEM_ACT_REFUSED,
						 "saga %s is the new run of this one already, and a saga has one at most; "
						 "reset that one",
						 request->found.id);
	} else if (json_array_size(request->found.refusals) > 0) {
		refused(ex, request->found.refusals, request->of, act->to);
	} else if (dry) {
		answer_dry(ex, request, view->seq);
	} else {
		ex->next = make;
	}
}

/* Thread: read pool. */
static void look_again(struct exchange *ex, struct store_reader *reader)
{
	CLEANUP(saga_view_release) struct saga_view view = {0};
	struct new_run_request **request = ex->state;
	struct err err;

	if (saga_view_read(reader, ex->node->registry, ex->ns, (*request)->of, 0, &view, &err) < 0)
		exchange_problem_err(ex, &err);
	else
		api_new_run(ex, reader, &view, (*request)->act, false, request);
}
