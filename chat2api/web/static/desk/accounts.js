(() => {
  "use strict";
  const press = (key) => {
    const button = desk.one(`[data-act="${CSS.escape(key)}"]`);
    if (button) button.click();
    return Boolean(button);
  };
  const quiet = (event) =>
    event.target.closest("input:not([type=checkbox]), textarea, select, dialog") || event.isComposing ||
    event.keyCode === 229 || event.ctrlKey || event.metaKey || event.altKey;

  const form = desk.one("#chosen");
  if (!form) {
    // The page of one account.
    document.addEventListener("keydown", (event) => {
      if (!quiet(event) && "trp".includes(event.key) && press(event.key)) event.preventDefault();
    });
    return;
  }

  const words = JSON.parse(form.dataset.words);
  const say = (forms, count) => forms[count === 1 ? 0 : 1].replace("%(num)d", count.toLocaleString());
  const rows = desk.all("tr[data-row]", form);
  const boxes = rows.map((row) => desk.one("input[name=id]", row));
  const bulk = desk.one(".bulk", form);
  const whole = desk.one("input[name=all]", form);
  const pickAll = desk.one("#pick-all");
  let here = -1;
  let last = -1;

  // --- selecting

  const count = () => {
    const chosen = boxes.filter((box) => box.checked).length;
    bulk.hidden = !chosen && !(whole && whole.checked);
    pickAll.checked = chosen === boxes.length;
    pickAll.indeterminate = chosen > 0 && chosen < boxes.length;
    // The step to all that match comes only after all that are shown.
    if (whole) {
      whole.closest("label").hidden = chosen < boxes.length && !whole.checked;
      if (chosen < boxes.length) whole.checked = false;
    }
    const text = desk.one("[data-count]", bulk);
    const number = whole && whole.checked ? Number(whole.dataset.total) : chosen;
    text.textContent = say(words.selected, number);
  };
  if (whole) whole.dataset.total = whole.closest("label").textContent.replace(/\D/g, "");
  pickAll.hidden = false;
  pickAll.addEventListener("change", () => {
    for (const box of boxes) box.checked = pickAll.checked;
    count();
  });
  boxes.forEach((box, index) => box.addEventListener("click", (event) => {
    if (event.shiftKey && last >= 0) {
      const [from, to] = [Math.min(last, index), Math.max(last, index)];
      for (let each = from; each <= to; each += 1) boxes[each].checked = box.checked;
    }
    last = index;
    count();
  }));
  if (whole) whole.addEventListener("change", count);
  form.addEventListener("reset", () => setTimeout(count));
  window.addEventListener("pageshow", count);
  count();

  // --- keys

  const go = (index) => {
    if (rows[here]) rows[here].classList.remove("here");
    here = Math.max(0, Math.min(rows.length - 1, index));
    rows[here].classList.add("here");
    desk.one("[data-open]", rows[here]).focus();
    rows[here].scrollIntoView({ block: "nearest" });
  };
  document.addEventListener("keydown", (event) => {
    if (quiet(event)) return;
    const key = event.key;
    if (key === "j" || key === "k") go(here + (key === "j" ? 1 : -1));
    else if (key === "x" && here >= 0) { boxes[here].checked = !boxes[here].checked; last = here; count(); }
    else if ("trp".includes(key)) {
      const none = !boxes.some((box) => box.checked);
      if (none && here < 0) return;
      if (none) { boxes[here].checked = true; count(); }
      press(key);
    } else return;
    event.preventDefault();
  });

  // --- what changes by itself: cells in place, never the order under a hand

  const glyphs = desk.one("#glyphs");
  const moved = desk.one("#moved");
  const setText = (cell, fact) => {
    const span = desk.one("span", cell) || cell;
    const [text, role] = typeof fact === "string" ? [fact, ""] : [fact.text, fact.role];
    if (span.textContent !== text) span.textContent = text;
    if (span !== cell && span.className !== role) span.className = role;
  };
  const setPill = (cell, pill) => {
    const link = desk.one(".pill", cell);
    const before = `${pill.role} ${pill.glyph} ${pill.word} ${pill.fact}`;
    if (link.dataset.shown === before) return;
    link.dataset.shown = before;
    link.className = `pill ${pill.role}`;
    const word = document.createElement("span");
    word.textContent = pill.word;
    const parts = [word];
    const glyph = desk.one(`[data-glyph="${CSS.escape(pill.glyph)}"] svg`, glyphs.content);
    if (glyph) parts.unshift(glyph.cloneNode(true));
    if (pill.fact) {
      const fact = document.createElement("span");
      fact.className = "fact";
      fact.textContent = pill.fact;
      parts.push(fact);
    }
    link.replaceChildren(...parts);
  };
  desk.every(5, async () => {
    const answer = await fetch(form.dataset.cells, { headers: { Accept: "application/json" } });
    if (!answer.ok) return;
    const now = (await answer.json()).rows;
    const byId = new Map(now.map((one) => [one.id, one]));
    const ids = rows.map((row) => row.dataset.row);
    const fresh = now.filter((one) => !ids.includes(one.id)).length;
    const stay = ids.filter((id) => byId.has(id));
    const order = now.map((one) => one.id).filter((id) => ids.includes(id));
    // What comes in where something went is one change; of those that stay, each in another place.
    const changes = Math.max(fresh, ids.length - stay.length) +
      stay.filter((id, index) => order[index] !== id).length;
    rows.forEach((row) => {
      const one = byId.get(row.dataset.row);
      if (!one) return;
      for (const cell of desk.all("[data-cell]", row)) {
        if (cell.dataset.cell === "pill") setPill(cell, one.pill);
        else setText(cell, one[cell.dataset.cell]);
      }
    });
    moved.hidden = !changes;
    if (changes) desk.one("span", moved).textContent = say(words.changes, changes);
  });
})();
