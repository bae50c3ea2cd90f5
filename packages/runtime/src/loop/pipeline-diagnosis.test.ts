import { HistoryRecorder } from '@equipoise/core/history';
import type { DecisionSummary, PipelineSpec } from '@equipoise/core/model';
import { requireCurves } from '@equipoise/core/plan';
import type { DecisionPage } from '@equipoise/core/ports';
import { describe, expect, it } from 'vitest';
import { type DiagnosisQuestion, PipelineDiagnosis } from './pipeline-diagnosis.js';
import { onePipelineSetup } from './planning-setup.test-support.js';

const NOW = 1_790_000_000_000;

function recorderOf(spec: PipelineSpec): HistoryRecorder {
  return new HistoryRecorder({
    ...{ spec, curves: requireCurves(spec, []), startedAtMs: 0, sloLatencyMs: () => 1, budgetCores: () => undefined },
    epochMsOf: (atMs) => NOW + atMs,
    sample: () => ({ arrived: 0, stages: [], edges: [], runningPlan: { stages: {} } }),
  });
}

/** Asks about the last ten minutes of a pipeline with a decision each `everyS`; returns what the planner is asked. */
async function asked(everyS: number, count: number, facts: Partial<DecisionSummary> = {}) {
  const pages: DecisionPage[] = [];
  const record = (id: number) =>
    ({
      ...{ id, atEpochMs: NOW - 1000 * everyS * (count - id), runningPlan: { stages: {} }, ...facts },
      decision: { kind: 'hold', reason: 'r', evidence: { forecast: {} } },
    }) as unknown as DecisionSummary;
  let question: DiagnosisQuestion | undefined;
  const diagnosis = new PipelineDiagnosis({
    recorder: recorderOf(onePipelineSetup.spec),
    decisions: async (page) => {
      pages.push(page);
      const newest = Math.min(count, (page.beforeId ?? Number.POSITIVE_INFINITY) - 1);
      return Array.from({ length: Math.min(page.limit, newest) }, (_, i) => record(newest - i));
    },
    ask: async (given) => {
      question = given;
      return { verdict: 'no-data', fromEpochMs: 0, toEpochMs: 0, text: 'a fake' };
    },
    epochNowMs: () => NOW,
  });
  await diagnosis.why();
  return { decisions: question?.decisions ?? [], pages };
}

describe('the decisions of a diagnosis', () => {
  it('reach back to the last one before the window and its time of comparison', async () => {
    const { decisions, pages } = await asked(2, 5000);
    expect(decisions[0]?.atEpochMs).toBe(NOW - 1_202_000);
    expect(decisions.at(-1)?.atEpochMs).toBe(NOW);
    expect(decisions).toHaveLength(602);
    expect(pages.map(({ beforeId }) => beforeId)).toEqual([undefined, 4801, 4601, 4401]);
  });

  it('are all that there are, and at most 36 pages', async () => {
    expect((await asked(2, 3)).decisions).toHaveLength(3);
    expect((await asked(0.001, 20_000)).decisions).toHaveLength(7200);
  });

  it.each<[string, Partial<DecisionSummary>, boolean]>([
    ['applied', { mode: 'auto', outcome: { kind: 'applied', tookMs: 1 } }, false],
    ['under way', { mode: 'auto' }, false],
    ['only advised', { mode: 'advise' }, true],
    ['given up', { mode: 'auto', outcome: { kind: 'given-up', message: 'm' } }, true],
    ['failed', { mode: 'auto', outcome: { kind: 'failed', step: 'apply', message: 'm' } }, true],
  ])('tell if a plan came into force: %s', async (_, facts, isUnapplied) => {
    expect((await asked(1, 1, facts)).decisions).toMatchObject([{ isUnapplied }]);
  });
});
