/**
 * A front process: the serving ports, with pipelines that are elsewhere. It reads and writes HTTP, gRPC, TLS and tensors, knows who may
 * ask, and keeps nothing that another front would have to know.
 */
import type { Duplex } from 'node:stream';
import { AppError, invariant } from '@equipoise/core/model';
import type { ServingPhase } from '../open-inference/serving-phase.js';
import type { RunningServer, ServerOptions } from '../open-inference/start-server.js';
import type { CertifiedKey, ShownIdentity } from '../open-inference/tls-identity.js';
import { FrameLink, type TensorFrame, type TensorFrames } from './frame-link.js';
import { MainProcess } from './main-process.js';
import { type FrontSetting, type SentIdentity, sentError, type ToFront } from './messages.js';
import { RemoteTenants } from './remote-tenants.js';
import { SilenceWatch } from './silence-watch.js';

/** A front process from inside. */
export interface FrontEnds {
  /** To the main process. */
  readonly socket: Duplex;
  readonly frames: TensorFrames;
  /** Opens the ports: `startServer`. */
  readonly listen: (options: ServerOptions) => Promise<RunningServer>;
  /** Ends the process: with 0 when it was told to close and has, with 1 when the main process is gone or silent. */
  readonly leave: (exitCode: number) => void;
}

/** Serves as the main process says, until it says that this is to end. */
export function runFront(ends: FrontEnds): void {
  new Front(ends);
}

class Front {
  readonly #link: FrameLink;
  readonly #listen: FrontEnds['listen'];
  readonly #leave: FrontEnds['leave'];
  readonly #silence: SilenceWatch;
  #main: MainProcess | undefined;
  #tenants: RemoteTenants | undefined;
  #identity: SentIdentityShown | undefined;
  #server: Promise<RunningServer> | undefined;
  #listening: RunningServer | undefined;

  constructor({ socket, frames, listen, leave }: FrontEnds) {
    this.#listen = listen;
    this.#leave = leave;
    this.#silence = new SilenceWatch(() => this.#end(1));
    this.#link = new FrameLink(socket, frames, {
      received: ({ body, tensors }) => this.#take(body as unknown as ToFront, tensors),
      ended: () => this.#end(1),
    });
  }

  #take(message: ToFront, tensors: TensorFrame['tensors']): void {
    this.#silence.heard();
    switch (message.kind) {
      case 'begin':
        this.#begin(message);
        return;
      case 'state':
        this.#main?.adopt(message.state);
        if (this.#listening !== undefined) follow(message.state.phase, this.#listening);
        this.#main?.say({ kind: 'alive', number: message.number });
        return;
      case 'tenants':
        this.#tenants?.replace(message.tenants);
        return;
      case 'identity':
        this.#identity?.show(message.identity);
        return;
      case 'leave':
        void this.#leavePorts(message.withinMs);
        return;
      case 'close':
        void this.#close(message.timeoutMs);
        return;
      default:
        this.#main?.answer(message, tensors);
    }
  }

  #begin({ setting, state }: Extract<ToFront, { readonly kind: 'begin' }>): void {
    const main = new MainProcess(this.#link, setting.specs, state);
    this.#main = main;
    this.#tenants = setting.tenants && new RemoteTenants(setting.tenants, (name) => main.take(name));
    this.#identity = setting.identity && new SentIdentityShown(setting.identity);
    this.#server = this.#listen(this.#options(setting, main));
    this.#server.then(
      (server) => {
        this.#listening = server;
        follow(main.phase, server);
        const { url, grpcAddress } = server;
        main.say({ kind: 'listening', url, ...(grpcAddress !== undefined && { grpcAddress }) });
      },
      (error: unknown) => {
        const told = error instanceof AppError ? error : new AppError('INTERNAL_ERROR', String(error));
        main.say({ kind: 'refused', error: sentError(told) });
      },
    );
  }

  #options(setting: FrontSetting, main: MainProcess): ServerOptions {
    const { specs: _, tenants: __, identity: ___, metricsType, ...places } = setting;
    return {
      ...places,
      ...{ runners: main.runners, stageTypes: main.stageTypes, starting: true },
      ...(this.#tenants && { tenants: this.#tenants }),
      ...(this.#identity && { tls: this.#identity }),
      ...(metricsType !== undefined && { metrics: { contentType: metricsType, text: (names) => main.page(names) } }),
      onAnswer: (call) => main.answered(call),
      onDefect: (error) =>
        main.say({ kind: 'defect', what: error instanceof Error ? (error.stack ?? error.message) : String(error) }),
    };
  }

  async #leavePorts(withinMs: number): Promise<void> {
    invariant(this.#main !== undefined, 'a front leaves what has begun');
    try {
      await (await this.#server)?.leave(withinMs);
    } catch {
      // It never listened.
    }
    this.#main.say({ kind: 'left' });
  }

  async #close(timeoutMs: number): Promise<void> {
    invariant(this.#main !== undefined, 'a front closes what has begun');
    try {
      await (await this.#server)?.close({ timeoutMs });
    } catch {
      // It never listened.
    }
    this.#main.tellAnswered();
    this.#main.say({ kind: 'closed' });
    await this.#link.finish();
    this.#end(0);
  }

  #end(exitCode: number): void {
    this.#silence.stop();
    this.#link.destroy();
    this.#leave(exitCode);
  }
}

/** Brings a server as far as the main process is; one that leaves already is told how long by a message of its own. */
function follow(phase: ServingPhase, server: RunningServer): void {
  if (phase === 'serving' || phase === 'leaving') void server.beginServing();
  if (phase === 'leaving') void server.leave(0);
}

/** The identity that the main process has read. */
class SentIdentityShown implements ShownIdentity {
  readonly #listeners = new Set<(identity: CertifiedKey) => void>();
  #current: CertifiedKey;

  constructor(sent: SentIdentity) {
    this.#current = identityOf(sent);
  }

  get current(): CertifiedKey {
    return this.#current;
  }

  onChange(listener: (identity: CertifiedKey) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  show(sent: SentIdentity): void {
    this.#current = identityOf(sent);
    for (const listener of this.#listeners) listener(this.#current);
  }
}

function identityOf({ cert, key }: SentIdentity): CertifiedKey {
  return { cert: Buffer.from(cert, 'base64'), key: Buffer.from(key, 'base64') };
}
