/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <unistd.h>

#include "frame.h"
#include "jpeg.h"
#include "support.h"

static char folder[] = "/tmp/test-pictures-XXXXXX";

static const char *path_of(const char *name)
{
    static char path[256];
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    return path;
}

static void store(const char *name, const uint8_t *bytes, size_t n)
{
    FILE *file = fopen(path_of(name), "wb");
    TEST_TRUE(file && fwrite(bytes, 1, n, file) == n);
    fclose(file);
}

static uint8_t slope(int x, int y)
{
    return (uint8_t)(20 + 2 * x + y / 2);
}

/* Puts an EXIF segment with that orientation behind the start of a JPEG file. */
static size_t orient(const uint8_t *bytes, size_t n, uint8_t orientation, uint8_t *out)
{
    const uint8_t exif[] = {0xff, 0xe1, 0, 34, 'E', 'x',         'i', 'f', 0,    0,    'M', 'M',
                            0,    42,   0, 0,  0,   8,           0,   1,   0x01, 0x12, 0,   3,
                            0,    0,    0, 1,  0,   orientation, 0,   0,   0,    0,    0,   0};
    memcpy(out, bytes, 2);
    memcpy(out + 2, exif, sizeof(exif));
    memcpy(out + 2 + sizeof(exif), bytes + 2, n - 2);
    return n + sizeof(exif);
}

static LprFrame *load(const char *name)
{
    LprFrame *frame;
    NnError error = {0};
    int r = lpr_picture_load(path_of(name), &frame, &error);
    if (r < 0)
        TEST_FAIL("%s", error.message);
    return frame;
}

static void refuse(const char *name, int code, const char *words)
{
    LprFrame *frame = NULL;
    NnError error = {0};
    TEST_INT(lpr_picture_load(path_of(name), &frame, &error), code);
    TEST_WORDS(error.message, name);
    TEST_WORDS(error.message, words);
    TEST_TRUE(!strchr(error.message, '\n'));
    TEST_TRUE(!frame);
}

static void test_round_trip(const uint8_t *bytes, size_t n)
{
    store("a.jpg", bytes, n);
    store("renamed.png", bytes, n);
    LprFrame *frame = load("a.jpg");
    TEST_INT(lpr_frame_width(frame), 101);
    TEST_INT(lpr_frame_height(frame), 51);
    int stride;
    const uint8_t *luma = lpr_frame_luma(frame, &stride);
    for (int y = 0; y < 51; y += 10)
        for (int x = 0; x < 101; x += 10)
            TEST_NEAR(luma[y * stride + x], slope(x, y), 3);
    lpr_frame_unref(frame);
    frame = load("renamed.png");
    TEST_INT(lpr_frame_width(frame), 101);
    lpr_frame_unref(frame);
}

static void test_orientation(const uint8_t *bytes, size_t n)
{
    uint8_t *turned = malloc(n + 64);
    store("turned.jpg", turned, orient(bytes, n, 6, turned));
    LprFrame *frame = load("turned.jpg");
    TEST_INT(lpr_frame_width(frame), 51);
    TEST_INT(lpr_frame_height(frame), 101);
    int stride;
    const uint8_t *luma = lpr_frame_luma(frame, &stride);
    /* A quarter turn clockwise: the left edge comes to the top. */
    TEST_NEAR(luma[10], slope(0, 40), 3);
    TEST_NEAR(luma[90 * stride + 10], slope(90, 40), 3);
    lpr_frame_unref(frame);
    free(turned);
}

static void test_crop(const LprFrame *frame)
{
    uint8_t *bytes;
    size_t n;
    NnError error = {0};
    LprBox crop = {20, 10, 40, 20}, outside = {90, 40, 500, 500};
    TEST_INT(lpr_picture_encode(frame, &crop, 95, &bytes, &n, &error), 0);
    store("crop.jpg", bytes, n);
    free(bytes);
    LprFrame *cut = load("crop.jpg");
    int stride;
    TEST_INT(lpr_frame_width(cut), 40);
    TEST_INT(lpr_frame_height(cut), 20);
    TEST_NEAR(lpr_frame_luma(cut, &stride)[5], slope(25, 10), 3);
    lpr_frame_unref(cut);
    TEST_INT(lpr_picture_encode(frame, &outside, 95, &bytes, &n, &error), 0);
    store("edge.jpg", bytes, n);
    free(bytes);
    cut = load("edge.jpg");
    TEST_INT(lpr_frame_width(cut), 11);
    TEST_INT(lpr_frame_height(cut), 11);
    lpr_frame_unref(cut);
}

