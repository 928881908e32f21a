/*
 * The settings of queues: how fast and how many at a time tasks are given out, and which build of
 * the workers gets which sagas.
 *
 *   {"rate_per_second":50,"max_concurrent":20,
 *    "builds":{"default":"b1","ramp":{"build":"b2","percent":10}}}
 *
 * A rate is shared among the nodes that are alive, so that together they keep to it. How many are
 * leased is counted in the store, from time to time; what was given out since is counted here. Two
 * nodes that give out at the same moment may exceed max_concurrent for that moment.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "coordinator/membership.h"
#include "coordinator/tasks_priv.h"
#include "coordinator/tasks_settings.h"
#include "sagas/hash.h"
#include "sagas/json_text.h"

enum { RATE_MAX = 1000000, CONCURRENT_MAX = 1000 };

void tasks__settings_release(struct queue_settings *settings)
{
	free(settings->build_default);
	free(settings->build_ramp);
	*settings = (struct queue_settings){0};
}

static int refuse(struct err *err, const char *place, const char *what)
{
	return err_set_at(err, ERR_INVALID, place, "%s", what);
}

static int check_members(const json_t *json, const char *const *known, size_t n, const char *place,
						 struct err *err)
{
	const char *name;
	json_t *value;

	json_object_foreach ((json_t *)json, name, value) {
		bool found = false;

		for (size_t i = 0; i < n; i++)
			found |= strcmp(known[i], name) == 0;
		if (!found) {
			char at[200];

			snprintf(at, sizeof(at), "%s/%.100s", place, name);
			return refuse(err, at, "queues have no such setting");
		}
	}
	return 0;
}

static int read_build(const json_t *json, const char *place, char **ret, struct err *err)
{
	const char *text = json_string_value(json);

	if (!text || !*text || strlen(text) > TASK_WORKER_MAX_BYTES)
		return refuse(err, place, "a build is text of 1 to 200 bytes");
	*ret = xstrdup(text);
	return 0;
}

static int read_ramp(const json_t *json, struct queue_settings *settings, struct err *err)
{
	static const char *const known[] = {"build", "percent"};
	const json_t *percent = json_object_get(json, "percent");
	int r;

	if (!json_is_object(json))
		return refuse(err, "/builds/ramp", "must be an object {build, percent}");
	r = check_members(json, known, ARRAY_SIZE(known), "/builds/ramp", err);
	if (r == 0)
		r = read_build(json_object_get(json, "build"), "/builds/ramp/build", &settings->build_ramp,
					   err);
	if (r < 0)
		return r;
	if (!json_is_integer(percent) || json_integer_value(percent) < 0 ||
		json_integer_value(percent) > 100)
		return refuse(err, "/builds/ramp/percent", "must be a whole number from 0 to 100");
	settings->ramp_percent = (int)json_integer_value(percent);
	return 0;
}

static int read_builds(const json_t *json, struct queue_settings *settings, struct err *err)
{
	static const char *const known[] = {"default", "ramp"};
	const json_t *ramp = json_object_get(json, "ramp");
	int r;

	if (!json_is_object(json))
		return refuse(err, "/builds", "must be an object {default, ramp}");
	r = check_members(json, known, ARRAY_SIZE(known), "/builds", err);
	if (r == 0)
		r = read_build(json_object_get(json, "default"), "/builds/default",
					   &settings->build_default, err);
	if (r == 0 && ramp && !json_is_null(ramp))
		r = read_ramp(ramp, settings, err);
	return r;
}

static int read_limits(const json_t *json, struct queue_settings *settings, struct err *err)
{
	const json_t *rate = json_object_get(json, "rate_per_second");
	const json_t *most = json_object_get(json, "max_concurrent");

	if (rate && !json_is_null(rate)) {
		settings->rate_per_second = json_number_value(rate);
		if (!json_is_number(rate) || !(settings->rate_per_second >= 0.001) ||
			settings->rate_per_second > RATE_MAX)
			return refuse(err, "/rate_per_second", "must be a number from 0.001 to 1000000");
	}
	if (most && !json_is_null(most)) {
		settings->max_concurrent = json_integer_value(most);
		if (!json_is_integer(most) || settings->max_concurrent < 1 ||
			settings->max_concurrent > CONCURRENT_MAX)
			return refuse(err, "/max_concurrent", "must be a whole number from 1 to 1000");
	}
	return 0;
}

int tasks__settings_read(const char *text, size_t len, struct queue_settings *ret, struct err *err)
{
	static const char *const known[] = {"rate_per_second", "max_concurrent", "builds"};
	CLEANUP(json_decref_p) json_t *json = NULL;
	const json_t *builds;
	int r = json_parse(text, len, &json, err);

	*ret = (struct queue_settings){0};
	if (r < 0)
		return r;
	if (!json_is_object(json))
		return refuse(err, "", "settings must be an object");
	builds = json_object_get(json, "builds");
	r = check_members(json, known, ARRAY_SIZE(known), "", err);
	if (r == 0)
		r = read_limits(json, ret, err);
	if (r == 0 && builds && !json_is_null(builds))
		r = read_builds(builds, ret, err);
	if (r < 0)
		tasks__settings_release(ret);
	return r;
}

int queue_settings_check(const char *text, size_t len, struct err *err)
{
	struct queue_settings settings;
	int r = tasks__settings_read(text, len, &settings, err);

	if (r == 0)
		tasks__settings_release(&settings);
	return r;
}

/* This node's share. */
static double rate_here(const struct tasks *tasks, const struct queue *queue)
{
	struct member_stats stats = {.nodes_alive = 1};

	if (tasks->options.member)
		member_stats(tasks->options.member, &stats);
	return queue->settings.rate_per_second /
		   (double)(stats.nodes_alive > 1 ? stats.nodes_alive : 1);
}

