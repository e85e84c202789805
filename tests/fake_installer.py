"""The launcher with a Python, a `venv` and a pip that only write small files, so that it can be killed at every step.

`python -m tests.fake_installer FOLDER SCENARIO` kills a set-up (SIGKILL, no handler runs) before each single change it
would make to the disk, starts again after each, and exits 0 if every second start came to a whole environment.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import launch

VERSION = "{}.{}".format(*sys.version_info[:2])
CHANGES = {"os.rename", "os.mkdir", "os.chmod", "shutil.rmtree"}
INDEX = "http://reader:s3cret-word@127.0.0.1/torch"


class FakeMachine:
    """A folder with a bare copy in `tree` and the user's own Python in `base`, into which nothing may be installed."""

    def __init__(self, folder: Path) -> None:
        self.tree, self.base = folder / "tree", folder / "base"
        self.fail_from = ""  # a package that pip cannot get
        self.commands: list[list[str]] = []
        if not self.tree.exists():
            for root in (self.tree, self.base):
                (root / "bin").mkdir(parents=True)
            self.site(self.base).mkdir(parents=True)
            (self.tree / "requirements.lock").write_text("numpy==1.0\ntorch==2.0\n")
            (self.tree / "requirements-dev.lock").write_text("pytest==8.0\n")

    def patch(self, setattr: Callable[[Any, str, Any], None] = setattr) -> None:
        """Point the launcher of this process here."""
        venv = self.tree / ".venv"
        locks = {"run": self.tree / "requirements.lock", "dev": self.tree / "requirements-dev.lock"}
        paths = {"ROOT": self.tree, "VENV": venv, "STAMP": venv / "palimpsest.json", "LOG": venv / "setup.log"}
        for name, value in {**paths, "LOCKS": locks, "NEEDED_FREE_BYTES": 0}.items():
            setattr(launch, name, value)
        calls = {"run": self.run, "Popen": self.popen, "PIPE": -1, "STDOUT": -2}
        setattr(launch, "subprocess", SimpleNamespace(**calls))

    def site(self, prefix: Path) -> Path:
        return prefix / "lib" / f"python{VERSION}" / "site-packages"

    def prefix(self, python: str) -> Path:
        """Where that interpreter installs, by Python's own rule: it is an environment's if pyvenv.cfg says so."""
        if not os.access(python, os.X_OK):
            raise FileNotFoundError(2, "No such file or directory", python)
        home = Path(python).parents[1]
        return home if (home / "pyvenv.cfg").is_file() else self.base

    def run(self, command: list[str], **_: object) -> SimpleNamespace:
        self.commands.append(command)
        words = [word for word in command if word != "-I"]
        code, out = 0, ""
        if words[1:3] == ["-m", "venv"]:
            self.make(Path(words[3]))
        elif words[2] == launch.WHERE_IT_INSTALLS:
            out = f"{self.prefix(words[0])}\n{self.base}\n{VERSION}\n"
        elif words[1:3] == ["-m", "pip"]:
            code = 0 if (self.site(self.prefix(words[0])) / "pip" / "first.py").exists() else 1
        return SimpleNamespace(returncode=code, stdout=out, stderr="")

    def make(self, venv: Path) -> None:
        self.site(venv).mkdir(parents=True, exist_ok=True)
        (venv / "bin").mkdir()
        python = venv / "bin" / "python"
        python.write_text("")
        python.chmod(0o755)
        (venv / "pyvenv.cfg").write_text("")
        (self.site(venv) / "pip").mkdir()
        (self.site(venv) / "pip" / "first.py").write_text("")  # tells its version, and cannot install
        (self.site(venv) / "pip" / "last.py").write_text("")

    def popen(self, command: list[str], env: dict[str, str], **_: object) -> Any:
        self.commands.append(command)
        return _Pip(self, command, env)

    def complete(self) -> None:
        """Assert what must hold after every set-up, however often it was killed before."""
        site = self.site(self.tree / ".venv")
        assert launch.is_ready(launch.read_stamp(), launch.wanted_stamp(dev=False))
        assert launch.is_environment() and launch.has_pip()
        assert launch.installed(site) == {"numpy", "torch", "studio"}
        assert all((site / name / "last.py").exists() for name in ("numpy", "torch", "studio"))
        source = (site / "torch" / "index").read_text()
        assert launch.public(source) == (launch.read_stamp()["torch_index"] or ""), "the stamp is not of this torch"
        assert not list(self.tree.glob(".venv.old*")) and not list(self.tree.glob(".venv.gone*"))
        assert "s3cret" not in launch.STAMP.read_text() + launch.LOG.read_text()
        assert not list(self.site(self.base).iterdir()), "installed into the user's own Python"


