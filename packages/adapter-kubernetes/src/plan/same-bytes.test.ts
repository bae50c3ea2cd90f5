/** A plan rendered by the command line and by the operator: the same bytes, so that a take-over restarts no pod. */
import { readFileSync } from 'node:fs';
import type { Plan } from '@equipoise/core/model';
import { describe, expect, it } from 'vitest';
import type { KubeObject } from '../api/kube-object.js';
import { toYaml } from '../api/to-yaml.js';
import type { InferencePipeline } from '../cluster/observed-objects.js';
import { pipelineObject } from '../render/pipeline-object.js';
import { renderPlan } from '../render/render-plan.js';
import { EVERY_KIND, exampleOf, planFor, specOf } from '../render/render-request.test-support.js';
import { objectsOf, ToldPlans } from '../test-cluster/memory/pipeline-fixture.test-support.js';
import { PipelinePlanning } from './planning.js';

const images = { pipeline: 'shelf:1', byVariant: {} };
const root = new URL('../../../../', import.meta.url);
const examples = [
  'packages/app/templates/language/pipeline.yaml',
  'examples/shelf-scan/pipeline.yaml',
  'examples/policies/pipeline.yaml',
];
const pipelines = [
  ...examples.map((path) => ({
    path,
    text: readFileSync(new URL(path, root), 'utf8').replace(/^ {2}accuracyTable: .*$/m, ''),
  })),
  { path: 'every kind of stage', text: EVERY_KIND },
];

/** Copy with sorted keys, as API servers return objects. */
function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(entries.map(([key, member]) => [key, sorted(member)]));
}

describe('objects of a plan', () => {
  it.each(pipelines)('have the same bytes by command line and operator: $path', async ({ path, text }) => {
    const { spec, profiles } = path.endsWith('.yaml') ? exampleOf(path) : { spec: specOf(text), profiles: [] };
    const plan = planFor(spec);
    const predicted = { latencyMs: 1, percentile: 99, pas: 1, capacityRps: 1, cpuCores: 1, costPerHour: 1 };
    const source = new ToldPlans({ ...plan, predicted } as Plan);
    const byCommand = renderPlan({
      spec,
      profiles,
      plan,
      images,
      target: 'deployment',
      namespace: 'n',
    });

    const { object } = pipelineObject(text, { spec, profiles }, { namespace: 'n', annotations: {} });
    const control = { mode: 'auto' };
    const stored = sorted(object) as InferencePipeline & { spec: object };
    const pipeline = {
      ...stored,
      metadata: { ...stored.metadata, uid: 'uid', generation: 1 },
      spec: { ...stored.spec, control },
    };
    const planning = await new PipelinePlanning(source, { imagesOf: () => images }).planningOf('n/p', {
      ...{ pipeline: pipeline as KubeObject as InferencePipeline, children: [], pods: [] },
    });
    expect(toYaml(objectsOf(planning))).toBe(toYaml(byCommand));
  });
});
