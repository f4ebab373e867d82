"""A file of 16 MiB from one network namespace to another, by the command over UDP, through a path that loses, delays, doubles and reorders.

usage: namespaces.py AITCP

The path is a pair of virtual Ethernet devices with `tc netem` or, where the kernel has no netem, two TUN devices and a relay in this
process that does the same. Exits with SKIP where there can be no namespaces or no such path.
"""

import fcntl
import hashlib
import heapq
import json
import os
import random
import select
import struct
import subprocess
import sys
import tempfile
import threading
import time

SIZE = 16 << 20
LOSS = OVERTAKING = DOUBLING = 0.01
DELAY = 0.005
PATIENCE = 240

SKIP = 75
NAMES = ["aitcp-ci-a", "aitcp-ci-b"]
DEVICES = ["aitcp-a", "aitcp-b"]
ADDRESSES = ["10.77.84.1", "10.77.84.2"]
PORT = 7410

TUNSETIFF = 0x400454CA
IFF_TUN, IFF_NO_PI = 0x0001, 0x1000


class Impossible(Exception):
    """Something that this machine does not have."""


def ip(*arguments):
    run = subprocess.run(["ip", *arguments], capture_output=True, text=True)
    if run.returncode != 0:
        raise Impossible(f"ip {' '.join(arguments)}: {run.stderr.strip()}")


def inside(name, *command):
    return ["ip", "netns", "exec", name, *command]


def make_namespaces():
    remove_namespaces()
    try:
        for name in NAMES:
            ip("netns", "add", name)
    except FileNotFoundError:
        raise Impossible("there is no ip command")


def remove_namespaces():
    for name in NAMES:
        subprocess.run(["ip", "netns", "del", name], capture_output=True)


def bring_up():
    for name, device, address in zip(NAMES, DEVICES, ADDRESSES):
        ip("-n", name, "address", "add", f"{address}/24", "dev", device)
        ip("-n", name, "link", "set", device, "up")


class Netem:
    """The kernel's own impairments, on both ends of a pair of Ethernet devices."""

    name = "netem"

    def __init__(self):
        ip("link", "add", DEVICES[0], "netns", NAMES[0], "type", "veth", "peer", "name", DEVICES[1], "netns", NAMES[1])
        percent = [f"{share:.0%}" for share in (LOSS, DOUBLING, OVERTAKING)]
        netem = ["netem", "delay", f"{DELAY * 1000:.0f}ms", "loss", percent[0], "duplicate", percent[1]]
        netem += ["reorder", percent[2], "limit", "10000"]
        for name, device in zip(NAMES, DEVICES):
            tc = ["tc", "-n", name, "qdisc", "add", "dev", device, "root", *netem]
            run = subprocess.run(tc, capture_output=True, text=True)
            if run.returncode != 0:
                raise Impossible(f"no netem: {run.stderr.strip()}")
        bring_up()

    def lost(self):
        total = 0
        for name in NAMES:
            shown = subprocess.run(["tc", "-n", name, "-s", "-j", "qdisc", "show"], capture_output=True, text=True, check=True)
            total += sum(qdisc.get("drops", 0) for qdisc in json.loads(shown.stdout) if qdisc["kind"] == "netem")
        return total


class Relay:
    """Two TUN devices, and a thread that carries packets from one to the other as netem would."""

    name = "a relay between TUN devices"

    def __init__(self):
        self.files = [open_tun(device) for device in DEVICES]
        for name, device in zip(NAMES, DEVICES):
            ip("link", "set", device, "netns", name)
        bring_up()
        self.dropped = 0
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        try:
            self.carry()
        except OSError:
            pass  # the namespaces are gone, and the devices with them

    def carry(self):
        chance, waiting, count = random.Random(1), [], 0
        while True:
            wait = max(0, waiting[0][0] - time.monotonic()) if waiting else None
            ready, _, _ = select.select(self.files, [], [], wait)
            now = time.monotonic()
            for file in ready:
                packet, to = os.read(file, 65536), self.files[1 - self.files.index(file)]
                for _ in range(2 if chance.random() < DOUBLING else 1):
                    count += 1
                    if chance.random() < LOSS:
                        self.dropped += 1
                    else:
                        delay = 0 if chance.random() < OVERTAKING else DELAY
                        heapq.heappush(waiting, (now + delay, count, to, packet))
            while waiting and waiting[0][0] <= now:
                _, _, to, packet = heapq.heappop(waiting)
                os.write(to, packet)

    def lost(self):
        return self.dropped


