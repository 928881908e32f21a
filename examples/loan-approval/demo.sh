#!/bin/bash
# Starts Skald and the lender on free ports in a temporary folder, asks for four loans that go four
# ways, decides them as the persons who may, and shows what became of each. Leaves nothing behind.
# `make` builds what it needs.
# shellcheck source=examples/lib.sh
source "$(dirname "$0")/../lib.sh"

# Who may decide is configuration of the server.
export SKALD_APPROVALS__GROUPS__UNDERWRITERS="ann, bob, cid"
cat > "$dir/skald.yml" << END
approvals:
  groups:
    credit-heads: [hal]
END
start_skald examples/loan-approval/loan-approval.yaml --config "$dir/skald.yml"

say() { printf '\n== %s\n' "$1"; }
ask() { # ID PERSON AMOUNT REQUESTED-BY [LATE-AFTER]: its saga is in $id
	id=$("$skald" saga start loan-approval "{\"application_id\": \"$1\", \"person_id\": \"$2\", \"amount_minor\": $3,
		\"requested_by\": \"$4\"${5:+, \"late_after\": \"$5\"}}" -o json | sed -n 's/.*"id": *"\([^"]*\)".*/\1/p' | head -n 1)
	[ -n "$id" ] || exit 1
}
# until_step STEP: until the saga is there.
until_step() {
	for ((i = 0; i < 1000; i++)); do
		"$skald" saga show "$id" > "$dir/show"
		grep -Eq "^$1 +running" "$dir/show" && return
		sleep 0.02
	done
	cat "$dir/show" "$dir/log"
	exit 1
}
# decide approve|reject NAME [MORE]: in this name, as the command line tells it.
decide() {
	echo "\$ skald approval $1 \$id review --by $2 ${*:3}"
	"$skald" approval "$1" "$id" review --by "$2" "${@:3}" 2>&1 || echo "(refused)"
}
sign() { "$skald" saga signal "$id" signed --by "the customer" > /dev/null; }
finish() {
	"$skald" saga wait "$id" --timeout 60s > "$dir/end" 2>&1 || true
	"$skald" saga show "$id"
}

say "A small loan for a good score: nobody is asked."
ask l-1 p-4-good 500000 ann
until_step signed
sign
finish

say "A large one: two underwriters decide, but not who asked for it; the second one lowers the amount."
ask l-2 p-17-good 3000000 ann
until_step review
"$skald" approval list --group underwriters
decide approve ann
decide approve bob
decide approve cid --data '{"amount_minor": 2500000}'
until_step signed
"$skald" approval show "$id" review
sign
finish

say "One of them is enough to reject: the customer gets a letter."
ask l-3 p-5 900000 ann
until_step review
decide reject bob --reason "no income"
finish

say "Nobody looks at it in time: the heads are reminded, and may decide, too."
ask l-4 p-6 900000 bob 300ms
until_step review
for ((i = 0; i < 500; i++)); do
	"$skald" approval list --by hal > "$dir/inbox"
	grep -q "$id" "$dir/inbox" && break
	sleep 0.02
done
cat "$dir/inbox"
decide approve ann
decide approve hal
until_step signed
sign
finish
