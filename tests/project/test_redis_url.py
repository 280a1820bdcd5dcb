"""What each user of Redis gets from REDIS_URL, and what is refused."""

import pytest
import redis.asyncio.connection
import redis.connection
from django.core.exceptions import ImproperlyConfigured
from kombu import Connection
from kombu.utils.url import parse_url

from project import redis_url
from tests.support.redis_servers import QUOTED, SECRET
from tests.support.tls import make_certificate

SENTINELS = (("a", 26379), ("b", 26380), ("::1", 26379))


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("redis://h", {"servers": (("h", 6379),), "db": 0, "tls": {}}),
        ("redis://h:6380/3", {"servers": (("h", 6380),), "db": 3}),
        ("redis://h/?db=4", {"db": 4}),
        ("REDIS://h/5?db=5", {"db": 5}),
        ("redis://[::1]:6380", {"servers": (("::1", 6380),)}),
        ("redis://red_is.svc-1/0/", {"servers": (("red_is.svc-1", 6379),)}),
        ("redis://h", {"username": None, "password": None}),
        ("redis://:pw@h", {"username": None, "password": "pw"}),
        ("redis://shop@h", {"username": "shop", "password": None}),
        (f"redis://a%40b:{QUOTED}@h", {"username": "a@b", "password": SECRET}),
        ("redis://u:a@b:c@h", {"username": "u", "password": "a@b:c"}),
        ("unix:///run/r.sock", {"path": "/run/r.sock", "servers": (), "db": 0}),
        (
            f"unix://shop:{QUOTED}@/run/a%20b.sock?db=2",
            {"path": "/run/a b.sock", "username": "shop", "password": SECRET, "db": 2},
        ),
        (
            "redis+sentinel://a,b:26380,[::1]/my%20master/6",
            {"servers": SENTINELS, "master": "my master", "db": 6, "password": None},
        ),
        ("redis+sentinel://a/m?db=7", {"master": "m", "db": 7}),
        (
            f"redis+sentinel://u:{QUOTED}@a/m"
            f"?sentinel_username=s&sentinel_password={QUOTED}",
            {
                "username": "u",
                "password": SECRET,
                "sentinel_username": "s",
                "sentinel_password": SECRET,
            },
        ),
    ],
)
def test_redis_url_says_where_redis_is_and_how_to_sign_in(url, expected):
    parsed = redis_url.parse(url)

    assert {name: getattr(parsed, name) for name in expected} == expected


@pytest.mark.parametrize("scheme", ["rediss://h", "rediss+sentinel://h/m"])
@pytest.mark.parametrize(
    ("query", "verified", "named"),
    [
        ("", "required", True),
        ("?ssl_cert_reqs=required", "required", True),
        ("?ssl_check_hostname=false", "required", False),
        ("?ssl_cert_reqs=none", "none", True),
    ],
    ids=["bare", "required", "any-name", "none"],
)
def test_certificate_is_checked_for_every_user_unless_turned_off_by_name(
    scheme, query, verified, named
):
    parsed = redis_url.parse(scheme + query)
    expected = {"ssl_cert_reqs": verified, "ssl_check_hostname": named}

    assert parsed.tls == expected
    assert parsed.broker_tls == expected
    assert expected.items() <= parsed.layer_host().items()
    with parsed.client() as client:
        assert expected.items() <= client.get_connection_kwargs().items()
    if parsed.master:
        sentinel_options = parsed.broker_options["sentinel_kwargs"]
        assert (
            expected.items() <= sentinel_options.items()
            and sentinel_options["ssl"] is True
        )


def test_files_of_tls_are_those_of_the_query(tmp_path):
    path = make_certificate(tmp_path)
    files = f"ssl_ca_certs={path}&ssl_certfile={path}&ssl_keyfile={path}"

    parsed = redis_url.parse(f"rediss://h?{files}")

    assert parsed.tls["ssl_ca_certs"] == parsed.tls["ssl_certfile"] == str(path)


@pytest.mark.parametrize(
    ("url", "broker"),
    [
        ("redis://h", "redis://h:6379/0"),
        ("redis://shop@[::1]:1/2", "redis://shop:@[::1]:1/2"),
        ("rediss://:pw@h/2", "rediss://:pw@h:6379/2"),
        ("unix:///run/r.sock?db=3", "redis+socket:///run/r.sock?virtual_host=3"),
        (
            f"unix://:{QUOTED}@/run/r.sock",
            f"redis+socket://:{QUOTED}@/run/r.sock?virtual_host=0",
        ),
        (
            "redis+sentinel://:a%2Fb@h,i:7/m/4",
            "sentinel://:a%2Fb@h:26379/4;sentinel://:a%2Fb@i:7/4",
        ),
    ],
)
def test_broker_of_a_redis_address_is_the_same_redis(url, broker):
    assert redis_url.parse(url).broker_url == broker


@pytest.mark.parametrize("scheme", ["redis", "rediss", "redis+sentinel"])
def test_celery_reads_the_password_that_the_others_read(scheme):
    where = "h,i/m/2" if scheme == "redis+sentinel" else "h/2"

    parsed = redis_url.parse(f"{scheme}://shop:{QUOTED}@{where}")

    for address in Connection(parsed.broker_url).alt or [parsed.broker_url]:
        read = parse_url(address)
        assert (read["userid"], read["password"]) == ("shop", SECRET)
        assert read["virtual_host"] == "2"


