"""The addresses of the pad, over a studio whose store is real."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
from PIL import Image
from starlette.applications import Starlette
from starlette.testclient import TestClient

from studio.core.errors import BadInput, WorkspaceError
from studio.preference.answer import BOTH_GOOD, SKIP, Mode
from studio.services.labels.taste_line import TasteLine
from studio.ui import security
from studio.ui.label import routes
from tests.ui.fake_studio import FakeStudio
from tests.ui.label.campaigns import campaign


@pytest.fixture
def client(fake: FakeStudio) -> Iterator[TestClient]:
    """The addresses behind the page's guards."""
    app = Starlette(routes=routes.routes(fake), middleware=security.middleware("127.0.0.1"))
    with TestClient(app, base_url="http://127.0.0.1") as client:
        client.post("/label/annotator", json={"alias": "Ada"})
        yield client


def items(client: TestClient, campaign: int, count: int = 4, who: str = "Ada", have: str = "") -> list[dict[str, Any]]:
    query = {"annotator": who, "campaign": str(campaign), "count": str(count), "have": have}
    return client.get("/label/next", params=query).raise_for_status().json()["items"]


def vote(item: dict[str, Any], answer: dict[str, Any], **changes: Any) -> dict[str, Any]:
    body = {"id": uuid4().hex, "annotator": "Ada", "item": item["id"], "question": item["question"], "answer": answer}
    return {**body, **changes}


def sent(client: TestClient, body: Any, address: str = "vote") -> Any:
    return client.post(f"/label/{address}", json=body)


def test_a_page_is_told_nothing_that_tells_which_picture_is_which(client: TestClient, fake: FakeStudio) -> None:
    made = campaign(fake)
    answer = client.get("/label/next", params={"annotator": "Ada", "campaign": made.id, "count": 3})
    assert answer.headers["cache-control"] == "no-store"
    given = answer.json()["items"]
    assert len(given) == 3
    for item in given:
        assert set(item) == {"id", "question", "ask", "mode", "prompt", "pictures", "flagged"}
        assert [set(picture) for picture in item["pictures"]] == [{"src"}] * 2
        assert [picture["src"] for picture in item["pictures"]] == [f"/label/picture/{item['id']}-{k}" for k in (0, 1)]
        assert len(item["id"]) >= 20
    pictures = {generation.sha256: generation for generation in fake.history.newest(6)}
    seen: set[bytes] = set()
    for source in (picture["src"] for item in given for picture in item["pictures"]):
        reply = client.get(source)
        assert reply.headers["content-type"] == "image/png" and "content-disposition" not in reply.headers
        with Image.open(io.BytesIO(reply.content)) as opened:
            assert opened.info == {}  # no recipe, no date, no program
            seen.add(opened.convert("RGB").tobytes())
        assert b"palimpsest" not in reply.content and b"tEXt" not in reply.content
    stored = {Image.open(generation.image_path).convert("RGB").tobytes() for generation in pictures.values()}
    assert seen == stored


def test_an_answer_by_sides_becomes_one_of_the_item_whichever_side_each_stood_on(
    client: TestClient, fake: FakeStudio
) -> None:
    made = campaign(fake, items=8)
    orders: set[tuple[int, ...]] = set()
    for item in items(client, made.id, 8):
        order = fake.labels.assignment(item["id"]).order
        reply = sent(
            client, vote(item, {"outcome": "left"}, comment="Brighter", flagged=True, confidence=0.5, latency_ms=640.5)
        )
        assert reply.status_code == 200
        label = [*fake.labels.labels([made.id])][-1]
        assert label.answer.ranks == ((1, 2) if order == (0, 1) else (2, 1)) and label.order == order
        assert (label.comment, label.flagged, label.confidence, label.latency_ms) == ("Brighter", True, 0.5, 640.5)
        orders.add(order)
    assert len(orders) == 2 or len(items(client, made.id)) == 0  # eight coins alike: once in 128


ANSWERS: list[tuple[Mode, dict[str, Any], Any]] = [
    ("pair", {"outcome": "both_good"}, BOTH_GOOD),
    ("pair", {"outcome": "skip"}, SKIP),
    ("thumb", {"outcome": "bad"}, False),
    ("best", {"best": 2}, 1),
    ("best_worst", {"best": 0, "worst": 3}, (1, 3)),
]