class _Pip:
    """`pip install`, writing a package's files one after the other, INSTALLER and RECORD last."""

    def __init__(self, machine: FakeMachine, command: list[str], env: dict[str, str]) -> None:
        self.machine, self.env, self.returncode = machine, env, 0
        words = command[command.index("install") + 1 :]
        names = [name for path in words if path.endswith(".lock") for name, _ in launch.pins(Path(path))]
        self.names = ["studio"] if "--editable" in words else ["torch"] if "torch==2.0" in words else names
        self.site = machine.site(machine.prefix(command[0]))
        self.stdout = self.lines()

    def __enter__(self) -> _Pip:
        return self

    def __exit__(self, *_: object) -> None: ...

    def lines(self) -> Iterator[str]:
        yield f"Looking in indexes: {self.env.get('PIP_INDEX_URL', '')}\n"
        if not (self.site / "pip" / "last.py").exists():
            self.returncode = 1
            return
        for name in self.names:
            info = self.site / f"{name}-1.0.dist-info"
            if info.exists():
                continue
            if name == self.machine.fail_from:
                self.returncode = 1
                yield f"ERROR: No matching distribution found for {name}==2.0\n"
                return
            (self.site / name).mkdir(exist_ok=True)
            if name == "torch":
                (self.site / name / "index").write_text(self.env.get("PIP_INDEX_URL", ""))
            (self.site / name / "last.py").write_text("")
            info.mkdir()
            for file in ("METADATA", "INSTALLER", "RECORD"):
                (info / file).write_text("")
            yield f"Collecting {name}\n"


def first() -> None:
    launch.environment()


def fresh() -> None:
    launch.environment(force=True, fresh=True)


def other_index() -> None:
    os.environ["TORCH_INDEX_URL"] = INDEX
    launch.environment()


def index_once() -> None:
    """The variable is set for the start that is killed, and not for the next."""
    other_index()


def _in_child(machine: FakeMachine, work: Callable[[], None], kill_at: int) -> bool:
    """Do the work in a fork that dies before its `kill_at`-th change to the disk; whether it died."""
    child = os.fork()
    if child:
        _, status = os.waitpid(child, 0)
        assert os.WIFSIGNALED(status) or status == 0, "the set-up failed"
        return os.WIFSIGNALED(status)
    changes = 0

    def count(event: str, arguments: tuple[Any, ...]) -> None:
        nonlocal changes
        writes = event == "open" and isinstance(arguments[2], int) and arguments[2] & (os.O_WRONLY | os.O_RDWR)
        removes = event == "os.remove" and arguments[1] == -1  # those of rmtree name their folder: one step, the rmtree
        if writes or removes or event in CHANGES:
            changes += 1
            if changes == kill_at:
                os.kill(os.getpid(), signal.SIGKILL)

    try:
        sys.addaudithook(count)
        work()
    except BaseException:
        os._exit(1)
    os._exit(0)


def main(folder: str, scenario: str) -> None:
    os.environ.pop("TORCH_INDEX_URL", None)
    os.environ.pop("PALIMPSEST_NO_SETUP", None)
    sys.stderr = open(os.devnull, "w", encoding="utf-8")
    work = {"first": first, "fresh": fresh, "other index": other_index, "index once": index_once}[scenario]
    again = other_index if work is other_index else first
    start = Path(folder) / "start"
    machine = FakeMachine(start)
    if work is not first:
        machine.patch()
        launch.environment()
    kills, killed = 0, True
    while killed:
        place = Path(folder) / "place"
        shutil.copytree(start, place, symlinks=True)
        machine = FakeMachine(place)
        machine.patch()
        if work is not first:  # a stamp names its folder
            launch.write_stamp({**launch.read_stamp(), "root": str(machine.tree)})
        os.environ.pop("TORCH_INDEX_URL", None)
        killed = _in_child(machine, work, kills + 1)
        assert not list(machine.site(machine.base).iterdir()), "installed into the user's own Python"
        again()
        try:
            machine.complete()
        except AssertionError:
            sys.stdout.write(f"killed before change {kills + 1}\n")
            raise
        shutil.rmtree(place)
        kills += killed
    print(kills)


if __name__ == "__main__":
    main(*sys.argv[1:])
