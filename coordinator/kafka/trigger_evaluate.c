#include "coordinator/kafka/trigger_evaluate.h"

#include <stdio.h>
#include <string.h>

#include "coordinator/start_identity.h"
#include "sagas/cloudevent.h"
#include "sagas/json_text.h"
#include "sagas/trigger.h"

const char *poison_reason_text(enum poison_reason reason)
{
	static const char *const texts[] = {
#define X(name, text) [name] = (text),
		POISON_REASONS(X)
#undef X
	};

	return texts[reason];
}

void evaluation_release(struct evaluation *evaluation)
{
	json_decref(evaluation->input);
	free(evaluation->key);
	*evaluation = (struct evaluation){0};
}

void trigger_place_key(const struct kafka_record *record, char key[KEY_MAX_BYTES + 1])
{
	CLEANUP(free_p) char *names = xasprintf("%s/%s", record->cluster, record->topic);
	char place[40], hash[SHA256_HEX_SIZE];
	int n =
		snprintf(place, sizeof(place), "/%d/%lld", record->partition, (long long)record->offset);

	if (strlen("kafka:") + strlen(names) + (size_t)n > KEY_MAX_BYTES || strlen(names) > 200) {
		hash_sha256_hex(names, strlen(names), hash);
		snprintf(key, KEY_MAX_BYTES + 1, "kafka:%s%s", hash, place);
		return;
	}
	snprintf(key, KEY_MAX_BYTES + 1, "kafka:%.200s%s", names, place);
}

static void poison(struct evaluation *ret, const char *reason, const struct err *err)
{
	ret->verdict = err->code == ERR_NO_MEMORY ? EVALUATION_LATER : EVALUATION_POISON;
	ret->reason = reason;
	ret->err = *err;
}

static void take_start(const struct saga_def *def, const struct kafka_record *record,
					   struct trigger_result *result, struct evaluation *ret)
{
	struct err err;

	ret->input = TAKE(result->input);
	ret->key = TAKE(result->key);
	if (!ret->key) {
		ret->key = xcalloc(1, KEY_MAX_BYTES + 1);
		trigger_place_key(record, ret->key);
	}
	ret->verdict = EVALUATION_START;
	if (start_fingerprint(def->name, ret->key, ret->input, ret->fingerprint, &err) < 0)
		poison(ret, poison_reason_text(POISON_TOO_LARGE), &err);
}

void trigger_evaluate(const struct saga_def *def, const struct trigger_def *trigger,
					  const struct kafka_record *record, struct evaluation *ret)
{
	CLEANUP(json_decref_p) json_t *event = NULL;
	struct trigger_result result = {0};
	struct err err;
	int r;

	*ret = (struct evaluation){0};
	r = cloudevent_read(record, &event, &err);
	if (r < 0) {
		poison(ret, poison_reason_text(r == ERR_LIMIT ? POISON_TOO_LARGE : POISON_UNPARSABLE),
			   &err);
		return;
	}
	trigger_start(def, trigger, event, &result);
	switch (result.verdict) {
	case TRIGGER_SKIP:
		ret->verdict = EVALUATION_FILTERED;
		break;
	case TRIGGER_POISON:
		poison(ret, trigger_fault_code(result.fault), &result.err);
		break;
	case TRIGGER_START:
		take_start(def, record, &result, ret);
		break;
	}
	trigger_result_release(&result);
}
