"""What deploys the service fits the service: settings, commands, files, locked packages."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from importlib.metadata import requires
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
import typer
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from eligibility.cli.app import app
from eligibility.settings import SECRETS, Settings

ROOT = Path(__file__).resolve().parent.parent
DEPLOY = ROOT / "deploy"
UNITS = DEPLOY / "systemd"
VARIABLES = {f"ELIGIBILITY_{name.upper()}" for name in Settings.model_fields}
COMMANDS = set(typer.main.get_command(app).commands)  # type: ignore[attr-defined]
OWN_PROGRAMS = {"eligibility-daily": "daily", "eligibility-healthy": "healthy"}


def check_command(words: list[str]) -> None:
    """A command of the service that exists, wherever its program is installed."""
    program = Path(words[0]).name
    if program in OWN_PROGRAMS:
        assert os.access(DEPLOY / OWN_PROGRAMS[program], os.X_OK), program
        return
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert program in project["scripts"]
    assert words[1] in COMMANDS
    known = {o for p in typer.main.get_command(app).commands[words[1]].params for o in p.opts}  # type: ignore[attr-defined]
    assert {word for word in words[2:] if word.startswith("--")} <= known


def seconds(text: str) -> int:
    found = re.fullmatch(r"(\d+)s?", text)
    assert found, text
    return int(found[1])


def longest_stop() -> float:
    fields = Settings.model_fields
    return float(fields["shutdown_delay"].default + fields["shutdown_timeout"].default)


# --- settings -------------------------------------------------------------------------------------


def test_the_example_lists_exactly_the_settings() -> None:
    lines = (DEPLOY / "eligibility.env.example").read_text("utf-8").splitlines()
    given = [found for line in lines if (found := re.fullmatch(r"#?([A-Z_]+)=(\S+)", line))]
    names = [found[1] for found in given]
    assert sorted(names) == sorted(VARIABLES)
    values = {f[1].removeprefix("ELIGIBILITY_").lower(): f[2] for f in given}
    read = Settings(**values)  # type: ignore[arg-type]
    for found in given:
        name = found[1].removeprefix("ELIGIBILITY_").lower()
        default = Settings.model_fields[name].default
        if found[0].startswith("#") and default is not None:
            assert getattr(read, name) == default, name


# --- compose --------------------------------------------------------------------------------------


@pytest.fixture(name="compose", scope="module")
def fixture_compose() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text("utf-8"))
    return found


def test_services_restart_stop_in_time_and_say_how_they_are(compose: dict[str, Any]) -> None:
    services = compose["services"]
    assert set(services) == {"db", "eligibility", "daily"}
    for name in ("db", "eligibility"):
        assert services[name]["restart"] == "unless-stopped"
        assert services[name]["healthcheck"]["test"][0] == "CMD"
    assert services["daily"]["restart"] == "no"
    assert seconds(services["eligibility"]["stop_grace_period"]) > longest_stop()
    for name in ("eligibility", "daily"):
        assert services[name]["depends_on"] == {"db": {"condition": "service_healthy"}}
        assert services[name]["read_only"] is True
        assert services[name]["cap_drop"] == ["ALL"]
    assert all(port.startswith("127.0.0.1:") for port in services["eligibility"]["ports"])
    assert "ports" not in services["db"]


def test_what_compose_names_exists(compose: dict[str, Any]) -> None:
    services = compose["services"]
    used = {secret for service in services.values() for secret in service["secrets"]}
    assert used == set(compose["secrets"])
    for name, secret in compose["secrets"].items():
        assert secret == {"file": f"secrets/{name}"}
    mounted = {v.split(":")[0] for s in services.values() for v in s.get("volumes", [])}
    assert mounted == set(compose["volumes"])
    build = services["eligibility"]["build"]
    assert (DEPLOY / build["context"]).resolve() == ROOT
    assert (ROOT / build["dockerfile"]).is_file()
    check_command(services["eligibility"]["healthcheck"]["test"][1:])
    check_command(services["daily"]["command"])
    assert re.fullmatch(r"postgres:\d[\w.-]*", services["db"]["image"])
    assert services["eligibility"]["image"] == services["daily"]["image"] == "eligibility"


def test_compose_sets_settings_and_no_secret(compose: dict[str, Any]) -> None:
    for name in ("eligibility", "daily"):
        service = compose["services"][name]
        own = {n: v for n, v in service["environment"].items() if n.startswith("ELIGIBILITY_")}
        assert set(own) <= VARIABLES
        assert not {n.removeprefix("ELIGIBILITY_").lower() for n in own} & SECRETS
        assert own["ELIGIBILITY_SECRETS_DIR"] == "/run/secrets"
        secrets = {s.removeprefix("eligibility_") for s in service["secrets"]}
        assert secrets == SECRETS - {"sealing_key"}  # which is set by who wants it
    database = compose["services"]["db"]["environment"]
    assert "POSTGRES_PASSWORD" not in database
    assert database["POSTGRES_PASSWORD_FILE"] == "/run/secrets/postgres_password"


def test_secrets_are_made_once(compose: dict[str, Any], tmp_path: Path) -> None:
    script = shutil.copy(DEPLOY / "make-secrets", tmp_path)

    def make() -> dict[str, str]:
        subprocess.run(["sh", str(script)], check=True, capture_output=True)
        return {p.name: p.read_text("utf-8").strip() for p in (tmp_path / "secrets").iterdir()}

    made = make()
    assert set(made) == set(compose["secrets"])
    database = compose["services"]["db"]["environment"]
    user, name = database["POSTGRES_USER"], database["POSTGRES_DB"]
    expected = f"postgresql://{user}:{made['postgres_password']}@db/{name}"
    assert made["eligibility_database_url"] == expected
    assert len(made["eligibility_log_key"]) == 64
    assert (tmp_path / "secrets").stat().st_mode & 0o777 == 0o700
    assert make() == made


# --- image ----------------------------------------------------------------------------------------


@pytest.fixture(name="image", scope="module")
def fixture_image() -> list[tuple[str, str]]:
    """The instructions of the Containerfile, each on one line."""
    text = (DEPLOY / "Containerfile").read_text("utf-8")
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n\s*", " ", "\n".join(lines))
    found = [line.split(maxsplit=1) for line in joined.splitlines() if line]
    return [(word, rest) for word, rest in found]


def last_stage(image: list[tuple[str, str]]) -> list[tuple[str, str]]:
    start = max(i for i, (word, _) in enumerate(image) if word == "FROM")
    return image[start:]


def test_what_is_copied_exists_and_is_not_ignored(image: list[tuple[str, str]]) -> None:
    kept = (ROOT / ".dockerignore").read_text("utf-8").splitlines()
    copied = [rest.split() for word, rest in image if word == "COPY" and "--from=" not in rest]
    sources = [w for words in copied for w in words[:-1] if not w.startswith("--")]
    assert len(sources) > 5
    for source in sources:
        assert (ROOT / source).exists(), source
        assert f"!{source}" in kept, source
    needed = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["hatch"]["build"]
    for folder in needed["targets"]["wheel"]["force-include"]:
        assert folder in sources


def test_the_image_runs_the_service_as_an_ordinary_user(image: list[tuple[str, str]]) -> None:
    stage = last_stage(image)
    assert all(re.fullmatch(r"\S+:\d[\w.-]+( AS \w+)?", r) for w, r in image if w == "FROM")
    (user,) = (rest for word, rest in stage if word == "USER")
    assert user.split(":")[0] not in {"root", "0"}
    (command,) = (json.loads(rest) for word, rest in stage if word == "CMD")
    check_command(command)
    (health,) = (rest for word, rest in stage if word == "HEALTHCHECK")
    check_command(json.loads(health.partition("CMD ")[2]))
    assert "/readyz" in (DEPLOY / "healthy").read_text("utf-8")
    (env,) = (rest for word, rest in stage if word == "ENV")
    given = dict(word.split("=", 1) for word in shlex.split(env))
    own = {n for n in given if n.startswith("ELIGIBILITY_")}
    assert own <= VARIABLES
    assert given["ELIGIBILITY_AUTH"] != "none"
    (port,) = (rest for word, rest in stage if word == "EXPOSE")
    assert port == given["ELIGIBILITY_PORT"]


def test_what_the_image_installs_is_locked() -> None:
    """All that the service needs, with PostgreSQL, has its version in the lock file."""
    lines = (ROOT / "requirements.lock").read_text("utf-8").splitlines()
    locked = {canonicalize_name(line.split("==")[0]) for line in lines}
    wanted, seen = [("eligibility", frozenset({"postgresql"}))], set()
    while wanted:
        name, extras = wanted.pop()
        for line in requires(name) or []:
            one = Requirement(line)
            contexts = [{"extra": extra} for extra in {"", *extras}]
            if one.marker is not None and not any(one.marker.evaluate(c) for c in contexts):
                continue
            key = (canonicalize_name(one.name), frozenset(one.extras))
            if key not in seen:
                seen.add(key)
                wanted.append(key)
    names = {name for name, _ in seen}
    assert {"psycopg", "psycopg-binary", "uvicorn", "starlette"} <= names
    assert names <= locked


# --- systemd --------------------------------------------------------------------------------------

SECTIONS = {
    ".service": {"Unit", "Service", "Install"},
    ".timer": {"Unit", "Timer", "Install"},
}
HARDENED = {
    "NoNewPrivileges": "yes",
    "ProtectSystem": "strict",
    "ProtectHome": "yes",
    "PrivateTmp": "yes",
    "CapabilityBoundingSet": "",
    "UMask": "0077",
}


def directives(file: Path) -> dict[str, dict[str, list[str]]]:
    found: dict[str, dict[str, list[str]]] = {}
    section: dict[str, list[str]] = {}
    for line in file.read_text("utf-8").splitlines():
        if not line or line.startswith("#"):
            continue
        if head := re.fullmatch(r"\[(\w+)\]", line):
            section = found.setdefault(head[1], {})
            continue
        name, equals, value = line.partition("=")
        assert equals, line
        assert re.fullmatch(r"[A-Z][A-Za-z]+", name), line
        section.setdefault(name, []).append(value)
    return found


def test_units_are_hardened_and_start_what_exists() -> None:
    for file in UNITS.iterdir():
        unit = directives(file)
        assert set(unit) <= SECTIONS[file.suffix], file
        if file.suffix == ".timer":
            assert file.with_suffix(".service").is_file()
            assert unit["Timer"]["Persistent"] == ["yes"]
            assert unit["Timer"]["OnCalendar"]
            continue
        service = unit["Service"]
        assert service["User"] == ["eligibility"]
        assert {name: service[name] for name in HARDENED} == {n: [v] for n, v in HARDENED.items()}
        (start,) = service["ExecStart"]
        check_command(shlex.split(start))
        names = {line.split("=")[0] for line in service["Environment"]}
        assert {n for n in names if n.startswith("ELIGIBILITY_")} <= VARIABLES
    service = directives(UNITS / "eligibility.service")["Service"]
    assert service["Restart"] == ["always"]
    assert seconds(service["TimeoutStopSec"][0]) > longest_stop()


KNOWN = set(
    re.findall(
        r"\w+",
        """
