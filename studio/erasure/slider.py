"""Concept sliders: an edit that gives more of an attribute at positive strengths, and less of it at negative ones.

    more   || eps(+s; x, c) - sg[ eps0(x, n) + gamma (eps0(x, c+) - eps0(x, c-)) ] ||²
    less   || eps(-s; x, c) - sg[ eps0(x, n) - gamma (eps0(x, c+) - eps0(x, c-)) ] ||²

with eps(s; ...) the student whose factors act at strength s, eps0 the base, c the target's prompt, n the neutral one,
c+ and c- those with more and less of the attribute. Both together turn into each other when c+ and c- are swapped and
the factors take their other sign: such a slider has no side that it was not taught, where one that is taught `more`
alone drifts on the other. Attributes to be kept (the disentangled slider) are a matter of rows: each prompt once with
every one of them in front.

The erasure of LECO is `more` alone with c+ = n = "" and c- = c, the concept: the first form of ESD (esd.py) with gamma
for eta.

Sources: Concept Sliders, arXiv:2311.12092, equations 6 and 7, and for teaching both sides the sliders of ai-toolkit;
LECO has a repository and no paper (p1atdev/LECO).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from torch import Tensor

from studio.core.params import Params, param
from studio.diffusion.predictions import Need, Prediction
from studio.erasure.columns import LESS, MORE, NEUTRAL, TARGET


class Slider(Params):
    """More of an attribute at +, less at -.

    both_ways: teach the negative strengths as well.
    """

    gamma: float = param(4.0, low=0, high=30, help="how many times the difference of the attribute is added")
    reach: float = param(1.0, low=0.05, high=10, help="the strength at which all of it is there")
    both_ways: bool = True

    @property
    def needs(self) -> Sequence[Need]:
        """The student under the target at one strength or two; the base under neutral, more and less."""
        less = (Need("at less", "student", TARGET, strength=-self.reach),) if self.both_ways else ()
        return (
            Need("at more", "student", TARGET, strength=self.reach),
            *less,
            Need("neutral", "frozen", NEUTRAL),
            Need("more", "frozen", MORE),
            Need("less", "frozen", LESS),
        )

    def terms(self, predictions: Mapping[str, Prediction]) -> Mapping[str, Tensor]:
        """more, less: mean squares over rows and elements, of the student at each of its strengths."""
        neutral = predictions["neutral"].eps.detach()
        step = self.gamma * (predictions["more"].eps.detach() - predictions["less"].eps.detach())
        terms = {"more": (predictions["at more"].eps - neutral - step).square().mean()}
        if self.both_ways:
            terms["less"] = (predictions["at less"].eps - neutral + step).square().mean()
        return terms
