#!/bin/bash
# The command line against a running server: what it prints, and its exit codes.
source "$(dirname "$0")/lib.sh"

# ---- without a server ----
expect 0 "$skald" --help; says 'Usage: skald COMMAND'; says 'saga start'
expect 0 "$skald" saga --help; says 'saga history'
expect 0 "$skald" saga start --help; says 'Examples:'; says '--idempotency-key'
expect 0 "$skald" help saga start; says 'Usage: skald saga start NAME [INPUT]'
expect 0 "$skald" help exit-codes; says '124'
expect 0 "$skald" version; says "skald $(cat VERSION)"
expect 0 "$skald" --version; says "skald $(cat VERSION)"
expect 2 "$skald"; complains 'Usage: skald'
expect 2 "$skald" sagga; complains 'did you mean `saga`?'
expect 2 "$skald" saga strat; complains 'did you mean `saga start`?'
expect 2 "$skald" saga list --limt 5; complains 'did you mean --limit?'
expect 2 "$skald" saga list --limit; complains 'needs a value'
expect 2 "$skald" saga list --limit many; complains '--limit is a number'
expect 2 "$skald" saga list -o xml; complains 'table, json, jsonl or yaml'
expect 2 "$skald" saga show; complains 'needs ID'
expect 2 "$skald" saga show a b; complains 'unexpected argument `b`'
expect 2 "$skald" version --server x; complains '--server'
expect 6 "$skald" saga list; complains 'skald dev'
for shell in bash zsh fish; do expect 0 "$skald" completion $shell; says 'history'; done
"$skald" completion bash | bash -n
expect 2 "$skald" completion tcsh; complains 'bash, zsh and fish'

# Every command has help, and every help an example.
while read -r command; do
	# shellcheck disable=SC2086
	expect 0 "$skald" $command --help; says "Usage: skald $command"
done < <("$skald" --help | sed -nE 's/^  ([a-z]+( [a-z]+)?)  .*/\1/p')

# ---- definitions, without a server ----
cat > "$dir/ten.yaml" <<'YAML'
saga: ten
inptu: {}
deadline: soon
participants:
  stock: {timeout: 3 apples}
steps:
  - id: a
    http: {to: stock, path: /a}
  - id: a
    http: {to: stok, method: GET, path: /b}
  - id: c
    needs: [chrage]
    http: {to: stock, method: GET, path: "/${input.}"}
  - id: d
    http: {to: stock, method: POST, path: /d}
  - id: e
    pivot: maybe
    set: {x: "${steps.zzz.output}"}
  - id: f
    retry: {maximum_attempts: -1}
    fail: {message: no code}
  - {id: g}
YAML
expect 1 "$skald" def validate "$dir/ten.yaml"
errors=$(grep -c ': error: ' <<< "$out")
[ "$errors" -ge 10 ] || fail "ten errors, and $errors were reported:"$'\n'"$out"
grep -qE 'ten\.yaml:2: error: .*did you mean .?input' <<< "$out" || fail "no line 2 with a suggestion:"$'\n'"$out"
grep -q 'at /steps/' <<< "$out" || fail "no pointer:"$'\n'"$out"
expect 1 "$skald" def validate "$dir/ten.yaml" -o json
[ "$(jq length <<< "$out")" -ge 10 ] || fail "the JSON form lacks findings"
printf '{"saga": "x",\n  "steps": [}' > "$dir/broken.json"
expect 1 "$skald" def validate "$dir/broken.json"; says 'broken.json:2: error: '
expect 3 "$skald" def validate "$dir/none.yaml"
mapfile -t definitions < <(find examples -mindepth 2 -maxdepth 2 -name '*.yaml' ! -name '*.test.yaml')
expect 0 "$skald" def validate "${definitions[@]}"; says 'ok: saga order-fulfilment'
expect 0 "$skald" def validate examples/subscription/subscription.yaml; says "ok: saga subscription, $(grep -c "^  - " examples/subscription/subscription.yaml) steps"
"$skald" def validate - < examples/payment/payment.yaml > "$dir/out"; grep -q 'saga payment' "$dir/out"
expect 0 "$skald" def graph examples/order-fulfilment/order-fulfilment.yaml; says 'reserve'
expect 0 "$skald" def graph --format dot examples/payment/payment.yaml; says 'digraph'
expect 0 "$skald" def graph --format mermaid examples/payment/payment.yaml; says 'flowchart'
expect 2 "$skald" def graph --format png examples/payment/payment.yaml

# ---- configuration ----
printf 'server:\n  port: 1\n  prot: 2\nparticipants: {x: {ulr: http://x}}\n' > "$dir/bad.yaml"
expect 2 "$skald" serve --config "$dir/bad.yaml"
complains 'bad.yaml:3: error: unknown key `prot`; did you mean `port`?'
complains 'did you mean `url`?'
expect 2 env SKALD_STORE__PAHT=/x "$skald" serve --print-config; complains 'did you mean store.path?'
expect 2 "$skald" serve --port 99999; complains '--port: error: server.port lies between'
expect 0 env SKALD_PARTICIPANTS__X__URL=http://u:hunter2@x \
	SKALD_PARTICIPANTS__X__HEADERS__AUTHORIZATION=hunter2 "$skald" serve --print-config
says 'authorization: "***"'
[[ $out != *hunter2* ]] || fail 'a secret was printed'
expect 1 "$skald" serve --port "$port" --store /proc/none/skald.db

