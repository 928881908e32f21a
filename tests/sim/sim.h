/*
 * The deterministic simulator: the real engine (the turn) and the real store adapter, on a
 * simulated clock, scheduler, participants and clients, all from one seed.
 *
 *   gen.c       the definitions of a run
 *   service.c   participants with a ledger of their own, and the network before them
 *   client.c    who starts, cancels and terminates
 *   run.c       the scheduler: which of all that could happen next does
 *   judge.c     what must hold at the end
 *   main.c      many seeds, the smallest failing variant, coverage
 *
 * Faults happen for a while; then they stop, and every saga has to come to its end or to a person.
 */
#ifndef TESTS_SIM_SIM_H
#define TESTS_SIM_SIM_H

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
	X(FAULT_DUPLICATE, "duplicate-start")

enum sim_fault {
#define X(name, text) name,
	SIM_FAULTS(X)
#undef X
		SIM_FAULT_COUNT
};
extern const char *const sim_fault_names[];

enum { SAGAS_MAX = 8, EVENT_NUMBERS = 32 };

/* Counted over all runs, in memory that all workers share. */
struct coverage {
	uint64_t faults[SIM_FAULT_COUNT];
	uint64_t events[EVENT_NUMBERS];
	uint64_t saga_status[SAGA_STATUS_COUNT], step_status[STEP_STATUS_COUNT],
		comp_status[COMP_STATUS_COUNT];
	uint64_t parked, undos_checked, effects_checked, crashes_in_recovery, happenings, sagas, slept;
};

struct sim_options {
	uint64_t seed;
	uint32_t faults; /* 1 << fault: allowed */
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
	char *key, *path;
	bool is_undo, is_job;
	wall_ms done_at;  /* while now is earlier, it works on it */
	bool applied;     /* its effect has been counted */
	int status;       /* 422: declined, no effect */
	int n;            /* shown in the body */
	const char *code; /* of a decline */
};

/* What a key stands for at the participant: the thing that is made and unmade. */
struct resource {
	struct resource *next;
	char id[40];
	char saga_id[SAGA_ID_SIZE];
	int step, item;
	int effects; /* how often it was made */
	bool standing;
	wall_ms undone_at; /* when an undo was first answered; 0: never */
	uint64_t undo_order;
};

/* A call on its way. The network outlives the process. */
struct flight {
	struct flight *next;
	struct world_call *call; /* NULL: the caller has given up or died */
	struct world_call copy;  /* holds the request */
	int life;                /* of the process that sent it */
	wall_ms arrive_at;       /* 0: has arrived, or never will */
	wall_ms reply_at;        /* 0: none is under way */
	wall_ms timeout_at;
	wall_ms echo_at; /* 0: none */
	enum call_result result;
	int status;
	json_t *body;
	int64_t retry_after_ms;
	bool lose; /* the reply */
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

struct sim {
	struct sim_options options;
	struct sim_result *result;
	struct rng rng_gen, rng_client, rng_sched, rng_service, rng_store, rng_engine;
	struct world world;
	struct oracle oracle;
	struct entry *entries;
	struct resource *resources;
	struct flight *flights;
	struct client clients[SAGAS_MAX];
	int n_clients;
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

/* service.c */
void service_sent(struct sim *sim, struct world_call *call);
/* When the next thing of this flight happens; 0: nothing. */
wall_ms flight_next_at(const struct flight *flight);
void flight_step(struct sim *sim, struct flight *flight);
/* What landed by time alone. */
void service_tick(struct sim *sim);
void service_crashed(struct sim *sim);
void service_release(struct sim *sim);
struct resource *service_resource(struct sim *sim, const char *path);

/* client.c */
void client_init(struct sim *sim);
void client_act(struct sim *sim, struct client *client);
void client_answered(struct sim *sim, struct engine_call *call, bool lost);
void client_release(struct sim *sim);

/* judge.c */
void judge_growth(struct sim *sim); /* after something may have been committed */
bool judge_is_settled(struct sim *sim);
void judge_end(struct sim *sim);

#endif
