// The bench as it happens: a stream of hints, while somebody looks. What has [data-bench] asks for
// itself again then, at most once in a second. Without script, and where the stream is refused, the page
// is as old as it was last asked for.
(function () {
  "use strict";

  const GAP = 1000, AWAY = 30000;
  let stream = null, waits = 0, told = 0, again = 0;

  function tell() {
    waits = 0;
    told = Date.now();
    document.querySelectorAll("[data-bench]").forEach((part) => part.dispatchEvent(new CustomEvent("muster:changed")));
  }
  function hint() {
    if (!waits) waits = setTimeout(tell, Math.max(100, told + GAP - Date.now()));
  }
  function close() {
    if (stream) stream.close();
    stream = null;
  }

  function follow() {
    if (document.hidden) { close(); return; }
    if (stream) return;
    stream = new EventSource("/bench/live");
    // What happened between the page and its stream, or while the stream was away, is asked for.
    stream.onopen = hint;
    stream.onmessage = hint;
    // Refused, which a browser does not try again.
    stream.onerror = () => {
      if (!stream || stream.readyState !== EventSource.CLOSED) return;
      stream = null;
      clearTimeout(again);
      again = setTimeout(follow, AWAY);
    };
  }

  document.addEventListener("visibilitychange", follow);
  window.addEventListener("pagehide", close);
  window.addEventListener("pageshow", (event) => { if (event.persisted) follow(); });
  follow();
})();
