"""What is known of VoiceBank+DEMAND: its archives, their checksums and addresses, its numbers.

Everything that a test must make smaller (sizes, counts, addresses) stands in the frozen
dataclasses below; nothing else in this package knows a number of the real corpus.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

SAMPLE_RATE = 16000  # Hz, of the prepared files
MIB = 2**20


class DataError(ValueError):
    """Something is wrong with the data or its server; the message says what to do."""


@dataclass(frozen=True)
class Archive:
    """One zip file of the corpus.

    Args:
        name: file name on the server.
        size: bytes, for the announcement and the check of the disk; the download itself
            goes by what the server says.
        md5: checksum in hexadecimal, or None where none is known (then the zip file's own
            CRC sums are tested).
        bitstream: identifier of the file on the server.
    """

    name: str
    size: int
    md5: str | None
    bitstream: str


@dataclass(frozen=True)
class Part:
    """One half of the corpus, "train" or "test".

    Args:
        name: the name that `--subset` takes.
        clean, noisy: the archives of the two sides of each pair.
        text: archive of the sentences that were read (optional on the server's side).
        pairs: number of pairs.
    """

    name: str
    clean: Archive
    noisy: Archive
    text: Archive
    pairs: int

    @property
    def splits(self) -> tuple[str, ...]:
        """The folders that the part is written into."""
        return ("train", "valid") if self.name == "train" else (self.name,)


@dataclass(frozen=True)
class Dataset:
    """A corpus of pairs of clean and noisy speech.

    Args:
        parts: its halves.
        logs: archive with the noise and the SNR of each pair.
        address_forms: addresses to try in this order; `{bitstream}` and `{name}` are filled in.
        valid_speakers: training speakers that are held out for validation.
        women: speakers noted as female; `men`: as male.
        pair_bytes: expected size of a prepared pair on the disk, bytes.
        noisy_pesq: mean PESQ (wide band) of all noisy test files.
        noisy_pesq_deviation: standard deviation of the PESQ of one file.
    """

    parts: tuple[Part, ...]
    logs: Archive
    address_forms: tuple[str, ...]
    valid_speakers: frozenset[str]
    women: frozenset[str]
    men: frozenset[str]
    pair_bytes: int
    noisy_pesq: float
    noisy_pesq_deviation: float

    def addresses(self, archive: Archive) -> list[str]:
        """The addresses of one archive, in the order in which they are tried."""
        return [
            form.format(bitstream=archive.bitstream, name=archive.name)
            for form in self.address_forms
        ]

    def at_mirror(self, url: str) -> Dataset:
        """The same corpus, taken from a folder `url` that holds the archives by their names."""
        literal = url.rstrip("/").replace("{", "{{").replace("}", "}}")
        return replace(self, address_forms=(literal + "/{name}",))

    def part(self, name: str) -> Part:
        """The part with this name."""
        return next(part for part in self.parts if part.name == name)

    def split(self, part: Part, utterance: str) -> str:
        """The folder of an utterance such as "p226_001": "train", "valid" or "test"."""
        if part.name == "train" and speaker_of(utterance) in self.valid_speakers:
            return "valid"
        return part.name

    def gender(self, speaker: str) -> str:
        """The letter F or M, or nothing where it is not known."""
        return "F" if speaker in self.women else "M" if speaker in self.men else ""


def speaker_of(utterance: str) -> str:
    """The speaker of an utterance: "p226" for "p226_001"."""
    return utterance.split("_")[0]


# Valentini-Botinhao, doi:10.7488/ds/2117, CC BY 4.0. The checksums of all archives but the two
# of the texts agree in several independent public projects; of the texts none is known to us.
# The third form of address is the older one; which form serves a file has changed over the years.
VOICEBANK_DEMAND = Dataset(
    parts=(
        Part(
            name="train",
            clean=Archive(
                "clean_trainset_28spk_wav.zip",
                2_486_057_279,
                "d2d5a45ec32f8fcbf201bde0447e20ba",
                "245452b6-6235-44b6-a6f9-e7eb19797769",
            ),
            noisy=Archive(
                "noisy_trainset_28spk_wav.zip",
                2_830_205_201,
                "1fca9e8bafb8cd069f6653c6d92f9e9c",
                "ecb5a102-bb00-46d3-8af5-40c79823b837",
            ),
            text=Archive(
                "trainset_28spk_txt.zip",
                int(6.2 * MIB),
                None,
                "fb55b5de-c2db-4451-ac0a-134e98011ffa",
            ),
            pairs=11572,
        ),
        Part(
            name="test",
            clean=Archive(
                "clean_testset_wav.zip",
                int(147.2 * MIB),
                "34eb1c0ba7ef667e9b966866c542fc16",
                "dec213d3-bf57-4777-9663-c24bdce92d5e",
            ),
            noisy=Archive(
                "noisy_testset_wav.zip",
                int(162.7 * MIB),
                "fb1b86caa31e8ba5b506c0c64da9aab5",
                "13c1bfbf-14a6-41db-9b41-8f7310f01ad5",
            ),
            text=Archive(
                "testset_txt.zip", int(0.42 * MIB), None, "09e12592-879e-4749-bf6d-e34cf0d1ddf6"
            ),
            pairs=824,
        ),
    ),
    logs=Archive(
        "logfiles.zip",
        115_932,
        "0d16f5b6afe12d64238d1e4a0e6ff6e8",
        "11185dc8-9cf1-405b-b858-35bd6a04aedd",
    ),
    address_forms=(
        "https://datashare.ed.ac.uk/bitstreams/{bitstream}/download",
        "https://datashare.ed.ac.uk/server/api/core/bitstreams/{bitstream}/content",
        "https://datashare.ed.ac.uk/bitstream/handle/10283/2791/{name}",
    ),
    # p226 and p287 are the pair that many works hold out; both are men.
    valid_speakers=frozenset({"p226", "p287"}),
    women=frozenset(
        "p228 p230 p231 p233 p236 p239 p244 p250 p257 p267 p268 p269 p276 p277 p282".split()
    ),
    men=frozenset(
        "p226 p227 p232 p243 p254 p256 p258 p259 p270 p273 p274 p278 p279 p286 p287".split()
    ),
    pair_bytes=110_000,  # 88 kB measured on 200 test pairs; training sentences are longer
    noisy_pesq=1.970,
    noisy_pesq_deviation=0.72,  # 0.025, the standard error over 824 files, times sqrt(824)
)
