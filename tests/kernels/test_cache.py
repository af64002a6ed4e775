"""Kernels on disk: found again by other processes, and never the reason of a failure."""

import os
import shutil
import subprocess
import sys

import numpy as np
import pytest
from autotrace.kernels.llvm import cache

PROGRAM = """
import numpy as np, autotrace as at
f = at.jit(lambda x: np.sum(np.tanh(x) ** 2) + np.exp(x[0]) * SCALE, backend="numba")
print(repr(float(f(np.linspace(0, 1, 7)))))
from autotrace.kernels.build import counts
print(counts()["compiled"], counts()["loaded"])
"""


def start(folder, program=PROGRAM, scale="2.0", **more):
    environment = {**os.environ, "AUTOTRACE_CACHE_DIR": str(folder), **more}
    return subprocess.Popen(
        [sys.executable, "-c", program.replace("SCALE", scale)],
        env={name: value for name, value in environment.items() if value is not None},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process):
    """What a process has computed, and how many functions it has compiled and loaded."""
    out, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    assert err == ""
    value, counts = out.splitlines()
    compiled, loaded = map(int, counts.split())
    return float(value), compiled, loaded


def files_of(folder):
    return sorted((folder / "kernels").iterdir())


@pytest.fixture(scope="module")
def once(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cache")
    value, compiled, loaded = finish(start(folder))
    assert compiled > 1 and loaded == 0
    return folder, value, compiled


@pytest.fixture
def filled(once, tmp_path):
    """A folder of its own with the files of a process that has ended."""
    folder, value, count = once
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    return tmp_path, value, count


def test_a_file_for_each_function(filled):
    folder, _, count = filled
    files = files_of(folder)
    assert len(files) == count
    for file in files:
        assert file.name[0] == "k" and len(file.name) == 41
        int(file.name[1:], 16)


def test_a_second_process_compiles_nothing(filled):
    folder, value, count = filled
    before = {file: file.stat().st_ino for file in files_of(folder)}
    assert finish(start(folder)) == (value, 0, count)
    assert {file: file.stat().st_ino for file in files_of(folder)} == before


def test_another_constant_is_the_same_kernel(filled):
    folder, value, count = filled
    other, *counts = finish(start(folder, scale="3.0"))
    assert other != value and counts == [0, count]


def test_another_function_is_another_kernel(filled):
    folder, _, count = filled
    program = PROGRAM.replace("np.tanh", "np.sinh")
    _, compiled, loaded = finish(start(folder, program))
    assert 0 < compiled < count and compiled + loaded == count


def test_no_cache(filled):
    _, value, count = filled
    assert finish(start("")) == (value, count, 0)


def test_folders_by_default(tmp_path, filled):
    _, value, count = filled
    nowhere = {"AUTOTRACE_CACHE_DIR": None, "XDG_CACHE_HOME": str(tmp_path / "xdg")}
    assert finish(start("", **nowhere)) == (value, count, 0)
    assert len(files_of(tmp_path / "xdg" / "autotrace")) == count
    nowhere = {"AUTOTRACE_CACHE_DIR": None, "XDG_CACHE_HOME": None, "HOME": str(tmp_path / "home")}
    assert finish(start("", **nowhere)) == (value, count, 0)
    assert len(files_of(tmp_path / "home" / ".cache" / "autotrace")) == count


def test_processes_at_once(tmp_path, filled):
    _, value, count = filled
    folder = tmp_path / "other"
    processes = [start(folder) for _ in range(4)]
    for process in processes:
        found, compiled, loaded = finish(process)
        assert found == value and compiled + loaded == count
    assert finish(start(folder)) == (value, 0, count)
    assert len(files_of(folder)) == count  # no temporary file is left


def damaged(content, damage):
    """What a file holds after some damage."""
    middle = len(content) // 2
    return {
        "empty": b"",
        "garbage": b"garbage" * 500,
        "without code": content[:32],
        "a part of the checksum": content[:20],
        "truncated": content[:middle],
        "longer": content + b"\0",
        "one bit": content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :],
        "a bit of the checksum": bytes([content[0] ^ 1]) + content[1:],
        "zeros": bytes(len(content)),
    }[damage]


@pytest.mark.parametrize(
    "damage",
    [
        "empty",
        "garbage",
        "without code",
        "a part of the checksum",
        "truncated",
        "longer",
        "one bit",
        "a bit of the checksum",
        "zeros",
    ],
)
def test_damaged_files(filled, damage):
    folder, value, count = filled
    files = files_of(folder)
    contents = [file.read_bytes() for file in files]
    for file, content in zip(files, contents, strict=True):
        file.write_bytes(damaged(content, damage))
    assert finish(start(folder)) == (value, count, 0)
    assert [file.read_bytes() for file in files] == contents  # compiled and written anew
    assert finish(start(folder)) == (value, 0, count)


def test_files_of_other_functions(filled):
    folder, value, count = filled
    files = files_of(folder)
    contents = [file.read_bytes() for file in files]
    files[0].write_bytes(contents[1])
    assert finish(start(folder)) == (value, 1, count - 1)
    assert files[0].read_bytes() == contents[0]
    for file, content in zip(files, [*contents[1:], contents[0]], strict=True):
        file.write_bytes(content)
    assert finish(start(folder))[0] == value


def test_one_removed_file(filled):
    folder, value, count = filled
    files_of(folder)[0].unlink()
    assert finish(start(folder)) == (value, 1, count - 1)
    assert finish(start(folder)) == (value, 0, count)


