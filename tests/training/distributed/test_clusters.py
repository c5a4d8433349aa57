"""Processes that train together over the network, as on the nodes of a cluster, and the scripts for SLURM."""

import os
import random
import socket
import subprocess
import sys

import pytest
import yaml
from listening import listening
from starting import REPOSITORY, TRAINING, children, load, start, training, words_of

from fsclib.training.distributed import launch
from workbook import sweep

SRUN = """#!/bin/bash
# stands in for srun: one process on each of two nodes; when one fails, both are ended
test "$SRUN_CPUS_PER_TASK" = "$SLURM_CPUS_PER_TASK" || exit 7
test "$OMP_NUM_THREADS" -ge 1 || exit 8
test "$1" = --kill-on-bad-exit=1 || exit 9
shift
for task in 0 1; do SLURM_NTASKS=2 SLURM_PROCID=$task SLURM_LOCALID=0 "$@" & tasks="$tasks $!"; done
for task in $tasks; do wait -n || { kill $tasks; wait; exit 1; }; done
"""


@pytest.mark.parametrize("count", [2, pytest.param(4, marks=pytest.mark.long("four processes"))])
def test_processes_on_several_machines_train_together_and_end_together(home, free_port, count):
    command = training(TRAINING | {"name": "nodes", "epochs": 40, "decay": "39", "validate_every": 40})
    processes = [start(command, **launch.member(f"tcp://127.0.0.2:{free_port}", process, count)) for process in range(count)]
    for line in processes[0].stdout:
        if line.startswith("epoch 1/40"):
            break
    found = listening(process.pid for process in processes)
    assert "127.0.0.2" in {str(address) for address, port in found if port == free_port}
    assert all(address.is_loopback for address, _ in found), found
    processes[-1].kill()
    ends = [process.communicate(timeout=60)[0] for process in processes]
    assert processes[-1].returncode == -9
    assert all(process.returncode == 1 for process in processes[:-1])
    assert all("the connection to another process is lost" in end for end in ends[:-1])
    assert load("nodes").environment["processes"] == count


@pytest.mark.long("three trainings")
def test_the_training_script_restarts_when_a_process_is_killed(home, tmp_path, free_port):
    programs = tmp_path / "bin"
    programs.mkdir()
    for name, text in (("srun", SRUN), ("scontrol", "#!/bin/bash\nprintf '127.0.0.2\\n127.0.0.3\\n'\n")):
        (programs / name).write_text(text)
        (programs / name).chmod(0o755)
    variables = {
        "PATH": f"{programs}:{os.environ['PATH']}", "PYTHON": sys.executable, "PYTHONUNBUFFERED": "1",
        "SLURM_JOB_NODELIST": "node[2-3]", "SLURM_JOB_ID": str(free_port - 20000), "SLURM_CPUS_PER_TASK": "1",
    }  # fmt: skip
    process = start(["bash", "slurm/train.sbatch", *words_of(TRAINING | {"name": "slurm"})], **variables)
    printed = []
    for line in process.stdout:
        printed.append(line)
        if line.startswith("epoch 1/3"):
            os.kill(children(children(process.pid)[0])[1], 9)
    assert process.wait(60) == 0, printed
    assert sum("resuming after epoch 1 of 3" in line for line in printed) == 1
    assert load("slurm").finished
    assert load("slurm").environment["processes"] == 2


def test_the_sweep_script_starts_the_sweep(tmp_path):
    spy = tmp_path / "python"
    spy.write_text('#!/bin/bash\necho "$@"\n')
    spy.chmod(0o755)
    done = subprocess.run(
        ["bash", "slurm/sweep.sbatch", "slurm/llcm.yaml", "--retry"], cwd=REPOSITORY, env=os.environ | {"PYTHON": str(spy)},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.split() == ["-m", "workbook.sweep", "slurm/llcm.yaml", "--retry", "--cluster", "slurm"]


def test_the_example_sweep_is_valid():
    content = yaml.safe_load((REPOSITORY / "slurm/llcm.yaml").read_text())
    assert content["slurm"]["gpus_per_node"] == 1
    assert len(sweep.read(REPOSITORY / "slurm/llcm.yaml", check=False).cells) == 21


@pytest.fixture
def free_port():
    """A port between 20000 and 29999 that is not in use."""
    while True:
        number = random.randint(20000, 29999)
        with socket.socket() as found:
            if found.connect_ex(("127.0.0.2", number)):
                return number
