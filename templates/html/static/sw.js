// Makes the dashboard installable, and shows a page that says so when the server is out of reach.
// It never keeps a page with data: what is shown is the truth of now, or nothing.
"use strict";

const KEPT = "muster-offline-1";
const PAGE = "/offline";

self.addEventListener("install", (event) => {
  const keep = caches.open(KEPT).then((cache) => cache.addAll([PAGE, "/static/muster.css", "/static/theme.js"]));
  event.waitUntil(keep.then(() => self.skipWaiting()));
});

self.addEventListener("activate", (event) => {
  const old = caches.keys().then((names) => Promise.all(names.filter((name) => name !== KEPT).map((name) => caches.delete(name))));
  event.waitUntil(old.then(() => self.clients.claim()));
});

self.addEventListener("fetch", (event) => {
  const request = event.request;
  if (request.mode === "navigate") {
    event.respondWith(fetch(request).catch(() => caches.match(PAGE)));
    return;
  }
  // The offline page's own two files, asked for without a version.
  const url = new URL(request.url);
  if (url.origin === self.location.origin && !url.search && /^\/static\/(muster\.css|theme\.js)$/.test(url.pathname)) {
    event.respondWith(fetch(request).catch(() => caches.match(url.pathname)));
  }
});
