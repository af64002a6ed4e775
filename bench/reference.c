/* The work of bench/rows, written by hand: what a C programmer would get from one core.
 *
 * Compiled twice, for double and (with -DSINGLE) for float. Each function takes the addresses of
 * its inputs and of its results, and the lengths of all axes of all inputs, in order.
 *
 * exp, log, tanh, erf and the others are the vector variants of GNU's C library (libmvec), which
 * documents errors of at most 4 ulp; the declarations below tell the compiler of them, and
 * `omp simd` lets it use them and add up in any order. No flag of the fast-math family that gives
 * up NaN, infinities, signed zeros or the order of operations is used. Where the library has no
 * such variants, change the declarations: the loops stay right and run slower.
 *
 * Matrix products are BLAS's gemm, given by the caller: the one that SciPy has.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#ifdef SINGLE
typedef float real;
#define M(name) name##f
#else
typedef double real;
#define M(name) name
#endif

#ifdef __GLIBC__
#define VECTOR __attribute__((simd("notinbranch")))
VECTOR real M(exp)(real);
VECTOR real M(log)(real);
VECTOR real M(log1p)(real);
VECTOR real M(sin)(real);
VECTOR real M(tanh)(real);
VECTOR real M(erf)(real);
#else
#define VECTOR
#endif

/* cos by another name: GCC joins sin and cos of one number to a call that has no variants. */
#define TEXT_(x) #x
#define TEXT(x) TEXT_(x)
VECTOR __attribute__((const)) real cosine(real) __asm__(TEXT(__USER_LABEL_PREFIX__) TEXT(M(cos)));

#define ARGUMENTS const real *const *in, real *const *out, const long *n
#define C(x) ((real)(x)) /* a constant in the precision of the work */

/* ---- small functions -------------------------------------------------------------------- */

void scalar_chain(ARGUMENTS) {
    real a = *in[0];
    for (int i = 0; i < 15; i++) a = M(sin)(a) * C(1.1) + C(0.3) * a;
    *out[0] = a;
}

void scalar_chain_gradient(ARGUMENTS) {
    real a = *in[0], slope = 1;
    for (int i = 0; i < 15; i++) {
        real s = M(sin)(a), c = M(cos)(a);
        slope *= C(1.1) * c + C(0.3);
        a = s * C(1.1) + C(0.3) * a;
    }
    *out[0] = a;
    *out[1] = slope;
}

void eight_schools_gradient(ARGUMENTS) {
    static const real y[8] = {28, 8, -3, 7, -1, 1, 18, 12};
    static const real sigma[8] = {15, 10, 16, 11, 9, 11, 10, 18};
    const real mu = *in[0], log_tau = *in[1], *eta = in[2], tau = M(exp)(log_tau);
    real squares = 0, by_mu = 0, by_tau = 0;
#pragma omp simd reduction(+ : squares, by_mu, by_tau)
    for (int i = 0; i < 8; i++) {
        real r = (y[i] - mu - tau * eta[i]) / sigma[i], scaled = r / sigma[i];
        squares += r * r + eta[i] * eta[i];
        by_mu += scaled;
        by_tau += scaled * eta[i];
        out[3][i] = scaled * tau - eta[i];
    }
    real ratio = tau / 5 * (tau / 5);
    *out[0] = C(-0.5) * (squares + mu / 5 * (mu / 5)) - M(log1p)(ratio) + log_tau;
    *out[1] = by_mu - mu / 25;
    *out[2] = tau * by_tau - 2 * ratio / (1 + ratio) + 1;
}

void rosenbrock_gradient(ARGUMENTS) {
    const real *x = in[0];
    real *g = out[0];
    long last = n[0] - 1;
    g[0] = -400 * x[0] * (x[1] - x[0] * x[0]) - 2 * (1 - x[0]);
#pragma omp simd
    for (long i = 1; i < last; i++)
        g[i] = 200 * (x[i] - x[i - 1] * x[i - 1]) - 400 * x[i] * (x[i + 1] - x[i] * x[i])
             - 2 * (1 - x[i]);
    g[last] = 200 * (x[last] - x[last - 1] * x[last - 1]);
}

void rosenbrock_hvp(ARGUMENTS) {
    const real *x = in[0], *v = in[1];
    real *h = out[0];
    long last = n[0] - 1;
    h[0] = (1200 * x[0] * x[0] - 400 * x[1] + 2) * v[0] - 400 * x[0] * v[1];
#pragma omp simd
    for (long i = 1; i < last; i++)
        h[i] = -400 * x[i - 1] * v[i - 1] + (202 + 1200 * x[i] * x[i] - 400 * x[i + 1]) * v[i]
             - 400 * x[i] * v[i + 1];
    h[last] = 200 * v[last] - 400 * x[last - 1] * v[last - 1];
}

/* ---- elementwise ------------------------------------------------------------------------ */

#define RATE C(0.05)
#define NORMAL(z) (C(0.5) * (1 + M(erf)((z) * C(M_SQRT1_2))))

void black_scholes(ARGUMENTS) {
    const real *spot = in[0], *strike = in[1], *time = in[2], *volatility = in[3];
    real *price = out[0];
#pragma omp simd
    for (long i = 0; i < n[0]; i++) {
        real v = volatility[i], t = time[i], spread = v * M(sqrt)(t);
        real d1 = (M(log)(spot[i] / strike[i]) + (RATE + v * v / 2) * t) / spread;
        price[i] = spot[i] * NORMAL(d1) - strike[i] * M(exp)(-RATE * t) * NORMAL(d1 - spread);
    }
}

void black_scholes_gradient(ARGUMENTS) {
    const real *spot = in[0], *strike = in[1], *time = in[2], *volatility = in[3];
    real *by_spot = out[0], *by_time = out[1], *by_volatility = out[2];
#pragma omp simd
    for (long i = 0; i < n[0]; i++) {
        real v = volatility[i], t = time[i], root = M(sqrt)(t), spread = v * root;
        real d1 = (M(log)(spot[i] / strike[i]) + (RATE + v * v / 2) * t) / spread;
        real density = spot[i] * C(0.3989422804014326779) * M(exp)(C(-0.5) * d1 * d1);
        by_spot[i] = NORMAL(d1);
        by_volatility[i] = density * root;
        by_time[i] = density * v / (2 * root)
                   + RATE * strike[i] * M(exp)(-RATE * t) * NORMAL(d1 - spread);
    }
}

