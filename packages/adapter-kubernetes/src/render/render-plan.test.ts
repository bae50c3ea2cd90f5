import { fileURLToPath } from 'node:url';
import {
  followsAddresses,
  type PipelineSpec,
  type StagePlan,
  type StageSpec,
  stageId,
  type VariantId,
  variantId,
} from '@equipoise/core/model';
import { optimize } from '@equipoise/core/plan';
import { describe, expect, it } from 'vitest';
import type { KubeObject } from '../api/kube-object.js';
import { toYaml } from '../api/to-yaml.js';
import { workloadName } from '../cluster/object-names.js';
import { isRouter } from '../cluster/observed-objects.js';
import { routedPlan } from '../plan/kept-plan.js';
import { withRoutes } from '../reconcile/routes.js';
import { fileOf } from './config-files.js';
import type { RenderTarget } from './engines/targets.js';
import type { ConfigMap, NetworkPolicy } from './manifest-types.js';
import { renderPlan } from './render-plan.js';
import { EVERY_KIND, exampleOf, planFor, requestFor, specOf } from './render-request.test-support.js';
import { brokenRules, podsOf } from './rendered-rules.test-support.js';
import { chosenVariants } from './router-spec.js';
import { stageSpec } from './stage-spec.js';

const targets = ['deployment', 'seldon-v2', 'seldon-v1', 'kserve'] as const;
const every = specOf(EVERY_KIND);

const examples = [
  'examples/shelf-scan/pipeline.yaml',
  'examples/policies/pipeline.yaml',
  'examples/python-stage/pipeline.yaml',
  'packages/app/templates/language/pipeline.yaml',
];

const objectOf = (objects: readonly KubeObject[], kind: string, name: string) => {
  const found = objects.find((object) => object.kind === kind && object.metadata.name === name);
  if (found === undefined) throw new Error(`${kind} ${name} is not among ${objects.map((each) => each.metadata.name)}`);
  return found;
};

/** Pipeline file of the pods of `name`. */
function servedSpec(objects: readonly KubeObject[], name: string): PipelineSpec {
  return specOf(fileOf(objectOf(objects, 'ConfigMap', name) as ConfigMap) ?? '');
}

describe.each(targets)('a plan for %s', (target) => {
  it.each(examples)('keeps the rules: %s', (path) => {
    const request = requestFor(target, exampleOf(path));
    expect(brokenRules(renderPlan(request), request)).toEqual([]);
  });

  it('keeps the rules for every kind of stage, on CPUs and on GPUs, in a namespace', () => {
    for (const embed of ['cpu', 'gpu']) {
      const request = requestFor(target, { spec: every, plan: planFor(every, { embed }), namespace: 'models' });
      expect(brokenRules(renderPlan(request), request)).toEqual([]);
    }
  });

  it('is the same text every time', async () => {
    const text = toYaml(renderPlan(requestFor(target, { spec: every })));
    expect(toYaml(renderPlan(requestFor(target, { spec: specOf(EVERY_KIND) })))).toBe(text);
    await expect(text).toMatchFileSnapshot(fileURLToPath(new URL(`golden/${target}.yaml`, import.meta.url)));
  });

  it('has a router whose only plan is this one, but for the replicas that follow the pods', () => {
    const { spec, profiles } = exampleOf('examples/policies/pipeline.yaml');
    const plan = planFor(spec);
    const objects = renderPlan(requestFor(target, { spec, profiles, plan }));
    const routed = servedSpec(objects, 'detect-and-classify');
    const clock = { nowMs: () => 0 };
    const result = optimize({ spec: routed, profiles: [], arrivalRps: 1, estimator: 'distribution', clock });
    const stages = Object.entries(plan.stages).map(([id, chosen]) => {
      const follows = routed.stages.some((stage) => stage.id === id && followsAddresses(stage));
      return [id, chosen.map((each) => (follows ? { ...each, replicas: expect.any(Number) } : each))];
    });
    expect(result).toMatchObject({ kind: 'feasible', plan: { stages: Object.fromEntries(stages) } });
    expect(routed.control.mode).toBe('off');
  });

  it('has the same router for another number of replicas', () => {
    const { spec, profiles } = exampleOf('examples/policies/pipeline.yaml');
    const plan = planFor(spec);
    const more = Object.entries(plan.stages).map(([id, chosen]) => [
      id,
      chosen.map((each) => ({ ...each, replicas: each.replicas + 1 })),
    ]);
    const router = (of: typeof plan) =>
      renderPlan(requestFor(target, { spec, profiles, plan: of })).filter((object) => isRouter(object));
    expect(router({ stages: Object.fromEntries(more) })).toEqual(router(plan));
  });

  it('is read back: replicas that the router follows as it was told, or from the objects of their stage', () => {
    const { spec, profiles } = exampleOf('examples/policies/pipeline.yaml');
    const { stages } = planFor(spec);
    const objects = renderPlan(requestFor(target, { spec, profiles, plan: { stages } }));
    expect(routedPlan(spec, objects)?.stages).toEqual(stages);
    const chosen = chosenVariants({ spec, plan: { stages } });
    const names = chosen.map(({ stage, variant }) => workloadName(spec.name, stage.id, variant.id));
    // The objects of the stages have the replicas of another plan.
    const told = { to: names, inForce: new Map(names.map((name) => [name, 7])) };
    const routed = objects.map((object) =>
      object.kind === 'Deployment' && isRouter(object) ? withRoutes(object, told) : object,
    );
    const { stages: followed } = servedSpec(objects, spec.name);
    expect(routedPlan(spec, routed)?.stages).toEqual(
      Object.fromEntries(
        followed.map((stage) => [
          stage.id,
          (stages[stage.id] ?? []).map((each) => (followsAddresses(stage) ? { ...each, replicas: 7 } : each)),
        ]),
      ),
    );
  });
});

