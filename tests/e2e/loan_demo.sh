#!/bin/bash
# The demonstration of the loan goes the four ways that it says.
source "$(dirname "$0")/lib.sh"

expect 0 env BUILD="$build" examples/loan-approval/demo.sh
[ "$(grep -c 'Completed\.' <<< "$out")" = 3 ] || fail "not three loans are paid out: $out"
says 'ann is excluded from deciding this'
says '2 of 2'
says '{"amount_minor":2500000}'
says 'Undone after rejected: 0 undone, nothing owed.'
says 'no income'
says 'credit-heads'
