#!/bin/bash
# reset_ended.sh again, with two nodes on one Postgres.
set -eu
cd "$(dirname "$0")/../.."
SERVICES=postgres exec tests/services.sh run bash -c 'STORE=$SKALD_TEST_POSTGRES exec tests/e2e/reset_ended.sh'
