#!/usr/bin/env python3
"""Set Palimpsest up beside this file, then start it.

    python3 launch.py                    serve the studio on this machine
    python3 launch.py VERB ...           any other verb of the studio: generate, replay, ... (VERB --help explains it)
    python3 launch.py doctor [--json]    say what is missing; installs nothing
    python3 launch.py setup [--dev] [--fresh]
                                         install or repair only; --fresh starts from an empty environment
    python3 launch.py check              formatting, lint, types and import contracts
    python3 launch.py test [--slow] [--walkthrough] [PYTEST ARGUMENTS]
                                         set up, then every check that CI runs; pytest's closing line comes last;
                                         --walkthrough first goes through the page's first five minutes in Chromium
                                         (with CI=true it does so by itself before the whole suite)

The first start makes .venv here and installs what requirements.lock pins; later starts find it ready. Set-up talks
on stderr, so stdout belongs to the verb (--json). Exit codes: 0, 1 (failed), 2 (bad input or an unfit machine).

TORCH_INDEX_URL      where to take torch from (a CPU, CUDA or ROCm build); without it: the default build. Once it has
                     worked it is remembered, but for a user name, password or query in it, which are not written down
PALIMPSEST_NO_SETUP  1 = use the Python that runs this file as it is, and install nothing
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from urllib.parse import unquote, urlsplit

# Standard library only, and nothing newer than Python 3.8 above `main`'s version check: an old Python has to get far
# enough to say that it is too old.

MINIMUM_PYTHON = (3, 11)
ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
STAMP = VENV / "palimpsest.json"
LOG = VENV / "setup.log"
LOCKS = {"run": ROOT / "requirements.lock", "dev": ROOT / "requirements-dev.lock"}
NEEDED_FREE_BYTES = 3 * 1024**3  # measured 1.2 GB with a CPU build of torch; wheels are unpacked beside their copies
# What the page and the engine import when they start.
IMPORTED_AT_START = (
    "import alembic.command, alembic.context, studio.engine.runner, studio.engine.worker, studio.services.studio; "
    "import studio.ui.app, studio.ui.tabs; studio.ui.tabs.tabs(); from diffusers import StableDiffusionPipeline"
)
# Variables of pip with which it would install elsewhere than in the environment it is called from, or not at all.
PIP_ELSEWHERE = {f"PIP_{name}" for name in ("TARGET", "PREFIX", "ROOT", "PYTHON", "DRY_RUN", "REQUIREMENT", "EDITABLE")}
WHERE_IT_INSTALLS = "import sys; print(sys.prefix, sys.base_prefix, '%d.%d' % sys.version_info[:2], sep='\\n')"
HIDDEN = "****"
WALKTHROUGH = "tests/e2e/test_walkthrough.py"  # minutes by itself: a step of its own, beside no other test
CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


class SetUpError(Exception):
    """Set-up cannot go on. str(): one sentence for the user; `code`: the exit code, 1 failed, 2 machine or input."""

    def __init__(self, message: str, code: int = 2) -> None:
        super().__init__(message)
        self.code = code


# -- what is there --------------------------------------------------------------------------------------------------


def venv_python() -> Path:
    """The Python of .venv, whether it is there or not."""
    return VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def site_packages() -> Path:
    """Where .venv has its packages."""
    if os.name == "nt":
        return VENV / "Lib" / "site-packages"
    return VENV / "lib" / "python{}.{}".format(*sys.version_info[:2]) / "site-packages"


def unfinished() -> Path:
    """Lies in .venv from before the first file of an environment until it is whole and has pip."""
    return VENV / "unfinished"


def old_venv() -> Path:
    """Where a finished environment waits while another is made in its place, in case that fails."""
    return ROOT / ".venv.old"


def flaw() -> str:
    """What keeps .venv from being an environment, by its files alone, which every start can afford; "" for nothing.

    Without pyvenv.cfg its python is still there and runs, as the one it was made from, and pip would install into that.
    """
    if not VENV.is_dir():
        return "it is not a folder" if os.path.lexists(VENV) else "it is not there"
    if unfinished().exists():
        return "it was not finished"
    if not (VENV / "pyvenv.cfg").is_file():
        return "it has no pyvenv.cfg"
    return "" if os.access(venv_python(), os.X_OK) else "its Python cannot be started"


def is_environment() -> bool:
    """Whether .venv's Python starts, is of our version, and installs into .venv rather than where it came from."""
    if flaw() or not site_packages().is_dir():
        return False
    try:
        command = [str(venv_python()), "-I", "-c", WHERE_IT_INSTALLS]
        outcome = subprocess.run(command, capture_output=True, text=True, env=clean_environ())
    except OSError:
        return False
    prefix, base, version = outcome.stdout.splitlines()[-3:] if outcome.stdout.count("\n") >= 3 else ("", "", "")
    if outcome.returncode or not prefix or version != "{}.{}".format(*sys.version_info[:2]):
        return False
    return prefix != base and os.path.realpath(prefix) == os.path.realpath(VENV)


