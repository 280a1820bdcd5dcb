/* One socket for the page (protocol shop.v1, see realtime/asyncapi.yaml).
 *
 * It says which topics the page shows and in which version, and hands on what is
 * newer. When it is down it comes back by itself, and asks again: state is absolute,
 * so nothing that happened meanwhile can be missed.
 */

const PATIENCE_MS = 40_000; // without a frame, and the pace more; the server beats every 15 s
const OPEN_MS = 10_000; // for a socket to open; many may be waiting for theirs
const ANSWER_MS = 4_000; // to answer "sub"
const FIRST_MS = 250; // at most, before the page comes back; doubles with each failure
const FEW_MS = 4_000; // up to this, where the server has told of a small crowd
const FEW_FAILURES = 6; // then the waits grow beyond what it has told
const MOST_MS = 60_000; // or this
const REFUSALS = 5; // handshakes in a row, before the page asks why
const OFF_MS = [30_000, 60_000, 120_000, 300_000]; // between attempts, refused for good
const WAKE_MS = 10_000; // and at least, however often the page is looked at
const BEGUN_MS = 1_000; // a socket being opened is left alone: a page is often woken twice
const QUIET_MS = 1_500; // down for so long before the page says so
const MAX_TOPICS = 64;
const [OTHER_FROM, OTHER_TO] = [4510, 4519]; // close codes: the visitor is someone else now
const REST_MS = 1_000; // hidden, before it asks for fewer frames
const PACE_MS = 45_000; // between two frames, while nobody sees them
const SLEEP_MS = 600_000; // hidden, before it wants none
const LOOK_MS = 600; // after a scroll or a swap, what is shown? 16 frames in 10 s at most

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
    this.known = new Map(); // topic -> version; what a digest is made of
    this.unknown = new Set(); // topics that the server does not have
    this.failures = 0;
    this.refusals = 0; // handshakes that failed since one did not
    this.why = null; // "off" or "cookies": refused for good
    this.spreadMs = null; // over which the server wants its crowd to come back
    this.requests = 0;
    this.asksAnew = false;
    this.pace = 0; // milliseconds between two frames, at least
    this.isAsleep = false; // hidden for so long that it has no socket
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
    socket.onmessage = (event) => this.hear(JSON.parse(event.data));
    socket.onclose = (event) => this.lost(socket, event.code, wasOpen);
    this.expect(OPEN_MS);
  }

  /** Drop the socket and open another now: the visitor may be someone else. */
  reconnect() {
    this.drop();
    this.failures = 0;
    this.connect();
  }

  /** Say what the page shows now. The answer brings what is newer. */
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

  /** Subscribe again, soon, if the page shows other topics than it did. */
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

  /** Nobody sees the page any more: a few frames will do, and after a while none. A page
   * that has something to say at once all the same has `data-live-hidden="matters"`. */
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

  /** Somebody sees the page again: it wants every frame from the next `sub` on. */
  see() {
    clearTimeout(this.restTimer);
    clearTimeout(this.sleepTimer);
    this.pace = 0;
    if (this.isAsleep) {
      this.isAsleep = false;
      this.doubt();
    }
  }

  /** The page is looked at again, or the network is back: is the socket alive? */
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

  /** The database was restored, or a standby took over: versions count anew. */
  follow(timeline) {
    if (timeline && timeline !== this.timeline) {
      this.timeline = timeline;
      this.known.forEach((_version, name) => this.known.set(name, -1));
      this.unknown.clear();
      this.forget();
    }
  }

  /** Connect, and follow whether the page is seen, left, or has its network back.
   * `follow` is called before the socket is looked after. */
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

  hear(frame) {
    this.expect(PATIENCE_MS + this.pace);
    switch (frame.t) {
      case "snap":
        this.follow(frame.timeline);
        frame.items.forEach((item) => this.take(item));
        this.failures = 0;
        this.why = null;
        this.say(true);
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
        this.refused(frame);
        break;
      case "bye":
        this.retryMs = frame.retry_ms;
        break;
    }
  }

  /** What a heartbeat says. While nobody sees the page, "upd" says it too. */
  check({ digest: told, spread_ms: spreadMs }) {
    this.spreadMs = spreadMs ?? this.spreadMs;
    if (told !== undefined && told !== digest(this.known)) {
      this.subscribe();
    }
  }

  refused(frame) {
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

  /** Without a frame for so long the socket is taken for dead. */
  expect(ms) {
    clearTimeout(this.patience);
    this.patience = setTimeout(() => this.reconnectLater(), ms);
  }

  lost(socket, code, wasOpen) {
    if (socket !== this.socket) {
      return;
    }
    if (OTHER_FROM <= code && code <= OTHER_TO) {
      this.drop();
      this.dispatchEvent(new CustomEvent("dismissed", { detail: { code } }));
    } else if (code >= 4500) {
      this.drop();
      this.why = "off";
      this.say(false);
    } else if (!wasOpen && (++this.refusals % REFUSALS === 0 || this.why)) {
      this.askWhy();
    } else {
      this.reconnectLater();
    }
  }

  /** The browser keeps to itself why a handshake failed. A plain request to the same
   * address, with the same cookies, is told what the handshake was, and may say it. */
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
      this.say(false);
    }
    this.retryMs = retryMs;
    this.reconnectLater();
  }

  /** Full jitter: a thousand pages don't come back at once. Who was refused for good
   * waits half of the limit at least. */
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
    // After some failures the server is slower than it said.
    const ceiling = known * 2 ** Math.max(0, this.failures - FEW_FAILURES);
    return Math.min(MOST_MS, ceiling, FIRST_MS * 2 ** (this.failures - 1));
  }

  /** Say that it is down, unless it is up again in a moment. */
  doubt() {
    this.quietTimer ??= setTimeout(() => this.say(false), QUIET_MS);
  }

  drop() {
    clearTimeout(this.patience);
    const socket = this.socket;
    this.socket = null;
    this.asksAnew = true;
    if (socket) {
      socket.onmessage = socket.onopen = null;
      socket.close();
    }
  }

  say(isUp) {
    clearTimeout(this.quietTimer);
    this.quietTimer = null;
    this.dispatchEvent(new CustomEvent("status", { detail: { isUp, why: this.why } }));
  }
}

/** Why handshakes at an address fail: for good, or for a while (`why` is null). */
async function reasonAt(url) {
  let answer;
  try {
    answer = await fetch(url, { cache: "no-store", signal: AbortSignal.timeout(ANSWER_MS) });
  } catch {
    return { why: null }; // nobody is there
  }
  if (answer.status === 429 || answer.status >= 500) {
    return { why: null, retryMs: 1_000 * Number(answer.headers.get("Retry-After")) };
  }
  return { why: answer.status === 431 ? "cookies" : "off" };
}

/** What the server's heartbeat says of the same topics: the sum of FNV-1a hashes. */
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
