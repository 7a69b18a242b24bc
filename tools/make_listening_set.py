"""Make the listening set: speech of free synthetic voices, and its manifest.

    python tools/make_listening_set.py

Reads `tools/listening_set.toml`, writes `clips/` (FLAC) and `training/` (Ogg Vorbis) below
`effifusion_lite/listening/`. Two runs with the same versions of the voices give the same bytes.
Needs Python 3.11, and Debian 12 with

    apt-get install espeak-ng festival flite rhvoice rhvoice-english rhvoice-esperanto \\
        vorbis-tools festvox-kallpc16k festvox-kdlpc16k festvox-italp16k festvox-itapc16k \\
        festvox-ca-ona-hts festvox-czech-dita festvox-czech-machac festvox-czech-ph \\
        festvox-czech-krb festvox-suopuhe-lj festvox-suopuhe-mv

RHVoice stands in Debian's section non-free, since the scripts that trained its voices are missing;
its licence is LGPL-2.1-or-later. Nobody needs these programs to use the series: the sound is
stored in the package.
"""

import csv
import shutil
import subprocess
import tempfile
import tomllib
from pathlib import Path

import numpy as np
import soundfile
import soxr

from effifusion_lite.audio import active_speech_level

HERE = Path(__file__).parent
TARGET = HERE.parent / "effifusion_lite" / "listening"
RATE = 16000  # Hz
LEVEL = -26.0  # dB, active speech level of every utterance
ROOM = -40.0  # dB, room noise below the speech: no recording has digital silence in its pauses
# Octaves (Hz) and the share of each in the power of read speech (dB): synthetic voices that boom or
# hiss are equalised towards it, by at most EQUALISE dB.
OCTAVES = (100, 250, 500, 1000, 2000, 4000, 8000)
SHARES = (-5.5, -5.5, -5.5, -12.0, -17.5, -22.0)
OCTAVE_CENTRES = tuple(np.sqrt(np.multiply(OCTAVES[:-1], OCTAVES[1:])))
EQUALISE = 12.0
ENCODING = {"ca": "iso-8859-15", "it": "iso-8859-15", "fi": "iso-8859-15", "cs": "iso-8859-2"}
COLUMNS = (
    "name kind split file start_s duration_s text language voice gender clean noise snr_db seed "
    "scored licence listen_for"
).split()


def command(voice: dict, text: str, path: Path) -> tuple[list[str], bytes]:
    """The program that speaks `text` into the file `path`, and what it reads."""
    if voice["engine"] == "espeak-ng":
        return ["espeak-ng", "-v", voice["id"], "-s", "160", "-w", str(path), text], b""
    if voice["engine"] == "flite":
        return ["flite", "-voice", voice["id"], "-t", text, "-o", str(path)], b""
    if voice["engine"] == "rhvoice":
        return ["RHVoice-test", "-p", voice["id"], "-o", str(path)], text.encode()
    encoded = text.encode(ENCODING.get(voice["language"], "ascii"))
    call = ["text2wave", "-scale", "0.5", "-eval", f"(voice_{voice['id']})", "-o", str(path)]
    return call, encoded


