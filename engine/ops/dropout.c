/* SPDX-License-Identifier: Apache-2.0 */

/* Dropout: gives its input on, but in training mode drops elements at random. */

#include "ops/copy.h"
#include "ops/random.h"

typedef struct DropoutParams {
    NnRandomSeed seed;
} DropoutParams;

static int dropout_prepare(const NnNode *node, void *params, NnError *error)
{
    DropoutParams *p = params;
    return nn_random_read_seed(node, &p->seed, error);
}

static int check_number(const NnCall *call, size_t input, unsigned types)
{
    const NnTensor *in = nn_input(call, input);
    if (in && nn_tensor_elements(in) != 1)
        return nn_error_set(call->error, -EBADMSG, "input %zu is not one value", input);
    return nn_check_dtype(call, input, types);
}

static int dropout_infer(const NnCall *call)
{
    const NnTensor *training = nn_input(call, 2);
    int r = nn_infer_same(call, NN_TYPES_ANY);
    if (r >= 0)
        r = check_number(call, 1, NN_TYPES_FLOAT | NN_BIT(NN_DTYPE_F16));
    if (r >= 0)
        r = check_number(call, 2, NN_TYPES_BOOL);
    if (r >= 0 && training && !(training->data && nn_load_int(training, 0) == 0)) {
        r = nn_check_dtype(call, 0, NN_TYPES_FLOAT);
        if (r >= 0)
            r = check_number(call, 1, NN_TYPES_FLOAT);
    }
    if (r < 0)
        return r;
    NnDtype mask = call->node->opset < 10 ? call->in[0]->dtype : NN_DTYPE_BOOL;
    return nn_set_output(call, 1, mask, call->in[0]->rank, call->in[0]->dims);
}

/* Keeps an element with a probability of 1-ratio, and makes it larger by as much. */
static int drop(const NnCall *call, double ratio)
{
    const DropoutParams *p = call->params;
    NnTensor *out = nn_output(call, 0), *mask = nn_output(call, 1);
    NnRandom random;
    if (!(ratio >= 0 && ratio < 1))
        return nn_error_set(call->error, -EDOM, "the ratio is %g, expected 0 to less than 1",
                            ratio);
    double factor = 1 / (1 - ratio);
    nn_random_start(&random, call->node, &p->seed);
    NN_SWITCH_FLOAT(call->in[0]->dtype, {
        for (int64_t i = 0; i < nn_tensor_elements(call->in[0]); i++) {
            bool keep = nn_random_uniform(&random) >= ratio;
            double x = (double)((const T *)call->in[0]->data)[i];
            if (out)
                ((T *)out->data)[i] = (T)(keep ? x * factor : 0);
            if (mask)
                ((uint8_t *)mask->data)[i] = keep;
        }
    })
    return 0;
}

static int dropout_run(const NnCall *call)
{
    const NnTensor *ratio = nn_input(call, 1), *training = nn_input(call, 2);
    NnTensor *out = nn_output(call, 0), *mask = nn_output(call, 1);
    if (training && nn_load_int(training, 0))
        return drop(call, ratio ? nn_load_float(ratio, 0) : 0.5);
    if (out)
        nn_copy_whole(call->in[0], out, call->pool);
    for (int64_t i = 0; mask && i < nn_tensor_elements(mask); i++)
        NN_SWITCH(mask->dtype, NN_CASES_FLOAT(((T *)mask->data)[i] = 1)
                  NN_CASES_SIGNED(((T *)mask->data)[i] = 1)
                  NN_CASES_UNSIGNED(((T *)mask->data)[i] = 1)
                  NN_CASE(NN_DTYPE_BOOL, uint8_t, ((T *)mask->data)[i] = 1)
                  NN_CASE(NN_DTYPE_F16, NnF16, ((T *)mask->data)[i] = 1))
    return 0;
}

const NnOp nn_op_dropout = {
    .type = "Dropout",
    .domain = "",
    .since = 7,
    .min_inputs = 1,
    .max_inputs = 3,
    .max_outputs = 2,
    .flags = NN_OP_IN_PLACE,
    .params_bytes = sizeof(DropoutParams),
    .prepare = dropout_prepare,
    .infer = dropout_infer,
    .run = dropout_run,
};
