"""Bundle adjustment: where the cameras stood and what they saw, from points in their pictures.

Run as ``python docs/examples/bundle_adjustment.py``. Each measurement is the place of one point in
one picture, and depends on that camera and that point only: the Jacobian is nearly empty, and made
from as many products as a camera and a point have unknowns. The camera's model is that of
Agarwal et al., "Bundle Adjustment in the Large" (2010): a rotation vector, a translation, a focal
length and two coefficients of radial distortion.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
from _report import Report, run

import autotrace as at
from autotrace.scipy import optimize
from autotrace.scipy.spatial.transform import Rotation

NOISE = 0.5  # pixels
FOCAL = 800.0

Scene = dict[str, np.ndarray]


# --- the camera: plain NumPy ------------------------------------------------------------------


def project(cameras: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Where points are in pictures.

    Args:
      cameras: of shape ``(n, 9)``: rotation vector, translation, focal length and distortion.
      points: of shape ``(n, 3)``.

    Returns:
      Pixels from the centre, of shape ``(n, 2)``.
    """
    seen = Rotation.from_rotvec(cameras[:, :3]).apply(points) + cameras[:, 3:6]
    plane = -seen[:, :2] / seen[:, 2:]
    square = np.sum(plane**2, axis=1)
    focal, first, second = cameras[:, 6], cameras[:, 7], cameras[:, 8]
    return plane * (focal * (1 + first * square + second * square**2))[:, None]


def residuals(
    scene: Scene, camera: np.ndarray, point: np.ndarray, pixels: np.ndarray
) -> np.ndarray:
    """How far each point is in a picture from where it was seen, in units of the noise.

    Args:
      scene: the unknowns, ``"cameras"`` and ``"points"``.
      camera, point: which of them each measurement is of.
      pixels: the measurements.
    """
    return (project(scene["cameras"][camera], scene["points"][point]) - pixels) / NOISE


# --- a scene ----------------------------------------------------------------------------------


def torus(count: int, rng: np.random.Generator) -> np.ndarray:
    """Points on a torus."""
    around, across = rng.uniform(0, 2 * np.pi, (2, count))
    radius = 2 + 0.8 * np.cos(across)
    return np.stack([radius * np.cos(around), radius * np.sin(around), 0.8 * np.sin(across)], 1)


def ring_of_cameras(count: int, rng: np.random.Generator) -> np.ndarray:
    """Cameras around the origin that look at it. Each has its focal length and its distortion."""
    angle = 2 * np.pi * np.arange(count) / count
    stands = np.stack([7 * np.cos(angle), 7 * np.sin(angle), 3 + 1.5 * np.sin(2 * angle)], 1)
    back = stands / np.linalg.norm(stands, axis=1, keepdims=True)
    right = np.cross([0.0, 0.0, 1.0], back)
    right /= np.linalg.norm(right, axis=1, keepdims=True)
    turn = np.stack([right, np.cross(back, right), back], axis=1)
    lens = [FOCAL, -0.05, 0.01] * (1 + 0.1 * rng.normal(size=(count, 3)))
    shift = -np.einsum("nij,nj->ni", turn, stands)
    return np.concatenate([Rotation.from_matrix(turn).as_rotvec(), shift, lens], axis=1)


def places(cameras: np.ndarray) -> np.ndarray:
    """Where cameras stand."""
    return -Rotation.from_rotvec(cameras[:, :3]).inv().apply(cameras[:, 3:6])


