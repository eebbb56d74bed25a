"""Everything that compose.yaml names is there: programs, options, ports, variables, volumes.

No container engine is needed. `tests/flows/test_stack.py` runs the same services as processes.
"""

import re
import subprocess
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml

pytest.importorskip("prefect", reason="Prefect is not installed: symmv-builder[flows]")

from prefect.settings import Settings as PrefectSettings

from symmv_builder import settings

Service = dict[str, Any]
# What other programs read, of those that the file sets.
FOREIGN = {
    "AWS_ACCESS_KEY_ID",
    "AWS_DEFAULT_REGION",
    "AWS_ENDPOINT_URL_S3",
    "AWS_SECRET_ACCESS_KEY",
    "DO_NOT_TRACK",
    "HF_HOME",
    "POSTGRES_PASSWORD",
    "XDG_CACHE_HOME",
}
IN_TEXT = re.compile(r"\$\{(\w+)[}:]")


@pytest.fixture(scope="module")
def text(root: Path) -> str:
    return (root / "compose.yaml").read_text()


@pytest.fixture(scope="module")
def compose(text: str) -> dict[str, Any]:
    stack: dict[str, Any] = yaml.safe_load(text)
    return stack


def words_of(service: Service) -> list[str]:
    """Entrypoint and command as one list, as the engine joins them."""
    return [str(word) for word in [*service.get("entrypoint", []), *service.get("command", [])]]


def ours(compose: dict[str, Any]) -> Iterator[tuple[str, Service]]:
    for name, service in compose["services"].items():
        if service["image"] == compose["x-symmv"]["image"]:
            yield name, service


def test_what_services_refer_to_is_declared(compose: dict[str, Any]) -> None:
    services = compose["services"]
    for name, service in services.items():
        for other, condition in service.get("depends_on", {}).items():
            assert other in services, name
            if condition["condition"] == "service_healthy":
                assert "healthcheck" in services[other], other
            if condition["condition"] == "service_completed_successfully":
                assert services[other]["restart"] == "on-failure", other
        for config in service.get("configs", []):
            assert config["source"] in compose["configs"]
        for volume in service.get("volumes", []):
            assert volume.partition(":")[0] in compose["volumes"]
    used = {config["source"] for each in services.values() for config in each.get("configs", [])}
    assert used == set(compose["configs"])


def test_no_two_services_wait_for_each_other(compose: dict[str, Any]) -> None:
    services = compose["services"]
    started: set[str] = set()
    while len(started) < len(services):
        ready = {
            name for name in services if set(services[name].get("depends_on", {})) <= started
        } - started
        assert ready, set(services) - started
        started |= ready


def test_the_image_is_built_once_and_its_stage_is_in_the_dockerfile(
    root: Path, compose: dict[str, Any]
) -> None:
    [build] = [service["build"] for _, service in ours(compose) if "build" in service]
    stages = re.findall(r"(?m)^FROM .* AS (\w+)$", (root / "Dockerfile").read_text())
    assert build["target"] in stages
    assert (root / build["context"] / "Dockerfile").is_file()


def test_every_port_is_one_that_its_service_listens_on(compose: dict[str, Any]) -> None:
    ports = {}
    for name, service in compose["services"].items():
        for port in service.get("ports", []):
            host, outside, inside = port.split(":")
            assert host == "127.0.0.1", "nothing is open to a network by itself"
            assert outside == inside
            assert inside in words_of(service), name
            ports[name] = inside
    assert set(ports) == {"prefect", "metrics"}


def test_addresses_name_services_and_the_ports_that_they_listen_on(
    text: str, compose: dict[str, Any]
) -> None:
    listening = {
        "postgres": "5432",
        "prefect": "4200",
        "store": "8333",
    }
    addresses = set(re.findall(r"(?:://|@)([a-z]+):(\d+)/?", text))
    assert addresses == set(listening.items())
    for name in ("prefect", "store"):
        assert re.search(rf"\b{listening[name]}\b", " ".join(words_of(compose["services"][name])))


