/*
 * The deterministic simulator: the real engine (the turn) and the real store adapter, on a
 * simulated clock, scheduler, participants and clients, all from one seed.
 *
 *   gen.c       the definitions of a run
 *   gen_children.c  … of which some steps are sagas of their own
 *   families.c  what must hold between parents and children
 *   children.c  who starts them, and what they and their parents tell each other
 *   service.c   participants with a ledger of their own, and the network before them
 *   kafka.c     the broker, and those who read its topics for the engine
 *   outbox.c    what is published, held against the history
 *   client.c    who starts, cancels and terminates
 *   worker.c    who asks for tasks
 *   continued.c what the runs of a saga made
 *   versions.c  second versions of definitions, and who goes on by them
 *   operator.c  who acts on sagas and steps in every other way
 *   run.c       the scheduler: which of all that could happen next does
 *   judge.c     what must hold at the end
 *   main.c      many seeds, the smallest failing variant, coverage
 *
 * Faults happen for a while; then they stop, and every saga has to come to its end or to a person.
 */
#ifndef TESTS_SIM_SIM_H
#define TESTS_SIM_SIM_H

#include "sagas/kafka_record.h"
#include "tests/sim/rng.h"
#include "tests/support/oracle.h"

/* X(constant, name): each can be left out of a run. */
#define SIM_FAULTS(X)                                                                              \
	X(FAULT_DECLINE, "decline")           /* a definite failure */                                 \
	X(FAULT_ERROR_BEFORE, "error-before") /* 500, 503, 429, and nothing happened */                \
	X(FAULT_ERROR_AFTER, "error-after")   /* 500, and it took effect */                            \
	X(FAULT_REPLY_LOST, "reply-lost")     /* the connection breaks, or nothing comes */            \
	X(FAULT_NOT_CONNECTED, "not-connected")                                                        \
	X(FAULT_LATE_ARRIVAL, "late-arrival") /* it takes effect after the caller has given up */      \
	X(FAULT_SLOW, "slow")                 /* works for a while: 409 to whoever asks again */       \
	X(FAULT_ONGOING, "ongoing")           /* 202, and ends later */                                \
	X(FAULT_JOB_FAILS, "job-fails")                                                                \
	X(FAULT_GARBAGE, "garbage") /* a success whose body makes no sense */                          \
	X(FAULT_TOO_LARGE, "too-large")                                                                \
	X(FAULT_ECHO, "echo") /* a reply twice, or after the time-out */                               \
	X(FAULT_UNDO_DECLINED, "undo-declined")                                                        \
	X(FAULT_PROBE_FAILS, "probe-fails")                                                            \
	X(FAULT_COMMIT_BEFORE, "commit-before")                                                        \
	X(FAULT_COMMIT_DROPPED, "commit-dropped")                                                      \
	X(FAULT_COMMIT_LANDED, "commit-landed")                                                        \
	X(FAULT_COMMIT_LATE, "commit-late")                                                            \
	X(FAULT_READ, "read")                                                                          \
	X(FAULT_CRASH, "crash")                                                                        \
	X(FAULT_DRAIN, "drain") /* a graceful stop */                                                  \
	X(FAULT_CLOCK, "clock") /* wall time jumps while the process is down */                        \
	X(FAULT_CANCEL, "cancel")                                                                      \
	X(FAULT_TERMINATE, "terminate")                                                                \
	X(FAULT_ACT, "act")                                                                            \
	X(FAULT_ACT_TWICE, "act-twice")                                                                \
	X(FAULT_DUPLICATE, "duplicate-start")                                                          \
	X(FAULT_PUBLISH_UNKNOWN, "publish-unknown") /* the producer does not know */                   \
	X(FAULT_REPLY_LATE, "reply-late")           /* a record that comes after minutes */            \
	X(FAULT_EVENT_TWICE, "event-twice")                                                            \
	X(FAULT_CANCEL_EVENT, "cancel-event")                                                          \
	X(FAULT_READ_AGAIN, "read-again")   /* records, for their offsets were not committed */        \
	X(FAULT_WORKER_DIES, "worker-dies") /* in the middle, with or without effect */                \
	X(FAULT_WORKER_LATE, "worker-late") /* it goes on after its lease */                           \
	X(FAULT_WORKER_FAILS, "worker-fails")                                                          \
	X(FAULT_WORKER_TWICE, "worker-twice") /* says it again */                                      \
	X(FAULT_CHILD_LATE, "child-late")     /* a start that outlives who wanted it */                \
	X(FAULT_CHILD_LOST, "child-lost")     /* the answer to a start */                              \
	X(FAULT_CHILD_TWICE, "child-twice")   /* a start */                                            \
	X(FAULT_TELL_LATE, "tell-late")       /* a message between sagas, and out of order */          \
	X(FAULT_TELL_TWICE, "tell-twice")                                                              \
	X(FAULT_RELAY, "relay") /* dies between publishing and removing */

