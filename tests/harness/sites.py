"""A wide area network for a test: carries IP packets between network namespaces, late, or not at all.

Arguments: the name of the devices that it opens, and for each site NAMESPACE:DELAY_MS:NETWORK/LENGTH; an empty namespace is
that of the caller, which is never cut off. Says "ready", and reads commands: "cut SITE", "heal". A packet waits for the delays
of both of its ends.
"""

import ctypes
import fcntl
import heapq
import ipaddress
import os
import select
import struct
import sys
import time

TUNSETIFF = 0x400454CA
IFF_TUN = 0x0001
IFF_NO_PI = 0x1000
CLONE_NEWNET = 0x40000000
PACKETS_MAX = 20_000  # under way; more are lost, as in a router
LIBC = ctypes.CDLL(None, use_errno=True)


def enter(path):
    fd = os.open(path, os.O_RDONLY)
    if LIBC.setns(fd, CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "cannot enter " + path)
    os.close(fd)


def open_device(name):
    fd = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(fd, TUNSETIFF, struct.pack("16sH", name.encode(), IFF_TUN | IFF_NO_PI))
    return fd


class Site:
    def __init__(self, text, device):
        self.namespace, delay, network = text.split(":")
        self.delay = float(delay) / 1000
        self.network = ipaddress.ip_network(network)
        self.is_cut = False
        if self.namespace:
            enter("/var/run/netns/" + self.namespace)
        self.fd = open_device(device)
        enter("/proc/%d/ns/net" % os.getppid())


def is_lost(source, target):
    return source.namespace != "" and target.namespace != "" and (source.is_cut or target.is_cut)


def main():
    sites = [Site(text, sys.argv[1]) for text in sys.argv[2:]]
    by_fd = {site.fd: site for site in sites}
    waiting = []
    count = 0
    os.write(sys.stdout.fileno(), b"ready\n")
    while True:
        now = time.monotonic()
        timeout = max(0, waiting[0][0] - now) if waiting else None
        ready, _, _ = select.select([sys.stdin.fileno(), *by_fd], [], [], timeout)
        for fd in ready:
            if fd not in by_fd:
                line = os.read(fd, 4096).decode()
                if line == "":
                    return
                for command in line.split("\n"):
                    if command == "heal":
                        for site in sites:
                            site.is_cut = False
                    elif command.startswith("cut "):
                        sites[int(command[4:])].is_cut = True
                continue
            source = by_fd[fd]
            try:
                packet = os.read(fd, 65536)
            except BlockingIOError:
                continue
            if packet[0] >> 4 != 4 or len(waiting) >= PACKETS_MAX:
                continue
            to = ipaddress.ip_address(packet[16:20])
            target = next((site for site in sites if to in site.network), None)
            if target is None or target is source or is_lost(source, target):
                continue
            count += 1
            heapq.heappush(waiting, (time.monotonic() + source.delay + target.delay, count, source, target, packet))
        now = time.monotonic()
        while waiting and waiting[0][0] <= now:
            _, _, source, target, packet = heapq.heappop(waiting)
            if is_lost(source, target):
                continue
            try:
                os.write(target.fd, packet)
            except OSError:
                pass  # lost: the device is down, or takes no more


main()