it('is refused with replicas at addresses, because the plan has their number', () => {
  const [start, end] = EVERY_KIND.split('https://models.example.org') as [string, string];
  const spec = specOf(
    `${start}http://models.example.org', replicas: addresses, model: rank${end.slice(end.indexOf(', token'))}`,
  );
  expect(() => renderPlan(requestFor('deployment', { spec }))).toThrow(
    'the stage rank follows the plan. Remove its server.replicas',
  );
});

it('gives the router the shares of the variants in the plan', () => {
  const { spec, profiles } = exampleOf('examples/policies/pipeline.yaml');
  const byVariant = { [variantId('small')]: 2, [variantId('medium')]: 3, [variantId('large')]: 4 };
  const edges = spec.edges.map((edge) => ({ ...edge, fanOut: { expected: 3, byVariant } }));
  const detect = spec.stages[0] as StageSpec;
  const plan = planFor(spec, { [detect.id]: 'large' });
  const objects = renderPlan(requestFor('deployment', { spec: { ...spec, edges }, profiles, plan }));
  expect(servedSpec(objects, 'detect-and-classify').edges.map(({ fanOut }) => fanOut)).toEqual([{ expected: 4 }]);
});

it('gives the router the threshold of the plan, from which the plan is read again', () => {
  const { spec, profiles } = exampleOf('examples/policies/pipeline.yaml');
  const [detect] = spec.stages as readonly [StageSpec];
  const thresholds = [0.5, 0.8];
  const shares = detect.variants.flatMap(({ id }) => thresholds.map((value) => [`${id} at ${value}`, value / 2]));
  const when = {
    condition: 'output.sure < threshold',
    thresholds,
    probability: 0.3,
    byVariant: Object.fromEntries(shares),
  };
  const edges = spec.edges.map(({ fanOut: _, join: __, ...edge }) => ({ ...edge, when }));
  const { stages } = planFor(spec, { [detect.id]: 'large' });
  const chosen = (stages[detect.id] ?? []).map((part) => ({ ...part, threshold: 0.8 }));
  const asked = { ...spec, edges, outputs: spec.stages.map(({ id }) => ({ from: id })) };
  const plan = { stages: { ...stages, [detect.id]: chosen } };
  const objects = renderPlan(requestFor('deployment', { spec: asked, profiles, plan }));
  const [edge] = servedSpec(objects, 'detect-and-classify').edges;
  expect(edge?.when).toEqual({ condition: 'output.sure < threshold', thresholds: [0.8], probability: 0.4 });
  expect(routedPlan(asked, objects)?.stages[detect.id]?.[0]).toMatchObject({ variantId: 'large', threshold: 0.8 });
});

