"""What deploy/ allows the shop's programs: no more than they need."""

import re
from configparser import RawConfigParser
from pathlib import Path

import pytest
import yaml
from django.conf import settings

from project.keys import fault_of
from realtime import file_budget

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
KUBERNETES = list(yaml.safe_load_all((DEPLOY / "kubernetes/shop.yaml").read_text()))
SERVERS = ("pages1", "pages2", "sockets1", "sockets2")
COMPOSE = yaml.safe_load((DEPLOY / "docker/compose.yaml").read_text())["services"]
UNITS = sorted((DEPLOY / "systemd").glob("*.service"))
PODS = {
    told["metadata"]["name"]: told["spec"]["template"]["spec"]
    for told in KUBERNETES
    if told["kind"] in ("Deployment", "StatefulSet", "DaemonSet", "Job", "CronJob")
}
CONTAINERS = [
    pytest.param(container, id=f"{pod}/{container['name']}")
    for pod, spec in PODS.items()
    for container in [*spec["containers"], *spec.get("initContainers", [])]
]
# What `systemd-analyze security` asks of every service. Left out are those that the
# shop cannot bear: it talks to networks, and Python's foreign functions make code.
SANDBOX = {
    "NoNewPrivileges": "yes",
    "CapabilityBoundingSet": "",
    "PrivateTmp": "yes",
    "PrivateDevices": "yes",
    "PrivateUsers": "yes",
    "ProtectSystem": "strict",
    "ProtectHome": "yes",
    "ProtectProc": "invisible",
    "ProtectClock": "yes",
    "ProtectHostname": "yes",
    "ProtectControlGroups": "yes",
    "ProtectKernelLogs": "yes",
    "ProtectKernelModules": "yes",
    "ProtectKernelTunables": "yes",
    "RestrictAddressFamilies": "AF_UNIX AF_INET AF_INET6",
    "RestrictNamespaces": "yes",
    "RestrictRealtime": "yes",
    "RestrictSUIDSGID": "yes",
    "LockPersonality": "yes",
    "RemoveIPC": "yes",
    "SystemCallArchitectures": "native",
    "SystemCallErrorNumber": "EPERM",
}


# --- Kubernetes -------------------------------------------------------------------


@pytest.mark.parametrize("pod", PODS)
def test_pod_runs_as_nobody_in_particular_and_knows_no_token(pod):
    spec = PODS[pod]
    security = spec["securityContext"]

    assert security["runAsNonRoot"] is True and security["runAsUser"] > 0
    assert security["seccompProfile"] == {"type": "RuntimeDefault"}
    assert spec["automountServiceAccountToken"] is False
    assert not {"hostNetwork", "hostPID", "hostIPC"} & spec.keys()


@pytest.mark.parametrize("container", CONTAINERS)
def test_container_may_do_nothing_special_and_has_limits(container):
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    for kind in ("requests", "limits"):
        assert container["resources"][kind].keys() == {"cpu", "memory"}
    # The one place outside the shop's files that libraries write to.
    assert "/tmp" in [mount["mountPath"] for mount in container["volumeMounts"]]


def test_every_pod_is_under_a_policy_for_both_ways():
    policies = {
        manifest["metadata"]["name"]: manifest["spec"]
        for manifest in KUBERNETES
        if manifest["kind"] == "NetworkPolicy"
    }
    (rule,) = policies["shop"]["podSelector"]["matchExpressions"]

    assert set(rule["values"]) == PODS.keys()
    assert policies["shop"]["policyTypes"] == ["Ingress", "Egress"]
    assert "ingress" not in policies["shop"]  # nobody
    (servers,) = policies["shop-servers"]["podSelector"]["matchExpressions"]
    assert servers["values"] == ["shop-pages", "shop-sockets"]
    (allowed,) = policies["shop-servers"]["ingress"]
    assert allowed["from"] and allowed["ports"] == [{"port": "http", "protocol": "TCP"}]


# --- Docker -----------------------------------------------------------------------


def test_compose_can_be_reached_from_this_machine_unless_told_otherwise():
    ports = [port for each in COMPOSE.values() for port in each.get("ports", [])]

    assert ports == ["${SHOP_BIND:-127.0.0.1}:8080:80"]


