/*
 * Every route of the API in one table. The server's dispatcher, the metrics, the `Allow` header and
 * the test that compares the API with schemas/openapi.json all read it.
 *
 * A pattern's segment in braces is a parameter; it matches one segment, which may hold an encoded
 * slash; with ROUTE_REST the last one takes all that follows, and may be empty. The name is the
 * route's label in metrics and its operationId in OpenAPI.
 */
#ifndef COORDINATOR_ROUTES_H
#define COORDINATOR_ROUTES_H

#include <stddef.h>

#include "coordinator/exchange.h"

enum route_flag {
	ROUTE_STORE = 1 << 0,  /* 503 until recovery is done */
	ROUTE_INTAKE = 1 << 1, /* 503 while draining */
	ROUTE_JSON = 1 << 2,   /* the body is JSON */
	ROUTE_TEXT = 1 << 3,   /* the body is YAML or JSON */
	ROUTE_REST = 1 << 4,   /* the last parameter is all that is left of the path */
	ROUTE_PAGE = 1 << 5,   /* what a browser shows: confined by the headers of a page */
	ROUTE_STREAM = 1 << 6, /* an answer without an end: only for pages of this server */
	ROUTE_ANY = 1 << 7,    /* the body is JSON, whatever type the sender gives it */
	ROUTE_ACT = ROUTE_STORE | ROUTE_INTAKE | ROUTE_JSON,
};

