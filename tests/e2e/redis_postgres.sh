#!/bin/bash
# redis.sh again, with the sagas in Postgres: there nothing but the commit stands behind Redis.
set -eu
cd "$(dirname "$0")/../.."
SERVICES=postgres exec tests/services.sh run bash -c 'STORE=$SKALD_TEST_POSTGRES exec tests/e2e/redis.sh'
