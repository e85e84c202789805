"""The command line: answers on stdout, one sentence for what is wrong, and the exit code."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from studio import cli
from studio.cli.answer import write
from studio.storage.png import read_png
from studio.storage.workspace import Workspace
from tests.tiny_model import SIZE_PX, build_once
from tests.tiny_sdxl import set_config


@pytest.fixture(autouse=True)
def place(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty current folder and the small model."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PALIMPSEST_MODEL_DIR", str(build_once(tmp_path_factory)))
    monkeypatch.setenv("PALIMPSEST_DEVICE", "cpu")
    monkeypatch.delenv("PALIMPSEST_WORKSPACE", raising=False)
    return tmp_path


class Ran:
    """What a command left: exit code, stdout, stderr."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err

    @property
    def json(self) -> dict[str, Any]:
        lines = self.out.splitlines()
        assert len(lines) == 1, self.out
        return json.loads(lines[0])


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Any:
    def command(*arguments: str) -> Ran:
        code = cli.main(arguments)
        out, err = capsys.readouterr()
        return Ran(code, out, err)

    return command


FAST = ("--steps", "2", "--json")


# -- generate and replay --------------------------------------------------------------------------------------------


def test_generate_then_replay(run: Any, place: Path) -> None:
    made = run("generate", "a red star", "--seed", "7", "--out", "out/star.png", *FAST)
    assert (made.code, made.err) == (0, "")
    assert made.json["images"][0]["path"] == "out/star.png" and made.json["images"][0]["seed"] == 7
    record = read_png(place / "out" / "star.png")
    assert record.image.size == (SIZE_PX, SIZE_PX) and record.recipe.prompt == "a red star"
    assert len(list((place / "workspace" / "images").rglob("*.png"))) == 1
    (plain := place / "plain").touch()
    assert (place / "out" / "star.png").stat().st_mode == plain.stat().st_mode, "not as private as the workspace's own"
    again = run("replay", "out/star.png", "--json")
    assert again.code == 0 and again.json["identical"] is True
    assert run("replay", "out/star.png").out == "Bit-identical: all 1024 pixels are the same.\n"


def test_replay_of_another_picture_fails(run: Any, place: Path) -> None:
    run("generate", "a red star", "--seed", "7", "--out", "a.png", "--no-history", *FAST)
    from studio.storage.png import encode_png

    record = read_png(place / "a.png")
    (place / "b.png").write_bytes(encode_png(Image.new("RGB", record.image.size), record.recipe, record.made_by))
    again = run("replay", "b.png", "--json")
    assert again.code == 1 and again.json["identical"] is False and again.json["different_pixels"] > 0


def test_several_are_numbered_with_seeds_counting_up(run: Any, place: Path) -> None:
    top = str(2**64 - 1)
    made = run("generate", "", "--seed", top, "--count", "2", "--out", "s.png", "--no-history", *FAST).json["images"]
    assert [(one["path"], one["seed"]) for one in made] == [("s-1.png", 2**64 - 1), ("s-2.png", 0)]
    assert (place / "s-2.png").exists() and not (place / "workspace").exists()


def test_without_seed_each_time_another(run: Any) -> None:
    seeds = {run("generate", "a", *FAST).json["images"][0]["seed"] for _ in range(2)}
    assert len(seeds) == 2


def test_flags_go_over_a_recipe_file_and_only_what_it_states_counts(run: Any, place: Path) -> None:
    (place / "r.json").write_text(json.dumps({"prompt": "a blue square", "seed": 5, "guidance": {"method": "apg"}}))
    made = run("generate", "--recipe", "r.json", "--guidance-scale", "4", "--negative", "a", *FAST).json["recipe"]
    assert (made["prompt"], made["seed"], made["width"], made["negative_prompt"]) == ("a blue square", 5, SIZE_PX, "a")
    assert made["guidance"]["method"] == "apg" and made["guidance"]["params"]["guidance_scale"] == 4


def test_a_picture_serves_as_recipe(run: Any) -> None:
    first = run("generate", "a red star", "--seed", "3", "--size", "40x32", "--out", "a.png", *FAST)
    second = run("generate", "--recipe", "a.png", "--seed", "4", "--json").json["recipe"]
    assert second == {**first.json["recipe"], "seed": 4}