/* What has come together since, at most what a second gives. */
static double tokens_now(const struct tasks *tasks, const struct queue *queue, double rate)
{
	double most = rate > 1 ? rate : 1;
	double tokens = queue->tokens_at
						? queue->tokens + (double)(tasks->now - queue->tokens_at) * rate / 1000
						: most;

	return tokens < most ? tokens : most;
}

bool tasks__may_lease(struct tasks *tasks, struct queue *queue)
{
	const struct queue_settings *settings = &queue->settings;

	/* Until it is known what was said about queues nothing is given out. */
	if (!queue->settings_known)
		return false;
	if (settings->max_concurrent > 0 && queue->allowance <= 0)
		return false;
	return settings->rate_per_second <= 0 || tokens_now(tasks, queue, rate_here(tasks, queue)) >= 1;
}

void tasks__note_lease(struct tasks *tasks, struct queue *queue)
{
	double rate;

	queue->leasing++;
	if (queue->settings.max_concurrent > 0)
		queue->allowance--;
	if (queue->settings.rate_per_second <= 0)
		return;
	rate = rate_here(tasks, queue);
	queue->tokens = tokens_now(tasks, queue, rate) - 1;
	queue->tokens_at = tasks->now;
}

wall_ms tasks__rate_at(const struct tasks *tasks, const struct queue *queue)
{
	double rate, missing;

	if (queue->settings.rate_per_second <= 0)
		return 0;
	rate = rate_here(tasks, queue);
	missing = 1 - tokens_now(tasks, queue, rate);
	return missing > 0 ? tasks->now + (int64_t)ceil(missing * 1000 / rate) : 0;
}

bool tasks__build_fits(const struct queue *queue, const char *saga_id, const char *build)
{
	const struct queue_settings *settings = &queue->settings;
	unsigned char hash[SHA256_SIZE];
	const char *meant = settings->build_default;

	if (!meant)
		return true;
	if (!build)
		return false;
	/* Both sides may be neither. */
	if (strcmp(build, meant) != 0 &&
		(!settings->build_ramp || strcmp(build, settings->build_ramp) != 0))
		return false;
	hash_sha256(saga_id, strlen(saga_id), hash);
	if (settings->build_ramp && (hash[0] << 8 | hash[1]) % 100 < settings->ramp_percent)
		meant = settings->build_ramp;
	return strcmp(build, meant) == 0;
}
