"""Hamiltonian Monte Carlo: the No-U-Turn sampler in NumPy, with compiled gradients.

The sampler of Hoffman and Gelman (Journal of Machine Learning Research 15, 2014) in the multinomial
form of Betancourt (A Conceptual Introduction to Hamiltonian Monte Carlo, arXiv:1701.02434, 2017).
Its steps are NumPy, the log-density is a jitted ``value_and_grad``. It samples from two models
whose posterior means can be found by quadrature, too: the eight schools (Rubin, Journal of
Educational Statistics 6, 1981) and the batting averages of Efron and Morris (Journal of the
American Statistical Association 70, 1975).
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from _report import Report, Timer, run

import autotrace as at

SEED = 1
#: What a mean may be away from the exact one, in its standard errors. A sampler that is right is
#: further away in one of two million cases.
STANDARD_ERRORS = 5.0
#: Chains that have not mixed have larger values. Short ones have them by chance, too.
LARGEST_R_HAT = 1.01
LARGEST_R_HAT_SHORT = 1.1


# --- the sampler: plain NumPy -----------------------------------------------------------------


class State(NamedTuple):
    """A point of a trajectory: position, momentum, log-density and its gradient."""

    q: np.ndarray
    p: np.ndarray
    value: float
    gradient: np.ndarray


class Tree(NamedTuple):
    """A piece of a trajectory: its ends, the sum of its momenta, the state drawn from it, and the
    logarithm of its weight."""

    first: State
    last: State
    momentum: np.ndarray
    drawn: State
    log_weight: float
    complete: bool
    acceptance: float  # sum over the steps
    steps: int


class Sampler:
    """Draws from a density, given ``value_and_grad`` of its logarithm."""

    def __init__(self, density: Callable, rng: np.random.Generator, depth: int = 10) -> None:
        self.density, self.rng, self.depth = density, rng, depth
        self.divergences = 0

    def leapfrog(self, state: State, step: float) -> State:
        p = state.p + 0.5 * step * state.gradient
        q = state.q + step * self.variance * p
        value, gradient = self.density(q)
        return State(q, p + 0.5 * step * gradient, value, gradient)

    def energy(self, state: State) -> float:
        energy = 0.5 * np.dot(state.p, self.variance * state.p) - state.value
        return energy if np.isfinite(energy) else np.inf

    def onward(self, tree: Tree) -> bool:
        """Whether both ends still move away from each other."""
        speed = self.variance * tree.momentum
        return np.dot(speed, tree.first.p) > 0 and np.dot(speed, tree.last.p) > 0

    def grow(self, start: State, direction: int, depth: int, step: float, energy: float) -> Tree:
        """A piece of ``2**depth`` steps that begins behind ``start``."""
        if depth == 0:
            end = self.leapfrog(start, direction * step)
            gain = energy - self.energy(end)
            sound = gain > -1000.0
            self.divergences += not sound
            return Tree(end, end, end.p, end, gain, sound, min(1.0, np.exp(min(gain, 0.0))), 1)
        near = self.grow(start, direction, depth - 1, step, energy)
        if not near.complete:
            return near
        end = near.last if direction > 0 else near.first
        far = self.grow(end, direction, depth - 1, step, energy)
        return self.joined(near, far, direction, np.logaddexp(near.log_weight, far.log_weight))

    def joined(self, near: Tree, far: Tree, direction: int, log_total: float) -> Tree:
        """Two pieces as one. The draw is the far one's, with a chance of its share of the total."""
        left, right = (near, far) if direction > 0 else (far, near)
        chosen = far.complete and np.log(self.rng.random()) < far.log_weight - log_total
        tree = Tree(
            left.first,
            right.last,
            near.momentum + far.momentum,
            far.drawn if chosen else near.drawn,
            np.logaddexp(near.log_weight, far.log_weight),
            far.complete,
            near.acceptance + far.acceptance,
            near.steps + far.steps,
        )
        return tree._replace(complete=far.complete and self.onward(tree))

    def draw(self, state: State, step: float) -> tuple[State, float]:
        """The next draw, and the mean acceptance of its trajectory."""
        state = state._replace(p=self.rng.normal(size=len(state.q)) / np.sqrt(self.variance))
        energy = self.energy(state)
        tree = Tree(state, state, state.p, state, 0.0, True, 0.0, 0)
        for depth in range(self.depth):
            direction = 1 if self.rng.random() < 0.5 else -1
            end = tree.last if direction > 0 else tree.first
            far = self.grow(end, direction, depth, step, energy)
            tree = self.joined(tree, far, direction, tree.log_weight)  # favours the new half
            if not tree.complete:
                break
        return tree.drawn, tree.acceptance / tree.steps

    def sample(self, q: np.ndarray, warmup: int, draws: int) -> np.ndarray:
        """A chain: steps and scales are fitted in the warm-up, which is thrown away.

        The windows in which scales are estimated get twice as long each time, as in Stan.
        """
        self.variance = np.ones(len(q))
        state = State(q, np.zeros(len(q)), *self.density(q))
        adaptation = DualAveraging(0.1)
        ends, window = [], warmup // 10
        while sum(ends) + 3 * window < 0.9 * warmup:
            ends.append(window)
            window *= 2
        ends.append(int(0.9 * warmup) - sum(ends))
        seen: list[np.ndarray] = []
        ends = list(np.cumsum(ends))
        for turn in range(1, warmup + 1):
            state, acceptance = self.draw(state, adaptation.step)
            adaptation.update(acceptance)
            seen.append(state.q)
            if turn in ends:
                count = len(seen)
                self.variance = (np.var(seen, axis=0) * count + 5e-3) / (count + 5)
                seen, adaptation = [], DualAveraging(adaptation.settled)
        self.divergences, chain = 0, []
        for _ in range(draws):
            state, _acceptance = self.draw(state, adaptation.settled)
            chain.append(state.q)
        return np.array(chain)


