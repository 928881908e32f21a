#!/bin/bash
# Mistakes in the wrapper over librdkafka that its unit tests have to find. Arguments name the mutants
# to try, none means all.
set -u
source "$(dirname "$0")/lib.sh"
all="offsets producer consumer broker"
targets=$(for unit in $all; do echo -n "$build/tests/unit/connectors/test_kafka_$unit "; done) limit=600 only=$*
# What never happens need not be waited for as long as on a busy machine.
export PATIENCE_MS=20000
try() {
	SERVICES=kafka tests/services.sh run bash -c '
		for unit in $units; do "$build/tests/unit/connectors/test_kafka_$unit" || exit 1; done'
}
reason() { grep -aE 'never: |:[FE]:'; }
units_are() { # the tests that what follows is for
	units=$*
	export units
}
prepare
# shellcheck disable=SC2086
units_are $all
unharmed

offsets=connectors/kafka_offsets.c part=connectors/kafka_consumer_part.c
units_are offsets
mutant commits-past-what-is-out $offsets 's/return offsets->n > 0 \? [^;]*;/return offsets->position;/'
mutant gap-at-the-end-is-never-done $offsets 's/(void kafka_offsets_reach.*\n\{\n\tif \()/\1false \&\& /'
mutant handed-out-twice $offsets 's/if \(offset < offsets->position\)/if (offset < 0)/'
units_are consumer
mutant done-counts-after-it-was-taken-away $part 's/if \(part->live && !part->leaving\)/if (part->settled)/'
mutant given-up-counts-when-partitions-go $part 's/ && !part->leaving\)/)/'
mutant no-limit-of-records $part 's/part->hold \|= KAFKA__HOLD_FULL;/;/'
mutant no-limit-of-bytes $part 's/consumer->bytes_full = true;/;/'

finish
