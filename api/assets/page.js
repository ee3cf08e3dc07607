// Keeps the page still while someone works with it. htmx replaces #main every few seconds; this
// script decides when it may, and says what is new.
(() => {
  "use strict";
  const live = document.getElementById("live");
  if (!live) return;
  document.documentElement.classList.add("js");

  const rows = (root) => Array.from(root.querySelectorAll("#main [data-row]"), (row) => row.id);

  // A row must not move under the pointer, and a form must not change under the hands.
  const isInUse = () => {
    const main = document.getElementById("main");
    const selection = document.getSelection();
    return main.querySelector("[data-row]:hover, details.confirm[open]") !== null
      || main.querySelector("input:focus, select:focus") !== null
      || (!selection.isCollapsed && main.contains(selection.anchorNode));
  };

  const say = (text) => { if (live.textContent !== text) live.textContent = text; };

  // A log is read from its end, and stays there while lines are added.
  let isAtEnd = true;
  const log = () => document.querySelector("#main .log");
  const toEnd = () => { const lines = log(); if (lines && isAtEnd) lines.scrollTop = lines.scrollHeight; };
  toEnd();

  document.addEventListener("htmx:before:request", (event) => {
    if (document.hidden) event.preventDefault();
  });
  document.addEventListener("htmx:before:swap", (event) => {
    const lines = log();
    isAtEnd = !lines || lines.scrollHeight - lines.scrollTop - lines.clientHeight < 8;
    if (!isInUse()) return say("live");
    event.preventDefault();
    const newer = rows(new DOMParser().parseFromString(event.detail.ctx.text, "text/html"));
    const known = new Set(rows(document));
    const count = newer.filter((id) => !known.has(id)).length;
    say(count ? `${count} new` : "paused");
  });
  document.addEventListener("htmx:after:swap", toEnd);
  document.addEventListener("htmx:error", () => say("no connection"));
})();
