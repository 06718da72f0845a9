// Stand-in for a header of Zephyr: see ../README.md or the one above it.
#pragma once
struct device;
