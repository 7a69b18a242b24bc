"""The table of a prepared folder: one row for each pair of files, noise and SNR from the logs."""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import soundfile

from data_download.convert import UTTERANCE, members, write_whole
from data_download.dataset import DataError, Dataset, speaker_of

MANIFEST = "manifest.csv"
SPLITS = ("train", "valid", "test")
SIDES = ("clean", "noisy")


@dataclass(frozen=True)
class Condition:
    """What the log files say of one noisy file: noise by name, SNR in dB."""

    noise: str
    snr_db: float | None


@dataclass(frozen=True)
class Row:
    """One pair.

    Args:
        file: name of both files, SPLIT/clean/FILE and SPLIT/noisy/FILE.
        split: "train", "valid" or "test".
        speaker: such as "p226".
        gender: "F", "M" or "" where it is not known.
        noise, snr_db: from the corpus' log files; "" and None where they say nothing.
        duration_s: length in seconds.
        text: the sentence, "" where it was not to be had.
    """

    file: str
    split: str
    speaker: str
    gender: str
    noise: str
    snr_db: float | None
    duration_s: float
    text: str

    def paths(self, folder: Path) -> tuple[Path, Path]:
        """The clean and the noisy file."""
        return pair_paths(folder, self.split, Path(self.file).stem)


def pair_paths(folder: Path, split: str, utterance: str) -> tuple[Path, Path]:
    """The clean and the noisy file of an utterance in a prepared folder."""
    clean, noisy = (folder / split / side / f"{utterance}.flac" for side in SIDES)
    return clean, noisy


def whole_pairs(folder: Path, split: str) -> set[str]:
    """The utterances of a split for which both files are there."""
    clean, noisy = (
        {path.stem for path in (folder / split / side).glob("*.flac")} for side in SIDES
    )
    return clean & noisy


def audio_shape(path: Path) -> tuple[int, int, int]:
    """Length in samples, sample rate in Hz and number of channels of an audio file.

    Raises:
        DataError: where it cannot be read.
    """
    try:
        info = soundfile.info(path)
    except soundfile.LibsndfileError as problem:
        raise DataError(
            f"{path} cannot be read ({problem.error_string}): delete it and run the same command."
        ) from None
    return info.frames, info.samplerate, info.channels


def read_logs(path: Path) -> dict[str, Condition]:
    """Read noise and SNR of every utterance from the archive of log files.

    A line names the utterance, the noise and the SNR ("p232_001 bus 1.750000e+01"); the order
    of the latter two does not matter, and lines that are no such triple (headings) are passed
    over.

    Args:
        path: logfiles.zip.

    Returns:
        {"p232_001": Condition("bus", 17.5)}
    """
    conditions = {}
    with zipfile.ZipFile(path) as archive:
        for name in archive.namelist():
            # The log of the 56-speaker set lies in the same archive.
            if not name.endswith(".txt") or "__MACOSX" in name or "56spk" in name:
                continue
            for line in archive.read(name).decode("utf-8", errors="replace").splitlines():
                utterance, *rest = line.replace(",", " ").split() or [""]
                utterance = utterance.removesuffix(".wav")
                numbers = [word for word in rest if _is_number(word)]
                words = [word for word in rest if not _is_number(word)]
                if UTTERANCE.fullmatch(utterance) and len(numbers) == 1 and len(words) == 1:
                    conditions[utterance] = Condition(words[0], float(numbers[0]))
    return conditions


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True


def read_texts(path: Path) -> dict[str, str]:
    """Read the sentences from an archive of text files: {"p232_001": "Please call Stella."}."""
    with zipfile.ZipFile(path) as archive:
        return {
            utterance: " ".join(archive.read(name).decode("utf-8", errors="replace").split())
            for utterance, name in members(archive, ".txt").items()
        }


def describe(
    folder: Path, dataset: Dataset, conditions: dict[str, Condition], texts: dict[str, str]
) -> list[Row]:
    """Make the rows of all whole pairs in a folder, in the order of splits and names."""
    rows = []
    for split in SPLITS:
        for utterance in sorted(whole_pairs(folder, split)):
            frames, rate, _ = audio_shape(pair_paths(folder, split, utterance)[1])
            condition = conditions.get(utterance)
            speaker = speaker_of(utterance)
            rows.append(
                Row(
                    file=f"{utterance}.flac",
                    split=split,
                    speaker=speaker,
                    gender=dataset.gender(speaker),
                    noise=condition.noise if condition else "",
                    snr_db=condition.snr_db if condition else None,
                    duration_s=round(frames / rate, 3),
                    text=texts.get(utterance, ""),
                )
            )
    return rows


def write_manifest(folder: Path, rows: Iterable[Row]) -> None:
    """Write manifest.csv, whole or not at all."""
    table = io.StringIO(newline="")
    writer = csv.DictWriter(table, [field.name for field in fields(Row)], lineterminator="\n")
    writer.writeheader()
    for row in rows:
        snr = "" if row.snr_db is None else f"{row.snr_db:g}"
        writer.writerow({**asdict(row), "snr_db": snr})
    write_whole(folder / MANIFEST, table.getvalue().encode("utf-8"))


def read_manifest(folder: Path) -> list[Row]:
    """Read manifest.csv of a prepared folder.

    Raises:
        DataError: where it is missing or has other columns.
    """
    path = folder / MANIFEST
    if not path.is_file():
        raise DataError(
            f"{folder} holds no {MANIFEST}, so it is no finished VoiceBank+DEMAND folder: run"
            f" python -m data_download voicebank-demand --out {folder}"
        )
    with path.open(encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file)
        missing = [
            field.name for field in fields(Row) if field.name not in (reader.fieldnames or ())
        ]
        if missing:
            raise DataError(f"{path} has no column {missing[0]}: delete it and prepare it anew.")
        return [
            Row(
                **{
                    **{field.name: line[field.name] for field in fields(Row)},
                    "snr_db": float(line["snr_db"]) if line["snr_db"] else None,
                    "duration_s": float(line["duration_s"]),
                }
            )
            for line in reader
        ]
