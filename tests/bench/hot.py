#!/usr/bin/env python3
"""Writes src/hot.ld: the functions that a call of the plugin executes, for the linker to put side by side.

usage: hot.py BUILD >src/hot.ld     as root, with valgrind; BUILD is a finished build folder

railcni is linked once more with its symbols and a map, and callgrind says which functions VERSION, ADD
and DEL execute, of railcni as an interface's plugin and as an IPAM, under its own and under other names. A function has a section of its own in our objects and in
libstdc++ (-ffunction-sections), and shares that of its object file in the C libraries.
"""
import bisect
import os
import re
import shlex
import subprocess
import sys
import tempfile

WORLD = r"""
set -e
mount -t tmpfs state /run
mkdir -p /run/netns /run/state
ip link set lo up
ip link add rail0 type veth peer name fabric0
ip link set rail0 up
ip link set fabric0 up
ip netns add pod
ip link add uplink type veth peer name eth0 netns pod
ip link set uplink up
ip -n pod link set lo up
ip -n pod addr add 10.1.0.2/24 dev eth0
ip -n pod link set eth0 up
ip -n pod route add default via 10.1.0.1
cat >/run/pool.yaml <<END
apiVersion: spiderpool.spidernet.io/v2beta1
kind: SpiderIPPool
metadata: {name: v4}
spec: {subnet: 172.16.0.0/16, gateway: 172.16.255.254}
---
apiVersion: spiderpool.spidernet.io/v2beta1
kind: SpiderIPPool
metadata: {name: v6}
spec: {subnet: "fd16::/64", gateway: "fd16::1"}
END
"$1" apply -f /run/pool.yaml --data-dir /run/state >&2
export CNI_CONTAINERID=hot CNI_IFNAME=net1 CNI_NETNS=/run/netns/pod CNI_PATH="$2"
call() {
  CNI_COMMAND=$1 valgrind -q --tool=callgrind --demangle=no --callgrind-out-file="$2/$3.$1" \
    "$4" <"/run/$3.json" >/dev/null
}
ln -s "$1" "$2/macvlan"
ln -s "$1" "$2/host-local"
pools='"ippools": {"ipv4": ["v4"], "ipv6": ["v6"]}'
common='"cniVersion": "1.0.0", "name": "hot"'
state='"dataDir": "/run/state"'
macvlan="\"type\": \"railcni\", $state, \"cniType\": \"macvlan\", \"macvlan\": {\"master\": \"rail0\", $pools}"
echo "{$common, $macvlan}" >/run/rail.json
echo "{$common, $macvlan, \"coordinator\": {}}" >/run/coordinator.json
echo "{$common, \"type\": \"bridge\", \"ipam\": {\"type\": \"railcni\", $state, $pools}}" >/run/ipam.json
ranges='"ipam": {"type": "host-local", "dataDir": "/run/hosts", "ranges": [[{"subnet": "10.0.0.0/8"}]]}'
echo "{$common, \"type\": \"macvlan\", \"master\": \"rail0\", $ranges}" >/run/macvlan.json
echo "{$common, \"type\": \"bridge\", $ranges}" >/run/host-local.json
call VERSION "$2" rail "$1"
for config in rail coordinator ipam; do
  call ADD "$2" $config "$1"
  call DEL "$2" $config "$1"
done
for name in macvlan host-local; do
  call ADD "$2" $name "$2/$name"
  call DEL "$2" $name "$2/$name"
done
"""

# What callgrind does not see: how the process starts, glibc's look at the vDSO, which a process under
# valgrind has none of, and LMDB's section for what it does once for an environment.
UNSEEN = ["*rcrt1.o(.text)", "*libc.a:dl-object.o(.text)", "*libc.a:dl-lookup.o(.text)",
          "*libc.a:dl-setup_hash.o(.text)", "*(text_env)"]


def link_with_map(build, folder):
    """Links railcni anew, unstripped; returns the paths of program and map."""
    program, map_file = folder + "/railcni", folder + "/map"
    commands = subprocess.check_output(["ninja", "-C", build, "-t", "commands", "railcni"], text=True)
    words = [word for word in shlex.split(commands.splitlines()[-1]) if word != "-s"]
    words = [word for word in words if not word.endswith("hot.ld")]
    words[words.index("-o") + 1] = program
    subprocess.run(words + ["-Wl,-Map=" + map_file], cwd=build, check=True)
    return program, map_file


def executed(folder):
    """The names of the functions that callgrind saw: first what the most calls have in common, so that a
    VERSION or an IPAM's call touches as little as it can, and of those alike in the order that it saw them."""
    names = {}
    for name in sorted(os.listdir(folder)):
        if not re.fullmatch(r"[\w-]+\.[A-Z]+", name):
            continue
        with open(folder + "/" + name, encoding="utf-8") as file:
            for line in file:
                match = re.match(r"c?fn=\(\d+\) (.*)", line)
                if match:
                    names.setdefault(re.sub(r"'\d+$", "", match[1]), set()).add(name)
    return sorted(names, key=lambda function: -len(names[function]))


def sections(map_file):
    """(address, size, section, file) of each input section of .text, in the order of addresses."""
    text = open(map_file, encoding="utf-8").read()
    text = text[re.search(r"^\.text  ", text, re.M).start():]
    text = text[:re.search(r"^\.fini", text, re.M).start()]
    rows = re.findall(r"^ (\.text\S*)\s+0x([0-9a-f]+)\s+0x([0-9a-f]+) (.*)$", text, re.M)
    return sorted((int(at, 16), int(size, 16), name, file) for name, at, size, file in rows)


def pattern(section, file):
    """How a linker script names that section."""
    if section != ".text":
        return "*(%s)" % section
    member = re.fullmatch(r".*?([^/]+)\((.*)\)", file)
    return "*%s(%s)" % (":".join(member.groups()) if member else os.path.basename(file), section)


def main(build):
    with tempfile.TemporaryDirectory() as folder:
        program, map_file = link_with_map(build, folder)
        subprocess.run(["unshare", "-n", "-m", "sh", "-c", WORLD, "sh", program, folder], check=True)
        addresses = {}
        for line in subprocess.check_output(["nm", program], text=True).splitlines():
            fields = line.split()
            if len(fields) == 3:
                addresses.setdefault(fields[2], []).append(int(fields[0], 16))
        known = sections(map_file)
        starts = [row[0] for row in known]
        patterns = {}
        for name in executed(folder):
            places = addresses.get(name, [])
            for place in places:
                row = known[max(bisect.bisect_right(starts, place) - 1, 0)]
                # A name local to several files may be a static constructor's of any of them: only where
                # it has a section of its own, all of them are taken.
                if row[0] <= place < row[0] + row[1] and (len(places) == 1 or row[2] != ".text"):
                    patterns.setdefault(pattern(row[2], row[3]))
    print("/* What a call of the plugin executes, side by side: a seventh of the code, so that a process has\n"
          "   a third of the page faults for it and maps less than half of the memory. Without an entry a\n"
          "   function is where the linker puts it, and an entry that names nothing does nothing. Made by\n"
          "   tests/bench/hot.py. */")
    print("SECTIONS\n{\n  .text.hot :\n  {")
    for entry in list(patterns) + UNSEEN:
        print("    " + entry)
    print("  }\n}\nINSERT BEFORE .text;")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(os.path.abspath(sys.argv[1]))
