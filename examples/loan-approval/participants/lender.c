/*
 * A lender that scores, offers, reminds, pays out and writes letters.
 *
 * Values that change what it does:
 *
 *     a person that ends in -good            a score of 720, else 600
 *     an amount above 50000000               422 over_limit, at the offer
 */
#include "examples/participant/participant.h"

static void score(struct call *call)
{
	call->reply = json_pack("{s:s, s:i}", "id", call->id, "value",
							text_ends_with(call_string(call, "person"), "-good") ? 720 : 600);
}

static void offer(struct call *call)
{
	json_t *amount = json_object_get(call->body, "amount_minor");

	if (json_integer_value(amount) > 50000000) {
		call_refuse(call, 422, "over_limit", "so much is lent to nobody");
		return;
	}
	call->reply = json_pack("{s:s, s:O?}", "id", call->id, "amount_minor", amount);
}

static const struct operation operations[] = {
	{"PUT", "/scores/{id}", "score", "score", ROLE_DO, score},
	{"POST", "/reminders/{id}", "remind", "reminder", ROLE_DO, NULL},
	{"PUT", "/offers/{id}", "offer", "offer", ROLE_DO, offer},
	{"DELETE", "/offers/{id}", "withdraw", "offer", ROLE_UNDO, NULL},
	{"PUT", "/payouts/{id}", "pay_out", "payout", ROLE_DO, NULL},
	{"PUT", "/letters/{id}", "write", "letter", ROLE_DO, NULL},
};

int main(int argc, char **argv)
{
	return participant_main(argc, argv, "lender", operations,
							sizeof(operations) / sizeof(operations[0]));
}
