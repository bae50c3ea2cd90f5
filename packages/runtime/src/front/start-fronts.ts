/**
 * The serving ports in processes of their own, as many as are wanted, all on the same ports. This process keeps the pipelines: one queue
 * for each stage, one scheduler, one count of everything, whatever the number of fronts.
 */
import { warnOfStageFailure } from '../data-plane/stage-failure.js';
import { warnOfDefect } from '../data-plane/turn-queue.js';
import { mostLeavingBytes } from '../open-inference/leaving-bound.js';
import type { ServingPhase } from '../open-inference/serving-phase.js';
import { StageTypes } from '../open-inference/stage-types.js';
import type { RunningServer, ServerOptions } from '../open-inference/start-server.js';
import type { Tenants } from '../open-inference/tenants/tenants.js';
import type { CertifiedKey } from '../open-inference/tls-identity.js';
import type { TensorFrames } from './frame-link.js';
import type { FrontedServing } from './front-peer.js';
import { type FrontLauncher, FrontSlot, type Listening } from './front-slot.js';
import type { FrontSetting, SentIdentity, ServingState, ToFront } from './messages.js';
import { type AskedPorts, SharedPorts } from './shared-ports.js';

/** What to serve, as without fronts, and where. */
export interface FrontServerOptions
  extends Omit<ServerOptions, 'tenants' | 'maxArrivingBytes' | 'maxLeavingBytes' | 'share'> {
  readonly tenants?: Tenants;
}

/** How many fronts there are, and how they are started and spoken with. */
export interface FrontOptions {
  readonly count: number;
  readonly launcher: FrontLauncher;
  readonly frames: TensorFrames;
  /** Told of every front that ended by itself, and why. */
  readonly onLost: (problem: string) => void;
}

const DEFAULT_MAX_BODY_BYTES = 16 * 1024 * 1024;
/** How many bodies of the largest size may be on their way at once, at all fronts together. */
const MOST_LARGEST_BODIES = 16;
const DEFAULT_CLOSE_TIMEOUT_MS = 10_000;
/** How often it is looked whether the fronts have to be told something, and how often they are told all the same. */
const LOOK_MS = 50;
const LOOKS_PER_WORD = 20;

/** Starts to listen; rejects as `startServer` does, and with AppError INTERNAL_ERROR where a front process does not start. */
export async function startFronts(options: FrontServerOptions, fronts: FrontOptions): Promise<RunningServer> {
  const server = new FrontedServer(options, fronts);
  const { url, grpcAddress } = await server.start();
  return {
    url,
    ...(grpcAddress !== undefined && { grpcAddress }),
    beginServing: () => server.beginServing(),
    leave: (withinMs) => server.leave(withinMs),
    close: ({ timeoutMs = DEFAULT_CLOSE_TIMEOUT_MS } = {}) => server.close(timeoutMs),
  };
}

class FrontedServer {
  readonly #serving: FrontedServing;
  readonly #slots: readonly FrontSlot[];
  readonly #forget: readonly (() => void)[];
  #looking: NodeJS.Timeout | undefined;
  #phase: ServingPhase;
  #told = '';
  #states = 0;
  #revision = 0;
  #closed: Promise<unknown> | undefined;