def test_every_mode_is_answered_by_places_on_the_screen(client: TestClient, fake: FakeStudio) -> None:
    for number, (mode, answer, wanted) in enumerate(ANSWERS):
        made = campaign(fake, mode, 1, name=f"{number}")
        (item,) = items(client, made.id)
        assert sent(client, vote(item, answer)).status_code == 200, (mode, answer)
        (label,) = fake.labels.labels([made.id])
        order = label.order
        if mode == "pair":
            assert label.answer.outcome == wanted
        elif mode == "thumb":
            assert label.answer.good is wanted
        elif mode == "best":
            assert label.answer.ranks[order[2]] == wanted
        else:
            assert (label.answer.ranks[order[0]], label.answer.ranks[order[3]]) == wanted


def test_the_same_vote_again_is_the_same_label_and_another_under_its_id_is_refused(
    client: TestClient, fake: FakeStudio
) -> None:
    made = campaign(fake)
    first, second, *_ = items(client, made.id)
    body = vote(first, {"outcome": "left"}, campaign=str(made.id))
    replies = [sent(client, body) for _ in range(3)]
    assert [reply.status_code for reply in replies] == [200] * 3 and replies[0].json() == replies[2].json()
    assert replies[0].json()["progress"]["mine"] == 1 and len([*fake.labels.labels([made.id])]) == 1
    refused = sent(client, {**body, "item": second["id"]})
    assert refused.status_code == 422 and "under the id" in refused.json()["error"]
    again = sent(client, vote(first, {"outcome": "right"}))  # a second window of the same person
    assert again.status_code == 409 and "answered this already" in again.json()["error"]
    assert len([*fake.labels.labels([made.id])]) == 1


def test_undo_takes_back_what_was_meant_and_asks_again_as_it_stood(client: TestClient, fake: FakeStudio) -> None:
    made = campaign(fake, "thumb", items=21)
    votes: list[dict[str, Any]] = []
    for _ in range(21):
        (item,) = items(client, made.id, 1)
        votes.append(vote(item, {"outcome": "good"}))
        assert sent(client, votes[-1]).status_code == 200
    undo = {"id": uuid4().hex, "annotator": "Ada", "campaign": str(made.id), "undoes": votes[-1]["id"]}
    reply = sent(client, undo, "undo").json()
    assert reply["items"][0]["id"] == votes[-1]["item"] and reply["progress"]["mine"] == 20
    assert sent(client, undo, "undo").json()["progress"]["mine"] == 20  # sent twice, done once
    never = sent(client, {**undo, "id": uuid4().hex, "undoes": uuid4().hex}, "undo")
    assert never.status_code == 404  # a vote that never arrived takes no other with it
    for earlier in reversed(votes[1:-1]):
        fresh = {**undo, "id": uuid4().hex, "undoes": None}
        assert sent(client, fresh, "undo").json()["items"][0]["id"] == earlier["item"]
    assert (
        len([*fake.labels.labels([made.id])]) == 1 and len([*fake.labels.labels([made.id], only_standing=False)]) == 41
    )
    assert sent(client, vote({"id": votes[-1]["item"], "question": "overall"}, {"outcome": "bad"})).status_code == 200


def test_two_people_get_different_items_and_one_who_comes_back_gets_what_they_had(
    client: TestClient, fake: FakeStudio
) -> None:
    made = campaign(fake, items=4)
    client.post("/label/annotator", json={"alias": "Ben"})
    mine, others = items(client, made.id, 2), items(client, made.id, 4, "Ben")
    assert {fake.labels._store.lease_of(item["id"]).item for item in (*mine, *others)} == {1, 2, 3, 4}
    assert [item["id"] for item in items(client, made.id, 2)] == [item["id"] for item in mine]  # after a reload
    assert items(client, made.id, 2, have=",".join(item["id"] for item in mine)) == []
    overview = client.get("/label/progress", params={"annotator": "Ben"}).json()
    assert [person["alias"] for person in overview["annotators"]] == ["Ada", "Ben"] and overview["annotator"][
        "id"
    ] == "Ben"
    assert client.get("/label/progress", params={"annotator": "<b>"}).json()["annotator"] is None


def test_questions_of_one_item_are_asked_one_by_one_and_kept_apart(client: TestClient, fake: FakeStudio) -> None:
    made = campaign(fake, items=1, questions=("prompt", "look"))
    first, second = items(client, made.id)
    assert first["id"] == second["id"] and (first["question"], second["question"]) == ("prompt", "look")
    assert first["ask"] != second["ask"]
    assert sent(client, vote(first, {"outcome": "left"})).json()["id"]
    assert [item["question"] for item in items(client, made.id)] == ["look"]
    assert sent(client, vote(second, {"outcome": "right"})).status_code == 200
    prompt, look = fake.labels.labels([made.id])
    assert prompt.answer.ranks == look.answer.ranks[::-1]


