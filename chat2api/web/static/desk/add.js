// Handing accounts in: what was pasted or chosen is told while one types; the server reads it.
(() => {
  const form = one("#hand-in");
  if (!form) return;
  const words = JSON.parse(form.dataset.words);
  const text = one("#text", form);
  const seen = one("#seen", form);
  const hint = seen.textContent;
  const files = one("#files", form);
  const chosen = one("#chosen-files", form);
  const most = Number(form.dataset.most);

  const look = () => {
    if (/^\s*[{[]/.test(text.value)) {
      seen.textContent = form.dataset.json;
      seen.classList.remove("warned");
      return;
    }
    const { warned, said } = tokensIn(text.value, words);
    seen.textContent = said || hint;
    seen.classList.toggle("warned", warned);
  };
  let pending = 0;
  text.addEventListener("input", () => {
    clearTimeout(pending);
    pending = setTimeout(look, text.value.length > 100000 ? 400 : 60);
  });

  const list = () => {
    const all = [...files.files];
    chosen.replaceChildren(...all.map((file) => {
      const line = document.createElement("li");
      line.textContent = `${file.name} · ${Math.ceil(file.size / 1024).toLocaleString()} kB`;
      return line;
    }));
    if (all.reduce((sum, file) => sum + file.size, 0) > most) {
      const line = document.createElement("li");
      line.className = "problem";
      line.textContent = form.dataset.large;
      chosen.append(line);
    }
    chosen.hidden = !all.length;
  };
  files.addEventListener("change", list);

  // What is dropped or pasted comes to what was chosen before.
  const add = (more) => {
    const both = new DataTransfer();
    for (const file of [...files.files, ...more]) both.items.add(file);
    files.files = both.files;
    list();
  };
  let depth = 0;
  const over = (is) => form.classList.toggle("over", is);
  for (const name of ["dragenter", "dragover", "dragleave", "drop"]) {
    document.addEventListener(name, (event) => {
      if (!event.dataTransfer || !event.dataTransfer.types.includes("Files")) return;
      event.preventDefault();
      if (name === "dragenter") depth += 1;
      if (name === "dragleave") depth -= 1;
      if (name === "drop") {
        depth = 0;
        add(event.dataTransfer.files);
      }
      over(depth > 0);
    });
  }
  document.addEventListener("paste", (event) => {
    if (event.target.closest("input, textarea, select, dialog")) return;
    const data = event.clipboardData;
    if (data.files.length) {
      add(data.files);
    } else {
      const pasted = data.getData("text/plain");
      if (!pasted) return;
      text.value = [text.value.replace(/\n+$/, ""), pasted].filter(Boolean).join("\n");
      look();
      text.focus();
    }
    event.preventDefault();
  });
  text.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && !event.isComposing) {
      event.preventDefault();
      form.requestSubmit();
    }
  });
  look();
  list();
})();

// What was looked at: the button says how many the chosen groups hold.
(() => {
  const form = one("#import");
  const button = form && one(".import-bar .primary", form);
  if (!button) return;
  const count = () => {
    const num = desk.all("[name=take]:checked", form)
      .reduce((sum, box) => sum + Number(box.dataset.count), 0);
    one("span", button).textContent = num ? fill(button.dataset.one, { num }) : button.dataset.none;
    button.disabled = !num;
  };
  form.addEventListener("change", count);
  count();
})();
