"""Registries: one name, one entry; an unknown name is answered with the known ones."""

import sys
from pathlib import Path

import pytest

from studio.core.errors import NotFound
from studio.core.registry import Registry, import_folder


def flavours() -> Registry[int]:
    registry: Registry[int] = Registry("flavour")
    for name, value in (("vanilla", 1), ("lemon", 2)):
        registry.register(name)(value)
    return registry


def test_finds_by_name_and_lists_sorted() -> None:
    registry = flavours()
    assert registry.get("lemon") == 2
    assert registry.names() == ("lemon", "vanilla")
    assert registry.items() == (("lemon", 2), ("vanilla", 1))


def test_register_gives_the_entry_back() -> None:
    registry: Registry[type] = Registry("class")

    @registry.register("here")
    class Here: ...

    assert registry.get("here") is Here


def test_second_registration_is_refused() -> None:
    with pytest.raises(ValueError, match="'lemon' is registered twice"):
        flavours().register("lemon")(3)


def test_typo_gets_the_closest_name() -> None:
    with pytest.raises(NotFound, match="no flavour named 'vanila', did you mean 'vanilla'"):
        flavours().get("vanila")


@pytest.mark.parametrize("name", ["", "xyz", "x" * 100_000])
def test_unknown_name_gets_the_list_and_a_short_message(name: str) -> None:
    with pytest.raises(NotFound, match="lemon, vanilla") as caught:
        flavours().get(name)
    assert len(str(caught.value)) < 200


def test_import_folder_imports_in_name_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "parlour"
    folder.mkdir()
    (folder / "__init__.py").write_text(
        "from studio.core.registry import import_folder\nseen = []\nimport_folder(__name__)\n"
    )
    for name in ("b_second", "a_first"):
        (folder / f"{name}.py").write_text(f"import parlour\nparlour.seen.append({name!r})\n")
    monkeypatch.syspath_prepend(tmp_path)
    import_folder("parlour")
    try:
        assert sys.modules["parlour"].seen == ["a_first", "b_second"]
    finally:
        for name in [name for name in sys.modules if name.split(".")[0] == "parlour"]:
            del sys.modules[name]
