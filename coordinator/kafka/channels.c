#include "coordinator/kafka/channels.h"

#include <stdlib.h>
#include <string.h>

#include "coordinator/log.h"

struct known_definition {
	char *ns, *name;
	int64_t version;
};

void channels_release(struct channels *channels)
{
	for (size_t i = 0; i < channels->n; i++) {
		free(channels->channels[i].ns);
		saga_def_unref(channels->channels[i].def);
	}
	for (size_t i = 0; i < channels->n_known; i++) {
		free(channels->known[i].ns);
		free(channels->known[i].name);
	}
	free(channels->channels);
	free(channels->known);
	*channels = (struct channels){.webhooks = channels->webhooks};
}

static struct known_definition *find_known(struct channels *channels, const char *ns,
										   const char *name)
{
	for (size_t i = 0; i < channels->n_known; i++)
		if (strcmp(channels->known[i].name, name) == 0 && strcmp(channels->known[i].ns, ns) == 0)
			return &channels->known[i];
	return NULL;
}

static void add(struct channels *channels, const char *ns, struct saga_def *def,
				const struct correlate_def *on, bool *ret_changed)
{
	for (size_t i = 0; i < channels->n; i++)
		if (strcmp(channels->channels[i].on->channel, on->channel) == 0 &&
			strcmp(channels->channels[i].ns, ns) == 0)
			return;
	if (channels->n == CHANNELS_MAX) {
		if (!channels->full_said)
			log_error(
				"kafka", NULL,
				"there are more than %d expressions over events; those of %s %s are not looked "
				"at",
				CHANNELS_MAX, ns, def->name);
		channels->full_said = true;
		return;
	}
	channels->channels =
		xrealloc_array(channels->channels, channels->n + 1, sizeof(*channels->channels));
	channels->channels[channels->n++] =
		(struct channel){.ns = xstrdup(ns), .on = on, .def = saga_def_ref(def)};
	*ret_changed = true;
}

static void add_action(struct channels *channels, const char *ns, struct saga_def *def,
					   const struct action_def *act, bool *ret_changed)
{
	size_t n = act->kind == ACTION_AWAIT_KAFKA ? 1 : act->await.n_waits;

	for (size_t i = 0; i < n; i++) {
		const struct correlate_def *on = action_subscription(act, (int)i);

		if (on && on->webhook == channels->webhooks)
			add(channels, ns, def, on, ret_changed);
	}
}

struct adding {
	struct channels *channels;
	const char *ns;
	bool *ret_changed;
};

/* Of one definition: the blocks in it are others, whose sagas wait for themselves. */
static void add_all(struct saga_def *def, void *ctx)
{
	const struct adding *adding = ctx;
	struct channels *channels = adding->channels;

	for (size_t i = 0; i < def->n_cancel_on; i++)
		if (def->cancel_on[i].webhook == channels->webhooks)
			add(channels, adding->ns, def, &def->cancel_on[i], adding->ret_changed);
	for (int i = 0; i < def->n_steps; i++)
		add_action(channels, adding->ns, def, &def->steps[i].act, adding->ret_changed);
}

/* Definitions whose newest version is not known yet. */
struct news {
	struct channels *channels;
	struct known_definition *found;
	size_t n;
};

static int note(void *ctx, const struct definition_row *row)
{
	struct news *news = ctx;
	const struct known_definition *known = find_known(news->channels, row->ns, row->name);

	if (known && known->version >= row->version)
		return 0;
	news->found = xrealloc_array(news->found, news->n + 1, sizeof(*news->found));
	news->found[news->n++] = (struct known_definition){
		.ns = xstrdup(row->ns), .name = xstrdup(row->name), .version = row->version};
	return 0;
}

/* One that cannot be compiled by this binary is another node's business: it is said and left. */
static int take_up(struct channels *channels, struct known_definition *found,
				   struct registry *registry, bool *ret_changed, struct err *err)
{
	struct known_definition *known = find_known(channels, found->ns, found->name);
	int64_t version = known ? known->version : 0;
	struct adding adding = {channels, found->ns, ret_changed};

	while (++version <= found->version) {
		CLEANUP(saga_def_unref_p) struct saga_def *def = NULL;
		int r = registry_get(registry, found->ns, found->name, version, &def, err);

		if (r == ERR_IO || r == ERR_UNAVAILABLE)
			return r;
		if (r < 0)
			log_warn("kafka", NULL, "events for %s version %lld are not looked at: %s", found->name,
					 (long long)version, err->text);
		else
			saga_def_walk(def, add_all, &adding);
	}
	if (known) {
		known->version = found->version;
		return 0;
	}
	channels->known =
		xrealloc_array(channels->known, channels->n_known + 1, sizeof(*channels->known));
	channels->known[channels->n_known++] = (struct known_definition){
		.ns = TAKE(found->ns), .name = TAKE(found->name), .version = found->version};
	return 0;
}

int channels_refresh(struct channels *channels, struct store_reader *reader,
					 struct registry *registry, bool *ret_changed, struct err *err)
{
	struct news news = {.channels = channels};
	int r = reader->store->ops->definition_list(reader, NULL, NULL, note, &news, err);

	for (size_t i = 0; i < news.n; i++) {
		if (r == 0)
			r = take_up(channels, &news.found[i], registry, ret_changed, err);
		free(news.found[i].ns);
		free(news.found[i].name);
	}
	free(news.found);
	return r;
}
