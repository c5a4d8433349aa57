"""The processes that a test has started and the addresses they listen on, read from /proc."""

import contextlib
import ipaddress
import os
from collections.abc import Iterable
from pathlib import Path

LISTENING = "0A"


def of_this_test() -> list[int]:
    """Processes whose environment contains this test's FSCLIB_HOME."""
    mark, found = f"FSCLIB_HOME={os.environ['FSCLIB_HOME']}".encode(), []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # the process has just ended
            if mark in (process / "environ").read_bytes():
                found.append(int(process.name))
    return found


def listening(processes: Iterable[int]) -> set[tuple[ipaddress.IPv4Address | ipaddress.IPv6Address, int]]:
    """Addresses and ports on which these processes accept connections."""
    sockets = set()
    for process in processes:
        with contextlib.suppress(OSError):
            for file in Path(f"/proc/{process}/fd").iterdir():
                with contextlib.suppress(OSError):
                    sockets.add(str(file.readlink()))
    found = set()
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            _, local, _, state, _, _, _, _, _, inode, *_ = line.split()
            if state == LISTENING and f"socket:[{inode}]" in sockets:
                address, port = local.split(":")
                found.add((_address(address), int(port, 16)))
    return found


def _address(digits: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    words = [bytes.fromhex(digits[start : start + 8])[::-1] for start in range(0, len(digits), 8)]  # little-endian, 4 bytes each
    address = ipaddress.ip_address(b"".join(words))
    return getattr(address, "ipv4_mapped", None) or address
