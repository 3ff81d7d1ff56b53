/* Products of blocks of rows with panels of packed weights; a file that includes this one says what V,
   MIN, MAX and ROWS are (see kernel.h). */

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
#define WITH_CONSTANT_WIDTH(wide, rows, function, ...)                       \
  switch (wide) {                                                            \
    case 1: WITH_CONSTANT_SIZES(rows, 1, function, __VA_ARGS__) break;       \
    case 2: WITH_CONSTANT_SIZES(rows, 2, function, __VA_ARGS__) break;       \
    case 3: WITH_CONSTANT_SIZES(rows, 3, function, __VA_ARGS__) break;       \
    default: WITH_CONSTANT_SIZES(rows, 4, function, __VA_ARGS__)             \
  }
#define WITH_CONSTANT_SIZES(rows, wide, function, ...) \
  WITH_CONSTANT_ROWS(rows, function, wide, __VA_ARGS__)
#define EACH_ROW(m, rows) _Pragma("GCC unroll 8") for (int m = 0; m < rows; m++)

/* sums[m] += the product of a[m], K numbers, with a panel of K lines of `wide` vectors. */
INLINE void product_of(const int rows, const int wide, const float *const *a, int64_t K,
                       const float *panel, vec sums[][4]) {
  for (int64_t k = 0; k < K; k++, panel += wide * V) {
    vec b[4];
    _Pragma("GCC unroll 4") for (int g = 0; g < wide; g++) b[g] = *(const vec *)(panel + g * V);
    EACH_ROW(m, rows) {
      const float s = a[m][k];
      _Pragma("GCC unroll 4") for (int g = 0; g < wide; g++) sums[m][g] += s * b[g];
    }
  }
}

/* The same with the full width of a panel, 4 vectors. */
INLINE void product(const int rows, const float *const *a, int64_t K, const float *panel,
                    vec sums[][4]) {
  product_of(rows, 4, a, K, panel, sums);
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
