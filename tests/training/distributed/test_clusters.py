"""Several torchruns that meet over the network, as on the nodes of a cluster, and the scripts for SLURM."""

import os
import random
import socket
import subprocess
import sys

import pytest
import yaml
from starting import ONE_MACHINE, REPOSITORY, TRAINING, children, command, load, start, words_of

from workbook import sweep

SRUN = """#!/bin/bash
# stands for srun: a torchrun on each of two nodes, which are addresses of this machine
test "$SRUN_CPUS_PER_TASK" = "$SLURM_CPUS_PER_TASK" || exit 7
test "$OMP_NUM_THREADS" -ge 1 || exit 8
shift
program=$1
shift
for node in 2 3; do "$program" --local-addr 127.0.0.$node "$@" & nodes="$nodes $!"; done
status=0
for node in $nodes; do wait "$node" || status=1; done
exit $status
"""


def node(number, port, words):
    meeting = ["--nnodes=2", "--rdzv-backend=c10d", "--rdzv-id=test", f"--rdzv-endpoint=127.0.0.2:{port}"]
    return start(command(2, words, [*meeting, f"--local-addr=127.0.0.{number}"]))


def test_two_nodes_train_together_and_end_together(home, free_port):
    words = ["fsclib.training", *words_of(TRAINING | {"name": "nodes", "epochs": 40, "decay": "39", "validate_every": 40})]
    nodes = [node(2, free_port, words), node(3, free_port, words)]
    printed = {}
    for place, process in enumerate(nodes):
        for line in process.stdout:
            printed.setdefault(place, []).append(line)
            if line.startswith("epoch 1/40"):
                break
        if "epoch 1/40" in printed[place][-1]:
            speaker = place
            break
    other = nodes[1 - speaker]
    os.kill(children(other.pid)[0], 9)
    ends = [process.communicate(timeout=60)[0] for process in nodes]
    assert all(process.returncode for process in nodes)
    assert "exitcode  : -9" in ends[1 - speaker]
    assert load("nodes").environment["ranks"] == 4


def test_the_script_for_a_training_on_several_nodes(home, tmp_path, free_port):
    programs = tmp_path / "bin"
    programs.mkdir()
    torchrun = f'#!/bin/bash\nexec {sys.executable} -m torch.distributed.run "$@"\n'
    for name, text in (("srun", SRUN), ("scontrol", "#!/bin/bash\nprintf '127.0.0.2\\n127.0.0.3\\n'\n"), ("torchrun", torchrun)):
        (programs / name).write_text(text)
        (programs / name).chmod(0o755)
    surroundings = {
        "PATH": f"{programs}:{os.environ['PATH']}", "TORCHRUN": "torchrun", "PROCESSES_PER_NODE": "1",
        "SLURM_JOB_NODELIST": "node[2-3]",
        "SLURM_JOB_NUM_NODES": "2", "SLURM_JOB_ID": str(free_port - 20000), "SLURM_CPUS_PER_TASK": "2",
    }  # fmt: skip
    words = words_of(TRAINING | {"name": "slurm", "epochs": 1, "decay": "1"})
    done = subprocess.run(
        ["bash", "slurm/train.sbatch", *words], cwd=REPOSITORY, env=os.environ | ONE_MACHINE | surroundings,
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert load("slurm").finished
    assert load("slurm").environment["ranks"] == 2


def test_the_script_for_a_sweep_starts_it(tmp_path):
    spy = tmp_path / "python"
    spy.write_text('#!/bin/bash\necho "$@"\n')
    spy.chmod(0o755)
    done = subprocess.run(
        ["bash", "slurm/sweep.sbatch", "slurm/llcm.yaml", "--retry"], cwd=REPOSITORY, env=os.environ | {"PYTHON": str(spy)},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.split() == ["-m", "workbook.sweep", "slurm/llcm.yaml", "--retry", "--cluster", "slurm"]


def test_the_sweep_of_the_example_is_one():
    content = yaml.safe_load((REPOSITORY / "slurm/llcm.yaml").read_text())
    assert content["slurm"]["gpus_per_node"] == 1
    assert len(sweep.read(REPOSITORY / "slurm/llcm.yaml", check=False).cells) == 12


@pytest.fixture
def free_port():
    """A port between 20000 and 29999 that nobody listens at."""
    while True:
        number = random.randint(20000, 29999)
        with socket.socket() as found:
            if found.connect_ex(("127.0.0.2", number)):
                return number
