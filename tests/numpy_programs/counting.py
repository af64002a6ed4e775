"""Results whose size depends on the data: selections, counts, groups."""

import numpy as np

from .program import Program

rng = np.random.default_rng(11)


def positive_statistics(x):
    """Count, mean and standard deviation of the positive elements."""
    positive = x[x > 0]
    if positive.size == 0:
        return 0, 0.0, 0.0
    return len(positive), positive.mean(), positive.std()


def sigma_clip(x, kappa):
    """Mean of what is left when outliers are thrown out again and again."""
    while True:
        keep = np.abs(x - x.mean()) < kappa * x.std()
        if keep.all():
            break
        x = x[keep]
    return x.mean(), x.size


def trimmed_mean(x, fraction):
    """Mean without the smallest and largest elements."""
    x = np.sort(x)
    cut = int(fraction * len(x))
    return x[cut : len(x) - cut].mean()


def nan_regression(x, y):
    """A straight line through the points that have no NaN."""
    ok = ~(np.isnan(x) | np.isnan(y))
    x, y = x[ok], y[ok]
    slope = ((x - x.mean()) * (y - y.mean())).sum() / ((x - x.mean()) ** 2).sum()
    return slope, y.mean() - slope * x.mean()


def entropy(codes):
    """Entropy of a sequence of codes, by counts of its different elements."""
    values, counts = np.unique(codes, return_counts=True)
    p = counts / counts.sum()
    return -np.sum(p * np.log2(p)), values[np.argmax(counts)]


def group_means(keys, x):
    """Means of groups, by np.unique and np.add.at."""
    groups, inverse = np.unique(keys, return_inverse=True)
    sums = np.zeros(len(groups))
    counts = np.zeros(len(groups))
    np.add.at(sums, inverse, x)
    np.add.at(counts, inverse, 1)
    return groups, sums / counts


def run_lengths(x):
    """Run-length encoding of a sequence."""
    starts = np.concatenate(([0], np.flatnonzero(np.diff(x)) + 1))
    lengths = np.diff(np.append(starts, len(x)))
    return x[starts], lengths


def run_decode(values, lengths):
    """Run-length decoding, with the running sum."""
    return np.cumsum(np.repeat(values, lengths))


def histogram(x, low, high, bins):
    """A histogram by a loop, which leaves out what lies outside."""
    counts = np.zeros(bins, dtype=int)
    width = (high - low) / bins
    for v in x:
        if v < low or v >= high:
            continue
        counts[int((v - low) / width)] += 1
    return counts


def weighted_histogram(x, weights, bins):
    """A histogram with weights by np.histogram, as a density."""
    edges = np.linspace(0.0, 1.0, bins + 1)
    which = np.digitize(x, edges) - 1
    total = np.zeros(bins)
    for b in range(bins):
        total[b] = weights[which == b].sum()
    return total / (total.sum() * (edges[1] - edges[0]))


def replace_outliers(x, limit):
    """Outliers in a matrix replaced by the medians of their columns."""
    x = x.copy()
    for j in range(x.shape[1]):
        column = x[:, j]
        median = np.median(column)
        bad = np.abs(column - median) > limit
        column[bad] = median
    return x


def fill_missing(x):
    """Missing values filled in by interpolation over the known ones."""
    x = x.copy()
    missing = np.isnan(x)
    idx = np.arange(len(x))
    x[missing] = np.interp(idx[missing], idx[~missing], x[~missing])
    return x


def threshold_matrix(a, level):
    """Sum, mean position and count of a matrix' large entries."""
    rows, cols = np.nonzero(a > level)
    if rows.size == 0:
        return 0.0, np.nan, np.nan, 0
    return a[rows, cols].sum(), rows.mean(), cols.mean(), rows.size


def rank_test(x, y):
    """Mann and Whitney's statistic, with ranks by sorting."""
    both = np.concatenate([x, y])
    order = np.argsort(both)
    ranks = np.empty(len(both))
    ranks[order] = np.arange(1, len(both) + 1)
    return ranks[: len(x)].sum() - len(x) * (len(x) + 1) / 2


def pareto_front(points):
    """Points that no other point dominates, and the area below them."""
    order = np.argsort(points[:, 0])
    p = points[order]
    front = []
    best = np.inf
    for q in p:
        if q[1] < best:
            front.append(q)
            best = q[1]
    front = np.array(front)
    return front, np.sum(np.diff(front[:, 0]) * front[:-1, 1])


def _with_nans(x, where):
    x = x.copy()
    x[where] = np.nan
    return x


def _outliers(n, where):
    x = rng.normal(size=n)
    x[where] *= 10
    return x


PROGRAMS = [
    Program(positive_statistics, (rng.normal(size=200),), (rng.normal(size=200) + 1,), wrt=(0,)),
    Program(
        sigma_clip,
        (_outliers(100, [3, 40, 41]), 3.0),
        (_outliers(100, [2, 5, 60, 61, 62]), 2.5),
        wrt=(0,),
    ),
    Program(trimmed_mean, (rng.normal(size=50), 0.1), (rng.normal(size=50), 0.2), wrt=(0,)),
    Program(
        nan_regression,
        (_with_nans(rng.normal(size=60), [2, 9]), rng.normal(size=60)),
        (_with_nans(rng.normal(size=60), [4]), rng.normal(size=60)),
        wrt=(1,),
    ),
    Program(entropy, (rng.integers(0, 9, size=100),), (rng.integers(2, 6, size=100),)),
    Program(
        group_means,
        (rng.integers(0, 6, size=80), rng.normal(size=80)),
        (rng.integers(3, 7, size=80), rng.normal(size=80)),
        wrt=(1,),
    ),
    Program(run_lengths, (rng.integers(0, 2, size=60),), (rng.integers(0, 3, size=60),)),
    Program(
        run_decode,
        (rng.normal(size=6), np.array([3, 1, 0, 4, 2, 2])),
        (rng.normal(size=6), np.array([1, 1, 2, 0, 5, 1])),
        wrt=(0,),
    ),
    Program(
        histogram, (rng.normal(size=15), -2.0, 2.0, 8), (rng.normal(size=15) * 2, -2.0, 2.0, 8)
    ),
    Program(
        weighted_histogram,
        (rng.uniform(size=100), rng.uniform(size=100), 5),
        (rng.beta(2, 3, size=100), rng.uniform(size=100), 5),
        wrt=(1,),
    ),
    Program(
        replace_outliers, (rng.normal(size=(31, 4)), 1.5), (rng.normal(size=(31, 4)), 1.0), wrt=(0,)
    ),
    Program(
        fill_missing,
        (_with_nans(rng.normal(size=40), [3, 4, 17]),),
        (_with_nans(rng.normal(size=40), [0, 8, 9, 10]),),
    ),
    Program(
        threshold_matrix,
        (rng.normal(size=(20, 30)), 1.0),
        (rng.normal(size=(20, 30)), 2.0),
        wrt=(0,),
    ),
    Program(
        rank_test,
        (rng.normal(size=12), rng.normal(size=15)),
        (rng.normal(size=12) + 1, rng.normal(size=15)),
    ),
    Program(pareto_front, (rng.uniform(size=(12, 2)),), (rng.uniform(size=(12, 2)),), wrt=(0,)),
]
