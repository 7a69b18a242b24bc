"""A folder of sources with one small chapter."""

import pytest

from notebooks import build

EXERCISE = """# %% [markdown]
# Double it.

# %% tags=["exercise"]
def double(x):
    # BEGIN SOLUTION
    return 2 * x
    # END SOLUTION

# %% [markdown] tags=["hint"]
# Think.

# %% [markdown] tags=["solution"]
# Like this.

# %% tags=["quiz"]
from effifusion_lite.lesson import quiz

quiz("Why?", {"this": "because", "that": "no"}, correct="this")
"""


@pytest.fixture
def written(tmp_path, monkeypatch):
    """The source of a small chapter, the only one the builder knows."""
    monkeypatch.setattr(build, "SOURCES", tmp_path)
    path = tmp_path / "42_small.py"
    path.write_text(EXERCISE)
    return path
