/**
 * Runs a user's policy in a thread of its own. The policy may hang, end its thread or exhaust its memory: each becomes
 * a POLICY_FAILED that names its file. Its output goes to stderr.
 */
import { createRequire } from 'node:module';
import { Worker } from 'node:worker_threads';
import type { PolicyObservation } from '@equipoise/core/control';
import { AppError, thrownText } from '@equipoise/core/model';
import { type FailedCell, isFailed } from '../cells/failed-cell.js';
import type { NamedPolicy, PolicyCall, PolicyTask } from './policy-thread.js';

/** `callMs`: longest call of the policy. */
export interface PolicyLimits {
  readonly callMs: number;
  readonly memoryMib: number;
}

const LIMITS: PolicyLimits = { callMs: 60_000, memoryMib: 2048 };

interface Waiting<Answer> {
  readonly resolve: (answer: Answer) => void;
  readonly reject: (error: AppError) => void;
}

export class OwnPolicyThread<Answer extends { readonly kind: string }> {
  readonly #path: string;
  readonly #limits: PolicyLimits;
  readonly #worker: Worker;
  #waiting: Waiting<Answer> | undefined;
  #during = 'before it was loaded';
  #timer: NodeJS.Timeout | undefined;
  /** Why the thread ends. At its end all of its messages are read, so that the last call is known. */
  #reason: (() => string) | undefined;
  #failure: AppError | undefined;

  constructor(task: PolicyTask, limits: PolicyLimits = LIMITS) {
    this.#path = task.path;
    this.#limits = limits;
    this.#worker = new Worker(createRequire(import.meta.url).resolve('equipoise/policy-thread'), {
      workerData: task,
      execArgv: [],
      stdout: true,
      resourceLimits: { maxOldGenerationSizeMb: limits.memoryMib },
    });
    // Stdout belongs to the document of the command.
    this.#worker.stdout.on('data', (chunk: Uint8Array) => process.stderr.write(chunk));
    this.#worker.on('message', (message: PolicyCall | FailedCell | Answer) => this.#receive(message));
    this.#worker.on('error', (error: unknown) => {
      this.#reason ??= () => this.#reasonOf(error);
    });
    this.#worker.on('exit', (code) => this.#end(code));
  }

  /** The next answer; the first one needs no question. Rejects with the error of the policy. */
  ask(question?: PolicyObservation): Promise<Answer> {
    return new Promise((resolve, reject) => {
      if (this.#failure !== undefined) return reject(this.#failure);
      this.#waiting = { resolve, reject };
      if (question === undefined) return;
      // The thread may be busy outside its calls.
      this.#limit('after its last answer');
      this.#worker.postMessage(question);
    });
  }

  async close(): Promise<void> {
    this.#limit();
    await this.#worker.terminate();
  }

  #receive(message: PolicyCall | FailedCell | Answer): void {
    if (isCall(message)) {
      const call: PolicyCall = message;
      if (call.kind === 'calling') this.#during = call.during;
      this.#limit(call.kind === 'calling' ? call.during : undefined);
      return;
    }
    this.#limit();
    const waiting = this.#waiting;
    this.#waiting = undefined;
    if (isFailed(message)) waiting?.reject(new AppError(message.code, message.message));
    else waiting?.resolve(message);
  }

  /** Limits the time of what the thread does now. Without `during`, its time has no limit. */
  #limit(during?: string): void {
    clearTimeout(this.#timer);
    if (during !== undefined) this.#timer = setTimeout(() => this.#stopHanging(during), this.#limits.callMs);
  }

  #stopHanging(during: string): void {
    const limitS = this.#limits.callMs / 1000;
    this.#reason = () => `did not answer within ${limitS} s (${during}). Check it for an endless loop`;
    void this.#worker.terminate();
  }

  #reasonOf(error: unknown): string {
    const { code, message } = (error ?? {}) as { readonly code?: unknown; readonly message?: unknown };
    if (code === 'ERR_WORKER_OUT_OF_MEMORY')
      return `used more than ${this.#limits.memoryMib} MiB of memory (${this.#during}). Keep less in it`;
    return `failed outside its answers (${this.#during}): ${thrownText(message ?? error)}`;
  }

  #end(code: number): void {
    this.#limit();
    const ended = `ended its thread with exit code ${code} (${this.#during}). Remove the call that ends the process`;
    this.#failure = new AppError('POLICY_FAILED', `${this.#path}: the policy ${this.#reason?.() ?? ended}.`);
    this.#waiting?.reject(this.#failure);
    this.#waiting = undefined;
  }
}

const isCall = (message: { readonly kind: string }): message is PolicyCall =>
  message.kind === 'calling' || message.kind === 'called';

/** Name of the policy in a file. Throws POLICY_FAILED for a file without a policy. */
export async function ownPolicyName(path: string): Promise<string> {
  const thread = new OwnPolicyThread<NamedPolicy>({ kind: 'name', path });
  try {
    return (await thread.ask()).name;
  } finally {
    await thread.close();
  }
}
