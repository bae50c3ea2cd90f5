import {
  type ManualAction,
  type Plan,
  type StagePins,
  type StagePlan,
  type StageSpec,
  type VariantSpec,
  variantId,
} from '@equipoise/core/model';
import { describe, expect, it, vi } from 'vitest';
import { apply, evidence, observation } from './control-loop.test-support.js';
import { a, ControlBench, controlledSpec, planWith } from './pipeline-control.test-support.js';

const wishes = async ({ bench }: ControlBench) => {
  await bench.loop.settled();
  return bench.memory.kept('p', 'operator');
};
const code = (expected: string, words: string) =>
  expect.objectContaining({ code: expected, message: expect.stringContaining(words) });

describe('the mode', () => {
  it.each([
    ['pause', 'off'],
    ['resume', 'auto'],
    ['advise', 'advise'],
  ] as const)('is set by %s to %s, logged, told and kept', async (action, mode) => {
    const bench = new ControlBench();
    const record = bench.control[action]('because');
    const manual: ManualAction = { action, reason: 'because' };
    expect(record).toMatchObject({ id: 1, trigger: 'manual', mode, manual, observation: { staleSources: [] } });
    expect(bench.control.status).toMatchObject({ mode, fixed: false, faults: [] });
    expect(await wishes(bench)).toEqual({ mode, pins: {} });
    expect(await bench.control.decision(1)).toEqual(record);
    expect(bench.bench.events).toMatchObject([{ kind: 'manual', mode, record: { manual } }]);
  });

  it('is fixed at a router that follows, which says so and refuses every action', async () => {
    const bench = new ControlBench({ follows: true, mode: 'off' });
    expect(bench.control.status).toMatchObject({ fixed: true, follows: true });
    expect(() => bench.control.pause()).toThrow(code('CONFLICT', 'another router of this machine leads'));
    expect(new ControlBench({ isFixed: true }).control.status).not.toHaveProperty('follows');
  });

  it('of a fixed plan stays off, and neither it nor pins are kept: what is kept is of a server that adapts', async () => {
    const bench = new ControlBench({ isFixed: true, mode: 'off' });
    for (const action of ['resume', 'advise'] as const)
      expect(() => bench.control[action]()).toThrow(code('CONFLICT', 'a fixed plan is served'));
    bench.control.pause();
    bench.control.pin('a', { replicas: 2 });
    expect(bench.control.pins).toEqual({ [a]: { replicas: 2 } });
    expect(await wishes(bench)).toBeUndefined();
  });
});

