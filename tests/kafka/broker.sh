# Apache Kafka for tests, a single node that is broker and controller; sourced by tests/services.sh.
#
# The jars are fetched by Maven once, into a cache outside of the checkout: SKALD_TEST_CACHE, else
# skald-tests in the user's cache folder. KAFKA_JAVA_OPTS and KAFKA_SETTINGS (lines of
# server.properties) are added to what stands here.

kafka_jars() { # prints the folder that holds them
	local cache version
	version=$(cksum < "$here/kafka/pom.xml")
	cache=${SKALD_TEST_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/skald-tests}/kafka-${version%% *}
	if [ ! -d "$cache" ]; then
		mkdir -p "$(dirname "$cache")"
		(
			flock 9
			[ ! -d "$cache" ] || exit 0
			fresh=$(mktemp -d "$cache.XXXXXX")
			for try in 1 2 3; do
				mvn -q -B -f "$here/kafka/pom.xml" dependency:copy-dependencies -DincludeScope=runtime \
					-DoutputDirectory="$fresh" > "$fresh.log" 2>&1 && break
				[ $try != 3 ] || { cat "$fresh.log" >&2; exit 1; }
				sleep 2
			done
			rm -f "$fresh.log"
			mv "$fresh" "$cache"
		) 9> "$cache.lock" || return 1
	fi
	echo "$cache"
}

kafka_java() { # folder class arguments…
	local folder=$1
	shift
	# The first tier of the compiler is enough, and spares the tests' cores while the broker warms up.
	# In a session of its own, for a test that is ended by a signal to its group must not take it along.
	exec setsid java -Xms64m -Xmx512m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 ${KAFKA_JAVA_OPTS:-} \
		-Dlog4j2.configurationFile="$here/kafka/log4j2.properties" \
		-cp "$(kafka_jars)/*" "$@" < /dev/null >> "$folder/kafka/log" 2>&1
}

kafka_port() { sed -n 's|^listeners=PLAINTEXT://127.0.0.1:\([0-9]*\).*|\1|p' "$1/kafka/server.properties"; }

# Does it answer (ApiVersions)? Its port is open well before it serves requests.
kafka_answers() { # port
	(
		exec 3<> "/dev/tcp/127.0.0.1/$1" || exit 1
		printf '\0\0\0\012\0\022\0\0\0\0\0\1\377\377' >&3
		[ "$(timeout 2 head -c 4 <&3 | wc -c)" = 4 ]
	) 2> /dev/null
}

kafka_start() { # folder; again with the settings and the data that are there
	local i pid port
	port=$(kafka_port "$1")
	(cd / && kafka_java "$1" kafka.Kafka "$1/kafka/server.properties") &
	pid=$!
	disown "$pid"
	echo "$pid" > "$1/kafka/pid"
	for ((i = 0; i < 600; i++)); do
		kafka_answers "$port" && return 0
		kill -0 "$pid" 2> /dev/null || break
		sleep 0.1
	done
	tail -n 30 "$1/kafka/log" >&2
	return 1
}

kafka_stop() { # folder; kill -9, and waits until it is gone
	local i pid
	[ -e "$1/kafka/pid" ] || return 0
	pid=$(cat "$1/kafka/pid")
	kill -9 "$pid" 2> /dev/null || true
	# It may stay for a while as a zombie that nobody asks after.
	for ((i = 0; i < 500; i++)); do
		grep -q '^State:.[^ZX]' "/proc/$pid/status" 2> /dev/null || break
		sleep 0.02
	done
	rm -f "$1/kafka/pid"
}

kafka_make() { # folder
	local port control
	mkdir -p "$1/kafka"
	port=$(free_port)
	control=$(free_port)
	# A broker that was killed is let in again only when its session has ended; hence the short one.
	cat > "$1/kafka/server.properties" <<- SETTINGS
		process.roles=broker,controller
		node.id=1
		controller.quorum.voters=1@127.0.0.1:$control
		listeners=PLAINTEXT://127.0.0.1:$port,CONTROLLER://127.0.0.1:$control
		advertised.listeners=PLAINTEXT://127.0.0.1:$port
		controller.listener.names=CONTROLLER
		inter.broker.listener.name=PLAINTEXT
		listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT
		broker.session.timeout.ms=1500
		broker.heartbeat.interval.ms=300
		log.dirs=$1/kafka/data
		num.partitions=4
		auto.create.topics.enable=false
		offsets.topic.num.partitions=4
		offsets.topic.replication.factor=1
		transaction.state.log.num.partitions=2
		transaction.state.log.replication.factor=1
		transaction.state.log.min.isr=1
		share.coordinator.state.topic.replication.factor=1
		share.coordinator.state.topic.min.isr=1
		group.initial.rebalance.delay.ms=0
		log.cleaner.dedupe.buffer.size=8388608
		${KAFKA_SETTINGS:-}
	SETTINGS
	(kafka_java "$1" kafka.tools.StorageTool format -t c2thbGQtdGVzdHMtMDAwMA \
		-c "$1/kafka/server.properties") || { cat "$1/kafka/log" >&2; return 1; }
	kafka_start "$1" || return 1
	echo "SKALD_TEST_KAFKA=127.0.0.1:$port"
}
