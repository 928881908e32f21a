/*
 * The parts of the language that this version knows but does not run yet: their structure and
 * their expressions are checked like any other, so that a definition that loads without errors
 * today is one that runs when they are built. Who calls these functions says "not built".
 */
#include <stdio.h>
#include <string.h>

#include "sagas/base/suggest.h"
#include "sagas/def_priv.h"

static void check_tmpl(const struct node *at, void *to)
{
	(void)to;
	read_tmpl(at, WANT_ANY, NULL);
}

static void check_constant(const struct node *at, void *to)
{
	(void)to;
	free(read_constant(at));
}


static void check_overlap(const struct node *at, void *to)
{
	static const char *const words[] = {"skip", "queue", "start"};

	(void)to;
	read_word(at, words, ARRAY_SIZE(words));
}

static void check_cron(const struct node *at, void *to)
{
	const char *cron = read_string(at);
	int fields = 0;

	(void)to;
	if (!cron)
		return;
	for (const char *c = cron; *c; c++)
		fields += *c != ' ' && (c == cron || c[-1] == ' ');
	if (fields != 5)
		find_at(
			at, FINDING_ERROR,
			"`schedule` must have five fields (minute hour day month weekday), such as \"0 3 * * "
			"*\"");
}

static const struct key_rule schedule_keys[] = {
	{"schedule", check_cron},
	{"time_zone", check_constant},
	{"overlap", check_overlap},
	{"input", check_tmpl},
};

void check_schedule(const struct node *at)
{
	struct node schedule = node_child(at, "schedule");

	read_object(at, "start_on", schedule_keys, ARRAY_SIZE(schedule_keys), NULL);
	not_built(&schedule, "`start_on: {schedule}`");
}