def test_a_recipe_says_all_parameters_and_another_sampler_takes_its_own(run: Any) -> None:
    first = run("generate", "a red star", "--sampler", "ddim", "--out", "a.png", *FAST).json["recipe"]
    assert first["sampler_params"]["eta"] == 0 and first["guidance"]["params"]["guidance_scale"] == 1.5
    second = run("generate", "--recipe", "a.png", "--sampler", "unipc", "--method", "apg", "--json").json["recipe"]
    assert second["sampler"] == "unipc" and "eta" not in second["sampler_params"]
    assert "momentum" in second["guidance"]["params"] and "rescale" not in second["guidance"]["params"]


def test_a_sampler_left_out_is_the_models_own(run: Any, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = Path(shutil.copytree(os.environ["PALIMPSEST_MODEL_DIR"], place / "own"))
    (folder / "SHA256SUMS").unlink()
    set_config(folder, "scheduler/scheduler_config.json", _class_name="EulerDiscreteScheduler")
    monkeypatch.setenv("PALIMPSEST_MODEL_DIR", str(folder))
    assert run("generate", "a red star", *FAST).json["recipe"]["sampler"] == "euler"
    assert run("generate", "a red star", "--sampler", "ddim", *FAST).json["recipe"]["sampler"] == "ddim"
    # Parameters stated without a sampler are those of a recipe's own default, which has none of this name.
    (place / "r.json").write_text(json.dumps({"prompt": "a", "sampler_params": {"eta": 0.5}}))
    assert "sampler dpmpp_2m" in run("generate", "--recipe", "r.json", *FAST).err


def test_a_preset_is_the_guidance_and_flags_go_over_it(run: Any) -> None:
    made = run("generate", "a red star", "--preset", "cfg-interval", *FAST).json["recipe"]["guidance"]
    assert made["method"] == "cfg" and [one["wrapper"] for one in made["wrappers"]] == ["interval_sigma"]
    over = run(
        "generate",
        "a",
        "--preset",
        "cfg-interval",
        "--guidance-scale",
        "2.5",
        "--wrappers",
        '[{"wrapper": "rescale", "params": {"phi": 0.5}}]',
        *FAST,
    ).json["recipe"]["guidance"]
    assert over["params"]["guidance_scale"] == 2.5
    assert [(one["wrapper"], one["params"]["phi"]) for one in over["wrappers"]] == [("rescale", 0.5)]
    bare = run("generate", "a", "--preset", "cfg-interval", "--method", "apg", *FAST).json["recipe"]["guidance"]
    assert bare["method"] == "apg" and "wrappers" not in bare


def test_edits_are_stated_with_their_steps(run: Any) -> None:
    said = run("generate", "a", "--edits", '[{"edit": "gone", "start": 0.25}]', *FAST).err
    assert "no edit named 'gone'" in said or "no workspace to find them in" in said
    assert (
        "edits[0].stop must be a number from 0 to 1, not 2"
        in run("generate", "a", "--edits", '[{"edit": "gone", "stop": 2}]', *FAST).err
    )
    assert 'must be a JSON list such as [{"edit": "no-star"' in run("generate", "a", "--edits", "{}", *FAST).err


def test_unknown_words_and_cuts_are_said(run: Any) -> None:
    made = run("generate", "a zebra " * 9, *FAST)
    assert made.code == 0
    assert "no word for: zebra." in made.err and "this is cut:" in made.err
    assert made.json["prompt"]["unknown"] == ["zebra"] and made.json["prompt"]["cut"]


def test_without_json_the_path_is_printed(run: Any) -> None:
    made = run("generate", "a", "--steps", "1", "--out", "x.png")
    assert (made.code, made.out) == (0, "x.png\n")


# -- bad input ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--steps", "0"), "steps must be a whole number from 1 to 1000, not 0"),
        (("--steps", "1e9"), "steps must be a whole number from 1 to 1000, not 1000000000.0"),
        (("--steps", "abc"), "steps must be a whole number from 1 to 1000, not 'abc'"),
        (("--steps", "nan"), "steps must be a whole number from 1 to 1000, not nan"),
        (("--steps", "2.5"), "steps must be a whole number"),
        (("--seed", str(2**64)), "seed must be a whole number from 0 to 18446744073709551615"),
        (("--seed", "-1"), "seed must be a whole number from 0"),
        (("--seed", "9" * 5000), "seed must be a whole number from 0"),
        (("--size", "100"), "width must be a multiple of 8 from 32 to 2048, not 100"),
        (("--size", "32x7"), "height must be a multiple of 8"),
        (("--size", "65536"), "width must be"),
        (("--size", "x"), "width must be"),
        (("--guidance-scale", "nan"), "guidance scale must be a finite number, not 'nan'"),
        (("--guidance-scale", "1e6"), "guidance_scale must be a number from 0 to 30"),
        (("--guidance-scale", "abc"), "guidance scale must be a finite number"),
        (("--method", "cgf"), "did you mean 'cfg'"),
        (("--params", "{"), "--params are not valid JSON"),
        (("--params", "[1]"), "must be a JSON object"),
        (("--params", '{"eta": 1}'), "no field 'eta'"),
        (("--sampler", "heun"), "no sampler named 'heun'"),
        (("--batching", "x"), "batching must be one of"),
        (("--count", "0"), "count must be a whole number from 1 to 256"),
        (("--count", "x"), "count must be a whole number from 1 to 256"),
        (("--out", "x.jpg"), "ending in .png"),
        (("--no-history",), "--out must say"),
        (("--device", "tpu"), "device must be one of"),
        (("--threads", "0"), "threads must be a whole number"),
        (("--recipe", "nowhere.json"), "cannot be read"),
        (("--recipe", "nowhere.png"), "no file nowhere.png"),
        (("--model-dir", "nowhere"), "nowhere is missing"),
        (("--wrong",), "Unrecognized arguments: --wrong"),
        (("--steps",), "expected one argument"),
    ],
)
def test_one_sentence_and_exit_code_2(run: Any, place: Path, arguments: tuple[str, ...], said: str) -> None:
    made = run("generate", "a red star", *arguments, "--json")
    assert made.code == 2
    assert said in made.err and made.err.count("\n") == 1 and "Traceback" not in made.err
    assert made.json["error"] == made.err.strip() and made.json["exit_code"] == 2
    assert not list(place.rglob("*.png"))


