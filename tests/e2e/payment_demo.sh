#!/bin/bash
# The demonstration of the payment example goes the four ways that it says.
source "$(dirname "$0")/lib.sh"

expect 0 env BUILD="$build" examples/payment/demo.sh
says 'Completed.'
says 'over_limit: answered with status 422'
says 'Undone after capture_refused: 2 undone, nothing owed.'
says 'connection_broken'
