/* SPDX-License-Identifier: Apache-2.0 */

/* Channels-last pictures. Nodes are taken one after the other, in their order: a
 * convolution makes a picture [N,H,W,C], whose readers read it as it is when there is
 * an operator of ours for that, and so make pictures in turn. Where a value has to be
 * had the other way, a Transpose makes it, once. */

#include "ops/nhwc.h"
#include "passes/passes.h"

/* More channels than this come in faster transposed than plane by plane. */
#define PLANAR_MAX 4

typedef struct Layout {
    NnGraph *graph;         /* its nodes are those done so far */
    NnValueId *picture;     /* of each value of the pass's beginning: the same channels-last, or
                               NN_NO_VALUE */
    uint8_t *pending;       /* it is not there as the standard has it, yet */
    size_t n;
} Layout;

static const NnTensor *tensor_of(const Layout *layout, NnValueId id)
{
    return &layout->graph->values[id].tensor;
}

static bool is_picture(const Layout *layout, NnValueId id)
{
    return id != NN_NO_VALUE && (size_t)id < layout->n && layout->picture[id] != NN_NO_VALUE;
}

static bool is_fixed_f32(const Layout *layout, NnValueId id)
{
    const NnValue *value;

    if (id == NN_NO_VALUE)
        return false;
    value = &layout->graph->values[id];
    return value->inferred && !value->dynamic && value->tensor.dtype == NN_DTYPE_F32 &&
           value->tensor.rank == 4;
}

/* A value like `id` in the other order of dims. */
static int add_value(Layout *layout, NnValueId id, NnValueId *ret)
{
    NnTensor tensor = nn_nhwc_from_planar(tensor_of(layout, id));
    int r;

    r = nn_graph_add_value(layout->graph, layout->graph->values[id].name, ret);
    if (r < 0)
        return r;
    tensor.data = NULL;
    layout->graph->values[*ret].tensor = tensor;
    layout->graph->values[*ret].inferred = true;
    return 0;
}

/* An attribute of a node that is being built: all are integers. */
typedef struct Number {
    const char *name;
    int64_t i;
} Number;

static int set_attributes(NnNode *node, const Number *numbers, size_t n)
{
    node->attributes = calloc(NN_MAX(n, 1), sizeof(node->attributes[0]));
    if (!node->attributes)
        return -ENOMEM;
    for (size_t i = 0; i < n; i++) {
        node->attributes[i].type = NN_ATTRIBUTE_INT;
        node->attributes[i].i = numbers[i].i;
        node->attributes[i].name = strdup(numbers[i].name);
        node->n_attributes++;
        if (!node->attributes[i].name)
            return -ENOMEM;
    }
    return 0;
}

static int build(NnNode *node, const NnOp *op, const char *name, NnValueId in, NnValueId out)
{
    node->opset = op->since;
    node->name = strdup(name);
    node->op_type = strdup(op->type);
    node->domain = strdup(op->domain);
    node->inputs = malloc(sizeof(node->inputs[0]));
    node->outputs = malloc(sizeof(node->outputs[0]));
    if (!node->name || !node->op_type || !node->domain || !node->inputs || !node->outputs)
        return -ENOMEM;
    node->inputs[0] = in;
    node->outputs[0] = out;
    node->n_inputs = node->n_outputs = 1;
    return nn_node_set_op(node, op);
}

/* Appends a node with one input; takes the attributes from what `node` holds. */
static int append(Layout *layout, NnNode *node, const NnOp *op, const char *name, NnValueId in,
                  NnValueId out)
{
    int r;

    r = build(node, op, name, in, out);
    if (r >= 0 && op->prepare)
        r = op->prepare(node, node->params, NULL);
    if (r < 0) {
        nn_node_clear(node);
        return r;
    }
    return nn_graph_take_node(layout->graph, node);
}

static int append_transpose(Layout *layout, NnValueId in, NnValueId out, bool to_picture)
{
    static const int64_t perms[2][4] = { { 0, 3, 1, 2 }, { 0, 2, 3, 1 } };
    NnNode node = { .attributes = calloc(1, sizeof(NnAttribute)), .n_attributes = 1 };

    if (!node.attributes)
        return -ENOMEM;
    node.attributes[0] = (NnAttribute){
        .name = strdup("perm"),
        .type = NN_ATTRIBUTE_INTS,
        .n = 4,
        .ints = malloc(sizeof(perms[0])),
    };
    if (!node.attributes[0].name || !node.attributes[0].ints) {
        nn_node_clear(&node);
        return -ENOMEM;
    }
    memcpy(node.attributes[0].ints, perms[to_picture], sizeof(perms[0]));
    return append(layout, &node, &nn_op_transpose, layout->graph->values[out].name, in, out);
}

