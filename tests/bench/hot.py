#!/usr/bin/env python3
"""Writes src/hot.ld: what a call of the plugin executes, reads and writes to, for the linker to put side by side.

usage: hot.py BUILD >src/hot.ld     as root, with valgrind; BUILD is a finished build folder

railcni is linked once more with a map, and valgrind's lackey says which addresses VERSION, ADD and DEL
touch, of railcni as an interface's plugin and as an IPAM, under its own and under other names. A function and
a variable have a section of their own in our objects and in libstdc++ (-ffunction-sections,
-fdata-sections), and share that of their object file in the C libraries.
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
  CNI_COMMAND=$1 valgrind -q --tool=lackey --trace-mem=yes --log-file="$2/$3.$1" \
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
call ADD "$2" host-local "$2/host-local"
call DEL "$2" host-local "$2/host-local"
for config in ipam rail coordinator; do
  call ADD "$2" $config "$1"
  call DEL "$2" $config "$1"
done
call ADD "$2" macvlan "$2/macvlan"
call DEL "$2" macvlan "$2/macvlan"
"""

# Strings are merged, and the map does not tell whose they are: all constants of what a call is made of, but for
# the names of types. simdjson's are large tables, of which it needs none for a number without a point.
CONSTANTS = ["*%s(.rodata .rodata.[!_]* .rodata._[!Z]* .rodata._Z[!T]*)" % file for file in (
    "src_main.cc.o", "librailcni.a*", "librailcni_json.a*", "liblmdb.a:*", "libnl-3.a:*", "libc.a:dl-support.o",
    "libc.a:dl-load.o")]
LAST_CONSTANTS = ["*libsimdjson.a*(.rodata .rodata.*)"]

# The calls, the shortest first: a call then finds what it needs behind what the shorter ones need.
CALLS = ["rail.VERSION", "host-local.ADD", "host-local.DEL", "ipam.ADD", "ipam.DEL", "rail.ADD", "rail.DEL",
         "coordinator.ADD", "coordinator.DEL", "macvlan.ADD", "macvlan.DEL"]


def link_with_map(build, folder):
    """Links railcni anew, without the order that is there; returns the paths of program and map."""
    program, map_file = folder + "/railcni", folder + "/map"
    commands = subprocess.check_output(["ninja", "-C", build, "-t", "commands", "railcni"], text=True)
    words = [word for word in shlex.split(commands.splitlines()[-1]) if not word.endswith("hot.ld")]
    words[words.index("-o") + 1] = program
    subprocess.run(words + ["-Wl,-Map=" + map_file], cwd=build, check=True)
    return program, map_file


def entry_point(program):
    header = subprocess.check_output(["readelf", "-h", program], text=True)
    return int(re.search(r"Entry point address: *0x([0-9a-f]+)", header)[1], 16)


def sections(map_file):
    """(address, size, section, file) of each input section of code, constants and zeroed data, by address.
    text_env is LMDB's, for what it does once for an environment."""
    text = open(map_file, encoding="utf-8").read()
    text = text[text.index("Linker script and memory map"):]
    rows = re.findall(r"^ (\.text\S*|text_env|\.rodata\S*|\.bss\S*|COMMON)\s+0x([0-9a-f]+)\s+0x([0-9a-f]+) (.*)$",
                      text, re.M)
    return sorted((int(at, 16), int(size, 16), name, file) for name, at, size, file in rows if int(size, 16))


def touched(trace, entry):
    """The addresses that a call touched, as the program has them, in the order of their first use."""
    first = None
    addresses = {}
    with open(trace, encoding="utf-8") as file:
        for line in file:
            match = re.match(r"(?:I | L| S| M) *([0-9a-f]+),", line)
            if match:
                address = int(match[1], 16)
                first = address if first is None else first  # the first instruction is at the entry
                addresses.setdefault(address - first + entry)
    return addresses


def pattern(section, file):
    """How a linker script names that section."""
    if section.count(".") > 1:
        return "*(%s)" % section
    member = re.fullmatch(r".*?([^/]+)\((.*)\)", file)
    return "*%s(%s)" % (":".join(member.groups()) if member else os.path.basename(file), section)


def output_section(name, place, patterns):
    return "SECTIONS\n{\n  %s :\n  {\n%s  }\n}\nINSERT %s;" % (
        name, "".join("    %s\n" % entry for entry in dict.fromkeys(patterns)), place)


def main(build):
    with tempfile.TemporaryDirectory() as folder:
        program, map_file = link_with_map(build, folder)
        subprocess.run(["unshare", "-n", "-m", "sh", "-c", WORLD, "sh", program, folder], check=True)
        known = sections(map_file)
        entry = entry_point(program)
        starts = [row[0] for row in known]
        used = {}  # the sections in the order of their first use, with the last address of each
        for call in CALLS:
            for address in touched(folder + "/" + call, entry):
                row = known[max(bisect.bisect_right(starts, address) - 1, 0)]
                if row[0] <= address < row[0] + row[1]:
                    used[row] = max(used.get(row, 0), address)

    def patterns(*prefixes):
        return [pattern(*row[2:]) for row in used if row[2].startswith(prefixes)]

    print("""\
/* What a call of the plugin executes, reads and writes to, side by side: a fifth of the code, so that a process
   has a third of the page faults for it and maps less than half of the memory. Without an entry a function is
   where the linker puts it, and an entry that names nothing does nothing. Made by tests/bench/hot.py. */""")
    print(output_section(".text.hot", "BEFORE .text", patterns(".text", "text_env")))
    # Those last that have the most behind what is used of them.
    used = sorted(used, key=lambda row: row[0] + row[1] - used[row])
    constants = [entry for entry in patterns(".rodata") if ".str1." not in entry]
    print(output_section(".rodata.hot", "AFTER .relr.dyn", CONSTANTS + constants + LAST_CONSTANTS))
    print(output_section(".bss.hot", "BEFORE .bss", patterns(".bss", "COMMON")))


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(os.path.abspath(sys.argv[1]))
