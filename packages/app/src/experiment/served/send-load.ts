import { fork } from 'node:child_process';
import { createRequire } from 'node:module';
import { AppError } from '@equipoise/core/model';
import type { LoadNews, SentRequest, ServedLoad } from './load-child.js';

export interface SentLoad {
  readonly startedAtEpochMs: number;
  /** In the order of their ends. */
  readonly requests: readonly SentRequest[];
  readonly firstFailure: string | undefined;
}

/** Sends a load from a process of its own. Rejects with INTERRUPTED after a stop, with UNREACHABLE if it crashes. */
export function sendLoad(load: ServedLoad, stop: AbortSignal): Promise<SentLoad> {
  const child = fork(createRequire(import.meta.url).resolve('equipoise/load-child'), {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    execArgv: [],
  });
  const requests: SentRequest[] = [];
  let startedAtEpochMs = 0;
  return new Promise<SentLoad>((resolve, reject) => {
    const interrupt = () => reject(new AppError('INTERRUPTED', 'Stopped while a load was sent.'));
    stop.addEventListener('abort', interrupt, { once: true });
    if (stop.aborted) interrupt();
    child.on('message', (news: LoadNews) => {
      if (news.kind === 'sent') {
        ({ startedAtEpochMs } = news);
        requests.push(...news.requests);
      } else resolve({ startedAtEpochMs, requests, firstFailure: news.firstFailure });
    });
    child.on('error', reject);
    child.on('exit', (code) =>
      reject(new AppError('UNREACHABLE', `The load generator ended with exit code ${code} before its load did.`)),
    );
    child.send(load);
  }).finally(() => child.kill('SIGKILL'));
}
