/* The GRU whose reset gate acts before the recurrent product (Cho et al. 2014; Keras: reset_after=False):

     update = sigmoid(x Wz + h Uz + bz), reset = sigmoid(x Wr + h Ur + br)
     g = tanh(x Wg + (reset * h) Ug + bg), h = update * h + (1 - update) * g

   A step is three products with all rows: of x, of h, and of reset * h. Weights, in panels: W with its
   bias, (D, 3 H); Uz and Ur, (H, 2 H); Ug, (H, H); and zeros for the bias of the last two. */

/* Numbers of scratch memory, counted in floats. */
static int64_t reset_before_scratch(int64_t rows, int64_t H) { return rows * 8 * H + 2 * rows; }

static void reset_before(const struct step *step, const struct rows *rows) {
  const int64_t *options = step->options, H = options[UNITS], n = rows->count;
  const struct view x = view_of(rows, step->in[0]), y = view_of(rows, step->out[0]);
  const struct view last = view_of(rows, step->out[1]), h_last = view_of(rows, step->out[2]);
  const float *mask = view_of(rows, step->in[1]).at, *h_first = view_of(rows, step->in[2]).at;
  float *h = rows->scratch, *of_x = h + n * H, *gates = of_x + 3 * n * H;
  float *reset_h = gates + 2 * n * H, *of_reset = reset_h + n * H;
  int32_t *seen = (int32_t *)(of_reset + n * H); /* whether a step of the row was not masked */
  if (h_first) memcpy(h, h_first, sizeof(float) * n * H); else memset(h, 0, sizeof(float) * n * H);
  for (int64_t row = 0; row < n; row++) seen[row] = (int32_t)options[CARRIED];
  for (int64_t s = 0; s < x.steps; s++) {
    const int64_t t = options[BACKWARDS] ? x.steps - 1 - s : s;
    products(x.at + t * x.width, x.steps * x.width, n, x.width, of_x, 3 * H, step->weights[0],
             step->weights[1]);
    products(h, H, n, H, gates, 2 * H, step->weights[2], step->weights[4]);
    for (int64_t row = 0; row < n; row++)
      for (int64_t u = 0; u < H; u += V) {
        const int k = left_of(H, u);
        const vec z = load(of_x + row * 3 * H + H + u, k) + load(gates + row * 2 * H + H + u, k);
        store(reset_h + row * H + u, sigmoid(z) * load(h + row * H + u, k), k);
      }
    products(reset_h, H, n, H, of_reset, H, step->weights[3], step->weights[4]);
    for (int64_t row = 0; row < n; row++) {
      const int masked = mask && mask[row * x.steps + t] == 0;
      const int quiet = masked && (options[ZERO_OUTPUT] || !seen[row]);
      const int64_t written = options[WRITE_BACKWARDS] ? x.steps - 1 - s : s;
      float *to = y.at ? y.at + (row * y.steps + written) * y.width + options[OFFSET] : NULL;
      if (!y.at && last.at && s + 1 == x.steps) to = last.at + row * last.width + options[OFFSET];
      seen[row] |= !masked;
      for (int64_t u = 0; u < H; u += V) {
        const int k = left_of(H, u);
        const vec zero = {0}, before = load(h + row * H + u, k);
        const vec update = sigmoid(load(of_x + row * 3 * H + u, k) + load(gates + row * 2 * H + u, k));
        const vec z = load(of_x + row * 3 * H + 2 * H + u, k) + load(of_reset + row * H + u, k);
        const vec g = activation(z, (int)options[RELU_CANDIDATE]);
        vec after = before;
        if (!masked) after = update * before + (1.0f - update) * g;
        store(h + row * H + u, after, k);
        if (to) store(to + u, quiet ? zero : after, k);
      }
    }
  }
  if (h_last.at) memcpy(h_last.at, h, sizeof(float) * n * H);
}