@pytest.mark.parametrize(
    "arguments",
    [(), ("paint",), ("generate",), ("world",), ("world", "render"), ("replay",), ("jobs",), ("jobs", "cancel", "1")],
)
def test_what_is_no_command(run: Any, arguments: tuple[str, ...]) -> None:
    made = run(*arguments)
    assert made.code == 2 and made.err.count("\n") == 1 and made.out == ""


def test_a_damaged_model_names_file_and_both_sums(run: Any, place: Path) -> None:
    copy = shutil.copytree(os.environ["PALIMPSEST_MODEL_DIR"], place / "model")
    weights = Path(copy) / "unet" / "diffusion_pytorch_model.safetensors"
    data = weights.read_bytes()
    weights.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    made = run("generate", "a", "--model-dir", str(copy), "--out", "x.png", "--no-history", *FAST)
    assert made.code == 2
    assert "diffusion_pytorch_model.safetensors is damaged: its sha256 is" in made.json["error"]


def test_workspace_in_use(run: Any, place: Path) -> None:
    holder = Workspace.open(place / "workspace")
    made = run("generate", "a", *FAST)
    holder.close()
    assert made.code == 2 and f"in use by process {os.getpid()}" in made.json["error"]


def test_workspace_that_cannot_be_written(run: Any, place: Path) -> None:
    (place / "file").write_text("")
    made = run("generate", "a", "--workspace", "file", *FAST)
    assert made.code == 2 and "is not a folder" in made.json["error"]


def test_replay_of_what_is_no_picture(run: Any, place: Path) -> None:
    (place / "x.png").write_bytes(b"GIF89a")
    made = run("replay", "x.png", "--json")
    assert made.code == 2 and "not a PNG" in made.json["error"]


# -- jobs -----------------------------------------------------------------------------------------------------------


def test_jobs(run: Any, place: Path) -> None:
    assert run("jobs", "list").code == 2  # no workspace yet
    made = run("generate", "a red star", "--seed", "7", *FAST).json["images"][0]
    holder = Workspace.open(place / "workspace")  # as a running studio does
    (job,) = run("jobs", "list", "--json").json["jobs"]
    assert (job["number"], job["status"], job["what"]) == (1, "done", "1 picture: a red star")
    assert run("jobs", "show", "1", "--json").json["pictures"] == [made["path"]]
    assert run("jobs", "watch", job["id"], "--json").json["payload"]["recipes"][0]["seed"] == 7
    assert made["path"] in run("jobs", "show", "1").out and "a red star" in run("jobs", "list").out
    refused = run("jobs", "retry", "1", "--json")
    assert refused.code == 2 and "in use by process" in refused.json["error"]
    holder.close()
    again = run("jobs", "retry", "1", "--json").json
    assert (again["number"], again["retry_of"], again["pictures"]) == (2, job["id"], [made["path"]])
    assert run("jobs", "show", "99").code == 2 and run("jobs", "list", "--limit", "0").code == 2


