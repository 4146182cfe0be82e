/* SPDX-License-Identifier: Apache-2.0 */

/* ConvInteger and QLinearConv in one to three dimensions. Weights and input are
 * widened to 16 bits less their zero points, so that padding is zero. Lines of
 * weights are multiplied by lines of input, one for each output pixel; where few
 * channels would share a line of input, rows are summed up in place. */

#include "ops/quantised.h"
#include "ops/window.h"

/* Lines of input of one worker: half of its share of the second-level cache. */
#define LINES_BYTES ((int64_t)128 << 10)
#define PIXELS_MIN 8
#define PIXELS_MAX 256
/* Tiles a loop should have for each thread, so that all end together. */
#define TILES_PER_THREAD 3

typedef struct ConvParams {
    bool quantised;
} ConvParams;

/* One call, with three spatial dimensions: missing ones are 1 and stand first. */
typedef struct Conv {
    const NnCall *call;
    bool quantised;
    int64_t batch, channels, out_channels, groups, group_in, group_out;
    int64_t in[3], out[3], kernel[3], strides[3], dilations[3], before[3];
    int64_t in_pixels, out_pixels;      /* of one plane */
    int64_t k, stride;                  /* numbers of a line, and from line to line */
    int rank;
    int64_t dims[NN_RANK_MAX];          /* of the output */
    bool direct;
    int64_t pixel_block, n_pixel_blocks;
    size_t line_bytes, worker_bytes;    /* scratch: lines of input, and sums behind them */
    const int16_t *weights;             /* lines, one for each output channel */
} Conv;

static int conv_prepare(const NnNode *node, void *params, NnError *error)
{
    ConvParams *p = params;
    int64_t group;
    p->quantised = strcmp(node->op_type, "QLinearConv") == 0;
    int r = nn_node_int(node, "group", 1, &group, error);
    if (r < 0)
        return r;
    if (group < 1)
        return nn_error_set(error, -EBADMSG, "attribute 'group' is %lld", (long long)group);
    return 0;
}

static int check_channels(const NnCall *call, const Conv *c)
{
    if (c->out_channels % c->groups != 0)
        return nn_error_set(call->error, -EBADMSG, "%lld output channels do not divide into %lld "
                            "groups", (long long)c->out_channels, (long long)c->groups);
    if (c->channels % c->groups != 0 || c->group_in != c->channels / c->groups)
        return nn_error_set(call->error, -EBADMSG,
                            "the weights expect %lld channels in %lld groups, "
                            "the input has %lld",
                            (long long)c->group_in, (long long)c->groups, (long long)c->channels);
    if (c->out_channels == 0 || c->group_in == 0)
        return nn_error_set(call->error, -EBADMSG, "the weights are empty");
    return 0;
}

/* Everything that follows from the attributes and the shapes. */
static int conv_shape(const NnCall *call, Conv *ret)
{
    const ConvParams *p = call->params;
    const NnTensor *x = call->in[0], *w = nn_operand(call, p->quantised, NN_RIGHT);
    Conv c = { .call = call, .quantised = p->quantised, .rank = x->rank, .in_pixels = 1,
               .out_pixels = 1 };
    NnWindow window;
    int r = nn_window_read_weights(call->node, w, &window, call->error);
    if (r >= 0)
        r = nn_window_resolve(call, &window, false, &window, c.dims);
    if (r >= 0)
        r = nn_node_int(call->node, "group", 1, &c.groups, call->error);
    if (r < 0)
        return r;
    c.batch = x->dims[0];
    c.channels = x->dims[1];
    c.out_channels = c.dims[1] = w->dims[0];
    c.group_in = c.k = w->dims[1];
    c.group_out = c.out_channels / c.groups;
    r = check_channels(call, &c);
    if (r < 0)
        return r;
    for (int axis = 0; axis < 3; axis++) {
        int i = axis - (3 - window.spatial);
        c.in[axis] = i < 0 ? 1 : x->dims[2 + i];
        c.out[axis] = i < 0 ? 1 : c.dims[2 + i];
        c.kernel[axis] = i < 0 ? 1 : window.kernel[i];
        c.strides[axis] = i < 0 ? 1 : window.strides[i];
        c.dilations[axis] = i < 0 ? 1 : window.dilations[i];
        c.before[axis] = i < 0 ? 0 : window.before[i];
        c.k *= c.kernel[axis];
    }
    for (int axis = 0; axis < 3; axis++)
        c.in_pixels *= c.in[axis];
    c.direct = c.group_out < NN_LINES_MAX;
    c.stride = c.direct ? c.k : nn_line_stride(c.k);
    if (c.out_channels > NN_LINES_TOTAL / c.stride)
        return nn_error_set(call->error, -E2BIG, "the weights are too large");
    *ret = c;
    return 0;
}

