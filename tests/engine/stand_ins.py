"""Kinds of jobs that stand in for training: steps that take a while, and ways to go wrong."""

from __future__ import annotations

import ctypes
import os
import time
from collections.abc import Mapping
from typing import Any

from studio.core.errors import Cancelled
from studio.engine.kinds import JobContext, Steps

KINDS = {
    name: f"tests.engine.stand_ins:{name}"
    for name in ("train", "break_down", "say_nothing", "die", "hang", "end_late", "lose_device")
}


def train(job: Mapping[str, Any], context: JobContext) -> Steps:
    """Take job["steps"] steps of job["step_s"] seconds. Stopped, it hands over how far it came."""
    context.tell("started", {"steps": job["steps"]})
    for step in range(1, job["steps"] + 1):
        time.sleep(job.get("step_s", 0.01))
        context.tell("progress", {"step": step, "steps": job["steps"], "left_s": 0.0})
        try:
            yield
        except Cancelled:
            context.tell("image", {"step": step})
            raise
    context.tell("done", {"steps": job["steps"]})


def end_late(job: Mapping[str, Any], context: JobContext) -> Steps:
    """Its last step gives way to nobody any more."""
    yield
    context.tell("started", {})
    time.sleep(job["step_s"])
    context.tell("done", {})


def break_down(job: Mapping[str, Any], context: JobContext) -> Steps:
    """A bug."""
    context.tell("started", {})
    yield
    raise KeyError("a detail for the log")


def say_nothing(job: Mapping[str, Any], context: JobContext) -> Steps:
    """Ends without a last event."""
    yield


def die(job: Mapping[str, Any], context: JobContext) -> Steps:
    """End the process as a crash of native code does."""
    context.tell("started", {})
    yield
    os.abort()


def lose_device(job: Mapping[str, Any], context: JobContext) -> Steps:
    """As torch says it, of which every later use of the device says the same."""
    context.tell("started", {})
    yield
    raise RuntimeError("CUDA error: device-side assert triggered\nCUDA kernel errors might be reported later")


def hang(job: Mapping[str, Any], context: JobContext) -> Steps:
    """Stand still in native code that keeps the interpreter's lock, so that no other thread of the process runs."""
    context.tell("started", {})
    yield
    ctypes.PyDLL(None).sleep(3600)
    yield
