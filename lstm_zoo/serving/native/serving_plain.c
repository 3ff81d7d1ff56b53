/* The steps of a plan for any processor, in vectors of four numbers. */

#define V 4
#define MIN(a, b) choose(a < b, a, b)
#define MAX(a, b) choose(a > b, a, b)
#if defined(__aarch64__) /* 32 registers of four numbers */
#define ROWS 6
#else
#define ROWS 2
#endif
#define SERVING serving_plain
#define NAME "plain"
#include "layers.h"
