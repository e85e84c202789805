"""Names of files and things as people have them: the longest, of any script, and those of devices."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from studio.core.errors import BadInput
from studio.core.settings import Settings
from studio.engine.edits.layout import layout_of_folder
from studio.preference.exchange.options import ExportOptions
from studio.preference.formats import FOLDER, FORMATS
from studio.services.comparisons.comparison import Comparison, Row
from studio.services.comparisons.saved import SavedComparisons
from studio.services.dropped import read_dropped
from studio.services.edits.library import EditLibrary
from studio.services.labels.incoming import read_incoming
from studio.services.sources import Sources
from studio.storage.archive import Archive
from studio.storage.edits import EditStore
from tests.engine.edits.foreign import kohya, write
from tests.engine.edits.making import make_edit
from tests.preference.formats.mixed import Pictures, labels
from tests.services.labels.foreign_files import ours

LONGEST = 255  # bytes of a name on the usual file systems
STEMS = {"spaces": "a b  c", "marks": "100% 'x' #1 & é \u202efdp", "letters": "x" * 300, "stars": "⭐" * 100}


def file_name(stem: str, ending: str) -> str:
    """As much of a stem as a file's name holds, and its ending."""
    return stem.encode()[: LONGEST - len(ending)].decode(errors="ignore") + ending


@pytest.fixture
def library(settings: Settings) -> EditLibrary:
    return EditLibrary(EditStore(settings.workspace / "edits"), Sources(settings))


@pytest.mark.parametrize("stem", STEMS.values(), ids=STEMS)
def test_files_come_in_and_go_out_under_any_name(
    tmp_path: Path, library: EditLibrary, settings: Settings, stem: str
) -> None:
    picture = ours(tmp_path / file_name(stem, ".png"), "a star", 3)
    assert read_dropped(picture, ["stencil"]).recipe.seed == 3 and read_incoming(picture).prompt == "a star"
    shapes = layout_of_folder(settings.model_dir).components["unet"]
    edit = make_edit({path: shape for path, shape in shapes.items() if ".attn2." in path}, seed=1)
    file = write(kohya(edit), tmp_path / file_name(stem, ".safetensors"))
    entry = library.import_file(file)
    # Marks that turn the order of letters around are no part of a name: it would show as another.
    assert entry.name == "".join(filter(str.isprintable, file.stem))[:100]
    assert entry.path.is_file() and library.show(entry.id) == entry
    out = tmp_path / "out"
    out.mkdir()
    target = out / file_name(stem, ".safetensors")
    library.export(entry.id, "kohya", target)
    assert library.inspect(target).left == ()
    pictures = Pictures(tmp_path / "store")
    for format, extension in ((FORMATS.get("jsonl"), ".jsonl"), (FORMATS.get("image-folder"), FOLDER)):
        source = out / file_name(stem, extension)
        written = format.write(labels(pictures), pictures, source, ExportOptions())
        assert len(list(format.read(source))) == written.rows > 0
    assert len(list(out.iterdir())) == 3


@pytest.fixture
def saved(tmp_path: Path) -> Iterator[SavedComparisons]:
    with closing(Archive.open(tmp_path / "workspace")):
        yield SavedComparisons(tmp_path / "workspace")


def test_a_comparison_may_have_any_name_and_no_name_is_a_path(saved: SavedComparisons, tmp_path: Path) -> None:
    names = [
        "../../x",
        "/etc/passwd",
        "C:\\x",
        "CON",
        "nul.txt",
        ".",
        "..",
        "dot.",
        "x" * 100,
        "⭐" * 100,
        "a/b",
        "%00",
    ]
    for name in names:
        saved.save(Comparison(name=name, rows=(Row(name=name),)))
    assert sorted(entry.name for entry in saved.list()) == sorted(names)
    assert all(saved.load(name).rows[0].name == name for name in names)
    folder = tmp_path / "workspace" / "comparisons"
    assert len(list(folder.iterdir())) == len(names) and [path.name for path in tmp_path.iterdir()] == ["workspace"]
    for name in ("x" * 101, "a\0b", "a\nb", "\u202e", " ", ""):
        with pytest.raises(BadInput, match="name"):
            saved.save(Comparison.load({"name": name}))
    assert len(list(folder.iterdir())) == len(names)


def test_names_that_differ_by_case_alone_are_one_and_what_was_there_is_kept_beside(
    saved: SavedComparisons, tmp_path: Path
) -> None:
    """Where the file system knows no case, they would be one file."""
    saved.save(Comparison(name="Mine", rows=(Row(name="first"),)))
    saved.save(Comparison(name="mine", rows=(Row(name="second"),)))
    (entry,) = saved.list()
    assert entry.name == "mine" and saved.load("MINE").rows[0].name == "second"
    (before,) = (tmp_path / "workspace" / "comparisons").glob("*.before")
    assert Comparison.from_json(before.read_bytes()).rows[0].name == "first"
    shutil.copyfile(before, before.with_suffix(".json"))
    assert saved.load("mine").rows[0].name == "first"
