/**
 * Identity of a process that outlives it in a file. A process id alone may be given to another process, so on Linux its
 * start time and its namespace of process ids belong to the identity.
 */
import { readFileSync, readlinkSync } from 'node:fs';

/** `startTicks` and `namespace` are absent where /proc does not show them. */
export interface ProcessIdentity {
  readonly pid: number;
  readonly startTicks?: number | undefined;
  readonly namespace?: string | undefined;
}

export function ownIdentity(): ProcessIdentity {
  return { pid: process.pid, startTicks: startTicksOf(process.pid), namespace: ownNamespace() };
}

/** Undefined for a process of another namespace, which cannot be seen from here. */
export function isRunning({ pid, startTicks, namespace }: ProcessIdentity): boolean | undefined {
  if (namespace !== ownNamespace()) return undefined;
  if (startTicks !== undefined) return startTicksOf(pid) === startTicks;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** Field 22 of /proc/PID/stat. The name in field 2 may contain spaces. A zombie no longer runs. */
function startTicksOf(pid: number): number | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
    return fields[0] === 'Z' || fields[0] === 'X' ? undefined : Number(fields[19]);
  } catch {
    return undefined;
  }
}

function ownNamespace(): string | undefined {
  try {
    return readlinkSync('/proc/self/ns/pid');
  } catch {
    return undefined;
  }
}