static void test_colour(void)
{
    LprFrame *frame;
    LprPlanes planes;
    TEST_INT(lpr_frame_alloc(33, 17, false, 0, 0, 0, &frame, &planes), 0);
    for (int c = 0; c < 3; c++)
        memset(planes.plane[c], (const int[]){76, 85, 255}[c],
               (size_t)(c ? 9 : 17) * (size_t)planes.stride[c]);
    uint8_t *bytes;
    size_t n;
    NnError error = {0};
    TEST_INT(lpr_picture_encode(frame, NULL, 95, &bytes, &n, &error), 0);
    store("red.jpg", bytes, n);
    free(bytes);
    lpr_frame_unref(frame);
    frame = load("red.jpg");
    int stride;
    TEST_NEAR(lpr_frame_luma(frame, &stride)[16], 76, 3);
    TEST_NEAR(lpr_frame_chroma(frame, 1, &stride)[8], 85, 3);
    TEST_NEAR(lpr_frame_chroma(frame, 2, &stride)[8], 254, 3);
    lpr_frame_unref(frame);
}

static void test_broken(const uint8_t *bytes, size_t n)
{
    store("empty.jpg", bytes, 0);
    refuse("empty.jpg", -EBADMSG, "not a picture that can be decoded");
    store("text.jpg", (const uint8_t *)"no picture at all\n", 18);
    refuse("text.jpg", -EBADMSG, "not a picture that can be decoded");
    store("list.jpg", (const uint8_t *)"#EXTM3U\n#EXTINF:1,\nhttp://127.0.0.1:9/a.ts\n", 43);
    refuse("list.jpg", -EBADMSG, "not a picture that can be decoded");
    for (size_t part = 1; part < 10; part++) {
        store("cut.jpg", bytes, n * part / 10);
        refuse("cut.jpg", -EBADMSG, "not a picture that can be decoded");
    }
    refuse("absent.jpg", -ENOENT, "cannot be read");
}

static void test_whole(const uint8_t *bytes, size_t n)
{
    TEST_TRUE(lpr_jpeg_look(bytes, n).whole);
    for (size_t i = 2; i < n - 1; i++)
        TEST_TRUE(!lpr_jpeg_look(bytes, i).whole);
    TEST_TRUE(!lpr_jpeg_look((const uint8_t *)"\x89PNG", 4).is_jpeg);
    TEST_TRUE(!lpr_jpeg_look(NULL, 0).is_jpeg);
    /* An end inside a segment, as thumbnails have it, is not the end. */
    static const uint8_t thumbnail[] = {0xff, 0xd8, 0xff, 0xe1, 0, 6, 0xff, 0xd9, 0xff,
                                        0xd9, 0xff, 0xda, 0,    2, 1, 2,    3};
    TEST_TRUE(!lpr_jpeg_look(thumbnail, sizeof(thumbnail)).whole);
}

/* Every cut and every wrong byte of the segment is survived. */
static void test_exif(const uint8_t *bytes, size_t n)
{
    uint8_t *turned = malloc(n + 64);
    for (uint8_t i = 0; i < 12; i++) {
        size_t size = orient(bytes, n, i, turned);
        TEST_INT(lpr_jpeg_look(turned, size).orientation, i >= 1 && i <= 8 ? i : 1);
    }
    for (size_t cut = 0; cut < 60; cut++) {
        uint8_t *exact = malloc(cut + 1);
        orient(bytes, n, 3, turned);
        memcpy(exact, turned, cut);
        LprJpeg jpeg = lpr_jpeg_look(exact, cut);
        TEST_TRUE(jpeg.orientation == 1 || jpeg.orientation == 3);
        free(exact);
        for (int value = 0; value < 256; value++) {
            orient(bytes, n, 3, turned);
            turned[cut] = (uint8_t)value;
            jpeg = lpr_jpeg_look(turned, 200);
            TEST_TRUE(jpeg.orientation >= 1 && jpeg.orientation <= 8);
        }
    }
    free(turned);
}

int main(void)
{
    uint8_t *bytes;
    size_t n;
    NnError error = {0};
    TEST_TRUE(mkdtemp(folder));
    LprFrame *frame = test_frame(101, 51, 0, slope);
    TEST_INT(lpr_picture_encode(frame, NULL, 95, &bytes, &n, &error), 0);
    test_round_trip(bytes, n);
    test_orientation(bytes, n);
    test_crop(frame);
    test_colour();
    test_broken(bytes, n);
    test_whole(bytes, n);
    test_exif(bytes, n);
    free(bytes);
    lpr_frame_unref(frame);
    static const char *const names[] = {"a.jpg",    "renamed.png", "turned.jpg", "crop.jpg",
                                        "edge.jpg", "red.jpg",     "empty.jpg",  "text.jpg",
                                        "list.jpg", "cut.jpg"};
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
        unlink(path_of(names[i]));
    rmdir(folder);
    return 0;
}
