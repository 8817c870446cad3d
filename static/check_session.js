// OpenID Connect Session Management 1.0 §3.2: says whether the state of this browser is still the one that an application heard of. It asks
// nobody and keeps nothing; all it reads is a cookie that holds a hash. SHA-256 (FIPS 180-4) is here because browsers have it for pages
// in secure contexts only, and asynchronously.
"use strict";
(() => {
  const root = (of) => {
    const primes = [];
    for (let n = 2; primes.length < 64; n++) if (primes.every((p) => n % p)) primes.push(n);
    return primes.map((p) => ((of(p) % 1) * 0x100000000) | 0);
  };
  const K = root(Math.cbrt), H = root(Math.sqrt).slice(0, 8);
  const turn = (x, n) => (x >>> n) | (x << (32 - n));
  const sha256 = (text) => {
    const bytes = [...new TextEncoder().encode(text)], bits = bytes.length * 8;
    bytes.push(0x80);
    while (bytes.length % 64 !== 56) bytes.push(0);
    for (let i = 7; i >= 0; i--) bytes.push(Math.floor(bits / 2 ** (8 * i)) & 255);
    const h = [...H];
    for (let at = 0; at < bytes.length; at += 64) {
      const w = [];
      for (let i = 0; i < 16; i++) {
        const b = at + 4 * i;
        w[i] = (bytes[b] << 24) | (bytes[b + 1] << 16) | (bytes[b + 2] << 8) | bytes[b + 3];
      }
      for (let i = 16; i < 64; i++) {
        const x = w[i - 15], y = w[i - 2];
        w[i] = (w[i - 16] + (turn(x, 7) ^ turn(x, 18) ^ (x >>> 3)) + w[i - 7] + (turn(y, 17) ^ turn(y, 19) ^ (y >>> 10))) | 0;
      }
      let [a, b, c, d, e, f, g, j] = h;
      for (let i = 0; i < 64; i++) {
        const t = (j + (turn(e, 6) ^ turn(e, 11) ^ turn(e, 25)) + ((e & f) ^ (~e & g)) + K[i] + w[i]) | 0;
        const u = ((turn(a, 2) ^ turn(a, 13) ^ turn(a, 22)) + ((a & b) ^ (a & c) ^ (b & c))) | 0;
        [j, g, f, e, d, c, b, a] = [g, f, e, (d + t) | 0, c, b, a, (t + u) | 0];
      }
      [a, b, c, d, e, f, g, j].forEach((v, i) => { h[i] = (h[i] + v) | 0; });
    }
    return h.map((v) => (v >>> 0).toString(16).padStart(8, "0")).join("");
  };
  const name = document.body.dataset.cookie + "=";
  const answer = (origin, message) => {
    if (typeof message !== "string" || message.length > 1024) return "error";
    const parts = message.split(" ");
    if (parts.length !== 2 || !parts[0]) return "error";
    const [hash, salt, more] = parts[1].split(".");
    if (!hash || !salt || more !== undefined) return "error";
    const cookie = document.cookie.split("; ").find((one) => one.startsWith(name));
    // A browser that hides the cookie from frames knows nothing. "changed" would have applications sign everybody out.
    if (!cookie) return "error";
    return sha256(`${parts[0]} ${origin} ${cookie.slice(name.length)} ${salt}`) === hash ? "unchanged" : "changed";
  };
  addEventListener("message", (event) => {
    // What is sent by a sandboxed frame has no origin that it could be answered at.
    if (!event.source || event.origin === "null") return;
    event.source.postMessage(answer(event.origin, event.data), event.origin);
  });
})();
