/* Whether this compiler makes kernels for AVX2 and AVX-512; Clang has no `#pragma GCC target`. */
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
#define HAS_AVX 1
#else
#define HAS_AVX 0
#endif