# ---- with a server ----
start_participant order_services
mapfile -t shop < <(shop_at)
start_skald "${shop[@]}"
await_skald
expect 1 "$skald" serve --port "$port" --store "$dir/other/skald.db"; complains 'in use'
expect 0 "$skald" def list; says 'NAME'
expect 3 "$skald" saga start order-fulfilment '{}'
expect 0 "$skald" def deploy --dry-run examples/order-fulfilment/order-fulfilment.yaml
expect 3 "$skald" def list order-fulfilment
expect 0 "$skald" def deploy examples/order-fulfilment/order-fulfilment.yaml; says 'version 1'
expect 0 "$skald" def deploy examples/order-fulfilment/order-fulfilment.yaml; says 'was there already'
expect 1 "$skald" def deploy "$dir/ten.yaml"; complains 'ten.yaml:2'
expect 0 "$skald" def list order-fulfilment -o yaml; says 'version: 1'

order() { # id card
	printf '{"order_id": "%s", "customer_id": "c", "lines": [{"sku": "TEA", "quantity": 2}], "amount_minor": 1999, "card": "%s", "ship_to": "Oslo"}' "$1" "$2"
}
order o-1 4242 > "$dir/order.json"
expect 0 "$skald" saga start order-fulfilment "@$dir/order.json" --wait --timeout 20s; says 'completed'
expect 0 "$skald" saga start order-fulfilment "@$dir/order.json" -o json
id=$(jq -r .id <<< "$out")
[ "$(jq -r .status <<< "$out")" = completed ] || fail "the same order again is not the same saga: $out"
expect 5 "$skald" saga start order-fulfilment "$(order o-1 0000)"; complains 'another'
expect 20 "$skald" saga start order-fulfilment --wait "$(order o-2 0002)"; says 'compensated'
undone=$("$skald" saga list key:o-2 -o jsonl | jq -r .id)
expect 20 "$skald" saga wait "$undone" --timeout 5s
expect 20 "$skald" saga watch "$undone"; says 'CompensationCompleted'; says 'SagaCompensated'
expect 0 "$skald" saga show "$undone"; says 'card_declined'; says 'COMPENSATION'; says 'reserve[0]'
expect 0 "$skald" saga show "$undone" --at 1; says 'running'
expect 0 "$skald" saga show "$undone" --at 1 -o json
[ "$(jq -r .status <<< "$out")" = running ] || fail "not as it stood at its first row: $out"
expect 3 "$skald" saga show "$undone" --at 100000; complains 'history'
expect 2 "$skald" saga show "$undone" --at 0; complains 'at'
expect 0 "$skald" saga show "$id" -o json
[ "$(jq -r .output.tracking <<< "$out" | cut -c1-6)" = TRACK- ] || fail "no output: $out"
expect 0 "$skald" saga history "$id"; says 'SagaStarted'; says 'SagaCompleted'
expect 0 "$skald" saga history "$id" -o jsonl
[ "$(tail -n 1 <<< "$out" | jq -r .type)" = SagaCompleted ] || fail "history as lines: $out"
expect 0 "$skald" saga list status:completed -o json; [ "$(jq length <<< "$out")" = 1 ] || fail "filter: $out"
expect 0 "$skald" saga list 'saga:order-*' --limit 1 -o json; [ "$(jq length <<< "$out")" = 1 ] || fail "limit: $out"
expect 0 "$skald" saga list --all -o json; [ "$(jq length <<< "$out")" = 2 ] || fail "all: $out"
expect 1 "$skald" saga list sttus:completed; complains 'did you mean status'

# What is wrong with the input is said with its place.
expect 1 "$skald" saga start order-fulfilment '{"order_id": 7}'; complains '/input/order_id'
expect 1 "$skald" saga start order-fulfilment '{"order_id": '; complains 'not valid JSON'
expect 3 "$skald" saga start ordr-fulfilment '{}'; complains 'order-fulfilment'
expect 3 "$skald" saga show 0198c000-0000-7000-8000-000000000000
expect 3 "$skald" saga history nonsense
expect 3 "$skald" --namespace elsewhere saga show "$id"
expect 5 "$skald" saga cancel "$id" --reason 'too late'

# A saga that waits can be watched, waited for in vain, and cancelled or terminated.
cat > "$dir/wait.yaml" <<'YAML'
saga: wait
steps:
  - id: reserve
    http: {to: stock, method: PUT, path: "/reservations/${step.uuid}", body: {sku: TEA}}
    compensate:
      http: {to: stock, method: DELETE, path: "/reservations/${step.uuid}"}
  - id: sleep
    await: {after: 1h}
YAML
expect 0 "$skald" def deploy "$dir/wait.yaml"
expect 0 "$skald" saga start wait -o json; id=$(jq -r .id <<< "$out")
expect 124 "$skald" saga wait "$id" --timeout 300ms
expect 124 "$skald" saga watch "$id" --timeout 300ms --interval 50ms; says 'SagaStarted'
expect 5 "$skald" saga cancel "$id" --if-match 999
expect 0 "$skald" saga cancel "$id" --reason 'changed my mind'
expect 20 "$skald" saga wait "$id" --timeout 20s
expect 0 "$skald" saga history "$id"; says 'changed my mind'
expect 0 "$skald" saga start wait --key k-1 -o json; id=$(jq -r .id <<< "$out")
expect 0 "$skald" saga start wait --key k-1 -o json; [ "$(jq -r .id <<< "$out")" = "$id" ] || fail "key"
expect 0 "$skald" saga terminate "$id" --reason 'by hand'
expect 22 "$skald" saga wait "$id" --timeout 20s
expect 0 "$skald" bench --saga order-fulfilment --concurrency 4 --seconds 1 -o json \
	--input '{"order_id": "b-{n}", "customer_id": "c", "lines": [{"sku": "TEA", "quantity": 1}], "amount_minor": 1, "card": "1", "ship_to": "Oslo"}'
[ "$(jq '.completed > 0 and .errors == 0' <<< "$out")" = true ] || fail "bench: $out"
stop_skald