/* X(name, method, pattern, flags); the handler is api_<name>. */
#define ROUTES(X)                                                                                  \
	X(start_saga, "POST", "/v1/sagas", ROUTE_STORE | ROUTE_INTAKE | ROUTE_JSON)                    \
	X(list_sagas, "GET", "/v1/sagas", ROUTE_STORE)                                                 \
	X(get_saga, "GET", "/v1/sagas/{id}", ROUTE_STORE)                                              \
	X(get_history, "GET", "/v1/sagas/{id}/history", ROUTE_STORE)                                   \
	X(get_compensations, "GET", "/v1/sagas/{id}/compensations", ROUTE_STORE)                       \
	X(get_children, "GET", "/v1/sagas/{id}/children", ROUTE_STORE)                                 \
	X(export_saga, "GET", "/v1/sagas/{id}/export", ROUTE_STORE)                                    \
	X(get_acts, "GET", "/v1/sagas/{id}/acts", ROUTE_STORE)                                         \
	X(cancel_saga, "POST", "/v1/sagas/{id}/cancel", ROUTE_ACT)                                     \
	X(terminate_saga, "POST", "/v1/sagas/{id}/terminate", ROUTE_ACT)                               \
	X(pause_saga, "POST", "/v1/sagas/{id}/pause", ROUTE_ACT)                                       \
	X(resume_saga, "POST", "/v1/sagas/{id}/resume", ROUTE_ACT)                                     \
	X(compensate_saga, "POST", "/v1/sagas/{id}/compensate", ROUTE_ACT)                             \
	X(retry_saga, "POST", "/v1/sagas/{id}/retry", ROUTE_ACT)                                       \
	X(reset_saga, "POST", "/v1/sagas/{id}/reset", ROUTE_ACT)                                       \
	X(migrate_saga, "POST", "/v1/sagas/{id}/migrate", ROUTE_ACT)                                   \
	X(acknowledge_saga, "POST", "/v1/sagas/{id}/acknowledge", ROUTE_ACT)                           \
	X(note_saga, "POST", "/v1/sagas/{id}/note", ROUTE_ACT)                                         \
	X(own_saga, "POST", "/v1/sagas/{id}/owner", ROUTE_ACT)                                         \
	X(signal_saga, "POST", "/v1/sagas/{id}/signals/{name}", ROUTE_ACT)                             \
	X(retry_step, "POST", "/v1/sagas/{id}/steps/{step}/retry", ROUTE_ACT)                          \
	X(skip_step, "POST", "/v1/sagas/{id}/steps/{step}/skip", ROUTE_ACT)                            \
	X(complete_step, "POST", "/v1/sagas/{id}/steps/{step}/complete", ROUTE_ACT)                    \
	X(fail_step, "POST", "/v1/sagas/{id}/steps/{step}/fail", ROUTE_ACT)                            \
	X(resolve_step, "POST", "/v1/sagas/{id}/steps/{step}/resolve", ROUTE_ACT)                      \
	X(approve_step, "POST", "/v1/sagas/{id}/steps/{step}/approve", ROUTE_ACT)                      \
	X(reject_step, "POST", "/v1/sagas/{id}/steps/{step}/reject", ROUTE_ACT)                        \
	X(retry_compensation, "POST", "/v1/sagas/{id}/steps/{step}/compensation/retry", ROUTE_ACT)     \
	X(skip_compensation, "POST", "/v1/sagas/{id}/steps/{step}/compensation/skip", ROUTE_ACT)       \
	X(complete_compensation, "POST", "/v1/sagas/{id}/steps/{step}/compensation/complete",          \
	  ROUTE_ACT)                                                                                   \
	X(fail_compensation, "POST", "/v1/sagas/{id}/steps/{step}/compensation/fail", ROUTE_ACT)       \
	X(resolve_compensation, "POST", "/v1/sagas/{id}/steps/{step}/compensation/resolve", ROUTE_ACT) \
	X(get_key, "GET", "/v1/idempotency/{definition}/{key}", ROUTE_STORE)                           \
	X(forget_key, "DELETE", "/v1/idempotency/{definition}/{key}", ROUTE_STORE)                     \
	X(list_definitions, "GET", "/v1/definitions", ROUTE_STORE)                                     \
	X(deploy_definition, "POST", "/v1/definitions", ROUTE_STORE | ROUTE_INTAKE | ROUTE_TEXT)       \
	X(validate_definition, "POST", "/v1/definitions/validate", ROUTE_STORE | ROUTE_TEXT)           \
	X(get_definition, "GET", "/v1/definitions/{name}", ROUTE_STORE)                                \
	X(put_definition, "PUT", "/v1/definitions/{name}", ROUTE_STORE | ROUTE_INTAKE | ROUTE_TEXT)    \
	X(list_versions, "GET", "/v1/definitions/{name}/versions", ROUTE_STORE)                        \
	X(count_definition, "GET", "/v1/definitions/{name}/counts", ROUTE_STORE)                       \
	X(get_version, "GET", "/v1/definitions/{name}/versions/{version}", ROUTE_STORE)                \
	X(diff_versions, "GET", "/v1/definitions/{name}/diff", ROUTE_STORE)                            \
	X(canary_definition, "POST", "/v1/definitions/{name}/canary", ROUTE_ACT)                       \
	X(promote_definition, "POST", "/v1/definitions/{name}/promote", ROUTE_ACT)                     \
	X(rollback_definition, "POST", "/v1/definitions/{name}/rollback", ROUTE_ACT)                   \
	X(pause_definition, "POST", "/v1/definitions/{name}/pause", ROUTE_ACT)                         \
	X(resume_definition, "POST", "/v1/definitions/{name}/resume", ROUTE_ACT)                       \
	X(list_schedules, "GET", "/v1/schedules", ROUTE_STORE)                                         \
	X(get_schedule, "GET", "/v1/schedules/{definition}/{entry}", ROUTE_STORE)                      \
	X(pause_schedule, "POST", "/v1/schedules/{definition}/{entry}/pause", ROUTE_ACT)               \
	X(resume_schedule, "POST", "/v1/schedules/{definition}/{entry}/resume", ROUTE_ACT)             \
	X(trigger_schedule, "POST", "/v1/schedules/{definition}/{entry}/trigger", ROUTE_ACT)           \
	X(backfill_schedule, "POST", "/v1/schedules/{definition}/{entry}/backfill", ROUTE_ACT)         \
	X(list_triggers, "GET", "/v1/triggers", ROUTE_STORE)                                           \
	X(get_trigger, "GET", "/v1/triggers/{definition}/{topic}", ROUTE_STORE)                        \
	X(pause_trigger, "POST", "/v1/triggers/{definition}/{topic}/pause",                            \
	  ROUTE_STORE | ROUTE_INTAKE | ROUTE_JSON)                                                     \
	X(resume_trigger, "POST", "/v1/triggers/{definition}/{topic}/resume",                          \
	  ROUTE_STORE | ROUTE_INTAKE | ROUTE_JSON)                                                     \
	X(seek_trigger, "POST", "/v1/triggers/{definition}/{topic}/seek",                              \
	  ROUTE_STORE | ROUTE_INTAKE | ROUTE_JSON)                                                     \
	X(poll_tasks, "POST", "/v1/queues/{queue}/poll", ROUTE_ACT)                                    \
	X(lease_task, "POST", "/v1/tasks/lease", ROUTE_ACT)                                            \
	X(heartbeat_task, "POST", "/v1/tasks/{token}/heartbeat", ROUTE_STORE | ROUTE_JSON)             \
	X(complete_task, "POST", "/v1/tasks/{token}/complete", ROUTE_STORE | ROUTE_JSON)               \
	X(fail_task, "POST", "/v1/tasks/{token}/fail", ROUTE_STORE | ROUTE_JSON)                       \
	X(list_queues, "GET", "/v1/queues", ROUTE_STORE)                                               \
	X(get_queue, "GET", "/v1/queues/{queue}", ROUTE_STORE)                                         \
	X(put_queue, "PUT", "/v1/queues/{queue}", ROUTE_ACT)                                           \
	X(list_tasks, "GET", "/v1/queues/{queue}/tasks", ROUTE_STORE)                                  \
	X(list_dead_letters, "GET", "/v1/dead-letters", ROUTE_STORE)                                   \
	X(get_dead_letter, "GET", "/v1/dead-letters/{id}", ROUTE_STORE)                                \
	X(redrive_dead_letters, "POST", "/v1/dead-letters/redrive",                                    \
	  ROUTE_STORE | ROUTE_INTAKE | ROUTE_JSON)                                                     \
	X(redrive_dead_letter, "POST", "/v1/dead-letters/{id}/redrive",                                \
	  ROUTE_STORE | ROUTE_INTAKE | ROUTE_JSON)                                                     \
	X(discard_dead_letter, "POST", "/v1/dead-letters/{id}/discard",                                \
	  ROUTE_STORE | ROUTE_INTAKE | ROUTE_JSON)                                                     \
	X(list_approvals, "GET", "/v1/approvals", ROUTE_STORE)                                         \
	X(list_locks, "GET", "/v1/locks", ROUTE_STORE)                                                 \
	X(list_attention, "GET", "/v1/attention", ROUTE_STORE)                                         \
	X(get_attention, "GET", "/v1/attention/{group}", ROUTE_STORE)                                  \
	X(acknowledge_attention, "POST", "/v1/attention/{group}/acknowledge",                          \
	  ROUTE_STORE | ROUTE_INTAKE | ROUTE_JSON)                                                     \
	X(unacknowledge_attention, "POST", "/v1/attention/{group}/unacknowledge",                      \
	  ROUTE_STORE | ROUTE_INTAKE | ROUTE_JSON)                                                     \
	X(own_attention, "POST", "/v1/attention/{group}/owner",                                        \
	  ROUTE_STORE | ROUTE_INTAKE | ROUTE_JSON)                                                     \
	X(saga_events, "GET", "/v1/sagas/{id}/events", ROUTE_STORE | ROUTE_INTAKE | ROUTE_STREAM)      \
	X(events, "GET", "/v1/events", ROUTE_STORE | ROUTE_INTAKE | ROUTE_STREAM)                      \
	X(overview, "GET", "/v1/overview", ROUTE_STORE)                                                \
	X(make_batch, "POST", "/v1/batches", ROUTE_STORE | ROUTE_INTAKE | ROUTE_JSON)                  \
	X(list_batches, "GET", "/v1/batches", ROUTE_STORE)                                             \
	X(get_batch, "GET", "/v1/batches/{id}", ROUTE_STORE)                                           \
	X(get_batch_items, "GET", "/v1/batches/{id}/items", ROUTE_STORE)                               \
	X(stop_batch, "POST", "/v1/batches/{id}/stop", ROUTE_STORE | ROUTE_INTAKE | ROUTE_JSON)        \
	X(resume_batch, "POST", "/v1/batches/{id}/resume", ROUTE_STORE | ROUTE_INTAKE | ROUTE_JSON)    \
	X(retry_batch, "POST", "/v1/batches/{id}/retry", ROUTE_STORE | ROUTE_INTAKE | ROUTE_JSON)      \
	X(post_callback, "POST", "/v1/callbacks/{token}", ROUTE_STORE | ROUTE_INTAKE | ROUTE_ANY)      \
	X(post_webhook, "POST", "/v1/webhooks/{source}", ROUTE_STORE | ROUTE_INTAKE | ROUTE_ANY)       \
	X(participants, "GET", "/v1/participants", 0)                                                  \
	X(list_nodes, "GET", "/v1/nodes", ROUTE_STORE)                                                 \
	X(poke_node, "POST", "/v1/nodes/poke", 0)                                                      \
	X(livez, "GET", "/livez", 0)                                                                   \
	X(readyz, "GET", "/readyz", 0)                                                                 \
	X(metrics, "GET", "/metrics", 0)                                                               \
	X(openapi, "GET", "/openapi.json", 0)                                                          \
	X(dashboard, "GET", "/ui/{path}", ROUTE_REST | ROUTE_PAGE)                                     \
	X(dashboard_home, "GET", "/ui", ROUTE_PAGE)                                                    \
	X(root, "GET", "/", 0)

enum route_id {
#define X(name, method, pattern, flags) ROUTE_##name,
	ROUTES(X)
#undef X
		ROUTE_COUNT
};

struct route {
	const char *name, *method, *pattern;
	exchange_step *handler;
	unsigned flags;
};

extern const struct route routes[ROUTE_COUNT];

#define X(name, method, pattern, flags) void api_##name(struct exchange *ex);
ROUTES(X)
#undef X

/*
 * Finds the route for the path, which is cut into its segments, and decodes the parameters. NULL:
 * the exchange is answered (404, or 405 with Allow). HEAD is answered like GET.
 */
const struct route *route_find(struct exchange *ex, const char *method, char *path);

/*
 * Decodes %41 in place; with `plus`, + means a space. Returns the length, or -1: a broken escape, a
 * control character, or no UTF-8.
 */
int percent_decode(char *text, bool plus);

#endif
