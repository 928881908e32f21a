#include "coordinator/kafka/owners.h"

#include <string.h>

#include "coordinator/forward.h"

enum { NODES_WOKEN_MAX = 64 };

/* Whether it is a new one, which is then remembered. */
static bool add_address(char (*addresses)[NODE_ADDRESS_SIZE], size_t *n, const char *address)
{
	for (size_t i = 0; i < *n; i++)
		if (strcmp(addresses[i], address) == 0)
			return false;
	if (*n == NODES_WOKEN_MAX)
		return false;
	memcpy(addresses[(*n)++], address, NODE_ADDRESS_SIZE);
	return true;
}

void owners_wake(const struct owners *owners, const bool *slots)
{
	char addresses[NODES_WOKEN_MAX][NODE_ADDRESS_SIZE], address[NODE_ADDRESS_SIZE] = "";
	bool here = false;
	size_t n = 0;

	for (int slot = 0; slot < owners->slot_count; slot++) {
		if (!slots[slot])
			continue;
		switch (owners->member ? member_slot(owners->member, slot, address) : SLOT_HERE) {
		case SLOT_HERE:
			here = true;
			break;
		case SLOT_THERE:
			if (add_address(addresses, &n, address))
				node_poke(owners->http, address);
			break;
		case SLOT_UNKNOWN:
			break;
		}
	}
	if (here && owners->engine)
		engine_poke(owners->engine);
}

size_t owners_here(const struct owners *owners, int *ret_slots)
{
	char address[NODE_ADDRESS_SIZE];
	size_t n = 0;

	for (int slot = 0; slot < owners->slot_count; slot++)
		if (!owners->member || member_slot(owners->member, slot, address) == SLOT_HERE)
			ret_slots[n++] = slot;
	return n;
}
