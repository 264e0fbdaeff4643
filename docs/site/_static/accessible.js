/* SPDX-License-Identifier: MIT */
/*
 * For those who have no mouse: the theme's labels that open the side bars become buttons,
 * and what has to be scrolled can be scrolled with the keyboard.
 */
"use strict";

function makeButton(label) {
  const box = document.getElementById(label.htmlFor);
  const button = document.createElement("button");
  button.type = "button";
  button.className = label.className;
  button.append(...label.childNodes);
  button.addEventListener("click", () => box.click());
  const tell = () => button.setAttribute("aria-expanded", String(box.checked));
  box.addEventListener("change", tell);
  tell();
  label.replaceWith(button);
}

const sizes = new ResizeObserver((entries) => {
  for (const {target} of entries) {
    if (target.scrollWidth > target.clientWidth)
      target.tabIndex = 0;
    else
      target.removeAttribute("tabindex");
  }
});

document.addEventListener("DOMContentLoaded", () => {
  document.querySelectorAll(".page label[for^=__]").forEach(makeButton);
  document.querySelectorAll(".table-wrapper").forEach((box) => sizes.observe(box));
});
