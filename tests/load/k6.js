// The shop's sockets and a changing stock, for k6 (seen with 1.1):
//
//     k6 run -e URL=http://localhost:8000 tests/load/k6.js
//
// push_ms runs from when the request left that changed the stock to the frame that tells
// of it. k6 shares no memory between users, so each user hears of its own change: it holds
// a socket, reserves a product and gives it back, and takes the first newer version.
// VUS is at most the number of products on the page: each user has one of its own.

import http from 'k6/http';
import { check } from 'k6';
import { WebSocket } from 'k6/experimental/websockets';
import { Counter, Trend } from 'k6/metrics';

const URL = __ENV.URL || 'http://localhost:8000'; // with its path, if the shop has one
const ORIGIN = URL.match(/^\w+:\/\/[^/]+/)[0];
const SECONDS = Number(__ENV.SECONDS || 20);
const VUS = Number(__ENV.VUS || 4);
const ENOUGH = Number(__ENV.PUSHES || Infinity); // a user leaves after so many

export const options = {
  vus: VUS,
  iterations: VUS,
  thresholds: {
    push_ms: [`p(99)<${__ENV.P99 || 1000}`],
    checks: ['rate==1'],
  },
};

const push = new Trend('push_ms', true);
const opened = new Trend('socket_open_ms', true);
const pushes = new Counter('pushes');

function form(jar) {
  const cookies = jar.cookiesForURL(`${URL}/`);
  const token = Object.keys(cookies).find((name) => name.endsWith('csrftoken'));
  return {
    headers: {
      Accept: 'application/json',
      Origin: ORIGIN,
      Referer: `${URL}/products/`,
      'X-CSRFToken': token ? cookies[token][0] : '',
    },
  };
}

function cookieHeader(jar) {
  const cookies = jar.cookiesForURL(`${URL}/`);
  return Object.keys(cookies).map((name) => `${name}=${cookies[name][0]}`).join('; ');
}

export default function () {
  const jar = http.cookieJar();
  const page = http.get(`${URL}/products/`);
  const found = [...page.body.matchAll(/data-topic="stock:(\d+)"/g)].map((m) => m[1]);
  const product = found[(__VU - 1) % found.length];
  const topic = `stock:${product}`;
  const add = http.post(`${URL}/basket/add/${product}/`, { quantity: '1' }, form(jar));
  check(add, { 'is in the basket': (answer) => answer.status === 200 });

  const start = Date.now();
  let began = 0, shown = -1, quantity = 1, holds = false, timer = null, end = null, heard = 0;
  const socket = new WebSocket(`${URL.replace('http', 'ws')}/ws/`, ['shop.v1'], {
    headers: { Origin: ORIGIN, Cookie: cookieHeader(jar) },
  });

  function leave() {
    clearInterval(timer);
    clearTimeout(end);
    socket.close();
  }

  function change() {
    began = Date.now();
    if (holds) {
      quantity = 3 - quantity;
      const fields = { [`quantity-${product}`]: `${quantity}` };
      http.asyncRequest('POST', `${URL}/basket/update/`, fields, form(jar));
    } else {
      http.asyncRequest('GET', `${URL}/checkout/`);
    }
    holds = !holds;
  }

  socket.addEventListener('open', () => {
    opened.add(Date.now() - start);
    socket.send(JSON.stringify({ t: 'sub', id: 1, topics: { [topic]: null } }));
    timer = setInterval(change, 500);
    end = setTimeout(leave, SECONDS * 1000);
  });
  socket.addEventListener('message', (message) => {
    const frame = JSON.parse(message.data);
    for (const [name, version] of frame.items || []) {
      if (name !== topic || version <= shown) continue;
      shown = version;
      if (frame.t === 'upd' && began) {
        push.add(Date.now() - (frame.ts || began));
        pushes.add(1);
        began = 0;
        heard += 1;
        if (heard === ENOUGH) leave();
      }
    }
  });
  socket.addEventListener('error', () => check(null, { 'socket is fine': () => false }));
}
