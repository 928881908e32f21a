/*
 * A biller that charges customers each month, refunds, and closes their accounts.
 *
 * Values that change what it does:
 *
 *     a customer that ends in -poor          422 declined, from the second payment on
 *     a customer that ends in -thief         422 stolen_card, from the third payment on
 */
#include <string.h>

#include "examples/participant/participant.h"

static void charge(struct call *call)
{
	const char *customer = call_string(call, "customer");
	int number = (int)json_integer_value(json_object_get(call->body, "number"));

	if (number >= 2 && text_ends_with(customer, "-poor")) {
		call_refuse(call, 422, "declined", "there is not enough on the account");
		return;
	}
	if (number >= 3 && text_ends_with(customer, "-thief")) {
		call_refuse(call, 422, "stolen_card", "the card belongs to somebody else");
		return;
	}
	call->reply = json_pack("{s:s, s:i}", "id", call->id, "amount_minor",
							strcmp(call_string(call, "plan"), "pro") == 0 ? 2900 : 900);
}

static const struct operation operations[] = {
	{"PUT", "/charges/{id}", "charge", "charge", ROLE_DO, charge},
	{"DELETE", "/charges/{id}", "refund", "charge", ROLE_UNDO, NULL},
	{"PUT", "/closings/{id}", "close", "closing", ROLE_DO, NULL},
};

int main(int argc, char **argv)
{
	return participant_main(argc, argv, "biller", operations,
							sizeof(operations) / sizeof(operations[0]));
}
