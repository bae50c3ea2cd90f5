/**
 * Router of the new plan over the pods of both plans. A stage that follows its pods uses all of them. Another stage runs
 * as many batches at once as the larger plan has replicas. So each plan gets traffic in proportion to its pods. The
 * function is idempotent.
 */
import { parse, stringify } from 'yaml';
import type { KubeObject } from '../api/kube-object.js';
import { deployments, isRouter, type ObservedDeployment } from '../cluster/observed-objects.js';
import { fileOf, withFile, withMountedFile } from '../render/config-files.js';
import type { ConfigMap, Deployment } from '../render/manifest-types.js';
import { digestOf } from './replica-groups.js';

interface RoutedStage {
  readonly name: string;
  /** Absent on a combine stage, which runs in the router. */
  readonly variants?: readonly RoutedVariant[];
  readonly bounds: { readonly replicas: { readonly min: number; readonly max: number } };
  /** Without replicas if the stage follows its pods. */
  readonly pins: { readonly replicas?: number };
}

interface RoutedVariant {
  readonly server: RoutedServer;
}

interface RoutedServer {
  readonly url: string | readonly string[];
  readonly replicas?: string;
  readonly model: string;
  readonly batching?: string;
}

interface RouterFile {
  readonly spec: { readonly stages: readonly RoutedStage[] };
}

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
  return wanted.map((object) => (isRouter(object) ? withRouterFile(object, text) : object));
}

/** The file that the router among these objects runs. */
function routerFileOf(objects: readonly KubeObject[]): RouterFile | undefined {
  const own = objects.filter(isRouter);
  const config = own.find(({ kind }) => kind === 'ConfigMap') as ConfigMap | undefined;
  const deployment = own.find(({ kind }) => kind === deployments.kind) as ObservedDeployment | undefined;
  const text = fileOf(config, deployment && digestOf(deployment));
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
  const variants = [{ ...variant, server: { ...variant.server, url: [...urls, ...others].toSorted() } }];
  if (variant.server.replicas === 'addresses') return { ...stage, variants };
  const replicas = Math.max(stage.pins.replicas ?? 1, before.pins.replicas ?? 1);
  return {
    ...stage,
    variants,
    bounds: { ...stage.bounds, replicas: { min: replicas, max: replicas } },
    pins: { ...stage.pins, replicas },
  };
}

const urlsOf = ({ url }: RoutedServer): readonly string[] => (typeof url === 'string' ? [url] : url);

function withRouterFile(object: KubeObject, text: string): KubeObject {
  if (object.kind === 'ConfigMap') return withFile(object as ConfigMap, text);
  return object.kind === deployments.kind ? withMountedFile(object as Deployment, text) : object;
}
