#!/bin/sh
# Two Pods on one rail, on this machine's own kernel: a node, a fabric and two Pods are network
# namespaces, the rail is a veth pair. Nothing outside them is touched, and nothing is left.
# Usage: demo.sh BUILD
set -eu

build=$(cd "$1" && pwd)
examples=$(cd "$(dirname "$0")/../packaging/examples" && pwd)
railcni=$build/railcni
export CNI_PATH="$build:/usr/lib/cni"
[ "$(id -u)" = 0 ] || { echo "demo: network namespaces need root" >&2; exit 1; }

# Names of our own, so that two demos can run side by side.
id=railcni-demo-$$
node=$id-node fabric=$id-fabric pod1=$id-pod1 pod2=$id-pod2
# Where the node policy lets state be kept.
work=$(mktemp -d /run/railcni-demo.XXXXXX)

cleanup() {
  for netns in "$pod1" "$pod2" "$fabric" "$node"; do
    ip netns del "$netns" 2>/dev/null || true
  done
  rm -rf "$work"
}
trap cleanup EXIT
trap 'exit 1' INT TERM

step() { printf '\n\033[1m# %s\033[0m\n' "$*"; }
show() { printf '\033[2m$ %s\033[0m\n' "$*"; "$@"; }
fail() { echo "demo: $*" >&2; exit 1; }
# What the node looks like: links and the addresses on them, less what changes by itself.
picture() { ip -n "$node" -o addr show | sed 's/ \(valid\|preferred\)_lft [^ ]*//g'; }

for netns in "$node" "$fabric" "$pod1" "$pod2"; do ip netns add "$netns"; done
for netns in "$node" "$pod1" "$pod2"; do ip -n "$netns" link set lo up; done
ip -n "$node" link add enp11s0f0np0 type veth peer name fabric0 netns "$fabric"
# No link-local addresses, which would come by themselves a moment later.
ip -n "$node" link set enp11s0f0np0 addrgenmode none
ip -n "$fabric" link set fabric0 up
ip -n "$node" link set enp11s0f0np0 up
before=$(picture)

# The example configuration, with its state in a folder of ours.
sed "s|\"cniType\"|\"dataDir\": \"$work/state\", \"cniType\"|" \
  "$examples/gpu1-macvlan.conflist" >"$work/gpu1-macvlan.conflist"
cni() {
  ip netns exec "$node" "$build/tests/cnitool" "$1" "$work/gpu1-macvlan.conflist" "$2" \
    "/run/netns/$3" net1
}

step 'the pool, as a SpiderIPPool document'
show "$railcni" apply --data-dir "$work/state" -f "$examples/gpu1-pool.yaml"
step "ADD both Pods through the conflist (railcni, then Debian's tuning)"
cni ADD pod-one "$pod1"
cni ADD pod-two "$pod2" >/dev/null
cni CHECK pod-one "$pod1" && echo 'CHECK: ok'
step 'the first Pod: address and routes'
show ip -n "$pod1" -brief addr show net1
show ip -n "$pod1" route show
step 'leases and pools'
show "$railcni" lease list --data-dir "$work/state"
show "$railcni" pool list --data-dir "$work/state"
step 'Pod to Pod over the rail'
show ip netns exec "$pod1" ping -c 3 -i 0.2 -W 2 172.16.11.2
step 'DEL both Pods'
cni DEL pod-one "$pod1"
cni DEL pod-two "$pod2"
show "$railcni" lease list --data-dir "$work/state"
[ "$("$railcni" lease list --data-dir "$work/state" -o json | tr -d ' \n')" = '[]' ] ||
  fail 'leases are left'
[ "$(picture)" = "$before" ] || fail "the node's links are not as they were"
for pod in "$pod1" "$pod2"; do
  ! ip -n "$pod" link show net1 >/dev/null 2>&1 || fail "net1 is left in $pod"
done
printf '\nLinks and leases are as they were before.\n'
