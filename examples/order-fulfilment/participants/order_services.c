/*
 * The four services of an online shop, in one program: stock, payments, shipping and mail, each
 * below a path of its own.
 *
 * Values that make them refuse or stumble, so that it can be seen without any set-up:
 *
 *     a sku that ends in -SOLD-OUT           422 out_of_stock
 *     a card that ends in 0002               422 card_declined
 *     a card that ends in 0005               charged, but the first answer is lost
 *     shipping to Atlantis                   422 undeliverable
 */
#include "examples/participant/participant.h"

#include <stdio.h>
#include <string.h>

static void reserve(struct call *call)
{
	if (text_ends_with(call_string(call, "sku"), "-SOLD-OUT")) {
		call_refuse(call, 422, "out_of_stock", "nothing of it is left");
		return;
	}
	call->reply = json_pack("{s:s, s:s, s:O?}", "id", call->id, "sku", call_string(call, "sku"),
							"quantity", json_object_get(call->body, "quantity"));
}

static void charge(struct call *call)
{
	const char *card = call_string(call, "card");

	if (text_ends_with(card, "0002")) {
		call_refuse(call, 422, "card_declined", "the card was declined");
		return;
	}
	call->lose_reply = text_ends_with(card, "0005");
	call->reply = json_pack("{s:s, s:O?}", "id", call->id, "amount_minor",
							json_object_get(call->body, "amount_minor"));
}

static void ship(struct call *call)
{
	char tracking[16];

	if (strcmp(call_string(call, "to"), "Atlantis") == 0) {
		call_refuse(call, 422, "undeliverable", "nobody delivers to Atlantis");
		return;
	}
	/* From the id, so that the same request always has the same number. */
	snprintf(tracking, sizeof(tracking), "TRACK-%.8s", call->id);
	call->reply = json_pack("{s:s, s:s}", "id", call->id, "tracking", tracking);
}

static const struct operation operations[] = {
	{"PUT", "/stock/reservations/{id}", "reserve", "reservation", ROLE_DO, reserve},
	{"DELETE", "/stock/reservations/{id}", "release", "reservation", ROLE_UNDO, NULL},
	{"GET", "/stock/reservations/{id}", "look_at_reservation", "reservation", ROLE_READ, NULL},
	{"PUT", "/payments/charges/{id}", "charge", "charge", ROLE_DO, charge},
	{"POST", "/payments/charges/{id}/refund", "refund", "charge", ROLE_UNDO, NULL},
	{"GET", "/payments/charges/{id}", "look_at_charge", "charge", ROLE_READ, NULL},
	{"PUT", "/shipping/shipments/{id}", "ship", "shipment", ROLE_DO, ship},
	{"DELETE", "/shipping/shipments/{id}", "recall", "shipment", ROLE_UNDO, NULL},
	{"GET", "/shipping/shipments/{id}", "look_at_shipment", "shipment", ROLE_READ, NULL},
	{"PUT", "/mail/messages/{id}", "send", "message", ROLE_DO, NULL},
};

int main(int argc, char **argv)
{
	return participant_main(argc, argv, "order_services", operations,
							sizeof(operations) / sizeof(operations[0]));
}
