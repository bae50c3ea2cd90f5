/**
 * The first SIGINT or SIGTERM requests a graceful stop; a later one ends the process. One key press may arrive twice,
 * from the terminal and from npm, so signals in quick succession count as one.
 */
import { runInNewContext } from 'node:vm';
import { AppError } from '@equipoise/core/model';
import { endAtSigterm, leaveSigtermToCommand } from './first-process.js';

const SAME_REQUEST_MS = 1000;

/** Error of a stopped command. `afterStop`: sentence on the work that is done. */
export const interrupted = (afterStop: string): AppError => new AppError('INTERRUPTED', `Stopped. ${afterStop}`);

/** Runs synchronous work, during which no listener hears Ctrl-C. Throws `interrupted` after Ctrl-C. */
export function untilCtrlC<T>(work: () => T, afterStop: string): T {
  try {
    return runInNewContext('work()', { work }, { breakOnSigint: true }) as T;
  } catch (error) {
    if ((error as NodeJS.ErrnoException | undefined)?.code !== 'ERR_SCRIPT_EXECUTION_INTERRUPTED') throw error;
    // The key press may arrive a second time.
    process.on('SIGINT', () => {});
    throw interrupted(afterStop);
  }
}

export function stopSignal(): Promise<void> {
  return new Promise((resolve) => {
    let firstAtMs: number | undefined;
    const onSignal = () => {
      firstAtMs ??= performance.now();
      resolve();
      if (performance.now() - firstAtMs > SAME_REQUEST_MS) endNow();
    };
    process.on('SIGINT', onSignal);
    process.on('SIGTERM', onSignal);
    leaveSigtermToCommand();
  });
}

/** Runs `work` before a signal ends the process. The returned function cancels this. */
export function beforeEndedBySignal(work: () => void): () => void {
  const forget = () => {
    process.removeListener('SIGINT', onSignal);
    process.removeListener('SIGTERM', onSignal);
    endAtSigterm();
  };
  const onSignal = (signal: NodeJS.Signals) => {
    forget();
    work();
    process.kill(process.pid, signal);
  };
  process.on('SIGINT', onSignal);
  process.on('SIGTERM', onSignal);
  leaveSigtermToCommand();
  return forget;
}

/** Waits for work. After `limitMs` it reports the hanging work and kills the process. */
export async function endWithin<T>(limitMs: number, work: Promise<T>, whatHangs: () => string): Promise<T> {
  const timer = endLater(limitMs, whatHangs);
  try {
    return await work;
  } finally {
    clearTimeout(timer);
  }
}

/** Ends the process if a thread never returns. */
export function endUnlessOver(limitMs: number, whatHangs: string): void {
  endLater(limitMs, () => whatHangs).unref();
}

function endLater(limitMs: number, whatHangs: () => string): NodeJS.Timeout {
  return setTimeout(() => {
    process.stderr.write(`Not ended within ${limitMs / 1000} s, so the process is killed: ${whatHangs()}.\n`);
    endNow();
  }, limitMs);
}

/** A plain exit would abort inside a running model. */
function endNow(): void {
  process.kill(process.pid, 'SIGKILL');
}
