// The floor: a bare broadcast with Node's `ws`. No topics, no snapshots, nobody's basket.
//
//     node peer.js PORT TICK_MS
//
// What a client sends that begins with "[" is an item; every tick all that came is sent
// to all others in one frame. Whatever else a client sends is answered with a snapshot.

const { WebSocketServer } = require("ws");

const [port, tick] = process.argv.slice(2).map(Number);
const server = new WebSocketServer({ port, host: "127.0.0.1", perMessageDeflate: false });
const listeners = new Set();
let items = [];

server.on("connection", (socket) => {
  socket.on("message", (data) => {
    const text = data.toString();
    if (text.startsWith("[")) {
      items.push(text);
    } else {
      listeners.add(socket);
      socket.send('{"t":"snap","id":1,"items":[]}');
    }
  });
  socket.on("close", () => listeners.delete(socket));
});

setInterval(() => {
  if (items.length) {
    const frame = `{"t":"upd","items":[${items.join(",")}]}`;
    items = [];
    listeners.forEach((socket) => socket.send(frame));
  }
}, tick);
