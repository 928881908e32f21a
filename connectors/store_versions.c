#include "connectors/store_versions.h"

#include <stdlib.h>
#include <string.h>

#include "connectors/store_messages.h"
#include "sagas/base/macros.h"

static char *copy_text(const char *text)
{
	return text ? xstrdup(text) : NULL;
}

void routing_row_copy(const struct routing_row *from, struct routing_row *ret_row)
{
	*ret_row = *from;
	ret_row->ns = copy_text(from->ns);
	ret_row->name = copy_text(from->name);
	ret_row->reason = copy_text(from->reason);
	ret_row->by = copy_text(from->by);
}

void routing_row_release(struct routing_row *row)
{
	free((char *)row->ns);
	free((char *)row->name);
	free((char *)row->reason);
	free((char *)row->by);
	*row = (struct routing_row){0};
}

void schedule_row_copy(const struct schedule_row *from, struct schedule_row *ret_row)
{
	*ret_row = *from;
	ret_row->ns = copy_text(from->ns);
	ret_row->name = copy_text(from->name);
	ret_row->reason = copy_text(from->reason);
	ret_row->state = copy_text(from->state);
	ret_row->by = copy_text(from->by);
}

void schedule_row_release(struct schedule_row *row)
{
	free((char *)row->ns);
	free((char *)row->name);
	free((char *)row->reason);
	free((char *)row->state);
	free((char *)row->by);
	*row = (struct schedule_row){0};
}

static int check_text(const char *what, const char *text, size_t max, bool wanted, struct err *err)
{
	if (!text || !*text)
		return wanted ? err_set(err, ERR_INVALID, "a row without its %s", what) : 0;
	if (strlen(text) > max)
		return err_set(err, ERR_LIMIT, "the %s has more than %zu bytes", what, max);
	return 0;
}

static int check_said(const char *ns, const char *name, const char *reason, const char *by,
					  struct err *err)
{
	int r = check_text("namespace", ns, NAMESPACE_MAX_BYTES, true, err);

	if (r == 0)
		r = check_text("name", name, STORE_NAME_MAX_BYTES, true, err);
	if (r == 0)
		r = check_text("reason", reason, STORE_TEXT_MAX_BYTES, false, err);
	return r == 0 ? check_text("author", by, STORE_NAME_MAX_BYTES, false, err) : r;
}

int store_check_routing(const struct routing_row *row, struct err *err)
{
	int r = check_said(row->ns, row->name, row->reason, row->by, err);

	if (r == 0 && (row->current < 0 || row->previous < 0 || row->canary < 0 || row->percent < 0 ||
				   row->percent > 100))
		return err_set(err, ERR_INVALID, "a version is a number from 1, a share one of 0 to 100");
	return r;
}

int store_check_schedule(const struct schedule_row *row, struct err *err)
{
	int r = check_said(row->ns, row->name, row->reason, row->by, err);

	return r == 0 ? check_text("state", row->state, STORE_TEXT_MAX_BYTES, true, err) : r;
}
