// A login that somebody is finishing elsewhere: asked for until it has moved, then shown anew.
(() => {
  const login = one("#login[data-watch]");
  if (!login) return;
  desk.every(Number(login.dataset.every), async () => {
    const answer = await fetch(login.dataset.watch, { headers: { Accept: "application/json" } });
    if (answer.ok && (await answer.json()).state !== login.dataset.state) location.reload();
  });
  const end = Date.now();
  for (const left of desk.all("[data-left]", login)) {
    const seconds = Number(left.dataset.left);
    const tick = () => {
      const now = Math.max(0, Math.round(seconds - (Date.now() - end) / 1000));
      const time = `${Math.floor(now / 60)}:${String(now % 60).padStart(2, "0")}`;
      left.textContent = left.dataset.text.replace("{time}", time);
    };
    setInterval(tick, 1000);
  }
})();

// After one that is done the next begins by itself, unless somebody would rather stay.
(() => {
  const next = one("form[data-next-in]");
  if (!next) return;
  const told = one("#next-in");
  const stay = one("[data-stay]");
  let left = Number(next.dataset.nextIn);
  const say = () => { told.textContent = told.dataset.text.replace("{seconds}", left); };
  const timer = setInterval(() => {
    if (document.hidden) return;
    left -= 1;
    say();
    if (left > 0) return;
    clearInterval(timer);
    next.requestSubmit();
  }, 1000);
  stay.hidden = false;
  stay.addEventListener("click", () => {
    clearInterval(timer);
    stay.hidden = true;
    told.textContent = "";
  });
  say();
  desk.announce(told.textContent);
})();
