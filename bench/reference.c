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
