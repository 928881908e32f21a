/*
 * start_on: {schedule}. Whether this machine knows the time zone is the business of who has a
 * machine.
 */
#include <stdio.h>
#include <string.h>

#include "sagas/def_priv.h"

enum { DEFAULT_CATCH_UP_MS = 24 * 60 * 60 * 1000, NAME_MAX_LENGTH = 64 };

static void read_line(const struct node *at, void *to)
{
	struct schedule_def *schedule = to;
	const char *line = read_string(at);
	struct err err;

	if (!line)
		return;
	schedule->line = xstrdup(line);
	if (cron_parse(line, &schedule->cron, &err) < 0)
		find_at(at, FINDING_ERROR, "%s", err.text);
}

static void read_entry_name(const struct node *at, void *to)
{
	const char *name = read_name(at, "the name of a schedule", NAME_MAX_LENGTH, true);

	if (name)
		((struct schedule_def *)to)->name = xstrdup(name);
}

static void read_time_zone(const struct node *at, void *to)
{
	((struct schedule_def *)to)->time_zone = read_constant(at);
}

static void read_overlap(const struct node *at, void *to)
{
	static const char *const words[] = {"skip", "queue", "start", "cancel"};
	int word = read_word(at, words, ARRAY_SIZE(words));

	if (word >= 0)
		((struct schedule_def *)to)->overlap = (enum schedule_overlap)word;
}

static void read_catch_up(const struct node *at, void *to)
{
	read_duration(at, &((struct schedule_def *)to)->catch_up_ms);
}

static void read_input(const struct node *at, void *to)
{
	read_tmpl(at, WANT_ANY, &((struct schedule_def *)to)->input);
}

static const struct key_rule schedule_keys[] = {
	{"schedule", read_line},   {"name", read_entry_name},   {"time_zone", read_time_zone},
	{"overlap", read_overlap}, {"catch_up", read_catch_up}, {"input", read_input},
};

static void check_names(const struct node *at, const struct saga_def *def)
{
	const char *name = def->schedules[def->n_schedules - 1].name;

	for (size_t i = 0; i + 1 < def->n_schedules; i++)
		if (strcmp(def->schedules[i].name, name) == 0)
			find_at(at, FINDING_ERROR,
					"a schedule above is called `%s`, too; each needs a `name` of its own", name);
}

void read_schedule(const struct node *at, struct saga_def *def)
{
	struct schedule_def *schedule = &def->schedules[def->n_schedules++];

	schedule->index = (int)at->index;
	schedule->catch_up_ms = DEFAULT_CATCH_UP_MS;
	read_object(at, "start_on", schedule_keys, ARRAY_SIZE(schedule_keys), schedule);
	if (!schedule->name)
		schedule->name = xasprintf("%zu", def->n_schedules);
	if (!schedule->time_zone)
		schedule->time_zone = xstrdup("UTC");
	check_names(at, def);
}
