"""Weights of the generator: saved with their configuration, loaded by name or path.

A file is safetensors: tensors, and a header with the configuration as JSON. Nothing is unpickled.

Chapter: 04 The generator.
"""

import json
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from effifusion_lite.audio import describe_content, write_atomically
from effifusion_lite.generator import EffiFusionGenerator, GeneratorConfig

FORMAT = "effifusion-lite 1"
SHIPPED = Path(__file__).parent / "pretrained"


class WeightsError(ValueError):
    """Weights that are missing, damaged, or of another kind."""


def available() -> list[str]:
    """Names of the shipped weights.

    Returns:
        Names that :func:`load` takes.
    """
    return sorted(path.stem for path in SHIPPED.glob("*.safetensors"))


def training_steps(folder: Path = SHIPPED / "steps") -> dict[int, Path]:
    """Weights of `tiny` along its first training: files named after their step.

    Args:
        folder: where `tiny-NNNNN.safetensors` lie; by default those that are shipped.

    Returns:
        For each step, in rising order, a path that :func:`load` takes.

    Chapter: none, the listening lab.
    """
    files = sorted(folder.glob("tiny-*.safetensors"))
    return {int(path.stem.removeprefix("tiny-")): path for path in files}


def find(name_or_path: str | Path) -> Path:
    """The file of a name or path.

    Args:
        name_or_path: name of shipped weights, or path of a file.

    Returns:
        A path that exists.

    Raises:
        WeightsError: if there is neither such a name nor such a file.
    """
    shipped = SHIPPED / f"{name_or_path}.safetensors"
    if str(name_or_path) in available():
        return shipped
    if Path(name_or_path).is_file():
        return Path(name_or_path)
    raise WeightsError(
        f"there are no weights {str(name_or_path)!r}: give the path of a .safetensors file or one "
        f"of these names: {', '.join(available())}"
    )


def save_weights(
    model: EffiFusionGenerator, path: str | Path, metadata: dict[str, str] | None = None
) -> None:
    """Writes weights and configuration, beside the target first, so that no half file remains.

    Args:
        model: the generator.
        path: file to write.
        metadata: further facts for the header, such as what it was trained on.

    Raises:
        OSError: if the file cannot be written.
    """
    header = {
        **(metadata or {}),
        "format": FORMAT,
        "config": json.dumps(model.config.to_dict()),
    }
    tensors = {name: tensor.contiguous() for name, tensor in model.state_dict().items()}
    write_atomically(path, _with_sorted_header(save(tensors, header)))


def _with_sorted_header(content: bytes) -> bytes:
    """safetensors orders its metadata at random: sorted, equal weights are equal files."""
    size = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + size])
    text = json.dumps(header, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)  # the tensors begin at a multiple of eight
    return len(text).to_bytes(8, "little") + text + content[8 + size :]


def read_metadata(name_or_path: str | Path) -> dict[str, str]:
    """The header of a file of weights.

    Args:
        name_or_path: name of shipped weights, or path of a file.

    Returns:
        Facts by name; ``config`` is JSON.

    Raises:
        WeightsError: as :func:`load`.
    """
    return _read(find(name_or_path))[0]


def load(name_or_path: str | Path = "lite") -> EffiFusionGenerator:
    """Loads a generator, ready to enhance.

    Args:
        name_or_path: name of shipped weights, or path of a file.

    Returns:
        The generator in eval mode, on the CPU.

    Raises:
        WeightsError: if there is no such file, or it is damaged, or holds something else.
    """
    path = find(name_or_path)
    metadata, tensors = _read(path)
    try:
        # Weights without the entry are older than it: their phase decoder gives the phase itself.
        values = {"phase_correction": False, **json.loads(metadata["config"])}
        model = EffiFusionGenerator(GeneratorConfig.from_dict(values))
        model.load_state_dict(tensors)
    except (TypeError, ValueError, RuntimeError) as error:
        raise WeightsError(
            f"{path} was made by another version of this package or is damaged: its configuration "
            f"and its weights do not fit together ({str(error).splitlines()[0]})"
        ) from error
    return model.float().eval()  # whatever precision the program around prefers


def _read(path: Path) -> tuple[dict[str, str], dict]:
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise WeightsError(
            describe_content(path)
            or f"{path} is not a complete .safetensors file ({error}): copy or train the weights "
            "again"
        ) from error
    if metadata.get("format") != FORMAT:
        raise WeightsError(
            f"{path} holds weights of another program: this one reads files that `effifusion "
            "train` or `save_weights` wrote"
        )
    return metadata, tensors
