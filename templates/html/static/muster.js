// What makes the dashboard nicer than forms and links, which work without it. Deferred, no library
// but htmx, and nothing inline: pages say what they want by attributes (docs/design-system.md).
(function () {
  "use strict";

  const root = document.documentElement;
  const $ = (selector, from) => (from || document).querySelector(selector);
  const $$ = (selector, from) => Array.from((from || document).querySelectorAll(selector));

  /** Storage may be forbidden; then nothing is remembered. */
  const store = {
    get(key) { try { return localStorage.getItem("muster-" + key); } catch (_) { return null; } },
    set(key, value) { try { localStorage.setItem("muster-" + key, value); } catch (_) { /* forbidden */ } },
  };

  function make(tag, attributes, ...children) {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes || {})) element.setAttribute(name, value);
    element.append(...children);
    return element;
  }

  /** Handles an event of whatever matches, now or later in the page. */
  function on(type, selector, handler) {
    document.addEventListener(type, (event) => {
      const target = event.target instanceof Element && event.target.closest(selector);
      if (target) handler(event, target);
    });
  }

  const typing = (element) => element instanceof Element && element.closest("input:not([type=checkbox]):not([type=radio]), select, textarea, [contenteditable]");

  // === Times: in the viewer's zone, and fresh ===

  const zone = root.dataset.zone || undefined;
  function formatter(options) {
    try { return new Intl.DateTimeFormat(undefined, { ...options, timeZone: zone }); }
    catch (_) { return new Intl.DateTimeFormat(undefined, options); }
  }
  const exact = formatter({ dateStyle: "medium", timeStyle: "long" });
  const short = formatter({ dateStyle: "medium", timeStyle: "medium" });

  /** The same words as the server's (web/format.rs). */
  function relative(milliseconds) {
    const seconds = Math.round(Math.abs(milliseconds) / 1000);
    if (seconds === 0) return "now";
    const words = seconds < 60 ? seconds + " s" : seconds < 3600 ? Math.floor(seconds / 60) + " min"
      : seconds < 172800 ? Math.floor(seconds / 3600) + " h" : Math.floor(seconds / 86400) + " days";
    return milliseconds > 0 ? words + " ago" : "in " + words;
  }

  function tell(time) {
    const at = new Date(time.dateTime);
    if (isNaN(at)) return;
    const words = "exact" in time.dataset ? short.format(at) : relative(Date.now() - at);
    if (time.textContent !== words) time.textContent = words;
    const full = exact.format(at);
    if (time.title !== full) time.title = full;
  }
  const times = (from) => $$("time[datetime]", from).forEach(tell);

  // === Words for who cannot see, and toasts for who can ===

  const live = $("#live");
  function say(words) {
    if (live) { live.textContent = ""; setTimeout(() => { live.textContent = words; }, 50); }
  }

  const toasts = $("#toasts");
  /** A passing message; one with a key is there once, and stays until it is taken back. */
  function toast(kind, text, key) {
    if (!toasts || (key && $(`[data-key="${key}"]`, toasts))) return;
    const state = make("span", { class: "state is-" + (kind === "failed" ? "failed" : kind === "done" ? "done" : "idle") }, text);
    const close = make("button", { type: "button", class: "plain tiny", "aria-label": "Dismiss" }, "×");
    const box = make("div", { class: "toast " + kind }, state, close);
    if (key) box.dataset.key = key;
    close.addEventListener("click", () => box.remove());
    toasts.append(box);
    // A failure stays until it was read.
    if (!key && kind !== "failed") setTimeout(() => box.remove(), 6000);
  }
  const untoast = (key) => { if (toasts) $$(`[data-key="${key}"]`, toasts).forEach((box) => box.remove()); };

  document.addEventListener("muster:toast", (event) => toast(event.detail.kind, event.detail.text));
  document.addEventListener("htmx:response:error", (event) => {
    const { response, text, hx } = event.detail.ctx;
    if (response.status === 401 || (hx && hx.redirect) || response.status === 422) return;
    const plain = (response.headers.get("content-type") || "").startsWith("text/plain");
    toast("failed", plain && text ? text : "The server answered " + response.status + ".", response.status >= 500 ? "server" : "");
  });
  document.addEventListener("htmx:error", (event) => {
    if (event.detail.ctx) toast("failed", "The server does not answer. What is shown may be old; it is asked again.", "away");
  });
  document.addEventListener("htmx:before:swap", () => { untoast("away"); untoast("server"); });
  document.addEventListener("htmx:before:request", (event) => {
    const { sourceElement, sourceEvent, request } = event.detail.ctx;
    // Nobody looks: nothing is asked.
    if (document.hidden && sourceElement && /\bevery\b/.test(sourceElement.getAttribute("hx-trigger") || "")) event.preventDefault();
    // What the page asks by itself does not keep an idle session alive.
    if (sourceEvent && ["every", "muster:changed"].includes(sourceEvent.type)) request.headers["X-Muster-Poll"] = "1";
  });

  // === Theme ===

  const THEMES = ["auto", "light", "dark"];
  function theme(name) {
    if (name === "auto") delete root.dataset.theme; else root.dataset.theme = name;
    for (const button of $$("[data-theme-toggle]")) {
      button.setAttribute("aria-label", "Theme: " + name);
      button.title = "Theme: " + name;
    }
  }
  const chosen = () => root.dataset.theme || "auto";
  on("click", "[data-theme-toggle]", () => {
    const next = THEMES[(THEMES.indexOf(chosen()) + 1) % THEMES.length];
    store.set("theme", next);
    theme(next);
    say("Theme: " + next);
  });
  on("submit", "form[data-preferences]", (_, form) => {
    const field = form.elements.namedItem("theme");
    if (field) store.set("theme", field.value);
  });

  // === Lists that follow an input (ARIA combobox) ===

  let lists = 0;
  /**
   * `find(text, caret, signal)` gives [{label, detail, ..}] or a promise of it, and is broken off by
   * the signal when it is no longer of interest; `pick(item)` does it;
   * `none` is said where nothing is found.
   */
  function combobox(input, list, { find, pick, none, eager }) {
    list.id = list.id || "options-" + (++lists);
    list.setAttribute("role", "listbox");
    list.setAttribute("aria-label", input.getAttribute("aria-label") || "Suggestions");
    list.hidden = true;
    for (const [name, value] of [["role", "combobox"], ["aria-autocomplete", "list"], ["aria-expanded", "false"], ["aria-controls", list.id], ["autocomplete", "off"]]) input.setAttribute(name, value);
    let items = [], at = -1, timer;
    let asked = new AbortController();

    function close() {
      clearTimeout(timer);
      asked.abort();
      items = []; at = -1;
      list.hidden = true;
      input.setAttribute("aria-expanded", "false");
      input.removeAttribute("aria-activedescendant");
    }
    function mark(index) {
      at = index;
      $$("li[role=option]", list).forEach((option, i) => {
        option.setAttribute("aria-selected", String(i === at));
        if (i === at) { input.setAttribute("aria-activedescendant", option.id); option.scrollIntoView({ block: "nearest" }); }
      });
      if (at < 0) input.removeAttribute("aria-activedescendant");
    }
    function show(found) {
      items = found;
      list.replaceChildren(...found.map((item, i) => {
        const option = make("li", { role: "option", id: list.id + "-" + i, "aria-selected": "false" }, make("span", {}, item.label));
        if (item.detail) option.append(make("span", { class: "detail" }, item.detail));
        return option;
      }));
      const silent = !found.length && (!none || !input.value.trim());
      if (!found.length && !silent) list.append(make("li", { class: "none", role: "option", "aria-disabled": "true", id: list.id + "-none" }, none));
      list.hidden = silent;
      input.setAttribute("aria-expanded", String(!silent));
      mark(eager && found.length ? 0 : -1);
    }
    async function ask() {
      asked.abort();
      const { signal } = asked = new AbortController();
      try {
        const found = await find(input.value, input.selectionStart || 0, signal);
        if (!signal.aborted) show(found);
      } catch (_) {
        if (!signal.aborted) close();
      }
    }
    function take(index) {
      const item = items[index];
      if (!item) return;
      close();
      pick(item);
    }
    input.addEventListener("input", () => { clearTimeout(timer); timer = setTimeout(ask, 120); });
    input.addEventListener("blur", () => setTimeout(close, 150));
    input.addEventListener("keydown", (event) => {
      const open = !list.hidden && items.length > 0;
      if (event.key === "ArrowDown" || event.key === "ArrowUp") {
        event.preventDefault();
        if (!open) { ask(); return; }
        const step = event.key === "ArrowDown" ? 1 : -1;
        mark((at + step + items.length) % items.length);
      } else if (event.key === "Escape" && !list.hidden && !eager) {
        event.preventDefault(); event.stopPropagation(); close();
      } else if ((event.key === "Enter" || (event.key === "Tab" && !eager)) && open && at >= 0) {
        event.preventDefault(); take(at);
      }
    });
    list.addEventListener("mousedown", (event) => {
      event.preventDefault();
      const option = event.target.closest("li[role=option]");
      if (option) take($$("li[role=option]", list).indexOf(option));
    });
    return { ask, close };
  }

  async function json(url, signal) {
    const response = await fetch(url, { headers: { accept: "application/json" }, signal });
    if (response.status === 401) { location.reload(); return []; }
    return response.ok ? response.json() : [];
  }
  const search = async (text, _caret, signal) => {
    if (!text.trim()) return [];
    const hits = await json("/search.json?q=" + encodeURIComponent(text.trim()), signal);
    return hits.map((hit) => ({ label: hit.title, detail: hit.detail, href: hit.href }));
  };
  const go = (item) => { location.assign(item.href); };

  function completion(input) {
    const frame = make("span", { class: "combo" });
    const list = make("ul", { class: "options" });
    const url = input.dataset.completeUrl;
    input.replaceWith(frame);
    frame.append(input, list);
    input.removeAttribute("data-complete-url");
    const box = combobox(input, list, {
      async find(text, caret, signal) {
        const found = await json(url + (url.includes("?") ? "&" : "?") + new URLSearchParams({ q: text, cursor: String(caret) }), signal);
        return found.map((item) => ({ ...item, detail: item.kind }));
      },
      pick(item) {
        // All that stands before the caret gives way, what stands behind it stays.
        const after = input.value.slice(input.selectionStart || 0);
        input.value = item.insert + after;
        input.setSelectionRange(item.insert.length, item.insert.length);
        box.ask();
      },
    });
  }

  // === The palette: everything by its name ===

  let palette;
  function openPalette() {
    if (palette) { palette.open(); return; }
    const input = make("input", { type: "text", "aria-label": "Go to a page, a device, or do something here", placeholder: "Go to, search, or do…", spellcheck: "false" });
    const list = make("ul", { class: "options" });
    const dialog = make("dialog", { class: "palette", "aria-label": "Command palette" }, input, list);
    document.body.append(dialog);
    const commands = () => {
      const here = $$("[data-command]").filter((element) => !element.disabled && !dialog.contains(element))
        .map((element) => ({ label: element.dataset.command || element.textContent.trim(), detail: "here", element }));
      const pages = $$("nav a[href], #me a[href]").map((link) => ({ label: link.textContent.trim(), detail: "page", href: link.href }));
      return here.concat(pages);
    };
    const box = combobox(input, list, {
      eager: true,
      none: "Nothing has this name.",
      async find(text, caret, signal) {
        const words = text.toLowerCase().split(/\s+/).filter(Boolean);
        const fits = commands().filter((item) => words.every((word) => item.label.toLowerCase().includes(word)));
        return words.length ? fits.concat(await search(text, caret, signal)) : fits;
      },
      pick(item) {
        dialog.close();
        if (item.element) item.element.click(); else go(item);
      },
    });
    dialog.addEventListener("close", box.close);
    palette = { open() { if (!dialog.open) { dialog.showModal(); input.value = ""; input.focus(); box.ask(); } } };
    palette.open();
  }
  on("click", "[data-palette]", openPalette);

  // === Keys ===

  /** The link by which each row of the list is known. */
  const rows = () => $$("[data-list] tbody tr, ul[data-list] > li, ol[data-list] > li").map((row) => $("a[href]", row)).filter(Boolean);
  function move(step) {
    const links = rows();
    const row = document.activeElement && document.activeElement.closest("tr, li");
    const now = links.findIndex((link) => row && row.contains(link));
    const next = links[now < 0 ? (step > 0 ? 0 : links.length - 1) : now + step];
    if (next) { next.focus(); next.scrollIntoView({ block: "nearest" }); }
  }

  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.isComposing) return;
    if ((event.ctrlKey || event.metaKey) && !event.shiftKey && !event.altKey && event.key.toLowerCase() === "k") {
      event.preventDefault();
      openPalette();
      return;
    }
    if (event.ctrlKey || event.metaKey || event.altKey || typing(event.target) || $("dialog[open]")) return;
    const inList = document.activeElement && document.activeElement.closest("[data-list]");
    const keys = {
      "/": () => { const find = $("#find"); if (find) { find.focus(); find.select(); } },
      "?": () => { const keys = $("#keys"); if (keys) keys.showModal(); },
      j: () => move(1), k: () => move(-1),
      x: () => { const row = inList && document.activeElement.closest("tr, li"); const box = row && $("input[type=checkbox]", row); if (box) box.click(); },
    };
    if (inList) { keys.ArrowDown = keys.j; keys.ArrowUp = keys.k; }
    const act = keys[event.key];
    if (act) { event.preventDefault(); act(); }
  });

  // === Dialogs, and confirming by typing ===

  on("click", "[data-open]", (event, opener) => {
    const dialog = document.getElementById(opener.dataset.open);
    if (dialog instanceof HTMLDialogElement) { event.preventDefault(); dialog.showModal(); }
  });
  on("click", "[data-close]", (event, closer) => {
    const dialog = closer.closest("dialog");
    if (dialog) { event.preventDefault(); dialog.close(); }
  });
  // A click beside an open dialog: only the dialog itself has its backdrop as a target.
  document.addEventListener("mousedown", (event) => {
    const dialog = event.target;
    if (!(dialog instanceof HTMLDialogElement) || !dialog.open) return;
    const box = dialog.getBoundingClientRect();
    const inside = event.clientX >= box.left && event.clientX <= box.right && event.clientY >= box.top && event.clientY <= box.bottom;
    if (!inside) dialog.close();
  });

  function expect(input) {
    const right = input.value.trim() === input.dataset.expect;
    if (input.form) $$("button[type=submit], button:not([type])", input.form).forEach((button) => { if (!("close" in button.dataset)) button.disabled = !right; });
  }
  on("input", "input[data-expect]", (_, input) => expect(input));

  // === Small helpers ===

  on("click", "[data-copy]", async (_, button) => {
    const named = button.dataset.copy;
    const source = named.startsWith("#") ? $(named) : null;
    const text = source ? (source.value !== undefined ? source.value : source.textContent.trim()) : named;
    try {
      await navigator.clipboard.writeText(text);
    } catch (_) {
      // Over plain HTTP there is no clipboard but this old one.
      const area = make("textarea", { class: "hidden", "aria-hidden": "true" });
      area.value = text;
      (button.closest("dialog") || document.body).append(area);
      area.select();
      document.execCommand("copy");
      area.remove();
      button.focus();
    }
    say("Copied");
    toast("done", "Copied");
  });

  on("change", "input[data-check-all]", (_, box) => {
    const table = box.closest("table, form");
    $$("tbody input[type=checkbox]:not(:disabled)", table).forEach((one) => { one.checked = box.checked; });
    count(table);
  });
  on("change", "tbody input[type=checkbox]", (_, box) => count(box.closest("table, form")));
  /** How many rows are chosen: in [data-chosen], and what needs one at least is [data-needs-chosen]. */
  function count(table) {
    const chosen = $$("tbody input[type=checkbox]:checked", table).length;
    $$("[data-chosen]").forEach((place) => { place.textContent = String(chosen); });
    $$("[data-needs-chosen]").forEach((button) => { button.disabled = chosen === 0; });
  }

  document.addEventListener("toggle", (event) => {
    const details = event.target;
    if (details instanceof HTMLDetailsElement && details.dataset.remember) store.set("open-" + details.dataset.remember, details.open ? "1" : "0");
  }, true);

  // === Files, chosen or dropped: one request each, with how far it is and what became of it ===

  const sendOne = (form, file, row) => new Promise((done) => {
    const bar = make("progress", { value: "0", "aria-label": "Sending " + file.name });
    row.append(bar);
    const body = new FormData(), request = new XMLHttpRequest();
    body.append("file", file);
    request.open("POST", form.action);
    request.setRequestHeader("HX-Request", "true");
    request.upload.onprogress = (event) => { bar.value = event.loaded / event.total; };
    request.onloadend = () => {
      if (request.status === 200) row.outerHTML = request.responseText;
      else row.replaceChildren(make("span", { class: "state is-failed" }, "not taken"), ` ${file.name}: ${request.responseText || "no answer"}`);
      done();
    };
    request.send(body);
  });
  function send(form, files) {
    let last = Promise.resolve(form.musterSends);
    for (const file of Array.from(files)) {
      const row = make("li", {}, file.name + " ");
      $("ul", form).append(row);
      last = last.then(() => sendOne(form, file, row));
    }
    form.musterSends = last.then(() => { const list = $(form.dataset.send); if (list) list.dispatchEvent(new CustomEvent("muster:changed")); });
    form.reset();
  }
  const drop = "form[data-send]";
  on("submit", drop, (event, form) => { event.preventDefault(); send(form, $("input[type=file]", form).files); });
  on("dragover", drop, (event, form) => { event.preventDefault(); form.classList.add("over"); });
  on("dragleave", drop, (event, form) => { if (!form.contains(event.relatedTarget)) form.classList.remove("over"); });
  on("drop", drop, (event, form) => { event.preventDefault(); form.classList.remove("over"); send(form, event.dataTransfer.files); });

  on("submit", "form", (event, form) => {
    if (event.defaultPrevented || form.method === "dialog" || form.matches("[hx-post], [hx-get], [data-again]")) return;
    // Twice pressed is once sent; a page that comes back from the cache is ready again.
    if (form.dataset.sent) { event.preventDefault(); return; }
    if (form.method === "post") {
      form.dataset.sent = "1";
      if (event.submitter) event.submitter.setAttribute("aria-busy", "true");
    }
  });
  window.addEventListener("pageshow", (event) => {
    if (!event.persisted) return;
    $$("form[data-sent]").forEach((form) => { delete form.dataset.sent; $$("[aria-busy]", form).forEach((b) => b.removeAttribute("aria-busy")); });
  });


  // A form that was taken closes the dialog or the menu that it stands in.
  document.addEventListener("htmx:after:request", (event) => {
    const { sourceElement, response } = event.detail.ctx;
    if (!(sourceElement instanceof HTMLFormElement) || response.status >= 400) return;
    const dialog = sourceElement.closest("dialog[open]");
    const menu = sourceElement.closest(":popover-open");
    if (dialog) dialog.close();
    if (menu) menu.hidePopover();
  });

  // === What is new in the page, now and after each swap ===

  function enhance(from) {
    times(from);
    $$("input[data-complete-url]", from).forEach(completion);
    $$("input[data-expect]", from).forEach(expect);
    $$("details[data-remember]", from).forEach((details) => {
      const kept = store.get("open-" + details.dataset.remember);
      if (kept !== null) details.open = kept === "1";
    });
    $$("datalist[data-zones]", from).forEach((list) => {
      const zones = typeof Intl.supportedValuesOf === "function" ? Intl.supportedValuesOf("timeZone") : [];
      list.replaceChildren(...zones.map((name) => make("option", { value: name })));
    });
    $$("dialog[data-opened]", from).forEach((dialog) => { dialog.removeAttribute("data-opened"); dialog.showModal(); });
  }

  // === What happens to devices, as it happens: one stream, while somebody looks ===

  let stream = null;
  let fresh = new Set();
  let rung = 0;
  let again = 0;

  // A device's id, or "all" where the server cannot say which were missed.
  function ring() {
    rung = 0;
    const ids = fresh;
    fresh = new Set();
    $$("[data-live]").forEach((element) => {
      const of = element.dataset.live;
      if (of === "all" || ids.has("all") || ids.has(of)) changed(element);
    });
  }

  // Not more often than data-gap says, in seconds; what comes within it is told at its end.
  function changed(element) {
    if (element.musterWaits) return;
    const gap = Number(element.dataset.gap || 1) * 1000;
    const wait = Math.max(0, (element.musterTold || 0) + gap - Date.now());
    element.musterWaits = setTimeout(() => {
      element.musterWaits = 0;
      element.musterTold = Date.now();
      if (element.isConnected) element.dispatchEvent(new CustomEvent("muster:changed"));
    }, wait);
  }

  function follow() {
    const watching = $$("[data-live]").map((element) => element.dataset.live);
    if (document.hidden || watching.length === 0) {
      if (stream) { stream.close(); stream = null; }
      return;
    }
    if (stream) return;
    const one = watching.every((id) => id === watching[0]) && watching[0] !== "all";
    stream = new EventSource("/live" + (one ? "?device=" + encodeURIComponent(watching[0]) : ""));
    // What happened between the page and its stream, or while the stream was away, is asked for.
    stream.onopen = () => { fresh.add("all"); ring(); };
    stream.onmessage = (message) => {
      fresh.add(JSON.parse(message.data).device_id || "all");
      if (!rung) rung = setTimeout(ring, 300);
    };
    // Refused, which a browser does not try again: too many follow, or the server is just away.
    // What is shown refreshes by the clock meanwhile.
    stream.onerror = () => {
      if (!stream || stream.readyState !== EventSource.CLOSED) return;
      stream = null;
      clearTimeout(again);
      again = setTimeout(follow, 30000);
    };
  }

  document.addEventListener("visibilitychange", () => {
    // What was not asked for while nobody looked is old.
    if (!document.hidden) { fresh.add("all"); ring(); }
    follow();
  });
  window.addEventListener("pagehide", () => { if (stream) { stream.close(); stream = null; } });

  enhance(document);
  follow();
  theme(chosen());
  setInterval(() => times(document), 10000);
  document.addEventListener("visibilitychange", () => { if (!document.hidden) times(document); });
  document.addEventListener("htmx:after:swap", (event) => {
    const target = event.detail.ctx && event.detail.ctx.target;
    enhance(target instanceof Element && target.isConnected ? target : document);
  });

  const find = $("#find");
  if (find) {
    const list = make("ul", { class: "options" });
    find.after(list);
    combobox(find, list, { find: search, pick: go, none: "Nothing found. Enter searches everywhere." });
  }
  const current = $(".rail a[aria-current]");
  if (current && current.closest(".rail").scrollWidth > current.closest(".rail").clientWidth) {
    current.scrollIntoView({ inline: "center", block: "nearest" });
  }
  if ("serviceWorker" in navigator && window.isSecureContext) navigator.serviceWorker.register("/sw.js").catch(() => {});
})();
