// What Linux says of a process: the CPU time it has taken, its memory, and how many files it may open.
import { readFileSync } from 'node:fs';

/** Of /proc/PID/stat: USER_HZ, which is 100 on every Linux that Node runs on. */
const TICKS_PER_S = 100;
/** Fields of /proc/PID/stat after the name, which ends with the last `)`: utime and stime, the whole process's. */
const UTIME_AT = 11;
const STIME_AT = 12;
const BYTES_PER_KIB = 1024;

function read(pid: number, file: string): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8');
  } catch {
    return undefined;
  }
}

/** CPU time of all threads, the system's included, s, in steps of 10 ms. Undefined where there is no /proc. */
export function cpuSeconds(pid: number): number | undefined {
  const stat = read(pid, 'stat');
  if (stat === undefined) return undefined;
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[UTIME_AT]) + Number(fields[STIME_AT])) / TICKS_PER_S;
}

/** Resident memory, bytes. Undefined where there is no /proc. */
export function residentBytes(pid: number): number | undefined {
  const kib = /^VmRSS:\s+(\d+) kB/m.exec(read(pid, 'status') ?? '')?.[1];
  return kib === undefined ? undefined : Number(kib) * BYTES_PER_KIB;
}

/** Files that the process may open, its sockets among them. Undefined where there is no /proc. */
export function openFilesMax(pid: number): number | undefined {
  const soft = /^Max open files\s+(\d+|unlimited)/m.exec(read(pid, 'limits') ?? '')?.[1];
  if (soft === undefined) return undefined;
  return soft === 'unlimited' ? Number.POSITIVE_INFINITY : Number(soft);
}
