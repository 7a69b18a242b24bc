"""EffiFusion-GAN, built piece by piece: the helper package of the notebook series."""

__version__ = "0.1.0"
__all__ = ["enhance", "load"]


def __getattr__(name: str):
    # torch is imported with the first use, so that `import effifusion_lite` costs nothing.
    if name == "load":
        from effifusion_lite.weights import load

        return load
    if name == "enhance":
        from effifusion_lite.enhancement import enhance

        return enhance
    raise AttributeError(f"module 'effifusion_lite' has no attribute {name!r}")
