import { describe, expect, it } from 'vitest';
import { SeededRng } from '../../kernel/rng.js';
import type { EdgeCount } from '../../model/decision.js';
import { stageId } from '../../model/ids.js';
import type { EdgeSpec, PipelineSpec } from '../../model/pipeline-spec.js';
import { chainSpec } from '../../model/spec-builders.test-support.js';
import { type EdgeState, learnedSpec, observeEdgeCounts, snapshotEdges } from './edge-feedback.js';

const [a, b, c, d] = [stageId('a'), stageId('b'), stageId('c'), stageId('d')];
const plain = chainSpec({ a: [], b: [], c: [], d: [] });
const fanningOut = (expected: number, distribution?: readonly number[]): PipelineSpec => ({
  ...plain,
  edges: [{ from: a, to: b, fanOut: { expected, ...(distribution && { distribution }) } }],
});
const branching = (...probabilities: readonly number[]): PipelineSpec => ({
  ...plain,
  edges: probabilities.map(
    (probability, i): EdgeSpec => ({ from: a, to: [b, c, d][i] ?? d, when: { condition: `${i}`, probability } }),
  ),
});

const nothing: EdgeState = { memories: [], inForce: [] };
const fans = (fanOuts: number, items: number): readonly EdgeCount[] => [{ offered: 0, taken: 0, fanOuts, items }];
const shares = (offered: number, ...taken: readonly number[]): readonly EdgeCount[] =>
  taken.map((each) => ({ offered, taken: each, fanOuts: 0, items: 0 }));

/** State after some seconds with equal counts, or with the counts of `countsAt`. */
function after(
  spec: PipelineSpec,
  seconds: number,
  countsAt: (second: number) => readonly EdgeCount[],
  before = nothing,
  fromMs = 0,
  running: Pick<Parameters<typeof observeEdgeCounts>[2], 'variantOf'> = {},
): EdgeState {
  let state = before;
  for (let second = 1; second <= seconds; second++) {
    const [counts, atMs] = [countsAt(second), fromMs + 1000 * second];
    state = observeEdgeCounts(spec, state, { ...running, counts, atMs, due: second % 10 === 0 });
  }
  return state;
}

const learned = ({ inForce }: EdgeState) => inForce.map(({ value }) => value);

describe('a fan-out', () => {
  const spec = fanningOut(3);

  it.each([
    ['twice as many items', 6],
    ['half as many', 1.5],
    ['as many', 3],
  ])('is learned within a minute where it gives %s', (_, mean) => {
    const [value = 3] = learned(after(spec, 60, () => fans(100, 100 * mean)));
    if (mean === 3) expect(value).toBe(3);
    else expect(Math.abs(value / mean - 1)).toBeLessThan(0.05);
  });

  it('is never learned to be nothing at all', () => {
    const [value = 3] = learned(after(spec, 300, () => fans(100, 0)));
    expect(value).toBeGreaterThan(0);
    expect(value).toBeLessThan(0.05);
  });

  it('says what it was learned from, beside what the file says', () => {
    const [edge] = after(spec, 60, () => fans(10, 60)).inForce;
    expect(edge).toMatchObject({ edge: 0, from: a, to: b, kind: 'fan-out', stated: 3 });
    expect(edge?.outputs).toBeGreaterThan(250);
    expect(edge?.standardError).toBeGreaterThan(0.1);
    expect(edge?.standardError).toBeLessThan(0.2);
  });

  it('is believed as stated while only few requests were seen, however much they differ', () => {
    expect(learned(after(spec, 60, (second) => (second % 20 === 0 ? fans(1, 9) : fans(0, 0))))).toEqual([]);
    expect(learned(after(spec, 35, () => fans(100, 600)))).toEqual([]);
  });

  it('stays as stated where its items differ by chance alone', () => {
    const rng = new SeededRng(3);
    let state = nothing;
    for (let block = 0; block < 60; block++) {
      // Mean 3: each output has 0 or 12 items.
      const counts = () =>
        fans(
          4,
          Array.from({ length: 4 }, () => 12 * Number(rng.next() < 0.25)).reduce((x, y) => x + y),
        );
      state = after(spec, 10, counts, state, 10_000 * block);
      expect(learned(state)).toEqual([]);
    }
  });

  it('keeps the value in force while the estimate moves by less than a tenth', () => {
    const twice = after(spec, 120, () => fans(100, 600));
    const more = after(spec, 240, () => fans(100, 640), twice, 120_000);
    expect(more.inForce).toEqual(twice.inForce);
  });

  it('follows a change of the traffic within minutes, and back to what the file says', () => {
    const twice = after(spec, 600, () => fans(20, 120));
    const back = after(spec, 150, () => fans(20, 60), twice, 600_000);
    expect(learned(twice)[0]).toBeCloseTo(6, 0);
    expect(back.inForce).toEqual([]);
  });

  it('is neither moved by one answer with ten thousand items nor kept from being learned', () => {
    expect(learned(after(spec, 120, (second) => fans(20, second === 35 ? 10_060 : 60)))).toEqual([]);
    const [value = 3] = learned(after(spec, 120, (second) => fans(20, second === 35 ? 10_120 : 120)));
    expect(Math.abs(value / 6 - 1)).toBeLessThan(0.12);
  });

  it('keeps to what the file says where most of the time there are no items at all, as it says', () => {
    const rare = fanningOut(0.05);
    expect(learned(after(rare, 300, (second) => fans(20, second % 30 === 0 ? 30 : 0)))).toEqual([]);
  });

  it('goes on with a clock that was set back', () => {
    const before = after(spec, 60, () => fans(20, 60));
    expect(learned(after(spec, 150, () => fans(20, 120), before, -3_600_000))[0]).toBeGreaterThan(5);
  });
});

