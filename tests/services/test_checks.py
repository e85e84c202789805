"""What a model cannot do: said in a menu and refused when it is queued, from one source, and by the engine."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from studio.core.errors import BadInput
from studio.core.recipe import GuidanceSpec, Recipe, WrapperSpec
from studio.core.settings import Settings
from studio.engine.order import Order
from studio.engine.sampler import sample_latents
from studio.guidance import GUIDANCE, asks_of
from studio.models.loading import load_model
from studio.models.tokens import PromptTokenizer
from studio.prompts.layout import Token
from studio.services.checks import TOKENISED_CHARS, check_guidance, check_recipes, why_not
from studio.services.sources import Sources
from studio.ui.components.method_menu import entries
from tests.tiny_model import SIZE_PX

AUTO = GuidanceSpec(method="autoguidance")
PERTURBING = ("pag", "seg", "slg")
CFG_PLAIN = GuidanceSpec(params={"guidance_scale": 1.0})


@pytest.fixture
def sources(settings: Settings, tiny_model: Path, tmp_path: Path) -> Sources:
    """With a model beside which an early checkpoint lies, and another without."""
    shutil.copytree(tiny_model, tmp_path / "models" / "tiny")
    (tmp_path / "models" / "tiny-early" / "unet").mkdir(parents=True)
    shutil.copytree(tiny_model, tmp_path / "others" / "another")
    places = {"model_dir": tmp_path / "models" / "tiny", "models_dir": tmp_path / "others"}
    return Sources(settings.model_copy(update=places))


@pytest.fixture
def add(sources: Sources, tiny_model: Path, tmp_path: Path) -> Callable[..., Path]:
    """Adds a model built from a UNet config that differs from the small one's."""

    def build(name: str, **config: Any) -> Path:
        import diffusers

        library: Any = diffusers
        folder = Path(shutil.copytree(tiny_model, tmp_path / "others" / name))
        (folder / "SHA256SUMS").unlink()
        told = json.loads((folder / "unet" / "config.json").read_text())
        library.UNet2DConditionModel.from_config({**told, **config}).save_pretrained(folder / "unet")
        return folder

    return build


def recipe(model: str, spec: GuidanceSpec) -> Recipe:
    values = {"prompt": "a red star", "model": model, "steps": 4, "width": SIZE_PX, "height": SIZE_PX}
    return Recipe.load(values | {"guidance": spec.model_dump()})


def reasons(sources: Sources, model: str) -> dict[str, str]:
    """What the menu says of each method that it greys."""
    found = {name: why_not(sources, model, asks_of(GUIDANCE.get(name)()).words()) for name in GUIDANCE.names()}
    return {name: reason for name, reason in found.items() if reason is not None}


def test_menu_and_refusal_agree_on_every_method(sources: Sources, add: Callable[..., Path]) -> None:
    add("headless", mid_block_type="UNetMidBlock2D")
    add("lcm", time_cond_proj_dim=8)
    for model in ("stencil", "another", "headless", "lcm"):
        greyed = reasons(sources, model)
        for name in GUIDANCE.names():
            if name in greyed:
                with pytest.raises(BadInput, match=f"The guidance method {name} {greyed[name]}"):
                    check_guidance(GuidanceSpec(method=name), sources, model)
            else:
                check_guidance(GuidanceSpec(method=name), sources, model)
    assert reasons(sources, "stencil") == {}
    assert reasons(sources, "another") == {"autoguidance": "needs an early checkpoint"}


def test_a_unet_without_attention_in_its_middle(sources: Sources, add: Callable[..., Path]) -> None:
    """Known from the config, and right: drawing would fail. Layers that it has can be named."""
    folder = add("headless", mid_block_type="UNetMidBlock2D")
    greyed = reasons(sources, "headless")
    assert {name for name, reason in greyed.items() if reason == "needs self-attention at mid_block"} == {*PERTURBING}
    bundle = load_model(folder, name="headless")
    for name in PERTURBING:
        spec = GuidanceSpec(method=name, params={"stop": 1.0} if name == "slg" else {})
        with pytest.raises(BadInput, match="and headless has none. Name other layers; there is some at down_blocks.0"):
            check_recipes([recipe("headless", spec)], sources)
        with pytest.raises(BadInput, match="no self-attention at layers 'mid_block'"):
            list(sample_latents(bundle, [Order(recipe("headless", spec))]))
        named = spec.model_copy(update={"params": {**spec.params, "layers": "down_blocks"}})
        check_recipes([recipe("headless", named)], sources)
        assert len(list(sample_latents(bundle, [Order(recipe("headless", named))]))) == 1


def test_layers_that_do_not_exist(sources: Sources) -> None:
    for model in ("stencil", "another"):
        spec = GuidanceSpec(method="pag", params={"layers": "up_blocks.1, middle"})
        with pytest.raises(BadInput, match="has no self-attention at layers 'middle'; it has some at down_blocks.0"):
            check_recipes([recipe(model, spec)], sources)
        summed = GuidanceSpec(method="cfg", wrappers=(WrapperSpec(wrapper="sum", added=spec),))
        with pytest.raises(BadInput, match="at layers 'middle'"):
            check_recipes([recipe(model, summed)], sources)
        off = GuidanceSpec(method="pag", params={"layers": "middle", "pag_scale": 0.0})
        check_recipes([recipe(model, off)], sources)


