/* The books of the oracle on parents and children: what one may say only after the other's history
 * does. */
#include <string.h>

#include "tests/support/oracle.h"

bool oracle_is_woken_by_others(const struct oracle_saga *saga)
{
	int i, j;

	if (saga->fold->held)
		return true;
	for (i = 0; i < saga->def->n_steps; i++) {
		for (j = 0; j < saga->fold->steps[i].n_actions; j++) {
			const struct action_state *action = &saga->fold->steps[i].actions[j];

			if ((saga_exec_is_open(&action->run) && action->run.child) ||
				(saga_exec_is_open(&action->undo) && (action->undo.child || action->held)))
				return true;
		}
	}
	return false;
}
