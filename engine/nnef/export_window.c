/* SPDX-License-Identifier: Apache-2.0 */

/* Operations over windows, and those that resize: conv to multilinear_upsample. */

#include "nnef/export.h"
#include "ops/support.h"

/* Two of the dimensions are batch and channel. */
#define SPATIAL_MAX (NN_RANK_MAX - 2)

typedef struct Window {
    int spatial;
    int64_t kernel[SPATIAL_MAX], strides[SPATIAL_MAX], dilations[SPATIAL_MAX];
    int64_t before[SPATIAL_MAX], after[SPATIAL_MAX];
} Window;

static bool read_list(const NnNode *node, const char *name, int spatial, int64_t *ret)
{
    size_t n;

    for (int i = 0; i < spatial; i++)
        ret[i] = 1;
    return nn_node_ints(node, name, ret, spatial, &n, NULL) >= 0 &&
           (n == 0 || n == (size_t)spatial);
}

/* Kernel, strides, dilations, and pads where the node states them. */
static bool read_window(const NnNode *node, int rank, const int64_t *kernel, Window *window)
{
    int64_t pads[2 * SPATIAL_MAX] = { 0 };
    size_t n;

    *window = (Window){ .spatial = rank - 2 };
    if (rank < 3 || !read_list(node, "strides", rank - 2, window->strides) ||
        !read_list(node, "dilations", rank - 2, window->dilations))
        return false;
    if (kernel)
        memcpy(window->kernel, kernel, window->spatial * sizeof(kernel[0]));
    else if (!read_list(node, "kernel_shape", rank - 2, window->kernel))
        return false;
    if (nn_node_ints(node, "pads", pads, NN_ARRAY_SIZE(pads), &n, NULL) < 0 ||
        (n != 0 && n != 2 * (size_t)window->spatial))
        return false;
    for (int i = 0; n && i < window->spatial; i++) {
        window->before[i] = pads[i];
        window->after[i] = pads[window->spatial + i];
    }
    return true;
}

static int64_t extent(const Window *window, int i)
{
    return (window->kernel[i] - 1) * window->dilations[i] + 1;
}

/* Pads that auto_pad or ceil_mode choose, from the dims of both ends. */
static bool complete_pads(const NnNode *node, const NnTensor *in, const NnTensor *out,
                          Window *window)
{
    const char *mode = nn_export_text(node, "auto_pad", "NOTSET");
    bool upper = strcmp(mode, "SAME_UPPER") == 0, lower = strcmp(mode, "SAME_LOWER") == 0;

    for (int i = 0; i < window->spatial; i++) {
        int64_t last = (out->dims[2 + i] - 1) * window->strides[i];
        int64_t total = last + extent(window, i) - in->dims[2 + i];

        if (upper || lower) {
            total = NN_MAX(total, 0);
            window->before[i] = upper ? total / 2 : total - total / 2;
            window->after[i] = total - window->before[i];
        } else if (strcmp(mode, "NOTSET") != 0) {
            window->before[i] = window->after[i] = 0;
        }
        window->after[i] = NN_MAX(window->after[i], total - window->before[i]);
        /* A window that lies wholly behind the input means something else everywhere. */
        if (last - window->before[i] >= in->dims[2 + i])
            return false;
    }
    return true;
}

static void write_padding(FILE *file, const Window *window, int leading)
{
    fputs(", padding = [", file);
    for (int i = 0; i < leading; i++)
        fputs("(0, 0), ", file);
    for (int i = 0; i < window->spatial; i++)
        fprintf(file, "%s(%lld, %lld)", i ? ", " : "", (long long)window->before[i],
                (long long)window->after[i]);
    fputc(']', file);
}

/* `leading` ones stand for batch and channel where the operation wants them. */
static void write_ints(FILE *file, const char *name, const Window *window, const int64_t *values,
                       int leading)
{
    int64_t all[NN_RANK_MAX] = { 1, 1 };

    memcpy(all + leading, values, window->spatial * sizeof(values[0]));
    fprintf(file, ", %s = ", name);
    nn_export_ints(file, all, window->spatial + leading);
}

static bool bias_allows(const NnExport *export, const NnNode *node)
{
    const NnTensor *bias = nn_export_input(export, node, 2);

    return !bias || bias->rank == 1;
}

/* Up to the bias. */
static void begin_conv(NnExport *export, const NnNode *node, const char *operation)
{
    const char *x = nn_export_operand(export, node->inputs[0]);
    const char *filter = nn_export_operand(export, node->inputs[1]), *bias = NULL;

    if (nn_export_input(export, node, 2))
        bias = nn_export_operand_rank(export, node->inputs[2], 2);
    fprintf(export->body.file, "    %s = %s(%s, %s%s%s, border = 'constant'",
            nn_export_result(export, node->outputs[0]), operation, x, filter, bias ? ", " : "",
            bias ? bias : "");
}

