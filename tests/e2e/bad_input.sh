#!/bin/bash
# Bad input of every kind over HTTP: the right status, a problem document that says where, and a
# server that goes on as if nothing had happened.
source "$(dirname "$0")/lib.sh"

start_participant order_services
mapfile -t shop < <(shop_at)
start_skald "${shop[@]}"
await_skald
expect 0 "$skald" def deploy examples/order-fulfilment/order-fulfilment.yaml

# ask STATUS CODE METHOD PATH [CURL ARGUMENTS...]: the answer is in $dir/answer.
content=application/json
ask() {
	local status=$1 code=$2 method=$3 path=$4 got type
	shift 4
	read -r got type < <(curl -s -m 20 -o "$dir/answer" -w '%{http_code} %{content_type}\n' -X "$method" \
		-H "Content-Type: $content" "$@" "$SKALD_SERVER$path") || true
	[ "$got" = "$status" ] || fail "$method $path: $got instead of $status: $(head -c 600 "$dir/answer")"
	[ "$status" -lt 400 ] && return
	[[ $type == application/problem+json* ]] || fail "$method $path: an error as $type"
	[ "$(jq -r .code "$dir/answer")" = "$code" ] || fail "$method $path: not $code: $(cat "$dir/answer")"
	jq -e '.type and .title and .status and .request_id' "$dir/answer" > /dev/null || fail "$method $path: $(cat "$dir/answer")"
}
answers() { grep -qF "$1" "$dir/answer" || fail "the answer does not say $1: $(cat "$dir/answer")"; }

order() { # id amount
	echo '{"saga": "order-fulfilment", "input": {"order_id": "'"$1"'", "customer_id": "c", "lines": [{"sku": "TEA", "quantity": 1}], "amount_minor": '"$2"', "card": "4242", "ship_to": "Oslo"}}'
}

{ printf '{"saga": "order-fulfilment", "input": {"order_id": "'; head -c $((3 * 1024 * 1024)) /dev/zero | tr '\0' x; printf '"}}'; } > "$dir/large.json"
ask 413 payload_too_large POST /v1/sagas --data-binary "@$dir/large.json"
ask 400 invalid_json POST /v1/sagas -d '{"saga": "order-fulfilment", "input": }'; answers 'line 1'
ask 400 invalid_json POST /v1/sagas -d $'{"saga": "x",\n "saga": "y"}'
content=text/plain ask 415 unsupported_media_type POST /v1/sagas -d 'x'
ask 422 invalid_input POST /v1/sagas -d "$(order o-1 '"many"')"; answers '/input/amount_minor'
ask 422 invalid_input POST /v1/sagas -d '{"saga": "order-fulfilment", "input": {}}'; answers 'order_id'
ask 422 invalid_body POST /v1/sagas -d '{"saga": 7}'; answers '/saga'
ask 404 definition_not_found POST /v1/sagas -d '{"saga": "order-fulfillment"}'; answers 'order-fulfilment'
ask 404 saga_not_found GET /v1/sagas/0198c000-0000-7000-8000-000000000000
ask 404 saga_not_found GET /v1/sagas/nonsense
ask 404 route_not_found GET /v1/sgaas
ask 405 method_not_allowed DELETE /v1/sagas
ask 400 invalid_query GET '/v1/sagas?q=sttus:running'
ask 400 invalid_query GET '/v1/sagas?limit=0'
content=application/yaml ask 422 invalid_definition PUT /v1/definitions/x --data-binary $'saga: x\nsteps:\n  - id: a\n    htpt: {}\n'
answers '"line":'
# A number that cannot be kept is refused, not rounded.
ask 400 invalid_json POST /v1/sagas -d "$(order o-1 12345678901234567890)"

# After all that it works as ever, and nothing of it has left a trace.
ask 200 '' POST /v1/sagas -H 'Prefer: wait=20' -d "$(order o-1 5)"
[ "$(jq -r .status "$dir/answer")" = completed ] || fail "$(cat "$dir/answer")"
ask 422 idempotency_key_reused POST /v1/sagas -d "$(order o-1 6)"
ask 200 '' GET /v1/sagas
[ "$(jq '.sagas | length' "$dir/answer")" = 1 ] || fail "$(cat "$dir/answer")"
id=$(jq -r '.sagas[0].id' "$dir/answer")
ask 404 saga_not_found GET "/v1/sagas/$id" -H 'Skald-Namespace: elsewhere'
ask 409 conflict POST "/v1/sagas/$id/cancel" -d '{"reason": "too late"}'
ask 412 precondition_failed POST "/v1/sagas/$id/cancel" -H 'If-Match: "1"' -d '{}'
stop_skald
