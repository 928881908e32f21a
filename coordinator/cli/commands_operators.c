/* The commands with which people look after sagas; the table of all is in commands.c. */
#include "coordinator/cli/command_tables.h"

#include "coordinator/cli/command_options.h"

static const struct cli_command commands[] = {
	{"approval list", "", 0, 0, "lists what waits to be decided, those asked first, first",
	 "Who is in a group stands in the server's configuration (approvals.groups); of a group that "
	 "it does\n"
	 "not know your own word is taken.\n"
	 "\n"
	 "Examples:\n"
	 "  skald approval list --group underwriters\n"
	 "  skald approval list --by ann\n",
	 approval_list_options, true, true, false, cmd_approval_list, ""},
	{"approval show", "ID STEP", 2, 2, "shows an approval, what it asks for, and who decided",
	 "Examples:\n"
	 "  skald approval show 019a2b3c-... review\n",
	 approval_show_options, true, true, false, cmd_approval_show, "@sagas|@steps"},
	{"approval approve", "ID STEP", 2, 2, "decides for it",
	 "It goes on when as many have approved as it asks for.\n"
	 "\n"
	 "Examples:\n"
	 "  skald approval approve 019a2b3c-... review --by ann --data '{\"amount_minor\": 150000}'\n",
	 decide_options, true, true, false, cmd_step_act, "@sagas|@steps"},
	{"approval reject", "ID STEP", 2, 2, "decides against it",
	 "Enough rejections fail the step with the code rejected, and what was done is undone.\n"
	 "\n"
	 "Examples:\n"
	 "  skald approval reject 019a2b3c-... review --by ann --reason 'no income'\n",
	 decide_options, true, true, false, cmd_step_act, "@sagas|@steps"},
	{"lock list", "ID", 1, 1, "lists the locks that a saga holds or waits for",
	 "Examples:\n"
	 "  skald lock list 019a2b3c-...\n",
	 lock_options, true, true, false, cmd_lock_list, "@sagas"},
	{"lock show", "KEY", 1, 1, "shows who holds a key, and who waits for it, in line",
	 "Examples:\n"
	 "  skald lock show account:42\n",
	 lock_options, true, true, false, cmd_lock_show, ""},
	{"attention list", "", 0, 0, "lists what needs a person, in groups of one cause",
	 "Sagas of one definition with the same trouble in the same step are one group, and are "
	 "repaired in\n"
	 "the same way: one by one, or as a batch with -q group:ID.\n"
	 "\n"
	 "Examples:\n"
	 "  skald attention list\n"
	 "  skald batch start retry refund --compensation -q group:4f1c... --reason 'the bank is "
	 "back'\n",
	 NULL, true, true, false, cmd_attention_list, ""},
	{"attention show", "GROUP", 1, 1, "shows a group, and what is said about it",
	 "Examples:\n"
	 "  skald attention show 4f1c...\n"
	 "  skald saga list group:4f1c...\n",
	 NULL, true, true, false, cmd_attention_show, "@groups"},
	{"attention acknowledge", "GROUP", 1, 1, "says that a person has seen it",
	 "Examples:\n"
	 "  skald attention acknowledge 4f1c... --reason 'the bank is down until noon'\n",
	 say_options, true, true, false, cmd_attention_say, "@groups"},
	{"attention unacknowledge", "GROUP", 1, 1, "takes that back",
	 "Examples:\n"
	 "  skald attention unacknowledge 4f1c...\n",
	 say_options, true, true, false, cmd_attention_say, "@groups"},
	{"attention owner", "GROUP [NAME]", 1, 2, "says who takes care of it; without a NAME: nobody",
	 "Examples:\n"
	 "  skald attention owner 4f1c... ana\n",
	 say_options, true, true, false, cmd_attention_say, "@groups"},
	{"batch start", "ACT [STEP]", 1, 2, "acts on all sagas that match, each for itself",
	 "ACT is an act of `skald saga`, or with a STEP one of `skald step`. The server finds the "
	 "sagas once,\n"
	 "then acts on them one after the other; what became of each is kept. A saga that is acted on "
	 "twice\n"
	 "takes the act once.\n"
	 "\n"
	 "Examples:\n"
	 "  skald batch start retry -q 'saga:payment attention:true' --reason 'the bank is back' "
	 "--dry-run\n"
	 "  skald batch start retry refund --compensation -q group:4f1c... --rate 20 --watch\n"
	 "  skald batch start cancel -q 'saga:order-* started<2026-01-01' --reason 'too old'\n",
	 batch_start_options, false, true, false, cmd_batch_start, "@acts|@steps"},
	{"batch list", "", 0, 0, "lists batches, the newest first",
	 "Examples:\n"
	 "  skald batch list\n",
	 NULL, true, true, false, cmd_batch_list, ""},
	{"batch show", "BATCH", 1, 1, "shows a batch and how far it has come",
	 "Exits with 7 when it has ended, and some of it was refused or failed.\n"
	 "\n"
	 "Examples:\n"
	 "  skald batch show 7f3c...\n",
	 NULL, true, true, false, cmd_batch_show, "@batches"},
	{"batch items", "BATCH", 1, 1, "shows what became of each saga of a batch",
	 "Examples:\n"
	 "  skald batch items 7f3c... --status failed\n"
	 "  skald batch items 7f3c... --all -o jsonl | jq -r .saga\n",
	 batch_items_options, true, true, false, cmd_batch_items, "@batches"},
	{"batch stop", "BATCH", 1, 1, "stops it; what was done stays done",
	 "Examples:\n"
	 "  skald batch stop 7f3c...\n",
	 batch_steer_options, true, true, false, cmd_batch_steer, "@batches"},
	{"batch resume", "BATCH", 1, 1, "goes on with a batch that was stopped",
	 "Examples:\n"
	 "  skald batch resume 7f3c...\n",
	 batch_steer_options, true, true, false, cmd_batch_steer, "@batches"},
	{"batch retry", "BATCH", 1, 1, "tries again what was refused or failed",
	 "Examples:\n"
	 "  skald batch retry 7f3c...\n",
	 batch_steer_options, true, true, false, cmd_batch_steer, "@batches"},
	{"batch watch", "BATCH", 1, 1, "follows a batch to its end",
	 "Shows how far it has come, on stderr, then the batch. Exits with 7 when some of it was "
	 "refused or\n"
	 "failed, and with 1 when it was stopped.\n"
	 "\n"
	 "Examples:\n"
	 "  skald batch watch 7f3c...\n",
	 watch_options, true, true, false, cmd_batch_watch, "@batches"},
	{"idempotency show", "DEFINITION KEY", 2, 2, "shows the saga that has a key",
	 "Shows what the store knows of the key, which is what counts, and whether the pointer in "
	 "Redis\n"
	 "agrees with it: agrees, stale, none, unavailable (Redis does not answer), or off.\n"
	 "\n"
	 "Examples:\n"
	 "  skald idempotency show payment o-17\n"
	 "  skald idempotency show payment o-17 -o json | jq -r .saga.id\n",
	 NULL, true, true, false, cmd_idempotency_show},
	{"idempotency expire", "DEFINITION KEY", 2, 2, "removes the pointer to a key from Redis",
	 "Removes the pointer from Redis, and only that. The key stays taken: the store knows it for "
	 "as\n"
	 "long as it keeps the saga, and a start with it still gives that saga.\n"
	 "\n"
	 "Examples:\n"
	 "  skald idempotency expire payment o-17\n",
	 NULL, true, true, false, cmd_idempotency_expire},
};

const struct cli_command_table cli_commands_operators = {commands, ARRAY_SIZE(commands)};