describe('branches', () => {
  it('are learned together, none of them beyond what there is', () => {
    const state = after(branching(0.6, 0.3, 0.1), 60, () => shares(100, 34, 33, 33));
    expect(learned(state).map((share) => share.toFixed(1))).toEqual(['0.3', '0.3', '0.3']);
    const sum = learnedSpec(branching(0.6, 0.3, 0.1), state.inForce).edges.reduce(
      (total, { when }) => total + (when?.probability ?? 0),
      0,
    );
    expect(sum).toBeLessThanOrEqual(1 + 1e-9);
    expect(sum).toBeGreaterThan(0.98);
  });

  it('are no more than all together where rounding would make them so', () => {
    const spec = branching(0.5, 0.5);
    const inForce = [0.996, 0.0053].map((value, edge) => ({
      ...{ edge, from: a, to: [b, c][edge] ?? b, kind: 'branch' as const, stated: 0.5, standardError: 0, outputs: 9 },
      value,
    }));
    const sum = learnedSpec(spec, inForce).edges.reduce((total, { when }) => total + (when?.probability ?? 0), 0);
    expect(sum).toBeCloseTo(1, 12);
  });

  it.each([
    ['that is taken as often as stated', 0.3, []],
    ['that is taken twice as often', 0.6, [0.6]],
    ['that is rarely taken', 0.02, [0.02]],
  ])('keep to the file or leave it: one %s', (_, share, values) => {
    const state = after(branching(0.3), 120, () => shares(100, 100 * share));
    expect(learned(state).map((each) => Number(each.toFixed(2)))).toEqual(values);
  });

  it('are left alone by chance', () => {
    const rng = new SeededRng(11);
    let state = nothing;
    for (let block = 0; block < 60; block++) {
      const counts = () =>
        shares(
          5,
          Array.from({ length: 5 }, () => Number(rng.next() < 0.2)).reduce((x, y) => x + y),
        );
      state = after(branching(0.2), 10, counts, state, 10_000 * block);
      expect(learned(state)).toEqual([]);
    }
  });
});

describe('what was learned', () => {
  it('takes the place of what the file says, and is the very file where nothing was learned', () => {
    const spec = fanningOut(3);
    const { inForce } = after(spec, 60, () => fans(100, 600));
    expect(learnedSpec(spec, inForce).edges[0]?.fanOut).toEqual({ expected: learned({ memories: [], inForce })[0] });
    expect(learnedSpec(spec, [])).toBe(spec);
  });

  it('keeps the shape of a distribution', () => {
    const spec = fanningOut(1, [0.5, 0, 0.5]);
    const edge = { edge: 0, from: a, to: b, kind: 'fan-out' as const, stated: 1, standardError: 0, outputs: 9 };
    const fanOutAt = (value: number) => learnedSpec(spec, [{ ...edge, value }]).edges[0]?.fanOut;
    expect(fanOutAt(2)).toEqual({ expected: 2, distribution: [0.5, 0, 0, 0, 0.5] });
    expect(fanOutAt(0.25)).toEqual({ expected: 0.25, distribution: [0.75, 0.25] });
  });

  it('goes on in another process without the instants of the one before', () => {
    const state = after(fanningOut(3), 65, () => fans(100, 600));
    const kept = JSON.parse(JSON.stringify(snapshotEdges(state))) as EdgeState;
    expect(kept.inForce).toEqual(state.inForce);
    expect(kept.memories[0]).toEqual({
      blocks: state.memories[0]?.blocks,
      open: { offered: 0, taken: 0, fanOuts: 0, items: 0 },
    });
    const next = after(fanningOut(3), 60, () => fans(100, 600), kept);
    expect(next.inForce).toEqual(state.inForce);
  });
});