def open_tun(device):
    try:
        file = os.open("/dev/net/tun", os.O_RDWR)
        fcntl.ioctl(file, TUNSETIFF, struct.pack("16sH22x", device.encode(), IFF_TUN | IFF_NO_PI))
    except OSError as error:
        raise Impossible(f"/dev/net/tun: {error}")
    return file


def bad_path():
    reasons = []
    for kind in (Netem, Relay):
        try:
            make_namespaces()
            return kind()
        except Impossible as reason:
            reasons.append(str(reason))
    raise Impossible("; ".join(reasons))


def run_command(name, home, *arguments, **options):
    return subprocess.Popen(inside(name, *arguments), env={**os.environ, "AITCP_HOME": home}, text=True, **options)


def new_agent(aitcp, home):
    """Makes a key, and returns the agent's id."""
    shown = subprocess.run(
        [aitcp, "--json", "key", "new"], env={**os.environ, "AITCP_HOME": home}, capture_output=True, text=True, check=True
    )
    return json.loads(shown.stdout)["id"]


def transfer(aitcp, folder):
    homes = [os.path.join(folder, name) for name in ("sender", "receiver")]
    for home in homes:
        os.mkdir(home, 0o700)
    sender, receiver = (new_agent(aitcp, home) for home in homes)
    agents = os.path.join(homes[1], "authorized_agents")
    with open(os.open(agents, os.O_WRONLY | os.O_CREAT, 0o600), "w") as file:
        file.write(f"{sender} - the sender\n")
    inbox, path = os.path.join(folder, "inbox"), os.path.join(folder, "file")
    os.mkdir(inbox)
    data = random.Random(2).randbytes(SIZE)
    with open(path, "wb") as file:
        file.write(data)

    place = f"{ADDRESSES[1]}:{PORT}"
    listen = [aitcp, "--json", "listen", place, "--udp", "--once", "--into", inbox]
    listener = run_command(NAMES[1], homes[1], *listen, stdout=subprocess.PIPE)
    listening = listener.stdout.readline()
    if json.loads(listening or "{}").get("event") != "listening":
        sys.exit(f"the receiver does not listen: {listening}")
    begun = time.monotonic()
    send = run_command(NAMES[0], homes[0], aitcp, "--json", "send", "--udp", f"{receiver}@{place}", path, stdout=subprocess.PIPE)
    try:
        said = send.communicate(timeout=PATIENCE)[0]
        listener.communicate(timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        sys.exit(f"not done after {PATIENCE} s")
    finally:
        for command in (send, listener):
            command.kill()
    if send.returncode != 0 or listener.returncode != 0:
        sys.exit(f"failed with {send.returncode} and {listener.returncode}: {said}")
    with open(os.path.join(inbox, "file"), "rb") as file:
        received = file.read()
    if hashlib.sha256(received).digest() != hashlib.sha256(data).digest():
        sys.exit("what arrived is not what was sent")
    return time.monotonic() - begun


def main(aitcp):
    try:
        path = bad_path()
    except Impossible as reason:
        print(reason)
        return SKIP
    with tempfile.TemporaryDirectory() as folder:
        took = transfer(aitcp, folder)
    lost = path.lost()
    print(f"{SIZE >> 20} MiB between two namespaces through {path.name}: intact after {took:.1f} s; {lost} packets were lost on the way")
    if lost == 0:
        sys.exit("the path was not a bad one")
    return 0


if __name__ == "__main__":
    try:
        code = main(os.path.abspath(sys.argv[1]))
    finally:
        remove_namespaces()
    sys.exit(code)
