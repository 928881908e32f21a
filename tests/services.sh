#!/bin/bash
# Private Postgres, Redis and Kafka for tests, on free ports, in a folder of their own:
#
#   tests/services.sh start FOLDER    starts them, prints SKALD_TEST_POSTGRES=…, SKALD_TEST_REDIS=…, SKALD_TEST_KAFKA=…
#   tests/services.sh stop FOLDER     stops what was started there, and removes the folder
#   tests/services.sh restart-postgres FOLDER   as after a crash (-m immediate), on the same port
#   tests/services.sh restart-kafka FOLDER      kill -9, and again on the same port with the same data
#   tests/services.sh stop-kafka FOLDER         kill -9; start-kafka FOLDER starts it again
#   tests/services.sh sql FOLDER DATABASE SQL   runs SQL in a database of it, prints bare rows
#   tests/services.sh cpu FOLDER      CPU seconds that Postgres has used since it was started
#   tests/services.sh run COMMAND…    runs a command beside them, with the variables set
#
# SERVICES="postgres redis kafka" says which; the first two by default. Missing packages are
# installed, and Kafka's jars are fetched once (tests/kafka/broker.sh). Postgres does not
# run as root; then it runs as the user postgres that its package brings.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
services=${SERVICES:-postgres redis}
# shellcheck source=tests/kafka/broker.sh
. "$here/kafka/broker.sh"

wants() { [[ " $services " == *" $1 "* ]]; }

as_postgres() {
	if [ "$(id -u)" = 0 ]; then runuser -u postgres -- "$@"; else "$@"; fi
}

