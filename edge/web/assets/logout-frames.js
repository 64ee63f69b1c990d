// Goes on as soon as all frames are loaded, or after a while; the link of the page does as well.
"use strict";
(() => {
  const link = document.querySelector("a[data-go-on]");
  let gone = false;
  const go = () => {
    if (!gone) {
      gone = true;
      location.replace(link.href);
    }
  };
  window.addEventListener("load", go);
  setTimeout(go, Number(link.dataset.goOn) * 1000);
})();
