// Netduino Plus 2, for the code that parts share.
#ifndef THIMBLE_BOARD_H
#define THIMBLE_BOARD_H

#define SYSTICK_HZ 168000000
#define USART_BASE 0x40011000
#define USART_IRQ 37

#endif
