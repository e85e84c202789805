"""Walks on a machine of any speed: what has to fall within one of the page's pauses, and when it is all dealt with."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Locator, Page

from tests.e2e.holding import is_change

# In every page before its own scripts: how many of its requests to Python have no answer yet.
COUNT = """
window.unanswered = 0;
const ask = window.fetch;
window.fetch = async (...call) => {
  const counts = /\\/run\\/[^/]*$/.test(new URL(call[0].url || call[0], location.href).pathname);
  if (counts) window.unanswered += 1;
  try { return await ask.apply(window, call); } finally { if (counts) window.unanswered -= 1; }
};
"""
# What an answer brings is painted a frame after it, and may be an event for which the page asks again.
SETTLED = """async () => {
  const frame = () => new Promise((next) => requestAnimationFrame(() => setTimeout(next)));
  for (let quiet = 0; quiet < 4;) { await frame(); quiet = window.unanswered ? 0 : quiet + 1; }
}"""
PRESS = """(target, keys) => {
  target.focus();
  for (const key of keys) {
    const [name, ...held] = key.split('+').reverse();
    const pressed = {key: name, shiftKey: held.includes('Shift'), bubbles: true, cancelable: true};
    document.activeElement.dispatchEvent(new KeyboardEvent('keydown', pressed));
  }
}"""
# As a finger does, which only has to come near.
TAP = """([x, y, times]) => {
  Element.prototype.setPointerCapture = () => {};
  for (let k = 0; k < times; k += 1) for (const name of ['pointerdown', 'pointerup'])
    document.elementFromPoint(x, y).dispatchEvent(new PointerEvent(name,
      {bubbles: true, pointerId: 1, pointerType: 'touch', button: 0, clientX: x, clientY: y, isPrimary: true}));
}"""


def press(target: Locator, *keys: str) -> None:
    """Press keys as "ArrowUp" or "Shift+ArrowUp" without a pause, which one round trip of Playwright's each may be."""
    target.evaluate(PRESS, list(keys))


def double_tap(page: Page, x: float, y: float) -> None:
    """Touch a place of the page twice without a pause; see `press`."""
    page.evaluate(TAP, [x, y, 2])


def settled(page: Page) -> None:
    """Wait until the page has told all that was done to it, and painted and stored what it was answered."""
    page.evaluate(SETTLED)


@contextmanager
def answered(page: Page, text: str) -> Iterator[None]:
    """Wait until a change of the page with this text in it was answered, and the page has settled."""
    with page.expect_response(lambda response: is_change(response.request, text)):
        yield
    settled(page)