  constructor(options: FrontServerOptions, { count, launcher, frames, onLost }: FrontOptions) {
    const { tls, tenants } = options;
    this.#phase = options.starting === true ? 'starting' : 'serving';
    this.#serving = this.#servingOf(options);
    const begin = (at: AskedPorts): ToFront => ({
      ...{ kind: 'begin', setting: { ...settingOf(options, count), ...at }, state: this.#state() },
    });
    const { port, grpcPort } = options;
    const ports = new SharedPorts({ port, ...(grpcPort !== undefined && { grpcPort }) });
    const setting = { serving: this.#serving, launcher, frames, ports, begin, onLost };
    this.#slots = Array.from({ length: count }, () => new FrontSlot(setting));
    this.#forget = [
      tls?.onChange((identity) => this.#tell({ kind: 'identity', identity: sent(identity) })),
      tenants?.onChange(() => this.#tell({ kind: 'tenants', tenants: tenants.digests })),
    ].filter((forget) => forget !== undefined);
  }

  async start(): Promise<Listening> {
    try {
      const [first] = await Promise.all(this.#slots.map((slot) => slot.start()));
      let looks = 0;
      this.#looking = setInterval(() => this.#tellState(++looks % LOOKS_PER_WORD === 0), LOOK_MS).unref();
      return first as Listening;
    } catch (error) {
      await this.close(0);
      throw error;
    }
  }

  async beginServing(): Promise<void> {
    if (this.#phase === 'starting') this.#phase = 'serving';
    this.#tellState(true);
    await Promise.all(this.#slots.map((slot) => slot.heeds(this.#states)));
  }

  async leave(withinMs: number): Promise<void> {
    if (this.#phase !== 'serving') return;
    this.#phase = 'leaving';
    await Promise.all(this.#slots.map((slot) => slot.leave(withinMs)));
  }

  async close(timeoutMs: number): Promise<void> {
    this.#phase = 'closing';
    this.#closed ??= Promise.all(this.#slots.map((slot) => slot.close(timeoutMs)));
    await this.#closed;
    clearInterval(this.#looking);
    for (const forget of this.#forget) forget();
  }

  #servingOf(options: FrontServerOptions): FrontedServing {
    const pipelines = options.runners.map((runner) => {
      const { name } = runner.spec;
      return [name, { runner, types: options.stageTypes?.get(name) ?? new StageTypes() }] as const;
    });
    return {
      pipelines: new Map(pipelines),
      ...{ tenants: options.tenants, metrics: options.metrics },
      onAnswer: options.onAnswer ?? (() => {}),
      onDefect: options.onDefect ?? warnOfDefect,
      onStageFailure: options.onStageFailure ?? warnOfStageFailure,
      tellNews: () => this.#tellNews(),
    };
  }

  #state(): ServingState {
    const pipelines = [...this.#serving.pipelines].map(([name, { runner, types }]) => [
      name,
      { ready: runner.ready, types: types.seen },
    ]);
    return { phase: this.#phase, pipelines: Object.fromEntries(pipelines) };
  }

  /** What has been seen of tensors is told before the answer that it was seen in. */
  #tellNews(): void {
    let revision = 0;
    for (const { types } of this.#serving.pipelines.values()) revision += types.revision;
    if (revision === this.#revision) return;
    this.#revision = revision;
    this.#tellState(false);
  }

  #tellState(always: boolean): void {
    const state = this.#state();
    const text = JSON.stringify(state);
    if (!always && text === this.#told) return;
    this.#told = text;
    this.#tell({ kind: 'state', state, number: ++this.#states });
  }

  #tell(message: ToFront): void {
    for (const slot of this.#slots) slot.tell(message);
  }
}

function settingOf(options: FrontServerOptions, count: number): Omit<FrontSetting, keyof AskedPorts> {
  const { version, host, requestTimeoutMs, tenants, tls, metrics } = options;
  const { maxBodyBytes = DEFAULT_MAX_BODY_BYTES } = options;
  const bodies = Math.max(1, Math.floor(MOST_LARGEST_BODIES / count));
  return {
    specs: options.runners.map(({ spec }) => spec),
    ...{ version, maxBodyBytes, maxArrivingBytes: bodies * maxBodyBytes },
    maxLeavingBytes: mostLeavingBytes(maxBodyBytes, count),
    ...(host !== undefined && { host }),
    ...(requestTimeoutMs !== undefined && { requestTimeoutMs }),
    ...(tenants && { tenants: tenants.digests }),
    ...(tls && { identity: sent(tls.current) }),
    ...(metrics && { metricsType: metrics.contentType }),
  };
}

function sent({ cert, key }: CertifiedKey): SentIdentity {
  return { cert: cert.toString('base64'), key: key.toString('base64') };
}
