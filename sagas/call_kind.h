/*
 * What a call to a participant is for. Apart from the core, since correlations name it too.
 */
#ifndef SAGAS_CALL_KIND_H
#define SAGAS_CALL_KIND_H

enum call_kind { CALL_DO, CALL_UNDO, CALL_PROBE_DO, CALL_PROBE_UNDO };

#endif