def test_a_folder_in_the_place_of_a_file(filled):
    folder, value, count = filled
    file = files_of(folder)[0]
    file.unlink()
    file.mkdir()
    assert finish(start(folder)) == (value, 1, count - 1)
    assert len(files_of(folder)) == count  # the file that could not be put there is gone


def test_a_folder_that_cannot_be_made(tmp_path, filled):
    _, value, count = filled
    file = tmp_path / "file"
    file.write_text("")
    assert finish(start(file)) == (value, count, 0)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written_to(tmp_path, filled):
    folder, value, count = filled
    files_of(folder)[0].unlink()
    (folder / "kernels").chmod(0o500)
    assert finish(start(folder)) == (value, 1, count - 1)
    (folder / "kernels").chmod(0o700)
    assert len(files_of(folder)) == count - 1


@pytest.mark.parametrize(
    ("name", "error"), [("tempfile.mkstemp", PermissionError), ("os.replace", OSError)]
)
def test_files_that_cannot_be_written(filled, monkeypatch, name, error):
    folder, _, count = filled
    monkeypatch.setattr(cache, "directory", lambda: folder / "kernels")

    def fail(*args, **kwargs):
        raise error("no permission, or no space left")

    monkeypatch.setattr(f"autotrace.kernels.llvm.cache.{name}", fail)
    cache.write("knew", b"code")
    assert len(files_of(folder)) == count and cache.read("knew") is None


def test_what_is_written_is_read(tmp_path, monkeypatch):
    monkeypatch.setattr(cache, "directory", lambda: tmp_path)
    for code in (b"code", b"\0" * 100_000):
        cache.write("kname", code)
        assert cache.read("kname") == code
    assert cache.read("kother") is None
    monkeypatch.setattr(cache, "directory", lambda: None)
    cache.write("kname", b"code")
    assert cache.read("kname") is None


def test_names():
    assert cache.name_of("a") == cache.name_of("a") != cache.name_of("b")


@pytest.mark.parametrize("seed", ["0", "7"])
def test_names_are_the_same_in_every_process(seed):
    code = "from autotrace.kernels.llvm import cache; print(cache.name_of('a'))"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONHASHSEED": seed},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == cache.name_of("a")


@pytest.fixture
def folder_of_files(tmp_path, monkeypatch):
    """The cache's folder with files of 100 bytes, of known ages, and a bound of 1000 bytes."""
    folder = tmp_path / "kernels"
    folder.mkdir()
    monkeypatch.setenv("AUTOTRACE_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(cache, "_MOST_BYTES", 1000)
    cache.directory.cache_clear()

    def fill(count):
        for age in np.random.default_rng(0).permutation(count):
            file = folder / f"k{age:03}"
            file.write_bytes(b"." * 100)
            os.utime(file, (1e9 - age, 1e9 - age))
        return folder

    yield fill
    cache.directory.cache_clear()


def test_a_folder_that_is_too_large_is_cut_back(folder_of_files):
    folder = folder_of_files(11)
    assert cache.directory() == folder
    assert [file.name for file in sorted(folder.iterdir())] == [f"k{age:03}" for age in range(5)]


def test_the_size_is_looked_at_now_and_then(folder_of_files):
    folder = folder_of_files(11)
    assert cache.directory() == folder
    folder_of_files(11)
    cache.directory.cache_clear()  # as another process
    assert cache.directory() == folder
    assert len(list(folder.iterdir())) == 11
    for then in (1e9, 9e9):  # a stamp of the future does not stop it for ever
        folder_of_files(11)
        os.utime(folder.with_name("looked_at"), (then, then))
        cache.directory.cache_clear()
        assert cache.directory() == folder
        assert len(list(folder.iterdir())) == 5


def test_a_folder_that_is_not_too_large_is_left_alone(folder_of_files):
    folder = folder_of_files(10)
    assert cache.directory() == folder
    assert len(list(folder.iterdir())) == 10


def test_files_that_are_removed_while_the_folder_is_cut_back(folder_of_files, monkeypatch):
    folder = folder_of_files(20)
    unlink = os.unlink

    def unlink_twice(file):  # another process was faster
        unlink(file)
        unlink(file)

    monkeypatch.setattr(cache.os, "unlink", unlink_twice)
    assert cache.directory() == folder
    assert len(list(folder.iterdir())) == 5


def test_files_that_are_removed_while_the_folder_is_looked_at(folder_of_files, monkeypatch):
    folder = folder_of_files(20)
    scandir = os.scandir

    class Entries:
        """The entries of a folder, two of whose files are gone when they are come to."""

        def __init__(self, path):
            self.entries = scandir(path)

        def __enter__(self):
            return self

        def __exit__(self, *_):
            self.entries.close()

        def __iter__(self):
            for number, entry in enumerate(self.entries):
                if number in (3, 7):
                    os.unlink(entry.path)
                yield entry

    monkeypatch.setattr(cache.os, "scandir", Entries)
    assert cache.directory() == folder
    assert len(list(folder.iterdir())) == 5


def test_used_files_are_kept_longest(folder_of_files):
    folder = folder_of_files(0)
    assert cache.directory() == folder
    for number in range(9):
        cache.write(f"k{number}", b"." * 68)
        os.utime(folder / f"k{number}", (1e9 + number, 1e9 + number))
    assert cache.read("k0") is not None
    for number in (9, 10):
        cache.write(f"k{number}", b"." * 68)
    cache.directory.cache_clear()
    cache.directory()
    assert (folder / "k0").exists()
