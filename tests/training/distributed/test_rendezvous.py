"""How the processes of a training connect to each other, and what is refused."""

import os
import re
import socket
from datetime import timedelta

import pytest
import torch
from listening import listening
from starting import forked

from fsclib.system.processes import RENDEZVOUS, Elsewhere, started
from fsclib.training.distributed import launch, rendezvous
from fsclib.training.distributed.rendezvous import joined, listen, store_of


def free_port(address="127.0.0.2"):
    with socket.create_server((address, 0)) as found:
        return found.getsockname()[1]


def test_a_process_without_others_trains_alone(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "4")  # set by another program
    assert started() == 1


def test_torchrun_is_refused(monkeypatch):
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "none")
    with pytest.raises(ValueError, match=r"torchrun .* unpickles .*; on one machine pass devices=N to a single process"):
        started()


@pytest.mark.parametrize("missing", ["RANK", "LOCAL_RANK", "WORLD_SIZE"])
def test_an_incomplete_environment_is_refused_by_name(monkeypatch, missing):
    for name, value in (launch.member("file", 1, 2) | {missing: ""}).items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ValueError, match=f"{RENDEZVOUS} with {missing}='', expected numbers"):
        started()


@pytest.mark.parametrize("address", ["tcp://", "tcp://node", "tcp://:20000"])
def test_an_invalid_address_is_refused(address):
    with pytest.raises(ValueError, match=re.escape(f"found {address!r}, expected tcp://address:port")):
        store_of(address, 1, 2)


def test_a_name_that_no_other_machine_can_reach_is_refused(monkeypatch):
    """As with Debian's /etc/hosts, where a machine's own name is 127.0.1.1."""
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [(socket.AF_INET, 1, 6, "", ("127.0.1.1", 20000))])
    with pytest.raises(ValueError, match=f"node1 is 127.0.1.1 on node1 itself, .*; set {RENDEZVOUS}=tcp://its address:20000"):
        listen("node1", 20000)


@pytest.mark.parametrize("place", ["file", "tcp"])
def test_waiting_for_processes_that_never_start_is_an_error(tmp_path, monkeypatch, place):
    monkeypatch.setattr(rendezvous, "STARTING", timedelta(seconds=1))
    where = str(tmp_path / "store") if place == "file" else f"tcp://127.0.0.2:{free_port()}"
    with pytest.raises(Elsewhere, match="process 0 has waited 1 s for others to start; check their output, and whether they run"):
        store_of(where, 0, 2)


def meet(where):
    os.environ[RENDEZVOUS] = where
    with joined(torch.device("cpu")) as processes:
        assert processes.told("x" if processes.first else None) == "x"
        found = listening(["self"])
        assert all(address.is_loopback for address, _ in found), found
        assert any(str(address) == "127.0.0.2" for address, _ in found) == processes.first
        processes.wait()


def test_only_process_0_listens_on_the_given_address():
    assert forked(2, meet, f"tcp://127.0.0.2:{free_port()}") == [0, 0]