/* The number of output pixels, once infer has found that they fit. Scratch does
 * not grow where dims are smaller than planned. */
static void choose_blocks(Conv *c, unsigned threads)
{
    int64_t wanted = threads > 1 ? nn_div_up((int64_t)threads * TILES_PER_THREAD,
                                             NN_MAX(c->batch * c->groups, 1)) : 1;
    int64_t most = NN_MAX(NN_MIN(LINES_BYTES / 2 / c->stride, PIXELS_MAX), PIXELS_MIN);
    c->out_pixels = nn_product(c->out, 0, 3);
    int64_t blocks = NN_MAX(nn_div_up(c->out_pixels, most),
                            NN_MIN(wanted, nn_div_up(c->out_pixels, PIXELS_MIN)));
    c->pixel_block = nn_div_up(c->out_pixels, NN_MAX(blocks, 1));
    c->n_pixel_blocks = nn_div_up(c->out_pixels, NN_MAX(c->pixel_block, 1));
    most = NN_MIN(most, c->out_pixels);
    size_t sums = (size_t)(c->direct ? c->out[2] : NN_LINES_MAX * most) * sizeof(int32_t);
    c->line_bytes = nn_align_up((size_t)(c->direct ? c->in[2] : most * c->stride) * sizeof(int16_t),
                                64);
    c->worker_bytes = c->line_bytes + nn_align_up(sums, 64);
}

static int conv_infer(const NnCall *call)
{
    const ConvParams *p = call->params;
    Conv c;
    int r = nn_check_operands(call, p->quantised);
    if (r < 0)
        return r;
    r = conv_shape(call, &c);
    if (r >= 0)
        r = nn_check_one(call, nn_operand_index(p->quantised, NN_LEFT_SCALE));
    if (r >= 0)
        r = nn_check_one(call, nn_operand_index(p->quantised, NN_LEFT_ZERO));
    if (r >= 0)
        r = nn_check_one_or_vector(call, nn_operand_index(p->quantised, NN_RIGHT_SCALE),
                                   c.out_channels);
    if (r >= 0)
        r = nn_check_one_or_vector(call, nn_operand_index(p->quantised, NN_RIGHT_ZERO),
                                   c.out_channels);
    if (r >= 0)
        r = nn_check_vector(call, nn_operand_index(p->quantised, NN_BIAS), c.out_channels);
    if (r < 0)
        return r;
    const NnTensor *zero = nn_operand(call, p->quantised, NN_RESULT_ZERO);
    return nn_set_output(call, 0, zero ? zero->dtype : NN_DTYPE_I32, c.rank, c.dims);
}

static void pack_weights(const Conv *c, int16_t *packed)
{
    const NnTensor *w = nn_operand(c->call, c->quantised, NN_RIGHT);
    const NnTensor *zero = nn_operand(c->call, c->quantised, NN_RIGHT_ZERO);
    for (int64_t i = 0; i < c->out_channels; i++) {
        int16_t *line = packed + i * c->stride;
        nn_widen(w->dtype, (const char *)w->data + i * c->k, 1, nn_zero_point(zero, i), c->k, line,
                 1);
        memset(line + c->k, 0, (size_t)(c->stride - c->k) * sizeof(*line));
    }
}

