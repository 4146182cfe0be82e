/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include <errno.h>

#include "model.h"
#include "support.h"

/* Key and value by turns, closed by NULL. */
typedef const char *Pairs[18];

static const Pairs detector = {"plated.task",      "detect",
                               "plated.classes",   "plate",
                               "plated.mean",      "0.4",
                               "plated.std",       "0.2",
                               "plated.letterbox", "zeros",
                               "plated.version",   "3",
                               "plated.anchors",   "10,12,20,24;30,36,40,48",
                               "plated.strides",   "8,16",
                               "plated.calibration", "2,0.5"};

static const char *lookup(const void *userdata, const char *key)
{
    const char *const *pairs = userdata;
    for (int i = 0; i < 18 && pairs[i]; i += 2)
        if (!strcmp(pairs[i], key))
            return pairs[i + 1];
    return NULL;
}

static NnTensor tensor(int rank, int64_t a, int64_t b, int64_t c, int64_t d, int64_t e)
{
    return (NnTensor){.dtype = NN_DTYPE_F32, .rank = rank, .dims = {a, b, c, d, e}};
}

/* The levels in the wrong order and in both layouts. */
static void raw_outputs(NnTensor outputs[2])
{
    outputs[0] = tensor(5, 1, 2, 2, 4, 6);
    outputs[1] = tensor(4, 1, 12, 4, 8, 0);
}

static int read_contract(const char *task, const Pairs pairs, const NnTensor *input,
                         const NnTensor *outputs, size_t n, LprContract *contract, NnError *error)
{
    const NnTensor *list[4];
    for (size_t i = 0; i < n; i++)
        list[i] = &outputs[i];
    LprShapes shapes = {input, list, n};
    return lpr_contract_read(task, lookup, pairs, &shapes, contract, error);
}

static void test_raw(void)
{
    NnTensor input = tensor(4, 1, 1, 32, 64, 0), outputs[2];
    LprContract contract;
    NnError error;
    raw_outputs(outputs);
    TEST_INT(read_contract("detect", detector, &input, outputs, 2, &contract, &error), 0);
    TEST_TEXT(contract.version, "3");
    TEST_INT(contract.head, LPR_HEAD_RAW);
    TEST_INT(contract.n_levels, 2);
    TEST_INT(contract.levels[0].output, 1);
    TEST_TRUE(!contract.levels[0].last && contract.levels[1].last);
    TEST_INT(contract.levels[1].n_anchors, 2);
    TEST_NEAR(contract.levels[1].anchors[1][1], 48, 0);
    TEST_INT(contract.input.width, 64);
    TEST_INT(contract.input.fit, LPR_FIT_LETTERBOX);
    TEST_NEAR(contract.input.mean[0], 0.4, 1e-6);
    /* A logit of ln 3, twice it and a half more. */
    TEST_NEAR(lpr_contract_calibrate(&contract, 0.75f), 9 * exp(0.5) / (1 + 9 * exp(0.5)), 1e-5);
    lpr_contract_clear(&contract);
}

static void test_other_heads(void)
{
    NnTensor input = tensor(4, 1, 3, 32, 64, 0);
    NnTensor decoded = tensor(3, 1, 100, 6, 0, 0), nms = tensor(2, -1, 7, 0, 0, 0);
    LprContract contract;
    NnError error;
    TEST_INT(read_contract("detect", detector, &input, &decoded, 1, &contract, &error), 0);
    TEST_INT(contract.head, LPR_HEAD_DECODED);
    TEST_INT(contract.input.channels, 3);
    TEST_NEAR(contract.input.std[2], 0.2, 1e-6);
    lpr_contract_clear(&contract);
    TEST_INT(read_contract("detect", detector, &input, &nms, 1, &contract, &error), 0);
    TEST_INT(contract.head, LPR_HEAD_NMS);
    lpr_contract_clear(&contract);
}

/* One key changed: the sentence must say what is wrong. */
static void test_violation(const char *key, const char *value, const char *words)
{
    NnTensor input = tensor(4, 1, 1, 32, 64, 0), outputs[2];
    LprContract contract = {.n_classes = 77};
    NnError error = {0};
    Pairs pairs;
    memcpy(pairs, detector, sizeof(pairs));
    for (int i = 0; i < 18; i += 2)
        if (!strcmp(pairs[i], key))
            pairs[i + 1] = value;
    raw_outputs(outputs);
    TEST_INT(read_contract("detect", pairs, &input, outputs, 2, &contract, &error), -EBADMSG);
    TEST_WORDS(error.message, words);
    TEST_INT(contract.n_classes, 77);
}