def wanted_stamp(dev: bool) -> dict:
    """What a finished set-up of this tree, by this Python, writes down. `torch_index` is None when nobody asked."""
    return {
        "python": "{}.{}".format(*sys.version_info[:2]),
        "root": str(ROOT),
        "torch_index": public(torch_index_url()) or None,
        "run": file_digest(LOCKS["run"]),
        "dev": file_digest(LOCKS["dev"]) if dev else None,
    }


def file_digest(path: Path) -> str:
    """The SHA-256 of a lock file, in hex digits. Raises SetUpError for one that cannot be read."""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise SetUpError(
            f"Cannot read {path.name} ({error.strerror}): this copy of Palimpsest is incomplete."
        ) from None


def read_stamp() -> dict:
    """The stamp, or {} when there is none or it cannot be read (which is then a set-up to be finished)."""
    try:
        stamp = json.loads(STAMP.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return stamp if isinstance(stamp, dict) else {}


def proven(have: dict) -> dict:
    """The stamp less a torch index that has not given us torch yet: earlier versions wrote it down before trying."""
    if have.get("run") or "torch" in installed(site_packages()):
        return have
    return {name: value for name, value in have.items() if name != "torch_index"}


def write_stamp(stamp: dict) -> None:
    """Write the stamp down in one step: it is the old one or the new one, never half of it. Raises OSError."""
    fresh = STAMP.with_suffix(".new")
    fresh.write_text(json.dumps(stamp, indent=1) + "\n", encoding="utf-8")
    os.replace(fresh, STAMP)


def must_start_over(have: dict, want: dict) -> str:
    """Why the environment cannot be brought up to date in place, or "" when it can.

    A moved folder breaks the scripts, another Python has other wheels, and pip takes a second build of one torch
    version for the first. TORCH_INDEX_URL counts only where it is set: once it has worked, it is remembered. A stamp
    without `torch_index` is of a set-up that has no torch yet.
    """
    if have.get("python", want["python"]) != want["python"]:
        return f"Python changed from {have['python']} to {want['python']}"
    if have.get("root", want["root"]) != want["root"]:
        return "the folder was moved"
    if "torch_index" in have and want["torch_index"] and public(have["torch_index"]) != want["torch_index"]:
        return "TORCH_INDEX_URL changed"
    return ""


def is_ready(have: dict, want: dict) -> bool:
    """Whether a finished set-up covers what is wanted. One with the checks' packages covers one without."""
    if not have or flaw() or must_start_over(have, want):
        return False
    return have.get("run") == want["run"] and (want["dev"] is None or have.get("dev") == want["dev"])


def pins(lock: Path) -> list[tuple[str, str]]:
    """[(normalised name, line)] of a lock file; a name whose version differs by Python has several lines."""
    lines = [line.strip() for line in lock.read_text(encoding="utf-8").splitlines()]
    return [(normal_name(line.split("==")[0]), line) for line in lines if line and not line.startswith("#")]


def required_everywhere(lock: Path) -> set[str]:
    """Names that every platform must have: a single line with a marker may be meant for another one."""
    marked = [name for name, line in pins(lock) if ";" in line]
    return {name for name, _ in pins(lock)} - {name for name in marked if marked.count(name) == 1}


def normal_name(name: str) -> str:
    """A package's name as indexes compare names: lower case, words joined by one hyphen."""
    return re.sub(r"[-_.]+", "-", name).lower()


def installed(packages: Path) -> set[str]:
    """Normalised names of the completely installed packages."""
    return {normal_name(info.name.split("-")[0]) for info in packages.glob("*.dist-info") if not is_torn(info)}


def is_torn(info: Path) -> bool:
    """Whether a killed pip left this dist-info: after a package's files it writes INSTALLER, and RECORD last."""
    return not ((info / "INSTALLER").exists() and (info / "RECORD").exists())


def find_chromium() -> str | None:
    """The browser for the page's tests, as a path, or None."""
    return next((path for path in map(shutil.which, CHROMIUM_NAMES) if path), None)


# -- addresses and their secrets ------------------------------------------------------------------------------------


def torch_index_url() -> str:
    """TORCH_INDEX_URL with its secrets, or "". Raises SetUpError for what cannot be an index."""
    url = os.environ.get("TORCH_INDEX_URL", "").strip()
    try:
        parts = urlsplit(url)
        usable = parts.scheme == "file" or (parts.scheme in ("http", "https") and bool(parts.hostname))
        _ = parts.port  # raises for one that is no number
    except ValueError:
        usable = False
    if url and not usable:
        raise SetUpError(
            "TORCH_INDEX_URL must be the address of a package index, beginning with https://, http:// or file://, "
            f"not {public(url).rpartition('@')[2]!r}."
        )
    return url


def public(url: object) -> str:
    """An address less what may be secret in it (user, password, query); "" for what is no text.

    In this form it is written down and compared: a new password does not make another index.
    """
    if not isinstance(url, str):
        return ""
    scheme, separator, rest = re.split(r"[?#]", url)[0].rpartition("://")
    authority, slash, path = rest.partition("/")
    return scheme + separator + authority.rpartition("@")[2] + slash + path


def environment_secrets() -> list[str]:
    """What must not reach a log or a message: users, passwords and queries of the addresses pip is told of, longest
    first. Shorter ones than four characters are found by their place in an address (`masked`).
    """
    names = [name for name in os.environ if name.startswith("PIP_") or name.lower().endswith("_proxy")]
    secrets = set()
    for url in " ".join(os.environ.get(name, "") for name in ("TORCH_INDEX_URL", *names)).split():
        _, separator, rest = url.partition("://")
        user, at, _ = rest.rpartition("@")
        query = re.findall(r"[?&][^=&]*=([^&#]+)", url)
        words = (user.split(":", 1)[-1:] if at and separator else []) + query
        secrets |= {spelling for word in words for spelling in (word, unquote(word)) if len(spelling) > 3}
    return sorted(secrets, key=len, reverse=True)


def masked(text: str, secrets: list[str]) -> str:
    """Text in which users, passwords and queries of addresses, and `secrets` wherever they stand, are hidden."""
    for secret in secrets:
        text = text.replace(secret, HIDDEN)
    text = re.sub(r"(://)[^\s/'\"<>]+@", rf"\1{HIDDEN}@", text)
    return re.sub(r"([?&][\w.-]+=)[^\s&#'\"<>]+", rf"\1{HIDDEN}", text)


# -- set-up ---------------------------------------------------------------------------------------------------------


class Progress:
    """One line on stderr: step, what, how far, elapsed. Rewritten each second on a terminal, else a line per 10 s."""

    def __init__(self, steps: int) -> None:
        self.steps, self.step, self.text = steps, 0, ""
        self.started = time.monotonic()
        self.terminal = sys.stderr.isatty()
        self.closed = threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def begin(self, text: str) -> None:
        self.step += 1
        self.say(text)
        self.show()

    def say(self, text: str) -> None:
        self.text = text

    def run(self) -> None:
        while not self.closed.wait(1 if self.terminal else 10):
            self.show()

    def show(self) -> None:
        line = f"[{self.step}/{self.steps}] {self.text} · {time.monotonic() - self.started:.0f} s"
        sys.stderr.write("\r\x1b[2K" + line if self.terminal else line + "\n")
        sys.stderr.flush()

    def close(self, text: str = "") -> None:
        self.closed.set()
        self.thread.join()
        sys.stderr.write(("\r\x1b[2K" if self.terminal else "") + (text + "\n" if text else ""))
        sys.stderr.flush()


@contextlib.contextmanager
def only_one():
    """Hold the set-up lock: two starts at once must not install into one environment.

    Yields a descriptor that is inherited by pip, so a pip that outlives a killed launcher still keeps the lock.
    """
    try:
        handle = open(ROOT / ".venv.lock", "a")
    except OSError as error:
        raise SetUpError(
            f"Cannot write to {ROOT} ({error.strerror}): Palimpsest sets itself up in its folder."
        ) from None
    with handle:
        if os.name != "nt":
            import fcntl

            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                sys.stderr.write("Another set-up of this folder is running; waiting for it.\n")
                fcntl.flock(handle, fcntl.LOCK_EX)
            except OSError:
                pass  # some network file systems have no locks
        yield handle.fileno()


def environment(dev: bool = False, force: bool = False, fresh: bool = False) -> str:
    """Path of a Python that has everything, after installing what is missing. Raises SetUpError."""
    if os.environ.get("PALIMPSEST_NO_SETUP") == "1":
        return sys.executable
    want = wanted_stamp(dev)
    have = read_stamp()
    if have.get("torch_index") and have["torch_index"] != public(have["torch_index"]):
        with contextlib.suppress(OSError):  # written by an earlier version, with its password
            write_stamp({**have, "torch_index": public(have["torch_index"])})
    if force or not is_ready(have, want):
        with only_one() as lock:
            have = read_stamp()  # again: the set-up we waited for may have done it all
            if force or not is_ready(have, want):
                set_up(have, want, lock, fresh)
    return str(venv_python())


def set_up(have: dict, want: dict, lock: int, fresh: bool) -> None:
    """Make .venv hold exactly what the lock files pin. May be killed at any point and run again.

    A finished environment that has to give way comes back if the new one fails. Raises SetUpError.
    """
    require_venv_module(may_install=bool(want["dev"]))
    have = proven(have)
    why = "asked for" if fresh else must_start_over(have, want)
    if not fresh:  # a torch build once chosen stays chosen; `setup --fresh` forgets it
        want = {**want, "torch_index": want["torch_index"] or public(have.get("torch_index")) or None}
    if os.path.lexists(VENV) and not VENV.is_dir() and not VENV.is_symlink():
        raise SetUpError(f"{VENV} is a file, where the environment has to be: move it away and start again.")
    if (why or not have) and shutil.disk_usage(ROOT).free < NEEDED_FREE_BYTES:
        raise SetUpError(
            f"Set-up needs {NEEDED_FREE_BYTES >> 30} GB of free disk in {ROOT}; free some and start again."
        )
    progress = Progress(steps=5)
    try:
        progress.begin("environment" + (f" anew ({why})" if why else ""))
        sweep_leftovers()
        make_venv(clear=bool(why), lock=lock)
        install(proven(read_stamp()), want, progress, lock)
        progress.begin("first imports")
        write_byte_code()
    except BaseException as error:
        progress.close()
        back = put_back()
        if isinstance(error, OSError):
            where = f" ({error.filename})" if error.filename else ""
            error = SetUpError(f"Set-up failed: {(error.strerror or str(error)).lower()}{where}.", code=1)
        if isinstance(error, SetUpError):
            then = "The environment from before is back in its place." if back else "Starting again goes on from here."
            raise SetUpError(f"{error} {then}", error.code) from None
        raise
    progress.close(f"Set up in {time.monotonic() - progress.started:.0f} s.")


def install(have: dict, want: dict, progress: Progress, lock: int) -> None:
    """Install into an environment that is there, and write the stamp of what is done after each step.

    have: the stamp of what is in it, {} for a new one. Raises SetUpError.
    """
    packages = site_packages()
    # What is true from here on, even if we are killed: no lock's hash, so the set-up is known to be unfinished.
    begun = {**want, "run": None, "dev": None}
    if "torch_index" not in have:
        del begun["torch_index"]  # an index is remembered when it has given us torch, not before
    write_stamp(begun)
    drop_torn_packages(packages)
    if have and "torch_index" not in have:
        drop_package(packages, "torch")  # if there is one, we were killed just after it: from which index is it?
    url = torch_index_url() or want["torch_index"]
    progress.begin("torch" + (f" from {public(url)}" if url else ""))
    # First and on its own: its build depends on the machine, and it brings the CUDA libraries of that build.
    pin = dict(pins(LOCKS["run"]))["torch"]
    pip("torch", [pin, *([] if url else ["--constraint", str(LOCKS["run"])])], progress, lock, index=url)
    write_stamp({**begun, "torch_index": want["torch_index"]})
    locks = [LOCKS["run"]] + ([LOCKS["dev"]] if want["dev"] else [])
    progress.begin("packages")
    pip("packages", ["--no-deps", *(word for path in locks for word in ("-r", str(path)))], progress, lock, locks)
    missing = sorted(required_everywhere(LOCKS["run"]) - installed(packages))
    if missing:
        raise SetUpError(
            f"pip has installed {missing[0]} elsewhere than in {VENV}: see `pip config list` for a target or prefix.", 1
        )
    progress.begin("studio")
    pip("studio", ["--no-deps", "--no-build-isolation", "--editable", str(ROOT)], progress, lock)
    discard(old_venv())  # before the last stamp: killed in between, a set-up follows, and sweeps
    write_stamp(want)


def require_venv_module(may_install: bool) -> None:
    """Debian ships Python without `ensurepip`. Raises SetUpError when it is missing and was not added."""
    if has_venv_module():
        return
    package = "python{}.{}-venv".format(*sys.version_info[:2])
    if may_install and apt_get(package) and has_venv_module():
        return
    raise SetUpError(
        f"This Python lacks the venv module; on Debian or Ubuntu: apt install {package}, then start again."
    )


def has_venv_module() -> bool:
    """Whether this Python can make environments."""
    # In a process of its own, because a failed import stays failed in ours after the package was added.
    return subprocess.run([sys.executable, "-c", "import venv, ensurepip"], capture_output=True).returncode == 0


def apt_get(package: str) -> bool:
    """Install a Debian package if we are root and can. Talks on stderr; says nothing where there is no apt-get."""
    if not shutil.which("apt-get") or not hasattr(os, "geteuid") or os.geteuid() != 0:
        return False
    sys.stderr.write(f"Installing {package} with apt-get ...\n")
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for arguments in (["update"], ["install", "-y", package]):
        outcome = subprocess.run(
            ["apt-get", "-q", *arguments], env=quiet, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        if outcome.returncode:
            sys.stderr.write("\n".join(outcome.stdout.decode(errors="replace").splitlines()[-5:]) + "\n")
            return False
    return True


def make_venv(clear: bool, lock: int) -> None:
    """Make .venv, unless one is there that is whole and need not be cleared. Raises SetUpError, OSError.

    Made in its final place, since its scripts hold their own path, under a mark that says so; what was there has been
    renamed away in one step. Killed at any point, there is therefore the old one, none, or one that bears the mark.
    """
    if not clear and is_environment() and has_pip():
        return
    set_aside()
    VENV.mkdir()
    unfinished().touch()
    # The base interpreter: this may run inside the very environment that is being made anew.
    base = getattr(sys, "_base_executable", sys.executable)
    outcome = subprocess.run(
        [base, "-m", "venv", str(VENV)], capture_output=True, text=True, env=clean_environ(), pass_fds=inherited(lock)
    )
    if outcome.returncode:
        lines = (outcome.stderr or outcome.stdout).strip().splitlines() or ["no reason given"]
        raise SetUpError(f"Could not make {VENV}: {lines[-1]}", code=1)
    unfinished().unlink()


def has_pip() -> bool:
    """Whether .venv's Python has a pip that starts."""
    command = [str(venv_python()), "-I", "-m", "pip", "--version"]
    return subprocess.run(command, capture_output=True, env=clean_environ()).returncode == 0


def set_aside() -> None:
    """Take .venv away in one step. A finished one waits in `old_venv`, unless one waits there; anything else goes."""
    if not VENV.is_symlink() and not flaw() and read_stamp().get("run") and not os.path.lexists(old_venv()):
        os.rename(VENV, old_venv())
    else:
        discard(VENV)


def put_back() -> bool:
    """Give the place back to a finished environment that was set aside; False if there is none, or it cannot be."""
    if not os.path.lexists(old_venv()):
        return False
    with contextlib.suppress(OSError):
        os.replace(LOG, old_venv() / LOG.name)  # it says why the new one failed
    try:
        discard(VENV)
        os.rename(old_venv(), VENV)
    except OSError:
        return False
    return True


def discard(path: Path) -> None:
    """Remove a folder, file or link (never what it leads to), by renaming it away first: half of it is never seen."""
    if os.path.lexists(path):
        grave = Path(tempfile.mkdtemp(prefix=".venv.gone-", dir=ROOT))
        os.rename(path, grave / "venv")
        shutil.rmtree(grave, ignore_errors=True)


def sweep_leftovers() -> None:
    """Remove what killed set-ups were about to remove. The caller holds the lock."""
    for grave in ROOT.glob(".venv.gone-*"):
        shutil.rmtree(grave, ignore_errors=True)


def drop_torn_packages(packages: Path) -> None:
    """Forget packages that a killed pip left half-written or half-removed, so that pip installs them again."""
    for info in packages.glob("*.dist-info"):
        if is_torn(info):
            shutil.rmtree(info)
    for half_removed in packages.glob("~*"):  # how pip calls what it is about to remove
        shutil.rmtree(half_removed, ignore_errors=True)


def drop_package(packages: Path, name: str) -> None:
    """Remove a package's files and its dist-info, the latter first: without it pip takes it for not installed."""
    for path in (*packages.glob(f"{name}-*.dist-info"), packages / name):
        shutil.rmtree(path, ignore_errors=True)


def clean_environ(index: str | None = None) -> dict[str, str]:
    """The user's environment (proxies, pip's own settings) less what would point pip at another place than .venv.

    index: where pip looks, in place of its default. In the environment, since everybody may read a command line.
    """
    elsewhere = {"PYTHONPATH", "PYTHONHOME", *PIP_ELSEWHERE}
    environ = {name: value for name, value in os.environ.items() if name not in elsewhere}
    ours = {"PIP_USER": "0", "PIP_NO_INPUT": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    return {**environ, **ours, **({"PIP_INDEX_URL": index} if index else {})}


def inherited(lock: int) -> tuple[int, ...]:
    """The descriptors a child keeps: with the lock, one that outlives a killed launcher still keeps others out."""
    return () if os.name == "nt" else (lock,)


def open_log():
    """.venv/setup.log to append to, for this user's eyes only."""
    handle = os.open(LOG, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.chmod(LOG, 0o600)
    return open(handle, "a", encoding="utf-8")


def pip(
    subject: str,
    arguments: list[str],
    progress: Progress,
    lock: int,
    locks: list[Path] | None = None,
    index: str | None = None,
) -> None:
    """`pip install` with everything logged to .venv/setup.log and one line of progress shown. Raises SetUpError.

    locks: the files being installed; they give the total to count against. index: an address, maybe with its secrets.
    """
    if not is_environment():  # pip installs into whatever it is called from: never into the user's own Python
        raise SetUpError(f"{VENV} is not an environment of its own, so nothing is installed.", code=1)
    secrets = environment_secrets()
    # --no-compile: byte code is made of the modules in use (write_byte_code) instead of all of them.
    command = [str(venv_python()), "-m", "pip", "install", "--no-compile", "--progress-bar", "off", *arguments]
    total = sum(len(pins(path)) for path in locks or ())
    number, tail = 0, []
    with open_log() as log:
        log.write("\n== " + masked(" ".join(command), secrets) + "\n")
        with subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            errors="replace",
            env=clean_environ(index),
            cwd=ROOT,
            pass_fds=inherited(lock),
        ) as process:
            assert process.stdout is not None
            for line in process.stdout:
                line = masked(line, secrets)
                log.write(line)
                tail = [*tail[-20:], line.strip()]
                word, _, rest = line.strip().partition(" ")
                if word in ("Collecting", "Processing", "Ignoring") or line.startswith("Requirement already"):
                    number += 1
                    count = f" {number} of {total}" if total else ""
                    name = re.split(r"[=<>!~ :;(]", rest.rsplit("/", 1)[-1])[0]
                    progress.say(
                        f"{subject}{count}: {name}" if word in ("Collecting", "Processing") else f"{subject}{count}"
                    )
                elif word == "Downloading":
                    progress.say(
                        f"{subject}{f' {number} of {total}' if total else ''}: downloading {rest.rsplit('/', 1)[-1]}"
                    )
                elif word == "Installing":
                    progress.say(f"{subject}: unpacking")
    if process.returncode:
        raise SetUpError(explain(subject, tail, index), code=1)


def write_byte_code() -> None:
    """Import once what every start imports, so that no start has to compile it, not even the first one.

    Also where the environment says that Python writes no byte code: .venv is ours. A failure is told by the start.
    """
    environ = {name: value for name, value in clean_environ().items() if name != "PYTHONDONTWRITEBYTECODE"}
    with open_log() as log:
        log.write("\n== first imports\n")
        log.flush()
        subprocess.run([str(venv_python()), "-c", IMPORTED_AT_START], env=environ, cwd=ROOT, stdout=log, stderr=log)


def explain(subject: str, tail: list[str], index: str | None = None) -> str:
    """One sentence for a pip that failed, from the last lines it printed. index: where it looked, if not where it does
    by itself; the sentence names it without its secrets.
    """
    output = " ".join(tail)
    where = "the package index"
    if index:
        again = "" if os.environ.get("TORCH_INDEX_URL") else ", remembered from an earlier set-up"
        where += f" {public(index)} (TORCH_INDEX_URL{again})"
    elif os.environ.get("PIP_INDEX_URL"):
        where += f" {public(os.environ['PIP_INDEX_URL'])} (PIP_INDEX_URL)"
    if "No space left" in output:
        reason = "the disk is full"
    elif re.search(r"\b40[13] (Client )?Error|HTTP error 40[13]|Credentials not correct", output):
        reason = f"{where} wants a user name and password, or others than it was given"
    elif re.search(r"NameResolution|Max retries|Connection|timed out|ProxyError|SSLError", output):
        reason = f"{where} could not be reached"
    elif "No matching distribution" in output or "Could not find a version" in output:
        requirement = re.search(r"(?:requirement|found for) ([^\s(]+)", output)
        reason = (
            f"{where} has no {requirement.group(1) if requirement else 'such package'} for this Python and platform"
        )
    else:
        reason = next((line for line in reversed(tail) if "error" in line.lower()), "pip failed")
    return f"Installing {subject} failed: {reason}. The whole log is {LOG}."


# -- verbs of the launcher itself -----------------------------------------------------------------------------------


def run_checks(pytest_arguments: list[str] | None) -> int:
    """The checks of CI; None = without pytest. All of them run, and pytest's closing line comes last.

    Where tests run, the types, which take longest, are checked beside them. The walkthrough, where it is asked for or
    CI runs the whole suite, comes before and alone: it is as quick as the machine is, and no part of the suite's time.
    """
    python = environment(dev=True)
    walks = pytest_arguments is not None and wants_walkthrough(pytest_arguments)
    if pytest_arguments is not None:
        pytest_arguments = [word for word in pytest_arguments if word != "--walkthrough"]
        if walks and "--slow" in pytest_arguments:
            pytest_arguments.append(f"--ignore={WALKTHROUGH}")  # once is enough
    if pytest_arguments is not None and not find_chromium():
        apt_get("chromium")  # where it cannot be had, the browser tests say so themselves (tests/conftest.py)
    checks = {
        "format": [python, "-m", "ruff", "format", "--check", "."],
        "lint": [python, "-m", "ruff", "check", "."],
        "types": [python, "-m", "pyright", "--pythonpath", python],
        "imports": [str(Path(python).with_name("lint-imports")), "--no-cache"],
    }
    beside = [] if pytest_arguments is None else ["--beside", shlex.join(checks.pop("types"))]
    if walks:
        checks["walkthrough"] = [python, "-m", "pytest", "--slow", "-n", "0", WALKTHROUGH]
    failed = [name for name, command in checks.items() if not passes(name, command)]
    if pytest_arguments is None:
        return 1 if failed else 0
    if failed:
        print(f"Failed before pytest: {', '.join(failed)} (see above); the exit code will say so.", flush=True)
    # A process per core, and one more since those with a browser wait for it half of the time; one thread in each:
    # pictures are small, and two threads on one are slower than one.
    workers = [] if pytest_arguments and "-n" in pytest_arguments else ["-n", str(min((os.cpu_count() or 1) + 1, 8))]
    alone = {**quiet_environ(), "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", "1")}
    command = [python, "-m", "pytest", *workers, "--dist", "loadfile", *beside, *pytest_arguments]
    code = subprocess.run(command, cwd=ROOT, env=alone).returncode
    return code or (1 if failed else 0)


def wants_walkthrough(pytest_arguments: list[str]) -> bool:
    """Whether the walkthrough is a step of this run: by its flag, or in CI where no argument chooses tests."""
    if "--walkthrough" in pytest_arguments:
        return True
    in_ci = os.environ.get("CI", "").lower() in ("1", "true")
    values = {at + 1 for at, word in enumerate(pytest_arguments) if word == "-n"}
    words = [word for at, word in enumerate(pytest_arguments) if at not in values]
    return in_ci and all(re.fullmatch(r"--slow|-n\d*|-[qvsx]+", word) for word in words)


def quiet_environ() -> dict[str, str]:
    """Our environment, in which pyright's wrapper says nothing of newer versions."""
    return {**os.environ, "PYRIGHT_PYTHON_IGNORE_WARNINGS": "1"}


def passes(name: str, command: list[str]) -> bool:
    """Run one check: a line when it passes, all it said when it does not."""
    started = time.monotonic()
    environ = quiet_environ()
    if name == "walkthrough":  # who asks for it is not content with its being skipped for want of a browser
        environ["CI"] = "true"
    outcome = subprocess.run(command, cwd=ROOT, env=environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    verdict = "failed" if outcome.returncode else "ok"
    if outcome.returncode:
        sys.stdout.write(outcome.stdout.decode(errors="replace"))
    print(f"{name:<11} {verdict:<7} {time.monotonic() - started:5.1f} s", flush=True)
    return not outcome.returncode


def setup_findings() -> list[dict]:
    """What `doctor` can say without any package: [{name, ok, detail, hint}]."""
    have, want = read_stamp(), wanted_stamp(dev=False)
    missing = sorted(required_everywhere(LOCKS["run"]) - installed(site_packages())) if VENV.exists() else []
    if not VENV.exists():
        state = "not made yet"
    elif must_start_over(have, want):
        state = must_start_over(have, want)
    elif missing:
        state = f"{len(missing)} packages missing: {', '.join(missing[:8])}{' ...' if len(missing) > 8 else ''}"
    else:
        state = "complete" if is_ready(have, want) else "unfinished, or older than requirements.lock"
    free = shutil.disk_usage(ROOT).free
    roomy = state == "complete" or free >= NEEDED_FREE_BYTES
    rows = [
        ("python", True, f"{sys.version.split()[0]} at {sys.executable}", ""),
        ("venv module", has_venv_module(), "", "On Debian or Ubuntu: apt install python3-venv."),
        ("disk", roomy, f"{free / 1024**3:.1f} GB free", f"Set-up needs {NEEDED_FREE_BYTES >> 30} GB."),
        ("environment", state == "complete", state, "Run: python3 launch.py setup"),
    ]
    return [{"name": n, "ok": ok, "detail": detail, "hint": "" if ok else hint} for n, ok, detail, hint in rows]


def doctor(arguments: list[str]) -> int:
    """The studio's own doctor when the environment is whole, else what keeps it from being so. Installs nothing."""
    if os.environ.get("PALIMPSEST_NO_SETUP") == "1":
        return start(sys.executable, ["doctor", *arguments])
    findings = setup_findings()
    if all(row["ok"] for row in findings):
        return start(str(venv_python()), ["doctor", *arguments])
    if "--json" in arguments:
        print(json.dumps({"ok": False, "checks": findings}))
    else:
        for row in findings:
            print(f"{'ok' if row['ok'] else 'MISSING':<8} {row['name']:<12} {row['detail']} {row['hint']}".rstrip())
    return 1


def start(python: str, arguments: list[str]) -> int:
    """Become the studio. Does not return on POSIX, so signals and the exit code are the studio's own."""
    environ = dict(os.environ)
    if os.environ.get("PALIMPSEST_NO_SETUP") == "1":  # otherwise the tree is installed in .venv, by reference
        environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    # -P: a folder named studio where the user happens to stand must not be taken for ours.
    command = [python, "-P", "-m", "studio.cli", *arguments]
    if os.name == "nt":
        return subprocess.run(command, env=environ).returncode
    sys.stdout.flush()
    sys.stderr.flush()
    try:
        os.execve(python, command, environ)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise SetUpError(f"{python} cannot be started ({reason}); run: python3 launch.py setup --fresh", 1) from None


def runs(name: str) -> bool:
    """Whether a command of this name is there and starts; a version manager's stand-in may be there and not start."""
    return bool(shutil.which(name)) and subprocess.run([name, "-c", ""], capture_output=True).returncode == 0


def main(argv: list[str]) -> int:
    """Do what the arguments say. Gives the exit code: see the top of this file, and 130 for a set-up interrupted."""
    if sys.version_info[:2] < MINIMUM_PYTHON:
        needed, version = ".".join(map(str, MINIMUM_PYTHON)), ".".join(map(str, sys.version_info[:3]))
        newer = next((name for name in ("python3.13", "python3.12", "python3.11", "python3.14") if runs(name)), None)
        hint = f"run: {newer} launch.py" if newer else "install a newer one and start launch.py with it"
        sys.stderr.write(f"Palimpsest needs Python {needed} or newer and this is {version}; {hint}.\n")
        return 2
    verb, rest = (argv[0], argv[1:]) if argv and not argv[0].startswith("-") else ("", argv)
    try:
        if verb == "doctor":
            return doctor(rest)
        if verb == "test":
            return run_checks(rest)
        if verb in ("check", "setup"):
            unknown = set(rest) - ({"--dev", "--fresh"} if verb == "setup" else set())
            if unknown:
                raise SetUpError(f"`{verb}` does not know {' '.join(sorted(unknown))}.")
            if verb == "check":
                return run_checks(None)
            environment(dev="--dev" in rest, force=True, fresh="--fresh" in rest)
            return 0
        if not verb and {"-h", "--help"} & set(rest) and not is_ready(read_stamp(), wanted_stamp(dev=False)):
            print(__doc__)  # nobody should have to install something to read what it does
            return 0
        return start(environment(), argv or ["serve"])
    except SetUpError as error:
        sys.stderr.write(f"{error}\n")
        return error.code
    except KeyboardInterrupt:
        sys.stderr.write("\nStopped; the same command goes on from here.\n")
        return 130


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
