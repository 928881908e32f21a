#include "sagas/task.h"

#include <string.h>

#include "sagas/base/macros.h"

#define X(name, text) text,
static const char *const kinds[] = {TASK_KINDS(X)};
static const char *const states[] = {TASK_STATES(X)};
#undef X

static int parse(const char *const *texts, int n, const char *text)
{
	for (int i = 0; i < n; i++)
		if (strcmp(texts[i], text) == 0)
			return i;
	return -1;
}

const char *task_kind_text(enum task_kind kind)
{
	return kinds[kind];
}

const char *task_state_text(enum task_state state)
{
	return states[state];
}

int task_kind_parse(const char *text)
{
	return parse(kinds, TASK_KIND_COUNT, text);
}

int task_state_parse(const char *text)
{
	return parse(states, TASK_STATE_COUNT, text);
}
