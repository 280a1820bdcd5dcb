/* The page's socket (protocol shop.v1, see realtime/asyncapi.yaml).
 *
 * It tells the server which topics the page shows, with their versions, and passes on
 * what is newer. After a failure it reconnects and subscribes again. Each item is the
 * whole state of its topic, so the page misses nothing that happened meanwhile.
 */

const SILENCE_MS = 40_000; // without a frame, plus the pace; the server's heartbeat is 15 s
const OPEN_MS = 10_000; // for the socket to open; the server may have a queue of them
const ANSWER_MS = 4_000; // for the answer to "sub"
const FIRST_MS = 250; // the longest first wait before a retry; doubles with each failure
const FEW_MS = 4_000; // the longest wait if the server has reported few sockets
const FEW_FAILURES = 6; // after these, waits grow beyond what the server reported
const AGAIN = 1 / 4; // of the time that the server reported: the shortest limit of a retry
const MOST_MS = 60_000; // the longest wait of all
const REFUSALS = 5; // refused handshakes in a row before the page asks why
const OFF_MS = [30_000, 60_000, 120_000, 300_000]; // waits after a permanent refusal
const WAKE_MS = 10_000; // the shortest of those waits, however often the page is seen
const BEGUN_MS = 1_000; // a socket so young is kept: pages are often woken twice
const QUIET_MS = 1_500; // down for so long before the page says so
const MAX_TOPICS = 64;
const [OTHER_FROM, OTHER_TO] = [4510, 4519]; // close codes: the visitor has changed
const REST_MS = 1_000; // hidden for so long before the page asks for fewer frames
const PACE_MS = 45_000; // between two frames while the page is hidden
const SLEEP_MS = 600_000; // hidden for so long before the page closes its socket
const LOOK_MS = 600; // between a scroll or a push and "sub": at most 16 in 10 s

export class Live extends EventTarget {
  /**
   * @param {string} url of the socket
   * @param {() => Map<string, number>} shown the topics on the page and their versions,
   *   the most visible first
   * @param {(item: [string, number, object, string?]) => void} apply show one item
   * @param {() => void} forget take whatever comes next for newer than what is shown
   * @param {(name: string) => boolean} isPersonal whether each visitor has their own
   *   topic of this name
   */
  constructor(url, shown, apply, forget, isPersonal) {
    super();
    this.url = url;
    this.shown = shown;
    this.apply = apply;
    this.forget = forget;
    this.isPersonal = isPersonal;
    this.timeline = document.documentElement.dataset.timeline ?? ""; // of the versions
    this.known = new Map(); // topic -> version, as in the server's digest
    this.unknown = new Set(); // topics that the server does not have
    this.failures = 0;
    this.refusals = 0; // failed handshakes since the last good one
    this.why = null; // "off" or "cookies" after a permanent refusal
    this.spreadMs = null; // the time over which the server wants its sockets to reconnect
    this.requests = 0;
    this.asksAnew = false;
    this.pace = 0; // milliseconds between two frames, at least
    this.isAsleep = false; // hidden for so long that the socket was closed
  }

  /** Open the socket; does nothing while there is one, or while the page sleeps. */
  connect() {
    clearTimeout(this.retryTimer);
    if (this.socket || this.isAsleep) {
      return;
    }
    const socket = new WebSocket(this.url, "shop.v1");
    this.socket = socket;
    this.triedAt = Date.now();
    let wasOpen = false;
    socket.onopen = () => {
      wasOpen = true;
      this.refusals = 0;
      this.subscribe();
    };
    socket.onmessage = (event) => this.receive(JSON.parse(event.data));
    socket.onclose = (event) => this.onClose(socket, event.code, wasOpen);
    this.expect(OPEN_MS);
  }

  /** Open a new socket now: the visitor may have changed. */
  reconnect() {
    this.drop();
    this.failures = 0;
    this.connect();
  }

  /** Tell the server what the page shows. The answer contains what is newer. */
  subscribe() {
    const topics = {};
    const shown = this.wanted();
    const known = new Map();
    for (const [name, version] of shown) {
      // A new socket may belong to another visitor. The versions of their personal
      // topics are unrelated to those shown, so ask for the state without a version.
      const isNews = this.asksAnew && this.isPersonal(name);
      topics[name] = isNews || version < 0 ? null : version;
      known.set(name, isNews ? -1 : Math.max(version, this.known.get(name) ?? -1));
    }
    this.known = known;
    this.asksAnew = false;
    const html = document.documentElement.lang;
    const { timeline, pace } = this;
    this.send({ t: "sub", id: ++this.requests, topics, html, timeline, pace });
    this.expect(ANSWER_MS);
  }

