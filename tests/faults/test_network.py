"""A training on one machine listens on loopback only, and executes nothing that is sent to its ports."""

import base64
import contextlib
import multiprocessing
import socket
import sys
import time

import pytest
import torch.distributed as dist
from bombs import BOMBS
from listening import listening, of_this_test
from programs import end, start, training

from fsclib import runs

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="listening sockets are found in /proc")


def attack(port, marker):
    """Stores a bomb under every key of a TCPStore, as is possible for anyone who can reach the port of torchrun's rendezvous."""
    with contextlib.suppress(dist.DistError):  # no store answers
        store = dist.TCPStore("127.0.0.1", port, is_master=False, wait_for_workers=False)
        for key in store.list_keys():
            store.set(key, base64.b64encode(BOMBS["pickle"](marker)).decode())


def test_training_listens_on_loopback_only_and_executes_nothing_sent(home):
    process = start(home, *training("closed", devices=2, epochs=2))
    found, attacks = set(), []
    while process.poll() is None:
        there = listening(of_this_test())
        for _, port in there - found:
            attacks.append(multiprocessing.get_context("fork").Process(target=attack, args=(port, home / "marker")))
            attacks[-1].start()
        found |= there
        time.sleep(0.1)
    for one in attacks:  # they may wait for an answer forever
        one.kill()
    assert not (home / "marker").exists()
    assert len(found) >= 2  # each process listens for the others
    assert {str(address) for address, _ in found if not address.is_loopback} == set()
    assert end(process)[0] == 0
    assert runs.load("llcm", "closed", device="cpu").finished


def test_listeners_on_other_addresses_are_detected():
    """Otherwise the test above could not fail."""
    with socket.create_server(("0.0.0.0", 0)) as everywhere, socket.create_server(("127.0.0.1", 0)) as here:
        expected = {("0.0.0.0", everywhere.getsockname()[1]), ("127.0.0.1", here.getsockname()[1])}
        assert expected <= {(str(address), port) for address, port in listening(["self"])}
    with socket.create_server(("::", 0), family=socket.AF_INET6) as both:
        assert ("::", both.getsockname()[1]) in {(str(address), port) for address, port in listening(["self"])}
