"""What deploy/ says for other machines agrees with the code, and with itself."""

import re
from pathlib import Path

import env_file
import pytest
import yaml
from django.conf import settings

from realtime.server.server import CLOSE_TIMEOUT_S
from realtime.server.shutdown import THREADS_END_S

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
KUBERNETES = list(yaml.safe_load_all((DEPLOY / "kubernetes/shop.yaml").read_text()))
COMPOSE = yaml.safe_load((DEPLOY / "docker/compose.yaml").read_text())["services"]
UNITS = {
    role: (DEPLOY / f"systemd/shop-{role}@.service").read_text()
    for role in ("pages", "sockets")
}
# The services of Compose, two of each kind.
CONTAINERS = {"pages": ("pages1", "pages2"), "sockets": ("sockets1", "sockets2")}
PINGS = {"--ping-interval": "25", "--ping-timeout": "10"}
# Of the settings file, but said elsewhere or of no use to anybody but tests.
PRIVATE = {"LAYER_PREFIX"}


def seconds(text: str) -> int:
    return int(text.rstrip("s"))


def of_kind(kind: str, name: str) -> dict:
    """What Kubernetes is told of one thing."""
    for manifest in KUBERNETES:
        if (manifest["kind"], manifest["metadata"]["name"]) == (kind, name):
            return manifest
    raise LookupError(name)


def drain_s(notice_s: float) -> float:
    """The longest that a process takes to stop: sockets, then pages, then threads."""
    return notice_s + 2 * settings.LIVE["DRAIN_S"] + CLOSE_TIMEOUT_S + THREADS_END_S


def options(command: str) -> dict[str, str]:
    """The options of a command line however it is written down."""
    words = re.sub(r"[\\,\"\[\]=]", " ", command).split()
    return {word: words[words.index(word) + 1] for word in PINGS}


def test_every_variable_of_the_settings_is_in_the_table():
    source = "\n".join(path.read_text() for path in env_file.sources())
    read = set(re.findall(r"env\.\w+\(\s*\"([A-Z_]+)\"", source))
    source = Path(settings.BASE_DIR, "project/bucket.py").read_text()
    read |= set(re.findall(r"text\(\"([A-Z_]+)\"\)", source))
    names_in_table = set(
        re.findall(r"`([A-Z][A-Z_0-9]+)`", (DEPLOY / "README.md").read_text())
    )

    assert len(read) > 50
    assert read - names_in_table - PRIVATE == set()


def pod_of(name: str) -> dict:
    return of_kind("Deployment", name)["spec"]["template"]["spec"]


def test_every_machine_starts_our_server_with_the_same_pings():
    procfile = (DEPLOY / "local/Procfile").read_text().splitlines()[0]
    behind_nginx = (DEPLOY / "local/Procfile.nginx").read_text().splitlines()[1:3]
    dockerfile = (DEPLOY / "docker/Dockerfile").read_text()
    dockerfile = dockerfile[dockerfile.index("CMD") :]
    commands = [procfile, *behind_nginx, dockerfile, *UNITS.values()]
    for role, names in CONTAINERS.items():
        commands += [" ".join(COMPOSE[name]["command"]) for name in names]
        (container,) = pod_of(f"shop-{role}")["containers"]
        commands.append(" ".join(container["command"]))
    assert len(commands) == 12
    for command in commands:
        assert "realtime.server" in command and "project.asgi:application" in command
        assert options(command) == PINGS


def test_every_machine_says_which_role_a_process_has():
    for role, names in CONTAINERS.items():
        assert f"realtime.server --role {role} " in UNITS[role]
        assert all(f"--role={role}" in COMPOSE[name]["command"] for name in names)
        (container,) = pod_of(f"shop-{role}")["containers"]
        assert f"--role={role}" in container["command"]


def test_services_of_pages_and_sockets_differ_in_nothing_else():
    """A change to one is a change to both."""
    pages, sockets = (
        [line for line in unit.splitlines() if not line.startswith("#")]
        for unit in UNITS.values()
    )
    differ = [line for line in sockets if line not in pages]

    assert [line.split("=")[0] for line in differ] == [
        "Description",
        "ExecStart",
        "LimitNOFILE",
    ]


def test_ingress_sends_sockets_to_their_service():
    (rule,) = of_kind("Ingress", "shop")["spec"]["rules"]
    services = {
        (path["path"], path["pathType"]): path["backend"]["service"]["name"]
        for path in rule["http"]["paths"]
    }

    assert services[("/ws/", "Exact")] == "shop-sockets"
    assert services[("/", "Prefix")] == "shop-pages"
    for name in ("shop-pages", "shop-sockets"):
        selector = of_kind("Service", name)["spec"]["selector"]
        pod = of_kind("Deployment", name)["spec"]["template"]
        budget = of_kind("PodDisruptionBudget", name)["spec"]["selector"]["matchLabels"]
        assert selector == budget == pod["metadata"]["labels"] == {"app": name}


