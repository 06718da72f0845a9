// The USART of STM32F1 and STM32F4 (RM0041 and RM0090, "USART registers"), which have the same registers.
#ifndef THIMBLE_STM32_USART_H
#define THIMBLE_STM32_USART_H

#include <stdint.h>

/// 115200 8N1. `bus_hz`: the clock of its bus. The port has switched on its clock and its pins, and named in its board.h
/// where it is (USART_BASE) and which interrupt is its (USART_IRQ); usart_interrupt must be in its vectors.
void usart_begin(uint32_t bus_hz);
void usart_interrupt(void);

#endif
