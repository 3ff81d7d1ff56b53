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
   TensorFlow computes dx from dz, for all steps at once, where somebody asks for it.

   The GRU and the SimpleRNN, kernel_gru_forward.h and kernel_gru_backward.h, have one matrix for each
   block of z, in panels of 4 V units; the last panel is as narrow as its units allow. A step makes all
   blocks of z and then applies the equations to each row, which is still in the cache. */

#include "lstm.h"
#include "products.h"

#include "sums.h"

#include "kernel_forward.h"

#include "kernel_backward.h"

#include "kernel_gru_forward.h"

#include "kernel_gru_backward.h"

const struct kernels KERNELS = {
    NAME, V, forward_rows, forward_units, backward_rows, gru_forward_rows, gru_backward_rows};