@pytest.mark.parametrize("name", ["nginx/shop.conf", "docker/nginx.conf"])
def test_nginx_has_processes_for_pages_and_others_for_sockets(name):
    text = (DEPLOY / name).read_text()
    servers = {
        upstream: re.findall(r"^\s*server (\S+)", block, re.MULTILINE)
        for upstream, block in re.findall(
            r"upstream (\w+) \{(.*?)\n *\}", text, re.DOTALL
        )
    }

    assert servers.keys() == {"shop", "shop_sockets"}
    assert {len(names) for names in servers.values()} == {2}
    assert not set(servers["shop"]) & set(servers["shop_sockets"])
    if name.startswith("docker"):
        expected = {"shop": CONTAINERS["pages"], "shop_sockets": CONTAINERS["sockets"]}
        for upstream, names in expected.items():
            assert servers[upstream] == [f"{each}:8000" for each in names]


def test_units_of_the_target_are_where_nginx_and_prometheus_look():
    target = (DEPLOY / "systemd/shop.target").read_text()
    started = re.findall(r"shop-(?:pages|sockets)@(\d+)", target)
    nginx = re.findall(
        r"server 127.0.0.1:(\d+)", (DEPLOY / "nginx/shop.conf").read_text()
    )
    scraped = (
        (DEPLOY / "prometheus/prometheus.yml").read_text().partition("alerting:")[0]
    )

    assert started == nginx == re.findall(r"127.0.0.1:(\d+)", scraped)


def test_every_machine_waits_for_the_drain():
    notice_s = float(of_kind("ConfigMap", "shop")["data"]["LIVE_NOTICE_S"])

    for role, names in CONTAINERS.items():
        pod = pod_of(f"shop-{role}")
        assert pod["terminationGracePeriodSeconds"] > drain_s(notice_s)
        for name in names:
            assert seconds(COMPOSE[name]["stop_grace_period"]) > drain_s(0)
        unit = re.search(r"^TimeoutStopSec=(\d+)$", UNITS[role], re.MULTILINE)[1]
        assert int(unit) > drain_s(0)


def test_every_machine_waits_for_the_longest_task():
    pod = of_kind("Deployment", "shop-worker")["spec"]["template"]["spec"]
    unit = (DEPLOY / "systemd/shop-worker.service").read_text()
    graces = [
        pod["terminationGracePeriodSeconds"],
        seconds(COMPOSE["worker"]["stop_grace_period"]),
        int(re.search(r"^TimeoutStopSec=(\d+)$", unit, re.MULTILINE)[1]),
    ]

    assert min(graces) > settings.CELERY_TASK_TIME_LIMIT


@pytest.mark.parametrize("role", CONTAINERS)
def test_every_machine_asks_readyz_before_it_sends_visitors(role):
    (probes,) = pod_of(f"shop-{role}")["containers"]

    assert probes["readinessProbe"]["httpGet"]["path"] == "/readyz"
    assert probes["livenessProbe"]["httpGet"]["path"] == "/healthz"
    for name in CONTAINERS[role]:
        assert "/readyz" in COMPOSE[name]["healthcheck"]["test"][-1]
    assert re.search(r"^ExecStartPost=.*/readyz$", UNITS[role], re.MULTILINE)


def test_pods_share_no_volume():
    kinds = {manifest["kind"] for manifest in KUBERNETES}
    pods = [
        manifest["spec"]["template"]["spec"]
        for manifest in KUBERNETES
        if manifest["kind"] == "Deployment"
    ]
    volumes = [volume for pod in pods for volume in pod["volumes"]]

    assert len(pods) == 4 and "PersistentVolumeClaim" not in kinds
    assert all("emptyDir" in volume for volume in volumes)
    assert of_kind("ConfigMap", "shop")["data"]["MEDIA_BUCKET"]
    assert "AWS_SECRET_ACCESS_KEY" in of_kind("Secret", "shop")["stringData"]


def test_image_can_have_what_a_bucket_needs():
    dockerfile = (DEPLOY / "docker/Dockerfile").read_text()
    ignored = (DEPLOY / "docker/Dockerfile.dockerignore").read_text()

    for line in re.findall(r"^COPY (.+) \S+$", dockerfile, re.MULTILINE):
        for name in line.split():
            assert f"!{name}\n" in ignored
    assert "${BUCKET:+-r requirements-bucket.txt}" in dockerfile