enum sim_fault {
#define X(name, text) name,
	SIM_FAULTS(X)
#undef X
		SIM_FAULT_COUNT
};
extern const char *const sim_fault_names[];

enum {
	SAGAS_MAX = 8,
	EVENT_NUMBERS = 64,
	EVENTS_KEPT_MS = 3600 * 1000,
	TRIED_KEPT = 16,
	KIDS_KEPT = 64,      /* children that nobody has seen in the store yet */
	DEFINITIONS_MAX = 6, /* versions counted */
	SIM_ACTS_MAX = 200,
	SIM_REPAIRS_MAX = 6,
	SIM_ACTS_OF_SAGA = ACT_IDS_KEPT, /* so many can be told again without being forgotten */
};

/* Counted over all runs, in memory that all workers share. */
struct coverage {
	uint64_t faults[SIM_FAULT_COUNT];
	uint64_t events[EVENT_NUMBERS];
	uint64_t saga_status[SAGA_STATUS_COUNT], step_status[STEP_STATUS_COUNT],
		comp_status[COMP_STATUS_COUNT];
	uint64_t parked, undos_checked, effects_checked, crashes_in_recovery, happenings, sagas, slept,
		inboxed, published, late_successes;
	uint64_t migrations_refused;
	uint64_t acts[ACT_KIND_COUNT], acts_refused, begun_anew, leases_lost, kids, kids_undone;
};

struct sim_options {
	uint64_t seed;
	uint64_t faults; /* 1 << fault: allowed */
	uint32_t sagas;  /* 1 << n: those that are started */
	bool trace;      /* to stdout */
	struct coverage *coverage;
};

struct sim_result {
	bool failed;
	char text[1024];
	uint64_t trace_hash, happenings;
};

/* What a participant knows of one key. */
struct entry {
	struct entry *next;
	char *key, *thing; /* a path, or the key of a command's record */
	bool is_undo, is_job;
	wall_ms done_at;  /* while now is earlier, it works on it */
	bool applied;     /* its effect has been counted */
	int status;       /* 422: declined, no effect */
	int n;            /* shown in the body */
	const char *code; /* of a decline */
	wall_ms told_at;  /* when the decline was first told; 0: not yet */
};

/* What a key stands for at the participant: the thing that is made and unmade. */
struct resource {
	struct resource *next;
	char id[40];
	char saga_id[SAGA_ID_SIZE];
	int step, item;
	int effects; /* how often it was made */
	bool standing;
	bool old;          /* of a run that is over: its step was begun anew */
	bool excused;      /* … and it may stand all the same */
	bool undo_by_hand; /* a person had a say about its undo */
	bool by_hand;      /* what a person said of it is not so: nothing is demanded of it */
	wall_ms undone_at; /* when an undo was first answered; 0: never */
	uint64_t undo_order;
};

/* A call on its way. The network outlives the process. */
struct flight {
	struct flight *next;
	struct world_call *call; /* NULL: the caller has given up or died */
	struct world_call copy;  /* holds the request */
	int life;                /* of the process that sent it */
	int run;                 /* of its step; 0: the first */
	wall_ms arrive_at;       /* 0: has arrived, or never will */
	wall_ms reply_at;        /* 0: none is under way */
	wall_ms timeout_at;
	wall_ms echo_at; /* 0: none */
	enum call_result result;
	int status;
	json_t *body;
	int64_t retry_after_ms;
	bool lose; /* the reply */
	bool late; /* it arrives so late that it has no time left */
	/* A command: the call ends when it is published, and what follows outlives the process. */
	bool is_command;
	wall_ms publish_at; /* 0: is done */
	enum call_result published;
};

enum sim_topic_name { TOPIC_REPLIES, TOPIC_EVENTS, TOPIC_STOP, TOPIC_COUNT };

/* A record in a topic that Skald reads. */
struct sim_record {
	struct sim *sim;
	const char *topic;
	int64_t offset;
	wall_ms at; /* when it was written */
	/* Of an event: when it was taken; of a webhook that is when it was told. 0: not yet. */
	wall_ms stored_at;
	char *value;
	struct kafka_header headers[4];
	size_t n_headers;
	/* Of this life: handed to the engine, which has not given it back; where it belongs. */
	bool offered, done;
	bool to_inbox;
	wall_ms again_at; /* not to be tried before */
	/* A reply. */
	char saga_id[SAGA_ID_SIZE];
	int step, item, flight_status;
	int run; /* of the step; 1: the first */
	enum call_kind kind;
	/* An event. */
	char order[32];
	int n;
};

