/* SPDX-License-Identifier: MIT */
/*
 * How a search in Chinese is cut into words.  The index has the words that jieba found in
 * the pages; a search has no blanks, so it is cut into the longest words that the index
 * knows.  The search itself is Sphinx's, which asks this function if there is one.
 */
"use strict";

const LONGEST_WORD = 8;

function isInIndex(word) {
  const index = Search._index;
  return Object.hasOwn(index.terms, word) || Object.hasOwn(index.titleterms, word);
}

function cutIntoWords(text) {
  const words = [];
  for (let at = 0; at < text.length;) {
    let size = Math.min(LONGEST_WORD, text.length - at);
    while (size > 1 && !isInIndex(text.substr(at, size)))
      size--;
    if (size > 1)
      words.push(text.substr(at, size));
    at += size;
  }
  return words.length > 0 ? words : [text];
}

var splitQuery = (query) =>
  query.split(/[^\p{Letter}\p{Number}_]+|(?<=\p{Script=Han})(?=[a-z0-9_])|(?<=[a-z0-9_])(?=\p{Script=Han})/giu)
    .filter((part) => part !== "")
    .flatMap((part) => /\p{Script=Han}/u.test(part) ? cutIntoWords(part) : [part]);
