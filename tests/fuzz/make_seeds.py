#!/usr/bin/env python3
"""Writes the seeds of the binary formats anew: make_seeds.py tests/fuzz/seeds

They are what a kernel, a neighbour or the store gives; see railcni's parsers for where each number
stands. What fuzzing has found lies beside them under its own name and stays as it is.
"""
import ipaddress
import json
import pathlib
import struct
import sys

SEEDS = pathlib.Path(sys.argv[1])


def write(target, name, data):
    folder = SEEDS / target
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(data)


# ---- netlink ----

def align(data):
    return data + bytes(-len(data) % 4)


def attr(kind, data=b''):
    if isinstance(data, str):
        data = data.encode() + b'\0'
    if isinstance(data, int):
        data = struct.pack('=I', data)
    return align(struct.pack('=HH', 4 + len(data), kind) + data)


def nest(kind, *attrs):
    return attr(kind, b''.join(attrs))


def message(kind, body, seq=0, flags=0):
    return align(struct.pack('=IHHII', 16 + len(body), kind, flags, seq, 4711) + body)


def ip(text):
    return ipaddress.ip_address(text).packed


ACK = 2
DONE = 3


def link(*attrs, index=7):
    return message(16, struct.pack('=BxHiII', 0, 1, index, 0x11043, 0) + b''.join(attrs))


MAC = attr(1, bytes.fromhex('020000000007'))
IPOIB_MAC = bytes.fromhex('80000226fe80000000000000' '0002c90300000001')


def netlink_seeds():
    def link_info(kind, *data):
        return nest(18, attr(1, kind), nest(2, *data))
    done = message(DONE, struct.pack('=i', 0), flags=2)
    write('netlink', 'macvlan', link(attr(3, 'net1'), MAC, attr(2, b'\xff' * 6), attr(4, 1500),
                                     attr(5, 3), attr(37, 0), link_info('macvlan', attr(1, 4))))
    write('netlink', 'vlan', link(attr(3, 'eth0.7'), MAC, attr(10, 5), attr(13, 1000),
                                  attr(27, 2), link_info('vlan', attr(1, b'\x07\0'))) + done)
    write('netlink', 'bond', link(attr(3, 'bond0'), link_info('bond', attr(1, b'\x04'))))
    write('netlink', 'ipvlan', link(attr(3, 'net1'), link_info('ipvlan', attr(1, b'\x02\0'))))
    write('netlink', 'ipoib', link(
        attr(3, 'ib0'), attr(1, IPOIB_MAC), attr(2, b'\xff' * 20), attr(56, '0000:01:00.0'),
        nest(52 | 0x8000, attr(53, 'ibs1'), attr(53, 'ibp1s0')),
        link_info('ipoib', attr(1, b'\xff\xff'), attr(2, b'\0\0'), attr(3, b'\1\0'))))
    vf = nest(1, attr(1, struct.pack('=I32s', 1, bytes.fromhex('020000000001'))),
              attr(2, struct.pack('=III', 1, 100, 3)),
              nest(12, attr(1, struct.pack('=IIIH', 1, 100, 3, 0x0081))),
              attr(6, struct.pack('=III', 1, 100, 200)), attr(4, struct.pack('=II', 1, 1)),
              attr(9, struct.pack('=Ii', 1, -1)), attr(5, struct.pack('=II', 1, 2)),
              attr(10, struct.pack('=I4xQ', 1, 0x200)), attr(11, struct.pack('=I4xQ', 1, 0x201)))
    write('netlink', 'vf', link(attr(3, 'ens1'), MAC, nest(22, vf)))
    for name, family, text, length in (('v4', 2, '10.9.0.2', 24), ('v6', 10, 'fd00::2', 64)):
        header = struct.pack('=BBBBI', family, length, 0x80, 0, 7)
        write('netlink', 'address-' + name,
              message(20, header + attr(2, ip(text)) + attr(1, ip(text)) + attr(8, 0x82)) + done)
        header = struct.pack('=BBBBBBBBI', family, length, 0, 0, 254, 4, 0, 1, 0)
        gateway = ip('10.9.0.1' if family == 2 else 'fe80::1')
        write('netlink', 'route-' + name,
              message(24, header + attr(1, ip(text)) + attr(5, gateway) + attr(7, ip(text)) +
                      attr(4, 7) + attr(15, 254) + attr(6, 1024)))
        header = struct.pack('=BBBBBBBBI', family, 0, length, 0, 100, 0, 0, 1, 0)
        write('netlink', 'rule-' + name,
              message(32, header + attr(2, ip(text)) + attr(15, 100) + attr(6, 20100)))
        header = struct.pack('=BBHiHBB', family, 0, 0, 7, 2, 0, 1)
        write('netlink', 'neighbour-' + name, message(28, header + attr(1, ip(text)) + attr(2, b'\2' * 6)))
    write('netlink', 'rule-other', message(
        32, struct.pack('=BBBBBBBBI', 2, 0, 0, 0, 254, 0, 0, 1, 2) + attr(3, 'eth0') + attr(10, 1)))
    failed = message(16, b'x' * 16, seq=1)
    write('netlink', 'error', message(ACK, struct.pack('=i', -17) + failed + attr(1, 'exists'), 1, 0x200))
    write('netlink', 'error-capped',
          message(ACK, struct.pack('=i', -22) + failed[:16] + attr(2, 4) + attr(1, 'wrong'), 1, 0x300))
    write('netlink', 'acks', b''.join(
        message(ACK, struct.pack('=i', 0) + failed[:16], seq, 0x100) for seq in range(3)))
    write('netlink', 'interrupted', link(attr(3, 'a')) +
          message(DONE, struct.pack('=i', -4), flags=0x12))
    nldev = 5 << 10
    write('netlink', 'rdma-device', message(nldev | 1, attr(1, 0) + attr(2, 'mlx5_0') + attr(
        6, struct.pack('=Q', 0x2c9)) + attr(3, 1) + attr(5, '20.31.1014')) + done)
    write('netlink', 'rdma-port', message(nldev | 5, attr(3, 1) + attr(12, b'\x04') + attr(
        50, 7) + attr(51, 'ib0')))
    write('netlink', 'rdma-mode', message(nldev | 6, attr(66, b'\0')))


