# SPDX-License-Identifier: MIT
#
# packages.sh - to be read by the scripts that install what they miss, on Debian and its relatives.

die()
{
	echo "$(basename "$0"): $*" >&2
	exit 1
}

has() { command -v "$1" >/dev/null 2>&1; }

# A compiler without the C library's headers is of no use.
compiles() { echo '#include <stdio.h>' | "${1:-cc}" -E - >/dev/null 2>&1; }

# install PACKAGE...: with apt-get, as root or by sudo
install()
{
	echo "== installing $*" >&2
	has apt-get || die "please install $*: this system has no apt-get to do it with"
	sudo=
	if [ "$(id -u)" -ne 0 ]; then
		has sudo || die "please install $* as root: there is no sudo here"
		sudo=sudo
	fi
	log=$(mktemp)
	# Without lists, or with old ones, the packages are not found: get new ones then.
	for attempt in install update; do
		[ $attempt = install ] || $sudo apt-get update -q >>"$log" 2>&1 || :
		if $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -qy \
			--no-install-recommends "$@" >>"$log" 2>&1 </dev/null; then
			rm -f "$log"
			return
		fi
	done
	tail -n 20 "$log" >&2
	rm -f "$log"
	die "apt-get cannot install $*"
}

# quietly COMMAND...: prints (the end of) its output only if it fails
quietly()
{
	log=$(mktemp)
	"$@" >"$log" 2>&1 || {
		tail -n 60 "$log" >&2
		rm -f "$log"
		die "this failed: $*"
	}
	rm -f "$log"
}

# configure BUILD OPTION...: cmake, with ninja if it is there; a build directory keeps its generator
configure()
{
	dir=$1
	shift
	if ! [ -f "$dir/CMakeCache.txt" ] && has ninja; then
		set -- -GNinja "$@"
	fi
	quietly cmake -S "$root" -B "$dir" "$@"
}
