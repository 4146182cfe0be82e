/* SPDX-License-Identifier: Apache-2.0 */

/* Channels that are the same number in every pixel, as pruning leaves them behind: a
 * filter of zeros makes its bias, a BatchNormalization of weight 0 its shift. They are
 * followed forward through activations, pooling, upsampling, concat and sums; then
 * taken out of every tensor where all that make and read it can do without, and what
 * a convolution would have seen of them goes into its bias. At a border of zeros a
 * channel is not the same in every pixel, unless it is zero itself. */

#include <math.h>

#include "kernels/kernels.h"
#include "passes/conv.h"

/* What the pass knows of a value of pictures [N,C,…]. */
typedef struct Channels {
    int64_t n;          /* 0: not followed */
    float *constant;    /* NaN: differs from pixel to pixel */
    bool *gone;
} Channels;

typedef struct Search {
    NnGraph *graph;
    Channels *channels; /* of each value */
    float *constants;   /* of all of them */
    bool *gone;
    bool changed;
} Search;

typedef enum Kind {
    KIND_OTHER,
    KIND_CONV,
    KIND_SAME,          /* works on each channel by itself, and keeps a constant one constant */
    KIND_CONCAT,
    KIND_SUM,
} Kind;

static void search_clear(Search *search)
{
    free(search->channels);
    free(search->constants);
    free(search->gone);
}

static bool is_followed(const NnValue *value)
{
    return value->inferred && !value->constant && !value->dynamic &&
           value->tensor.dtype == NN_DTYPE_F32 && value->tensor.rank >= 3 &&
           value->tensor.dims[1] > 0;
}

static int search_init(Search *search)
{
    NnGraph *graph = search->graph;
    size_t n = 0;

    search->channels = calloc(NN_MAX(graph->n_values, 1), sizeof(search->channels[0]));
    for (size_t i = 0; i < graph->n_values; i++)
        n += is_followed(&graph->values[i]) ? (size_t)graph->values[i].tensor.dims[1] : 0;
    search->constants = malloc(NN_MAX(n, 1) * sizeof(search->constants[0]));
    search->gone = calloc(NN_MAX(n, 1), sizeof(search->gone[0]));
    if (!search->channels || !search->constants || !search->gone)
        return -ENOMEM;
    for (size_t i = 0; i < n; i++)
        search->constants[i] = NAN;
    n = 0;
    for (size_t i = 0; i < graph->n_values; i++) {
        if (!is_followed(&graph->values[i]))
            continue;
        search->channels[i] = (Channels){
            .n = graph->values[i].tensor.dims[1],
            .constant = search->constants + n,
            .gone = search->gone + n,
        };
        n += (size_t)search->channels[i].n;
    }
    return 0;
}

static Channels *of_input(const Search *search, const NnNode *node, size_t i)
{
    return &search->channels[node->inputs[i]];
}

static bool joins_channels(const NnGraph *graph, const NnNode *node)
{
    int64_t axis;

    return node->op == &nn_op_concat && nn_node_int(node, "axis", 0, &axis, NULL) >= 0 &&
           (axis == 1 || axis + graph->values[node->outputs[0]].tensor.rank == 1);
}

/* Pools whose windows all hold a pixel, and upsampling by factors. */
static bool keeps_constants(const NnGraph *graph, const NnNode *node)
{
    const char *mode;
    int64_t ceil_mode;

    if (node->op == &nn_op_global_average_pool ||
        nn_activation_of(graph, node).kind != NN_ACTIVATION_NONE)
        return true;
    if (node->op == &nn_op_max_pool)
        return nn_node_int(node, "ceil_mode", 0, &ceil_mode, NULL) >= 0 && ceil_mode == 0 &&
               node->n_outputs == 1;
    return (node->op == &nn_op_resize || node->op == &nn_op_upsample) &&
           (node->n_inputs < 4 || node->inputs[3] == NN_NO_VALUE) &&
           nn_node_string(node, "mode", "nearest", &mode, NULL) >= 0 &&
           strcmp(mode, "nearest") == 0;
}

static Kind kind_of(const Search *search, const NnNode *node)
{
    const Channels *out = node->n_outputs > 0 && node->outputs[0] != NN_NO_VALUE
                              ? &search->channels[node->outputs[0]] : NULL;

    if (!out || out->n == 0 || node->n_inputs == 0 || node->inputs[0] == NN_NO_VALUE ||
        of_input(search, node, 0)->n == 0)
        return KIND_OTHER;
    if (nn_conv_is_constant(search->graph, node) && nn_conv_is_plain(node))
        return ((NnConvParams *)node->params)->group == 1 ? KIND_CONV : KIND_OTHER;
    if (keeps_constants(search->graph, node))
        return of_input(search, node, 0)->n == out->n ? KIND_SAME : KIND_OTHER;
    if (joins_channels(search->graph, node)) {
        for (size_t i = 0; i < node->n_inputs; i++)
            if (of_input(search, node, i)->n == 0)
                return KIND_OTHER;
        return KIND_CONCAT;
    }
    return node->op == &nn_op_add && of_input(search, node, 1)->n == out->n &&
                   of_input(search, node, 0)->n == out->n &&
                   nn_tensor_same_shape(&search->graph->values[node->inputs[0]].tensor,
                                        &search->graph->values[node->inputs[1]].tensor)
               ? KIND_SUM : KIND_OTHER;
}