# ---- frames: one byte that says whether the checksum is put right ----

def frame_seeds():
    mac = bytes.fromhex('020000000008')

    def arp(operation, sender, target, hardware=1):
        return (b'\0' + b'\xff' * 6 + mac + struct.pack('!HHHBBH', 0x806, hardware, 0x800, 6, 4, operation) +
                mac + ip(sender) + bytes(6) + ip(target))
    write('frames', 'arp-probe', arp(1, '0.0.0.0', '10.1.2.3'))
    write('frames', 'arp-reply', arp(2, '10.1.2.3', '10.1.2.9') + bytes(18))
    write('frames', 'arp-ieee802', arp(1, '10.1.2.3', '10.1.2.3', 6))

    def ndp(kind, source, destination, target, *options, flags=0):
        icmp = struct.pack('!BBHI', kind, 0, 0, flags) + ip(target) + b''.join(options)
        return (b'\1' + b'\x33\x33' + ip(destination)[12:] + mac + b'\x86\xdd' +
                struct.pack('!IHBB', 6 << 28, len(icmp), 58, 255) + ip(source) + ip(destination) + icmp)
    write('frames', 'ndp-probe', ndp(135, '::', 'ff02::1:ff00:3', 'fd00::3', b'\x0e\1abcdef'))
    write('frames', 'ndp-solicitation', ndp(135, 'fd00::9', 'ff02::1:ff00:3', 'fd00::3', b'\1\1' + mac))
    write('frames', 'ndp-advertisement',
          ndp(136, 'fd00::3', 'ff02::1', 'fd00::3', b'\2\1' + mac, flags=0x20000000))
    write('frames', 'ndp-solicited',
          ndp(136, 'fd00::3', 'fd00::9', 'fd00::3', b'\5\2' + bytes(14), b'\2\1' + mac, flags=0x60000000))


# ---- the store: the family that is asked for, then rows: size of the key, of the value, both ----

def row(key, value):
    return struct.pack('!BH', len(key), len(value)) + key + value


def address(text):
    packed = ipaddress.ip_address(text)
    return bytes([packed.version]) + int(packed).to_bytes(16, 'big')


def record(name, leases, devices=()):
    return {'network': 'net', 'containerID': name, 'ifname': 'net1', 'role': '', 'settled': True,
            'netns': '/run/netns/' + name, 'netnsDev': 4, 'netnsIno': 4026532000,
            'netnsCookie': 18446744073709551615, 'cniType': 'macvlan', 'podNamespace': 'default',
            'podName': name, 'created': 1700000000, 'devices': list(devices), 'leases': leases,
            'ipam': None, 'link': {'mac': '02:00:00:00:00:01'}, 'routing': None, 'result': None}


