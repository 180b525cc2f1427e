// What the pages do on top of what they do without a script: copy buttons, keys, relative times, live lists, plots.
"use strict";
(() => {
  const root = document.documentElement;
  root.classList.add("js");

  document.addEventListener("click", async (e) => {
    const button = e.target.closest("button.copy");
    if (!button) return;
    e.preventDefault();
    try {
      await navigator.clipboard.writeText(button.dataset.copy);
      button.textContent = "Copied";
    } catch {
      button.textContent = "Not allowed";
    }
    setTimeout(() => { button.textContent = "Copy"; }, 1500);
  });

  // j and k move in a list, Enter opens, "/" goes to the search box.
  document.addEventListener("keydown", (e) => {
    if (e.ctrlKey || e.metaKey || e.altKey) return;
    const typing = e.target.closest("input, textarea, select");
    if (e.key === "Escape" && typing) { typing.blur(); return; }
    if (typing) return;
    if (e.key === "/") {
      const box = document.getElementById("q");
      if (box) { e.preventDefault(); box.focus(); box.select(); }
      return;
    }
    if (e.key !== "j" && e.key !== "k") return;
    const rows = [...document.querySelectorAll("a[data-row]")];
    if (rows.length === 0) return;
    const at = rows.indexOf(document.activeElement);
    const next = at < 0 ? 0 : Math.min(Math.max(at + (e.key === "j" ? 1 : -1), 0), rows.length - 1);
    rows[next].focus();
    rows[next].scrollIntoView({ block: "nearest" });
    e.preventDefault();
  });

  const relative = () => {
    for (const t of document.querySelectorAll("time[data-ago]")) {
      const s = Math.max(0, Math.round((Date.now() - Date.parse(t.dateTime)) / 1000));
      t.textContent = s < 60 ? s + " s ago" : s < 3600 ? Math.floor(s / 60) + " min ago"
        : s < 86400 ? Math.floor(s / 3600) + " h ago" : Math.floor(s / 86400) + " d ago";
    }
  };
  setInterval(relative, 10000);

  // A live part is fetched again while somebody looks at it, and never under a key that is about to be pressed.
  const live = async () => {
    for (const part of document.querySelectorAll("[data-live]")) {
      if (document.hidden || part.contains(document.activeElement)) continue;
      const seen = new Set([...part.querySelectorAll("[data-id]")].map((r) => r.dataset.id));
      try {
        const response = await fetch(part.dataset.live || location.href, { headers: { "X-Live": "1" } });
        if (!response.ok || response.redirected) continue;
        const fresh = new DOMParser().parseFromString(await response.text(), "text/html").getElementById(part.id);
        if (!fresh || !part.isConnected || part.contains(document.activeElement)) continue;
        for (const open of part.querySelectorAll("details[open][id]")) fresh.querySelector("#" + open.id)?.setAttribute("open", "");
        if (seen.size > 0) for (const r of fresh.querySelectorAll("[data-id]")) if (!seen.has(r.dataset.id)) r.classList.add("new");
        part.replaceWith(document.adoptNode(fresh));
        htmx.process(fresh);
      } catch { /* the next one may come through */ }
    }
    setTimeout(live, 2000);
  };
  if (document.querySelector("[data-live]")) setTimeout(live, 2000);

  const plot = (box) => {
    const style = getComputedStyle(root);
    const series = JSON.parse(document.getElementById(box.dataset.plot).textContent);
    const axis = { stroke: style.getPropertyValue("--soft"), grid: { stroke: style.getPropertyValue("--line"), width: 1 }, ticks: { show: false }, font: "12px system-ui" };
    box.replaceChildren();
    return new uPlot({
      width: box.clientWidth, height: box.clientHeight - 28, legend: { live: false }, cursor: { drag: { x: false } },
      scales: { x: { time: true }, y: { range: (_, low, high) => [0, Math.max(high, 1) * 1.1] } },
      axes: [{ ...axis, space: 72, values: (_, at) => at.map((t) => series.at.at(-1) - series.at[0] > 90000
        ? new Date(t * 1000).toLocaleDateString(undefined, { month: "short", day: "numeric" })
        : new Date(t * 1000).toTimeString().slice(0, 5)) }, { ...axis, size: 56, values: (_, v) => v.map((n) => n + (series.unit || "")) }],
      series: [{}, ...series.lines.map((l) => ({ label: l.label, stroke: style.getPropertyValue("--" + l.colour), width: 2, points: { show: l.points.length < 60 || l.points.includes(null), size: 5 } }))],
    }, [series.at, ...series.lines.map((l) => l.points)], box);
  };
  for (const box of document.querySelectorAll("[data-plot]")) {
    if (!window.uPlot) continue;
    plot(box);
    new ResizeObserver(() => { if (Math.abs(box.firstElementChild.clientWidth - box.clientWidth) > 2) plot(box); }).observe(box);
  }
})();