static size_t packed_bytes(const Conv *c)
{
    return nn_align_up((size_t)(c->out_channels * c->stride) * sizeof(int16_t), 64);
}

static int conv_create(const NnCall *call, void **ret_state, size_t *ret_bytes)
{
    const ConvParams *p = call->params;
    const NnTensor *zero = nn_operand(call, p->quantised, NN_RIGHT_ZERO);
    Conv c;
    int r = conv_shape(call, &c);
    if (r < 0)
        return r;
    *ret_state = NULL;
    if (!nn_operand(call, p->quantised, NN_RIGHT)->data || (zero && !zero->data))
        return 0;
    int16_t *packed = nn_aligned_alloc(packed_bytes(&c));
    if (!packed)
        return -ENOMEM;
    pack_weights(&c, packed);
    *ret_state = packed;
    *ret_bytes = packed_bytes(&c);
    return 0;
}

/* Any numbers do: sums wrap. */
static int conv_check_state(const NnCall *call, const void *state, size_t bytes)
{
    Conv c;
    int r = conv_shape(call, &c);
    (void)state;
    if (r < 0)
        return r;
    if (bytes != packed_bytes(&c))
        return nn_error_set(call->error, -EBADMSG, "its weights were packed for another shape");
    return 0;
}

static size_t conv_scratch(const NnCall *call)
{
    Conv c;
    if (conv_shape(call, &c) < 0)
        return 0;
    choose_blocks(&c, nn_range_workers(call->pool));
    return c.worker_bytes * nn_range_workers(call->pool) + (call->state ? 0 : packed_bytes(&c));
}

/* Output positions whose tap `k` along an axis lies inside: begin…end-1. */
static void inside(const Conv *c, int axis, int64_t k, int64_t *ret_begin, int64_t *ret_end)
{
    int64_t offset = k * c->dilations[axis] - c->before[axis], stride = c->strides[axis];
    int64_t end = c->in[axis] > offset ? nn_div_up(c->in[axis] - offset, stride) : 0;
    *ret_begin = offset < 0 ? nn_div_up(-offset, stride) : 0;
    *ret_end = NN_MIN(end, c->out[axis]);
}

/* Where tap (z, y) of output row `row` lies in a plane: the first element of the
 * input row, or -1 outside. */
static int64_t input_row(const Conv *c, int64_t row, int64_t kz, int64_t ky)
{
    int64_t z = row / c->out[1] * c->strides[0] + kz * c->dilations[0] - c->before[0];
    int64_t y = row % c->out[1] * c->strides[1] + ky * c->dilations[1] - c->before[1];
    if (z < 0 || z >= c->in[0] || y < 0 || y >= c->in[1])
        return -1;
    return (z * c->in[1] + y) * c->in[2];
}

static const char *input_plane(const Conv *c, int64_t image, int64_t channel)
{
    return (const char *)c->call->in[0]->data + (image * c->channels + channel) * c->in_pixels;
}

/* Writes one number of every line: tap (kz, ky, kx) of `plane` for n pixels. */
static void fill_tap(const Conv *c, const char *plane, const int64_t *tap, int64_t pixel, int64_t n,
                     int16_t *to)
{
    const NnTensor *zero = nn_operand(c->call, c->quantised, NN_LEFT_ZERO);
    int64_t first, last, width = c->out[2];
    inside(c, 2, tap[2], &first, &last);
    for (int64_t done = 0; done < n;) {
        int64_t row = (pixel + done) / width, x = (pixel + done) % width;
        int64_t count = NN_MIN(width - x, n - done), from = input_row(c, row, tap[0], tap[1]);
        int64_t begin = NN_MIN(NN_MAX(first, x), x + count), end = NN_MIN(last, x + count);
        if (from < 0)
            begin = end = x + count;
        end = NN_MAX(end, begin);
        for (int64_t i = x; i < begin; i++)
            to[(done + i - x) * c->stride] = 0;
        if (end > begin)
            nn_widen(c->call->in[0]->dtype,
                     plane + from + begin * c->strides[2] + tap[2] * c->dilations[2] - c->before[2],
                     c->strides[2], nn_zero_point(zero, 0), end - begin,
                     to + (done + begin - x) * c->stride, c->stride);
        for (int64_t i = end; i < x + count; i++)
            to[(done + i - x) * c->stride] = 0;
        done += count;
    }
}

