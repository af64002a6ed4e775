/* What the machine can do with one thread: see machine.py. */
#include <stdlib.h>
#include <time.h>

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + 1e-9 * t.tv_nsec;
}

/* Seconds for a = b + 3 c, so many times (McCalpin's triad). */
double triad(long length, long repeats) {
    double *a = aligned_alloc(64, (3 * length * sizeof(double) + 63) / 64 * 64);
    double *b = a + length, *c = b + length;
    for (long i = 0; i < 3 * length; i++) a[i] = 1;
    double start = now();
    for (long r = 0; r < repeats; r++) {
        for (long i = 0; i < length; i++) a[i] = b[i] + 3 * c[i];
        __asm__ volatile("" : : "r"(a) : "memory"); /* each repeat is done */
    }
    double taken = now() - start;
    free(a);
    return taken;
}

/* Chains of multiply-adds, enough for all units at once, each a vector of this processor. */
#ifdef __AVX512F__
#define WIDTH 64
#else
#define WIDTH 32
#endif
#define CHAINS 12

#define MULTIPLY_ADDS(type)                                                                \
    double multiply_adds_##type(long steps, double *done) {                                 \
        typedef real_##type vector __attribute__((vector_size(WIDTH)));                     \
        vector x[CHAINS], slope, shift;                                                     \
        for (int k = 0; k < (int)(WIDTH / sizeof(real_##type)); k++) {                      \
            slope[k] = (real_##type)0.9;                                                    \
            shift[k] = (real_##type)0.1;                                                    \
        }                                                                                   \
        __asm__ volatile("" : "+v"(slope), "+v"(shift));                                    \
        for (int j = 0; j < CHAINS; j++) x[j] = shift * (real_##type)j;                     \
        double start = now();                                                               \
        for (long i = 0; i < steps; i++)                                                    \
            for (int j = 0; j < CHAINS; j++) x[j] = x[j] * slope + shift;                   \
        for (int j = 0; j < CHAINS; j++) __asm__ volatile("" : : "v"(x[j]));                \
        double taken = now() - start;                                                       \
        *done = 2.0 * CHAINS * (WIDTH / sizeof(real_##type)) * steps;                       \
        return taken;                                                                       \
    }

typedef double real_float64;
typedef float real_float32;
MULTIPLY_ADDS(float64)
MULTIPLY_ADDS(float32)
