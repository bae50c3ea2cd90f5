/**
 * Names and labels of the objects of a pipeline. Names are the pipeline, the stage and the variant with `--` between them, so that two
 * choices never meet in one name (`a-b` and `c` is not `a` and `b-c`). What a name of Kubernetes cannot have is replaced, and then, as for
 * names that are too long, the end is a digest of the names as they were written.
 */
import { createHash } from 'node:crypto';

/** Labels or annotations of an object. */
export type Labels = Readonly<Record<string, string>>;

/** What Kubernetes and the engines hang behind a name (`-predictor`, a digest of a revision) still makes a label of at most 63. */
const MOST_CHARACTERS = 52;
const DIGEST_CHARACTERS = 8;
const MOST_IN_LABEL = 63;

/** First digits of the SHA-256 of a text. */
export function digestOf(text: string, characters = DIGEST_CHARACTERS): string {
  return createHash('sha256').update(text).digest('hex').slice(0, characters);
}

/** A name of at most 52 characters that begins with a letter, of lower-case letters, digits and `-`. */
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

/** A name as the value of a label: as it is where labels allow it. */
export function labelValue(name: string): string {
  if (name.length <= MOST_IN_LABEL && /^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$/.test(name)) return name;
  return objectName(name);
}

/** Prefix of our labels and annotations. */
export const LABEL_PREFIX = 'equipoise.dev';

/** By these labels the pods of a part are selected; they never change while the part lives. */
export function selectorOf(pipeline: string, part: PipelinePart): Labels {
  const own: Labels =
    part.kind !== 'stage'
      ? { [`${LABEL_PREFIX}/part`]: part.kind }
      : {
          [`${LABEL_PREFIX}/part`]: 'stage',
          [`${LABEL_PREFIX}/stage`]: labelValue(part.stage),
          [`${LABEL_PREFIX}/variant`]: labelValue(part.variant),
        };
  return { [`${LABEL_PREFIX}/pipeline`]: labelValue(pipeline), ...own };
}

/** What the pods of a pipeline do: route, route for a plan that is being tried, or one variant of a stage. */
export type PipelinePart =
  | { readonly kind: 'router' | 'next' }
  | { readonly kind: 'stage'; readonly stage: string; readonly variant: string };

/** The selector with the labels that Kubernetes recommends. */
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
