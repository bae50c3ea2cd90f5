/**
 * Keeps what runs. A newer version of the operator may render the same plan differently; no pod restarts for that alone.
 * If a file of a live ConfigMap means the same as the wanted file, the live text and its digest stay. If a Deployment
 * runs the wanted file, image and arguments, the way that its pods leave, the order of their variables and the key of
 * their file stay. The next change of the plan brings the newer form. Up to version 0.1.0, a router has
 * numbers of replicas in its file and the planned rate in its arguments. The file of a stage has the planned batch size.
 * They stay while these numbers are those of the plan. Files of older templates stay as long as pods may mount them.
 */
import { isDeepStrictEqual } from 'node:util';
import { LruCache } from '@equipoise/core/model';
import { parse } from 'yaml';
import type { KubeObject } from '../api/kube-object.js';
import { workloadName } from '../cluster/object-names.js';
import { deployments, isRouter, type ObservedDeployment, routerOf } from '../cluster/observed-objects.js';
import { digestOfEntry, fileOf, filesOf, withFile, withMountedFile } from '../render/config-files.js';
import type { ConfigMap, Container, Deployment } from '../render/manifest-types.js';
import { CONFIG_DIGEST, CONFIG_VOLUME, FILE } from '../render/pod-template.js';
import { PEERS_URL, PEERS_WAIT_S } from '../render/replacement.js';
import { batchSettings } from '../render/stage-spec.js';
import { isForm } from './engine-stages.js';
import { digestOf } from './replica-groups.js';

/** Verdicts by pairs of texts, because parsing dominates a pass. */
const verdicts = new LruCache<string>(1024);

/** Objects by their wanted form, so that equal passes return the same objects. */
const kept = new WeakMap<KubeObject, { readonly text: string; readonly object: KubeObject }>();

/** `canary`: name of the canary router, whose file is that of the router to be. */
export function withKeptTexts(
  wanted: readonly KubeObject[],
  live: readonly KubeObject[],
  canary: string,
): readonly KubeObject[] {
  const texts = keptTexts(wanted, live, canary);
  if (texts.size === 0) return wanted;
  return wanted.map((object) => {
    const text = texts.get(object.metadata.name);
    if (text === undefined || !(object.kind === 'ConfigMap' || object.kind === 'Deployment')) return object;
    const known = kept.get(object);
    if (known?.text === text) return known.object;
    const next =
      object.kind === 'ConfigMap' ? withFile(object as ConfigMap, text) : withMountedFile(object as Deployment, text);
    kept.set(object, { text, object: next });
    return next;
  });
}

/** Live texts that differ from the wanted ones but mean the same, by name. */
function keptTexts(
  wanted: readonly KubeObject[],
  live: readonly KubeObject[],
  canary: string,
): ReadonlyMap<string, string> {
  const present = new Map(live.filter(isConfig).map((config) => [config.metadata.name, config]));
  const running = new Map(live.filter(isWorkload).map((workload) => [workload.metadata.name, digestOf(workload)]));
  const textsOf = (name: string): readonly string[] => textsByUse(present.get(name), running.get(name));
  // The objects of an engine have the digest of their own text.
  const ofEngines = new Set(wanted.filter(isForm).map(({ metadata }) => metadata.name));
  const replicas = Object.fromEntries(
    wanted.filter(isWorkload).map(({ metadata, spec }) => [metadata.name, spec.replicas ?? 1]),
  );
  return new Map(
    wanted.filter(isConfig).flatMap((config) => {
      const { name } = config.metadata;
      const text = fileOf(config);
      if (text === undefined || ofEngines.has(name)) return [];
      const olds = [...textsOf(name), ...(isRouter(config) ? textsOf(canary) : [])];
      if (olds.includes(text)) return [];
      const pinned = isRouter(config) ? { router: routerOf(config), replicas } : routerOfStage(config, wanted);
      const old = olds.find((each) => verdictOn(text, each, pinned));
      return old === undefined ? [] : [[name, old] as const];
    }),
  );
}

/** Files of a live ConfigMap, that of the running template first. */
function textsByUse(config: ConfigMap | undefined, running: string | undefined): readonly string[] {
  if (config === undefined) return [];
  const files = filesOf(config);
  const first = files.get(running ?? '');
  return first === undefined ? [...files.values()] : [first, ...[...files.values()].filter((text) => text !== first)];
}

/** Replicas of the plan by workload, for the file of a router. */
interface PlannedReplicas {
  readonly router: number;
  readonly replicas: Readonly<Record<string, number>>;
}

/** File of the router of a stage, which has its planned batch size. */
interface RouterOfStage {
  readonly workload: string;
  readonly router: number;
  readonly routerFile: string;
}

type Pinned = PlannedReplicas | RouterOfStage;

