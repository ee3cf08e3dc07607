// The keyboard, the finder, completion of searches, and copying of commands. Everything that they
// do can also be done without this script.
(() => {
  "use strict";
  const finder = document.getElementById("finder");
  const help = document.getElementById("keys");
  if (!finder || !help) return;

  const rows = () => Array.from(document.querySelectorAll("#main [data-row]"));
  const current = () => rows().findIndex((row) => row.contains(document.activeElement));
  const move = (step) => {
    const all = rows();
    if (!all.length) return;
    const at = current();
    const next = at < 0 ? (step > 0 ? 0 : all.length - 1) : Math.min(all.length - 1, Math.max(0, at + step));
    const link = all[next].querySelector("a");
    if (link) { link.focus(); all[next].scrollIntoView({ block: "nearest" }); }
  };
  const tick = () => {
    const row = rows()[current()];
    const box = row && row.querySelector("input[type=checkbox]");
    if (box) box.click();
  };
  const openRow = () => {
    const row = rows()[current()];
    const link = row && row.querySelector("a");
    if (link) link.click();
  };
  const search = () => {
    const field = document.querySelector("#main input[type=search]");
    if (field) { field.focus(); field.select(); } else location.assign("/jobs");
  };
  const show = (dialog) => { if (!dialog.open) dialog.showModal(); };
  const find = () => { show(finder); finder.querySelector("input").select(); };

  const actions = { j: () => move(1), k: () => move(-1), o: openRow, x: tick, "/": search, "?": () => show(help) };
  const isTyping = (target) => target.closest("input, select, textarea, [contenteditable]") !== null;
  document.addEventListener("keydown", (event) => {
    if ((event.metaKey || event.ctrlKey) && event.key.toLowerCase() === "k") {
      event.preventDefault();
      find();
      return;
    }
    const isPlain = !event.metaKey && !event.ctrlKey && !event.altKey;
    if (!isPlain || isTyping(event.target) || document.querySelector("dialog[open]")) return;
    const action = actions[event.key];
    if (action) { event.preventDefault(); action(); }
  });

  // The finder: results come from the page /find, which also works by itself.
  const field = finder.querySelector("input");
  const results = finder.querySelector(".found");
  const links = () => Array.from(results.querySelectorAll("a"));
  let wanted = 0;
  const load = async () => {
    const number = ++wanted;
    const answer = await fetch(`/find?q=${encodeURIComponent(field.value)}`);
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const found = page.querySelector("#main .found");
    if (number === wanted && found) results.replaceChildren(...found.children);
  };
  let timer = 0;
  const loadSoon = () => { clearTimeout(timer); timer = setTimeout(load, 120); };
  field.addEventListener("input", loadSoon);
  document.querySelectorAll("a[href='/find']").forEach((link) => {
    link.addEventListener("click", (event) => { event.preventDefault(); find(); load(); });
  });
  finder.addEventListener("keydown", (event) => {
    const all = links();
    const at = all.indexOf(document.activeElement);
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      const next = at + (event.key === "ArrowDown" ? 1 : -1);
      (all[next] || (next < 0 ? field : all[all.length - 1]) || field).focus();
    } else if (event.key === "Enter" && document.activeElement === field) {
      event.preventDefault();
      load().then(() => { const first = links()[0]; if (first) first.click(); });
    }
  });
  document.querySelectorAll("dialog").forEach((dialog) => {
    dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });
  });

  // Completion: the list of the browser completes the whole field, so each of its options begins
  // with the terms that were already written.
  const query = document.getElementById("q");
  const terms = document.getElementById("terms");
  if (query && terms) {
    const known = Array.from(terms.options, (option) => [option.value, option.textContent]);
    let before = "";
    query.addEventListener("input", () => {
      const written = query.value.slice(0, query.value.search(/\S*$/));
      if (written === before) return;
      before = written;
      terms.replaceChildren(...known.map(([value, text]) => {
        const option = document.createElement("option");
        option.value = written + value;
        option.textContent = text;
        return option;
      }));
    });
  }

  // What a schedule means, while it is written.
  const cron = document.getElementById("cron-form");
  if (cron) {
    const explain = async () => {
      const written = new URLSearchParams(new FormData(cron));
      const answer = await fetch(`/cron-editor?${written}`);
      if (!answer.ok) return;
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      document.getElementById("explanation").replaceChildren(...page.getElementById("explanation").childNodes);
    };
    let waiting = 0;
    for (const name of ["schedule", "timeZone"]) {
      cron.elements[name].addEventListener("input", () => {
        clearTimeout(waiting);
        waiting = setTimeout(explain, 200);
      });
    }
  }

  // Commands become a list in which each can be copied.
  document.querySelectorAll(".commands pre").forEach((block) => {
    const list = document.createElement("ul");
    list.className = "copies";
    for (const line of block.textContent.trimEnd().split("\n")) {
      const item = document.createElement("li");
      const code = document.createElement("code");
      code.textContent = line;
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = "Copy";
      button.setAttribute("aria-label", `Copy ${line}`);
      button.addEventListener("click", async () => {
        try {
          await navigator.clipboard.writeText(line);
          button.textContent = "Copied";
        } catch {
          // Browsers allow it only on secure addresses; the text is selected instead.
          document.getSelection().selectAllChildren(code);
        }
      });
      item.append(code, button);
      list.append(item);
    }
    block.replaceWith(list);
  });
})();
