/* The options of commands, each a table that ends with NULL. */
#ifndef COORDINATOR_CLI_COMMAND_OPTIONS_H
#define COORDINATOR_CLI_COMMAND_OPTIONS_H

#include "coordinator/cli/cli.h"

extern const struct cli_option lock_options[], migrate_saga_options[];
extern const struct cli_option approval_list_options[], approval_show_options[], decide_options[];
extern const struct cli_option serve_options[], dev_options[], bench_options[], graph_options[],
	deploy_options[], version_options[], schedule_options[], backfill_options[], start_options[],
	list_options[], watch_options[], wait_options[], act_options[], retry_saga_options[],
	reset_options[], show_options[], retry_step_options[], skip_step_options[],
	complete_step_options[], fail_step_options[], say_options[], batch_start_options[],
	batch_items_options[], batch_steer_options[], trigger_options[], seek_options[],
	dlq_list_options[], redrive_options[], schema_options[], migrate_options[], test_options[],
	simulate_options[], replay_options[], export_options[], import_options[], queue_options[];

#endif
