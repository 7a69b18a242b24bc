"""What all tests share: one thread for each worker, the built-in clips, and real recordings."""

import os
import resource
from contextlib import contextmanager
from pathlib import Path

# Set before torch is imported: two workers on two cores would otherwise start four threads.
os.environ.setdefault("OMP_NUM_THREADS", "1")
# The tests are about the built-in clips, notebooks included; those of a corpus name their own.
os.environ.pop("EFFIFUSION_VBD", None)

import pytest  # noqa: E402
import torch  # noqa: E402
from hearing import chromium, page_of  # noqa: E402, F401
from hypothesis import settings  # noqa: E402

REPOSITORY = Path(__file__).resolve().parents[1]

# The same examples on each run, and no failure because a machine was busy.
settings.register_profile("project", derandomize=True, deadline=None)
settings.load_profile("project")


@pytest.fixture(autouse=True)
def seed() -> None:
    """The same random numbers in each test, whatever ran before it in the same process."""
    torch.manual_seed(0)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of real speech and noise with a manifest.csv; it is no part of the project."""
    folder = Path(os.environ.get("EFFIFUSION_DATA", REPOSITORY.parent / "shared" / "data"))
    if not (folder / "manifest.csv").is_file():
        pytest.skip(f"no real recordings in {folder}: name their folder in EFFIFUSION_DATA")
    return folder


@pytest.fixture
def full_disk():
    """`with full_disk(n):` no file can become longer than n bytes."""

    @contextmanager
    def limit(size: int):
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)

    return limit


@pytest.fixture(scope="session")
def rain_folder(tmp_path_factory):
    """Folder with three seconds of rain, noise enough for a training of a few steps."""
    from effifusion_lite.audio import save_audio
    from effifusion_lite.listening import clips

    folder = tmp_path_factory.mktemp("noise")
    save_audio(folder / "rain.wav", clips.noise("rain", 3.0, 0, "train"), 16000)
    return folder


@pytest.fixture(scope="session")
def weights(tmp_path_factory):
    """Path of weights of a very small network, which nobody has trained."""
    from effifusion_lite.generator import EffiFusionGenerator, preset
    from effifusion_lite.weights import save_weights

    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("weights") / "small.safetensors"
    save_weights(EffiFusionGenerator(preset("tiny", channels=8, head_channels=8, blocks=1)), path)
    return path
