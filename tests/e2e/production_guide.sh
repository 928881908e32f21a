#!/bin/bash
# The guide examples/production/README.md is true: its blocks marked `sh` are executed one after
# another, as somebody would who has Postgres and Redis, on private servers and free ports.
source "$(dirname "$0")/lib.sh"

{ [ -n "${SKALD_TEST_POSTGRES:-}" ] && [ -n "${SKALD_TEST_REDIS:-}" ]; } ||
	exec tests/services.sh run "$0" "$@"

swaps=() # of what stands in the guide for what is free here
swap() { swaps+=(-e "s|$1|$2|g"); }
swap 127.0.0.1:5432/skald "127.0.0.1:5432/guide_$$"
swap 'DATABASE skald' "DATABASE guide_$$"
swap 127.0.0.1:5432 "$(sed -E 's|.*@([^/]*)/.*|\1|' <<< "$SKALD_TEST_POSTGRES")"
swap 127.0.0.1:6379 "${SKALD_TEST_REDIS#redis://}"
# Told apart by more than chance: a port that is free twice is no port for two.
ports=()
while [ ${#ports[@]} -lt 5 ]; do
	p=$(free_port)
	[[ " ${ports[*]-} " == *" $p "* ]] || ports+=("$p")
done
nodes="${ports[*]:1}"
swap ':9000' ":${ports[0]}"
swap '--port 9000' "--port ${ports[0]}"
# shellcheck disable=SC2016
{
	swap '788\$n' '${nodes[n - 1]}'
	swap '\$PWD/examples/production/skald.yml' '$RUN/skald.yml'
}
for n in 1 2 3 4; do swap "788$n" "${ports[n]}"; done
swap 'RUN=/tmp/skald-production' "RUN='$dir/run'"
swap "build/release" "${build#"$PWD/"}"

mkdir "$dir/run"
sed "${swaps[@]}" examples/production/skald.yml > "$dir/run/skald.yml"
{
	echo "set -euo pipefail; nodes=($nodes)"
	awk '/^```sh$/ {on = 1; next} /^```$/ {on = 0} on' examples/production/README.md | sed "${swaps[@]}"
} > "$dir/guide.sh"

bash "$dir/guide.sh" > "$dir/guide.log" 2>&1 < /dev/null &
guide=$!
pids+=("$guide")
ended_with=0
wait_for 120 not_running "$guide" || ended_with=124
[ $ended_with != 0 ] || wait "$guide" || ended_with=$?
forget "$guide"
if [ $ended_with != 0 ]; then # what it started and did not come to stop
	for file in "$dir"/run/*.pid; do kill -9 "$(< "$file")" 2> /dev/null || true; done
	tail -n 20 "$dir"/run/*.log >&2
	fail "the guide ended with $ended_with"
fi

# And what it says happened.
url=${SKALD_TEST_POSTGRES%/*}/guide_$$
[ "$(psql "$url" -Atc "SELECT string_agg(key || ' ' || status, ',' ORDER BY key) FROM sagas")" = 'o-1001 completed,o-1002 completed' ] ||
	fail "not the two orders of the guide"
grep -q 'CREATE TABLE' "$dir/run/plan.sql" || fail "the plan is empty"
pg_restore -l "$dir/run/skald.dump" > "$dir/restored" || fail "the backup is none"
grep -q 'TABLE DATA public history' "$dir/restored" || fail "the backup has no history"
grep -q '^state     up to date' "$dir/guide.log" || fail "the schema is not up to date"
for n in 1 2 4; do
	grep -q 'stopping' "$dir/run/node$n.log" || fail "node $n was not drained"
done

# The compose file names the settings that there are, and is YAML.
grep -oE '^ +SKALD_[A-Z_0-9]+' examples/production/compose.yml | sort -u | while read -r name; do
	case $name in
	SKALD_PARTICIPANTS__*) continue ;;
	esac
	setting=$(tr 'A-Z' 'a-z' <<< "${name#SKALD_}" | sed 's/__/./')
	grep -q "^| \`$setting\`" docs/configuration.md || fail "compose.yml: there is no setting $setting"
done
