/** What a pipeline says beside its spec, for the operator alone. */

import { LABEL_PREFIX } from '../cluster/object-names.js';
import type { InferencePipeline } from '../cluster/observed-objects.js';

const ARRIVAL_RPS = `${LABEL_PREFIX}/arrival-rps`;
const IMAGES = `${LABEL_PREFIX}/images`;

/** Load to plan for before there is a router that tells of it; undefined where none is named, or something else than a rate. */
export function arrivalRpsOf({ metadata }: InferencePipeline): number | undefined {
  const rps = Number(metadata.annotations?.[ARRIVAL_RPS] ?? Number.NaN);
  return Number.isFinite(rps) && rps > 0 ? rps : undefined;
}

/** Images as the flag `--image` takes them, one after another; none where the pipeline names none. */
export function imagesNamedBy({ metadata }: InferencePipeline): readonly string[] {
  return (metadata.annotations?.[IMAGES] ?? '').split(/[\s,]+/).filter((each) => each !== '');
}

/** The annotations of a pipeline that names its load and its images. */
export function annotationsOf(
  arrivalRps: number | undefined,
  images: readonly string[],
): Readonly<Record<string, string>> {
  return {
    ...(arrivalRps !== undefined && { [ARRIVAL_RPS]: String(arrivalRps) }),
    ...(images.length > 0 && { [IMAGES]: images.join(' ') }),
  };
}
