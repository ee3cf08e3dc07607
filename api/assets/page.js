// Keeps a page up to date, but does not change it while it is in use. The server sends the main part
// whenever it has changed; without such a stream, htmx requests it every few seconds.
(() => {
  "use strict";
  document.documentElement.classList.add("js");
  const live = document.getElementById("live");
  if (!live) return;
  const state = live.querySelector(".state");
  const more = live.querySelector("button");

  const rows = (root) => Array.from(root.querySelectorAll("#main [data-row]"), (row) => row.id);

  // A row must not move under the pointer or the focus, nor a form change while it is filled in.
  const isInUse = () => {
    const main = document.getElementById("main");
    const selection = document.getSelection();
    return main.querySelector("[data-row]:hover, [data-row]:focus-within, details.confirm[open]") !== null
      || main.querySelector("input:focus, select:focus, textarea:focus, input[type=checkbox]:checked") !== null
      || document.querySelector("dialog[open]") !== null
      || (!selection.isCollapsed && main.contains(selection.anchorNode));
  };

  const say = (text) => { if (state.textContent !== text) state.textContent = text; };

  // A log is read from its end, and stays there while lines are added.
  let isAtEnd = true;
  const log = () => document.querySelector("#main .log");
  const toEnd = () => { const lines = log(); if (lines && isAtEnd) lines.scrollTop = lines.scrollHeight; };
  toEnd();

  // The newest main part, while it is not shown because the page is in use.
  let held = null;
  const hold = (markup) => {
    held = markup;
    const known = new Set(rows(document));
    const newer = rows(new DOMParser().parseFromString(markup, "text/html"));
    const count = newer.filter((id) => !known.has(id)).length;
    say(count ? `${count} new` : "paused");
    more.hidden = false;
  };
  const show = (markup) => {
    held = null;
    more.hidden = true;
    htmx.swap({ text: markup, sourceElement: live, select: "#main", target: "#main", swap: "outerMorph", isOurs: true });
    say("live");
  };
  const arrive = (markup) => (isInUse() ? hold(markup) : show(markup));
  more.addEventListener("click", () => { if (held) show(held); });
  setInterval(() => { if (held && !isInUse()) show(held); }, 300);

  // One stream per tab, only while the tab is visible.
  let stream = null;
  let last = "";
  const close = () => { if (stream) stream.close(); stream = null; };
  const open = () => {
    close();
    if (document.hidden || !window.EventSource) return;
    const after = last && `&after=${encodeURIComponent(last)}`;
    stream = new EventSource(`/live?page=${encodeURIComponent(live.dataset.page)}${after}`);
    stream.addEventListener("page", (event) => {
      last = event.lastEventId;
      arrive(event.data);
    });
    stream.addEventListener("away", () => say("no connection"));
    stream.addEventListener("open", () => { if (!held) say("live"); });
    stream.addEventListener("error", () => {
      say("no connection");
      // The server refuses it, so htmx requests the page instead.
      if (stream && stream.readyState === EventSource.CLOSED) stream = null;
    });
  };
  document.addEventListener("visibilitychange", () => (document.hidden ? close() : open()));
  // A page that the browser keeps for its back button must not keep its stream.
  addEventListener("pagehide", close);
  addEventListener("pageshow", (event) => { if (event.persisted) open(); });
  open();

  document.addEventListener("htmx:before:request", (event) => {
    if (document.hidden || stream) event.preventDefault();
  });
  document.addEventListener("htmx:before:swap", (event) => {
    const lines = log();
    isAtEnd = !lines || lines.scrollHeight - lines.scrollTop - lines.clientHeight < 8;
    const { ctx } = event.detail;
    if (ctx.isOurs) return;
    if (!isInUse()) return say("live");
    event.preventDefault();
    hold(ctx.text);
  });
  document.addEventListener("htmx:after:swap", toEnd);
  document.addEventListener("htmx:error", () => say("no connection"));
})();
