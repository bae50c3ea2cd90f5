/**
 * Object names join pipeline, stage and variant by `--`, so different variants never share a name. Names that are too
 * long or have forbidden characters end in a digest.
 */
import { createHash } from 'node:crypto';

export type Labels = Readonly<Record<string, string>>;

/** Suffixes of Kubernetes and engines must still fit 63 characters. */
const MOST_CHARACTERS = 52;
const DIGEST_CHARACTERS = 8;
const MOST_IN_LABEL = 63;

export function digestOf(text: string, characters = DIGEST_CHARACTERS): string {
  return createHash('sha256').update(text).digest('hex').slice(0, characters);
}

/** At most 52 lower-case letters, digits and `-`, starting with a letter. */
export function objectName(...parts: readonly string[]): string {
  const plain = parts.map(plainPart);
  const name = plain.join('--');
  const isSame = parts.every((part, index) => part === plain[index]);
  if (isSame && name.length <= MOST_CHARACTERS && /^[a-z]/.test(name)) return name;
  const start = /^[a-z]/.test(name) ? name : `p${name === '' ? '' : `-${name}`}`;
  const cut = start.slice(0, MOST_CHARACTERS - DIGEST_CHARACTERS - 1).replace(/-+$/, '');
  return `${cut}-${digestOf(JSON.stringify(parts))}`;
}

const plainPart = (part: string): string =>
  part
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-')
    .replaceAll(/^-|-$/g, '');

export function labelValue(name: string): string {
  if (name.length <= MOST_IN_LABEL && /^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$/.test(name)) return name;
  return objectName(name);
}

export const LABEL_PREFIX = 'equipoise.dev';

/** Selector labels of a workload; they never change. */
export function selectorOf(pipeline: string, part: PipelinePart): Labels {
  const own: Labels =
    part.kind !== 'stage'
      ? { [`${LABEL_PREFIX}/part`]: partLabel(part) }
      : {
          [`${LABEL_PREFIX}/part`]: partLabel(part),
          [`${LABEL_PREFIX}/stage`]: labelValue(part.stage),
          [`${LABEL_PREFIX}/variant`]: labelValue(part.variant),
        };
  return { [`${LABEL_PREFIX}/pipeline`]: labelValue(pipeline), ...own };
}

/** `next` is the canary router. `router`: number of the router that uses the part; default 0. */
export type PipelinePart = (
  | { readonly kind: 'router' | 'next' }
  | { readonly kind: 'stage'; readonly stage: string; readonly variant: string }
) & { readonly router?: number };

/** Parts of other routers than the first have labels of their own, so selectors never overlap. */
const partLabel = ({ kind, router = 0 }: PipelinePart): string => (router === 0 ? kind : `${kind}-${router}`);

const routerSuffix = (router: number): readonly string[] => (router === 0 ? [] : [`router-${router}`]);

/** Name of a router; that of the first is also the name of the Service. */
export const routerName = (pipeline: string, router = 0): string => objectName(pipeline, ...routerSuffix(router));

export const workloadName = (pipeline: string, stage: string, variant: string, router = 0): string =>
  objectName(pipeline, stage, variant, ...routerSuffix(router));

/** Selects the pods of all routers of a pipeline, but no canary router. */
export const allRouters = (pipeline: string): Labels => ({
  [`${LABEL_PREFIX}/pipeline`]: labelValue(pipeline),
  'app.kubernetes.io/component': 'router',
});

export function labelsOf(pipeline: string, part?: PipelinePart): Labels {
  return {
    'app.kubernetes.io/name': 'equipoise',
    'app.kubernetes.io/instance': labelValue(pipeline),
    'app.kubernetes.io/managed-by': 'equipoise',
    ...(part === undefined
      ? { [`${LABEL_PREFIX}/pipeline`]: labelValue(pipeline) }
      : { 'app.kubernetes.io/component': part.kind, ...selectorOf(pipeline, part) }),
  };
}
