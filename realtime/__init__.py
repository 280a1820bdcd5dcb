"""The live core: what changes in the database appears on every open page.

It knows nothing of the shop, which `registry` hands to it. To read it, start with
`protocol` and `asyncapi.yaml`, then follow a change:

- `publish` sends an event after the commit, through `sending`, which works in the
  background, and `layer`, the channel layer
- `hub` receives it, keeps the newest state of each topic, and writes frames
- `consumers` talk to one socket each; `routing` finds them; `eager` starts coroutines

What surrounds them:

- `server`: the server process, which is Daphne with connections of our own; `roles`
  says whether it serves pages, sockets or both; `bodies` has its limits on requests
- `admission`: which sockets a process takes; `pace`: how many it can open a second;
  `file_budget`, `files`: how many files are left for them; `draining`: it stops
- `addresses`, `origins`, `cookies`: what a handshake says about its client
- `probes`, `responses`: plain HTTP at the sockets' address
- `metrics`, `pulse`: numbers for monitors, and for the pulse page
- `outages`, `masks`, `request_ids`: what the log says
- `loadtest`: a load test of the whole shop, from outside

SCALING.md says how far it scales, `decisions/` why it is as it is.
"""