void chain(ARGUMENTS) {
    const real *x = in[0];
    real *r = out[0];
#pragma omp simd
    for (long i = 0; i < n[0]; i++) {
        real a = M(tanh)(x[i]) * 2 + 1, e = M(exp)(-a * a), y = M(sin)(e) + e * x[i];
        r[i] = y / (1 + y * y);
    }
}

void chain_gradient(ARGUMENTS) {
    const real *x = in[0];
    real *g = out[0];
#pragma omp simd
    for (long i = 0; i < n[0]; i++) {
        real t = M(tanh)(x[i]), a = t * 2 + 1, e = M(exp)(-a * a);
        real y = M(sin)(e) + e * x[i], below = 1 + y * y;
        real e_by_x = -4 * a * e * (1 - t * t);
        g[i] = (1 - y * y) / (below * below) * ((cosine(e) + x[i]) * e_by_x + e);
    }
}

/* Blocks of 8 elements go through all the steps before the next block begins. */
void unrolled_gradient(ARGUMENTS) {
    enum { STEPS = 100, WIDTH = 8 };
    const real *a = in[0], *b = in[1];
    real total = 0;
    for (long start = 0; start < n[0]; start += WIDTH) {
        real kept[STEPS][4][WIDTH], z[WIDTH] = {0}, bar[WIDTH], by_a[WIDTH] = {0}, by_b[WIDTH] = {0};
        real block_a[WIDTH] = {0}, block_b[WIDTH] = {0};
        long width = n[0] - start < WIDTH ? n[0] - start : WIDTH;
        memcpy(block_a, a + start, width * sizeof(real));
        memcpy(block_b, b + start, width * sizeof(real));
        memcpy(z, block_a, sizeof z);
        for (int i = 0; i < STEPS; i++)
#pragma omp simd
            for (int k = 0; k < WIDTH; k++) {
                real c = cosine(z[k] + i), s = M(sin)(block_b[k] - i);
                kept[i][0][k] = c;
                kept[i][1][k] = s - block_a[k] * M(sin)(z[k] + i);
                kept[i][2][k] = z[k] * cosine(block_b[k] - i);
                z[k] = block_a[k] * c + z[k] * s;
            }
        for (int k = 0; k < WIDTH; k++) bar[k] = 1;
        for (int i = STEPS - 1; i >= 0; i--)
#pragma omp simd
            for (int k = 0; k < WIDTH; k++) {
                by_a[k] += bar[k] * kept[i][0][k];
                by_b[k] += bar[k] * kept[i][2][k];
                bar[k] *= kept[i][1][k];
            }
        for (int k = 0; k < width; k++) {
            total += z[k];
            out[1][start + k] = by_a[k] + bar[k];
            out[2][start + k] = by_b[k];
        }
    }
    *out[0] = total;
}

/* ---- sums ------------------------------------------------------------------------------- */

/* Sums and maxima go over LANES numbers at a time: one vector's worth would have each addition
 * wait for the one before. */
enum { LANES = 32 };

#define REDUCE(first, length, join, term, total)                                     \
    do {                                                                             \
        real lanes[LANES];                                                           \
        const long whole = (length) / LANES * LANES;                                 \
        for (int k = 0; k < LANES; k++) lanes[k] = first;                            \
        for (long from = 0; from < whole; from += LANES)                             \
            _Pragma("omp simd") for (int k = 0; k < LANES; k++) {                    \
                const long i = from + k;                                             \
                lanes[k] = join(lanes[k], term);                                     \
            }                                                                        \
        for (long i = whole; i < (length); i++)                                      \
            lanes[i - whole] = join(lanes[i - whole], term);                         \
        for (int half = LANES / 2; half > 0; half /= 2)                              \
            for (int k = 0; k < half; k++) lanes[k] = join(lanes[k], lanes[k + half]); \
        total = lanes[0];                                                            \
    } while (0)
#define PLUS(a, b) ((a) + (b))
#define MAXIMUM(a, b) ((a) > (b) ? (a) : (b))

void sum_of_squares(ARGUMENTS) {
    const real *x = in[0];
    REDUCE(0, n[0], PLUS, x[i] * x[i], *out[0]);
}

void sum_of_squares_gradient(ARGUMENTS) {
    const real *x = in[0];
    real *g = out[0];
#pragma omp simd
    for (long i = 0; i < n[0]; i++) g[i] = 2 * x[i];
}

void cumulative_sum(ARGUMENTS) {
    real total = 0;
    for (long i = 0; i < n[0]; i++) out[0][i] = total += in[0][i];
}

void cumulative_sum_gradient(ARGUMENTS) {
    real total = 0;
    for (long i = n[0] - 1; i >= 0; i--) out[0][i] = total += in[1][i];
}

static real largest(const real *x, long length) {
    real most;
    REDUCE(x[0], length, MAXIMUM, x[i], most);
    return most;
}

/* exp(x - max(x)) into y; returns the sum. */
static real exponentials(const real *x, real *y, long length) {
    real most = largest(x, length), total = 0;
#pragma omp simd reduction(+ : total)
    for (long i = 0; i < length; i++) total += y[i] = M(exp)(x[i] - most);
    return total;
}

void softmax(ARGUMENTS) {
    for (long row = 0; row < n[0]; row++) {
        real *y = out[0] + row * n[1], scale = 1 / exponentials(in[0] + row * n[1], y, n[1]);
#pragma omp simd
        for (long i = 0; i < n[1]; i++) y[i] *= scale;
    }
}

