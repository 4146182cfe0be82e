/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "jpeg.h"

/* Markers of ITU-T T.81, table B.1. */
#define SOF0 0xc0
#define SOI  0xd8
#define SOS  0xda
#define EOI  0xd9
#define APP1 0xe1

/* EXIF 2.32, tables 4 and 5. */
#define TAG_ORIENTATION 0x0112
#define ENTRY_BYTES     12

/* A TIFF structure, in the byte order it names itself. */
typedef struct Tiff {
    const uint8_t *bytes;
    size_t n_bytes;
    bool big_endian;
} Tiff;

/* 0 beyond the end: no tag and no orientation has that value. */
static unsigned tiff_u16(const Tiff *tiff, size_t at)
{
    if (at > tiff->n_bytes || tiff->n_bytes - at < 2)
        return 0;
    const uint8_t *p = tiff->bytes + at;
    return tiff->big_endian ? (unsigned)p[0] << 8 | p[1] : (unsigned)p[1] << 8 | p[0];
}

static size_t tiff_u32(const Tiff *tiff, size_t at)
{
    size_t first = tiff_u16(tiff, at), second = tiff_u16(tiff, at + 2);
    return tiff->big_endian ? first << 16 | second : second << 16 | first;
}

static int tiff_orientation(const Tiff *tiff)
{
    size_t directory = tiff_u32(tiff, 4);
    unsigned n = tiff_u16(tiff, directory);
    for (unsigned i = 0; i < n; i++) {
        size_t entry = directory + 2 + (size_t)i * ENTRY_BYTES;
        if (tiff_u16(tiff, entry) != TAG_ORIENTATION)
            continue;
        unsigned value = tiff_u16(tiff, entry + 8);
        return value >= 1 && value <= 8 ? (int)value : 1;
    }
    return 1;
}

static int segment_orientation(const uint8_t *bytes, size_t n_bytes)
{
    static const char name[6] = "Exif\0";
    if (n_bytes < 14 || memcmp(bytes, name, sizeof(name)))
        return 1;
    Tiff tiff = {bytes + 6, n_bytes - 6, bytes[6] == 'M'};
    return tiff_orientation(&tiff);
}

static bool is_jpeg(const uint8_t *bytes, size_t n_bytes)
{
    return n_bytes >= 2 && bytes[0] == 0xff && bytes[1] == SOI;
}

/* A marker segment: its kind and what it holds, as far as the file goes. */
typedef struct Segment {
    uint8_t marker;
    size_t start, n_bytes; /* of the contents */
} Segment;

/* Goes from one segment to the next by their lengths: thumbnails inside of one
 * have markers too. *at begins at 2. */
static bool next_segment(const uint8_t *bytes, size_t n_bytes, size_t *at, Segment *ret_segment)
{
    while (*at + 4 <= n_bytes && bytes[*at] == 0xff && bytes[*at + 1] == 0xff)
        (*at)++;
    if (*at + 4 > n_bytes || bytes[*at] != 0xff)
        return false;
    size_t length = (size_t)bytes[*at + 2] << 8 | bytes[*at + 3], rest = n_bytes - *at - 4;
    if (length < 2)
        return false;
    *ret_segment = (Segment){bytes[*at + 1], *at + 4, length - 2 < rest ? length - 2 : rest};
    *at += 2 + length;
    return true;
}

LprJpeg lpr_jpeg_look(const uint8_t *bytes, size_t n_bytes)
{
    static const uint8_t end[2] = {0xff, EOI};
    LprJpeg jpeg = {.is_jpeg = is_jpeg(bytes, n_bytes), .orientation = 1};
    Segment segment;
    for (size_t at = 2; jpeg.is_jpeg && next_segment(bytes, n_bytes, &at, &segment);) {
        const uint8_t *contents = bytes + segment.start;
        if (segment.marker == SOS) {
            jpeg.whole = memmem(contents, n_bytes - segment.start, end, sizeof(end));
            break;
        }
        if (segment.marker == APP1 && jpeg.orientation == 1)
            jpeg.orientation = segment_orientation(contents, segment.n_bytes);
    }
    return jpeg;
}

bool lpr_jpeg_set_size(uint8_t *bytes, size_t n_bytes, int width_px, int height_px)
{
    Segment segment;
    for (size_t at = 2; is_jpeg(bytes, n_bytes) && next_segment(bytes, n_bytes, &at, &segment);) {
        if (segment.marker != SOF0 || segment.n_bytes < 5)
            continue;
        uint8_t *size = bytes + segment.start + 1;
        size[0] = (uint8_t)(height_px >> 8);
        size[1] = (uint8_t)height_px;
        size[2] = (uint8_t)(width_px >> 8);
        size[3] = (uint8_t)width_px;
        return true;
    }
    return false;
}