describe('pins', () => {
  it('are set stage by stage, kept, and let go', async () => {
    const bench = new ControlBench();
    bench.control.pin('a', { replicas: 2 });
    bench.control.pin('a', { variantId: variantId('large'), cpuCores: 2 }, 'a trial');
    expect(bench.control.pins).toEqual({ [a]: { variantId: 'large', cpuCores: 2 } });
    expect(await wishes(bench)).toEqual({ mode: 'auto', pins: { a: { variantId: 'large', cpuCores: 2 } } });
    expect(bench.control.unpin('a').manual).toEqual({ action: 'unpin', pins: {} });
    bench.control.pin('a', { replicas: 2 });
    bench.control.unpin();
    expect(bench.control.pins).toEqual({});
  });

  it('make the loop plan at once; a pin that is refused does not', () => {
    const bench = new ControlBench();
    const replan = vi.spyOn(bench.bench.loop, 'replan');
    const replans = (act: () => void) => {
      replan.mockClear();
      act();
      return replan.mock.calls.length;
    };
    expect(replans(() => bench.control.pin('a', { replicas: 2 }))).toBe(1);
    expect(replans(() => bench.control.unpin('a'))).toBe(1);
    expect(replans(() => expect(() => bench.control.pin('a', { replicas: 9 })).toThrow())).toBe(0);
  });

  it.each([
    [{ variantId: variantId('huge') }, 'a has no variant huge; it has small, large'],
    [{ cpuCores: 4 }, 'a does not run on 4 cores; it runs on 1, 2'],
    [{ maxBatchSize: 8 }, 'a does not allow batches of 8; it allows 1, 2'],
    [{ replicas: 5 }, 'a does not allow 5 replicas; it allows 1 to 4'],
  ])('that cannot be are refused: %j', (pins, words) => {
    const { control } = new ControlBench();
    expect(() => control.pin('a', pins)).toThrow(code('INVALID_FIELDS', words));
    expect(control.pins).toEqual({});
  });

  it('that cannot be are all named, each with its field; those that cannot be together as a whole', async () => {
    const { control } = new ControlBench();
    const [cores, replicas] = [
      'a does not run on 4 cores; it runs on 1, 2',
      'a does not allow 5 replicas; it allows 1 to 4',
    ];
    expect(() => control.pin('a', { maxBatchSize: 1, cpuCores: 4, replicas: 5 })).toThrow(
      expect.objectContaining({
        message: `This cannot be pinned: ${cores}; ${replicas}.`,
        details: {
          problems: [
            { path: 'cpuCores', message: cores },
            { path: 'replicas', message: replicas },
          ],
        },
      }),
    );
    const query = { arrivalRps: 1, policy: 'equipoise', verify: false } as const;
    await expect(control.whatIf({ ...query, pins: { [a]: { replicas: 5 } } })).rejects.toMatchObject({
      details: { problems: [{ path: 'pins.a.replicas', message: replicas }] },
    });
    await expect(control.applyStages({})).rejects.toMatchObject({ details: { problems: [{ path: 'stages' }] } });
  });

  it.each<[string, StagePins, StagePins, string]>([
    ['the file', { cpuCores: 2 }, { replicas: 4 }, 'satisfies these pins: at least 8 cpuCores for a budget of 6'],
    ['a variant of the file', { variantId: variantId('tiny') }, { cpuCores: 2 }, 'tiny does not run on 2 cores'],
  ])('are held against %s', (_, ofFile, pins, words) => {
    const [stage] = controlledSpec.stages as [StageSpec];
    const tiny = { ...(stage.variants[0] as VariantSpec), id: variantId('tiny'), cpuCores: [1] };
    const stages = [{ ...stage, variants: [...stage.variants, tiny], pins: ofFile }];
    const { control } = new ControlBench({ spec: { ...controlledSpec, stages } });
    expect(() => control.pin('a', pins)).toThrow(code('INVALID_FIELDS', words));
    expect(control.pins).toEqual({});
  });

  it('are refused where the profile leaves nothing to plan with', () => {
    const stages = controlledSpec.stages.map((stage) => {
      const { batchSizes: _, ...bounds } = stage.bounds;
      return { ...stage, bounds };
    });
    const { control } = new ControlBench({ spec: { ...controlledSpec, stages } });
    const words = 'the profile of a says nothing of batches of 64, only of up to 2';
    expect(() => control.pin('a', { maxBatchSize: 64 })).toThrow(code('INVALID_FIELDS', words));
    expect(control.pins).toEqual({});
    control.pin('a', { maxBatchSize: 2 });
    expect(control.pins).toEqual({ a: { maxBatchSize: 2 } });
  });

  it('that leave no plan at the start are let go, and named in the status', () => {
    const { control } = new ControlBench({ pins: { [a]: { replicas: 2 } }, lostPins: ['there is no stage b'] });
    control.losePins('with a: replicas 2 no plan fits');
    expect(control.status).toMatchObject({
      ...{ pins: {}, lostPins: ['there is no stage b', 'with a: replicas 2 no plan fits'] },
    });
  });

  it('of before the start that cannot hold any more are named in the status', () => {
    const lostPins = ['there is no stage b'];
    expect(new ControlBench({ lostPins }).control.status).toMatchObject({ lostPins, pins: {} });
    expect(new ControlBench({ lostPins: [] }).control.status).not.toHaveProperty('lostPins');
  });

  it.each<[string, (bench: ControlBench) => void]>([
    ['pins otherwise', ({ control }) => control.pin('a', { replicas: 3 })],
    ['lifts them', ({ control }) => control.unpin()],
  ])('that were lost are forgotten once somebody %s, in the store as in the status', async (_, asks) => {
    const bench = new ControlBench({ lostPins: ['there is no stage b'] });
    expect(() => bench.control.pin('a', { replicas: 9 })).toThrow('9 replicas');
    expect(bench.control.status.lostPins).toHaveLength(1);
    asks(bench);
    expect(bench.control.status).not.toHaveProperty('lostPins');
    expect(await wishes(bench)).toEqual({ mode: 'auto', pins: bench.control.pins });
  });

  it('of a stage that is not there are refused', () => {
    const { control } = new ControlBench();
    expect(() => control.pin('b', { replicas: 1 })).toThrow(code('NOT_FOUND', 'There is no stage b; there are a'));
    expect(() => control.unpin('b')).toThrow(code('NOT_FOUND', 'There is no stage b'));
  });
});