def attachment(name, leases, devices=()):
    hashed = 0xcbf29ce484222325
    for byte in name.encode() + b'\0net1':
        hashed = (hashed ^ byte) * 0x100000001b3 % 2**64
    key = b'Anet\0' + name.encode() + struct.pack('!Q', hashed)  # of a name of at most 16 bytes
    return row(key, json.dumps(record(name, leases, devices)).encode())


def pool(name, subnet, leased=0, resting=0, quarantined=0, seq=0, number=1):
    counters = struct.pack('!I', number) + (2).to_bytes(16, 'big')
    counters += struct.pack('!QQQQQ', leased, resting, quarantined, seq, 0)
    return row(b'P' + name.encode() + b'\0' + subnet.encode(), counters)


def bitmap(text):
    """With that address' block as the only one that is used up."""
    packed = ipaddress.ip_address(text)
    bit = int(packed) >> 8 & 4095
    page = bytearray(512)
    page[bit // 64 * 8 + 7 - bit % 64 // 8] |= 1 << bit % 8
    key = b'B' + bytes([packed.version, 0]) + (int(packed) >> 20).to_bytes(16, 'big')
    return row(key, bytes(page))


def store_seeds():
    start = b'\4' + row(b'M', b'railcni state 2') + row(b'N', struct.pack('!I', 2))
    subnet = '10.9.0.0/29'

    def lease_row(text, owner):
        return row(b'L' + address(text), struct.pack('!I', 1) + b'Lnet/' + owner + b'/net1')
    leased = lease_row('10.9.0.2', b'pod1')
    lease = [{'pool': 'a', 'address': '10.9.0.2/29'}]
    device = row(b'D0000:01:00.1', b'net/pod1/net1')
    write('store', 'leased', start + pool('a', subnet, leased=1) + leased +
          attachment('pod1', lease, ['0000:01:00.1']) + device)
    write('store', 'lost-lease', start + pool('a', subnet, leased=1) + leased)
    rest = (row(b'L' + address('10.9.0.3'), struct.pack('!IcQ', 1, b'R', 0)) +
            row(b'F' + struct.pack('!IQ', 1, 0), address('10.9.0.3')))
    held = (row(b'L' + address('10.9.0.4'), struct.pack('!Icq', 1, b'Q', 500)) +
            row(b'Q' + struct.pack('!Iq', 1, 500) + address('10.9.0.4'), b''))
    write('store', 'resting', start + pool('a', subnet, resting=1, quarantined=1, seq=1) + rest +
          held + row(b'G', struct.pack('!Q', 1)))
    names = [b'pod%d' % n for n in range(2, 6)]
    write('store', 'exhausted', start + pool('a', subnet, leased=4) + b''.join(
        lease_row('10.9.0.%d' % n, b'pod%d' % n) for n in range(2, 6)) + b''.join(
            attachment(name.decode(), [{'pool': 'a', 'address': '10.9.0.%s/29' % name.decode()[3:]}])
            for name in names))
    write('store', 'v6', b'\6' + start[1:] + pool('a', 'fd00:9::/64', leased=1) +
          row(b'L' + address('fd00:9::2'), struct.pack('!I', 1) + b'Lnet/pod1/net1') +
          attachment('pod1', [{'pool': 'a', 'address': 'fd00:9::2/64'}]))
    block = ['10.9.%d.%d' % (n // 256, n % 256) for n in range(256, 512)]
    write('store', 'full-block', start + pool('b', '10.9.0.0/16', quarantined=256) + b''.join(
        row(b'L' + address(text), struct.pack('!Icq', 1, b'Q', 500)) for text in block) + b''.join(
            row(b'Q' + struct.pack('!Iq', 1, 500) + address(text), b'') for text in block) +
        bitmap('10.9.1.0'))
    write('store', 'applied-pool', b'\4' + row(b'M', b'railcni pools 1') +
          row(b'Pgpu1', b'{"ipVersion":4,"subnet":"10.1.0.0/24","ips":["10.1.0.1-10.1.0.9"]}'))


netlink_seeds()
frame_seeds()
store_seeds()
