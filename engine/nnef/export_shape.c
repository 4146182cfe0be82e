/* SPDX-License-Identifier: Apache-2.0 */

/* Operations that move elements, and those along axes: reshape to softmax. */

#include "nnef/export.h"
#include "ops/support.h"

static bool in_range(int64_t axis, int rank)
{
    return axis >= -rank && axis < rank;
}

/* "    y = op(x", ready for the attributes. */
static FILE *begin(NnExport *export, const NnNode *node, const char *operation)
{
    const char *x = nn_export_operand(export, node->inputs[0]);

    fprintf(export->body.file, "    %s = %s(%s", nn_export_result(export, node->outputs[0]),
            operation, x);
    return export->body.file;
}

bool nn_export_reshape(NnExport *export, const NnNode *node, const char *operation)
{
    const NnTensor *out = nn_export_output(export, node, 0);
    FILE *file = begin(export, node, operation);

    fputs(", shape = ", file);
    nn_export_ints(file, out->dims, out->rank);
    fputs(");\n", file);
    return true;
}

/* Squeeze and Unsqueeze: their axes count in the tensor that has them. */
bool nn_export_squeeze(NnExport *export, const NnNode *node, const char *operation)
{
    const NnTensor *in = nn_export_input(export, node, 0), *out = nn_export_output(export, node, 0);
    int rank = NN_MAX(in->rank, out->rank);
    int64_t given[NN_RANK_MAX], axes[NN_RANK_MAX];
    bool selected[NN_RANK_MAX] = { false }, stated;
    size_t n, n_axes = 0;
    FILE *file;

    if (!nn_export_list(export, node, "axes", 12, 1, given, NN_RANK_MAX, &n, &stated))
        return false;
    for (size_t i = 0; i < n; i++) {
        if (!in_range(given[i], rank))
            return false;
        selected[given[i] < 0 ? given[i] + rank : given[i]] = true;
    }
    for (int i = 0; i < rank; i++)
        if (stated ? selected[i] : in->dims[i] == 1)
            axes[n_axes++] = i;
    file = begin(export, node, operation);
    fputs(", axes = ", file);
    nn_export_ints(file, axes, n_axes);
    fputs(");\n", file);
    return true;
}

bool nn_export_transpose(NnExport *export, const NnNode *node, const char *operation)
{
    int rank = nn_export_input(export, node, 0)->rank;
    int64_t axes[NN_RANK_MAX];
    size_t n;
    FILE *file;

    if (nn_node_ints(node, "perm", axes, NN_RANK_MAX, &n, NULL) < 0)
        return false;
    for (int i = 0; n == 0 && i < rank; i++)
        axes[i] = rank - 1 - i;
    file = begin(export, node, operation);
    fputs(", axes = ", file);
    nn_export_ints(file, axes, rank);
    fputs(");\n", file);
    return true;
}

bool nn_export_concat(NnExport *export, const NnNode *node, const char *operation)
{
    int rank = nn_export_output(export, node, 0)->rank;
    int64_t axis = nn_export_int(node, "axis", 1);
    FILE *file = export->body.file;

    for (size_t i = 0; i < node->n_inputs; i++)
        if (!nn_export_input(export, node, i) ||
            nn_tensor_elements(nn_export_input(export, node, i)) == 0)
            return false;
    for (size_t i = 0; i < node->n_inputs; i++)
        nn_export_operand(export, node->inputs[i]);
    fprintf(file, "    %s = %s([", nn_export_result(export, node->outputs[0]), operation);
    for (size_t i = 0; i < node->n_inputs; i++)
        fprintf(file, "%s%s", i ? ", " : "", nn_export_operand(export, node->inputs[i]));
    fprintf(file, "], axis = %lld);\n", (long long)(axis < 0 ? axis + rank : axis));
    return true;
}

/* The sizes are ratios of their sum. */
bool nn_export_split(NnExport *export, const NnNode *node, const char *operation)
{
    int rank = nn_export_input(export, node, 0)->rank;
    int64_t axis = nn_export_int(node, "axis", 0);
    FILE *file = export->body.file;
    const char *x;

    axis = axis < 0 ? axis + rank : axis;
    for (size_t i = 0; i < node->n_outputs; i++)
        if (!nn_export_output(export, node, i))
            return false;
    x = nn_export_operand(export, node->inputs[0]);
    for (size_t i = 0; i < node->n_outputs; i++)
        fprintf(file, "%s%s", i ? ", " : "    [", nn_export_result(export, node->outputs[i]));
    fprintf(file, "] = %s(%s, axis = %lld, ratios = [", operation, x, (long long)axis);
    for (size_t i = 0; i < node->n_outputs; i++)
        fprintf(file, "%s%lld", i ? ", " : "",
                (long long)nn_export_output(export, node, i)->dims[axis]);
    fputs("]);\n", file);
    return true;
}