# -- the other verbs ------------------------------------------------------------------------------------------------


def test_world_render(run: Any, place: Path) -> None:
    made = run("world", "render", "--object", "star", "--colour", "red", "--out", "w.png", "--json")
    assert made.code == 0 and "red star" in made.json["images"][0]["caption"]
    with Image.open(place / "w.png") as picture:
        assert picture.size == (128, 128)
    made = run("world", "render", "--random", "3", "--seed", "5", "--pixels", "64", "--out", "many", "--json")
    assert [one["path"] for one in made.json["images"]] == ["many/1.png", "many/2.png", "many/3.png"]
    made = run("world", "render", "--object", "zebra", "--out", "w.png", "--json")
    assert made.code == 2 and "object must be one of" in made.json["error"]


def test_doctor(run: Any) -> None:
    made = run("doctor", "--json")
    assert {check["name"] for check in made.json["checks"]} >= {"model", "workspace", "port"}
    assert made.code == (0 if made.json["ok"] else 1)
    assert run("doctor", "--model-dir", "nowhere").code == 1


def test_recipe_schema(run: Any) -> None:
    schema = run("recipe-schema", "--json").json
    assert schema["properties"]["steps"]["maximum"] == 1000


def test_bench(run: Any) -> None:
    made = run("bench", "single", "--pairs", "7", "--steps", "2", "--json").json["cases"][0]
    assert made["max_difference"] <= 1 and made["pairs"] == 7 and made["ratio"] > 0
    assert run("bench", "--pairs", "3").code == 2  # whichever case comes first
    assert run("bench", "--pairs", "x").code == 2


def test_serve_and_train_embedded_are_handed_on(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    import types

    served: list[Any] = []
    app, training = types.ModuleType("app"), types.ModuleType("run")
    app.serve = served.append  # type: ignore[attr-defined]
    training.main = lambda arguments: served.append(arguments) or 1  # type: ignore[attr-defined]
    for name, module in (("studio.ui", types.ModuleType("ui")), ("studio.training.embedded", types.ModuleType("e"))):
        monkeypatch.setitem(sys.modules, name, module)
    sys.modules["studio.ui"].app = app  # type: ignore[attr-defined]
    sys.modules["studio.training.embedded"].run = training  # type: ignore[attr-defined]
    assert run("serve", "--port", "7999").code == 0
    assert run("train-embedded", "evaluate", "--json").code == 1
    assert served[0].port == 7999 and served[1] == ["evaluate", "--json"]


def test_a_bug_is_told_in_json_too_and_its_trace_goes_to_stderr(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(settings: object) -> None:
        raise KeyError("oops")

    monkeypatch.setattr("studio.services.doctor.examine", broken)
    made = run("doctor", "--json")
    assert made.code == 1 and made.json["type"] == "KeyError"
    assert "Traceback" in made.err and "oops" in made.err


def test_a_light_verb_does_not_wait_for_torch() -> None:
    code = "import sys; from studio import cli; cli.main(['recipe-schema']); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], stdout=subprocess.DEVNULL).returncode == 0


def test_a_verb_is_one_file(run: Any, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (place / "greet.py").write_text(
        "from studio.cli.answer import give\n"
        "from studio.cli.grammar import add_verb\n"
        "def add(verbs):\n"
        "    add_verb(verbs, 'greet', run, 'say hello').add_argument('name')\n"
        "def run(args):\n"
        "    give(args, {'hello': args.name}, f'Hello, {args.name}.')\n"
        "    return 0\n"
    )
    monkeypatch.setattr(cli, "__path__", [*cli.__path__, str(place)])
    monkeypatch.delitem(sys.modules, "studio.cli.greet", raising=False)
    assert run("greet", "star").out == "Hello, star.\n" and run("greet", "star", "--json").json == {"hello": "star"}
    del sys.modules["studio.cli.greet"]


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252", "utf-8"])
def test_a_terminal_of_any_encoding_is_written_to(monkeypatch: pytest.MonkeyPatch, encoding: str) -> None:
    written = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written, encoding=encoding))
    write("a red star: \u00e9toile \u2b50 \u661f")
    write({"prompt": "\u2b50"})
    text, values = written.getvalue().decode(encoding).splitlines()
    assert text.startswith("a red star: ") and json.loads(values) == {"prompt": "\u2b50"}
    assert text.endswith("\u2b50 \u661f" if encoding == "utf-8" else r"\u2b50 \u661f")
