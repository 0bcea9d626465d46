// Judges a running server with the public conformance suites of GraphQL over HTTP, WebSocket and SSE.
//
//   HAZINA_URLS="http://127.0.0.1:8000/graphql http://127.0.0.1:8000/owner/graphql" node run.mjs
//
// HAZINA_TOKEN, where set, is sent as `Bearer …`. HAZINA_SUBSCRIPTION is a subscription that gives
// at least one event and ends by itself; without it, streams are judged by queries alone.
// HAZINA_QUIET_SUBSCRIPTION does not end by itself, so that a socket with a running operation can be
// probed. HAZINA_PAYMENTS=1 makes a payment through the first active channel and follows its life.
// HAZINA_STORE makes orders there and pays them on their pages in a browser; see pages.mjs.
import { audit } from "./http.mjs";
import { judgePages } from "./pages.mjs";
import { judgePayments } from "./payments.mjs";
import { judgeSockets } from "./sockets.mjs";
import { judgeStreams } from "./streams.mjs";

const urls = (process.env.HAZINA_URLS ?? process.argv.slice(2).join(" ")).split(/\s+/).filter(Boolean);
if (urls.length === 0) {
  console.error("Name the endpoints to judge: HAZINA_URLS or arguments.");
  process.exit(2);
}
const caller = {
  token: process.env.HAZINA_TOKEN,
  subscription: process.env.HAZINA_SUBSCRIPTION,
  quiet: process.env.HAZINA_QUIET_SUBSCRIPTION,
};
let failures = 0;
for (const url of urls) {
  const judges = [audit, judgeSockets, judgeStreams];
  if (process.env.HAZINA_PAYMENTS) judges.push(judgePayments);
  if (process.env.HAZINA_STORE) judges.push(judgePages);
  for (const judge of judges) {
    failures += await judge(url, caller);
  }
}
console.log(failures === 0 ? "conformance: all passed" : `conformance: ${failures} failed`);
process.exit(failures === 0 ? 0 : 1);
