/* What config.c and config_read.c share. */
#ifndef COORDINATOR_CONFIG_PRIV_H
#define COORDINATOR_CONFIG_PRIV_H

#include "coordinator/config.h"

/* Where a finding about a source stands: a line and pointer of the file, or a name. */
struct config_origin {
	enum config_source source;
	int line;
	const char *pointer;
};

void config__set(struct config *config, size_t index, const char *text,
				 const struct config_origin *origin, struct findings *findings);
/* Finds or adds it; NULL: there are too many. */
struct config_participant *config__participant_add(struct config *config, const char *name);
void config__set_url(struct config_participant *p, const char *url,
					 const struct config_origin *origin, struct findings *findings);
void config__set_header(struct config_participant *p, const char *name, const char *value,
						const struct config_origin *origin, struct findings *findings);
void config__set_connections(struct config_participant *p, const char *text,
							 const struct config_origin *origin, struct findings *findings);
/* The setting, or -1. */
int config__find_setting(const char *section, const char *key);

#endif
