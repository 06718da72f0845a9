// STM32VLDISCOVERY (STM32F100RB): clock, pins and USART1. Chapters are those of RM0041.
#include "board.h"
#include "cortex-m.h"
#include "port.h"
#include "seed.h"
#include "stm32-usart.h"
#include "systick.h"

// RCC (chapter 6)
#define RCC_CR REGISTER(0x40021000)
#define CR_HSEON (1u << 16)
#define CR_HSERDY (1u << 17)
#define CR_PLLON (1u << 24)
#define CR_PLLRDY (1u << 25)
#define RCC_CFGR REGISTER(0x40021004)
#define CFGR_SW_PLL 2u
#define CFGR_PLL_FROM_HSE (1u << 16)
#define CFGR_PLL_TIMES(n) ((uint32_t)((n) - 2) << 18)
#define RCC_APB2ENR REGISTER(0x40021018)
#define APB2ENR_IOPA (1u << 2)
#define APB2ENR_USART1 (1u << 14)

// GPIO (chapter 7): PA9 is USART1's output, PA10 its input.
#define GPIOA_CRH REGISTER(0x40010804)
#define GPIOA_ODR REGISTER(0x4001080c)
#define CRH_PA9_PA10 0x00000ff0u
#define CRH_PA9_ALTERNATE 0x000000a0u // push-pull, 2 MHz
#define CRH_PA10_PULLED 0x00000800u
#define PA10 (1u << 10)

/// The unique device id (RM0041, 23.2).
#define UNIQUE_ID(word) REGISTER(0x1ffff7e8 + 4 * (word))

/// USART1 is interrupt 37, the last in use.
CORTEX_VECTORS vectors[USART_IRQ + 1] = {
    [0 ... USART_IRQ - 1] = cortex_fault,
    [USART_IRQ] = usart_interrupt,
};

/// 24 MHz: from the crystal of 8 MHz, times 3; without it from half the internal oscillator of 8 MHz, times 6.
static void begin_clock(void) {
  RCC_CR |= CR_HSEON;
  uint32_t pll = register_wait(&RCC_CR, CR_HSERDY) ? CFGR_PLL_FROM_HSE | CFGR_PLL_TIMES(3) : CFGR_PLL_TIMES(6);
  RCC_CFGR = pll;
  RCC_CR |= CR_PLLON;
  register_wait(&RCC_CR, CR_PLLRDY);
  RCC_CFGR = pll | CFGR_SW_PLL;
}

void port_init(void) {
  begin_clock();
  RCC_APB2ENR |= APB2ENR_IOPA | APB2ENR_USART1;
  GPIOA_ODR |= PA10; // pulled up: a line that nobody drives is idle
  GPIOA_CRH = (GPIOA_CRH & ~CRH_PA9_PA10) | CRH_PA9_ALTERNATE | CRH_PA10_PULLED;
  systick_begin();
  usart_begin(SYSTICK_HZ);
}

uint32_t part_id(void) { return UNIQUE_ID(0) ^ UNIQUE_ID(1) ^ UNIQUE_ID(2); }
