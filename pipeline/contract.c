/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <stdio.h>

#include "engine/base/util.h"
#include "model.h"

/* Sides of an input in pixels. */
#define SIDE_MAX    4096
#define NUMBERS_MAX (LPR_LEVELS_MAX * LPR_ANCHORS_MAX * 2)

/* Where the metadata come from, so that the readers below need one argument. */
typedef struct Keys {
    LprMetadataFunc metadata;
    const void *userdata;
    NnError *error;
} Keys;

/* NULL, with a sentence, when the key is missing. */
static const char *key_read(const Keys *keys, const char *key)
{
    const char *value = keys->metadata(keys->userdata, key);
    if (value && *value)
        return value;
    (void)nn_error_set(keys->error, -EBADMSG, "the metadata key %s is missing", key);
    return NULL;
}

/* Numbers up to `stop` or the end; returns how many, or negative errno. */
static int parse_numbers(const char **text, char stop, float *numbers, int max)
{
    int n = 0;
    for (const char *p = *text;;) {
        char *end;
        float value = strtof(p, &end);
        if (end == p || !isfinite(value) || n == max)
            return -EBADMSG;
        numbers[n++] = value;
        while (*end == ' ')
            end++;
        if (*end == '\0' || *end == stop) {
            *text = end;
            return n;
        }
        if (*end != ',')
            return -EBADMSG;
        p = end + 1;
    }
}

static int key_numbers(const Keys *keys, const char *key, float *numbers, int max)
{
    const char *value = key_read(keys, key);
    if (!value)
        return -EBADMSG;
    const char *text = value;
    int r = parse_numbers(&text, '\0', numbers, max);
    if (r < 0)
        return nn_error_set(keys->error, -EBADMSG,
                            "the metadata key %s is not a list of up to %d numbers: \"%s\"", key,
                            max, value);
    return r;
}

static int read_task(const Keys *keys, const char *task)
{
    const char *value = key_read(keys, "plated.task");
    if (!value)
        return -EBADMSG;
    if (strcmp(value, task))
        return nn_error_set(keys->error, -EBADMSG,
                            "the model is for the task \"%s\" where one for \"%s\" is needed",
                            value, task);
    return 0;
}

static int class_add(LprContract *contract, const char *name, size_t n_bytes)
{
    while (n_bytes && *name == ' ')
        name++, n_bytes--;
    while (n_bytes && name[n_bytes - 1] == ' ')
        n_bytes--;
    if (n_bytes == 0 || n_bytes >= LPR_CLASS_BYTES || contract->n_classes == LPR_CLASSES_MAX)
        return -EBADMSG;
    memcpy(contract->classes[contract->n_classes++], name, n_bytes);
    return 0;
}

static int read_classes(const Keys *keys, LprContract *contract)
{
    const char *value = key_read(keys, "plated.classes");
    if (!value)
        return -EBADMSG;
    contract->classes = calloc(LPR_CLASSES_MAX, sizeof(*contract->classes));
    if (!contract->classes)
        return -ENOMEM;
    for (const char *p = value;; p++) {
        size_t n = strcspn(p, ",");
        if (class_add(contract, p, n) < 0)
            return nn_error_set(keys->error, -EBADMSG,
                                "the metadata key plated.classes is not a list of up to %d names "
                                "of 1 to %d bytes",
                                LPR_CLASSES_MAX, LPR_CLASS_BYTES - 1);
        p += n;
        if (!*p)
            return 0;
    }
}

/* What the reader's classes mean stands in one character each. */
static int check_characters(const Keys *keys, const LprContract *contract)
{
    for (int i = 0; i < contract->n_classes; i++) {
        const char *name = contract->classes[i];
        bool known = (name[0] >= '0' && name[0] <= '9') || (name[0] >= 'A' && name[0] <= 'Z');
        if (!known || name[1])
            return nn_error_set(keys->error, -EBADMSG,
                                "class %d of plated.classes is \"%s\" where a digit or capital "
                                "letter is needed",
                                i, name);
    }
    return 0;
}

static int read_input_shape(const Keys *keys, const NnTensor *tensor, LprInput *input)
{
    if (tensor->dtype != NN_DTYPE_F32)
        return nn_error_set(keys->error, -EBADMSG, "the input is of type %s, not float32",
                            nn_dtype_name(tensor->dtype));
    const int64_t *d = tensor->dims;
    if (tensor->rank != 4 || d[0] != 1 || (d[1] != 1 && d[1] != 3) || d[2] < 1 || d[2] > SIDE_MAX ||
        d[3] < 1 || d[3] > SIDE_MAX)
        return nn_error_set(keys->error, -EBADMSG,
                            "the input is not [1, 1 or 3, height, width] with sides up to %d",
                            SIDE_MAX);
    input->channels = (int)d[1];
    input->height = (int)d[2];
    input->width = (int)d[3];
    return 0;
}

