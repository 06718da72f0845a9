// Start-up, traps, time, reset and sleep of RISC-V parts. Machine mode only.
#include "riscv.h"

#include "link.h"
#include "port.h"
#include "retained.h"
#include "start.h"
#include "watchdog.h"

#define MTIMECMP_LOW REGISTER(0x02004000)
#define MTIMECMP_HIGH REGISTER(0x02004004)
#define MTIME_LOW REGISTER(0x0200bff8)
#define MTIME_HIGH REGISTER(0x0200bffc)
#define PLIC_PRIORITY(source) REGISTER(0x0c000000 + 4 * (source))
#define PLIC_ENABLE(word) REGISTER(0x0c002000 + 4 * (word))
#define PLIC_THRESHOLD REGISTER(0x0c200000)
#define PLIC_CLAIM REGISTER(0x0c200004)

#define MSTATUS_MIE (1u << 3)
#define MIE_TIMER (1u << 7)
#define MIE_EXTERNAL (1u << 11)
#define MCAUSE_TIMER 7

/// mtime counts a crystal of 32,768 Hz on the part, and 10 MHz in QEMU.
#define MTIME_HZ_PART 32768
#define MTIME_HZ_QEMU 10000000
/// A loop so long takes 10 counts on the part, and thousands in QEMU.
#define RATE_LOOPS 500
#define RATE_COUNTS_MAX 20

#define TICKS_PER_S 100

static uint32_t counts_per_s;
static uint32_t counts_per_tick;

/// The moment of the last tick, which the interrupt moves: where mtime was then, and the time in milliseconds and 1/hz of them.
static volatile struct {
  uint32_t at;
  uint32_t ms;
  uint32_t rest;
} last;

static inline uint32_t lock(void) {
  uint32_t was;
  __asm volatile("csrrci %0, mstatus, 8" : "=r"(was)::"memory");
  return was & MSTATUS_MIE;
}

static inline void unlock(uint32_t was) { __asm volatile("csrs mstatus, %0" ::"r"(was) : "memory"); }

static uint32_t measure_rate(void) {
  uint32_t begun = MTIME_LOW;
  for (volatile uint32_t i = 0; i < RATE_LOOPS; i++) {
  }
  return MTIME_LOW - begun > RATE_COUNTS_MAX ? MTIME_HZ_QEMU : MTIME_HZ_PART;
}

/// For the tick after the one at `last.at`.
static void set_alarm(void) {
  uint32_t high, low;
  do {
    high = MTIME_HIGH;
    low = MTIME_LOW;
  } while (MTIME_HIGH != high);
  int32_t ahead = (int32_t)(last.at + counts_per_tick - low);
  uint64_t alarm = ((uint64_t)high << 32 | low) + (uint64_t)(int64_t)ahead;
  MTIMECMP_HIGH = 0xffffffff; // no moment in between may be earlier than both
  MTIMECMP_LOW = (uint32_t)alarm;
  MTIMECMP_HIGH = (uint32_t)(alarm >> 32);
}

static void tick(void) {
  uint32_t sum = last.rest + counts_per_tick * 1000;
  uint32_t ms = sum / counts_per_s;
  last.at += counts_per_tick;
  last.rest = sum % counts_per_s;
  last.ms += ms;
  set_alarm();
  watchdog_tick(ms);
}

__attribute__((interrupt("machine"), used)) static void trap_interrupt(void) {
  uint32_t cause;
  __asm volatile("csrr %0, mcause" : "=r"(cause));
  if ((cause & 0xfff) == MCAUSE_TIMER) {
    tick();
    return;
  }
  uint32_t source = PLIC_CLAIM;
  if (source != 0) {
    port_source_interrupt();
    PLIC_CLAIM = source;
  }
}

static _Noreturn __attribute__((used)) void fault(void) {
  uint32_t at;
  __asm volatile("csrr %0, mepc" : "=r"(at));
  retained_fault(at);
}

/// Where the core goes for every interrupt and fault. After a fault the stack may be what is broken: it begins anew.
__attribute__((naked, aligned(4))) static void trap_entry(void) {
  __asm volatile(
      "csrw mscratch, t0\n"
      "csrr t0, mcause\n"
      "bgez t0, 1f\n"
      "csrr t0, mscratch\n"
      "j trap_interrupt\n"
      "1: la sp, __stack_top\n"
      "j fault\n");
}

/// The core's first instruction: at the reset vector, and where core_reset goes.
__attribute__((naked, section(".start"), used)) void _start(void) {
  __asm volatile(
      "csrci mstatus, 8\n"
      ".option push\n"
      ".option norelax\n"
      "la gp, __global_pointer$\n"
      ".option pop\n"
      "la sp, __stack_top\n"
      "j start\n");
}

void riscv_begin(uint32_t source) {
  __asm volatile("csrw mtvec, %0" ::"r"(trap_entry));
  counts_per_s = measure_rate();
  counts_per_tick = counts_per_s / TICKS_PER_S;
  last.at = MTIME_LOW;
  set_alarm();
  PLIC_THRESHOLD = 0;
  PLIC_PRIORITY(source) = 1;
  PLIC_ENABLE(source / 32) = 1u << source % 32;
  __asm volatile("csrw mie, %0\n csrsi mstatus, 8" ::"r"(MIE_TIMER | MIE_EXTERNAL) : "memory");
}

uint32_t port_now_ms(void) {
  uint32_t was = lock();
  uint32_t now = last.ms + (last.rest + (MTIME_LOW - last.at) * 1000) / counts_per_s;
  unlock(was);
  return now;
}

uint32_t port_cycles(void) {
  uint32_t cycles;
  __asm volatile("csrr %0, mcycle" : "=r"(cycles));
  return cycles;
}

/// From the beginning, by a jump: the only reset that a program can ask for is the always-on domain's watchdog, which the
/// emulator does not have. port_init sets up everything that the program uses.
void core_reset(void) {
  __asm volatile("csrci mstatus, 8\n csrw mie, zero\n j _start" ::: "memory");
  __builtin_unreachable();
}

void port_idle(uint32_t ms) {
  (void)ms; // the timer's tick ends the sleep
  // With interrupts off one that is pending ends the sleep as well, and none is slept through.
  uint32_t was = lock();
  if (!link_is_ready()) __asm volatile("wfi" ::: "memory");
  unlock(was);
}
