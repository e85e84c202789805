"""The tree of errors: exit codes, what str gives, and the way from the worker to the page."""

import pickle

import pytest

from studio.core import errors

TWO = [errors.BadInput, errors.NotFound, errors.AssetError, errors.WorkspaceError, errors.EnvironmentProblem]
ONE = [errors.StudioError, errors.EngineError, errors.Cancelled, errors.OutOfMemory, errors.NonFinite]


@pytest.mark.parametrize("kind", TWO)
def test_what_a_user_must_change_exits_with_2(kind: type[errors.StudioError]) -> None:
    assert kind.exit_code == 2


@pytest.mark.parametrize("kind", [*ONE, errors.WorkerDied])
def test_what_failed_on_the_way_exits_with_1(kind: type[errors.StudioError]) -> None:
    assert kind.exit_code == 1


def test_the_docstring_draws_every_error() -> None:
    classes = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, Exception)]
    assert len(classes) == 11
    for kind in classes:
        assert kind.__name__ in (errors.__doc__ or "")


def test_str_is_message_and_hint() -> None:
    assert str(errors.OutOfMemory("No room.")) == "No room."
    assert str(errors.OutOfMemory("No room.", "Try 64 px.")) == "No room. Try 64 px."


def test_survives_pickling() -> None:
    error = errors.NotFound("There is none.", "Try another.", field="model")
    copy = pickle.loads(pickle.dumps(error))
    assert (type(copy), str(copy), copy.hint, copy.field) == (errors.NotFound, str(error), "Try another.", "model")
