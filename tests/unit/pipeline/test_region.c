/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "region.h"
#include "support.h"

int main(void)
{
    static char classes[4][LPR_CLASS_BYTES] = {"US-AL", "CA-ON", "other", "US-CA"};
    LprContract contract = {.n_classes = 4, .classes = classes, .calibration = {1}};
    LprRegion region;
    lpr_region_decide(&contract, (float[]){1, 3, 0, 2}, "", &region);
    TEST_TEXT(region.code, "CA-ON");
    TEST_TEXT(region.name, "Ontario");
    TEST_NEAR(region.confidence, exp(3) / (exp(1) + exp(3) + 1 + exp(2)), 1e-5);
    contract.calibration[0] = 2;
    lpr_region_decide(&contract, (float[]){1, 3, 0, 2}, "", &region);
    TEST_NEAR(region.confidence, exp(6) / (exp(2) + exp(6) + 1 + exp(4)), 1e-5);
    lpr_region_decide(&contract, (float[]){-1000, -2000, -3000, 900}, "", &region);
    TEST_TEXT(region.name, "California");
    TEST_NEAR(region.confidence, 1, 1e-6);
    lpr_region_decide(&contract, (float[]){0, 0, 9, 0}, "", &region);
    TEST_TEXT(region.code, "");
    TEST_NEAR(region.confidence, 0, 0);
    lpr_region_decide(&contract, (float[]){NAN, 0, NAN, 0}, "", &region);
    TEST_TEXT(region.code, "");

    /* California issues 7ABC123, Alabama does not. */
    lpr_region_decide(&contract, (float[]){1, 0, 0, 0.9f}, "7AB123", &region);
    TEST_TEXT(region.code, "US-AL");
    lpr_region_decide(&contract, (float[]){1, 0, 0, 0.9f}, "7ABC123", &region);
    TEST_TEXT(region.code, "US-CA");

    static const char *const codes[] = {"US-DC", "US-WY", "CA-AB", "CA-BC",
                                        "CA-MB", "CA-QC", "CA-SK", "US-NH"};
    for (size_t i = 0; i < sizeof(codes) / sizeof(*codes); i++) {
        TEST_TRUE(lpr_region_name(codes[i]));
        TEST_TRUE(strlen(lpr_region_name(codes[i])) < sizeof(region.name));
    }
    TEST_TRUE(!lpr_region_name("US-XX"));
    TEST_TRUE(!lpr_region_name(""));
    return 0;
}
