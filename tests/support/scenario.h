/*
 * A scenario while it runs, as its parts share it: tests/tools/scenario.c reads the file, answers
 * calls and judges; scenario_kafka.c is what it needs of Kafka, scenario_work.c are the workers,
 * scenario_sagas.c starts sagas and says which is which, scenario_versions.c which version of a
 * definition they have, and by what they are found,
 * scenario_schedule.c what is started by the clock.
 */
#ifndef TESTS_SUPPORT_SCENARIO_H
#define TESTS_SUPPORT_SCENARIO_H

#include "coordinator/registry.h"
#include "sagas/surroundings.h"
#include "tests/support/oracle.h"
#include "tests/support/world.h"

struct scenario_lease;
struct scenario_schedule;

struct scenario {
	struct surroundings around; /* of the definitions */
	const char *file;
	json_t *doc;
	wall_ms starts_at;
	struct world world;
	struct oracle oracle;
	struct registry *registry; /* of what the store has */
	/* In the order in which their starts were asked for; some may never have begun. */
	char (*ids)[SAGA_ID_SIZE];
	size_t n_ids;
	uint64_t n_starts; /* makes ids */
	size_t n_calls;
	struct coming *coming;
	struct scenario_lease *leases; /* the latest first */
	struct scenario_schedule *schedules;
	json_t *told;      /* what became of planned times */
	bool *acted;       /* of acts */
	char *answer;      /* to the last act */
	json_t *answers;   /* to each of them, in their order */
	bool kafka;        /* the world has queues that are read by and by */
	bool queues_stuck; /* nothing is read from Kafka */
	int n_events;      /* records that acts produced */
	bool down;
	wall_ms up_at;
	int failures;
	const char *whose; /* the definition that failures are about; NULL: the scenario's own saga */
	struct buf log;
};

void scenario_fail(struct scenario *s, const char *fmt, ...) PRINTF_LIKE(2, 3);
int64_t scenario_duration(struct scenario *s, const json_t *value);
const char *scenario_text(const json_t *json, const char *name);
/* Notes what an act was answered. */
void scenario_answer(struct scenario *s, const char *text);
/* Holds what came against the member `name` of `expected`, a pattern; what is left out is not
 * looked at, null: it must not be there. */
void scenario_expect(struct scenario *s, const char *what, const char *name, const char *got,
					 const json_t *expected);

/* scenario_sagas.c */

/* The n-th saga that has begun, from 0: the first is that of the scenario. NULL: there is none. */
struct oracle_saga *scenario_saga(struct scenario *s, size_t n);
/* The saga that an act means: its `saga`, a number, else the first. "" when there is none. */
const char *scenario_saga_of(struct scenario *s, const json_t *act);
/* Starts one: {start: name, key, input}, of which all may be left out. */
void scenario_start(struct scenario *s, const json_t *act);
/* A call to start a child, which was sent, is carried out; entry: of `calls`, whose reply is lost,
 * broken or not_connected, where something happens to it. */
void scenario_start_child(struct scenario *s, struct world_call *call, const json_t *entry);
/* The same for a schedule; false: it was refused at once. */
bool scenario_start_for(struct scenario *s, const json_t *act, struct scenario_schedule *schedule);
/* The answer to a start; takes over the call. */
void scenario_started(struct scenario *s, struct engine_call *call, bool lost);

/* scenario_versions.c */

/* The version that a start with this identity takes; NULL: there is none now, err says why. */
struct saga_def *scenario_route(struct scenario *s, const char *name, const char *identity,
								struct err *err);
/* From now on starts go so: {saga, current, canary, percent, paused: why}. */
void scenario_set_route(struct scenario *s, const json_t *route);
/* What the server finds out before a saga is told to migrate; false: it was refused. */
bool scenario_may_migrate(struct scenario *s, const char *id, struct act *act);
/* "search.customer:42": the numbers of the sagas that it finds. */
void scenario_expect_found(struct scenario *s, const json_t *finds);

/* scenario_schedule.c */

void scenario_schedules_begin(struct scenario *s);
void scenario_schedules_release(struct scenario *s);
/* Takes a step in each; false: there is nothing to do now. */
bool scenario_schedules_run(struct scenario *s);
/* When there is something next; 0: never. */
wall_ms scenario_schedules_next(const struct scenario *s);
/* A start that it wanted is answered. */
void scenario_schedule_started(struct scenario *s, struct scenario_schedule *schedule,
							   const struct engine_call *call, bool lost);
/* {schedule: name, do: pause}; false: the act is about something else. */
bool scenario_schedule_act(struct scenario *s, const json_t *act);

/* scenario_work.c */

/* A worker does something; false: the act is not about one. */
bool scenario_work(struct scenario *s, const json_t *act);
/* The answer to it; takes over the call. */
void scenario_worked(struct scenario *s, struct engine_call *call, bool lost);
/* What has ended has no task in the store. */
void scenario_expect_no_task(struct scenario *s, const char *saga_id);
void scenario_work_release(struct scenario *s);

#endif
