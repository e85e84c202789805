"""A choice among methods, and the controls of each method, of which only those of the chosen one are shown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import gradio as gr

from studio.core.errors import NotFound
from studio.core.params import ParamSpec, When, mattering, shown
from studio.ui import controls
from studio.ui.methods import Method

if TYPE_CHECKING:
    from studio.ui.components.form import Form


class Choice:
    """One menu and its controls, laid out in parts. what: of one entry, in messages. key: what names its values.

    The value of a parameter is named `<key>.<method>.<parameter>` in a form, and that of the menu `<key>`.
    """

    def __init__(self, form: Form, key: str, what: str, methods: Mapping[str, Method], default: str) -> None:
        self.form, self.key, self.what, self.methods, self.default = form, key, what, methods, default
        self._groups: list[tuple[str, gr.Group]] = []
        self._dependent: list[tuple[str, ParamSpec, Any]] = []  # those that do not matter always
        self.parameters: list[Any] = []  # every control made so far, the menu not among them

    def menu(self, label: str, info: str) -> gr.Dropdown:
        """Lay out the menu. Its controls, in whatever groups, follow it once `wire` is called."""
        choices = [(method.label, name) for name, method in self.methods.items()]
        made = gr.Dropdown(choices, value=self.default, label=label, info=info, elem_id=self.key.replace("_", "-"))
        self.form.add(self.key, made)
        return made

    def group(self, first: int, last: int | None = None) -> None:
        """Lay out the controls of each method from its `first` parameter up to, not including, its `last`."""
        for name, method in self.methods.items():
            if specs := method.params[first:last]:
                with gr.Group(visible=name == self.default, elem_classes="method-controls") as group:
                    matter = mattering(method.params, {})
                    for spec in specs:
                        made = controls.control(spec, visible=spec.name in matter)
                        self.parameters.append(self.form.add(f"{self.key}.{name}.{spec.name}", made))
                        if spec.when:
                            self._dependent.append((name, spec, made))
                self._groups.append((name, group))

    def wire(self) -> None:
        """Let the groups follow the menu, and what depends on a choice that choice."""
        groups = [group for _, group in self._groups]
        if groups:
            self.form.controls[self.key].change(  # type: ignore[attr-defined]
                self.show, self.form.controls[self.key], groups,
                queue=False, show_progress="hidden", api_visibility="private",
            )  # fmt: skip

        for name, spec, made in self._dependent:
            deciding = [self.form.controls[f"{self.key}.{name}.{other}"] for other, _ in spec.when]

            def on_choice(*given: Any, when: When = spec.when) -> Any:
                held = zip(given, when, strict=True)
                return gr.update(visible=all(value in wanted for value, (_, wanted) in held))

            gr.on([one.change for one in deciding], on_choice, deciding, made,  # type: ignore[attr-defined]
                  queue=False, show_progress="hidden", api_visibility="private")  # fmt: skip

    def show(self, chosen: str) -> list[Any] | Any:
        """What shows the groups of the chosen method, and hides the others."""
        updates = [gr.update(visible=name == chosen) for name, _ in self._groups]
        return updates[0] if len(updates) == 1 else updates


def chosen(values: Mapping[str, Any], key: str, what: str, methods: Mapping[str, Method]) -> tuple[str, dict[str, Any]]:
    """The method that a form's values name, and all its parameters. Raises NotFound."""
    name = str(values[key])
    if name not in methods:
        raise NotFound(f"There is no {what} named {shown(name)}; there are {', '.join(methods)}.", field=key)
    prefix = f"{key}.{name}."
    given = {field.removeprefix(prefix): value for field, value in values.items() if field.startswith(prefix)}
    return name, controls.values(methods[name].params, given)


def values_of_choice(key: str, name: str, params: Mapping[str, Any], methods: Mapping[str, Method]) -> dict[str, Any]:
    """The reverse of `chosen`; parameters left out take their defaults, for that is what a recipe means by it."""
    values: dict[str, Any] = {key: name}
    for spec in methods[name].params if name in methods else ():
        values[f"{key}.{name}.{spec.name}"] = params.get(spec.name, spec.default)
    return values