typedef struct Slice {
    int64_t axes[NN_RANK_MAX], begin[NN_RANK_MAX], end[NN_RANK_MAX], stride[NN_RANK_MAX];
    size_t n;
} Slice;

static int64_t clamp(int64_t i, int64_t dim)
{
    if (i < 0)
        i = i < -dim ? 0 : i + dim;
    return NN_MIN(i, dim);
}

/* Axes and bounds as they count: from the front, within the dims. */
static bool read_slice(const NnExport *export, const NnNode *node, Slice *slice)
{
    const NnTensor *in = nn_export_input(export, node, 0);
    size_t n_end, n_axes, n_steps;
    bool given;

    if (!nn_export_list(export, node, "starts", 9, 1, slice->begin, NN_RANK_MAX, &slice->n,
                        &given) ||
        !nn_export_list(export, node, "ends", 9, 2, slice->end, NN_RANK_MAX, &n_end, &given) ||
        !nn_export_list(export, node, "axes", 9, 3, slice->axes, NN_RANK_MAX, &n_axes, &given) ||
        !nn_export_list(export, node, "steps", 9, 4, slice->stride, NN_RANK_MAX, &n_steps, &given))
        return false;
    if (slice->n == 0)
        return false;
    for (size_t i = 0; i < slice->n; i++) {
        int64_t axis = n_axes ? slice->axes[i] : (int64_t)i;

        if (!in_range(axis, in->rank) || (n_steps && slice->stride[i] < 1))
            return false;
        slice->axes[i] = axis < 0 ? axis + in->rank : axis;
        slice->stride[i] = n_steps ? slice->stride[i] : 1;
        slice->begin[i] = clamp(slice->begin[i], in->dims[slice->axes[i]]);
        slice->end[i] = clamp(slice->end[i], in->dims[slice->axes[i]]);
    }
    return true;
}

bool nn_export_slice(NnExport *export, const NnNode *node, const char *operation)
{
    bool strided = false;
    Slice slice;
    FILE *file;

    if (!read_slice(export, node, &slice))
        return false;
    for (size_t i = 0; i < slice.n; i++)
        strided = strided || slice.stride[i] != 1;
    file = begin(export, node, operation);
    fputs(", axes = ", file);
    nn_export_ints(file, slice.axes, slice.n);
    fputs(", begin = ", file);
    nn_export_ints(file, slice.begin, slice.n);
    fputs(", end = ", file);
    nn_export_ints(file, slice.end, slice.n);
    if (strided) {
        fputs(", stride = ", file);
        nn_export_ints(file, slice.stride, slice.n);
    }
    fputs(");\n", file);
    return true;
}

/* Tile, and Expand: dimensions of 1 repeated. */
bool nn_export_tile(NnExport *export, const NnNode *node, const char *operation)
{
    const NnTensor *in = nn_export_input(export, node, 0), *out = nn_export_output(export, node, 0);
    int64_t repeats[NN_RANK_MAX];
    const char *x;

    if (out->rank == 0)
        return false;
    for (int i = 0; i < out->rank; i++) {
        int from = i - (out->rank - in->rank);

        repeats[i] = out->dims[i] / (from < 0 ? 1 : in->dims[from]);
    }
    x = nn_export_operand_rank(export, node->inputs[0], out->rank);
    fprintf(export->body.file, "    %s = %s(%s, repeats = ",
            nn_export_result(export, node->outputs[0]), operation, x);
    nn_export_ints(export->body.file, repeats, out->rank);
    fputs(");\n", export->body.file);
    return true;
}

/* The value that fills, where a literal can say it. */
static bool fill_value(const NnExport *export, const NnNode *node, float *ret)
{
    const NnTensor *value = nn_export_input(export, node, 2);
    double exact;

    *ret = nn_export_scalar(node, "value", 0);
    if (node->opset < 11 || !value)
        return true;
    if (!export->graph->values[node->inputs[2]].constant || nn_tensor_elements(value) != 1 ||
        value->dtype == NN_DTYPE_F16)
        return false;
    exact = nn_load_float(value, 0);
    *ret = (float)exact;
    return (double)*ret == exact;
}