static int need_picture(Layout *layout, NnValueId id)
{
    NnValueId picture;
    int r;

    if (layout->picture[id] != NN_NO_VALUE)
        return 0;
    r = add_value(layout, id, &picture);
    if (r >= 0)
        r = append_transpose(layout, id, picture, true);
    if (r >= 0)
        layout->picture[id] = picture;
    return r;
}

static int need_standard(Layout *layout, NnValueId id)
{
    int r;

    if (id == NN_NO_VALUE || (size_t)id >= layout->n || !layout->pending[id])
        return 0;
    r = append_transpose(layout, layout->picture[id], id, false);
    if (r >= 0)
        layout->pending[id] = 0;
    return r;
}

/* Output 0 becomes a picture. */
static int make_picture(Layout *layout, NnNode *node, size_t output)
{
    NnValueId id = node->outputs[output], picture;
    int r;

    r = add_value(layout, id, &picture);
    if (r < 0)
        return r;
    layout->picture[id] = picture;
    layout->pending[id] = 1;
    node->outputs[output] = picture;
    return 0;
}

/* Another operator that finds its params in the same attributes, but for what passes
 * have fused. */
static int replace_op(NnNode *node, const NnOp *op)
{
    NnActivation activation = { 0 };
    bool residual = false;
    NnFused fused;
    int r;

    if (node->op->fused) {
        fused = node->op->fused(node->params);
        activation = *fused.activation;
        residual = *fused.residual;
    }
    r = nn_node_set_op(node, op);
    if (r >= 0 && op->prepare)
        r = op->prepare(node, node->params, NULL);
    if (r < 0 || !op->fused)
        return r;
    fused = op->fused(node->params);
    *fused.activation = activation;
    *fused.residual = residual;
    return 0;
}

static int take(Layout *layout, NnNode *node)
{
    return nn_graph_take_node(layout->graph, node);
}

/* Input `i` is read as a picture. */
static int read_picture(Layout *layout, NnNode *node, size_t i)
{
    int r;

    r = need_picture(layout, node->inputs[i]);
    if (r >= 0)
        node->inputs[i] = layout->picture[node->inputs[i]];
    return r;
}

/* Worth it only where a picture is there already. */
static bool is_depthwise(const Layout *layout, const NnNode *node)
{
    const NnConvParams *p = node->params;
    const NnTensor *w = tensor_of(layout, node->inputs[1]);

    return is_picture(layout, node->inputs[0]) && w->rank == 4 && w->dims[1] == 1 &&
           p->group == w->dims[0];
}

static bool takes_conv(const Layout *layout, const NnNode *node)
{
    const NnConvParams *p = node->params;
    const NnValue *w;

    if (node->op != &nn_op_conv)
        return false;
    w = &layout->graph->values[node->inputs[1]];
    if (!w->constant || !w->tensor.data || (p->group != 1 && !is_depthwise(layout, node)) ||
        !is_fixed_f32(layout, node->inputs[0]) || !is_fixed_f32(layout, node->outputs[0]))
        return false;
    return !p->residual || is_fixed_f32(layout, node->inputs[3]);
}

static int convert_conv(Layout *layout, NnNode *node)
{
    const NnConvParams *p = node->params;
    bool depthwise = p->group != 1;
    bool planar = !is_picture(layout, node->inputs[0]) && p->dilations[1] == 1 &&
                  tensor_of(layout, node->inputs[0])->dims[1] <= PLANAR_MAX;
    int r = 0;

    if (!planar)
        r = read_picture(layout, node, 0);
    if (r >= 0 && p->residual)
        r = read_picture(layout, node, 3);
    if (r >= 0)
        r = replace_op(node, depthwise ? &nn_op_nhwc_depthwise
                             : planar  ? &nn_op_nhwc_conv_planar
                                       : &nn_op_nhwc_conv);
    return r < 0 ? r : make_picture(layout, node, 0);
}

/* Operators of one input that have a counterpart here. */
static const NnOp *counterpart(const Layout *layout, const NnNode *node)
{
    if (!is_picture(layout, node->inputs[0]))
        return NULL;
    if (node->op == &nn_op_max_pool &&
        (node->n_outputs == 1 || node->outputs[1] == NN_NO_VALUE))
        return &nn_op_nhwc_max_pool;
    if (node->op == &nn_op_average_pool)
        return &nn_op_nhwc_average_pool;
    return node->op == &nn_op_global_average_pool ? &nn_op_nhwc_global_average_pool : NULL;
}

