/*
 * What the files of the triggers' manager share. All fields of a trigger are changed by the
 * manager's thread alone, under the lock; it reads them without.
 */
#ifndef COORDINATOR_KAFKA_TRIGGER_PRIV_H
#define COORDINATOR_KAFKA_TRIGGER_PRIV_H

#include <jansson.h>
#include <pthread.h>

#include "coordinator/kafka/trigger.h"
#include "coordinator/kafka/trigger_submit.h"
#include "coordinator/kafka/trigger_worker.h"

struct trigger {
	struct triggers *all;
	char *ns, *name;
	struct saga_def *def;
	const struct trigger_def *trigger; /* of def */
	/* What its worker was started with. */
	char *cluster, *topic, *group, *dead_letter_topic;
	struct trigger_worker *worker; /* NULL: it stands still, see state */
	enum trigger_state state;      /* RUNNING: the worker knows better */
	char detail[200];
	bool seen;
	struct trigger_canary canary; /* with a reference; def NULL: none */
	bool held;                    /* the definition is paused */
	/* Of its row. */
	bool paused;
	char *pause_reason, *paused_by, *seeks; /* NULL: none */
	wall_ms paused_at;
	int64_t revision;
	json_t *sought; /* the seeks that were made here, and are still in the row */
	/* Its policy for poison has paused it, and the row does not say so yet. Under the lock, set by
	 * the worker's thread. */
	char *pause_wanted;
	/* Of workers that are gone. */
	struct run_stats past;
};

struct triggers {
	struct triggers_options options;
	struct submitter *submitter;
	struct store_reader *reader;
	pthread_t thread;
	int64_t look_every_ms;

	pthread_mutex_t lock; /* of these, and of triggers' fields: */
	pthread_cond_t changed;
	bool look_now, stopping;
	struct trigger **list; /* by namespace and name */
	size_t n, cap;
	int64_t refused; /* triggers past the limit, as of the last look */

	/* The manager's own. */
	struct trigger_version *versions; /* of each definition, by namespace and name */
	size_t n_versions, cap_versions;
	struct trigger_worker **retired; /* stopped, and something of them is still out */
	size_t n_retired, cap_retired;
};

struct trigger_version {
	char *ns, *name;
	int64_t newest, current; /* current 0: the newest */
	int64_t version;         /* that def was loaded for */
	struct saga_def *def;    /* NULL: it has no triggers, or cannot be used */
	int64_t canary, canary_version;
	struct saga_def *canary_def; /* as def */
	int percent;
	bool paused;
	bool seen;
};

/* trigger_versions.c: reads which versions there are and which of them start sagas, and loads
 * those. Thread: manager. */
int triggers__read_versions(struct triggers *triggers, struct err *err) MUST_CHECK;

/* trigger_rows.c: reads the rows of the store, and does as they say. Thread: manager. */
void triggers__obey_rows(struct triggers *triggers);

/* Whether one more may run. */
bool triggers__has_room(const struct triggers *triggers);

#endif
