/** Placements that a cluster would refuse, or that contradict the renderer. */
import { expect, test } from 'vitest';
import { type Loose, parseChanged, problemsOf } from '../pipeline.test-support.js';

const DISK = { name: 'disk', persistentVolumeClaim: { claimName: 'models' } };

const GOOD = {
  nodeSelector: { 'example.com/pool': 'models' },
  affinity: {
    nodeAffinity: {
      requiredDuringSchedulingIgnoredDuringExecution: {
        nodeSelectorTerms: [{ matchExpressions: [{ key: 'zone', operator: 'In', values: ['a', 'b'] }] }],
      },
    },
    podAntiAffinity: {
      preferredDuringSchedulingIgnoredDuringExecution: [
        { weight: 50, podAffinityTerm: { topologyKey: 'zone', labelSelector: { matchLabels: { app: 'batch' } } } },
      ],
    },
  },
  tolerations: [{ key: 'dedicated', operator: 'Equal', value: 'models', effect: 'NoSchedule' }],
  topologySpreadConstraints: [{ maxSkew: 1, topologyKey: 'zone', whenUnsatisfiable: 'DoNotSchedule' }],
  priorityClassName: 'serving',
  runtimeClassName: 'nvidia',
  imagePullSecrets: [{ name: 'registry' }],
  labels: { team: 'vision' },
  annotations: { 'example.com/note': 'any text at all' },
  volumes: [DISK],
  volumeMounts: [{ name: 'disk', mountPath: '/models', readOnly: true }],
  resources: { 'amd.com/gpu': 1, 'ephemeral-storage': '2Gi' },
};

const withPlacement = (placement: Loose) =>
  problemsOf(
    parseChanged((spec) => {
      spec.stages[0].variants[0].placement = placement;
    }),
  );

const PATH = 'spec.stages[0].variants[0].placement';

test('every field is accepted, and a variant mounts the volumes of its stage', () => {
  expect(withPlacement(GOOD)).toEqual([]);
  const { volumes, volumeMounts, resources: _, ...shared } = GOOD;
  const problems = parseChanged((spec) => {
    spec.placement = shared;
    spec.stages[0].placement = { volumes };
    spec.stages[0].variants[1].placement = { volumeMounts };
  });
  expect(problemsOf(problems)).toEqual([]);
});