class DualAveraging:
    """Step sizes whose mean acceptance comes to 0.8 (Hoffman and Gelman, 2014, section 3.2)."""

    def __init__(self, step: float) -> None:
        self.center, self.error, self.log_settled, self.count = np.log(10 * step), 0.0, 0.0, 0
        self.step = step

    def update(self, acceptance: float) -> None:
        self.count += 1
        weight = 1 / (self.count + 10)
        self.error = (1 - weight) * self.error + weight * (0.8 - acceptance)
        log_step = self.center - np.sqrt(self.count) / 0.05 * self.error
        share = self.count**-0.75
        self.log_settled = share * log_step + (1 - share) * self.log_settled
        self.step = np.exp(log_step)

    @property
    def settled(self) -> float:
        return np.exp(self.log_settled)


# --- models: log-densities of one flat vector, priors and Jacobians included --------------------

EFFECTS = np.array([28.0, 8.0, -3.0, 7.0, -1.0, 1.0, 18.0, 12.0])
ERRORS = np.array([15.0, 10.0, 16.0, 11.0, 9.0, 11.0, 10.0, 18.0])


@at.jit
@at.value_and_grad
def eight_schools(q):
    """mu ~ N(0, 5), tau ~ half-Cauchy(5), z ~ N(0, 1), effects ~ N(mu + tau z, errors)."""
    mu, log_tau, z = q[0], q[1], q[2:]
    tau = np.exp(log_tau)
    prior = -0.5 * (mu / 5) ** 2 - np.log1p((tau / 5) ** 2) + log_tau - 0.5 * np.sum(z**2)
    return prior - 0.5 * np.sum(((EFFECTS - mu - tau * z) / ERRORS) ** 2)


#: Player, hits in the first 45 at bats of 1970, batting average in the rest of the season: of Efron
#: and Morris (1975), as in the data set EfronMorris of the R package pscl.
PLAYERS = [
    ("Clemente", 18, 0.346), ("F. Robinson", 17, 0.298), ("F. Howard", 16, 0.276),
    ("Johnstone", 15, 0.222), ("Berry", 14, 0.273), ("Spencer", 14, 0.270),
    ("Kessinger", 13, 0.263), ("Alvarado", 12, 0.210), ("Santo", 11, 0.269),
    ("Swoboda", 11, 0.230), ("Unser", 10, 0.264), ("Williams", 10, 0.256),
    ("Scott", 10, 0.303), ("Petrocelli", 10, 0.264), ("E. Rodriguez", 10, 0.226),
    ("Campaneris", 9, 0.285), ("Munson", 8, 0.316), ("Alvis", 7, 0.200),
]  # fmt: skip
HITS = np.array([hits for _, hits, _ in PLAYERS], float)
REST = np.array([rest for *_, rest in PLAYERS])
AT_BATS = 45


@at.jit
@at.value_and_grad
def baseball(q):
    """mu ~ N(-1, 1), tau ~ half-N(1), z ~ N(0, 1), hits ~ Binomial(45, logistic(mu + tau z))."""
    mu, log_tau, z = q[0], q[1], q[2:]
    tau = np.exp(log_tau)
    logit = mu + tau * z
    prior = -0.5 * (mu + 1) ** 2 - 0.5 * tau**2 + log_tau - 0.5 * np.sum(z**2)
    return prior + np.sum(HITS * logit - AT_BATS * np.logaddexp(0.0, logit))


