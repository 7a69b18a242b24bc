"""EffiFusion-GAN, built piece by piece: the helper package of the notebook series.

What a chapter builds is a module; the machinery of a chapter is a package beside it.

=======  ===========================================================================================
chapter  where to read
=======  ===========================================================================================
00       ``audio``: waveforms, levels, files. ``listening``: clips, players, live widgets.
01       ``spectral``: from a waveform to compressed magnitude and phase, and back.
02       ``convolution``: depthwise-separable, dense and multi-scale blocks. ``cost``: parameters
         and operations.
03       ``attention``: dual-norm attention, the conformer, the two-stage block.
04       ``generator``: the network. ``weights``: files of it; those that are shipped lie in
         ``pretrained``.
05       ``losses``: what it is trained for. ``metrics``: PESQ, STOI, ratios, composites.
06       ``discriminator``: who predicts PESQ. ``training``: the step, its loop, runs.
07       ``pruning``: masks along a schedule, units removed, networks grown.
08       ``data``: mixtures of speech and noise, pairs.
09       ``evaluation``: scores of many recordings, intervals, comparisons.
10       ``enhancement``: recordings of any length and rate, ONNX. ``command_line``: the command
         `effifusion`.
all      ``lesson``: checks, quizzes, claims. ``plotting``: figures. ``cpu``: what makes it fast.
         ``settings``: what may stand in a configuration.
=======  ===========================================================================================

Tensors are ``[B, C, T, F]`` (batch, channels, frames, frequencies), waveforms ``[B, N]`` (samples
at 16 kHz). Where a docstring names no source, what it describes is a choice of this project.
"""

from effifusion_lite.cpu.threads import share_cores

__version__ = "0.1.0"
__all__ = ["enhance", "load"]

share_cores()  # before torch is imported


def __getattr__(name: str):
    # torch is imported with the first use, so that `import effifusion_lite` costs nothing.
    if name == "load":
        from effifusion_lite.weights import load

        return load
    if name == "enhance":
        from effifusion_lite.enhancement import enhance

        return enhance
    raise AttributeError(f"module 'effifusion_lite' has no attribute {name!r}")
