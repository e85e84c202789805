"""Edits on their way from files to stacks."""

from __future__ import annotations

from pathlib import Path

import pytest

from studio.core.errors import NotFound
from studio.core.recipe import EditRef
from studio.engine.edits.files import to_bytes
from studio.engine.edits.shelf import EditShelf
from studio.storage.edits import EditStore
from tests.engine.edits.making import make_edit


def test_an_edit_renamed_after_its_job_was_queued_is_found_and_a_deleted_one_is_not(tmp_path: Path) -> None:
    edit, other = make_edit({"a": (4, 4)}, name="one"), make_edit({"a": (4, 4)}, seed=9, name="other")
    store = EditStore(tmp_path)
    queued = store.put("one", edit.sha256, to_bytes(edit))
    store.put("other", other.sha256, to_bytes(other))
    refs, paths = [EditRef(edit=queued.id)], {queued.id: str(queued.path)}
    store.rename(queued.id, "two", edit.sha256, to_bytes(edit))
    assert not queued.path.exists()
    renamed = EditShelf().stack(refs, {queued.id: str(store.get("two").path)}, 1)
    assert EditShelf().stack(refs, paths, 1).whole == renamed.whole
    store.remove("two")
    with pytest.raises(NotFound, match="no file any more"):
        EditShelf().stack(refs, paths, 1)
