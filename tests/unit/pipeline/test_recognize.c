/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <unistd.h>

#include "../engine/build.h"
#include "support.h"

/* Three networks whose answers are known. The detector always finds the same
 * boxes. Reader and region answer in proportion to the mean of their input: in
 * full for a white cut, nothing for a black one. So the test sees what was cut. */

#define SIDE 32

static char folder[] = "/tmp/test-recognize-XXXXXX";
static char path_detector[64], path_reader[64], path_region[64];

typedef struct Key {
    const char *key, *value;
} Key;

static void save(const Build *build, const char *path)
{
    size_t n;
    uint8_t *bytes = build_pack(build, &n);
    FILE *file = fopen(path, "wb");
    TEST_TRUE(file && fwrite(bytes, 1, n, file) == n);
    fclose(file);
    free(bytes);
}

/* output = table · mean(input), or table alone when not `looking`. */
static void make_model(const char *path, bool looking, size_t rank, const int64_t *dims,
                       const float *table, const Key *keys, size_t n_keys)
{
    static Onnx__StringEntry entries[8];
    static Onnx__StringEntry *list[8];
    const float zero = 0;
    Build build = {0};
    build_start(&build, 13);
    build_input(&build, "images", 1, 4, (const int64_t[]){1, 1, SIDE, SIDE});
    build_floats(&build, "table", rank, dims, table);
    build_floats(&build, "zero", 0, NULL, &zero);
    build_attribute_int(build_node(&build, "ReduceMean", "images", "mean"), "keepdims", 0);
    if (looking) {
        build_node(&build, "Mul", "table mean", "answer");
    } else {
        build_node(&build, "Mul", "mean zero", "nothing");
        build_node(&build, "Add", "table nothing", "answer");
    }
    build_output(&build, "answer");
    for (size_t i = 0; i < n_keys; i++) {
        onnx__string_entry__init(&entries[i]);
        entries[i].key = build_string(keys[i].key);
        entries[i].value = build_string(keys[i].value);
        list[i] = &entries[i];
    }
    build.model.metadata_props = list;
    build.model.n_metadata_props = n_keys;
    save(&build, path);
}

static void make_detector(const char *task)
{
    static const float boxes[] = {
        8,  8,  8, 4, 0.9f, 1, /* plate at 16…48, 24…40 of a 128×128 frame */
        8,  8,  7, 4, 0.6f, 1, /* the same once more */
        24, 24, 8, 4, 0.7f, 1, /* another */
        24, 8,  2, 1, 0.66f, 1, /* too small to be read */
        24, 16, 8, 4, 0.6f, 1, /* a plate only if there is something to read */
        8,  24, 8, 4, 0.2f, 1, /* too weak */
    };
    const Key keys[] = {{"plated.task", task},         {"plated.classes", "plate"},
                        {"plated.mean", "0"},          {"plated.std", "1"},
                        {"plated.letterbox", "zeros"}, {"plated.version", "7"}};
    make_model(path_detector, false, 3, (const int64_t[]){1, 6, 6}, boxes, keys, 6);
}

static void make_reader(void)
{
    /* Two rows: A1 over 2. */
    static const float boxes[] = {
        20, 8,  8, 10, 0.9f, 1, 0, 0, /**/
        8,  8,  8, 10, 0.9f, 0, 0, 1, /**/
        14, 24, 8, 10, 0.8f, 0, 1, 0,
    };
    const Key keys[] = {{"plated.task", "read"},
                        {"plated.classes", "1,2,A"},
                        {"plated.mean", "0"},
                        {"plated.std", "1"},
                        {"plated.letterbox", "stretch"}};
    make_model(path_reader, true, 3, (const int64_t[]){1, 3, 8}, boxes, keys, 5);
}

/* A122 in the middle of what it sees, small; the 1 so weak that only white all over
 * brings it above the threshold. */
static void make_far_reader(void)
{
    static const float boxes[] = {
        11,    16, 3, 8, 0.9f,  0, 0, 1, /**/
        14.5f, 16, 3, 8, 0.41f, 1, 0, 0, /**/
        18,    16, 3, 8, 0.9f,  0, 1, 0, /**/
        21,    16, 3, 8, 0.9f,  0, 1, 0,
    };
    const Key keys[] = {{"plated.task", "read"},
                        {"plated.classes", "1,2,A"},
                        {"plated.mean", "0"},
                        {"plated.std", "1"},
                        {"plated.letterbox", "stretch"}};
    make_model(path_reader, true, 3, (const int64_t[]){1, 4, 8}, boxes, keys, 5);
}

