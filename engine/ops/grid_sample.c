/* SPDX-License-Identifier: Apache-2.0 */

/* GridSample in two and three dimensions, as PyTorch's grid_sample has it; cubic
 * interpolation in three dimensions is the same along each axis. */

#include <math.h>

#include "ops/support.h"

#define SPATIAL_MAX 3
/* Neighbours along one axis, and of one point. */
#define TAPS_MAX 4
#define SAMPLE_MAX 64
/* Of the cubic kernel (Keys, 1981), as PyTorch chose it. */
#define CUBIC_A (-0.75)
/* Coordinates beyond are outside of every tensor. */
#define FAR 1e9

typedef enum Mode {
    LINEAR,
    NEAREST,
    CUBIC,
} Mode;

typedef enum Padding {
    ZEROS,
    BORDER,
    REFLECTION,
} Padding;

typedef struct GridSampleParams {
    Mode mode;
    Padding padding;
    int64_t align_corners;
} GridSampleParams;

typedef struct Name {
    const char *name;
    int value;
} Name;

static int read_name(const NnNode *node, const char *attribute, const Name *names, size_t n,
                     int *ret, NnError *error)
{
    const char *name;
    int r = nn_node_string(node, attribute, names[0].name, &name, error);
    if (r < 0)
        return r;
    for (size_t i = 0; i < n; i++) {
        if (strcmp(name, names[i].name) == 0) {
            *ret = names[i].value;
            return 0;
        }
    }
    return nn_error_set(error, -EBADMSG, "%s is '%s'", attribute, name);
}

static int grid_sample_prepare(const NnNode *node, void *params, NnError *error)
{
    /* The prefix was dropped by opset 20. */
    static const Name modes[] = {
        { "linear", LINEAR },   { "bilinear", LINEAR }, { "nearest", NEAREST },
        { "cubic", CUBIC },     { "bicubic", CUBIC },
    };
    static const Name paddings[] = {
        { "zeros", ZEROS }, { "border", BORDER }, { "reflection", REFLECTION },
    };
    GridSampleParams *p = params;
    int mode = 0, padding = 0;
    int r = read_name(node, "mode", modes, NN_ARRAY_SIZE(modes), &mode, error);
    if (r >= 0)
        r = read_name(node, "padding_mode", paddings, NN_ARRAY_SIZE(paddings), &padding, error);
    if (r < 0)
        return r;
    p->mode = (Mode)mode;
    p->padding = (Padding)padding;
    return nn_node_int(node, "align_corners", 0, &p->align_corners, error);
}

static int grid_sample_infer(const NnCall *call)
{
    int64_t dims[NN_RANK_MAX];
    int r = nn_check_inputs(call, 2);
    for (size_t i = 0; r >= 0 && i < 2; i++) {
        r = nn_check_dtype(call, i, NN_TYPES_FLOAT);
        if (r >= 0)
            r = nn_check_rank(call, i, 4, 2 + SPATIAL_MAX);
    }
    if (r < 0)
        return r;
    const NnTensor *x = call->in[0], *grid = call->in[1];
    int spatial = x->rank - 2;
    if (grid->rank != x->rank || grid->dims[0] != x->dims[0] || grid->dims[spatial + 1] != spatial)
        return nn_error_set(call->error, -EBADMSG, "the grid does not fit an input of %d spatial "
                            "dimensions", spatial);
    dims[0] = x->dims[0];
    dims[1] = x->dims[1];
    for (int i = 0; i < spatial; i++) {
        if (x->dims[2 + i] < 1)
            return nn_error_set(call->error, -EBADMSG, "spatial dimension %d is empty", i);
        dims[2 + i] = grid->dims[1 + i];
    }
    return nn_set_output(call, 0, x->dtype, x->rank, dims);
}

/* Neighbours along one axis; an index of -1 stands for zero. */
typedef struct Taps {
    int n;
    int64_t index[TAPS_MAX];
    double weight[TAPS_MAX];
} Taps;

/* Mirrors a coordinate until it lies between low and high. */
static double reflect(double x, double low, double high)
{
    double span = high - low;
    if (span <= 0)
        return 0;
    double distance = fabs(x - low), extra = fmod(distance, span);
    return fmod(floor(distance / span), 2) == 0 ? low + extra : high - extra;
}

/* Where padding moves a coordinate to. */
static double pad(const GridSampleParams *p, double x, int64_t size)
{
    if (p->padding == REFLECTION)
        x = p->align_corners ? reflect(x, 0, (double)(size - 1))
                             : reflect(x, -0.5, (double)size - 0.5);
    /* fmax() takes a NaN for missing. */
    return p->padding == ZEROS ? x : fmin(fmax(x, 0), (double)(size - 1));
}

/* The element at a whole coordinate, or -1. */
static int64_t element(double x, int64_t size)
{
    return x >= 0 && x < (double)size ? (int64_t)x : -1;
}

