#!/bin/bash
# What needs a person: sagas with the same trouble are one group, on SQLite and on Postgres; a webhook is
# told of the group, once, and again when it is repaired; a person can say that it is seen, and whose it is.
source "$(dirname "$0")/lib.sh"

cat > "$dir/stuck.yaml" <<'YAML'
saga: stuck
key: ${input.id}
steps:
  - id: hold
    http: {to: bank, method: POST, path: /ok, body: {id: "${input.id}"}}
    compensate:
      http: {to: bank, method: POST, path: "/status/409"}
  - id: no
    fail: {code: refused, message: "no, ${input.id}"}
YAML

"$build/tests/tools/scripted_participant" > "$dir/bank.log" &
pids+=($!)
wait_for 10 grep -q 'listening on' "$dir/bank.log" || fail "the participant does not listen"
bank=$(sed -n 's/listening on //p' "$dir/bank.log")
told() { curl -fs "$bank/recorded" | jq -c "[.[] | select(.data.namespace == \"$1\")]"; }

get() { curl -fs -H "Skald-Namespace: $namespace" "$SKALD_SERVER$1"; }
say() { curl -s -H "Skald-Namespace: $namespace" -H 'Content-Type: application/json' -d "$2" "$SKALD_SERVER$1"; }
groups() { [ "$(get /v1/attention | jq -c '[.groups[].count]')" = "$1" ]; }
alerts() { [ "$(told "$namespace" | jq -c '[.[].data.reason]')" = "$1" ]; }
counted() { curl -fs "$SKALD_SERVER/metrics" | grep -qx "skald_alerts_sent_total $1"; }

try() { # a namespace
	namespace=$1
	export SKALD_NAMESPACE=$1
	start_skald --participant "bank=$bank" --participant "oncall=$bank/record" --alerts-to oncall \
		--alerts-every 100ms --alerts-dashboard https://skald.example.com
	await_skald
	expect 0 "$skald" def deploy "$dir/stuck.yaml"
	groups '[]' || fail "groups before there is trouble: $(get /v1/attention)"
	for i in 1 2 3; do expect 21 "$skald" saga start stuck --wait "{\"id\": \"o-$i\"}"; done
	groups '[3]' || fail "not one group of three: $(get /v1/attention)"
	get /v1/attention | jq -e '.total == 3 and (.groups[0] | .saga == "stuck" and .kind == "stuck" and
		.step == "hold" and .side == "undo" and .code == "http_409" and .acknowledged == null and
		.owner == null and (.sample | length) == 36 and .first_seen_at <= .last_seen_at)' > /dev/null ||
		fail "the group: $(get /v1/attention)"
	group=$(get /v1/attention | jq -r '.groups[0].id')
	get "/v1/sagas?q=group:$group" | jq -e '(.sagas | length) == 3 and
		all(.sagas[]; .attention_detail.group == "'"$group"'" and .attention_detail.kind == "stuck")' > /dev/null ||
		fail "the sagas of the group: $(get "/v1/sagas?q=group:$group")"

	# One alert for three sagas, with a link to them.
	wait_for 10 alerts '["new"]' || fail "alerts: $(told "$namespace")"
	told "$namespace" | jq -e '.[0] | .type == "skald.attention.alert" and (.text | test("needs? a person")) and
		(.data.link | contains("/ui/attention/'"$group"'?namespace="))' > /dev/null || fail "the alert: $(told "$namespace")"

	# A person says something of it, which stays.
	say "/v1/attention/$group/acknowledge" '{"by": "ana", "reason": "on it"}' |
		jq -e '.acknowledged | .by == "ana" and .note == "on it"' > /dev/null || fail "not acknowledged"
	say "/v1/attention/$group/owner" '{"owner": "team-pay"}' | jq -e '.owner == "team-pay"' > /dev/null || fail "no owner"
	stop_skald
	start_skald --participant "bank=$bank" --participant "oncall=$bank/record" --alerts-to oncall --alerts-every 100ms
	await_skald
	get "/v1/attention/$group" | jq -e '.count == 3 and .owner == "team-pay" and .acknowledged.by == "ana"' > /dev/null ||
		fail "after a restart: $(get "/v1/attention/$group")"
	say "/v1/attention/$group/unacknowledge" '{}' | jq -e '.acknowledged == null' > /dev/null || fail "still acknowledged"
	say /v1/attention/0000000000000000/acknowledge '{}' | jq -e '.code == "attention_not_found"' > /dev/null || fail "no 404"
	say "/v1/attention/$group/owner" '{"owners": "x"}' | jq -e '.code == "invalid_body"' > /dev/null || fail "no 422"

	# Repaired: the group is gone, and that is told; the next trouble of its kind is new.
	for id in $(get "/v1/sagas?q=group:$group" | jq -r '.sagas[].id'); do
		expect 0 "$skald" saga terminate "$id" --reason 'settled by hand'
	done
	groups '[]' || fail "the group is still there: $(get /v1/attention)"
	wait_for 10 alerts '["new","repaired"]' || fail "alerts: $(told "$namespace")"
	expect 21 "$skald" saga start stuck --wait '{"id": "o-4"}'
	groups '[1]' || fail "the next trouble: $(get /v1/attention)"
	wait_for 10 alerts '["new","repaired","new"]' || fail "alerts: $(told "$namespace")"
	get /v1/attention | jq -e '.groups[0] | .owner == "team-pay" and .acknowledged == null' > /dev/null ||
		fail "what was said: $(get /v1/attention)"
	wait_for 5 counted 2 || fail "alerts are not counted"
	expect 2 "$skald" serve --alerts-to nobody --port 0
	complains 'alerts.to names the participant'
	stop_skald
}

try on-sqlite
start_services postgres
STORE=$SKALD_TEST_POSTGRES try on-postgres
