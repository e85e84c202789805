"""Zip files of strangers: opened with a bound on how much of their directory is read, and unpacked as counted.

The library reads a whole directory at once and makes an object of every entry, 200,000 of them in 10 s.
"""

from __future__ import annotations

import contextlib
import io
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from studio.core.errors import BadInput

COPY_AGAIN = "Copy or download it again."


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


def unpack_member(archive: zipfile.ZipFile, member: zipfile.ZipInfo, plain: BinaryIO, name: str) -> None:
    """Write a member into an open file, counting what really comes out: the size that the archive announces is a claim.

    name: of the archive, for the sentence. Raises BadInput for a member that unpacks to more than it says, or to less.
    """
    left = member.file_size
    with archive.open(member) as packed:
        while data := packed.read(1 << 20):
            left -= len(data)
            if left < 0:
                raise BadInput(f"{name} unpacks to more than it says.")
            plain.write(data)
    if left:
        file_name = PurePosixPath(member.filename).name
        raise BadInput(f"{name} is cut short: {file_name[-80:]} lacks {left} bytes.", COPY_AGAIN)
