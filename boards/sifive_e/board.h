// HiFive1 with an FE310-G000.
#ifndef THIMBLE_BOARD_H
#define THIMBLE_BOARD_H

/// The crystal on the board, without the PLL.
#define CORE_HZ 16000000

#endif
