import { LABEL_PREFIX } from '../cluster/object-names.js';
import type { InferencePipeline } from '../cluster/observed-objects.js';

const ARRIVAL_RPS = `${LABEL_PREFIX}/arrival-rps`;
const IMAGES = `${LABEL_PREFIX}/images`;

/** Load to plan for until a router reports one; undefined if missing or not a positive rate. */
export function arrivalRpsOf({ metadata }: InferencePipeline): number | undefined {
  const rps = Number(metadata.annotations?.[ARRIVAL_RPS] ?? Number.NaN);
  return Number.isFinite(rps) && rps > 0 ? rps : undefined;
}

/** Images in the form of the flag `--image`. */
export function imagesNamedBy({ metadata }: InferencePipeline): readonly string[] {
  return (metadata.annotations?.[IMAGES] ?? '').split(/[\s,]+/).filter((each) => each !== '');
}

export function annotationsOf(
  arrivalRps: number | undefined,
  images: readonly string[],
): Readonly<Record<string, string>> {
  return {
    ...(arrivalRps !== undefined && { [ARRIVAL_RPS]: String(arrivalRps) }),
    ...(images.length > 0 && { [IMAGES]: images.join(' ') }),
  };
}
