#include "coordinator/failpoint.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

bool failpoints_armed;

static const char *const names[FAILPOINT_COUNT] = {
#define X(name, text) [name] = text,
	FAILPOINTS(X)
#undef X
};

/* How often it still has to be reached; 0: not armed. Changed with atomics. */
static int left[FAILPOINT_COUNT];

static int find(const char *name, size_t len)
{
	for (int i = 0; i < FAILPOINT_COUNT; i++)
		if (strlen(names[i]) == len && memcmp(names[i], name, len) == 0)
			return i;
	return -1;
}

/* "name:3=kill" */
static int arm_one(const char *text, size_t len, struct err *err)
{
	const char *colon = memchr(text, ':', len);
	char *end;
	long n;
	int which;

	if (!colon)
		return err_set(err, ERR_INVALID, "failpoint \"%.*s\": expected name:n=kill", (int)len,
					   text);
	which = find(text, (size_t)(colon - text));
	if (which < 0)
		return err_set(err, ERR_INVALID, "unknown failpoint \"%.*s\"", (int)(colon - text), text);
	errno = 0;
	n = strtol(colon + 1, &end, 10);
	if (errno != 0 || end == colon + 1 || n < 1 || n > 1000000000 || text + len - end != 5 ||
		memcmp(end, "=kill", 5) != 0)
		return err_set(err, ERR_INVALID, "failpoint \"%.*s\": expected name:n=kill", (int)len,
					   text);
	left[which] = (int)n;
	failpoints_armed = true;
	return 0;
}

int failpoints_arm(const char *spec, struct err *err)
{
	while (spec && *spec) {
		size_t len = strcspn(spec, ",");
		int r = arm_one(spec, len, err);

		if (r < 0)
			return r;
		spec += len;
		if (*spec == ',')
			spec++;
	}
	return 0;
}

void failpoint_reached(enum failpoint name)
{
	if (__atomic_load_n(&left[name], __ATOMIC_RELAXED) <= 0)
		return;
	if (__atomic_sub_fetch(&left[name], 1, __ATOMIC_RELAXED) != 0)
		return;
	kill(getpid(), SIGKILL);
	for (;;)
		pause();
}
