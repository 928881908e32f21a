# The order of the first effects in the ledger of the shop ($ledger), against what each step of an order
# needs: forwards one after the other, and undone the other way round. Prints what is out of order.
def steps: ["reserve", "charge", "ship", "confirm"];
($ledger[0].calls | to_entries | map((.value.key | split("/")) as $k
	| {saga: $k[0], step: ($k[1] | sub("\\[.*"; "")), side: $k[2], n: .key}) | group_by(.saga)[]
	| . as $of | range(1; steps | length) as $i
	| ([$of[] | select(.side == "do" and .step == steps[$i]) | .n] | min) as $first
	| [$of[] | select(.side == "do" and .step == steps[$i - 1]) | .n] as $before
	| select($first != null and (($before | length) == 0 or ($before | max) > $first))
	| "wrong order: \($of[0].saga): \(steps[$i]) before \(steps[$i - 1])"),
($ledger[0].calls | to_entries | map((.value.key | split("/")) as $k
	| {saga: $k[0], step: ($k[1] | sub("\\[.*"; "")), side: $k[2], n: .key}) | group_by(.saga)[]
	| . as $of | range(1; steps | length) as $i
	| [$of[] | select(.side == "undo" and .step == steps[$i]) | .n] as $later
	| [$of[] | select(.side == "undo" and .step == steps[$i - 1]) | .n] as $earlier
	| select(($later | length) > 0 and ($earlier | length) > 0 and ($later | max) > ($earlier | min))
	| "undone in a wrong order: \($of[0].saga)")