void softmax_gradient(ARGUMENTS) {
    for (long row = 0; row < n[0]; row++) {
        const real *w = in[1] + row * n[1];
        real *g = out[0] + row * n[1], inner;
        real scale = 1 / exponentials(in[0] + row * n[1], g, n[1]);
        REDUCE(0, n[1], PLUS, w[i] * g[i], inner);
        inner *= scale;
#pragma omp simd
        for (long i = 0; i < n[1]; i++) g[i] *= scale * (w[i] - inner);
    }
}

static void moments(const real *x, long length, real *mean, real *scale) {
    real total, squares;
    REDUCE(0, length, PLUS, x[i], total);
    total /= length;
    REDUCE(0, length, PLUS, (x[i] - total) * (x[i] - total), squares);
    *mean = total;
    *scale = 1 / M(sqrt)(squares / length + C(1e-5));
}

void layer_norm(ARGUMENTS) {
    for (long row = 0; row < n[0]; row++) {
        const real *x = in[0] + row * n[1];
        real *y = out[0] + row * n[1], mean, scale;
        moments(x, n[1], &mean, &scale);
#pragma omp simd
        for (long i = 0; i < n[1]; i++) y[i] = (x[i] - mean) * scale;
    }
}

void layer_norm_gradient(ARGUMENTS) {
    for (long row = 0; row < n[0]; row++) {
        const real *x = in[0] + row * n[1], *w = in[1] + row * n[1];
        real *g = out[0] + row * n[1], mean, scale, weights, inner;
        moments(x, n[1], &mean, &scale);
        REDUCE(0, n[1], PLUS, w[i], weights);
        REDUCE(0, n[1], PLUS, w[i] * (x[i] - mean), inner);
        weights /= n[1];
        inner *= scale * scale / n[1];
#pragma omp simd
        for (long i = 0; i < n[1]; i++)
            g[i] = scale * (w[i] - weights - (x[i] - mean) * inner);
    }
}

void logsumexp_rows(ARGUMENTS) {
    for (long row = 0; row < n[0]; row++) {
        const real *x = in[0] + row * n[1];
        real most = largest(x, n[1]), total = 0;
#pragma omp simd reduction(+ : total)
        for (long i = 0; i < n[1]; i++) total += M(exp)(x[i] - most);
        out[0][row] = M(log)(total) + most;
    }
}

/* Columns in blocks that stay in the registers and the first cache. */
void logsumexp_columns(ARGUMENTS) {
    enum { BLOCK = 256 };
    for (long start = 0; start < n[1]; start += BLOCK) {
        long width = n[1] - start < BLOCK ? n[1] - start : BLOCK;
        const real *x = in[0] + start;
        real most[BLOCK], total[BLOCK] = {0};
        memcpy(most, x, width * sizeof(real));
        for (long row = 1; row < n[0]; row++)
#pragma omp simd
            for (long i = 0; i < width; i++)
                most[i] = x[row * n[1] + i] > most[i] ? x[row * n[1] + i] : most[i];
        for (long row = 0; row < n[0]; row++)
#pragma omp simd
            for (long i = 0; i < width; i++) total[i] += M(exp)(x[row * n[1] + i] - most[i]);
#pragma omp simd
        for (long i = 0; i < width; i++) out[0][start + i] = M(log)(total[i]) + most[i];
    }
}

/* ---- models ----------------------------------------------------------------------------- */

/* Inputs: weights[d], x[count][d], y[count]. One pass over x, in blocks of rows. */
void logistic_gradient(ARGUMENTS) {
    enum { BLOCK = 64 };
    const real *w = in[0];
    long d = n[0], count = n[1];
    real loss = 0, *g = out[1];
    memset(g, 0, d * sizeof(real));
    for (long start = 0; start < count; start += BLOCK) {
        long height = count - start < BLOCK ? count - start : BLOCK;
        const real *x = in[1] + start * d, *y = in[2] + start;
        real z[BLOCK];
        for (long row = 0; row < height; row++) {
            real dot = 0;
#pragma omp simd reduction(+ : dot)
            for (long i = 0; i < d; i++) dot += x[row * d + i] * w[i];
            z[row] = dot;
        }
#pragma omp simd reduction(+ : loss)
        for (long row = 0; row < height; row++) {
            real e = M(exp)(-M(fabs)(z[row]));
            loss += M(log1p)(e) + (z[row] > 0 ? z[row] : 0) - y[row] * z[row];
            z[row] = (z[row] > 0 ? 1 : e) / (1 + e) - y[row];
        }
        for (long row = 0; row < height; row++)
#pragma omp simd
            for (long i = 0; i < d; i++) g[i] += z[row] * x[row * d + i];
    }
    *out[0] = loss / count;
    for (long i = 0; i < d; i++) g[i] /= count;
}

typedef void gemm_function(const char *, const char *, const int *, const int *, const int *,
                           const real *, const real *, const int *, const real *, const int *,
                           const real *, real *, const int *);
static gemm_function *gemm;

void set_gemm(gemm_function *function) { gemm = function; }

/* c = a b + beta c for matrices stored by rows, each of which may be transposed. */
static void product(char ta, char tb, int rows, int columns, int inner, const real *a,
                    const real *b, real beta, real *c) {
    int lda = ta == 'N' ? inner : rows, ldb = tb == 'N' ? columns : inner;
    real one = 1;
    gemm(&tb, &ta, &columns, &rows, &inner, &one, b, &ldb, a, &lda, &beta, c, &columns);
}

static void layer(const real *x, const real *w, const real *b, real *h, int batch, int from,
                  int to, int rectify) {
    for (int row = 0; row < batch; row++) memcpy(h + row * to, b, to * sizeof(real));
    product('N', 'N', batch, to, from, x, w, 1, h);
    if (rectify)
#pragma omp simd
        for (int i = 0; i < batch * to; i++) h[i] = h[i] > 0 ? h[i] : 0;
}

/* Weights and biases after a step of the given rate, from the gradient with respect to the layer's
 * output; or the gradient itself, for a rate of 0. */
