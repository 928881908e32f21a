# Whether sagas, dead letters and committed offsets agree with the records of a topic: prints a line
# for each promise that is broken, and nothing when all are kept. All times are microseconds of one
# machine's clock.
#
#   $records    of the topic, as kafka_campaign dumps them, with what they are in the header `kind`
#   $dlt        of its dead-letter topic; $confirmed: of the topic to which each saga emits once
#   $sagas      [{id, key, status, amount, at: when the commit of its first row was}]
#   $letters    [{p, o, key, value, reason, at}], the table of dead letters
#   $samples    [{t, committed: [offset of each partition]}], read from the broker before t
#   $ends       [{committed, ends}], the same at the end, with the ends of the partitions
#
# A record is over when its saga is committed, whichever record started that; a poisoned one when it
# is in the topic and in the table. What a group has committed is ahead of it if there is a record
# below that was over only later.

def never: 1e300;
def place: "\(.p)/\(.o)";
def is_poison: .headers.kind | . != "order" and . != "duplicate";
def reasons: {"conflict": ["key_conflict"], "unparsable": ["unparsable"], "schema": ["invalid_input"],
	"keyless": ["invalid_input", "key_invalid", "expression_error"]};
# Each addition is made in place; assigning to a key would copy the object every time.
def group(f): group_by(f) | reduce .[] as $list ({}; . + {($list[0] | f): $list});
def set(f): reduce .[] as $x ({}; . + {($x | f): true});
def running_max: reduce .[] as $x ([]; . + [[$x, (last // 0)] | max]);

($records | sort_by(.p, .o)) as $records
| ($sagas | group(.key)) as $by_key
| ($letters | group(place)) as $letter
| ($dlt | group("\(.headers["skald-dlt-partition"])/\(.headers["skald-dlt-offset"])")) as $dead
| ($confirmed | group(.headers.ce_subject // "")) as $events
# When each record was over.
| ($records | map(. + {over: (
	if is_poison then [$letter[place][0].at // never, (($dead[place] // [] | map(.ts * 1000) | min) // never)] | max
	else $by_key[.headers.order][0].at // never end)})) as $records
| ($records | group("\(.p)")) as $partitions
| ($partitions | map_values(map(.over) | running_max)) as $over

| (
	# Every record started exactly one saga, was deduplicated, or is in the dead letters.
	($records[] | select(is_poison | not)
		| ($by_key[.headers.order] // []) as $its
		| (if ($its | length) != 1 then "record \(place), \(.headers.order): \($its | length) sagas" else empty end),
		  (if $letter[place] or $dead[place] then "record \(place) is good, and among the dead letters" else empty end)),
	($records[] | select(.headers.kind == "order")
		| select((.text | fromjson).amount != $by_key[.headers.order][0].amount)
		| "the saga of \(.headers.order) was started with another input"),
	($records | map(select(is_poison | not) | .headers.order) | unique | length) as $orders
		| (if ($sagas | length) != $orders then "\($orders) orders, and \($sagas | length) sagas" else empty end),
	($records[] | select(is_poison) | . as $record
		| ($letter[place] // []) as $rows | ($dead[place] // []) as $copies
		| (if ($rows | length) != 1 then "poison \(place) has \($rows | length) rows of dead letters" else empty end),
		  (if $copies == [] then "poison \(place) is not in the dead-letter topic" else empty end),
		  ($rows[] | select(.reason as $reason | reasons[$record.headers.kind] | index($reason) | not)
			| "poison \(place) is \($record.headers.kind), and its reason \(.reason)"),
		  (($rows[], $copies[]) | select(.key != $record.key or .value != $record.value)
			| "the dead letter of \($record | place) is not the record"),
		  ($copies[] | select(($record.headers | to_entries) - (.headers | to_entries) != [])
			| "the dead letter of \($record | place) has lost headers")),
	(($records | map(select(is_poison)) | length) as $poison
		| if ($letters | length) != $poison then "\($poison) poisoned records, and \($letters | length) rows of dead letters" else empty end),

	# Records with the same key were over in their order, unless a duplicate elsewhere was faster.
	($records | map(select(.headers.kind == "duplicate")) | set(.headers.order)) as $again
	| ($records | map(select(is_poison or ($again[.headers.order] | not))) | group("\(.p) \(.key)")[]
		| . as $list | range(1; length) | select($list[.].over < $list[. - 1].over)
		| "record \($list[.] | place) was over before \($list[. - 1] | place), which has the same key"),

	# Committed offsets never ran ahead.
	($samples[], $ends[] | (.t // never) as $t | .committed | to_entries[] | select(.value > 0)
		| ($over["\(.key)"][.value - 1] // never) as $last
		| select($last > $t)
		| "partition \(.key): offset \(.value) was committed \(if $last == never then "though a record below is not over at all"
			else "\($last - $t) µs before a record below was over" end)"),
	([$samples[].committed | to_entries[] | select(.value > 0) | select(.value < ($over["\(.key)"] | length))] | unique | length) as $moments
		| (if $moments < ($ends[0].ends | length) then "the samples saw only \($moments) offsets on their way" else empty end),

	# The lag is 0 at the end.
	($ends[] | . as $last | .ends | to_entries[] | select($last.committed[.key] != .value)
		| "partition \(.key) ends at \(.value), and \($last.committed[.key]) is committed"),
	($ends[] | .ends | to_entries[] | select(($partitions["\(.key)"] // [] | length) != .value)
		| "partition \(.key) ends at \(.value), and has \($partitions["\(.key)"] | length) records"),

	# Each saga ended, and what it emitted was published under one id.
	($sagas[] | select(.status != "completed") | "saga \(.id) is \(.status)"),
	($sagas[] | . as $saga | ($events[.id] // [] | map(.headers.ce_id) | unique | length)
		| select(. != 1) | "saga \($saga.id) has published \(.) events"),
	($sagas | set(.id)) as $known
	| ($events | keys_unsorted[] | select($known[.] | not) | "an event was published for \(.), which is no saga")
)