function routerOfStage(stage: ConfigMap, wanted: readonly KubeObject[]): RouterOfStage | undefined {
  const router = routerOf(stage);
  const routerFile = fileOf(wanted.filter(isConfig).find((config) => isRouter(config) && routerOf(config) === router));
  return routerFile === undefined ? undefined : { workload: stage.metadata.name, router, routerFile };
}

const verdictOn = (text: string, old: string, pinned: Pinned | undefined): boolean =>
  verdicts.remember(JSON.stringify([text, old, pinned]), () => (meansSame(text, old, pinned) ? 'same' : 'other')) ===
  'same';

const isConfig = (object: KubeObject): object is ConfigMap => object.kind === 'ConfigMap';

const isWorkload = (object: KubeObject): object is ObservedDeployment => object.kind === deployments.kind;

function meansSame(text: string, old: string, pinned: Pinned | undefined): boolean {
  try {
    const [wanted, found] = [parse(text), parse(old)];
    return (
      isDeepStrictEqual(wanted, found) || (pinned !== undefined && isDeepStrictEqual(asPinned(wanted, pinned), found))
    );
  } catch {
    return false;
  }
}

/** File of a router or of a stage. */
interface ServedFile {
  readonly metadata: { readonly name: string };
  readonly spec: { readonly stages: readonly RoutedStage[]; readonly admission?: object };
}

interface RoutedStage {
  readonly name: string;
  readonly variants?: readonly { readonly name: string; readonly server?: { readonly replicas?: string } }[];
  readonly bounds?: object;
  readonly pins?: { readonly maxBatchSize?: number };
}

const asPinned = (file: ServedFile, pinned: Pinned): ServedFile =>
  'replicas' in pinned ? withPinnedReplicas(file, pinned) : withPinnedBatchSize(file, pinned);

/** The file as version 0.1.0 wrote it: with the planned batch size in place of the largest. */
function withPinnedBatchSize(file: ServedFile, { workload, router, routerFile }: RouterOfStage): ServedFile {
  const { metadata, spec }: ServedFile = parse(routerFile);
  const routed = spec.stages.find(
    ({ name, variants: [variant] = [] }) =>
      variant !== undefined && workloadName(metadata.name, name, variant.name, router) === workload,
  );
  const { bounds, pins, admission } = batchSettings(routed?.pins?.maxBatchSize ?? 1);
  const stages = file.spec.stages.map((stage) => ({
    ...stage,
    bounds: { ...stage.bounds, ...bounds },
    pins: { ...stage.pins, ...pins },
  }));
  return { ...file, spec: { ...file.spec, stages, admission: { ...file.spec.admission, ...admission } } };
}

/** The file as version 0.1.0 wrote it: with the number of replicas in place of `replicas: addresses`. */
function withPinnedReplicas(file: ServedFile, { router, replicas: planned }: PlannedReplicas): ServedFile {
  const stages = file.spec.stages.map((stage) => {
    const [variant] = stage.variants ?? [];
    if (variant?.server?.replicas !== 'addresses') return stage;
    const { replicas: _, ...server } = variant.server;
    const replicas = planned[workloadName(file.metadata.name, stage.name, variant.name, router)];
    return {
      ...stage,
      variants: [{ ...variant, server }],
      bounds: { ...stage.bounds, replicas: { min: replicas, max: replicas } },
      pins: { ...stage.pins, replicas },
    };
  });
  return { ...file, spec: { ...file.spec, stages } };
}

type Pod = Deployment['spec']['template']['spec'];

const withPauses = new WeakMap<
  KubeObject,
  { readonly template: unknown; readonly hasOldKey: boolean; readonly object: KubeObject }
>();

/**
 * The object with pauses, order of variables and key of the file of the live Deployment, if that runs the same.
 * `config`: the live ConfigMap.
 */
export function withKeptPauses(
  object: KubeObject,
  live: ObservedDeployment | undefined,
  config: KubeObject | undefined,
): KubeObject {
  if (object.kind !== 'Deployment' || live === undefined) return object;
  const wanted = object as Deployment;
  const running = live.spec.template as Partial<Deployment['spec']['template']>;
  const hasOldKey = config !== undefined && isConfig(config) && config.data?.[FILE] !== undefined;
  const known = withPauses.get(object);
  if (known?.hasOldKey === hasOldKey && isDeepStrictEqual(known.template, running)) return known.object;
  const pod = keptPod(wanted.spec.template, running, hasOldKey);
  const next =
    pod === undefined
      ? object
      : ({ ...wanted, spec: { ...wanted.spec, template: { ...wanted.spec.template, spec: pod } } } as KubeObject);
  withPauses.set(object, { template: running, hasOldKey, object: next });
  return next;
}

