# Joins what clients were told ($acks), what participants wrote down ($ledger), the sagas and their
# histories. Each line that this prints is a broken promise; nothing printed means that all agree.
($sagas[0]) as $sagas | ($ledger[0].calls) as $calls |
def action: .step + (if .item != null then "[\(.item)]" else "" end);
# the call of an event, as its idempotency key
def key(side): .saga + "/" + action + "/" + side;
($sagas | map({key: .id, value: .}) | from_entries) as $by_id |
($calls | map({key, value: .}) | from_entries) as $by_key |
($history | map(select(.type == "StepScheduled" and .request != null) | key("do"))
	| map({key: ., value: true}) | from_entries) as $scheduled |
($history | map(select(.type == "CompensationStarted") | key("undo"))
	| map({key: ., value: true}) | from_entries) as $undo_started |
($acks[0][] | select($by_id[.id] == null) | "lost: saga \(.id) was acknowledged and is not there"),
($acks[0][] | select($by_id[.id] != null and $by_id[.id].key != .key) | "saga \(.id) has another key"),
($sagas | group_by(.key)[] | select(length > 1) | "started twice: order \(.[0].key): \(map(.id))"),
($sagas[] | select(.status != "completed" and .status != "compensated") | "saga \(.id) is \(.status)"),
($calls[] | select(.count > 1) | "took effect \(.count) times: \(.key)"),
($calls[] | select(.key | endswith("/do")) | select($scheduled[.key] == null) | "called without an intent: \(.key)"),
($calls[] | select(.key | endswith("/undo")) | select($undo_started[.key] == null) | "undone without an intent: \(.key)"),
($history[] | select(.type == "StepCompleted") | select($scheduled[key("do")]) | key("do")
	| select($by_key[.] == null or $by_key[.].count != 1) | "completed, but it did not happen: \(.)"),
($history[] | select(.type == "CompensationCompleted") | key("undo")
	| select($by_key[.] == null) | "undone, but nobody was asked: \(.)"),
($calls[] | select((.key | endswith("/undo")) and $by_id[.key | split("/")[0]].status == "completed")
	| "a completed saga undid \(.key)"),
($calls[] | select((.key | endswith("/do")) and .count == 1
		and (.operation == "reserve" or .operation == "charge" or .operation == "ship")
		and $by_id[.key | split("/")[0]].status == "compensated")
	| (.key | sub("/do$"; "/undo")) | select($by_key[.] == null or $by_key[.].count != 1)
	| "left undone: \(.)"),
# contiguous, and one end each
($history | group_by(.saga)[] | select((map(.seq) | unique) != [range(1; (map(.seq) | max) + 1)])
	| "the history of \(.[0].saga) has gaps"),
($history | group_by(.saga)[] | select((map(select(.type == "SagaCompleted" or .type == "SagaCompensated")) | length) != 1)
	| "saga \(.[0].saga) has not exactly one end")