def similarity(points: np.ndarray, target: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
    """The scale, rotation and shift that bring points closest to others (Umeyama, 1991)."""
    centre, goal = points.mean(axis=0), target.mean(axis=0)
    u, s, v = np.linalg.svd((target - goal).T @ (points - centre))
    turn = u @ np.diag([1.0, 1.0, np.linalg.det(u @ v)]) @ v
    scale = s @ [1.0, 1.0, np.linalg.det(u @ v)] / np.sum((points - centre) ** 2)
    return scale, turn, goal - scale * turn @ centre


# --- the example ------------------------------------------------------------------------------


def check_jacobian(report: Report, scene: Scene, *measured: np.ndarray) -> None:
    """Against the dense one, and against differences in one direction."""
    report.section("1. The Jacobian")
    jacobian = at.sparse_jacobian(residuals)
    found, structure = jacobian(scene, *measured), jacobian.structure(scene, *measured)
    report.line("shape", " x ".join(map(str, found.shape)))
    report.line(
        "elements that are not 0", f"{found.nnz}, {100 * found.nnz / np.prod(found.shape):.2g} %"
    )
    # A camera has 9 unknowns, a point 3. All cameras share products, and so do all points.
    report.agree("products for all columns", structure.forward + structure.reverse, 12)
    direction = at.tree.map(lambda x: np.cos(np.arange(x.size)).reshape(x.shape), scene)
    step = 1e-6
    above, below = (
        residuals(at.tree.map(lambda x, d, s=s: x + s * d, scene, direction), *measured)
        for s in (step, -step)
    )
    slope = np.ravel(above - below) / (2 * step)
    product = found @ np.concatenate([np.ravel(d) for d in at.tree.leaves(direction)])
    report.agree("and differences", product, slope, atol=1e-6 * np.max(np.abs(slope)))


def example(report: Report, short: bool) -> dict[str, np.ndarray]:
    """Make pictures, lose the scene, and find it again."""
    rng = np.random.default_rng(0)
    count = 8 if short else 12
    truth = {"cameras": ring_of_cameras(count, rng), "points": torus(60 if short else 300, rng)}
    # Each point is in half of the pictures.
    camera, point = np.nonzero(rng.random((count, len(truth["points"]))).argsort(0) < count // 2)
    pixels = project(truth["cameras"][camera], truth["points"][point])
    pixels = pixels + NOISE * rng.normal(size=pixels.shape)
    doubts = np.array([0.05, 0.05, 0.05, 0.2, 0.2, 0.2, 0.05 * FOCAL, 0.02, 0.01])
    start = {
        "cameras": truth["cameras"] + doubts * rng.normal(size=truth["cameras"].shape),
        "points": truth["points"] + 0.2 * rng.normal(size=truth["points"].shape),
    }
    check_jacobian(report, start, camera, point, pixels)

    report.section("2. The adjustment")
    report.line("cameras, points, measurements", f"{count}, {len(truth['points'])}, {len(camera)}")
    first = residuals(start, camera, point, pixels)
    report.number("RMS error in pixels, before", NOISE * np.sqrt(np.mean(first**2)), "{:.1f}")
    found = optimize.least_squares(
        residuals,
        start,
        args=(camera, point, pixels),
        jac_sparsity="auto",
        x_scale="jac",  # radians, pixels and metres: each column has a scale of its own
        ftol=1e-8,
    )
    report.line("evaluations", found.nfev)
    freedom = found.fun.size - found.jac.shape[1] + 7
    # Shift, turn and scale of the whole leave the pictures as they are: 7 unknowns less. The sum of
    # squares has a chi-squared distribution, so that the RMS is known to 1 in sqrt(2 freedom).
    rms = np.sqrt(2 * found.cost / freedom)
    report.agree("error per degree of freedom", rms, 1.0, atol=4 / np.sqrt(2 * freedom))

    report.section("3. The scene, but for a shift, a turn and a scale")
    scale, turn, shift = similarity(found.x["points"], truth["points"])
    points = scale * found.x["points"] @ turn.T + shift
    stand = scale * places(found.x["cameras"]) @ turn.T + shift
    error = np.sqrt(np.mean((points - truth["points"]) ** 2))
    report.number("RMS error of a point's coordinate", error, "{:.2g}")
    # What the noise makes of the best estimate; how near this sample is to that depends on how
    # many independent numbers it has.
    expected = predicted_error(found.jac, points)
    report.agree("over what the noise explains", error / expected, 1.0, atol=0.2)
    far = np.sqrt(np.mean((stand - places(truth["cameras"])) ** 2))
    report.check("RMS error of a camera's place", far, 0.05)
    before = {"points": start["points"], "cameras": places(start["cameras"])}
    return {"truth": truth["points"], "points": points, "cameras": stand, "before": before}


def predicted_error(jacobian: Any, points: np.ndarray) -> float:
    """The expected RMS error of points' coordinates, from the inverse of ``J.T @ J``.

    Seven directions that no picture shows are left out of that, and taken from the points' part: it
    is compared with points that have been moved, turned and scaled to fit.
    """
    scale = 1 / np.sqrt(jacobian.power(2).sum(axis=0))
    scaled = jacobian.multiply(scale).toarray()
    values, vectors = np.linalg.eigh(scaled.T @ scaled)
    root = (scale[:, None] * vectors[:, 7:] / np.sqrt(values[7:]))[-points.size :]
    moves = [np.broadcast_to(axis, points.shape) for axis in np.eye(3)]
    turns = [np.cross(axis, points) for axis in np.eye(3)]
    unseen = np.linalg.qr(np.stack([np.ravel(m) for m in (*moves, *turns, points)], axis=1))[0]
    root -= unseen @ (unseen.T @ root)
    return float(np.sqrt(np.sum(root**2) / points.size))


def picture(figure: Any, results: dict[str, Any]) -> None:
    """The scene from above, and cuts through the torus, before and after."""
    above, before, after = figure.subplots(1, 3, width_ratios=[1.3, 1, 1])
    above.plot(*results["points"][::3, :2].T, ".", color="C0", ms=2, label="points")
    above.plot(*results["cameras"][:, :2].T, "^", color="C3", ms=5, label="cameras")
    above.set(title="From above", xlabel="x", ylabel="y", aspect="equal", ylim=(-8, 11))
    above.legend(loc="upper center", ncols=2, fontsize=8)
    angle = np.linspace(0, 2 * np.pi, 60)
    for axes, title, points in (
        (before, "Cut through the torus, before", results["before"]["points"]),
        (after, "and after", results["points"]),
    ):
        axes.plot(2 + 0.8 * np.cos(angle), 0.8 * np.sin(angle), "k:", lw=1)
        axes.plot(np.hypot(points[::2, 0], points[::2, 1]), points[::2, 2], ".", color="C0", ms=3)
        axes.set(title=title, xlabel="distance from the axis", aspect="equal")
        axes.set(xlim=(0.6, 3.4), ylim=(-1.4, 1.4))


if __name__ == "__main__":
    sys.exit(run(__doc__, example, picture))