def speak(voice: dict, text: str, pause: float) -> np.ndarray:
    """Speak one sentence at 16 kHz, with `pause` seconds of silence before and after it."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "speech.wav"
        arguments, given = command(voice, text, path)
        subprocess.run(arguments, input=given, check=True, capture_output=True)
        waveform, rate = soundfile.read(path, dtype="float64")
    waveform = soxr.resample(waveform, rate, RATE, quality="HQ")
    block = RATE // 100
    energy = np.add.reduceat(waveform**2, np.arange(0, len(waveform), block))
    spoken = np.flatnonzero(energy > 1e-4 * energy.max()) * block
    if len(spoken) == 0 or len(waveform) < RATE:
        raise RuntimeError(f"the voice {voice['id']} did not say {text!r}: is it installed?")
    edge = round(pause * RATE)
    padded = np.pad(waveform, edge)
    cut = padded[spoken[0] : spoken[-1] + block + 2 * edge]  # starts `edge` before the first sound
    fade = np.linspace(0, 1, block)
    cut[:block] *= fade
    cut[-block:] *= fade[::-1]
    return cut


def speak_all(voice: dict, texts: list[str], pause: float, seed: int) -> list[np.ndarray]:
    """Speak sentences, give the voice a natural balance, a level, and a room around it."""
    spoken = [speak(voice, text, pause) for text in texts]
    gains = equaliser(np.concatenate(spoken))
    generator = np.random.default_rng(seed)
    finished = []
    for waveform in spoken:
        waveform = filter_by(waveform, OCTAVE_CENTRES, gains)
        waveform = waveform * 10 ** ((LEVEL - active_speech_level(waveform, RATE)) / 20)
        room = filter_by(generator.standard_normal(len(waveform)), (50, 200, 8000), (0, 0, -25))
        room *= 10 ** ((LEVEL + ROOM) / 20) / room.std()
        finished.append(waveform + room)
    return finished


def equaliser(waveform: np.ndarray) -> np.ndarray:
    """Gain of each octave in dB that brings a voice towards SHARES."""
    power = np.abs(np.fft.rfft(waveform)) ** 2
    frequency = np.fft.rfftfreq(len(waveform), 1 / RATE)
    edges = np.searchsorted(frequency, OCTAVES)
    bands = np.array([power[a:b].sum() for a, b in zip(edges, edges[1:], strict=False)])
    shares = 10 * np.log10(bands / bands.sum())
    return np.clip(np.array(SHARES) - shares, -EQUALISE, EQUALISE)


def filter_by(waveform: np.ndarray, frequencies: tuple, gains) -> np.ndarray:
    """Apply gains (dB) at some frequencies (Hz), with straight lines between them in octaves."""
    spectrum = np.fft.rfft(waveform)
    frequency = np.maximum(np.fft.rfftfreq(len(waveform), 1 / RATE), 1)
    level = np.interp(np.log2(frequency), np.log2(frequencies), gains)
    return np.fft.irfft(spectrum * 10 ** (level / 20), len(waveform))


def write_ogg(path: Path, waveform: np.ndarray) -> None:
    with tempfile.TemporaryDirectory() as folder:
        wav = Path(folder) / "speech.wav"
        soundfile.write(wav, waveform, RATE, subtype="PCM_16")
        encode = ["oggenc", "--quiet", "--quality", "2", "--serial", "1", "-o", str(path), str(wav)]
        subprocess.run(encode, check=True)


def clean_rows(plan: dict) -> list[dict]:
    spoken = {}
    for seed, (name, voice) in enumerate(plan["voices"].items()):
        clips = [clip for clip in plan["clean"] if clip["name"].split("_")[0] == name]
        if clips:
            waveforms = speak_all(voice, [clip["text"] for clip in clips], 0.25, seed)
            spoken |= dict(zip((clip["name"] for clip in clips), waveforms, strict=True))
    rows = []
    for clip in plan["clean"]:
        waveform, voice_name = spoken[clip["name"]], clip["name"].split("_")[0]
        path = TARGET / "clips" / f"{clip['name']}.flac"
        soundfile.write(path, waveform, RATE, subtype="PCM_16")
        row = describe(voice_name, plan["voices"][voice_name], clip["text"], 0.0, len(waveform))
        extra = {key: clip[key] for key in ("name", "listen_for")}
        rows.append(row | extra | {"kind": "clean", "file": f"clips/{path.name}"})
    return rows


def noisy_rows(plan: dict, clean: list[dict]) -> list[dict]:
    known = {row["name"]: row for row in clean}
    rows = []
    for clip in plan["noisy"]:
        row = known[clip["clean"]] | clip | {"kind": "noisy", "file": ""}
        rows.append(row | {"licence": f"{row['licence']}; noise CC BY 4.0 (this project)"})
    return rows


def speech_rows(plan: dict, split: str) -> list[dict]:
    rows = []
    (TARGET / "training" / split).mkdir(parents=True)
    spoken_before: dict[str, int] = {}
    for seed, (name, voice) in enumerate(plan["voices"].items()):
        if voice["split"] != split:
            continue
        sentences = plan["sentences"][split]
        texts, count = sentences[voice["language"]], sentences["count"]
        first = spoken_before.get(voice["language"], 0)
        spoken_before[voice["language"]] = first + count
        chosen = [texts[(first + number) % len(texts)] for number in range(min(count, len(texts)))]
        waveforms, start = speak_all(voice, chosen, 0.15, seed), 0
        for number, (text, waveform) in enumerate(zip(chosen, waveforms, strict=True)):
            row = describe(name, voice, text, start / RATE, len(waveform))
            file = f"training/{split}/{name}.ogg"
            rows.append(row | {"name": f"{name}_{number:02d}", "kind": "speech", "file": file})
            start += len(waveform)
        write_ogg(TARGET / "training" / split / f"{name}.ogg", np.concatenate(waveforms))
    return rows


def describe(name: str, voice: dict, text: str, start: float, samples: int) -> dict:
    return {
        "split": voice["split"],
        "start_s": f"{start:.4f}",
        "duration_s": f"{samples / RATE:.4f}",
        "text": text,
        "language": voice["language"],
        "voice": name,
        "gender": voice["gender"],
        "scored": "no" if voice.get("heard_only") or voice["split"] == "babble" else "yes",
        "licence": f"text CC BY 4.0 (this project); voice {voice['licence']}",
    }


def notice(plan: dict) -> str:
    lines = [
        "# Voices of the listening set",
        "",
        "All speech is synthetic, made by `tools/make_listening_set.py` with the programs below;",
        "the sentences and the noises were made for this project (CC BY 4.0). `clips/clips.csv`",
        "describes every clip. `thread/` holds one of the mixtures, enhanced by networks of this",
        "project. The licences were read in the copyright files of the packages.",
        "",
        "| voice | part | gender | language | program | Debian package | licence of the voice |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, voice in plan["voices"].items():
        query = ["dpkg-query", "-W", "-f", "${Version}", voice["package"]]
        version = subprocess.run(query, check=True, capture_output=True, text=True).stdout
        part = voice["split"] + (", heard only" if voice.get("heard_only") else "")
        lines.append(
            f"| {name} | {part} | {voice['gender']} | {voice['language']} | {voice['engine']} "
            f"`{voice['id']}` | {voice['package']} {version} | {voice['licence']} |"
        )
    lines += [
        "",
        "*Heard only*: the person behind this voice is also in the training data of the shipped",
        "weights, so it is left out of every score and of validation.",
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    with open(HERE / "listening_set.toml", "rb") as file:
        plan = tomllib.load(file)
    for folder in ("clips", "training"):
        shutil.rmtree(TARGET / folder, ignore_errors=True)
    (TARGET / "clips").mkdir(parents=True)
    clean = clean_rows(plan)
    rows = clean + noisy_rows(plan, clean)
    for split in ("train", "valid", "babble"):
        rows += speech_rows(plan, split)
    with open(TARGET / "clips" / "clips.csv", "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS, restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    (TARGET / "NOTICE.md").write_text(notice(plan), encoding="utf-8")
    for split in ("listening", "train", "valid", "babble"):
        spoken = [row for row in rows if row["split"] == split and row["kind"] != "noisy"]
        seconds = sum(float(row["duration_s"]) for row in spoken)
        print(f"{split}: {len(spoken)} utterances, {seconds / 60:.1f} minutes")


if __name__ == "__main__":
    main()
