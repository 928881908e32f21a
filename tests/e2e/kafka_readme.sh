#!/bin/bash
# The README's section on Kafka works as it stands there, from nothing to sagas that were started, with
# the address of a broker and nothing else: its commands are taken out of it and run, in a folder of
# their own.
source "$(dirname "$0")/lib.sh"

if [ -z "${SKALD_TEST_KAFKA:-}" ]; then
	exec env SERVICES=kafka tests/services.sh run "$0"
fi

# The blocks of commands below that heading, one after the other.
awk '/^## /{there = $0 == "## With Kafka"} there && /^```bash$/{on = 1; next} /^```$/{on = 0} there && on' \
	README.md > "$dir/commands"
[ "$(grep -c 'kafka_record' "$dir/commands")" -ge 7 ] || fail "the section was not found"

# In a folder that looks like a checkout which was built; the port is the only thing that the reader
# does not have to say and a test has to.
mkdir "$dir/checkout"
mkdir -p "$dir/checkout/build"
ln -s "$build" "$dir/checkout/build/release"
ln -s "$PWD/examples" "$dir/checkout/examples"
cat > "$dir/run" <<- 'RUN'
	set -eu -o pipefail
	set -m # jobs have numbers, as in a terminal
	trap 'jobs -p | xargs -r kill 2> /dev/null || true' EXIT
	cd "$1"
	. "$2"
	wait
RUN
expect 0 env BROKERS="$SKALD_TEST_KAFKA" SKALD_SERVER__PORT="$port" SKALD_SERVER="http://127.0.0.1:$port" \
	timeout 300 bash "$dir/run" "$dir/checkout" "$dir/commands"

# What the reader is promised: the order is confirmed, …
confirmed=$(grep -F '"ce_type":"OrderConfirmed"' <<< "$out" | jq -r '.value | fromjson | .order_id')
[ "$confirmed" = o-1 ] || fail "no confirmed order: $out"
# … the other one is rejected and undone, …
rejected=$(grep -F '"ce_type":"OrderRejected"' <<< "$out" | jq -r '.value | fromjson | "\(.order_id) \(.code)"')
[ "$rejected" = "o-2 no_credit" ] || fail "no rejected order: $out"
grep -qE 'order-events +completed +o-1' <<< "$out" || fail "the list does not show o-1: $out"
grep -qE 'order-events +compensated +o-2' <<< "$out" || fail "the list does not show o-2: $out"
# … and what cannot be read is a dead letter, unchanged and with the reason.
letter=$(grep -F '"skald-dlt-reason"' <<< "$out")
[ "$(jq -r .value <<< "$letter")" = 'an order, please' ] || fail "no dead letter: $out"
[ "$(jq -r '.headers["skald-dlt-reason"]' <<< "$letter")" = unparsable ] || fail "why not: $letter"
grep -q 'order-events/orders.placed.*unparsable' <<< "$out" || fail "dlq list does not show it: $out"

# The services took effect once for each key, and released what was reserved for o-2.
expect 0 "$build/examples/order-events/participants/order_handlers" \
	--data "$dir/checkout/order-handlers" --ledger
[ "$(jq -r '[.calls[] | "\(.operation) \(.count)"] | sort | join(", ")' <<< "$out")" = \
	"charge 0, charge 1, release 1, reserve 1, reserve 1" ] || fail "the ledger says otherwise: $out"