it('gives the router the quorum of the plan, from which the plan is read again', () => {
  const { spec, profiles } = exampleOf('examples/policies/pipeline.yaml');
  const [detect, classify] = spec.stages as readonly [StageSpec, StageSpec];
  const vote = stageId('vote');
  const { stages } = planFor(spec, { [detect.id]: 'large' });
  const asked: PipelineSpec = {
    ...spec,
    sources: spec.sources.map((source) => ({ ...source, to: [detect.id, classify.id] })),
    combines: [{ id: vote, method: 'vote', tensor: 'label', output: 'label' }],
    edges: [detect, classify].map(({ id: from }) => ({ from, to: vote, join: { quorum: 1, quorums: [1, 2] } })),
    outputs: [{ from: vote }],
    accuracyTable: {
      combinations: [1, 2].map((quorum) => ({
        variants: {
          [detect.id]: variantId(`large with quorum ${quorum}`),
          [classify.id]: classify.variants[0]?.id as VariantId,
        },
        accuracy: 0.5,
      })),
    },
  };
  const chosen = (stages[detect.id] ?? []).map((part) => ({ ...part, quorum: 2 }));
  const plan = { stages: { ...stages, [detect.id]: chosen } };
  const objects = renderPlan(requestFor('deployment', { spec: asked, profiles, plan }));
  const { edges } = servedSpec(objects, 'detect-and-classify');
  expect(edges.map(({ join }) => join)).toEqual([{ quorum: 2 }, { quorum: 2 }]);
  expect(routedPlan(asked, objects)?.stages[detect.id]?.[0]).toMatchObject({ variantId: 'large', quorum: 2 });
});