def test_why_there_is_nothing_more_is_told(client: TestClient, fake: FakeStudio) -> None:
    empty = campaign(fake, items=0, name="Empty")
    query = {"annotator": "Ada", "campaign": str(empty.id), "count": "1"}
    answer = client.get("/label/next", params=query).json()
    assert (answer["items"], answer["state"]) == ([], "waiting") and "no pictures yet" in answer["message"]
    made = campaign(fake, items=1, target_per_item=2)
    (item,) = items(client, made.id)
    assert not item["flagged"]
    sent(client, vote(item, {"outcome": "left"}, flagged=True))
    answer = client.get("/label/next", params={**query, "campaign": str(made.id)}).json()
    assert answer["state"] == "waiting" and "all there is for you" in answer["message"]
    client.post("/label/annotator", json={"alias": "Ben"})
    (theirs,) = items(client, made.id, who="Ben")
    assert theirs["flagged"]
    sent(client, vote(theirs, {"outcome": "left"}, annotator="Ben"))
    assert client.get("/label/next", params={**query, "campaign": str(made.id)}).json()["state"] == "done"


def test_what_a_taste_model_says_of_itself_is_told_once_it_claims_something(
    client: TestClient, fake: FakeStudio, monkeypatch: pytest.MonkeyPatch
) -> None:
    query = {"annotator": "Ada", "campaign": str(campaign(fake).id), "count": "1"}
    lines = [
        ("", TasteLine("It says nothing before 20 answers.", "waiting")),
        ("It is right 70% of the time.", TasteLine("It is right 70% of the time.", "ready")),
    ]
    for told, line in lines:
        monkeypatch.setattr(fake.tastes, "line", lambda *of_whom, line=line: line)
        assert client.get("/label/next", params=query).json()["progress"]["taste"] == told


def test_what_cannot_be_taken_is_refused_in_a_sentence_and_nothing_is_written(
    client: TestClient, fake: FakeStudio
) -> None:
    made = campaign(fake)
    item, *_ = items(client, made.id)
    good = vote(item, {"outcome": "left"})
    bad: list[Any] = [
        *(None, 7, "left", [good], {}),
        *({**good, field: wrong} for field in ("id", "item", "question") for wrong in (None, 7, "", "x" * 500, {}, [])),
        *(
            {**good, "answer": wrong}
            for wrong in (None, "left", {}, {"outcome": "middle"}, {"best": 0}, {"outcome": ["left"]})
        ),
        *({**good, "latency_ms": wrong} for wrong in (-1, "1", True, 1e300, 10**400)),
        {**good, "shown_at": -5},
        *({**good, "comment": wrong} for wrong in (7, "x" * 2001, "\0", "\ud800")),
        {**good, "flagged": 1},
        *({**good, "confidence": wrong} for wrong in (True, 0.7, "1")),
        {**good, "model": "stencil"},
    ]
    for body in bad:
        reply = client.post("/label/vote", content=json.dumps(body), headers={"Content-Type": "application/json"})
        assert 400 <= reply.status_code < 500 and reply.json()["error"].endswith("."), (body, reply.text)
    unreadable = [b"", b"{", b"[" * 50_000, b'{"latency_ms": NaN}', b"\xff", b"x" * 70_000]
    for content in unreadable:
        reply = client.post("/label/vote", content=content, headers={"Content-Type": "application/json"})
        assert reply.status_code == 422 and reply.json()["error"], content[:20]
    assert (
        client.post("/label/vote", content=json.dumps(good), headers={"Content-Type": "text/plain"}).status_code == 422
    )
    assert client.get("/label/vote").status_code == 405
    queries = (
        {},
        {"annotator": "Nobody"},
        {"count": "0"},
        {"count": "9" * 30},
        {"campaign": "99"},
        {"campaign": "²"},
        {"have": "?"},
    )
    for query in queries:
        full = {"annotator": "Ada", "campaign": str(made.id), "count": "1", **query}
        reply = client.get("/label/next", params=full if query else {})
        assert reply.status_code in (404, 422) and reply.json()["error"], query
    for name in (
        f"{item['id']}-2",
        f"{item['id']}-²",
        item["id"],
        "x",
        "1.png",
        "..%2f..%2fstudio.db",
        f"{'a' * 24}-0",
    ):
        assert client.get(f"/label/picture/{name}").status_code in (404, 422), name
    for keys in (7, {"left": 7}, {"left": "x" * 50}, {"Left!": "a"}, {f"a{k}": "b" for k in range(99)}):
        assert sent(client, {"id": uuid4().hex, "annotator": "Ada", "keys": keys}, "keys").status_code == 422, keys
    for alias in (None, "", "  ", "x" * 99, 7, "Ada"):
        assert sent(client, {"alias": alias}, "annotator").status_code == 422, alias
    assert [*fake.labels.labels()] == [] and sent(client, good).status_code == 200


