"""Zip files of strangers: opened with a bound on how much of their directory is read.

The library reads a whole directory at once and makes an object of every entry, 200,000 of them in 10 s.
"""

from __future__ import annotations

import contextlib
import io
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path


class _Opening(io.FileIO):
    """A file that refuses to be read by more than `most` bytes at a time until its directory was read."""

    def __init__(self, path: Path, most: int, refuse: Callable[[], Exception]) -> None:
        super().__init__(path)
        self.is_open = False
        self._most = most
        self._refuse = refuse

    def read(self, size: int | None = -1, /) -> bytes:
        byte_count = self._rest() if size is None or size < 0 else size
        if not self.is_open and byte_count > self._most:
            raise self._refuse()
        return super().read(byte_count)

    def _rest(self) -> int:
        position = self.tell()
        end = self.seek(0, io.SEEK_END)
        self.seek(position)
        return max(0, end - position)


@contextlib.contextmanager
def opened_zip(path: Path, most: int, refuse: Callable[[], Exception]) -> Iterator[zipfile.ZipFile]:
    """Open a zip file for reading.

    most: bytes of its directory. In search of the directory's place the library reads the last 65,558 bytes of a file.
    refuse: makes the error for a longer one. Raises what the library does for what is no zip file, and OSError.
    """
    with _Opening(path, most, refuse) as file, zipfile.ZipFile(file) as archive:
        file.is_open = True
        yield archive