describe('a share by variant', () => {
  const spec: PipelineSpec = {
    ...plain,
    edges: [
      { from: a, to: b, when: { condition: 'x', probability: 0.6, byVariant: { small: 0.9, medium: 0.3 } } as never },
      { from: a, to: c, when: { condition: 'y', probability: 0.1 } },
    ],
  };
  /** One variant makes all outputs. */
  const madeBy = (variant: string, taken: number): readonly EdgeCount[] => {
    const tally = { offered: 100, taken, fanOuts: 0, items: 0 };
    return [
      { ...tally, byVariant: { [variant]: tally } as never },
      { ...tally, taken: 10 },
    ];
  };

  it('is learned for the variant that made the outputs, and kept after a switch', () => {
    const state = after(spec, 60, () => madeBy('small', 60));
    expect(state.inForce).toMatchObject([{ edge: 0, kind: 'branch', variantId: 'small', stated: 0.9 }]);
    const later = after(spec, 300, () => madeBy('medium', 30), state, 60_000);
    const [edge] = learnedSpec(spec, later.inForce).edges;
    expect(edge?.when?.byVariant).toEqual({ small: 0.6, medium: 0.3 });
    expect(edge?.when?.probability).toBeCloseTo(0.45, 12);
  });

  it('is learned for each threshold, and kept when a plan chooses another one', () => {
    const byVariant = { 'small at 0.6': 0.2, 'small at 0.8': 0.5 } as never;
    const edges = [{ from: a, to: b, when: { condition: 'x', thresholds: [0.6, 0.8], probability: 0.35, byVariant } }];
    const at = { ...plain, edges };
    const tally = (taken: number) => ({ offered: 100, taken, fanOuts: 0, items: 0 });
    const madeAt = (threshold: number, taken: number): readonly EdgeCount[] => [
      { ...tally(taken), byVariant: { [`small at ${threshold}`]: tally(taken) } as never },
    ];
    const state = after(at, 60, () => madeAt(0.6, 40));
    const later = after(at, 300, () => madeAt(0.8, 70), state, 60_000);
    const [edge] = learnedSpec(at, later.inForce).edges;
    expect(edge?.when?.byVariant).toEqual({ 'small at 0.6': 0.4, 'small at 0.8': 0.7 });
    expect(edge?.when?.thresholds).toEqual([0.6, 0.8]);
  });

  it('is learned behind the variant of the earlier stage that runs, and kept when a plan chooses another one', () => {
    const behind = (detector: string, small: number) => ({
      upstream: { [d]: detector } as never,
      byVariant: { small } as never,
    });
    const when = { condition: 'x', probability: 0.5, byVariant: { small: 0.5 } as never };
    const byUpstream = [behind('coarse', 0.7), behind('fine', 0.3)];
    const at = { ...plain, edges: [{ from: a, to: b, when: { ...when, byUpstream } }] };
    const running = (detector: string) => ({ variantOf: () => detector as never });
    const state = after(at, 60, () => madeBy('small', 90).slice(0, 1), nothing, 0, running('coarse'));
    expect(state.inForce).toMatchObject([{ variantId: 'small', upstream: { d: 'coarse' }, stated: 0.7 }]);
    const later = after(at, 300, () => madeBy('small', 10).slice(0, 1), state, 60_000, running('fine'));
    const [edge] = learnedSpec(at, later.inForce).edges;
    expect(edge?.when?.byUpstream).toEqual([behind('coarse', 0.9), behind('fine', 0.1)]);
    expect(edge?.when?.byVariant).toEqual({ small: 0.5 });
  });

  it('never sums to more than 1 with the other branches of the stage', () => {
    const { inForce } = after(spec, 60, () => madeBy('small', 98));
    const [first, second] = learnedSpec(spec, inForce).edges;
    const small = (first?.when?.byVariant as Record<string, number> | undefined)?.['small'] ?? 0;
    expect(small + (second?.when?.probability ?? 0)).toBeLessThanOrEqual(1);
  });
});

describe('an optional source', () => {
  const source = (name: string, more = {}) => ({ name, to: [b], tensors: [], ...more });
  const spec: PipelineSpec = {
    ...fanningOut(3),
    sources: [source('letter'), source('scan', { onMissing: 'partial', share: 0.9 })],
  };
  const counts = (joined: number): readonly EdgeCount[] => [
    ...fans(100, 300),
    ...shares(100, 100),
    ...shares(100, joined),
  ];

  it('has a share that is learned as that of a branch', () => {
    const state = after(spec, 120, () => counts(40));
    expect(state.inForce).toMatchObject([{ edge: 2, from: 'scan', to: b, kind: 'branch', stated: 0.9 }]);
    expect(learned(state)[0]).toBeCloseTo(0.4, 1);
    const { sources, edges } = learnedSpec(spec, state.inForce);
    expect(sources.map(({ share }) => share)).toEqual([undefined, learned(state)[0]]);
    expect(edges).toEqual(spec.edges);
  });

  it('keeps its stated share while that is near', () => {
    expect(after(spec, 120, () => counts(88)).inForce).toEqual([]);
  });

  it('is not learned of a log without counts of sources, nor of a single source', () => {
    expect(after(spec, 120, () => fans(100, 300)).inForce).toEqual([]);
    const single = { ...spec, sources: spec.sources.slice(1) };
    expect(after(single, 120, () => counts(40)).inForce).toEqual([]);
  });
});
