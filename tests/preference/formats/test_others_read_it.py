"""Sets as those read them who train with them: the library datasets, and the rules of trainers' folders."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import datasets
import pytest
from PIL import Image

from studio.core.errors import BadInput
from studio.preference.answer import Answer
from studio.preference.exchange import rows
from studio.preference.exchange.options import ExportOptions
from studio.preference.formats import FORMATS, onetrainer, simpletuner
from tests.preference.formats.mixed import Pictures, labels

OPEN = ExportOptions(anonymise=False, validation=0)


def loaded(cache: Path, *args: Any, **kwargs: Any) -> datasets.Dataset:
    read = datasets.load_dataset(*args, split="train", cache_dir=str(cache), **kwargs)
    assert isinstance(read, datasets.Dataset)
    return read


@pytest.mark.parametrize(
    ("name", "features"),
    [
        ("trl-preference", {"prompt": "string", "chosen": "Image", "rejected": "Image"}),
        ("trl-unpaired", {"prompt": "string", "completion": "Image", "label": "bool"}),
    ],
)
def test_trl_sets_have_pictures_for_completions(tmp_path: Path, name: str, features: dict[str, str]) -> None:
    pictures, target = Pictures(tmp_path / "store"), tmp_path / "set.parquet"
    written = FORMATS.get(name).write(labels(pictures), pictures, target, OPEN)
    read = loaded(tmp_path / "cache", "parquet", data_files=str(target))
    kinds = {column: getattr(feature, "dtype", "") for column, feature in read.features.items()}
    assert {c: "Image" if isinstance(read.features[c], datasets.Image) else k for c, k in kinds.items()} == features
    assert len(read) == written.rows and all(prompt.startswith("A prompt") for prompt in read["prompt"])
    cell = read[0][next(column for column, kind in features.items() if kind == "Image")]
    assert isinstance(cell, Image.Image) and cell.size == (12, 12)


def test_the_dpo_script_finds_the_columns_it_asks_for_and_is_told_what_it_makes_of_ties(tmp_path: Path) -> None:
    pictures, format = Pictures(tmp_path / "store"), FORMATS.get("diffusers-dpo")
    made = labels(pictures)
    written = format.write(made, pictures, tmp_path / "set.parquet", OPEN)
    read = loaded(tmp_path / "cache", "parquet", data_files=str(tmp_path / "set.parquet"))
    assert {name: read.features[name].dtype for name in ("jpg_0", "jpg_1", "label_0", "caption")} == {
        "jpg_0": "binary",
        "jpg_1": "binary",
        "label_0": "float64",
        "caption": "string",
    }
    halves = sum(share == 0.5 for share in read["label_0"])
    assert halves and written.remarks == [
        f"{halves} ties are written as 0.5, which the scripts take for a win of the first picture; "
        "left out, or as both, they are not."
    ]
    dropped = format.write(made, pictures, tmp_path / "drop.parquet", ExportOptions(ties="drop"))
    assert not dropped.remarks


def test_an_image_folder_is_read_with_a_column_of_pictures(tmp_path: Path) -> None:
    pictures, target = Pictures(tmp_path / "store"), tmp_path / "set"
    made = labels(pictures)
    FORMATS.get("image-folder").write(made, pictures, target, OPEN)
    read = loaded(tmp_path / "cache", "imagefolder", data_dir=str(target))
    assert [len(images) for images in read["images"]] == [len(label.pictures) for label in made]
    assert read[0]["images"][0].size == (12, 12) and list(read["ranks"]) == [list(label.answer.ranks) for label in made]


def test_a_kto_list_says_which_pictures_only_won_only_lost_or_did_both(tmp_path: Path) -> None:
    pictures, target = Pictures(tmp_path / "store"), tmp_path / "set"
    base = labels(pictures)[0]
    a, b = base.pictures
    c = pictures.new(777)
    chain = [base, replace(base, id="chain", pictures=(b, c))]  # a beats b, b beats c
    FORMATS.get("kto").write(chain, pictures, target, OPEN)
    with (target / "train_processed_v3.csv").open(encoding="utf-8", newline="") as file:
        table = {Path(row["file_name"]).stem: row for row in csv.DictReader(file)}
    assert {sha256: row["split"] for sha256, row in table.items()} == {
        a.sha256: "exclusive_win",
        b.sha256: "intersections",
        c.sha256: "exclusive_lose",
    }
    assert {row["caption"] for row in table.values()} == {base.prompt}
    assert all((target / row["file_name"]).is_file() for row in table.values())


@pytest.mark.parametrize(("name", "check"), [("onetrainer", onetrainer.check), ("simpletuner", simpletuner.check)])
def test_trainers_folders_keep_their_rules(tmp_path: Path, name: str, check: Any) -> None:
    pictures, target = Pictures(tmp_path / "store"), tmp_path / "set"
    made = labels(pictures)
    uneven = replace(made[0], id="uneven", pictures=(made[0].pictures[0], replace(made[0].pictures[1], width=24)))
    options = ExportOptions(validation=0.5)
    written = FORMATS.get(name).write([*made, uneven], pictures, target, options)
    assert written.rows_left_out == {"pictures of different shapes": 1}
    counts = check(target)
    assert (sum(counts.values()) if isinstance(counts, dict) else counts) == written.rows
    assert any(str(target) in remark for remark in written.remarks)
    lost = next(path for path in target.rglob("pair_00000001.png") if path.parent.name in ("lose", "train"))
    lost.unlink()
    with pytest.raises(BadInput, match="no counterpart"):
        check(target)


def test_onetrainer_sets_whole_prompts_apart(tmp_path: Path) -> None:
    pictures, target = Pictures(tmp_path / "store"), tmp_path / "set"
    FORMATS.get("onetrainer").write(labels(pictures), pictures, target, ExportOptions(validation=0.5))
    captions = [
        {path.read_text(encoding="utf-8") for path in (target / "chosen" / part).glob("*.txt")}
        for part in ("train", "val")
    ]
    assert (
        all(captions) and not captions[0] & captions[1] and not any("\n" in text for text in captions[0] | captions[1])
    )
    kinds = {c["type"]: c["dpo_chosen_pattern"] for c in json.loads((target / "concepts.json").read_text())}
    assert kinds == {"STANDARD": "chosen/train/{}", "VALIDATION": "chosen/val/{}"}


def test_rows_of_pairs_and_of_single_pictures(tmp_path: Path) -> None:
    pictures = Pictures(tmp_path / "store")
    by_mode = {label.answer.mode: label for label in labels(pictures)}
    best = by_mode["best"]
    assert [(p.first, p.second, p.share) for p in rows.pairs(best)] == [
        (best.pictures[0], best.pictures[2], 0.0),
        (best.pictures[1], best.pictures[2], 0.0),
        (best.pictures[2], best.pictures[3], 1.0),
    ]
    assert [(v.picture, v.good) for v in rows.verdicts(best)] == [(best.pictures[2], True)]
    worst = by_mode["best_worst"]
    assert [(v.picture, v.good) for v in rows.verdicts(worst)] == [
        (worst.pictures[0], True),
        (worst.pictures[3], False),
    ]
    tie = replace(by_mode["pair"], answer=Answer.pair("tie"))
    assert rows.verdicts(tie) == [] and [p.share for p in rows.pairs(tie)] == [0.5]
    with pytest.raises(ValueError, match="no order"):
        rows.pairs(tie)[0].in_order()
