"""The generator as an ONNX file, and ONNX Runtime in place of PyTorch.

Chapter: 10 Out of the notebook.
"""
