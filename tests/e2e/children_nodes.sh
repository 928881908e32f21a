#!/bin/bash
# children_kill9.sh on two nodes that share a Postgres, and are killed in turn.
set -eu
cd "$(dirname "$0")/../.."
SERVICES=postgres exec tests/services.sh run bash -c 'NODES=2 ROUNDS=8 exec tests/e2e/children_kill9.sh'
