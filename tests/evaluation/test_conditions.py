"""Noise and SNR of recordings: tables, log files, and what is neither."""

import pytest

from effifusion_lite.evaluation import EvaluationError, read_conditions
from effifusion_lite.evaluation.conditions import Condition

BUS, CAFE = Condition("bus", 17.5), Condition("cafe", -2.5)


@pytest.mark.parametrize(
    "content",
    [
        "file,split,noise,snr_db\np1_001.flac,test,bus,17.5\np1_002.flac,test,cafe,-2.5\n",
        "\ufefffile,noise,snr_db\nnoisy/p1_001.wav,bus,17.50\nclean/p1_001.wav,,\n"
        "noisy/p1_002.wav,cafe,-2.5\n",
        "p1_001 bus 1.750000e+01\np1_002 cafe -2.5\n",
        "file snr noise\n\np1_001.wav 17.5 bus\np1_002.wav, -2.5, cafe\n",
    ],
)
def test_tables_and_log_files(tmp_path, content):
    path = tmp_path / "conditions"
    path.write_text(content, encoding="utf-8")
    names = ["p1_001.wav", "speaker/p1_002.flac", "p1_003.wav"]
    assert read_conditions(path, names) == {names[0]: BUS, names[1]: CAFE}


def test_a_table_may_tell_half(tmp_path):
    (tmp_path / "m.csv").write_text("file,noise,snr_db\na,bus,\nb,,5\n")
    assert read_conditions(tmp_path / "m.csv", ["a.wav", "b.wav"]) == {
        "a.wav": Condition("bus", None),
        "b.wav": Condition(None, 5.0),
    }


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "tells noise and SNR of none of the files"),
        (b"b bus 17.5\n", "of none of the files: it must be a table with the columns file, noise"),
        (b"name,kind\na.wav,bus\n", "of none of the files"),
        (b"a bus nan\n", "of none of the files"),
        (b"a bus 17.5\na cafe 2.5\n", "gives two conditions to a: leave one of them"),
        (
            b"PK\x03\x04\xff\xfe\xfa",
            "is no text in UTF-8: .* or name a manifest.csv or an unpacked log file",
        ),
    ],
)
def test_what_tells_nothing(tmp_path, content, message):
    (tmp_path / "f").write_bytes(content)
    with pytest.raises(EvaluationError, match=message):
        read_conditions(tmp_path / "f", ["a.wav"])


def test_the_manifest_of_the_real_recordings(shared_data):
    conditions = read_conditions(shared_data / "manifest.csv", ["p232_001.flac", "p257_370.flac"])
    assert conditions["p232_001.flac"].noise in ("bus", "cafe", "living", "office", "psquare")
    assert conditions["p257_370.flac"].snr_db in (2.5, 7.5, 12.5, 17.5)
