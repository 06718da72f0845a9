// The USART of STM32F1 and STM32F4: port_uart_put, and octets for the link.
#include "stm32-usart.h"

#include "board.h"
#include "cortex-m.h"
#include "link.h"
#include "port.h"

#define USART_SR REGISTER(USART_BASE + 0x00)
#define USART_DR REGISTER(USART_BASE + 0x04)
#define USART_BRR REGISTER(USART_BASE + 0x08)
#define USART_CR1 REGISTER(USART_BASE + 0x0c)

#define SR_RXNE (1u << 5)
#define SR_ORE (1u << 3)
#define SR_TXE (1u << 7)
#define CR1_UE (1u << 13)
#define CR1_RXNEIE (1u << 5)
#define CR1_TE (1u << 3)
#define CR1_RE (1u << 2)

#define BAUD 115200

void usart_begin(uint32_t bus_hz) {
  USART_BRR = (bus_hz + BAUD / 2) / BAUD; // sixteenths of a divisor, over which the receiver samples
  USART_CR1 = CR1_UE | CR1_TE | CR1_RE | CR1_RXNEIE;
  cortex_enable(USART_IRQ);
}

void usart_interrupt(void) {
  // Reading SR and then DR also clears an overrun, whose octets are lost: the frame's checks will see.
  while (USART_SR & (SR_RXNE | SR_ORE)) {
    if (!link_has_room()) {
      cortex_disable(USART_IRQ); // until port_uart_resume
      return;
    }
    link_push((uint8_t)USART_DR);
  }
}

void port_uart_resume(void) { cortex_enable(USART_IRQ); }

void port_uart_put(uint8_t octet) {
  while (!(USART_SR & SR_TXE)) {
    // One octet's time at most.
  }
  USART_DR = octet;
}
