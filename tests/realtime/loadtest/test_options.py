"""The flags of a load test."""

import argparse
import subprocess
import sys
from pathlib import Path

import pytest

from realtime import protocol
from realtime.loadtest import options
from tests.realtime.loadtest.runs import parse_flags

ROOT = Path(protocol.__file__).parent.parent


@pytest.mark.parametrize("host", ["example.com", "192.0.2.7", "0.0.0.0"])
def test_remote_host_is_refused_unless_its_name_is_repeated(host):
    url = f"http://{host}:8000"

    with pytest.raises(ValueError, match="--i-own-this-host"):
        parse_flags("--url", url)
    with pytest.raises(ValueError, match="--i-own-this-host"):
        parse_flags("--url", url, "--i-own-this-host", "another.example")

    assert parse_flags("--url", url, "--i-own-this-host", host).url == url


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.9.9.9", "[::1]"])
def test_host_on_this_machine_needs_no_confirmation(host):
    assert parse_flags("--url", f"http://{host}:8000/").url == f"http://{host}:8000"


@pytest.mark.parametrize(
    "arguments",
    [
        ("--sockets", "1000001"),
        ("--sockets", "0"),
        ("--rate", "0"),
        ("--rate", "5001"),
        ("--duration", "3601"),
        ("--duration", "inf"),
        ("--phases", "connect,nap"),
        ("--expect", "speed<3"),
        ("--limit", "0"),
        ("--hidden", "1.1"),
        ("--hidden", "-0.1"),
        ("--hidden", "nan"),
        ("--limit", "99999"),
    ],
)
def test_flag_beyond_its_limits_is_refused(arguments):
    with pytest.raises(argparse.ArgumentError):
        parse_flags(*arguments)


@pytest.mark.parametrize("file", ["/nowhere/at/all.json", "/tmp"])
def test_report_that_cannot_be_written_is_refused_at_the_start(file):
    with pytest.raises(ValueError, match="cannot be written"):
        parse_flags("--json", file)


@pytest.mark.parametrize("url", ["http://localhost/?a=b", "http://localhost/shop#a"])
def test_url_with_more_than_a_path_is_refused(url):
    with pytest.raises(ValueError, match="leave out what follows the path"):
        parse_flags("--url", url)


def test_url_keeps_its_path():
    assert parse_flags("--url", "http://localhost/shop/").url == "http://localhost/shop"


def test_phases_keep_their_order_and_always_connect_and_drain():
    assert parse_flags("--phases", "storm,fanout").phases == (
        *("connect", "fanout", "storm", "drain"),
    )


def test_many_sockets_come_from_several_addresses():
    assert parse_flags("--sockets", "28000").source == []
    assert parse_flags("--sockets", "28001").source == ["127.0.0.1", "127.0.0.2"]
    with pytest.raises(ValueError, match="--source"):
        parse_flags("--sockets", "60000", "--source", "127.0.0.1")


def test_help_works_with_python_alone():
    """No Django, nothing installed: `-S` hides site-packages."""
    command = [sys.executable, "-S", "-m", "realtime.loadtest", "--help"]

    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)

    assert done.returncode == 0, done.stderr
    assert "--i-own-this-host" in done.stdout


@pytest.mark.parametrize(
    "address",
    [
        *("localhost:8001", "http://", "http://h/metrics/x", "http://h/metrics?a=b"),
        *("unix:run/a", "unix:", "ftp://h/metrics"),
    ],
)
def test_invalid_address_of_a_process_is_refused(address):
    with pytest.raises(argparse.ArgumentError):
        parse_flags("--metrics", address)


def test_process_that_is_named_twice_is_refused():
    with pytest.raises(ValueError, match="127.0.0.1:1 twice"):
        parse_flags(
            "--metrics", "http://127.0.0.1:1", "--metrics", "http://127.0.0.1:1"
        )


@pytest.mark.parametrize("name, value", [("url", "ftp://x"), ("sockets", 10**7)])
def test_flags_from_the_leader_have_the_usual_limits(name, value):
    own = parse_flags("--join", "127.0.0.1:1", "--code", "c", "--i-own-this-host", "x")

    with pytest.raises(ValueError):
        options.from_leader(
            options.for_generator(parse_flags(), False) | {name: value}, own, 2
        )


def test_follower_refuses_a_host_that_it_did_not_confirm():
    own = parse_flags("--join", "127.0.0.1:1", "--code", "c")
    message = options.for_generator(parse_flags("--url", "http://localhost:1"), False)

    with pytest.raises(ValueError, match="--i-own-this-host localhost"):
        options.from_leader(message, own, 2)


def test_leader_sends_no_process_addresses_to_other_machines():
    leader = parse_flags("--metrics", "unix:/run/pages.1")
    ours, theirs = (options.for_generator(leader, is_ours) for is_ours in (True, False))
    own = parse_flags(
        *("--join", "127.0.0.1:1", "--code", "c", "--i-own-this-host", "localhost")
    )

    assert ours["metrics"] == ["unix:/run/pages.1"]
    assert options.from_leader(theirs, own, 2).metrics == []


def test_leader_sends_no_token_to_other_machines():
    assert "metrics_token" not in options.for_generator(
        parse_flags("--metrics-token", "x"), False
    )


@pytest.mark.parametrize("place", ["9000", "host:", ":9000", "host:x", "host:70000"])
def test_invalid_address_to_listen_at_is_refused(place):
    with pytest.raises(argparse.ArgumentError):
        parse_flags("--listen", place)


def test_automatic_processes_are_limited_by_processors_and_sockets():
    assert parse_flags("--processes", "auto").processes >= 1
    assert parse_flags("--processes", "auto", "--sockets", "1").processes == 1
    with pytest.raises(ValueError, match="too many"):
        parse_flags("--processes", "4", "--sockets", "3")


def test_machines_share_the_ports_of_an_address():
    flags = ("--listen", "127.0.0.1:0", "--joining", "3")

    assert parse_flags("--sockets", "100000", *flags).source == []


def test_leader_sends_every_flag_that_changes_the_load():
    parser = argparse.ArgumentParser()
    options.add_to(parser)
    of_the_leader = {"help", "expect", "json", "html", "csv", "source", "shared"}
    of_the_leader |= {"processes", "listen", "joining", "join", "code", "metrics"}

    known = {action.dest for action in parser._actions}

    assert known - of_the_leader == {*options.SENT, *options.PRIVATE}
