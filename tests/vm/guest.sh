#!/bin/sh
# Runs in the VM as its init: sets the machine up for a lane, runs the lane's tests and powers off.
# The kernel command line has the lane's name; /out is the host's folder for what comes out.
set -eu
export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root
exec >/dev/ttyS1 2>&1 </dev/null
stty raw </dev/ttyS1

# PID 1 must not end: the kernel would panic, and hide what was wrong. At once, since shutting the
# devices down may hang where a test has left its work in the kernel; QEMU takes it for its end.
trap 'echo b >/proc/sysrq-trigger' EXIT
# From here on all that the kernel says is in the console's file.
dmesg -n 8

touch /out/booted

lane=$(sed -n 's/.*railcni\.lane=\([a-z]*\).*/\1/p' /proc/cmdline)
mkdir -p /dev/pts /dev/shm /run/netns
ip link set lo up

# wait_for COMMAND...: until it succeeds, for ten seconds.
wait_for() {
  for _ in $(seq 100); do
    ! "$@" || return 0
    sleep 0.1
  done
  echo "guest: waited in vain for: $*"
  return 1
}

# rename_nic BDF NAME: by PCI address, since the kernel's names follow the order of probing.
rename_nic() {
  nic=/sys/bus/pci/devices/$1/net
  wait_for test -d "$nic"
  ip link set "$(ls "$nic")" name "$2"
}

# As the host's wiring in run.sh: two ends of rail 1's wire, two of rail 2's.
name_rails() {
  rename_nic 0000:01:00.0 rail1
  rename_nic 0000:02:00.0 rail1b
  rename_nic 0000:03:00.0 rail2
  rename_nic 0000:04:00.0 rail2b
}

# In all of them RDMA devices belong to one network namespace each (netns_mode=0): that cannot be
# set once there is another namespace.
case $lane in
  ethernet)
    modprobe ib_core netns_mode=0
    modprobe -a rdma_rxe igb igbvf
    name_rails
    ;;
  roce)
    modprobe ib_core netns_mode=0
    modprobe -a ib_uverbs igb igbvf
    name_rails
    insmod /out/hca.ko link_layer=eth
    ;;
  infiniband)
    modprobe ib_core netns_mode=0
    modprobe -a ib_uverbs ib_umad ib_cm ib_ipoib
    # The functions of the igb are InfiniBand adapters here, all on one fabric.
    insmod /out/hca.ko link_layer=ib pkeys=0x8001,0x8002
    name_rails
    ;;
  *)
    echo "guest: no lane \"$lane\""
    exit 1
    ;;
esac

# The VM is the host of these tests: VFs belong to its own network namespace.
export RAILCNI_TEST_HOST=machine
. /cases.sh
# What cannot be killed stays, until there is another VM.
cases_hopeless() {
  echo w >/proc/sysrq-trigger
  echo b >/proc/sysrq-trigger
}
if [ -f /out/script ]; then
  sh /out/script
else
  RAILCNI_BIN=/build/railcni cases_run /out/cases /build/tests/vm --use-colour no
fi
touch /out/finished
