// Scanning: each code of a wedge, of the camera or of somebody's fingers is a claim at once. Codes go
// one after the other, each is answered in a line of its own, and the field is free for the next one.
(function () {
  "use strict";

  const form = document.querySelector("form[data-scan]");
  const field = form.elements.namedItem("code");
  const list = document.querySelector(form.dataset.scan);
  const counted = document.getElementById("claimed-count");
  let last = Promise.resolve();

  function make(tag, kind, text) {
    const element = document.createElement(tag);
    element.className = kind;
    element.textContent = text;
    return element;
  }
  function refuse(row, code, why) {
    row.replaceChildren(make("b", "state is-failed", "No"), make("span", "mono wrap", code), make("span", "wrap", why));
  }

  async function send(row, code, body) {
    try {
      const response = await fetch(form.action, { method: "POST", body, headers: { "HX-Request": "true" } });
      if (response.status === 401) { location.reload(); return; }
      const text = await response.text();
      if (response.ok) row.outerHTML = text; else refuse(row, code, text);
    } catch (_) {
      refuse(row, code, "The server does not answer: scan it again.");
    }
    counted.textContent = list.querySelectorAll(".is-done").length + " claimed";
  }

  function add(code) {
    const row = make("li", "stat", code);
    list.prepend(row);
    // As the form is now: what is chosen may change before it is this one's turn.
    const body = new URLSearchParams(new FormData(form));
    body.set("code", code);
    last = last.then(() => send(row, code, body));
  }

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const code = field.value.trim();
    field.value = "";
    field.focus();
    if (code) add(code);
  });

  // === The camera, where the browser reads codes ===

  const button = document.getElementById("camera");
  const view = document.getElementById("view");
  const says = document.getElementById("camera-says");
  /** Milliseconds between two looks, and for which a code must have been away to be scanned again. */
  const LOOK = 200, AWAY = 3000;
  const seen = new Map();
  let stream = null;

  function tell(words) { if (says.textContent !== words) says.textContent = words; }

  function found(codes) {
    const now = Date.now();
    // A label has several: which of them is the serial number only who holds it knows.
    if (codes.length > 1) { tell("More than one code is in sight: go nearer to the one that counts."); return; }
    tell(codes.length ? "" : "Hold a code before the camera.");
    for (const code of codes) {
      const before = seen.get(code) || 0;
      seen.set(code, now);
      if (now - before > AWAY) add(code);
    }
  }

  async function look(detector) {
    if (!stream) return;
    try {
      const codes = await detector.detect(view);
      found(codes.map((code) => code.rawValue.trim()).filter(Boolean));
    } catch (_) { /* No picture yet. */ }
    setTimeout(look, LOOK, detector);
  }

  function stop() {
    stream.getTracks().forEach((track) => track.stop());
    stream = null;
    view.srcObject = null;
    view.hidden = true;
    button.textContent = "Use the camera";
    tell("");
  }

  async function start() {
    try {
      stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" } });
    } catch (_) {
      tell("The camera cannot be used: allow it for this page, or type the codes.");
      return;
    }
    view.srcObject = stream;
    view.hidden = false;
    button.textContent = "Stop the camera";
    await view.play();
    look(new window.BarcodeDetector());
  }

  // Only over HTTPS, or on the machine itself, does a browser give a page the camera.
  if ("BarcodeDetector" in window && navigator.mediaDevices) {
    button.hidden = false;
    button.addEventListener("click", () => { if (stream) stop(); else start(); });
    window.addEventListener("pagehide", () => { if (stream) stop(); });
  }
})();
