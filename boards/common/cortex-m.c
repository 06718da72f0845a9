// Start-up, faults, reset and sleep of Cortex-M parts.
#include "cortex-m.h"

#include <stdbool.h>

#include "link.h"
#include "port.h"
#include "retained.h"
#include "start.h"

/// Application Interrupt and Reset Control Register.
#define AIRCR REGISTER(0xe000ed0c)
#define AIRCR_VECTKEY (0x05fau << 16)
#define AIRCR_SYSRESETREQ (1u << 2)
/// Interrupt Set-Enable and Clear-Enable Registers.
#define NVIC_ISER(word) REGISTER(0xe000e100 + 4 * (word))
#define NVIC_ICER(word) REGISTER(0xe000e180 + 4 * (word))

extern uint32_t __stack_start[], __stack_top[];

/// SysTick's, where the part has one.
__attribute__((weak)) void systick_interrupt(void) { cortex_fault(); }

/// What the core pushes when an exception begins, and which word of it is the address it came from (ARMv6-M and 7-M, B1.5.6).
#define FRAME_WORDS 8
#define FRAME_PC 6

static _Noreturn __attribute__((used)) void fault(const uint32_t *frame) {
  // A frame that was to go below the stack lies in no memory.
  const bool is_there = frame >= __stack_start && frame + FRAME_WORDS <= __stack_top;
  retained_fault(is_there ? frame[FRAME_PC] : 0);
}

/// The stack may be what is broken: the handler begins with a new one.
__attribute__((naked)) void cortex_fault(void) {
  __asm volatile("mov r0, sp\n ldr r1, =__stack_top\n mov sp, r1\n bl fault\n .ltorg");
}

struct vectors {
  uint32_t *stack;
  cortex_handler handlers[15];
};

__attribute__((section(".vectors.core"), used)) static const struct vectors core_vectors = {
    __stack_top,
    {
        (cortex_handler)start, // reset
        cortex_fault,          // NMI
        cortex_fault,          // HardFault
        cortex_fault,          // MemManage, BusFault and UsageFault are off: they end in HardFault
        cortex_fault,
        cortex_fault,
        0,
        0,
        0,
        0,
        cortex_fault, // SVCall
        cortex_fault, // debug
        0,
        cortex_fault, // PendSV
        systick_interrupt,
    },
};

void cortex_enable(uint32_t number) { NVIC_ISER(number / 32) = 1u << number % 32; }

void cortex_disable(uint32_t number) { NVIC_ICER(number / 32) = 1u << number % 32; }

void core_reset(void) {
  __asm volatile("cpsid i\n dsb" ::: "memory");
  AIRCR = AIRCR_VECTKEY | AIRCR_SYSRESETREQ;
  for (;;) __asm volatile("dsb");
}

void port_idle(uint32_t ms) {
  (void)ms; // the timer's tick ends the sleep
  // An interrupt between the question and the sleep would be slept through; with interrupts off it is pending, and ends it.
  uint32_t was = cortex_lock();
  if (!link_is_ready()) __asm volatile("dsb\n wfi" ::: "memory");
  cortex_unlock(was);
}