def natural_schools(q):
    """What is reported of a draw: mu, tau and the schools' effects."""
    return np.concatenate([q[:1], np.exp(q[1:2]), q[0] + np.exp(q[1]) * q[2:]])


def natural_baseball(q):
    """mu, tau and the players' chances."""
    logit = q[0] + np.exp(q[1]) * q[2:]
    return np.concatenate([q[:1], np.exp(q[1:2]), 1 / (1 + np.exp(-logit))])


# --- the same means by quadrature ---------------------------------------------------------------

#: posteriordb (Magnusson et al.), reference posterior of eight_schools_noncentered: means of mu and
#: tau and their Monte Carlo standard errors.
POSTERIORDB = np.array([4.41051833695493, 3.60205952364059])
POSTERIORDB_ERRORS = np.array([0.0330374705950917, 0.0318615135640706])


def exact_schools() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Given tau all else is Gaussian: a sum over a fine grid of tau is left.

    Returns:
      The means, the grid of tau, and its density there.
    """
    grid = np.linspace(0.0, 1.0, 40_001)[1:-1]
    tau, jacobian = grid / (1 - grid), 1 / (1 - grid) ** 2
    precision = 1 / (ERRORS**2 + tau[:, None] ** 2)
    total = precision.sum(1) + 1 / 25
    mean = precision @ EFFECTS / total
    log_p = -np.log1p((tau / 5) ** 2) + 0.5 * np.sum(np.log(precision), 1) - 0.5 * np.log(total)
    log_p += -0.5 * (precision @ EFFECTS**2 - total * mean**2)
    weights = jacobian * np.exp(log_p - log_p.max())
    share = tau[:, None] ** 2 * precision  # of a school's own result in its effect
    effects = share * EFFECTS + (1 - share) * mean[:, None]
    means = np.average(np.column_stack([mean, tau, effects]), axis=0, weights=weights)
    return means, tau, weights / np.sum(weights) / (jacobian * (grid[1] - grid[0]))


def exact_baseball() -> np.ndarray:
    """Players are independent given mu and tau: Hermite's rule for each, and a grid of these."""
    nodes, node_weights = np.polynomial.hermite_e.hermegauss(64)
    mu, tau = np.linspace(-2.2, -0.2, 161), np.linspace(0.0, 3.0, 601)[1:]
    logit = mu[:, None, None] + tau[:, None] * nodes
    base, chance = -AT_BATS * np.logaddexp(0.0, logit), 1 / (1 + np.exp(-logit))
    log_p = np.add.outer(-0.5 * (mu + 1) ** 2, -0.5 * tau**2)
    chances = {}
    for hits, count in zip(*np.unique(HITS, return_counts=True), strict=True):
        likelihood = np.exp(hits * logit + base + 30.0) * node_weights
        sums = likelihood.sum(-1)
        log_p = log_p + count * np.log(sums)
        chances[hits] = (likelihood * chance).sum(-1) / sums
    weights = np.exp(log_p - log_p.max())
    means = [mu[:, None] + 0 * tau, tau + 0 * mu[:, None], *(chances[hits] for hits in HITS)]
    return np.array([np.average(m, weights=weights) for m in means])


# --- diagnostics --------------------------------------------------------------------------------


def r_hat(chains: np.ndarray) -> np.ndarray:
    """Of chains split in halves, (chains, draws, parameters): Gelman et al., Bayesian Data Analysis
    (3rd edition, 2013), section 11.4."""
    half = chains.shape[1] // 2
    halves = np.concatenate([chains[:, :half], chains[:, half : 2 * half]])
    within = halves.var(axis=1, ddof=1).mean(axis=0)
    between = halves.mean(axis=1).var(axis=0, ddof=1)
    return np.sqrt((half - 1) / half + between / within)