struct sim_topic {
	struct sim_record **records;
	int64_t end, processed, committed;
};

/* An event that somebody will write. */
struct planned_event {
	struct planned_event *next;
	wall_ms at;
	char order[32];
	int n;
	bool cancel;
};

/* A record that a row of the history says is published. */
struct expected {
	struct expected *next; /* in the order in which they were seen: of one saga, the history's */
	char saga_id[SAGA_ID_SIZE];
	int64_t seq;
	int place;
	const char *type; /* borrowed from the definition */
	char id[UUID_SIZE];
	bool published, removed, seen;
	bool maybe_removed; /* nobody knows whether the store has done it */
};

enum { RELAY_PAGE = 5 };
struct published_page {
	struct sim *sim;
	struct outbox_row rows[RELAY_PAGE + 1];
	size_t n;
};

/* What a client wants, and has heard. */
struct client {
	struct saga_def *def;
	json_t *input;
	char key[32]; /* "": none */
	wall_ms at;   /* of its next act; 0: none */
	int acts;
	bool is_duplicate_of, other_payload;
	int original;
	char fingerprint[SHA256_HEX_SIZE];
	char id[SAGA_ID_SIZE]; /* of the last try */
	char acked[SAGA_ID_SIZE];
	bool refused; /* the same key, another payload */
	bool out;
	bool cancel_acked, terminate_acked, maybe_cancelled, maybe_terminated;
	int tries;
};

/* What the operator did, once or again. */
struct sim_act {
	struct act act;
	char saga_id[SAGA_ID_SIZE];
	bool taken;
	bool unknown; /* some time nobody answered */
	int out;
};

struct sim {
	struct sim_options options;
	struct sim_result *result;
	struct rng rng_gen, rng_client, rng_sched, rng_service, rng_store, rng_engine, rng_kafka,
		rng_operator, rng_worker, rng_children;
	struct world world;
	struct oracle oracle;
	struct entry *entries;
	struct resource *resources;
	struct flight *flights;
	struct sim_topic topics[TOPIC_COUNT];
	struct planned_event *planned;
	struct expected *expected, **expected_last;
	size_t outbox_rows;        /* in the store, when it was last looked at */
	int64_t ends[TOPIC_COUNT]; /* of the topics at ends_at */
	wall_ms ends_at;           /* 0: not looked at */
	wall_ms read_until;        /* as the engine was told last */
	wall_ms tick_at, tick_ms;  /* of the next look */
	struct client clients[SAGAS_MAX];
	/* Of earlier tries to start: a commit that lands late may bring them all the same. */
	char tried[TRIED_KEPT][SAGA_ID_SIZE];
	int n_tried;
	int n_clients;
	struct sim_act acts[SIM_ACTS_MAX];
	int n_acts;
	/* Of each definition: the step in which it differs from the one before it; "": it is none. */
	char changed[DEFINITIONS_MAX][16];
	wall_ms operate_at; /* the operator's next look */
	struct sim_start *starts;
	char kids[KIDS_KEPT][SAGA_ID_SIZE];
	int n_kids;
	struct sim_lease *leases;
	wall_ms worker_at; /* no worker asks before */
	bool careful;      /* who says what became of something looks first */
	int life;
	bool faults_on, draining;
	int commit_faults, crash_rate; /* how wild this run is, in percent or per mille */
	wall_ms up_at;                 /* the process is down until then */
	wall_ms drain_until;
	wall_ms outage_from, outage_until; /* the store is away all the while */
	wall_ms start;
	uint64_t happenings, undo_order;
	uint64_t trace_hash;
};

void sim_run(const struct sim_options *options, struct sim_result *result);
void sim_trace(struct sim *sim, const char *fmt, ...) PRINTF_LIKE(2, 3);
void sim_fail(struct sim *sim, const char *saga_id, const char *text);
/* The fault may happen now; counts it when `happens`. */
bool sim_fault(struct sim *sim, enum sim_fault fault, bool happens);

/* gen.c */
json_t *gen_definition(struct rng *rng, int n);
json_t *gen_input(struct rng *rng, const struct saga_def *def, int n);
/* A call, for a block; without an id. */
json_t *gen_block_step(struct rng *rng, bool closed);

/* gen_children.c: some steps become sagas of their own. */
void gen_children(struct rng *rng, const struct world *world, json_t *doc);

/* service.c */
void service_sent(struct sim *sim, struct world_call *call);
/* When the next thing of this flight happens; 0: nothing. */
wall_ms flight_next_at(const struct flight *flight);
void flight_step(struct sim *sim, struct flight *flight);
/* What landed by time alone. */
void service_tick(struct sim *sim);
void service_crashed(struct sim *sim);
void service_release(struct sim *sim);
struct resource *service_resource(struct sim *sim, const char *thing);
/* A call may still have it made. */
bool service_is_under_way(struct sim *sim, const struct resource *resource);

