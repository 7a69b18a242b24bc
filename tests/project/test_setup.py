"""The set-up: versions agree in all files, and `make` says in one line what is missing."""

import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

import effifusion_lite
from tools import environment

REPOSITORY = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
EXTRAS = PROJECT["optional-dependencies"]
RANGES = [Requirement(text) for text in sum(EXTRAS.values(), PROJECT["dependencies"])]


def read_pins() -> dict[str, str]:
    lines = (REPOSITORY / "constraints.txt").read_text().splitlines()
    pins = [Requirement(line) for line in lines if not line.startswith("#")]
    return {canonicalize_name(pin.name): str(pin.specifier).removeprefix("==") for pin in pins}


@pytest.mark.parametrize("wanted", RANGES, ids=str)
def test_each_range_holds_the_tested_version(wanted):
    assert wanted.specifier.contains(read_pins()[canonicalize_name(wanted.name)])


def test_torch_and_torchaudio_are_pinned_to_one_release():
    assert read_pins()["torch"] == read_pins()["torchaudio"] == "2.11.0"


def test_make_setup_installs_every_extra():
    assert sorted([*environment.EXTRAS.split(","), "pesq"]) == sorted(EXTRAS)


def test_the_oldest_python_is_the_same_everywhere():
    oldest = ".".join(map(str, environment.MINIMUM))
    assert PROJECT["requires-python"] == f">={oldest}"
    assert f"Python {oldest} " in (REPOSITORY / "README.md").read_text()


def test_conda_environment_equals_project_and_constraints():
    conda = yaml.safe_load((REPOSITORY / "environment.yml").read_text())
    [pip] = [entry["pip"] for entry in conda["dependencies"] if isinstance(entry, dict)]
    python, *_ = [entry for entry in conda["dependencies"] if str(entry).startswith("python")]
    assert SpecifierSet(python.removeprefix("python")) == SpecifierSet(PROJECT["requires-python"])
    # The packages come from the files themselves: all extras, under all pins, and no second list.
    assert pip == ["--constraint constraints.txt", f"--editable .[{','.join(sorted(EXTRAS))}]"]


def test_version_is_the_same_everywhere():
    citation = yaml.safe_load((REPOSITORY / "CITATION.cff").read_text())
    assert effifusion_lite.__version__ == PROJECT["version"] == citation["version"]


def test_wheel_holds_every_file_of_the_package_and_the_command(tmp_path):
    build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel"]
    subprocess.run([*build, "--directory", tmp_path], cwd=REPOSITORY, check=True)
    [wheel] = [zipfile.ZipFile(path) for path in tmp_path.glob("*.whl")]
    folders = ["effifusion_lite", "data_download"]
    listed = subprocess.run(
        ["git", "ls-files", *folders], cwd=REPOSITORY, check=True, capture_output=True, text=True
    )
    files = {name for name in listed.stdout.splitlines() if (REPOSITORY / name).exists()}
    assert files and files <= set(wheel.namelist())
    assert any(name.endswith("licenses/TRAINING_DATA.md") for name in wheel.namelist())
    [commands] = [name for name in wheel.namelist() if name.endswith("entry_points.txt")]
    assert "effifusion = effifusion_lite.command_line.parser:main" in wheel.read(commands).decode()


# From here on `make` runs in a copy of the set-up's files, with stand-ins for what it calls.

needs_make = pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")


@pytest.fixture
def copy(tmp_path):
    for name in ["Makefile", "pyproject.toml", "constraints.txt", "tools/environment.py"]:
        target = tmp_path / name
        target.parent.mkdir(exist_ok=True)
        shutil.copy(REPOSITORY / name, target)
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "notebooks" / "00_hear_the_problem.ipynb").touch()
    return tmp_path


def make(folder, *arguments):
    """Run make as from a fresh shell, without what a surrounding make hands down."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    clean.pop("MFLAGS", None)
    return subprocess.run(
        ["make", *arguments], cwd=folder, env=clean, capture_output=True, text=True, timeout=60
    )


def script(path, body):
    """Write a stand-in: a shell script that notes its arguments and then runs `body`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f'#!/bin/sh\necho "$(basename $0) $*" >> "$(dirname $0)/calls"\n{body}\n')
    path.chmod(0o755)
    return path


def altered_python(path, change):
    """Write a Python that differs from this one by the statement `change`."""
    code = f"import runpy, sys; {change}; del sys.argv[0]; "
    code += "runpy.run_path(sys.argv[0], run_name='__main__')"
    return script(path, f'exec {shlex.quote(sys.executable)} -c {shlex.quote(code)} "$@"')


def said(run):
    """The lines of the set-up itself, without those that make adds."""
    return [line for line in (run.stdout + run.stderr).splitlines() if "make:" not in line]


@needs_make
def test_missing_python_is_one_clear_line(copy):
    run = make(copy, "setup", "PYTHON=python3-that-is-not-there")
    assert run.returncode != 0
    [line] = said(run)
    assert "there is no python3-that-is-not-there: install Python 3.11 or newer" in line


