"""The page of results is what its script makes of the scores that lie beside the recipes."""

import csv
from statistics import mean

import pytest
from scripts import ROOT, script

from effifusion_lite.weights import SHIPPED, read_metadata


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


def test_failures_are_those_of_the_shipped_weights(results):
    rows = results.failures()
    systems = {row["system"] for row in rows}
    assert systems == {"noisy", "wiener", *results.OURS} and len(rows) == 88 * len(systems)


def test_every_number_is_labelled(results):
    page = results.page()
    assert "200 of the 824 test files" in page
    assert "not trained on\nthe corpus" in page.replace("*", "")
    for peer in results.peers():
        assert peer["source"] in ("measured", "quoted")
        assert peer["system"] in page


def test_readme_and_cards_have_the_scores(results):
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    for name in results.OURS:
        found = {metric: mean(values) for metric, values in results.scores(name).items()}
        three = f"{found['pesq']:.3f} | {found['stoi']:.3f} | {found['si_sdr']:.2f} |"
        [row] = [line for line in readme.splitlines() if line.startswith(f"| `{name}`")]
        assert row.endswith(three)
        card = (ROOT / "effifusion_lite" / "pretrained" / f"{name}.md").read_text(encoding="utf-8")
        [row] = [line for line in card.splitlines() if line.startswith(f"| `{name}`")]
        means = [cell.split(" ± ")[0].strip() for cell in row.split("|")[2:6]]
        digits = {"pesq": 3, "stoi": 3, "si_sdr": 2, "segmental_snr": 2}
        assert means == [f"{found[metric]:.{n}f}" for metric, n in digits.items()]
        assert f"{found['csig']:.2f}" in card


def test_the_last_training_of_each_weights_is_on_record(results):
    with open(ROOT / "recipes" / "runs.csv", newline="") as file:
        last = {row["weights"]: row for row in csv.DictReader(file)}
    for name in results.OURS:
        found = results.scores(name)
        assert last[name]["test200_pesq"] == f"{mean(found['pesq']):.3f}"
        assert last[name]["test200_si_sdr"] == f"{mean(found['si_sdr']):.2f}"
        assert last[name]["best_step"] == read_metadata(SHIPPED / f"{name}.safetensors")["step"]
    for name in ("tiny", "lite"):
        assert results.learning(name)["pesq"][-1] == float(last[name]["valid_pesq"])
