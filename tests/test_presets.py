"""Every preset that ships is read, accepted by its method, and says where it comes from."""

from pathlib import Path

import pytest

from studio.core.errors import BadInput, NotFound
from studio.guidance import build, build_method
from studio.guidance.presets import read_preset, read_presets

GUIDANCE_PRESETS = Path(__file__).parents[1] / "presets" / "guidance"


@pytest.mark.parametrize("path", sorted(GUIDANCE_PRESETS.glob("*.json")), ids=lambda path: path.stem)
def test_shipped_preset(path: Path) -> None:
    preset = read_preset(path)
    assert build_method(preset.spec).model_dump().items() >= preset.params.items()
    assert len(preset.spec.wrappers) == len(preset.wrappers) and build(preset.spec).describe()
    assert preset.title and preset.source and preset.note


def test_shipped_presets_are_found_by_name() -> None:
    presets = read_presets(GUIDANCE_PRESETS)
    assert {"none", "cfg", "apg"} <= presets.keys()
    assert build(presets["none"].spec).nfe() == 1


@pytest.mark.parametrize(
    ("text", "error", "says"),
    [
        ('{"method": "cfg", "params": {"guidance_scale": 99}, "source": "x"}', BadInput, "from 0 to 30"),
        ('{"method": "cfg", "params": {"guidance_scal": 2}, "source": "x"}', BadInput, "guidance_scale"),
        ('{"method": "cgf", "source": "x"}', NotFound, "did you mean 'cfg'"),
        ('{"method": "cfg"}', BadInput, "bad.json"),
        ('{"method": "cfg", "source": "x", "colour": 1}', BadInput, "colour"),
        ("{", BadInput, "bad.json"),
    ],
)
def test_bad_preset(tmp_path: Path, text: str, error: type[BadInput], says: str) -> None:
    path = tmp_path / "bad.json"
    path.write_text(text)
    with pytest.raises(error, match=says):
        read_preset(path)