static void make_region(void)
{
    static const float logits[] = {0, 5};
    const Key keys[] = {
        {"plated.task", "region"}, {"plated.classes", "US-CA,CA-ON"}, {"plated.mean", "0"},
        {"plated.std", "1"},       {"plated.letterbox", "stretch"},   {"plated.version", "r2"}};
    make_model(path_region, true, 2, (const int64_t[]){1, 2}, logits, keys, 6);
}

/* White where the first plate is with its margin: 8 % of 32×16 pixels, rounded
 * out. Were more cut out, its reading would lose; were less, its place would. */
static uint8_t first_plate(int x, int y)
{
    return x >= 13 && x < 51 && y >= 22 && y < 42 ? 255 : 0;
}

static uint8_t white(int x, int y)
{
    return 255;
}

static LprRecognizer *load(NnContext *context, LprRecognizerOptions options)
{
    LprRecognizer *recognizer;
    NnError error = {0};
    options.detector = path_detector;
    options.reader = path_reader;
    options.region = path_region;
    if (lpr_recognizer_new(context, &options, &recognizer, &error) < 0)
        TEST_FAIL("%s", error.message);
    return recognizer;
}

static size_t run(LprRecognizer *recognizer, uint8_t (*value)(int x, int y), LprPlate *plates)
{
    LprFrame *frame = test_frame(128, 128, 0, value);
    LprTimes times = {-1, -1, -1};
    NnError error;
    size_t n;
    TEST_INT(lpr_recognizer_run(recognizer, frame, plates, &n, &times, &error), 0);
    TEST_TRUE(times.detect_ms >= 0 && times.read_ms >= 0 && times.region_ms >= 0);
    lpr_frame_unref(frame);
    return n;
}

static void test_plates(NnContext *context)
{
    LprPlate plates[LPR_PLATES_MAX];
    LprRecognizer *recognizer = load(context, (LprRecognizerOptions){0});
    TEST_INT(run(recognizer, first_plate, plates), 3);
    TEST_NEAR(plates[0].detection, 0.9, 1e-5);
    TEST_NEAR(plates[0].box.x, 16, 1e-3);
    TEST_NEAR(plates[0].box.y, 24, 1e-3);
    TEST_NEAR(plates[0].box.w, 32, 1e-3);
    TEST_NEAR(plates[0].box.h, 16, 1e-3);
    TEST_TEXT(plates[0].plate, "A12");
    TEST_NEAR(plates[0].characters[0].confidence, 0.9, 1e-4);
    TEST_NEAR(plates[1].detection, 0.7, 1e-5);
    TEST_TEXT(plates[1].plate, "");
    TEST_TEXT(plates[1].region.code, "");
    TEST_NEAR(plates[2].box.w, 8, 1e-3);
    TEST_TEXT(lpr_recognizer_version(recognizer, "detect"), "7");
    TEST_TEXT(lpr_recognizer_version(recognizer, "read"), "unknown");
    TEST_TEXT(lpr_recognizer_version(recognizer, "region"), "r2");
    TEST_TRUE(!lpr_recognizer_version(recognizer, "sing"));
    lpr_recognizer_free(recognizer);
}

/* All white: every plate that is large enough is read in full. */
static void test_reading(NnContext *context)
{
    LprPlate plates[LPR_PLATES_MAX];
    LprRecognizer *recognizer = load(context, (LprRecognizerOptions){0});
    TEST_INT(run(recognizer, white, plates), 4);
    TEST_TEXT(plates[0].plate, "A12");
    TEST_NEAR(plates[0].characters[0].confidence, 0.9, 1e-4);
    TEST_NEAR(plates[0].characters[2].confidence, 0.8, 1e-4);
    /* 38 pixels wide from 13 on are the 32 of the reader's input. */
    TEST_NEAR(plates[0].characters[0].box.x, 13 + 4 * 38 / 32.0, 1e-3);
    TEST_TEXT(plates[0].region.code, "CA-ON");
    TEST_TRUE(plates[0].region.confidence > 0.99);
    TEST_TEXT(plates[1].plate, "A12");
    TEST_TEXT(plates[2].plate, "");
    TEST_TEXT(plates[3].plate, "A12");
    lpr_recognizer_free(recognizer);

    recognizer = load(context, (LprRecognizerOptions){.max_plates = 1, .detect_threshold = 0.1f});
    TEST_INT(run(recognizer, white, plates), 1);
    lpr_recognizer_free(recognizer);
    recognizer = load(context, (LprRecognizerOptions){.min_plate_width_px = 40});
    TEST_INT(run(recognizer, white, plates), 3);
    TEST_TEXT(plates[0].plate, "");
    lpr_recognizer_free(recognizer);
    recognizer = load(context, (LprRecognizerOptions){.read_threshold = 0.85f});
    TEST_INT(run(recognizer, white, plates), 4);
    TEST_TEXT(plates[0].plate, "A1");
    lpr_recognizer_free(recognizer);
}

