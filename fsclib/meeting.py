"""How the processes that torchrun has started find each other. torchrun says in the environment who is who."""

import contextlib
import json
import os
import secrets
import time
from collections.abc import Iterator
from datetime import timedelta

import torch
import torch.distributed as dist

from fsclib.ranks import ALONE, Elsewhere, Ranks, noticing

PATIENCE = timedelta(days=1)  # for what the first process does alone, such as decoding
STEP = {  # for the others in the middle of a step
    "nccl": timedelta(seconds=50),  # a step takes under one second, and NCCL may not notice that a machine is gone
    "gloo": timedelta(minutes=10),  # a step may take one, where several processes share a few cores
}
STARTING, PAUSE = 600, 0.05  # seconds: to wait for others to start, and between two looks


def started() -> int:
    """How many processes torchrun has started this one among; 1 without it."""
    return int(os.environ.get("WORLD_SIZE", "1")) if "TORCHELASTIC_RUN_ID" in os.environ else 1


@contextlib.contextmanager
def joined(device: torch.device) -> Iterator[Ranks]:
    """Joins the processes that torchrun has started, and leaves them; ALONE without torchrun."""
    if started() == 1:
        yield ALONE
        return
    with noticing():
        # torchrun may be gone already, and then a process that it has just started should not wait for long
        store, rank, count = next(dist.rendezvous("env://", timeout=timedelta(seconds=STARTING)))
        store = fresh(store, rank, count)
        dist.init_process_group("gloo", store=store, rank=rank, world_size=count, timeout=PATIENCE)
        check_devices(device, Ranks(rank, count, patient=dist.group.WORLD))
        if device.type == "cuda":
            torch.cuda.set_device(device)
        backend = "nccl" if device.type == "cuda" else "gloo"
        steps = dist.new_group(backend=backend, timeout=STEP[backend])
    yield Ranks(dist.get_rank(), dist.get_world_size(), steps, dist.group.WORLD)
    dist.destroy_process_group()  # not after an error, which ends this process: it might wait for one that is gone


def check_devices(device: torch.device, ranks: Ranks) -> None:
    """Refuses processes of which some compute on GPUs and some do not, or two on the same one. ValueError, in all of them."""
    own = [device.type, os.environ.get("GROUP_RANK", ""), os.environ.get("CUDA_VISIBLE_DEVICES", ""), device.index]
    there = [json.loads(text) for text in ranks.texts(json.dumps(own))]
    first = there[0][0]
    if other := [rank for rank, (kind, *_) in enumerate(there) if kind != first]:
        found = f"process 0 has {first}, process {other[0]} {there[other[0]][0]}"
        raise ValueError(f"device: {found}; see whether every node's GPUs are there (nvidia-smi), or pass device=cpu")
    if twice := [rank for rank, one in enumerate(there) if first == "cuda" and one in there[:rank]]:
        found = f"process {twice[0]} has the GPU of process {there.index(there[twice[0]])}"
        raise ValueError(f"device: {found}; leave device out, so that each takes one of its own")


def restarts() -> bool:
    """Whether the same command is given again by itself when this process dies: by torchrun's --max-restarts, or, as it was once
    already, by SLURM, which queues jobs again."""
    return any(int(os.environ.get(name) or 0) for name in ("TORCHELASTIC_MAX_RESTARTS", "SLURM_RESTART_COUNT"))


def fresh(store: dist.Store, rank: int, count: int) -> dist.Store:
    """The part of torchrun's store that is of this start of all processes alone.

    After a restart the store still holds the addresses of those who died. The first process answers greetings: who finds its own,
    drawn at random, in the answer knows that the first is of the same start, and takes its token.
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
    raise Elsewhere(f"process {rank} has waited {STARTING} s for others to start; look at what they say, or whether they run")