describe('a plan that is applied by hand', () => {
  it('may be that of a decision; the loop only advises from then on', async () => {
    const bench = new ControlBench();
    const id = bench.advised(planWith('large', 3));
    const record = await bench.control.applyDecision(id, { reason: 'looks good' });
    expect(bench.runs).toBe('3 large');
    expect(record).toMatchObject({
      ...{ id: id + 1, trigger: 'manual', mode: 'advise', outcome: { kind: 'applied' } },
      manual: { action: 'apply', decisionId: id, reason: 'looks good' },
      decision: { kind: 'apply', reason: 'the plan of decision 1, by hand: looks good' },
    });
    expect(await wishes(bench)).toEqual({ mode: 'advise', pins: {} });
    expect(await bench.bench.saved()).toEqual([planWith('large', 3)]);
  });

  it('may be given stage by stage', async () => {
    const bench = new ControlBench({ mode: 'off' });
    const record = await bench.control.applyStages(planWith('large', 2).stages);
    expect([bench.runs, bench.control.mode]).toEqual(['2 large', 'off']);
    expect(record.decision).toMatchObject({ plan: { predicted: { pas: 0.8, cpuCores: 2, costPerHour: 2 } } });
  });

  it('is estimated at the load that is expected', async () => {
    const bench = new ControlBench();
    const { decision } = await bench.control.applyStages(planWith('small', 2).stages);
    const { latencyMs, capacityRps } = decision?.kind === 'apply' ? decision.plan.predicted : planWith('', 0).predicted;
    expect(capacityRps).toBeCloseTo(200, 9);
    expect(latencyMs).toBeGreaterThan(10);
    expect(latencyMs).toBeLessThan(50);
    expect(bench.estimated).toEqual([decision?.evidence.forecast.upperRps]);
  });

  it('is put in force where nobody can tell what to expect of it', async () => {
    const bench = new ControlBench({ estimate: async () => undefined });
    const { decision } = await bench.control.applyStages(planWith('large', 2).stages);
    expect(bench.runs).toBe('2 large');
    expect(decision).toMatchObject({ plan: { predicted: { latencyMs: 0, capacityRps: 0, cpuCores: 2 } } });
  });

  it.each([
    ['of another stage', { b: planWith('large', 1).stages[a] ?? [] }, 'there is no stage b'],
    ['without its stage', {}, 'stage a needs one entry'],
    ['of an unknown variant', planWith('huge', 1).stages, 'a has no variant huge'],
    ['of too many replicas', planWith('large', 5).stages, 'a does not allow 5 replicas'],
  ])('is refused where it is one %s', async (_, stages, words) => {
    const bench = new ControlBench();
    await expect(bench.control.applyStages(stages)).rejects.toEqual(code('INVALID_FIELDS', words));
    expect(bench.control.mode).toBe('auto');
  });

  it('is refused where it exceeds the budget', async () => {
    const bench = new ControlBench();
    const [part] = planWith('large', 4).stages[a] ?? [];
    const stages = { [a]: part === undefined ? [] : [{ ...part, resources: { ...part.resources, cpuCores: 2 } }] };
    await expect(bench.control.applyStages(stages)).rejects.toEqual(code('INVALID_FIELDS', 'exceeds the budget'));
  });

  it.each([
    ['batches that the profile does not know', { maxBatchSize: 3 }, 'says nothing of batches of 3, only of up to 2'],
    ['waits that the file does not allow', { maxBatchWaitMs: 1e9 }, 'does not allow batches to wait'],
  ])('is refused where it asks for %s', async (_, part, words) => {
    const [stage] = controlledSpec.stages as [StageSpec];
    const { batchSizes: __, ...bounds } = stage.bounds;
    const bench = new ControlBench({ spec: { ...controlledSpec, stages: [{ ...stage, bounds }] } });
    const [given] = planWith('large', 2).stages[a] as [StagePlan];
    const applied = bench.control.applyStages({ [a]: [{ ...given, ...part }] });
    await expect(applied).rejects.toEqual(code('INVALID_FIELDS', words));
    expect(bench.runs).toBe('1 small');
  });

  it('takes the memory and the GPUs of its variants, whatever was said of them', async () => {
    const [stage] = controlledSpec.stages as [StageSpec];
    const stages = [{ ...stage, variants: stage.variants.map((each) => ({ ...each, memoryBytes: 1e9, gpus: 1 })) }];
    const spec = { ...controlledSpec, stages, budget: { cpuCores: 6, memoryBytes: 2e9 } };
    const bench = new ControlBench({ spec });
    await expect(bench.control.applyStages(planWith('large', 3).stages)).rejects.toEqual(
      code('INVALID_FIELDS', 'exceeds the budget'),
    );
    const { decision } = await bench.control.applyStages(planWith('large', 2).stages);
    const resources = { cpuCores: 1, memoryBytes: 1e9, gpus: 1 };
    expect(decision).toMatchObject({ plan: { stages: { a: [{ resources }] } } });
  });

  it('leaves the canary out if that is asked for, and says so', async () => {
    const changes: (true | undefined)[] = [];
    const bench = new ControlBench();
    const { apply } = bench.actuator;
    bench.actuator.apply = (change) => {
      changes.push(change.atOnce);
      return apply(change);
    };
    const record = await bench.control.applyStages(planWith('large', 2).stages, { canary: false, reason: 'urgent' });
    await bench.control.applyStages(planWith('small', 2).stages);
    expect(changes).toEqual([true, undefined]);
    expect([record.manual, record.decision?.reason]).toEqual([
      { action: 'apply', canary: false, reason: 'urgent' },
      'a plan given by hand, without a canary: urgent',
    ]);
  });

  it('is held against the file that is read while it waits, and gives the mode back', async () => {
    let spec = controlledSpec;
    const bench = new ControlBench({
      get spec() {
        return spec;
      },
    });
    let read = () => {};
    const reload = bench.bench.loop.turn(() => new Promise<void>((resolve) => (read = resolve)));
    const applied = bench.control.applyStages(planWith('large', 4).stages);
    await Promise.resolve();
    expect(bench.control.mode).toBe('advise');
    spec = { ...spec, budget: { cpuCores: 2 } };
    read();
    await reload;
    await expect(applied).rejects.toEqual(code('INVALID_FIELDS', 'exceeds the budget'));
    expect([bench.runs, bench.control.mode]).toEqual(['1 small', 'auto']);
    expect(await wishes(bench)).toEqual({ mode: 'auto', pins: {} });
  });

  it('is refused where the decision is missing, changes nothing, or was made for something else', async () => {
    const bench = new ControlBench();
    const other = bench.advised(planWith('large', 3), 'other');
    const { id } = bench.control.pause();
    await expect(bench.control.applyDecision(99)).rejects.toEqual(code('NOT_FOUND', 'There is no decision 99'));
    await expect(bench.control.applyDecision(id)).rejects.toEqual(code('CONFLICT', 'changes nothing'));
    await expect(bench.control.applyDecision(other)).rejects.toEqual(code('CONFLICT', 'another pipeline file'));
  });

  it('waits for the tick under way, and is refused while another is', async () => {
    const bench = new ControlBench();
    const order: string[] = [];
    let finish = () => {};
    const tick = bench.bench.loop.turn(
      () =>
        new Promise<void>((resolve) => {
          finish = () => {
            order.push('tick');
            resolve();
          };
        }),
    );
    const first = bench.control.applyStages(planWith('large', 2).stages).then(() => order.push('by hand'));
    await expect(bench.control.applyStages(planWith('large', 1).stages)).rejects.toEqual(
      code('CONFLICT', 'a change by hand is under way'),
    );
    expect(bench.runs).toBe('1 small');
    finish();
    await Promise.all([tick, first]);
    expect([order, bench.runs]).toEqual([['tick', 'by hand'], '2 large']);
  });

  it('that fails is told and logged as failed, and what ran still runs', async () => {
    const bench = new ControlBench();
    bench.change = () => Promise.reject(new Error('it did not start'));
    await expect(bench.control.applyStages(planWith('large', 2).stages)).rejects.toThrow('it did not start');
    expect(bench.runs).toBe('1 small');
    expect(await bench.control.decision(1)).toMatchObject({
      outcome: { kind: 'failed', step: 'apply', message: 'it did not start' },
    });
    expect(bench.control.mode).toBe('auto');
    bench.change = async () => {};
    await bench.control.applyStages(planWith('large', 2).stages);
    expect(bench.runs).toBe('2 large');
  });

  it('ends auto for good only once it is in force: a server killed before adapts again', async () => {
    const bench = new ControlBench();
    const kept: unknown[] = [];
    bench.change = async () => {
      bench.control.pin('a', { replicas: 2 });
      kept.push(bench.control.mode, await wishes(bench));
    };
    await bench.control.applyStages(planWith('large', 2).stages);
    kept.push(bench.control.mode, await wishes(bench));
    const pins = { [a]: { replicas: 2 } };
    expect(kept).toEqual(['advise', { mode: 'auto', pins }, 'advise', { mode: 'advise', pins }]);
  });

  it('that fails leaves a mode that was asked for meanwhile', async () => {
    const bench = new ControlBench();
    bench.change = async () => {
      bench.control.advise();
      throw new Error('it did not start');
    };
    await expect(bench.control.applyStages(planWith('large', 2).stages)).rejects.toThrow('it did not start');
    expect(bench.control.mode).toBe('advise');
  });
});

