"""Counts instructions, which are the same on a busy machine as on an idle one, and checks what they have to be in proportion to."""

import re
import subprocess
import sys
import tempfile

# Twice the bytes may take so much more than twice the instructions (tungstenite and hickory were quadratic here).
MOST = 2.2


def instructions(command):
    """What callgrind counts for a command, from its first instruction to its last."""
    with tempfile.NamedTemporaryFile() as profile:
        callgrind = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={profile.name}"]
        run = subprocess.run([*callgrind, *command], capture_output=True, text=True)
    if run.returncode != 0:
        sys.exit(f"{command} failed:\n{run.stderr}")
    return int(re.search(r"Collected : (\d+)", run.stderr).group(1))


def main(program):
    nothing, once, twice = (instructions([program, str(size)]) for size in (0, 100_000, 200_000))
    ratio = (twice - nothing) / (once - nothing)
    print(f"one byte at a time: {(once - nothing) / 100_000:.0f} instructions a byte; twice the bytes take {ratio:.2f} times as many")
    if ratio > MOST:
        sys.exit(f"more than {MOST} times: the work is not in proportion to the bytes")


main(sys.argv[1])