static void descend(const real *x, const real *w, const real *b, const real *bar, real *new_w,
                    real *new_b, int batch, int from, int to, real rate) {
    product('T', 'N', from, to, batch, x, bar, 0, new_w);
    memset(new_b, 0, to * sizeof(real));
    for (int row = 0; row < batch; row++)
#pragma omp simd
        for (int i = 0; i < to; i++) new_b[i] += bar[row * to + i];
    if (rate == 0) return;
#pragma omp simd
    for (int i = 0; i < from * to; i++) new_w[i] = w[i] - rate * new_w[i];
    for (int i = 0; i < to; i++) new_b[i] = b[i] - rate * new_b[i];
}

static void rectified(real *bar, const real *h, int size) {
#pragma omp simd
    for (int i = 0; i < size; i++) bar[i] = h[i] > 0 ? bar[i] : 0;
}

/* Inputs: w1, b1, w2, b2, w3, b3, x, y; results: the loss and what `descend` makes of the six. */
static void mlp(ARGUMENTS, real rate) {
    int d0 = n[0], d1 = n[1], d2 = n[4], d3 = n[7], batch = n[9];
    real *memory = malloc(2 * (size_t)batch * (d1 + d2 + d3) * sizeof(real));
    real *h1 = memory, *h2 = h1 + batch * d1, *z = h2 + batch * d2;
    real *bar1 = z + batch * d3, *bar2 = bar1 + batch * d1, loss = 0;
    const real *x = in[6], *y = in[7];
    layer(x, in[0], in[1], h1, batch, d0, d1, 1);
    layer(h1, in[2], in[3], h2, batch, d1, d2, 1);
    layer(h2, in[4], in[5], z, batch, d2, d3, 0);
    for (int row = 0; row < batch; row++) {
        real *logits = z + row * d3, most = largest(logits, d3), total = 0, weight = 0, inner = 0;
        for (int i = 0; i < d3; i++) {
            weight += y[row * d3 + i];
            inner += y[row * d3 + i] * (logits[i] - most);
        }
        for (int i = 0; i < d3; i++) total += logits[i] = M(exp)(logits[i] - most);
        loss += weight * M(log)(total) - inner;
        for (int i = 0; i < d3; i++)
            logits[i] = (weight * logits[i] / total - y[row * d3 + i]) / batch;
    }
    *out[0] = loss / batch;
    descend(h2, in[4], in[5], z, out[5], out[6], batch, d2, d3, rate);
    product('N', 'T', batch, d2, d3, z, in[4], 0, bar2);
    rectified(bar2, h2, batch * d2);
    descend(h1, in[2], in[3], bar2, out[3], out[4], batch, d1, d2, rate);
    product('N', 'T', batch, d1, d2, bar2, in[2], 0, bar1);
    rectified(bar1, h1, batch * d1);
    descend(x, in[0], in[1], bar1, out[1], out[2], batch, d0, d1, rate);
    free(memory);
}

void mlp_step(ARGUMENTS) { mlp(in, out, n, C(0.1)); }

void mlp_gradient(ARGUMENTS) { mlp(in, out, n, 0); }

/* ---- loops ------------------------------------------------------------------------------ */

enum { LONG = 100000 };

void logistic_map(ARGUMENTS) {
    real r = *in[0], x = *in[1];
    for (long i = 0; i < LONG; i++) x = r * x * (1 - x);
    *out[0] = x;
}

void logistic_map_gradient(ARGUMENTS) {
    real r = *in[0], x = *in[1], by_r = 0, by_x = 1, *states = malloc(LONG * sizeof(real));
    for (long i = 0; i < LONG; i++) {
        states[i] = x;
        x = r * x * (1 - x);
    }
    *out[0] = x;
    for (long i = LONG - 1; i >= 0; i--) {
        by_r += by_x * states[i] * (1 - states[i]);
        by_x *= r * (1 - 2 * states[i]);
    }
    *out[1] = by_r;
    *out[2] = by_x;
    free(states);
}

/* The variances first, since only they depend on each other. */
static real garch_variances(const real *theta, const real *x, real *variance, long count) {
    real s = theta[0] / (1 - theta[1] - theta[2]), total = 0;
    for (long i = 0; i < count; i++) {
        variance[i] = s;
        s = theta[0] + theta[1] * x[i] * x[i] + theta[2] * s;
    }
#pragma omp simd reduction(+ : total)
    for (long i = 0; i < count; i++) total += M(log)(variance[i]) + x[i] * x[i] / variance[i];
    return total / -2;
}

void garch(ARGUMENTS) {
    real *variance = malloc(n[1] * sizeof(real));
    *out[0] = garch_variances(in[0], in[1], variance, n[1]);
    free(variance);
}

void garch_gradient(ARGUMENTS) {
    const real *theta = in[0], *x = in[1];
    long count = n[1];
    real *variance = malloc(2 * count * sizeof(real)), *direct = variance + count;
    real bar = 0, g0 = 0, g1 = 0, g2 = 0;
    *out[0] = garch_variances(theta, x, variance, count);
#pragma omp simd
    for (long i = 0; i < count; i++)
        direct[i] = C(-0.5) * (1 - x[i] * x[i] / variance[i]) / variance[i];
    for (long i = count - 1; i >= 0; i--) {
        g0 += bar;
        g1 += bar * x[i] * x[i];
        g2 += bar * variance[i];
        bar = direct[i] + theta[2] * bar;
    }
    bar /= 1 - theta[1] - theta[2];
    out[1][0] = g0 + bar;
    out[1][1] = g1 + bar * variance[0];
    out[1][2] = g2 + bar * variance[0];
    free(variance);
}

/* A product of small matrices, whose sizes the compiler sees: for all i and j the sum over k of
 * A * B, expressions of the three, plus D. */
#define SMALL(rows, inner, columns, A, B, D, result)                                           \
    do {                                                                                       \
        for (int i = 0; i < (rows); i++)                                                       \
            for (int j = 0; j < (columns); j++) {                                              \
                real dot = D;                                                                  \
                for (int k = 0; k < (inner); k++) dot += (A) * (B);                            \
                (result)[i * (columns) + j] = dot;                                             \
            }                                                                                  \
    } while (0)

