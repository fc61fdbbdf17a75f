// Live updates: while the body asks for it, the page is fetched again and its live parts that changed are replaced.
"use strict";

let waiting = null;

function goOn() {
  const every = Number(document.body.dataset.every);
  clearTimeout(waiting);
  if (every) waiting = setTimeout(document.hidden ? goOn : refresh, every);
}

async function refresh() {
  try {
    const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
    if (answer.ok) replace(new DOMParser().parseFromString(await answer.text(), "text/html"));
  } catch {
    // The server is gone or restarts: the page stays as it is, and asks again.
  }
  goOn();
}

function replace(fresh) {
  for (const now of document.querySelectorAll("[data-live]")) {
    const next = fresh.getElementById(now.id);
    if (!next || next.outerHTML === now.outerHTML) continue;
    const focused = now.contains(document.activeElement) ? document.activeElement.id : "";
    const atEnd = now.scrollTop + now.clientHeight >= now.scrollHeight - 8;
    const scrolled = [...now.querySelectorAll(".graph")].map((part) => [part.scrollLeft, part.scrollTop]);
    if (next.dataset.tell !== now.dataset.tell) document.getElementById("announcer").textContent = next.dataset.tell;
    const top = now.scrollTop;
    now.replaceWith(next);
    next.querySelectorAll(".graph").forEach((part, i) => scrolled[i] && part.scrollTo(...scrolled[i]));
    if ("end" in next.dataset) next.scrollTop = atEnd ? next.scrollHeight : top;
    if (focused) document.getElementById(focused)?.focus({ preventScroll: true });
  }
  if (fresh.body.dataset.every) document.body.dataset.every = fresh.body.dataset.every;
  else delete document.body.dataset.every;
}

for (const log of document.querySelectorAll("[data-end]")) log.scrollTop = log.scrollHeight;
document.addEventListener("visibilitychange", () => document.hidden || goOn());
goOn();
