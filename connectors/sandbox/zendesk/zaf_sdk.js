// As much of the Zendesk Apps Framework's client as the panel uses, over messages to the page around it.
// https://developer.zendesk.com/api-reference/apps/apps-core-api/client_api/
"use strict";
window.ZAFClient = {
  init() {
    const origin = new URLSearchParams(location.search).get("origin");
    const open = new Map();
    let last = 0;
    window.addEventListener("message", (event) => {
      if (event.origin !== origin || !open.has(event.data.reply)) return;
      open.get(event.data.reply)(event.data.value);
      open.delete(event.data.reply);
    });
    const ask = (kind, ...rest) => new Promise((done) => {
      open.set(++last, done);
      window.parent.postMessage({ ask: last, kind, rest }, origin);
    });
    return { get: (...paths) => ask("get", ...paths.flat()), invoke: (name, ...rest) => ask("invoke", name, ...rest) };
  },
};
