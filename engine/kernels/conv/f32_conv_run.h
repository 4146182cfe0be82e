/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* From a panel to run_tile(), which the file that includes this has defined: a function
 * for each number of pixels and of vectors. */

typedef void (*ConvRun)(const NnConvPanel *panel, const NnConvTile *tile);

#define CONV_RUNS(m)                                                                        \
    static void run_##m##x1(const NnConvPanel *panel, const NnConvTile *tile)               \
    {                                                                                       \
        run_tile(panel, tile, conv_end(panel->activation), panel->columns, m, 1);           \
    }                                                                                       \
    static void run_##m##x2(const NnConvPanel *panel, const NnConvTile *tile)               \
    {                                                                                       \
        run_tile(panel, tile, conv_end(panel->activation), panel->columns, m, 2);           \
    }

#define CONV_RUN_OF(m) { run_##m##x1, run_##m##x2 }

/* Whole tiles, whose loop decides nothing within. */
#define WHOLE_TILES(name, end, mr)                                                          \
    static const NnConvTile *name(const NnConvPanel *panel, const NnConvTile *tile,         \
                                  const NnConvTile *last)                                   \
    {                                                                                       \
        for (; tile < last && tile->pixels == mr; tile++)                                   \
            run_tile(panel, tile, end, CONV_VECTORS * VEC_LANES, mr, CONV_VECTORS);         \
        return tile;                                                                        \
    }

WHOLE_TILES(run_plain, CONV_END_PLAIN, CONV_MR)
WHOLE_TILES(run_clamp, CONV_END_CLAMP, CONV_MR)
WHOLE_TILES(run_leak, CONV_END_LEAK, CONV_MR)
WHOLE_TILES(run_buffer, CONV_END_BUFFER, CONV_MR)

static inline void conv_run(const NnConvPanel *panel, const ConvRun (*runs)[CONV_VECTORS])
{
    const NnConvTile *tile = panel->tiles, *last = tile + panel->n_tiles;
    ConvEnd end = conv_end(panel->activation);

    while (tile < last) {
        if (tile->pixels < CONV_MR || panel->columns < CONV_VECTORS * VEC_LANES) {
            runs[tile->pixels - 1][panel->columns > VEC_LANES](panel, tile);
            tile++;
            continue;
        }
        switch (end) {
        case CONV_END_PLAIN:
            tile = run_plain(panel, tile, last);
            break;
        case CONV_END_CLAMP:
            tile = run_clamp(panel, tile, last);
            break;
        case CONV_END_LEAK:
            tile = run_leak(panel, tile, last);
            break;
        case CONV_END_BUFFER:
            tile = run_buffer(panel, tile, last);
            break;
        }
    }
}