  /** Subscribe again soon, if the page shows other topics than before. */
  refresh() {
    this.refreshTimer ??= setTimeout(() => {
      this.refreshTimer = null;
      const shown = this.wanted();
      const isSame = shown.length === this.known.size && shown.every(([n]) => this.known.has(n));
      if (!isSame && this.isOpen()) {
        this.subscribe();
      }
    }, LOOK_MS);
  }

  wanted() {
    return [...this.shown()].filter(([name]) => !this.unknown.has(name)).slice(0, MAX_TOPICS);
  }

  /** The page is hidden: ask for fewer frames, and close the socket after a while. Pages
   * that must stay up to date have `data-live-hidden="matters"`. */
  hide() {
    if (!document.querySelector('[data-live-hidden="matters"]')) {
      clearTimeout(this.restTimer);
      clearTimeout(this.sleepTimer);
      this.restTimer = setTimeout(() => this.rest(), REST_MS);
      this.sleepTimer = setTimeout(() => this.sleep(), SLEEP_MS);
    }
  }

  rest() {
    this.pace = PACE_MS;
    if (this.isOpen()) {
      this.subscribe();
    }
  }

  sleep() {
    this.isAsleep = true;
    this.drop();
    clearTimeout(this.retryTimer);
  }

  /** The page is seen again: ask for every frame with the next "sub". */
  see() {
    clearTimeout(this.restTimer);
    clearTimeout(this.sleepTimer);
    this.pace = 0;
    if (this.isAsleep) {
      this.isAsleep = false;
      this.doubt();
    }
  }

  /** The page is seen again, or the network is back: check the socket. */
  wake() {
    if (this.isAsleep) {
      return;
    }
    if (this.isOpen()) {
      this.subscribe();
    } else if (this.socket && Date.now() - this.triedAt < BEGUN_MS) {
      return;
    } else if (!this.why || Date.now() - this.triedAt > WAKE_MS) {
      this.failures = this.why ? this.failures : 0;
      this.drop();
      this.connect();
    }
  }

  /** Show an item if it is newer than what is shown. */
  take(item) {
    const [name, version] = item;
    if (version > (this.known.get(name) ?? -1)) {
      if (this.known.has(name)) {
        this.known.set(name, version);
      }
      this.apply(item);
    }
  }

  /** Follow a new timeline: the database was restored, or a standby took over, and
   * versions may have gone back. */
  follow(timeline) {
    if (timeline && timeline !== this.timeline) {
      this.timeline = timeline;
      this.known.forEach((_version, name) => this.known.set(name, -1));
      this.unknown.clear();
      this.forget();
    }
  }

  /** Connect, and react when the page is hidden, seen or left, or the network returns.
   * `follow` is called before the socket is checked. */
  start(follow = () => {}) {
    const wake = () => {
      if (!document.hidden) {
        this.see();
      }
      follow();
      this.wake();
    };
    document.addEventListener("visibilitychange", () => (document.hidden ? this.hide() : wake()));
    document.addEventListener("resume", wake);
    window.addEventListener("online", wake);
    window.addEventListener("pageshow", (event) => event.persisted && wake());
    window.addEventListener("pagehide", () => this.drop());
    if (document.hidden) {
      this.hide(); // opened behind another tab
    }
    this.connect();
  }

  // --- Inside ---------------------------------------------------------------------

  isOpen() {
    return this.socket?.readyState === WebSocket.OPEN;
  }

  send(frame) {
    this.socket.send(JSON.stringify(frame));
  }

  receive(frame) {
    this.expect(SILENCE_MS + this.pace);
    switch (frame.t) {
      case "snap":
        this.follow(frame.timeline);
        frame.items.forEach((item) => this.take(item));
        this.failures = 0;
        this.why = null;
        this.report(true);
        this.refresh();
        break;
      case "upd":
        frame.items.forEach((item) => this.take(item));
        this.refresh();
        this.check(frame);
        break;
      case "hb":
        this.check(frame);
        break;
      case "err":
        this.onError(frame);
        break;
      case "bye":
        this.retryMs = frame.retry_ms;
        break;
    }
  }

  /** Read what a heartbeat reports. For a hidden page "upd" reports it too. */
  check({ digest: expected, spread_ms: spreadMs }) {
    this.spreadMs = spreadMs ?? this.spreadMs;
    if (expected !== undefined && expected !== digest(this.known)) {
      this.subscribe();
    }
  }

