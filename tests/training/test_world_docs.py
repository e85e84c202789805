"""Pages of the world: sheets of the promised pictures, a page that tells the numbers it was given."""

import numpy as np

from studio.training.embedded import world_docs
from studio.training.evaluate.rows import ReportRow
from studio.world.oracle import CLASSES


def some_counts() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    return {
        name: rng.integers(0, 3, (len(names), len(names))) + 90 * np.eye(len(names), dtype=int)
        for name, names in CLASSES.items()
    }


def test_every_picture_of_a_sheet_is_there() -> None:
    sheet = world_docs.colours_and_backgrounds()
    columns, rows = len(CLASSES["colour"]), len(CLASSES["background"])
    assert sheet.width > columns * 128 and sheet.height > rows * 128
    assert np.array_equal(np.asarray(sheet), np.asarray(world_docs.colours_and_backgrounds()))


def test_the_page_tells_gates_and_confusions() -> None:
    gates = [
        ReportRow("renders", "object", 2000, 0.995, 0.99, 0.998, 1990, 0.99),
        ReportRow("false alarms", "renders", 2000, 0.031, 0.02, 0.04, 62, 0.02, True),
        ReportRow("renders", "size", 10, 0.5, 0.4, 0.6, 5),
    ]
    counts = some_counts()
    page = world_docs.oracle_page(gates, counts, 0.42)
    assert "| renders: object | 2000 | 99.50 % | 99.00 to 99.80 % | at least 99 % | passed |" in page
    assert "| at most 2 % | **missed** |" in page
    assert "| renders: size | 10 | 50.00 % | 40.00 to 60.00 % |  |  |" in page
    assert "score of 0.420" in page
    for name, names in CLASSES.items():
        assert f"### {name}" in page
        assert f"| **{names[0]}** | " + " | ".join(str(c) if c else "" for c in counts[name][0]) + " |" in page


def test_the_figure_has_a_matrix_per_attribute() -> None:
    figure = world_docs.confusion_figure(some_counts())
    titles = [axis.get_title() for axis in figure.get_axes()]
    assert [title.split(":")[0] for title in titles] == list(world_docs.SHOWN)
