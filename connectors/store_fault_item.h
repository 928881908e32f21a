/* An item of a commit with all that it points to, copied; used by the store that fails on purpose.
 */
#ifndef CONNECTORS_STORE_FAULT_ITEM_H
#define CONNECTORS_STORE_FAULT_ITEM_H

#include "connectors/store.h"

void store_item_copy(const struct store_item *from, struct store_item *ret_item);
void store_item_release(struct store_item *item);

/* What a store may rely on, and another one than the one behind this does. */
void store_item_check(const struct store_item *item);

#endif
