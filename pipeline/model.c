/* SPDX-License-Identifier: Apache-2.0 */
#include "model.h"
#include "engine/base/util.h"

NN_DEFINE_CLEANUP(LprModel, lpr_model_free)

static const char *metadata_of(const void *userdata, const char *key)
{
    return nn_model_metadata(userdata, key);
}

static int read_contract(LprModel *model, const char *task, NnError *error)
{
    size_t n = nn_model_n_outputs(model->model);
    if (nn_model_n_inputs(model->model) != 1 || n > LPR_OUTPUTS_MAX)
        return nn_error_set(error, -EBADMSG,
                            "the model has %zu inputs and %zu outputs where 1 and at most %d are "
                            "needed",
                            nn_model_n_inputs(model->model), n, LPR_OUTPUTS_MAX);
    const NnTensor *outputs[LPR_OUTPUTS_MAX];
    for (size_t i = 0; i < n; i++)
        outputs[i] = nn_model_output(model->model, i);
    LprShapes shapes = {nn_model_input(model->model, 0), outputs, n};
    return lpr_contract_read(task, metadata_of, model->model, &shapes, &model->contract, error);
}

int lpr_model_load(NnContext *context, const char *path, const char *cache, const char *task,
                   LprModel **ret_model, NnError *error)
{
    _cleanup_(lpr_model_freep) LprModel *model = calloc(1, sizeof(*model));
    if (!model)
        return nn_error_set(error, -ENOMEM, "%s: out of memory", path);
    NnModelOptions options = {.fixed = true, .check_weights = true, .cache = cache};
    int r = nn_model_load(context, path, &options, &model->model, error);
    if (r < 0)
        return r;
    r = read_contract(model, task, error);
    if (r < 0)
        return nn_error_prefix(error, r, "%s", path);
    r = nn_session_new(model->model, &model->session, error);
    if (r < 0)
        return nn_error_prefix(error, r, "%s", path);
    *ret_model = NN_TAKE(model);
    return 0;
}

LprModel *lpr_model_free(LprModel *model)
{
    if (!model)
        return NULL;
    nn_session_free(model->session);
    nn_model_free(model->model);
    lpr_contract_clear(&model->contract);
    free(model);
    return NULL;
}
