"""Sections that run alone: what the rules find, and what they let pass."""

import pytest

from notebooks import report, rules

HEAD = "# %%\nimport math\n\nRATE = 3\nspeech = [1]\n\n# %% [markdown]\n# ## 1 First\n\n# %%\n"
FIRST = HEAD + "def double(x):\n    return 2 * x\n\n\nLENGTH = 4\nlevel = double(RATE)\n\n"
SECOND = FIRST + "# %% [markdown]\n# ## 2 Second\n\n# %%\n"


@pytest.mark.parametrize(
    "code",
    [
        "print(double(LENGTH), math.pi, speech)",
        "level = 1\nprint(level)",
        "print([x + RATE for x in speech])",
        "def shift(x, by=RATE):\n    y = x + by\n    return y\n\n\nprint(shift(1))",
        "claim_table(level)",
    ],
)
def test_section_may_use_the_head_and_what_was_defined(written, code):
    written.write_text(SECOND + code + "\n")
    assert not rules.faults(written)


@pytest.mark.parametrize(
    ("code", "fault"),
    [
        ("print(level)", "2 Second: needs level of elsewhere"),
        ("def show(x):\n    return x + level", "2 Second: needs level of elsewhere"),
        ("speech = 2", "2 Second: binds speech of the head again"),
        ("LENGTH = 5", "2 Second: binds LENGTH of 1 First again"),
        ("def double(x):\n    return x", "2 Second: binds double of 1 First again"),
        ("for RATE in (1, 2):\n    print(RATE)", "2 Second: binds RATE of the head again"),
    ],
)
def test_section_that_leans_on_others_or_changes_them_is_named(written, code, fault):
    written.write_text(SECOND + code + "\n")
    assert rules.faults(written) == [fault]


def test_try_leaves_no_name_that_is_used(written):
    tried = SECOND + '# %% tags=["try"]\n# Answer: one.\n{}\n\n# %%\n{}\n'
    written.write_text(tried.format("guess = 1", "print(RATE)"))
    assert not rules.faults(written)
    written.write_text(tried.format("RATE = 1", "print(2)"))
    assert rules.faults(written) == ["2 Second: a Try-it binds RATE"]
    written.write_text(tried.format("guess = 1", "print(guess)"))
    assert "2 Second: needs guess of elsewhere" in rules.faults(written)


def test_frame_is_what_imports_plots_and_shows():
    code = "import math\n\nx = math.pi\naxes.plot(\n    x\n)\n\n\ndef draw():\n    plt.plot()\n"
    assert (len(rules.lines(code)), rules.frame_lines(code)) == (7, 4)


def test_report_names_what_exceeds_the_budget(written):
    written.write_text("# %%\n" + "x = 1\n" * 16)
    found = report.report(written)
    assert found.values["lines"] == 16
    assert found.excesses() == [
        "42_small: longest cell (lines) 16, at most 15",
        "42_small: median cell (lines) 16, at most 6",
    ]
    written.write_text("# %%\nx = 1\n")
    assert report.report(written).excesses() == []
