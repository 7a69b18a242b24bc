"""The page of results is what its script makes of the scores that lie beside the recipes."""

from statistics import mean

import pytest
from scripts import ROOT, script


@pytest.fixture(scope="module")
def results():
    return script("figures/results.py")


def test_the_page_is_up_to_date(results):
    assert results.PAGE.read_text(encoding="utf-8") == results.page()
    assert all(
        f"![{text}](figures/{name}.svg)" in results.page() for name, text in results.ALT.items()
    )
    assert all((ROOT / "figures" / f"{name}.svg").is_file() for name in results.ALT)


def test_scores_are_those_of_the_200_files(results):
    names = (ROOT / "recipes" / "test_200.txt").read_text().split()
    for system in ("noisy", "wiener", *results.OURS):
        assert [row["file"] for row in results.files(system)] == names
    assert mean(results.scores("noisy")["pesq"]) == pytest.approx(1.989, abs=5e-4)


def test_every_number_is_labelled(results):
    page = results.page()
    assert "200 of the 824 test files" in page
    assert "not trained on\nthe corpus" in page.replace("*", "")
    for peer in results.peers():
        assert peer["source"] in ("measured", "quoted")
        assert peer["system"] in page
