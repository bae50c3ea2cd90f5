/**
 * New clients that wait to be accepted. A port accepts at most one connection of each of its sockets in a turn of the
 * event loop, so they wait for many turns. While they do, work that can wait takes little of each turn.
 */
import type { Server } from 'node:net';
import { TurnNumber } from './stream-credit.js';

/** New clients count as waiting for so long after a turn in which each socket of a port had one. */
const WAITING_MS = 100;

export interface Pressure {
  /** True while new clients probably wait. */
  readonly isHigh: boolean;
}

/** Pressure of a port that is not watched. */
export const noPressure: Pressure = { isHigh: false };

export class AcceptPressure implements Pressure {
  readonly #nowMs: () => number;
  #fullAtMs = Number.NEGATIVE_INFINITY;

  constructor(nowMs: () => number = () => performance.now()) {
    this.#nowMs = nowMs;
  }

  get isHigh(): boolean {
    return this.#nowMs() - this.#fullAtMs < WAITING_MS;
  }

  /** Watches a port that accepts up to `mostPerTurn` connections in a turn. */
  watch(server: Pick<Server, 'on'>, mostPerTurn: number): void {
    const turns = new TurnNumber();
    let turn = -1;
    let accepted = 0;
    server.on('connection', () => {
      const { now } = turns;
      accepted = now === turn ? accepted + 1 : 1;
      turn = now;
      if (accepted === mostPerTurn) this.#fullAtMs = this.#nowMs();
    });
  }
}
