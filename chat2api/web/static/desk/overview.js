(() => {
  // 1 to 9 open what needs a person.
  if (!one("[data-need]")) return;
  document.addEventListener("keydown", (event) => {
    if (event.target.closest("input, textarea, select") || event.isComposing) return;
    if (event.ctrlKey || event.metaKey || event.altKey || !/^[1-9]$/.test(event.key)) return;
    const link = one(`[data-need="${event.key}"]`);
    if (link) location.href = link.href;
  });
})();
