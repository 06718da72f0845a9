// STM32VLDISCOVERY, for the code that parts share.
#ifndef THIMBLE_BOARD_H
#define THIMBLE_BOARD_H

#define SYSTICK_HZ 24000000
#define USART_BASE 0x40013800
#define USART_IRQ 37

#endif
