/* The weights in the order in which the kernels read them, and the memory for it.

   Forward: in panels of V units, V numbers in a vector of the kernels. A panel holds, for each of the
   features + units lines of [W; U], the V units of each of the four gates: 4 V numbers. Backward: U
   transposed, in panels of 4 V units; a panel holds a line of 4 V numbers for each of the 4 * units
   columns of U. Where the units do not fill the last panel, zeros do.

   Of a GRU or a SimpleRNN each block of z has its own panels, of 4 V units each; the last panel of a
   block has as many vectors as its units need. Backward, each gate's part of U has such panels. */

#include <pthread.h>

#include "lstm.h"

/* A few buffers are kept for the next call: fresh memory costs as much as packing. */
enum { SPARES = 4, SPARE_NUMBERS = 1 << 20 };
static struct buffer spares[SPARES];
static pthread_mutex_t spares_lock = PTHREAD_MUTEX_INITIALIZER;

/* A buffer of zeros, or of whatever it held before. Its numbers are NULL if there is no memory. */
struct buffer borrow(size_t size, int zeros) {
  struct buffer buffer = {0, NULL};
  pthread_mutex_lock(&spares_lock);
  for (int k = 0; k < SPARES && !buffer.numbers; k++)
    if (spares[k].size >= size) buffer = spares[k], spares[k] = (struct buffer){0, NULL};
  pthread_mutex_unlock(&spares_lock);
  if (!buffer.numbers) buffer = (struct buffer){size, malloc(sizeof(float) * size)};
  if (buffer.numbers && zeros) memset(buffer.numbers, 0, sizeof(float) * size);
  return buffer;
}

void give_back(struct buffer buffer) {
  if (!buffer.numbers) return;
  pthread_mutex_lock(&spares_lock);
  for (int k = 0; k < SPARES && buffer.size <= SPARE_NUMBERS; k++)
    if (spares[k].size < buffer.size) { /* the smaller one goes */
      struct buffer smaller = spares[k];
      spares[k] = buffer, buffer = smaller;
    }
  pthread_mutex_unlock(&spares_lock);
  free(buffer.numbers);
}

struct packing {
  const float *W, *U, *b;
  int64_t D, H;
  float *packed, *bias;
};

/* Panels lo to hi, a few lines of all of them at a time: so reads and writes are mostly in order. */
static void pack_panels(void *job, int64_t lo, int64_t hi) {
  enum { TALL = 16 };
  const struct packing *P = job;
  const int64_t v = kernels->width, D = P->D, H = P->H, K = D + H;
  for (int64_t top = 0; top < K; top += TALL)
    for (int64_t p = lo; p < hi; p++)
      for (int64_t k = top; k < top + TALL && k < K; k++) {
        const float *line = (k < D ? P->W + k * 4 * H : P->U + (k - D) * 4 * H) + p * v;
        float *to = P->packed + (p * K + k) * 4 * v;
        const size_t size = sizeof(float) * (H - p * v < v ? H - p * v : v);
        for (int g = 0; g < 4; g++) memcpy(to + g * v, line + g * H, size);
      }
  for (int64_t p = lo; p < hi; p++)
    for (int g = 0; g < 4; g++)
      memcpy(P->bias + (p * 4 + g) * v, P->b + g * H + p * v,
             sizeof(float) * (H - p * v < v ? H - p * v : v));
}

struct buffer pack_gates(const float *W, const float *U, const float *b, int64_t D, int64_t H) {
  const int64_t v = kernels->width, K = D + H, panels = (H + v - 1) / v;
  struct buffer buffer = borrow((size_t)panels * (K + 1) * 4 * v, H % v != 0);
  if (!buffer.numbers) return buffer;
  struct packing packing = {W, U, b, D, H, buffer.numbers, buffer.numbers + panels * K * 4 * v};
  if (K * H < 1 << 16) /* less work than waking a thread */
    pack_panels(&packing, 0, panels);
  else
    run_in_parts(pack_panels, &packing, panels);
  return buffer;
}

/* In squares of 16 x 16, so that reads and writes both touch few cache lines. */
struct buffer pack_transposed(const float *U, int64_t H) {
  enum { SIDE = 16 }; /* the width of a panel is a multiple of it */
  const int64_t wide = 4 * kernels->width, panels = (H + wide - 1) / wide;
  struct buffer buffer = borrow((size_t)panels * 4 * H * wide, H % wide != 0);
  float *packed = buffer.numbers;
  for (int64_t j = 0; packed && j < H; j += SIDE)
    for (int64_t k = 0; k < 4 * H; k += SIDE) {
      float *to = packed + (j / wide * 4 * H + k) * wide + j % wide;
      const int64_t rows = H - j < SIDE ? H - j : SIDE;
      const int64_t columns = 4 * H - k < SIDE ? 4 * H - k : SIDE;
      for (int64_t n = 0; n < columns; n++)
        for (int64_t m = 0; m < rows; m++) to[n * wide + m] = U[(j + m) * 4 * H + k + n];
    }
  return buffer;
}

/* `columns` columns, or with `transposed` `columns` lines, of a matrix whose lines have `line` numbers,
   into panels from line `top` of the K lines of each panel on. */
static void pack_columns(const float *matrix, int64_t line, int64_t lines, int64_t columns, int transposed,
                         float *packed, int64_t top, int64_t K) {
  enum { TALL = 16 }; /* lines at a time, so that reads and writes both touch few cache lines */
  const int64_t v = kernels->width;
  for (int64_t u = 0; u < columns; u += 4 * v) {
    const int64_t here = columns - u < 4 * v ? columns - u : 4 * v, wide = (here + v - 1) / v * v;
    float *to = packed + K * u + top * wide;
    for (int64_t first = 0; first < lines; first += TALL) {
      const int64_t end = first + TALL < lines ? first + TALL : lines;
      for (int64_t j = 0; transposed && j < here; j++)
        for (int64_t k = first; k < end; k++) to[k * wide + j] = matrix[(u + j) * line + k];
      for (int64_t k = first; !transposed && k < end; k++)
        memcpy(to + k * wide, matrix + k * line + u, sizeof(float) * here);
      for (int64_t k = first; k < end; k++)
        memset(to + k * wide + here, 0, sizeof(float) * (wide - here));
    }
  }
}

struct buffer pack_gru(const float *W, const float *U, int64_t D, int64_t H, int blocks) {
  const int64_t gates = blocks == SIMPLE_RNN ? 1 : 3, line = gates * H, v = kernels->width;
  struct buffer buffer = borrow(gates * (D + H) * ((H + v - 1) / v * v), 0);
  for (int k = 0; buffer.numbers && k < blocks; k++) {
    const int64_t column = (k < 3 ? k : 2) * H, from_x = k < 3 ? D : 0;
    const int64_t from_h = blocks == GRU_AFTER && k == 2 ? 0 : H, K = from_x + from_h;
    float *to = buffer.numbers + gru_packed_before(D, H, k, v);
    pack_columns(W + column, line, from_x, H, 0, to, 0, K);
    pack_columns(U + column, line, from_h, H, 0, to, from_x, K);
  }
  return buffer;
}

struct buffer pack_gru_transposed(const float *U, int64_t H, int gates) {
  const int64_t around = (H + kernels->width - 1) / kernels->width * kernels->width;
  struct buffer buffer = borrow(gates * H * around, 0);
  for (int gate = 0; buffer.numbers && gate < gates; gate++)
    pack_columns(U + gate * H, gates * H, H, H, 1, buffer.numbers + gate * H * around, 0, H);
  return buffer;
}