@pytest.mark.parametrize(
    ("url", "kind"),
    [
        ("redis://h", "Connection"),
        ("rediss://h", "SSLConnection"),
        ("unix:///s", "UnixDomainSocketConnection"),
    ],
)
def test_layer_and_clients_connect_by_the_same_means(url, kind):
    parsed = redis_url.parse(url)

    layer = parsed.layer_host(socket_timeout=None)
    pool = parsed.pool(socket_timeout=1)

    assert layer["connection_class"] is getattr(redis.asyncio.connection, kind)
    assert layer["socket_timeout"] is None
    assert pool.connection_class is getattr(redis.connection, kind)
    assert pool.connection_kwargs["socket_timeout"] == 1


def test_secrets_are_in_no_repr():
    parsed = redis_url.parse(
        "rediss+sentinel://u:geheim@h/m?sentinel_password=geheim&ssl_password=geheim"
    )

    assert "geheim" not in repr(parsed)
    assert "geheim" not in repr(parsed.pool())


REFUSED = {
    "": "must begin with",
    "localhost:6379": "must begin with",
    ":geheim@h:6379/0": "must begin with",
    "redis:h": "must begin with",
    "http://:geheim@h": "must begin with",
    "sentinel://:geheim@h/m": "must begin with",
    "redis+cluster://:geheim@h": "Cluster",
    "rediss+cluster://h": "Cluster",
    "redis://": "must name a host",
    "redis:///0": "must name a host",
    "redis://:geheim@": "must name a host",
    "redis://h:": "must name a host",
    "redis://h:port": "must name a host",
    "redis://:geheim": "must name a host",
    "redis://h:0": "between 1 and 65535",
    "redis://h:65536": "between 1 and 65535",
    "redis://h:-1": "must name a host",
    "redis://[::1": "cannot be read",
    "redis://h,i": "several hosts",
    "redis://h/x": "by a number",
    "redis://h/-1": "by a number",
    "redis://h/1/2": "by a number",
    "redis://h/٣": "by a number",
    "redis://h/99999999999": "by a number",
    "redis://h?db=x": "by a number",
    "redis://h?db=": "no value for db",
    "redis://h/1?db=2": "differ",
    "redis://h?db=1&db=2": "twice",
    "redis://:gehe#im@h": "%23",
    "redis://:gehe/im@h": "%2F",
    "redis://:gehe?im@h": "%3F",
    "redis://:gehe[im@h": "%5B",
    "redis://:gehe im@h": "%20",
    "redis://:geheim@h\n": "line break",
    "redis://:geheim%FF@h": "cannot be read",
    "redis://:geheim\udcff@h": "cannot be read",
    "redis://h?socket_timeout=1": "'socket_timeout', which is none of db, ssl_",
    "redis://h?sentinel_password=geheim": "redis+sentinel:// alone",
    "redis://h?ssl_cert_reqs=none": "rediss:// alone",
    "unix:///s?ssl_cert_reqs=none": "rediss:// alone",
    "unix://run/redis.sock": "names no socket",
    "unix://": "names no socket",
    "unix:///": "names no socket",
    "unix:///s?db=x": "by a number",
    "redis+sentinel://h": "names no master",
    "redis+sentinel://h/": "names no master",
    "redis+sentinel:///m": "must name a host",
    "redis+sentinel://h,/m": "must name a host",
    "redis+sentinel://h,i:x/m": "must name a host",
    "redis+sentinel://h/m/x": "by a number",
    "redis+sentinel://h/m?sentinel_password=gehe+im": "%2B",
    "redis+sentinel://h/m?sentinel_password=gehe@im": "%40",
    "rediss://h?ssl_cert_reqs=optional": "required or ssl_cert_reqs=none",
    "rediss://h?ssl_cert_reqs=": "no value for ssl_cert_reqs",
    "rediss://h?ssl_check_hostname=maybe": "true or ssl_check_hostname=false",
    "rediss://h?ssl_ca_certs=/nowhere/ca.pem": "ssl_ca_certs that cannot be used",
    "rediss://h?ssl_certfile=/nowhere/c.pem": "ssl_certfile and ssl_keyfile",
    "rediss://h?ssl_keyfile=/nowhere/k.pem": "ssl_keyfile without ssl_certfile",
}


@pytest.mark.parametrize("url", REFUSED)
def test_redis_url_that_cannot_work_is_refused_in_one_line_without_secrets(url):
    with pytest.raises(ImproperlyConfigured, match=r"\AREDIS_URL .+\Z") as refused:
        redis_url.parse(url)

    assert REFUSED[url] in str(refused.value)
    assert "gehe" not in str(refused.value)
    assert refused.value.__context__ is None, "a traceback would show the address"


def test_layer_may_have_several_servers_of_any_kind():
    urls = "redis://a  rediss://b:6380/2\nredis+sentinel://c,d/m unix:///s"

    servers = redis_url.parse_all(urls, "REDIS_LAYER_URLS")

    assert servers == tuple(map(redis_url.parse, urls.split()))
    assert redis_url.parse_all("", "REDIS_LAYER_URLS") == ()


@pytest.mark.parametrize(
    ("urls", "reason"),
    [
        ("redis://a redis://b redis://a:6379/0", "names a server twice."),
        ("redis://a redis://b,c", "names several hosts"),
        ("redis://a http://b", "must begin with one of"),
    ],
)
def test_servers_of_the_layer_that_cannot_work_are_refused_by_name(urls, reason):
    with pytest.raises(ImproperlyConfigured, match=f"^REDIS_LAYER_URLS {reason}"):
        redis_url.parse_all(urls, "REDIS_LAYER_URLS")