static int convert_counterpart(Layout *layout, NnNode *node)
{
    const NnOp *op = counterpart(layout, node);
    int r;

    r = read_picture(layout, node, 0);
    if (r >= 0)
        r = replace_op(node, op);
    if (r >= 0)
        node->n_outputs = 1;
    return r < 0 ? r : make_picture(layout, node, 0);
}

/* Elements keep their places: inputs have the shape of the output, or one element. */
static bool takes_elementwise(const Layout *layout, const NnNode *node)
{
    bool any = false;

    if (!(node->op->flags & NN_OP_ELEMENTWISE) || node->n_outputs != 1 ||
        layout->graph->values[node->outputs[0]].tensor.rank != 4)
        return false;
    for (size_t i = 0; i < node->n_inputs; i++) {
        NnValueId id = node->inputs[i];

        if (id == NN_NO_VALUE)
            continue;
        if (layout->graph->values[id].dynamic)
            return false;
        any = any || is_picture(layout, id);
        if (!is_picture(layout, id) && nn_tensor_elements(tensor_of(layout, id)) != 1 &&
            (!is_fixed_f32(layout, id) || layout->graph->values[id].constant))
            return false;
    }
    return any;
}

static int convert_elementwise(Layout *layout, NnNode *node)
{
    int r = 0;

    for (size_t i = 0; r >= 0 && i < node->n_inputs; i++)
        if (node->inputs[i] != NN_NO_VALUE &&
            (is_picture(layout, node->inputs[i]) ||
             nn_tensor_elements(tensor_of(layout, node->inputs[i])) != 1))
            r = read_picture(layout, node, i);
    return r < 0 ? r : make_picture(layout, node, 0);
}

/* The axis of Concat and Split is that of the channels. */
static bool is_over_channels(const NnNode *node)
{
    int64_t axis;

    return nn_node_int(node, "axis", 0, &axis, NULL) >= 0 && (axis == 1 || axis == -3);
}

static bool takes_concat(const Layout *layout, const NnNode *node)
{
    bool any = false;

    if (node->op != &nn_op_concat || !is_over_channels(node))
        return false;
    for (size_t i = 0; i < node->n_inputs; i++) {
        if (!is_fixed_f32(layout, node->inputs[i]) ||
            layout->graph->values[node->inputs[i]].constant)
            return false;
        any = any || is_picture(layout, node->inputs[i]);
    }
    return any;
}

static int convert_concat(Layout *layout, NnNode *node)
{
    int r = 0;

    for (size_t i = 0; r >= 0 && i < node->n_inputs; i++)
        r = read_picture(layout, node, i);
    if (r >= 0)
        r = replace_op(node, &nn_op_nhwc_concat);
    return r < 0 ? r : make_picture(layout, node, 0);
}

/* Appends what takes `channels` from `first` on of picture `in` for output `id`. */
static int append_slice(Layout *layout, const char *name, NnValueId in, NnValueId id,
                        int64_t first)
{
    Number numbers[] = { { "first", first }, { "channels", tensor_of(layout, id)->dims[1] } };
    NnNode slice = { 0 };
    NnValueId picture;
    int r;

    r = add_value(layout, id, &picture);
    if (r >= 0)
        r = set_attributes(&slice, numbers, NN_ARRAY_SIZE(numbers));
    if (r < 0) {
        nn_node_clear(&slice);
        return r;
    }
    r = append(layout, &slice, &nn_op_nhwc_slice, name, in, picture);
    if (r < 0)
        return r;
    layout->picture[id] = picture;
    layout->pending[id] = 1;
    return 0;
}

static bool takes_split(const Layout *layout, const NnNode *node)
{
    if (node->op != &nn_op_split || !is_over_channels(node) ||
        !is_picture(layout, node->inputs[0]))
        return false;
    for (size_t i = 0; i < node->n_outputs; i++)
        if (node->outputs[i] == NN_NO_VALUE || !is_fixed_f32(layout, node->outputs[i]) ||
            tensor_of(layout, node->outputs[i])->dims[1] == 0)
            return false;
    return true;
}

/* Done with the node on success. */
static int convert_split(Layout *layout, NnNode *node)
{
    NnValueId in = layout->picture[node->inputs[0]];
    int64_t first = 0;
    int r = 0;

    for (size_t i = 0; r >= 0 && i < node->n_outputs; i++) {
        r = append_slice(layout, node->name, in, node->outputs[i], first);
        first += tensor_of(layout, node->outputs[i])->dims[1];
    }
    nn_node_clear(node);
    return r;
}

