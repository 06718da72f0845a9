// Stand-in for a header of Zephyr: see ../README.md or the one above it.
#pragma once
#define LOG_MODULE_REGISTER(name, level) extern const int log_level_of_##name[(level) + 1]
__attribute__((format(printf, 1, 2))) void log_stub(const char *format, ...);
#define LOG_ERR(...) log_stub(__VA_ARGS__)
#define LOG_INF(...) log_stub(__VA_ARGS__)
#define LOG_WRN(...) log_stub(__VA_ARGS__)
