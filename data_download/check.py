"""Verify a prepared folder: numbers of pairs, equal lengths, the manifest, the noisy baseline."""

from __future__ import annotations

import math
import random
from pathlib import Path

import soundfile
from tqdm.auto import tqdm

from data_download.dataset import SAMPLE_RATE, DataError, Dataset
from data_download.manifest import SIDES, audio_shape, pair_paths, read_manifest, whole_pairs

PESQ_FILES = 100  # some 15 s on one core


def check(dataset: Dataset, out: Path, subset: str = "all", sample: int | None = None) -> list[str]:
    """Look for faults in a prepared folder; nothing is downloaded or changed.

    Args:
        dataset: the numbers to expect.
        out: the prepared folder.
        subset: "train", "test" or "all": what should be there.
        sample: instead, this many test pairs.

    Returns:
        One sentence for each fault; empty where there is none.

    Raises:
        DataError: where there is no manifest.
    """
    rows = read_manifest(out)
    parts = [part for part in dataset.parts if subset in ("all", part.name)]
    if sample:
        parts = [dataset.part("test")]
    faults = []
    for part in parts:
        names = {split: whole_pairs(out, split) for split in part.splits}
        count = sum(map(len, names.values()))
        wanted = sample or part.pairs
        tqdm.write(f"{part.name}: {count:,} pairs, {wanted:,} expected")
        if count < wanted or (count > wanted and not sample):
            faults.append(f"{part.name} has {count:,} pairs instead of {wanted:,}.")
        for split in names:
            faults += check_split(out, split, names[split])
            listed = {Path(row.file).stem for row in rows if row.split == split}
            if listed != names[split]:
                odd = sorted(listed ^ names[split])
                faults.append(f"{out / 'manifest.csv'} and {out / split} disagree on {odd[0]}.")
    if "test" in [part.name for part in parts]:
        faults += check_pesq(dataset, out, sorted(whole_pairs(out, "test")))
    return faults


def check_split(out: Path, split: str, names: set[str]) -> list[str]:
    """Faults of single files: no partner, another rate or form, another length than the partner."""
    faults = []
    for side in SIDES:
        for path in sorted((out / split / side).glob("*")):
            if path.suffix != ".flac" or path.stem not in names:
                faults.append(f"{path} belongs to no pair.")
    for name in tqdm(sorted(names), desc=f"lengths of {split}", unit="pair"):
        try:
            clean, noisy = (audio_shape(path) for path in pair_paths(out, split, name))
        except DataError as problem:
            faults.append(str(problem))
            continue
        if clean[0] != noisy[0]:
            faults.append(f"{split}/{name} is {clean[0]} samples long clean and {noisy[0]} noisy.")
        for side, shape in zip(SIDES, (clean, noisy), strict=True):
            if shape[1:] != (SAMPLE_RATE, 1):
                faults.append(f"{split}/{side}/{name} is not {SAMPLE_RATE} Hz mono.")
    return faults


def check_pesq(dataset: Dataset, out: Path, names: list[str]) -> list[str]:
    """Compare the noisy test files' mean PESQ with the known one.

    A random sample is scored. The tolerance is three standard errors of the mean of such a
    sample, drawn without repetition out of the whole test set, but no less than 0.01.
    """
    try:
        from pesq import PesqError, pesq
    except ImportError:
        tqdm.write("PESQ is not checked: the package pesq is not installed (pip install pesq).")
        return []
    if not names:
        return []
    whole = dataset.part("test").pairs
    chosen = random.Random(0).sample(names, min(PESQ_FILES, len(names)))
    scores = []
    for name in tqdm(chosen, desc="PESQ of noisy", unit="file"):
        clean, noisy = (soundfile.read(path)[0] for path in pair_paths(out, "test", name))  # [N]
        try:
            scores.append(pesq(SAMPLE_RATE, clean, noisy[: len(clean)], "wb"))
        except PesqError as problem:
            return [f"PESQ of test/{name} cannot be computed ({problem})."]
    mean = sum(scores) / len(scores)
    left = max(0, whole - len(scores)) / max(1, whole - 1)
    error = dataset.noisy_pesq_deviation * math.sqrt(left / len(scores))
    tolerance = max(0.01, 3 * error)
    line = (
        f"the noisy files' PESQ is {mean:.3f} on {len(scores)} of them;"
        f" {dataset.noisy_pesq:.3f} ± {tolerance:.3f} is expected"
    )
    tqdm.write(f"test: {line}")
    return [] if abs(mean - dataset.noisy_pesq) <= tolerance else [f"In test {line}."]
