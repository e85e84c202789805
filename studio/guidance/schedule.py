"""A schedule: one parameter of the method changes over the run.

With p = i/(N-1) the progress of step i of N (0 where N = 1), w the value set and w0 the one that does nothing:

    w_i = w0 + (w - w0)*m(p)

    constant    m = first
    linear      m = first + (last - first)*p
    cosine      m = first + (last - first)*(1 - cos(pi*p))/2
    beta        m = p^(A-1) * (1-p)^(B-1), scaled to a largest value of 1
    points      m joins the points given, straight, level before the first and after the last
"""

from __future__ import annotations

import math
from typing import ClassVar, Literal

from studio.core.errors import BadInput
from studio.core.params import ParamSpec, nameable, param, shown, specs
from studio.guidance.base import Guidance, Plan, Request, StepCtx
from studio.guidance.wrapper import WRAPPERS, Wrapper, method_of

MAX_POINTS = 64
MAX_FACTOR = 5.0
_PROBES = 11  # points of the run, evenly, at which the largest cost is looked for


@WRAPPERS.register("schedule")
class Schedule(Wrapper):
    """Let a parameter of the method rise, fall, or follow a drawn curve."""

    source: ClassVar[str] = "arXiv:2404.07724 (box); arXiv:2404.13040 (rising scales); this project (beta, points)"
    label: ClassVar[str] = "schedule"

    parameter: str = param("guidance_scale", names="float", help="what changes over the run")
    curve: Literal["constant", "linear", "cosine", "beta", "points"] = param("linear", help="how it changes")
    first: float = param(
        0.0,
        low=0,
        high=MAX_FACTOR,
        step=0.05,
        help="share of the value set, at the first step",
        when={"curve": ("constant", "linear", "cosine")},
    )
    last: float = param(
        1.0,
        low=0,
        high=MAX_FACTOR,
        step=0.05,
        help="share of the value set, at the last step",
        when={"curve": ("linear", "cosine")},
    )
    rise: float = param(2.0, low=1, high=10, step=0.1, help="how late it rises", when={"curve": ("beta",)})
    fall: float = param(2.0, low=1, high=10, step=0.1, help="how early it falls", when={"curve": ("beta",)})
    points: str = param(
        "0:0, 0.5:1, 1:0",
        help="progress:share pairs in order, progress from 0 to 1, share from 0 to 5",
        when={"curve": ("points",)},
    )

    def check(self, inner: Guidance) -> None:
        extremes = [share for _, share in self._knots()] if self.curve == "points" else [self.first]
        if self.curve in ("linear", "cosine"):
            extremes.append(self.last)
        if self.curve == "beta":
            extremes = [0.0, 1.0]
        spec = self._spec(inner)
        for share in extremes:
            value = self._value(inner, share)
            if not (spec.low is None or spec.low <= value) or not (spec.high is None or value <= spec.high):
                raise BadInput(
                    f"Under the schedule, {self.parameter} must stay a number from {spec.low:g} to {spec.high:g}, "
                    f"not reach {value:g} (share {share:g}).",
                    field=self.parameter,
                )

    def factor(self, p: float) -> float:
        """m(p), p from 0 to 1."""
        match self.curve:
            case "constant":
                return self.first
            case "linear":
                return self.first + (self.last - self.first) * p
            case "cosine":
                return self.first + (self.last - self.first) * (1 - math.cos(math.pi * p)) / 2
            case "beta":
                return self._beta(p)
            case "points":
                return _joined(self._knots(), p)

    def at(self, inner: Guidance, i: int, n: int) -> Guidance:
        """The method as it is at step i of n."""
        return self._at(inner, i / (n - 1) if n > 1 else 0.0)

    def plan(self, inner: Guidance, ctx: StepCtx) -> Plan:
        return (yield from self.at(inner, ctx.i, ctx.n).plan(ctx))

    def nfe(self, inner: Guidance) -> int:
        return max(self._at(inner, p).nfe() for p in self._probes())

    def rounds(self, inner: Guidance, ctx: StepCtx) -> list[list[Request]]:
        return self.at(inner, ctx.i, ctx.n).rounds(ctx)

    def describe(self) -> str:
        first, last = (f"{round(self.factor(progress), 4):g}" for progress in (0, 1))
        course = "at every step" if self.curve == "constant" else f"at the first step to {last} at the last"
        return f"{self.parameter.replace('_', ' ')} times {first} {course} ({self.curve})"

    def _at(self, inner: Guidance, p: float) -> Guidance:
        return inner.changed(self.parameter, self._value(inner, self.factor(p)))

    def _probes(self) -> list[float]:
        """Where along the run the cost is looked at: a drawn curve may rise and fall between two even points."""
        even = [k / (_PROBES - 1) for k in range(_PROBES)]
        if self.curve != "points":
            return even
        knots = [p for p, _ in self._knots()]
        return [*even, *knots, *((left + right) / 2 for left, right in zip(knots, knots[1:], strict=False))]

    def _beta(self, p: float) -> float:
        a, b = self.rise - 1, self.fall - 1
        top = a / (a + b) if a + b > 0 else 0.0
        return p**a * (1 - p) ** b / (top**a * (1 - top) ** b)

    def _value(self, inner: Guidance, share: float) -> float:
        rest = inner.rest(self.parameter)
        return rest + (getattr(method_of(inner), self.parameter) - rest) * share

    def _spec(self, inner: Guidance) -> ParamSpec:
        name_spec = next(spec for spec in specs(type(self)) if spec.name == "parameter")
        choices = {spec.name: spec for spec in nameable(name_spec, specs(type(method_of(inner))))}
        if not choices:
            raise BadInput("A schedule changes a number of the method, and this method has none.", field="parameter")
        if self.parameter not in choices:
            raise BadInput(
                f"In the guidance wrapper schedule, parameter must be one of {', '.join(choices)}, "
                f"not {shown(self.parameter)}.",
                field="parameter",
            )
        return choices[self.parameter]

    def _knots(self) -> list[tuple[float, float]]:
        try:
            pairs = [tuple(float(number) for number in pair.split(":")) for pair in self.points[:4000].split(",")]
            knots = [(p, share) for p, share in pairs]
        except ValueError:
            knots = []
        rising = all(left[0] < right[0] for left, right in zip(knots, knots[1:], strict=False))
        inside = all(0 <= p <= 1 and 0 <= share <= MAX_FACTOR for p, share in knots)
        if not knots or not rising or not inside or len(knots) > MAX_POINTS:
            raise BadInput(
                f"In the guidance wrapper schedule, points must be 1 to {MAX_POINTS} pairs progress:share in rising "
                f"order, progress from 0 to 1 and share from 0 to {MAX_FACTOR:g}, not {shown(self.points)}.",
                field="points",
            )
        return knots


def _joined(knots: list[tuple[float, float]], p: float) -> float:
    if p <= knots[0][0]:
        return knots[0][1]
    for (p0, m0), (p1, m1) in zip(knots, knots[1:], strict=False):
        if p <= p1:
            return m0 + (m1 - m0) * (p - p0) / (p1 - p0)
    return knots[-1][1]