@pytest.mark.parametrize("name", [*SERVERS, "worker", "beat", "migrate"])
def test_container_of_the_shop_has_no_capabilities_and_writes_to_its_volumes(name):
    container = COMPOSE[name]

    assert container["cap_drop"] == ["ALL"]
    assert container["read_only"] is True and container["tmpfs"] == ["/tmp"]


@pytest.mark.parametrize("name", COMPOSE)
def test_no_container_gains_privileges(name):
    assert "no-new-privileges:true" in COMPOSE[name]["security_opt"]


# --- systemd ----------------------------------------------------------------------


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_service_is_in_a_sandbox(unit):
    parser = RawConfigParser(strict=False, allow_no_value=True)
    parser.optionxform = str
    parser.read_string(unit.read_text())
    service = parser["Service"]

    assert {name: service.get(name) for name in SANDBOX} == SANDBOX
    calls = re.findall(r"^SystemCallFilter=(.*)$", unit.read_text(), re.M)
    assert calls == ["@system-service", "~@privileged @resources"]
    assert service["User"] == "shop"


def test_there_are_services():
    assert len(UNITS) == 4


# --- Open files -------------------------------------------------------------------


def files_of_a_server() -> dict[str, int]:
    """How many each way to run the shop gives a process that serves sockets."""
    return {
        "systemd": files_of_a_unit("sockets"),
        **{name: COMPOSE[name]["ulimits"]["nofile"] for name in SERVERS},
    }


def files_of_a_unit(role: str) -> int:
    unit = (DEPLOY / f"systemd/shop-{role}@.service").read_text()
    return int(re.search(r"^LimitNOFILE=(\d+)$", unit, re.M)[1])


def test_server_has_files_for_all_the_sockets_that_it_may_take():
    for name, files in files_of_a_server().items():
        assert (
            files >= file_budget.own() + file_budget.pages() + settings.LIVE["SOCKETS"]
        ), name


def test_server_of_pages_has_files_for_all_the_connections_that_it_may_need():
    needed = settings.HTTP["CONNECTIONS"] + settings.HTTP_QUEUE + settings.HTTP_THREADS

    assert files_of_a_unit("pages") >= file_budget.own() + needed


@pytest.mark.parametrize("name", ["nginx/shop.conf", "docker/nginx.conf"])
def test_nginx_has_files_for_all_its_connections(name):
    text = (DEPLOY / name).read_text()
    files = int(re.search(r"worker_rlimit_nofile (\d+);", text)[1])
    connections = int(re.search(r"worker_connections (\d+);", text)[1])

    assert files > connections > 2 * 10_000  # a socket takes two


# --- nginx ------------------------------------------------------------------------


@pytest.mark.parametrize("path", sorted(DEPLOY.rglob("*.conf")), ids=lambda p: p.name)
def test_nginx_sends_nobody_to_a_name_that_the_client_chose(path):
    text = path.read_text()

    assert not re.search(r"return 30\d [^;]*\$(http_)?host", text)


@pytest.mark.parametrize("name", ["nginx/shop.conf", "docker/nginx.conf"])
def test_nginx_logs_in_the_format_without_secrets(name):
    text = (DEPLOY / name).read_text()

    logs = re.findall(r"access_log (\S+)(?: (\w+))?;", text)
    assert [form for place, form in logs if place != "off"] == ["shop"]
    assert "include /etc/nginx/shop-http.conf;" in text
    form = (DEPLOY / "nginx/shop-http.conf").read_text().partition("log_format")[2]
    secret = r"\$(request|request_uri|args|uri|http_referer|http_cookie|query_string)\b"
    assert not re.search(secret, form)


# --- The key ----------------------------------------------------------------------


@pytest.mark.parametrize("name", ["systemd/shop.env", "kubernetes/shop.yaml"])
def test_key_of_an_example_does_not_start_the_shop(name):
    match = re.search(r"SECRET_KEY[=:] ?(.+)", (DEPLOY / name).read_text())

    assert fault_of(match[1]) is not None
