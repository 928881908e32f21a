/* The commands for what starts sagas and works for them; the table of all is in commands.c. */
#include "coordinator/cli/command_tables.h"

#include "coordinator/cli/command_options.h"

static const struct cli_command commands[] = {
	{"schedule list", "", 0, 0, "lists the schedules, and when each is due next",
	 "Each `start_on: {schedule}` of the current version of a definition is a schedule, called\n"
	 "after the definition and its name or number there.\n"
	 "\n"
	 "Examples:\n"
	 "  skald schedule list\n",
	 NULL, true, true, false, cmd_schedule_list},
	{"schedule show", "DEFINITION/ENTRY", 1, 1, "shows a schedule, with what became of its times",
	 "Examples:\n"
	 "  skald schedule show report/nightly\n",
	 NULL, true, true, false, cmd_schedule_show},
	{"schedule pause", "DEFINITION/ENTRY", 1, 1, "lets its times pass without a start",
	 "Times that pass meanwhile are skipped, and not made up for.\n"
	 "\n"
	 "Examples:\n"
	 "  skald schedule pause report/nightly --reason 'the warehouse moves'\n",
	 schedule_options, true, true, false, cmd_schedule_pause},
	{"schedule resume", "DEFINITION/ENTRY", 1, 1, "lets its times start sagas again",
	 "Examples:\n"
	 "  skald schedule resume report/nightly\n",
	 schedule_options, true, true, false, cmd_schedule_resume},
	{"schedule trigger", "DEFINITION/ENTRY", 1, 1, "starts a saga now, beside what is planned",
	 "Whatever is open: `overlap` is for planned times. Waits until it has begun, for ten seconds\n"
	 "at most, and shows which saga that is. Exits with 1 when none could be started.\n"
	 "\n"
	 "Examples:\n"
	 "  skald schedule trigger report/nightly\n"
	 "  skald schedule trigger report/nightly -o json | jq -r .triggered.saga\n",
	 schedule_options, true, true, false, cmd_schedule_trigger},
	{"schedule backfill", "DEFINITION/ENTRY", 1, 1,
	 "starts what was planned in a time that is past",
	 "A planned time that has started its saga before starts none again. The sagas run one after\n"
	 "the other, or with --overlap start beside each other.\n"
	 "\n"
	 "Examples:\n"
	 "  skald schedule backfill report/1 --from 2026-01-01T00:00:00Z --to 2026-01-31T23:59:59Z\n",
	 backfill_options, true, true, false, cmd_schedule_backfill},
	{"trigger list", "", 0, 0, "lists the triggers and their lag",
	 "Each `start_on` of the current version of a definition is a trigger, called after the\n"
	 "definition and its topic. Counts are those of the node that answers, since it runs; the lag\n"
	 "is that of its partitions.\n"
	 "\n"
	 "Examples:\n"
	 "  skald trigger list\n"
	 "  skald trigger list -o json | jq '.[] | select(.state != \"running\")'\n",
	 NULL, true, true, false, cmd_trigger_list},
	{"trigger show", "DEFINITION/TOPIC", 1, 1, "shows a trigger, with all partitions of its topic",
	 "Ends and committed offsets are asked of the brokers, for the partitions of all nodes.\n"
	 "\n"
	 "Examples:\n"
	 "  skald trigger show order/orders.placed\n",
	 NULL, true, true, false, cmd_trigger_show},
	{"trigger pause", "DEFINITION/TOPIC", 1, 1, "stops taking records, on all nodes",
	 "Takes effect within seconds; what is under way ends. Restarts do not resume it.\n"
	 "\n"
	 "Examples:\n"
	 "  skald trigger pause order/orders.placed --reason 'stock service is down'\n",
	 trigger_options, true, true, false, cmd_trigger_pause},
	{"trigger resume", "DEFINITION/TOPIC", 1, 1, "goes on, on all nodes",
	 "A record that paused the trigger by its policy for poison is tried again first. To leave it\n"
	 "behind, seek to the offset after it, then resume.\n"
	 "\n"
	 "Examples:\n"
	 "  skald trigger resume order/orders.placed\n",
	 trigger_options, true, true, false, cmd_trigger_resume},
	{"trigger seek", "DEFINITION/TOPIC TO", 2, 2, "goes on from another place",
	 "TO is earliest, latest, an offset, or a time as in 2026-01-31T12:00:00Z. Records that "
	 "started\n"
	 "a saga before are deduplicated by their key, as long as the saga is kept.\n"
	 "\n"
	 "Examples:\n"
	 "  skald trigger seek order/orders.placed 1042 --partition 3\n"
	 "  skald trigger seek order/orders.placed 2026-01-31T12:00:00Z\n",
	 seek_options, true, true, false, cmd_trigger_seek},
	{"queue list", "", 0, 0, "lists the queues that workers ask, and what waits in them",
	 "How many tasks wait and are leased is counted in the store, for all nodes; pollers and "
	 "rates\n"
	 "are those of the node that answers.\n"
	 "\n"
	 "Examples:\n"
	 "  skald queue list\n"
	 "  skald queue list -o json | jq '.[] | select(.queued > 100 and .pollers == 0)'\n",
	 NULL, true, true, false, cmd_queue_list},
	{"queue show", "QUEUE", 1, 1, "shows a queue with its settings and workers",
	 "Examples:\n"
	 "  skald queue show shipping\n",
	 NULL, true, true, false, cmd_queue_show},
	{"queue set", "QUEUE", 1, 1, "says how the tasks of a queue are given out",
	 "What is not named stays as it is; `none` takes a limit away. Takes effect on all nodes "
	 "within\n"
	 "seconds. With --build only workers of that build are given tasks; with --ramp a share of "
	 "the\n"
	 "sagas goes to another build, and each saga stays with the build that it belongs to.\n"
	 "\n"
	 "Examples:\n"
	 "  skald queue set shipping --rate 50 --concurrent 20\n"
	 "  skald queue set shipping --build blue --ramp green:10\n"
	 "  skald queue set shipping --build green --ramp none\n"
	 "  skald queue set shipping --rate none --concurrent none --build none\n",
	 queue_options, true, true, false, cmd_queue_set},
	{"worker list", "[QUEUE]", 0, 1, "lists workers that ask for tasks, or have some",
	 "Who asks is known to the node that is asked; who has a task is known to all.\n"
	 "\n"
	 "Examples:\n"
	 "  skald worker list\n"
	 "  skald worker list shipping -o json | jq -r '.[].build'\n",
	 NULL, true, true, false, cmd_worker_list},
	{"dlq list", "", 0, 0, "lists dead letters, what was given up last first",
	 "Examples:\n"
	 "  skald dlq list --status waiting\n"
	 "  skald dlq list --trigger order/orders.placed --reason invalid_input --all -o jsonl\n",
	 dlq_list_options, true, true, false, cmd_dlq_list},
	{"dlq show", "ID", 1, 1, "shows a dead letter with its key, headers and value",
	 "Examples:\n"
	 "  skald dlq show 7f3c...\n"
	 "  skald dlq show 7f3c... -o json | jq -r .value.text > value.json\n",
	 NULL, true, true, false, cmd_dlq_show},
	{"dlq redrive", "[ID]", 0, 1, "sends dead letters again: one, perhaps edited, or many",
	 "The record is evaluated as if it came again from its topic, partition and offset, by the\n"
	 "current version of the definition. What still starts nothing stays, and says why. Without "
	 "an\n"
	 "ID, those that wait and match are sent again one after the other, the oldest first; exit\n"
	 "code 7 when some failed.\n"
	 "\n"
	 "Examples:\n"
	 "  skald dlq redrive 7f3c...\n"
	 "  skald dlq redrive 7f3c... --value @value.json\n"
	 "  skald dlq redrive --trigger order/orders.placed --reason invalid_input\n",
	 redrive_options, true, true, false, cmd_dlq_redrive},
	{"dlq discard", "ID", 1, 1, "says that nothing is to come of a dead letter",
	 "It stays until retention removes it, and is listed as discarded.\n"
	 "\n"
	 "Examples:\n"
	 "  skald dlq discard 7f3c...\n",
	 NULL, true, true, false, cmd_dlq_discard},
};

const struct cli_command_table cli_commands_messages = {commands, ARRAY_SIZE(commands)};
