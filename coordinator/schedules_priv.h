/* What the files of the schedules' runner share. */
#ifndef COORDINATOR_SCHEDULES_PRIV_H
#define COORDINATOR_SCHEDULES_PRIV_H

#include <pthread.h>

#include "coordinator/kafka/trigger_submit.h"
#include "coordinator/schedules.h"
#include "sagas/schedule.h"

/* An entry that is run. */
struct scheduled {
	char *ns, *name; /* "<definition>/<entry>" */
	struct saga_def *def;
	const struct schedule_def *schedule; /* of def */
	struct tz *tz;                       /* NULL: this machine does not know it */
	bool held;                           /* the definition is paused */
	struct schedule_row row;             /* revision 0: it has none */
	struct schedule_state state;
	wall_ms look_at; /* nothing is due before; 0: look */
};

/* Which version of a definition is the current one. */
struct scheduled_version {
	char *ns, *name;
	int64_t newest, current, loaded;
	bool paused, seen;
	struct saga_def *def; /* NULL: it has no schedules */
};

struct schedules {
	struct schedules_options options;
	struct submitter *submitter;
	struct store_reader *reader;
	pthread_t thread;
	/* The thread's own. */
	struct scheduled_version *versions; /* by namespace and name */
	size_t n_versions, cap_versions;
	struct scheduled *list;
	size_t n, cap;
	pthread_mutex_t lock; /* of these: */
	pthread_cond_t cond;
	bool changed, stop;
	/* Atomic. */
	int64_t results[SCHEDULE_RESULT_COUNT];
	int64_t lateness_max_ms, lateness_sum_ms;
	int64_t n_known;
};

/* schedules_list.c: what there is to run, from definitions and rows. Reads the store. */
int schedules__read(struct schedules *schedules, struct err *err) MUST_CHECK;
void schedules__forget(struct schedules *schedules);

#endif
