// Shows a tenant's look anew while it is typed; the button does the same without a script. What is shown is the server's: a stylesheet with
// the colours, and in one of its properties what is to be said of them, as the pages' policy lets scripts fetch nothing else.
"use strict";

const PAUSE = 400;

const section = document.getElementById("preview");
const notes = document.getElementById("preview-notes");
const form = document.getElementById("look").form;
let shown = document.getElementById("preview-sheet");
let latest = shown;
let timer;

const told = () => {
  const text = getComputedStyle(section).getPropertyValue("--told").trim();
  return JSON.parse(decodeURIComponent(text.slice(1, -1)));
};

const say = (texts) => {
  const lines = texts.map((text) => {
    const line = document.createElement("p");
    line.className = "field-hint";
    line.textContent = text;
    return line;
  });
  notes.replaceChildren(...lines);
};

const mark = (logo) => {
  if (logo) {
    const image = document.createElement("img");
    image.className = "logo";
    image.alt = "";
    image.referrerPolicy = "no-referrer";
    image.src = logo;
    return image;
  }
  const name = document.createElement("span");
  name.className = "mark-name";
  const text = document.createElement("bdi");
  text.textContent = section.dataset.name;
  name.append(text);
  return name;
};

const arrived = (sheet) => {
  // Somebody went on typing.
  if (sheet !== latest) {
    sheet.remove();
    return;
  }
  const { problems, notes: about, logo } = told();
  if (problems.length > 0) {
    // The last look that was in order stays.
    say(problems);
    sheet.remove();
    return;
  }
  say(about);
  for (const place of section.querySelectorAll(".mark")) {
    place.replaceChildren(mark(logo));
  }
  shown.remove();
  shown = sheet;
};

const ask = () => {
  const wanted = new URLSearchParams();
  for (const input of form.querySelectorAll("input:not([type=hidden])")) {
    wanted.append(input.name, input.value);
  }
  const sheet = document.createElement("link");
  sheet.rel = "stylesheet";
  sheet.href = `${section.dataset.address}?${wanted}`;
  sheet.addEventListener("load", () => arrived(sheet));
  sheet.addEventListener("error", () => sheet.remove());
  latest = sheet;
  shown.after(sheet);
};

form.addEventListener("input", () => {
  clearTimeout(timer);
  timer = setTimeout(ask, PAUSE);
});
