"""The network at work on recordings: windows, files, many files, and ONNX Runtime (`onnx`).

Chapter: 10 Out of the notebook.
"""

from effifusion_lite.enhancement.windows import enhance, enhance_16k

__all__ = ["enhance", "enhance_16k"]
