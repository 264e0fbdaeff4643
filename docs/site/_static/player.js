/* SPDX-License-Identifier: MIT */
/*
 * Plays a recorded run, step by step.  What is shown in each step lies in the page as JSON,
 * and so do the words; this only puts it into its place.  docs/site/_ext/player.py writes
 * both.  Without this script the page shows the picture of the run.
 */
"use strict";

const PLAY_MILLISECONDS = 1800;
const KEYS = {ArrowLeft: "back", ArrowRight: "next", Home: "first", End: "last"};

function make(name, className, text) {
  const element = document.createElement(name);
  if (className)
    element.className = className;
  if (text !== undefined)
    element.textContent = text;
  return element;
}

class Player {
  constructor(root) {
    this.root = root;
    this.data = JSON.parse(root.querySelector("script").textContent);
    this.side = root.dataset.side = "c";
    this.at = 0;
    this.timer = null;
    this.slider = this.find("input");
    this.slider.max = this.last;
    root.hidden = false;
    root.closest(".played").classList.add("on");
    root.addEventListener("click", (event) => this.pressed(event.target.closest("button")));
    root.addEventListener("keydown", (event) => this.key(event));
    this.slider.addEventListener("input", () => this.go(Number(this.slider.value)));
    this.show();
  }

  find(selector) {
    return this.root.querySelector(selector);
  }

  get last() {
    return this.data.steps.length - 1;
  }

  /* What the reader does */

  pressed(button) {
    if (!button)
      return;
    if (button.dataset.show)
      this.choose(button.dataset.show);
    else if (button.dataset.go)
      this.command(button.dataset.go);
  }

  command(name) {
    if (name === "play")
      this.play(this.timer === null);
    else if (name === "picture")
      this.togglePicture();
    else
      this.go({first: 0, back: this.at - 1, next: this.at + 1, last: this.last}[name]);
  }

  /* The theme's arrow keys, which go to another page, don't see these. */
  key(event) {
    const plays = event.key === " " && event.target === this.root;
    const name = plays ? "play" : KEYS[event.key];
    if (!name || event.altKey || event.ctrlKey || event.metaKey)
      return;
    event.preventDefault();
    event.stopPropagation();
    this.command(name);
  }

  go(step) {
    this.play(false);
    this.move(step);
  }

  move(step) {
    this.at = Math.max(0, Math.min(this.last, step));
    this.show();
  }

  /* Nothing is said while it plays: the next step would come before the end. */
  play(plays) {
    clearInterval(this.timer);
    this.timer = null;
    if (plays) {
      if (this.at === this.last)
        this.move(0);
      this.timer = setInterval(() => this.tick(), PLAY_MILLISECONDS);
    }
    const button = this.find("[data-go=play]");
    button.textContent = plays ? button.dataset.pause : button.dataset.play;
    this.find(".player-says").setAttribute("aria-live", plays ? "off" : "polite");
  }

  tick() {
    this.move(this.at + 1);
    if (this.at === this.last)
      this.play(false);
  }

  choose(side) {
    this.side = this.root.dataset.side = side;
    for (const button of this.root.querySelectorAll("[data-show]"))
      button.setAttribute("aria-pressed", String(button.dataset.show === side));
    this.show();
  }

  togglePicture() {
    const shown = this.root.closest(".played").classList.toggle("pictured");
    this.find("[data-go=picture]").setAttribute("aria-expanded", String(shown));
  }

  /* What is shown */

