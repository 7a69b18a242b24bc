"""Threads that share the cores with other programs. What it brings is a benchmark, not a test."""

import os
import subprocess
import sys

import pytest

from effifusion_lite.cpu.threads import SPINS, _has_quota, cores

SAID = ("OMP_NUM_THREADS", "OMP_WAIT_POLICY", "GOMP_SPINCOUNT")


def after_import(program: str, **environment: str) -> list[str]:
    """What a program prints, in an environment that says nothing of threads but this."""
    clean = {name: value for name, value in os.environ.items() if name not in SAID}
    run = subprocess.run(
        [sys.executable, "-c", program], env=clean | environment, capture_output=True, text=True
    )
    assert run.returncode == 0, run.stderr
    return run.stdout.split()


SHOW = f"import os, effifusion_lite; print(*(os.environ.get(n, '-') for n in {SAID}))"


def test_threads_spin_briefly_unless_the_user_has_said_how_they_wait():
    assert after_import(SHOW)[1:] == ["-", SPINS]
    assert after_import(SHOW, OMP_WAIT_POLICY="PASSIVE")[1:] == ["PASSIVE", "-"]
    assert after_import(SHOW, GOMP_SPINCOUNT="7")[2] == "7"


LATE = """
import os, torch
os.getloadavg = lambda: ({load}, 0, 0)
import effifusion_lite
print(torch.get_num_threads())
"""


def test_where_torch_came_first_a_busy_machine_gets_one_thread():
    assert after_import(LATE.format(load=999)) == ["1"]
    assert after_import(LATE.format(load=0)) == [str(min(cores(), _threads_of_torch()))]
    assert after_import(LATE.format(load=999), OMP_NUM_THREADS="2") == ["2"]


def _threads_of_torch() -> int:
    return int(after_import("import torch; print(torch.get_num_threads())")[0])


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="no affinity on this system")
def test_cores_follow_the_affinity_of_the_process():
    one = "import os; os.sched_setaffinity(0, [min(os.sched_getaffinity(0))])\n"
    ask = "from effifusion_lite.cpu.threads import cores; print(cores())"
    assert after_import(one + ask) == ["1"]
    assert 1 <= cores() <= os.cpu_count()


@pytest.mark.parametrize(
    ("name", "text", "limited"),
    [
        ("cpu.max", "max 100000", False),
        ("cpu.max", "150000 100000", True),
        ("cpu/cpu.cfs_quota_us", "-1", False),
        ("cpu/cpu.cfs_quota_us", "50000", True),
    ],
)
def test_the_quota_of_a_container_is_seen(tmp_path, name, text, limited):
    assert not _has_quota(tmp_path)
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text(text + "\n")
    assert _has_quota(tmp_path) == limited
