// Rows of a form of which there can be more, or fewer: what [data-add-row] names gets another one,
// empty, and [data-remove-row] takes away the one that it stands in. Without script there are a few
// empty rows.
(function () {
  "use strict";

  function empty(row) {
    row.querySelectorAll("input").forEach((input) => { input.value = ""; });
    row.querySelectorAll("select").forEach((select) => { select.selectedIndex = 0; });
  }

  function number(box) {
    Array.from(box.children).forEach((row, i) => {
      const legend = row.querySelector("legend");
      if (legend) legend.textContent = legend.textContent.replace(/\d+/, String(i + 1));
    });
  }

  document.addEventListener("click", (event) => {
    const button = event.target instanceof Element && event.target.closest("[data-add-row], [data-remove-row]");
    if (!button) return;
    if (button.dataset.addRow) {
      const box = document.getElementById(button.dataset.addRow);
      const row = box.lastElementChild.cloneNode(true);
      empty(row);
      box.append(row);
      number(box);
      row.querySelector("input, select").focus();
      return;
    }
    const row = button.closest("fieldset");
    const box = row.parentElement;
    // One stays, for the next ones are made of it.
    if (box.children.length > 1) row.remove(); else empty(row);
    number(box);
  });
})();