def test_other_pages_cannot_vote_or_look(client: TestClient, fake: FakeStudio) -> None:
    item, *_ = items(client, campaign(fake).id)
    body, elsewhere = vote(item, {"outcome": "left"}), {"Origin": "http://127.0.0.1:3000"}
    assert client.post("/label/vote", json=body, headers=elsewhere).status_code == 403
    assert client.post("/label/vote", json=body, headers={"Host": "evil.example"}).status_code == 400
    hidden = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image"}
    assert client.get(item["pictures"][0]["src"], headers=hidden).status_code == 403
    assert [*fake.labels.labels()] == []


def test_a_full_disk_is_told_and_the_vote_not_acknowledged(
    client: TestClient, fake: FakeStudio, monkeypatch: pytest.MonkeyPatch
) -> None:
    item, *_ = items(client, campaign(fake).id)
    body = vote(item, {"outcome": "left"})

    def full(*arguments: Any) -> None:
        raise WorkspaceError("The disk with the workspace is full.", "Make room.")

    with monkeypatch.context() as patched:
        patched.setattr(fake.labels, "vote", full)
        reply = sent(client, body)
        assert (reply.status_code, reply.json()) == (503, {"error": "The disk with the workspace is full. Make room."})
    assert [*fake.labels.labels()] == [] and sent(client, body).status_code == 200
    monkeypatch.setattr(fake.labels, "undo", lambda *arguments: 1 / 0)
    bug = sent(client, {"id": uuid4().hex, "annotator": "Ada", "campaign": "1", "undoes": None}, "undo")
    assert bug.status_code == 500 and "the log has it under" in bug.json()["error"] and "Zero" not in bug.text


def test_a_link_opens_one_persons_pad_and_nothing_else_until_it_is_ended(client: TestClient, fake: FakeStudio) -> None:
    made = campaign(fake)
    client.post("/label/annotator", json={"alias": "Ben"})
    assert client.get("/pad/anything").status_code == 404 and client.get("/pad/anything/progress").status_code == 404
    link = sent(client, {"annotator": "Ben", "on": True}, "link").json()
    assert sent(client, {"annotator": "Ben", "on": True}, "link").json() == link and link["is_local"]
    page = client.get(link["link"])
    assert page.headers["cache-control"] == "no-store" and f"'{link['link']}', true" in page.text
    assert "gradio_api" not in page.text and "Ada" not in page.text
    overview = client.get(f"{link['link']}/progress").json()
    assert overview["annotators"] == [] and overview["annotator"]["id"] == "Ben"
    query = {"campaign": str(made.id), "count": "1", "annotator": "Ada"}
    (item,) = client.get(f"{link['link']}/next", params=query).json()["items"]
    assert client.get(item["pictures"][0]["src"]).status_code == 200 and item["pictures"][0]["src"].startswith("/pad/")
    body = vote(item, {"outcome": "left"}, campaign=str(made.id), annotator="Ada")
    assert client.post(f"{link['link']}/vote", json=body).json()["progress"]["mine"] == 1
    assert [label.annotator for label in fake.labels.labels()] == ["Ben"]  # whatever the page says

    assert sent(client, {"annotator": "Ben", "on": False}, "link").json()["link"] is None
    for address in ("", "/progress", "/next"):
        assert client.get(f"{link['link']}{address}", params=query).status_code == 404
    assert client.post(f"{link['link']}/undo", json={}).status_code == 404
    assert sent(client, {"annotator": "Ben", "on": True}, "link").json()["link"] != link["link"]
    for wrong in (
        {},
        {"annotator": "Nobody", "on": True},
        {"annotator": "Ben", "on": 1},
        [],
        {"annotator": 7, "on": True},
    ):
        assert sent(client, wrong, "link").status_code in (404, 422), wrong
    (fake.settings.workspace / "pad-links.json").write_text("[[", encoding="utf-8")
    assert client.get("/pad/anything").status_code == 404


