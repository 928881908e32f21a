#include "coordinator/zones.h"

#include <stdio.h>

#include "connectors/tzfile.h"

void zones_check(const struct saga_def *def, const struct doc_places *places,
				 struct findings *findings)
{
	for (size_t i = 0; i < def->n_schedules; i++) {
		CLEANUP(tz_free_p) struct tz *tz = NULL;
		char pointer[64];
		struct err err;

		if (tzfile_read(def->schedules[i].time_zone, &tz, &err) == 0)
			continue;
		snprintf(pointer, sizeof(pointer), "/start_on/%d/time_zone", def->schedules[i].index);
		findings_add(findings, FINDING_WARNING, places ? doc_places_line(places, pointer) : 0,
					 pointer, "%s; where it is run it must be known, or the schedule stands still",
					 err.text);
	}
}
