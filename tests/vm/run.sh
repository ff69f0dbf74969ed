#!/bin/sh
# Boots a VM with SR-IOV NICs and runs the tests of a lane in it, against the build's own binary.
# Usage: run.sh BUILD LANE [PATTERN]
# LANE is the tests' tag, PATTERN a Catch2 test specification that replaces it.
# RAILCNI_VM_SCRIPT=FILE runs that shell script in the VM instead of the tests.
set -eu

build=$(cd "$1" && pwd)
lane=$2
pattern=${3:-}
here=$(cd "$(dirname "$0")" && pwd)
root=$("$here/root.sh")
# Well above what a lane takes on a slow machine.
limit=${RAILCNI_VM_TIMEOUT:-1500}

work=$(mktemp -d)
qemu=
cleanup() {
  [ -z "$qemu" ] || kill "$qemu" 2>/dev/null || true
  rm -rf "$work"
}
trap cleanup EXIT
trap 'exit 130' INT TERM HUP
mkdir "$work/out" "$work/initramfs" "$work/initramfs/bin" "$work/initramfs/modules" \
  "$work/initramfs/dev"
printf '%s' "$pattern" >"$work/out/pattern"
[ -z "${RAILCNI_VM_SCRIPT:-}" ] || cp "$RAILCNI_VM_SCRIPT" "$work/out/script"

# What init needs before it has a root: busybox, and the modules that make the root.
kernel=$(ls "$root/lib/modules")
busybox=$root/bin/busybox
cp "$busybox" "$work/initramfs/bin/"
cp "$here/init" "$here/guest.sh" "$work/initramfs/"
chroot "$root" /sbin/modprobe -S "$kernel" -D -a 9pnet_virtio 9p overlay |
  while read -r _ module; do
    name=$(basename "$module" .xz)
    [ ! -f "$work/initramfs/modules/$name" ] || continue
    "$busybox" unxz -c "$root$module" >"$work/initramfs/modules/$name"
    echo "$name" >>"$work/initramfs/modules/order"
  done
(cd "$work/initramfs" && find . | "$busybox" cpio -o -H newc 2>/dev/null) >"$work/initramfs.cpio"

# nic NUMBER HUB: an igb, the NIC that QEMU emulates SR-IOV for, as PCI function 0000:0NUMBER:00.0.
# Those on one hub are on one wire.
nic() {
  echo "-device pcie-root-port,id=port$1,slot=$1,chassis=$1"
  echo "-netdev hubport,id=net$1,hubid=$2"
  echo "-device igb,bus=port$1,netdev=net$1,mac=52:54:00:00:00:0$1,romfile="
}
# share TAG FOLDER OPTIONS
share() {
  echo "-fsdev local,id=$1,path=$2,security_model=none,multidevs=remap$3"
  echo "-device virtio-9p-pci,fsdev=$1,mount_tag=$1"
}

# The IOMMU is for vfio-pci, which binds to nothing without one.
# With a periodic tick (nohz, highres) a timer interrupt that the emulation loses on a busy machine
# is made up for by the next; without one, that CPU would sleep for good.
# QEMU comes from the root, too, with its own C library.
start_vm() {
  # shellcheck disable=SC2046  # lists; the folders' names are ours, but for spaces in them
  timeout "$limit" "$root/lib64/ld-linux-x86-64.so.2" --library-path "$root/lib/x86_64-linux-gnu" \
    "$root/usr/bin/qemu-system-x86_64" -L "$root/usr/share/qemu" -L "$root/usr/share/seabios" \
    -nodefaults -no-user-config -no-reboot -display none \
    -M q35 -device intel-iommu -accel tcg,thread=multi -cpu max -m 2G -smp 2 \
    -serial "file:$work/console" -serial stdio \
    -kernel "$root/boot/vmlinuz-$kernel" -initrd "$work/initramfs.cpio" \
    -append "console=ttyS0 panic=-1 oops=panic quiet nohz=off highres=off intel_iommu=on iommu=pt rdinit=/init railcni.lane=$lane" \
    $(nic 1 1) $(nic 2 1) $(nic 3 2) $(nic 4 2) \
    $(share root "$root" ,readonly=on) $(share build "$build" ,readonly=on) \
    $(share out "$work/out" "") </dev/null 2>"$work/qemu" &
  qemu=$!
}

# True when the guest has got as far as its own script within two minutes (it takes ten seconds).
has_booted() {
  for _ in $(seq 120); do
    [ ! -f "$work/out/booted" ] || return 0
    kill -0 "$qemu" 2>/dev/null || return 1
    sleep 1
  done
  return 1
}

start_vm
if ! has_booted; then
  # Emulation on a busy machine now and then loses a boot. Nothing of ours has run by then.
  echo "vm: lane $lane did not boot; the kernel's console:"
  tail -n 50 "$work/console" "$work/qemu"
  kill "$qemu" 2>/dev/null || true
  wait "$qemu" || true
  start_vm
fi
status=0
wait "$qemu" || status=$?
qemu=

passed=0 failed=0
if [ -f "$work/out/counts" ]; then
  while read -r p f; do passed=$((passed + p)) failed=$((failed + f)); done <"$work/out/counts"
fi
if [ "$status" != 0 ] || [ ! -f "$work/out/finished" ]; then
  failed=$((failed + 1))
  printf '%s\n' "vm: lane $lane did not come to its end (status $status); the kernel's console:"
  tail -n 200 "$work/console" "$work/qemu"
fi
[ -z "${RAILCNI_TEST_COUNTS:-}" ] || echo "$passed $failed" >>"$RAILCNI_TEST_COUNTS"
[ "$failed" = 0 ]
