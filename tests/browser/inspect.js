// What is wrong with the page as it stands, as a list of sentences. For tests; runs in the page.
({ narrow, marks, english }) => {
  const faults = [];
  const say = (what, node) => {
    const text = node ? ` <${node.tagName.toLowerCase()}${node.id ? `#${node.id}` : ""}${node.className && node.className.baseVal === undefined ? `.${node.className}` : ""}> ${(node.textContent || "").trim().slice(0, 60)}` : "";
    faults.push(`${what}${text}`);
  };
  const all = (selector) => [...document.querySelectorAll(selector)];
  const seen = (node) => node.checkVisibility({ visibilityProperty: true, opacityProperty: true });
  const clipped = (node) => {
    for (let each = node; each; each = each.parentElement) {
      if (each.matches(".sr, .skip") || getComputedStyle(each).clipPath.startsWith("inset(50%")) return true;
    }
    return node.getBoundingClientRect().width <= 1;
  };

  // --- names and places

  if (all("[style]").length) say("a style attribute", all("[style]")[0]);
  if (all("h1").filter(seen).length !== 1) say(`there are ${all("h1").length} h1`);
  let level = 0;
  for (const heading of all("h1, h2, h3, h4, h5, h6").filter(seen)) {
    const now = Number(heading.tagName[1]);
    if (now > level + 1 && level) say("a heading jumps", heading);
    level = now;
  }
  const ids = all("[id]").map((node) => node.id);
  for (const id of new Set(ids)) if (ids.filter((one) => one === id).length > 1) say(`the id ${id} is there twice`);
  for (const name of ["aria-describedby", "aria-labelledby", "aria-controls", "aria-owns", "aria-activedescendant"]) {
    for (const node of all(`[${name}]`)) {
      for (const id of node.getAttribute(name).split(/\s+/)) if (!document.getElementById(id)) say(`${name} leads nowhere`, node);
    }
  }
  for (const label of all("label[for]")) if (!document.getElementById(label.htmlFor)) say("a label leads nowhere", label);
  const nameOf = (node) => {
    const by = node.getAttribute("aria-labelledby");
    if (by) return by.split(/\s+/).map((id) => (document.getElementById(id) || {}).textContent || "").join(" ").trim();
    const own = node.getAttribute("aria-label");
    if (own) return own.trim();
    if (node.labels && node.labels.length) return [...node.labels].map((one) => one.textContent).join(" ").trim();
    if (node.alt) return node.alt.trim();
    const title = node.querySelector && node.querySelector("svg > title");
    return (node.textContent || (title && title.textContent) || "").trim();
  };
  for (const node of all("input:not([type=hidden]), select, textarea, meter, progress")) if (seen(node) && !nameOf(node)) say("without a label", node);
  for (const node of all("a[href], button, summary, dialog, nav, [role=region], [role=dialog]")) if (seen(node) && !nameOf(node)) say("without a name", node);
  for (const node of all("svg")) {
    const told = node.getAttribute("aria-hidden") === "true" || nameOf(node) || node.closest("[aria-hidden=true]");
    if (!told) say("a drawing neither named nor hidden", node);
  }
  for (const node of all("img")) if (!node.hasAttribute("alt")) say("a picture without alt", node);
  for (const node of all("table")) {
    if (!node.querySelector("th")) say("a table without headers", node);
    for (const head of node.querySelectorAll("th")) if (!head.scope) say("a th without scope", head);
  }
  for (const node of all("ul, ol")) {
    for (const child of node.children) if (!["LI", "SCRIPT", "TEMPLATE"].includes(child.tagName)) say("not a li in a list", child);
  }
  for (const node of all("button button, a a, a button, button a, summary a, summary button, label label")) say("a control within a control", node);
  for (const landmark of ["header", "main", "footer"]) if (!all(landmark).length) say(`no ${landmark}`);
  const navs = all("nav").filter(seen).map(nameOf);
  if (new Set(navs).size !== navs.length) say(`two navs of one name: ${navs}`);
  for (const node of all("[tabindex]")) if (Number(node.tabIndex) > 0) say("an order of tabs", node);
  if (all("meta[name=viewport]").some((meta) => /user-scalable|maximum-scale/.test(meta.content))) say("zoom is blocked");

  // --- room

  const root = document.documentElement;
  if (root.scrollWidth > root.clientWidth) {
    const wide = all("body *").find((node) => seen(node) && !node.closest(".scroll, pre, .log-lines") && node.getBoundingClientRect().right > root.clientWidth + 1);
    say(`scrolls sideways by ${root.scrollWidth - root.clientWidth}`, wide);
  }
  for (const node of all("main *")) {
    if (!seen(node) || clipped(node)) continue;
    const style = getComputedStyle(node);
    if (style.overflowX === "auto" && node.scrollWidth > node.clientWidth + 1 && node.tabIndex < 0 && !node.matches("textarea, select, input")) {
      say("scrolls, but no key reaches it", node);
    }
  }

  // --- thumbs

  const isInText = (node) => {
    if (node.tagName !== "A" || node.matches(".button, .chip, .pill")) return false;
    const holder = node.closest("p, li, td, th, dd, dt, h1, h2, h3, div");
    return Boolean(holder) && getComputedStyle(node).display.startsWith("inline") && !getComputedStyle(node).display.includes("flex");
  };
  const hit = (node) => {
    let box = node.getBoundingClientRect();
    const wider = getComputedStyle(node, "::after");
    if (wider.position === "absolute" && wider.content !== "none") {
      return { width: box.width - parseFloat(wider.left) - parseFloat(wider.right), height: box.height - parseFloat(wider.top) - parseFloat(wider.bottom) };
    }
    const label = node.labels && node.labels[0];
    if (label && node.matches("[type=checkbox], [type=radio]")) {
      const other = label.getBoundingClientRect();
      const [top, bottom] = [Math.min(box.top, other.top), Math.max(box.bottom, other.bottom)];
      box = { height: bottom - top, width: Math.max(box.width, other.width) };
    }
    return box;
  };
  if (narrow) {
    for (const node of all("a[href], button, select, summary, input:not([type=hidden]), textarea")) {
      if (!seen(node) || clipped(node) || isInText(node) || node.ownerSVGElement) continue;
      const box = hit(node);
      if (box.height < 43.5 || box.width < 30) say(`a target of ${Math.round(box.width)}×${Math.round(box.height)}`, node);
    }
  }

  // --- colours

  const parse = (colour) => {
    const found = colour.match(/rgba?\(([^)]+)\)/);
    if (!found) return null;
    const [r, g, b, a = 1] = found[1].split(/[ ,/]+/).map(Number);
    return [r, g, b, a];
  };
  const over = (top, below) => [0, 1, 2].map((i) => top[i] * top[3] + below[i] * (1 - top[3])).concat(1);
  const ground = (node) => {
    const layers = [];
    for (let each = node; each; each = each.parentElement) {
      const colour = parse(getComputedStyle(each).backgroundColor);
      if (colour && colour[3] > 0) {
        layers.push(colour);
        if (colour[3] === 1) break;
      }
    }
    return layers.reverse().reduce((below, top) => over(top, below), [255, 255, 255, 1]);
  };
  const bright = ([r, g, b]) => {
    const [x, y, z] = [r, g, b].map((value) => {
      const part = value / 255;
      return part <= 0.03928 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * x + 0.7152 * y + 0.0722 * z;
  };
  const contrast = (one, other) => {
    const [low, high] = [bright(one), bright(other)].sort((a, b) => a - b);
    return (high + 0.05) / (low + 0.05);
  };
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const told = new Set();
  while (walker.nextNode()) {
    const node = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || told.has(node) || !seen(node) || clipped(node)) continue;
    told.add(node);
    if (node.closest("[disabled], [aria-disabled=true], option, template")) continue;
    const style = getComputedStyle(node);
    if (parseFloat(style.fontSize) < 12.9) say(`letters of ${style.fontSize}`, node);
    const isDrawn = node instanceof SVGElement;
    const colour = parse(isDrawn ? style.fill : style.color);
    if (!colour) continue;
    const below = ground(isDrawn ? node.closest("svg").parentElement : node);
    const ratio = contrast(over(colour, below), below);
    if (ratio < 4.5) say(`a contrast of ${ratio.toFixed(2)}`, node);
  }
  for (const node of all("input:not([type=hidden]), select, textarea, .button.plain").filter(seen)) {
    if (clipped(node) || node.matches("[type=file], [type=checkbox], [type=radio]")) continue;
    const border = parse(getComputedStyle(node).borderTopColor);
    const below = ground(node.parentElement);
    if (border && contrast(over(border, below), below) < 3) say("a border that is hardly there", node);
  }

  // --- what ran, and what was not translated

  if (window.ran) say(`a planted script ran: ${window.ran}`);
  for (const mark of marks) if (document.querySelector(mark)) say(`planted markup became markup: ${mark}`);
  const words = document.body.innerText + [...all("[aria-label], [title], [placeholder]")].map((node) => ["aria-label", "title", "placeholder"].map((name) => node.getAttribute(name) || "").join("\n")).join("\n");
  for (const sentence of english) if (words.includes(sentence)) say(`not translated: ${sentence}`);
  return faults;
}
