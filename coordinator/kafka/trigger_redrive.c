/*
 * A dead letter that is sent again: the same evaluation and the same start as for a record that a
 * consumer takes, with the identity that it had. It makes no offset move.
 */
#include <string.h>

#include "coordinator/kafka/trigger_evaluate.h"
#include "coordinator/kafka/trigger_priv.h"
#include "coordinator/registry.h"
#include "coordinator/start_identity.h"
#include "sagas/base/base64.h"
#include "sagas/json_text.h"

struct redriving {
	struct submission submission;
	struct trigger_redrive *redrive;
};

static void fail(struct trigger_redrive *redrive, const char *reason)
{
	redrive->result = redrive->err.code;
	redrive->reason = reason;
	redrive->done(redrive);
}

/* Thread: engine, writer, or that of trigger_redrive. */
static void submitted(struct submission *submission)
{
	struct redriving *redriving = CONTAINER_OF(submission, struct redriving, submission);
	struct trigger_redrive *redrive = redriving->redrive;
	enum submit_result result = submission->result;

	redrive->err = submission->err;
	memcpy(redrive->saga_id, submission->saga_id, sizeof(redrive->saga_id));
	free(redriving);
	switch (result) {
	case SUBMIT_STARTED:
	case SUBMIT_DUPLICATE:
		redrive->result = 0;
		redrive->duplicate = result == SUBMIT_DUPLICATE;
		redrive->done(redrive);
		break;
	case SUBMIT_KEY_CONFLICT:
		fail(redrive, poison_reason_text(POISON_KEY_CONFLICT));
		break;
	case SUBMIT_REFUSED:
		fail(redrive, poison_reason_text(POISON_REFUSED));
		break;
	case SUBMIT_LATER:
		fail(redrive, NULL);
		break;
	}
}

/* Headers as the store keeps them. The bytes and the array are the caller's. */
static int read_headers(const char *text, json_t **ret_doc, struct buf *bytes,
						struct kafka_header **ret_headers, size_t *ret_n, struct err *err)
{
	struct kafka_header *headers;
	size_t *at, i, n;
	json_t *pair;
	int r = json_parse_stored(text, strlen(text), ret_doc, err);

	if (r < 0)
		return r;
	n = json_array_size(*ret_doc);
	headers = xcalloc(n + 1, sizeof(*headers));
	at = xcalloc(n + 1, sizeof(*at));
	json_array_foreach (*ret_doc, i, pair) {
		const json_t *value = json_array_get(pair, 1);

		headers[i].name = json_string_value(json_array_get(pair, 0));
		at[i] = bytes->len;
		if (!headers[i].name ||
			(value && json_is_string(value) &&
			 !base64_decode(json_string_value(value), json_string_length(value), bytes)))
			r = err_set(err, ERR_INVALID, "header %zu cannot be read", i);
		headers[i].value_len = bytes->len - at[i];
	}
	if (r == 0)
		r = buf_check(bytes, "the headers", err);
	/* The bytes stay where they are from here on. */
	for (i = 0; i < n && r == 0; i++)
		if (json_is_string(json_array_get(json_array_get(*ret_doc, i), 1)))
			headers[i].value = buf_str(bytes) + at[i];
	free(at);
	if (r < 0)
		free(headers);
	else
		*ret_headers = headers, *ret_n = n;
	return r;
}

static int find_trigger(struct triggers *triggers, const struct dead_letter_row *row,
						struct saga_def **ret_def, const struct trigger_def **ret_trigger,
						struct err *err)
{
	const char *slash = strchr(row->trigger, '/');
	CLEANUP(free_p)
	char *name =
		xstrndup(row->trigger, slash ? (size_t)(slash - row->trigger) : strlen(row->trigger));
	struct saga_def *def = NULL;
	struct registry_route route;
	int r = registry_route(triggers->options.registry, row->ns, name, &route, err);

	if (r == 0 && route.paused)
		return err_set(err, ERR_UNAVAILABLE, "definition %s is paused", name);
	if (r == 0)
		r = registry_get(triggers->options.registry, row->ns, name, route.current, &def, err);
	if (r < 0)
		return r;
	for (size_t i = 0; i < def->n_triggers; i++)
		if (slash && strcmp(def->triggers[i].topic, slash + 1) == 0) {
			*ret_def = def;
			*ret_trigger = &def->triggers[i];
			return 0;
		}
	saga_def_unref(def);
	return err_set(err, ERR_NOT_FOUND, "the current version of saga %s has no trigger %s", name,
				   row->trigger);
}

static int evaluate(const struct dead_letter_row *row, const struct saga_def *def,
					const struct trigger_def *trigger, struct evaluation *ret, struct err *err)
{
	CLEANUP(json_decref_p) json_t *doc = NULL;
	CLEANUP(free_p) struct kafka_header *headers = NULL;
	struct kafka_record record = {
		.cluster = row->cluster,
		.topic = row->topic,
		.partition = row->partition,
		.offset = row->offset,
		.at = row->at,
		.key = row->key,
		.key_len = row->key_len,
		.value = row->value,
		.value_len = row->value_len,
	};
	struct buf bytes;
	int r;

	buf_init(&bytes, 0);
	r = read_headers(row->headers, &doc, &bytes, &headers, &record.n_headers, err);
	record.headers = headers;
	if (r == 0)
		trigger_evaluate(def, trigger, &record, ret);
	buf_release(&bytes);
	return r;
}

static void start(struct triggers *triggers, struct trigger_redrive *redrive, struct saga_def *def,
				  struct evaluation *evaluation)
{
	const struct store *store = triggers->options.store;
	struct redriving *redriving = xcalloc(1, sizeof(*redriving));
	struct submission *submission = &redriving->submission;

	redriving->redrive = redrive;
	submission->ns = redrive->row->ns;
	submission->def = saga_def_ref(def);
	submission->input = TAKE(evaluation->input);
	submission->key = TAKE(evaluation->key);
	memcpy(submission->fingerprint, evaluation->fingerprint, sizeof(submission->fingerprint));
	start_make_id(submission->ns, def->name, submission->key, store->ops->slot_count(store),
				  submission->id);
	submission->done = submitted;
	submitter_add(triggers->submitter, submission);
}

void trigger_redrive(struct triggers *triggers, struct trigger_redrive *redrive)
{
	CLEANUP(saga_def_unref_p) struct saga_def *def = NULL;
	const struct trigger_def *trigger = NULL;
	struct evaluation evaluation = {0};

	if (find_trigger(triggers, redrive->row, &def, &trigger, &redrive->err) < 0) {
		fail(redrive, redrive->err.code == ERR_NOT_FOUND ? "no_trigger" : NULL);
		return;
	}
	if (evaluate(redrive->row, def, trigger, &evaluation, &redrive->err) < 0) {
		fail(redrive, poison_reason_text(POISON_UNPARSABLE));
		return;
	}
	switch (evaluation.verdict) {
	case EVALUATION_START:
		start(triggers, redrive, def, &evaluation);
		break;
	case EVALUATION_FILTERED:
		err_set(&redrive->err, ERR_INVALID, "`when` of the trigger is false for it");
		fail(redrive, "filtered");
		break;
	case EVALUATION_POISON:
		redrive->err = evaluation.err;
		fail(redrive, evaluation.reason);
		break;
	case EVALUATION_LATER:
		redrive->err = evaluation.err;
		fail(redrive, NULL);
		break;
	}
	evaluation_release(&evaluation);
}
