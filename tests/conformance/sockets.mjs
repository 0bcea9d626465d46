// npm graphql-ws as a client, and raw sockets for each close code of its PROTOCOL.md.
import { createClient } from "graphql-ws";
import WebSocket from "ws";
import { expect, runChecks } from "./checks.mjs";

const PROTOCOL = "graphql-transport-ws";

export async function judgeSockets(url, caller) {
  const address = url.replace(/^http/, "ws");
  const open = (protocols = [PROTOCOL], headers = {}) => new RawSocket(address, protocols, headers);
  const payload = caller.token ? { authorization: `Bearer ${caller.token}` } : {};
  const ready = async () => {
    const socket = open();
    socket.send({ type: "connection_init", payload });
    expect((await socket.next()).type, "connection_ack", "the answer to connection_init");
    return socket;
  };
  return runChecks(`${url} WebSocket`, {
    ...clientChecks(address, payload, caller),
    ...closeChecks(open, ready, payload, caller),
    ...messageChecks(open, ready),
  });
}

function clientChecks(address, payload, { subscription }) {
  const client = () =>
    createClient({ url: address, webSocketImpl: WebSocket, connectionParams: payload, retryAttempts: 0 });
  const results = async (query) => {
    const own = client();
    const all = [];
    for await (const result of own.iterate({ query })) all.push(result);
    await own.dispose();
    return all;
  };
  const checks = {
    "a query": async () => expect((await results("{ __typename }"))[0].data.__typename, "Query", "the data"),
    "a validation error leaves the socket open": async () => {
      const own = client();
      const errors = await results("{ noSuchField }").catch((error) => error);
      expect(Array.isArray(errors), true, "an array of errors");
      for await (const result of own.iterate({ query: "{ __typename }" })) expect(!!result.data, true, "data");
      await own.dispose();
    },
  };
  if (subscription) {
    checks["a subscription"] = async () => {
      const all = await results(subscription);
      expect(all.length > 0 && all.every((one) => one.data && !one.errors), true, "events without errors");
    };
  }
  return checks;
}

function closeChecks(open, ready, payload, { quiet }) {
  const closes = (code, act) => async () => {
    const socket = await act();
    expect(await socket.closed, code, "the close code");
  };
  const sent = async (socket, ...messages) => {
    for (const message of messages) socket.send(message);
    return socket;
  };
  const query = { query: "{ __typename }" };
  const checks = {
    "4400 on bad JSON": closes(4400, async () => sent(await ready(), "{")),
    "4400 on a message that is no object": closes(4400, async () => sent(await ready(), "[1]")),
    "4400 on an unknown message": closes(4400, async () => sent(await ready(), { type: "start" })),
    "4400 on a syntax error": closes(4400, async () =>
      sent(await ready(), { type: "subscribe", id: "1", payload: { query: "{" } })),
    "4400 on a missing query": closes(4400, async () =>
      sent(await ready(), { type: "subscribe", id: "1", payload: {} })),
    "4400 on a binary frame": closes(4400, async () => sent(await ready(), Buffer.from("{}"))),
    "4401 on subscribe before init": closes(4401, async () =>
      sent(open(), { type: "subscribe", id: "1", payload: query })),
    "4403 on a credential that proves nothing": closes(4403, async () =>
      sent(open(), { type: "connection_init", payload: { authorization: "Bearer nonsense" } })),
    "4406 on no subprotocol": closes(4406, async () => open([])),
    "4429 on a second init": closes(4429, async () => sent(await ready(), { type: "connection_init", payload })),
    "403 for a foreign Origin": async () => {
      const socket = open([PROTOCOL], { origin: "https://evil.example" });
      expect(await socket.refused, 403, "the status of the handshake");
    },
  };
  if (quiet) {
    const subscribe = { type: "subscribe", id: "1", payload: { query: quiet } };
    checks["4409 on a duplicate id"] = closes(4409, async () => sent(await ready(), subscribe, subscribe));
  }
  return checks;
}

function messageChecks(open, ready) {
  return {
    "ping is answered by pong": async () => {
      const socket = await ready();
      socket.send({ type: "ping" });
      expect((await socket.next()).type, "pong", "the answer");
      socket.close();
    },
    "only text frames are sent": async () => {
      const socket = await ready();
      socket.send({ type: "subscribe", id: "1", payload: { query: "{ __typename }" } });
      expect((await socket.next()).type, "next", "the first message");
      expect((await socket.next()).type, "complete", "the second message");
      expect(socket.binaryFrames, 0, "binary frames");
      socket.close();
    },
    "a validation error is an error message": async () => {
      const socket = await ready();
      socket.send({ type: "subscribe", id: "1", payload: { query: "{ noSuchField }" } });
      expect((await socket.next()).type, "error", "the message");
      socket.send({ type: "ping" });
      expect((await socket.next()).type, "pong", "the socket afterwards");
      socket.close();
    },
    "an unknown document id is an error message": async () => {
      const socket = await ready();
      const extensions = { persistedQuery: { version: 1, sha256Hash: "0".repeat(64) } };
      socket.send({ type: "subscribe", id: "1", payload: { extensions } });
      expect((await socket.next()).type, "error", "the message");
      socket.close();
    },
  };
}

class RawSocket {
  constructor(address, protocols, headers) {
    this.binaryFrames = 0;
    this._messages = [];
    this._waiting = [];
    this._socket = new WebSocket(address, protocols, { headers });
    this._opened = new Promise((resolve) => this._socket.on("open", resolve));
    this.closed = new Promise((resolve) => this._socket.on("close", resolve));
    this.refused = new Promise((resolve) =>
      this._socket.on("unexpected-response", (_, response) => resolve(response.statusCode)));
    this._socket.on("error", () => {});
    this._socket.on("message", (data, isBinary) => {
      this.binaryFrames += isBinary ? 1 : 0;
      const message = JSON.parse(data.toString());
      const waiting = this._waiting.shift();
      if (waiting) waiting(message);
      else this._messages.push(message);
    });
  }

  send(message) {
    const isRaw = typeof message === "string" || Buffer.isBuffer(message);
    this._opened.then(() => this._socket.send(isRaw ? message : JSON.stringify(message)));
  }

  next() {
    if (this._messages.length > 0) return Promise.resolve(this._messages.shift());
    return new Promise((resolve) => this._waiting.push(resolve));
  }

  close() {
    this._socket.close();
  }
}
