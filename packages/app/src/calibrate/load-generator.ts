import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { AppError } from '@equipoise/core/model';
import type { LoadAnswer, LoadTask } from './load-process.js';

/** The load generator, a process of its own. One task at a time; a task rejects once the generator has ended. */
export class LoadGenerator {
  readonly #child: ChildProcess;

  constructor() {
    this.#child = fork(fileURLToPath(new URL('./load-process.js', import.meta.url)), {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
  }

  run(task: LoadTask): Promise<LoadAnswer> {
    return new Promise((done, reject) => {
      const ended = (code: number | null) =>
        reject(new AppError('UNREACHABLE', `The load generator ended with exit code ${code} before its load did.`));
      if (!this.#child.connected) return ended(this.#child.exitCode);
      this.#child.once('exit', ended);
      this.#child.once('message', (answer) => {
        this.#child.off('exit', ended);
        done(answer as LoadAnswer);
      });
      this.#child.send(task);
    });
  }

  end(): void {
    if (this.#child.connected) this.#child.disconnect();
    this.#child.kill();
  }
}
