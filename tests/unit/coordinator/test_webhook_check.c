/* Signatures of webhooks: those of the published examples, and everything that is none. */
#include "coordinator/webhook_check.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct headers {
	const char *pairs[4][2];
};

static const char *header(void *ctx, const char *name)
{
	const struct headers *headers = ctx;

	for (int i = 0; i < 4 && headers->pairs[i][0]; i++)
		if (strcasecmp(headers->pairs[i][0], name) == 0)
			return headers->pairs[i][1];
	return NULL;
}

static int verify(const struct webhook_check *check, struct headers *headers, const char *body,
				  wall_ms now, struct err *err)
{
	const struct webhook_message message = {
		.header = header, .ctx = headers, .body = body, .body_len = strlen(body)};

	return webhook_verify(check, &message, now, err);
}

/* The example of the Standard Webhooks specification. */
#define ID "msg_p5jXN8AQM9LWM0D4loKWxJek"
#define AT "1614265330"
#define BODY "{\"test\": 2432232314}"
#define SIGNATURE "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
static const wall_ms signed_at = INT64_C(1614265330000);
static const struct webhook_check standard = {
	.source = "psp",
	.scheme = WEBHOOK_STANDARD,
	.secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
	.tolerance_ms = 300000,
};

START_TEST(test_webhook_verify__takes_a_standard_webhook)
{
	struct headers headers = {
		{{"webhook-id", ID}, {"webhook-timestamp", AT}, {"webhook-signature", SIGNATURE}}};
	struct webhook_check svix = standard;
	struct err err;

	ck_assert_int_eq(verify(&standard, &headers, BODY, signed_at, &err), 0);
	ck_assert_int_eq(verify(&standard, &headers, BODY, signed_at + 300000, &err), 0);
	ck_assert_int_eq(verify(&standard, &headers, BODY, signed_at - 300000, &err), 0);
	/* One of several is enough: secrets are rotated. */
	headers.pairs[2][1] = "v1,AAAA v1a,xyz " SIGNATURE;
	ck_assert_int_eq(verify(&standard, &headers, BODY, signed_at, &err), 0);
	svix.header = "svix-signature";
	headers =
		(struct headers){{{"svix-id", ID}, {"svix-timestamp", AT}, {"svix-signature", SIGNATURE}}};
	ck_assert_int_eq(verify(&svix, &headers, BODY, signed_at, &err), 0);
}
END_TEST

