"""``docker-compose.yml`` and the ``Dockerfile`` say the same as topic registry, settings and ports."""

import importlib
import json
import re
import stat
from pathlib import Path
from typing import Any

import pytest
import yaml

from contracts.registry import SERVICES, STORING
from infra.broker import SETTINGS
from infra.compose import KAFKA, SERVICE_USER, mongo
from infra.compose.bootstrap import main as bootstrap
from infra.compose.secrets import PARTS, make
from infra.compose.stack import HOME
from infra.local.kafka_jars import KAFKA as KAFKA_JAR
from infra.local.ports import Ports
from infra.local.secrets import Secrets
from infra.local.stack import ROOT
from shared.settings import Settings

ONCE = ("secrets", "bootstrap")
"""Containers that end with their work."""


def read() -> dict[str, Any]:
    """The compose file as it is when no variable is set."""
    text = (ROOT / "docker-compose.yml").read_text()
    found: dict[str, Any] = yaml.safe_load(re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", text))
    return found


COMPOSE = read()
CONTAINERS: dict[str, dict[str, Any]] = COMPOSE["services"]
DOCKERFILE = (ROOT / "Dockerfile").read_text()
IMAGE = CONTAINERS["gateway"]["image"]


def secrets_of(container: str) -> list[str]:
    """The secrets' volumes that a container mounts, as they are written."""
    return [volume for volume in CONTAINERS[container]["volumes"] if volume.partition(":")[0].endswith("-secrets")]


def settings_of(service: str) -> type[Settings]:
    """The settings class of a service: its own, when it has one."""
    try:
        module = importlib.import_module(f"services.{service.replace('-', '_')}.settings")
    except ModuleNotFoundError:
        return Settings
    own = [each for each in vars(module).values() if isinstance(each, type) and issubclass(each, Settings)]
    return max(own, key=lambda each: len(each.__mro__))


def test_every_service_is_there_with_a_database_of_its_own_and_nothing_else_is() -> None:
    databases = {mongo(service) for service in STORING}
    assert set(CONTAINERS) == {*SERVICES, *databases, "kafka", "mail", *ONCE}
    for service in STORING:
        assert f"{mongo(service)}-data:/data/db" in CONTAINERS[mongo(service)]["volumes"]


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_gets_settings_that_it_has_and_that_are_valid(
    service: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment = CONTAINERS[service]["environment"]
    ours = {name: value for name, value in environment.items() if name.startswith("MISSION_")}
    assert ours.pop("MISSION_SECRETS_DIR") == "/run/secrets/mission"
    model = settings_of(service)
    assert {name.removeprefix("MISSION_").lower() for name in ours} <= model.model_fields.keys()

    secrets = Secrets(tmp_path)
    make(secrets)
    assert {f"mission_{name}" for name in model.model_fields} >= {
        path.name for path in secrets.directory(service).iterdir()
    } - {"mission_mongo_password"}  # a part of its connection string
    for name, value in ours.items():
        monkeypatch.setenv(name, value)
    settings = model(_secrets_dir=str(secrets.directory(service)))
    assert settings.service == service
    assert settings.kafka_bootstrap == KAFKA
    assert settings.gateway_key.get_secret_value()
    if service in STORING:
        assert f"@{mongo(service)}:27017/{settings.database}?" in settings.mongo_url.get_secret_value()


def test_the_gateway_knows_every_service_by_a_name_that_stands_for_all_its_containers() -> None:
    upstreams = json.loads(CONTAINERS["gateway"]["environment"]["MISSION_UPSTREAMS"])
    assert upstreams == {service: [f"http://{service}:8000"] for service in STORING}
    assert " --port 8000 " in DOCKERFILE
    assert not [name for name, container in CONTAINERS.items() if "container_name" in container]


def test_only_the_gateway_the_platforms_listener_and_the_mails_can_be_reached_and_only_from_this_machine() -> None:
    published = {name: container["ports"] for name, container in CONTAINERS.items() if "ports" in container}
    ports = Ports()
    assert published == {
        "gateway": [f"127.0.0.1:{ports.gateway}:8000"],
        "kafka": [f"127.0.0.1:{ports.kafka_platforms}:9094"],
        "mail": [f"127.0.0.1:{ports.smtp}:8025"],
    }


def test_every_container_that_stays_says_whether_it_is_healthy_and_those_that_end_do_not() -> None:
    assert "\nHEALTHCHECK " in DOCKERFILE
    for name, container in CONTAINERS.items():
        check = container.get("healthcheck")
        if name in ONCE:
            assert check == {"disable": True}, name
            assert container["restart"] == "no", name
        else:
            assert container["image"] == IMAGE or (check and check["test"]), name
            assert container["restart"] == "unless-stopped", name


def test_every_container_is_bounded_and_may_do_no_more_than_it_must() -> None:
    for name, container in CONTAINERS.items():
        assert {"mem_limit", "pids_limit"} <= container.keys(), name
        assert container["cap_drop"] == ["ALL"], name
        assert container["security_opt"] == ["no-new-privileges:true"], name
        if container["image"] == IMAGE:
            assert container["read_only"], name
    assert [name for name, container in CONTAINERS.items() if "cap_add" in container] == ["secrets"]


def test_nothing_of_ours_runs_as_root_but_what_hands_out_the_secrets_and_that_has_no_network() -> None:
    users = re.findall(r"^USER (\S+)$", DOCKERFILE, re.MULTILINE)
    assert users == [f"{SERVICE_USER}:{SERVICE_USER}"]
    assert [name for name, container in CONTAINERS.items() if container.get("user", "").startswith("0")] == ["secrets"]
    assert CONTAINERS["secrets"]["network_mode"] == "none"


def test_images_are_pinned_and_kafka_is_the_one_that_runs_without_containers() -> None:
    images = {container["image"] for container in CONTAINERS.values()}
    images |= set(re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE))
    for image in images:
        _, _, tag = image.partition(":")
        assert tag, image
        assert tag != "latest", image
    assert CONTAINERS["kafka"]["image"] == f"apache/kafka:{KAFKA_JAR.rpartition(':')[2]}"
    assert {container["image"] for name, container in CONTAINERS.items() if name in (*SERVICES, *ONCE)} == {IMAGE}


def test_services_wait_for_what_they_cannot_do_without() -> None:
    healthy, done = {"condition": "service_healthy"}, {"condition": "service_completed_successfully"}
    databases = {mongo(service): healthy for service in STORING}
    for service in SERVICES:
        own = {mongo(service): healthy} if service in STORING else {}
        assert {"bootstrap": done, "kafka": healthy, **own}.items() <= CONTAINERS[service]["depends_on"].items()
    assert CONTAINERS["bootstrap"]["depends_on"] == {"secrets": done, "kafka": healthy, **databases}
    for name in ("kafka", *databases):
        assert CONTAINERS[name]["depends_on"] == {"secrets": done}
    assert bootstrap.__module__ in CONTAINERS["bootstrap"]["command"]


def test_each_container_mounts_its_own_secrets_and_can_only_read_them() -> None:
    handed_out = {part.container for part in PARTS}
    expected = [f"{container}-secrets:/handed-out/{container}" for container in sorted(handed_out)]
    assert sorted(secrets_of("secrets")) == expected
    for container in CONTAINERS.keys() - {"secrets", "mail"}:
        (volume,) = secrets_of(container)
        name, _, mode = volume.split(":")
        assert (name, mode) == (f"{container}-secrets", "ro")
    assert handed_out == CONTAINERS.keys() - {"secrets", "mail"}


def test_the_file_holds_no_secret() -> None:
    for name, container in CONTAINERS.items():
        for variable, value in container.get("environment", {}).items():
            if re.search("PASSWORD|KEY|TOKEN|SECRET", variable):
                assert str(value).startswith("/run/secrets/"), f"{name}: {variable}"


def test_data_is_in_named_volumes_and_the_machine_shares_only_the_platforms_own_folder() -> None:
    mounted = [volume.split(":") for container in CONTAINERS.values() for volume in container.get("volumes", ())]
    folders = {source for source, *_ in mounted if source.startswith(".")}
    assert {(ROOT / folder).parent for folder in folders} == {HOME}
    assert {source for source, *_ in mounted} - folders == COMPOSE["volumes"].keys()


def test_the_secrets_are_for_their_owner_only_and_stay_the_same(tmp_path: Path) -> None:
    secrets = Secrets(tmp_path)
    make(secrets)
    files = {path: path.read_text() for path in tmp_path.rglob("*") if path.is_file()}
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}
    make(secrets)
    assert {path: path.read_text() for path in files} == files
    passwords = [text for path, text in files.items() if path.name in ("password", "keyfile", "mission_mongo_password")]
    assert len(set(passwords)) == 3 * len(STORING)


def test_the_broker_is_set_as_the_one_without_containers_and_only_the_first_sign_in_differs(tmp_path: Path) -> None:
    make(Secrets(tmp_path), "127.0.0.1:18082")
    lines = (tmp_path / "kafka" / "server.properties").read_text().splitlines()
    found = dict(line.split("=", 1) for line in lines)
    differing = {name for name, value in SETTINGS.items() if found[name] != str(value)}
    assert differing == {
        "sasl.mechanism.inter.broker.protocol",
        "listener.name.internal.sasl.enabled.mechanisms",
    }
    assert found["advertised.listeners"] == f"INTERNAL://{KAFKA},PLATFORMS://127.0.0.1:18082"
    assert found["allow.everyone.if.no.acl.found"] == "false"


def test_tests_in_containers_run_on_the_same_images() -> None:
    containers = importlib.import_module("infra.containers")
    assert CONTAINERS["kafka"]["image"] == containers.KAFKA_IMAGE
    assert {CONTAINERS[mongo(service)]["image"] for service in STORING} == {containers.MONGO_IMAGE}
