from __future__ import annotations

import pytest

from studio.core.errors import BadInput
from studio.ui.prompt import settings


@pytest.mark.parametrize(
    ("shape", "side", "size"),
    [("square", 128, (128, 128)), ("portrait", 512, (512, 768)), ("landscape", 1024, (1536, 1024))],
)
def test_sizes_are_the_models_own_side_and_half_as_much_again(shape: str, side: int, size: tuple[int, int]) -> None:
    assert settings.size_of(shape, side) == size


def test_another_shape_is_refused() -> None:
    with pytest.raises(BadInput, match="square, portrait, landscape, not 'round'"):
        settings.size_of("round", 128)
