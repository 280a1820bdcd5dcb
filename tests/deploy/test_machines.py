"""What deploy/ says for other machines agrees with the code, and with itself."""

import re
from pathlib import Path

import yaml
from django.conf import settings

from realtime.server import CLOSE_S, LAST_S

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
KUBERNETES = list(yaml.safe_load_all((DEPLOY / "kubernetes/shop.yaml").read_text()))
COMPOSE = yaml.safe_load((DEPLOY / "docker/compose.yaml").read_text())["services"]
WEB_UNIT = (DEPLOY / "systemd/shop-web@.service").read_text()
PINGS = {"--ping-interval": "25", "--ping-timeout": "10"}
# Of the settings file, but said elsewhere or of no use to anybody but tests.
PRIVATE = {"LAYER_PREFIX"}


def seconds(text: str) -> int:
    return int(text.rstrip("s"))


def of_kind(kind: str, name: str) -> dict:
    """What Kubernetes is told of one thing."""
    for told in KUBERNETES:
        if (told["kind"], told["metadata"]["name"]) == (kind, name):
            return told
    raise LookupError(name)


def drain_s(notice_s: float) -> float:
    """The longest that a process takes to stop: sockets, then pages, then threads."""
    return notice_s + 2 * settings.LIVE["DRAIN_S"] + CLOSE_S + LAST_S


def options(command: str) -> dict[str, str]:
    """The options of a command line however it is written down."""
    words = re.sub(r"[\\,\"\[\]]", " ", command).split()
    return {word: words[words.index(word) + 1] for word in PINGS}


def test_every_variable_of_the_settings_is_in_the_table():
    source = Path(settings.BASE_DIR, "project/settings.py").read_text()
    read = set(re.findall(r"env\.\w+\(\s*\"([A-Z_]+)\"", source))
    source = Path(settings.BASE_DIR, "project/bucket.py").read_text()
    read |= set(re.findall(r"text\(\"([A-Z_]+)\"\)", source))
    told = set(re.findall(r"`([A-Z][A-Z_0-9]+)`", (DEPLOY / "README.md").read_text()))

    assert len(read) > 50
    assert read - told - PRIVATE == set()


def test_every_machine_starts_our_server_with_the_same_pings():
    procfile = (DEPLOY / "local/Procfile").read_text().splitlines()[0]
    dockerfile = (DEPLOY / "docker/Dockerfile").read_text()
    dockerfile = dockerfile[dockerfile.index("CMD") :]
    for command in (procfile, WEB_UNIT, dockerfile):
        assert "realtime.server" in command
        assert options(command) == PINGS


def test_every_machine_waits_for_the_drain():
    notice_s = float(of_kind("ConfigMap", "shop")["data"]["LIVE_NOTICE_S"])
    pod = of_kind("Deployment", "shop-web")["spec"]["template"]["spec"]
    unit = re.search(r"^TimeoutStopSec=(\d+)$", WEB_UNIT, re.MULTILINE)[1]

    assert pod["terminationGracePeriodSeconds"] > drain_s(notice_s)
    assert seconds(COMPOSE["web1"]["stop_grace_period"]) > drain_s(0)
    assert seconds(COMPOSE["web2"]["stop_grace_period"]) > drain_s(0)
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


def test_every_machine_asks_readyz_before_it_sends_visitors():
    pod = of_kind("Deployment", "shop-web")["spec"]["template"]["spec"]
    probes = pod["containers"][0]

    assert probes["readinessProbe"]["httpGet"]["path"] == "/readyz"
    assert probes["livenessProbe"]["httpGet"]["path"] == "/healthz"
    assert "/readyz" in COMPOSE["web1"]["healthcheck"]["test"][-1]
    assert re.search(r"^ExecStartPost=.*/readyz$", WEB_UNIT, re.MULTILINE)


def test_pods_share_no_volume():
    kinds = {told["kind"] for told in KUBERNETES}
    pods = [
        told["spec"]["template"]["spec"]
        for told in KUBERNETES
        if told["kind"] == "Deployment"
    ]
    volumes = [volume for pod in pods for volume in pod["volumes"]]

    assert len(pods) == 3 and "PersistentVolumeClaim" not in kinds
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
