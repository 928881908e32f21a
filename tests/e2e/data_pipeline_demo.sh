#!/bin/bash
# The demonstration of the data pipeline goes the ways that it says.
source "$(dirname "$0")/lib.sh"

expect 0 env BUILD="$build" examples/data-pipeline/demo.sh
says '{"status":"completed","output":{"rows":4000,"bad":[]},"failure":null}'
says 'sales.csv: 40 chunks are loaded'
[[ $out =~ dies\ after\ [0-9]+\ rows ]] || fail "no worker was killed: $out"
says '"code":"too_many_bad_chunks","message":"9 of 25 chunks are unreadable"'
says 'bad-sales.csv: 0 chunks are loaded'
says 'stock.csv: 5 chunks are loaded'
