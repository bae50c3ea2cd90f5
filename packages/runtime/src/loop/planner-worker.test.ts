import type { Observation } from '@equipoise/core/model';
import { describe, expect, it } from 'vitest';
import type { RpcReply } from '../worker-rpc.js';
import { type PlannerMessage, PlannerWorker } from './planner.js';
import type { PlanningFailure } from './planner-pool.js';
import type { PlanningSession, PlanningSetup, PlanningTask } from './planning-session.js';

const setup = {} as PlanningSetup;
const planTask: PlanningTask = { kind: 'plan', policy: 'equipoise', arrivalRps: 1, verify: true };

const observationAt = (atMs: number, rps = 1): Observation => ({
  ...{ atMs, load: { arrivalsPerSecond: [rps] }, stages: {}, runningPlan: { stages: {} }, staleSources: [] },
});
const tickAt = (atMs: number, rps = 1): PlanningTask => ({
  ...{ kind: 'tick', observation: observationAt(atMs, rps), executes: true, changedByHand: false },
});
const isBurst = ({ load }: Observation): boolean => (load.arrivalsPerSecond.at(-1) ?? 0) > 100;

/** A worker that makes `verdicts` verifications per plan and none per tick. `port` holds messages not yet taken. */
class Rig {
  readonly replies: RpcReply<PlanningFailure>[] = [];
  readonly port: PlannerMessage[] = [];
  readonly trained: number[] = [];
  readonly progressAtMs: number[] = [];
  forgotten = 0;
  nowMs = 0;
  verdicts = 3;
  trainingMs = 0;
  /** Called at each verification of a plan. */
  verifying: () => void = () => {};
  /** Called with each answer. */
  replied: () => void = () => {};
  #made = 0;
  readonly worker: PlannerWorker;

  constructor() {
    this.worker = new PlannerWorker({
      post: (reply) => {
        this.replies.push(reply);
        this.replied();
      },
      takeIn: () => {
        for (const message of this.port.splice(0)) this.worker.take(message);
      },
      nowMs: () => this.nowMs,
      progress: () => this.progressAtMs.push(this.nowMs),
      sessionFor: (_, between) => this.#session(between),
    });
  }

  open(...seats: readonly number[]): void {
    for (const seat of seats) this.port.push({ kind: 'open', session: seat, setup });
  }

  ask(seat: number, id: number, task: PlanningTask): void {
    this.port.push({ kind: 'ask', session: seat, id, task });
  }

  get answered(): readonly number[] {
    return this.replies.map(({ id }) => id);
  }

  #session(between: () => void): PlanningSession {
    const number = this.#made++;
    const plan = () => {
      for (let i = 0; i < this.verdicts; i++) {
        this.verifying();
        between();
      }
      return {};
    };
    const control = {
      tick: (_: unknown, later: () => Observation | undefined) => ({ seen: later()?.atMs }),
      forgetTick: () => {
        this.forgotten += 1;
      },
      isUrgent: ({ observation }: { readonly observation: Observation }) => isBurst(observation),
      train: () => {
        this.trained.push(number);
        this.nowMs += this.trainingMs;
      },
    };
    return { control, answer: plan } as unknown as PlanningSession;
  }
}

function rigWith(...seats: readonly number[]): Rig {
  const rig = new Rig();
  rig.open(...seats);
  return rig;
}

