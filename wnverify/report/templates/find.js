/* Narrows the page to the findings that are asked for, and opens the one that an address names.
   Everything it reads is in the page: a finding is an element with data-v, its verdict, and an id, its own or inside,
   kind/subject/check[/case].  What is asked stands in the address after "#?", so that it can be kept and sent. */
(() => {
  "use strict";
  const form = document.getElementById("find"), main = form.parentElement, asked = form.elements;
  const status = document.getElementById("find-status");
  const HEADS = /^(H[1-6]|CAPTION|SUMMARY|THEAD)$/;
  let known = null, opened = [], off = [];

  function findings() {
    known ??= Array.from(main.querySelectorAll("[data-v]"), (element) => {
      const id = element.id || element.querySelector("[id]").id;
      const [kind, subject, check] = id.split("/");
      return { element, id, kind, subject, check, verdict: element.dataset.v, text: null };
    });
    return known;
  }

  function wanted() {
    const verdicts = new Set(Array.from(form.querySelectorAll("[name=verdict]:checked"), (box) => box.value));
    const paper = asked.paper.value && [asked.paper.value, ...asked.paper.selectedOptions[0].dataset.others.split(" ")];
    return {
      words: asked.text.value.toLowerCase().split(/\s+/).filter(Boolean),
      verdicts, paper, method: asked.method.value, check: asked.check.value.trim().toLowerCase(),
    };
  }

  function fits(finding, want) {
    if (want.verdicts.size && !want.verdicts.has(finding.verdict)) return false;
    if (want.method && !(finding.subject === want.method && finding.kind !== "claim")) return false;
    if (want.paper && !want.paper.includes(finding.subject.split(".")[0])) return false;
    if (want.check && !finding.check.toLowerCase().startsWith(want.check)) return false;
    if (!want.words.length) return true;
    finding.text ??= (finding.id + " " + finding.element.textContent).toLowerCase();
    return want.words.every((word) => finding.text.includes(word));
  }

  function restore() {
    for (const element of off) element.classList.remove("off");
    for (const element of opened) element.open = false;
    off = [];
    opened = [];
  }

  /* All that stands on the way from the findings to the page stays, with its heading; beside it everything goes. */
  function narrow() {
    const want = wanted(), active = want.words.length || want.verdicts.size || want.paper || want.method || want.check;
    restore();
    document.body.classList.toggle("narrowed", Boolean(active));
    if (!active) {
      status.textContent = "";
      return;
    }
    const found = findings().filter((finding) => fits(finding, want));
    const leaves = new Set(found.map((finding) => finding.element)), way = new Set([main]);
    for (const leaf of leaves) {
      for (let up = leaf.parentElement; !way.has(up); up = up.parentElement) {
        way.add(up);
        if (up.tagName === "DETAILS" && !up.open) opened.push(up);
      }
    }
    for (const place of way) {
      for (const child of place.children) {
        const head = HEADS.test(child.tagName) && (child === place.firstElementChild || child.tagName === "THEAD");
        if (child !== form && !head && !way.has(child) && !leaves.has(child)) off.push(child);
      }
    }
    for (const element of off) element.classList.add("off");
    for (const element of opened) element.open = true;
    const counted = `${found.length.toLocaleString("en")} of ${findings().length.toLocaleString("en")} findings`;
    status.textContent = found.length ? counted : "No finding is like that.";
    if (!found.length) return;
    const link = document.createElement("a");
    link.href = "#" + found[0].id;
    link.textContent = "the first";
    status.append(": ", link);
  }

  function remember() {
    const query = new URLSearchParams();
    for (const [name, value] of new FormData(form)) if (value) query.append(name, value);
    history.replaceState(null, "", query.size ? "#?" + query : "#");
  }

  function recall(query) {
    form.reset();
    for (const [name, value] of new URLSearchParams(query)) {
      if (name === "verdict") for (const box of form.querySelectorAll("[name=verdict]")) box.checked ||= box.value === value;
      else if (asked[name]) asked[name].value = value;
    }
    form.querySelector("details").open = /[?&](verdict|paper|method|check)=/.test("?" + query);
    narrow();
  }

  function reveal() {
    if (location.hash.startsWith("#?")) return recall(location.hash.slice(2));
    const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (!target) return void (location.hash || recall(""));
    if (target.closest(".off")) {
      form.reset();
      narrow();
    }
    let inside = target.matches("article, [data-v]");
    for (let up = target; up; up = up.parentElement) {
      if (up.tagName === "DETAILS") up.open = inside = true;
    }
    if (inside) {
      target.tabIndex = -1;
      target.focus({ preventScroll: true });
    }
    target.scrollIntoView();
  }

  let waiting = 0;
  function ask() {
    clearTimeout(waiting);
    waiting = setTimeout(() => { narrow(); remember(); }, 150);
  }

  form.hidden = false;
  form.addEventListener("input", ask);
  form.querySelector("[type=reset]").addEventListener("click", ask);
  form.addEventListener("submit", (event) => { event.preventDefault(); narrow(); remember(); });
  addEventListener("hashchange", reveal);
  document.addEventListener("click", (event) => {
    const link = event.target.closest?.("a[href^='#']");
    if (link && link.hash === location.hash) reveal();
  });
  if (location.hash) reveal();
})();
