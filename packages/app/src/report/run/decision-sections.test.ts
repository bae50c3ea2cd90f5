import type { DecisionRecord } from '@equipoise/core/model';
import { expect, it } from 'vitest';
import { htmlPage } from '../page/html-page.js';
import { sampleDecision, sampleRun } from '../sample-run.test-support.js';
import { runPage } from './run-page.js';

type Change = Partial<Pick<DecisionRecord, 'mode' | 'outcome'>>;

/** Decision that chose a plan; without an outcome unless `change` has one. */
function chosen(id: number, change: Change): DecisionRecord {
  const { outcome: _, mode: __, ...record } = sampleDecision(3 * id + 1, 'p', 'a');
  return { ...record, id, ...change };
}

const applied = { kind: 'applied', tookMs: 10 } as const;
const decisions = [
  chosen(1, { mode: 'auto', outcome: applied }),
  chosen(2, { mode: 'advise' }),
  chosen(3, { mode: 'advise', outcome: applied }),
  chosen(4, { mode: 'auto', outcome: { kind: 'failed', step: 'apply', message: 'no memory' } }),
  chosen(5, { mode: 'auto' }),
  chosen(6, {}),
];
const run = { ...sampleRun({ pipeline: 'p', stages: ['a'], seconds: 6000, everyS: 20 }), decisions };
const page = runPage(run);
const html = htmlPage(page);
const cells = (id: number) =>
  [...html.matchAll(/<tr>(.*?)<\/tr>/gs)]
    .map(([, row = '']) => [...row.matchAll(/<t[dh][^>]*>(.*?)<\/t[dh]>/gs)].map(([, cell = '']) => cell))
    .find(([first = '']) => first.replace(/<[^>]*>/g, '') === String(id)) ?? [];

it('shows advice as advice: in the table, without a card and a flag', () => {
  expect(cells(2).slice(3)).toEqual(['advice', expect.any(String), 'advised only']);
  expect(html).not.toContain('id="d2"');
  expect(html).not.toContain('#d2"');
});

it('flags changes that came into force, by hand in mode advise too, and counts no others', () => {
  for (const id of [1, 3, 6]) expect(html).toContain(`href="#d${id}"`);
  const [loadPlot] = page.sections[0]?.blocks.flatMap((block) => (typeof block === 'string' ? [] : block.plots)) ?? [];
  expect(loadPlot?.marks?.map(({ href }) => href)).toEqual(['#d1', '#d3', '#d6']);
  expect(page.facts.at(-1)).toEqual({
    ...{ label: 'Plan changes', value: '3', note: 'of 6 decisions, 1 of them only advised' },
  });
});

it('has a card for a change that failed or has no outcome', () => {
  expect(html).toContain('id="d4"');
  expect(cells(4).slice(3)).toEqual(['apply', expect.any(String), 'apply failed: no memory']);
  expect(cells(5).slice(3)).toEqual(['apply', expect.any(String), 'not recorded']);
});

it('lists the summary of a change by its kind, without a link to a card that is not there', () => {
  const { decision, ...record } = chosen(9, { mode: 'auto', outcome: applied });
  const summary = { ...record, decision: { kind: 'apply', reason: decision?.reason ?? '' } } as DecisionRecord;
  const shown = runPage({ ...run, decisions: [...decisions, summary] });
  expect(shown.facts.at(-1)?.value).toBe('4');
  const text = htmlPage(shown);
  expect(text).toContain('The newest 5 of 6. ');
  expect(text).not.toContain('#d9"');
});
