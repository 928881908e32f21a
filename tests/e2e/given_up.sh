#!/bin/bash
# Participants that answer garbage, hang, redirect, send 100 MB or lose their answers until the saga gives
# up: what may have taken effect is undone, others are not held up meanwhile, the server does not
# grow. (misbehaving.sh has those that come to their senses.)
source "$(dirname "$0")/lib.sh"

cat > "$dir/probe.yaml" <<'YAML'
saga: hostile
key: ${input.id}
participants:
  stock: {timeout: 500ms, retry: {initial_interval: 50ms, maximum_interval: 100ms, maximum_attempts: 3}}
  payments: {timeout: 500ms, retry: {initial_interval: 50ms, maximum_interval: 100ms, maximum_attempts: 3}}
steps:
  - id: reserve
    http: {to: stock, method: PUT, path: "/reservations/${step.uuid}", body: {sku: "TEA", order: "${input.id}"}}
    compensate:
      http: {to: stock, method: DELETE, path: "/reservations/${step.uuid}"}
  - id: charge
    http: {to: payments, method: PUT, path: "/charges/${step.uuid}", body: {card: "4242", order: "${input.id}"}}
    compensate:
      http: {to: payments, method: POST, path: "/charges/${step.uuid}/refund"}
YAML
start_participant order_services
mapfile -t shop < <(shop_at)
start_skald "${shop[@]}"
await_skald
expect 0 "$skald" def deploy "$dir/probe.yaml"

misbehave() { # order mode times
	curl -fs -d "{\"path\": \"/payments/charges\", \"mode\": \"$2\", \"times\": $3, \"match\": {\"order\": \"$1\"}}" \
		"$url_order_services/control" > "$dir/control" || fail "control: $(cat "$dir/control")"
}
resident() { awk '/^VmRSS/{print $2}' "/proc/$skald_pid/status"; }
start() { expect 0 "$skald" saga start hostile "{\"id\": \"$1\"}" -o json; }

before=$(resident)
# Once: the next attempt gets its answer.
for mode in fail lose_reply garbage hang; do misbehave "once-$mode" $mode 1; start "once-$mode"; done
# Always: given up, and undone, since it may have taken effect.
for mode in fail garbage lose_reply huge hang redirect; do misbehave "always-$mode" $mode 3; start "always-$mode"; done
# Others are not held up.
begun=$(date +%s%N)
for i in 1 2 3 4 5; do
	expect 0 "$skald" saga start hostile --wait --timeout 20s "{\"id\": \"good-$i\"}"
done
took=$((($(date +%s%N) - begun) / 1000000))
[ $took -lt 5000 ] || fail "five good sagas took $took ms beside the others"

ended() { [ "$("$skald" saga list --all status:running,waiting,compensating -o json | jq length)" = 0 ]; }
wait_for 90 ended || fail "these do not end:"$'\n'"$("$skald" saga list status:running,waiting,compensating)"
"$skald" saga list --all -o json | jq -r '.[] | .key + " " + .status' | sort > "$dir/ends"
grep -v ' completed$' "$dir/ends" | grep -E '^(once|good)' && fail "an answer that came in the end was not taken"
grep ' completed$' "$dir/ends" | grep '^always' && fail "a saga completed without an answer"
grep -v ' compensated$' "$dir/ends" | grep '^always' && fail "not undone"
after=$(resident)
[ $((after - before)) -lt 50000 ] || fail "the server grew from $before to $after KiB"

# What took effect and was not answered was undone; nothing took effect twice.
curl -fs "$url_order_services/ledger" | jq -e '[.calls[].count] | max == 1' > /dev/null || fail "effects twice"
made=$(curl -fs "$url_order_services/ledger" | jq '[.calls[] | select(.operation == "charge" and .count == 1)] | length')
refunded=$(curl -fs "$url_order_services/ledger" | jq '[.calls[] | select(.operation == "refund" and .count == 1)] | length')
[ "$((made - refunded))" = 9 ] || fail "$made charges and $refunded refunds, but 9 sagas are completed"
stop_skald
