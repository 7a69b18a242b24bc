"""Gets VoiceBank+DEMAND and prepares it: `python -m data_download --help`.

The package `effifusion_lite` reads a prepared folder on its own (`listening/corpus.py`), so that it
needs nothing of this one.
"""

from data_download.dataset import DataError
from data_download.manifest import Row, read_manifest

__all__ = ["DataError", "Row", "read_manifest"]
