/** The two processes of the benchmark, both on core 0, one answer per message. */
import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { FromServer, LoadAnswer, LoadTask, ToServer } from './messages.js';

class Asked {
  readonly #child: ChildProcess;

  constructor(file: string, flags: readonly string[]) {
    const path = fileURLToPath(new URL(file, import.meta.url));
    this.#child = spawn('taskset', ['-c', '0', process.execPath, ...flags, '--import', 'tsx', path], {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
      serialization: 'advanced',
    });
  }

  ask<Answer>(message: object): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const ended = (code: number | null) =>
        reject(new Error(`a process of the benchmark ended with exit code ${code}`));
      this.#child.once('exit', ended);
      this.#child.once('message', (answer) => {
        this.#child.off('exit', ended);
        resolve(answer as Answer);
      });
      this.#child.send(message);
    });
  }

  end(): void {
    this.#child.disconnect();
    this.#child.kill();
  }
}

export class ServerProcess {
  // Without garbage-collection helper threads, which would be pinned to another core than the waiting thread.
  readonly #process = new Asked('./server-process.ts', [
    '--single-threaded-gc',
    '--require',
    fileURLToPath(new URL('./pool-threads.cjs', import.meta.url)),
  ]);

  ask<Kind extends ToServer['kind']>(message: ToServer & { readonly kind: Kind }): Promise<FromServer[Kind]> {
    return this.#process.ask(message);
  }

  end(): void {
    this.#process.end();
  }
}

export class LoadProcess {
  readonly #process = new Asked('./load-process.ts', []);

  run(task: LoadTask): Promise<LoadAnswer> {
    return this.#process.ask(task);
  }

  end(): void {
    this.#process.end();
  }
}
