// npm graphql-sse as a client: distinct connections work, the single connection mode is refused cleanly.
import { createClient } from "graphql-sse";
import { expect, runChecks } from "./checks.mjs";

export async function judgeStreams(url, { token, subscription }) {
  const headers = token ? { authorization: `Bearer ${token}` } : {};
  const results = async (options, query) => {
    const client = createClient({ url, headers, retryAttempts: 0, ...options });
    const all = [];
    for await (const result of client.iterate({ query })) all.push(result);
    client.dispose();
    return all;
  };
  const checks = {
    "a query": async () => expect((await results({}, "{ __typename }"))[0].data.__typename, "Query", "the data"),
    "a validation error": async () =>
      expect(!!(await results({}, "{ noSuchField }"))[0].errors, true, "errors in the first event"),
    "single connection mode is refused": async () => {
      const failure = await results({ singleConnection: true }, "{ __typename }").catch((error) => error);
      expect(failure instanceof Error, true, "a failure");
      expect((await fetch(url, { method: "PUT", headers })).status, 405, "the status of PUT");
    },
  };
  if (subscription) {
    checks["a subscription"] = async () => {
      const all = await results({}, subscription);
      expect(all.length > 0 && all.every((one) => one.data && !one.errors), true, "events without errors");
    };
  }
  return runChecks(`${url} SSE`, checks);
}
