/*
 * What the files of tasks share:
 *
 *   tasks.c        its thread, what is posted to it, polls and their times
 *   tasks_queue.c  queues and candidates: who gets which
 *   tasks_limit.c  the settings of queues: rates, concurrency, builds
 *   tasks_lease.c  asking the owner of a saga for the lease
 *   tasks_read.c   reading the store
 *   tasks_look.c   numbers for others
 *
 * All belongs to its thread, under the lock, which others take to look.
 */
#ifndef COORDINATOR_TASKS_PRIV_H
#define COORDINATOR_TASKS_PRIV_H

#include <pthread.h>

#include "connectors/store.h"
#include "coordinator/read_pool.h"
#include "coordinator/tasks.h"
#include "sagas/base/heap.h"
#include "sagas/base/map.h"

enum {
	QUEUES_MAX = 10000,          /* in memory; those that nobody asks for are forgotten */
	CANDIDATES_MAX = 2000,       /* of a queue; the store has the others */
	CANDIDATES_ALL_MAX = 200000, /* of all */
	WORKERS_MAX = 1000,          /* of a queue */
	READ_PAGE = 500,
	LOOK_EVERY_MS = 1000,        /* into the store, for what other nodes have queued, */
	LOOK_ALONE_EVERY_MS = 20000, /* and where there is no other node */
	SETTINGS_EVERY_MS = 5000,
	COUNT_EVERY_MS = 50,   /* how often at most leases are counted for a limit */
	SHUN_MS = 2000,        /* so long nobody is given what could not be leased */
	IDLE_AFTER_MS = 60000, /* a queue that nobody asked for so long keeps no candidates */
	WORKER_FORGOTTEN_MS = 600000,
	POKE_EVERY_MS = 100, /* other nodes, at most so often */
	TASKS_PEERS_MAX = 64,
	MINUTE_PARTS = 6,
};

enum candidate_state { CANDIDATE_READY, CANDIDATE_LATER, CANDIDATE_LEASING };

/* A task that may be had. */
struct candidate {
	struct heap_node timer; /* LATER: when it becomes READY, or is forgotten if it is shunned */
	struct candidate *prev, *next; /* READY: in its queue's line */
	struct queue *queue;
	enum candidate_state state;
	bool shunned;
	char *key; /* "<saga>/<step>/<item>/<side>" */
	char saga_id[SAGA_ID_SIZE];
	char *step, *route;
	int item;
	enum side side;
	int64_t attempt;
	wall_ms available_at;
};

/* A poll in the line of one of its queues. */
struct poll_place {
	struct poll *poll;
	struct queue *queue;
	struct poll_place *prev, *next;
};

struct queue_settings {
	double rate_per_second; /* 0: no limit */
	int64_t max_concurrent; /* 0: no limit */
	char *build_default;    /* NULL: builds do not matter */
	char *build_ramp;       /* NULL: none */
	int ramp_percent;
	int64_t revision;
};

struct minute {
	int64_t parts[MINUTE_PARTS];
	int64_t part; /* which one is the present, in parts since 1970 */
};

struct worker_seen {
	char *worker, *build;
	wall_ms at;
	int polls;
};

struct queue {
	char *ns, *name;
	char *key;                      /* "<ns>/<name>" */
	struct candidate *first, *last; /* READY, oldest first */
	size_t n_candidates;            /* of all states */
	struct poll_place *waiting, *waiting_last;
	size_t n_waiting;
	/* The store may have more than is here; after these it was read so far ("": from the first). */
	bool more, reading, missed;
	wall_ms cursor_at;
	char cursor_saga[SAGA_ID_SIZE];
	char *cursor_step;
	int cursor_item;
	enum side cursor_side;
	wall_ms looked_at, asked_at;
	wall_ms not_before; /* after a failure; 0: at once */
	uint64_t order;     /* of its making */
	bool settings_known;
	/* Limits. */
	struct queue_settings settings;
	double tokens;
	wall_ms tokens_at;
	int64_t allowance;       /* of max_concurrent, as of the last count; -1: not counted */
	int64_t leasing;         /* asked of owners, and not answered */
	int64_t counted_leasing; /* the same when the count began */
	bool counting, count_again;
	wall_ms counted_at;
	/* Numbers. */
	struct queue_look look;
	struct minute leased, completed, failed;
	struct map workers; /* name -> worker_seen */
	bool listed;        /* in the list of those to be served */
	struct queue *next_listed;
};

