#!/bin/bash
# The demonstration of the subscription: one is cancelled, one lapses, and one is refunded across runs.
source "$(dirname "$0")/lib.sh"

expect 0 env BUILD="$build" examples/subscription/demo.sh
[ "$(grep -c 'Completed\.' <<< "$out")" = 2 ] || fail "not two subscriptions have ended well: $out"
says '"plan":"pro"'
says '"because":"cancelled"'
says '{"runs":4,"output":{"plan":"basic","paid":1,"because":"unpaid"}}'
says 'Undone after stolen_card: 2 undone, nothing owed.'
says 'runs that were over: 2'
[ "$(grep -Ec '^~carried\[[01]\] +completed +1 +done' <<< "$out")" = 2 ] || fail "the runs before are not refunded: $out"
