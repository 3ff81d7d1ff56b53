/* The backward pass over some rows of the batch; see kernel.h. */

/* dz of step t for one row, from the kept gates. dh and dc, of the states after the step, become dc of
   the state before it; dh of the state before it is dz U^T, which backward_block computes. */
INLINE void backward_row(const struct backward *B, int64_t at, float *dh, float *dc,
                         const float *peepholes, int relu) {
  const int64_t H = B->units;
  const int masked = B->mask && !B->mask[at];
  const float *gates = B->gates + at * 4 * H;
  float *dz = B->dz + at * 4 * H;
  for (int64_t u = 0; u < H; u += V) {
    const int n = left_of(H, u);
    vec dh_t = load(dh + u, n);
    if (B->dy) dh_t += load(B->dy + at * H + u, n);
    if (masked) {
      const vec zero = {0};
      store(dh + u, dh_t, n);
      for (int gate = 0; gate < 4; gate++) store(dz + gate * H + u, zero, n);
      continue;
    }
    const vec i = load(gates + u, n), f = load(gates + H + u, n);
    const vec g = load(gates + 2 * H + u, n), o = load(gates + 3 * H + u, n);
    const vec before = load(B->c_before + at * H + u, n);
    const vec shown = activation(f * before + i * g, relu);
    vec dc_t = load(dc + u, n) + dh_t * o * slope(shown, relu);
    const vec dz_o = dh_t * shown * o * (1.0f - o);
    if (peepholes) dc_t += load(peepholes + 2 * H + u, n) * dz_o;
    const vec dz_i = dc_t * g * i * (1.0f - i), dz_f = dc_t * before * f * (1.0f - f);
    store(dz + u, dz_i, n);
    store(dz + H + u, dz_f, n);
    store(dz + 2 * H + u, dc_t * i * slope(g, relu), n);
    store(dz + 3 * H + u, dz_o, n);
    vec dc_before = dc_t * f;
    if (peepholes)
      dc_before += load(peepholes + u, n) * dz_i + load(peepholes + H + u, n) * dz_f;
    store(dc + u, dc_before, n);
  }
}

/* dh = dz U^T for the 4 V units of panel p and a block of rows, the first of which is row r. With
   dropout of the hidden state, each gate's part has its own factors. */
INLINE void backward_block(const int rows, const struct backward *B, int64_t r, int64_t t, int64_t p,
                           float *dh, const float *h_drop) {
  const int64_t T = B->steps, H = B->units;
  const float *panel = B->packed + p * 4 * H * 4 * V;
  const float *dz[ROWS];
  vec sums[ROWS][4] = {0};
  for (int m = 0; m < rows; m++) dz[m] = B->dz + ((r + m) * T + t) * 4 * H;
  if (!h_drop) product(rows, dz, 4 * H, panel, sums);
  for (int gate = 0; h_drop && gate < 4; gate++) {
    vec part[ROWS][4] = {0};
    product(rows, dz, H, panel + gate * H * 4 * V, part);
    for (int m = 0; m < rows; m++, dz[m - 1] += H)
      for (int k = 0; k < 4 && (p * 4 + k) * V < H; k++) {
        const int64_t u = (p * 4 + k) * V;
        sums[m][k] += part[m][k] * load(h_drop + ((r + m) * 4 + gate) * H + u, left_of(H, u));
      }
  }
  for (int m = 0; m < rows; m++)
    for (int k = 0; k < 4; k++) {
      const int64_t u = (p * 4 + k) * V;
      const int n = left_of(H, u);
      if (n <= 0) break;
      vec now = sums[m][k];
      if (B->mask && !B->mask[(r + m) * T + t]) now += load(dh + m * H + u, n);
      store(dh + m * H + u, now, n);
    }
}

/* Adds what these rows and steps give to [dW; dU; db]. With dropout each gate has its own [x, h, 1]. */
static void add_sums(const struct backward *B, int64_t lo, int64_t hi, int64_t from, int64_t to,
                     float *sums) {
  const int64_t D = B->features, H = B->units;
  const int gates = B->x_drop || B->h_drop ? 4 : 1;
  struct products P = {.x = B->x, .h = B->h_before, .dz = B->dz, .steps = B->steps};
  P.features = D, P.units = H, P.width = 4 * H, P.gates = 4, P.columns = 4 * H / gates;
  for (int gate = 0; gate < gates; gate++) {
    P.x_drop = B->x_drop ? B->x_drop + gate * D : NULL;
    P.h_drop = B->h_drop ? B->h_drop + gate * H : NULL;
    P.column = gate * P.columns;
    add_products(&P, lo, hi, from, to, sums);
  }
}

INLINE void backward_steps(const struct backward *B, int64_t lo, int64_t hi, const float *h_drop,
                           const float *peepholes, int relu) {
  const int64_t T = B->steps, H = B->units, panels = (H + 4 * V - 1) / (4 * V);
  float *dh = B->dh0 + lo * H, *dc = B->dc0 + lo * H;
  memcpy(dh, B->dh + lo * H, sizeof(float) * (hi - lo) * H);
  memcpy(dc, B->dc + lo * H, sizeof(float) * (hi - lo) * H);
  float *sums = B->sums + lo / B->part_rows * B->part_scratch;
  memset(sums, 0, sizeof(float) * B->part_scratch);
  const int64_t fewest = SUM_STEPS / (hi - lo), steps = fewest > 8 ? fewest : 8; /* summed at once */
  int64_t summed = T;                                                            /* from here on */
  for (int64_t t = T - 1; t >= 0; t--) {
    for (int64_t r = lo; r < hi; r++)
      backward_row(B, r * T + t, dh + (r - lo) * H, dc + (r - lo) * H, peepholes, relu);
    for (int64_t p = 0; p < panels; p++)
      for (int64_t r = lo; r < hi;) {
        const int rows = block_of(hi - r);
        WITH_CONSTANT_ROWS(rows, backward_block, B, r, t, p, dh + (r - lo) * H, h_drop)
        r += rows;
      }
    if (summed - t < steps && t > 0) continue;
    const int64_t rows = SUM_STEPS / (summed - t);
    for (int64_t r = lo; r < hi; r += rows)
      add_sums(B, r, hi - r < rows ? hi : r + rows, t, summed, sums);
    summed = t;
  }
}

/* Rows lo to hi. The plain LSTM has a branch-free version. */
static void backward_rows(void *job, int64_t lo, int64_t hi) {
  const struct backward *B = job;
  if (B->h_drop || B->peepholes || B->relu)
    backward_steps(B, lo, hi, B->h_drop, B->peepholes, B->relu);
  else
    backward_steps(B, lo, hi, NULL, NULL, 0);
}
