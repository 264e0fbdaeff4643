# SPDX-License-Identifier: MIT
"""A log-linear histogram, as HdrHistogram has it: every power of two is cut into 128
equal buckets, so that a value is kept to better than 1 % whatever its size.

Below 256 a bucket holds one value.  From there on a value is shifted right until 8
bits are left: the shift chooses the power, those bits the bucket in it.  The C side of
this file is demo/load/histogram.c.
"""
import math
from collections import Counter

SUB_BUCKETS = 128
POWERS = 58
TICKS_PER_HALF = 5


def bucket_of(value):
    shift = max(0, value.bit_length() - 8)
    return shift * SUB_BUCKETS + (value >> shift)


def bucket_end(bucket):
    """The largest value that belongs to the bucket."""
    if bucket < 2 * SUB_BUCKETS:
        return bucket
    shift, bits = bucket // SUB_BUCKETS - 1, bucket % SUB_BUCKETS + SUB_BUCKETS
    return ((bits + 1) << shift) - 1


def next_percentile(percent):
    """The steps grow finer towards 100 %: five for every halving of what is left."""
    halvings = math.floor(math.log2(100 / (100 - percent))) + 1
    return percent + 100 / (TICKS_PER_HALF * 2 ** halvings)


class Histogram:
    def __init__(self):
        self.counts = Counter()
        self.count = 0
        self.least = self.most = 0  # exact
        self.sum = self.sum_of_squares = 0

    def add(self, value):
        self.counts[bucket_of(value)] += 1
        self.least = value if self.count == 0 else min(self.least, value)
        self.most = max(self.most, value)
        self.count += 1
        self.sum += value
        self.sum_of_squares += value * value

    def value_at(self, percent):
        """The value, and how many are no larger than the end of its bucket."""
        rank = max(1, math.ceil(percent * self.count / 100))
        passed = 0
        for bucket in sorted(self.counts):
            passed += self.counts[bucket]
            if passed >= rank:
                return min(bucket_end(bucket), self.most), passed
        return 0, 0

    def percentile(self, percent):
        return self.value_at(percent)[0]

    def mean(self):
        return self.sum / self.count if self.count else 0

    def deviation(self):
        if not self.count:
            return 0
        return math.sqrt(max(0, self.sum_of_squares / self.count - self.mean() ** 2))

    def percentile_lines(self, unit):
        percent = passed = 0
        while passed < self.count:
            value, passed = self.value_at(percent)
            if passed == self.count:
                break
            yield (f"{value / unit:12.3f} {percent / 100:2.12f} {passed:10d}"
                   f" {1 / (1 - percent / 100):14.2f}\n")
            # A bucket may reach further than the step that led to it.
            reached = 100 * passed / self.count
            while percent <= reached:
                percent = next_percentile(percent)
        if self.count:
            yield f"{self.most / unit:12.3f} {1:2.12f} {self.count:10d}\n"

    def text(self, unit):
        """HdrHistogram's percentile text; a value is printed divided by `unit`."""
        head = (f"{'Value':>12} {'Percentile':>14} {'TotalCount':>10}"
                f" {'1/(1-Percentile)':>14}\n\n")
        return (
            head + "".join(self.percentile_lines(unit)) +
            f"#[Mean    = {self.mean() / unit:12.3f},"
            f" StdDeviation   = {self.deviation() / unit:12.3f}]\n"
            f"#[Max     = {self.most / unit:12.3f}, Total count    = {self.count:12d}]\n"
            f"#[Buckets = {POWERS:12d}, SubBuckets     = {SUB_BUCKETS:12d}]\n")
