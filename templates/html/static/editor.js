// The editor of templates: what [data-line] names is chosen in #body, for a field has no numbers at its
// lines. Without script the finding shows the line itself.
(function () {
  "use strict";

  document.addEventListener("click", (event) => {
    const button = event.target instanceof Element && event.target.closest("[data-line]");
    const field = document.getElementById("body");
    if (!button || !field) return;
    const lines = field.value.split("\n");
    const at = Math.min(Number(button.dataset.line), lines.length) - 1;
    const start = lines.slice(0, at).reduce((sum, line) => sum + line.length + 1, 0);
    field.focus();
    field.setSelectionRange(start, start + lines[at].length);
    field.scrollTop = Math.max(0, at - 3) * (field.scrollHeight / lines.length);
  });
})();
