/* Which way an action goes: what a step does, or what undoes it. */
#ifndef SAGAS_SIDE_H
#define SAGAS_SIDE_H

enum side { SIDE_DO, SIDE_UNDO };

#endif
