#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Is this file a trace of Chrome's that fits together?

    trace_check.py FILE [WHAT=COUNT...]

FILE must be one JSON array of events in which what a thread does at once lies one inside
the other: every callback inside a dispatch, no wait beside a dispatch.  WHAT is a
category (callback, reader, writer, task, timer, signal, done), a name, or `processes` or `threads`; it
must occur COUNT times, or at least as often with a + behind.
"""
import collections
import json
import sys

OF_DESCRIPTORS = {'callback', 'reader', 'writer'}
CALLED = {*OF_DESCRIPTORS, 'task', 'timer', 'signal', 'done'}
ITSELF = {'sel_select', 'sel_dispatch'}


class Span:
    """A complete event, in whole nanoseconds."""

    def __init__(self, event):
        self.name, self.category = event['name'], event['cat']
        self.process, self.thread = event['pid'], event['tid']
        self.begin = round(event['ts'] * 1000)
        self.end = self.begin + round(event['dur'] * 1000)
        self.fd = event.get('args', {}).get('fd')
        if event['dur'] < 0 or not isinstance(self.name, str) or not self.name:
            raise ValueError(f'not an event: {event}')
        if (self.category in OF_DESCRIPTORS) != isinstance(self.fd, int):
            raise ValueError(f'a descriptor belongs to its callbacks: {event}')

    def __str__(self):
        return f'{self.category} {self.name} at {self.begin} ns to {self.end} ns'

    def holds(self, other):
        return self.begin <= other.begin and other.end <= self.end


def read_spans(path):
    with open(path, encoding='utf-8') as file:
        events = json.load(file)
    if not isinstance(events, list) or not events:
        raise ValueError('not an array of events')
    unknown = {event['ph'] for event in events} - {'X', 'M'}
    if unknown:
        raise ValueError(f'phases {unknown}')
    return [Span(event) for event in events if event['ph'] == 'X']


def check_thread(spans):
    """All that one thread did, from its beginning on."""
    itself = sorted((s for s in spans if s.category == 'selkie'), key=lambda s: s.begin)
    called = sorted((s for s in spans if s.category in CALLED), key=lambda s: s.begin)
    if len(itself) + len(called) != len(spans) or {s.name for s in itself} - ITSELF:
        raise ValueError('an event of no known kind')
    for row in itself, called:
        for one, other in zip(row, row[1:]):
            if other.begin < one.end:
                raise ValueError(f'{other} begins before the end of {one}')
    dispatches = iter([s for s in itself if s.name == 'sel_dispatch'])
    dispatch = next(dispatches, None)
    for span in called:
        while dispatch is not None and not dispatch.holds(span):
            dispatch = next(dispatches, None)
        if dispatch is None:
            raise ValueError(f'{span} is in no sel_dispatch')


def check_counts(spans, wanted):
    counts = collections.Counter(span.category for span in spans)
    counts.update(span.name for span in spans)
    counts['processes'] = len({span.process for span in spans})
    counts['threads'] = len({span.thread for span in spans})
    for text in wanted:
        what, _, count = text.rpartition('=')
        found, least = counts[what], int(count.rstrip('+'))
        if found < least or (found > least and not count.endswith('+')):
            raise ValueError(f'{found} of {what}, not {count}')


def main(path, *wanted):
    try:
        spans = read_spans(path)
        threads = collections.defaultdict(list)
        for span in spans:
            threads[span.thread].append(span)
        for each in threads.values():
            check_thread(each)
        check_counts(spans, wanted)
    except (ValueError, KeyError) as error:
        return f'{path}: {error!r}'
    return 0


if __name__ == '__main__':
    sys.exit(main(*sys.argv[1:]))
