import json
import subprocess
import sys

import psutil
import pytest

from local.processes import Processes, StartError

SLEEP = [sys.executable, "-c", "import time; time.sleep(60)"]


@pytest.fixture
def processes(tmp_path):
    processes = Processes(tmp_path)
    yield processes
    processes.stop_all()


def test_only_started_processes_are_stopped(processes, tmp_path):
    with subprocess.Popen(SLEEP) as foreign:
        processes.start("mine", SLEEP, is_up=lambda: True)
        assert processes.running("mine")
        assert Processes(tmp_path).stop_all() == ["mine"]
        assert not processes.running("mine")
        assert foreign.poll() is None
        foreign.kill()


def test_a_reused_pid_is_not_stopped(processes, tmp_path):
    with subprocess.Popen(SLEEP) as foreign:
        started = psutil.Process(foreign.pid).create_time() - 60
        known = {"mine": {"pid": foreign.pid, "started": started}}
        (tmp_path / "processes.json").write_text(json.dumps(known))
        assert not processes.running("mine")
        assert processes.stop_all() == []
        assert foreign.poll() is None
        foreign.kill()


def test_a_process_that_exits_at_once_raises_an_error_with_its_log(processes):
    with pytest.raises(StartError, match=r"broken did not start; see .*broken\.log"):
        processes.start("broken", [sys.executable, "-c", "1/0"], is_up=lambda: False)
