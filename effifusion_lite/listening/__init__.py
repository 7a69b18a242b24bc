"""Hear it: the built-in sounds (`clips`, `noises`) and the player that compares them (`row`)."""

from effifusion_lite.listening import clips
from effifusion_lite.listening.player import Row, row

__all__ = ["Row", "clips", "row"]
