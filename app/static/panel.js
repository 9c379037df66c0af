// Keeps a ticket's card new, counts down, shows what an edit changes, and sends the card's forms without leaving it.
// Everything works without it. It writes text nodes only; markup comes from the server, where it is escaped.
"use strict";
(() => {
  const root = document.documentElement;
  const panel = document.getElementById("panel");
  if (!panel) return;
  root.classList.add("js");
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  const state = { base: panel.dataset.base, bearer: "", csrf: panel.dataset.csrf, seen: null, dirty: false };
  const $ = (id) => document.getElementById(id);
  const RECONNECT_MS = 1000, POLL_MS = 5000, LONGEST_WORDS = 1500;

  const headers = (more) => {
    const all = { "X-Time-Zone": zone, ...more };
    if (state.bearer) all.Authorization = `Bearer ${state.bearer}`;
    return all;
  };
  const say = (text, bad) => {
    const said = $("said");
    if (!said) return;
    said.textContent = text;
    said.classList.toggle("bad", Boolean(bad));
  };

  // ---- the card -------------------------------------------------------------------------------------------------
  const version = () => Number($("card")?.dataset.version ?? -1);

  async function load() {
    const answer = await fetch(`${state.base}/card`, { headers: headers({ Accept: "text/html" }), redirect: "error" });
    if (!answer.ok) {
      say(answer.status === 401 ? "You are not signed in any more. Open the panel again." : "The card cannot be shown now.", true);
      return false;
    }
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("card");
    const old = $("card");
    if (fresh && old) patch(old, fresh);
    return true;
  }

  // Parts that are the same stay the same elements, so that nothing jumps, closes or loses what is being typed.
  function patch(old, fresh) {
    const sameQuestion = old.dataset.approval === fresh.dataset.approval;
    const typed = state.dirty ? $("reply")?.value : undefined;
    if (state.dirty && !sameQuestion) say("The ticket changed while you were writing. Your text was kept below for you to copy.", true);
    const known = new Map([...old.children].map((part) => [part.dataset.part, part]));
    const parts = [...fresh.children].map((part) => {
      const before = known.get(part.dataset.part);
      if (!before) return document.importNode(part, true);
      if (before.dataset.digest === digest(part) || (sameQuestion && isBusy(before))) return before;
      const next = document.importNode(part, true);
      const open = new Set([...before.querySelectorAll("details[open] > summary")].map((one) => one.textContent.trim()));
      for (const one of next.querySelectorAll("details > summary")) if (open.has(one.textContent.trim())) one.parentElement.open = true;
      return next;
    });
    for (const [name, value] of Object.entries(fresh.dataset)) old.dataset[name] = value;
    old.replaceChildren(...parts);
    if (typed !== undefined && !sameQuestion) keep(old, typed);
    if (!sameQuestion) state.dirty = false;
    dress();
  }
  const isBusy = (part) => part.contains(document.activeElement) && /^(TEXTAREA|INPUT|SELECT)$/.test(document.activeElement.tagName) || (state.dirty && part.dataset.part === "reply");
  const digest = (part) => part.outerHTML.replace(/<time[^>]*>[^<]*<\/time>/g, "").replace(/data-now="[^"]*"/g, "");
  function keep(card, text) {
    const kept = document.createElement("details"), summary = document.createElement("summary"), words = document.createElement("div");
    kept.className = "part"; kept.dataset.part = "kept"; kept.open = true; words.className = "text";
    summary.textContent = "What you had written"; words.textContent = text;
    kept.append(summary, words); card.prepend(kept);
  }

  // What a fresh card needs: marks for what facts filled in, differences, the countdown, what keys do.
  function dress() {
    for (const part of $("card")?.children ?? []) if (!part.dataset.digest) part.dataset.digest = digest(part);
    for (const text of document.querySelectorAll("[data-slots]:not([data-marked])")) mark(text);
    for (const one of document.querySelectorAll("[data-before]:not([data-shown])")) { one.dataset.shown = "1"; differences(one, one.dataset.before, one.dataset.after); }
    const reply = $("reply");
    if (reply) showEdit(reply);
    tick();
  }
  function mark(element) {
    element.dataset.marked = "1";
    const slots = JSON.parse(element.dataset.slots).filter(Boolean).sort((a, b) => b.length - a.length);
    if (!slots.length) return;
    const parts = element.textContent.split(new RegExp(`(${slots.map((slot) => slot.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")).join("|")})`));
    element.replaceChildren(...parts.map((part, place) => {
      if (place % 2 === 0) return document.createTextNode(part);
      const filled = document.createElement("mark");
      filled.textContent = part; filled.title = "Filled in from a fact";
      return filled;
    }));
  }

  // ---- differences, word by word --------------------------------------------------------------------------------
  function differences(target, before, after) {
    const a = before.split(/(\s+)/), b = after.split(/(\s+)/);
    if (before === after) { target.replaceChildren(); return; }
    if (a.length > LONGEST_WORDS || b.length > LONGEST_WORDS) { target.textContent = "The text is too long to be compared here."; return; }
    const longest = Array.from({ length: a.length + 1 }, () => new Uint16Array(b.length + 1));
    for (let i = a.length - 1; i >= 0; i--) for (let j = b.length - 1; j >= 0; j--)
      longest[i][j] = a[i] === b[j] ? longest[i + 1][j + 1] + 1 : Math.max(longest[i + 1][j], longest[i][j + 1]);
    const pieces = [];
    const put = (kind, word) => { const last = pieces.at(-1); if (last && last.kind === kind) last.text += word; else pieces.push({ kind, text: word }); };
    let i = 0, j = 0;
    while (i < a.length || j < b.length) {
      if (i < a.length && j < b.length && a[i] === b[j]) { put("same", a[i]); i++; j++; }
      else if (j >= b.length || (i < a.length && longest[i + 1][j] >= longest[i][j + 1])) put("del", a[i++]);
      else put("ins", b[j++]);
    }
    target.replaceChildren(...pieces.map(({ kind, text }) => {
      if (kind === "same") return document.createTextNode(text);
      const changed = document.createElement(kind);
      changed.textContent = text;
      return changed;
    }));
  }
  function showEdit(reply) {
    state.dirty = reply.value !== reply.defaultValue;
    const diff = $("diff"), shown = $("reply-text"), approve = $("approve");
    if (diff) differences(diff, reply.dataset.original, reply.value);
    if (shown && !shown.dataset.first) shown.dataset.first = shown.textContent;
    if (shown && state.dirty) shown.textContent = reply.value;
    else if (shown && shown.textContent !== shown.dataset.first) { shown.textContent = shown.dataset.first; delete shown.dataset.marked; mark(shown); }
    if (approve) approve.firstChild.textContent = state.dirty ? "Approve edited " : "Approve ";
  }
  document.addEventListener("input", (event) => {
    if (event.target.id !== "reply") return;
    showEdit(event.target);
    window.countersignLook(event.target, $("looked"), (reply) => {
      const body = new URLSearchParams({ run_id: $("card").dataset.run, reply });
      return fetch(`${state.base}/look`, { method: "POST", body, headers: headers({ Accept: "application/json", "X-CSRF-Token": state.csrf }) });
    });
  });

  // ---- the countdown ---------------------------------------------------------------------------------------------
  function tick() {
    for (const count of document.querySelectorAll("[data-until]")) {
      // The server's clock may be another one than the browser's, so only what has passed since is counted.
      count.skew ??= Date.now() - Date.parse(count.dataset.now);
      const left = Math.max(0, Math.round((Date.parse(count.dataset.until) - (Date.now() - count.skew)) / 1000));
      const two = (number) => String(number).padStart(2, "0");
      count.textContent = left >= 3600 ? `${Math.floor(left / 3600)}:${two(Math.floor(left / 60) % 60)}:${two(left % 60)}` : `${Math.floor(left / 60)}:${two(left % 60)}`;
    }
  }
  setInterval(tick, 1000);

  // ---- acts --------------------------------------------------------------------------------------------------------
  document.addEventListener("submit", async (event) => {
    const form = event.target;
    if (!form.dataset.act) return;
    event.preventDefault();
    const buttons = [...document.querySelectorAll("#card button")];
    const body = new URLSearchParams(new FormData(form, event.submitter));
    for (const button of buttons) button.disabled = true;
    try {
      const answer = await fetch(form.action, { method: "POST", body, headers: headers({ Accept: "application/json", "X-CSRF-Token": state.csrf }) });
      const told = await answer.json();
      say(answer.ok ? told.said : `${told.title}. ${told.detail}`, !answer.ok);
      if (answer.ok) { state.dirty = false; document.activeElement?.blur(); }
      if (answer.ok || answer.status === 409) await load();
    } catch {
      say("The server did not answer, so it is not known whether that counted. The card shows it when the server is back.", true);
    } finally {
      for (const button of document.querySelectorAll("#card button")) button.disabled = false;
    }
  });
  const toggle = (id, focus) => {
    const sheet = $(id);
    if (!sheet) return;
    sheet.open = !sheet.open;
    $("reject")?.setAttribute("aria-expanded", String(Boolean($("rejecting")?.open)));
    if (sheet.open) $(focus)?.focus();
  };
  document.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (button?.id === "edit") toggle("editor", "reply");
    if (button?.id === "reject") toggle("rejecting", "reason_code");
    if (button?.dataset.insert !== undefined) document.dispatchEvent(new CustomEvent("countersign:insert", { detail: button.dataset.insert }));
  });
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || /^(INPUT|TEXTAREA|SELECT)$/.test(event.target.tagName)) return;
    const does = { a: () => $("approve")?.click(), e: () => toggle("editor", "reply"), r: () => toggle("rejecting", "reason_code") }[event.key];
    if (does && $("approve") && !$("approve").disabled) { event.preventDefault(); does(); }
  });

  // ---- news --------------------------------------------------------------------------------------------------------
  // A stream read with fetch and not with EventSource, because in Zendesk's frame there is no cookie and EventSource
  // can carry no token. https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation
  async function listen() {
    const answer = await fetch(`${state.base}/live`, { headers: headers({ Accept: "text/event-stream" }), redirect: "error" });
    if (answer.status === 401 || answer.status === 403) { await load(); return false; }
    if (!answer.ok) { await load(); return new Promise((done) => setTimeout(() => done(true), POLL_MS)); }
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    for (let text = ""; ;) {
      const { value, done } = await reader.read();
      if (done) return true;
      text += value;
      const events = text.split("\n\n");
      text = events.pop();
      for (const event of events) {
        const data = /^data: (-?\d+)$/m.exec(event);
        if (data && Number(data[1]) !== version()) await load();
      }
    }
  }
  async function stayNew() {
    for (let goesOn = true; goesOn;) {
      try { goesOn = await listen(); } catch { /* the server is away for a moment */ }
      await new Promise((done) => setTimeout(done, RECONNECT_MS));
    }
  }

  window.countersign = {
    // The Zendesk app's page has no card yet: it learns from its frame which ticket it stands in.
    async open(base, bearer) { state.base = base; state.bearer = bearer; if (await load()) stayNew(); },
  };
  if (state.base) {
    const secure = location.protocol === "https:" ? "; Secure" : "";
    document.cookie = `countersign-zone=${encodeURIComponent(zone)}; Path=/; Max-Age=31536000; SameSite=Lax${secure}`;
    dress();
    stayNew();
  }
})();