static void fill_lines(const Conv *c, int64_t image, int64_t group, int64_t pixel, int64_t n,
                       int16_t *lines)
{
    int64_t k = 0, tap[3];
    for (int64_t channel = 0; channel < c->group_in; channel++) {
        const char *plane = input_plane(c, image, group * c->group_in + channel);
        for (tap[0] = 0; tap[0] < c->kernel[0]; tap[0]++)
            for (tap[1] = 0; tap[1] < c->kernel[1]; tap[1]++)
                for (tap[2] = 0; tap[2] < c->kernel[2]; tap[2]++)
                    fill_tap(c, plane, tap, pixel, n, lines + k++);
    }
    for (; k < c->stride; k++)
        for (int64_t i = 0; i < n; i++)
            lines[i * c->stride + k] = 0;
}

/* Sums of one output channel, from `pixel` on, into the output. */
static void store(const Conv *c, int64_t image, int64_t channel, int64_t pixel, int64_t n,
                  int32_t *sums)
{
    const NnCall *call = c->call;
    const NnTensor *bias = nn_operand(call, c->quantised, NN_BIAS);
    int64_t at = (image * c->out_channels + channel) * c->out_pixels + pixel;
    if (!c->quantised) {
        memcpy((int32_t *)call->out[0]->data + at, sums, (size_t)n * sizeof(*sums));
        return;
    }
    if (bias)
        for (int64_t i = 0; i < n; i++)
            sums[i] = (int32_t)((uint32_t)sums[i] + ((const uint32_t *)bias->data)[channel]);
    float scale = nn_scale(call->in[NN_LEFT_SCALE], 0) *
                  nn_scale(call->in[NN_RIGHT_SCALE], channel) /
                  nn_scale(call->in[NN_RESULT_SCALE], 0);
    nn_requantize(sums, n, &scale, 0, nn_zero_point(call->in[NN_RESULT_ZERO], 0),
                  call->out[0]->dtype, (char *)call->out[0]->data + at);
}

static void lines_tile(void *argument, int64_t begin, int64_t end, unsigned worker)
{
    const Conv *c = argument;
    int16_t *lines = (int16_t *)((char *)c->call->scratch + worker * c->worker_bytes);
    int32_t *sums = (int32_t *)((char *)lines + c->line_bytes);
    for (int64_t tile = begin; tile < end; tile++) {
        int64_t pixel = tile % c->n_pixel_blocks * c->pixel_block;
        int64_t group = tile / c->n_pixel_blocks % c->groups;
        int64_t image = tile / c->n_pixel_blocks / c->groups;
        int64_t n = NN_MIN(c->pixel_block, c->out_pixels - pixel);
        fill_lines(c, image, group, pixel, n, lines);
        for (int64_t i = 0; i < c->group_out; i += NN_LINES_MAX) {
            int64_t channel = group * c->group_out + i;
            int count = (int)NN_MIN(NN_LINES_MAX, c->group_out - i);
            nn_multiply_lines(c->weights + channel * c->stride, count, lines, n, c->stride, sums);
            for (int j = 0; j < count; j++)
                store(c, image, channel + j, pixel, n, sums + j * n);
        }
    }
}

/* sums[i] += x[i·step]·w; sums wrap. */
static void add_products(uint32_t *sums, const int16_t *x, int64_t step, int16_t w, int64_t n)
{
    if (step == 1)
        for (int64_t i = 0; i < n; i++)
            sums[i] += (uint32_t)(x[i] * w);
    else if (step == 2)
        for (int64_t i = 0; i < n; i++)
            sums[i] += (uint32_t)(x[2 * i] * w);
    else
        for (int64_t i = 0; i < n; i++)
            sums[i] += (uint32_t)(x[i * step] * w);
}

