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
/* topic, cluster, profile */
void config__set_participant_kafka(struct config_participant *p, const char *key, const char *text,
								   const struct config_origin *origin, struct findings *findings);

/* config_kafka.c */

/* Finds or adds it; NULL: there are too many. */
struct config_cluster *config__cluster_add(struct config *config, const char *name);
void config__set_brokers(struct config_cluster *cluster, const char *text,
						 const struct config_origin *origin, struct findings *findings);
void config__set_property(struct config_cluster *cluster, const char *name, const char *value,
						  const struct config_origin *origin, struct findings *findings);
/* name: what follows SKALD_KAFKA__, in small letters: properties__sasl_password. False: it is a
 * setting, or nothing of this. */
bool config__kafka_variable(struct config *config, const char *name, const char *value,
							const struct config_origin *origin, struct findings *findings);
void config__kafka_check(const struct config *config, struct findings *findings);
void config__kafka_print(const struct config *config, FILE *out);
void config__kafka_release(struct config *config);
void config__kafka_options(struct config *config, struct kafka_settings *ret_settings);

/* config_waiting.c: sections whose keys are names: env, secrets, webhooks. */

bool config__waiting_section(const char *section);
/* One entry of the file is {key: text} of a name; of env the key is NULL. */
void config__waiting_set(struct config *config, const char *section, const char *name,
						 const char *key, const char *text, const struct config_origin *origin,
						 struct findings *findings);
/* name: what follows the section, in small letters: psp_token__file. */
void config__waiting_variable(struct config *config, const char *section, const char *name,
							  const char *value, const struct config_origin *origin,
							  struct findings *findings);
void config__waiting_check(const struct config *config, struct findings *findings);
void config__waiting_print(const struct config *config, FILE *out);
void config__waiting_release(struct config *config);
void config__waiting_options(struct config *config, struct node_options *ret_options);

void config__print_string(const char *text, FILE *out);
/* NULL for "none". Borrowed. */
const char *config__or_null(const char *text);
const char *config__source_text(enum config_source source);

/* config_approvals.c */

/* said: a list of names, or a text of names with commas between them. */
void config__set_approval_group(struct config *config, const char *name, const json_t *said,
								const struct config_origin *origin, struct findings *findings);
/* key: what follows SKALD_APPROVALS__, in small letters: groups__sales. False: nothing of this. */
bool config__approvals_variable(struct config *config, const char *key, const char *value,
								const struct config_origin *origin, struct findings *findings);
void config__approvals_print(const struct config *config, FILE *out);

/* The setting, or -1. */
int config__find_setting(const char *section, const char *key);

#endif