static bool attribute_is(const NnNode *node, const char *name, const char *fallback,
                         const char *wanted)
{
    const char *value;

    return nn_node_string(node, name, fallback, &value, NULL) >= 0 && strcmp(value, wanted) == 0;
}

/* Nearest neighbours as exporters of Upsample write it: pixel x comes from pixel
 * x / factor, rounded down. */
static bool takes_upsample(const Layout *layout, const NnNode *node)
{
    const NnTensor *in, *out;

    if ((node->op != &nn_op_resize && node->op != &nn_op_upsample) ||
        !is_picture(layout, node->inputs[0]) || !is_fixed_f32(layout, node->outputs[0]) ||
        !attribute_is(node, "mode", "nearest", "nearest"))
        return false;
    if (node->op == &nn_op_resize && node->opset >= 11 &&
        (!attribute_is(node, "coordinate_transformation_mode", "half_pixel", "asymmetric") ||
         !attribute_is(node, "nearest_mode", "round_prefer_floor", "floor")))
        return false;
    in = tensor_of(layout, node->inputs[0]);
    out = tensor_of(layout, node->outputs[0]);
    for (int i = 0; i < 4; i++)
        if (in->dims[i] == 0 || out->dims[i] % in->dims[i] != 0 ||
            (i < 2 && in->dims[i] != out->dims[i]))
            return false;
    return true;
}

static int convert_upsample(Layout *layout, NnNode *node)
{
    const NnTensor *in = tensor_of(layout, node->inputs[0]),
                   *out = tensor_of(layout, node->outputs[0]);
    Number numbers[] = { { "height", out->dims[2] / in->dims[2] },
                         { "width", out->dims[3] / in->dims[3] } };
    NnNode upsample = { 0 };
    NnValueId id = node->outputs[0], picture;
    int r;

    r = add_value(layout, id, &picture);
    if (r >= 0)
        r = set_attributes(&upsample, numbers, NN_ARRAY_SIZE(numbers));
    if (r >= 0)
        r = append(layout, &upsample, &nn_op_nhwc_upsample, node->name,
                   layout->picture[node->inputs[0]], picture);
    else
        nn_node_clear(&upsample);
    if (r >= 0) {
        layout->picture[id] = picture;
        layout->pending[id] = 1;
    }
    nn_node_clear(node);
    return r;
}

static int leave(Layout *layout, NnNode *node)
{
    int r = 0;

    for (size_t i = 0; r >= 0 && i < node->n_inputs; i++)
        r = need_standard(layout, node->inputs[i]);
    return r;
}

/* Takes the node over. */
static int convert(Layout *layout, NnNode *node)
{
    int r;

    if (takes_split(layout, node))
        return convert_split(layout, node);
    if (takes_upsample(layout, node))
        return convert_upsample(layout, node);
    if (takes_conv(layout, node))
        r = convert_conv(layout, node);
    else if (takes_concat(layout, node))
        r = convert_concat(layout, node);
    else if (counterpart(layout, node))
        r = convert_counterpart(layout, node);
    else if (takes_elementwise(layout, node))
        r = convert_elementwise(layout, node);
    else
        r = leave(layout, node);
    if (r < 0) {
        nn_node_clear(node);
        return r;
    }
    return take(layout, node);
}

static int convert_all(Layout *layout, NnNode *nodes, size_t n)
{
    NnGraph *graph = layout->graph;
    int r = 0;

    for (size_t i = 0; i < n; i++) {
        if (r < 0 || nodes[i].removed)
            nn_node_clear(&nodes[i]);
        else
            r = convert(layout, &nodes[i]);
    }
    for (size_t i = 0; r >= 0 && i < graph->n_outputs; i++)
        r = need_standard(layout, graph->outputs[i]);
    return r;
}

int nn_pass_layout(NnGraph *graph)
{
    size_t n = NN_MAX(graph->n_values, 1), n_nodes = graph->n_nodes;
    _cleanup_free_ NnValueId *picture = malloc(n * sizeof(picture[0]));
    _cleanup_free_ uint8_t *pending = calloc(n, 1);
    _cleanup_free_ NnNode *nodes = NULL;
    Layout layout = { .graph = graph, .picture = picture, .pending = pending };

    if (!picture || !pending)
        return -ENOMEM;
    memset(picture, 0xff, n * sizeof(picture[0]));
    layout.n = graph->n_values;
    nodes = NN_TAKE(graph->nodes);
    graph->n_nodes = graph->nodes_capacity = 0;
    return convert_all(&layout, nodes, n_nodes);
}
