"""Reads `cargo metadata` and fails if a package that is built asks for a newer Rust than the workspace states."""

import json
import sys


def version(text):
    return tuple(int(part) for part in text.split("."))[:2]


metadata = json.load(sys.stdin)
packages = {package["id"]: package for package in metadata["packages"]}
stated = min(version(packages[member]["rust_version"]) for member in metadata["workspace_members"])
dependencies = {node["id"]: node["deps"] for node in metadata["resolve"]["nodes"]}

# What only the tests need may be newer: users of the crates never build it.
needed, waiting = set(), list(metadata["workspace_members"])
while waiting:
    package = waiting.pop()
    if package not in needed:
        needed.add(package)
        for dependency in dependencies[package]:
            if any(kind["kind"] != "dev" for kind in dependency["dep_kinds"]):
                waiting.append(dependency["pkg"])

needed -= set(metadata["workspace_members"])
asked = sorted((version(packages[package]["rust_version"] or "1.0"), packages[package]["name"]) for package in needed)
newer = [f"{name} needs {major}.{minor}" for (major, minor), name in asked if (major, minor) > stated]
print(f"{len(asked)} packages; the newest, {asked[-1][1]}, needs {asked[-1][0][0]}.{asked[-1][0][1]}")
sys.exit("\n".join(newer) or None)
