"use strict";
(() => {
  const main = document.querySelector("main");
  const documents = JSON.parse(main.dataset.documents);
  const exponent = Number(main.dataset.exponent);
  const business = main.dataset.business;
  const token = location.pathname.split("/").pop();
  const RETRY_MS = 1000, RETRY_MAX_MS = 15000, SILENCE_MS = 40000;
  const OPEN = ["CREATED", "SUBMITTING", "PENDING", "UNKNOWN", "AUTHORIZED"];
  const $ = (id) => document.getElementById(id);
  const headers = { "content-type": "application/json", authorization: `Bearer hzp_${token}` };
  let state = JSON.parse(main.dataset.state);
  let trying = null, isSending = false, goesOn = false, isOver = false, chosen = null, drawn = "";

  function money({ amountMinor, currency }) {
    const digits = amountMinor.padStart(exponent + 1, "0");
    const whole = digits.slice(0, digits.length - exponent);
    const decimal = exponent ? `${whole}.${digits.slice(-exponent)}` : whole;
    try {
      return new Intl.NumberFormat("en", {
        style: "currency", currency, currencyDisplay: "code",
        minimumFractionDigits: exponent, maximumFractionDigits: exponent,
      }).format(decimal);
    } catch {
      return `${currency} ${decimal}`;
    }
  }
  const clock = (at) => new Intl.DateTimeFormat("en", { timeStyle: "short" }).format(new Date(at));
  const moment = (at) => new Intl.DateTimeFormat("en", { dateStyle: "medium", timeStyle: "short" }).format(new Date(at));

  function make(tag, text, attributes = {}) {
    const element = document.createElement(tag);
    if (text) element.textContent = text;
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    return element;
  }
  function list(pairs) {
    const found = make("dl");
    for (const [name, value] of pairs) found.append(make("dt", name), make("dd", value));
    return found;
  }

  // What is said of the order as it stands; one of them at a time.
  function told() {
    const attempt = state.attempt;
    if (state.status === "PAID") {
      const pairs = [["Paid", money(state.paid)]];
      if (state.paidAt) pairs.push(["When", moment(state.paidAt)]);
      if (attempt?.receipt) pairs.push(["Receipt", attempt.receipt]);
      return { title: "Paid. Thank you!", tone: "good", text: "You can close this page.", pairs };
    }
    if (state.status === "CANCELLED")
      return { title: "This order was cancelled", tone: "bad", text: `${business} has taken it back. There is nothing to pay.` };
    if (state.status === "EXPIRED")
      return { title: "This order has expired", tone: "bad", text: `It can't be paid any more. Ask ${business} for a new link.` };
    if (attempt && OPEN.includes(attempt.status)) return waiting(attempt);
    if (attempt?.failure) return { title: "Not paid", tone: "bad", text: attempt.failure };
    if (!state.methods.length)
      return { title: "No way to pay", tone: "bad", text: `${business} can't take this payment here at the moment. Try again later, or ask them.` };
    return { title: "Ready to pay", text: "Choose how to pay below." };
  }
  function waiting(attempt) {
    const action = attempt.nextAction;
    const found = { title: "Waiting for your payment", isBusy: true, text: attempt.instructions };
    if (attempt.estimatedCompletionAt) found.note = `This is usually done by ${clock(attempt.estimatedCompletionAt)}.`;
    if (!action) return found;
    if (action.kind === "REDIRECT" && /^https?:/.test(action.url ?? "")) found.url = action.url;
    else if (action.kind === "CLIENT_SDK" || action.kind.startsWith("ENTER_"))
      found.note = `This step can't be done on this page: go on in the app or on the site of ${business}.`;
    else found.pairs = action.data.map(({ name, value }) => [name.replaceAll("_", " "), value]);
    return found;
  }

  function draw() {
    const now = told();
    $("due").textContent = money(state.status === "PAID" ? state.paid : state.due);
    $("due-label").textContent = state.status === "PAID" ? "Paid" : "To pay";
    const key = JSON.stringify(now);
    // A screen reader says each change once.
    if (key !== drawn) {
      drawn = key;
      const parts = [make("h2", now.title, { class: now.tone ?? "" })];
      parts.push(make("p", now.text, now.isBusy ? { class: "busy" } : {}));
      if (now.note) parts.push(make("p", now.note, { class: "soft" }));
      if (now.pairs?.length) parts.push(list(now.pairs));
      if (now.url) parts.push(make("a", "Continue", { class: "button", href: now.url, rel: "noreferrer" }));
      $("status").replaceChildren(...parts);
      document.title = `${now.title} – ${business}`;
    }
    if (now.url && goesOn) {
      goesOn = false;
      location.assign(now.url);
    }
    drawWays();
    const byHand = state.byHand;
    $("by-hand").hidden = !byHand;
    if (byHand)
      $("by-hand-list").replaceChildren(
        ...list([["Business number", byHand.shortCode], ["Account number", byHand.account], ["Amount", money(byHand.amount)]]).childNodes,
      );
  }

  function drawWays() {
    const form = $("ways"), methods = state.methods;
    form.hidden = !methods.length;
    if (!methods.length) return;
    if (!methods.some((one) => one.method === chosen)) chosen = methods[0].method;
    const known = methods.map((one) => one.method + one.label).join();
    if (form.dataset.known !== known) {
      form.dataset.known = known;
      $("choices").replaceChildren(...methods.map(wayOf));
    }
    const way = methods.find((one) => one.method === chosen);
    $("phone-part").hidden = !way.needsPhone;
    $("email-part").hidden = !way.needsEmail;
    $("pay").textContent = isSending ? "One moment…" : `Pay ${money(state.due)}`;
    $("pay").setAttribute("aria-disabled", String(isSending));
  }
  function wayOf(one) {
    const label = make("label", "", { class: "way" });
    const radio = make("input", "", { type: "radio", name: "method", value: one.method });
    radio.checked = one.method === chosen;
    radio.addEventListener("change", () => {
      chosen = one.method;
      complain("");
      draw();
    });
    const text = make("span");
    text.append(make("b", one.label), make("span", one.hint, { class: "soft" }));
    label.append(radio, text);
    return label;
  }

  function complain(message, field) {
    $("error").textContent = message;
    for (const name of ["phone", "email"]) {
      $(name).setAttribute("aria-invalid", String(name === field));
      if (name === field) $(name).focus();
    }
  }
  function newKey() {
    return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  }

  async function pay(event) {
    event.preventDefault();
    if (isSending) return;
    const way = state.methods.find((one) => one.method === chosen);
    const given = { method: way.method };
    if (way.needsPhone) given.phone = $("phone").value.trim();
    if (way.needsEmail) given.email = $("email").value.trim();
    const missing = way.needsPhone && !given.phone ? "phone" : way.needsEmail && !given.email ? "email" : null;
    if (missing) return complain(missing === "phone" ? "Type your phone number." : "Type your e-mail address.", missing);
    // The same try keeps its key until it is answered, so that pressing again can't pay twice.
    const same = JSON.stringify(given);
    if (trying?.same !== same) trying = { same, key: newKey() };
    complain("");
    isSending = true;
    draw();
    try {
      await send({ ...given, idempotencyKey: trying.key });
    } catch {
      complain("There is no connection. Press the button again: you won't pay twice.");
    }
    isSending = false;
    draw();
  }
  async function send(input) {
    const body = JSON.stringify({ documentId: documents.pay, variables: { input } });
    const response = await fetch("/graphql", { method: "POST", headers, body });
    if (response.status === 401) return ended();
    const { data, errors } = await response.json();
    const result = data?.payCheckout;
    if (isRefused(errors) || result?.code === "NOT_SIGNED_IN") return ended();
    if (!result) return complain(errors?.[0]?.message ?? "That did not work. Try again.");
    if (result.code !== "IDEMPOTENCY_IN_PROGRESS") trying = null;
    if (!result.checkout) return complain(result.message, result.field);
    goesOn = true;
    take(result.checkout);
    $("status").focus();
  }

  function take(fresh) {
    if (fresh.version < state.version) return;
    state = fresh;
    draw();
  }
  function ended() {
    isOver = true;
    $("ways").hidden = $("by-hand").hidden = true;
    $("status").replaceChildren(make("h2", "This link is no longer valid", { class: "bad" }), make("p", `Ask ${business} for a new one.`));
  }
  // Its shop has revoked the link while this page was open.
  const isRefused = (errors) => (errors ?? []).some((error) => error.extensions?.code === "NOT_SIGNED_IN");
  const isSettled = () => state.status === "CANCELLED" || (state.status === "PAID" && state.attempt?.receipt);

  // The present state comes first at each connection, so nothing that happened in between is missed.
  async function watch() {
    let wait = RETRY_MS;
    while (!isOver && !isSettled()) {
      try {
        await listen(() => (wait = RETRY_MS));
      } catch {
        // It is tried again below.
      }
      if (isOver || isSettled()) break;
      main.dataset.live = "no";
      $("offline").hidden = false;
      await until(wait * (0.5 + Math.random() / 2));
      wait = Math.min(RETRY_MAX_MS, wait * 2);
    }
  }
  function until(ms) {
    return new Promise((resolve) => {
      setTimeout(resolve, ms);
      addEventListener("online", resolve, { once: true });
    });
  }
  async function listen(onLife) {
    const stop = new AbortController();
    let timer = setTimeout(() => stop.abort(), SILENCE_MS);
    try {
      const response = await fetch("/graphql", {
        method: "POST", headers: { ...headers, accept: "text/event-stream" },
        body: JSON.stringify({ documentId: documents.watch }), signal: stop.signal,
      });
      if (response.status === 401) return ended();
      if (!response.ok) throw new Error(String(response.status));
      const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
      for (let rest = ""; ; ) {
        const { value, done } = await reader.read();
        if (done) return;
        clearTimeout(timer);
        timer = setTimeout(() => stop.abort(), SILENCE_MS);
        const events = (rest + value).split("\n\n");
        rest = events.pop();
        for (const event of events) if (hear(event)) onLife();
        if (isOver || isSettled()) return;
      }
    } finally {
      clearTimeout(timer);
      stop.abort();
    }
  }
  function hear(event) {
    const line = event.split("\n").find((one) => one.startsWith("data: "));
    const { data, errors } = line ? JSON.parse(line.slice(6)) : {};
    if (isRefused(errors)) ended();
    const fresh = data?.checkoutUpdated;
    if (!fresh) return false;
    main.dataset.live = "yes";
    $("offline").hidden = true;
    take(fresh);
    return true;
  }

  $("ways").addEventListener("submit", pay);
  draw();
  watch();
})();
