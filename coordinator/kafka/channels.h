/*
 * The channels of all definitions: through which expression a record of which topic, or what a
 * webhook of which source brings, is looked at, so that the value it gives finds the sagas that
 * wait for it. Every version counts, since sagas stay on theirs. It only grows.
 *
 * Thread: one.
 */
#ifndef COORDINATOR_KAFKA_CHANNELS_H
#define COORDINATOR_KAFKA_CHANNELS_H

#include "coordinator/registry.h"

/* A record gives a row for each channel of its topic, and the store takes so many in one go. */
enum { CHANNELS_MAX = STORE_PUT_MAX };

struct channel {
	char *ns;
	const struct correlate_def *on; /* of def */
	struct saga_def *def;
};

struct channels {
	bool webhooks; /* only those of webhooks; else only those of Kafka */
	struct channel *channels;
	size_t n;
	/* What is known of each definition: its versions up to which. */
	struct known_definition *known;
	size_t n_known;
	bool full_said;
};

void channels_release(struct channels *channels);

/*
 * Takes up versions that were deployed since. *ret_changed (never set to false) says that there are
 * new channels. Errors are the reader's; what was found stays.
 */
int channels_refresh(struct channels *channels, struct store_reader *reader,
					 struct registry *registry, bool *ret_changed, struct err *err) MUST_CHECK;

#endif
