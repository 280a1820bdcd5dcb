"""A load test of the shop, from outside: many sockets, shoppers who buy, a verdict.

`python -m realtime.loadtest` needs Python alone, no Django and nothing installed, so it
runs on whatever machine has the cores; `manage.py loadtest` also checks the books.

- `options`: the flags, their limits, whose host may be loaded
- `wire`, `visit`: a WebSocket and an HTTP client that cost little themselves
- `watchers`: sockets that keep what a page would show, and time what they hear
- `shoppers`: people who hold, let go, and order
- `phases`: what happens when; `vitals`: what the server and this program spend;
  `processes`: which processes of the server are asked for that
- `team`, `merging`: several generators that make one test, and what they found as one
- `measures`, `gates`, `report`: the figures, the verdict, and how both are told
"""