static void test_violations(void)
{
    test_violation("plated.task", "read", "for the task \"read\" where one for \"detect\"");
    test_violation("plated.task", NULL, "plated.task is missing");
    test_violation("plated.classes", NULL, "plated.classes is missing");
    test_violation("plated.classes", "plate,,x", "plated.classes");
    test_violation("plated.classes", "a-name-that-is-too-long", "plated.classes");
    test_violation("plated.classes", "plate,car", "no output is the raw head of stride 8");
    test_violation("plated.mean", "", "plated.mean is missing");
    test_violation("plated.mean", "0.1,0.2", "plated.mean has 2 numbers for 1 channels");
    test_violation("plated.mean", "0.1;0.2", "plated.mean is not a list");
    test_violation("plated.mean", "nan", "plated.mean is not a list");
    test_violation("plated.std", "0", "plated.std is not above 0");
    test_violation("plated.std", "-1", "plated.std is not above 0");
    test_violation("plated.calibration", "0,1", "plated.calibration scales by 0");
    test_violation("plated.calibration", "1,2,3", "plated.calibration is not a list of up to 2");
    test_violation("plated.letterbox", "grey", "plated.letterbox is \"grey\"");
    test_violation("plated.strides", NULL, "plated.strides is missing");
    test_violation("plated.strides", "8,16,32,64,128,256", "plated.strides is not a list of up to");
    test_violation("plated.strides", "8.5,16", "a stride of 8.5");
    test_violation("plated.strides", "8", "plated.anchors is not 1 lists");
    test_violation("plated.strides", "8,32", "no output is the raw head of stride 32");
    test_violation("plated.anchors", "10,12,20;30,36,40,48", "plated.anchors is not 2 lists");
    test_violation("plated.anchors", "10,12;30,36;40,48", "plated.anchors is not 2 lists");
    test_violation("plated.anchors", "10,12,20,24", "plated.anchors is not 2 lists");
}

static void test_shape(NnTensor input, NnTensor output, const char *task, const char *words)
{
    LprContract contract;
    NnError error = {0};
    Pairs pairs;
    memcpy(pairs, detector, sizeof(pairs));
    pairs[1] = task;
    if (strcmp(task, "detect"))
        pairs[3] = "0,1,A";
    TEST_INT(read_contract(task, pairs, &input, &output, 1, &contract, &error), -EBADMSG);
    TEST_WORDS(error.message, words);
}

static void test_shapes(void)
{
    NnTensor input = tensor(4, 1, 1, 32, 64, 0), decoded = tensor(3, 1, 100, 6, 0, 0);
    NnTensor bytes = input;
    bytes.dtype = NN_DTYPE_U8;
    test_shape(bytes, decoded, "detect", "type uint8");
    test_shape(tensor(4, 1, 2, 32, 64, 0), decoded, "detect", "[1, 1 or 3, height, width]");
    test_shape(tensor(4, 2, 1, 32, 64, 0), decoded, "detect", "[1, 1 or 3, height, width]");
    test_shape(tensor(3, 1, 32, 64, 0, 0), decoded, "detect", "[1, 1 or 3, height, width]");
    test_shape(tensor(4, 1, 1, 5000, 64, 0), decoded, "detect", "[1, 1 or 3, height, width]");
    test_shape(input, tensor(3, 1, 100, 7, 0, 0), "detect", "not [1, N, 6]");
    test_shape(input, tensor(2, 100, 6, 0, 0, 0), "detect", "not [N, 7]");
    test_shape(input, tensor(2, 1, 4, 0, 0, 0), "region", "not [1, 3]");
    bytes = decoded;
    bytes.dtype = NN_DTYPE_I64;
    test_shape(input, bytes, "detect", "output 0 is of type int64");
}

static void test_reader_classes(void)
{
    NnTensor input = tensor(4, 1, 1, 32, 64, 0), decoded = tensor(3, 1, 100, 8, 0, 0);
    Pairs pairs;
    LprContract contract;
    NnError error = {0};
    memcpy(pairs, detector, sizeof(pairs));
    pairs[1] = "read";
    pairs[3] = "0, A,Z";
    TEST_INT(read_contract("read", pairs, &input, &decoded, 1, &contract, &error), 0);
    TEST_TEXT(contract.classes[1], "A");
    lpr_contract_clear(&contract);
    pairs[3] = "0,a,Z";
    TEST_INT(read_contract("read", pairs, &input, &decoded, 1, &contract, &error), -EBADMSG);
    TEST_WORDS(error.message, "class 1 of plated.classes is \"a\"");
}

int main(void)
{
    test_raw();
    test_other_heads();
    test_violations();
    test_shapes();
    test_reader_classes();
    return 0;
}
