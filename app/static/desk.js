// Keys and copying for the queue and the trace. Without it both pages work by links and forms.
"use strict";
(() => {
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  const secure = location.protocol === "https:" ? "; Secure" : "";
  document.cookie = `countersign-zone=${encodeURIComponent(zone)}; Path=/; Max-Age=31536000; SameSite=Lax${secure}`;
  const typing = (event) => /^(INPUT|TEXTAREA|SELECT)$/.test(event.target.tagName) || event.target.isContentEditable;
  const plain = (event) => !event.ctrlKey && !event.metaKey && !event.altKey;
  const follow = (links, step) => {
    const at = links.findIndex((link) => link.getAttribute("aria-current"));
    const next = links[Math.min(Math.max(at + step, 0), links.length - 1)];
    if (next && next !== links[at]) next.click();
  };

  const queue = document.querySelector("[data-queue]");
  if (queue) {
    const links = [...queue.querySelectorAll("[data-item]")];
    const find = (name) => queue.querySelector(`[data-${name}]`);
    const help = find("help");
    const toggle = () => {
      const keys = document.getElementById("keys");
      keys.hidden = !keys.hidden;
      help.setAttribute("aria-expanded", String(!keys.hidden));
    };
    help.addEventListener("click", toggle);
    const focus = (name) => {
      const place = find(name);
      if (place) place.focus();
    };
    // A letter takes the reader to a button and does not press it: money moves by Enter on a button that says how much.
    const acts = {
      j: () => follow(links, 1),
      k: () => follow(links, -1),
      a: () => focus("approve"),
      e: () => focus("edit"),
      r: () => focus("reject"),
      c: () => find("claim") && find("claim").click(),
      "/": () => focus("search"),
      "?": toggle,
    };
    document.addEventListener("keydown", (event) => {
      if (event.key === "Escape" && typing(event)) return event.target.blur();
      if (typing(event) || !plain(event)) return undefined;
      const onNothing = event.target === document.body;
      if (event.key === "Enter" && onNothing) focus("card");
      else if (acts[event.key]) acts[event.key]();
      else return undefined;
      return event.preventDefault();
    });
  }

  const reply = queue && queue.querySelector("[data-look]");
  if (reply) {
    const csrf = reply.form.elements.csrf.value;
    const headers = { accept: "application/json", "x-csrf-token": csrf };
    const ask = (words) => {
      const body = new URLSearchParams({ run_id: reply.dataset.run, reply: words });
      return fetch(reply.dataset.look, { method: "POST", headers, body });
    };
    reply.addEventListener("input", () => window.countersignLook(reply, document.getElementById("looked"), ask));
  }

  const trace = document.querySelector("[data-trace]");
  if (trace) {
    const links = [...trace.querySelectorAll("[data-step]")];
    document.addEventListener("keydown", (event) => {
      if (typing(event) || !plain(event)) return;
      if (event.key === "j") follow(links, 1);
      if (event.key === "k") follow(links, -1);
    });
    const said = trace.querySelector("[data-said]");
    trace.querySelector("[data-copy]").addEventListener("click", async () => {
      try {
        const answer = await fetch(trace.dataset.trace, { headers: { accept: "application/json" } });
        if (!answer.ok) throw new Error(`the server answered ${answer.status}`);
        await navigator.clipboard.writeText(JSON.stringify(await answer.json(), null, 2));
        said.textContent = "Copied.";
      } catch (error) {
        said.textContent = `Not copied: ${error.message}. The same stands at ${trace.dataset.trace}`;
      }
    });
  }
})();