def effective_size(chains: np.ndarray) -> np.ndarray:
    """How many independent draws have means as precise, by Geyer's initial monotone sequence
    (section 11.5 there)."""
    count, draws, _ = chains.shape
    centered = chains - chains.mean(axis=1, keepdims=True)
    spectrum = np.abs(np.fft.rfft(centered, 2 * draws, axis=1)) ** 2
    covariance = np.fft.irfft(spectrum, axis=1)[:, :draws].mean(axis=0) / draws
    within = covariance[0] * draws / (draws - 1)
    total = covariance[0] + chains.mean(axis=1).var(axis=0, ddof=1)
    correlation = 1 - (within - covariance * draws / (draws - 1)) / total
    pairs = correlation[: draws // 2 * 2].reshape(-1, 2, chains.shape[2]).sum(axis=1)
    pairs = np.minimum.accumulate(np.where(np.cumprod(pairs > 0, axis=0), pairs, 0.0), axis=0)
    return count * draws / np.maximum(2 * pairs.sum(axis=0) - 1, 1 / np.log10(count * draws))


# --- the example --------------------------------------------------------------------------------


def fit(report: Report, density: Callable, natural: Callable, size: int, short: bool) -> np.ndarray:
    """Some chains, and what there is to say of them.

    Returns:
      The draws, of shape (chains, draws, quantities).
    """
    count, warmup, draws = (2, 200, 300) if short else (4, 1000, 2000)
    rng = np.random.default_rng(SEED)
    samplers = [Sampler(density, child) for child in rng.spawn(count)]
    with Timer() as timer:
        chains = [s.sample(0.5 * s.rng.normal(size=size), warmup, draws) for s in samplers]
    report.line("chains, draws of each", f"{count}, {draws} after {warmup} to warm up")
    report.line("time", f"{timer.seconds:.1f} s")
    divergences = sum(s.divergences for s in samplers)
    report.line("steps that diverged", divergences)
    return at.jit(at.vmap(at.vmap(natural)))(np.array(chains))


def compare(
    report: Report, chains: np.ndarray, exact: np.ndarray, names: list[str], short: bool
) -> None:
    """Print the means beside the exact ones, and check that they agree."""
    mean, size, ratio = chains.mean(axis=(0, 1)), effective_size(chains), r_hat(chains)
    deviation = chains.std(axis=(0, 1))
    error = deviation / np.sqrt(size)
    print(f"\n  {'':14}{'mean':>9}{'exact':>9}{'MCSE':>9}{'sd':>9}{'ESS':>8}{'R-hat':>8}")
    for row in zip(names, mean, exact, error, deviation, size, ratio, strict=True):
        print("  {:14}{:9.4f}{:9.4f}{:9.4f}{:9.4f}{:8.0f}{:8.3f}".format(*row))
    print()
    worst = np.max(np.abs(mean - exact) / error)
    report.check("means: off by standard errors", worst, STANDARD_ERRORS)
    limit = LARGEST_R_HAT_SHORT if short else LARGEST_R_HAT
    report.check("largest R-hat", np.max(ratio), limit)
    report.check("least ESS", np.min(size), 100.0 if short else 1000.0, above=True)


def example(report: Report, short: bool) -> tuple:
    report.section("Eight schools")
    exact, *density = exact_schools()
    # The reference is itself of random draws.
    off = np.max(np.abs(POSTERIORDB - exact[:2]) / POSTERIORDB_ERRORS)
    report.check("posteriordb: off by standard errors", off, 4.0)
    schools = fit(report, eight_schools, natural_schools, 10, short)
    compare(report, schools, exact, ["mu", "tau", *(f"school {c}" for c in "ABCDEFGH")], short)

    report.section("Batting averages")
    exact = exact_baseball()
    players = fit(report, baseball, natural_baseball, 2 + len(PLAYERS), short)
    compare(report, players, exact, ["mu", "tau", *(name for name, *_ in PLAYERS)], short)
    raw = np.sum((HITS / AT_BATS - REST) ** 2)
    pooled = np.sum((players.mean(axis=(0, 1))[2:] - REST) ** 2)
    report.line("squared errors of raw averages", f"{raw:.4f}")
    report.line("of the posterior means", f"{pooled:.4f}")
    # Efron and Morris found 3.5 with their estimator.
    report.check("times smaller", raw / pooled, 3.0, above=True)
    return schools, players, density


def picture(figure: Any, results: tuple) -> None:
    """Posterior of the schools' spread, and how players' averages are drawn together."""
    schools, players, (tau, density) = results
    left, right = figure.subplots(1, 2)
    bins = np.linspace(0, 16, 33)
    left.hist(schools[:, :, 1].ravel(), bins, density=True, alpha=0.5, label="draws")
    shown = np.searchsorted(tau, np.linspace(0.01, 16, 200))
    share = np.mean(schools[:, :, 1] < bins[-1])
    left.plot(tau[shown], density[shown] / share, color="k", label="by quadrature")
    left.set(xlabel="tau: standard deviation between schools", ylabel="density", xlim=(0, 16))
    left.legend(frameon=False)
    left.set_title("Eight schools")
    means = players.mean(axis=(0, 1))[2:]
    for place, values in enumerate(zip(HITS / AT_BATS, means, REST, strict=True)):
        right.plot([0, 1, 2], values, color=f"C{place % 10}", linewidth=0.8, marker=".")
    right.set_xticks([0, 1, 2], ["first 45\nat bats", "posterior\nmean", "rest of\nthe season"])
    right.set(ylabel="batting average", xlim=(-0.15, 2.15))
    right.set_title("18 players")


if __name__ == "__main__":
    sys.exit(run(__doc__, example, picture))