static void cubic_weights(double t, double *ret)
{
    const double a = CUBIC_A;
    for (int i = 0; i < TAPS_MAX; i++) {
        double d = fabs(t + 1 - i);
        ret[i] = d <= 1 ? ((a + 2) * d - (a + 3)) * d * d + 1
                        : ((a * d - 5 * a) * d + 8 * a) * d - 4 * a;
    }
}

static Taps find_taps(const GridSampleParams *p, int spatial, double x, int64_t size)
{
    Taps taps = { .n = 1, .weight = { 1 } };
    if (p->mode != CUBIC)
        x = pad(p, x, size);
    if (!(fabs(x) < FAR)) {
        taps.index[0] = -1;
        return taps;
    }
    if (p->mode == NEAREST) {
        /* PyTorch rounds halves to even in two dimensions, away from zero in three. */
        taps.index[0] = element(spatial == 2 ? nearbyint(x) : round(x), size);
        return taps;
    }
    double low = floor(x);
    if (p->mode == LINEAR) {
        taps.n = 2;
        taps.weight[0] = low + 1 - x;
        taps.weight[1] = x - low;
        taps.index[0] = element(low, size);
        taps.index[1] = element(low + 1, size);
        return taps;
    }
    taps.n = TAPS_MAX;
    cubic_weights(x - low, taps.weight);
    for (int i = 0; i < TAPS_MAX; i++)
        taps.index[i] = element(pad(p, low - 1 + i, size), size);
    return taps;
}

/* What one point of the output is made of. */
typedef struct Sample {
    int n;
    int64_t offset[SAMPLE_MAX];     /* within a plane */
    double weight[SAMPLE_MAX];
} Sample;

/* Every element of the sample becomes one for each tap of the next axis. */
static void extend(Sample *sample, const Taps *taps, int64_t size)
{
    Sample next = { 0 };
    for (int i = 0; i < sample->n; i++) {
        for (int j = 0; j < taps->n; j++) {
            if (taps->index[j] < 0)
                continue;
            next.offset[next.n] = sample->offset[i] * size + taps->index[j];
            next.weight[next.n++] = sample->weight[i] * taps->weight[j];
        }
    }
    memcpy(sample->offset, next.offset, (size_t)next.n * sizeof(next.offset[0]));
    memcpy(sample->weight, next.weight, (size_t)next.n * sizeof(next.weight[0]));
    sample->n = next.n;
}

/* -1…1 to elements. */
static double element_coordinate(const GridSampleParams *p, double x, int64_t size)
{
    return p->align_corners ? (x + 1) / 2 * (double)(size - 1) : ((x + 1) * (double)size - 1) / 2;
}

/* Point `point` of the grid. Its last coordinate belongs to the first dimension. */
static void find_sample(const NnCall *call, int64_t point, Sample *sample)
{
    const GridSampleParams *p = call->params;
    const NnTensor *x = call->in[0];
    int spatial = x->rank - 2;
    sample->n = 1;
    sample->offset[0] = 0;
    sample->weight[0] = 1;
    for (int i = 0; i < spatial; i++) {
        int64_t size = x->dims[2 + i];
        double at = nn_load_float(call->in[1], (point + 1) * spatial - 1 - i);
        Taps taps = find_taps(p, spatial, element_coordinate(p, at, size), size);
        extend(sample, &taps, size);
    }
}

static void sample_points(void *argument, int64_t begin, int64_t end, unsigned worker)
{
    const NnCall *call = argument;
    const NnTensor *x = call->in[0], *y = call->out[0];
    int64_t channels = x->dims[1], plane = nn_product(x->dims, 2, x->rank);
    int64_t points = nn_product(y->dims, 2, y->rank);
    (void)worker;
    for (int64_t i = begin; i < end; i++) {
        int64_t image = i / points, point = i % points;
        Sample sample;
        find_sample(call, i, &sample);
        NN_SWITCH_FLOAT(x->dtype, {
            const T *from = (const T *)x->data + image * channels * plane;
            T *to = (T *)y->data + image * channels * points + point;
            for (int64_t c = 0; c < channels; c++, from += plane, to += points) {
                double sum = 0;
                for (int j = 0; j < sample.n; j++)
                    sum += sample.weight[j] * (double)from[sample.offset[j]];
                *to = (T)sum;
            }
        })
    }
}

static int grid_sample_run(const NnCall *call)
{
    const NnTensor *y = call->out[0];
    nn_range_run(call->pool, y->dims[0] * nn_product(y->dims, 2, y->rank),
                 nn_grain(8 * y->dims[1] + 64), sample_points, (void *)call);
    return 0;
}

static uint64_t grid_sample_work(const NnCall *call)
{
    const NnTensor *y = call->out[0];
    return SAMPLE_MAX * (uint64_t)(nn_tensor_elements(y) + nn_tensor_elements(call->in[1]));
}

const NnOp nn_op_grid_sample = {
    .type = "GridSample",
    .domain = "",
    .since = 16,
    .min_inputs = 2,
    .max_inputs = 2,
    .max_outputs = 1,
    .params_bytes = sizeof(GridSampleParams),
    .prepare = grid_sample_prepare,
    .infer = grid_sample_infer,
    .run = grid_sample_run,
    .work = grid_sample_work,
};
