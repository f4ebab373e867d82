"""Reads what `aitcp demo --json` printed and fails unless everything in it was done, checked and came out as it must."""

import json
import sys

DOES_NOT_OPEN = "a sealed packet that does not open"
ATTACKS = {  # what the relay did: how many messages the responder's application may see, and why its session must have ended
    "forge": (0, DOES_NOT_OPEN),
    "truncate": (0, DOES_NOT_OPEN),
    "replay": (1, DOES_NOT_OPEN),
    "cut": (0, "ended without a close"),
}

with open(sys.argv[1], encoding="utf-8") as lines:
    events = [json.loads(line) for line in lines]


def the(name):
    found = [event for event in events if event["event"] == name]
    assert len(found) == 1, f"{len(found)} events {name}"
    return found[0]


agents, handshake, file, demo = the("agents"), the("handshake"), the("file"), the("demo")
initiator, responder = agents["initiator"], agents["responder"]
assert initiator["id"] != responder["id"]
assert handshake["initiator_saw"] == responder["id"] and handshake["responder_saw"] == initiator["id"], handshake
assert handshake["same_keys"] and "ML-KEM-768" in handshake["suite"], handshake

messages = [event for event in events if event["event"] == "message"]
assert [(message["from"], message["to"]) for message in messages] == [
    (initiator["name"], responder["name"]),
    (responder["name"], initiator["name"]),
], messages
assert all(message["sent"] == message["received"] for message in messages), messages

assert file["bytes"] == 64 << 20 and file["sha256_sent"] == file["sha256_stored"], file
assert len(file["sha256_sent"]) == 64, file

datagrams = the("datagrams")
assert datagrams["bytes"] == 4 << 20 and datagrams["sha256_sent"] == datagrams["sha256_received"], datagrams
assert all(datagrams["relay"].values()) and datagrams["packets_lost"] > 0, datagrams

attacks = [event for event in events if event["event"] == "attack"]
assert [attack["attack"] for attack in attacks] == list(ATTACKS), attacks
for attack in attacks:
    delivered, reason = ATTACKS[attack["attack"]]
    assert attack["delivered"] == delivered and reason in attack["reason"], attack

checked = [event for event in events if "ok" in event and event is not demo]
assert all(event["ok"] for event in checked) and demo["ok"], events
assert demo["checks"] == len(checked) and demo["failed"] == 0, demo
assert demo is events[-1]
print(f"{demo['checks']} checks in {demo['seconds']:.1f} s; {file['bytes'] >> 20} MiB in {file['seconds']:.2f} s")
