import { describe, expect, it } from 'vitest';
import { developmentIncidents, developmentPipelines, healthyRun } from './development-incidents.test-support.js';
import { diagnose } from './diagnose.js';
import { type Incident, simulateIncident } from './simulated-incident.test-support.js';

function cardOf(incident: Incident) {
  const spec = developmentPipelines[incident.pipeline];
  if (spec === undefined) throw new Error(`no pipeline ${incident.pipeline}`);
  return diagnose(simulateIncident(incident, spec));
}

describe('the diagnosis of a simulated run', () => {
  it.each(developmentIncidents)('finds $name', (incident) => {
    const card = cardOf(incident);
    const { cause, stages } = incident.expect;
    expect(card).toMatchObject({ verdict: 'incident', cause });
    if (stages !== undefined && card.verdict === 'incident') expect(stages).toContain(card.stageId);
  });

  it.each(Array.from({ length: 10 }, (_, i) => healthyRun(i)))('finds nothing in $name', (run) => {
    expect(cardOf(run)).toMatchObject({ verdict: 'healthy' });
  });

  it('gives the same card for the same window', () => {
    const [first] = developmentIncidents;
    if (first !== undefined) expect(cardOf(first)).toEqual(cardOf(first));
  });
});
