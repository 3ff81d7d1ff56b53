/* The GRU and the SimpleRNN on many shapes against the equations written plainly; check.c includes it. */

static void try_gru(int64_t B, int64_t T, int64_t D, int64_t H, int kind, int blocks) {
  const int masked = kind & MASKED, gates = blocks == SIMPLE_RNN ? 1 : 3;
  const int64_t N = gates * H, Z = blocks * H;
  float *x_drop = numbers(B * gates * D), *h_drop = numbers(B * gates * H);
  float *x = numbers(B * T * D), *W = numbers(D * N), *U = numbers(H * N), *b = numbers(Z);
  float *h0 = numbers(B * H), *dy = numbers(B * T * H), *dh = numbers(B * H);
  uint8_t *mask = malloc(B * T + 1);
  for (int64_t k = 0; k < B * T; k++) mask[k] = draw() % 3 > 0;
  for (int64_t k = 0; k < H * N; k++) U[k] *= 2 / sqrtf(H); /* or rounding errors would grow */
  struct gru_forward F = {.steps = T, .features = D, .units = H, .blocks = blocks, .x = x, .h0 = h0};
  F.mask = masked ? mask : NULL, F.bias = b, F.relu = kind & RELU ? 1 : 0;
  F.x_drop = kind & INPUT_DROPOUT ? x_drop : NULL, F.h_drop = kind & RECURRENT_DROPOUT ? h_drop : NULL;
  F.y = numbers(B * T * H), F.h = numbers(B * H);
  gru_forward_pass(&F, W, U, B); /* without keeping, then with */
  float *lean_y = F.y, *lean_h = F.h;
  F.y = numbers(B * T * H), F.h = numbers(B * H), F.gates = numbers(B * T * Z);
  F.h_before = numbers(B * T * H), F.reset = numbers(B * T * H);
  gru_forward_pass(&F, W, U, B);
  struct gru_backward R = {.steps = T, .features = D, .units = H, .blocks = blocks, .x = x};
  R.h_before = F.h_before, R.gates = F.gates, R.reset = F.reset, R.relu = F.relu, R.mask = F.mask;
  R.x_drop = F.x_drop, R.h_drop = F.h_drop, R.dy = dy, R.dh = dh;
  R.dz = masked ? F.gates : numbers(B * T * Z); /* dz may stand where the gates stood */
  R.dh0 = numbers(B * H), R.dW = numbers(D * N), R.dU = numbers(H * N), R.db = numbers(Z);
  gru_backward_pass(&R, U, B);
  double *dW = calloc(D * N + 1, sizeof(double)), *dU = calloc(H * N + 1, sizeof(double));
  double *db = calloc(Z + 1, sizeof(double)), *h = calloc((T + 1) * H, sizeof(double));
  double *all_z = calloc(T * Z + 1, sizeof(double)), *dz = calloc(T * Z + 1, sizeof(double));
  double *e = calloc(H, sizeof(double)), *rest = calloc(H, sizeof(double));

  for (int64_t r = 0; r < B; r++) {
#define DROP(factors, gate, width, k) (factors ? factors[(r * gates + (gate)) * (width) + (k)] : 1)
    for (int64_t u = 0; u < H; u++) h[u] = h0[r * H + u];
    for (int64_t t = 0; t < T; t++) {
      double *z = all_z + t * Z, *before = h + t * H, *after = before + H;
      for (int k = 0; k < blocks; k++) /* in this order, as the candidate may read the reset gate */
        for (int64_t u = 0; u < H; u++) {
          const int gate = k < 3 ? k : 2, of_x = k < 3, of_h = !(blocks == GRU_AFTER && k == 2);
          double sum = b[k * H + u];
          for (int64_t d = 0; of_x && d < D; d++)
            sum += x[(r * T + t) * D + d] * DROP(F.x_drop, gate, D, d) * W[d * N + gate * H + u];
          for (int64_t j = 0; of_h && j < H; j++)
            sum += before[j] * DROP(F.h_drop, gate, H, j) * U[j * N + gate * H + u] *
                   (blocks == GRU_BEFORE && k == 2 ? z[H + j] : 1);
          z[k * H + u] = blocks > 1 && k < 2 ? sigmoid(sum) : sum;
        }
      for (int64_t u = 0; u < H; u++) {
        double *g = z + (blocks == SIMPLE_RNN ? 0 : 2 * H) + u;
        if (blocks == GRU_AFTER) *g += z[H + u] * z[3 * H + u];
        *g = F.relu ? relu(*g) : tanh(*g);
        const double mixed = blocks == SIMPLE_RNN ? *g : z[u] * before[u] + (1 - z[u]) * *g;
        after[u] = masked && !mask[r * T + t] ? before[u] : mixed;
      }
    }
    compare(F.y + r * T * H, h + H, T * H, 1), compare(lean_y + r * T * H, h + H, T * H, 1);
    compare(F.h + r * H, h + T * H, H, 1), compare(lean_h + r * H, h + T * H, H, 1);
    for (int64_t u = 0; u < H; u++) e[u] = dh[r * H + u];
    for (int64_t t = T - 1; t >= 0; t--) {
      double *z = all_z + t * Z, *to = dz + t * Z, *before = h + t * H;
      for (int64_t u = 0; u < H; u++) e[u] += dy[(r * T + t) * H + u], rest[u] = e[u];
      for (int64_t k = 0; k < Z; k++) to[k] = 0;
      if (masked && !mask[r * T + t]) continue;
      for (int64_t u = 0; u < H; u++) {
        const double g = z[(blocks == SIMPLE_RNN ? 0 : 2 * H) + u];
        const double slope = F.relu ? g > 0 : 1 - g * g;
        if (blocks == SIMPLE_RNN) {
          to[u] = e[u] * slope, rest[u] = 0;
          continue;
        }
        to[u] = e[u] * (before[u] - g) * z[u] * (1 - z[u]);
        to[2 * H + u] = e[u] * (1 - z[u]) * slope, rest[u] = e[u] * z[u];
        if (blocks == GRU_AFTER) {
          to[H + u] = to[2 * H + u] * z[3 * H + u] * z[H + u] * (1 - z[H + u]);
          to[3 * H + u] = to[2 * H + u] * z[H + u];
        }
      }
      for (int64_t j = 0; j < H && blocks == GRU_BEFORE; j++) {
        double d = 0;
        for (int64_t u = 0; u < H; u++)
          d += to[2 * H + u] * U[j * N + 2 * H + u] * DROP(F.h_drop, 2, H, j);
        to[H + j] = d * before[j] * z[H + j] * (1 - z[H + j]), rest[j] += d * z[H + j];
      }
      for (int64_t j = 0; j < H; j++)
        for (int gate = 0; gate < (blocks == GRU_BEFORE ? 2 : gates); gate++)
          for (int64_t u = 0; u < H; u++)
            rest[j] += to[(blocks == GRU_AFTER && gate == 2 ? 3 : gate) * H + u] *
                       U[j * N + gate * H + u] * DROP(F.h_drop, gate, H, j);
      for (int64_t u = 0; u < H; u++) e[u] = rest[u];
    }
    compare(R.dz + r * T * Z, dz, T * Z, 3), compare(R.dh0 + r * H, e, H, 3);
    for (int64_t t = 0; t < T; t++)
      for (int k = 0; k < blocks; k++)
        for (int64_t u = 0; u < H; u++) {
          const int gate = k < 3 ? k : 2;
          const double d = dz[t * Z + k * H + u];
          db[k * H + u] += d;
          for (int64_t i = 0; k < 3 && i < D; i++)
            dW[i * N + gate * H + u] += x[(r * T + t) * D + i] * DROP(F.x_drop, gate, D, i) * d;
          for (int64_t j = 0; !(blocks == GRU_AFTER && k == 2) && j < H; j++)
            dU[j * N + gate * H + u] += h[t * H + j] * DROP(F.h_drop, gate, H, j) * d *
                                        (blocks == GRU_BEFORE && k == 2 ? all_z[t * Z + H + j] : 1);
        }
#undef DROP
  }
  const double most = 1 + B * T; /* addends */
  compare(R.dW, dW, D * N, most), compare(R.dU, dU, H * N, most), compare(R.db, db, Z, most);
  if (R.dz == F.gates) R.dz = NULL;
  float *all[] = {x_drop, h_drop, x,   W,       U,          b,       h0,   dy,    dh,   F.y,  F.h,
                  lean_y, lean_h, F.gates, F.h_before, F.reset, R.dz, R.dh0, R.dW, R.dU, R.db};
  for (size_t k = 0; k < sizeof all / sizeof *all; k++) free(all[k]);
  free(mask), free(dW), free(dU), free(db), free(h), free(all_z), free(dz), free(e), free(rest);
}