def test_keys_of_a_person_are_kept_with_them(client: TestClient, fake: FakeStudio) -> None:
    keys = {"left": "q Space", "skip": "x"}
    assert sent(client, {"id": uuid4().hex, "annotator": "Ada", "keys": keys}, "keys").status_code == 200
    overview = client.get("/label/progress", params={"annotator": "Ada"}).json()
    assert overview["annotator"]["keys"] == keys and overview["annotators"][0]["keys"] == keys


def test_what_pictures_were_is_told_after_each_answer_and_its_labels_are_marked(
    client: TestClient, fake: FakeStudio
) -> None:
    made = campaign(fake, items=3, reveal="after", questions=("overall", "look"))
    first, look, *_ = items(client, made.id)
    assert first["id"] == look["id"]

    def told(**query: Any) -> Any:
        return client.get("/label/made", params=query)

    assert told(item=first["id"]).status_code == 422  # nothing before the answer, nor between two questions
    sent(client, vote(first, {"outcome": "left"})).raise_for_status()
    assert "told once they are judged" in told(item=first["id"]).json()["error"]
    sent(client, vote(look, {"outcome": "both_bad"})).raise_for_status()
    overall, looks = told(item=first["id"]).raise_for_status().json()["items"]
    assert [picture["verdict"] for picture in overall["pictures"]] == ["preferred", ""]
    assert [picture["verdict"] for picture in looks["pictures"]] == ["bad", "bad"]
    # No more than tells them apart: they differ by their seeds alone. And each is said of the picture it is of.
    facts = [picture["facts"] for picture in overall["pictures"]]
    assert [[name for name, _ in fact] for fact in facts] == [["Seed"], ["Seed"]]
    for picture, ((_, seed),) in zip(overall["pictures"], facts, strict=True):
        pixels = Image.open(io.BytesIO(client.get(picture["src"]).content)).convert("RGB").tobytes()
        (stored,) = [generation for generation in fake.history.newest(6) if str(generation.recipe.seed) == seed]
        assert Image.open(stored.image_path).convert("RGB").tobytes() == pixels
    assert told(annotator="Ada", campaign=made.id).status_code == 422  # it does not tell at the end
    labels = list(fake.labels.labels())
    assert [label.is_blind for label in labels] == [False, False] and not any(label.trainable for label in labels)
    with pytest.raises(BadInput, match="no label to learn from"):
        fake.labels.snapshot("without")
    assert len(fake.labels.snapshot("with", held_out_share=0, revealed=True).training) == 2
    assert fake.labels.snapshot("looks", revealed=True).campaigns == (made.name,)
    for wrong in ({"item": "x"}, {"item": "a" * 24}, {"campaign": str(made.id), "annotator": "Nobody"}, {}):
        assert told(**wrong).status_code in (404, 422), wrong


def test_what_pictures_were_is_told_at_the_end_and_marks_what_is_answered_afterwards(
    client: TestClient, fake: FakeStudio
) -> None:
    made = campaign(fake, items=2, reveal="end")
    asked = items(client, made.id)
    query = {"annotator": "Ada", "campaign": str(made.id)}
    sent(client, vote(asked[0], {"outcome": "left"})).raise_for_status()
    assert "when everything is answered" in client.get("/label/made", params=query).json()["error"]
    assert client.get("/label/made", params={"item": asked[0]["id"]}).status_code == 422
    sent(client, vote(asked[1], {"outcome": "right"})).raise_for_status()
    told = client.get("/label/made", params=query).raise_for_status().json()["items"]
    assert [[picture["verdict"] for picture in item["pictures"]] for item in told] == [
        ["preferred", ""],
        ["", "preferred"],
    ]
    assert all(label.is_blind for label in fake.labels.labels())
    sent(client, {"id": uuid4().hex, **query, "undoes": None}, "undo").raise_for_status()
    again = vote(asked[1], {"outcome": "left"})
    sent(client, again).raise_for_status()
    assert sent(client, again).status_code == 200  # once more: the same answer, whatever became known meanwhile
    assert [label.is_blind for label in fake.labels.labels()] == [True, False]
    with pytest.raises(BadInput, match="A blind test does not tell"):
        campaign(fake, name="test", items=0, reveal="after", purpose="eval")