describe('a stage that is code', () => {
  const objects = renderPlan(requestFor('deployment', { spec: every }));

  it('is served from the folder of the image, by the variant of the plan', () => {
    const served = servedSpec(objects, 'shelf--detect--small');
    expect(served).toMatchObject({
      name: 'detect',
      slo: { latencyMs: 3000 },
      stages: [
        {
          module: '/pipeline/stages/detect.ts',
          variants: [{ id: 'small', artifact: 's3://models/detect-small.onnx', cpuCores: [0.5], loadMs: 900 }],
          bounds: { minReplicas: 1, maxReplicas: 1, batchSizes: [4], maxBatchWaitMs: 2 },
          pins: { variantId: 'small', cpuCores: 0.5, maxBatchSize: 4, replicas: 1 },
        },
      ],
    });
  });

  it('may reach what it fetches, and one that fetches nothing may not', () => {
    const policy = (name: string) => objectOf(objects, 'NetworkPolicy', name) as NetworkPolicy;
    expect(policy('shelf--detect--small').spec).toMatchObject({ egress: [{}] });
    expect(policy('shelf--embed--cpu').spec.egress).not.toContainEqual({});
  });

  it('may reach what it fetches, however its scheme is written', () => {
    const shouted = (artifact = '') => artifact.replace('s3:', 'S3:');
    const stages = every.stages.map((stage) => ({
      ...stage,
      variants: stage.variants.map((each) => (each.artifact ? { ...each, artifact: shouted(each.artifact) } : each)),
    }));
    const rendered = renderPlan(requestFor('deployment', { spec: { ...every, stages } }));
    expect(objectOf(rendered, 'NetworkPolicy', 'shelf--detect--small')).toMatchObject({ spec: { egress: [{}] } });
  });

  it('has a router that reaches only names, Istio, the stages and the pod that replaces it', () => {
    const language = exampleOf('packages/app/templates/language/pipeline.yaml');
    const rendered = renderPlan(requestFor('deployment', language));
    const { egress } = (objectOf(rendered, 'NetworkPolicy', 'language') as NetworkPolicy).spec;
    const reached = egress.flatMap(({ to = [], ports = [] }) =>
      to.map(({ podSelector: { matchLabels = {} } = {} }) => [
        matchLabels['equipoise.dev/stage'] ?? matchLabels['equipoise.dev/part'],
        ports[0]?.port,
      ]),
    );
    // Names come from any address: caches on the nodes are no pods.
    expect(egress[0]?.to).toBeUndefined();
    expect(egress[0]?.ports?.map(({ protocol, port }) => `${protocol} ${port}`)).toEqual([
      'UDP 53',
      'TCP 53',
      'UDP 5353',
      'TCP 5353',
    ]);
    expect(reached).toEqual([
      [undefined, 15_010],
      ['words', 8080],
      ['language', 8080],
      ['router', 8080],
    ]);
  });

  it('serves on until another of its pods is ready, which it may ask; other servers do neither', () => {
    const leaving = (name: string) => {
      const { spec, selector } = podsOf(objectOf(objects, 'Deployment', name)) ?? {};
      const { ingress, egress } = (objectOf(objects, 'NetworkPolicy', name) as NetworkPolicy).spec;
      const peers = JSON.stringify([{ podSelector: { matchLabels: selector } }]);
      return {
        longestS: spec?.terminationGracePeriodSeconds,
        variables: spec?.containers[0]?.env?.filter((each) => each.name.includes('PEERS')),
        admitted: ingress.filter(({ from }) => JSON.stringify(from) === peers).length,
        reached: egress.filter(({ to }) => JSON.stringify(to) === peers).length,
      };
    };
    const url = { name: 'EQUIPOISE_PEERS_URL', value: 'http://shelf--embed--cpu:8080' };
    const code = leaving('shelf--embed--cpu');
    expect(code).toMatchObject({ variables: [url, { value: '30' }], admitted: 1, reached: 1 });
    const server = leaving('shelf--classify--forest');
    expect(server).toMatchObject({ variables: [], admitted: 0, reached: 0 });
    expect(code.longestS).toBe((server.longestS ?? 0) + 30);
  });

  it('takes the largest batch that a plan may choose; behind an engine that walks the graph, that of the plan', () => {
    const sizeOf = (target: RenderTarget, over: Partial<StageSpec> = {}) => {
      const stages = every.stages.map((stage) => (stage.id === 'detect' ? { ...stage, ...over } : stage));
      const chosen = chosenVariants({ spec: { ...every, stages }, plan: planFor(every) })[0];
      if (chosen === undefined) throw new Error('no stage');
      const plan = { ...chosen.plan, maxBatchSize: 1 };
      return stageSpec({ ...chosen, plan }, { profiles: [], target }).stages[0]?.pins.maxBatchSize;
    };
    const { bounds } = every.stages[0] as StageSpec;
    expect(sizeOf('deployment')).toBe(4);
    expect(sizeOf('kserve')).toBe(4);
    expect(sizeOf('deployment', { pins: { maxBatchSize: 1 } })).toBe(1);
    expect(sizeOf('deployment', { bounds: { ...bounds, batchSizes: [1, 2, 8] } })).toBe(1);
    expect(sizeOf('kserve:theirs')).toBe(1);
  });

  it('rolls out again when its variant or cores change, and not for another batch size', () => {
    const digest = (over: Partial<StagePlan> = {}) => {
      const plan = planFor(every);
      const [detect] = plan.stages[stageId('detect')] ?? [];
      const stages = { ...plan.stages, detect: [{ ...detect, ...over }] } as typeof plan.stages;
      const rendered = renderPlan(requestFor('deployment', { spec: every, plan: { stages } }));
      const { spec } = objectOf(rendered, 'Deployment', 'shelf--detect--small') as never as {
        spec: { template: { metadata: { annotations: Readonly<Record<string, string>> } } };
      };
      return spec.template.metadata.annotations['equipoise.dev/config-digest'];
    };
    expect(digest()).toBe(digest());
    expect(digest({ resources: { cpuCores: 1, memoryBytes: 200_000_000, gpus: 0 } })).not.toBe(digest());
    expect(digest({ maxBatchSize: 1 })).toBe(digest({ maxBatchSize: 4 }));
  });
});

describe('a server with a command', () => {
  it('runs on fixed ports, without batching of its own', () => {
    const objects = renderPlan(requestFor('deployment', { spec: every }));
    const [container] = podsOf(objectOf(objects, 'Deployment', 'shelf--classify--forest'))?.spec.containers ?? [];
    expect(container).toMatchObject({ command: ['.venv/bin/mlserver', 'start', './models/forest'] });
    expect(
      Object.fromEntries((container?.env ?? []).map((each) => [each.name, 'value' in each && each.value])),
    ).toMatchObject({
      MLSERVER_HTTP_PORT: '8080',
      MLSERVER_GRPC_PORT: '8081',
      MLSERVER_METRICS_PORT: '8082',
      MLSERVER_MODEL_MAX_BATCH_SIZE: '1',
      MLSERVER_MODEL_MAX_BATCH_TIME: '0',
    });
  });

  it('has the image of its variant, else of its stage, else of the pipeline', () => {
    const byVariant = { classify: 'stage:1', 'classify/forest': 'variant:1', embed: 'embed:1' };
    const objects = renderPlan(requestFor('deployment', { spec: every, images: { pipeline: 'all:1', byVariant } }));
    const imageOf = (name: string) => podsOf(objectOf(objects, 'Deployment', name))?.spec.containers[0]?.image;
    expect(imageOf('shelf--classify--forest')).toBe('variant:1');
    expect(imageOf('shelf--embed--cpu')).toBe('embed:1');
    expect(imageOf('shelf--detect--small')).toBe('all:1');
    expect(imageOf('shelf')).toBe('all:1');
  });
});

