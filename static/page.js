// What is smoother with a script; every page works without it.
"use strict";

// A form is sent once: a second press on its way is ignored (the server would take it for the first).
const PATIENCE = 15000;

const wake = (form) => {
  delete form.dataset.sent;
  for (const button of form.querySelectorAll("[aria-busy]")) {
    button.removeAttribute("aria-busy");
  }
};

for (const form of document.querySelectorAll("form")) {
  form.addEventListener("submit", (event) => {
    if (form.dataset.sent) {
      event.preventDefault();
      return;
    }
    form.dataset.sent = "true";
    event.submitter?.setAttribute("aria-busy", "true");
    // Sent as a password again, so that no browser keeps it as text.
    for (const button of form.querySelectorAll("[data-revealed]")) {
      button.click();
    }
    // An answer that never comes must not lock the form for good.
    setTimeout(wake, PATIENCE, form);
  });
}

// Back from the browser's page cache.
addEventListener("pageshow", () => document.querySelectorAll("form").forEach(wake));

for (const button of document.querySelectorAll("[data-reveal]")) {
  const input = document.getElementById(button.dataset.reveal);
  button.hidden = false;
  button.addEventListener("click", () => {
    const shown = input.type === "password";
    input.type = shown ? "text" : "password";
    button.toggleAttribute("data-revealed", shown);
    button.textContent = shown ? button.dataset.hide : button.dataset.show;
    button.setAttribute("aria-label", shown ? button.dataset.hideLabel : button.dataset.showLabel);
  });
}