/** Undefined if another file, image or argument starts a rollout anyway. */
function keptPod(
  { metadata, spec }: Deployment['spec']['template'],
  running: Partial<Deployment['spec']['template']>,
  hasOldKey: boolean,
): Pod | undefined {
  const isSameFile = running.metadata?.annotations?.[CONFIG_DIGEST] === metadata.annotations?.[CONFIG_DIGEST];
  const [container, old] = [spec.containers[0], running.spec?.containers[0]];
  if (!isSameFile || container === undefined || old === undefined || running.spec === undefined) return undefined;
  if (container.image !== old.image || !isDeepStrictEqual(withoutRate(container.args), withoutRate(old.args)))
    return undefined;
  const { terminationGracePeriodSeconds } = running.spec;
  const lifecycle = old.lifecycle ?? container.lifecycle;
  const env = isSameSet(container.env, old.env) ? old.env : container.env;
  const { args } = old;
  const kept = { ...container, ...(args && { args }), ...(env && { env }), ...(lifecycle && { lifecycle }) };
  const volumes = hasOldKey ? withKeptSource(spec.volumes, running.spec.volumes) : spec.volumes;
  return { ...spec, terminationGracePeriodSeconds, containers: [kept, ...spec.containers.slice(1)], volumes };
}

const RATE = '--arrival-rps';

/** Arguments without the planned rate, which those of a router had up to version 0.1.0. */
const withoutRate = (args: readonly string[] = []): readonly string[] =>
  args.filter((arg, index) => arg !== RATE && args[index - 1] !== RATE);

/** Up to version 0.1.0, a pod mounts its ConfigMap whole. */
function withKeptSource(wanted: Pod['volumes'], running: Pod['volumes'] = []): Pod['volumes'] {
  const old = running.find(({ name }) => name === CONFIG_VOLUME);
  if (old === undefined || !('configMap' in old) || old.configMap.items !== undefined) return wanted;
  const { name } = old.configMap;
  return wanted.map((volume) =>
    volume.name === CONFIG_VOLUME ? { name: CONFIG_VOLUME, configMap: { name } } : volume,
  );
}

/** True if the variables differ at most in their order, and in how a pod leaves. */
const isSameSet = (a: Container['env'] = [], b: Container['env'] = []): boolean =>
  isDeepStrictEqual(byName(a), byName(b));

const LEAVING = [PEERS_URL, PEERS_WAIT_S];

const byName = (env: NonNullable<Container['env']>) =>
  env.filter(({ name }) => !LEAVING.includes(name)).toSorted((a, b) => (a.name < b.name ? -1 : 1));

/** Room for the files of older templates; a ConfigMap has at most 1 MiB. */
const MOST_KEPT_BYTES = 400_000;

/** Use of the files of a ConfigMap. */
export interface FileUse {
  /** Digests of existing pods and templates. */
  readonly digests: ReadonlySet<string>;
  /** True if a rollout is under way, so that ReplicaSets may start pods of any older template. */
  readonly isChanging: boolean;
}

const withFiles = new WeakMap<KubeObject, { readonly live: KubeObject; readonly object: KubeObject }>();

/**
 * The ConfigMap with the files of older templates that pods may still mount. Unused files go with the next change: their
 * removal would be a write of its own.
 */
export function withKeptFiles(object: KubeObject, live: KubeObject | undefined, usageOf: () => FileUse): KubeObject {
  if (!isConfig(object) || live === undefined || !isConfig(live)) return object;
  const known = withFiles.get(object);
  if (known?.live === live) return known.object;
  const { data } = object;
  const olds = Object.entries(live.data ?? {}).flatMap(([key, text]) => {
    const digest = data[key] === undefined ? digestOfEntry(key, text) : undefined;
    return digest === undefined ? [] : [{ key, text, digest }];
  });
  if (olds.length === 0) return object;
  const isWritten = Object.entries(data).every(([key, text]) => live.data[key] === text);
  const { digests, isChanging } = usageOf();
  const isUsed = ({ digest }: { readonly digest: string }): boolean => digests.has(digest);
  let bytes = 0;
  const kept = olds
    .filter((old) => isWritten || isChanging || isUsed(old))
    .toSorted((a, b) => Number(isUsed(b)) - Number(isUsed(a)))
    .filter(({ text }) => {
      bytes += Buffer.byteLength(text);
      return bytes <= MOST_KEPT_BYTES;
    });
  // API servers sort keys: equal data have equal bytes.
  const entries = [...Object.entries(data), ...kept.map(({ key, text }) => [key, text] as const)];
  const sorted = entries.toSorted(([a], [b]) => (a < b ? -1 : 1));
  const next: ConfigMap = { ...object, data: Object.fromEntries(sorted) };
  if (isWritten) withFiles.set(object, { live, object: next });
  return next;
}
