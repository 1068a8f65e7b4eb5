// Runs before the first paint, so that a chosen theme never flashes; all else is in muster.js.
(function () {
  "use strict";
  var root = document.documentElement;
  root.classList.add("js");
  try {
    var theme = localStorage.getItem("muster-theme");
    if (theme === "light" || theme === "dark") root.dataset.theme = theme;
    else if (theme === "auto") delete root.dataset.theme;
  } catch (_) {
    // No storage: as the system, or the account, says.
  }
})();