describe('a roll-back', () => {
  const good = (plan: ReturnType<typeof planWith>, specDigest = 'd') => ({ plan, atEpochMs: 1, specDigest });

  it('goes to the newest good plan of this pipeline that does not run', async () => {
    const bench = new ControlBench();
    const { memory } = bench.bench;
    await memory.saveGoodPlan('p', good(planWith('small', 4)));
    await memory.saveGoodPlan('p', good(planWith('large', 2)));
    await memory.saveGoodPlan('p', good(planWith('large', 3), 'other'));
    await memory.saveGoodPlan('p', good(planWith('small', 1)));
    const record = await bench.control.rollBack();
    expect([bench.runs, bench.control.mode]).toEqual(['2 large', 'advise']);
    expect(record).toMatchObject({
      manual: { action: 'roll-back' },
      decision: { reason: 'back to the good plan before (a: 2 large), by hand' },
    });
    await bench.control.rollBack();
    expect(bench.runs).toBe('1 small');
  });

  describe('under a load', () => {
    /** Good plans, the newest last, each with 100 rps per replica. The running plan has 4 replicas of `small`. */
    async function loaded(
      rps: number,
      plans: readonly (readonly [string, number])[],
      over: ConstructorParameters<typeof ControlBench>[0] = {},
    ) {
      const bench = new ControlBench(over);
      await bench.control.applyStages(planWith('small', 4).stages);
      for (const [id, replicas] of plans) await bench.bench.memory.saveGoodPlan('p', good(planWith(id, replicas)));
      bench.arrivalsPerSecond = Array.from({ length: 60 }, () => rps);
      return bench;
    }
    const idle = [
      ['large', 4],
      ['large', 3],
      ['small', 1],
    ] as const;

    it('passes over plans that do not carry it, and says so', async () => {
      const bench = await loaded(150, idle);
      const { manual, decision } = await bench.control.rollBack('errors');
      const warning = 'newer good plans passed over, because they do not carry the current load: 1';
      expect([bench.runs, manual]).toEqual(['3 large', { action: 'roll-back', reason: 'errors', warning }]);
      expect(decision?.reason).toBe(`back to the good plan before (a: 3 large), by hand: errors; ${warning}`);
    });

    it('goes to the newest if none carries it, and says what the plan carries', async () => {
      const bench = await loaded(450, idle);
      const { manual } = await bench.control.rollBack();
      expect(bench.runs).toBe('1 small');
      expect(manual?.warning).toMatch(/^at 461\.0 rps this plan is predicted to miss the SLO \(at most 100\.0 rps\)$/);
    });

    it('warns of a plan that carries it, but beyond the SLO', async () => {
      const predicted = { latencyMs: 400, capacityRps: 160 };
      const bench = await loaded(150, [['large', 2]], { estimate: async () => predicted });
      const { manual } = await bench.control.rollBack();
      expect(bench.runs).toBe('2 large');
      expect(manual?.warning).toMatch(/ is predicted to miss the SLO \(p99 400 ms, at most 160\.0 rps\)$/);
    });

    it('is silent where the plan keeps the SLO, and says so where no prediction comes in time', async () => {
      const able = await loaded(50, idle);
      expect((await able.control.rollBack()).manual).toEqual({ action: 'roll-back' });
      const unknown = await loaded(450, idle, { estimate: async () => undefined });
      expect((await unknown.control.rollBack()).manual?.warning).toBe('this plan was not checked at the current load');
      expect([able.runs, unknown.runs]).toEqual(['1 small', '1 small']);
    });

    it('checks five different plans, the newest, and nothing for a second request', async () => {
      let [asked, checked, end] = [0, Promise.resolve(), () => {}];
      const estimate = async ({ [a]: stage }: Plan['stages']) => {
        asked += 1;
        await checked;
        return {
          latencyMs: 100,
          capacityRps: stage?.[0]?.replicas === 2 && stage[0].variantId === 'large' ? 500 : 200,
        };
      };
      const plans = [1, 2, 3, 4].map((replicas) => ['large', replicas] as const);
      const bench = await loaded(450, [...plans, ...idle, ['small', 2], ['small', 4], ['small', 2]], { estimate });
      [asked, checked] = [0, new Promise<void>((resolve) => (end = resolve))];
      const first = bench.control.rollBack();
      const underWay = code('CONFLICT', 'a change by hand is under way');
      await expect(bench.control.rollBack()).rejects.toEqual(underWay);
      await expect(bench.control.applyDecision(1)).rejects.toEqual(underWay);
      end();
      await first;
      expect([bench.runs, asked]).toEqual(['2 large', 5]);
    });

    const canary = { variantId: variantId('large'), fraction: 0.1, missingOutcomes: 0 };
    const beginCanary = (bench: ControlBench) => {
      const { [a]: stage } = bench.running.stages;
      if (stage === undefined) throw new Error('the stage runs');
      bench.running = { stages: { [a]: { ...stage, canary } } };
    };

    it('ends a change at once, to the plan before it, whatever it carries', async () => {
      const bench = await loaded(150, idle);
      beginCanary(bench);
      bench.estimated.length = 0;
      expect((await bench.control.rollBack()).manual?.warning).toBe('this plan was not checked at the current load');
      expect([bench.runs, bench.estimated]).toEqual(['1 small', []]);
    });

    it('ends a change that began during the check, to the plan before it', async () => {
      let begin = () => {};
      const estimate = async () => {
        begin();
        return { latencyMs: 100, capacityRps: 500 };
      };
      const bench = await loaded(150, [...idle, ['small', 4]], { estimate });
      begin = () => beginCanary(bench);
      await bench.control.rollBack();
      expect(bench.runs).toBe('4 small');
    });
  });

  it('says so where it goes against a pin', async () => {
    const bench = new ControlBench({ pins: { [a]: { variantId: variantId('small'), replicas: 2 } } });
    await bench.bench.memory.saveGoodPlan('p', good(planWith('large', 2)));
    const { decision } = await bench.control.rollBack('errors');
    expect(decision?.reason).toBe(
      'back to the good plan before (a: 2 large), by hand, against the pin of a: variantId small, which the loop follows again in mode auto: errors',
    );
  });

  it('takes the place of a change by hand, to the plan before that', async () => {
    const bench = new ControlBench();
    const { memory } = bench.bench;
    await memory.saveGoodPlan('p', good(planWith('large', 2)));
    await memory.saveGoodPlan('p', good(planWith('small', 1)));
    const begun = new Promise<void>((begin) => {
      bench.change = () =>
        new Promise((resolve) => {
          begin();
          bench.preempted = resolve;
        });
    });
    const applied = bench.control.applyStages(planWith('large', 3).stages);
    await begun;
    bench.change = async () => {};
    const record = await bench.control.rollBack();
    expect((await applied).outcome).toEqual({ kind: 'given-up', message: 'a roll-back by hand replaced it' });
    expect([bench.runs, bench.control.mode, record.outcome?.kind]).toEqual(['1 small', 'advise', 'applied']);
  });

  it('takes the place of a change of the loop, to the plan before that', async () => {
    const bench = new ControlBench();
    const { memory, loop, seen } = bench.bench;
    await memory.saveGoodPlan('p', good(planWith('small', 4)));
    await memory.saveGoodPlan('p', good(planWith('small', 1)));
    const plan = planWith('large', 2);
    const [to] = plan.stages[a] ?? [];
    if (to === undefined) throw new Error('the plan has a stage');
    const changes = [{ kind: 'switch-variant', stageId: a, fromVariantId: variantId('small'), to } as const];
    const begun = new Promise<void>((begin) => {
      bench.change = () =>
        new Promise((resolve) => {
          begin();
          bench.preempted = resolve;
        });
    });
    const change = { kind: 'apply', plan, changes, reason: 'better', evidence } as const;
    const changing = loop.turn(() => loop.enact(seen, change, { trigger: 'plan' }));
    await begun;
    bench.change = async () => {};
    await bench.control.rollBack();
    expect((await changing).record.outcome?.kind).toBe('given-up');
    expect([bench.runs, bench.control.mode]).toEqual(['1 small', 'advise']);
  });

  it('ends a canary that goes on by itself, to the plan before that', async () => {
    const bench = new ControlBench();
    const { memory } = bench.bench;
    await memory.saveGoodPlan('p', good(planWith('small', 4)));
    await memory.saveGoodPlan('p', good(planWith('small', 1)));
    const { [a]: stage } = bench.running.stages;
    if (stage === undefined) throw new Error('the stage runs');
    const canary = { variantId: variantId('large'), fraction: 0.1, missingOutcomes: 0 };
    bench.running = { stages: { [a]: { ...stage, canary } } };
    await bench.control.rollBack();
    expect(bench.runs).toBe('1 small');
  });

  it('cancels a change by hand that waits for its turn', async () => {
    const bench = new ControlBench();
    await bench.bench.memory.saveGoodPlan('p', good(planWith('small', 2)));
    let end = () => {};
    void bench.bench.loop.turn(() => new Promise<void>((resolve) => (end = resolve)));
    const applied = bench.control.applyStages(planWith('large', 3).stages);
    while (bench.control.mode === 'auto') await Promise.resolve();
    const back = bench.control.rollBack();
    for (let i = 0; i < 20; i++) await Promise.resolve();
    end();
    await expect(applied).rejects.toEqual(code('CONFLICT', 'a roll-back by hand replaced it'));
    await back;
    expect([bench.runs, bench.control.mode]).toEqual(['2 small', 'advise']);
  });

  it('is refused where there is none', async () => {
    const bench = new ControlBench();
    await bench.bench.memory.saveGoodPlan('p', good(planWith('small', 1)));
    await expect(bench.control.rollBack()).rejects.toEqual(code('CONFLICT', 'no earlier good plan'));
  });
});

