// A job's progress, the live log, and the form of the settings.
(() => {
  // --- a job: looked at every second while it runs, read out at every quarter

  const progress = desk.one("#job-progress[data-job]");
  if (progress) {
    const quarter = (job) => (job.total ? Math.floor((job.done / job.total) * 4) : 0);
    let told = quarter({ done: progress.value, total: progress.max });
    desk.every(1, async () => {
      const answer = await fetch(progress.dataset.job, { headers: { Accept: "application/json" } });
      if (!answer.ok) return;
      const job = await answer.json();
      progress.max = job.total || 1;
      progress.value = job.done;
      desk.one("#job-text").textContent = job.text;
      for (const chip of desk.all("[data-count]")) {
        const count = job.counts[chip.dataset.count];
        desk.one(".number", chip).textContent = count;
        if (count) chip.hidden = false;
      }
      if (quarter(job) > told) {
        told = quarter(job);
        desk.announce(job.text);
      }
      // Not under somebody's hand: a question that is open stays.
      if (job.state !== progress.dataset.state && !desk.one("details.confirm[open]")) location.reload();
    });
  }

  // --- the settings: the keys of every editor

  const settings = desk.one("#settings-form");
  if (settings) {
    document.addEventListener("keydown", (event) => {
      if (!(event.ctrlKey || event.metaKey) || event.key !== "s") return;
      event.preventDefault();
      settings.requestSubmit();
    });
  }

  // --- the live log

  const log = desk.one("#log");
  if (!log) return;
  const most = Number(log.dataset.most);
  const state = desk.one("#log-state");
  const pause = desk.one("#log-pause");
  const news = desk.one("#log-new");
  const template = desk.one("#log-line").content.firstElementChild;
  let waiting = []; // while somebody reads further up, nothing moves
  let held = false;

  const atEnd = () => log.scrollHeight - log.scrollTop - log.clientHeight < 32;
  const toEnd = () => { log.scrollTop = log.scrollHeight; };

  const drawn = (line) => {
    if (line.gap) {
      const gap = document.createElement("li");
      gap.className = "gap";
      gap.textContent = line.gap;
      return gap;
    }
    const node = template.cloneNode(true);
    node.classList.add(`at-${line.level}`);
    const fill = (selector, text) => { desk.one(selector, node).textContent = text; };
    desk.one("time", node).dateTime = line.at;
    desk.one("time", node).title = line.at;
    fill("time", line.clock);
    fill(".log-level", line.level);
    fill(".log-text", line.text);
    fill(".log-facts", line.facts);
    fill(".log-from", `${line.logger} ${line.pid}`);
    const link = desk.one("a", node);
    if (line.href) link.href = line.href;
    link.textContent = line.request_id;
    if (line.trace) fill("pre", line.trace);
    else desk.one("details", node).remove();
    return node;
  };

  const flush = () => {
    const part = document.createDocumentFragment();
    for (const line of waiting.slice(-most)) part.append(drawn(line));
    waiting = [];
    log.append(part);
    while (log.children.length > most) log.firstElementChild.remove();
    news.hidden = true;
    toEnd();
  };

  const add = (lines) => {
    const empty = desk.one("#log-empty");
    if (empty) empty.remove();
    const follow = !held && atEnd();
    waiting.push(...lines);
    if (waiting.length > 2 * most) waiting = waiting.slice(-most);
    if (follow) flush();
    else {
      const number = Math.min(waiting.length, most);
      news.textContent = news.dataset[number === 1 ? "one" : "many"].replace("%(num)d", number);
      news.hidden = false;
    }
  };

  const hold = (wish) => {
    held = wish;
    pause.setAttribute("aria-pressed", String(held));
    const label = desk.one("span", pause);
    pause.dataset.pause = pause.dataset.pause || label.textContent;
    label.textContent = held ? pause.dataset.goOn : pause.dataset.pause;
    if (!held) flush();
  };

  pause.hidden = false;
  pause.addEventListener("click", () => hold(!held));
  news.addEventListener("click", () => hold(false));
  log.addEventListener("scroll", () => { if (!held && waiting.length && atEnd()) flush(); });
  document.addEventListener("keydown", (event) => {
    const field = event.target.closest("input, textarea, select, button, a, summary");
    if (event.key !== " " || field || event.isComposing) return;
    event.preventDefault();
    hold(!held);
  });

  toEnd();
  const source = new EventSource(log.dataset.stream);
  let lost = false;
  source.addEventListener("open", () => {
    state.textContent = state.dataset.live;
    if (lost) add([{ gap: log.dataset.back }]);
    lost = false;
  });
  source.addEventListener("lines", (event) => add(JSON.parse(event.data)));
  source.addEventListener("gap", () => add([{ gap: log.dataset.gap }]));
  source.addEventListener("error", () => {
    lost = true;
    const over = source.readyState === EventSource.CLOSED;
    state.textContent = over ? state.dataset.ended : state.dataset.lost;
  });
})();
