// Asks one URL as fast as the answers come; prints what came of it as JSON.
// Settings come in as JSON: {url, headers, connections, duration_s, body | payments | postings, expected}.
import { randomUUID } from "node:crypto";
import autocannon from "autocannon";

const settings = JSON.parse(process.argv[2]);
let number = settings.payments?.first_phone ?? 0;

// Each payment has a key and a phone of its own, as the limits of prompts demand.
function payment() {
  number += 1;
  const input = {
    ...settings.payments.input,
    idempotencyKey: randomUUID(),
    phone: `+2547${String(number).padStart(8, "0")}`,
  };
  return JSON.stringify({ query: settings.payments.query, variables: { input } });
}

// Each posting has a key of its own; all of them debit the first account.
function postings() {
  const { query, source, destinations, count, run } = settings.postings;
  const items = [];
  for (let place = 0; place < count; place += 1) {
    number += 1;
    items.push({
      idempotencyKey: `${run}-${number}`,
      sourceId: source,
      destinationId: destinations[number % destinations.length],
      amount: { amountMinor: String(100 + (number % 900)), currency: "KES" },
      kind: "TRANSFER",
      reference: `order-${number}`,
    });
  }
  return JSON.stringify({ query, variables: { input: { items } } });
}

const request = { method: "POST", headers: settings.headers };
if (settings.payments) {
  request.setupRequest = (given) => ({ ...given, body: payment() });
} else if (settings.postings) {
  request.setupRequest = (given) => ({ ...given, body: postings() });
} else {
  request.body = settings.body;
}
let unexpected = "";
const result = await autocannon({
  url: settings.url,
  connections: settings.connections,
  duration: settings.duration_s,
  requests: [request],
  verifyBody: (body) => {
    const fits = body.includes(settings.expected);
    if (!fits) unexpected = body.toString();
    return fits;
  },
});
console.log(
  JSON.stringify({
    rate_per_s: (result["2xx"] - result.mismatches) / result.duration,
    answers: result["2xx"] - result.mismatches,
    refused: result.non2xx + result.errors + result.mismatches,
    unexpected: unexpected.slice(0, 500),
    p50_ms: result.latency.p50,
    p99_ms: result.latency.p99,
    phones: number,
  }),
);