describe('a canary', () => {
  /** A canary of `large`, by the loop or by hand. */
  async function tried(by: 'loop' | 'hand') {
    const bench = new ControlBench();
    const begun = new Promise<void>((begin) => {
      bench.change = () =>
        new Promise((resolve) => {
          const { [a]: stage } = bench.running.stages;
          if (stage === undefined) throw new Error('the stage runs');
          const canary = { variantId: variantId('large'), fraction: 0.1, missingOutcomes: 0 };
          bench.running = { stages: { [a]: { ...stage, canary } } };
          bench.preempted = resolve;
          begin();
        });
    });
    const plan = planWith('large', 2);
    const [to] = plan.stages[a] ?? [];
    if (to === undefined) throw new Error('the plan has the stage');
    const seen = { ...observation, runningPlan: bench.running };
    const changes = [{ kind: 'switch-variant', stageId: a, fromVariantId: variantId('small'), to } as const];
    const change = { kind: 'apply', plan, changes, reason: 'better', evidence } as const;
    const { loop } = bench.bench;
    const ended =
      by === 'hand'
        ? bench.control.applyStages(plan.stages)
        : loop.turn(() => loop.enact(seen, change, { trigger: 'plan' })).then(({ record }) => record);
    await begun;
    return { bench, ended };
  }
  const canaryOf = ({ running }: ControlBench) => running.stages[a]?.canary?.variantId;

  it.each([
    ['a pause', (bench: ControlBench) => bench.control.pause(), 'the mode is off now'],
    ['the mode advise', (bench: ControlBench) => bench.control.advise(), 'the mode is advise now'],
    [
      'a pin to another variant',
      (bench: ControlBench) => bench.control.pin('a', { variantId: variantId('small') }),
      'a change of pins ended its canary',
    ],
    [
      'a pin of something else, which would wait for it',
      (bench: ControlBench) => bench.control.pin('a', { replicas: 2 }),
      'a change of pins ended its canary',
    ],
    ['the end of pins', (bench: ControlBench) => bench.control.unpin(), 'a change of pins ended its canary'],
  ])('of the loop is ended by %s', async (_, act, message) => {
    const { bench, ended } = await tried('loop');
    act(bench);
    expect((await ended).outcome).toEqual({ kind: 'given-up', message });
    expect(canaryOf(bench)).toBeUndefined();
  });

  it('of the loop goes on if its variant is pinned', async () => {
    const { bench, ended } = await tried('loop');
    bench.control.pin('a', { variantId: variantId('large') });
    expect(canaryOf(bench)).toBe('large');
    bench.control.pause();
    expect((await ended).outcome).toMatchObject({ kind: 'given-up' });
  });

  it('by hand is ended by a pin to another variant alone', async () => {
    const { bench, ended } = await tried('hand');
    bench.control.pause();
    bench.control.pin('a', { replicas: 2 });
    bench.control.pin('a', { variantId: variantId('large') });
    expect(canaryOf(bench)).toBe('large');
    bench.control.pin('a', { variantId: variantId('small') });
    expect((await ended).outcome).toMatchObject({
      kind: 'given-up',
      message: expect.stringContaining('a change of pins'),
    });
    expect(canaryOf(bench)).toBeUndefined();
  });
});