static const char *border(const NnNode *node)
{
    const char *mode = nn_export_text(node, "mode", "constant");

    if (strcmp(mode, "edge") == 0)
        return "replicate";
    return strcmp(mode, "constant") == 0 || strcmp(mode, "reflect") == 0 ? mode : NULL;
}

bool nn_export_pad(NnExport *export, const NnNode *node, const char *operation)
{
    int rank = nn_export_input(export, node, 0)->rank;
    int64_t pads[2 * NN_RANK_MAX];
    const char *mode = border(node);
    float value;
    bool given;
    size_t n;
    FILE *file;

    if (!mode || nn_export_input(export, node, 3) || !fill_value(export, node, &value) ||
        !nn_export_list(export, node, "pads", 10, 1, pads, 2 * NN_RANK_MAX, &n, &given) ||
        n != 2 * (size_t)rank || n == 0)
        return false;
    for (size_t i = 0; i < n; i++)
        if (pads[i] < 0)
            return false;
    file = begin(export, node, operation);
    for (int i = 0; i < rank; i++)
        fprintf(file, "%s(%lld, %lld)", i ? ", " : ", padding = [", (long long)pads[i],
                (long long)pads[rank + i]);
    fprintf(file, "], border = '%s', value = ", mode);
    nn_export_float(file, value);
    fputs(");\n", file);
    return true;
}

/* The reduction with its dimensions kept, squeezed after it where they are not. */
static void write_reduction(NnExport *export, const NnNode *node, const char *operation,
                            const int64_t *axes, size_t n)
{
    const char *result = nn_export_result(export, node->outputs[0]), *kept = result;
    const char *x = nn_export_operand(export, node->inputs[0]);
    bool keep = nn_export_int(node, "keepdims", 1);

    if (!keep)
        kept = nn_export_identifier(export, result);
    fprintf(export->body.file, "    %s = %s(%s, axes = ", kept, operation, x);
    nn_export_ints(export->body.file, axes, n);
    fputs(");\n", export->body.file);
    if (keep)
        return;
    fprintf(export->body.file, "    %s = squeeze(%s, axes = ", result, kept);
    nn_export_ints(export->body.file, axes, n);
    fputs(");\n", export->body.file);
}

bool nn_export_reduce(NnExport *export, const NnNode *node, const char *operation)
{
    int rank = nn_export_input(export, node, 0)->rank;
    int last_attribute = strcmp(node->op_type, "ReduceSum") == 0 ? 12 : 17;
    int64_t given[NN_RANK_MAX], axes[NN_RANK_MAX];
    bool selected[NN_RANK_MAX] = { false }, stated;
    size_t n, n_axes = 0;

    if (rank == 0 ||
        !nn_export_list(export, node, "axes", last_attribute, 1, given, NN_RANK_MAX, &n, &stated))
        return false;
    if (n == 0 && nn_export_int(node, "noop_with_empty_axes", 0))
        return false;
    for (size_t i = 0; i < n; i++) {
        if (!in_range(given[i], rank))
            return false;
        selected[given[i] < 0 ? given[i] + rank : given[i]] = true;
    }
    for (int i = 0; i < rank; i++)
        if (n == 0 || selected[i])
            axes[n_axes++] = i;
    write_reduction(export, node, operation, axes, n_axes);
    return true;
}

bool nn_export_arg_reduce(NnExport *export, const NnNode *node, const char *operation)
{
    int rank = nn_export_input(export, node, 0)->rank;
    int64_t axis = nn_export_int(node, "axis", 0);

    if (!in_range(axis, rank) || nn_export_int(node, "select_last_index", 0))
        return false;
    axis = axis < 0 ? axis + rank : axis;
    write_reduction(export, node, operation, &axis, 1);
    return true;
}

/* Before opset 13 it went over all axes from the given one on. */
bool nn_export_softmax(NnExport *export, const NnNode *node, const char *operation)
{
    const NnTensor *in = nn_export_input(export, node, 0);
    int64_t axis = nn_export_int(node, "axis", node->opset < 13 ? 1 : -1), axes[NN_RANK_MAX];
    size_t n = 0;
    FILE *file;

    if (!in_range(axis, in->rank))
        return false;
    axis = axis < 0 ? axis + in->rank : axis;
    for (int i = (int)axis; i < (node->opset < 13 ? in->rank : (int)axis + 1); i++)
        if (i == axis || in->dims[i] > 1)
            axes[n++] = i;
    file = begin(export, node, operation);
    fputs(", axes = ", file);
    nn_export_ints(file, axes, n);
    fputs(");\n", file);
    return true;
}
