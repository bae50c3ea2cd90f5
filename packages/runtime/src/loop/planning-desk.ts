/**
 * Answers the questions of several pipelines in one thread, one at a time. Each has a seat: an engine of its own, whose questions are answered
 * in their order. Between seats a tick that has a burst to answer comes first, for it takes no time and cannot wait; else the seat that was
 * answered longest ago, so that nobody waits for more than one question of each other. Where a plan takes its time, a burst of another
 * pipeline is answered between two verifications of it. Learning, for which nobody waits, gets a tenth of the time, and none while a
 * question waits.
 */
import type { Observation } from '@equipoise/core/model';
import { type PlanningEngine, type PlanningSetup, type PlanningTask, planningEngine } from './planning-engine.js';

/** What is said to a thread. `show` is an observation beside the tick that is under way. */
export type DeskMessage =
  | { readonly kind: 'open'; readonly seat: number; readonly setup: PlanningSetup }
  | { readonly kind: 'close'; readonly seat: number }
  | { readonly kind: 'ask'; readonly seat: number; readonly id: number; readonly task: PlanningTask }
  | { readonly kind: 'show'; readonly seat: number; readonly observation: Observation };

/** What a thread says: the answer to the question `id`, or why there is none. */
export interface DeskReply {
  readonly id: number;
  readonly answer?: unknown;
  readonly error?: string;
}

/** What a desk stands on. */
export interface DeskBase {
  readonly post: (reply: DeskReply) => void;
  /** Hands over, by `take`, all messages that have come in since. */
  readonly takeIn: () => void;
  readonly nowMs: () => number;
  /** Makes the engine of a seat; `between` wants to be called before each verification, and may throw. */
  readonly engineFor?: (setup: PlanningSetup, between: () => void) => PlanningEngine;
}

type Question = DeskMessage & { readonly kind: 'ask' };

interface Seat {
  readonly setup: PlanningSetup;
  readonly questions: Question[];
  /** Made with the first question, so that what is wrong with a setup is an answer. */
  engine?: PlanningEngine;
  /** The newest observation that was shown since the last answer. */
  shown?: Observation;
  /** Number of the last answer. */
  answered: number;
  /** Steps of learning that its ticks have earned. */
  lessons: number;
  isGone: boolean;
}

/** Times as long as a lesson took there is none. */
const PAUSE_FACTOR = 9;

/** One thread's work. */
export class PlanningDesk {
  readonly #base: DeskBase;
  readonly #seats = new Map<number, Seat>();
  /** What was found of observations whose ticks wait. */
  readonly #bursts = new WeakMap<Observation, boolean>();
  #answers = 0;
  #isAnsweringBetween = false;
  #nextLessonAtMs = Number.NEGATIVE_INFINITY;

  constructor(base: DeskBase) {
    this.#base = base;
  }

  /** Takes a message in; what it asks is answered by `work`. */
  take(message: DeskMessage): void {
    const seat = this.#seats.get(message.seat);
    switch (message.kind) {
      case 'open':
        this.#seats.set(message.seat, newSeat(message.setup));
        break;
      case 'close':
        if (seat !== undefined) seat.isGone = true;
        this.#seats.delete(message.seat);
        break;
      case 'ask':
        seat?.questions.push(message);
        break;
      case 'show':
        if (seat !== undefined) seat.shown = message.observation;
    }
  }

  /** Answers all that waits and what comes in meanwhile; learns when nothing waits. */
  work(): void {
    do {
      for (let seat = this.#next(); seat !== undefined; seat = this.#next()) this.#answer(seat);
    } while (this.#learn());
  }

  #next(): Seat | undefined {
    this.#base.takeIn();
    const waiting = [...this.#seats.values()].filter(({ questions }) => questions.length > 0);
    if (waiting.length < 2) return waiting[0];
    const urgent = waiting.find((seat) => this.#isUrgent(seat));
    return urgent ?? waiting.reduce((first, seat) => (seat.answered < first.answered ? seat : first));
  }

  /** Whether the tick that a seat has asked for shows a burst, or what was shown beside it. */
  #isUrgent({ questions, engine, shown }: Seat): boolean {
    const task = questions[0]?.task;
    if (task?.kind !== 'tick' || engine === undefined) return false;
    const seen = shown === undefined ? [task.observation] : [task.observation, shown];
    return seen.some((observation) => {
      const known = this.#bursts.get(observation) ?? showsBurst(engine, { ...task, observation });
      this.#bursts.set(observation, known);
      return known;
    });
  }

  #answer(seat: Seat): void {
    const question = seat.questions.shift();
    if (question === undefined) return;
    seat.answered = ++this.#answers;
    const reply = this.#replyTo(seat, question);
    // What was shown by now came too late for this question; what comes once the answer is out is of the next.
    this.#base.takeIn();
    this.#later(seat);
    if (reply !== undefined) this.#base.post(reply);
  }

  /** Undefined where nobody waits for it any more. */
  #replyTo(seat: Seat, { id, task }: Question): DeskReply | undefined {
    try {
      const answer = this.#engineOf(seat).answer(task, () => this.#later(seat));
      if (task.kind === 'tick') seat.lessons++;
      return { id, answer };
    } catch (error) {
      if (seat.isGone) return undefined;
      return { id, error: error instanceof Error ? (error.stack ?? error.message) : String(error) };
    }
  }

  #engineOf(seat: Seat): PlanningEngine {
    const { engineFor = planningEngine } = this.#base;
    seat.engine ??= engineFor(seat.setup, () => this.#between(seat));
    return seat.engine;
  }

  #later(seat: Seat): Observation | undefined {
    const { shown } = seat;
    delete seat.shown;
    return shown;
  }

  /** While a seat plans: bursts of others are answered, and a plan that nobody waits for any more ends. */
  #between(planning: Seat): void {
    this.#base.takeIn();
    if (planning.isGone) throw new Error('the pipeline is no longer planned for');
    if (this.#isAnsweringBetween) return;
    this.#isAnsweringBetween = true;
    try {
      for (const seat of [...this.#seats.values()]) if (seat !== planning && this.#isUrgent(seat)) this.#answer(seat);
    } finally {
      this.#isAnsweringBetween = false;
    }
  }

  /** Gives the seat a lesson that has waited for it longest; false where there is none to give now. */
  #learn(): boolean {
    const beganAtMs = this.#base.nowMs();
    if (beganAtMs < this.#nextLessonAtMs) return false;
    const owed = [...this.#seats].find(([, { lessons }]) => lessons > 0);
    if (owed === undefined) return false;
    const [number, seat] = owed;
    seat.lessons--;
    // To the end of the line.
    this.#seats.delete(number);
    this.#seats.set(number, seat);
    try {
      seat.engine?.learn();
    } catch {
      // A defect of what nobody waits for is not worth the answers of the others.
    }
    const endedAtMs = this.#base.nowMs();
    this.#nextLessonAtMs = endedAtMs + PAUSE_FACTOR * (endedAtMs - beganAtMs);
    return true;
  }
}

const newSeat = (setup: PlanningSetup): Seat => ({ setup, questions: [], answered: 0, lessons: 0, isGone: false });

/** A defect shows where the tick is answered. */
function showsBurst(engine: PlanningEngine, tick: PlanningTask & { readonly kind: 'tick' }): boolean {
  try {
    return engine.isUrgent(tick);
  } catch {
    return false;
  }
}
