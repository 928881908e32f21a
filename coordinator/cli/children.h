/*
 * The example participants as children of `skald dev`. They end with it, also when it is killed.
 * Each says on its first line where it listens.
 */
#ifndef COORDINATOR_CLI_CHILDREN_H
#define COORDINATOR_CLI_CHILDREN_H

#include <sys/types.h>

#include "sagas/base/err.h"

enum { CHILDREN_MAX = 8 };

struct child {
	pid_t pid; /* 0: ended */
	const char *name;
	char url[64]; /* "": it serves none */
};

struct children {
	struct child list[CHILDREN_MAX];
	int n;
};

/*
 * Starts program with `--port 0 --data folder`, or, for one that works over Kafka, with `--brokers
 * brokers --data folder` (brokers NULL: it does not), and waits for its first line. ERR_NOT_FOUND:
 * no such program.
 */
int children_start(struct children *children, const char *name, const char *program,
				   const char *folder, const char *brokers, struct err *err) MUST_CHECK;
/* A child that was waited for elsewhere; its name, or NULL. */
const char *children_forget(struct children *children, pid_t pid);
/* SIGTERM, a while, SIGKILL; none is left when it returns. */
void children_stop(struct children *children);

#endif
