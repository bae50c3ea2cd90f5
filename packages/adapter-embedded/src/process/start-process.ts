/**
 * Starts the process of one replica in its own process group. So a signal of the terminal does not reach it, and one
 * signal ends it with everything that it started. Descriptor 3 is a Unix socket for messages. Descriptor 4 carries no
 * data: it ends with this process, however that ends, and the replica then ends itself.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import type { Socket } from 'node:net';
import { AppError, type Resources } from '@equipoise/core/model';
import { BoundedOutput } from './bounded-output.js';
import { ProcessChannel } from './process-channel.js';

/** A program with its arguments, in a folder or in this process's own. */
export interface ProgramStart {
  readonly program: string;
  readonly args: readonly string[];
  readonly resources: Resources;
}

/** Numeric libraries start one thread per core of the machine unless they are told the replica's cores. */
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

/** Resolves when the program runs; rejects with AppError MODEL_LOAD_FAILED if it cannot be started. */
async function spawned(child: ChildProcess, program: string): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    child.once('spawn', resolve);
    child.once('error', (cause) => {
      const problem = `The program ${program} of a replica cannot be started: ${cause.message}`;
      reject(new AppError('MODEL_LOAD_FAILED', problem, { details: { program }, cause }));
    });
  });
}

/**
 * A channel to a started process; rejects with AppError MODEL_LOAD_FAILED if the program is missing or may not be run.
 */
export async function startProcess({ program, args, resources }: ProgramStart): Promise<ProcessChannel> {
  const child = spawn(program, args, {
    stdio: ['ignore', 'pipe', 'pipe', 'pipe', 'pipe'],
    detached: true,
    env: { ...process.env, ...threadLimits(resources) },
  });
  const [, stdout, stderr, socket, watch] = child.stdio;
  (watch as Socket | undefined)?.on('error', () => {});
  await spawned(child, program);
  const output = new BoundedOutput(process.stderr, () => performance.now());
  output.take(stdout as Socket);
  output.take(stderr as Socket);
  return new ProcessChannel({ child, socket: socket as Socket, output });
}