# The folder of Debian's binaries, which are not in PATH; elsewhere whatever PATH has.
postgres_bin() {
	local bins=(/usr/lib/postgresql/*/bin)
	if [ -x "${bins[-1]}/initdb" ]; then echo "${bins[-1]}"; else dirname "$(command -v initdb)"; fi
}

free_port() {
	local port
	while :; do
		port=$((20000 + RANDOM % 12000))
		(: < "/dev/tcp/127.0.0.1/$port") 2> /dev/null || { echo "$port"; return; }
	done
}

data_of() { readlink -f "$1/postgres"; }

postgres_start() { # folder; again with the settings that are there
	local bin
	bin=$(postgres_bin)
	as_postgres "$bin/pg_ctl" -D "$(data_of "$1")" -l "$(data_of "$1")/server.log" -s -w -t 60 start \
		> /dev/null 2>&1 || { tail -n 20 "$1/postgres/server.log" >&2; return 1; }
}

postgres_make() { # folder
	local bin port
	bin=$(postgres_bin)
	port=$(free_port)
	# A folder that its user cannot reach gets a link to one elsewhere.
	if as_postgres test -x "$1"; then mkdir -p "$1/postgres"
	else ln -s "$(mktemp -d /tmp/skald-postgres.XXXXXX)" "$1/postgres"
	fi
	[ "$(id -u)" != 0 ] || chown postgres "$1/postgres/"
	(cd / && as_postgres "$bin/initdb" -D "$(data_of "$1")" -U skald -A trust -E UTF8 --locale=C -N) \
		> "$1/initdb.log" 2>&1 || { cat "$1/initdb.log" >&2; return 1; }
	# No sockets in the file system: a path may be too long for them.
	as_postgres tee -a "$(data_of "$1")/postgresql.conf" > /dev/null <<- SETTINGS
		listen_addresses = '127.0.0.1'
		port = $port
		unix_socket_directories = ''
		max_connections = 200
		shared_buffers = 256MB
		max_wal_size = 4GB
		${POSTGRES_SETTINGS:-}
	SETTINGS
	(cd / && postgres_start "$1")
	echo "SKALD_TEST_POSTGRES=postgresql://skald@127.0.0.1:$port/postgres"
}

postgres_stop() { # folder mode
	[ -e "$1/postgres/postmaster.pid" ] || return 0
	(cd / && as_postgres "$(postgres_bin)/pg_ctl" -D "$(data_of "$1")" -s -w -m "$2" stop) > /dev/null 2>&1 || true
}

redis_start() { # folder
	local port i
	mkdir -p "$1/redis"
	port=$(free_port)
	redis-server --port "$port" --bind 127.0.0.1 --dir "$1/redis" --save '' --appendonly no \
		--daemonize yes --pidfile "$1/redis/pid" --logfile "$1/redis/log" > /dev/null
	for ((i = 0; i < 500; i++)); do
		[ "$(redis-cli -p "$port" ping 2> /dev/null)" = PONG ] && break
		sleep 0.02
	done
	echo "SKALD_TEST_REDIS=redis://127.0.0.1:$port"
}

redis_stop() { # folder
	[ -e "$1/redis/pid" ] || return 0
	kill "$(cat "$1/redis/pid")" 2> /dev/null || true
}

stop() {
	postgres_stop "$1" immediate
	redis_stop "$1"
	kafka_stop "$1"
	[ ! -L "$1/postgres" ] || rm -rf "$(readlink "$1/postgres")"
	rm -rf "$1"
}

start() {
	local packages=()
	wants postgres && packages+=(postgresql)
	wants redis && packages+=(redis-server)
	wants kafka && packages+=(openjdk-17-jre-headless maven)
	"$here/install-deps" "${packages[@]}" >&2
	mkdir -p "$1"
	chmod 755 "$1" # the user postgres passes through
	if wants postgres; then postgres_make "$1"; fi
	if wants redis; then redis_start "$1"; fi
	if wants kafka; then kafka_make "$1"; fi
}

absolute() { mkdir -p "$1" && (cd "$1" && pwd); }

case ${1:-} in
start) start "$(absolute "$2")" ;;
stop) if [ -d "$2" ]; then stop "$(absolute "$2")"; fi ;;
restart-postgres)
	folder=$(absolute "$2")
	postgres_stop "$folder" immediate
	(cd / && postgres_start "$folder")
	;;
restart-kafka)
	kafka_stop "$(absolute "$2")"
	kafka_start "$(absolute "$2")"
	;;
stop-kafka) kafka_stop "$(absolute "$2")" ;;
start-kafka) kafka_start "$(absolute "$2")" ;;
sql)
	port=$(sed -n 4p "$2/postgres/postmaster.pid")
	PGOPTIONS='-c client_min_messages=warning' "$(postgres_bin)/psql" -h 127.0.0.1 -p "$port" -U skald -d "$3" -qAtX -v ON_ERROR_STOP=1 -c "$4"
	;;
cpu)
	pid=$(head -n 1 "$2/postgres/postmaster.pid")
	# Of the backends that are there, and of those that ended.
	cat "/proc/$pid/stat" $(pgrep -P "$pid" | sed 's|.*|/proc/&/stat|') 2> /dev/null |
		awk -v hz="$(getconf CLK_TCK)" -v parent="$pid" '{sub(/.*\) /, "")} {sum += $12 + $13} NR == 1 {sum += $14 + $15} END {printf "%.2f\n", sum / hz}'
	;;
run)
	shift
	# They are there already, as when one run starts them for several.
	if { ! wants postgres || [ -n "${SKALD_TEST_POSTGRES:-}" ]; } &&
		{ ! wants redis || [ -n "${SKALD_TEST_REDIS:-}" ]; } &&
		{ ! wants kafka || [ -n "${SKALD_TEST_KAFKA:-}" ]; }; then exec "$@"; fi
	folder=$(mktemp -d)
	trap 'stop "$folder"' EXIT
	trap 'exit 130' INT TERM
	start "$folder" > "$folder/variables"
	while IFS= read -r line; do export "${line?}"; done < "$folder/variables"
	export SKALD_TEST_SERVICES=$folder
	"$@"
	;;
*)
	sed -n '2,15s/^# \{0,1\}//p' "$0" >&2
	exit 2
	;;
esac
