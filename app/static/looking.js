// What checks say of a reply while it is written: what keeps it here, and what is only remarked on. For panel and queue.
"use strict";
(() => {
  const LOOK_AFTER_MS = 400;
  let asks;

  // Looks once nothing was typed for a moment. `ask` sends the words and gives the answer; `list` shows it.
  function look(reply, list, ask) {
    clearTimeout(asks);
    asks = setTimeout(async () => {
      const asked = reply.value, lines = [];
      if (asked !== reply.defaultValue) {
        const answer = await ask(asked), found = await answer.json();
        if (reply.value !== asked) return;
        const shown = (one) => one.words ? `${one.reason}: “${one.words}”` : one.reason;
        for (const one of found.refused ?? []) lines.push(["bad", `✕ It may not leave: ${shown(one)}`]);
        for (const one of found.remarks ?? []) lines.push(["wait", `! The agent would not be let write this: ${shown(one)}`]);
        if (!answer.ok) lines.push(["bad", found.detail]);
      }
      list.replaceChildren(...lines.map(([kind, text]) => {
        const line = document.createElement("li");
        line.className = kind; line.textContent = text;
        return line;
      }));
    }, LOOK_AFTER_MS);
  }
  window.countersignLook = look;
})();
