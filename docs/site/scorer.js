/* SPDX-License-Identifier: MIT */
/* Sphinx's own scores; but of pages with the same words the answers to questions come first. */
var Scorer = {
  score: ([page, , , , score]) => score + (page === "faq" ? 1 : 0),
  objNameMatch: 11,
  objPartialMatch: 6,
  objPrio: {0: 15, 1: 5, 2: -5},
  objPrioDefault: 0,
  title: 15,
  partialTitle: 7,
  term: 5,
  partialTerm: 2,
};
