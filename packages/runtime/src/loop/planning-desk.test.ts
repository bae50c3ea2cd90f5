import type { Observation } from '@equipoise/core/model';
import { describe, expect, it } from 'vitest';
import { type DeskMessage, type DeskReply, PlanningDesk } from './planning-desk.js';
import type { PlanningEngine, PlanningSetup, PlanningTask } from './planning-engine.js';

const setup = {} as PlanningSetup;
const planTask: PlanningTask = { kind: 'plan', policy: 'equipoise', arrivalRps: 1, verify: true };

const observationAt = (atMs: number, rps = 1): Observation => ({
  ...{ atMs, load: { arrivalsPerSecond: [rps] }, stages: {}, runningPlan: { stages: {} }, staleSources: [] },
});
const tickAt = (atMs: number, rps = 1): PlanningTask => ({
  ...{ kind: 'tick', observation: observationAt(atMs, rps), executes: true, changedByHand: false },
});
const isBurst = ({ load }: Observation): boolean => (load.arrivalsPerSecond.at(-1) ?? 0) > 100;

/** A desk whose engines verify `verdicts` times for a plan and never for a tick; `port` holds what has come in and was not taken yet. */
class Rig {
  readonly replies: DeskReply[] = [];
  readonly port: DeskMessage[] = [];
  readonly lessons: number[] = [];
  nowMs = 0;
  verdicts = 3;
  lessonMs = 0;
  /** Called at each verification of a plan. */
  verifying: () => void = () => {};
  /** Called with each answer. */
  replied: () => void = () => {};
  #made = 0;
  readonly desk: PlanningDesk;

  constructor() {
    this.desk = new PlanningDesk({
      post: (reply) => {
        this.replies.push(reply);
        this.replied();
      },
      takeIn: () => {
        for (const message of this.port.splice(0)) this.desk.take(message);
      },
      nowMs: () => this.nowMs,
      engineFor: (_, between) => this.#engine(between),
    });
  }

  open(...seats: readonly number[]): void {
    for (const seat of seats) this.port.push({ kind: 'open', seat, setup });
  }

  ask(seat: number, id: number, task: PlanningTask): void {
    this.port.push({ kind: 'ask', seat, id, task });
  }

  get answered(): readonly number[] {
    return this.replies.map(({ id }) => id);
  }

  #engine(between: () => void): PlanningEngine {
    const number = this.#made++;
    const answer = (task: PlanningTask, later: () => Observation | undefined = () => undefined) => {
      if (task.kind !== 'plan') return { seen: later()?.atMs };
      for (let i = 0; i < this.verdicts; i++) {
        this.verifying();
        between();
      }
      return {};
    };
    return {
      answer: answer as unknown as PlanningEngine['answer'],
      learn: () => {
        this.lessons.push(number);
        this.nowMs += this.lessonMs;
      },
      isUrgent: ({ observation }) => isBurst(observation),
    };
  }
}

function rigWith(...seats: readonly number[]): Rig {
  const rig = new Rig();
  rig.open(...seats);
  return rig;
}

