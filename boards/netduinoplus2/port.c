// Netduino Plus 2 (STM32F405RG): clock, pins and USART1. Chapters are those of RM0090.
#include "board.h"
#include "cortex-m.h"
#include "port.h"
#include "seed.h"
#include "stm32-usart.h"
#include "systick.h"

// Flash (chapter 3): five wait states at 168 MHz, with caches and prefetch.
#define FLASH_ACR REGISTER(0x40023c00)
#define ACR_168_MHZ (5u | 1u << 8 | 1u << 9 | 1u << 10)

// RCC (chapter 7)
#define RCC_CR REGISTER(0x40023800)
#define CR_HSEON (1u << 16)
#define CR_HSERDY (1u << 17)
#define CR_PLLON (1u << 24)
#define CR_PLLRDY (1u << 25)
#define RCC_PLLCFGR REGISTER(0x40023804)
#define PLLCFGR_FROM_HSE (1u << 22)
/// The input is divided to 1 MHz, times 336, by 2; by 7 for USB, which is not used.
#define PLLCFGR_168_MHZ(input_mhz) ((uint32_t)(input_mhz) | 336u << 6 | 7u << 24)
#define HSE_MHZ 25
#define HSI_MHZ 16
#define RCC_CFGR REGISTER(0x40023808)
#define CFGR_SW_PLL 2u
#define CFGR_APB1_BY_4 (5u << 10)
#define CFGR_APB2_BY_2 (4u << 13)
#define RCC_AHB1ENR REGISTER(0x40023830)
#define AHB1ENR_GPIOB (1u << 1)
#define RCC_APB2ENR REGISTER(0x40023844)
#define APB2ENR_USART1 (1u << 4)
#define APB2_HZ (SYSTICK_HZ / 2)

// GPIO (chapter 8): PB6 is USART1's output, PB7 its input, as alternate function 7.
#define GPIOB_MODER REGISTER(0x40020400)
#define GPIOB_PUPDR REGISTER(0x4002040c)
#define GPIOB_AFRL REGISTER(0x40020420)
#define MODER_PB6_PB7 (3u << 12 | 3u << 14)
#define MODER_ALTERNATE (2u << 12 | 2u << 14)
#define PUPDR_PB7_UP (1u << 14)
#define AFRL_PB6_PB7 (0xffu << 24)
#define AFRL_USART1 (0x77u << 24)

/// The unique device id (RM0090, 39.1).
#define UNIQUE_ID(word) REGISTER(0x1fff7a10 + 4 * (word))

/// USART1 is interrupt 37, the last in use.
CORTEX_VECTORS vectors[USART_IRQ + 1] = {
    [0 ... USART_IRQ - 1] = cortex_fault,
    [USART_IRQ] = usart_interrupt,
};

/// 168 MHz from the crystal of 25 MHz; without it from the internal oscillator of 16 MHz.
static void begin_clock(void) {
  RCC_CR |= CR_HSEON;
  RCC_PLLCFGR = register_wait(&RCC_CR, CR_HSERDY) ? PLLCFGR_168_MHZ(HSE_MHZ) | PLLCFGR_FROM_HSE : PLLCFGR_168_MHZ(HSI_MHZ);
  RCC_CR |= CR_PLLON;
  register_wait(&RCC_CR, CR_PLLRDY);
  FLASH_ACR = ACR_168_MHZ;
  RCC_CFGR = CFGR_APB1_BY_4 | CFGR_APB2_BY_2;
  RCC_CFGR = CFGR_APB1_BY_4 | CFGR_APB2_BY_2 | CFGR_SW_PLL;
}

void port_init(void) {
  begin_clock();
  RCC_AHB1ENR |= AHB1ENR_GPIOB;
  RCC_APB2ENR |= APB2ENR_USART1;
  GPIOB_AFRL = (GPIOB_AFRL & ~AFRL_PB6_PB7) | AFRL_USART1;
  GPIOB_PUPDR |= PUPDR_PB7_UP; // a line that nobody drives is idle
  GPIOB_MODER = (GPIOB_MODER & ~MODER_PB6_PB7) | MODER_ALTERNATE;
  systick_begin();
  usart_begin(APB2_HZ);
}

uint32_t part_id(void) { return UNIQUE_ID(0) ^ UNIQUE_ID(1) ^ UNIQUE_ID(2); }
