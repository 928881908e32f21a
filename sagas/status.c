#include "sagas/status.h"

#include <string.h>

#include "sagas/base/macros.h"

#define X(name, text) text,
static const char *const saga_texts[] = {SAGA_STATUSES(X)};
static const char *const step_texts[] = {STEP_STATUSES(X)};
static const char *const comp_texts[] = {COMP_STATUSES(X)};
#undef X

const char *saga_status_text(enum saga_status status)
{
	CHECK((unsigned)status < SAGA_STATUS_COUNT);
	return saga_texts[status];
}

const char *step_status_text(enum step_status status)
{
	CHECK((unsigned)status < STEP_STATUS_COUNT);
	return step_texts[status];
}

const char *comp_status_text(enum comp_status status)
{
	CHECK((unsigned)status < COMP_STATUS_COUNT);
	return comp_texts[status];
}

static int index_of(const char *const *texts, int n, const char *text)
{
	for (int i = 0; i < n; i++)
		if (strcmp(texts[i], text) == 0)
			return i;
	return -1;
}

int saga_status_parse(const char *text)
{
	return index_of(saga_texts, SAGA_STATUS_COUNT, text);
}

int comp_status_parse(const char *text)
{
	return index_of(comp_texts, COMP_STATUS_COUNT, text);
}

bool saga_status_is_terminal(enum saga_status status)
{
	switch (status) {
	case SAGA_COMPLETED:
	case SAGA_COMPENSATED:
	case SAGA_FAILED:
	case SAGA_TERMINATED:
		return true;
	case SAGA_RUNNING:
	case SAGA_WAITING:
	case SAGA_PAUSED:
	case SAGA_COMPENSATING:
	case SAGA_COMPENSATION_FAILED:
	case SAGA_STATUS_COUNT:
		return false;
	}
	return false;
}