describe('PlannerWorker', () => {
  it('reports progress between verifications, at most once a second', () => {
    const rig = new Rig();
    rig.open(1);
    rig.ask(1, 1, planTask);
    rig.verdicts = 6;
    rig.verifying = () => {
      rig.nowMs += 400;
    };
    rig.worker.work();
    expect(rig.progressAtMs).toEqual([400, 1600]);
  });

  it('answers the seat that was answered longest ago, and one seat in the order of its questions', () => {
    const rig = rigWith(1, 2, 3);
    for (const id of [10, 11, 12]) rig.ask(1, id, planTask);
    rig.ask(2, 20, planTask);
    rig.ask(3, 30, planTask);
    rig.ask(2, 21, planTask);
    rig.worker.work();
    expect(rig.answered).toEqual([10, 20, 30, 11, 21, 12]);
  });

  it('answers a burst before what came in earlier, but after what its own seat has asked', () => {
    const rig = rigWith(1, 2);
    rig.ask(1, 10, tickAt(0));
    rig.ask(2, 20, tickAt(0));
    rig.worker.work();
    rig.ask(1, 11, tickAt(1_000));
    rig.ask(2, 21, planTask);
    rig.ask(2, 22, tickAt(1_000, 500));
    rig.ask(1, 12, planTask);
    rig.worker.work();
    expect(rig.answered).toEqual([10, 20, 11, 21, 22, 12]);
  });

  it.each([
    ['its tick shows', 500, 1],
    ['is shown beside its tick', 1, 500],
  ])('answers a burst that %s between two verifications of a plan of another', (_, tickRps, shownRps) => {
    const rig = rigWith(1, 2);
    rig.ask(2, 20, tickAt(0));
    rig.worker.work();
    rig.ask(1, 10, planTask);
    rig.verifying = () => {
      rig.verifying = () => {};
      rig.ask(2, 21, tickAt(1_000, tickRps));
      rig.port.push({ kind: 'show', session: 2, observation: observationAt(1_500, shownRps) });
    };
    rig.worker.work();
    expect(rig.answered).toEqual([20, 21, 10]);
    expect(rig.replies[1]?.answer).toEqual({ seen: 1_500 });
  });

  it('leaves what is no burst until the plan is made', () => {
    const rig = rigWith(1, 2);
    rig.ask(2, 20, tickAt(0));
    rig.worker.work();
    rig.ask(1, 10, planTask);
    rig.verifying = () => {
      rig.verifying = () => {};
      rig.ask(2, 21, tickAt(1_000));
    };
    rig.worker.work();
    expect(rig.answered).toEqual([20, 10, 21]);
  });

  it('forgets what was shown when the tick is answered', () => {
    const rig = rigWith(1);
    rig.ask(1, 10, tickAt(0));
    rig.port.push({ kind: 'show', session: 1, observation: observationAt(500) });
    rig.worker.work();
    rig.ask(1, 11, tickAt(1_000));
    rig.worker.work();
    expect(rig.replies.map(({ answer }) => answer)).toEqual([{ seen: 500 }, { seen: undefined }]);
  });

  it('keeps what is shown for the next tick from when the answer is out', () => {
    const rig = rigWith(1);
    rig.ask(1, 10, tickAt(0));
    rig.replied = () => rig.port.push({ kind: 'show', session: 1, observation: observationAt(500) });
    rig.worker.work();
    rig.ask(1, 11, tickAt(1_000));
    rig.worker.work();
    expect(rig.replies.map(({ answer }) => answer)).toEqual([{ seen: undefined }, { seen: 500 }]);
  });

  it('ends a plan that is abandoned, and answers what comes after it', () => {
    const rig = rigWith(1);
    rig.ask(1, 10, planTask);
    rig.ask(1, 11, planTask);
    let verified = 0;
    rig.verifying = () => {
      if (++verified > 1) return;
      rig.port.push({ kind: 'abandon', session: 1, ids: [10, 11] });
      rig.ask(1, 12, planTask);
    };
    rig.worker.work();
    expect(rig.answered).toEqual([12]);
    expect(verified).toBe(1 + rig.verdicts);
  });

  it('forgets a tick whose answer was on its way when it was abandoned, and no other', () => {
    const rig = rigWith(1);
    rig.ask(1, 10, tickAt(0));
    rig.ask(1, 11, tickAt(1_000));
    rig.worker.work();
    rig.port.push({ kind: 'abandon', session: 1, ids: [9] });
    rig.worker.work();
    expect(rig.forgotten).toBe(0);
    rig.port.push({ kind: 'abandon', session: 1, ids: [11] });
    rig.worker.work();
    expect(rig.forgotten).toBe(1);
  });

  it('ends a plan that nobody waits for any more, and says nothing of it', () => {
    const rig = rigWith(1, 2);
    rig.ask(1, 10, planTask);
    rig.ask(2, 20, planTask);
    let verified = 0;
    rig.verifying = () => {
      if (++verified === 1) rig.port.push({ kind: 'close', session: 1 });
    };
    rig.worker.work();
    expect(rig.answered).toEqual([20]);
    expect(verified).toBe(1 + rig.verdicts);
  });

  it('tells what is wrong with a setup to whoever asks', () => {
    const replies: RpcReply<PlanningFailure>[] = [];
    const worker = new PlannerWorker({
      ...{ post: (reply) => replies.push(reply), takeIn: () => {}, nowMs: () => 0 },
      sessionFor: () => {
        throw new Error('no profile');
      },
    });
    worker.take({ kind: 'open', session: 1, setup });
    for (const id of [1, 2]) worker.take({ kind: 'ask', session: 1, id, task: planTask });
    worker.work();
    expect(replies).toEqual([1, 2].map((id) => ({ id, failure: { message: expect.stringContaining('no profile') } })));
  });

  it('learns by turns while nothing waits, for a tenth of the time', () => {
    const rig = rigWith(1, 2);
    rig.trainingMs = 100;
    for (const [seat, id] of [
      [1, 10],
      [2, 20],
      [1, 11],
    ] as const)
      rig.ask(seat, id, tickAt(id));
    rig.worker.work();
    expect([rig.answered, rig.trained]).toEqual([[10, 20, 11], [0]]);
    rig.nowMs = 999;
    rig.worker.work();
    expect(rig.trained).toEqual([0]);
    rig.nowMs = 1_000;
    rig.worker.work();
    rig.nowMs = 2_000;
    rig.worker.work();
    rig.nowMs = 3_000;
    rig.worker.work();
    // The first session has ticked twice.
    expect(rig.trained).toEqual([0, 1, 0]);
  });
});
