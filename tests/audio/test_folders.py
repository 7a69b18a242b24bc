"""Which files of a folder are taken: the same for all commands."""

import os

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from effifusion_lite.audio import describe_left_out, find_sounds, load_audio, save_audio
from effifusion_lite.data import audio_files
from effifusion_lite.enhancement.batch import plan
from effifusion_lite.evaluation import find_pairs


def touch(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"")
    return path


def names(folder, found):
    return [path.relative_to(folder).as_posix() for path in found]


def test_links_to_folders_are_followed_once(tmp_path):
    folder, elsewhere = tmp_path / "in", tmp_path / "elsewhere"
    touch(folder / "a.wav")
    touch(elsewhere / "b.wav")
    (folder / "link").symlink_to(elsewhere)
    (folder / "again").symlink_to(elsewhere)
    (elsewhere / "back").symlink_to(folder)  # a circle
    assert names(folder, find_sounds(folder).files) == ["a.wav", "again/b.wav"]


def test_hidden_things_and_folders_with_the_names_of_sounds_are_passed_by(tmp_path):
    for name in ("a.wav", "._a.wav", ".ipynb_checkpoints/b.wav", "c.wav/d.flac", "notes.txt"):
        touch(tmp_path / name)
    found = find_sounds(tmp_path)
    assert names(tmp_path, found.files) == ["a.wav", "c.wav/d.flac"]
    assert found.left_out == []


def test_what_cannot_be_read_is_named(tmp_path):
    for name in ("a.wav", "b.m4a", "c.AAC", "d.webm", "e.mp4"):
        touch(tmp_path / name)
    found = find_sounds(tmp_path)
    assert names(tmp_path, found.left_out) == ["b.m4a", "c.AAC", "d.webm", "e.mp4"]
    sentence = describe_left_out(tmp_path, found.left_out)
    assert "b.m4a, c.AAC, d.webm and 1 more left out" in sentence


@pytest.mark.parametrize("ending", ["w64", "rf64", "aifc", "snd"])
def test_further_endings_are_written_read_and_found(tmp_path, ending):
    waveform = 0.1 * np.random.default_rng(0).normal(size=999)
    save_audio(tmp_path / f"a.{ending}", waveform, 16000)
    [path] = find_sounds(tmp_path).files
    np.testing.assert_allclose(load_audio(path)[0][0], waveform, atol=1e-4)


PARTS = st.lists(st.sampled_from(["a", "b", ".c"]), max_size=2)
FILES = st.sets(
    st.tuples(PARTS.map(tuple), st.sampled_from(["x", ".y", "z"]),
              st.sampled_from([".wav", ".FLAC", ".m4a", ".txt", ""])),
    max_size=8,
)  # fmt: skip


@pytest.mark.filterwarnings("ignore:.*left out")
@settings(max_examples=60, deadline=None)
@given(FILES)
def test_every_file_is_taken_named_or_hidden_by_rule(tmp_path_factory, files):
    folder = tmp_path_factory.mktemp("any")
    for parts, name, ending in files:
        touch(folder.joinpath(*parts, name + ending))
    found = find_sounds(folder)
    shown = {
        "/".join([*parts, name + ending])
        for parts, name, ending in files
        if not any(part.startswith(".") for part in (*parts, name))
    }
    sounds = {name for name in shown if name.lower().endswith((".wav", ".flac"))}
    assert set(names(folder, found.files)) == sounds
    assert set(names(folder, found.left_out)) == {n for n in shown if n.endswith(".m4a")}
    if sounds:  # all commands see the same
        assert [job.source for job in plan([folder], folder / "out")[0]] == found.files
        assert [pair.noisy for pair in find_pairs(folder, folder)] == found.files
        assert audio_files(folder) == found.files


def test_a_folder_that_cannot_be_read_is_an_error(tmp_path, monkeypatch):
    touch(tmp_path / "a.wav")
    (tmp_path / "locked").mkdir()
    real = os.scandir

    def scandir(path):
        if str(path).endswith("locked"):
            raise PermissionError(13, "Permission denied", str(path))
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)
    with pytest.raises(PermissionError):
        find_sounds(tmp_path)