describe('a question of what would be', () => {
  const query = { arrivalRps: 30, policy: 'equipoise', verify: false } as const;

  it('is answered with the changes from what runs, under the pins in force and those assumed', async () => {
    const bench = new ControlBench({ pins: { [a]: { replicas: 2 } } });
    const { changes } = await bench.control.whatIf({ ...query, sloLatencyMs: 200 });
    expect(changes).toMatchObject([{ kind: 'switch-variant', fromVariantId: 'small', to: { replicas: 2 } }]);
    await bench.control.whatIf({ ...query, pins: { [a]: { replicas: 3 } } });
    expect(bench.queries).toEqual([
      { ...query, sloLatencyMs: 200, pins: { a: { replicas: 2 } } },
      { ...query, pins: { a: { replicas: 3 } } },
    ]);
    expect(bench.runs).toBe('1 small');
  });

  it('is refused where it assumes what cannot be, or too many wait', async () => {
    const bench = new ControlBench({ plan: () => new Promise(() => {}) });
    const impossible = bench.control.whatIf({ ...query, pins: { [a]: { replicas: 9 } } });
    await expect(impossible).rejects.toEqual(code('INVALID_FIELDS', 'does not allow 9 replicas'));
    for (let waiting = 0; waiting < 4; waiting++) void bench.control.whatIf(query);
    await expect(bench.control.whatIf(query)).rejects.toEqual(code('CONFLICT', '4 questions already wait'));
  });
});

describe('a log whose store fails', () => {
  it('still has the newest decisions, which can be applied', async () => {
    const bench = new ControlBench();
    await bench.bench.memory.close();
    const id = bench.advised(planWith('large', 3));
    await bench.control.applyDecision(id);
    expect(bench.runs).toBe('3 large');
    const page = await bench.control.decisions({ limit: 1 });
    expect(page.map(({ manual }) => manual?.action)).toEqual(['apply']);
    const summaries = await bench.control.decisionSummaries({ limit: 9 });
    expect(summaries.map(({ id, manual }) => [id, manual?.action])).toEqual([
      [2, 'apply'],
      [1, undefined],
    ]);
    expect(summaries[0]).not.toHaveProperty('observation');
    expect((await bench.control.decisions({ limit: 9, beforeId: 2 })).map(({ decision }) => decision?.reason)).toEqual([
      apply.reason,
    ]);
    expect(bench.control.status.faults).toMatchObject([{ step: 'store', message: 'The store is closed.' }]);
  });
});
