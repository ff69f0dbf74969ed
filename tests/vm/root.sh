#!/bin/sh
# Makes a root file system of Debian packages in the cache, and prints its path. Nothing is installed
# on this machine: the packages are unpacked into a folder, without their maintainer scripts.
# Usage: root.sh [KERNEL]
# KERNEL is 6.12 (when it is left out), 6.1 or newest. The root of 6.12 is a whole Debian trixie: the
# kernel, the QEMU that runs it and the guest's tools, together. The others have their kernel and what
# builds modules for it, and are used beside that one.
set -eu

kernel=${1:-6.12}
suites=trixie
packages="?essential base-files linux-image-amd64 linux-headers-amd64 gcc make kmod"
case $kernel in
  6.1) suites=bookworm ;;
  6.12)
    packages="$packages qemu-system-x86 busybox-static
      iproute2 iputils-ping ethtool rdma-core ibverbs-utils containernetworking-plugins
      libstdc++6 procps strace util-linux"
    ;;
  # Debian's newest release candidates aside; sid often has an older one, and no compiler of trixie's.
  newest) suites="trixie trixie-backports" ;;
  *)
    echo "vm: there is no kernel \"$kernel\": 6.1, 6.12 or newest" >&2
    exit 2
    ;;
esac
suite=${suites##* }

cache=${RAILCNI_CACHE:-${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/railcni}
# The script is what decides what is in the root.
root=$cache/vm-$(sha256sum "$0" | cut -c 1-12)-$kernel

if [ -d "$root" ]; then
  echo "$root"
  exit
fi

mkdir -p "$cache"
# Of two that start together one makes the root, and the other waits for it.
exec 9>"$cache/vm-root-$kernel.lock"
flock 9
if [ -d "$root" ]; then
  echo "$root"
  exit
fi

echo "==> unpacking a $suite root with kernel $kernel for the VM tests into $root" >&2
work=$root.part
rm -rf "$work"
mkdir -p "$work/apt/lists/partial" "$work/apt/archives/partial" "$work/root"

# URIs of the machine's own sources of the Debian release that it runs, from both forms of the
# files; third parties' sources have suites of other names.
own_suite=$(. /etc/os-release && echo "$VERSION_CODENAME")
debian_uris() {
  cat /etc/apt/sources.list /etc/apt/sources.list.d/*.list 2>/dev/null |
    sed -n 's/^deb[[:space:]]\+\(\[[^]]*\][[:space:]]*\)\?//p' |
    while read -r uri name _; do [ "$name" != "$own_suite" ] || echo "$uri"; done
  for file in /etc/apt/sources.list.d/*.sources; do
    [ -f "$file" ] || continue
    # One stanza a record, one field a line.
    awk -v suite="$own_suite" 'BEGIN { RS = ""; FS = "\n" } {
      uris = ""; ours = 0
      for (i = 1; i <= NF; i++) {
        n = split($i, word, /[ \t]+/)
        for (j = 2; j <= n; j++) {
          if (tolower(word[1]) == "uris:") uris = uris word[j] "\n"
          if (tolower(word[1]) == "suites:" && word[j] == suite) ours = 1
        }
      }
      if (ours) printf "%s", uris
    }' "$file"
  done
}
debian_uris | sort -u | while read -r uri; do
  for each in $suites; do
    echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $uri $each main"
  done
done >"$work/apt/sources.list"
[ -s "$work/apt/sources.list" ] || {
  echo "vm: no source of $own_suite is in /etc/apt, whose mirror could serve" >&2
  exit 1
}

# An apt that knows no installed package, and keeps everything in the folder.
apt() {
  apt-get -qq -o Dir::State="$work/apt" -o Dir::State::Lists="$work/apt/lists" \
    -o Dir::State::status=/dev/null -o Dir::Cache="$work/apt" \
    -o Dir::Etc::SourceList="$work/apt/sources.list" -o Dir::Etc::SourceParts=/dev/null \
    -o Dir::Etc::Preferences=/dev/null -o Dir::Etc::PreferencesParts=/dev/null \
    -o APT::Sandbox::User=root -o Acquire::Languages=none -o APT::Install-Recommends=false \
    -o APT::Get::AllowUnauthenticated=false -o APT::Update::Error-Mode=any "$@" >&2
}
apt update
# shellcheck disable=SC2086  # a list
apt install --yes --download-only --target-release "$suite" $packages

# base-files first: it has the links /bin -> usr/bin and so on.
for deb in "$work"/apt/archives/base-files_*.deb "$work"/apt/archives/*.deb; do
  dpkg-deb --fsys-tarfile "$deb" | tar -x -C "$work/root" --keep-directory-symlink
done
rm -rf "$work/root/usr/share/doc" "$work/root/usr/share/man" "$work/root/usr/share/locale"

# What the maintainer scripts would have done, as far as it is needed.
echo 'root:x:0:0:root:/root:/bin/sh' >"$work/root/etc/passwd"
echo 'root:x:0:' >"$work/root/etc/group"
ln -s mawk "$work/root/usr/bin/awk"
for modules in "$work"/root/lib/modules/*; do
  chroot "$work/root" /sbin/depmod "${modules##*/}"
done

mv "$work/root" "$root"
rm -rf "$work"
echo "$root"