describe('PlanningDesk', () => {
  it('answers the seat that was answered longest ago, and one seat in the order of its questions', () => {
    const rig = rigWith(1, 2, 3);
    for (const id of [10, 11, 12]) rig.ask(1, id, planTask);
    rig.ask(2, 20, planTask);
    rig.ask(3, 30, planTask);
    rig.ask(2, 21, planTask);
    rig.desk.work();
    expect(rig.answered).toEqual([10, 20, 30, 11, 21, 12]);
  });

  it('answers a burst before what came in earlier, but after what its own seat has asked', () => {
    const rig = rigWith(1, 2);
    rig.ask(1, 10, tickAt(0));
    rig.ask(2, 20, tickAt(0));
    rig.desk.work();
    rig.ask(1, 11, tickAt(1_000));
    rig.ask(2, 21, planTask);
    rig.ask(2, 22, tickAt(1_000, 500));
    rig.ask(1, 12, planTask);
    rig.desk.work();
    expect(rig.answered).toEqual([10, 20, 11, 21, 22, 12]);
  });

  it.each([
    ['its tick shows', 500, 1],
    ['is shown beside its tick', 1, 500],
  ])('answers a burst that %s between two verifications of a plan of another', (_, tickRps, shownRps) => {
    const rig = rigWith(1, 2);
    rig.ask(2, 20, tickAt(0));
    rig.desk.work();
    rig.ask(1, 10, planTask);
    rig.verifying = () => {
      rig.verifying = () => {};
      rig.ask(2, 21, tickAt(1_000, tickRps));
      rig.port.push({ kind: 'show', seat: 2, observation: observationAt(1_500, shownRps) });
    };
    rig.desk.work();
    expect(rig.answered).toEqual([20, 21, 10]);
    expect(rig.replies[1]?.answer).toEqual({ seen: 1_500 });
  });

  it('leaves what is no burst until the plan is made', () => {
    const rig = rigWith(1, 2);
    rig.ask(2, 20, tickAt(0));
    rig.desk.work();
    rig.ask(1, 10, planTask);
    rig.verifying = () => {
      rig.verifying = () => {};
      rig.ask(2, 21, tickAt(1_000));
    };
    rig.desk.work();
    expect(rig.answered).toEqual([20, 10, 21]);
  });

  it('forgets what was shown when the tick is answered', () => {
    const rig = rigWith(1);
    rig.ask(1, 10, tickAt(0));
    rig.port.push({ kind: 'show', seat: 1, observation: observationAt(500) });
    rig.desk.work();
    rig.ask(1, 11, tickAt(1_000));
    rig.desk.work();
    expect(rig.replies.map(({ answer }) => answer)).toEqual([{ seen: 500 }, { seen: undefined }]);
  });

  it('keeps what is shown for the next tick from when the answer is out', () => {
    const rig = rigWith(1);
    rig.ask(1, 10, tickAt(0));
    rig.replied = () => rig.port.push({ kind: 'show', seat: 1, observation: observationAt(500) });
    rig.desk.work();
    rig.ask(1, 11, tickAt(1_000));
    rig.desk.work();
    expect(rig.replies.map(({ answer }) => answer)).toEqual([{ seen: undefined }, { seen: 500 }]);
  });

  it('ends a plan that nobody waits for any more, and says nothing of it', () => {
    const rig = rigWith(1, 2);
    rig.ask(1, 10, planTask);
    rig.ask(2, 20, planTask);
    let verified = 0;
    rig.verifying = () => {
      if (++verified === 1) rig.port.push({ kind: 'close', seat: 1 });
    };
    rig.desk.work();
    expect(rig.answered).toEqual([20]);
    expect(verified).toBe(1 + rig.verdicts);
  });

  it('tells what is wrong with a setup to whoever asks', () => {
    const replies: DeskReply[] = [];
    const desk = new PlanningDesk({
      ...{ post: (reply) => replies.push(reply), takeIn: () => {}, nowMs: () => 0 },
      engineFor: () => {
        throw new Error('no profile');
      },
    });
    desk.take({ kind: 'open', seat: 1, setup });
    for (const id of [1, 2]) desk.take({ kind: 'ask', seat: 1, id, task: planTask });
    desk.work();
    expect(replies).toEqual([1, 2].map((id) => ({ id, error: expect.stringContaining('no profile') })));
  });

  it('learns by turns while nothing waits, for a tenth of the time', () => {
    const rig = rigWith(1, 2);
    rig.lessonMs = 100;
    for (const [seat, id] of [
      [1, 10],
      [2, 20],
      [1, 11],
    ] as const)
      rig.ask(seat, id, tickAt(id));
    rig.desk.work();
    expect([rig.answered, rig.lessons]).toEqual([[10, 20, 11], [0]]);
    rig.nowMs = 999;
    rig.desk.work();
    expect(rig.lessons).toEqual([0]);
    rig.nowMs = 1_000;
    rig.desk.work();
    rig.nowMs = 2_000;
    rig.desk.work();
    rig.nowMs = 3_000;
    rig.desk.work();
    // The first seat has ticked twice.
    expect(rig.lessons).toEqual([0, 1, 0]);
  });
});
