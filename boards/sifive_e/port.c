// HiFive1 (FE310-G000): clock, pins and UART0. Chapters are those of the FE310-G000 manual.
#include "board.h"
#include "link.h"
#include "port.h"
#include "riscv.h"
#include "seed.h"

// PRCI (chapter 6)
/// Of the internal oscillator after a reset, as it should be.
#define HFROSC_HZ 13800000
#define HFXOSCCFG REGISTER(0x10008004)
#define HFXOSCCFG_ENABLE (1u << 30)
#define HFXOSCCFG_READY (1u << 31)
#define PLLCFG REGISTER(0x10008008)
#define PLLCFG_SELECT (1u << 16)
#define PLLCFG_REFERENCE_CRYSTAL (1u << 17)
#define PLLCFG_BYPASS (1u << 18)
#define PLLOUTDIV REGISTER(0x1000800c)
#define PLLOUTDIV_BY_1 (1u << 8)

// GPIO (chapter 17): pins 16 and 17 are UART0's where their special function is chosen.
#define GPIO_IOF_EN REGISTER(0x10012038)
#define GPIO_IOF_SEL REGISTER(0x1001203c)
#define UART0_PINS (1u << 16 | 1u << 17)

// UART0 (chapter 18)
#define UART_TXDATA REGISTER(0x10013000)
#define UART_TXDATA_FULL (1u << 31)
#define UART_RXDATA REGISTER(0x10013004)
#define UART_RXDATA_EMPTY (1u << 31)
#define UART_TXCTRL REGISTER(0x10013008)
#define UART_RXCTRL REGISTER(0x1001300c)
#define UART_ENABLE 1u
#define UART_IE REGISTER(0x10013010)
#define UART_IE_RX (1u << 1)
#define UART_DIV REGISTER(0x10013018)
#define UART0_SOURCE 3
#define BAUD 115200

/// The crystal; without it the internal oscillator goes on, whose frequency is no more than about what it should be. Returns
/// the core's frequency.
static uint32_t begin_clock(void) {
  HFXOSCCFG = HFXOSCCFG_ENABLE;
  if (!register_wait(&HFXOSCCFG, HFXOSCCFG_READY)) return HFROSC_HZ;
  PLLOUTDIV = PLLOUTDIV_BY_1;
  PLLCFG = PLLCFG_BYPASS | PLLCFG_REFERENCE_CRYSTAL;
  PLLCFG = PLLCFG_BYPASS | PLLCFG_REFERENCE_CRYSTAL | PLLCFG_SELECT;
  return CORE_HZ;
}

void port_init(void) {
  const uint32_t core_hz = begin_clock();
  GPIO_IOF_SEL &= ~UART0_PINS;
  GPIO_IOF_EN |= UART0_PINS;
  UART_DIV = (core_hz + BAUD / 2) / BAUD - 1;
  UART_TXCTRL = UART_ENABLE;
  UART_RXCTRL = UART_ENABLE; // an interrupt as soon as one octet is there
  UART_IE = UART_IE_RX;
  riscv_begin(UART0_SOURCE);
}

void port_source_interrupt(void) {
  for (;;) {
    if (!link_has_room()) {
      UART_IE = 0; // until port_uart_resume
      return;
    }
    uint32_t octet = UART_RXDATA;
    if (octet & UART_RXDATA_EMPTY) return;
    link_push((uint8_t)octet);
  }
}

void port_uart_resume(void) { UART_IE = UART_IE_RX; }

void port_uart_put(uint8_t octet) {
  while (UART_TXDATA & UART_TXDATA_FULL) {
  }
  UART_TXDATA = octet;
}

/// The FE310 has no serial number: a board whose flash nobody has written a seed to is device 1.
uint32_t part_id(void) { return 1; }
