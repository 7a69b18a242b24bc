"""Make the environment of the project: what a Makefile would do badly.

    python3 tools/environment.py create .venv     check this Python, make .venv, install everything
    python3 tools/environment.py pesq .venv       try to install pesq, say in one line what came out
    .venv/bin/python tools/environment.py lock    print constraints.txt from this environment

It runs before anything is installed, also under a Python that is too old: standard library only.
"""

import importlib.util
import os
import shutil
import subprocess
import sys

MINIMUM = (3, 11)
EXTRAS = "data,dnsmos,notebooks,onnx,site,test,train"
SIZE_GB = 6  # the finished .venv on Linux, with PyTorch's GPU build; measured, see INSTALL.md
UNPINNED = {"pip", "setuptools", "effifusion-lite"}  # set by Python's venv, and the project itself


def create(folder):
    """Make the virtual environment in `folder` and install the package with its extras.

    Raises:
        SystemExit: something is missing; the message says what to do.
    """
    check_python()
    if not works(folder):
        warn_of_full_disk(os.path.dirname(os.path.abspath(folder)))
        print(f"Making {folder}: downloads some GB and takes minutes, once.", flush=True)
        made = subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=False)
        if made.returncode != 0:
            sys.exit(f"setup: Python could not make {folder}; its message stands above.")
    installed = pip(folder, "--editable", f".[{EXTRAS}]")
    if installed.returncode != 0:
        sys.exit(
            "setup: pip could not install the packages; its message stands above. "
            "Check network and disk, then run `make setup` again."
        )
    pesq(folder)


def check_python():
    """Stop with one line if this Python cannot carry the project."""
    have, need = (".".join(map(str, version[:2])) for version in (sys.version_info, MINIMUM))
    if sys.version_info < MINIMUM:
        sys.exit(
            f"setup: {sys.executable} is Python {have}, the project needs {need} or newer: "
            f"install one and run, for example, `make setup PYTHON=python3.12`."
        )
    missing = [name for name in ("venv", "ensurepip") if importlib.util.find_spec(name) is None]
    if missing:
        sys.exit(
            f"setup: this Python {have} lacks its module {missing[0]}: install it (on Debian and "
            f"Ubuntu `apt install python3-venv`) and run `make setup` again."
        )


def pesq(folder):
    """Install pesq, which is compiled on the spot; without a compiler say so and go on."""
    log = os.path.join(folder, "pesq.log")
    with open(log, "w") as file:
        done = pip(folder, "pesq", stdout=file, stderr=subprocess.STDOUT)
    if done.returncode == 0:
        print("setup: pesq is installed.")
    else:
        print(
            f"setup: pesq could not be built (no C compiler or Python headers? see {log}): PESQ "
            "scores and training with --gan are left out, all else works. Retry with `make pesq`."
        )


def lock():
    """Print every package of the running environment with its version, for constraints.txt."""
    from importlib.metadata import distributions

    from packaging.specifiers import SpecifierSet

    print("# The versions tested together. Made on Linux by `make constraints`; do not edit.")
    for package in sorted(distributions(), key=lambda package: package.name.lower()):
        if package.name.lower() in UNPINNED:
            continue
        pin = f"{package.name}=={package.version.split('+')[0]}"
        # A version that is gone for the oldest Python is pinned only where it exists.
        supported = SpecifierSet(package.metadata.get("Requires-Python", ""))
        if ".".join(map(str, MINIMUM)) not in supported:
            limits = sorted(f"python_full_version {s.operator} '{s.version}'" for s in supported)
            pin += f"; {' and '.join(limits)}"
        print(pin)


def pip(folder, *arguments, **options):
    """Run the environment's `pip install` under the constraints."""
    command = [python(folder), "-m", "pip", "install", "--constraint", "constraints.txt"]
    environment = dict(os.environ, PIP_DISABLE_PIP_VERSION_CHECK="1")
    return subprocess.run([*command, *arguments], env=environment, check=False, **options)


def python(folder):
    """Name the environment's interpreter."""
    return os.path.join(folder, "bin", "python")


def works(folder):
    """Tell whether the environment exists and its interpreter still runs with its pip."""
    if not os.path.exists(python(folder)):
        return False
    probe = subprocess.run([python(folder), "-m", "pip", "--version"], capture_output=True)
    return probe.returncode == 0


def warn_of_full_disk(place):
    """Say so if the disk may be too small; the CPU build of PyTorch needs less, so go on."""
    free = shutil.disk_usage(place).free / 1e9
    if free < SIZE_GB:
        print(f"setup: only {free:.1f} GB are free here; the environment takes about {SIZE_GB} GB.")


if __name__ == "__main__":
    commands = {"create": create, "pesq": pesq, "lock": lock}
    commands[sys.argv[1]](*sys.argv[2:])
