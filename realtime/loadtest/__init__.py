"""A load test of the shop, from outside: many sockets, shoppers who buy, a verdict.

`python -m realtime.loadtest` needs only Python, without Django or anything installed,
so it runs on any machine that has the processors. `manage.py loadtest` also checks the
shop's books.

- `command`: from the flags to the exit code; `options`: the flags and their limits;
  `targets`: which hosts may be loaded, and from which addresses
- `run`, `phases`: one test and what happens in it; `crowd`: its people
- `watchers`: sockets that show what a page would show; `shoppers`: people who hold
  units, give them back, and order; `ledger`: what all of these measure
- `drops`, `fairness`: people in the waiting room of a drop, and whether it was fair
- `wire`, `visit`: WebSocket and HTTP clients that cost little themselves
- `vitals`: CPU and memory of the server and of this program; `server_metrics`: what
  `/metrics` says; `processes`: the addresses of the server's processes
- `team`, `follower`, `link`, `merging`: several generators that make one test
- `measures`, `conclusions`, `gates`: percentiles, figures and complaints, the verdict
- `report`, `report_text`, `report_html`, `plots`: how all of it is presented
"""