describe('the router', () => {
  it('reaches each stage where the engine has it', () => {
    const urlsFor = (target: (typeof targets)[number]) => {
      const objects = renderPlan(requestFor(target, { spec: every }));
      return servedSpec(objects, 'shelf').stages.map(({ variants }) => variants[0]?.server?.urls[0]);
    };
    const pods = [
      'http://shelf--detect--small:8080',
      'http://shelf--classify--forest:8080',
      'http://shelf--embed--cpu:8080',
    ];
    const far = 'https://models.example.org';
    expect(urlsFor('deployment')).toEqual([...pods, far]);
    expect(urlsFor('kserve')).toEqual([...pods, far]);
    expect(urlsFor('seldon-v1')).toEqual([...pods, far]);
    expect(urlsFor('seldon-v2')).toEqual([pods[0], 'http://seldon-mesh', pods[2], far]);
  });

  it('gets the tokens of servers elsewhere from a secret', () => {
    const objects = renderPlan(requestFor('deployment', { spec: every }));
    const [container] = podsOf(objectOf(objects, 'Deployment', 'shelf'))?.spec.containers ?? [];
    expect(container?.env).toContainEqual({
      name: 'RANK_TOKEN',
      valueFrom: { secretKeyRef: { name: 'shelf--tokens', key: 'RANK_TOKEN' } },
    });
  });
});

describe('a Server of Seldon Core 2', () => {
  it('has the resources, and a Model of the artifact that only it takes', () => {
    const objects = renderPlan(requestFor('seldon-v2', { spec: every }));
    const name = 'shelf--classify--forest';
    expect(objectOf(objects, 'Server', name)).toMatchObject({
      spec: {
        replicas: 2,
        extraCapabilities: [name],
        podSpec: { containers: [{ resources: { limits: { cpu: '2' } } }] },
      },
    });
    expect(objectOf(objects, 'Model', name)).toMatchObject({
      spec: { storageUri: 's3://models/shelf/models/forest', requirements: [name], replicas: 2, memory: '800000000' },
    });
    expect(JSON.stringify(objects)).not.toMatch(/minReplicas|maxReplicas/);
  });

  it.each([
    ['no artifact', '          artifact: ./models/forest\n', 's3://models/shelf', /give the variant an artifact/],
    ['an artifact of this machine', '', undefined, /say with --artifacts URI/],
  ])('needs an address to fetch from: %s', (_, left, artifactBase, words) => {
    const spec = specOf(EVERY_KIND.replace(left, ''));
    const { artifactBase: __, ...request } = requestFor('seldon-v2', { spec });
    const asked = { ...request, ...(artifactBase !== undefined && { artifactBase }) };
    expect(() => renderPlan(asked)).toThrow(
      expect.objectContaining({ code: 'INVALID_PIPELINE', message: expect.stringMatching(words) }),
    );
  });
});

describe('what cannot be rendered', () => {
  it('is an image of a stage that is not there', () => {
    const images = { pipeline: 'all:1', byVariant: { detekt: 'x:1' } };
    expect(() => renderPlan(requestFor('deployment', { spec: every, images }))).toThrow(
      'There is no stage or variant detekt to give an image; the pipeline has detect, detect/small,',
    );
  });

  it('is a mixture of variants', () => {
    const { stages } = planFor(every);
    const both = ['cpu', 'gpu'].flatMap((embed) => planFor(every, { embed }).stages[stageId('embed')] ?? []);
    const plan = { stages: { ...stages, embed: both } };
    expect(() => renderPlan(requestFor('deployment', { spec: every, plan }))).toThrow(
      'Expected one variant of the stage embed in the plan, found several.',
    );
  });
});
