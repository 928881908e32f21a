#!/bin/bash
# workers.sh again, with the sagas in Postgres, and two nodes that share it.
set -eu
cd "$(dirname "$0")/../.."
SERVICES=postgres exec tests/services.sh run bash -c 'STORE=$SKALD_TEST_POSTGRES exec tests/e2e/workers.sh'
