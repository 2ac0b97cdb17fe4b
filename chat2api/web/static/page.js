// Makes pages quicker; every one of them works without. No state but what is in the page.
"use strict";

const one = (selector, within) => (within || document).querySelector(selector);

// --- times: the browser's zone, learned once

if (!/(?:^|; )tz=/.test(document.cookie)) {
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  if (/^[A-Za-z0-9_+/-]{1,60}$/.test(zone)) {
    document.cookie = `tz=${zone}; path=/; max-age=31536000; samesite=lax`;
  }
}

// --- a form is sent once

document.addEventListener("submit", (event) => {
  const form = event.target;
  if (event.defaultPrevented || (event.submitter && event.submitter.formTarget)) return;
  if (form.dataset.sent) {
    event.preventDefault();
    return;
  }
  form.dataset.sent = "yes";
  const button = event.submitter;
  if (button) button.setAttribute("aria-busy", "true");
  setTimeout(() => {  // a download leaves the page as it is
    delete form.dataset.sent;
    if (button) button.removeAttribute("aria-busy");
  }, 8000);
});

window.addEventListener("pageshow", () => {
  for (const form of document.forms) delete form.dataset.sent;
});

// --- counting down to the next try

const waiting = one("[data-wait]");
if (waiting) {
  const end = Date.now() + Number(waiting.dataset.wait) * 1000;
  const tick = () => {
    const left = Math.ceil((end - Date.now()) / 1000);
    if (left <= 0) {
      waiting.textContent = waiting.dataset.done;
      clearInterval(timer);
      return;
    }
    const clock = `${Math.floor(left / 60)}:${String(left % 60).padStart(2, "0")}`;
    waiting.textContent = waiting.dataset.text.replace("{left}", clock);
  };
  const timer = setInterval(tick, 1000);
}

// --- clearing asks in a dialog instead of on a page

const dialog = one("#clear-dialog");
if (dialog && dialog.showModal) {
  one("#clear-link").addEventListener("click", (event) => {
    event.preventDefault();
    dialog.showModal();
  });
  one("[data-close]", dialog).addEventListener("click", () => dialog.close());
}

// --- what a pasted text holds; the server alone decides

const fill = (template, values) =>
  template.replace(/%\((\w+)\)[ds]/g, (_, name) => String(values[name]));
const counted = (forms, num) => fill(forms[num === 1 ? 0 : 1], { num });

const tokenKind = (line) => {
  const entry = line.trim().replace(/\s+#.*$/, "").replace(/^bearer /i, "").trim();
  if (!entry || entry.startsWith("#") || /^[-=_*~#.]+$/.test(entry)) return "";
  const [token, workspace = ""] = entry.split(/,(.*)/s).map((part) => part.trim());
  if (workspace && !/^[A-Za-z0-9_-]{1,64}$/.test(workspace)) return "unreadable";
  if (/^(?:eyJhbGciOi|fk-)[A-Za-z0-9_.|:+/=~-]+$/.test(token) && token.length >= 8) return "access";
  if (/^rt[_.][A-Za-z0-9_.~+/=-]{16,}$/.test(token)) return "refresh";
  return /^(?!sk-)[A-Za-z0-9_.~+/=-]{45}$/.test(token) ? "refresh" : "unreadable";
};

// How many tokens, whether something is no token, and both in words ("" for an empty text).
const tokensIn = (text, words) => {
  const numbers = { access: 0, refresh: 0, unreadable: 0 };
  for (const line of text.split(/\r\n|\r|\n/)) {
    const kind = tokenKind(line);
    if (kind) numbers[kind] += 1;
  }
  const good = numbers.access + numbers.refresh;
  const all = good + numbers.unreadable;
  const parts = Object.keys(numbers)
    .filter((kind) => numbers[kind])
    .map((kind) => counted(words[kind], numbers[kind]));
  const said = all
    ? fill(words.whole, { lines: counted(words.lines, all), parts: parts.join(words.comma) })
    : "";
  return { good, warned: numbers.unreadable > 0, said };
};

// --- adding tokens

const add = one("#add");
if (add) {
  const words = JSON.parse(add.dataset.words);
  const text = one("#text", add);
  const seen = one("#seen", add);
  const hint = seen.textContent;
  const label = one(".button.primary span", add);
  const plain = label.textContent;
  const files = one("input[type=file]", add);

  const look = () => {
    const { good, warned, said } = tokensIn(text.value, words);
    seen.textContent = said || hint;
    seen.classList.toggle("warned", warned);
    label.textContent = good ? counted(words.add, good) : plain;
  };

  let pending = 0;
  text.addEventListener("input", () => {
    clearTimeout(pending);
    pending = setTimeout(look, text.value.length > 100000 ? 400 : 60);
  });
  text.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && !event.isComposing) {
      event.preventDefault();
      add.requestSubmit(one(".button.primary", add));
    }
  });

  const take = async (list) => {
    for (const file of list) {
      if (file.size > Number(add.dataset.most)) {
        seen.textContent = words.too_large;
        return;
      }
      const content = (await file.text()).replace(/^\ufeff/, "");
      if (/[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ufffd]/.test(content)) {
        seen.textContent = words.not_text;
        seen.classList.add("warned");
        return;
      }
      text.value = [text.value.replace(/\n+$/, ""), content].filter(Boolean).join("\n");
    }
    look();
  };
  files.addEventListener("change", async () => {
    await take(files.files);
    files.value = "";
  });
  for (const name of ["dragover", "dragleave", "drop"]) {
    add.addEventListener(name, (event) => {
      if (!event.dataTransfer || !event.dataTransfer.types.includes("Files")) return;
      event.preventDefault();
      add.classList.toggle("over", name === "dragover");
      if (name === "drop") take(event.dataTransfer.files);
    });
  }

  const preview = one("[formaction]", add);
  preview.addEventListener("click", async (event) => {
    event.preventDefault();
    preview.setAttribute("aria-busy", "true");
    try {
      const answer = await fetch(add.dataset.preview, {
        method: "POST",
        headers: {
          Accept: "application/json",
          "Content-Type": "application/json",
          "X-CSRF-Token": one("[name=csrf]", add).value,
        },
        body: JSON.stringify({ text: text.value }),
      });
      const told = await answer.json();
      seen.textContent = answer.ok ? told.said : told.error.message;
    } catch {
      seen.textContent = words.failed;
    }
    preview.removeAttribute("aria-busy");
  });

  look();
}