/* What one step of the filter makes, as far as its derivative needs it. */
typedef struct {
    real mean[4], cov[16], ahead[4], ahead_cov[16], inverse[4], error[2], scaled[2], gain[8];
} kalman_step;

/* From the mean and covariance of the step before; returns twice the negative log likelihood. */
static inline real kalman_forward(const real *a, const real *c, const real *q, const real *r,
                                  const real *y, const real *mean, const real *cov,
                                  kalman_step *s) {
    real t[16], both[8], seen[8], sum[4];
    SMALL(4, 4, 1, a[i * 4 + k], mean[k], 0, s->ahead);
    SMALL(4, 4, 4, a[i * 4 + k], cov[k * 4 + j], 0, t);
    SMALL(4, 4, 4, t[i * 4 + k], a[j * 4 + k], q[i * 4 + j], s->ahead_cov);
    SMALL(4, 4, 2, s->ahead_cov[i * 4 + k], c[j * 4 + k], 0, both);
    SMALL(2, 4, 4, c[i * 4 + k], s->ahead_cov[k * 4 + j], 0, seen);
    SMALL(2, 4, 2, c[i * 4 + k], both[k * 2 + j], r[i * 2 + j], sum);
    real det = sum[0] * sum[3] - sum[1] * sum[2];
    s->inverse[0] = sum[3] / det;
    s->inverse[1] = -sum[1] / det;
    s->inverse[2] = -sum[2] / det;
    s->inverse[3] = sum[0] / det;
    SMALL(2, 4, 1, -c[i * 4 + k], s->ahead[k], y[i], s->error);
    SMALL(2, 2, 1, s->inverse[i * 2 + k], s->error[k], 0, s->scaled);
    SMALL(4, 2, 2, both[i * 2 + k], s->inverse[k * 2 + j], 0, s->gain);
    SMALL(4, 2, 1, s->gain[i * 2 + k], s->error[k], s->ahead[i], s->mean);
    SMALL(4, 2, 4, -s->gain[i * 2 + k], seen[k * 4 + j], s->ahead_cov[i * 4 + j], s->cov);
    return s->error[0] * s->scaled[0] + s->error[1] * s->scaled[1] + M(log)(det);
}

static const kalman_step kalman_start = {.cov = {1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1}};

void kalman(ARGUMENTS) {
    kalman_step before = kalman_start, now;
    real total = 0;
    for (long i = 0; i < n[8]; i++) {
        total += kalman_forward(in[0], in[1], in[2], in[3], in[4] + 2 * i, before.mean, before.cov,
                                &now);
        before = now;
    }
    *out[0] = total / -2;
}

void kalman_gradient(ARGUMENTS) {
    const real *a = in[0], *c = in[1];
    long steps = n[8];
    kalman_step *all = malloc((steps + 1) * sizeof(kalman_step));
    real total = 0, by_a[16] = {0}, by_c[8] = {0}, by_q[16] = {0}, by_r[4] = {0};
    real m[4] = {0}, p[16] = {0}; /* by the mean and by the covariance */
    all[0] = kalman_start;
    for (long i = 0; i < steps; i++)
        total += kalman_forward(a, c, in[2], in[3], in[4] + 2 * i, all[i].mean, all[i].cov,
                                all + i + 1);
    *out[0] = total / -2;
    for (long step = steps; step > 0; step--) {
        const kalman_step *s = all + step, *before = s - 1;
        const real *g = s->gain, *u = s->scaled;
        real moved[2], by_error[2], by_both[8], by_s[4], t[8], by_seen[8], w[16], more[16];
        SMALL(2, 4, 1, g[k * 2 + i], m[k], 0, moved);
        for (int i = 0; i < 2; i++) by_error[i] = moved[i] - u[i];
        SMALL(4, 4, 2, -p[i * 4 + k], g[k * 2 + j], m[i] * u[j], by_both);
        SMALL(2, 4, 4, g[k * 2 + i], p[k * 4 + j], 0, t);
        SMALL(2, 4, 2, t[i * 4 + k], g[k * 2 + j],
              (u[i] / 2 - moved[i]) * u[j] - s->inverse[i * 2 + j] / 2, by_s);
        SMALL(2, 2, 4, by_s[i * 2 + k] + by_s[k * 2 + i], c[k * 4 + j],
              by_both[j * 2 + i] - t[i * 4 + j], by_seen);
        SMALL(2, 4, 4, by_seen[i * 4 + k], s->ahead_cov[k * 4 + j],
              by_c[i * 4 + j] - by_error[i] * s->ahead[j], by_c);
        for (int i = 0; i < 4; i++) by_r[i] += by_s[i];
        SMALL(2, 2, 4, by_s[i * 2 + k], c[k * 4 + j], -t[i * 4 + j], by_seen);
        SMALL(4, 2, 4, by_both[i * 2 + k], c[k * 4 + j], p[i * 4 + j], p);
        SMALL(4, 2, 4, c[k * 4 + i], by_seen[k * 4 + j], p[i * 4 + j], p);
        for (int i = 0; i < 4; i++) m[i] -= c[i] * by_error[0] + c[4 + i] * by_error[1];
        for (int i = 0; i < 16; i++) by_q[i] += p[i];
        SMALL(4, 4, 4, p[i * 4 + k] + p[k * 4 + i], a[k * 4 + j], 0, w);
        SMALL(4, 4, 4, w[i * 4 + k], before->cov[k * 4 + j],
              by_a[i * 4 + j] + m[i] * before->mean[j], by_a);
        SMALL(4, 4, 4, p[i * 4 + k], a[k * 4 + j], 0, w);
        SMALL(4, 4, 4, a[k * 4 + i], w[k * 4 + j], 0, p);
        SMALL(4, 4, 1, a[k * 4 + i], m[k], 0, more);
        memcpy(m, more, sizeof(m));
    }
    memcpy(out[1], by_a, sizeof(by_a));
    memcpy(out[2], by_c, sizeof(by_c));
    memcpy(out[3], by_q, sizeof(by_q));
    memcpy(out[4], by_r, sizeof(by_r));
    free(all);
}

