/* SPDX-License-Identifier: Apache-2.0 */
#include "version.h"

#include "nn.h"

const char *nn_version(void)
{
    return PLATED_VERSION;
}
