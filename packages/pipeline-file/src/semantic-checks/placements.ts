import type { z } from 'zod';
import { type SpecDraft, wellFormedEntries } from '../draft.js';
import type { Finding, ValuePath } from '../problem.js';
import { affinityFields, spreadFields, volumeFields } from '../schema/placement-fields.js';
import { compareWithSchema } from '../schema-problems/schema-findings.js';
import { locate } from '../yaml/located-node.js';

type StageDraft = NonNullable<NonNullable<SpecDraft['stages']>[number]>;
type PlacementDraft = NonNullable<StageDraft['placement']>;

/** Keeps a custom resource far below the limit of its store. */
const MOST_CHARACTERS = 16_384;

const OWN_VOLUMES = ['state', 'tmp', 'config'];
/** Folders and files of the renderer's own volumes. */
const OWN_PLACES = ['/tmp', '/var/lib/equipoise', '/var/lib/equipoise/pipeline.yaml'];
const OWN_LABEL = /^(equipoise\.dev\/|app\.kubernetes\.io\/(name|instance|component|managed-by|part-of)$)/;

const LABEL_NAME = /^([a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?\/)?[A-Za-z0-9]([\w.-]{0,61}[A-Za-z0-9])?$/;
const LABEL_VALUE = /^([A-Za-z0-9]([\w.-]{0,61}[A-Za-z0-9])?)?$/;
const LABEL_VALUE_RULE = 'expected at most 63 letters, digits, "-", "_" or "."';
/** Resources of devices are whole. */
const WHOLE = /^\d+([EPTGMk]i?|Ki)?$/;
const QUANTITY = /^\d+(\.\d+)?([EPTGMk]i?|Ki|m)?$/;

/** Resources that the plan sets, with the field to use. */
const PLANNED: Readonly<Record<string, string>> = {
  cpu: 'resources.cpuCores of the variant',
  memory: 'resources.memoryBytes of the variant',
  'nvidia.com/gpu': 'resources.gpus of the variant',
};

/** Finds placements that a cluster would refuse, or that contradict what the renderer sets. */
export function* checkPlacements(spec: SpecDraft): Generator<Finding> {
  yield* checkPlacement(spec.placement, ['spec', 'placement']);
  for (const [index, stage] of wellFormedEntries(spec.stages)) {
    const path = ['spec', 'stages', index];
    yield* checkPlacement(stage.placement, [...path, 'placement']);
    for (const [position, variant] of wellFormedEntries(stage.variants)) {
      yield* checkPlacement(variant.placement, [...path, 'variants', position, 'placement'], stage.placement);
    }
  }
}

function* checkPlacement(
  placement: PlacementDraft | undefined,
  path: ValuePath,
  outer: PlacementDraft = {},
): Generator<Finding> {
  if (placement === undefined) return;
  const { length } = JSON.stringify(placement);
  if (length > MOST_CHARACTERS) {
    const message = `expected a placement of at most ${MOST_CHARACTERS} characters as JSON, found ${length}`;
    yield { path, message };
    return;
  }
  yield* deepFindings(affinityFields, placement.affinity, [...path, 'affinity']);
  for (const [index, spread] of wellFormedEntries(placement.topologySpreadConstraints))
    yield* deepFindings(spreadFields, spread, [...path, 'topologySpreadConstraints', index]);
  yield* checkSpreads(placement, path);
  yield* checkTolerations(placement, path);
  yield* checkNames(placement, path);
  yield* checkVolumes(placement, path, outer);
  yield* checkResources(placement, path);
}

function deepFindings(schema: z.ZodType, value: unknown, path: ValuePath): readonly Finding[] {
  if (value === undefined) return [];
  const result = compareWithSchema(schema, locate(value));
  return result.kind === 'matches'
    ? []
    : result.findings.map((finding) => ({ ...finding, path: [...path, ...finding.path] }));
}

function* checkSpreads({ topologySpreadConstraints }: PlacementDraft, path: ValuePath): Generator<Finding> {
  const known = new Set<string>();
  for (const [index, { topologyKey, whenUnsatisfiable, minDomains }] of wellFormedEntries(topologySpreadConstraints)) {
    const place = [...path, 'topologySpreadConstraints', index];
    if (minDomains !== undefined && whenUnsatisfiable !== 'DoNotSchedule')
      yield {
        path: [...place, 'minDomains'],
        message: 'expected minDomains only with `whenUnsatisfiable: DoNotSchedule`',
      };
    const key = `${topologyKey} with ${whenUnsatisfiable}`;
    if (known.has(key)) yield { path: place, message: `expected one constraint for ${key}, found another` };
    known.add(key);
  }
}

/** Rules of the API server. */
function* checkTolerations({ tolerations }: PlacementDraft, path: ValuePath): Generator<Finding> {
  for (const [index, toleration] of wellFormedEntries(tolerations)) {
    const place = [...path, 'tolerations', index];
    const { key, operator = 'Equal', effect, tolerationSeconds } = toleration;
    if (key === undefined && operator !== 'Exists')
      yield { path: place, message: 'expected a key, or `operator: Exists`, which tolerates every taint' };
    if (key !== undefined && !LABEL_NAME.test(key))
      yield { path: [...place, 'key'], message: `expected a name such as example.com/name, found "${key}"` };
    yield* checkTaintValue(toleration, [...place, 'value']);
    if (tolerationSeconds !== undefined && effect !== 'NoExecute') {
      const message = 'expected tolerationSeconds only with `effect: NoExecute`';
      yield { path: [...place, 'tolerationSeconds'], message };
    }
  }
}

function* checkTaintValue(
  { operator, value = '' }: NonNullable<NonNullable<PlacementDraft['tolerations']>[number]>,
  path: ValuePath,
): Generator<Finding> {
  if (operator !== 'Exists') {
    if (!LABEL_VALUE.test(value)) yield { path, message: `${LABEL_VALUE_RULE}, found "${value}"` };
  } else if (value !== '') yield { path, message: `expected no value with \`operator: Exists\`, found "${value}"` };
}

function* checkNames(placement: PlacementDraft, path: ValuePath): Generator<Finding> {
  for (const field of ['nodeSelector', 'labels', 'annotations'] as const) {
    for (const [name, value] of Object.entries(placement[field] ?? {})) {
      const place = { path: [...path, field, name] };
      if (!LABEL_NAME.test(name)) {
        yield { ...place, message: `expected a name such as example.com/name, found "${name}"`, place: 'key' };
      } else if (field !== 'nodeSelector' && OWN_LABEL.test(name)) {
        const message = `expected no ${name}: Equipoise finds its pods by it. Use a name with a prefix of your own`;
        yield { ...place, message, place: 'key' };
      } else if (field !== 'annotations' && typeof value === 'string' && !LABEL_VALUE.test(value)) {
        yield { ...place, message: `${LABEL_VALUE_RULE}, found "${value}"` };
      }
    }
  }
}

function* checkVolumes(placement: PlacementDraft, path: ValuePath, outer: PlacementDraft): Generator<Finding> {
  const names: string[] = [];
  for (const [index, volume] of wellFormedEntries(placement.volumes)) {
    const place = [...path, 'volumes', index];
    if ('hostPath' in volume) {
      const message =
        'expected no hostPath, which the restricted pod security standard forbids: use persistentVolumeClaim or csi';
      yield { path: [...place, 'hostPath'], message, place: 'key' };
      continue;
    }
    yield* deepFindings(volumeFields, volume, place);
    yield* checkProjected(volume, [...place, 'projected']);
    const kinds = Object.keys(volume).filter((key) => key !== 'name');
    if (kinds.length !== 1) {
      yield { path: place, message: `expected a name and one kind of volume, found ${kinds.length} kinds` };
    }
    const name = String(volume['name']);
    if (OWN_VOLUMES.includes(name) || names.includes(name)) {
      const message = `expected another name than ${[...OWN_VOLUMES, ...names].join(', ')}, found "${name}"`;
      yield { path: [...place, 'name'], message };
    }
    names.push(name);
  }
  yield* checkMounts(placement, path, placement.volumes === undefined ? namesOf(outer) : names);
  if (placement.volumes === undefined || placement.volumeMounts !== undefined) return;
  for (const [, { name = '' }] of wellFormedEntries(outer.volumeMounts)) {
    if (name === '' || names.includes(name)) continue;
    const message = `expected the volume "${name}", too, which the stage mounts: volumes of a variant replace those of its stage`;
    yield { path: [...path, 'volumes'], message };
  }
}

/** `automountServiceAccountToken: false` does not concern volumes. */
function* checkProjected({ projected }: Readonly<Record<string, unknown>>, path: ValuePath): Generator<Finding> {
  if (!isMapping(projected) || !Array.isArray(projected['sources'])) return;
  for (const [index, source] of projected['sources'].entries()) {
    if (!isMapping(source) || !('serviceAccountToken' in source)) continue;
    const message =
      'expected no serviceAccountToken: pods have no rights, and no token of the API server. Use secret, or a csi volume';
    yield { path: [...path, 'sources', index, 'serviceAccountToken'], message, place: 'key' };
  }
}

const isMapping = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const namesOf = ({ volumes }: PlacementDraft): readonly string[] =>
  [...wellFormedEntries(volumes)].map(([, volume]) => String(volume['name']));

function* checkMounts({ volumeMounts }: PlacementDraft, path: ValuePath, known: readonly string[]): Generator<Finding> {
  const taken = [...OWN_PLACES];
  for (const [index, { name = '', mountPath = '' }] of wellFormedEntries(volumeMounts)) {
    const place = [...path, 'volumeMounts', index];
    if (name !== '' && !known.includes(name)) {
      const message = `unknown volume "${name}", expected one of ${known.join(', ') || 'placement.volumes, which is empty'}`;
      yield { path: [...place, 'name'], message };
    }
    const steps = mountPath.split('/').filter((step) => step !== '' && step !== '.');
    const normal = `/${steps.join('/')}`;
    if (normal === '/' || taken.includes(normal) || steps.includes('..') || normal.includes(':')) {
      const message = `expected a folder of its own, other than / and ${taken.join(', ')}, found "${mountPath}"`;
      yield { path: [...place, 'mountPath'], message };
    }
    taken.push(normal);
  }
}

function* checkResources({ resources = {} }: PlacementDraft, path: ValuePath): Generator<Finding> {
  for (const [name, amount] of Object.entries(resources)) {
    const place = [...path, 'resources', name];
    const planned = Object.hasOwn(PLANNED, name) ? PLANNED[name] : undefined;
    if (planned !== undefined) {
      yield { path: place, message: `expected no ${name}, which the plan sets: use ${planned}`, place: 'key' };
    } else if (!LABEL_NAME.test(name) || !(name.includes('/') || /^(ephemeral-storage|hugepages-.+)$/.test(name))) {
      const message = `expected a resource such as example.com/name or ephemeral-storage, found "${name}"`;
      yield { path: place, message, place: 'key' };
    } else if (typeof amount === 'string' && !QUANTITY.test(amount)) {
      yield { path: place, message: `expected a quantity such as 1 or 10Gi, found "${amount}"` };
    } else if (name.includes('/') && !WHOLE.test(String(amount))) {
      yield { path: place, message: `expected a whole number of ${name}, found "${amount}"` };
    }
  }
}