After AmbientCapabilities CapabilityBoundingSet Description Environment EnvironmentFile ExecStart
Group KillMode LimitNOFILE LockPersonality Nice NoNewPrivileges OnCalendar Persistent
PrivateDevices PrivateTmp ProtectClock ProtectControlGroups ProtectHome ProtectHostname
ProtectKernelLogs ProtectKernelModules ProtectKernelTunables ProtectProc ProtectSystem
RandomizedDelaySec ReadWritePaths Restart RestartSec RestrictAddressFamilies RestrictNamespaces
RestrictRealtime RestrictSUIDSGID StateDirectory StateDirectoryMode SystemCallArchitectures
SystemCallFilter TimeoutStartSec TimeoutStopSec Type UMask User WantedBy Wants
""",
    )
)


def test_systemd_accepts_the_units(tmp_path: Path) -> None:
    """By the directives that are known to it, and by systemd itself where it is installed."""
    program = shutil.which("systemd-analyze")
    for file in UNITS.iterdir():
        used = {name for section in directives(file).values() for name in section}
        assert used <= KNOWN, file
        # The program is not installed where the tests run; one that is stands in its place.
        text = re.sub(r"(?m)^(ExecStart=)\S+", rf"\g<1>{sys.executable}", file.read_text("utf-8"))
        (tmp_path / file.name).write_text(text, "utf-8")
    if program is None:
        return
    files = [str(path) for path in sorted(tmp_path.iterdir())]
    done = subprocess.run([program, "verify", *files], capture_output=True, encoding="utf-8")
    own = [line for line in done.stderr.splitlines() if "eligibility" in line]
    assert (done.returncode, own) == (0, []), done.stderr


# --- programs -------------------------------------------------------------------------------------


@contextmanager
def answering(status: int) -> Iterator[int]:
    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status if self.path == "/readyz" else 404)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            return

    server = HTTPServer(("127.0.0.1", 0), Answer)
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.parametrize(("status", "code"), [(200, 0), (503, 1)])
def test_the_healthcheck_goes_by_readiness(status: int, code: int) -> None:
    with answering(status) as port:
        env = os.environ | {"ELIGIBILITY_PORT": str(port), "http_proxy": "http://127.0.0.1:9"}
        done = subprocess.run(
            [sys.executable, str(DEPLOY / "healthy")], env=env, capture_output=True
        )
    assert done.returncode == code, done.stderr


@pytest.mark.slow
def test_daily_leaves_a_checkpoint_and_a_backup(tmp_path: Path) -> None:
    data, kept = tmp_path / "data", tmp_path / "kept"
    kept.mkdir()
    case = tmp_path / "case.json"
    case.write_text('{"court_id": "亭湖法院"}', "utf-8")
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    env = os.environ | {"PATH": path, "ELIGIBILITY_DATA_DIR": str(data)}

    def run(*words: str, code: int = 0) -> str:
        done = subprocess.run(words, env=env, capture_output=True, encoding="utf-8")
        assert done.returncode == code, done.stderr
        return done.stdout + done.stderr

    daily = ("sh", str(DEPLOY / "daily"), str(kept))
    assert "no_database" in run(*daily, code=1)
    run("eligibility", "decide", "--record", str(case))
    old = kept / "eligibility-20200101T000000Z.tar"
    old.touch()
    os.utime(old, (0, 0))
    run(*daily)
    checkpoints = kept / "checkpoints.ndjson"
    (backup,) = kept.glob("eligibility-*.tar")
    assert backup != old
    assert json.loads(checkpoints.read_text("utf-8"))["seq"] == 1
    run("eligibility", "decide", "--record", str(case))
    run(*daily)
    assert len(checkpoints.read_text("utf-8").splitlines()) == 2
    run("eligibility", "log", "verify", "--checkpoint", str(checkpoints))


# --- the page -------------------------------------------------------------------------------------

PAGE = ROOT / "docs" / "operations.md"


def test_the_page_names_what_exists() -> None:
    text = PAGE.read_text("utf-8")
    links = [link for link in re.findall(r"\]\(([^)#]+)\)", text) if "://" not in link]
    assert links
    assert [link for link in links if not (PAGE.parent / link).exists()] == []
    assert set(re.findall(r"ELIGIBILITY_[A-Z_]+[A-Z]", text)) <= VARIABLES
    named = re.findall(r"(?m)\beligibility (?=([a-z][a-z-]+)(?: |`|$))", text)
    commands = set(named) - {"eligibility"}  # the program, named after its container
    assert {"serve", "backup", "restore", "log"} <= commands
    assert commands <= COMMANDS
    codes = re.findall(r"(?m)^\| `([a-z_]+)`", text)
    assert "database_unavailable" in codes
    errors = (ROOT / "docs" / "errors.md").read_text("utf-8")
    assert [code for code in codes if f"\n| `{code}` |" not in errors] == []