/* All of them, on few and many rows, units and steps; returns how many. */
static int try_grus(void) {
  const int all_blocks[] = {SIMPLE_RNN, GRU_BEFORE, GRU_AFTER};
  int count = 0;
  for (int k = 0; k < 3; k++) {
    const int blocks = all_blocks[k];
    for (int64_t B = 0; B <= 15; B += B < 8 ? 1 : 7)
      for (int64_t H = 1; H <= 67; H += H < 20 ? 3 : 23)
        for (int64_t T = 0; T <= 5; T += 1 + T)
          for (int kind = count % 3; kind < KINDS; kind += 7)
            try_gru(B, T, 1 + count % 4, H, kind & ~SEEN, blocks), count++;
    for (int kind = 0; kind < SEEN; kind += 3) /* more rows and more steps than are summed at once */
      try_gru(230, 2, 3, 18, kind, blocks), try_gru(4, 70, 3, 70, kind, blocks),
          try_gru(1, 300, 3, 18, kind, blocks), count += 3;
  }
  return count;
}

/* Both operations of the GRU where memory runs out at each place where they ask for some. */
static void try_gru_operations(int64_t B, int64_t T, int64_t D, int64_t H, int reset_after, int keep) {
  struct options options = {.keep = keep, .outputs = 1, .gated = 1, .reset_after = reset_after};
  const int64_t Z = (reset_after ? 4 : 3) * H;
  int64_t sizes[][3] = {{B, T, D}, {D, 3 * H}, {H, 3 * H}, {Z}, {B, H}, {0, 0}, {B, 3, D}, {B, 3, 0}};
  const int ranks[] = {3, 2, 2, 1, 2, 2, 3, 3};
  TF_Tensor in[G_INPUTS] = {0}, back[GB_INPUTS] = {0};
  for (int k = 0; k < G_INPUTS; k++) {
    const int64_t *n = sizes[k];
    in[k].rank = ranks[k], memcpy(in[k].dims, n, sizeof sizes[k]);
    in[k].data = numbers(n[0] * (ranks[k] > 1 ? n[1] : 1) * (ranks[k] > 2 ? n[2] : 1));
  }
  TF_OpKernelContext run, run_back;
  if (try_scarce(gru_forward, &options, in, G_INPUTS, &run) < 7) wrong++;
  if (keep) {
    const int64_t every[] = {B, T, H}, gates[] = {B, T, Z}, reset[] = {B, reset_after ? 0 : T, H};
    const int from[] = {G_X, G_U, -3, -2, -4, -3, G_H0, G_MASK, G_X_DROP, G_H_DROP};
    for (int k = 0; k < GB_INPUTS; k++) {
      if (from[k] >= 0) {
        back[k] = in[from[k]];
        continue;
      }
      back[k].rank = 3, back[k].data = run.out[-from[k]];
      memcpy(back[k].dims, from[k] == -2 ? gates : from[k] == -4 ? reset : every, sizeof every);
    }
    if (try_scarce(gru_backward, &options, back, GB_INPUTS, &run_back) < 7) wrong++;
    for (int k = 0; k < MOST; k++) free(run_back.out[k]);
  }
  for (int k = 0; k < MOST; k++) free(run.out[k]);
  for (int k = 0; k < G_INPUTS; k++) free(in[k].data);
}
