"""What every test runs under: no network, no telemetry, few threads; and the fixtures that tests of all parts share."""

from __future__ import annotations

import gc
import os
import shlex
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path
from typing import Any

# Before anything imports gradio, huggingface_hub or torch: they read these once. Child processes inherit them.
os.environ.update(
    GRADIO_ANALYTICS_ENABLED="False",
    HF_HUB_OFFLINE="1",
    HF_HUB_DISABLE_TELEMETRY="1",
    TOKENIZERS_PARALLELISM="false",
    MPLBACKEND="Agg",
)
os.environ.setdefault("OMP_NUM_THREADS", "2")

import pytest
from hypothesis import HealthCheck, settings

from launch import find_chromium

ROOT = Path(__file__).resolve().parents[1]
IN_CI = os.environ.get("CI", "").lower() in ("1", "true")
SLOW_TIMEOUT_S = 3600  # a thousand sequences of edits take minutes, and on a busy machine a quarter of an hour
# Nothing is timed by which a property is tried: on a busy machine a single draw may take a second.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")


# -- the network is out of bounds -----------------------------------------------------------------------------------

# Attempts are kept besides being refused, because a library that swallows the error has still tried.
refused: list[str] = []


class OutsideConnection(OSError):
    """A test tried to reach another machine. An OSError, so that code under test meets what it meets offline."""


def is_this_machine(host: Any) -> bool:
    """Whether an address of `connect` or `getaddrinfo` stays here. None and "" mean any local address."""
    if isinstance(host, bytes):
        host = host.decode()
    if host in (None, "", "localhost", socket.gethostname()):
        return True
    try:
        address = ip_address(str(host).split("%")[0])
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified


def guard(host: Any) -> None:
    if not is_this_machine(host):
        refused.append(str(host))
        raise OutsideConnection(f"Tests must not leave this machine; refused: {host}")


def guarded_connect(original: Any) -> Any:
    def connect(self: socket.socket, address: Any) -> Any:
        if self.family in (socket.AF_INET, socket.AF_INET6):
            guard(address[0])
        return original(self, address)

    return connect


def pytest_configure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):  # the process that reports, and not one of xdist's
        for command in config.getoption("--beside") or ():
            config.pluginmanager.register(Beside(command))
    patch = pytest.MonkeyPatch()
    config.add_cleanup(patch.undo)
    patch.setattr(socket.socket, "connect", guarded_connect(socket.socket.connect))
    patch.setattr(socket.socket, "connect_ex", guarded_connect(socket.socket.connect_ex))
    resolve = socket.getaddrinfo

    def getaddrinfo(host: Any, *args: Any, **kwargs: Any) -> Any:
        guard(host)
        return resolve(host, *args, **kwargs)

    patch.setattr(socket, "getaddrinfo", getaddrinfo)


@pytest.fixture(autouse=True)
def no_network() -> Iterator[None]:
    """Fail the test during which anything in this process tried to reach another machine."""
    refused.clear()
    yield
    assert not refused, f"tried to reach {', '.join(refused)}"


# -- which tests run, and where -------------------------------------------------------------------------------------

PAGE = "tests/e2e/"
TRAINING_WALKS = (
    "align",
    "answers",
    "compare",
    "demo",
    "erase",
    "label",
    "recovery",
    "stack",
)  # half of the walks' time


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--slow", action="store_true", help="run the tests marked slow as well")
    parser.addoption(
        "--beside",
        action="append",
        default=[],
        metavar="COMMAND",
        help="another check to run while the tests do; where it fails, so does the run",
    )


class Beside:
    """A check in a process of its own while the tests run. What it says comes before pytest's closing line."""

    def __init__(self, command: str) -> None:
        self.command, self.output = command, tempfile.TemporaryFile()
        self.process = subprocess.Popen(shlex.split(command), cwd=ROOT, stdout=self.output, stderr=subprocess.STDOUT)

    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        if exitstatus in (pytest.ExitCode.INTERRUPTED, pytest.ExitCode.INTERNAL_ERROR, pytest.ExitCode.USAGE_ERROR):
            self.process.terminate()
        if self.process.wait() and exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED):
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        with self.output:
            self.output.seek(0)
            text = self.output.read().decode(errors="replace").strip()
        verdict = "failed" if self.process.returncode else "ok"
        terminalreporter.section(f"beside the tests: {verdict}")
        terminalreporter.write_line(f"{self.command}\n{text}" if self.process.returncode else text)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """A file is one worker's, and the walks in Chromium are two's: a browser and a studio serve each half of them."""
    from xdist.scheduler import LoadFileScheduling

    class InHalves(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            if not nodeid.startswith(PAGE):
                return super()._split_scope(nodeid)
            return f"{PAGE}{nodeid.removeprefix(f'{PAGE}test_').startswith(TRAINING_WALKS)}"

    config.option.loadscopereorder = False  # in the order below
    return InHalves(config, log)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if hasattr(config, "workerinput"):  # the longest first, so that no worker waits for it at the end
        items.sort(key=lambda item: not item.nodeid.startswith(PAGE))
    for item in items:
        if "slow" not in item.keywords:
            continue
        if not config.getoption("--slow"):
            item.add_marker(pytest.mark.skip(reason="slow: run with --slow"))
        elif item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(SLOW_TIMEOUT_S))
    if any("gpu" in item.keywords for item in items):
        import torch  # here, not above: a run without such tests need not wait for it

        if not torch.cuda.is_available():
            for item in items:
                if "gpu" in item.keywords:
                    item.add_marker(pytest.mark.skip(reason="no CUDA device"))


def pytest_collection_finish(session: pytest.Session) -> None:
    gc.freeze()  # the libraries' million objects stay to the end: they need not be looked through again and again


# -- fixtures -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def stencil_dir() -> Path:
    """The embedded model as shipped: assets/models/stencil."""
    folder = ROOT / "assets" / "models" / "stencil"
    if not (folder / "model_index.json").exists():
        pytest.fail(f"{folder.relative_to(ROOT)} has no model_index.json: the embedded model is missing from this copy")
    return folder


@pytest.fixture(scope="session")
def chromium() -> str:
    """Path of a Chromium for the page's tests. Without one they are skipped, and in CI they fail."""
    found = find_chromium()
    if found is None:
        sentence = "no Chromium on the PATH: install the package chromium (launch.py test does, as root with apt-get)"
        (pytest.fail if IN_CI else pytest.skip)(sentence)
    return found
