/* What is posted to a webhook, as an event. */
#include "sagas/webhook_event.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "sagas/base/macros.h"
#include "sagas/json_text.h"

static const char *given[8][2];

static const char *header(void *ctx, const char *name)
{
	(void)ctx;
	for (int i = 0; i < 8 && given[i][0]; i++)
		if (strcasecmp(given[i][0], name) == 0)
			return given[i][1];
	return NULL;
}

static struct webhook_post post_of(const char *text, json_t *body)
{
	return (struct webhook_post){
		.source = "psp",
		.body = body,
		.text = text,
		.len = strlen(text),
		.header = header,
		.now = INT64_C(1767225600000),
	};
}

static void expect_event(const char *text, const char *expected)
{
	CLEANUP(json_decref_p) json_t *body = json_loads(text, JSON_DECODE_ANY, NULL);
	struct webhook_post post = post_of(text, body);
	CLEANUP(json_decref_p) json_t *event = webhook_event(&post, "e-1");
	CLEANUP(free_p) char *got = json_dumps(event, JSON_COMPACT);

	ck_assert_str_eq(got, expected);
}

static void headers_are(const char *name, const char *value)
{
	memset(given, 0, sizeof(given));
	given[0][0] = name;
	given[0][1] = value;
}

START_TEST(test_webhook_event__any_body_is_the_data)
{
	headers_are(NULL, NULL);
	expect_event("{\"type\":\"challenge.finished\",\"reference\":\"r-1\"}",
				 "{\"id\":\"e-1\",\"type\":\"challenge.finished\",\"source\":\"psp\",\"time\":"
				 "\"2026-01-01T00:00:00.000Z\",\"data\":{\"type\":\"challenge.finished\","
				 "\"reference\":\"r-1\"},\"headers\":{}}");
	headers_are("X-GitHub-Event", "push");
	expect_event("[1]", "{\"id\":\"e-1\",\"type\":\"push\",\"source\":\"psp\",\"time\":"
						"\"2026-01-01T00:00:00.000Z\",\"data\":[1],\"headers\":{\"x-github-event\":"
						"\"push\"}}");
	headers_are("Authorization", "Bearer x");
	expect_event("7", "{\"id\":\"e-1\",\"type\":null,\"source\":\"psp\",\"time\":"
					  "\"2026-01-01T00:00:00.000Z\",\"data\":7,\"headers\":{}}");
}
END_TEST

START_TEST(test_webhook_event__an_envelope_is_opened)
{
	headers_are(NULL, NULL);
	expect_event("{\"type\":\"paid\",\"timestamp\":\"2025-12-31T23:00:00Z\",\"data\":{\"n\":1}}",
				 "{\"id\":\"e-1\",\"type\":\"paid\",\"source\":\"psp\",\"time\":"
				 "\"2025-12-31T23:00:00.000Z\",\"data\":{\"n\":1},\"headers\":{},\"envelope\":{"
				 "\"type\":\"paid\",\"timestamp\":\"2025-12-31T23:00:00Z\"}}");
	/* One that says no type is none. */
	expect_event("{\"type\":4,\"data\":{\"n\":1}}",
				 "{\"id\":\"e-1\",\"type\":null,\"source\":\"psp\",\"time\":"
				 "\"2026-01-01T00:00:00.000Z\",\"data\":{\"type\":4,\"data\":{\"n\":1}},"
				 "\"headers\":{}}");
}
END_TEST

static void expect_id(const char *text, const char *expected)
{
	struct webhook_post post = post_of(text, NULL);
	char id[WEBHOOK_ID_SIZE];

	webhook_event_id(&post, id);
	ck_assert_str_eq(id, expected);
}

START_TEST(test_webhook_event_id__is_what_the_sender_says_or_a_hash)
{
	headers_are("webhook-id", "msg_1");
	given[1][0] = "Idempotency-Key";
	given[1][1] = "k-2";
	expect_id("{}", "msg_1");
	headers_are("Idempotency-Key", "k-2");
	expect_id("{}", "k-2");
	headers_are("X-GitHub-Delivery", "72d3162e-cc78-11e3-81ab-4c9367dc0958");
	expect_id("{}", "72d3162e-cc78-11e3-81ab-4c9367dc0958");
	headers_are("Idempotency-Key", "");
	expect_id("{}", "sha256-44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a");
	headers_are("Idempotency-Key", "a/b");
	expect_id("{}", "sha256-c14cddc033f64b9dea80ea675cf280a015e672516090a5626781153dc68fea11");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("webhook_event");
	TCase *tc = tcase_create("webhook_event");
	SRunner *runner;
	int failed;

	tcase_add_test(tc, test_webhook_event__any_body_is_the_data);
	tcase_add_test(tc, test_webhook_event__an_envelope_is_opened);
	tcase_add_test(tc, test_webhook_event_id__is_what_the_sender_says_or_a_hash);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