@needs_make
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("sys.version_info = (3, 8, 1)", "is Python 3.8, the project needs 3.11 or newer: install"),
        ("sys.modules['ensurepip'] = None", "lacks its module ensurepip: install it"),
    ],
)
def test_unfit_python_is_one_clear_line(copy, change, message):
    run = make(copy, "setup", f"PYTHON={altered_python(copy / 'python', change)}")
    assert run.returncode != 0
    [line] = said(run)
    assert message in line
    assert not (copy / ".venv").exists()


@needs_make
def test_without_compiler_setup_goes_on_and_a_second_call_starts_at_once(copy):
    pip = script(copy / ".venv/bin/python", 'case "$*" in *pesq) echo no gcc; exit 1;; esac')
    first = make(copy, "setup", f"PYTHON={sys.executable}")
    assert first.returncode == 0, first.stderr
    line, ready = said(first)
    assert line.startswith("setup: pesq could not be built")
    assert ready.endswith("is ready.")
    assert "no gcc" in (copy / ".venv/pesq.log").read_text()
    calls = (copy / ".venv/bin/calls").read_text()
    assert f"--editable .[{environment.EXTRAS}]" in calls
    pip.unlink()
    second = make(copy, "setup", "PYTHON=not-even-looked-at")
    assert (second.returncode, said(second)) == (0, [ready])


@needs_make
def test_failed_install_stops_the_setup_and_is_tried_again(copy):
    script(copy / ".venv/bin/python", 'case "$*" in *editable*) exit 1;; esac')
    for _ in range(2):
        run = make(copy, "setup", f"PYTHON={sys.executable}")
        assert run.returncode != 0
        assert "setup: pip could not install the packages" in run.stderr


def finish_setup(folder):
    """Make the environment look complete."""
    (folder / ".venv/bin").mkdir(parents=True)
    (folder / ".venv/.ready").touch()


@needs_make
def test_lab_trusts_the_notebooks_and_opens_the_first(copy):
    finish_setup(copy)
    script(copy / ".venv/bin/jupyter", "true")
    assert make(copy, "lab", "LAB_ARGS=--no-browser --port 8899").returncode == 0
    trust, lab = (copy / ".venv/bin/calls").read_text().splitlines()
    assert trust == "jupyter trust notebooks/00_hear_the_problem.ipynb"
    assert re.match(r"jupyter lab .*/lab/tree/notebooks/00_hear_the_problem.ipynb ", lab)
    assert lab.endswith("--no-browser --port 8899")


@needs_make
def test_serve_builds_the_site_first_and_stays_on_this_machine(copy):
    finish_setup(copy)
    built = "mkdir -p build/site && touch build/site/index.html"
    script(copy / ".venv/bin/python", f'case "$*" in site/build.py) {built};; esac')
    for _ in range(2):
        assert make(copy, "serve", "PORT=8899").returncode == 0
    calls = (copy / ".venv/bin/calls").read_text().splitlines()
    serve = "python -m http.server --bind 127.0.0.1 --directory build/site 8899"
    assert calls == ["python site/build.py", serve, serve]


@needs_make
@pytest.mark.parametrize(("ruff", "pytest_", "good"), [(0, 0, True), (1, 0, False), (0, 5, False)])
def test_make_test_fails_when_linter_or_tests_fail(copy, ruff, pytest_, good):
    finish_setup(copy)
    script(copy / ".venv/bin/ruff", f"exit {ruff}")
    script(copy / ".venv/bin/python", f"exit {pytest_}")
    run = make(copy, "test")
    assert (run.returncode == 0) is good
    assert "python -m pytest" in (copy / ".venv/bin/calls").read_text()


def run_ci(folder, **stand_ins):
    """Run a copy of .ci/run that finds nothing but a few tools of the shell and `stand_ins`."""
    shutil.copytree(REPOSITORY / ".ci", folder / ".ci")
    for name, body in stand_ins.items():
        script(folder / "bin" / name.replace("_", "-"), body)
    for name in ["bash", "sh", "basename", "dirname"]:
        (folder / "bin" / name).symlink_to(shutil.which(name))
    variables = {"PATH": str(folder / "bin")}
    run = subprocess.run([folder / ".ci/run"], env=variables, capture_output=True, text=True)
    return run, (folder / "bin/calls").read_text().splitlines()


@pytest.mark.parametrize("status", [0, 3])
def test_ci_hands_on_the_status_of_make_test(tmp_path, status):
    run, calls = run_ci(tmp_path, make=f"exit {status}", chromium="true")
    assert (run.returncode, calls) == (status, ["make test"])


def test_ci_goes_on_where_chromium_cannot_be_installed(tmp_path):
    run, calls = run_ci(tmp_path, make="true", id="echo 0", apt_get="exit 100")
    assert "the browser tests will skip" in run.stdout
    assert (run.returncode, calls[-1]) == (0, "make test")