def test_every_variable_is_one_that_somebody_reads(compose: dict[str, Any]) -> None:
    named = set(re.findall(r"SYMMV_\w+", settings.__doc__ or ""))
    for name, service in compose["services"].items():
        for variable in service.get("environment", {}):
            if variable.startswith("SYMMV_"):
                assert variable in named, name
            elif variable.startswith("PREFECT_"):
                assert variable.lower() in _prefect_variables(), variable
            else:
                assert variable in FOREIGN, variable


def _prefect_variables() -> set[str]:
    """Names of Prefect's settings as its environment variables spell them."""
    names: set[str] = set()

    def collect(model: Any, prefix: str) -> None:
        for name, field in model.model_fields.items():
            inner = field.annotation
            if hasattr(inner, "model_fields"):
                collect(inner, f"{prefix}{name}_")
            names.add(f"{prefix}{name}")
            aliases = getattr(field.validation_alias, "choices", [])
            names.update(alias for alias in aliases if isinstance(alias, str))

    collect(PrefectSettings, "prefect_")
    return names


def test_what_a_person_has_to_give_is_said_in_the_heading(text: str) -> None:
    heading = text[: text.index("\nname:")]
    needed = set(re.findall(r"\$\{(\w+):\?", text))
    assert needed == set(re.findall(r'echo "(\w+)=', heading))
    assert set(IN_TEXT.findall(text)) == needed | {"SYMMV_DEVICE"}


@pytest.mark.slow
def test_prefect_has_the_commands_and_options(compose: dict[str, Any]) -> None:
    scripts = [words_of(service) for _, service in ours(compose)]
    [script] = [words[-1] for words in scripts if words[0] == "bash"]
    commands = [words for words in scripts if words[0] == "prefect"]
    commands += [line.split() for line in script.splitlines() if line.startswith("prefect ")]
    assert len(commands) == 4
    for words in commands:
        options = [word for word in words if re.fullmatch(r"--[a-z-]+", word)]
        plain = [word for word in words[1:] if re.fullmatch(r"[a-z]+(-[a-z]+)*", word)]
        # The words before the first option are the command's name.
        name = plain[: 2 if plain[0] in ("server", "worker", "work-pool") else 1]
        shown = subprocess.run(
            [sys.executable, "-m", "prefect", *name, "--help"],
            capture_output=True,
            text=True,
            check=True,
            env={"PATH": "/usr/bin", "COLUMNS": "200", "DO_NOT_TRACK": "1"},
        ).stdout
        for option in options:
            assert option in shown or option == "--no-prompt", (words, option)


def test_our_modules_have_a_program_with_these_options(root: Path, compose: dict[str, Any]) -> None:
    modules = {}
    for _, service in ours(compose):
        lines = [line.split() for word in words_of(service) for line in word.splitlines()]
        words = [word for line in lines for word in line]
        for before, module in pairwise(words):
            if before == "-m":
                modules[module] = [word for word in words if word.startswith("--")]
    assert set(modules) == {"symmv_builder.flows.metrics", "symmv_builder.flows.serve"}
    for module in modules:
        name = module.rpartition(".")[2]
        text = (root / "flows" / f"{name}.py").read_text()
        assert '__name__ == "__main__"' in text
    for option in ("--host", "--port"):
        assert option in modules["symmv_builder.flows.metrics"]
        assert f'"{option}"' in (root / "flows/metrics.py").read_text()


def test_what_is_written_into_containers_can_be_read(compose: dict[str, Any]) -> None:
    import json

    users = json.loads(compose["configs"]["store-users"]["content"])
    [user] = users["identities"]
    environment = compose["x-symmv"]["environment"]
    assert user["credentials"][0]["accessKey"] == environment["AWS_ACCESS_KEY_ID"]
    databases = re.findall(r"DATABASE (\w+);", compose["configs"]["databases"]["content"])
    urls = [
        environment["SYMMV_LEDGER"],
        compose["services"]["prefect"]["environment"]["PREFECT_SERVER_DATABASE_CONNECTION_URL"],
    ]
    assert sorted(url.rpartition("/")[2] for url in urls) == sorted(databases)
    bucket = environment["SYMMV_ROOT"].removeprefix("s3://").partition("/")[0]
    assert f"'{bucket}'" in words_of(compose["services"]["bucket"])[-1]
