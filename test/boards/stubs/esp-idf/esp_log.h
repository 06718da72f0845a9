// Stand-in for a header of ESP-IDF: see ../README.md or the one above it.
#pragma once
__attribute__((format(printf, 2, 3))) void esp_log_stub(const char *tag, const char *format, ...);
#define ESP_LOGE(tag, format, ...) esp_log_stub(tag, format, ##__VA_ARGS__)
#define ESP_LOGI(tag, format, ...) esp_log_stub(tag, format, ##__VA_ARGS__)
#define ESP_LOGW(tag, format, ...) esp_log_stub(tag, format, ##__VA_ARGS__)
