#!/bin/sh
# Builds railcni_hca.ko with the compiler and kernel headers of a Debian root, and prints its path.
#
#   build.sh ROOT CACHE_DIR [KERNEL]
#
# ROOT is only read: what is written goes to CACHE_DIR, under a name that has the hash of the sources
# and of the kernel's symbols, so that it is built only when one of them has changed. KERNEL is a
# directory name of ROOT/lib/modules; without it, the newest one that has headers.
set -eu

[ $# -ge 2 ] || { sed -n '2,8s/^# \{0,1\}//p' "$0" >&2; exit 2; }
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$1" && pwd -P)
mkdir -p "$2"
cache=$(cd "$2" && pwd -P)

kernel=${3:-}
if [ -z "$kernel" ]; then
	kernel=$(cd "$root/lib/modules" && for k in *; do
		if [ -e "$root/usr/src/linux-headers-$k/Module.symvers" ]; then echo "$k"; fi
	done | sort -V | tail -n 1)
fi
symbols=$root/usr/src/linux-headers-$kernel/Module.symvers
if [ -z "$kernel" ] || [ ! -e "$symbols" ]; then
	echo "build.sh: no kernel headers in $root" >&2
	exit 1
fi

hash=$(cd "$here" && cat "$symbols" build.sh Makefile ./*.h ./*.c | sha256sum | cut -c 1-16)
module=$cache/railcni_hca-$kernel-$hash.ko
if [ -e "$module" ]; then
	touch -c "$module"
	echo "$module"
	exit 0
fi

work=$(mktemp -d "$cache/build.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM
cp "$here"/*.c "$here"/*.h "$here"/Makefile "$work"

# The root is entered in a mount namespace of our own; as another user, a user namespace too.
as_root=
[ "$(id -u)" = 0 ] || as_root=--map-root-user
# shellcheck disable=SC2016,SC2086  # $1 to $3 are the inner shell's; as_root may be nothing
if ! unshare $as_root --mount sh -euc '
	mount --rbind /dev "$1/dev"
	mount --rbind /proc "$1/proc"
	mount --bind "$2" "$1/tmp"
	exec chroot "$1" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/tmp LC_ALL=C \
		make -s -C "/usr/src/linux-headers-$3" M=/tmp modules
' sh "$root" "$work" "$kernel" > "$work/log" 2>&1; then
	cat "$work/log" >&2
	echo "build.sh: the module was not built" >&2
	exit 1
fi
# Warnings are worth seeing, but for those about files that Debian's headers do not have.
grep -v 'Skipping BTF generation\|vmlinux' "$work/log" >&2 || true
mv "$work/railcni_hca.ko" "$module"
# Of the older ones a few are kept: other branches use the same cache.
# shellcheck disable=SC2012  # the names are ours
ls -t "$cache"/railcni_hca-*.ko | tail -n +9 | xargs -r rm -f
echo "$module"