/* One row of one output channel, tap after tap. */
static void sum_row(const Conv *c, int64_t image, int64_t channel, int64_t row, int16_t *wide,
                    uint32_t *sums)
{
    const NnTensor *zero = nn_operand(c->call, c->quantised, NN_LEFT_ZERO);
    const int16_t *w = c->weights + channel * c->stride;
    int64_t first = channel / c->group_out * c->group_in;
    memset(sums, 0, (size_t)c->out[2] * sizeof(*sums));
    for (int64_t i = 0; i < c->group_in; i++) {
        const char *plane = input_plane(c, image, first + i);
        for (int64_t kz = 0; kz < c->kernel[0]; kz++) {
            for (int64_t ky = 0; ky < c->kernel[1]; ky++, w += c->kernel[2]) {
                int64_t from = input_row(c, row, kz, ky), begin, end;
                if (from < 0)
                    continue;
                nn_widen(c->call->in[0]->dtype, plane + from, 1, nn_zero_point(zero, 0), c->in[2],
                         wide, 1);
                for (int64_t kx = 0; kx < c->kernel[2]; kx++) {
                    inside(c, 2, kx, &begin, &end);
                    if (begin >= end)
                        continue;
                    add_products(sums + begin,
                                 wide + begin * c->strides[2] + kx * c->dilations[2] - c->before[2],
                                 c->strides[2], w[kx], end - begin);
                }
            }
        }
    }
}

static void direct_rows(void *argument, int64_t begin, int64_t end, unsigned worker)
{
    const Conv *c = argument;
    int64_t rows = c->out[0] * c->out[1];
    int16_t *wide = (int16_t *)((char *)c->call->scratch + worker * c->worker_bytes);
    int32_t *sums = (int32_t *)((char *)wide + c->line_bytes);
    for (int64_t i = begin; i < end; i++) {
        int64_t row = i % rows, channel = i / rows % c->out_channels;
        int64_t image = i / rows / c->out_channels;
        sum_row(c, image, channel, row, wide, (uint32_t *)sums);
        store(c, image, channel, row * c->out[2], c->out[2], sums);
    }
}

static int conv_run(const NnCall *call)
{
    Conv c;
    int r = conv_shape(call, &c);
    if (r < 0)
        return r;
    choose_blocks(&c, nn_range_workers(call->pool));
    c.weights = call->state;
    if (!c.weights) {
        int16_t *packed = (int16_t *)((char *)call->scratch +
                                      c.worker_bytes * nn_range_workers(call->pool));
        pack_weights(&c, packed);
        c.weights = packed;
    }
    if (c.direct)
        nn_range_run(call->pool, c.batch * c.out_channels * c.out[0] * c.out[1],
                     nn_grain(NN_MIN(c.k * c.out[2], INT32_MAX)), direct_rows, &c);
    else
        nn_range_run(call->pool, c.batch * c.groups * c.n_pixel_blocks, 1, lines_tile, &c);
    return 0;
}

static uint64_t conv_flops(const NnCall *call)
{
    Conv c;
    if (conv_shape(call, &c) < 0)
        return 0;
    return (uint64_t)2 * c.batch * c.out_channels * nn_product(c.out, 0, 3) * c.k;
}

#define CONV_OP(symbol, name, inputs_min, inputs_max, weights)  \
    const NnOp nn_op_##symbol = {                               \
        .type = name,                                           \
        .domain = "",                                           \
        .since = 10,                                            \
        .min_inputs = inputs_min,                               \
        .max_inputs = inputs_max,                               \
        .max_outputs = 1,                                       \
        .params_bytes = sizeof(ConvParams),                     \
        .packed_input = weights,                                \
        .prepare = conv_prepare,                                \
        .infer = conv_infer,                                    \
        .create = conv_create,                                  \
        .check_state = conv_check_state,                        \
        .scratch = conv_scratch,                                \
        .run = conv_run,                                        \
        .flops = conv_flops,                                    \
    };

CONV_OP(conv_integer, "ConvInteger", 2, 4, 1)
CONV_OP(qlinear_conv, "QLinearConv", 8, 9, NN_RIGHT)
