# What the programs in this folder share. Each puts one mistake at a time into a copy of the tree and
# requires a test to find it: a test that finds nothing might look at nothing.
#
# Who sources it sets `targets`, what make has to build for the test; `only`, the names of the
# mutants to try, none for all; `limit`, seconds that the test may take; and defines
#
#   try        runs the test in the tree
#   reason     reads what it printed, and prints why it failed: the assertion or promise by name
#
# Whatever fails without such a reason, as one that crashes or does not end, does not count as caught.
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 1
make=${MAKE:-make}
build=build/release
caught=0 missed=0
tree=$(mktemp -d) && mkdir "$tree/tmp"
trap 'rm -rf "$tree"' EXIT

passes() { # whether the test passes; what it prints goes to a file of the tree
	(
		cd "$tree" || exit 1
		export -f try
		export build seeds TMPDIR="$tree/tmp"
		exec timeout -k 5 "$limit" bash -c try
	) > "$tree/log" 2>&1
}

prepare() {
	# shellcheck disable=SC2086
	"$make" -s -j"$(nproc)" $targets || exit 1
	git ls-files -z --cached --others --exclude-standard | xargs -0 cp -a --parents -t "$tree" 2> /dev/null
	mkdir -p "$tree/$build" && cp -a $build/. "$tree/$build/"
}

unharmed() { # without any mistake the test has to pass
	passes && return
	echo "it fails without any mistake: $(reason < "$tree/log" | head -1)"
	exit 1
}

miss() { # what is said of it
	echo "$1"
	missed=$((missed + 1))
}

mutant() { # name file sed-expression..., each of which has to change something
	local name=$1 file=$2 expression status why start=$SECONDS stale=
	[ -n "$only" ] && [[ " $only " != *" $name "* ]] && return
	cp -a "$tree/$file" "$tree/original"
	for expression in "${@:3}"; do
		cp "$tree/$file" "$tree/before"
		sed -i -E -z "$expression" "$tree/$file"
		! cmp -s "$tree/$file" "$tree/before" || stale=$expression
	done
	if [ -n "$stale" ]; then
		miss "STALE  $name: nothing in $file matches ${stale:0:80}"
	# shellcheck disable=SC2086
	elif ! "$make" -C "$tree" -s -j"$(nproc)" $targets > "$tree/log" 2>&1; then
		miss "BROKEN $name does not compile: $(grep -a -m 1 error "$tree/log")"
	else
		passes
		status=$?
		why=$(reason < "$tree/log" | head -1 | cut -c1-160)
		if [ $status = 0 ]; then
			miss "MISSED $name"
		elif [ -z "$why" ]; then
			miss "UNCLEAR $name: status $status, and no reason: $(tail -n 1 "$tree/log" | cut -c1-120)"
		else
			echo "caught $name in $((SECONDS - start)) s: $why"
			caught=$((caught + 1))
		fi
	fi
	cp -a "$tree/original" "$tree/$file"
	touch "$tree/$file"
}

finish() {
	echo "$caught passed, $missed failed"
	[ "$missed" = 0 ]
}
