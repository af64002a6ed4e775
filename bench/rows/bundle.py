"""Bundle adjustment: where cameras and points have to be for what the cameras see.

A camera has eleven parameters: a rotation vector, a centre, a focal length, a principal point and
two coefficients of radial distortion, as in ADBench (Srajer, Kukelova, Fitzgibbon 2018). The job is
the Jacobian of each observation's weighted error of projection: blocks of 2 x 15.
"""

from __future__ import annotations

import numpy

from .row import Row

OBSERVATIONS = 5000


def residual(np):
    """The error of one observation: of a camera, a point and a weight, given what was seen."""

    def cross(a, b):
        rows = [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]]
        return np.stack(rows)

    def rotated(r, x):  # Rodrigues
        angle = np.sqrt(r @ r)
        axis = r / angle
        c, s = np.cos(angle), np.sin(angle)
        return x * c + cross(axis, x) * s + axis * ((axis @ x) * (1 - c))

    def f(camera, point, weight, seen):
        x = rotated(camera[:3], point - camera[3:6])
        u = x[:2] / x[2]
        r2 = u @ u
        u = u * (1 + camera[9] * r2 + camera[10] * r2 * r2)
        return weight * (u * camera[6] + camera[7:9] - seen)

    return f


def blocks(np):
    """``np.jacobians``: of each example in a batch, in reverse mode."""
    jacobians = np.jacobians(residual(np), (0, 1, 2))

    def f(cameras, points, weights, seen):
        by_camera, by_point, by_weight = jacobians(cameras, points, weights, seen)
        return np.concatenate([by_camera, by_point, by_weight[:, :, None]], 2)

    return f


def blocks_by_hand(cameras, points, weights, seen):
    """In Numba's language, too."""
    count = len(weights)
    out = numpy.zeros((count, 2, 15))
    axis, offset, slope = numpy.empty(3), numpy.empty(3), numpy.empty((3, 6))
    for n in range(count):
        camera, w = cameras[n], weights[n]
        square = 0.0
        for i in range(3):
            square += camera[i] * camera[i]
            offset[i] = points[n, i] - camera[3 + i]
        angle = numpy.sqrt(square)
        c, s = numpy.cos(angle), numpy.sin(angle)
        along = 0.0
        for i in range(3):
            axis[i] = camera[i] / angle
            along += axis[i] * offset[i]
        turned = (  # the cross product of axis and offset
            axis[1] * offset[2] - axis[2] * offset[1],
            axis[2] * offset[0] - axis[0] * offset[2],
            axis[0] * offset[1] - axis[1] * offset[0],
        )
        # Derivatives of the rotated offset by the rotation vector, then by the offset.
        for j in range(3):
            d0 = ((1.0 if j == 0 else 0.0) - axis[0] * axis[j]) / angle
            d1 = ((1.0 if j == 1 else 0.0) - axis[1] * axis[j]) / angle
            d2 = ((1.0 if j == 2 else 0.0) - axis[2] * axis[j]) / angle
            moved = d0 * offset[0] + d1 * offset[1] + d2 * offset[2]
            change = (
                d1 * offset[2] - d2 * offset[1],
                d2 * offset[0] - d0 * offset[2],
                d0 * offset[1] - d1 * offset[0],
            )
            direction = (d0, d1, d2)
            for i in range(3):
                by_angle = -offset[i] * s + turned[i] * c + axis[i] * along * s
                slope[i, j] = (
                    by_angle * axis[j]
                    + change[i] * s
                    + (direction[i] * along + axis[i] * moved) * (1 - c)
                )
                slope[i, 3 + j] = axis[i] * axis[j] * (1 - c) + (c if i == j else 0.0)
        for i in range(3):
            slope[i, 3 + (i + 1) % 3] -= axis[(i + 2) % 3] * s
            slope[i, 3 + (i + 2) % 3] += axis[(i + 1) % 3] * s
        x0 = offset[0] * c + turned[0] * s + axis[0] * along * (1 - c)
        x1 = offset[1] * c + turned[1] * s + axis[1] * along * (1 - c)
        x2 = offset[2] * c + turned[2] * s + axis[2] * along * (1 - c)
        u0, u1 = x0 / x2, x1 / x2
        r2 = u0 * u0 + u1 * u1
        bent = 1 + camera[9] * r2 + camera[10] * r2 * r2
        by_r2 = camera[9] + 2 * camera[10] * r2
        scale = w * camera[6]
        for j in range(6):
            du0 = (slope[0, j] - u0 * slope[2, j]) / x2
            du1 = (slope[1, j] - u1 * slope[2, j]) / x2
            dr2 = 2 * (u0 * du0 + u1 * du1)
            first = scale * (du0 * bent + u0 * by_r2 * dr2)
            second = scale * (du1 * bent + u1 * by_r2 * dr2)
            if j < 3:
                out[n, 0, j], out[n, 1, j] = first, second
            else:
                out[n, 0, j], out[n, 1, j] = -first, -second
                out[n, 0, 8 + j], out[n, 1, 8 + j] = first, second
        for i in range(2):
            u = u0 if i == 0 else u1
            out[n, i, 6] = w * u * bent
            out[n, i, 7 + i] = w
            out[n, i, 9] = scale * u * r2
            out[n, i, 10] = scale * u * r2 * r2
            out[n, i, 14] = u * bent * camera[6] + camera[7 + i] - seen[n, i]
    return out


def observations() -> tuple:
    rng = numpy.random.default_rng(0)
    n = OBSERVATIONS
    cameras = numpy.concatenate(
        [
            0.3 * rng.normal(size=(n, 3)),
            rng.normal(size=(n, 3)),
            rng.uniform(500, 600, (n, 1)),
            rng.normal(size=(n, 2)),
            0.01 * rng.normal(size=(n, 2)),
        ],
        1,
    )
    points = rng.normal(size=(n, 3)) + numpy.array([0.0, 0.0, 30.0])
    return cameras, points, rng.uniform(0.5, 1, n), rng.normal(size=(n, 2))


ROWS = [
    Row(
        key="bundle",
        title="bundle adjustment, 5000 observations: Jacobians, 2 x 15 each",
        make=blocks,
        inputs=observations,
        by_hand=blocks_by_hand,
        numba=True,
        libraries=("autotrace", "plain", "jax", "torch", "torch_compile", "numba"),
        slow=True,
    ),
]
