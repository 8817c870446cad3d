// Goes on to the application once the frames have loaded, or after three seconds: one that doesn't answer holds nobody up.
"use strict";
let gone = false;
const go = () => {
  if (gone) return;
  gone = true;
  location.replace(document.getElementById("continue").href);
};
addEventListener("load", go);
setTimeout(go, 3000);