@pytest.mark.parametrize("config", [{"time_cond_proj_dim": 8}])
def test_a_model_with_guidance_built_in(sources: Sources, add: Callable[..., Path], config: dict[str, Any]) -> None:
    add("lcm", **config)
    assert sources.card("lcm").distilled and not sources.card("another").distilled
    told = "cfg needs an unconditional prediction, and lcm has none. Its guidance is built in: take a guidance_scale of"
    with pytest.raises(BadInput, match=told):
        check_recipes([recipe("lcm", GuidanceSpec(params={"guidance_scale": 3.0}))], sources)
    check_recipes([recipe("lcm", CFG_PLAIN), recipe("lcm", GuidanceSpec(method="pag"))], sources)
    with pytest.raises(BadInput, match="method apg needs an unconditional"):
        added = (WrapperSpec(wrapper="sum", added=GuidanceSpec(method="apg")),)
        check_guidance(GuidanceSpec(method="pag", wrappers=added), sources, "lcm")
    never = (WrapperSpec(wrapper="interval", params={"start": 0.0, "stop": 0.0}),)
    check_guidance(GuidanceSpec(params={"guidance_scale": 3.0}, wrappers=never), sources, "lcm")


def test_networks_of_the_other_kind(sources: Sources) -> None:
    assert why_not(sources, "another", ("main", "transformer")) == "needs a transformer for a denoiser"
    assert why_not(sources, "another", ("main", "unet")) is None


def test_a_method_for_transformers_is_refused_on_a_unet(sources: Sources, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(GUIDANCE.get("slg"), "denoiser", "transformer")
    assert reasons(sources, "stencil") == {"slg": "needs a transformer for a denoiser"}
    with pytest.raises(BadInput, match="The guidance method slg needs a transformer for a denoiser, and stencil has"):
        check_guidance(GuidanceSpec(method="slg"), sources, "stencil")


def test_the_menu_greys_what_is_known_and_leaves_plain_guidance(sources: Sources, add: Callable[..., Path]) -> None:
    add("lcm", time_cond_proj_dim=8, mid_block_type="UNetMidBlock2D")

    class Fake:
        def __init__(self) -> None:
            self.sources = sources

    greyed = {entry[1]: entry[2] for entry in entries(Fake(), "lcm") if len(entry) == 3}  # type: ignore[arg-type]
    assert greyed["pag"] == "Not with lcm: it needs self-attention at mid_block."
    assert greyed["apg"] == "Not with lcm: it needs an unconditional prediction." and "cfg" not in greyed


def test_a_model_that_cannot_be_read_greys_nothing(sources: Sources) -> None:
    assert why_not(sources, "nowhere", ("main", "uncond", "layers")) is None


def test_a_method_that_a_sum_adds_is_the_one_that_is_named(sources: Sources) -> None:
    summed = GuidanceSpec(method="cfg", wrappers=(WrapperSpec(wrapper="sum", added=AUTO),))
    with pytest.raises(BadInput, match="method autoguidance needs an early checkpoint of the model, and another has"):
        check_guidance(summed, sources, "another")
    check_guidance(summed, sources, "stencil")


def test_what_asks_nothing_of_an_early_checkpoint_is_not_refused(sources: Sources) -> None:
    check_guidance(GuidanceSpec(method="autoguidance", params={"autoguidance_scale": 1.0}), sources, "another")


# -- how much a job may say -------------------------------------------------------------------------------------------


def test_a_job_that_says_too_much_is_refused_before_it_is_read(
    sources: Sources, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = Recipe.load({"width": SIZE_PX, "height": SIZE_PX})
    long = [plain.model_copy(update={"prompt": f"{n:05}" * 2000}) for n in range(51)]
    check_recipes([long[0]] * 51, sources)  # equal ones count once
    read: list[int] = []
    monkeypatch.setattr("studio.prompts.conditions._plan", lambda *values: read.append(1))
    with pytest.raises(BadInput, match="have 510,000 characters in all; a job takes at most 500,000. Make"):
        check_recipes(long, sources)
    assert not read


def test_a_job_of_too_many_texts_is_refused(sources: Sources) -> None:
    turns = "[" + "|".join(f"a{n}" for n in range(35)) + "]"
    recipes = [recipe("stencil", CFG_PLAIN).model_copy(update={"prompt": f"{n} {turns}"}) for n in range(256)]
    check_recipes(recipes, sources)  # 4 steps: 4 texts each
    with pytest.raises(BadInput, match="more than 8,192 different texts"):
        check_recipes([one.model_copy(update={"steps": 40}) for one in recipes], sources)


def test_only_so_much_is_tokenised_before_a_job_is_queued(sources: Sources, monkeypatch: pytest.MonkeyPatch) -> None:
    tokenised: list[int] = []

    def tokenise(self: PromptTokenizer, texts: Sequence[str]) -> list[Token]:
        tokenised.append(sum(map(len, texts)))
        return []

    monkeypatch.setattr(PromptTokenizer, "tokenise", tokenise)
    turns = " [" + "|".join(f"a{n}" for n in range(50)) + "]"
    long = recipe("another", CFG_PLAIN).model_copy(update={"prompt": "x" * 9_000 + turns, "steps": 50})
    check_recipes([long], sources)
    assert TOKENISED_CHARS - 2 * 9_010 < sum(tokenised) <= TOKENISED_CHARS
    tokenised.clear()
    check_recipes([recipe("another", CFG_PLAIN), recipe("stencil", CFG_PLAIN)], sources)
    assert not tokenised  # short enough, or cut: no token has to be known