/* What channel `c` of the input adds to every pixel of output `o`. NaN: not the same. */
static double contribution(const Channels *in, bool unpadded, const float *filter, int64_t taps,
                           int64_t c)
{
    double sum = 0;
    bool zeros = true;

    for (int64_t i = 0; i < taps; i++) {
        sum += filter[c * taps + i];
        zeros = zeros && filter[c * taps + i] == 0;
    }
    if (zeros || in->constant[c] == 0)
        return 0;
    return unpadded ? in->constant[c] * sum : NAN;
}

static void trace_conv(const Search *search, const NnNode *node)
{
    const NnTensor *w = &search->graph->values[node->inputs[1]].tensor;
    const float *bias = nn_conv_bias(search->graph, node);
    const Channels *in = of_input(search, node, 0), *out = &search->channels[node->outputs[0]];
    bool unpadded = nn_conv_is_unpadded(node);
    int64_t row = nn_tensor_elements(w) / w->dims[0], taps = row / in->n;

    for (int64_t o = 0; o < out->n; o++) {
        double sum = bias ? bias[o] : 0;

        for (int64_t c = 0; c < in->n && !isnan(sum); c++)
            sum += contribution(in, unpadded, (const float *)w->data + o * row, taps, c);
        out->constant[o] = (float)sum;
    }
}

static void trace_same(const Search *search, const NnNode *node)
{
    NnActivation activation = nn_activation_of(search->graph, node);
    const Channels *in = of_input(search, node, 0), *out = &search->channels[node->outputs[0]];

    nn_f32_activation__c(&activation, in->constant, out->constant, out->n);
}

/* Which channels are constant, in the order of the nodes. */
static void trace(const Search *search, const NnNode *node)
{
    const Channels *out;
    int64_t at = 0;

    switch (kind_of(search, node)) {
    case KIND_CONV:
        trace_conv(search, node);
        break;
    case KIND_SAME:
        trace_same(search, node);
        break;
    case KIND_CONCAT:
        out = &search->channels[node->outputs[0]];
        for (size_t i = 0; i < node->n_inputs; i++) {
            const Channels *in = of_input(search, node, i);

            memcpy(out->constant + at, in->constant, (size_t)in->n * sizeof(in->constant[0]));
            at += in->n;
        }
        break;
    case KIND_SUM:
        out = &search->channels[node->outputs[0]];
        for (int64_t c = 0; c < out->n; c++)
            out->constant[c] = of_input(search, node, 0)->constant[c] +
                               of_input(search, node, 1)->constant[c];
        break;
    case KIND_OTHER:
        break;
    }
}

static void keep(Search *search, bool *gone)
{
    search->changed = search->changed || *gone;
    *gone = false;
}

/* Both or neither. */
static void tie(Search *search, bool *a, bool *b)
{
    if (!*a || !*b) {
        keep(search, a);
        keep(search, b);
    }
}

static void keep_all(Search *search, Channels *channels)
{
    for (int64_t c = 0; c < channels->n; c++)
        keep(search, &channels->gone[c]);
}

/* No tensor without a channel. */
static void keep_one(Search *search, Channels *channels)
{
    for (int64_t c = 0; c < channels->n; c++)
        if (!channels->gone[c])
            return;
    keep(search, &channels->gone[0]);
}

static void restrain_concat(Search *search, const NnNode *node)
{
    Channels *out = &search->channels[node->outputs[0]];
    int64_t at = 0;

    for (size_t i = 0; i < node->n_inputs; i++) {
        Channels *in = of_input(search, node, i);

        for (int64_t c = 0; c < in->n; c++)
            tie(search, &in->gone[c], &out->gone[at + c]);
        keep_one(search, in);
        at += in->n;
    }
}