test.each<readonly [string, Loose, string, RegExp]>([
  ['a security context', { securityContext: {} }, '.securityContext', /expected no "securityContext".*restricted/],
  ['replicas', { replicas: 3 }, '.replicas', /the plan sets it: use bounds\.replicas or pins\.replicas/],
  ['containers', { containers: [] }, '.containers', /the pod has one container: use server\.command/],
  ['an unknown field', { nodeselector: {} }, '.nodeselector', /unknown field "nodeselector", expected one of nodeSel/],
  [
    'an own label',
    { labels: { 'equipoise.dev/stage': 'x' } },
    '.labels["equipoise.dev/stage"]',
    /finds its pods by it/,
  ],
  ['a label with a space', { labels: { a: 'b c' } }, '.labels.a', /at most 63 letters/],
  ['a name with a space', { annotations: { 'a b': 'c' } }, '.annotations["a b"]', /a name such as example\.com\/name/],
  ['cores', { resources: { cpu: 2 } }, '.resources.cpu', /use resources\.cpuCores of the variant/],
  ['GPUs of the plan', { resources: { 'nvidia.com/gpu': 1 } }, '.resources["nvidia.com/gpu"]', /use resources\.gpus/],
  ['a resource without a domain', { resources: { gpu: 1 } }, '.resources.gpu', /a resource such as example\.com\/name/],
  ['no quantity', { resources: { 'a.b/c': 'much' } }, '.resources["a.b/c"]', /a quantity such as 1 or 10Gi/],
  [
    'a folder of the node',
    { volumes: [{ name: 'a', hostPath: { path: '/' } }] },
    '.volumes[0].hostPath',
    /no hostPath/,
  ],
  [
    'a token of the API server',
    {
      volumes: [
        { name: 'a', projected: { sources: [{ secret: { name: 'b' } }, { serviceAccountToken: { path: 't' } }] } },
      ],
    },
    '.volumes[0].projected.sources[1].serviceAccountToken',
    /no serviceAccountToken/,
  ],
  ['a part of a device', { resources: { 'amd.com/gpu': '0.5' } }, '.resources["amd.com/gpu"]', /a whole number of/],
  ['a volume of no kind', { volumes: [{ name: 'a' }] }, '.volumes[0]', /one kind of volume, found 0/],
  ['a volume of an unknown kind', { volumes: [{ name: 'a', nfs: {} }] }, '.volumes[0].nfs', /unknown field "nfs"/],
  ['an own volume', { volumes: [{ ...DISK, name: 'tmp' }] }, '.volumes[0].name', /another name than state, tmp/],
  ['two volumes of a name', { volumes: [DISK, DISK] }, '.volumes[1].name', /another name than .*disk/],
  [
    'a mount of no volume',
    { volumeMounts: [{ name: 'disk', mountPath: '/a' }] },
    '.volumeMounts[0].name',
    /unknown volume "disk", expected one of placement\.volumes, which is empty/,
  ],
  [
    'a mount over the state',
    { volumes: [DISK], volumeMounts: [{ name: 'disk', mountPath: '/var/lib/equipoise/' }] },
    '.volumeMounts[0].mountPath',
    /a folder of its own/,
  ],
  [
    'a misspelled affinity',
    { affinity: { nodeAffinity: { requiredDuringScheduling: {} } } },
    '.affinity.nodeAffinity.requiredDuringScheduling',
    /unknown field "requiredDuringScheduling", expected one of requiredDuringSchedulingIgnoredDuringExecution/,
  ],
  [
    'a constraint without a key',
    { topologySpreadConstraints: [{ maxSkew: 1, whenUnsatisfiable: 'ScheduleAnyway' }] },
    '.topologySpreadConstraints[0].topologyKey',
    /missing field "topologyKey"/,
  ],
  [
    'a toleration of nothing',
    { tolerations: [{ effect: 'NoSchedule' }] },
    '.tolerations[0]',
    /a key, or .operator: Ex/,
  ],
  [
    'a toleration of every value of one value',
    { tolerations: [{ key: 'a', operator: 'Exists', value: 'b' }] },
    '.tolerations[0].value',
    /no value with/,
  ],
  [
    'a toleration for some seconds of a taint that ends no pod',
    { tolerations: [{ key: 'a', operator: 'Exists', effect: 'NoSchedule', tolerationSeconds: 5 }] },
    '.tolerations[0].tolerationSeconds',
    /only with .effect: NoExecute/,
  ],
  ['a tainted key', { tolerations: [{ key: 'a b' }] }, '.tolerations[0].key', /a name such as example\.com\/name/],
  ['a tainted value', { tolerations: [{ key: 'a', value: 'b c' }] }, '.tolerations[0].value', /at most 63 letters/],
  [
    'the same spread twice',
    { topologySpreadConstraints: [...GOOD.topologySpreadConstraints, ...GOOD.topologySpreadConstraints] },
    '.topologySpreadConstraints[1]',
    /one constraint for zone with DoNotSchedule/,
  ],
  [
    'a least number of domains that does not count',
    {
      topologySpreadConstraints: [
        { maxSkew: 1, topologyKey: 'zone', whenUnsatisfiable: 'ScheduleAnyway', minDomains: 2 },
      ],
    },
    '.topologySpreadConstraints[0].minDomains',
    /only with .whenUnsatisfiable: DoNotSchedule/,
  ],
  [
    'a mount over /tmp in another spelling',
    { volumes: [DISK], volumeMounts: [{ name: 'disk', mountPath: '//./tmp/.' }] },
    '.volumeMounts[0].mountPath',
    /a folder of its own/,
  ],
  [
    'a resource with the name of a method',
    { resources: { constructor: 1 } },
    '.resources.constructor',
    /such as example/,
  ],
  ['too much', { annotations: { note: 'x'.repeat(17_000) } }, '', /at most 16384 characters as JSON/],
])('%s is refused', (_what, placement, path, message) => {
  const problems = withPlacement(placement);
  expect(problems.map((problem) => problem.path)).toContain(`${PATH}${path}`);
  expect(problems.find((problem) => problem.path === `${PATH}${path}`)?.message).toMatch(message);
});

test('a variant whose volumes take the place of one that its stage mounts is refused', () => {
  const { volumes, volumeMounts } = GOOD;
  const problems = problemsOf(
    parseChanged((spec) => {
      spec.stages[0].placement = { volumes, volumeMounts };
      spec.stages[0].variants[0].placement = { volumes: [{ name: 'scratch', emptyDir: {} }] };
      spec.stages[0].variants[1].placement = { volumes: [{ name: 'scratch', emptyDir: {} }], volumeMounts: [] };
    }),
  );
  expect(problems).toMatchObject([
    { path: `${PATH}.volumes`, message: expect.stringMatching(/"disk", too, which the stage mounts/) },
  ]);
});

test('a volume for all pods is refused, with the place for it', () => {
  const problems = problemsOf(
    parseChanged((spec) => {
      spec.placement = { volumes: [DISK] };
    }),
  );
  expect(problems).toMatchObject([
    { path: 'spec.placement.volumes', message: expect.stringMatching(/move it to placement of the stage/) },
  ]);
});
