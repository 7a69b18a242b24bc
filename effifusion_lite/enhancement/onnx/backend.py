"""Generators as ONNX models: run by ONNX Runtime, in place of PyTorch.

Chapter: 10 Out of the notebook.
"""

import json
from pathlib import Path

import torch
from torch import Tensor

from effifusion_lite.enhancement.onnx.generator import INSTALL, build
from effifusion_lite.generator import EffiFusionGenerator, GeneratorConfig
from effifusion_lite.weights import FORMAT, WeightsError, load

# What ONNX Runtime raises for a file that is no model.
BROKEN = ("InvalidGraph", "InvalidProtobuf", "InvalidArgument", "Fail", "NotImplemented")
NEWER = ("IR version", "opset")  # words of the same errors, where it knows what came later


class OnnxGenerator:
    """A generator that ONNX Runtime runs on the CPU, with as many threads as PyTorch.

    It is called as an :class:`EffiFusionGenerator` is.

    Args:
        model: content of an .onnx file that this package wrote.
        name: what messages call it.

    Shape:
        magnitude ``[B, F, T]`` (compressed), phase ``[B, F, T]`` (radians) → the same two.

    Raises:
        ValueError: if ONNX Runtime is not installed, or cannot be loaded.
        WeightsError: if the content is something else.
    """

    def __init__(self, model: bytes, name: str = "the ONNX model"):
        try:
            import onnxruntime
            from onnxruntime.capi import onnxruntime_pybind11_state as errors
        except ModuleNotFoundError as error:
            raise ValueError(
                f"the backend onnx needs the package onnxruntime: {INSTALL}"
            ) from error
        except ImportError as error:  # of one that was built for another system
            raise ValueError(
                f"the package onnxruntime cannot be loaded: {error}; install it again, or leave "
                "out --backend onnx"
            ) from error

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = torch.get_num_threads()
        options.inter_op_num_threads = 1
        try:
            self.session = onnxruntime.InferenceSession(
                model, options, providers=["CPUExecutionProvider"]
            )
            metadata = self.session.get_modelmeta().custom_metadata_map
        except tuple(getattr(errors, name) for name in BROKEN) as error:
            if any(words in str(error) for words in NEWER):
                raise WeightsError(
                    f"{name} is newer than what ONNX Runtime {onnxruntime.__version__} reads: "
                    "update it, `pip install --upgrade onnxruntime`, or export the weights again"
                ) from error
            raise WeightsError(f"{name} is not a complete .onnx file: export it again") from error
        if metadata.get("format") != FORMAT:
            raise WeightsError(
                f"{name} holds a model of another program: this one reads files that `effifusion "
                "export` wrote"
            )
        self.config = GeneratorConfig.from_dict(json.loads(metadata["config"]))

    def __call__(self, magnitude: Tensor, phase: Tensor) -> tuple[Tensor, Tensor]:
        spectra = {"magnitude": magnitude.numpy(), "phase": phase.numpy()}
        magnitude, phase = self.session.run(None, spectra)
        return torch.from_numpy(magnitude), torch.from_numpy(phase)


def load_backend(
    weights: str | Path, backend: str | None = None
) -> EffiFusionGenerator | OnnxGenerator:
    """Loads weights for a backend.

    Args:
        weights: name of shipped weights, or path of a .safetensors or .onnx file.
        backend: "torch", "onnx", or None: "onnx" for .onnx files, otherwise "torch". Weights that
            are no .onnx file are exported in memory for "onnx".

    Returns:
        What maps magnitude and phase to enhanced magnitude and phase, and has a ``config``.

    Raises:
        WeightsError: as :func:`effifusion_lite.weights.load`.
        ValueError: if the backend is unknown, not installed, or cannot run the file.
        OSError: if the file cannot be read.
    """
    is_onnx = Path(weights).suffix == ".onnx"
    if backend not in (None, "torch", "onnx"):
        raise ValueError(f"there is no backend {backend!r}: choose torch or onnx")
    if is_onnx and backend == "torch":
        raise ValueError(f"{weights} runs with the backend onnx alone: leave out --backend torch")
    if is_onnx:
        return OnnxGenerator(Path(weights).read_bytes(), str(weights))
    model = load(weights)
    return OnnxGenerator(build(model), str(weights)) if backend == "onnx" else model
