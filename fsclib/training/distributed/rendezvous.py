"""Connects the processes of a training, over a trusted network only: neither torch's store nor its connections are authenticated.

The environment gives each process its index (RANK), its index on its machine (LOCAL_RANK), the number of processes (WORLD_SIZE),
and where they meet (FSCLIB_RENDEZVOUS): a file, on one machine, or tcp://address:port, where process 0 listens, on several.
launch.py and slurm/train.sbatch set these variables. torchrun is not used: it unpickles what anyone who reaches its port sends.
"""

import contextlib
import ipaddress
import json
import os
import platform
import socket
from collections.abc import Iterator
from datetime import timedelta
from urllib.parse import urlsplit

import torch
import torch.distributed as dist

from fsclib.system.processes import ALONE, RENDEZVOUS, Elsewhere, Processes, noticing, started

PATIENCE = timedelta(days=1)  # while process 0 works alone, such as on decoding
STEP = {  # while waiting for other processes within a step
    "nccl": timedelta(seconds=50),  # a step takes under one second, and NCCL may not notice a lost machine
    "gloo": timedelta(minutes=10),  # a step may take a minute when several processes share a few cores
}
STARTING = timedelta(minutes=10)  # while waiting for other processes to start


@contextlib.contextmanager
def joined(device: torch.device) -> Iterator[Processes]:
    """Joins the other processes of the training for the duration of the context; ALONE if there are none."""
    if (count := started()) == 1:
        yield ALONE
        return
    process = int(os.environ["RANK"])
    with noticing():
        store = store_of(os.environ[RENDEZVOUS], process, count)
        dist.init_process_group("gloo", store=store, rank=process, world_size=count, timeout=PATIENCE)
        check_devices(device, Processes(process, count, patient=dist.group.WORLD))
        if device.type == "cuda":
            torch.cuda.set_device(device)
        backend = "nccl" if device.type == "cuda" else "gloo"
        steps = dist.new_group(backend=backend, timeout=STEP[backend])
        assert isinstance(steps, dist.ProcessGroup)  # which every process is part of
    yield Processes(dist.get_rank(), dist.get_world_size(), steps, dist.group.WORLD)
    dist.destroy_process_group()  # not after an error, which ends this process anyway: it might wait for a dead one


def check_devices(device: torch.device, processes: Processes) -> None:
    """Refuses a mix of processes with and without GPUs, or two on the same GPU. Raises ValueError in all of them."""
    own = [device.type, platform.node(), os.environ.get("CUDA_VISIBLE_DEVICES", ""), device.index]
    devices = [json.loads(text) for text in processes.texts(json.dumps(own))]
    first = devices[0][0]
    if other := [process for process, (kind, *_) in enumerate(devices) if kind != first]:
        found = f"process 0 has {first}, process {other[0]} {devices[other[0]][0]}"
        raise ValueError(f"device: {found}; check that every node sees its GPUs (nvidia-smi), or pass device=cpu")
    if twice := [process for process, one in enumerate(devices) if first == "cuda" and one in devices[:process]]:
        found = f"process {twice[0]} has the GPU of process {devices.index(devices[twice[0]])}"
        raise ValueError(f"device: {found}; leave device out, so that each process takes its own")


def restarts() -> bool:
    """Whether the command is restarted automatically when this process dies: by slurm/train.sbatch, or by SLURM, which has then
    requeued this job at least once."""
    return any(int(os.environ.get(name) or 0) for name in ("FSCLIB_RESTARTS", "SLURM_RESTART_COUNT"))


def store_of(rendezvous: str, process: int, count: int) -> dist.Store:
    """The store in which processes find each other's addresses; returns when all of them are there.

    Errors: ValueError, OSError for an address where process 0 cannot listen; Elsewhere if others are not there in time.
    """
    host, port, listening = "", 0, None
    if rendezvous.startswith("tcp://"):
        host, port = urlsplit(rendezvous).hostname or "", urlsplit(rendezvous).port or 0
        if not (host and port):
            raise ValueError(f"{RENDEZVOUS}: found {rendezvous!r}, expected tcp://address:port, or a file on one machine")
        listening = listen(host, port) if process == 0 else None
    store: dist.Store
    try:
        if host:
            store = dist.TCPStore(host, port, count, process == 0, STARTING, master_listen_fd=listening)
        else:
            store = dist.FileStore(rendezvous, count)
        store.set(f"process {process}", "")
        store.wait([f"process {other}" for other in range(count)], STARTING)
    except RuntimeError as error:  # dist.DistError from one kind of store, a plain one from the other
        found = f"process {process} has waited {STARTING.seconds} s for others to start"
        raise Elsewhere(f"{found}; check their output, and whether they run ({error})") from error
    store.set_timeout(STARTING)
    return store


def listen(host: str, port: int) -> int:
    """A descriptor of a socket that listens at one address of this machine; torch's own would listen at all of them."""
    family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    if host not in (address[0], "localhost") and ipaddress.ip_address(address[0]).is_loopback:
        found = f"{RENDEZVOUS}: {host} is {address[0]} on {host} itself, where no other machine reaches it"
        raise ValueError(f"{found}; set {RENDEZVOUS}=tcp://its address:{port}")
    return socket.create_server(address, family=family).detach()
