/* What of a configuration can be said only when all its sources are read. */
#include <string.h>

#include "coordinator/config_priv.h"
#include "coordinator/http_text.h"

static void check_origins(const struct config *config, struct findings *findings)
{
	const char *origins = config__or_null(config->server_allowed_origins);

	if (origins && !http_origins_are_valid(origins))
		findings_add(findings, FINDING_ERROR, 0, "/server/allowed_origins",
					 "server.allowed_origins takes origins as https://skald.example.com, separated "
					 "by commas, and nothing behind the host and port, not `%s`",
					 origins);
}

/* The webhook is a participant, whose address and credentials stand in one place. */
static void check_alerts(const struct config *config, struct findings *findings)
{
	const char *to = config__or_null(config->alerts_to);
	const char *dashboard = config__or_null(config->alerts_dashboard);
	bool found = false;

	for (size_t i = 0; to && i < config->n_participants; i++)
		found |= strcmp(config->participants[i].name, to) == 0 && config->participants[i].url;
	if (to && !found)
		findings_add(findings, FINDING_ERROR, 0, "/alerts/to",
					 "alerts.to names the participant that is told; there is none `%s` with an "
					 "address: participants.%s.url says where it is",
					 to, to);
	if (dashboard && strncmp(dashboard, "http://", 7) != 0 &&
		strncmp(dashboard, "https://", 8) != 0)
		findings_add(findings, FINDING_ERROR, 0, "/alerts/dashboard",
					 "alerts.dashboard is a URL as https://skald.example.com, not `%s`", dashboard);
}

void config_check(const struct config *config, struct findings *findings)
{
	check_origins(config, findings);
	config__kafka_check(config, findings);
	config__waiting_check(config, findings);
	check_alerts(config, findings);
}