START_TEST(test_webhook_verify__refuses_what_is_not_signed_so)
{
	static const struct {
		struct headers headers;
		const char *body;
		int64_t late_ms;
		const char *says;
	} cases[] = {
		{{{{"webhook-id", ID}, {"webhook-timestamp", AT}}},
		 BODY,
		 0,
		 "webhook-signature is missing"},
		{{{{"webhook-timestamp", AT}, {"webhook-signature", SIGNATURE}}}, BODY, 0, "webhook-id"},
		{{{{"webhook-id", ID}, {"webhook-signature", SIGNATURE}}}, BODY, 0, "webhook-timestamp"},
		{{{{"webhook-id", ID}, {"webhook-timestamp", AT}, {"webhook-signature", SIGNATURE}}},
		 BODY " ",
		 0,
		 "signature is wrong"},
		{{{{"webhook-id", "x"}, {"webhook-timestamp", AT}, {"webhook-signature", SIGNATURE}}},
		 BODY,
		 0,
		 "signature is wrong"},
		{{{{"webhook-id", ID},
		   {"webhook-timestamp", "1614265331"},
		   {"webhook-signature", SIGNATURE}}},
		 BODY,
		 0,
		 "signature is wrong"},
		{{{{"webhook-id", ID}, {"webhook-timestamp", AT}, {"webhook-signature", ""}}},
		 BODY,
		 0,
		 "signature is wrong"},
		{{{{"webhook-id", ID}, {"webhook-timestamp", AT}, {"webhook-signature", "v1,"}}},
		 BODY,
		 0,
		 "signature is wrong"},
		{{{{"webhook-id", ID}, {"webhook-timestamp", AT}, {"webhook-signature", SIGNATURE}}},
		 BODY,
		 301000,
		 "301 s away"},
		{{{{"webhook-id", ID}, {"webhook-timestamp", AT}, {"webhook-signature", SIGNATURE}}},
		 BODY,
		 -301000,
		 "301 s away"},
		{{{{"webhook-id", ID}, {"webhook-timestamp", "now"}, {"webhook-signature", SIGNATURE}}},
		 BODY,
		 0,
		 "not a number"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct headers headers = cases[i].headers;
		struct err err;

		ck_assert_int_eq(
			verify(&standard, &headers, cases[i].body, signed_at + cases[i].late_ms, &err),
			ERR_INVALID);
		ck_assert_msg(strstr(err.text, cases[i].says) != NULL, "%zu: %s", i, err.text);
		ck_assert(!strstr(err.text, "MfKQ9r8"));
	}
}
END_TEST

/* The example of GitHub's documentation. */
START_TEST(test_webhook_verify__takes_a_signature_of_the_body_alone)
{
	static const char hex[] = "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
	struct webhook_check github = {
		.source = "hub", .scheme = WEBHOOK_GITHUB, .secret = "It's a Secret to Everybody"};
	char text[80];
	struct headers headers = {{{"x-hub-signature-256", text}}};
	struct err err;

	snprintf(text, sizeof(text), "sha256=%s", hex);
	ck_assert_int_eq(verify(&github, &headers, "Hello, World!", 0, &err), 0);
	ck_assert_int_eq(verify(&github, &headers, "Hello, World", 0, &err), ERR_INVALID);
	text[7] = '8';
	ck_assert_int_eq(verify(&github, &headers, "Hello, World!", 0, &err), ERR_INVALID);
	github.header = "x-signature";
	ck_assert_int_eq(verify(&github, &headers, "Hello, World!", 0, &err), ERR_INVALID);
	headers.pairs[0][0] = "X-Signature";
	headers.pairs[0][1] = hex;
	ck_assert_int_eq(verify(&github, &headers, "Hello, World!", 0, &err), 0);
	headers.pairs[0][1] = "";
	ck_assert_int_eq(verify(&github, &headers, "Hello, World!", 0, &err), ERR_INVALID);
}
END_TEST

START_TEST(test_webhook_verify__never_takes_an_empty_secret)
{
	struct webhook_check check = standard;
	struct headers headers = {{{"x-hub-signature-256", "x"}}};
	struct err err;

	check.secret = "";
	ck_assert_int_eq(verify(&check, &headers, BODY, signed_at, &err), ERR_INVALID);
	check.scheme = WEBHOOK_GITHUB;
	ck_assert_int_eq(verify(&check, &headers, BODY, signed_at, &err), ERR_INVALID);
	ck_assert_int_eq(webhook_secret_check(WEBHOOK_STANDARD, "whsec_", &err), ERR_INVALID);
	ck_assert_int_eq(webhook_secret_check(WEBHOOK_STANDARD, "whsec_%%", &err), ERR_INVALID);
	ck_assert_int_eq(webhook_secret_check(WEBHOOK_STANDARD, "plain", &err), 0);
	ck_assert_int_eq(webhook_secret_check(WEBHOOK_GITHUB, "whsec_%%", &err), 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("webhook_check");
	TCase *tc = tcase_create("webhook_check");
	SRunner *runner;
	int failed;

	tcase_add_test(tc, test_webhook_verify__takes_a_standard_webhook);
	tcase_add_test(tc, test_webhook_verify__refuses_what_is_not_signed_so);
	tcase_add_test(tc, test_webhook_verify__takes_a_signature_of_the_body_alone);
	tcase_add_test(tc, test_webhook_verify__never_takes_an_empty_secret);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
