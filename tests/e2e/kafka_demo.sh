#!/bin/bash
# The demonstration of the Kafka example, on the brokers inside `skald dev --kafka`, says what it
# promises, and leaves no process behind.
source "$(dirname "$0")/lib.sh"

mkdir "$dir/tmp"
expect 0 env TMPDIR="$dir/tmp" BUILD="$build" examples/order-events/demo.sh
says '"ce_type":"OrderConfirmed"'
says '"ce_type":"OrderRejected"'
says 'Completed.'
says 'Undone after no_credit: 1 undone, nothing owed.'
# The answer that was lost: asked for twice, done once.
grep -qE '"operation":"charge".*"count":1,"requests":[2-9]' <<< "$out" || fail "no charge came twice: $out"
# Its data lay in a folder of this test, so what still names that was left behind.
for args in /proc/[0-9]*/cmdline; do
	{ line=$(tr '\0' ' ' < "$args"); } 2> /dev/null || continue # it has ended meanwhile
	[[ $line != *"$dir/tmp/"* ]] || fail "left behind: $line"
done
[ -z "$(ls -A "$dir/tmp")" ] || fail "left files: $(ls -A "$dir/tmp")"
