import { describe, expect, it } from 'vitest';
import { smallOrLargeSpec } from '../../model/spec-builders.test-support.js';
import { requireCurves } from '../../profile/service-curves.js';
import { ownPolicy } from './own-policy.js';

const spec = { ...smallOrLargeSpec(), objective: { kind: 'min-cost', accuracyFloor: 0.5 } as const };
const input = { spec, curves: requireCurves(spec, []), sampleArrivalsPerSecond: [5], attainment: () => 1 };

type Begin = Parameters<typeof ownPolicy>[0]['begin'];
const begun = (begin: Begin) => ownPolicy({ name: 'mine', intervalMs: 10_000, begin }).begin(input);

const one = () => ({ detect: { variant: 'small', cores: 1, batch: 1, replicas: 1 } });

interface Described {
  readonly objective: { accuracyFloor: number };
  readonly stages: { readonly options: { itemRps: number }[] }[];
}

describe("a user's policy", () => {
  it('gets copies, so that it changes neither the pipeline nor what later runs get', () => {
    const before = structuredClone(spec);
    const itemRps: number[] = [];
    const changing: Begin = (pipeline) => {
      const { objective, stages } = pipeline as Described;
      objective.accuracyFloor = 0;
      for (const { options } of stages.splice(0))
        for (const option of options) {
          itemRps.push(option.itemRps);
          option.itemRps = 1e9;
        }
      return one;
    };
    for (let run = 0; run < 2; run++) begun(changing);
    expect(spec).toEqual(before);
    expect(itemRps.slice(2)).toEqual(itemRps.slice(0, 2));
  });

  it.each([
    ['null', null, 'null'],
    ['an object without a prototype', Object.create(null), 'a value without a text'],
    ['an error whose message is no text', Object.assign(new Error(), { message: Object.create(null) }), 'a value'],
  ])('that throws %s is named', (_, thrown, text) => {
    const throwing: Begin = () => {
      throw thrown;
    };
    expect(() => begun(throwing)).toThrow(`policy "mine": begin threw: ${text}`);
  });

  it.each([
    ['replicas', '1', 'got "1".'],
    ['replicas', 1n, 'got 1n.'],
    ['cores', '1', 'cores "1" is unknown. Choose one of 1'],
    ['batch', 1n, 'batch 1n is unknown. Choose one of 1'],
    ['variant', 'huge', 'variant huge is unknown'],
  ])('whose %s are %s is told what it gave, and to correct the policy', (field, value, text) => {
    const answer = { detect: { ...one().detect, [field]: value } };
    const message = expect.stringContaining(text);
    expect(() => begun(() => () => answer)).toThrow(expect.objectContaining({ code: 'POLICY_FAILED', message }));
  });

  it('that answers with a list is told so', () => {
    expect(() => begun(() => () => [])).toThrow('must return one entry per stage, got a list.');
  });
});
