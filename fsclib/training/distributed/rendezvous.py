"""Connects the processes that torchrun has started. torchrun gives each its number in the environment."""

import contextlib
import json
import os
import secrets
import time
from collections.abc import Iterator
from datetime import timedelta

import torch
import torch.distributed as dist

from fsclib.system.processes import ALONE, Elsewhere, Ranks, noticing, started

PATIENCE = timedelta(days=1)  # while process 0 works alone, such as on decoding
STEP = {  # while waiting for other processes within a step
    "nccl": timedelta(seconds=50),  # a step takes under one second, and NCCL may not notice a lost machine
    "gloo": timedelta(minutes=10),  # a step may take a minute when several processes share a few cores
}
STARTING, PAUSE = 600, 0.05  # seconds: to wait for other processes to start, and between two checks


@contextlib.contextmanager
def joined(device: torch.device) -> Iterator[Ranks]:
    """Joins the process group of torchrun for the duration of the context; ALONE without torchrun."""
    if started() == 1:
        yield ALONE
        return
    with noticing():
        # a process whose torchrun has already died should not wait for long
        store, rank, count = next(dist.rendezvous("env://", timeout=timedelta(seconds=STARTING)))
        store = fresh(store, rank, count)
        dist.init_process_group("gloo", store=store, rank=rank, world_size=count, timeout=PATIENCE)
        check_devices(device, Ranks(rank, count, patient=dist.group.WORLD))
        if device.type == "cuda":
            torch.cuda.set_device(device)
        backend = "nccl" if device.type == "cuda" else "gloo"
        steps = dist.new_group(backend=backend, timeout=STEP[backend])
        assert isinstance(steps, dist.ProcessGroup)  # which every process is part of
    yield Ranks(dist.get_rank(), dist.get_world_size(), steps, dist.group.WORLD)
    dist.destroy_process_group()  # not after an error, which ends this process anyway: it might wait for a dead one


def check_devices(device: torch.device, ranks: Ranks) -> None:
    """Refuses a mix of processes with and without GPUs, or two on the same GPU. Raises ValueError in all of them."""
    own = [device.type, os.environ.get("GROUP_RANK", ""), os.environ.get("CUDA_VISIBLE_DEVICES", ""), device.index]
    devices = [json.loads(text) for text in ranks.texts(json.dumps(own))]
    first = devices[0][0]
    if other := [rank for rank, (kind, *_) in enumerate(devices) if kind != first]:
        found = f"process 0 has {first}, process {other[0]} {devices[other[0]][0]}"
        raise ValueError(f"device: {found}; check that every node sees its GPUs (nvidia-smi), or pass device=cpu")
    if twice := [rank for rank, one in enumerate(devices) if first == "cuda" and one in devices[:rank]]:
        found = f"process {twice[0]} has the GPU of process {devices.index(devices[twice[0]])}"
        raise ValueError(f"device: {found}; leave device out, so that each process takes its own")


def restarts() -> bool:
    """Whether the command is restarted automatically when this process dies: by torchrun's --max-restarts, or by SLURM, which has
    then requeued this job at least once."""
    return any(int(os.environ.get(name) or 0) for name in ("TORCHELASTIC_MAX_RESTARTS", "SLURM_RESTART_COUNT"))


def fresh(store: dist.Store, rank: int, count: int) -> dist.Store:
    """The part of torchrun's store that belongs to the current start of all processes.

    After a restart the store still holds the addresses of dead processes. Each process posts a random greeting, and process 0
    answers with all that it has read. A process that finds its own greeting in the answer knows that process 0 belongs to the same
    start, and adopts its token.
    """
    own, others, end = secrets.token_hex(8), range(1, count), time.monotonic() + STARTING
    while time.monotonic() < end:
        if rank:
            store.set(f"greeting {rank}", own)
            answer = json.loads(store.get("answer")) if store.check(["answer"]) else {}
            if answer.get(str(rank)) == own:
                store.set(f"{answer['token']} {rank}", "")
                return dist.PrefixStore(answer["token"], store)
        else:
            heard = {str(other): store.get(f"greeting {other}").decode() for other in others if store.check([f"greeting {other}"])}
            store.set("answer", json.dumps(heard | {"token": own}))
            if store.check([f"{own} {other}" for other in others]):
                return dist.PrefixStore(own, store)
        time.sleep(PAUSE)
    raise Elsewhere(f"process {rank} has waited {STARTING} s for others to start; check their output, and whether they run")
