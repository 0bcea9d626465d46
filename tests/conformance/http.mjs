// The 61 audits of npm graphql-http: https://github.com/graphql/graphql-http
import { serverAudits } from "graphql-http";

export async function audit(url, { token }) {
  const fetchFn = (target, init = {}) =>
    fetch(target, {
      ...init,
      headers: {
        ...init.headers,
        // Our rule against forged GETs; the audits know nothing of it.
        "GraphQL-Require-Preflight": "1",
        ...(token ? { authorization: `Bearer ${token}` } : {}),
      },
    });
  const audits = serverAudits({ url, fetchFn });
  let failures = 0;
  for (const one of audits) {
    const result = await one.fn();
    if (result.status !== "ok") {
      failures += 1;
      console.log(`${url} ${result.status} ${one.id} ${one.name}: ${result.reason}`);
    }
  }
  console.log(`${url} HTTP audits: ${audits.length - failures} of ${audits.length}`);
  return failures;
}