static int read_per_channel(const Keys *keys, const char *key, int channels, float values[3])
{
    int n = key_numbers(keys, key, values, 3);
    if (n < 0)
        return n;
    if (n == 1)
        values[1] = values[2] = values[0];
    else if (n != channels)
        return nn_error_set(keys->error, -EBADMSG,
                            "the metadata key %s has %d numbers for %d channels", key, n, channels);
    return 0;
}

static int read_normalisation(const Keys *keys, LprInput *input)
{
    int r = read_per_channel(keys, "plated.mean", input->channels, input->mean);
    if (r < 0)
        return r;
    r = read_per_channel(keys, "plated.std", input->channels, input->std);
    if (r < 0)
        return r;
    for (int c = 0; c < input->channels; c++)
        if (!(input->std[c] > 0))
            return nn_error_set(keys->error, -EBADMSG, "plated.std is not above 0");
    const char *fit = key_read(keys, "plated.letterbox");
    if (!fit)
        return -EBADMSG;
    if (strcmp(fit, "zeros") && strcmp(fit, "stretch"))
        return nn_error_set(keys->error, -EBADMSG,
                            "plated.letterbox is \"%s\" where zeros or stretch is needed", fit);
    input->fit = strcmp(fit, "zeros") ? LPR_FIT_STRETCH : LPR_FIT_LETTERBOX;
    return 0;
}

/* Optional: a model without it says what it means. */
static int read_calibration(const Keys *keys, LprContract *contract)
{
    const char *value = keys->metadata(keys->userdata, "plated.calibration");
    contract->calibration[0] = 1;
    if (!value)
        return 0;
    int n = key_numbers(keys, "plated.calibration", contract->calibration, 2);
    if (n < 0)
        return n;
    if (!(contract->calibration[0] > 0))
        return nn_error_set(keys->error, -EBADMSG, "plated.calibration scales by %g, not above 0",
                            (double)contract->calibration[0]);
    return 0;
}

float lpr_contract_calibrate(const LprContract *contract, float confidence)
{
    float p = fminf(fmaxf(confidence, 1e-6f), 1 - 1e-6f);
    float logit = logf(p / (1 - p));
    return 1 / (1 + expf(-(contract->calibration[0] * logit + contract->calibration[1])));
}

static int read_strides(const Keys *keys, LprContract *contract)
{
    float strides[LPR_LEVELS_MAX];
    int n = key_numbers(keys, "plated.strides", strides, LPR_LEVELS_MAX);
    if (n < 0)
        return n;
    for (int i = 0; i < n; i++) {
        if (strides[i] < 1 || strides[i] > SIDE_MAX || strides[i] != floorf(strides[i]))
            return nn_error_set(keys->error, -EBADMSG, "plated.strides has a stride of %g",
                                (double)strides[i]);
        LprLevel *level = &contract->levels[i];
        level->stride_px = (int)strides[i];
        level->columns = (contract->input.width + level->stride_px - 1) / level->stride_px;
        level->rows = (contract->input.height + level->stride_px - 1) / level->stride_px;
    }
    contract->n_levels = n;
    return 0;
}

static int read_anchors(const Keys *keys, LprContract *contract)
{
    const char *value = key_read(keys, "plated.anchors");
    if (!value)
        return -EBADMSG;
    for (int i = 0; i < contract->n_levels; i++) {
        LprLevel *level = &contract->levels[i];
        int n = parse_numbers(&value, ';', level->anchors[0], 2 * LPR_ANCHORS_MAX);
        bool last = i == contract->n_levels - 1;
        if (n < 2 || n % 2 || *value != (last ? '\0' : ';'))
            return nn_error_set(keys->error, -EBADMSG,
                                "plated.anchors is not %d lists of width,height pairs separated "
                                "by semicolons, one for each stride",
                                contract->n_levels);
        level->n_anchors = n / 2;
        value += !last;
    }
    return 0;
}

