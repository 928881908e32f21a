/*
 * Alerts: a webhook is told of sagas that concern a person, by group and not by saga, so that an
 * outage that stops ten thousand sagas is one message.
 *
 * It is told of a group that is new, that has grown tenfold, that is still there after `repeat`,
 * and that has been repaired (no saga is in it any more). It is not told of groups that a person
 * has acknowledged. What was told stands in the group's row; it is written when the webhook has
 * answered 2xx, so a crash in between tells again: at least once.
 *
 * The body is a CloudEvent (schemas/events/skald.attention.alert.json) with one attribute more,
 * `text`, which chat services show as the message.
 *
 * What is decided stands apart from the thread, the store and the network (struct alert_ports), and
 * reads no clock.
 */
#ifndef COORDINATOR_ALERTS_H
#define COORDINATOR_ALERTS_H

#include "connectors/http_client.h"
#include "connectors/store.h"
#include "coordinator/membership.h"
#include "coordinator/writer.h"
#include "sagas/base/buf.h"

/* X(constant, word) */
#define ALERT_REASONS(X)                                                                           \
	X(ALERT_NEW, "new")                                                                            \
	X(ALERT_GROWING, "growing")                                                                    \
	X(ALERT_STILL, "still")                                                                        \
	X(ALERT_REPAIRED, "repaired")

#define X(name, text) name,
enum alert_reason { ALERT_REASONS(X) ALERT_REASON_COUNT };
#undef X

const char *alert_reason_text(enum alert_reason reason);

enum { ALERTS_A_ROUND = 50 }; /* more wait for the next one */

/* Why it is to be told now; -1: it is not. */
int alert_due(const struct attention_group_row *row, wall_ms now, int64_t repeat_ms);

/* The body; dashboard is its URL, for a link, or NULL. */
void alert_write(const struct attention_group_row *row, enum alert_reason reason, wall_ms now,
				 const char *dashboard, struct buf *out);

struct alert_ports {
	/* Groups with sagas, and those that were told of. */
	int (*list)(void *ctx, int (*row)(void *ctx, const struct attention_group_row *row),
				void *row_ctx, struct err *err);
	/* 0: the webhook has taken it. ERR_INVALID: it does not want this one, and may take others. */
	int (*tell)(void *ctx, const struct buf *body, struct err *err);
	/* attention_put; ERR_CONFLICT: somebody said something meanwhile. */
	int (*put)(void *ctx, struct attention_group_row *row, struct err *err);
};

/*
 * One round: tells what is due, and writes down that it was told. Returns how many were due, or the
 * error that came last. It ends with the first one, but for a message that the webhook does not
 * want.
 */
int alerts_round(const struct alert_ports *ports, void *ctx, wall_ms now, int64_t repeat_ms,
				 const char *dashboard, struct err *err) MUST_CHECK;

/* The thread: a round every so often, longer apart while the webhook fails. */

struct alerts_options {
	struct store *store; /* all are borrowed */
	struct writer *writer;
	struct http_client *http;
	struct member *member;   /* of many nodes only the owner of slot 0 tells; NULL: this one */
	const char *participant; /* that has the webhook's address and credentials */
	const char *dashboard;   /* NULL: no link */
	int64_t every_ms, repeat_ms;
};

struct alerts;
int alerts_start(const struct alerts_options *options, struct alerts **ret_alerts,
				 struct err *err) MUST_CHECK;
/* Before the HTTP client and the writer are stopped. Takes NULL. */
void alerts_stop(struct alerts *alerts);

struct alerts_stats {
	int64_t sent, failed;
};
/* Thread: any. */
void alerts_stats(struct alerts *alerts, struct alerts_stats *ret_stats);

#endif
