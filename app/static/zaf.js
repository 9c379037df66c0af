// Joins the panel to the Zendesk app's frame: which ticket it stands in, how high it is, and the agent's reply box.
"use strict";
(async () => {
  const panel = document.getElementById("panel");
  const bearer = panel.dataset.bearer;
  // The token stays in memory; nothing that looks at the page later finds it.
  panel.removeAttribute("data-bearer");
  const client = window.ZAFClient && window.ZAFClient.init();
  if (!client) {
    document.getElementById("said").textContent = "This page belongs into Zendesk's sidebar.";
    return;
  }
  const ticket = (await client.get("ticket.id"))["ticket.id"];
  await window.countersign.open(`/t/${encodeURIComponent(panel.dataset.tenant)}/tickets/${encodeURIComponent(ticket)}`, bearer);
  const fit = () => client.invoke("resize", { width: "100%", height: `${Math.min(900, Math.max(240, document.body.scrollHeight))}px` });
  new ResizeObserver(fit).observe(document.body);
  fit();
  document.addEventListener("countersign:insert", (event) => client.invoke("ticket.comment.appendText", event.detail));
})();
