/** The share of the requests that the router that serves gives to the one that is tried: in its arguments, and told on its pods. */
import type { KubeObject } from '../api/kube-object.js';
import { LABEL_PREFIX } from '../cluster/object-names.js';
import type { ObservedDeployment } from '../cluster/observed-objects.js';
import type { Deployment } from '../render/manifest-types.js';
import { plainMetadata } from './canary-router.js';

/** On the pods of the router that serves. */
const SHARE = `${LABEL_PREFIX}/share`;

const FLAGS = ['--share-with', '--share'];

/** Whom to give a share, and how large it is: above 0 and at most 1. */
export interface RouterShare {
  readonly url: string;
  readonly fraction: number;
}

/** The share that pods of a template, or a pod, give away; 0 where they keep all. */
export function shareOf({ metadata }: { readonly metadata?: Pick<KubeObject['metadata'], 'annotations'> }): number {
  return Number(metadata?.annotations?.[SHARE] ?? 0);
}

/** A router as it runs, with another share to give away; `undefined` is none, and then it is what it was before. */
export function withShare(live: ObservedDeployment, share: RouterShare | undefined): KubeObject {
  const { apiVersion, kind, metadata } = live;
  const { spec } = live as unknown as Deployment;
  const { template } = spec;
  const { [SHARE]: _, ...others } = template.metadata.annotations ?? {};
  const annotations = { ...others, ...(share && { [SHARE]: String(share.fraction) }) };
  const [router, ...beside] = template.spec.containers;
  if (router === undefined) return live;
  const args = [...withoutShare(router.args ?? []), ...argumentsOf(share)];
  const own = Object.entries(metadata.annotations ?? {}).filter(([name]) => name.startsWith(`${LABEL_PREFIX}/`));
  return {
    ...{ apiVersion, kind, metadata: { ...plainMetadata(metadata), annotations: Object.fromEntries(own) } },
    spec: {
      ...spec,
      template: {
        ...template,
        metadata: { ...template.metadata, annotations },
        spec: { ...template.spec, containers: [{ ...router, args }, ...beside] },
      },
    },
  } as KubeObject;
}

function argumentsOf(share: RouterShare | undefined): readonly string[] {
  const values = share === undefined ? [] : [share.url, String(share.fraction)];
  return values.flatMap((value, index) => [FLAGS[index] ?? '', value]);
}

function withoutShare(args: readonly string[]): readonly string[] {
  return args.filter((arg, index) => !FLAGS.includes(arg) && !FLAGS.includes(args[index - 1] ?? ''));
}
