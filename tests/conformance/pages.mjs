// The page of an order in a real browser: Debian's Chromium, driven by Playwright and judged by axe.
//
// HAZINA_SANDBOX names the sandbox that stands in for the providers, HAZINA_PAYSTACK_KEYS has the keys of
// its Paystack in JSON; HAZINA_STORE is where orders are made; HAZINA_CHROMIUM, where set, is another browser.
import { randomInt, randomUUID } from "node:crypto";
import { existsSync } from "node:fs";
import axe from "axe-core";
import { chromium } from "playwright-core";
import { expect, runChecks } from "./checks.mjs";

const BYTES_MAX = 50_000, FIRST_PAINT_MS_MAX = 500, LOADS = 5;
const GRAPHQL = "**/graphql";
const CREATE = `mutation Create($input: CreateOrderInput!) { createOrder(input: $input) {
  __typename ... on CreateOrderSuccess { order { id paymentLink } } ... on Error { message } } }`;
const CANCEL = "mutation Cancel($id: ID!) { cancelOrder(input: { id: $id }) { __typename } }";
const REVOKE = `mutation ($id: ID!) { revokePayLink(input: {orderId: $id}) {
  ... on RevokePayLinkSuccess { order { paymentLink } } } }`;
const ORDER = "query Order($id: ID!) { order(id: $id) { status overpaid { amountMinor } payments { status } } }";

const CONFIGURE = `mutation Configure($input: ConfigureProviderInput!) { configureProvider(input: $input) {
  ... on ConfigureProviderSuccess { providerAccount { id } } ... on Error { message } } }`;
const PROVEN = "query Proven($id: ID!) { providerAccount(id: $id) { isProven } }";
const ENABLE = "mutation Enable($id: ID!) { enableProviderAccount(input: { id: $id }) { __typename } }";

export async function judgePages(url, { token }) {
  const executablePath = [process.env.HAZINA_CHROMIUM, "/usr/bin/chromium"].find((path) => path && existsSync(path));
  if (!executablePath) {
    console.log(`${url} pages failed: there is no browser; install Debian's package chromium`);
    return 1;
  }
  const browser = await chromium.launch({ executablePath, args: ["--no-sandbox"] });
  try {
    return await runChecks(`${url} pages`, checksOf(browser, clientOf(url, token)), 60_000);
  } finally {
    await browser.close();
  }
}

function fail(message) {
  throw new Error(message);
}

function clientOf(url, token) {
  const ask = async (query, variables) => {
    const response = await fetch(url, {
      method: "POST",
      headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
      body: JSON.stringify({ query, variables }),
    });
    const { data, errors } = await response.json();
    if (errors) throw new Error(JSON.stringify(errors));
    return data;
  };
  const order = async () => {
    const input = {
      idempotencyKey: randomUUID(),
      storeId: process.env.HAZINA_STORE,
      currency: "KES",
      items: [
        { name: "Ugali na sukuma wiki", quantity: 2, unitPriceMinor: "35000" },
        { name: "Chai", quantity: 1, unitPriceMinor: "5000" },
      ],
      description: "Table 4",
    };
    const { createOrder } = await ask(CREATE, { input });
    expect(createOrder.__typename, "CreateOrderSuccess", createOrder.message ?? "the result");
    return createOrder.order;
  };
  const outcomes = async (...names) => {
    const response = await fetch(`${process.env.HAZINA_SANDBOX}/_control/mpesa/next`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ outcomes: names }),
    });
    expect(response.ok, true, "whether the sandbox took the outcomes");
  };
  // Sets the provider up as a tenant does: its keys, a real call that proves them, and on.
  const withPaystack = async () => {
    const configuration = JSON.parse(process.env.HAZINA_PAYSTACK_KEYS);
    const input = { provider: "paystack", environment: "SANDBOX", configuration };
    const { configureProvider } = await ask(CONFIGURE, { input });
    const { id } = configureProvider.providerAccount ?? fail(configureProvider.message);
    for (let isProven = false; !isProven; ) ({ isProven } = (await ask(PROVEN, { id })).providerAccount);
    const { enableProviderAccount } = await ask(ENABLE, { id });
    expect(enableProviderAccount.__typename, "EnableProviderAccountSuccess", "the result");
  };
  return { ask, order, outcomes, withPaystack };
}

