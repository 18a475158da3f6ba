// Keeps the page true while somebody looks at it: counts seconds on from the server's time, fetches
// the page again and replaces the parts that changed, and filters while somebody types. The page works
// without it.
"use strict";

(() => {
  const REFRESH_EVERY = 10_000;
  const ANSWER_WITHIN = 8_000;
  const TYPED_AFTER = 250;

  const main = document.getElementById("main");
  const form = document.getElementById("filter");
  const trouble = document.getElementById("trouble");
  const pause = document.getElementById("pause");

  // The server's time, and ours on a clock that nobody sets when it came.
  let serverTime = Number(main.dataset.now);
  let cameAt = performance.now();
  const now = () => serverTime + (performance.now() - cameAt);

  // As the server writes it.
  const span = (millis) => {
    const seconds = Math.floor(Math.max(millis, 0) / 1000);
    const [minutes, hours, days] = [60, 3600, 86400].map((unit) => Math.floor(seconds / unit));
    const two = (number) => String(number).padStart(2, "0");
    if (days > 0) return `${days}d ${two(hours % 24)}h`;
    if (hours > 0) return `${hours}h ${two(minutes % 60)}m`;
    if (minutes > 0) return `${minutes}m ${two(seconds % 60)}s`;
    return `${seconds}s`;
  };

  const tick = () => {
    for (const element of document.querySelectorAll("[data-since]")) {
      const text = span(now() - Number(element.dataset.since));
      if (element.textContent !== text) element.textContent = text;
    }
    for (const bar of document.querySelectorAll("[data-from]")) {
      const [start, end] = bar.dataset.axis.split(" ").map(Number);
      const place = (at) => ((at - start) * 100) / Math.max(end - start, 1);
      const from = parseFloat(bar.getAttribute("x"));
      const width = Math.max(Math.min(place(now()), 100) - from, 0.4);
      bar.setAttribute("width", `${width.toFixed(3)}%`);
    }
  };

  // Whether the server has a thing unfolded; where somebody did otherwise, that stays.
  const unfolded = new WeakMap();
  const fold = (shown, wanted) => {
    if (shown.open === unfolded.get(shown)) shown.open = wanted.open;
    unfolded.set(shown, wanted.open);
  };
  for (const details of document.querySelectorAll("details")) unfolded.set(details, details.open);

  // Makes `shown` like `wanted` and keeps the elements that stay: so focus, selection and scroll stay
  // too.
  const take = (shown, wanted) => {
    if (shown.tagName === "DETAILS") fold(shown, wanted);
    for (const { name } of [...shown.attributes]) {
      if (name !== "open" && !wanted.hasAttribute(name)) shown.removeAttribute(name);
    }
    for (const { name, value } of wanted.attributes) {
      if (name !== "open" && shown.getAttribute(name) !== value) shown.setAttribute(name, value);
    }
    takeChildren(shown, wanted);
  };

  const key = (node) => (node.nodeType === Node.ELEMENT_NODE && (node.id || keyOfOnlyChild(node))) || null;
  const keyOfOnlyChild = (node) => node.tagName === "LI" && node.firstElementChild?.id;
  const alike = (one, other) =>
    one.nodeType === other.nodeType && one.nodeName === other.nodeName && key(one) === key(other);

  const takeChildren = (shown, wanted) => {
    const kept = new Map();
    for (const child of shown.childNodes) if (key(child)) kept.set(key(child), child);
    let at = shown.firstChild;
    for (const child of [...wanted.childNodes]) {
      const known = key(child) && kept.get(key(child));
      if (known && alike(known, child)) {
        kept.delete(key(child));
        if (known === at) at = at.nextSibling;
        else shown.insertBefore(known, at);
        take(known, child);
      } else if (at && alike(at, child)) {
        const next = at.nextSibling;
        if (at.nodeType === Node.ELEMENT_NODE) take(at, child);
        else if (at.nodeValue !== child.nodeValue) at.nodeValue = child.nodeValue;
        at = next;
      } else {
        const added = shown.insertBefore(document.importNode(child, true), at);
        for (const details of added.querySelectorAll?.("details") ?? []) unfolded.set(details, details.open);
      }
    }
    while (at) {
      const next = at.nextSibling;
      at.remove();
      at = next;
    }
  };

  // Another version of the exporter may respond, whose page fits neither this script nor its style.
  const files = (page) => [...page.querySelectorAll("head [src], head [rel=stylesheet]")].map((file) => file.outerHTML).join();
  const ownFiles = files(document);

  const takeOver = (page) => {
    if (files(page) !== ownFiles) {
      location.reload();
      return;
    }
    const focused = document.activeElement;
    for (const part of document.querySelectorAll("[data-live]")) {
      const wanted = page.getElementById(part.id);
      if (wanted) take(part, wanted);
    }
    // Moving an element takes its focus away.
    if (focused.isConnected && focused !== document.activeElement) focused.focus({ preventScroll: true });
    const refresh = page.getElementById("refresh");
    document.getElementById("refresh").setAttribute("href", refresh.getAttribute("href"));
    const images = page.getElementById("images");
    takeChildren(document.getElementById("images"), images);
    serverTime = Number(page.getElementById("main").dataset.now);
    cameAt = performance.now();
    main.dataset.now = serverTime;
    document.title = page.title;
    tick();
  };

  const say = (text) => {
    if (trouble.textContent !== text) trouble.textContent = text;
  };

  // The newest look counts: one that comes back late is dropped.
  let looks = 0;
  const look = async () => {
    const look = ++looks;
    const abort = new AbortController();
    const patience = setTimeout(() => abort.abort(), ANSWER_WITHIN);
    let failure = null;
    try {
      const response = await fetch(location.href.split("#")[0], {
        headers: { accept: "text/html" },
        cache: "no-store",
        signal: abort.signal,
      });
      const text = await response.text();
      if (look !== looks) return;
      const page = new DOMParser().parseFromString(text, "text/html");
      if (response.ok && page.getElementById("main")) takeOver(page);
      else if (response.status === 400) failure = `${text.trim().replaceAll("\n", "; ")}.`;
      else failure = `The exporter can’t be reached (HTTP ${response.status}).`;
    } catch {
      failure = "The exporter can’t be reached.";
    } finally {
      clearTimeout(patience);
    }
    if (look !== looks) return;
    const asOf = document.querySelector("#as-of time");
    say(failure ? `${failure} This page is as of ${asOf.textContent} UTC.` : "");
    document.body.classList.toggle("stale", failure !== null);
    again();
  };

  let timer = null;
  let paused = false;
  const again = () => {
    clearTimeout(timer);
    if (!paused && !document.hidden) timer = setTimeout(look, REFRESH_EVERY);
  };

  pause.hidden = false;
  pause.addEventListener("click", () => {
    paused = !paused;
    pause.setAttribute("aria-pressed", String(paused));
    if (paused) clearTimeout(timer);
    else look();
  });
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden && !paused) look();
    else clearTimeout(timer);
  });
  document.getElementById("refresh").addEventListener("click", (event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    look();
  });

  // The address that the form asks for.
  const address = () => {
    const query = new URLSearchParams();
    for (const [name, value] of new FormData(form)) {
      if (value.trim() !== "") query.append(name, value.trim());
    }
    const text = query.toString();
    return location.pathname + (text && `?${text}`);
  };

  // One entry in the history for one thing that was typed, not one a letter.
  let typing = false;
  const filter = () => {
    clearTimeout(typed);
    const wanted = address();
    if (wanted === location.pathname + location.search) return;
    if (typing) history.replaceState(null, "", wanted);
    else history.pushState(null, "", wanted);
    typing = true;
    look();
  };
  let typed = null;
  form.addEventListener("input", () => {
    clearTimeout(typed);
    typed = setTimeout(filter, TYPED_AFTER);
  });
  form.addEventListener("change", () => {
    filter();
    typing = false;
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    filter();
    typing = false;
  });

  const fillForm = () => {
    const query = new URLSearchParams(location.search);
    const statuses = query.getAll("status").flatMap((value) => value.toUpperCase().split(",").map((word) => word.trim()));
    for (const field of form.elements) {
      if (field.type === "checkbox") field.checked = statuses.includes(field.value);
      else if (field.name === "q" || field.name === "image") field.value = query.get(field.name) ?? "";
    }
  };
  addEventListener("popstate", () => {
    typing = false;
    fillForm();
    look();
  });
  document.getElementById("clear").addEventListener("click", (event) => {
    event.preventDefault();
    form.querySelectorAll("[type=checkbox]").forEach((box) => (box.checked = false));
    for (const name of ["q", "image"]) form.elements[name].value = "";
    filter();
    typing = false;
  });

  // A browser that goes back may fill in what was typed, not what the address says.
  addEventListener("pageshow", fillForm);
  setInterval(tick, 1000);
  tick();
  again();
})();
