/**
 * Starts a replica in its own process group: terminal signals do not reach it, and one signal ends all its children.
 * Its priority is lower than that of this process.
 * Descriptor 3 is a Unix socket for messages. Descriptor 4 closes when this process exits; then the replica exits.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import type { Socket } from 'node:net';
import { AppError, type Resources } from '@equipoise/core/model';
import { lowerProcessPriority } from '../replica/stage-priority.js';
import { BoundedOutput } from './bounded-output.js';
import { ProcessChannel } from './process-channel.js';

export interface ProgramStart {
  readonly program: string;
  readonly args: readonly string[];
  readonly resources: Resources;
}

/** Limits threads of numeric libraries, which by default start one thread per core. */
function threadLimits({ cpuCores }: Resources): Readonly<Record<string, string>> {
  const threads = String(Math.max(1, Math.floor(cpuCores)));
  return {
    OMP_NUM_THREADS: threads,
    OPENBLAS_NUM_THREADS: threads,
    MKL_NUM_THREADS: threads,
    NUMEXPR_NUM_THREADS: threads,
    VECLIB_MAXIMUM_THREADS: threads,
  };
}

async function spawned(child: ChildProcess, program: string): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    child.once('spawn', resolve);
    child.once('error', (cause) => {
      const problem = `The program ${program} of a replica cannot be started: ${cause.message}`;
      reject(new AppError('MODEL_LOAD_FAILED', problem, { details: { program }, cause }));
    });
  });
}

/** Rejects with AppError MODEL_LOAD_FAILED if the program cannot be started. */
export async function startProcess({ program, args, resources }: ProgramStart): Promise<ProcessChannel> {
  const child = spawn(program, args, {
    stdio: ['ignore', 'pipe', 'pipe', 'pipe', 'pipe'],
    detached: true,
    env: { ...process.env, ...threadLimits(resources) },
  });
  if (child.pid !== undefined) lowerProcessPriority(child.pid);
  const [, stdout, stderr, socket, watch] = child.stdio;
  (watch as Socket | undefined)?.on('error', () => {});
  await spawned(child, program);
  const output = new BoundedOutput(process.stderr, () => performance.now());
  output.take(stdout as Socket);
  output.take(stderr as Socket);
  return new ProcessChannel({ child, socket: socket as Socket, output });
}
