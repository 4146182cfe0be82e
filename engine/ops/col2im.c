/* SPDX-License-Identifier: Apache-2.0 */

/* Col2Im: blocks that slide over an image, given as columns, are added up into the
 * image again. Input [n, channels × block, positions], output [n, channels, image]. */

#include "ops/support.h"

#define SPATIAL_MAX (NN_RANK_MAX - 2)

/* Lists of one number for each dimension of the image. */
typedef struct Col2Im {
    int spatial;
    int64_t image[SPATIAL_MAX], block[SPATIAL_MAX];
    int64_t strides[SPATIAL_MAX], dilations[SPATIAL_MAX], before[SPATIAL_MAX];
    int64_t positions[SPATIAL_MAX];
    int64_t n_block, n_positions, pixels;
} Col2Im;

static int check_range(const NnCall *call, const char *what, const int64_t *values, int n,
                       int64_t low)
{
    for (int i = 0; i < n; i++)
        if (values[i] < low || values[i] > INT32_MAX)
            return nn_error_set(call->error, -EBADMSG, "%s holds %lld", what, (long long)values[i]);
    return 0;
}

static int read_list(const NnCall *call, const char *name, int64_t low, int64_t *ret, int n)
{
    size_t given;
    int r = nn_node_ints(call->node, name, ret, (size_t)n, &given, call->error);
    if (r < 0)
        return r;
    if (given != 0 && given != (size_t)n)
        return nn_error_set(call->error, -EBADMSG, "%s has %zu numbers, expected %d", name, given,
                            n);
    return check_range(call, name, ret, n, low);
}

static int read_shape(const NnCall *call, Col2Im *c)
{
    int64_t pads[2 * SPATIAL_MAX] = { 0 };
    size_t n, n_block;
    int r = nn_input_ints(call, 1, c->image, SPATIAL_MAX, &n);
    if (r >= 0)
        r = nn_input_ints(call, 2, c->block, SPATIAL_MAX, &n_block);
    if (r < 0)
        return r;
    if (n == 0 || n != n_block)
        return nn_error_set(call->error, -EBADMSG, "an image of %zu dimensions and blocks of %zu",
                            n, n_block);
    c->spatial = (int)n;
    for (int i = 0; i < c->spatial; i++)
        c->strides[i] = c->dilations[i] = 1;
    r = check_range(call, "image_shape", c->image, c->spatial, 1);
    if (r >= 0)
        r = check_range(call, "block_shape", c->block, c->spatial, 1);
    if (r >= 0)
        r = read_list(call, "strides", 1, c->strides, c->spatial);
    if (r >= 0)
        r = read_list(call, "dilations", 1, c->dilations, c->spatial);
    if (r >= 0)
        r = read_list(call, "pads", 0, pads, 2 * c->spatial);
    c->n_block = c->n_positions = c->pixels = 1;
    for (int i = 0; r >= 0 && i < c->spatial; i++) {
        int64_t room = c->image[i] + pads[i] + pads[c->spatial + i] -
                       c->dilations[i] * (c->block[i] - 1) - 1;
        c->before[i] = pads[i];
        c->positions[i] = room < 0 ? 0 : room / c->strides[i] + 1;
        if (__builtin_mul_overflow(c->n_block, c->block[i], &c->n_block) ||
            __builtin_mul_overflow(c->n_positions, c->positions[i], &c->n_positions) ||
            __builtin_mul_overflow(c->pixels, c->image[i], &c->pixels))
            r = nn_error_set(call->error, -E2BIG, "the image would be too large");
    }
    return r;
}

static int col2im_infer(const NnCall *call)
{
    int64_t dims[NN_RANK_MAX];
    char shape[128];
    Col2Im c;
    int r = nn_check_inputs(call, 3);
    if (r >= 0)
        r = nn_check_dtype(call, 0, NN_TYPES_NUMBER);
    if (r >= 0)
        r = nn_check_rank(call, 0, 3, 3);
    if (r >= 0)
        r = read_shape(call, &c);
    if (r < 0)
        return r;
    const NnTensor *in = call->in[0];
    if (in->dims[1] % c.n_block != 0 || in->dims[2] != c.n_positions)
        return nn_error_set(call->error, -EBADMSG, "columns of %s are not %lld positions of blocks "
                            "of %lld", nn_tensor_shape_string(in, shape, sizeof(shape)),
                            (long long)c.n_positions, (long long)c.n_block);
    dims[0] = in->dims[0];
    dims[1] = in->dims[1] / c.n_block;
    memcpy(dims + 2, c.image, (size_t)c.spatial * sizeof(dims[0]));
    return nn_set_output(call, 0, in->dtype, 2 + c.spatial, dims);
}

/* The pixel that element `tap` of the block at `position` stands for, or -1. */
static int64_t pixel_of(const Col2Im *c, int64_t tap, int64_t position)
{
    int64_t pixel = 0, step = 1;
    for (int i = c->spatial - 1; i >= 0; i--) {
        int64_t x = position % c->positions[i] * c->strides[i] - c->before[i] +
                    tap % c->block[i] * c->dilations[i];
        if (x < 0 || x >= c->image[i])
            return -1;
        pixel += x * step;
        step *= c->image[i];
        position /= c->positions[i];
        tap /= c->block[i];
    }
    return pixel;
}

typedef struct Run {
    const NnCall *call;
    Col2Im c;
} Run;

static void col2im_planes(void *argument, int64_t begin, int64_t end, unsigned worker)
{
    const Run *run = argument;
    const Col2Im *c = &run->c;
    (void)worker;
    NN_SWITCH_NUMBER(run->call->in[0]->dtype, {
        /* Integers wrap. */
        typedef __typeof__(_Generic((T)0, float: 0.0f, double: 0.0, default: (uint64_t)0)) Sum;
        for (int64_t plane = begin; plane < end; plane++) {
            const T *from = (const T *)run->call->in[0]->data + plane * c->n_block * c->n_positions;
            T *to = (T *)run->call->out[0]->data + plane * c->pixels;
            memset(to, 0, (size_t)c->pixels * sizeof(*to));
            for (int64_t i = 0; i < c->n_block * c->n_positions; i++) {
                int64_t pixel = pixel_of(c, i / c->n_positions, i % c->n_positions);
                if (pixel >= 0)
                    to[pixel] = (T)((Sum)to[pixel] + (Sum)from[i]);
            }
        }
    })
}

static int col2im_run(const NnCall *call)
{
    Run run = { .call = call };
    int r = read_shape(call, &run.c);
    if (r < 0)
        return r;
    const NnTensor *out = call->out[0];
    nn_range_run(call->pool, out->dims[0] * out->dims[1], 1, col2im_planes, &run);
    return 0;
}

const NnOp nn_op_col2im = {
    .type = "Col2Im",
    .domain = "",
    .since = 18,
    .min_inputs = 3,
    .max_inputs = 3,
    .max_outputs = 1,
    .infer = col2im_infer,
    .run = col2im_run,
};
