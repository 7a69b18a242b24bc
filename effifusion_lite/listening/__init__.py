"""Hear it: the built-in sounds (`clips`, `noises`) and what compares sounds by ear.

`row` switches between versions, `abx` tests blindly, `room` rates as well, `slider` moves through
prepared sounds; `pool` and `pool_ratings` put the results of a class together. The
live widgets need a notebook and stand apart: `widgets_mixer`, `widgets_stft`, `widgets_recording`.
`red_thread` has the row that grows from chapter to chapter.
"""

from effifusion_lite.listening import clips
from effifusion_lite.listening.abx import abx, pool
from effifusion_lite.listening.page import Page
from effifusion_lite.listening.player import Row, row
from effifusion_lite.listening.room import pool_ratings, room
from effifusion_lite.listening.slider import slider

__all__ = ["Page", "Row", "abx", "clips", "pool", "pool_ratings", "room", "row", "slider"]
