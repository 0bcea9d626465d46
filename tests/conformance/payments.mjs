// A payment's whole life, as npm graphql-ws and npm graphql-sse see it at the same time.
import { randomUUID } from "node:crypto";
import { createClient as createStreamClient } from "graphql-sse";
import { createClient as createSocketClient } from "graphql-ws";
import WebSocket from "ws";
import { expect, runChecks } from "./checks.mjs";

const CHANNEL = "{ channels(first: 10) { nodes { id status } } }";
const INITIATE = `mutation Initiate($input: InitiatePaymentInput!) {
  initiatePayment(input: $input) { __typename ... on InitiatePaymentSuccess { payment { id } } ... on Error { message } }
}`;
const FOLLOW = "subscription Follow($id: ID!) { paymentUpdated(id: $id) { id status } }";

export function judgePayments(url, { token }) {
  const headers = { authorization: `Bearer ${token}` };
  const ask = async (query, variables) => {
    const response = await fetch(url, {
      method: "POST",
      headers: { ...headers, "content-type": "application/json" },
      body: JSON.stringify({ query, variables }),
    });
    const { data, errors } = await response.json();
    if (errors) throw new Error(JSON.stringify(errors));
    return data;
  };
  return runChecks(`${url} payment`, {
    "both clients see it from its start to its success": async () => {
      const { channels } = await ask(CHANNEL);
      const channelId = channels.nodes.find((channel) => channel.status === "ACTIVE").id;
      const input = {
        idempotencyKey: randomUUID(),
        channelId,
        amount: { amountMinor: "2000", currency: "KES" },
        phone: `+2547${String(Math.floor(Math.random() * 1e8)).padStart(8, "0")}`,
        description: "Conformance",
      };
      const { initiatePayment: result } = await ask(INITIATE, { input });
      expect(result.__typename, "InitiatePaymentSuccess", result.message ?? "the result");
      const { id } = result.payment;
      const sockets = createSocketClient({
        url: url.replace(/^http/, "ws"),
        webSocketImpl: WebSocket,
        connectionParams: headers,
        retryAttempts: 0,
      });
      const streams = createStreamClient({ url, headers, retryAttempts: 0 });
      const lives = await Promise.all([sockets, streams].map((client) => followed(client, id)));
      sockets.dispose();
      streams.dispose();
      for (const statuses of lives) expect(statuses.at(-1), "SUCCEEDED", "where it ended");
    },
  });
}

async function followed(client, id) {
  const statuses = [];
  for await (const { data, errors } of client.iterate({ query: FOLLOW, variables: { id } })) {
    if (errors) throw new Error(JSON.stringify(errors));
    expect(data.paymentUpdated.id, id, "whose state it is");
    statuses.push(data.paymentUpdated.status);
    if (["SUCCEEDED", "FAILED", "EXPIRED", "CANCELLED"].includes(statuses.at(-1))) break;
  }
  return statuses;
}