enum tasks_mail {
	TASKS_MAIL_POLL = 1,
	TASKS_MAIL_COMMITTED,
	TASKS_MAIL_LEASED,
	TASKS_MAIL_READ,
	TASKS_MAIL_LOOK,
	TASKS_MAIL_END,
	TASKS_MAIL_STOP,
};

struct tasks {
	struct tasks_options options;
	struct engine *engine;
	struct mailbox *box;
	struct read_pool *pool;
	pthread_t thread;
	bool started;
	struct mail look, end, stop;
	bool look_out; /* atomic */
	bool ended;    /* atomic: no poll is taken any more */

	pthread_mutex_t lock; /* of all that follows */
	wall_ms now;
	struct map queues;     /* key -> queue */
	struct map candidates; /* key -> candidate */
	struct heap times;     /* of candidates */
	struct heap waits;     /* of polls */
	struct queue *listed;  /* something may be given out in these */
	int n_polls;
	int jobs_out; /* reads and leases */
	uint64_t order;
	unsigned rotor;
	wall_ms settings_at, settings_tried_at; /* 0: not yet read */
	int64_t settings_pause_ms;
	bool settings_out, settings_wanted;
	wall_ms read_at, scan_at; /* the next queue is due; queues are not looked at before */
	wall_ms poked_at, peers_at;
	char peers[TASKS_PEERS_MAX][NODE_ADDRESS_SIZE];
	int n_peers;
	wall_ms serve_at;     /* then a rate lets something through; 0: no rate holds anything up */
	struct mail *answers; /* polls that are to be answered */
	bool poke_owed;
	bool stopping;
};

/* tasks.c */
void tasks__poll_wait(struct tasks *tasks, struct poll *poll);
/* Answers the poll if it has tasks, or its time is up; else it waits (again). */
void tasks__poll_settle(struct tasks *tasks, struct poll *poll);

/* tasks_queue.c */
struct queue *tasks__queue(struct tasks *tasks, const char *ns, const char *name, bool make);
void tasks__queue_free(struct queue *queue);
void tasks__list(struct tasks *tasks, struct queue *queue);
/* A task that is queued, as a row says it; copied. */
void tasks__offer(struct tasks *tasks, struct queue *queue, const struct task_row *row);
void tasks__forget(struct tasks *tasks, const char *saga_id, const char *step, int item,
				   enum side side);
void tasks__candidate_free(struct tasks *tasks, struct candidate *candidate);
/* It could not be leased: for a while nobody tries again. */
void tasks__shun(struct tasks *tasks, struct candidate *candidate);
/* Gives out what can be given out, in all that are listed. */
void tasks__serve(struct tasks *tasks);
/* Tasks for one poll, from its queues in turns. */
void tasks__serve_poll(struct tasks *tasks, struct poll *poll);
/* Candidates whose time has come. */
void tasks__times(struct tasks *tasks);
char *tasks__key(const char *saga_id, const char *step, int item, enum side side);

/* tasks_limit.c */
void tasks__settings_release(struct queue_settings *settings);
/* Reads the JSON of settings; ERR_INVALID, err->place. */
int tasks__settings_read(const char *text, size_t len, struct queue_settings *ret,
						 struct err *err) MUST_CHECK;
/* Whether another task of the queue may be given out now. */
bool tasks__may_lease(struct tasks *tasks, struct queue *queue);
void tasks__note_lease(struct tasks *tasks, struct queue *queue);
/* When the rate lets another one through; 0: it is not what holds up. */
wall_ms tasks__rate_at(const struct tasks *tasks, const struct queue *queue);
/* Whether the task is for workers of this build. */
bool tasks__build_fits(const struct queue *queue, const char *saga_id, const char *build);

/* tasks_lease.c */
void tasks__lease(struct tasks *tasks, struct poll *poll, struct candidate *candidate);
void tasks__leased(struct tasks *tasks, struct mail *mail);
void tasks__lease_throw_away(struct mail *mail);

/* tasks_read.c */
/* Reads what is wanted, if it is time. */
void tasks__read(struct tasks *tasks);
void tasks__read_done(struct tasks *tasks, struct mail *mail);
/* All that somebody waits for is looked for anew. */
void tasks__look_all(struct tasks *tasks);
wall_ms tasks__read_next_at(const struct tasks *tasks);
void tasks__read_throw_away(struct mail *mail);
/* Other nodes are told that there is work, now or soon. */
void tasks__poke(struct tasks *tasks);

/* tasks_look.c */
void minute_add(struct minute *minute, wall_ms now, int64_t n);
int64_t minute_sum(const struct minute *minute, wall_ms now);
void tasks__note_worker(struct tasks *tasks, struct queue *queue, const struct poll *poll,
						int polls);

#endif