static void end_conv(FILE *file, const NnNode *node, const Window *window)
{
    write_padding(file, window, 0);
    write_ints(file, "stride", window, window->strides, 0);
    write_ints(file, "dilation", window, window->dilations, 0);
    fprintf(file, ", groups = %lld);\n", (long long)nn_export_int(node, "group", 1));
}

bool nn_export_conv(NnExport *export, const NnNode *node, const char *operation)
{
    const NnTensor *in = nn_export_input(export, node, 0), *w = nn_export_input(export, node, 1);
    const NnTensor *out = nn_export_output(export, node, 0);
    Window window;

    if (!bias_allows(export, node) || w->rank != in->rank ||
        !read_window(node, in->rank, w->dims + 2, &window) ||
        !complete_pads(node, in, out, &window))
        return false;
    begin_conv(export, node, operation);
    end_conv(export->body.file, node, &window);
    return true;
}

bool nn_export_deconv(NnExport *export, const NnNode *node, const char *operation)
{
    const NnTensor *in = nn_export_input(export, node, 0), *w = nn_export_input(export, node, 1);
    const NnTensor *out = nn_export_output(export, node, 0);
    bool stated = false;
    Window window;

    if (!bias_allows(export, node) || w->rank != in->rank ||
        !read_window(node, in->rank, w->dims + 2, &window))
        return false;
    if (strcmp(nn_export_text(node, "auto_pad", "NOTSET"), "NOTSET") != 0 ||
        nn_node_attribute(node, "output_shape"))
        return false;
    /* output_padding: the shape is stated, the operation goes through to it. */
    for (int i = 0; i < window.spatial; i++) {
        int64_t more = out->dims[2 + i] + window.before[i] + window.after[i] -
                       (in->dims[2 + i] - 1) * window.strides[i] - extent(&window, i);

        if (more < 0 || more >= window.strides[i])
            return false;
        stated = stated || more > 0;
    }
    begin_conv(export, node, operation);
    if (stated) {
        fputs(", output_shape = ", export->body.file);
        nn_export_ints(export->body.file, out->dims, out->rank);
    }
    end_conv(export->body.file, node, &window);
    return true;
}

bool nn_export_pool(NnExport *export, const NnNode *node, const char *operation)
{
    const NnTensor *in = nn_export_input(export, node, 0), *out = nn_export_output(export, node, 0);
    bool average = strcmp(node->op_type, "AveragePool") == 0;
    bool include = average && nn_export_int(node, "count_include_pad", 0);
    FILE *file = export->body.file;
    Window window, stated;
    const char *x;

    if (nn_export_output(export, node, 1) || !read_window(node, in->rank, NULL, &window))
        return false;
    stated = window;
    if (!complete_pads(node, in, out, &window))
        return false;
    /* What ceil_mode adds counts as nothing in ONNX, as padding in NNEF. */
    if (include && nn_export_int(node, "ceil_mode", 0) &&
        memcmp(&stated, &window, sizeof(window)) != 0)
        return false;
    x = nn_export_operand(export, node->inputs[0]);
    fprintf(file, "    %s = %s(%s", nn_export_result(export, node->outputs[0]), operation, x);
    write_ints(file, "size", &window, window.kernel, 2);
    fprintf(file, ", border = '%s'", include ? "constant" : "ignore");
    write_padding(file, &window, 2);
    write_ints(file, "stride", &window, window.strides, 2);
    write_ints(file, "dilation", &window, window.dilations, 2);
    fputs(");\n", file);
    return true;
}

bool nn_export_global_pool(NnExport *export, const NnNode *node, const char *operation)
{
    const NnTensor *in = nn_export_input(export, node, 0);
    const char *x = nn_export_operand(export, node->inputs[0]);
    int64_t axes[NN_RANK_MAX];

    for (int i = 2; i < in->rank; i++)
        axes[i - 2] = i;
    fprintf(export->body.file, "    %s = %s(%s, axes = ",
            nn_export_result(export, node->outputs[0]), operation, x);
    nn_export_ints(export->body.file, axes, in->rank - 2);
    fputs(");\n", export->body.file);
    return true;
}