static bool level_fits(LprLevel *level, const NnTensor *t, int no)
{
    const int64_t *d = t->dims;
    if (t->rank == 4) {
        level->last = false;
        return d[0] == 1 && d[1] == (int64_t)level->n_anchors * no && d[2] == level->rows &&
               d[3] == level->columns;
    }
    level->last = true;
    return t->rank == 5 && d[0] == 1 && d[1] == level->n_anchors && d[2] == level->rows &&
           d[3] == level->columns && d[4] == no;
}

static int match_levels(const Keys *keys, const LprShapes *shapes, LprContract *contract)
{
    for (int i = 0; i < contract->n_levels; i++) {
        LprLevel *level = &contract->levels[i];
        size_t k = 0;
        while (k < shapes->n_outputs &&
               !level_fits(level, shapes->outputs[k], 5 + contract->n_classes))
            k++;
        if (k == shapes->n_outputs)
            return nn_error_set(keys->error, -EBADMSG,
                                "no output is the raw head of stride %d: [1, %d, %d, %d] or "
                                "[1, %d, %d, %d, %d]",
                                level->stride_px, level->n_anchors * (5 + contract->n_classes),
                                level->rows, level->columns, level->n_anchors, level->rows,
                                level->columns, 5 + contract->n_classes);
        level->output = k;
    }
    return 0;
}

static int read_head(const Keys *keys, const LprShapes *shapes, LprContract *contract)
{
    const NnTensor *first = shapes->outputs[0];
    int no = 5 + contract->n_classes;
    if (first->rank == 3) {
        contract->head = LPR_HEAD_DECODED;
        if (first->dims[0] != 1 || first->dims[2] != no)
            return nn_error_set(keys->error, -EBADMSG,
                                "the decoded head is not [1, N, %d] for %d classes", no,
                                contract->n_classes);
        return 0;
    }
    if (first->rank == 2) {
        contract->head = LPR_HEAD_NMS;
        if (first->dims[1] != 7)
            return nn_error_set(keys->error, -EBADMSG, "the head with NMS is not [N, 7]");
        return 0;
    }
    contract->head = LPR_HEAD_RAW;
    int r = read_strides(keys, contract);
    if (r >= 0)
        r = read_anchors(keys, contract);
    if (r >= 0)
        r = match_levels(keys, shapes, contract);
    return r;
}

static int check_outputs(const Keys *keys, const char *task, const LprShapes *shapes,
                         LprContract *contract)
{
    if (shapes->n_outputs == 0)
        return nn_error_set(keys->error, -EBADMSG, "the model has no output");
    for (size_t i = 0; i < shapes->n_outputs; i++)
        if (shapes->outputs[i]->dtype != NN_DTYPE_F32)
            return nn_error_set(keys->error, -EBADMSG, "output %zu is of type %s, not float32", i,
                                nn_dtype_name(shapes->outputs[i]->dtype));
    if (strcmp(task, "region"))
        return read_head(keys, shapes, contract);
    const NnTensor *logits = shapes->outputs[0];
    if (logits->rank != 2 || logits->dims[0] != 1 || logits->dims[1] != contract->n_classes)
        return nn_error_set(keys->error, -EBADMSG, "the output is not [1, %d] for %d classes",
                            contract->n_classes, contract->n_classes);
    return 0;
}

static int read_all(const Keys *keys, const char *task, const LprShapes *shapes,
                    LprContract *contract)
{
    int r = read_task(keys, task);
    if (r >= 0)
        r = read_classes(keys, contract);
    if (r >= 0 && !strcmp(task, "read"))
        r = check_characters(keys, contract);
    if (r >= 0)
        r = read_input_shape(keys, shapes->input, &contract->input);
    if (r >= 0)
        r = read_normalisation(keys, &contract->input);
    if (r >= 0)
        r = read_calibration(keys, contract);
    if (r >= 0)
        r = check_outputs(keys, task, shapes, contract);
    const char *version = keys->metadata(keys->userdata, "plated.version");
    snprintf(contract->version, sizeof(contract->version), "%s", version ? version : "unknown");
    return r;
}

int lpr_contract_read(const char *task, LprMetadataFunc metadata, const void *userdata,
                      const LprShapes *shapes, LprContract *ret_contract, NnError *error)
{
    Keys keys = {metadata, userdata, error};
    LprContract contract = {0};
    int r = read_all(&keys, task, shapes, &contract);
    if (r < 0) {
        lpr_contract_clear(&contract);
        return r;
    }
    *ret_contract = contract;
    return 0;
}

void lpr_contract_clear(LprContract *contract)
{
    free(contract->classes);
    *contract = (LprContract){0};
}
