/**
 * The place of one front process: started, served, and started again with back-off whenever it ends by itself. A front that was lost takes
 * its own clients' requests along and nothing else.
 */
import type { Duplex } from 'node:stream';
import { AppError } from '@equipoise/core/model';
import { FrameLink, type TensorFrames } from './frame-link.js';
import { type FrontedServing, FrontPeer } from './front-peer.js';
import { type FromFront, receivedError, type ToFront } from './messages.js';
import type { AskedPorts, SharedPorts } from './shared-ports.js';
import { SilenceWatch } from './silence-watch.js';

/** A process that was started. */
export interface LaunchedFront {
  readonly socket: Duplex;
  /** Ends it at once. */
  kill(): void;
  /** Calls `listener` once, when it is gone; `how` is its last part of a sentence: "was ended by SIGKILL". */
  onExit(listener: (how: string) => void): void;
}

/** Starts front processes. */
export interface FrontLauncher {
  launch(): LaunchedFront;
}

/** What the places of all fronts have in common. */
export interface SlotSetting {
  readonly serving: FrontedServing;
  readonly launcher: FrontLauncher;
  readonly frames: TensorFrames;
  readonly ports: SharedPorts;
  /** The first message to a front, as things are now. */
  readonly begin: (ports: AskedPorts) => ToFront;
  /** Told of every front that ended by itself, and why. */
  readonly onLost: (problem: string) => void;
}

/** Where a front listens. */
export type Listening = Extract<FromFront, { readonly kind: 'listening' }>;

/** Pause before a front is started again: twice as long after each that did not last. */
const RESTART_MS = { first: 100, longest: 5_000 };
/** A front that has served so long counts as one that works. */
const LASTING_MS = 30_000;
/** Time beyond that for its requests which a front has for closing. */
const CLOSE_GRACE_MS = 1_000;

interface LivingFront {
  readonly link: FrameLink;
  readonly process: LaunchedFront;
  readonly silence: SilenceWatch;
}

/** Keeps one front running. */
export class FrontSlot {
  readonly #setting: SlotSetting;
  #front: LivingFront | undefined;
  #restart: NodeJS.Timeout | undefined;
  #restarts = 0;
  #closing = false;
  #markLeft: (() => void) | undefined;
  #markClosed: (() => void) | undefined;
  readonly #heeding = new Map<number, () => void>();

  constructor(setting: SlotSetting) {
    this.#setting = setting;
  }

  /** Starts it; rejects with the AppError that it was refused with, or INTERNAL_ERROR where it ended before it listened. */
  start(): Promise<Listening> {
    return new Promise((resolve, reject) => this.#launch({ listens: resolve, failed: reject }));
  }

  /** Resolves when it has taken in the state of this number, or is gone. */
  heeds(number: number): Promise<void> {
    if (this.#front === undefined) return Promise.resolve();
    return new Promise((resolve) => this.#heeding.set(number, resolve));
  }

  /** Says something to it, if it runs. */
  tell(message: ToFront): void {
    this.#front?.link.send(message);
  }

  /** Has it tell its clients to go; resolves when none of them is silent, after `withinMs`, or when it is gone. */
  leave(withinMs: number): Promise<void> {
    if (this.#front === undefined) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = setTimeout(() => this.#markLeft?.(), withinMs);
      this.#markLeft = () => {
        clearTimeout(timer);
        resolve();
      };
      this.tell({ kind: 'leave', withinMs });
    });
  }

  /** Lets it end its requests within `timeoutMs`; resolves when it is gone. */
  close(timeoutMs: number): Promise<void> {
    this.#closing = true;
    clearTimeout(this.#restart);
    const front = this.#front;
    if (front === undefined) return Promise.resolve();
    return new Promise((resolve) => {
      const cutOff = setTimeout(() => front.process.kill(), timeoutMs + CLOSE_GRACE_MS);
      this.#markClosed = () => {
        clearTimeout(cutOff);
        resolve();
      };
      this.tell({ kind: 'close', timeoutMs });
    });
  }

  #launch(first?: { listens(where: Listening): void; failed(error: AppError): void }): void {
    const startedAtMs = performance.now();
    const launched = this.#setting.launcher.launch();
    const refuse = (error: AppError) => {
      first?.failed(error);
      launched.kill();
    };
    const listens = (where: Listening) => {
      if (this.#setting.ports.listens(where)) first?.listens(where);
      else launched.kill();
    };
    const link: FrameLink = new FrameLink(launched.socket, this.#setting.frames, {
      received: ({ body, tensors }) => {
        silence.heard();
        const message = body as unknown as FromFront;
        if (message.kind === 'listening') listens(message);
        else if (message.kind === 'refused') refuse(receivedError(message.error));
        else if (message.kind === 'alive') this.#heeded(message.number);
        else if (message.kind === 'left') this.#markLeft?.();
        else peer.take(message, tensors);
      },
      ended: () => {
        peer.cancelAll();
        if (!this.#closing) launched.kill();
      },
    });
    const peer = new FrontPeer(this.#setting.serving, link);
    const silence = new SilenceWatch(() => launched.kill());
    this.#front = { link, process: launched, silence };
    launched.onExit((how) => {
      this.#setting.ports.gone(launched);
      first?.failed(new AppError('INTERNAL_ERROR', `A front process ${how} before it listened.`));
      this.#gone(how, performance.now() - startedAtMs);
    });
    link.send(this.#setting.begin(this.#setting.ports.next(launched)));
  }

  #gone(how: string, lastedMs: number): void {
    this.#front?.silence.stop();
    this.#front = undefined;
    for (const number of [...this.#heeding.keys()]) this.#heeded(number);
    this.#markLeft?.();
    if (this.#closing) {
      this.#markClosed?.();
      return;
    }
    if (lastedMs >= LASTING_MS) this.#restarts = 0;
    const pauseMs = Math.min(RESTART_MS.first * 2 ** this.#restarts++, RESTART_MS.longest);
    this.#setting.onLost(`a front process ${how}; another is started in ${pauseMs} ms`);
    this.#restart = setTimeout(() => this.#launch(), pauseMs);
  }

  #heeded(number: number): void {
    this.#heeding.get(number)?.();
    this.#heeding.delete(number);
  }
}