/* Brighter, and so surer to be read, in the middle of the first plate. */
static uint8_t recess(int x, int y)
{
    return x >= 18 && x < 46 && y >= 22 && y < 42 ? 255 : 200;
}

static void test_closer(NnContext *context)
{
    LprPlate plates[LPR_PLATES_MAX];
    make_far_reader();
    LprRecognizer *recognizer = load(context, (LprRecognizerOptions){0});
    run(recognizer, recess, plates);
    TEST_TEXT(plates[0].plate, "A122");
    /* 13 of 32 columns of a cut 38 wide, over 0.86; 8 of 32 rows of 20,
     * over 0.5; whole pixels. */
    TEST_NEAR(plates[0].box.w, 13 * 38 / 32.0 / 0.86, 1);
    TEST_NEAR(plates[0].box.h, 8 * 20 / 32.0 / 0.5, 1);
    TEST_NEAR(plates[0].characters[0].confidence, 0.9, 1e-3);
    TEST_NEAR(plates[0].detection, 0.9, 1e-5);
    lpr_recognizer_free(recognizer);
    make_reader();
}

static void test_whole_picture(NnContext *context)
{
    LprPlate plates[LPR_PLATES_MAX];
    LprRecognizerOptions options = {.detect_threshold = 0.95f};
    LprRecognizer *recognizer = load(context, options);
    TEST_INT(run(recognizer, white, plates), 0);
    lpr_recognizer_free(recognizer);
    options.still = true;
    recognizer = load(context, options);
    TEST_INT(run(recognizer, white, plates), 1);
    TEST_TEXT(plates[0].plate, "A12");
    TEST_NEAR(plates[0].box.w, 128, 0);
    TEST_NEAR(plates[0].detection, 0, 0);
    TEST_INT(run(recognizer, NULL, plates), 0);
    lpr_recognizer_free(recognizer);
}

static void refuse(NnContext *context, LprRecognizerOptions options, int code, const char *words)
{
    LprRecognizer *recognizer = NULL;
    NnError error = {0};
    TEST_INT(lpr_recognizer_new(context, &options, &recognizer, &error), code);
    TEST_WORDS(error.message, words);
    TEST_TRUE(!recognizer);
}

static void test_refusals(NnContext *context)
{
    refuse(context, (LprRecognizerOptions){.reader = path_reader}, -EINVAL, "are needed");
    refuse(context,
           (LprRecognizerOptions){
               .detector = path_detector, .reader = path_reader, .detect_threshold = 1.5f},
           -EINVAL, "detection threshold is 1.5");
    refuse(context, (LprRecognizerOptions){.detector = path_reader, .reader = path_reader},
           -EBADMSG, "for the task \"read\" where one for \"detect\" is needed");
    refuse(context, (LprRecognizerOptions){.detector = "/nonexistent.onnx", .reader = path_reader},
           -ENOENT, "/nonexistent.onnx");
    make_detector("guess");
    refuse(context, (LprRecognizerOptions){.detector = path_detector, .reader = path_reader},
           -EBADMSG, path_detector);
}

int main(void)
{
    NnContext *context;
    NnError error;
    TEST_TRUE(mkdtemp(folder));
    snprintf(path_detector, sizeof(path_detector), "%s/detector.onnx", folder);
    snprintf(path_reader, sizeof(path_reader), "%s/reader.onnx", folder);
    snprintf(path_region, sizeof(path_region), "%s/region.onnx", folder);
    make_detector("detect");
    make_reader();
    make_region();
    TEST_INT(nn_context_new(&(NnContextOptions){.threads = 1}, &context, &error), 0);
    test_plates(context);
    test_reading(context);
    test_closer(context);
    test_whole_picture(context);
    test_refusals(context);
    nn_context_free(context);
    unlink(path_detector);
    unlink(path_reader);
    unlink(path_region);
    rmdir(folder);
    return 0;
}
