/* SPDX-License-Identifier: Apache-2.0 */

/* Clip: bounds are attributes before opset 11 and inputs from then on. */

#include <float.h>

#include "kernels/kernels.h"
#include "ops/support.h"

typedef struct ClipParams {
    float low, high;
} ClipParams;

static int clip_prepare(const NnNode *node, void *params, NnError *error)
{
    ClipParams *p = params;
    p->low = -FLT_MAX;
    p->high = FLT_MAX;
    if (node->opset >= 11)
        return 0;
    int r = nn_node_float(node, "min", -FLT_MAX, &p->low, error);
    return r < 0 ? r : nn_node_float(node, "max", FLT_MAX, &p->high, error);
}

static int clip_infer(const NnCall *call)
{
    int r = nn_infer_same(call, NN_TYPES_NUMBER);
    if (r < 0)
        return r;
    for (size_t i = 1; i < NN_MIN(call->n_in, 3); i++) {
        r = nn_check_same_dtype(call, i);
        if (r < 0)
            return r;
        if (call->in[i] && nn_tensor_elements(call->in[i]) != 1)
            return nn_error_set(call->error, -EBADMSG, "input %zu is not one number", i);
    }
    return 0;
}

typedef struct ClipRange {
    const NnCall *call;
    NnActivation activation;
} ClipRange;

/* A bound that is absent is the first or last number of its type: no bound. */
static void clip_range(void *argument, int64_t begin, int64_t end, unsigned worker)
{
    const ClipRange *clip = argument;
    const NnCall *call = clip->call;
    const NnTensor *low = nn_input(call, 1), *high = nn_input(call, 2);
    (void)worker;
    if (call->in[0]->dtype == NN_DTYPE_F32 && call->kernels && call->kernels->f32_activation) {
        call->kernels->f32_activation(&clip->activation, (const float *)call->in[0]->data + begin,
                                      (float *)call->out[0]->data + begin, end - begin);
        return;
    }
    NN_SWITCH_NUMBER(call->in[0]->dtype, {
        const T *from = call->in[0]->data;
        T *to = call->out[0]->data;
        const bool is_float = _Generic((T)0, float: true, double: true, default: false);
        bool has_low = low || is_float, has_high = high || is_float;
        T a = low ? *(const T *)low->data : is_float ? (T)clip->activation.low : 0;
        T b = high ? *(const T *)high->data : is_float ? (T)clip->activation.high : 0;
        NN_INDEPENDENT for (int64_t i = begin; i < end; i++)
        {
            T x = from[i];
            x = has_low && x < a ? a : x;
            to[i] = has_high && x > b ? b : x;
        }
    })
}

static int clip_run(const NnCall *call)
{
    const ClipParams *p = call->params;
    const NnTensor *low = nn_input(call, 1), *high = nn_input(call, 2);
    bool f32 = call->in[0]->dtype == NN_DTYPE_F32;
    ClipRange clip = {
        .call = call,
        .activation = {
            .kind = NN_ACTIVATION_CLIP,
            .low = f32 && low ? *(const float *)low->data : p->low,
            .high = f32 && high ? *(const float *)high->data : p->high,
        },
    };
    nn_range_run(call->pool, nn_tensor_elements(call->in[0]), nn_grain(1), clip_range, &clip);
    return 0;
}

const NnOp nn_op_clip = {
    .type = "Clip",
    .domain = "",
    .since = 6,
    .min_inputs = 1,
    .max_inputs = 3,
    .max_outputs = 1,
    .flags = NN_OP_IN_PLACE | NN_OP_ELEMENTWISE,
    .params_bytes = sizeof(ClipParams),
    .prepare = clip_prepare,
    .infer = clip_infer,
    .run = clip_run,
};
