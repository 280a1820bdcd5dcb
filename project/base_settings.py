"""Settings that others depend on: the environment, paths, the site's address.

`make run` writes `.local/env` with the addresses of the servers it started, so that
a second terminal (`manage.py shell`) finds them. Variables of the environment win.
"""

from pathlib import Path

from project import site_address
from project.environment import Env

BASE_DIR = Path(__file__).resolve().parent.parent

env = Env()
LOCAL_DIR = Path(env.str("SHOP_LOCAL_DIR", str(BASE_DIR / ".local")))
if (LOCAL_DIR / "env").is_file():
    Env.read_env(LOCAL_DIR / "env")

DEBUG = env.bool("DEBUG", False)

site = site_address.parsed(env.str("DOMAIN_NAME", "http://localhost:8000"))
