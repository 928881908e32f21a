#!/bin/bash
# How the dashboard comes into a build: from its sources with Node; from a release tarball, which
# brings it built, without; not at all with DASHBOARD=0; and what a build says that has neither.
source "$(dirname "$0")/lib.sh"

make=${MAKE:-make}
# The programs of this system, but for Node.
mkdir "$dir/bin"
for folder in /usr/local/bin /usr/bin /bin; do ln -s "$folder"/* "$dir/bin/" 2> /dev/null || true; done
(cd "$dir/bin" && rm -f node nodejs npm npx)
without_node() { env -i PATH="$dir/bin" HOME="$dir" "$@"; }
without_node bash -c 'command -v node npm' && fail "Node was not taken away"
[ -s "$build/dashboard/index.html" ] || fail "no dashboard is built in $build"

# The parts of the tree that the build of the dashboard reads.
tree() { # folder
	mkdir -p "$1/coordinator"
	cp Makefile VERSION "$1/"
	cp -R coordinator/dashboard "$1/coordinator/"
	rm -rf "$1/coordinator/dashboard/dist"
}

# Without Node, without a built one: the three ways are named, and the system is not asked first.
tree "$dir/bare"
without_node "$make" --no-print-directory -C "$dir/bare" dashboard > "$dir/out" 2>&1 && fail "was built without Node"
for way in 'make deps' 'make DASHBOARD=0' 'release tarball'; do
	grep -q "$way" "$dir/out" || fail "does not say \`$way\`: $(cat "$dir/out")"
done
without_node "$make" --no-print-directory -C "$dir/bare" DASHBOARD=0 dashboard > "$dir/out" 2>&1 || fail "DASHBOARD=0: $(cat "$dir/out")"
[ ! -e "$dir/bare/build/release/dashboard" ] || fail "DASHBOARD=0 builds it all the same"

# What a release brings: the same files, used as they are.
tree "$dir/release"
cp -R "$build/dashboard" "$dir/release/coordinator/dashboard/dist"
without_node "$make" --no-print-directory -C "$dir/release" dashboard > "$dir/out" 2>&1 || fail "from dist: $(cat "$dir/out")"
diff -r "$build/dashboard" "$dir/release/build/release/dashboard" || fail "dist was changed"
without_node "$make" --no-print-directory -C "$dir/release" -n deps | grep -qw nodejs && fail "deps wants Node all the same"

# And a release has it. (A tree that came as a release cannot make one.)
if git rev-parse --is-inside-work-tree > /dev/null 2>&1; then
	version=$(cat VERSION)
	had=
	[ ! -e "skald-$version.tar.gz" ] || had=1
	"$make" --no-print-directory -s BUILD="$BUILD" dist || fail "make dist"
	tar tzf "skald-$version.tar.gz" > "$dir/files"
	[ -n "$had" ] || rm "skald-$version.tar.gz"
	(cd "$build/dashboard" && find . -type f | sed 's|^\./||' | sort) > "$dir/built"
	sed -n "s|^skald-$version/coordinator/dashboard/dist/\(.*[^/]\)\$|\1|p" "$dir/files" | sort > "$dir/packed"
	diff "$dir/built" "$dir/packed" || fail "the release does not bring the dashboard"
	grep -qx "skald-$version/Makefile" "$dir/files" || fail "the release has no sources"
	grep -q 'node_modules' "$dir/files" && fail "the release brings packages of others"
fi
exit 0
