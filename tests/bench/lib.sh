# What the benchmarks of this folder share. They set build, dir (emptied for each measurement),
# services (a folder) and store, and add the programs that they start to pids.
pids=()

end() {
	if [ ${#pids[@]} -gt 0 ]; then
		kill "${pids[@]}" 2> /dev/null || true
		wait "${pids[@]}" 2> /dev/null || true
	fi
	pids=()
}

# Prints the address that a program says it listens on, once it does.
address() {
	local log=$1 i found
	for ((i = 0; i < 1000; i++)); do
		found=$(grep -aom 1 -E '(listening on|listens on|serves) (http://)?[0-9.]+:[0-9]+' "$log" 2> /dev/null || true)
		if [ -n "$found" ]; then
			found=${found##* }
			echo "${found#http://}"
			return
		fi
		sleep 0.01
	done
	cat "$log" >&2
	echo "nothing listens: $log" >&2
	return 1
}

# Waits until the server at an address is ready.
ready() {
	local i
	for ((i = 0; i < 1000; i++)); do
		curl -fs "http://$1/readyz" > /dev/null && return
		sleep 0.01
	done
	return 1
}

# The size of the store in bytes.
stored() {
	case $store in
	postgres) tests/services.sh sql "$services" bench "SELECT pg_database_size('bench')" ;;
	*) stat -c %s "$dir"/data/skald.db* | awk '{sum += $1} END {print sum + 0}' ;;
	esac
}

# Makes an empty store and prints its address.
fresh() {
	case $store in
	postgres)
		tests/services.sh sql "$services" postgres 'DROP DATABASE IF EXISTS bench WITH (FORCE)'
		tests/services.sh sql "$services" postgres 'CREATE DATABASE bench'
		echo "${postgres_url%/*}/bench"
		;;
	*)
		rm -rf "$dir/data"
		mkdir "$dir/data"
		echo "$dir/data/skald.db"
		;;
	esac
}

# CPU seconds of the store's own processes.
store_cpu() {
	case $store in
	postgres) tests/services.sh cpu "$services" ;;
	*) echo 0 ;;
	esac
}

known_store() {
	case $1 in
	sqlite | postgres) ;;
	*)
		echo "no such store: $1; there are: sqlite postgres" >&2
		exit 2
		;;
	esac
}

known_scenario() {
	if [ ! -e "tests/bench/$1.yaml" ]; then
		echo "no such scenario: $1; there are:" tests/bench/*.yaml >&2
		exit 2
	fi
}
