// Charts tell their values below; [ and ] change the range, e saves the file.
(() => {
  for (const chart of desk.all("[data-chart]")) {
    const told = desk.one("[data-told]", chart);
    let chosen = null;
    const tell = (link) => {
      if (chosen) chosen.classList.remove("chosen");
      chosen = link;
      link.classList.add("chosen");
      told.textContent = link.dataset.text;
    };
    // The first tap of a finger tells, the second follows the link.
    let byFinger = false;
    chart.addEventListener("pointerdown", (event) => { byFinger = event.pointerType === "touch"; });
    for (const link of desk.all("a[data-text]", chart)) {
      link.addEventListener("pointerenter", (event) => { if (event.pointerType !== "touch") tell(link); });
      link.addEventListener("focus", () => { if (!byFinger) tell(link); });
      link.addEventListener("click", (event) => {
        if (byFinger && chosen !== link) event.preventDefault();
        tell(link);
      });
    }
  }

  document.addEventListener("keydown", (event) => {
    const inField = event.target.closest("input, textarea, select, [contenteditable]");
    if (inField || event.isComposing || event.ctrlKey || event.metaKey || event.altKey) return;
    const step = { "[": -1, "]": 1 }[event.key];
    const ranges = desk.all("[data-ranges] a");
    if (step && ranges.length) {
      const now = ranges.findIndex((link) => link.hasAttribute("aria-current"));
      const next = ranges[now < 0 ? 0 : now + step];
      if (next) location.href = next.href;
    }
    const file = desk.one("[data-export]");
    if (event.key === "e" && file) file.click();
  });
})();
