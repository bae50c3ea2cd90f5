/**
 * Keeps what runs. A newer version of the operator may render the same plan differently; no pod restarts for that alone.
 * If the file of a live ConfigMap means the same as the wanted file, the live text and its digest stay. If a Deployment
 * runs the wanted file, image and arguments, the way that its pods leave and the order of their variables stay. The next
 * change of the plan brings the newer form.
 */
import { isDeepStrictEqual } from 'node:util';
import { LruCache } from '@equipoise/core/model';
import { parse } from 'yaml';
import type { KubeObject } from '../api/kube-object.js';
import { digestOf } from '../cluster/object-names.js';
import { isRouter, type ObservedDeployment } from '../cluster/observed-objects.js';
import type { ConfigMap, Container, Deployment } from '../render/manifest-types.js';
import { CONFIG_DIGEST } from '../render/pod-template.js';
import { PEERS_URL, PEERS_WAIT_S } from '../render/replacement.js';

const FILE = 'pipeline.yaml';

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
      object.kind === 'ConfigMap' ? withText(object as ConfigMap, text) : withDigest(object as Deployment, text);
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
  const present = new Map(live.filter(isConfig).map(({ metadata, data }) => [metadata.name, data?.[FILE]]));
  return new Map(
    wanted.filter(isConfig).flatMap((config) => {
      const { name } = config.metadata;
      const text = config.data[FILE];
      const olds = [present.get(name), isRouter(config) ? present.get(canary) : undefined];
      if (text === undefined || olds.includes(text)) return [];
      const old = olds.find((each) => each !== undefined && verdictOn(text, each));
      return old === undefined ? [] : [[name, old] as const];
    }),
  );
}

const verdictOn = (text: string, old: string): boolean =>
  verdicts.remember(JSON.stringify([text, old]), () => (meansSame(text, old) ? 'same' : 'other')) === 'same';

const isConfig = (object: KubeObject): object is ConfigMap => object.kind === 'ConfigMap';

function meansSame(text: string, old: string): boolean {
  try {
    return isDeepStrictEqual(parse(text), parse(old));
  } catch {
    return false;
  }
}

const withText = (config: ConfigMap, text: string): ConfigMap => ({
  ...config,
  data: { ...config.data, [FILE]: text },
});

function withDigest(deployment: Deployment, text: string): Deployment {
  const { spec } = deployment;
  const { template } = spec;
  const annotations = { ...template.metadata.annotations, [CONFIG_DIGEST]: digestOf(text, 16) };
  return {
    ...deployment,
    spec: { ...spec, template: { ...template, metadata: { ...template.metadata, annotations } } },
  };
}

type Pod = Deployment['spec']['template']['spec'];

const withPauses = new WeakMap<KubeObject, { readonly template: unknown; readonly object: KubeObject }>();

/** The object with pauses and order of variables of the live Deployment, if that runs the same. */
export function withKeptPauses(object: KubeObject, live: ObservedDeployment | undefined): KubeObject {
  if (object.kind !== 'Deployment' || live === undefined) return object;
  const wanted = object as Deployment;
  const running = live.spec.template as Partial<Deployment['spec']['template']>;
  const known = withPauses.get(object);
  if (known !== undefined && isDeepStrictEqual(known.template, running)) return known.object;
  const pod = keptPod(wanted.spec.template, running);
  const next =
    pod === undefined
      ? object
      : ({ ...wanted, spec: { ...wanted.spec, template: { ...wanted.spec.template, spec: pod } } } as KubeObject);
  withPauses.set(object, { template: running, object: next });
  return next;
}

/** Undefined if another file, image or argument starts a rollout anyway. */
function keptPod(
  { metadata, spec }: Deployment['spec']['template'],
  running: Partial<Deployment['spec']['template']>,
): Pod | undefined {
  const isSameFile = running.metadata?.annotations?.[CONFIG_DIGEST] === metadata.annotations?.[CONFIG_DIGEST];
  const [container, old] = [spec.containers[0], running.spec?.containers[0]];
  if (!isSameFile || container === undefined || old === undefined || running.spec === undefined) return undefined;
  if (container.image !== old.image || !isDeepStrictEqual(container.args, old.args)) return undefined;
  const { terminationGracePeriodSeconds } = running.spec;
  const lifecycle = old.lifecycle ?? container.lifecycle;
  const env = isSameSet(container.env, old.env) ? old.env : container.env;
  const kept = { ...container, ...(env && { env }), ...(lifecycle && { lifecycle }) };
  return { ...spec, terminationGracePeriodSeconds, containers: [kept, ...spec.containers.slice(1)] };
}

/** True if the variables differ at most in their order, and in how a pod leaves. */
const isSameSet = (a: Container['env'] = [], b: Container['env'] = []): boolean =>
  isDeepStrictEqual(byName(a), byName(b));

const LEAVING = [PEERS_URL, PEERS_WAIT_S];

const byName = (env: NonNullable<Container['env']>) =>
  env.filter(({ name }) => !LEAVING.includes(name)).toSorted((a, b) => (a.name < b.name ? -1 : 1));
