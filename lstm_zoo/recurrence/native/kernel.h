/* Both passes over some rows of the batch. A file that includes this one says for which processor:
     V          numbers in a vector
     MIN, MAX   of two vectors
     ROWS       rows in a block at most: their sums, ROWS x 4 vectors, stay in registers
     WIDE       vectors of a line that the sums of the weight gradients take at once
     KERNELS    the name of the result

   Forward, kernel_forward.h. [W; U] stands packed in panels (packing.c). A step goes over the panels,
   and in each over blocks of rows. The product of a block with a panel gives the four gates of V units
   for these rows. The equations then run on registers, with no memory in between. A panel is read once
   for each block and stays in the cache.

   Backward, kernel_backward.h. From the last step to the first: dz of the step from the kept gates,
   then dh = dz U^T. Every few steps, while their dz is in the cache, the sums of the weight gradients.
   TensorFlow computes dx from dz, for all steps at once, where somebody asks for it. */

#include "lstm.h"
#include "vectors.h"

/* How many of the rows that are left make the next block; all blocks have nearly the same size. */
INLINE int block_of(int64_t left) {
  if (left <= ROWS) return (int)left;
  int64_t blocks = (left + ROWS - 1) / ROWS;
  return (int)((left + blocks - 1) / blocks);
}

/* Calls `function` with the number of rows as a constant, so that the compiler unrolls its loops. */
#define WITH_CONSTANT_ROWS(rows, function, ...)            \
  switch (rows) {                                          \
    case 1: function(1, __VA_ARGS__); break;               \
    case 2: if (ROWS >= 2) function(2, __VA_ARGS__); break; \
    case 3: if (ROWS >= 3) function(3, __VA_ARGS__); break; \
    case 4: if (ROWS >= 4) function(4, __VA_ARGS__); break; \
    case 5: if (ROWS >= 5) function(5, __VA_ARGS__); break; \
    case 6: if (ROWS >= 6) function(6, __VA_ARGS__); break; \
  }
#define EACH_ROW(m, rows) _Pragma("GCC unroll 8") for (int m = 0; m < rows; m++)

/* sums[m] += the product of a[m], K numbers, with a panel of K lines of 4 V numbers. */
INLINE void product(const int rows, const float *const *a, int64_t K, const float *panel,
                    vec sums[][4]) {
  for (int64_t k = 0; k < K; k++, panel += 4 * V) {
    const vec b0 = *(const vec *)panel, b1 = *(const vec *)(panel + V);
    const vec b2 = *(const vec *)(panel + 2 * V), b3 = *(const vec *)(panel + 3 * V);
    EACH_ROW(m, rows) {
      const float s = a[m][k];
      sums[m][0] += s * b0, sums[m][1] += s * b1, sums[m][2] += s * b2, sums[m][3] += s * b3;
    }
  }
}

/* The same, where a[m] holds K numbers for each of the four gates. */
INLINE void product_by_gate(const int rows, const float *const *a, int64_t K, const float *panel,
                            vec sums[][4]) {
  for (int64_t k = 0; k < K; k++, panel += 4 * V) {
    const vec b0 = *(const vec *)panel, b1 = *(const vec *)(panel + V);
    const vec b2 = *(const vec *)(panel + 2 * V), b3 = *(const vec *)(panel + 3 * V);
    EACH_ROW(m, rows) {
      const float *s = a[m] + k;
      sums[m][0] += s[0] * b0, sums[m][1] += s[K] * b1;
      sums[m][2] += s[2 * K] * b2, sums[m][3] += s[3 * K] * b3;
    }
  }
}

#include "kernel_forward.h"

#include "kernel_backward.h"

const struct kernels KERNELS = {NAME, V, forward_rows, forward_units, backward_rows};
