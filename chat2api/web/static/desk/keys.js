(() => {
  // --- a new key is left only on purpose

  const unsaved = one("[data-unsaved]");
  if (unsaved) {
    let importing = false;
    const ask = (event) => { if (!importing) event.preventDefault(); };
    addEventListener("beforeunload", ask);
    desk.on("[data-stored]", "click", () => removeEventListener("beforeunload", ask));
    desk.on("[data-import]", "click", () => {  // opens an application, and this page stays
      importing = true;
      setTimeout(() => { importing = false; }, 1000);
    });
  }

  // --- letters that press what they name, such as n for a new key

  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.isComposing || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target.closest("input, textarea, select, [contenteditable]")) return;
    const target = event.key === "c" ? one("[data-unsaved] [data-copy]") : one(`[data-press="${CSS.escape(event.key)}"]`);
    if (!target) return;
    event.preventDefault();
    target.click();
  });

  // --- trying a request: the answer appears in place, word by word

  const tell = (place, text, state) => {
    place.dataset.state = state;
    one("p", place).textContent = text;
  };
  const filled = (text, values) => text.replace(/\{(\w+)\}/g, (_, name) => values[name] ?? "–");

  const told = (place, trial) => {
    const values = { seconds: trial.seconds, first: trial.first_seconds, status: trial.status, code: trial.code };
    const line = filled(trial.code ? place.dataset.failed : place.dataset.worked, values);
    tell(place, trial.message ? `${line} ${trial.message}` : line, trial.code ? "bad" : "ok");
  };

  const read = async (response, place) => {
    const answer = one("blockquote", place);
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    let rest = "";
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      const lines = (rest + value).split("\n");
      rest = lines.pop();
      for (const line of lines.map((text) => JSON.parse(text))) {
        if (line.text) answer.append(line.text);
        if (line.trial) told(place, line.trial);
      }
    }
  };

  desk.on("form[data-trial]", "submit", async (event, form) => {
    event.preventDefault();
    const place = one("[data-trial-result]", form);
    const button = one("button", form);
    if (form.dataset.trying) return;
    form.dataset.trying = "yes";
    button.setAttribute("aria-busy", "true");
    place.hidden = false;
    one("blockquote", place).textContent = "";
    tell(place, place.dataset.working, "busy");
    try {
      const response = await fetch(form.action, {
        method: "POST",
        headers: { Accept: "application/x-ndjson", "X-CSRF-Token": one("[name=csrf]", form).value },
        body: new URLSearchParams(new FormData(form)),
      });
      if (response.ok) await read(response, place);
      else tell(place, (await response.json()).error.message, "bad");
    } catch {
      tell(place, place.dataset.lost, "bad");
    }
    button.removeAttribute("aria-busy");
    delete form.dataset.trying;
    delete form.dataset.sent;  // it may be sent again at once
  });
})();