/* c = a b + beta c, by loops for a row: BLAS's product of matrices is not made for one. */
static void rows_product(int rows, int columns, int inner, const real *a, const real *b, real beta,
                         real *c) {
    if (rows > 1) {
        product('N', 'N', rows, columns, inner, a, b, beta, c);
        return;
    }
    if (beta == 0) memset(c, 0, columns * sizeof(real));
    for (int k = 0; k + 3 < inner; k += 4, b += 4 * columns)
#pragma omp simd
        for (int j = 0; j < columns; j++)
            c[j] += a[k] * b[j] + a[k + 1] * b[columns + j] + a[k + 2] * b[2 * columns + j]
                  + a[k + 3] * b[3 * columns + j];
    for (int k = inner & ~3; k < inner; k++, b += columns)
#pragma omp simd
        for (int j = 0; j < columns; j++) c[j] += a[k] * b[j];
}

/* Fills the gates of all steps, cells and outputs, which begin with zeros, and tanh of the cells;
 * returns the sum of the squares of the outputs. */
static real lstm_forward(ARGUMENTS, real *gates, real *cells, real *hs, real *shown) {
    int width = n[0], wide = n[1], size = n[2], steps = n[5], batch = n[6], rows = steps * batch;
    real total = 0;
    for (int row = 0; row < rows; row++) memcpy(gates + row * wide, in[2], wide * sizeof(real));
    product('N', 'N', rows, wide, width, in[3], in[0], 1, gates);
    memset(cells, 0, batch * size * sizeof(real));
    memset(hs, 0, batch * size * sizeof(real));
    for (int row = 0; row < rows; row++) {
        if (row % batch == 0)
            rows_product(batch, wide, size, hs + row * size, in[1], 1, gates + row * wide);
        real *g = gates + row * wide, *cell = cells + row * size, *next = cell + batch * size;
        real *h = hs + (row + batch) * size, *show = shown + row * size;
#pragma omp simd
        for (int j = 0; j < 2 * size; j++) g[j] = 1 / (1 + M(exp)(-g[j]));
#pragma omp simd
        for (int j = 2 * size; j < 3 * size; j++) g[j] = M(tanh)(g[j]);
#pragma omp simd
        for (int j = 3 * size; j < 4 * size; j++) g[j] = 1 / (1 + M(exp)(-g[j]));
#pragma omp simd reduction(+ : total)
        for (int j = 0; j < size; j++) {
            next[j] = g[size + j] * cell[j] + g[j] * g[2 * size + j];
            show[j] = M(tanh)(next[j]);
            h[j] = g[3 * size + j] * show[j];
            total += h[j] * h[j];
        }
    }
    return total;
}

static real *lstm_memory(const long *n, real **cells, real **hs, real **shown) {
    size_t wide = n[1], size = n[2], steps = n[5], batch = n[6];
    real *gates = malloc((steps * wide + (3 * steps + 2) * size) * batch * sizeof(real));
    *cells = gates + steps * batch * wide;
    *hs = *cells + (steps + 1) * batch * size;
    *shown = *hs + (steps + 1) * batch * size;
    return gates;
}

void lstm(ARGUMENTS) {
    real *cells, *hs, *shown, *gates = lstm_memory(n, &cells, &hs, &shown);
    *out[0] = lstm_forward(in, out, n, gates, cells, hs, shown);
    free(gates);
}

void lstm_gradient(ARGUMENTS) {
    int width = n[0], wide = n[1], size = n[2], steps = n[5], batch = n[6], rows = steps * batch;
    real *cells, *hs, *shown, *gates = lstm_memory(n, &cells, &hs, &shown);
    real *by_h = calloc(2 * batch * size + wide * size, sizeof(real));
    real *by_cell = by_h + batch * size, *back = by_cell + batch * size;
    *out[0] = lstm_forward(in, out, n, gates, cells, hs, shown);
    for (int i = 0; i < size; i++)
        for (int j = 0; j < wide; j++) back[j * size + i] = in[1][i * wide + j];
    for (int step = steps - 1; step >= 0; step--) {
        for (int example = 0; example < batch; example++) {
            int row = step * batch + example;
            real *g = gates + row * wide, *c = by_cell + example * size, *b = by_h + example * size;
            const real *h = hs + (row + batch) * size, *show = shown + row * size;
            const real *cell = cells + row * size;
#pragma omp simd
            for (int j = 0; j < size; j++) {
                real take = g[j], keep = g[size + j], fresh = g[2 * size + j], o = g[3 * size + j];
                real bh = b[j] + 2 * h[j], bc = c[j] + bh * o * (1 - show[j] * show[j]);
                g[j] = bc * fresh * take * (1 - take);
                g[size + j] = bc * cell[j] * keep * (1 - keep);
                g[2 * size + j] = bc * take * (1 - fresh * fresh);
                g[3 * size + j] = bh * show[j] * o * (1 - o);
                c[j] = bc * keep;
            }
        }
        rows_product(batch, size, wide, gates + step * batch * wide, back, 0, by_h);
    }
    product('T', 'N', width, wide, rows, in[3], gates, 0, out[1]);
    product('T', 'N', size, wide, rows, hs, gates, 0, out[2]);
    memset(out[3], 0, wide * sizeof(real));
    for (int row = 0; row < rows; row++)
#pragma omp simd
        for (int j = 0; j < wide; j++) out[3][j] += gates[row * wide + j];
    free(by_h);
    free(gates);
}

/* Of the classical Runge-Kutta method: the shares of the slopes, and how far each point is. */
static const double SHARE[4] = {1. / 6, 1. / 3, 1. / 3, 1. / 6}, REACH[4] = {0, 0.5, 0.5, 1};

static inline void lorenz_slope(const real *parameters, const real *u, real *slope) {
    slope[0] = parameters[0] * (u[1] - u[0]);
    slope[1] = u[0] * (parameters[1] - u[2]) - u[1];
    slope[2] = u[0] * u[1] - parameters[2] * u[2];
}

