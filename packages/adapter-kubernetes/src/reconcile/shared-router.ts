/**
 * Router of the new plan over the pods of both plans. Each stage runs as many batches at once as the larger plan has
 * replicas, each in a different pod. So each plan gets traffic in proportion to its pods. The function is idempotent.
 */
import { parse, stringify } from 'yaml';
import type { KubeObject } from '../api/kube-object.js';
import { digestOf } from '../cluster/object-names.js';
import { isRouter } from '../cluster/observed-objects.js';
import type { ConfigMap, Deployment } from '../render/manifest-types.js';
import { CONFIG_DIGEST } from '../render/pod-template.js';

interface RoutedStage {
  readonly name: string;
  /** Absent on a combine stage, which runs in the router. */
  readonly variants?: readonly RoutedVariant[];
  readonly bounds: { readonly replicas: { readonly min: number; readonly max: number } };
  readonly pins: { readonly replicas: number };
}

interface RoutedVariant {
  readonly server: RoutedServer;
}

interface RoutedServer {
  readonly url: string | readonly string[];
  readonly model: string;
  readonly batching?: string;
}

interface RouterFile {
  readonly spec: { readonly stages: readonly RoutedStage[] };
}

const FILE = 'pipeline.yaml';

/** The shared router; undefined if the pods of a stage are not interchangeable. */
export function sharedRouter(
  wanted: readonly KubeObject[],
  children: readonly KubeObject[],
): readonly KubeObject[] | undefined {
  const [file, live] = [routerFileOf(wanted), routerFileOf(children)];
  if (file === undefined || live === undefined) return undefined;
  const stages = file.spec.stages.map((stage) => sharedStage(stage, live));
  if (stages.includes(undefined)) return undefined;
  const text = stringify({ ...file, spec: { ...file.spec, stages } }, { lineWidth: 0 });
  return wanted.map((object) => (isRouter(object) ? withFile(object, text) : object));
}

function routerFileOf(objects: readonly KubeObject[]): RouterFile | undefined {
  const config = objects.find((object) => object.kind === 'ConfigMap' && isRouter(object)) as ConfigMap | undefined;
  const text = config?.data[FILE];
  return text === undefined ? undefined : (parse(text) as RouterFile);
}

function sharedStage(stage: RoutedStage, live: RouterFile): RoutedStage | undefined {
  if (stage.variants === undefined) return stage;
  const before = live.spec.stages.find(({ name }) => name === stage.name);
  const [variant, old] = [stage.variants[0], before?.variants?.[0]];
  if (before === undefined || variant === undefined || old === undefined) return undefined;
  const [urls, oldUrls] = [urlsOf(variant.server), urlsOf(old.server)];
  const others = oldUrls.filter((url) => !urls.includes(url));
  if (others.length === 0) return stage;
  if (variant.server.model !== old.server.model || variant.server.batching !== old.server.batching) return undefined;
  const replicas = Math.max(stage.pins.replicas, before.pins.replicas);
  return {
    ...stage,
    variants: [{ ...variant, server: { ...variant.server, url: [...urls, ...others].toSorted() } }],
    bounds: { ...stage.bounds, replicas: { min: replicas, max: replicas } },
    pins: { ...stage.pins, replicas },
  };
}

const urlsOf = ({ url }: RoutedServer): readonly string[] => (typeof url === 'string' ? [url] : url);

function withFile(object: KubeObject, text: string): KubeObject {
  if (object.kind === 'ConfigMap') return { ...object, data: { [FILE]: text } } as KubeObject;
  if (object.kind !== 'Deployment') return object;
  const deployment = object as Deployment;
  const { template } = deployment.spec;
  const annotations = { ...template.metadata.annotations, [CONFIG_DIGEST]: digestOf(text, 16) };
  const shared: Deployment = {
    ...deployment,
    spec: { ...deployment.spec, template: { ...template, metadata: { ...template.metadata, annotations } } },
  };
  return shared;
}
