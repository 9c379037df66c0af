// Figures while a slider moves, errors while a policy is typed, and what stops the agent as it is now.
// Without it the three pages work by links and forms. Markup comes from the server, where it is escaped.
"use strict";
(() => {
  const PAUSE_MS = 60, TYPING_MS = 600, EVERY_MS = 700;
  const later = (wait, work) => {
    let timer;
    return (...args) => { clearTimeout(timer); timer = setTimeout(() => work(...args), wait); };
  };
  const part = async (address, id, options = {}) => {
    const answer = await fetch(address, { redirect: "error", ...options, headers: { Accept: "text/html" } });
    if (!answer.ok) throw new Error(answer.status === 401 ? "you are not signed in any more" : `the server answered ${answer.status}`);
    return document.importNode(new DOMParser().parseFromString(await answer.text(), "text/html").getElementById(id), true);
  };
  // What was open stays open, and what is being typed stays.
  const replace = (old, fresh) => {
    const open = new Map([...old.querySelectorAll("details[data-keep]")].map((one) => [one.dataset.keep, one.open]));
    for (const one of fresh.querySelectorAll("details[data-keep]")) if (open.has(one.dataset.keep)) one.open = open.get(one.dataset.keep);
    old.replaceWith(fresh);
    return fresh;
  };

  const thresholds = document.querySelector("[data-thresholds]");
  const slider = thresholds && thresholds.querySelector("[data-slider]");
  if (slider) {
    const find = (name) => thresholds.querySelector(`[data-${name}]`);
    const amount = find("amount"), sent = find("amount-sent"), choose = find("choose");
    const decimals = Number(slider.dataset.decimals), unit = 10 ** decimals;
    const written = (minor) => minor % unit === 0 ? String(minor / unit) : `${Math.floor(minor / unit)}.${String(minor % unit).padStart(decimals, "0")}`;
    let asked = 0;
    const show = later(PAUSE_MS, async () => {
      const mine = ++asked, query = new URLSearchParams(new FormData(choose));
      document.getElementById("figures").classList.add("waits");
      history.replaceState(null, "", `?${query}`);
      query.set("part", "figures");
      try {
        const fresh = await part(`?${query}`, "figures");
        if (mine === asked) replace(document.getElementById("figures"), fresh);
      } catch (error) {
        if (mine === asked) document.getElementById("figures").querySelector(".moved").textContent = `The figures cannot be shown now: ${error.message}.`;
      }
    });
    const moved = (text) => { amount.value = text; if (sent) sent.value = text; show(); };
    slider.addEventListener("input", () => moved(written(Number(slider.value))));
    amount.addEventListener("input", () => {
      if (!/^\d+([.]\d*)?$/.test(amount.value)) return;
      slider.value = String(Math.round(Number(amount.value) * unit));
      if (sent) sent.value = amount.value;
      show();
    });
    thresholds.addEventListener("click", (event) => {
      const take = event.target.closest("[data-take]");
      if (!take) return;
      event.preventDefault();
      slider.value = take.dataset.take;
      moved(written(Number(take.dataset.take)));
    });
    for (const select of choose.querySelectorAll("select")) select.addEventListener("change", () => {
      if (select.name === "of") amount.value = "";
      choose.requestSubmit();
    });
  }

  const policy = document.querySelector("[data-policy]");
  const text = policy && policy.querySelector("[data-text]");
  if (text) {
    const gutter = policy.querySelector("[data-gutter]"), form = document.getElementById("edit");
    const kept = policy.querySelector("[data-kept]"), place = `countersign-policy ${location.pathname}`;
    const number = () => {
      const wrong = new Set([...policy.querySelectorAll(".problems [data-line]")].map((one) => Number(one.dataset.line)));
      const count = text.value.split("\n").length, pieces = [];
      for (let from = 1; from <= count;) {
        const marked = wrong.has(from), first = from;
        while (from <= count && wrong.has(from) === marked) from++;
        const numbers = Array.from({ length: from - first }, (_, at) => `${first + at}\n`).join("");
        if (!marked) { pieces.push(document.createTextNode(numbers)); continue; }
        const line = document.createElement("b");
        line.className = "wrong";
        line.textContent = numbers;
        pieces.push(line);
      }
      gutter.replaceChildren(...pieces);
      gutter.scrollTop = text.scrollTop;
    };
    let asked = 0;
    const examine = async () => {
      const mine = ++asked, body = new FormData(form);
      body.set("act", "read");
      body.set("part", "examined");
      try {
        const fresh = await part(form.action, "examined", { method: "POST", body });
        if (mine !== asked) return;
        const applied = fresh.querySelector("[data-applied]");
        if (applied) text.value = applied.value;
        replace(document.getElementById("examined"), fresh);
        number();
      } catch (error) { /* What is written stays; checking it by the button says what is the matter. */ }
    };
    const pause = later(TYPING_MS, examine);
    const remember = () => { try { sessionStorage.setItem(place, text.value); } catch (error) { /* a browser that keeps nothing */ } };
    text.addEventListener("input", () => { remember(); number(); pause(); });
    text.addEventListener("scroll", () => { gutter.scrollTop = text.scrollTop; });
    policy.addEventListener("change", (event) => { if (event.target.matches("[data-value]") && !event.target.readOnly) examine().then(remember); });
    policy.addEventListener("click", (event) => {
      const line = event.target.closest("[data-line]");
      if (!line) return;
      event.preventDefault();
      const before = text.value.split("\n").slice(0, Number(line.dataset.line) - 1).join("\n").length + (Number(line.dataset.line) > 1 ? 1 : 0);
      text.focus();
      text.setSelectionRange(before + Number(line.dataset.column) - 1, before + Number(line.dataset.column) - 1);
      text.scrollTop = Math.max(0, (Number(line.dataset.line) - 6) * 18);
    });
    // A window that was signed out, or left, still has what was written in it.
    let earlier = null;
    try { earlier = sessionStorage.getItem(place); } catch (error) { /* nothing is kept */ }
    if (earlier !== null && earlier !== text.value && !text.readOnly) {
      kept.hidden = false;
      kept.querySelector("[data-restore]").addEventListener("click", () => { text.value = earlier; kept.hidden = true; number(); examine(); });
    }
    form.addEventListener("submit", remember);
    number();
  }

  const controls = document.querySelector("[data-controls]");
  if (controls) {
    const live = controls.querySelector("[data-live]");
    const busy = () => [...controls.querySelectorAll(".turn[open]")].some((one) => one.contains(document.activeElement) || one.querySelector("input[name=reason]").value);
    // What has not changed stays, so that nothing moves under a hand that is about to click.
    const bare = (one) => {
      const copy = one.cloneNode(true);
      for (const opened of copy.querySelectorAll("details[open]")) opened.removeAttribute("open");
      return copy.innerHTML;
    };
    const look = async () => {
      if (!document.hidden && !busy()) {
        try {
          const fresh = await part("?part=state", "state");
          if (!busy()) { const old = document.getElementById("state"); if (bare(old) !== bare(fresh)) replace(old, fresh); live.textContent = `live, as of ${fresh.dataset.at}`; }
        } catch (error) { live.textContent = `Not live: ${error.message}. Load the page again.`; }
      }
      setTimeout(look, EVERY_MS);
    };
    setTimeout(look, EVERY_MS);
  }
})();