#define LORENZ_STEP C(0.005)

static inline void lorenz_step(const real *parameters, real *u, real points[4][3]) {
    real k[3] = {0}, next[3] = {u[0], u[1], u[2]};
#pragma GCC unroll 4
    for (int stage = 0; stage < 4; stage++) {
        for (int i = 0; i < 3; i++) points[stage][i] = u[i] + C(REACH[stage]) * LORENZ_STEP * k[i];
        lorenz_slope(parameters, points[stage], k);
        for (int i = 0; i < 3; i++) next[i] += C(SHARE[stage]) * LORENZ_STEP * k[i];
    }
    for (int i = 0; i < 3; i++) u[i] = next[i];
}

void lorenz(ARGUMENTS) {
    real u[3] = {in[0][0], in[0][1], in[0][2]}, points[4][3];
    for (int step = 0; step < 1000; step++) lorenz_step(in[1], u, points);
    *out[0] = u[0] * u[0] + u[1] * u[1] + u[2] * u[2];
}

void lorenz_gradient(ARGUMENTS) {
    static real points[1000][4][3];
    const real *parameters = in[1];
    real u[3] = {in[0][0], in[0][1], in[0][2]}, g[3], by[3] = {0};
    for (int step = 0; step < 1000; step++) lorenz_step(parameters, u, points[step]);
    *out[0] = u[0] * u[0] + u[1] * u[1] + u[2] * u[2];
    for (int i = 0; i < 3; i++) g[i] = 2 * u[i];
    for (int step = 999; step >= 0; step--) {
        real after[3] = {0}, next[3] = {g[0], g[1], g[2]};
#pragma GCC unroll 4
        for (int stage = 3; stage >= 0; stage--) {
            const real *p = points[step][stage];
            real k[3], on = stage < 3 ? C(REACH[stage < 3 ? stage + 1 : 3]) * LORENZ_STEP : 0;
            for (int i = 0; i < 3; i++)
                k[i] = C(SHARE[stage]) * LORENZ_STEP * g[i] + on * after[i];
            after[0] = (parameters[1] - p[2]) * k[1] - parameters[0] * k[0] + p[1] * k[2];
            after[1] = parameters[0] * k[0] - k[1] + p[0] * k[2];
            after[2] = -p[0] * k[1] - parameters[2] * k[2];
            by[0] += (p[1] - p[0]) * k[0];
            by[1] += p[0] * k[1];
            by[2] -= p[2] * k[2];
            for (int i = 0; i < 3; i++) next[i] += after[i];
        }
        for (int i = 0; i < 3; i++) g[i] = next[i];
    }
    memcpy(out[1], g, sizeof(g));
    memcpy(out[2], by, sizeof(by));
}

/* Inputs: w1[4][hidden], b1, w2[hidden][4], b2, start[batch][4]. The points and layers of all
 * stages are kept where there is room for all. */
#define ODE_STEP C(0.02)

static void add_rows(real *to, const real *row, int rows, int columns) {
    for (int i = 0; i < rows; i++)
#pragma omp simd
        for (int j = 0; j < columns; j++) to[i * columns + j] += row[j];
}

static real ode_forward(const real *const *in, const long *n, real *points, real *layers, int keep,
                        real *u) {
    int size = n[0], hidden = n[1], batch = n[6], numbers = batch * size;
    real total = 0, *k = malloc(2 * numbers * sizeof(real)), *next = k + numbers;
    memcpy(u, in[4], numbers * sizeof(real));
    for (int step = 0; step < 50; step++) {
        memcpy(next, u, numbers * sizeof(real));
        memset(k, 0, numbers * sizeof(real));
        for (int stage = 0; stage < 4; stage++) {
            real reach = C(REACH[stage]) * ODE_STEP, share = C(SHARE[stage]) * ODE_STEP;
            for (int i = 0; i < numbers; i++) points[i] = u[i] + reach * k[i];
            product('N', 'N', batch, hidden, size, points, in[0], 0, layers);
            for (int row = 0; row < batch; row++)
#pragma omp simd
                for (int j = 0; j < hidden; j++)
                    layers[row * hidden + j] = M(tanh)(layers[row * hidden + j] + in[1][j]);
            product('N', 'N', batch, size, hidden, layers, in[2], 0, k);
            add_rows(k, in[3], batch, size);
            for (int i = 0; i < numbers; i++) next[i] += share * k[i];
            points += keep * numbers;
            layers += keep * batch * hidden;
        }
        memcpy(u, next, numbers * sizeof(real));
    }
    for (int i = 0; i < numbers; i++) total += u[i] * u[i];
    free(k);
    return total / numbers;
}

void neural_ode(ARGUMENTS) {
    int size = n[0], hidden = n[1], batch = n[6], numbers = batch * size;
    real *u = malloc((2 * numbers + batch * hidden) * sizeof(real));
    *out[0] = ode_forward(in, n, u + numbers, u + 2 * numbers, 0, u);
    free(u);
}

static void sum_rows(const real *x, real *sums, int rows, int columns) {
    memset(sums, 0, columns * sizeof(real));
    for (int i = 0; i < rows; i++)
        for (int j = 0; j < columns; j++) sums[j] += x[i * columns + j];
}

