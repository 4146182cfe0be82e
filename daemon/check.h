/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "config.h"

/* What the parser cannot see: names of sources, and files that must be there. The
 * sentence begins with "file:line: ". */
NN_MUST_CHECK int plated_check_config(const PlatedConfig *config, NnError *error);
