// What the scripts of the operator's pages share. Every page works without them.
const desk = (() => {
  const all = (selector, within) => [...(within || document).querySelectorAll(selector)];

  // Handlers on the document, so that what comes later counts as well.
  const on = (selector, event, act) => document.addEventListener(event, (happened) => {
    const target = happened.target.closest && happened.target.closest(selector);
    if (target) act(happened, target);
  });

  const post = (url, fields) => fetch(url, {
    method: "POST",
    headers: {
      Accept: "application/json",
      "Content-Type": "application/json",
      "X-CSRF-Token": (one("[name=csrf]") || {}).value || "",
    },
    body: JSON.stringify(fields || {}),
  });

  // A part of the page that a screen reader reads out when it changes.
  const region = document.createElement("p");
  region.className = "sr";
  region.setAttribute("role", "status");
  document.body.append(region);
  const announce = (text) => { region.textContent = text; };

  // Looks again every so often while the page is in sight, and once when it comes back into sight.
  const every = (seconds, look) => {
    let timer = 0;
    const run = async () => {
      clearTimeout(timer);
      if (document.hidden) return;
      try { await look(); } finally { timer = setTimeout(run, seconds * 1000); }
    };
    document.addEventListener("visibilitychange", run);
    timer = setTimeout(run, seconds * 1000);
  };

  // One at a time; stays while it is looked at.
  let shown = null;
  const show = (node, seconds) => {
    if (shown) shown.remove();
    shown = node;
    node.classList.add("toast");
    let timer = 0;
    const leave = () => { timer = setTimeout(() => { node.remove(); }, seconds * 1000); };
    for (const name of ["mouseenter", "focusin"]) node.addEventListener(name, () => clearTimeout(timer));
    for (const name of ["mouseleave", "focusout"]) node.addEventListener(name, leave);
    leave();
  };
  const toast = (text) => {
    const node = document.createElement("div");
    node.className = "notice";
    node.setAttribute("role", "status");
    node.textContent = text;
    document.body.append(node);
    show(node, 6);
  };

  // On plain http there is no clipboard; a selected field and the old command do.
  const copy = async (text) => {
    if (navigator.clipboard && window.isSecureContext) {
      try { await navigator.clipboard.writeText(text); return true; } catch { /* the old way, then */ }
    }
    const field = document.createElement("textarea");
    field.value = text;
    field.setAttribute("readonly", "");
    field.className = "sr";
    document.body.append(field);
    field.select();
    let done = false;
    try { done = document.execCommand("copy"); } catch { done = false; }
    field.remove();
    return done;
  };

  return { one, all, on, post, every, show, toast, copy, announce };
})();

(() => {
  // --- what was just done

  const told = one("#told[data-toast=yes]");
  if (told) desk.show(told, one("form", told) ? 10 : 6);

  // --- copying

  for (const button of desk.all("[data-copy]")) button.hidden = false;
  desk.on("[data-copy]", "click", async (event, button) => {
    const target = document.getElementById(button.dataset.copy);
    const text = "value" in target ? target.value : target.textContent;
    const label = one("span", button);
    if (await desk.copy(text)) {
      const before = button.dataset.label || label.textContent;
      button.dataset.label = before;
      label.textContent = button.dataset.done;
      desk.announce(button.dataset.done);
      setTimeout(() => { label.textContent = before; }, 2000);
      return;
    }
    const range = document.createRange();
    range.selectNodeContents(target);
    const selection = getSelection();
    selection.removeAllRanges();
    selection.addRange(range);
    desk.toast(button.dataset.failed);
  });

  // --- questions in place: the focus on the safe answer, gone after ten seconds

  for (const keep of desk.all("[data-keep]")) keep.hidden = false;
  for (const details of desk.all("details.confirm")) {
    let timer = 0;
    details.addEventListener("toggle", () => {
      clearTimeout(timer);
      if (!details.open) return;
      one("[data-keep]", details).focus();
      timer = setTimeout(() => {
        if (!details.matches(":hover")) details.open = false;
      }, 10000);
    });
  }
  desk.on("[data-keep]", "click", (event, keep) => {
    const details = keep.closest("details");
    details.open = false;
    one("summary", details).focus();
  });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    for (const open of desk.all("details.confirm[open], details.more-pages[open]")) open.open = false;
  });
  document.addEventListener("click", (event) => {
    const menu = one("details.more-pages[open]");
    if (menu && !menu.contains(event.target)) menu.open = false;
  });

  // --- menus of filters send themselves

  desk.on("select[data-send]", "change", (event, menu) => menu.form.requestSubmit());
  for (const button of desk.all("[data-without-script]")) button.hidden = true;

  // --- the header's line

  const state = one("#pool-state");
  if (state) {
    const offline = one("#offline");
    const running = one("#running");
    let seen = new Date();
    desk.every(5, async () => {
      try {
        const answer = await fetch(document.body.dataset.pulse, { headers: { Accept: "application/json" } });
        if (answer.status === 401) return;
        const now = await answer.json();
        state.dataset.role = now.role;
        one("a", state).textContent = now.short;
        running.hidden = !now.jobs.length;
        if (now.jobs.length) {
          one("a", running).href = now.jobs[0].href;
          one("span", running).textContent = one("a", running).title = now.jobs[0].text;
        }
        seen = new Date();
        offline.hidden = true;
      } catch {
        const clock = seen.toTimeString().slice(0, 5);
        offline.textContent = offline.dataset.text.replace("{time}", clock);
        offline.hidden = false;
      }
    });
  }

  // --- keys: g and a letter opens a page, ? tells which

  const sheet = one("#shortcuts");
  const sheetButton = one("[data-shortcuts]");
  if (sheetButton) {
    sheetButton.hidden = false;
    sheetButton.addEventListener("click", () => sheet.showModal());
  }
  let before = "";
  document.addEventListener("keydown", (event) => {
    const field = event.target.closest("input, textarea, select, [contenteditable]");
    if (field || event.isComposing || event.ctrlKey || event.metaKey || event.altKey) return;
    if (before === "g") {
      const link = one(`[data-go="${CSS.escape(event.key)}"]`);
      before = "";
      if (link) {
        event.preventDefault();
        location.href = link.href;
      }
      return;
    }
    before = event.key === "g" ? "g" : "";
    if (before) setTimeout(() => { before = ""; }, 1500);
    if (event.key === "?" && sheet) {
      event.preventDefault();
      sheet.showModal();
    }
    if (event.key === "/") {
      const search = one("#search");
      if (search) {
        event.preventDefault();
        search.focus();
      }
    }
  });
})();