void neural_ode_gradient(ARGUMENTS) {
    int size = n[0], hidden = n[1], batch = n[6], numbers = batch * size, wide = batch * hidden;
    real *u = malloc((200 * 2 + 3) * (size_t)(numbers + wide) * sizeof(real));
    real *points = u + numbers, *by_k = points + 200 * numbers, *after = by_k + 200 * numbers;
    real *next = after + numbers, *layers = next + numbers, *by_layer = layers + 200 * wide;
    *out[0] = ode_forward(in, n, points, layers, 1, u);
    for (int i = 0; i < numbers; i++) u[i] *= C(2) / numbers;
    for (int step = 49; step >= 0; step--) {
        memset(after, 0, numbers * sizeof(real));
        memcpy(next, u, numbers * sizeof(real));
        for (int stage = 3; stage >= 0; stage--) {
            real *k = by_k + (4 * step + stage) * numbers, share = C(SHARE[stage]) * ODE_STEP;
            real on = stage < 3 ? C(REACH[stage + 1]) * ODE_STEP : 0;
            real *h = layers + (4 * step + stage) * wide, *by_h = by_layer + (h - layers);
            for (int i = 0; i < numbers; i++) k[i] = share * u[i] + on * after[i];
            product('N', 'T', batch, hidden, size, k, in[2], 0, by_h);
#pragma omp simd
            for (int i = 0; i < wide; i++) by_h[i] *= 1 - h[i] * h[i];
            product('N', 'T', batch, size, hidden, by_h, in[0], 0, after);
            for (int i = 0; i < numbers; i++) next[i] += after[i];
        }
        memcpy(u, next, numbers * sizeof(real));
    }
    product('T', 'N', size, hidden, 200 * batch, points, by_layer, 0, out[1]);
    sum_rows(by_layer, out[2], 200 * batch, hidden);
    product('T', 'N', hidden, size, 200 * batch, layers, by_k, 0, out[3]);
    sum_rows(by_k, out[4], 200 * batch, size);
    free(u);
}

/* The change of the inner points, a row behind that is written back a row later: in place. */
void heat(ARGUMENTS) {
    long rows = n[0], columns = n[1];
    real alpha = *in[1], *u = out[0], *line = malloc(2 * columns * sizeof(real));
    memcpy(u, in[0], rows * columns * sizeof(real));
    for (int step = 0; step < 100; step++) {
        for (long i = 1; i < rows - 1; i++) {
            real *now = line + i % 2 * columns, *before = line + (i + 1) % 2 * columns;
            const real *x = u + i * columns;
#pragma omp simd
            for (long j = 1; j < columns - 1; j++)
                now[j] = x[j] + alpha * (x[j - columns] + x[j + columns] + x[j - 1] + x[j + 1]
                                         - 4 * x[j]);
            if (i > 1) memcpy(u + (i - 1) * columns + 1, before + 1, (columns - 2) * sizeof(real));
        }
        memcpy(u + (rows - 2) * columns + 1, line + (rows - 2) % 2 * columns + 1,
               (columns - 2) * sizeof(real));
    }
    free(line);
}

void heat_gradient(ARGUMENTS) {
    long rows = n[0], columns = n[1], size = rows * columns;
    real alpha = *in[1], half = 0, by_alpha = 0, *bar = out[1];
    real *changes = malloc(102 * size * sizeof(real)), *u = changes + 100 * size, *t = u + size;
    memcpy(u, in[0], size * sizeof(real));
    for (int step = 0; step < 100; step++) {
        real *change = changes + step * size;
        for (long i = 1; i < rows - 1; i++)
#pragma omp simd
            for (long j = i * columns + 1; j < (i + 1) * columns - 1; j++)
                change[j] = u[j - columns] + u[j + columns] + u[j - 1] + u[j + 1] - 4 * u[j];
        for (long i = 1; i < rows - 1; i++)
#pragma omp simd
            for (long j = i * columns + 1; j < (i + 1) * columns - 1; j++) u[j] += alpha * change[j];
    }
    for (long i = 0; i < size; i++) half += u[i] * u[i] / 2;
    *out[0] = half;
    memcpy(bar, u, size * sizeof(real));
    /* t is alpha times what the inner points have, with zeros around, so that all are read. */
    memset(t, 0, size * sizeof(real));
    for (int step = 99; step >= 0; step--) {
        const real *change = changes + step * size;
        for (long i = 1; i < rows - 1; i++)
#pragma omp simd reduction(+ : by_alpha)
            for (long j = i * columns + 1; j < (i + 1) * columns - 1; j++) {
                by_alpha += bar[j] * change[j];
                t[j] = alpha * bar[j];
            }
        for (long i = 0; i < rows; i++) {
            long start = i * columns, end = start + columns;
            const real *above = i > 0 ? t - columns : t, *below = i < rows - 1 ? t + columns : t;
            if (i == 0 || i == rows - 1) { /* t is zero there, and one neighbour is missing */
                const real *inner = i == 0 ? below : above;
#pragma omp simd
                for (long j = start; j < end; j++) bar[j] += inner[j];
                continue;
            }
            bar[start] += t[start + 1];
            bar[end - 1] += t[end - 2];
#pragma omp simd
            for (long j = start + 1; j < end - 1; j++)
                bar[j] += above[j] + below[j] + t[j - 1] + t[j + 1] - 4 * t[j];
        }
    }
    *out[2] = by_alpha;
    free(changes);
}

/* Orbits in blocks, until none of a block moves. */
static void solve_kepler(const real *mean, const real *e, real *x, long count) {
    enum { BLOCK = 16 };
    for (long start = 0; start < count; start += BLOCK) {
        long end = start + BLOCK < count ? start + BLOCK : count;
        real most = 1;
        memcpy(x + start, mean + start, (end - start) * sizeof(real));
        while (most > C(1e-12)) {
            most = 0;
#pragma omp simd reduction(max : most)
            for (long i = start; i < end; i++) {
                real move = (x[i] - e[i] * M(sin)(x[i]) - mean[i]) / (1 - e[i] * cosine(x[i]));
                x[i] -= move;
                most = M(fabs)(move) > most ? M(fabs)(move) : most;
            }
        }
    }
}

void kepler(ARGUMENTS) { solve_kepler(in[0], in[1], out[0], n[0]); }

void kepler_gradient(ARGUMENTS) {
    real half = 0, *x = malloc(n[0] * sizeof(real));
    solve_kepler(in[0], in[1], x, n[0]);
#pragma omp simd reduction(+ : half)
    for (long i = 0; i < n[0]; i++) {
        half += x[i] * x[i] / 2;
        out[1][i] = x[i] / (1 - in[1][i] * cosine(x[i]));
        out[2][i] = out[1][i] * M(sin)(x[i]);
    }
    *out[0] = half;
    free(x);
}
