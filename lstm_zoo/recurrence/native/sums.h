/* The sums of the weight gradients, [dW; dU; db] += [x, h, 1]^T dz, over some rows and steps. */

/* Which columns of dz, and what stands beside them. */
struct products {
  int64_t steps, features, units;
  const float *x, *h, *dz;          /* (batch, steps, features, units or width) */
  int64_t width, column, columns;   /* of dz; the first to sum, and how many */
  const float *x_drop, *h_drop;     /* factors of one gate, or NULL */
  int64_t gates;                    /* lines from one row's factors to the next row's */
  int64_t unread, end_unread;       /* lines of [x, h, 1] whose results nobody reads */
};

/* to (SUM_LINES lines of `wide` vectors) += a^T b, with n lines of SUM_LINES numbers in a and of `wide`
   vectors in b. */
INLINE void outer(const int wide, const float *a, const float *b, int64_t n, float *to, int64_t line) {
  vec sums[SUM_LINES][WIDE];
  for (int m = 0; m < SUM_LINES; m++)
    for (int g = 0; g < wide; g++) sums[m][g] = *(const vec *)(to + m * line + g * V);
  for (int64_t k = 0; k < n; k++, a += SUM_LINES, b += wide * V) {
    vec now[WIDE];
    _Pragma("GCC unroll 4") for (int g = 0; g < wide; g++) now[g] = *(const vec *)(b + g * V);
    _Pragma("GCC unroll 8") for (int m = 0; m < SUM_LINES; m++)
      _Pragma("GCC unroll 4") for (int g = 0; g < wide; g++) sums[m][g] += a[m] * now[g];
  }
  for (int m = 0; m < SUM_LINES; m++)
    for (int g = 0; g < wide; g++) *(vec *)(to + m * line + g * V) = sums[m][g];
}

static void outer_of_width(int wide, const float *a, const float *b, int64_t n, float *to, int64_t line) {
  switch (wide) {
    case 1: outer(1, a, b, n, to, line); break;
    case 2: if (WIDE >= 2) outer(2, a, b, n, to, line); break;
    case 3: if (WIDE >= 3) outer(3, a, b, n, to, line); break;
    case 4: if (WIDE >= 4) outer(4, a, b, n, to, line); break;
  }
}

/* Adds what these rows and steps, at most SUM_STEPS, give. Both factors are first copied into the order
   in which `outer` reads them: [x, h, 1] into strips of SUM_LINES numbers, dz into panels of WIDE
   vectors. The scratch memory follows the sums. */
static void add_products(const struct products *P, int64_t lo, int64_t hi, int64_t from, int64_t to,
                         float *sums) {
  const int64_t T = P->steps, D = P->features, H = P->units, line = SUM_WIDTH(P->width);
  const int64_t K = SUM_HEIGHT(D, H), n = (hi - lo) * (to - from);
  float *strips = sums + K * line, *panel = strips + K * SUM_STEPS, *row = panel + SUM_STEPS * WIDE * V;
  float *strip = strips;
  for (int64_t r = lo; r < hi; r++)
    for (int64_t t = from; t < to; t++, strip += SUM_LINES) {
      memcpy(row, P->x + (r * T + t) * D, sizeof(float) * D);
      memcpy(row + D, P->h + (r * T + t) * H, sizeof(float) * H);
      for (int64_t k = 0; P->x_drop && k < D; k++) row[k] *= P->x_drop[r * P->gates * D + k];
      for (int64_t k = 0; P->h_drop && k < H; k++) row[D + k] *= P->h_drop[r * P->gates * H + k];
      for (int64_t k = D + H; k < K; k++) row[k] = k == D + H;
      for (int64_t k = 0; k < K; k += SUM_LINES)
        memcpy(strip + k * n, row + k, sizeof(float) * SUM_LINES);
    }
  for (int64_t column = 0; column < P->columns; column += WIDE * V) {
    const int64_t left = P->columns - column;
    const int wide = left < WIDE * V ? (int)((left + V - 1) / V) : WIDE;
    float *next = panel;
    for (int64_t r = lo; r < hi; r++)
      for (int64_t t = from; t < to; t++) {
        const float *dz = P->dz + (r * T + t) * P->width + P->column + column;
        for (int g = 0; g < wide; g++, next += V)
          *(vec *)next = load(dz + g * V, left_of(left, g * V));
      }
    for (int64_t k = 0; k < K; k += SUM_LINES)
      if (k < P->unread || k + SUM_LINES > P->end_unread)
        outer_of_width(wide, strips + k * n, panel, n, sums + k * line + P->column + column, line);
  }
}
