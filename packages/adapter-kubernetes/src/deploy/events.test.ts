import { describe, expect, it } from 'vitest';
import type { PipelineCondition } from '../crd/status-schema.js';
import { NOW_EPOCH_MS, shelf } from '../test-cluster/memory/pipeline-fixture.test-support.js';
import { eventsOf } from './events.js';

const condition = (
  type: PipelineCondition['type'],
  status: PipelineCondition['status'],
  reason: string,
  message = 'why',
): PipelineCondition => ({ type, status, reason, message, lastTransitionTime: '2026-06-01T11:00:00Z' });

const told = (before: readonly PipelineCondition[], after: readonly PipelineCondition[], nowEpochMs = NOW_EPOCH_MS) =>
  eventsOf(shelf({ status: { conditions: before } }), after, nowEpochMs);

describe('eventsOf', () => {
  it('tells what became something else, and nothing else', () => {
    const before = [condition('Ready', 'False', 'Preparing'), condition('Degraded', 'False', 'AsPlanned')];
    const after = [condition('Ready', 'True', 'AllReady'), condition('Degraded', 'False', 'AsPlanned', 'still')];
    expect(told(before, after)).toEqual([
      expect.objectContaining({
        type: 'Normal',
        reason: 'AllReady',
        action: 'Ready',
        note: 'why',
        eventTime: '2026-06-01T12:00:00.000000Z',
        regarding: expect.objectContaining({
          kind: 'InferencePipeline',
          name: 'shelf',
          namespace: 'n',
          uid: 'uid-shelf',
        }),
      }),
    ]);
  });

  it('says at first what is known', () => {
    const first = [condition('Accepted', 'True', 'Valid'), condition('SLOMet', 'Unknown', 'NotObserved')];
    expect(told([], first).map(({ reason }) => reason)).toEqual(['Valid']);
  });

  it.each([
    ['Degraded', 'True', 'Warning'],
    ['Degraded', 'False', 'Normal'],
    ['SLOMet', 'False', 'Warning'],
    ['Planned', 'False', 'Warning'],
    ['Ready', 'False', 'Normal'],
    ['Accepted', 'True', 'Normal'],
  ] as const)('warns as it should: %s %s is %s', (type, status, expected) => {
    const [event] = told([condition(type, 'Unknown', 'Before')], [condition(type, status, 'After')]);
    expect(event?.type).toBe(expected);
  });

  it('gives one change one name, whenever it is seen, and another change another', () => {
    const before = [condition('Degraded', 'False', 'AsPlanned')];
    const crash = [condition('Degraded', 'True', 'CrashLoop')];
    const [once, again] = [told(before, crash), told(before, crash, NOW_EPOCH_MS + 5_000)].map(([event]) => event);
    expect(again?.metadata).toEqual(once?.metadata);
    const [other] = told(crash, before);
    expect(other?.metadata.name).not.toBe(once?.metadata.name);
  });

  it('keeps to the longest note and name that are taken', () => {
    const long = [condition('Accepted', 'False', 'Invalid', 'x'.repeat(5_000))];
    const [event] = eventsOf(shelf({ name: 'n'.repeat(253) }), long, NOW_EPOCH_MS);
    expect(event?.note).toHaveLength(1_024);
    expect(event?.metadata.name.length).toBeLessThanOrEqual(253);
  });

  it('cuts a name so that the rest is one', () => {
    const name = `${'n'.repeat(198)}-.${'n'.repeat(53)}`;
    const [event] = eventsOf(shelf({ name }), [condition('Accepted', 'True', 'Valid')], NOW_EPOCH_MS);
    expect(event?.metadata.name).toMatch(/^n{198}\.[0-9a-f]{16}$/);
  });

  it.each(['“é€😀', 'é', '😀', 'x€'])('counts the bytes of a note, and cuts no character: %s', (part) => {
    const [event] = told([], [condition('Accepted', 'False', 'Invalid', part.repeat(1_000))]);
    const { note = '' } = event ?? {};
    expect(Buffer.byteLength(note)).toBeLessThanOrEqual(1_024);
    expect(Buffer.byteLength(note)).toBeGreaterThan(1_020);
    expect(part.repeat(1_000).startsWith(note)).toBe(true);
  });
});
