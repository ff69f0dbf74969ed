#!/bin/sh
# Boots a VM with SR-IOV NICs and runs the tests of a lane in it, against the build's own binary.
# Usage: run.sh BUILD LANE [PATTERN]
# LANE is the tests' tag, PATTERN a Catch2 test specification that replaces it.
# RAILCNI_VM_KERNEL is 6.12 (when it is not set), or another one that root.sh knows.
# RAILCNI_VM_SCRIPT=FILE runs that shell script in the VM instead of the tests.
set -eu

build=$(cd "$1" && pwd)
lane=$2
pattern=${3:-}
here=$(cd "$(dirname "$0")" && pwd)
. "$here/../support/cases.sh"
root=$("$here/root.sh")
kernel_root=$root
[ -z "${RAILCNI_VM_KERNEL:-}" ] || kernel_root=$("$here/root.sh" "$RAILCNI_VM_KERNEL")

work=$(mktemp -d)
qemu=
cleanup() {
  [ -z "$qemu" ] || stop_vm
  rm -rf "$work"
}
trap cleanup EXIT
trap 'exit 130' INT TERM HUP
mkdir "$work/out" "$work/initramfs" "$work/initramfs/bin" "$work/initramfs/modules" \
  "$work/initramfs/dev"
cases=$work/out/cases
mkdir "$cases"
if [ -n "${RAILCNI_VM_SCRIPT:-}" ]; then
  cp "$RAILCNI_VM_SCRIPT" "$work/out/script"
else
  cases_list "$cases" "$build/tests/vm" "${pattern:-[$lane]}"
fi

# The lanes with RDMA have adapters of their own making.
if [ "$lane" != ethernet ]; then
  cp "$("$here/hca/build.sh" "$kernel_root" "$(dirname "$root")")" "$work/out/hca.ko"
fi

# What init needs before it has a root: busybox, and the modules that make the root.
kernel=$(ls "$kernel_root/lib/modules")
busybox=$root/bin/busybox
cp "$busybox" "$work/initramfs/bin/"
cp "$here/init" "$here/guest.sh" "$here/../support/cases.sh" "$work/initramfs/"
chroot "$kernel_root" /sbin/modprobe -S "$kernel" -D -a virtio_pci 9pnet_virtio 9p overlay |
  while read -r how module; do
    name=$(basename "$module" .xz)
    [ "$how" = insmod ] && [ ! -f "$work/initramfs/modules/$name" ] || continue
    case $module in
      *.xz) "$busybox" unxz -c "$kernel_root$module" >"$work/initramfs/modules/$name" ;;
      *) cp "$kernel_root$module" "$work/initramfs/modules/$name" ;;
    esac
    echo "$name" >>"$work/initramfs/modules/order"
  done
(cd "$work/initramfs" && find . | "$busybox" cpio -o -H newc 2>/dev/null) >"$work/initramfs.cpio"
image=$kernel_root/boot/vmlinuz-$kernel
[ -f "$image" ] || image=$kernel_root/lib/modules/$kernel/vmlinuz  # where newer packages have it

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
  rm -f "$work/out/booted" "$work/out/finished"
  : >"$work/console"
  # shellcheck disable=SC2046  # lists; the folders' names are ours, but for spaces in them
  "$root/lib64/ld-linux-x86-64.so.2" --library-path "$root/lib/x86_64-linux-gnu" \
    "$root/usr/bin/qemu-system-x86_64" -L "$root/usr/share/qemu" -L "$root/usr/share/seabios" \
    -nodefaults -no-user-config -no-reboot -display none \
    -M q35 -device intel-iommu -accel tcg,thread=multi -cpu max -m 2G -smp 2 \
    -serial "file:$work/console" -serial stdio \
    -kernel "$image" -initrd "$work/initramfs.cpio" \
    -append "console=ttyS0 panic=-1 oops=panic nohz=off highres=off intel_iommu=on iommu=pt rdinit=/init railcni.lane=$lane" \
    $(nic 1 1) $(nic 2 1) $(nic 3 2) $(nic 4 2) \
    $(share root "$root" ,readonly=on) $(share modules "$kernel_root/lib/modules" ,readonly=on) \
    $(share build "$build" ,readonly=on) $(share out "$work/out" "") </dev/null 2>"$work/qemu" &
  qemu=$!
}

stop_vm() {
  kill -9 "$qemu" 2>/dev/null || true
  wait "$qemu" 2>/dev/null || true
  qemu=
}

# stands_for SECONDS FILE...: none of them was written for so long.
stands_for() {
  now=$(date +%s) limit=$1
  shift
  for file in "$@"; do
    [ "$((now - $(stat -c %Y "$file" 2>/dev/null || echo 0)))" -ge "$limit" ] || return 1
  done
}

# True when the guest has got as far as its own script. The kernel's console tells whether it still
# gets on, however slowly.
has_booted() {
  while ! [ -f "$work/out/booted" ]; do
    kill -0 "$qemu" 2>/dev/null || return 1
    ! stands_for 180 "$work/console" || return 1
    sleep 1
  done
}

# Emulation on a busy machine now and then loses a boot. Nothing of ours has run by then.
boot() {
  for _ in 1 2 3 4 5; do
    start_vm
    ! has_booted || return 0
    echo "vm: lane $lane did not boot; the kernel's console:"
    tail -n 50 "$work/console" "$work/qemu"
    stop_vm
  done
  return 1
}

# To the VM's own end, or until it has long been still. The guest sees to a case that hangs; this is
# for a kernel that does.
wait_for_vm() {
  while kill -0 "$qemu" 2>/dev/null; do
    sleep 1
    [ -z "${RAILCNI_VM_SCRIPT:-}" ] || continue
    ! stands_for "$((cases_patience + 300))" "$work/console" "$cases/progress" "$cases/log" || stop_vm
    [ -n "$qemu" ] || return 1
  done
  wait "$qemu" || return 1
  qemu=
  [ -f "$work/out/finished" ]
}

tell_death() {
  echo "vm: lane $lane did not come to its end; the kernel's console:"
  tail -n 200 "$work/console" "$work/qemu"
}

if [ -n "${RAILCNI_VM_SCRIPT:-}" ]; then
  boot && wait_for_vm || { tell_death && exit 1; }
  exit 0
fi

# As long as there are cases left, and one begins in each VM.
while cases_left "$cases" | grep -q .; do
  begun=$(cases_begun "$cases")
  boot || break
  touch "$cases/progress"
  wait_for_vm || tell_death
  cases_close "$cases"
  [ "$(cases_begun "$cases")" -gt "$begun" ] || break
done
cases_sum "$cases" "vm: lane $lane"
printf '\nlane %s: %d passed, %d failed\n' "$lane" "$cases_passed" "$cases_failed"
[ -z "${RAILCNI_TEST_COUNTS:-}" ] || echo "$cases_passed $cases_failed" >>"$RAILCNI_TEST_COUNTS"
[ "$cases_failed" = 0 ]
