#!/bin/bash
# entities.sh again, with the sagas in Postgres.
set -eu
cd "$(dirname "$0")/../.."
SERVICES=postgres exec tests/services.sh run bash -c 'STORE=$SKALD_TEST_POSTGRES exec tests/e2e/entities.sh'