bool nn_export_lrn(NnExport *export, const NnNode *node, const char *operation)
{
    const NnTensor *in = nn_export_input(export, node, 0);
    int64_t size[NN_RANK_MAX];
    FILE *file = export->body.file;
    const char *x;

    if (in->rank < 2)
        return false;
    for (int i = 0; i < in->rank; i++)
        size[i] = i == 1 ? nn_export_int(node, "size", 1) : 1;
    x = nn_export_operand(export, node->inputs[0]);
    fprintf(file, "    %s = %s(%s, size = ", nn_export_result(export, node->outputs[0]), operation,
            x);
    nn_export_ints(file, size, in->rank);
    fputs(", alpha = ", file);
    nn_export_float(file, nn_export_scalar(node, "alpha", 1e-4f));
    fputs(", beta = ", file);
    nn_export_float(file, nn_export_scalar(node, "beta", 0.75f));
    fputs(", bias = ", file);
    nn_export_float(file, nn_export_scalar(node, "bias", 1));
    fputs(");\n", file);
    return true;
}

/* The scales that the node states; false when they are not these factors. */
static bool scales_are(const NnExport *export, const NnNode *node, const int64_t *factors, int rank)
{
    bool upsample = strcmp(node->op_type, "Upsample") == 0;
    const NnAttribute *a = upsample ? nn_node_attribute(node, "scales") : NULL;
    size_t input = upsample || node->opset < 11 ? 1 : 2;
    const NnTensor *scales = nn_export_input(export, node, input);

    if (a)
        for (size_t i = 0; i < a->n && a->type == NN_ATTRIBUTE_FLOATS; i++)
            if (i >= (size_t)rank || a->floats[i] != (float)factors[i])
                return false;
    if (!scales || nn_tensor_elements(scales) == 0)
        return true;
    if (!export->graph->values[node->inputs[input]].constant || scales->dtype != NN_DTYPE_F32 ||
        nn_tensor_elements(scales) != rank)
        return false;
    for (int i = 0; i < rank; i++)
        if (((const float *)scales->data)[i] != (float)factors[i])
            return false;
    return true;
}

/* NULL when no operation takes elements at these places. */
static const char *upsample_operation(const NnNode *node, const char **ret_method)
{
    bool old = node->opset < 11 || strcmp(node->op_type, "Upsample") == 0;
    const char *mode = nn_export_text(node, "mode", "nearest");
    const char *at = old ? "asymmetric"
                         : nn_export_text(node, "coordinate_transformation_mode", "half_pixel");
    const char *rounding = old ? "floor"
                               : nn_export_text(node, "nearest_mode", "round_prefer_floor");
    bool half = strcmp(at, "half_pixel") == 0 || strcmp(at, "pytorch_half_pixel") == 0;
    bool asymmetric = strcmp(at, "asymmetric") == 0;

    *ret_method = NULL;
    if (strcmp(mode, "nearest") == 0)
        return (asymmetric && strcmp(rounding, "floor") == 0) ||
                       (half && strncmp(rounding, "round", 5) == 0)
                   ? "nearest_upsample"
                   : NULL;
    if (strcmp(mode, "linear") != 0 && strcmp(mode, "bilinear") != 0)
        return NULL;
    *ret_method = half         ? "symmetric"
                  : asymmetric ? "asymmetric"
                  : strcmp(at, "align_corners") == 0 ? "aligned"
                                                     : NULL;
    return *ret_method ? "multilinear_upsample" : NULL;
}

bool nn_export_resize(NnExport *export, const NnNode *node, const char *operation)
{
    const NnTensor *in = nn_export_input(export, node, 0), *out = nn_export_output(export, node, 0);
    const char *method, *x;
    int64_t factors[NN_RANK_MAX];

    operation = upsample_operation(node, &method);
    if (!operation || in->rank < 3 || nn_export_int(node, "exclude_outside", 0) ||
        nn_node_attribute(node, "axes") ||
        strcmp(nn_export_text(node, "keep_aspect_ratio_policy", "stretch"), "stretch") != 0)
        return false;
    for (int i = 0; i < in->rank; i++) {
        factors[i] = out->dims[i] / in->dims[i];
        if (factors[i] * in->dims[i] != out->dims[i] || (i < 2 && factors[i] != 1))
            return false;
    }
    if (!scales_are(export, node, factors, in->rank))
        return false;
    x = nn_export_operand(export, node->inputs[0]);
    fprintf(export->body.file, "    %s = %s(%s, factor = ",
            nn_export_result(export, node->outputs[0]), operation, x);
    nn_export_ints(export->body.file, factors + 2, in->rank - 2);
    if (method)
        fprintf(export->body.file, ", method = '%s', border = 'replicate'", method);
    fputs(");\n", export->body.file);
    return true;
}
