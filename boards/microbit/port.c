// BBC micro:bit, first version (nRF51822): clock, UART and TIMER0. Chapters are those of the nRF51 reference manual 3.0.
#include "cortex-m.h"
#include "link.h"
#include "port.h"
#include "seed.h"
#include "watchdog.h"

// CLOCK (chapter 13)
#define CLOCK_HFCLKSTART REGISTER(0x40000000)
#define CLOCK_HFCLKSTARTED REGISTER(0x40000100)
/// A crystal starts within a millisecond; the emulator has none, and one that is broken must not stop the board.
#define STARTED_LOOPS 20000

// TIMER0 (chapter 18), the only one with 32 bits. This core has no SysTick.
#define TIMER_START REGISTER(0x40008000)
#define TIMER_STOP REGISTER(0x40008004)
#define TIMER_CLEAR REGISTER(0x4000800c)
#define TIMER_CAPTURE(channel) REGISTER(0x40008040 + 4 * (channel))
#define TIMER_COMPARE(channel) REGISTER(0x40008140 + 4 * (channel))
#define TIMER_INTENSET REGISTER(0x40008304)
#define TIMER_INTENSET_COMPARE(channel) (1u << (16 + (channel)))
#define TIMER_BITMODE REGISTER(0x40008508)
#define TIMER_BITMODE_32 3
#define TIMER_PRESCALER REGISTER(0x40008510)
#define TIMER_CC(channel) REGISTER(0x40008540 + 4 * (channel))
#define TIMER0_IRQ 8
/// The channel of the next tick, and the one by which the counter is read.
#define TICK_CHANNEL 0
#define READ_CHANNEL 1

// UART0 (chapter 29); its pins are wired to the interface chip, which is a serial port on the USB side.
#define UART_STARTRX REGISTER(0x40002000)
#define UART_STARTTX REGISTER(0x40002008)
#define UART_RXDRDY REGISTER(0x40002108)
#define UART_TXDRDY REGISTER(0x4000211c)
#define UART_INTENSET REGISTER(0x40002304)
#define UART_INT_RXDRDY (1u << 2)
#define UART_ENABLE REGISTER(0x40002500)
#define UART_ENABLE_ON 4
#define UART_PSELTXD REGISTER(0x4000250c)
#define UART_PSELRXD REGISTER(0x40002514)
#define UART_RXD REGISTER(0x40002518)
#define UART_TXD REGISTER(0x4000251c)
#define UART_BAUDRATE REGISTER(0x40002524)
#define UART_BAUDRATE_115200 0x01d7e000
#define UART0_IRQ 2
#define PIN_TX 24
#define PIN_RX 25

// GPIO (chapter 14)
#define GPIO_OUTSET REGISTER(0x50000508)
#define GPIO_DIRSET REGISTER(0x50000518)

// FICR (chapter 8): a number of this very chip.
#define FICR_DEVICEID(word) REGISTER(0x10000060 + 4 * (word))

#define TICK_MS 10
#define CYCLES_PER_MS 16000
#define TICK_CYCLES (TICK_MS * CYCLES_PER_MS)
/// By so much an emulator that rounds may be early.
#define EARLY_CYCLES 16

static volatile uint32_t tick_ms; // the time at the last tick

static void timer_interrupt(void) {
  TIMER_COMPARE(TICK_CHANNEL) = 0;
  // All ticks that are due: were the next one left in the past, it would come when the counter has wrapped, in minutes.
  while ((int32_t)(port_cycles() + EARLY_CYCLES - TIMER_CC(TICK_CHANNEL)) >= 0) {
    TIMER_CC(TICK_CHANNEL) += TICK_CYCLES;
    tick_ms += TICK_MS;
    watchdog_tick(TICK_MS);
  }
}

static void uart_interrupt(void) {
  while (UART_RXDRDY) {
    if (!link_has_room()) {
      cortex_disable(UART0_IRQ); // until port_uart_resume
      return;
    }
    UART_RXDRDY = 0;
    link_push((uint8_t)UART_RXD);
  }
}

CORTEX_VECTORS vectors[] = {
    cortex_fault, cortex_fault, uart_interrupt, cortex_fault,    cortex_fault,
    cortex_fault, cortex_fault, cortex_fault,   timer_interrupt,
};

static void begin_clock(void) {
  CLOCK_HFCLKSTART = 1; // the crystal: the UART wants it
  for (uint32_t i = 0; i < STARTED_LOOPS && !CLOCK_HFCLKSTARTED; i++) {
  }
}

static void begin_timer(void) {
  TIMER_STOP = 1;
  TIMER_BITMODE = TIMER_BITMODE_32;
  TIMER_PRESCALER = 0; // 16 MHz, the core's clock
  TIMER_CLEAR = 1;
  TIMER_CC(TICK_CHANNEL) = TICK_CYCLES;
  TIMER_INTENSET = TIMER_INTENSET_COMPARE(TICK_CHANNEL);
  cortex_enable(TIMER0_IRQ);
  TIMER_START = 1;
}

static void begin_uart(void) {
  GPIO_OUTSET = 1u << PIN_TX; // an idle line is high
  GPIO_DIRSET = 1u << PIN_TX;
  UART_PSELTXD = PIN_TX;
  UART_PSELRXD = PIN_RX;
  UART_BAUDRATE = UART_BAUDRATE_115200;
  UART_ENABLE = UART_ENABLE_ON;
  UART_STARTTX = 1;
  UART_STARTRX = 1;
  UART_INTENSET = UART_INT_RXDRDY;
  cortex_enable(UART0_IRQ);
}

void port_init(void) {
  begin_clock();
  begin_timer();
  begin_uart();
}

void port_uart_resume(void) { cortex_enable(UART0_IRQ); }

void port_uart_put(uint8_t octet) {
  UART_TXDRDY = 0;
  UART_TXD = octet;
  while (!UART_TXDRDY) {
    // One octet's time.
  }
}

uint32_t port_cycles(void) {
  TIMER_CAPTURE(READ_CHANNEL) = 1;
  return TIMER_CC(READ_CHANNEL);
}

uint32_t port_now_ms(void) {
  uint32_t was = cortex_lock();
  // A tick that is due and has not been counted only makes this longer. One that comes a cycle early (in an emulator that
  // rounds) must not make it negative.
  int32_t cycles = (int32_t)(port_cycles() - (TIMER_CC(TICK_CHANNEL) - TICK_CYCLES));
  uint32_t now = tick_ms;
  cortex_unlock(was);
  for (; cycles >= CYCLES_PER_MS; cycles -= CYCLES_PER_MS) now++; // this core cannot divide
  return now;
}

uint32_t part_id(void) { return FICR_DEVICEID(0) ^ FICR_DEVICEID(1); }
