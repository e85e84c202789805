"""A function as a public endpoint: what its annotations declare is checked, and every error is one sentence.

Gradio shows an endpoint's types to clients and checks nothing of them: a raw request brings whatever JSON it likes.
"""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, get_args, get_origin, get_type_hints

import gradio as gr
from pydantic import create_model

from studio.core.params import Params, load
from studio.ui import values
from studio.ui.errors import sentence

Upload = Annotated[Path, gr.FileData]  # of a parameter: clients send a file, the function gets where it lies
Declared = Mapping[str, tuple[Any, Any]]  # parameter -> (annotation, default or `...`)


def expose(function: Callable[..., Any], name: str, unchecked: Declared | None = None) -> None:
    """Make a function a public endpoint of the Blocks being laid out; of its docstring, the first paragraph is shown.

    Parameters are checked as fields of `Params` are, so `Annotated[int, Field(ge=1)]` is enforced; an `Upload`
    arrives as the path of a file that was uploaded here, of which nothing is kept.
    unchecked: further ones, which the function checks itself.
    Whatever it raises reaches the client as text: a StudioError's own, else an id that the log has too.
    """
    checked, result = _declared(function)
    fields = {key: (Any if hint == Upload else hint, default) for key, (hint, default) in checked.items()}
    model = create_model(f"Call_{name}", __base__=Params, **fields)  # type: ignore[call-overload]
    free = dict(unchecked or {})
    declared = dict(sorted({**free, **checked}.items(), key=lambda item: item[1][1] is not ...))  # required ones first
    order = list(declared)

    def call(*positional: Any) -> Any:
        try:
            by_name = dict(zip(order, positional, strict=False))
            loaded = load(model, {key: by_name[key] for key in checked if key in by_name}, f"call of {name}")
            arguments = {key: getattr(loaded, key) for key in checked}
            files = {key: _uploaded(arguments[key], key) for key, (hint, _) in checked.items() if hint == Upload}
            try:
                return function(**{key: by_name[key] for key in free if key in by_name}, **arguments | files)
            finally:
                for file in files.values():
                    with contextlib.suppress(OSError):
                        file.unlink()
        except Exception as error:  # the client's last line, as `on_page` is the page's
            raise gr.Error(sentence(error), print_exception=False) from error

    _sign(call, declared, result)
    about = inspect.cleandoc(function.__doc__ or "").split("\n\n")[0].replace("\n", " ")
    gr.api(call, api_name=name, api_description=about, queue=False)


def _declared(function: Callable[..., Any]) -> tuple[dict[str, tuple[Any, Any]], Any]:
    """The parameters of a function or bound method other than **, and what it gives."""
    hints = get_type_hints(function, include_extras=True)
    declared: dict[str, tuple[Any, Any]] = {}
    for name, parameter in inspect.signature(function).parameters.items():
        if parameter.kind is not inspect.Parameter.VAR_KEYWORD:
            declared[name] = (hints[name], ... if parameter.default is inspect.Parameter.empty else parameter.default)
    return declared, hints["return"]


def _sign(call: Callable[..., Any], declared: Declared, result: Any) -> None:
    """Give `call` the signature that Gradio reads its types from."""
    plain = {name: _plain(hint) for name, (hint, _) in declared.items()}
    call.__annotations__ = {**plain, "return": result}
    parameters = [
        inspect.Parameter(
            name,
            inspect.Parameter.POSITIONAL_OR_KEYWORD,
            default=inspect.Parameter.empty if default is ... else default,
            annotation=plain[name],
        )
        for name, (_, default) in declared.items()
    ]
    call.__signature__ = inspect.Signature(parameters, return_annotation=result)  # type: ignore[attr-defined]


def _plain(hint: Any) -> Any:
    if hint == Upload:
        return gr.FileData
    return get_args(hint)[0] if get_origin(hint) is Annotated else hint


def _uploaded(value: Any, name: str) -> Path:
    """The file of an upload. Raises BadInput for any other file of this machine, and for what names none."""
    file = values.uploaded(value)
    if file is None:
        raise values.not_uploaded(value, name, field=name)
    return file
