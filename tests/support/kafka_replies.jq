# Joins the replies that participants sent ($replies) and what they did ($ledger) with the histories.
# Each line that this prints is a broken promise.
def side: if .type == "ReplyIgnored" then (.side // "do") else null end;
($ledger[0].calls) as $calls |
# S10: one key for an action and its side, whatever the attempt
($calls[] | select(.key | test("^[0-9a-f-]{36}/(reserve|charge|ship)/(do|undo)$") | not) | "another key: \(.key)"),
# S14: nothing takes effect after its undo did
($calls | to_entries | map({key: .value.key, value: .key}) | from_entries) as $place |
($calls[] | select((.key | endswith("/do")) and .count > 0) | .key as $do | ($do | sub("/do$"; "/undo")) as $undo
	| select($place[$undo] != null and $place[$undo] < $place[$do]) | "took effect after its undo: \($do)"),
# S17: of the answers of an action one ends it, and every other is recorded as late or duplicate
($history | map(select(.type == "ReplyIgnored" and .outcome != "unknown") | "\(.saga)/\(.step)/\(side)")
	| group_by(.) | map({key: .[0], value: length}) | from_entries) as $ignored |
($replies[0] | map(select(.outcome != "unknown") | .correlation | sub("^[^/]*/"; "")) | group_by(.)[]
	| select(($ignored[.[0]] // 0) < length - 1)
	| "\(length) answers to \(.[0]), and \($ignored[.[0]] // 0) recorded as late or duplicate"),
# S12: what ended without an answer that said no is undone, if anything of it may have happened
($history | map(select(.type == "StepFailed" and .outcome == "unknown") | "\(.saga)/\(.step)") | unique[]
	| select($place[. + "/undo"] == null) | "nobody undid what may have happened: \(.)")
