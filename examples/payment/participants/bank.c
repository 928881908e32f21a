/*
 * A bank that holds, authorises, captures and settles card payments.
 *
 * Values that make it refuse or stumble:
 *
 *     an account that ends in 0002           422 insufficient_funds, at the hold
 *     an amount above 1000000                422 over_limit, at the authorisation
 *     an account that ends in 0003           422 capture_refused: the pivot fails, all is undone
 *     an account that ends in 0005           captured, but the first answer is lost
 */
#include "examples/participant/participant.h"

static void hold(struct call *call)
{
	if (text_ends_with(call_string(call, "account"), "0002")) {
		call_refuse(call, 422, "insufficient_funds", "there is not enough on the account");
		return;
	}
	call->reply = json_pack("{s:s, s:O?}", "id", call->id, "amount_minor",
							json_object_get(call->body, "amount_minor"));
}

static void authorise(struct call *call)
{
	if (json_integer_value(json_object_get(call->body, "amount_minor")) > 1000000) {
		call_refuse(call, 422, "over_limit", "the amount is above the limit");
		return;
	}
	call->reply = json_pack("{s:s, s:s}", "id", call->id, "state", "authorised");
}

static void capture(struct call *call)
{
	const char *account = call_string(call, "account");

	if (text_ends_with(account, "0003")) {
		call_refuse(call, 422, "capture_refused", "the account was closed");
		return;
	}
	call->lose_reply = text_ends_with(account, "0005");
	call->reply = json_pack("{s:s, s:s}", "id", call->id, "state", "captured");
}

static const struct operation operations[] = {
	{"PUT", "/holds/{id}", "hold", "hold", ROLE_DO, hold},
	{"DELETE", "/holds/{id}", "release", "hold", ROLE_UNDO, NULL},
	{"PUT", "/authorisations/{id}", "authorise", "authorisation", ROLE_DO, authorise},
	{"DELETE", "/authorisations/{id}", "reverse", "authorisation", ROLE_UNDO, NULL},
	{"PUT", "/captures/{id}", "capture", "capture", ROLE_DO, capture},
	{"GET", "/captures/{id}", "look_at_capture", "capture", ROLE_READ, NULL},
	{"PUT", "/settlements/{id}", "settle", "settlement", ROLE_DO, NULL},
};

int main(int argc, char **argv)
{
	return participant_main(argc, argv, "bank", operations,
							sizeof(operations) / sizeof(operations[0]));
}
