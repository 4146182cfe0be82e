/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What decoders do not tell about a JPEG file. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct LprJpeg {
    bool is_jpeg;
    /* Not cut off: decoders fill up what is missing with grey and say nothing. */
    bool whole;
    /* EXIF orientation, 1 to 8; 1 when the file says nothing. */
    int orientation;
} LprJpeg;

LprJpeg lpr_jpeg_look(const uint8_t *bytes, size_t n_bytes);

/* Writes another size into the header. It must need as many blocks as the size
 * that stands there. False when there is no header to change. */
bool lpr_jpeg_set_size(uint8_t *bytes, size_t n_bytes, int width_px, int height_px);
