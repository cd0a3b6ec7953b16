"use strict";
(() => {
  const $ = (id) => document.getElementById(id);
  const data = JSON.parse($("data").textContent);
  const details = $("details"), search = $("search"), found = $("found"), fold = $("fold");
  const make = (tag, parent, text, name) => {
    const it = document.createElement(tag);
    if (text !== undefined) it.textContent = text;
    if (name) it.className = name;
    parent.append(it);
    return it;
  };
  document.documentElement.classList.add("live");
  $("tools").hidden = false;

  // A view is one picture with what is known of it, and the part of it that is seen.
  const views = Object.entries(data).map(([name, model]) => {
    const root = $(name), svg = root.querySelector("svg"), world = svg.querySelector(".world");
    const [, , width, height] = svg.getAttribute("viewBox").split(" ").map(Number);
    const boxes = [...svg.querySelectorAll(".box[data-step]")];
    const wires = [...svg.querySelectorAll(".world > g > path.edge")];
    const needs = model.steps.map(() => []), users = model.steps.map(() => []);
    for (const [from, to, role] of model.edges) {
      needs[to].push([from, role]);
      users[from].push([to, role]);
    }
    svg.removeAttribute("viewBox");
    svg.setAttribute("role", "group");
    const texts = model.steps.map((step) =>
      [step.title, step.stage, step.notes, ...step.facts.map((fact) => fact[1])].join("\n").toLowerCase());
    return { name, model, root, svg, world, width, height, boxes, wires, needs, users, texts, chosen: -1, hits: [], at: null };
  });
  let view = views.find((v) => !v.root.hidden);

  // Where one looks: at is [x, y, scale].
  const show = (v) => {
    const [x, y, scale] = v.at;
    v.world.setAttribute("transform", `translate(${x} ${y}) scale(${scale})`);
  };
  const size = (v) => [v.root.clientWidth || 1, v.root.clientHeight || 1];
  const fit = (v) => {
    const [w, h] = size(v);
    // What would be too small to read begins at its top left corner instead.
    const scale = Math.max(0.6, Math.min(w / v.width, h / v.height, 1));
    v.at = [Math.max(0, (w - v.width * scale) / 2), Math.max(0, (h - v.height * scale) / 2), scale];
    show(v);
  };
  const whole = (v) => {
    const [w, h] = size(v), scale = Math.min(w / v.width, h / v.height, 1.5);
    v.at = [(w - v.width * scale) / 2, (h - v.height * scale) / 2, scale];
    show(v);
  };
  const zoom = (v, by, x, y) => {
    const scale = Math.min(4, Math.max(0.03, v.at[2] * by)), real = scale / v.at[2];
    v.at = [x - (x - v.at[0]) * real, y - (y - v.at[1]) * real, scale];
    show(v);
  };
  const zoomMiddle = (by) => zoom(view, by, size(view)[0] / 2, size(view)[1] / 2);
  const bring = (v, element, fill) => {
    const frame = v.root.getBoundingClientRect(), box = element.getBoundingClientRect();
    let right = frame.right;
    if (!details.hidden && frame.width > 700) right -= details.offsetWidth;
    if (fill) zoom(v, Math.min((right - frame.left) / box.width, frame.height / box.height, 1.3 / v.at[2]) * 0.9, 0, 0);
    const now = element.getBoundingClientRect();
    const seen = now.left >= frame.left && now.right <= right && now.top >= frame.top && now.bottom <= frame.bottom;
    if (seen && !fill) return;
    v.at[0] += (frame.left + right) / 2 - (now.left + now.right) / 2;
    v.at[1] += (frame.top + frame.bottom) / 2 - (now.top + now.bottom) / 2;
    show(v);
  };

  // What a step needs, and what needs it, all the way.
  const reach = (start, next) => {
    const met = new Set([start]), open = [start];
    while (open.length) for (const [step] of next[open.pop()]) if (!met.has(step)) met.add(step), open.push(step);
    return met;
  };
  const light = (v, step) => {
    v.svg.classList.toggle("dim", step >= 0);
    const up = step < 0 ? new Set() : reach(step, v.needs), down = step < 0 ? new Set() : reach(step, v.users);
    v.boxes.forEach((box, at) => box.classList.toggle("lit", up.has(at) || down.has(at)));
    v.wires.forEach((wire) => wire.classList.remove("lit"));
    for (let wire of v.wires) {
      const from = +wire.dataset.from, to = +wire.dataset.to;
      if (!((up.has(from) && up.has(to)) || (down.has(from) && down.has(to)))) continue;
      while (wire && !wire.classList.contains("lit")) {
        wire.classList.add("lit");
        wire = v.wires[wire.dataset.up];
      }
    }
  };

  const choose = (v, step, look) => {
    v.chosen = step;
    v.boxes.forEach((box, at) => {
      box.classList.toggle("chosen", at === step);
      box.setAttribute("aria-pressed", at === step);
    });
    light(v, step);
    details.replaceChildren();
    details.hidden = step < 0;
    if (step < 0) return;
    const it = v.model.steps[step];
    const close = make("button", details, "\u00d7", "close");
    close.setAttribute("aria-label", "Close");
    close.onclick = () => { choose(v, -1); v.boxes[step].focus({ preventScroll: true }); };
    make("h2", details, it.title);
    make("p", details, [it.kind, it.stage && "stage " + it.stage, it.notes].filter(Boolean).join(" \u00b7 "), "kind");
    if (it.opens !== undefined) {
      make("button", details, "Show its steps").onclick = () => open(it.opens);
    }
    const list = make("dl", details);
    for (const [name, text] of it.facts) {
      make("dt", list, name);
      make("pre", make("dd", list), text);
    }
    for (const [name, others] of [["Needs", v.needs[step]], ["Needed by", v.users[step]]]) {
      if (!others.length) continue;
      make("dt", list, name);
      const items = make("ul", make("dd", list));
      for (const [other, role] of others) {
        const button = make("button", make("li", items), v.model.steps[other].title + " ");
        make("small", button, role);
        button.onclick = () => { focus(v, other); choose(v, other, true); };
      }
    }
    if (look) bring(v, v.boxes[step]);
  };

  // One box of a view can be reached with the tabulator; arrows go on from there.
  const focus = (v, step) => {
    v.boxes.forEach((box, at) => box.setAttribute("tabindex", at === step ? 0 : -1));
    v.boxes[step].focus({ preventScroll: true });
    bring(v, v.boxes[step]);
  };
  const turn = (name) => {
    const next = views.find((v) => v.name === name);
    if (!next || next === view) return;
    choose(view, -1);
    view.root.hidden = true;
    view = next;
    view.root.hidden = false;
    if (fold) fold.setAttribute("aria-pressed", name === "stages");
    if (!view.at) fit(view);
    look();
  };
  const open = (group) => {
    turn("steps");
    const frame = view.svg.querySelector(`[data-group="${group}"]`);
    if (frame) bring(view, frame, true);
  };

  const look = () => {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    view.hits = words.length
      ? view.texts.map((text, at) => (words.every((word) => text.includes(word)) ? at : -1)).filter((at) => at >= 0)
      : [];
    const hits = new Set(view.hits);
    view.boxes.forEach((box, at) => box.classList.toggle("hit", hits.has(at)));
    found.textContent = words.length ? `${hits.size} found` : "";
  };
  const next = (by) => {
    const { hits, chosen } = view;
    if (!hits.length) return;
    const at = hits.indexOf(chosen);
    const nth = at < 0 ? (by > 0 ? 0 : hits.length - 1) : (at + by + hits.length) % hits.length;
    choose(view, hits[nth], true);
    found.textContent = `${nth + 1} of ${hits.length}`;
  };

  for (const v of views) {
    v.boxes.forEach((box, at) => {
      box.setAttribute("role", "button");
      box.setAttribute("tabindex", at === 0 ? 0 : -1);
      const step = v.model.steps[at];
      box.setAttribute("aria-label", [step.title, step.kind, step.stage && "stage " + step.stage].filter(Boolean).join(", "));
      box.addEventListener("pointerenter", () => { if (v.chosen < 0 && !v.moving) light(v, at); });
      box.addEventListener("pointerleave", () => { if (v.chosen < 0) light(v, -1); });
      box.addEventListener("focus", () => { if (v.chosen < 0 && box.matches(":focus-visible")) light(v, at); });
      box.addEventListener("blur", () => { if (v.chosen < 0) light(v, -1); });
      box.addEventListener("dblclick", () => { if (step.opens !== undefined) open(step.opens); });
    });
    const pointers = new Map();
    let moved = false;
    v.root.addEventListener("pointerdown", (event) => {
      if (event.button) return;
      pointers.set(event.pointerId, [event.clientX, event.clientY]);
      moved = false;
    });
    v.root.addEventListener("pointermove", (event) => {
      const last = pointers.get(event.pointerId);
      if (!last) return;
      const [dx, dy] = [event.clientX - last[0], event.clientY - last[1]];
      if (!moved && Math.hypot(dx, dy) < 4) return;
      if (!moved) v.root.setPointerCapture(event.pointerId);
      moved = true;
      v.moving = true;
      v.root.classList.add("moving");
      if (pointers.size === 2) {
        const [other] = [...pointers].filter(([id]) => id !== event.pointerId).map(([, at]) => at);
        const frame = v.root.getBoundingClientRect();
        const before = Math.hypot(last[0] - other[0], last[1] - other[1]);
        const after = Math.hypot(event.clientX - other[0], event.clientY - other[1]);
        if (before) zoom(v, after / before, other[0] - frame.left, other[1] - frame.top);
      } else {
        v.at = [v.at[0] + dx, v.at[1] + dy, v.at[2]];
        show(v);
      }
      pointers.set(event.pointerId, [event.clientX, event.clientY]);
    });
    const up = (event) => {
      if (!pointers.delete(event.pointerId)) return;
      v.moving = pointers.size > 0;
      if (!v.moving) v.root.classList.remove("moving");
    };
    v.root.addEventListener("pointerup", up);
    v.root.addEventListener("pointercancel", up);
    v.root.addEventListener("click", (event) => {
      if (moved) { moved = false; return; }
      const box = event.target.closest(".box[data-step]");
      const step = box ? +box.dataset.step : -1;
      if (step >= 0) focus(v, step);
      choose(v, step === v.chosen ? -1 : step);
    });
    v.root.addEventListener("wheel", (event) => {
      event.preventDefault();
      const unit = event.deltaMode === 1 ? 16 : 1, frame = v.root.getBoundingClientRect();
      if (event.ctrlKey || event.metaKey) {
        zoom(v, Math.exp(-event.deltaY * unit * 0.004), event.clientX - frame.left, event.clientY - frame.top);
      } else {
        const [dx, dy] = event.shiftKey ? [event.deltaY, event.deltaX] : [event.deltaX, event.deltaY];
        v.at = [v.at[0] - dx * unit, v.at[1] - dy * unit, v.at[2]];
        show(v);
      }
    }, { passive: false });
    v.svg.addEventListener("keydown", (event) => {
      const box = event.target.closest(".box[data-step]");
      if (!box || event.ctrlKey || event.metaKey || event.altKey) return;
      const at = +box.dataset.step, last = v.boxes.length - 1;
      const to = {
        ArrowUp: at > 0 ? at - 1 : at,
        ArrowDown: at < last ? at + 1 : at,
        ArrowLeft: v.needs[at].length ? v.needs[at][0][0] : at,
        ArrowRight: v.users[at].length ? v.users[at][0][0] : at,
        Home: 0,
        End: last,
      }[event.key];
      if (to !== undefined) focus(v, to);
      else if (event.key === "Enter" || event.key === " ") choose(v, at === v.chosen ? -1 : at, true);
      else return;
      event.preventDefault();
    });
  }

  $("in").onclick = () => zoomMiddle(1.25);
  $("out").onclick = () => zoomMiddle(0.8);
  $("fit").onclick = () => whole(view);
  if (fold) fold.onclick = () => turn(view.name === "stages" ? "steps" : "stages");
  search.addEventListener("input", look);
  search.addEventListener("keydown", (event) => {
    if (event.key === "Enter") next(event.shiftKey ? -1 : 1);
    else if (event.key === "Escape") { search.value = ""; look(); search.blur(); }
    else return;
    event.preventDefault();
    event.stopPropagation();
  });
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target === search) return;
    const act = {
      "/": () => search.select(),
      "+": () => zoomMiddle(1.25),
      "=": () => zoomMiddle(1.25),
      "-": () => zoomMiddle(0.8),
      "0": () => whole(view),
      f: () => fold && fold.click(),
      Escape: () => choose(view, -1),
    }[event.key];
    if (!act) return;
    act();
    event.preventDefault();
  });
  fit(view);
})();