  onError(frame) {
    if (frame.code === "unknown_topic") {
      frame.topics.forEach((name) => {
        this.known.delete(name);
        this.unknown.add(name);
      });
    } else if (frame.code === "unavailable") {
      this.doubt();
      setTimeout(() => this.isOpen() && this.subscribe(), 2_000);
    } else {
      console.error("The shop refused a frame:", frame.code, frame.msg);
    }
  }

  /** Take the socket for dead if no frame comes in so many milliseconds. */
  expect(ms) {
    clearTimeout(this.silenceTimer);
    this.silenceTimer = setTimeout(() => this.reconnectLater(), ms);
  }

  onClose(socket, code, wasOpen) {
    if (socket !== this.socket) {
      return;
    }
    if (OTHER_FROM <= code && code <= OTHER_TO) {
      this.drop();
      this.dispatchEvent(new CustomEvent("dismissed", { detail: { code } }));
    } else if (code >= 4500) {
      this.drop();
      this.why = "off";
      this.report(false);
    } else if (!wasOpen && (++this.refusals % REFUSALS === 0 || this.why)) {
      this.askWhy();
    } else {
      this.reconnectLater();
    }
  }

  /** Find out why handshakes fail. The browser does not tell, but a plain request to the
   * same address, with the same cookies, gets the same answer. */
  async askWhy() {
    this.drop();
    this.doubt();
    const { why, retryMs } = await reasonAt(this.url.replace("ws", "http"));
    if (this.socket) {
      return; // woken meanwhile
    }
    if (why !== this.why) {
      this.failures = 0;
      this.why = why;
      this.report(false);
    }
    this.retryMs = retryMs;
    this.reconnectLater();
  }

  /** Reconnect after a random wait (full jitter), so that a thousand pages do not come
   * back at once. After a permanent refusal wait at least half of the limit. */
  reconnectLater() {
    this.drop();
    const jitter = this.why ? (1 + Math.random()) / 2 : Math.random();
    const most = this.longestWait();
    const wait = this.retryMs ? this.retryMs * (1 + Math.random()) : most * jitter;
    this.failures += 1;
    this.retryMs = null;
    clearTimeout(this.retryTimer);
    this.retryTimer = setTimeout(() => this.connect(), wait);
    this.doubt();
  }

  longestWait() {
    if (this.why) {
      return OFF_MS[Math.min(this.failures, OFF_MS.length - 1)];
    }
    if (this.failures === 0) {
      return Math.max(FIRST_MS, this.spreadMs ?? 0);
    }
    const known = this.spreadMs === null ? MOST_MS : Math.max(FEW_MS, 2 * this.spreadMs);
    // After some failures the server is slower than it reported.
    const ceiling = known * 2 ** Math.max(0, this.failures - FEW_FAILURES);
    const limit = Math.max(AGAIN * this.spreadMs, FIRST_MS * 2 ** (this.failures - 1));
    return Math.min(MOST_MS, ceiling, limit);
  }

  /** Report that the page is not live, unless it is again in a moment. */
  doubt() {
    this.quietTimer ??= setTimeout(() => this.report(false), QUIET_MS);
  }

  drop() {
    clearTimeout(this.silenceTimer);
    const socket = this.socket;
    this.socket = null;
    this.asksAnew = true;
    if (socket) {
      socket.onmessage = socket.onopen = null;
      socket.close();
    }
  }

  report(isUp) {
    clearTimeout(this.quietTimer);
    this.quietTimer = null;
    this.dispatchEvent(new CustomEvent("status", { detail: { isUp, why: this.why } }));
  }
}

/** Ask an address why handshakes fail: permanently, or for a while (`why` is null). */
async function reasonAt(url) {
  let response;
  try {
    response = await fetch(url, { cache: "no-store", signal: AbortSignal.timeout(ANSWER_MS) });
  } catch {
    return { why: null }; // the server cannot be reached
  }
  if (response.status === 429 || response.status >= 500) {
    return { why: null, retryMs: 1_000 * Number(response.headers.get("Retry-After")) };
  }
  return { why: response.status === 431 ? "cookies" : "off" };
}

/** Return the digest that the server's heartbeat has for the same topics: a sum of
 * FNV-1a hashes. */
export function digest(known) {
  let sum = 0;
  for (const [name, version] of known) {
    sum = (sum + fingerprint(`${version}=${name}`)) >>> 0;
  }
  return sum.toString(16).padStart(8, "0");
}

function fingerprint(text) {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) {
    hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  }
  return hash >>> 0;
}
