"""Many files in one process: memory and open files stay as they are after the first ones."""

import json
import subprocess
import sys

import pytest
from sounds import noise

from effifusion_lite.audio import save_audio

# Runs two commands, and tells the memory in MB and the number of open files after each.
PROGRAM = """
import json, os, sys
from pathlib import Path
from effifusion_lite.command_line.parser import main

states = []
for words in json.loads(sys.argv[1]):
    assert main(words) == 0
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    states.append((pages * os.sysconf("SC_PAGE_SIZE") / 1e6, len(os.listdir("/proc/self/fd"))))
print("\\n" + json.dumps(states), file=sys.stderr)
"""
FILES, PAIRS = {"few": 20, "many": 200}, {"few": 5, "many": 25}
ROOM = 15  # MB; what the network computes of a file of 50 ms is 4 MB


def write(path, *waveforms):
    path.parent.mkdir(parents=True, exist_ok=True)
    save_audio(path, sum(waveforms), 16000)


@pytest.mark.skipif(sys.platform != "linux", reason="memory is read as Linux tells it")
def test_many_files_need_no_more_memory_than_few(tmp_path, weights):
    commands = []
    for name, count in FILES.items():
        for index in range(count):
            write(tmp_path / name / f"{index}.wav", noise(1, 800, index)[0])
        commands.append(["enhance", tmp_path / name, "-o", tmp_path / "out", "--jobs", 1])
        commands[-1] += ["--weights", weights, "--overwrite"]
    for name, count in PAIRS.items():
        folders = [tmp_path / side / name for side in ("clean", "noisy")]
        for index in range(count):
            clean, rest = noise(2, 8000, index)
            write(folders[0] / f"{index}.wav", clean)
            write(folders[1] / f"{index}.wav", clean, rest)
        commands.append(["evaluate", *folders, "--weights", weights, "--processes", 1])
    words = json.dumps([[str(word) for word in command] for command in commands])
    program = [sys.executable, "-c", PROGRAM, words]
    result = subprocess.run(program, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert "arning" not in result.stderr
    states = json.loads(result.stderr.splitlines()[-1])
    for (memory, files), (memory_later, files_later) in (states[:2], states[2:]):
        assert memory_later - memory < ROOM
        assert files_later <= files
