import type { AppError } from '@equipoise/core/model';
import type { LaunchedReplica, LaunchRequest, ReplicaLauncher } from '@equipoise/core/ports';
import { type FakeAnswer, FakeRunner } from './fake-runner.js';

/** Requested start with its runner. */
export interface FakeLaunch {
  readonly request: LaunchRequest;
  readonly runner: FakeRunner;
}

/** ReplicaLauncher in memory that records launches and fails according to `failureOf`. */
export class FakeLauncher implements ReplicaLauncher {
  readonly launches: FakeLaunch[] = [];
  /** Maximum number of simultaneous starts so far. */
  mostAtOnce = 0;
  #starting = 0;
  #gate: Promise<void> | undefined;
  #open = (): void => {};
  readonly #answer: FakeAnswer | undefined;
  failureOf: (request: LaunchRequest) => AppError | undefined = () => undefined;

  constructor(answer?: FakeAnswer) {
    this.#answer = answer;
  }

  /** Delays starts until `release`. */
  hold(): void {
    this.#gate = new Promise((resolve) => {
      this.#open = resolve;
    });
  }

  release(): void {
    this.#open();
    this.#gate = undefined;
  }

  async launch(request: LaunchRequest): Promise<LaunchedReplica> {
    this.#starting += 1;
    this.mostAtOnce = Math.max(this.mostAtOnce, this.#starting);
    await this.#gate;
    this.#starting -= 1;
    const failure = this.failureOf(request);
    if (failure !== undefined) throw failure;
    const runner = new FakeRunner(this.#answer);
    this.launches.push({ request, runner });
    return { runner, loadMs: 1 };
  }
}
