"""Counts instructions, which are the same on a busy machine as on an idle one, and checks what they have to be in proportion to."""

import re
import subprocess
import sys
import tempfile

# Twice the bytes may take so much more than twice the instructions (tungstenite and hickory were quadratic here).
MOST_FOR_TWICE = 2.2
# A datagram of an attacker's may take so many times what a genuine one takes.
MOST_FOR_AN_ATTACK = 4
ATTACKS = [
    "altered",
    "replayed",
    "random body",
    "other link",
    "unknown epoch",
    "four in one",
    "noise",
    "from elsewhere",
]


def instructions(*command):
    """What callgrind counts for a command, from its first instruction to its last."""
    with tempfile.NamedTemporaryFile() as profile:
        callgrind = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={profile.name}"]
        run = subprocess.run([*callgrind, *map(str, command)], capture_output=True, text=True)
    if run.returncode != 0:
        sys.exit(f"{command} failed:\n{run.stderr}")
    return int(re.search(r"Collected : (\d+)", run.stderr).group(1))


def one_byte_at_a_time(program):
    nothing, once, twice = (instructions(program, size) for size in (0, 100_000, 200_000))
    ratio = (twice - nothing) / (once - nothing)
    each = (once - nothing) / 100_000
    print(f"one byte at a time: {each:.0f} instructions a byte; twice the bytes take {ratio:.2f} times as many")
    if ratio > MOST_FOR_TWICE:
        sys.exit(f"more than {MOST_FOR_TWICE} times: the work is not in proportion to the bytes")


def adversarial_work(program):
    def per_datagram(kind):
        few, many = 100, 600
        return (instructions(program, kind, many) - instructions(program, kind, few)) / (many - few)

    genuine = per_datagram("genuine")
    print(f"a genuine datagram of 1,000 bytes: {genuine:.0f} instructions")
    for kind in ATTACKS:
        ratio = per_datagram(kind) / genuine
        print(f"  {kind}: {ratio:.2f} times as many")
        if ratio > MOST_FOR_AN_ATTACK:
            sys.exit(f"more than {MOST_FOR_AN_ATTACK} times as many")


def main(examples):
    one_byte_at_a_time(f"{examples}/one_byte_at_a_time")
    adversarial_work(f"{examples}/adversarial_work")


main(sys.argv[1])