/* Takes back what this node cannot do without. */
static void restrain(Search *search, const NnNode *node)
{
    Kind kind = kind_of(search, node);
    Channels *in = kind == KIND_OTHER ? NULL : of_input(search, node, 0);
    Channels *out = kind == KIND_OTHER ? NULL : &search->channels[node->outputs[0]];

    switch (kind) {
    case KIND_CONV:
        for (int64_t c = 0; c < in->n && !nn_conv_is_unpadded(node); c++)
            if (in->constant[c] != 0)
                keep(search, &in->gone[c]);
        keep_one(search, in);
        keep_one(search, out);
        break;
    case KIND_SUM:
        for (int64_t c = 0; c < out->n; c++) {
            tie(search, &in->gone[c], &out->gone[c]);
            tie(search, &of_input(search, node, 1)->gone[c], &out->gone[c]);
        }
        break;
    case KIND_SAME:
        for (int64_t c = 0; c < out->n; c++)
            tie(search, &in->gone[c], &out->gone[c]);
        break;
    case KIND_CONCAT:
        restrain_concat(search, node);
        break;
    case KIND_OTHER:
        for (size_t i = 0; i < node->n_inputs; i++)
            if (node->inputs[i] != NN_NO_VALUE)
                keep_all(search, of_input(search, node, i));
        for (size_t i = 0; i < node->n_outputs; i++)
            if (node->outputs[i] != NN_NO_VALUE)
                keep_all(search, &search->channels[node->outputs[i]]);
        break;
    }
}

/* The largest set of channels that all nodes can do without. */
static void settle(Search *search)
{
    const NnGraph *graph = search->graph;

    for (size_t i = 0; i < graph->n_values; i++)
        for (int64_t c = 0; c < search->channels[i].n; c++)
            search->channels[i].gone[c] = !isnan(search->channels[i].constant[c]);
    for (size_t i = 0; i < graph->n_outputs; i++)
        keep_all(search, &search->channels[graph->outputs[i]]);
    do {
        search->changed = false;
        for (size_t i = graph->n_nodes; i-- > 0;)
            restrain(search, &graph->nodes[i]);
    } while (search->changed);
}

static int64_t count_kept(const Channels *channels)
{
    int64_t n = 0;

    for (int64_t c = 0; c < channels->n; c++)
        n += !channels->gone[c];
    return n;
}

/* One filter without the taps of channels that are gone; returns what goes into the
 * bias. `ret` moves on. */
static double shrink_filter(const Channels *in, const float *filter, int64_t taps, float **ret)
{
    double sum = 0;

    for (int64_t c = 0; c < in->n; c++) {
        if (in->gone[c]) {
            sum += contribution(in, true, filter, taps, c);
            continue;
        }
        memcpy(*ret, filter + c * taps, (size_t)taps * sizeof(filter[0]));
        *ret += taps;
    }
    return sum;
}

static int shrink_conv(const Search *search, NnNode *node)
{
    NnGraph *graph = search->graph;
    const NnTensor *w = &graph->values[node->inputs[1]].tensor;
    const float *old = nn_conv_bias(graph, node);
    const Channels *in = of_input(search, node, 0), *out = &search->channels[node->outputs[0]];
    int64_t n_in = count_kept(in), n_out = count_kept(out);
    int64_t row = nn_tensor_elements(w) / w->dims[0], taps = row / in->n;
    NnTensor weights = *w, bias = { .dtype = NN_DTYPE_F32, .rank = 1, .dims = { n_out } };
    float *filters, *sums;

    if (n_in == in->n && n_out == out->n)
        return 0;
    weights.dims[0] = n_out;
    weights.dims[1] = n_in;
    weights.data = filters = malloc((size_t)(n_out * n_in * taps) * sizeof(filters[0]));
    bias.data = sums = malloc((size_t)n_out * sizeof(sums[0]));
    if (!filters || !sums) {
        free(filters);
        free(sums);
        return -ENOMEM;
    }
    for (int64_t o = 0; o < out->n; o++)
        if (!out->gone[o])
            *sums++ = (float)((old ? old[o] : 0) +
                              shrink_filter(in, (const float *)w->data + o * row, taps, &filters));
    return nn_conv_set_weights(graph, node, &weights, &bias);
}

int nn_pass_channels(NnGraph *graph)
{
    _cleanup_(search_clear) Search search = { .graph = graph };
    size_t n_values = graph->n_values;
    int r;

    r = search_init(&search);
    if (r < 0)
        return r;
    for (size_t i = 0; i < graph->n_nodes; i++)
        trace(&search, &graph->nodes[i]);
    settle(&search);
    for (size_t i = 0; r >= 0 && i < graph->n_nodes; i++)
        if (kind_of(&search, &graph->nodes[i]) == KIND_CONV)
            r = shrink_conv(&search, &graph->nodes[i]);
    for (size_t i = 0; r >= 0 && i < n_values; i++)
        if (search.channels[i].n > 0)
            graph->values[i].tensor.dims[1] = count_kept(&search.channels[i]);
    return r;
}