/* What is done for a worker's task: by a key, once. thing: "/r/<uuid>". */
void service_work(struct sim *sim, const char *key, const char *thing, bool undo);
/* Whose thing it is. */
void service_leased(struct sim *sim, const char *saga_id, int step, int item, const char *thing);

/* worker.c */
void worker_answered(struct sim *sim, struct engine_call *call, bool lost);
void worker_anew(struct sim *sim, const char *saga_id);
void worker_event(struct sim *sim, struct oracle_saga *saga, const struct event *event);
bool worker_may_make(const struct sim *sim, const struct resource *resource);
wall_ms worker_next_at(struct sim *sim);
bool worker_is_idle(const struct sim *sim);
void worker_step(struct sim *sim);
void worker_release(struct sim *sim);

/* continued.c: before the books of the oracle have it. */
void continued_stored(struct sim *sim, struct oracle_saga *saga, const struct event *event);
/* A run of the saga that is over made it, or decided it. */
bool continued_is_past(const struct oracle_saga *saga, int step, int run);
/* children.c */
bool children_are_sent(const struct world_call *call);
void children_sent(struct sim *sim, struct world_call *call);
bool children_own(const struct sim *sim, const struct engine_call *call);
void children_answered(struct sim *sim, struct engine_call *call, bool lost);
wall_ms children_next_at(const struct sim *sim);
void children_step(struct sim *sim);
void children_crashed(struct sim *sim);
void children_look(struct sim *sim);
void children_read(struct sim *sim, struct inbox_read *read);
void children_release(struct sim *sim);

/* families.c */

/* Nothing happens to it until its parent has ended, or a child has. */
bool families_wait(struct sim *sim, const struct oracle_saga *saga);
void families_check(struct sim *sim); /* after a commit */
void families_judge(struct sim *sim);

/* versions.c: another version of the definition that was deployed last, where there can be one. */
void versions_deploy(struct sim *sim, const json_t *doc);
/* There is another version of the saga's definition. */
bool versions_differ(const struct sim *sim, const struct oracle_saga *saga);
/* An act that takes it there, as it stands now. */
void versions_fill(struct sim *sim, const struct oracle_saga *saga, struct act *act);

/* kafka.c */
void kafka_init(struct sim *sim); /* after the clients */
void kafka_check_command(struct sim *sim, const struct flight *flight);
void kafka_reply(struct sim *sim, const struct flight *flight);
bool kafka_can(struct sim *sim);
void kafka_step(struct sim *sim);
wall_ms kafka_next_at(const struct sim *sim);
void kafka_stirred(struct sim *sim); /* something happens, so time is looked at closely again */
void kafka_crashed(struct sim *sim);
bool kafka_is_settled(struct sim *sim);
void kafka_release(struct sim *sim);
/* The record of an event id; NULL: there is none. */
/* It is a reply to the run of its step that goes on now, not to one that a person ended. */
bool kafka_reply_is_current(const struct oracle_saga *saga, const struct sim_record *record);
const struct sim_record *kafka_event(const struct sim *sim, const char *event_id);

/* outbox.c */
void published_event(struct sim *sim, struct oracle_saga *saga, const struct event *event);
void published_check(struct sim *sim);                        /* after a commit */
int published_take(void *page, const struct outbox_row *row); /* is published */
/* It is removed; or perhaps. */
void published_gone(struct sim *sim, const struct published_page *page, bool certain);
void published_judge(struct sim *sim);
void published_release(struct sim *sim);

/* client.c */
void client_init(struct sim *sim);
void client_act(struct sim *sim, struct client *client);
void client_answered(struct sim *sim, struct engine_call *call, bool lost);
void client_release(struct sim *sim);

/* operator.c */
void operator_act(struct sim *sim);
bool operator_owns(const struct sim *sim, const struct engine_call *call);
void operator_answered(struct sim *sim, struct engine_call *call, bool lost);
/* Before the books of the oracle have it. */
void operator_act_stored(struct sim *sim, struct oracle_saga *saga, const struct event *event);
void operator_judge(struct sim *sim);
void operator_release(struct sim *sim);

/* judge.c */
/* A person has to do something, and nothing happens until then. */
bool judge_waits_for_a_person(const struct oracle_saga *saga);
void judge_growth(struct sim *sim); /* after something may have been committed */
void judge_event(struct sim *sim, struct oracle_saga *saga, const struct event *event);
bool judge_is_settled(struct sim *sim);
void judge_end(struct sim *sim);

/* locks.c */

/* Who holds what, as far as histories and store agree: after each happening. */
void locks_check(struct sim *sim);

#endif