  show() {
    const step = this.data.steps[this.at];
    const before = this.data.steps[Math.max(0, this.at - 1)];
    const output = this.find("output");
    const numbers = [this.at + 1, this.last + 1];
    output.textContent = output.dataset.of.replace(/#/g, () => numbers.shift());
    this.slider.value = this.at;
    this.slider.setAttribute("aria-valuetext", output.textContent);
    this.showSentence(step);
    for (const lane of this.root.querySelectorAll("[data-lane]"))
      this.showLane(lane, step[lane.dataset.lane]);
    const state = this.data.states[step[this.side].state];
    const old = this.data.states[before[this.side].state];
    this.showQueues(state.queues, old.queues);
    this.showLists(state.lists, old.lists);
    this.showDescriptors(state.descriptors, old.descriptors);
  }

  showSentence(step) {
    const says = this.find(".player-says");
    says.classList.toggle("act", step.act);
    says.replaceChildren(make("b", "", step.says), " ",
                         make("span", "", step[this.side].changes));
  }

  showLane(lane, part) {
    const status = lane.querySelector(".player-status");
    lane.classList.toggle("idle", !part.call);
    status.className = `player-status ${part.status}`;
    status.textContent = status.dataset[part.status] + (part.slept ? ` · ${part.slept}` : "");
    lane.querySelector(".player-call").textContent = part.call || "\u00a0";
    this.showPlace(lane, this.data.places[part.place]);
  }

  showPlace(lane, place) {
    const code = lane.querySelector(".player-code");
    const into = lane.querySelector(".player-into");
    code.replaceChildren();
    into.replaceChildren();
    lane.querySelector(".player-file").textContent = place.file ?? "";
    if (!place.file)
      return;
    const lines = this.data.code[place.file];
    for (let number = place.first; lines[number] !== undefined && code.childElementCount < 7;
         number++)
      code.append(this.line(number, lines[number], number === place.line, place.indent));
    into.append(make("span", "", place.through.join(" › ")));
    if (place.into) {
      into.append(make("span", "", ` › ${place.into.join(" › ")} (${place.at})`),
                  make("code", "", place.text));
    }
  }

  /* `html` is Pygments', `blanks` stand before it. */
  line(number, [blanks, html], isCurrent, indent) {
    const line = make("div", isCurrent ? "line current" : "line");
    const text = make("span", "text");
    text.innerHTML = html || " ";
    text.style.setProperty("--indent", Math.max(0, blanks - indent));
    if (isCurrent)
      line.setAttribute("aria-current", "true");
    line.append(make("span", "number", number), text);
    return line;
  }

  row(cells, old, first = "td") {
    const row = make("tr");
    cells.forEach((text, i) => {
      const cell = make(i === 0 ? first : "td", "", text);
      cell.classList.toggle("new", old === undefined || old[i] !== text);
      row.append(cell);
    });
    return row;
  }

  showQueues(queues, old) {
    const rows = queues.map(([who, fd, ...texts]) => {
      const was = old.find((row) => row[0] === who);
      const name = fd === "" ? who : `${who} (${fd})`;
      return this.row([name, ...texts],
                      was && [was[1] === fd ? name : "", ...was.slice(2)], "th");
    });
    this.find(".player-queues tbody").replaceChildren(...rows);
  }

  showDescriptors(descriptors, old) {
    const rows = descriptors.map(([fd, name, kind]) => {
      const row = make("li");
      row.append(make("b", "", fd), make("span", "", name));
      if (kind !== name)
        row.append(make("small", "", kind));
      row.classList.toggle("new", !old.some((was) => was[0] === fd && was[1] === name));
      return row;
    });
    this.find(".player-descriptors").replaceChildren(...rows);
  }

  showLists(lists, old) {
    const panel = this.find(".player-lists");
    panel.replaceChildren();
    lists.forEach(([title, asked, ready], i) => {
      const words = panel.dataset;
      const isKept = title.startsWith("epoll");
      const [, oldAsked, oldReady] = old[i];
      panel.append(make("div", "player-caption",
                        `${title}: ${isKept ? words.kept : words.handed}`));
      panel.append(this.chips(words.asked, asked, oldAsked,
                              isKept ? words.nobody : words.forgotten));
      panel.append(this.chips(words.ready, ready, oldReady, words.nobody, "ready"));
    });
  }

  chips(title, items, old, otherwise, className = "") {
    const list = make("div", `player-chips ${className}`);
    const box = make("div", "player-box");
    list.append(make("span", "player-title", title), box);
    for (const [name, fd, flags] of items) {
      const chip = make("span", "chip");
      chip.append(make("b", "", name), ` ${flags.replaceAll("|", " ")}`);
      const isOld = old.some((row) => row[1] === fd && row[2] === flags && row[0] === name);
      chip.classList.toggle("new", !isOld);
      box.append(chip);
    }
    if (items.length === 0)
      box.append(make("span", "player-none", otherwise));
    return list;
  }
}

document.addEventListener("DOMContentLoaded", () => {
  for (const root of document.querySelectorAll(".player"))
    new Player(root);
});