function checksOf(browser, { ask, order, outcomes, withPaystack }) {
  const opened = async (link, options = {}, onGraphql = null) => {
    const context = await browser.newContext(options);
    if (onGraphql) await context.route(GRAPHQL, onGraphql);
    const page = await context.newPage();
    page.problems = [];
    page.asked = [];
    page.on("console", (message) => message.type() === "error" && page.problems.push(message.text()));
    page.on("pageerror", (error) => page.problems.push(error.message));
    page.on("request", (request) => page.asked.push(request.url()));
    page.answer = await page.goto(link);
    return page;
  };
  const phone = () => `07${String(randomInt(1e8)).padStart(8, "0")}`;
  const status = (page, text) => page.locator("#status", { hasText: text }).waitFor();
  const pay = async (page, number = phone()) => {
    await page.getByLabel("Phone number that pays").fill(number);
    await page.getByRole("button", { name: /^Pay KES/ }).click();
  };

  return {
    "it is small, alone and painted at once": async () => {
      const { paymentLink } = await order();
      const paints = [];
      for (let load = 0; load < LOADS; load += 1) {
        const page = await opened(paymentLink);
        const bytes = (await page.answer.body()).length;
        expect(bytes <= BYTES_MAX, true, `whether ${bytes} bytes are few enough`);
        await page.waitForFunction(() => performance.getEntriesByName("first-contentful-paint").length);
        paints.push(await page.evaluate(() => performance.getEntriesByName("first-contentful-paint")[0].startTime));
        const others = page.asked.filter((one) => new URL(one).origin !== new URL(paymentLink).origin);
        expect(others.filter((one) => !one.startsWith("data:")), [], "what it loads from elsewhere");
        expect(page.problems, [], "what the browser complains of");
        if (load === 0) console.log(`  the page has ${bytes} bytes`);
        await page.context().close();
      }
      // The best, for other work of the machine only adds to it.
      const best = Math.round(Math.min(...paints));
      console.log(`  first contentful paint: ${paints.map(Math.round).join(", ")} ms`);
      expect(best < FIRST_PAINT_MS_MAX, true, `whether ${best} ms until the first paint are few enough`);
    },

    "an order is paid by keyboard alone, and said so": async () => {
      const { id, paymentLink } = await order();
      const page = await opened(paymentLink);
      await status(page, "Ready to pay");
      await judgedByAxe(page, "ready");
      await page.getByLabel("Phone number that pays").focus();
      await page.keyboard.type(phone());
      await page.keyboard.press("Enter");
      await status(page, "Waiting for your payment");
      await judgedByAxe(page, "waiting");
      await status(page, "Paid. Thank you!");
      await status(page, "Receipt");
      await judgedByAxe(page, "paid");
      expect(await page.locator("#ways").isVisible(), false, "whether it can be paid again");
      expect(await page.evaluate(() => document.activeElement.id), "status", "where the focus is");
      expect(page.problems, [], "what the browser complains of");
      expect((await ask(ORDER, { id })).order.status, "PAID", "the order");
      await page.reload();
      await status(page, "Receipt");
      await page.context().close();
    },

    "a declined payment is explained and tried again": async () => {
      const { id, paymentLink } = await order();
      const page = await opened(paymentLink);
      await pay(page, "12");
      await page.locator("#error", { hasText: "phone number" }).waitFor();
      expect(await page.getByLabel("Phone number that pays").getAttribute("aria-invalid"), "true", "the mark");
      await judgedByAxe(page, "a wrong phone");
      await outcomes("insufficient_funds");
      await pay(page);
      await status(page, "There is not enough money");
      await judgedByAxe(page, "declined");
      await page.getByRole("button", { name: /^Pay KES/ }).click();
      await status(page, "Paid. Thank you!");
      const { payments, overpaid } = (await ask(ORDER, { id })).order;
      expect(payments.map((one) => one.status).sort(), ["FAILED", "SUCCEEDED"], "the attempts");
      expect(overpaid.amountMinor, "0", "what was paid too much");
      await page.context().close();
    },

    "a payer who is sent to a provider's page comes back to a paid order": async () => {
      await withPaystack();
      const { paymentLink } = await order();
      const page = await opened(paymentLink);
      await page.getByRole("radio", { name: /^Card with Paystack/ }).check();
      await judgedByAxe(page, "several ways");
      await page.getByRole("button", { name: /^Pay KES/ }).click();
      await page.locator("#error", { hasText: "e-mail" }).waitFor();
      await page.getByLabel("Your e-mail address").fill("payer@example.com");
      await page.getByRole("button", { name: /^Pay KES/ }).click();
      await page.getByRole("link", { name: "Back to the shop" }).click();
      await status(page, /Waiting for your payment|Paid\. Thank you!/);
      await judgedByAxe(page, "back from the provider");
      await status(page, "Paid. Thank you!");
      expect(new URL(page.url()).pathname, new URL(paymentLink).pathname, "where the payer is");
      await page.context().close();
    },

    "a page that was away shows what happened meanwhile": async () => {
      const { paymentLink } = await order();
      const cut = (route) => route.abort();
      const [away, here] = [await opened(paymentLink, {}, cut), await opened(paymentLink)];
      await away.locator("#offline").waitFor();
      await judgedByAxe(away, "offline");
      await pay(here);
      await status(here, "Paid. Thank you!");
      await status(away, "Ready to pay");
      await away.context().unroute(GRAPHQL);
      await status(away, "Paid. Thank you!");
      expect(await away.locator("#offline").isVisible(), false, "whether it still calls itself cut off");
      await Promise.all([away, here].map((page) => page.context().close()));
    },

    "it reads well in the dark, on a small phone, and without JavaScript": async () => {
      const { paymentLink } = await order();
      const small = { viewport: { width: 320, height: 568 }, colorScheme: "dark" };
      const page = await opened(paymentLink, small);
      await status(page, "Ready to pay");
      await judgedByAxe(page, "dark and small");
      const [width, wanted] = await page.evaluate(() => [document.body.scrollWidth, innerWidth]);
      expect(width <= wanted, true, "whether it fits without scrolling sideways");
      await page.context().close();
      const plain = await opened(paymentLink, { javaScriptEnabled: false });
      expect((await plain.locator("#due").textContent()).replace(/\s/g, " "), "KES 750.00", "the amount");
      expect(await plain.locator("noscript p").isVisible(), true, "whether it says that it needs JavaScript");
      await plain.context().close();
    },

    "a revoked link ends on pages that are open, and the new one opens": async () => {
      const { id, paymentLink } = await order();
      const page = await opened(paymentLink);
      await page.locator("main[data-live=yes]").waitFor();
      const { revokePayLink } = await ask(REVOKE, { id });
      await status(page, "This link is no longer valid");
      expect(await page.locator("#ways").isVisible(), false, "whether it can be paid");
      await judgedByAxe(page, "revoked");
      const again = await page.reload();
      expect(again.status(), 404, "the status of a revoked link");
      await page.getByText("It is no longer valid").waitFor();
      await page.context().close();
      const fresh = await opened(revokePayLink.order.paymentLink);
      await status(fresh, "Ready to pay");
      await fresh.context().close();
    },

    "a cancelled order's page says so, and its link leads nowhere": async () => {
      const { id, paymentLink } = await order();
      const page = await opened(paymentLink);
      await page.locator("main[data-live=yes]").waitFor();
      await ask(CANCEL, { id });
      await status(page, "This order was cancelled");
      expect(await page.locator("#ways").isVisible(), false, "whether it can be paid");
      await judgedByAxe(page, "cancelled");
      await page.context().close();
      const gone = await opened(`${paymentLink.slice(0, -4)}AAAA`);
      expect(gone.answer.status(), 404, "the status of a link that leads nowhere");
      await judgedByAxe(gone, "nowhere");
      await gone.context().close();
    },
  };
}

// From the side of the protocol, for the page's own policy runs no script but its own.
async function judgedByAxe(page, where) {
  const session = await page.context().newCDPSession(page);
  const run = `${axe.source}; axe.run().then(({ violations }) => JSON.stringify(violations))`;
  const { result, exceptionDetails } = await session.send("Runtime.evaluate", {
    expression: run, awaitPromise: true, returnByValue: true,
  });
  if (exceptionDetails) throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text);
  const found = JSON.parse(result.value).map(({ id, nodes }) => `${id}: ${nodes.map(({ target }) => target).join()}`);
  expect(found, [], `what axe says of the page (${where})`);
  await session.detach();
}
