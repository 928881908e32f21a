/*
 * The durable side of a participant: which keys were seen and what was answered, and which things
 * were made and undone, in one SQLite file.
 *
 * Thread: any; one mutex inside.
 */
#ifndef EXAMPLES_PARTICIPANT_LEDGER_H
#define EXAMPLES_PARTICIPANT_LEDGER_H

#include "examples/participant/participant.h"

struct ledger;

/* Opens or creates DIR/ledger.db. NULL, after saying why on stderr, when it cannot. */
struct ledger *ledger_open(const char *dir);
void ledger_close(struct ledger *ledger);

/*
 * Carries the call out, once for its key, and fills in the answer. refuse_code: NULL, or a code
 * with which the call is refused (422) as if run had said so.
 */
void ledger_call(struct ledger *ledger, struct call *call, const char *refuse_code);

/* {"calls": [{key, operation, id, at, count, requests, status}]}, oldest first. */
json_t *ledger_list(struct ledger *ledger);

#endif
